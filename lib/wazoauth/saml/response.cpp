#include "wazoauth/saml/response.h"

#include <algorithm>
#include <array>
#include <set>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/text.h"
#include "wazoauth/base/url.h"
#include "wazoauth/gate/forwarded.h"

namespace wazoauth::saml {

namespace {

constexpr std::int64_t most_message_age = 86400;
constexpr std::int64_t most_logout_age = 300;  // of a request that doesn't say how long it is good for
constexpr std::string_view success = "urn:oasis:names:tc:SAML:2.0:status:Success";
constexpr std::string_view bearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

void require(bool condition, const std::string& why) {
  if (!condition) throw Refused(why);
}

// -- signatures

using Names = std::vector<std::string_view>;

bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

const Names signature_methods{"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
                              "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
                              "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"};
const Names digest_methods{"http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#sha384",
                           "http://www.w3.org/2001/04/xmlenc#sha512"};
constexpr std::string_view rsa_sha1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
constexpr std::string_view sha1 = "http://www.w3.org/2000/09/xmldsig#sha1";
const Names canonical_forms{"http://www.w3.org/2001/10/xml-exc-c14n#",
                            "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
                            "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
                            "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"};
constexpr const char* exclusive_ns = "http://www.w3.org/2001/10/xml-exc-c14n#";
constexpr std::size_t most_prefixes = 256;  // bytes
constexpr std::string_view enveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

std::string algorithm(const Element& element) {
  return element.attribute("Algorithm").value_or("");
}

void check_name(std::string_view name, const Names& good, std::string_view with_sha1, bool allow_sha1) {
  require(contains(good, name) || (allow_sha1 && name == with_sha1), "a signature with a weak or unknown algorithm");
}

void check_method(const Element& element, const Names& good, std::string_view with_sha1, bool allow_sha1) {
  check_name(algorithm(element), good, with_sha1, allow_sha1);
}

// Each of the prefixes is looked for at each node.
void check_form(const Element& form, const std::string& unknown) {
  require(contains(canonical_forms, algorithm(form)), unknown);
  const auto parameters = form.children();
  const bool usual =
      parameters.empty() || (parameters.size() == 1 && parameters[0].is(exclusive_ns, "InclusiveNamespaces") &&
                             parameters[0].attribute("PrefixList").value_or("").size() <= most_prefixes);
  require(usual, "an unusual canonical form");
}

// A list of transforms that leaves nothing out but the signature itself.
void check_transforms(const Element& reference) {
  const Element transforms = reference.child(signature_ns, "Transforms");
  std::size_t without_signature = 0, forms = 0;
  for (const Element& each : transforms.children()) {
    require(each.is(signature_ns, "Transform"), "an unknown transform");
    if (algorithm(each) == enveloped) {
      ++without_signature;
    } else {
      check_form(each, "an unknown transform");
      ++forms;
    }
  }
  require(without_signature == 1 && forms <= 1, "unusual transforms");
}

void check_signature(const Element& signature, const std::string& id, bool allow_sha1) {
  const Element info = signature.child(signature_ns, "SignedInfo");
  require(signature.children(signature_ns, "Object").empty(), "a signature with objects in it");
  check_form(info.child(signature_ns, "CanonicalizationMethod"), "an unknown canonical form");
  check_method(info.child(signature_ns, "SignatureMethod"), signature_methods, rsa_sha1, allow_sha1);
  const Element reference = info.child(signature_ns, "Reference");
  require(reference.attribute("URI") == "#" + id, "a signature of something else");
  check_transforms(reference);
  check_method(reference.child(signature_ns, "DigestMethod"), digest_methods, sha1, allow_sha1);
}

// An id that stands twice could be signed once and read once.
void check_ids(const Element& element, std::set<std::string>& seen) {
  for (const xmlAttr* each = element.node()->properties; each; each = each->next) {
    std::string name = fold_case(reinterpret_cast<const char*>(each->name));
    if (name != "id" && name != "assertionid" && name != "responseid" && name != "requestid") continue;
    std::string value;
    for (const xmlNode* part = each->children; part; part = part->next)
      value += part->content ? reinterpret_cast<const char*>(part->content) : "";
    require(seen.insert(value).second, "an ID that isn't unique");
  }
  for (const Element& child : element.children()) check_ids(child, seen);
}

bool is_id(const std::string& text) {
  const auto good = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  };
  return !text.empty() && text.size() <= 256 && std::all_of(text.begin(), text.end(), good) &&
         !(text[0] >= '0' && text[0] <= '9') && text[0] != '-' && text[0] != '.';
}

std::string id_of(const Element& element) {
  std::string id = element.attribute("ID").value_or("");
  require(is_id(id), "no ID");
  return id;
}

constexpr const char* unsigned_response =
    "the response isn't signed; switch it on at the identity provider. Microsoft Entra ID: signing option \"Sign SAML "
    "response\" or \"Sign SAML response and assertion\"; AD FS: Set-AdfsRelyingPartyTrust -SamlResponseSignature "
    "MessageAndAssertion; Google: \"Signed response\"";

// The assertion may be signed, too; no other signature stands in it, and no other assertion.
void check_assertion_shape(const Element& assertion, bool allow_sha1) {
  for (const char* name : {"Assertion", "EncryptedAssertion"})
    require(assertion.descendants(assertion_ns, name).empty(), "an assertion in an assertion");
  const auto signatures = assertion.children(signature_ns, "Signature");
  require(signatures.size() <= 1 && assertion.descendants(signature_ns, "Signature").size() == signatures.size(),
          "signatures in the wrong place");
  const std::string id = id_of(assertion);
  if (!signatures.empty()) check_signature(signatures.front(), id, allow_sha1);
}

// What is encrypted stands in the assertion, or is it.
void check_encrypted_parts(const Element& response, const Element& assertion) {
  for (const char* name : {"EncryptedID", "EncryptedAttribute"})
    require(response.descendants(assertion_ns, name).size() == assertion.descendants(assertion_ns, name).size(),
            "an encrypted part in the wrong place");
}

// The response is signed; no other signature stands anywhere but that of the assertion, and no other assertion or
// response stands anywhere.
Element check_shape(const Element& response, bool allow_sha1) {
  auto assertions = response.descendants(assertion_ns, "Assertion");
  for (const Element& each : response.descendants(assertion_ns, "EncryptedAssertion")) assertions.push_back(each);
  require(assertions.size() == 1, std::to_string(assertions.size()) + " assertions");
  const Element assertion = assertions.front();
  require(assertion.parent() == response, "an assertion in the wrong place");
  require(response.descendants(protocol_ns, "Response").empty(), "a response in a response");
  check_encrypted_parts(response, assertion);
  std::set<std::string> ids;
  check_ids(response, ids);

  const auto signatures = response.children(signature_ns, "Signature");
  const std::size_t in_assertion = assertion.descendants(signature_ns, "Signature").size();
  require(signatures.size() == 1, unsigned_response);
  require(response.descendants(signature_ns, "Signature").size() == 1 + in_assertion, "signatures in the wrong place");
  check_signature(signatures.front(), id_of(response), allow_sha1);
  if (assertion.is(assertion_ns, "Assertion"))
    check_assertion_shape(assertion, allow_sha1);
  else
    require(in_assertion == 0, "signatures in the wrong place");
  return assertion;
}

// -- the message

std::optional<std::int64_t> time_of(const Element& element, const char* name) {
  const auto text = element.attribute(name);
  if (!text) return std::nullopt;
  const auto time = parse_instant(*text);
  require(time.has_value(), std::string(name) + " is no time");
  return time;
}

void check_issuer(const Element& element, const std::string& expected) {
  const Element issuer = element.child(assertion_ns, "Issuer");
  require(issuer.attribute("Format").value_or("urn:oasis:names:tc:SAML:2.0:nameid-format:entity") ==
              "urn:oasis:names:tc:SAML:2.0:nameid-format:entity",
          "an issuer of another format");
  require(issuer.trimmed() == expected,
          "another issuer: " + in_quotes(issuer.trimmed()) + " instead of " + in_quotes(expected));
}

void check_origin(const Element& message, const Expected& expected, std::int64_t skew) {
  require(message.attribute("Version") == "2.0", "another version");
  const auto issued = time_of(message, "IssueInstant");
  require(
      issued && *issued >= expected.now - most_message_age - skew && *issued <= expected.now + most_message_age + skew,
      "issued long ago or in the future");
  check_issuer(message, expected.issuer);
}

void check_message(const Element& message, const Expected& expected, std::int64_t skew) {
  require(message.attribute("InResponseTo") == expected.request_id, "an answer to another request");
  check_origin(message, expected, skew);
}

void check_destination(const Element& message, const std::string& expected) {
  const std::string destination = message.attribute("Destination").value_or(expected);
  require(destination == expected,
          "for another destination: " + in_quotes(destination) + " instead of " + in_quotes(expected));
}

// "Responder, AuthnFailed" for the codes of SAML, and any others as they are.
std::string codes_in(const Element& status) {
  constexpr std::string_view known = "urn:oasis:names:tc:SAML:2.0:status:";
  constexpr int most = 3;
  std::string codes;
  std::vector<Element> level = status.children(protocol_ns, "StatusCode");
  for (int i = 0; i < most && !level.empty(); ++i, level = level.front().children(protocol_ns, "StatusCode")) {
    std::string code = level.front().attribute("Value").value_or("");
    if (code.starts_with(known)) code.erase(0, known.size());
    codes += (codes.empty() ? "" : ", ") + in_quotes(code);
  }
  return codes;
}

// Before anything else: a refusal has neither assertion nor, often, a signature.
void check_status(const Element& message) {
  const Element status = message.child(protocol_ns, "Status");
  if (status.child(protocol_ns, "StatusCode").attribute("Value") == success) return;
  std::string why = "the identity provider refuses: status " + codes_in(status);
  const auto messages = status.children(protocol_ns, "StatusMessage");
  if (!messages.empty()) why += ", message " + in_quotes(messages.front().trimmed());
  throw Refused(why);
}

// -- the assertion

std::string names_of(const std::vector<Element>& elements) {
  std::string names;
  for (const Element& each : elements) names += (names.empty() ? "" : ", ") + in_quotes(each.trimmed());
  return names.empty() ? "none" : names.substr(0, 1000);
}

void check_conditions(const Element& conditions, const Expected& expected, std::int64_t skew, Assertion& assertion) {
  const auto from = time_of(conditions, "NotBefore"), until = time_of(conditions, "NotOnOrAfter");
  require(!from || *from <= expected.now + skew, "not yet valid");
  require(!until || expected.now < *until + skew, "expired");
  require(!from || !until || *from < *until, "never valid");
  assertion.not_on_or_after = until.value_or(0);
  std::size_t restrictions = 0;
  for (const Element& each : conditions.children()) {
    if (each.is(assertion_ns, "OneTimeUse") || each.is(assertion_ns, "ProxyRestriction")) continue;
    require(each.is(assertion_ns, "AudienceRestriction"), "an unknown condition");
    const auto audiences = each.children(assertion_ns, "Audience");
    require(std::any_of(audiences.begin(), audiences.end(),
                        [&](const Element& audience) { return audience.trimmed() == expected.entity_id; }),
            "for another audience: " + names_of(audiences) + " instead of " + in_quotes(expected.entity_id));
    ++restrictions;
  }
  require(restrictions > 0, "for no audience");
}

// nullopt when it names none: what isn't an address, like a host's name, binds to nothing.
std::optional<std::string> address_of(const Element& data) {
  return gate::canonical_address(data.attribute("Address").value_or(""));
}

bool is_from(const std::string& address, const Expected& expected) {
  return address == gate::canonical_address(expected.remote_addr).value_or(expected.remote_addr);
}

bool confirms(const Element& confirmation, const Expected& expected, std::int64_t skew) {
  if (confirmation.attribute("Method") != bearer) return false;
  const auto all = confirmation.children(assertion_ns, "SubjectConfirmationData");
  if (all.size() != 1) return false;
  const Element& data = all.front();
  const auto from = time_of(data, "NotBefore"), until = time_of(data, "NotOnOrAfter");
  const auto recipient = data.attribute("Recipient");
  return until && expected.now < *until + skew && (!from || *from <= expected.now + skew) && recipient &&
         (*recipient == expected.acs_url || *recipient == expected.entity_id);
}

void check_subject(const Element& subject, const Expected& expected, std::int64_t skew) {
  const auto confirmations = subject.children(assertion_ns, "SubjectConfirmation");
  const auto all_data = subject.descendants(assertion_ns, "SubjectConfirmationData");
  // They bind to an address only when each of them does.
  bool by_address = !expected.remote_addr.empty();
  for (const Element& data : all_data) {
    require(data.attribute("InResponseTo").value_or(expected.request_id) == expected.request_id,
            "a confirmation for another request");
    by_address = by_address && address_of(data);
  }
  std::string addresses;
  for (const Element& each : confirmations) {
    if (!confirms(each, expected, skew)) continue;
    const auto address = address_of(each.child(assertion_ns, "SubjectConfirmationData"));
    if (!by_address || is_from(*address, expected)) return;
    addresses += (addresses.empty() ? "" : ", ") + *address;
  }
  require(!addresses.empty(), "the subject isn't confirmed: method, recipient or time");
  throw Refused("the subject is confirmed for address " + addresses + ", and the browser has address " +
                expected.remote_addr);
}

NameId read_name_id(const Element& element) {
  NameId name_id{element.text(), element.attribute("Format").value_or(""),
                 element.attribute("NameQualifier").value_or(""), element.attribute("SPNameQualifier").value_or(""),
                 element.attribute("SPProvidedID").value_or("")};
  if (name_id.text.empty()) throw BadXml("an empty NameID");
  return name_id;
}

void read_statement(const Element& statement, const Expected& expected, std::int64_t skew, Assertion& assertion) {
  if (const auto until = time_of(statement, "SessionNotOnOrAfter")) {
    require(expected.now < *until + skew, "the session has ended");
    assertion.not_on_or_after = *until;
  }
  assertion.session_index = statement.attribute("SessionIndex").value_or("");
  assertion.authenticated_at = statement.attribute("AuthnInstant").value_or("");
  for (const Element& context : statement.children(assertion_ns, "AuthnContext")) {
    for (const Element& reference : context.children(assertion_ns, "AuthnContextClassRef"))
      assertion.context = reference.trimmed();
  }
}

constexpr const char* login_claim = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name";
constexpr const char* login_name = "urn:mace:dir:attribute-def:name";

// The names that become "name".
bool is_login(const Element& attribute) {
  const std::string name = fold_case(attribute.attribute("Name").value_or(""));
  const std::string format =
      attribute.attribute("NameFormat").value_or("urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified");
  if (format == "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified") return name == login_claim;
  return format == "urn:oasis:names:tc:SAML:2.0:attrname-format:basic" && name == login_name;
}

// Their names, not their values, for the log.
std::string attributes_in(const Element& assertion) {
  constexpr int most = 20;
  int count = 0;
  std::string names;
  for (const Element& each : assertion.descendants(assertion_ns, "Attribute")) {
    if (++count > most) return names + ", ...";
    const std::string format = each.attribute("NameFormat").value_or("");
    names += (names.empty() ? "there came " : ", ") + in_quotes(each.attribute("Name").value_or("")) +
             (format.empty() ? "" : " (" + in_quotes(format.substr(format.rfind(':') + 1)) + ")");
  }
  return names.empty() ? "there came none" : names;
}

std::string read_login(const Element& assertion) {
  for (const Element& statement : assertion.children(assertion_ns, "AttributeStatement")) {
    for (const Element& attribute : statement.children(assertion_ns, "Attribute")) {
      if (!is_login(attribute)) continue;
      for (const Element& value : attribute.children(assertion_ns, "AttributeValue")) {
        if (std::string login = value.trimmed(); !login.empty()) return login;
      }
    }
  }
  throw Refused("no attribute with the user's name: " + attributes_in(assertion) + "; wanted is \"" + login_claim +
                "\" without a format, or \"" + login_name + "\" in the basic format");
}

Assertion read(const Element& element, const Expected& expected, std::int64_t skew) {
  require(element.attribute("Version") == "2.0", "an assertion of another version");
  check_issuer(element, expected.issuer);
  const Element subject = element.child(assertion_ns, "Subject");
  Assertion assertion;
  assertion.issuer = expected.issuer;
  require(!subject.children(assertion_ns, "NameID").empty(),
          "the subject has no NameID; let the identity provider send one (AD FS: a claim rule for Name ID)");
  assertion.name_id = read_name_id(subject.child(assertion_ns, "NameID"));
  check_subject(subject, expected, skew);
  check_conditions(element.child(assertion_ns, "Conditions"), expected, skew, assertion);
  read_statement(element.child(assertion_ns, "AuthnStatement"), expected, skew, assertion);
  assertion.login = read_login(element);
  return assertion;
}

using Part = std::pair<const char*, const std::string NameId::*>;
constexpr std::array<Part, 4> qualifiers{{{"NameQualifier", &NameId::name_qualifier},
                                          {"SPNameQualifier", &NameId::sp_name_qualifier},
                                          {"Format", &NameId::format},
                                          {"SPProvidedID", &NameId::sp_provided_id}}};

}  // namespace

std::string in_quotes(std::string_view text) {
  constexpr std::size_t longest = 200;
  std::string shown;
  for (const char c : text.substr(0, longest)) {
    const bool control = (c >= '\0' && c < ' ') || c == '\x7f' || c == '"';
    shown += control ? ' ' : c < 0 ? '?' : c;
  }
  return "\"" + shown + (text.size() > longest ? "..." : "") + "\"";
}

std::string to_xml(const NameId& name_id) {
  std::string xml = std::string("<saml:NameID xmlns:saml=\"") + assertion_ns + "\"";
  for (const auto& [name, member] : qualifiers) {
    const std::string& value = name_id.*member;
    if (!value.empty()) xml += std::string(" ") + name + "=\"" + escape_xml(value) + "\"";
  }
  return xml + ">" + escape_xml(name_id.text) + "</saml:NameID>";
}

NameId name_id_from_xml(std::string_view xml) {
  const Document document = Document::parse(xml, Document::Kind::message, most_message_bytes);
  if (!document.root().is(assertion_ns, "NameID")) throw BadXml("not a NameID");
  return read_name_id(document.root());
}

bool is_same_subject(const NameId& a, const NameId& b) {
  constexpr std::string_view blanks = " \t\r\n";
  static constexpr std::string_view unspecified = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";
  const auto agree = [](const std::string& one, const std::string& other) {
    return one == other || one.empty() || other.empty() || one == unspecified || other == unspecified;
  };
  return ascii::trimmed(a.text, blanks) == ascii::trimmed(b.text, blanks) &&
         std::all_of(qualifiers.begin(), qualifiers.end(),
                     [&](const Part& part) { return agree(a.*part.second, b.*part.second); });
}

std::string coded(const NameId& name_id) {
  std::string code;
  int number = 0;
  const auto add = [&](const std::string& value) {
    if (!value.empty()) code += (code.empty() ? "" : ",") + std::to_string(number) + "=" + percent_encoded(value, "/");
    ++number;
  };
  for (const auto& [name, member] : qualifiers) add(name_id.*member);
  add(name_id.text);
  return code;
}

Element check_response(const Document& document, const Expected& expected, const Rules& rules) {
  try {
    const Element response = document.root();
    require(response.is(protocol_ns, "Response"), "not a response");
    check_status(response);
    const Element assertion = check_shape(response, rules.allow_sha1);
    check_destination(response, expected.acs_url);
    check_message(response, expected, rules.clock_skew);
    return assertion;
  } catch (const BadXml& e) {
    throw Refused(e.what());
  }
}

bool check_assertion(const Document& document, const Rules& rules) {
  try {
    const Element assertion = document.root();
    require(assertion.is(assertion_ns, "Assertion"), "something else than an assertion is encrypted");
    std::set<std::string> ids;
    check_ids(assertion, ids);
    check_assertion_shape(assertion, rules.allow_sha1);
    return !assertion.children(signature_ns, "Signature").empty();
  } catch (const BadXml& e) {
    throw Refused(e.what());
  }
}

Assertion read_assertion(const Element& assertion, const Expected& expected, const Rules& rules) {
  try {
    return read(assertion, expected, rules.clock_skew);
  } catch (const BadXml& e) {
    throw Refused(e.what());
  }
}

void check_signature_method(std::string_view name, const Rules& rules) {
  check_name(name, signature_methods, rsa_sha1, rules.allow_sha1);
}

std::string issuer_of_logout(const Document& document) {
  try {
    require(document.root().is(protocol_ns, "LogoutRequest"), "not a logout request");
    return document.root().child(assertion_ns, "Issuer").trimmed();
  } catch (const BadXml& e) {
    throw Refused(e.what());
  }
}

void check_logout_request(const Document& document, const Expected& expected, const std::string& sls_url,
                          const Rules& rules) {
  try {
    const Element root = document.root();
    require(root.is(protocol_ns, "LogoutRequest"), "not a logout request");
    check_origin(root, expected, rules.clock_skew);
    const auto until = time_of(root, "NotOnOrAfter");
    require(expected.now < until.value_or(*time_of(root, "IssueInstant") + most_logout_age) + rules.clock_skew,
            "expired");
    if (!sls_url.empty()) check_destination(root, sls_url);
    require(root.descendants(assertion_ns, "EncryptedID").size() == root.children(assertion_ns, "EncryptedID").size(),
            "an encrypted part in the wrong place");
    id_of(root);
  } catch (const BadXml& e) {
    throw Refused(e.what());
  }
}

LogoutRequest read_logout_request(const Document& document) {
  try {
    const Element root = document.root();
    LogoutRequest request{.id = id_of(root),
                          .name_id = read_name_id(root.child(assertion_ns, "NameID")),
                          .issued = time_of(root, "IssueInstant").value_or(0)};
    for (const Element& each : root.children(protocol_ns, "SessionIndex"))
      request.session_indexes.push_back(each.trimmed());
    return request;
  } catch (const BadXml& e) {
    throw Refused(e.what());
  }
}

bool is_signed(const Document& document, const Rules& rules) {
  try {
    const Element root = document.root();
    const auto signatures = root.descendants(signature_ns, "Signature");
    if (signatures.empty()) return false;
    require(signatures.size() == 1 && signatures.front().parent() == root, "signatures in the wrong place");
    std::set<std::string> ids;
    check_ids(root, ids);
    check_signature(signatures.front(), id_of(root), rules.allow_sha1);
    return true;
  } catch (const BadXml& e) {
    throw Refused(e.what());
  }
}

void check_logout_response(const Document& document, const Expected& expected) {
  try {
    require(document.root().is(protocol_ns, "LogoutResponse"), "not a logout response");
    check_status(document.root());
    check_message(document.root(), expected, 0);
  } catch (const BadXml& e) {
    throw Refused(e.what());
  }
}

}  // namespace wazoauth::saml
