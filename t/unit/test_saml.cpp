// SAML: what is believed and what isn't. docs/spec/federation.md section 4.
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "check.h"
#include "saml_idp.h"
#include "wazoauth/base/text.h"
#include "wazoauth/base/url.h"
#include "wazoauth/http/http.h"
#include "wazoauth/saml/binding.h"

using namespace saml_idp;
using wazoauth::encode_base64;
using wazoauth::may_redirect;
using wazoauth::query_parameter;
using wazoauth::with_parameter;

namespace {

using check::equal;

const Keys& sp_keys() {
  static const Keys keys = new_keys();
  return keys;
}
const Keys& idp_keys() {
  static const Keys keys = new_keys();
  return keys;
}
const Keys& other_keys() {
  static const Keys keys = new_keys();
  return keys;
}

std::shared_ptr<ServiceProvider> provider_of(const std::string& idp_metadata, Rules rules = {}) {
  return std::make_shared<ServiceProvider>(sp_keys(), Profile{sp_id, acs, idp_metadata}, rules);
}

const ServiceProvider& provider() {
  static const auto made = provider_of(metadata(idp_keys()));
  return *made;
}

Assertion accept(const std::string& xml, const ServiceProvider& sp = provider(),
                 std::int64_t now = std::time(nullptr)) {
  return sp.accept(encode_base64(xml), "id-abcdefghijklmnopq", "192.0.2.7", now);
}

// "" when it was accepted.
std::string refusal(const std::string& xml, const ServiceProvider& sp = provider(),
                    std::int64_t now = std::time(nullptr)) {
  try {
    accept(xml, sp, now);
  } catch (const Refused& e) {
    return e.what();
  }
  return "";
}

// `why`, or more after it about what came.
void refused(const std::string& xml, const std::string& why) {
  const std::string refused = refusal(xml);
  if (why.empty() || (!refused.starts_with(why + ": ") && !refused.starts_with(why + "; "))) equal(refused, why);
}

std::string refusal_of(const std::function<void(Message&)>& change) {
  Message message;
  change(message);
  return refusal(message.xml(idp_keys()));
}

using Change = std::function<void(Message&)>;

// A message that is wrong in one way, properly signed.
void wrong(const Change& change, const std::string& why) {
  Message message;
  change(message);
  refused(message.xml(idp_keys()), why);
}

void right(const Change& change) {
  Message message;
  change(message);
  equal(refusal(message.xml(idp_keys())), "");
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  if (at == std::string::npos) check::failed(from + " isn\'t in the text");
  return text.replace(at, from.size(), to);
}

std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const auto start = text.find(begin);
  const auto stop = text.find(end, start);
  if (start == std::string::npos || stop == std::string::npos) check::failed(begin + " isn\'t in the text");
  return text.substr(start, stop + end.size() - start);
}

// -- requests

std::string inflated(const std::string& location) {
  return decode_redirected(*query_parameter(location.substr(location.find('?') + 1), "SAMLRequest"));
}

bool signed_by(const std::string& location, const Keys& keys) {
  const std::string query = location.substr(location.find('?') + 1);
  const std::string text = query.substr(0, query.find("&Signature="));
  const std::string signature = *wazoauth::decode_base64(*query_parameter(query, "Signature"));
  BIO* const bio = BIO_new_mem_buf(keys.certificate.data(), static_cast<int>(keys.certificate.size()));
  X509* const certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, X509_get0_pubkey(certificate));
  const int good = EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                                    reinterpret_cast<const unsigned char*>(text.data()), text.size());
  EVP_MD_CTX_free(context);
  X509_free(certificate);
  BIO_free(bio);
  return good == 1;
}

void login_request(void**) {
  const OutgoingRequest request = provider().login_request("relay=/+state==", 1700000000);
  const std::string& location = request.location;
  assert_int_equal(location.find(std::string(sso) + "?SAMLRequest="), 0);
  const std::string query = location.substr(location.find('?') + 1);
  equal(*query_parameter(query, "RelayState"), "relay=/+state==");
  equal(*query_parameter(query, "SigAlg"), "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256");
  assert_true(signed_by(location, sp_keys()));
  assert_false(signed_by(location, other_keys()));
  assert_int_equal(request.id.size(), 20);
  assert_int_equal(request.id.find("id-"), 0);

  const std::string xml = inflated(location);
  const Document document = Document::parse(xml, Document::Kind::message, most_message_bytes);
  const Element root = document.root();
  assert_true(root.is(protocol_ns, "AuthnRequest"));
  equal(*root.attribute("ID"), request.id);
  equal(*root.attribute("Version"), "2.0");
  equal(*root.attribute("IssueInstant"), "2023-11-14T22:13:20Z");
  equal(*root.attribute("Destination"), sso);
  equal(*root.attribute("AssertionConsumerServiceURL"), acs);
  equal(*root.attribute("ProtocolBinding"), "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST");
  for (const char* name : {"ForceAuthn", "IsPassive"}) equal(root.attribute(name).value_or("false"), "false");
  for (const char* name : {"ProviderName", "AssertionConsumerServiceIndex", "Consent"})
    check::never(root.attribute(name).has_value(), name);
  assert_int_equal(root.children().size(), 1);
  const Element issuer = root.child(assertion_ns, "Issuer");
  equal(issuer.text(), sp_id);
  equal(*issuer.attribute("Format"), "urn:oasis:names:tc:SAML:2.0:nameid-format:entity");
  assert_string_not_equal(provider().login_request("x", 0).id.c_str(), request.id.c_str());
}

void a_location_with_a_query(void**) {
  const std::string services =
      "<md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" "
      "Location=\"https://idp.example.org/sso?tenant=7\"/>";
  const auto sp = provider_of(entity(role(key_descriptor(idp_keys()), services)));
  const std::string location = sp->login_request("s", 0).location;
  assert_int_equal(location.find("https://idp.example.org/sso?tenant=7&SAMLRequest="), 0);
  assert_false(sp->logout_request({"bob", "", "", "", ""}, "", 0).has_value());
}

void logout_request(void**) {
  const NameId name_id{"bob&<corp>", "urn:f", "nq", "", "sp\"id"};
  const auto logout = provider().logout_request(name_id, "_index", 1700000000);
  assert_true(logout.has_value());
  const std::string& location = logout->request.location;
  assert_int_equal(location.find(std::string(slo) + "&SAMLRequest="), 0);
  const std::string query = location.substr(location.find('?') + 1);
  equal(*query_parameter(query, "RelayState"), logout->relay_state);
  assert_int_equal(logout->relay_state.size(), 20 + 1 + 10 + 1 + 40);
  assert_int_equal(logout->relay_state.find(logout->request.id + "|1700000000|"), 0);
  equal(*query_parameter(query, "SigAlg"), "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256");
  // What stands before SAMLRequest belongs to the address.
  assert_true(signed_by("?" + query.substr(query.find("SAMLRequest=")), sp_keys()));
  assert_false(signed_by("?" + query.substr(query.find("SAMLRequest=")), other_keys()));
  const Document document = Document::parse(inflated(location), Document::Kind::message, most_message_bytes);
  const Element root = document.root();
  assert_true(root.is(protocol_ns, "LogoutRequest"));
  equal(*root.attribute("ID"), logout->request.id);
  equal(*root.attribute("Destination"), slo);
  equal(*root.attribute("Reason"), "");
  equal(*root.attribute("IssueInstant"), "2023-11-14T22:13:20Z");
  equal(root.child(assertion_ns, "Issuer").text(), sp_id);
  equal(root.child(protocol_ns, "SessionIndex").text(), "_index");
  const Element sent = root.child(assertion_ns, "NameID");
  equal(sent.text(), name_id.text);
  equal(*sent.attribute("Format"), "urn:f");
  equal(*sent.attribute("NameQualifier"), "nq");
  equal(*sent.attribute("SPProvidedID"), "sp\"id");
  assert_false(sent.attribute("SPNameQualifier").has_value());
}

// Percent-encoded throughout.
std::string escaped(const std::string& text) {
  std::string out;
  for (const unsigned char c : text) {
    char code[4];
    std::snprintf(code, sizeof code, "%%%02X", c);
    out += std::isalnum(c) ? std::string(1, static_cast<char>(c)) : code;
  }
  return out;
}

std::string query_signature(const std::string& text, const Keys& keys, const EVP_MD* digest) {
  BIO* const bio = BIO_new_mem_buf(keys.key.data(), static_cast<int>(keys.key.size()));
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  std::string signature(256, '\0');
  std::size_t size = signature.size();
  EVP_DigestSignInit(context, nullptr, digest, nullptr, key);
  EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                 reinterpret_cast<const unsigned char*>(text.data()), text.size());
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
  BIO_free(bio);
  return encode_base64(signature);
}

std::string deflated(const std::string& text) {
  std::string out(text.size() + 1000, '\0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return encode_base64(out);
}

std::string refusal_of_query(const std::string& query, const ServiceProvider& sp = provider()) {
  try {
    Carried answer = carried_by_query(query, "SAMLResponse");
    answer.relay_state = "id-abc|1|2";
    sp.check_logout(answer, std::time(nullptr));
  } catch (const Refused& e) {
    return e.what();
  }
  return "";
}

std::string logout_refusal(const std::string& message) {
  return refusal_of_query("SAMLResponse=" + escaped(message));
}

std::string logout_xml(const std::string& id, const std::string& issuer, const std::string& status,
                       const std::string& name = "LogoutResponse") {
  return "<p:" + name + " xmlns:p=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_1\" Version=\"2.0\" InResponseTo=\"" +
         id + "\" IssueInstant=\"" + Message::at(0) + "\"><Issuer xmlns=\"urn:oasis:names:tc:SAML:2.0:assertion\">" +
         issuer + "</Issuer><p:Status><p:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:" + status +
         "\"/></p:Status></p:" + name + ">";
}

void signed_logout_response(void**) {
  const std::string sha256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
  const std::string sha1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
  const std::string text =
      "SAMLResponse=" + escaped(deflated(logout_xml("id-abc", idp_id, "Success"))) + "&RelayState=id-abc%7c1%7C2";
  const auto complete = [&](const Keys& keys, const std::string& method, const EVP_MD* digest) {
    const std::string query = text + "&SigAlg=" + escaped(method);
    return query + "&Signature=" + escaped(query_signature(query, keys, digest));
  };
  const std::string good = complete(idp_keys(), sha256, EVP_sha256());
  equal(refusal_of_query(good), "");
  // The order on the wire is anybody's, what is signed isn't.
  equal(refusal_of_query(good.substr(good.find("&SigAlg") + 1) + "&" + text), "");
  const std::string foreign = "a signature of somebody else";
  const std::string by_another = complete(other_keys(), sha256, EVP_sha256());
  equal(refusal_of_query(by_another), foreign);
  equal(refusal_of_query(replaced(good, "%7C2", "%7C3")), foreign);
  // The same text in other letters is another one.
  equal(refusal_of_query(replaced(good, "%7C2", "%7c2")), foreign);
  equal(refusal_of_query(text + "&SigAlg=" + escaped(sha256) + "&Signature=eA%3D%3D"), foreign);
  // Any of the keys that sign may have made it.
  const auto sp_of = [](const std::string& use) {
    return provider_of(entity(role(key_descriptor(idp_keys()) + key_descriptor(other_keys(), use))));
  };
  equal(refusal_of_query(by_another, *sp_of("")), "");
  equal(refusal_of_query(good, *sp_of("")), "");
  equal(refusal_of_query(by_another, *sp_of(" use=\"encryption\"")), foreign);
  for (const char* part : {"&Signature=x", "&Signature=", "&Signature", "&Signature=%25"})
    equal(refusal_of_query(text + "&SigAlg=" + escaped(sha256) + part), "not base64");
  const std::string weak = "a signature with a weak or unknown algorithm";
  equal(refusal_of_query(text + "&Signature=eA%3D%3D"), weak);
  equal(refusal_of_query(complete(idp_keys(), sha1, EVP_sha1())), weak);
  const auto lenient = provider_of(metadata(idp_keys()), {.clock_skew = 60, .allow_sha1 = true});
  equal(refusal_of_query(complete(idp_keys(), sha1, EVP_sha1()), *lenient), "");
  for (const char* name : {"SAMLResponse", "RelayState", "SigAlg", "Signature"})
    equal(refusal_of_query(good + "&" + name + "=x"), "a part of the query is there twice");
  equal(refusal_of_query("SAML%52esponse=" + escaped(deflated(logout_xml("id-abc", idp_id, "Success"))) + "&" + good),
        "a part of the query with an encoded name");
}

void logout_response(void**) {
  equal(logout_refusal(deflated(logout_xml("id-abc", idp_id, "Success"))), "");
  equal(logout_refusal(deflated(logout_xml("id-abd", idp_id, "Success"))), "an answer to another request");
  equal(logout_refusal(deflated(logout_xml("id-abc", "https://other", "Success"))),
        std::string("another issuer: \"https://other\" instead of \"") + idp_id + "\"");
  equal(logout_refusal(deflated(logout_xml("id-abc", idp_id, "Responder"))),
        "the identity provider refuses: status \"Responder\"");
  equal(logout_refusal(deflated(logout_xml("id-abc", idp_id, "Success", "Response"))), "not a logout response");
  equal(logout_refusal(deflated("nonsense")), "not well-formed");
  equal(logout_refusal(encode_base64("nonsense")), "not deflated, or too long");
  equal(logout_refusal("%%%"), "not base64");
  equal(logout_refusal(""), "not base64");
  // 100 MB in 100 kB.
  equal(logout_refusal(deflated(std::string(100 << 20, 'x'))), "not deflated, or too long");
}

// -- what browsers and identity providers make of a message

std::string decoded(const std::string& message, std::string (*decode)(std::string_view) = decode_posted) {
  try {
    return decode(message);
  } catch (const Refused& e) {
    return std::string("refused: ") + e.what();
  }
}

void base64_as_it_comes(void**) {
  // "?>?" and "~~~" have the two odd letters of the alphabet in them.
  const std::string text = "<a>?>?>~~~\xc3\xbf\xc3\xbf</a>", good = encode_base64(text);
  assert_true(good.find('+') != std::string::npos || good.find('/') != std::string::npos);
  equal(decoded(good), text);
  equal(decoded("\r\n  " + good + " \n"), text);
  equal(decoded(good.substr(0, 8) + "\n" + good.substr(8)), text);
  equal(decoded(good.substr(0, 8) + "\r\n\t  " + good.substr(8, 4) + "\n" + good.substr(12)), text);
  equal(decoded(encode_base64("\n \xc3\xa4 \r\n")), "\xc3\xa4");
  // A '+' that wasn't encoded arrives as a space.
  for (std::string each :
       {std::string("\xfb\xef\xbe"), std::string("a\xfb\xef\xbe\xfb\xef\xbe") + "b", std::string("a>>b?>")}) {
    std::string lost = encode_base64(each);
    std::replace(lost.begin(), lost.end(), '+', ' ');
    if (lost.front() != ' ' && lost.back() != ' ') equal(decoded(lost), each);
  }
  for (const char* bad : {"", " ", "\n", "=", "a", "ab-_", "ab,c", "PGE%2B", "PGEvPg==x="}) {
    const std::string found = decoded(bad);
    if (found != "refused: not base64") check::failed(std::string(bad) + ": " + found);
  }
}

std::string with_zlib_header(const std::string& text, int level) {
  std::string out(text.size() + 1000, '\0');
  uLongf size = out.size();
  compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(text.data()), text.size(),
            level);
  out.resize(size);
  return encode_base64(out);
}

void deflated_as_it_comes(void**) {
  const std::string text = logout_xml("id-abc", idp_id, "Success");
  for (const int level : {0, 1, 6, 9}) equal(decoded(with_zlib_header(text, level), decode_redirected), text);
  equal(decoded(deflated(text), decode_redirected), text);
  equal(decoded(deflated("\n" + text + "\n"), decode_redirected), text);
  equal(decoded(with_zlib_header(std::string(100 << 20, 'x'), 9), decode_redirected),
        "refused: not deflated, or too long");
  equal(decoded(encode_base64("\x78\x9c"), decode_redirected), "refused: not deflated, or too long");
}

void states_as_they_come(void**) {
  const std::string query = "SAMLResponse=" + escaped(deflated("<a/>"));
  equal(carried_by_query(query, "SAMLResponse").relay_state, "");
  equal(carried_by_query(query + "&RelayState=a%2Bb+c%00%C3%A4", "SAMLResponse").relay_state,
        std::string("a+b c\0\xc3\xa4", 8));
  equal(carried_by_form(encode_base64("<a/>"), std::string(4096, 'x')).relay_state, std::string(4096, 'x'));
  for (const bool by_form : {true, false}) {
    std::string why;
    try {
      const std::string state(4097, 'x');
      by_form ? carried_by_form(encode_base64("<a/>"), state)
              : carried_by_query(query + "&RelayState=" + state, "SAMLResponse");
    } catch (const Refused& e) {
      why = e.what();
    }
    equal(why, "a RelayState that is too long");
  }
}

// Space before the declaration isn't XML, and comes.
void space_around(void**) {
  const std::string xml = Message().xml(idp_keys());
  equal(refusal("\r\n  " + xml + "\n\n"), "");
  equal(refusal("\xef\xbb\xbf" + xml), "");
}

// -- logouts that the identity provider begins

std::string their_logout(const std::string& content, const std::string& attributes = "") {
  return std::string("<p:LogoutRequest xmlns:p=\"") + protocol_ns + "\" xmlns=\"" + assertion_ns +
         "\" ID=\"_1\" Version=\"2.0\" IssueInstant=\"" + Message::at(0) + "\"" + attributes + "><Issuer>" + idp_id +
         "</Issuer>" + content + "</p:LogoutRequest>";
}

std::string signed_query(const std::string& xml, const Keys& keys) {
  const std::string text = "SAMLRequest=" + escaped(deflated(xml)) +
                           "&SigAlg=" + escaped("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256");
  return text + "&Signature=" + escaped(query_signature(text, keys, EVP_sha256()));
}

std::string logout_complaint(const std::string& xml, const Keys& keys = idp_keys(),
                             const ServiceProvider& sp = provider()) {
  try {
    sp.accept_logout(carried_by_query(signed_query(xml, keys), "SAMLRequest"), std::time(nullptr));
  } catch (const Refused& e) {
    return e.what();
  }
  return "";
}

void their_logouts(void**) {
  const std::string name = "<NameID>bob</NameID>";
  const LogoutRequest read = provider().accept_logout(
      carried_by_query(
          signed_query(their_logout("<NameID Format=\"f\"> bob </NameID><p:SessionIndex>\n_a </p:SessionIndex>"
                                    "<p:SessionIndex>_b</p:SessionIndex>"),
                       idp_keys()),
          "SAMLRequest"),
      std::time(nullptr));
  equal(read.id, "_1");
  equal(read.name_id.text, " bob ");
  assert_true(read.session_indexes == (std::vector<std::string>{"_a", "_b"}));
  equal(logout_complaint(their_logout(name)), "");
  equal(logout_complaint(their_logout(name), other_keys()), "a signature of somebody else");
  const auto both = provider_of(entity(role(key_descriptor(idp_keys()) + key_descriptor(other_keys()))));
  equal(logout_complaint(their_logout(name), other_keys(), *both), "");
  equal(logout_complaint(their_logout("")), "0 NameID in a LogoutRequest");
  equal(logout_complaint(their_logout(name + name)), "2 NameID in a LogoutRequest");
  equal(logout_complaint(their_logout("<NameID/>")), "an empty NameID");
  equal(logout_complaint(their_logout("<NameID>bob<!-- -->evil</NameID>")), "a comment or a processing instruction");
  equal(logout_complaint(their_logout("<p:Extensions><EncryptedID/></p:Extensions>" + name)),
        "an encrypted part in the wrong place");
  equal(logout_complaint(their_logout("<EncryptedID/>")), "0 EncryptedData in a EncryptedID");
  const std::string until = " NotOnOrAfter=\"";
  equal(logout_complaint(their_logout(name, until + Message::at(-50) + "\"")), "");
  equal(logout_complaint(their_logout(name, until + Message::at(-61) + "\"")), "expired");
  equal(logout_complaint(their_logout(name, until + "never\"")), "NotOnOrAfter is no time");
  const std::string to = " Destination=\"https://sp.example.org/0.1/saml/";
  equal(logout_complaint(their_logout(name, to + "sls\"")), "");
  check::never(!logout_complaint(their_logout(name, to + "acs\"")).starts_with("for another destination: "), "acs");
}

void subjects(void**) {
  const NameId full{"bob", "urn:f", "idp", "sp", ""};
  assert_true(is_same_subject(full, full));
  assert_true(is_same_subject(full, {"\n bob ", "", "", "", ""}));
  assert_true(is_same_subject(full, {"bob", "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified", "", "sp", ""}));
  assert_false(is_same_subject(full, {"Bob", "", "", "", ""}));
  assert_false(is_same_subject(full, {"bob", "urn:g", "", "", ""}));
  assert_false(is_same_subject(full, {"bob", "", "", "other", ""}));
}

void where_logouts_end(void**) {
  const auto end_of = [](const std::string& services) {
    const std::string sso_service =
        "<md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" "
        "Location=\"https://x\"/>";
    return read_idp_metadata(entity(role(key_descriptor(idp_keys()), sso_service + services))).logout_end;
  };
  const auto service = [](const std::string& binding, const std::string& rest) {
    return "<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:" + binding + "\" " + rest + "/>";
  };
  const std::string post = service("HTTP-POST", "Location=\"https://x/post\" ResponseLocation=\"https://x/done\"");
  const std::string redirect = service("HTTP-Redirect", "Location=\"https://x/redirect\"");
  assert_false(end_of(service("SOAP", "Location=\"https://x/soap\"")).has_value());
  equal(end_of(post)->location, "https://x/done");
  assert_true(end_of(post)->by_post);
  equal(end_of(post + redirect)->location, "https://x/redirect");
  assert_false(end_of(post + redirect)->by_post);
  bool refused_it = false;
  try {
    end_of(service("HTTP-POST", "Location=\"https://x\" ResponseLocation=\"javascript:x\""));
  } catch (const BadXml&) {
    refused_it = true;
  }
  assert_true(refused_it);
}

// -- responses

void a_good_response(void**) {
  const Assertion assertion = accept(Message().xml(idp_keys()));
  equal(assertion.login, "bob@example.org");
  equal(assertion.issuer, idp_id);
  equal(assertion.session_index, "_session");
  equal(assertion.name_id.text, "bob@corp");
  equal(coded(assertion.name_id),
        "2=urn%3Aoasis%3Anames%3Atc%3ASAML%3A1.1%3Anameid-format%3AemailAddress,4=bob%40corp");
  equal(assertion.context, "urn:oasis:names:tc:SAML:2.0:ac:classes:Password");
  assert_true(assertion.not_on_or_after > std::time(nullptr) + 290);
  const NameId again = name_id_from_xml(to_xml(assertion.name_id));
  equal(again.text, assertion.name_id.text);
  equal(again.format, assertion.name_id.format);

  right([](Message& m) { m.sign_assertion = true; });
  right([](Message& m) { m.destination = ""; });
  right([](Message& m) { m.confirmation = replaced(m.confirmation, acs, sp_id); });
  right([](Message& m) { m.signature_method = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"; });
  right([](Message& m) { m.digest_method = "http://www.w3.org/2001/04/xmlenc#sha512"; });
  right([](Message& m) { m.restrictions = "<saml:OneTimeUse/>" + m.restrictions; });
  // Line breaks in the base64.
  std::string wrapped = encode_base64(Message().xml(idp_keys()));
  for (std::size_t at = 76; at < wrapped.size(); at += 78) wrapped.insert(at, "\r\n");
  provider().accept(wrapped, "id-abcdefghijklmnopq", "", std::time(nullptr));
}

void the_login(void**) {
  const auto login_of = [](const Change& change) {
    Message message;
    change(message);
    return accept(message.xml(idp_keys())).login;
  };
  equal(login_of([](Message& m) { m.value = "\n  Bob Ünicode \t"; }), "Bob Ünicode");
  equal(login_of([](Message& m) { m.attribute_name = "HTTP://schemas.xmlsoap.org/WS/2005/05/identity/claims/NAME"; }),
        "bob@example.org");
  equal(login_of([](Message& m) {
          m.attribute_name = "urn:mace:dir:attribute-def:name";
          m.attribute_format = " NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:basic\"";
        }),
        "bob@example.org");
  equal(login_of([](Message& m) { m.value = "first</saml:AttributeValue><saml:AttributeValue>second"; }), "first");
  equal(login_of([](Message& m) { m.value = "admin<![CDATA[@evil]]>.com"; }), "admin@evil.com");
  const std::string none = "no attribute with the user's name";
  wrong([](Message& m) { m.attribute_name = "name"; }, none);
  wrong([](Message& m) { m.attribute_name = "urn:mace:dir:attribute-def:name"; }, none);
  wrong([](Message& m) { m.attribute_format = " NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:uri\""; },
        none);
  wrong([](Message& m) { m.value = "  "; }, none);
  wrong([](Message& m) { m.value = "a<b/>c"; }, "elements in a AttributeValue");
}

void comments(void**) {
  const std::string why = "a comment or a processing instruction";
  wrong([](Message& m) { m.name_id = "<saml:NameID>admin@corp<!-- -->.evil.com</saml:NameID>"; }, why);
  wrong([](Message& m) { m.value = "admin<!---->@evil.com"; }, why);
  wrong([](Message& m) { m.value = "admin<?x?>@evil.com"; }, why);
  // Added later they don't even change what is signed.
  const std::string xml = Message().xml(idp_keys());
  refused(replaced(xml, "bob@example.org", "bob<!--x-->@example.org"), why);
  refused("<!-- x -->" + xml.substr(xml.find("<samlp")), why);
}

void times(void**) {
  const std::string late = "expired", early = "not yet valid",
                    unconfirmed = "the subject isn't confirmed: method, recipient or time";
  wrong([](Message& m) { m.conditions = " NotOnOrAfter=\"" + Message::at(-61) + "\""; }, late);
  right([](Message& m) { m.conditions = " NotOnOrAfter=\"" + Message::at(-50) + "\""; });
  wrong([](Message& m) { m.conditions = " NotBefore=\"" + Message::at(90) + "\""; }, early);
  right([](Message& m) { m.conditions = " NotBefore=\"" + Message::at(50) + "\""; });
  wrong(
      [](Message& m) {
        m.conditions = " NotBefore=\"" + Message::at(5) + "\" NotOnOrAfter=\"" + Message::at(5) + "\"";
      },
      "never valid");
  wrong([](Message& m) { m.conditions = " NotBefore=\"yesterday\""; }, "NotBefore is no time");
  wrong([](Message& m) { m.confirmation = replaced(m.confirmation, Message::at(300), Message::at(-61)); }, unconfirmed);
  wrong([](Message& m) { m.confirmation += " NotBefore=\"" + Message::at(90) + "\""; }, unconfirmed);
  wrong([](Message& m) { m.confirmation = replaced(m.confirmation, " NotOnOrAfter=\"" + Message::at(300) + "\"", ""); },
        unconfirmed);
  wrong([](Message& m) { m.issued = Message::at(-90000); }, "issued long ago or in the future");
  wrong([](Message& m) { m.issued = Message::at(90000); }, "issued long ago or in the future");
  wrong([](Message& m) { m.issued = "never"; }, "IssueInstant is no time");
  wrong(
      [](Message& m) {
        m.statement =
            replaced(m.statement, "SessionIndex", "SessionNotOnOrAfter=\"" + Message::at(-70) + "\" SessionIndex");
      },
      "the session has ended");
  Message message;
  message.conditions = " NotOnOrAfter=\"" + Message::at(-5) + "\"";
  equal(refusal(message.xml(idp_keys()), *provider_of(metadata(idp_keys()), {.clock_skew = 0})), late);
  message = Message();
  const std::string until = Message::at(4000);
  message.statement = replaced(message.statement, "SessionIndex", "SessionNotOnOrAfter=\"" + until + "\" SessionIndex");
  assert_int_equal(accept(message.xml(idp_keys())).not_on_or_after, *parse_instant(until));
}

void addressed_to_others(void**) {
  const std::string unconfirmed = "the subject isn't confirmed: method, recipient or time";
  wrong([](Message& m) { m.destination = " Destination=\"https://other.example.org/acs\""; },
        "for another destination");
  wrong([](Message& m) { m.destination = std::string(" Destination=\"") + acs + "/\""; }, "for another destination");
  wrong([](Message& m) { m.destination = " Destination=\"\""; }, "for another destination");
  wrong([](Message& m) { m.restrictions = replaced(m.restrictions, sp_id, "https://other"); }, "for another audience");
  wrong([](Message& m) { m.restrictions = ""; }, "for no audience");
  wrong(
      [](Message& m) {
        m.restrictions += "<saml:AudienceRestriction><saml:Audience>x</saml:Audience></saml:AudienceRestriction>";
      },
      "for another audience");
  wrong([](Message& m) { m.restrictions += "<saml:Condition/>"; }, "an unknown condition");
  right([](Message& m) {
    m.restrictions =
        replaced(m.restrictions, "<saml:Audience>", "<saml:Audience>https://other</saml:Audience><saml:Audience>");
  });
  wrong([](Message& m) { m.confirmation = replaced(m.confirmation, acs, "https://other"); }, unconfirmed);
  wrong([](Message& m) { m.confirmation = replaced(m.confirmation, std::string(" Recipient=\"") + acs + "\"", ""); },
        unconfirmed);
  wrong([](Message& m) { m.method = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"; }, unconfirmed);
  wrong([](Message& m) { m.confirmation += " Address=\"192.0.2.8\""; },
        "the subject is confirmed for address 192.0.2.8, and the browser has address 192.0.2.7");
  right([](Message& m) { m.confirmation += " Address=\"192.0.2.7\""; });
  wrong([](Message& m) { m.in_response_to = " InResponseTo=\"id-other\""; }, "an answer to another request");
  wrong([](Message& m) { m.in_response_to = ""; }, "an answer to another request");
  wrong([](Message& m) { m.confirmation = replaced(m.confirmation, "id-abc", "id-xyz"); },
        "a confirmation for another request");
  wrong([](Message& m) { m.issuer = "https://other"; }, "another issuer");
  wrong([](Message& m) { m.assertion_issuer = "https://other"; }, "another issuer");
  wrong([](Message& m) { m.status = "urn:oasis:names:tc:SAML:2.0:status:Responder"; },
        "the identity provider refuses: status \"Responder\"");
  wrong([](Message& m) { m.version = "1.1"; }, "another version");
  wrong([](Message& m) { m.name_id = ""; }, "the subject has no NameID");
  wrong([](Message& m) { m.name_id = "<saml:NameID/>"; }, "an empty NameID");
  wrong([](Message& m) { m.name_id += m.name_id; }, "2 NameID in a Subject");
  wrong([](Message& m) { m.statement = ""; }, "0 AuthnStatement in a Assertion");
  wrong([](Message& m) { m.statement += m.statement; }, "2 AuthnStatement in a Assertion");
}

// What a browser at `seen` is told when the response is for one at `address`.
std::string told(const std::string& address, const std::string& seen) {
  Message message;
  message.confirmation += " Address=\"" + address + "\"";
  try {
    provider().accept(encode_base64(message.xml(idp_keys())), "id-abcdefghijklmnopq", seen, std::time(nullptr));
  } catch (const Refused& e) {
    return e.what();
  }
  return "";
}

void addresses(void**) {
  for (const auto& [address, seen] : std::vector<std::pair<const char*, const char*>>{
           {"2001:db8:0:0:0:0:0:7", "2001:db8::7"},
           {"2001:DB8::7", "2001:db8::7"},
           {"0:0:0:0:0:0:0:1", "::1"},
           {"198.51.100.7", "::ffff:198.51.100.7"},
           {"::ffff:198.51.100.7", "198.51.100.7"},
           {"198.51.100.7:443", "198.51.100.7"},
           {"[2001:db8::7]:443", "2001:db8::7"},
           {" 198.51.100.7 ", "198.51.100.7"},
           {"login.example.org", "198.51.100.7"},  // no address: it binds to nothing
           {"", "198.51.100.7"}})
    equal(told(address, seen), "");
  for (const auto& [address, seen] : std::vector<std::pair<const char*, const char*>>{
           {"2001:db8::8", "2001:db8::7"}, {"198.51.100.8", "198.51.100.7"}, {"198.51.100.7", "unix:"}})
    equal(told(address, seen),
          std::string("the subject is confirmed for address ") + address + ", and the browser has address " + seen);
}

// What an administrator reads who wants to know what to change, and where.
void words_for_the_log(void**) {
  const auto refuses = [](const std::string& status, bool sign) {
    Message message;
    message.sign_response = sign;
    const std::string xml = message.xml(idp_keys());
    return refusal(replaced(replaced(xml, between(xml, "<saml:Assertion", "</saml:Assertion>"), ""),
                            between(xml, "<samlp:Status>", "</samlp:Status>"),
                            "<samlp:Status>" + status + "</samlp:Status>"));
  };
  const std::string code =
      "<samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Responder\"><samlp:StatusCode "
      "Value=\"urn:oasis:names:tc:SAML:2.0:status:AuthnFailed\"/></samlp:StatusCode>";
  const std::string refuses_so = "the identity provider refuses: status \"Responder\", \"AuthnFailed\"";
  for (const bool sign : {true, false}) {
    equal(refuses(code, sign), refuses_so);
    equal(refuses(code + "<samlp:StatusMessage>Please verify your e-mail</samlp:StatusMessage>", sign),
          refuses_so + ", message \"Please verify your e-mail\"");
  }
  // Nothing in it begins a line, ends the quotes, or is long.
  equal(refuses(code + "<samlp:StatusMessage>a\nb\"c&#9;\xc3\xa4\x7f</samlp:StatusMessage>", true),
        refuses_so + ", message \"a b c ?? \"");
  equal(refuses(code + "<samlp:StatusMessage>" + std::string(10000, 'x') + "</samlp:StatusMessage>", true),
        refuses_so + ", message \"" + std::string(200, 'x') + "...\"");
  equal(refuses("<samlp:StatusCode Value=\"urn:else\"/>", true), "the identity provider refuses: status \"urn:else\"");
  equal(refuses("", true), "0 StatusCode in a Status");

  const std::string wanted =
      "; wanted is \"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name\" without a format, or "
      "\"urn:mace:dir:attribute-def:name\" in the basic format";
  equal(refusal_of([](Message& m) {
          m.attribute_name = "mail";
          m.attribute_format = " NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:uri\"";
          m.value += "</saml:AttributeValue></saml:Attribute><saml:Attribute Name=\"groups\"><saml:AttributeValue>x";
        }),
        "no attribute with the user's name: there came \"mail\" (\"uri\"), \"groups\"" + wanted);
  std::string names = "there came \"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name\"";
  for (int i = 1; i < 20; ++i) names += ", \"x\"";
  equal(refusal_of([](Message& m) {
          m.value = "";
          for (int i = 0; i < 500; ++i)
            m.value += "</saml:AttributeValue></saml:Attribute><saml:Attribute Name=\"x\"><saml:AttributeValue>";
        }),
        "no attribute with the user's name: " + names + ", ..." + wanted);
  equal(refusal_of([](Message& m) { m.restrictions = replaced(m.restrictions, sp_id, "https://other"); }),
        std::string("for another audience: \"https://other\" instead of \"") + sp_id + "\"");
  equal(refusal_of([](Message& m) { m.destination = " Destination=\"https://other\""; }),
        std::string("for another destination: \"https://other\" instead of \"") + acs + "\"");
  const std::string unsigned_one = refusal_of([](Message& m) { m.sign_response = false, m.sign_assertion = true; });
  for (const char* word : {"Entra ID", "Sign SAML response", "SamlResponseSignature", "Google"})
    check::never(unsigned_one.find(word) == std::string::npos, word);
}

void signatures(void**) {
  const std::string weak = "a signature with a weak or unknown algorithm";
  wrong([](Message& m) { m.sign_response = false; }, "the response isn't signed");
  wrong([](Message& m) { m.sign_response = false, m.sign_assertion = true; }, "the response isn't signed");
  wrong([](Message& m) { m.signature_method = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"; }, weak);
  wrong([](Message& m) { m.digest_method = "http://www.w3.org/2000/09/xmldsig#sha1"; }, weak);
  const auto lenient = provider_of(metadata(idp_keys()), {.allow_sha1 = true});
  Message sha1;
  sha1.signature_method = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
  sha1.digest_method = "http://www.w3.org/2000/09/xmldsig#sha1";
  equal(refusal(sha1.xml(idp_keys()), *lenient), "");

  // Somebody else's key, which the message brings along.
  assert_string_not_equal(refusal(Message().xml(other_keys())).c_str(), "");
  const std::string xml = Message().xml(idp_keys());
  const std::string info = "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>" + base64_of(other_keys()) +
                           "</ds:X509Certificate></ds:X509Data></ds:KeyInfo>";
  assert_string_not_equal(
      refusal(replaced(Message().xml(other_keys()), "</ds:SignatureValue>", "</ds:SignatureValue>" + info)).c_str(),
      "");
  equal(refusal(replaced(xml, "</ds:SignatureValue>", "</ds:SignatureValue>" + info)), "");

  // What is signed can't be changed, and the signature can't either.
  for (const char* part : {"bob@corp", "bob@example.org", "_session", "_assertion", "claims/name"})
    assert_string_not_equal(refusal(replaced(xml, part, "bob@evil")).c_str(), "");
  const std::string value = between(xml, "<ds:SignatureValue>", "</ds:SignatureValue>");
  assert_string_not_equal(refusal(replaced(xml, value, "<ds:SignatureValue>AAAA</ds:SignatureValue>")).c_str(), "");
  assert_string_not_equal(refusal(replaced(xml, value, "<ds:SignatureValue/>")).c_str(), "");
  assert_string_not_equal(refusal(replaced(xml, value, "")).c_str(), "");
  refused(replaced(xml, "xmldsig-more#rsa-sha256", "xmldsig-more#hmac-sha256"), weak);

  // A good signature around a bad one.
  Message both;
  both.sign_assertion = true;
  std::string bad = both.xml(idp_keys());
  const auto second = bad.rfind("<ds:SignatureValue>") + 19;
  bad[second] = bad[second] == 'A' ? 'B' : 'A';
  assert_string_not_equal(refusal(bad).c_str(), "");
}

void shapes_of_signatures(void**) {
  const std::string xml = Message().xml(idp_keys());
  const std::string reference = between(xml, "<ds:Reference", "</ds:Reference>");
  refused(replaced(xml, reference, reference + reference), "2 Reference in a SignedInfo");
  refused(replaced(xml, "URI=\"#_response\"", "URI=\"#_assertion\""), "a signature of something else");
  refused(replaced(xml, "URI=\"#_response\"", "URI=\"\""), "a signature of something else");
  refused(replaced(xml, "URI=\"#_response\"", ""), "a signature of something else");
  refused(replaced(xml, "URI=\"#_response\"", "URI=\"file:///etc/passwd\""), "a signature of something else");
  refused(replaced(xml, "xmldsig#enveloped-signature", "xmldsig#base64"), "an unknown transform");
  refused(replaced(xml, "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>",
                   "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"/>"),
          "an unknown transform");
  refused(replaced(xml, "</ds:Signature>", "<ds:Object/></ds:Signature>"), "a signature with objects in it");
  const auto prefixes = [](const std::string& list) {
    return "<c:InclusiveNamespaces xmlns:c=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"" + list + "\"/>";
  };
  const std::string form = "Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\">";
  Message message;
  message.form = form + prefixes("xs xsi saml") + "</ds:Transform>";
  const std::string usual = message.xml(idp_keys());
  equal(refusal(usual), "");
  for (const std::string& more : {prefixes("xs"), std::string("<x/>"), prefixes(std::string(257, 'x'))})
    refused(replaced(usual, form, form + more), "an unusual canonical form");
  refused(replaced(usual, "xs xsi saml", std::string(257, 'x')), "an unusual canonical form");
  refused(replaced(xml, "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>",
                   "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"><x/>"
                   "</ds:CanonicalizationMethod>"),
          "an unusual canonical form");
}

// The eight classic ways to have one thing signed and another one read.
void wrapping(void**) {
  Message message;
  message.sign_assertion = true;
  const std::string xml = message.xml(idp_keys());
  const std::string declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  const std::string original = xml.substr(declaration.size());
  const std::string response_signature = between(original, "<ds:Signature ", "</ds:Signature>");
  const std::string assertion = between(original, "<saml:Assertion", "</saml:Assertion>");
  const std::string assertion_signature = between(assertion, "<ds:Signature ", "</ds:Signature>");
  const std::string bare_assertion = replaced(assertion, assertion_signature, "");
  const auto evil = [](std::string text, const std::string& id) {
    text = replaced(text, "bob@corp", "admin@corp");
    text = replaced(text, "bob@example.org", "admin@example.org");
    return id.empty() ? text : replaced(text, "ID=\"" + id + "\"", "ID=\"_evil\"");
  };
  const auto in_object = [](const std::string& signature, const std::string& content) {
    return replaced(signature, "</ds:Signature>", "<ds:Object>" + content + "</ds:Object></ds:Signature>");
  };
  const std::string bare_response = replaced(original, response_signature, "");
  const std::string evil_response = evil(bare_response, "_response");
  const std::string issuer = "</saml:Issuer>";
  const std::string evil_assertion = evil(bare_assertion, "_assertion");
  const std::vector<std::string> attacks{
      // 1, 2: the original response inside and beside its signature, in a new response.
      replaced(evil_response, issuer,
               issuer + replaced(response_signature, "</ds:Signature>", bare_response + "</ds:Signature>")),
      replaced(evil_response, issuer, issuer + in_object(response_signature, bare_response)),
      replaced(evil_response, issuer, issuer + bare_response + response_signature),
      // 3, 4: a new assertion before the original, and around it.
      replaced(original, assertion, evil_assertion + assertion),
      replaced(original, assertion, assertion + evil_assertion),
      replaced(original, assertion, replaced(evil_assertion, "</saml:Assertion>", assertion + "</saml:Assertion>")),
      // 5, 6: a new assertion with the original's signature; the original after it, and inside that signature.
      replaced(original, assertion, replaced(evil_assertion, issuer, issuer + assertion_signature) + bare_assertion),
      replaced(original, assertion,
               replaced(evil_assertion, issuer,
                        issuer + replaced(assertion_signature, "</ds:Signature>", bare_assertion + "</ds:Signature>"))),
      // 7, 8: the original in extensions, and in an object.
      replaced(original, assertion, "<samlp:Extensions>" + assertion + "</samlp:Extensions>" + evil_assertion),
      replaced(original, assertion,
               replaced(evil_assertion, issuer, issuer + in_object(assertion_signature, bare_assertion))),
      // The same with ids that stand twice.
      replaced(original, assertion, evil(bare_assertion, "") + assertion),
      replaced(evil(bare_response, ""), issuer, issuer + in_object(response_signature, bare_response)),
      replaced(original, assertion, replaced(evil(bare_assertion, ""), issuer, issuer + assertion_signature)),
      // Only the assertion's signature is left, moved to where the response's was.
      replaced(replaced(original, response_signature, assertion_signature), assertion, evil_assertion + bare_assertion),
  };
  for (const std::string& attack : attacks) {
    // What is looked at before any signature is verified finds it out by itself, or leaves only what the signature
    // covers.
    const std::string why = refusal(attack);
    if (why.empty()) check::failed("accepted: " + attack);
  }
  equal(refusal(original), "");
  // Signatures that stand where nobody looks.
  refused(replaced(original, response_signature, "<samlp:Extensions>" + response_signature + "</samlp:Extensions>"),
          "the response isn't signed");
  refused(replaced(original, response_signature, response_signature + response_signature), "the response isn't signed");
  const std::string moved = replaced(original, assertion_signature, "");
  refused(replaced(moved, "<saml:Subject>", "<saml:Subject>" + assertion_signature), "signatures in the wrong place");
  refused(replaced(original, assertion_signature, response_signature), "a signature of something else");
}

void ids(void**) {
  const std::string xml = Message().xml(idp_keys());
  refused(replaced(xml, "ID=\"_assertion\"", "ID=\"_response\""), "an ID that isn't unique");
  refused(replaced(xml, "<samlp:Status>", "<samlp:Extensions><x Id=\"_response\"/></samlp:Extensions><samlp:Status>"),
          "an ID that isn't unique");
  refused(replaced(xml, "<samlp:Status>", "<samlp:Extensions xml:id=\"_response\"/><samlp:Status>"),
          "an ID that isn't unique");
  for (const char* id : {"", "a b", "x')", "1", "-", "\xc3\xa4"})
    refused(replaced(xml, "ID=\"_response\"", std::string("ID=\"") + id + "\""), "no ID");
  refused(replaced(xml, "ID=\"_assertion\"", ""), "no ID");
}

void several_assertions(void**) {
  Message second;
  second.assertion_id = "_second";
  const std::string more = second.assertion();
  wrong([&](Message& m) { m.more_assertions = more; }, "2 assertions");
  wrong(
      [](Message& m) {
        m.more_assertions =
            "<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"></saml:EncryptedAssertion>";
      },
      "2 assertions");
  const std::string xml = Message().xml(idp_keys());
  refused(replaced(xml, between(xml, "<saml:Assertion", "</saml:Assertion>"), ""), "0 assertions");
  refused("<a/>", "not a response");
}

// -- hostile XML

void hostile_xml(void**) {
  const std::string xml = Message().xml(idp_keys());
  const std::string body = xml.substr(xml.find("<samlp"));
  refused("<!DOCTYPE x>" + body, "a DOCTYPE");
  refused("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><x>&e;</x>", "a DOCTYPE");
  refused("<!DOCTYPE x SYSTEM \"http://127.0.0.1:9/x.dtd\"><x/>", "a DOCTYPE");
  std::string bomb = "<!DOCTYPE x [<!ENTITY a0 \"aaaaaaaaaa\">";
  for (int i = 1; i < 30; ++i) {
    bomb += "<!ENTITY a" + std::to_string(i) + " \"";
    for (int j = 0; j < 10; ++j) bomb += "&a" + std::to_string(i - 1) + ";";
    bomb += "\">";
  }
  refused(bomb + "]><x>&a29;</x>", "a DOCTYPE");
  refused("<x>&e;</x>", "not well-formed");
  refused("", "not base64");
  refused("\xff", "not UTF-8");
  refused("<x>\xc3</x>", "not UTF-8");
  refused(std::string("<x>\0</x>", 8), "not UTF-8");
  refused("\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-16\"?><x/>", "not well-formed");
  refused("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><x/>", "an encoding other than UTF-8");
  std::string deep, end;
  for (int i = 0; i < 100; ++i) deep += "<a>", end += "</a>";
  refused(deep + end, "nested too deeply");
  for (int i = 0; i < 20000; ++i) deep += "<a>";
  refused(deep, "not well-formed");
  std::string attributes, spaces, nested;
  for (int i = 0; i < 33; ++i) {
    const std::string space = " xmlns:n" + std::to_string(i) + "=\"u\"";
    spaces += space, nested += "<a" + space + ">";
  }
  for (int i = 0; i < 65; ++i) attributes += " a" + std::to_string(i) + "=\"\"";
  refused("<a" + spaces + "/>", "too many namespaces");
  refused(nested + end.substr(0, 33 * 4), "too many namespaces");
  refused("<a" + attributes + "/>", "an element with too many attributes");
  // Messages of a few kB, without any key, took half a minute to be refused.
  for (const std::string leaf : {"<a/>", "<a>x</a>", "x<a/>"}) {
    Message message;
    message.extensions = "<samlp:Extensions>";
    for (int i = 0; i < 5000; ++i) message.extensions += leaf;
    message.extensions += "</samlp:Extensions>";
    equal(refusal(message.xml(idp_keys())), "too many elements");
  }
  equal(refusal(std::string(most_message_bytes + 1, 'x')), "too long");
  equal(refusal(std::string(10 << 20, 'x')), "too long");
  refused("<x>" + std::string(most_message_bytes - 100, 'x') + "</x>", "not a response");
}

void instants(void**) {
  const auto is = [](const char* text, std::int64_t seconds) {
    const auto parsed = parse_instant(text);
    if (!parsed || *parsed != seconds) check::failed(text);
  };
  is("1970-01-01T00:00:00Z", 0);
  is("2023-11-14T22:13:20Z", 1700000000);
  is("2023-11-14T22:13:20", 1700000000);
  is("2023-11-14T22:13:20.123456789Z", 1700000000);
  is("2023-11-15T00:13:20+02:00", 1700000000);
  is("2023-11-14T16:43:20-05:30", 1700000000);
  for (const char* text :
       {"", "Z", "2023-11-14", "2023-02-30T00:00:00Z", "2023-11-14T24:00:00Z", "2023-11-14T22:13:20z",
        "2023-11-14T22:13:20Zx", "2023-11-14T22:13:20.Z", "2023-11-14 22:13:20Z", "+2023-11-14T22:13:20Z",
        "2023-11-14T22:13:20+2", "99999999999999999999-11-14T22:13:20Z", "0000-01-01T00:00:00Z"}) {
    if (parse_instant(text)) check::failed(text);
  }
}

// -- metadata

std::string complaint(const std::string& xml) {
  try {
    provider_of(xml);
  } catch (const Unusable& e) {
    return e.what();
  }
  return "";
}

void metadata_of_idps(void**) {
  const std::string prefix = "the metadata of the identity provider: ";
  const std::string good = metadata(idp_keys());
  const auto many = [](const std::string& content) {
    return "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\">" + content +
           "</md:EntitiesDescriptor>";
  };
  equal(complaint(many(entity("<md:SPSSODescriptor/>", "https://sp") + many(good))), "");
  equal(complaint(many(good + entity(role(key_descriptor(idp_keys())), "https://second"))),
        prefix + "it describes 2 identity providers of SAML 2.0 instead of one");
  equal(complaint(entity(role(key_descriptor(idp_keys())) + role(key_descriptor(idp_keys())))),
        prefix + "it describes one identity provider more than once");
  equal(complaint("<xml><h1>title</h1></xml>"),
        prefix + "it describes 0 identity providers of SAML 2.0 instead of one");
  equal(complaint(entity(role(""))), prefix + "no KeyDescriptor for signatures");
  equal(complaint(entity(role(key_descriptor(idp_keys(), " use=\"encryption\"")))),
        prefix + "no KeyDescriptor for signatures");
  equal(complaint(entity(role(key_descriptor(idp_keys(), "")))), "");
  equal(complaint(
            entity(role(key_descriptor(idp_keys()), "<md:SingleSignOnService Binding=\"x\" Location=\"https://x\"/>"))),
        prefix + "no SingleSignOnService has the binding HTTP-Redirect");
  for (const char* location : {"javascript:alert(1)", "https://a@b/", "//x", "https://x/\n", "https://x\\y", ""}) {
    assert_string_not_equal(complaint(replaced(good, sso, location)).c_str(), "");
  }
  equal(complaint(replaced(good, idp_id, "")), prefix + "the identity provider has no name");
  equal(complaint(good.substr(1)), prefix + "not well-formed");
  equal(complaint("<!DOCTYPE x>" + good), prefix + "a DOCTYPE");
  equal(complaint("<!-- people write these -->" + good), "");
  assert_string_not_equal(complaint(entity(role("<md:KeyDescriptor><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/"
                                                "xmldsig#\"><ds:X509Data><ds:X509Certificate>AAAA</ds:X509Certificate>"
                                                "</ds:X509Data></ds:KeyInfo></md:KeyDescriptor>")))
                              .c_str(),
                          "");
  check_metadata("<xml><h1>title</h1><body>lorem ipv5</body></xml>", 0);
  const auto ends = [](const std::string& until, std::int64_t now) {
    try {
      check_metadata(entity(role(key_descriptor(idp_keys())), idp_id, " validUntil=\"" + until + "\""), now);
    } catch (const BadXml& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  equal(ends("2026-01-01T00:00:00Z", *parse_instant("2025-12-31T23:59:59Z")), "");
  equal(ends("2026-01-01T02:00:00+02:00", *parse_instant("2026-01-01T00:00:00Z")),
        "its validUntil has passed: it ended at 2026-01-01T00:00:00Z; get it from the identity provider again");
  equal(provider().idp().login_url, sso);
  equal(*provider().idp().logout_url, slo);
}

void metadata_that_ends(void**) {
  const std::string xml = entity(role(key_descriptor(idp_keys())), idp_id, " validUntil=\"2030-01-01T00:00:00Z\"");
  const auto sp = provider_of(xml);
  const std::int64_t end = *parse_instant("2030-01-01T00:00:00Z");
  sp->login_request("x", end - 1);
  bool refused_then = false;
  try {
    sp->login_request("x", end);
  } catch (const Unusable&) {
    refused_then = true;
  }
  assert_true(refused_then);
  equal(refusal(Message().xml(idp_keys()), *sp, end), "the metadata of the identity provider isn't valid any more");
}

void rollover(void**) {
  // Both keys count while both are in the metadata, whichever comes first; afterwards only the new one does.
  const std::string both = entity(role(key_descriptor(idp_keys()) + key_descriptor(other_keys())));
  const auto during = provider_of(both), after = provider_of(metadata(other_keys()));
  equal(refusal(Message().xml(idp_keys()), *during), "");
  equal(refusal(Message().xml(other_keys()), *during), "");
  assert_string_not_equal(refusal(Message().xml(new_keys()), *during).c_str(), "");
  equal(refusal(Message().xml(other_keys()), *after), "");
  assert_string_not_equal(refusal(Message().xml(idp_keys()), *after).c_str(), "");
  // A key for encryption signs nothing.
  const auto encryption =
      provider_of(entity(role(key_descriptor(idp_keys()) + key_descriptor(other_keys(), " use=\"encryption\""))));
  assert_string_not_equal(refusal(Message().xml(other_keys()), *encryption).c_str(), "");
}

void our_own(void**) {
  const Document document = Document::parse(own_metadata({sp_id, acs, ""}, sp_keys().certificate),
                                            Document::Kind::metadata, most_metadata_bytes);
  equal(*document.root().attribute("entityID"), sp_id);
  const Element role = document.root().child(metadata_ns, "SPSSODescriptor");
  equal(*role.attribute("AuthnRequestsSigned"), "true");
  const Element service = role.child(metadata_ns, "AssertionConsumerService");
  equal(*service.attribute("Location"), acs);
  std::string bindings;
  for (const Element& each : role.children(metadata_ns, "SingleLogoutService")) {
    equal(*each.attribute("Location"), "https://sp.example.org/0.1/saml/sls");
    bindings += each.attribute("Binding")->substr(std::strlen("urn:oasis:names:tc:SAML:2.0:bindings:")) + " ";
  }
  equal(bindings, "HTTP-Redirect HTTP-POST ");
  std::string uses;
  for (const Element& each : role.children(metadata_ns, "KeyDescriptor")) {
    uses += *each.attribute("use") + " ";
    equal(each.descendants(signature_ns, "X509Certificate").front().text(), base64_of(sp_keys()));
  }
  equal(uses, "signing encryption ");
  // Somebody else's path says nothing of where logouts go.
  const std::string elsewhere = own_metadata({sp_id, "https://sp.example.org/x/acs?a&b", ""}, sp_keys().certificate);
  const Document other = Document::parse(elsewhere, Document::Kind::metadata, most_metadata_bytes);
  assert_true(other.root().descendants(metadata_ns, "SingleLogoutService").empty());

  assert_false(complaint_about(sp_keys()).has_value());
  equal(*complaint_about({"", ""}), "no private key in PEM without a password");
  equal(*complaint_about({sp_keys().key, ""}), "no certificate in PEM");
  equal(*complaint_about({sp_keys().key, other_keys().certificate}), "the certificate isn't that of the key");
  bool unusable = false;
  try {
    const ServiceProvider made(sp_keys(), {sp_id, "javascript:x", metadata(idp_keys())}, {});
  } catch (const Unusable&) {
    unusable = true;
  }
  assert_true(unusable);
  // Texts that would break out of the metadata.
  const ServiceProvider odd(sp_keys(), {"a\"><x>&b", acs, metadata(idp_keys())}, {});
  assert_true(inflated(odd.login_request("r", 0).location).find("a\"&gt;&lt;x&gt;&amp;b") != std::string::npos);
}

void the_environment(void**) {
  assert_null(std::getenv("LASSO_FLAG"));  // set by main()
}

// -- addresses

void redirect_targets(void**) {
  for (const char* good : {"https://example.com", "https://example.com/acs", "HTTPS://Example.COM:8443/a?b=c&d=//e#f",
                           "https://[::1]/x", "https://192.0.2.1/"}) {
    if (!may_redirect(good, {})) check::failed(good);
  }
  for (const char* bad : {"",
                          "/x",
                          "//example.com",
                          "///example.com",
                          "https:example.com",
                          "https:/example.com",
                          "https:///example.com",
                          "http://example.com",
                          "javascript:alert(1)//https://",
                          "data:text/html,x",
                          "ftp://example.com",
                          " https://example.com",
                          "https://example.com ",
                          "https://user@example.com/",
                          "https://good.com@evil.com",
                          "https://good.com:x@evil.com",
                          "https://good.com\\@evil.com",
                          "https://evil.com\\.good.com",
                          "https:\\\\evil.com",
                          "https://good.com\t/",
                          "https://good.com/\r\nLocation: x",
                          "https://good.com/\x01",
                          "https://good.com/<script>",
                          "https://good.com/\"x",
                          "https://exa mple.com",
                          "https://",
                          "https://:443",
                          "https://a..b",
                          "https://good.com:99999999",
                          "https://good.com:",
                          "https://good.com//evil.com",
                          "https://gööd.com",
                          "https://[::1",
                          "https://[x]",
                          "https://%65vil.com",
                          "https://good.com/\xff",
                          "https://.good.com"}) {
    if (may_redirect(bad, {})) check::failed(bad);
  }
  const std::vector<std::string> allowed{"https://app.example.com/portal", "https://other.example.com:8443",
                                         "wazo://login", "http://127.0.0.1:8080/"};
  for (const char* good :
       {"https://app.example.com/portal", "https://app.example.com:443/portal/x?y", "HTTPS://APP.example.com/portal#z",
        "https://other.example.com:8443/any", "wazo://login", "wazo://login/x", "http://127.0.0.1:8080/a"}) {
    if (!may_redirect(good, allowed)) check::failed(good);
  }
  for (const char* bad :
       {"https://app.example.com/", "https://app.example.com/portals", "https://app.example.com/portal/../x",
        "https://app.example.com/portal/%2e%2e/x", "https://app.example.com/portal/..%2fx",
        "https://app.example.com:444/portal", "https://other.example.com/any",
        "https://other.example.com:8443.evil.com/", "http://app.example.com/portal",
        "https://app.example.com.evil.com/portal", "wazo://other", "http://127.0.0.1:8080@evil.com/"}) {
    if (may_redirect(bad, allowed)) check::failed(bad);
  }
  equal(with_parameter("https://a/b", "x=1"), "https://a/b?x=1");
  equal(with_parameter("https://a/b?c", "x=1"), "https://a/b?c&x=1");
  equal(with_parameter("https://a/b#c?d", "x=1"), "https://a/b?x=1#c?d");
}

void many_threads(void**) {
  const std::string xml = encode_base64(Message().xml(idp_keys()));
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 25; ++j) {
        provider().login_request("state", j);
        good += provider().accept(xml, "id-abcdefghijklmnopq", "", std::time(nullptr)).login == "bob@example.org";
      }
      good += provider_of(metadata(idp_keys()))->idp().login_url == sso;
    });
  }
  for (std::thread& thread : threads) thread.join();
  assert_int_equal(good, 104);
}

}  // namespace

int main() {
  setenv("LASSO_FLAG", "no-verify-signature", 1);
  const CMUnitTest tests[] = {
      cmocka_unit_test(login_request),
      cmocka_unit_test(a_location_with_a_query),
      cmocka_unit_test(logout_request),
      cmocka_unit_test(logout_response),
      cmocka_unit_test(signed_logout_response),
      cmocka_unit_test(base64_as_it_comes),
      cmocka_unit_test(deflated_as_it_comes),
      cmocka_unit_test(states_as_they_come),
      cmocka_unit_test(space_around),
      cmocka_unit_test(their_logouts),
      cmocka_unit_test(subjects),
      cmocka_unit_test(where_logouts_end),
      cmocka_unit_test(a_good_response),
      cmocka_unit_test(the_login),
      cmocka_unit_test(comments),
      cmocka_unit_test(times),
      cmocka_unit_test(addressed_to_others),
      cmocka_unit_test(addresses),
      cmocka_unit_test(words_for_the_log),
      cmocka_unit_test(signatures),
      cmocka_unit_test(shapes_of_signatures),
      cmocka_unit_test(wrapping),
      cmocka_unit_test(ids),
      cmocka_unit_test(several_assertions),
      cmocka_unit_test(hostile_xml),
      cmocka_unit_test(instants),
      cmocka_unit_test(metadata_of_idps),
      cmocka_unit_test(metadata_that_ends),
      cmocka_unit_test(rollover),
      cmocka_unit_test(our_own),
      cmocka_unit_test(the_environment),
      cmocka_unit_test(redirect_targets),
      cmocka_unit_test(many_threads),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
