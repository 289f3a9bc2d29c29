// An identity provider for tests: keys that are made on the spot, metadata, and responses signed in any way one likes.
#pragma once

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <xmlsec/crypto.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmltree.h>

#include <cstdint>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <string>

#include "certificate.h"
#include "wazoauth/saml/service_provider.h"

namespace saml_idp {

using namespace wazoauth::saml;

inline Keys new_keys(unsigned bits = 2048) {
  const Certificate made(EVP_RSA_gen(bits));
  return {made.key_pem(), made.pem()};
}

inline std::string base64_of(const Keys& keys) {
  const std::string begin = "-----BEGIN CERTIFICATE-----", end = "-----END CERTIFICATE-----";
  const auto start = keys.certificate.find(begin) + begin.size();
  return keys.certificate.substr(start, keys.certificate.find(end) - start);
}

constexpr const char* idp_id = "https://idp.example.org/metadata";
constexpr const char* sp_id = "https://sp.example.org/entity";
constexpr const char* acs = "https://sp.example.org/0.1/saml/acs";
constexpr const char* sso = "https://idp.example.org/sso";
constexpr const char* slo = "https://idp.example.org/slo?x=1";

inline std::string key_descriptor(const Keys& keys, const std::string& use = " use=\"signing\"") {
  return "<md:KeyDescriptor" + use + "><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data>" +
         "<ds:X509Certificate>" + base64_of(keys) +
         "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>";
}

inline std::string role(const std::string& descriptors, const std::string& services = "") {
  const std::string redirect = " Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"";
  return "<md:IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">" + descriptors +
         (services.empty()
              ? "<md:SingleLogoutService" + redirect + slo + "\"/><md:SingleSignOnService" + redirect + sso + "\"/>"
              : services) +
         "</md:IDPSSODescriptor>";
}

inline std::string entity(const std::string& content, const std::string& id = idp_id,
                          const std::string& attributes = "") {
  return "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"" + id + "\"" + attributes +
         ">" + content + "</md:EntityDescriptor>";
}

inline std::string metadata(const Keys& keys) {
  return entity(role(key_descriptor(keys)));
}

// A response and what it says; change a part and make the XML of it.
struct Message {
  std::int64_t now = std::time(nullptr);
  std::string request_id = "id-abcdefghijklmnopq";
  std::string response_id = "_response", assertion_id = "_assertion";
  std::string version = "2.0", issued = at(0), status = "urn:oasis:names:tc:SAML:2.0:status:Success";
  std::string destination = std::string(" Destination=\"") + acs + "\"";
  std::string in_response_to = " InResponseTo=\"id-abcdefghijklmnopq\"";
  std::string issuer = idp_id, assertion_issuer = idp_id;
  std::string name_id =
      "<saml:NameID Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress\">bob@corp</saml:NameID>";
  std::string method = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
  std::string confirmation =
      " NotOnOrAfter=\"" + at(300) + "\" Recipient=\"" + acs + "\" InResponseTo=\"id-abcdefghijklmnopq\"";
  std::string conditions = " NotBefore=\"" + at(-5) + "\" NotOnOrAfter=\"" + at(300) + "\"";
  std::string restrictions =
      std::string("<saml:AudienceRestriction><saml:Audience>") + sp_id + "</saml:Audience></saml:AudienceRestriction>";
  std::string statement =
      "<saml:AuthnStatement AuthnInstant=\"" + at(0) + "\" SessionIndex=\"_session\"><saml:AuthnContext>" +
      "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>"
      "</saml:AuthnContext></saml:AuthnStatement>";
  std::string attribute_name = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name";
  std::string attribute_format = "";
  std::string value = "bob@example.org";
  std::string more_assertions = "", extensions = "";
  bool sign_response = true, sign_assertion = false;
  std::string signature_method = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
  std::string digest_method = "http://www.w3.org/2001/04/xmlenc#sha256";
  std::string form = "Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>";

  static std::string at(std::int64_t seconds) { return format_instant(std::time(nullptr) + seconds); }

  std::string signature(const std::string& id) const {
    return "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo><ds:CanonicalizationMethod "
           "Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/><ds:SignatureMethod Algorithm=\"" +
           signature_method + "\"/><ds:Reference URI=\"#" + id +
           "\"><ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>"
           "<ds:Transform " +
           form + "</ds:Transforms><ds:DigestMethod Algorithm=\"" + digest_method +
           "\"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/></ds:Signature>";
  }

  std::string assertion() const {
    return "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"" + assertion_id +
           "\" Version=\"2.0\" IssueInstant=\"" + at(0) + "\"><saml:Issuer>" + assertion_issuer + "</saml:Issuer>" +
           (sign_assertion ? signature(assertion_id) : "") + "<saml:Subject>" + name_id +
           "<saml:SubjectConfirmation Method=\"" + method + "\"><saml:SubjectConfirmationData" + confirmation +
           "/></saml:SubjectConfirmation></saml:Subject><saml:Conditions" + conditions + ">" + restrictions +
           "</saml:Conditions>" + statement + "<saml:AttributeStatement><saml:Attribute Name=\"" + attribute_name +
           "\"" + attribute_format + "><saml:AttributeValue>" + value +
           "</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>";
  }

  std::string unsigned_xml() const {
    return "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"" + response_id +
           "\" Version=\"" + version + "\" IssueInstant=\"" + issued + "\"" + destination + in_response_to +
           "><saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">" + issuer + "</saml:Issuer>" +
           (sign_response ? signature(response_id) : "") + extensions + "<samlp:Status><samlp:StatusCode Value=\"" +
           status + "\"/></samlp:Status>" + assertion() + more_assertions + "</samlp:Response>";
  }

  // Signed from the inside to the outside.
  std::string xml(const Keys& keys) const {
    start_library();
    const std::string text = unsigned_xml();
    xmlDoc* const document =
        xmlReadMemory(text.data(), static_cast<int>(text.size()), nullptr, nullptr, XML_PARSE_NONET);
    if (!document) throw std::runtime_error("the test's own XML is broken: " + text);
    sign(document, xmlDocGetRootElement(document), keys);
    xmlChar* signed_text = nullptr;
    int size = 0;
    xmlDocDumpMemoryEnc(document, &signed_text, &size, "UTF-8");
    std::string result(reinterpret_cast<const char*>(signed_text), static_cast<std::size_t>(size));
    xmlFree(signed_text);
    xmlFreeDoc(document);
    return result;
  }

  static void sign(xmlDoc* document, xmlNode* element, const Keys& keys) {
    for (xmlNode* child = element->children; child; child = child->next) {
      if (child->type == XML_ELEMENT_NODE && !xmlSecCheckNodeName(child, xmlSecNodeSignature, xmlSecDSigNs))
        sign(document, child, keys);
    }
    xmlAttr* const id = xmlHasProp(element, BAD_CAST "ID");
    if (id && id->children) xmlAddID(nullptr, document, id->children->content, id);
    xmlNode* const signature = xmlSecFindChild(element, xmlSecNodeSignature, xmlSecDSigNs);
    if (!signature) return;
    xmlSecDSigCtx* const context = xmlSecDSigCtxCreate(nullptr);
    context->signKey = xmlSecCryptoAppKeyLoadMemory(reinterpret_cast<const xmlSecByte*>(keys.key.data()),
                                                    static_cast<xmlSecSize>(keys.key.size()), xmlSecKeyDataFormatPem,
                                                    nullptr, nullptr, nullptr);
    const int status = xmlSecDSigCtxSign(context, signature);
    xmlSecDSigCtxDestroy(context);
    if (status < 0) throw std::runtime_error("the test can't sign");
  }
};

}  // namespace saml_idp
