#include "wazoauth/saml/service_provider.h"

#include <lasso/lasso.h>
#include <lasso/xml/saml-2.0/samlp2_authn_request.h>
#include <lasso/xml/saml-2.0/samlp2_logout_request.h>
#include <lasso/xml/saml-2.0/samlp2_logout_response.h>
#include <libxml/parser.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <xmlsec/errors.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "wazoauth/base/log.h"
#include "wazoauth/base/text.h"
#include "wazoauth/base/url.h"
#include "wazoauth/http/http.h"
#include "wazoauth/saml/decryption.h"
#include "wazoauth/saml/xml_signature.h"

namespace wazoauth::saml {

namespace {

constexpr const char* redirect_binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
constexpr const char* post_binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
// RSA with SHA-256. '/' is escaped, too: some identity providers verify what they have encoded again.
constexpr const char* signature_method = "&SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256";
constexpr const char* entity_format = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";
constexpr std::string_view alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

struct Unref {
  template <typename T>
  void operator()(T* object) const {
    g_object_unref(object);
  }
};
template <typename T>
using Owned = std::unique_ptr<T, Unref>;

void assign(char*& member, const std::string& value) {
  g_free(member);
  member = g_strdup(value.c_str());
}

LassoSaml2NameID* new_name_id(std::string text) {
  return LASSO_SAML2_NAME_ID(lasso_saml2_name_id_new_with_string(text.data()));
}

LassoSamlp2StatusCode* status_code(const char* value) {
  auto* const code = LASSO_SAMLP2_STATUS_CODE(lasso_samlp2_status_code_new());
  assign(code->Value, value);
  return code;
}

std::string message_of(lasso_error_t error) {
  return std::string("lasso: ") + lasso_strerror(error);
}

// Messages of lasso and xmlsec don't belong in a server's log: any client can cause them.
void log_lasso(const gchar*, GLogLevelFlags, const gchar* message, gpointer) {
  log::debug(std::string("lasso: ") + message);
}

void log_xmlsec(const char*, int, const char*, const char*, const char*, int, const char* message) {
  log::debug(std::string("xmlsec: ") + (message ? message : ""));
}

std::string base64_of_pem(const std::string& pem) {
  constexpr std::string_view begin = "-----BEGIN CERTIFICATE-----", end = "-----END CERTIFICATE-----";
  const auto start = pem.find(begin);
  const auto stop = start == std::string::npos ? start : pem.find(end, start);
  return stop == std::string::npos ? "" : pem.substr(start + begin.size(), stop - start - begin.size());
}

// "" when it isn't known.
std::string sls_url_beside(const std::string& acs_url) {
  constexpr std::string_view consumer = "/saml/acs";
  if (!acs_url.ends_with(consumer)) return "";
  return acs_url.substr(0, acs_url.size() - consumer.size()) + "/saml/sls";
}

std::string logout_service(const std::string& acs_url) {
  const std::string location = sls_url_beside(acs_url);
  if (location.empty()) return "";
  std::string services;
  for (const char* binding : {redirect_binding, post_binding})
    services +=
        std::string("<SingleLogoutService Binding=\"") + binding + "\" Location=\"" + escape_xml(location) + "\"/>";
  return services;
}

}  // namespace

std::string own_metadata(const Profile& profile, const std::string& certificate) {
  const auto key = [&](const char* use, const std::string& methods) {
    return std::string("<KeyDescriptor use=\"") + use + "\"><KeyInfo xmlns=\"" + signature_ns +
           "\"><X509Data><X509Certificate>" + base64_of_pem(certificate) + "</X509Certificate></X509Data></KeyInfo>" +
           methods + "</KeyDescriptor>";
  };
  return std::string("<EntityDescriptor xmlns=\"") + metadata_ns + "\" entityID=\"" + escape_xml(profile.entity_id) +
         "\"><SPSSODescriptor AuthnRequestsSigned=\"true\" WantAssertionsSigned=\"false\" "
         "protocolSupportEnumeration=\"" +
         protocol_ns + "\">" + key("signing", "") + key("encryption", encryption_methods()) +
         logout_service(profile.acs_url) +
         "<AssertionConsumerService index=\"0\" "
         "isDefault=\"true\" Binding=\"" +
         post_binding + "\" Location=\"" + escape_xml(profile.acs_url) + "\"/></SPSSODescriptor></EntityDescriptor>\n";
}

namespace {

std::string new_id() {
  return "id-" + random_text(17, alphanumeric);
}

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeDigest>;
struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, FreeCertificate>;

std::unique_ptr<BIO, FreeBio> reader(const std::string& text) {
  return std::unique_ptr<BIO, FreeBio>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

int no_password(char*, int, int, void*) {
  return -1;
}

Key read_key(const std::string& pem) {
  return Key(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, no_password, nullptr));
}

const unsigned char* bytes_of(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// An RSA key; null when the certificate can't be read or is of another kind.
Key key_in(const std::string& der_certificate) {
  const unsigned char* at = bytes_of(der_certificate);
  const Certificate certificate(d2i_X509(nullptr, &at, static_cast<long>(der_certificate.size())));
  Key key(certificate ? X509_get_pubkey(certificate.get()) : nullptr);
  return key && EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_RSA ? std::move(key) : nullptr;
}

// Of a method that check_signature_method() has taken.
const EVP_MD* digest_of(std::string_view method) {
  if (method.ends_with("sha256")) return EVP_sha256();
  if (method.ends_with("sha384")) return EVP_sha384();
  return method.ends_with("sha512") ? EVP_sha512() : EVP_sha1();
}

bool is_signature(const SignedPart& part, const EVP_MD* digest, EVP_PKEY* key) {
  const DigestContext context(EVP_MD_CTX_new());
  if (!context) throw std::bad_alloc();
  return EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(part.signature), part.signature.size(), bytes_of(part.text),
                          part.text.size()) == 1;
}

std::string relay_state_of_logout(const std::string& id, std::int64_t now) {
  return id + "|" + std::to_string(now) + "|" + random_text(40, "0123456789abcdef");
}

}  // namespace

void start_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    unsetenv("LASSO_FLAG");
    xmlInitParser();
    if (lasso_init() != 0) throw std::runtime_error("lasso can't be initialised");
    xmlSecErrorsSetCallback(log_xmlsec);
    for (const char* domain : {"Lasso", "lasso"})
      g_log_set_handler(domain, static_cast<GLogLevelFlags>(G_LOG_LEVEL_MASK | G_LOG_FLAG_RECURSION), log_lasso,
                        nullptr);
  });
}

std::optional<std::string> complaint_about(const Keys& keys) {
  const auto key = read_key(keys.key);
  if (!key) return "no private key in PEM without a password";
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) return "the key is no RSA key";
  const Certificate certificate(PEM_read_bio_X509(reader(keys.certificate).get(), nullptr, no_password, nullptr));
  if (!certificate) return "no certificate in PEM";
  if (X509_check_private_key(certificate.get(), key.get()) != 1) return "the certificate isn't that of the key";
  return std::nullopt;
}

struct ServiceProvider::State {
  State(const Keys& keys, Profile p, Rules r) : profile(std::move(p)), rules(r) {
    const auto url = parse_url(profile.acs_url);
    if (!url || (url->scheme != "https" && url->scheme != "http"))
      throw Unusable("the assertion consumer's URL is no address that browsers may be sent to");
    try {
      idp = read_idp_metadata(profile.idp_metadata);
    } catch (const BadXml& e) {
      throw Unusable(std::string("the metadata of the identity provider: ") + e.what());
    }
    const std::string metadata = own_metadata(profile, keys.certificate);
    // Lasso signs nothing: the key would be the name of a file for it first, which it asks the system to open.
    server.reset(lasso_server_new_from_buffers(metadata.c_str(), nullptr, nullptr, nullptr));
    if (!server) throw Unusable("lasso doesn't take the entity id");
    key = read_key(keys.key);
    key_text = keys.key;
    if (!key) throw Unusable("the key can't be read");
    const lasso_error_t error = lasso_server_add_provider_from_buffer(server.get(), LASSO_PROVIDER_ROLE_IDP,
                                                                      idp.descriptor.c_str(), nullptr, nullptr);
    if (error != 0) throw Unusable("the metadata of the identity provider: " + message_of(error));
    for (const std::string& certificate : idp.certificates) {
      if (auto signer = key_in(certificate)) signers.push_back(std::move(signer));
    }
  }

  bool outdated(std::int64_t now) const { return idp.valid_until && now >= *idp.valid_until; }

  // That of a message whose shape is checked already: lasso looks at its signatures and at who made them.
  void verify(std::string_view xml) const {
    const Owned<LassoLogin> login(lasso_login_new(server.get()));
    if (!login) throw std::bad_alloc();
    std::string message = encode_base64(xml);
    const lasso_error_t error = lasso_login_process_authn_response_msg(login.get(), message.data());
    const lasso_error_t signature = LASSO_PROFILE(login.get())->signature_status;
    if (error != 0 || signature != 0) throw Refused(message_of(error != 0 ? error : signature));
  }

  // That of a message in a query. (Lasso would leak 259 bytes at each.)
  void verify_query(const SignedPart& part) const {
    check_signature_method(part.method, rules);
    const EVP_MD* const digest = digest_of(part.method);
    const auto good = [&](const auto& made_by) { return is_signature(part, digest, made_by.get()); };
    if (std::none_of(signers.begin(), signers.end(), good)) throw Refused("a signature of somebody else");
  }

  // A signature that stands in XML whose shape is checked already.
  void verify_xml(std::string_view xml) const {
    LassoProvider* const provider = lasso_server_get_provider(server.get(), idp.entity_id.c_str());
    if (!provider) throw Refused("a signature of somebody else");
    const int error =
        lasso_provider_verify_signature(provider, encode_base64(xml).c_str(), "ID", LASSO_MESSAGE_FORMAT_BASE64);
    if (error != 0) throw Refused(message_of(error));
  }

  // From the outside to the inside: what is signed is what is encrypted there, and nothing is decrypted for strangers.
  Assertion decrypt_assertion(std::string_view xml, const Element& found, const Expected& expected) const {
    verify_xml(xml);
    const std::string text = is_encrypted(found) ? decrypt(found, key.get()) : document_of(found);
    Document assertion = Document::parse(text, Document::Kind::message, 2 * most_message_bytes);
    if (check_assertion(assertion, rules)) verify_xml(text);
    decrypt_parts(assertion, key.get());
    return read_assertion(assertion.root(), expected, rules);
  }

  // Of a message about a logout, in either place; throws Refused when one is wrong. False: there is none.
  bool verify_carried(const Carried& message, const Document& document) const {
    const bool in_xml = is_signed(document, rules);
    if (in_xml) verify_xml(message.xml);
    if (message.signed_part) verify_query(*message.signed_part);
    return in_xml || message.signed_part;
  }

  std::string sign(const std::string& text) const {
    const DigestContext context(EVP_MD_CTX_new());
    std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(key.get())), '\0');
    std::size_t size = signature.size();
    if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
        EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes_of(text),
                       text.size()) != 1)
      throw Unusable("nothing can be signed");
    signature.resize(size);
    return encode_base64(signature);
  }

  std::string signed_text_of(LassoNode& message, const std::string& id) const {
    const std::unique_ptr<char, decltype(&g_free)> xml(lasso_node_export_to_xml(&message), g_free);
    std::string text = xml ? sign_xml(xml.get(), id, key_text) : "";
    if (text.empty()) throw Unusable("a message can't be signed");
    return text;
  }

  // Where a browser takes a message: saml-bindings-2.0, section 3.4.4.1.
  std::string location_of(LassoNode& message, const char* name, const std::string& service,
                          const std::string& relay_state) const {
    const std::unique_ptr<char, decltype(&g_free)> query(
        lasso_node_export_to_saml2_query(&message, name, nullptr, nullptr), g_free);
    if (!query) throw Unusable("a message can't be written");
    const std::string state = relay_state.empty() ? "" : "&RelayState=" + percent_encoded(relay_state, "");
    const std::string text = query.get() + state + signature_method;
    return with_parameter(service, text + "&Signature=" + percent_encoded(sign(text), "/"));
  }

  // A request or an answer.
  template <typename Message>
  void fill(Message& request, const std::string& id, const std::string& destination, std::int64_t now) const {
    assign(request.ID, id);
    assign(request.Destination, destination);
    assign(request.Version, "2.0");
    assign(request.IssueInstant, format_instant(now));
    if (request.Issuer) g_object_unref(request.Issuer);
    request.Issuer = new_name_id(profile.entity_id);
    assign(request.Issuer->Format, entity_format);
  }

  Profile profile;
  Rules rules;
  IdpMetadata idp;
  Key key;
  std::string key_text;
  std::vector<Key> signers;  // the identity provider's
  Owned<LassoServer> server;
};

ServiceProvider::ServiceProvider(const Keys& keys, Profile profile, Rules rules) {
  start_library();
  state_ = std::make_unique<const State>(keys, std::move(profile), rules);
}
ServiceProvider::~ServiceProvider() = default;

const IdpMetadata& ServiceProvider::idp() const {
  return state_->idp;
}

OutgoingRequest ServiceProvider::login_request(const std::string& relay_state, std::int64_t now) const {
  if (state_->outdated(now)) throw Unusable("the metadata of the identity provider isn't valid any more");
  const Owned<LassoNode> node(lasso_samlp2_authn_request_new());
  if (!node) throw std::bad_alloc();
  auto* const request = LASSO_SAMLP2_AUTHN_REQUEST(node.get());
  OutgoingRequest made{new_id(), ""};
  state_->fill(request->parent, made.id, state_->idp.login_url, now);
  assign(request->ProtocolBinding, LASSO_SAML2_METADATA_BINDING_POST);
  assign(request->AssertionConsumerServiceURL, state_->profile.acs_url);
  made.location = state_->location_of(*node, "SAMLRequest", state_->idp.login_url, relay_state);
  return made;
}

Assertion ServiceProvider::accept(std::string_view message, const std::string& request_id,
                                  const std::string& remote_addr, std::int64_t now) const {
  if (state_->outdated(now)) throw Refused("the metadata of the identity provider isn't valid any more");
  const std::string xml = decode_posted(message);
  const Expected expected{
      state_->idp.entity_id, state_->profile.entity_id, state_->profile.acs_url, request_id, remote_addr, now};
  try {
    const Document document = Document::parse(xml, Document::Kind::message, most_message_bytes);
    const Element assertion = check_response(document, expected, state_->rules);
    if (has_encrypted_parts(assertion)) return state_->decrypt_assertion(xml, assertion, expected);
    Assertion read = read_assertion(assertion, expected, state_->rules);
    state_->verify(xml);
    return read;
  } catch (const BadXml& e) {
    throw Refused(e.what());
  }
}

std::optional<ServiceProvider::Logout> ServiceProvider::logout_request(const NameId& name_id,
                                                                       const std::string& session_index,
                                                                       std::int64_t now) const {
  if (!state_->idp.logout_url || state_->outdated(now)) return std::nullopt;
  const Owned<LassoNode> node(lasso_samlp2_logout_request_new());
  if (!node) throw std::bad_alloc();
  auto* const request = LASSO_SAMLP2_LOGOUT_REQUEST(node.get());
  Logout logout{{new_id(), ""}, ""};
  state_->fill(request->parent, logout.request.id, *state_->idp.logout_url, now);
  assign(request->Reason, "");
  request->NameID = new_name_id(name_id.text);
  const auto qualify = [](char*& member, const std::string& value) {
    if (!value.empty()) assign(member, value);
  };
  qualify(request->NameID->Format, name_id.format);
  qualify(request->NameID->NameQualifier, name_id.name_qualifier);
  qualify(request->NameID->SPNameQualifier, name_id.sp_name_qualifier);
  qualify(request->NameID->SPProvidedID, name_id.sp_provided_id);
  if (!session_index.empty()) assign(request->SessionIndex, session_index);
  logout.relay_state = relay_state_of_logout(logout.request.id, now);
  logout.request.location = state_->location_of(*node, "SAMLRequest", *state_->idp.logout_url, logout.relay_state);
  return logout;
}

void ServiceProvider::check_logout(const Carried& answer, std::int64_t now) const {
  try {
    const Document document = Document::parse(answer.xml, Document::Kind::message, most_message_bytes);
    const std::string request_id = answer.relay_state.substr(0, answer.relay_state.find('|'));
    check_logout_response(
        document, {state_->idp.entity_id, state_->profile.entity_id, state_->profile.acs_url, request_id, "", now});
    state_->verify_carried(answer, document);
  } catch (const BadXml& e) {
    throw Refused(e.what());
  }
}

LogoutRequest ServiceProvider::accept_logout(const Carried& request, std::int64_t now) const {
  if (state_->outdated(now)) throw Refused("the metadata of the identity provider isn't valid any more");
  try {
    Document document = Document::parse(request.xml, Document::Kind::message, most_message_bytes);
    check_logout_request(document,
                         {state_->idp.entity_id, state_->profile.entity_id, state_->profile.acs_url, "", "", now},
                         sls_url_beside(state_->profile.acs_url), state_->rules);
    if (!state_->verify_carried(request, document))
      throw Refused("the request isn't signed; let the identity provider sign its logout requests");
    decrypt_parts(document, state_->key.get());
    return read_logout_request(document);
  } catch (const BadXml& e) {
    throw Refused(e.what());
  }
}

std::optional<ServiceProvider::LogoutAnswer> ServiceProvider::logout_answer(const std::string& request_id,
                                                                            const std::string& relay_state,
                                                                            Outcome outcome, std::int64_t now) const {
  const auto& end = state_->idp.logout_end;
  if (!end) return std::nullopt;
  const Owned<LassoNode> node(lasso_samlp2_logout_response_new());
  if (!node) throw std::bad_alloc();
  auto& answer = *LASSO_SAMLP2_STATUS_RESPONSE(node.get());
  const std::string id = new_id();
  assign(answer.InResponseTo, request_id);
  state_->fill(answer, id, end->location, now);
  answer.Status = LASSO_SAMLP2_STATUS(lasso_samlp2_status_new());
  answer.Status->StatusCode = status_code(LASSO_SAML2_STATUS_CODE_SUCCESS);
  if (outcome == Outcome::unknown_principal) {
    assign(answer.Status->StatusCode->Value, LASSO_SAML2_STATUS_CODE_REQUESTER);
    answer.Status->StatusCode->StatusCode = status_code(LASSO_SAML2_STATUS_CODE_UNKNOWN_PRINCIPAL);
  }
  if (!end->by_post) return LogoutAnswer{state_->location_of(*node, "SAMLResponse", end->location, relay_state), ""};
  return LogoutAnswer{end->location, encode_base64(state_->signed_text_of(*node, id))};
}

}  // namespace wazoauth::saml
