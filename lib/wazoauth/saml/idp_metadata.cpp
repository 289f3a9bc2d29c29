#include "wazoauth/saml/idp_metadata.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <algorithm>
#include <ctime>
#include <memory>

#include "wazoauth/base/text.h"
#include "wazoauth/base/url.h"
#include "wazoauth/saml/xml.h"

namespace wazoauth::saml {

namespace {

constexpr const char* redirect_binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
constexpr const char* post_binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";

bool is_idp(const Element& descriptor) {
  const std::string protocols = " " + descriptor.attribute("protocolSupportEnumeration").value_or("") + " ";
  return protocols.find(std::string(" ") + protocol_ns + " ") != std::string::npos;
}

std::vector<Element> idps_of(const Element& entity) {
  std::vector<Element> found = entity.children(metadata_ns, "IDPSSODescriptor");
  found.erase(std::remove_if(found.begin(), found.end(), [](const Element& each) { return !is_idp(each); }),
              found.end());
  return found;
}

bool is_service(const Element& entity) {
  return !entity.children(metadata_ns, "SPSSODescriptor").empty();
}

// The only entity that is an identity provider.
Element find_idp(const Element& root) {
  std::vector<Element> entities;
  if (root.is(metadata_ns, "EntityDescriptor")) entities.push_back(root);
  if (root.is(metadata_ns, "EntitiesDescriptor")) entities = root.descendants(metadata_ns, "EntityDescriptor");
  std::vector<Element> idps;
  for (const Element& entity : entities) {
    if (!idps_of(entity).empty()) idps.push_back(entity);
  }
  if (idps.empty() && std::any_of(entities.begin(), entities.end(), is_service))
    throw BadXml("it describes a service provider (SPSSODescriptor), not an identity provider");
  if (idps.size() != 1)
    throw BadXml("it describes " + std::to_string(idps.size()) + " identity providers of SAML 2.0 instead of one");
  return idps.front();
}

std::string checked_location(const std::string& location, const char* service) {
  const auto url = parse_url(location);
  if (!url || (url->scheme != "https" && url->scheme != "http") || location.find('#') != std::string::npos)
    throw BadXml(std::string("the location of ") + service + " is no address that browsers may be sent to");
  return location;
}

std::optional<Element> service_by(const Element& idp, const char* service, const char* binding) {
  for (const Element& each : idp.children(metadata_ns, service)) {
    if (each.attribute("Binding") == binding) return each;
  }
  return std::nullopt;
}

std::optional<std::string> redirect_location(const Element& idp, const char* service) {
  const auto found = service_by(idp, service, redirect_binding);
  if (!found) return std::nullopt;
  return checked_location(found->attribute("Location").value_or(""), service);
}

// By redirect where that is possible: no script has to run for it.
std::optional<LogoutEnd> logout_end(const Element& idp) {
  constexpr const char* service = "SingleLogoutService";
  for (const char* binding : {redirect_binding, post_binding}) {
    const auto found = service_by(idp, service, binding);
    if (!found) continue;
    const std::string location = found->attribute("Location").value_or("");
    return LogoutEnd{checked_location(found->attribute("ResponseLocation").value_or(location), service),
                     binding == post_binding};
  }
  return std::nullopt;
}

std::vector<Element> signing_keys(const Element& idp) {
  std::vector<Element> found;
  for (const Element& key : idp.children(metadata_ns, "KeyDescriptor")) {
    if (key.attribute("use").value_or("signing") != "signing") continue;
    for (const Element& info : key.children(signature_ns, "KeyInfo")) found.push_back(info);
  }
  return found;
}

std::vector<std::string> certificates_in(const std::vector<Element>& keys) {
  std::vector<std::string> certificates;
  for (const Element& key : keys) {
    for (const Element& each : key.descendants(signature_ns, "X509Certificate")) {
      if (auto der = decode_base64(each.text())) certificates.push_back(std::move(*der));
    }
  }
  return certificates;
}

std::optional<std::int64_t> earliest_end(const Element& entity, const Element& idp) {
  std::optional<std::int64_t> end;
  std::vector<Element> elements{idp};
  for (Element each = entity; each.node()->type == XML_ELEMENT_NODE; each = each.parent()) elements.push_back(each);
  for (const Element& each : elements) {
    const auto text = each.attribute("validUntil");
    if (!text) continue;
    const auto time = parse_instant(*text);
    if (!time) throw BadXml("validUntil is no time");
    end = std::min(end.value_or(*time), *time);
  }
  return end;
}

std::optional<std::int64_t> certificate_end(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<X509, void (*)(X509*)> certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())),
                                                           X509_free);
  std::tm parts{};
  if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &parts) != 1) {
    ERR_clear_error();
    return std::nullopt;
  }
  return timegm(&parts);
}

bool is_kept(const Element& child) {
  return child.is(metadata_ns, "KeyDescriptor") || child.is(metadata_ns, "SingleLogoutService") ||
         child.is(metadata_ns, "SingleSignOnService");
}

struct FreeText {
  void operator()(xmlChar* text) const { xmlFree(text); }
};
struct FreeDocument {
  void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
};

// Lasso reads whatever stands in metadata: it gets no more than it needs.
std::string descriptor_of(const std::string& entity_id, const Element& idp) {
  const std::unique_ptr<xmlDoc, FreeDocument> document(xmlNewDoc(nullptr));
  xmlNode* const entity =
      document ? xmlNewDocNode(document.get(), nullptr, BAD_CAST "EntityDescriptor", nullptr) : nullptr;
  if (!entity) throw std::bad_alloc();
  xmlDocSetRootElement(document.get(), entity);
  xmlNs* const space = xmlNewNs(entity, BAD_CAST metadata_ns, nullptr);
  xmlSetNs(entity, space);
  xmlNewProp(entity, BAD_CAST "entityID", BAD_CAST entity_id.c_str());
  xmlNode* const role = xmlNewChild(entity, space, BAD_CAST "IDPSSODescriptor", nullptr);
  if (!role) throw std::bad_alloc();
  xmlNewProp(role, BAD_CAST "protocolSupportEnumeration", BAD_CAST protocol_ns);
  for (const Element& child : idp.children()) {
    if (!is_kept(child)) continue;
    xmlNode* const copy = xmlDocCopyNode(child.node(), document.get(), 1);
    if (!copy) throw std::bad_alloc();
    xmlAddChild(role, copy);
  }
  xmlChar* text = nullptr;
  int size = 0;
  xmlDocDumpMemoryEnc(document.get(), &text, &size, "UTF-8");
  const std::unique_ptr<xmlChar, FreeText> owner(text);
  if (!text) throw std::bad_alloc();
  return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)};
}

Document parse_metadata(std::string_view xml) {
  return Document::parse(xml, Document::Kind::metadata, most_metadata_bytes);
}

IdpMetadata read(const Document& document) {
  const Element entity = find_idp(document.root());
  const std::vector<Element> roles = idps_of(entity);
  if (roles.size() != 1) throw BadXml("it describes one identity provider more than once");
  const Element& idp = roles.front();
  IdpMetadata metadata;
  metadata.entity_id = entity.attribute("entityID").value_or("");
  if (metadata.entity_id.empty() || metadata.entity_id.size() > 1024) throw BadXml("the identity provider has no name");
  const auto login_url = redirect_location(idp, "SingleSignOnService");
  if (!login_url) throw BadXml("no SingleSignOnService has the binding HTTP-Redirect");
  metadata.login_url = *login_url;
  metadata.logout_url = redirect_location(idp, "SingleLogoutService");
  metadata.logout_end = logout_end(idp);
  const std::vector<Element> keys = signing_keys(idp);
  if (keys.empty()) throw BadXml("no KeyDescriptor for signatures");
  metadata.certificates = certificates_in(keys);
  metadata.valid_until = earliest_end(entity, idp);
  metadata.descriptor = descriptor_of(metadata.entity_id, idp);
  return metadata;
}

}  // namespace

void check_metadata(std::string_view xml, std::int64_t now) {
  if (xml.starts_with("\xff\xfe") || xml.starts_with("\xfe\xff"))
    throw BadXml("it is written in UTF-16; save it as UTF-8");
  const Document document = parse_metadata(xml);
  if (!document.root().is(metadata_ns, document.root().name())) return;
  const auto until = read(document).valid_until;
  if (until && now >= *until)
    throw BadXml("its validUntil has passed: it ended at " + format_instant(*until) +
                 "; get it from the identity provider again");
}

IdpMetadata read_idp_metadata(std::string_view xml) {
  return read(parse_metadata(xml));
}

std::optional<std::int64_t> end_of(const IdpMetadata& metadata) {
  std::optional<std::int64_t> end;
  for (const std::string& der : metadata.certificates) end = std::max(end, certificate_end(der));
  if (metadata.valid_until) end = std::min(end.value_or(*metadata.valid_until), *metadata.valid_until);
  return end;
}

}  // namespace wazoauth::saml
