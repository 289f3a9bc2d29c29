// Any bytes as a response, as metadata, as an address; and any change of a good response.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "../unit/saml_idp.h"
#include "wazoauth/base/text.h"
#include "wazoauth/base/url.h"
#include "wazoauth/saml/binding.h"
#include "wazoauth/saml/decryption.h"

namespace {

using namespace saml_idp;
using wazoauth::encode_base64;
using wazoauth::percent_encoded;

constexpr const char* request_id = "id-abcdefghijklmnopq";

void require(bool condition) {
  if (!condition) std::abort();
}

struct Setting {
  Keys idp = new_keys();
  ServiceProvider provider{new_keys(), {sp_id, acs, metadata(idp)}, {}};
  Message message = both_signed();
  std::string good = message.xml(idp);

  static Message both_signed() {
    Message made;
    made.sign_assertion = true;
    return made;
  }
};

const Setting& setting() {
  static const Setting made;
  return made;
}

bool accepted(const std::string& xml, Assertion& assertion) {
  try {
    assertion = setting().provider.accept(encode_base64(xml), request_id, "192.0.2.7", setting().message.now);
    return true;
  } catch (const Refused&) {
    return false;
  }
}

// Parts of a text changed, deleted, doubled.
std::string edited(std::string text, std::string_view input) {
  while (input.size() >= 5) {
    const auto at = (static_cast<unsigned char>(input[1]) << 8 | static_cast<unsigned char>(input[2])) % text.size();
    const std::size_t size = static_cast<unsigned char>(input[3]);
    const std::size_t length = std::min<std::size_t>(static_cast<unsigned char>(input[4]) % 32, input.size() - 5);
    const std::string part(input.substr(5, length));
    switch (input[0] % 3) {
      case 0:
        text.replace(at, size % 64, part);
        break;
      case 1:
        text.insert(at, text.substr((at * 7) % text.size(), size * 8));
        break;
      default:
        text.insert(at, part);
    }
    if (text.empty()) text = " ";
    input.remove_prefix(5 + length);
  }
  return text;
}

// Whatever becomes of a good response: it says the same, or nothing.
void check_changed(std::string_view input) {
  Assertion assertion;
  if (!accepted(edited(setting().good, input), assertion)) return;
  require(assertion.login == "bob@example.org" && assertion.name_id.text == "bob@corp");
}

void check_changed_metadata(std::string_view input) {
  try {
    const IdpMetadata read = read_idp_metadata(edited(metadata(setting().idp), input));
    const auto url = wazoauth::parse_url(read.login_url);
    require(url && (url->scheme == "https" || url->scheme == "http"));
    require(read_idp_metadata(read.descriptor).login_url == read.login_url);
  } catch (const BadXml&) {
    return;
  }
}

// An answer to a logout of ours.
void check_logout(std::string_view query) {
  Carried answer = carried_by_query(query, "SAMLResponse");
  answer.relay_state = "id-abc|1|2";
  setting().provider.check_logout(answer, setting().message.now);
}

void check_bytes(std::string_view input) {
  Assertion assertion;
  require(!accepted(std::string(input), assertion));
  try {
    check_logout(input);
  } catch (const Refused&) {
    return;
  }
}

// Nobody begins a logout who can't sign.
void check_logout_request(std::string_view input) {
  for (const bool by_form : {true, false}) {
    try {
      const Carried request = by_form ? carried_by_form(input, "") : carried_by_query(input, "SAMLRequest");
      setting().provider.accept_logout(request, setting().message.now);
      require(false);
    } catch (const Refused&) {
      continue;
    }
  }
}

// Whatever stands in an encrypted part: it is read, or refused.
void check_encrypted(std::string_view input) {
  static const std::string whole =
      std::string("<a:EncryptedID xmlns:a=\"") + assertion_ns +
      "\"><x:EncryptedData xmlns:x=\"http://www.w3.org/2001/04/xmlenc#\"><x:EncryptionMethod "
      "Algorithm=\"http://www.w3.org/2001/04/xmlenc#aes128-cbc\"/><d:KeyInfo xmlns:d=\"" +
      signature_ns +
      "\"><x:EncryptedKey><x:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p\"/>"
      "<x:CipherData><x:CipherValue>AAAA</x:CipherValue></x:CipherData></x:EncryptedKey></d:KeyInfo><x:CipherData>"
      "<x:CipherValue>AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=</x:CipherValue></x:CipherData></x:EncryptedData>"
      "</a:EncryptedID>";
  static EVP_PKEY* const key = EVP_RSA_gen(2048);
  try {
    Document document = Document::parse(edited(whole, input), Document::Kind::message, most_message_bytes);
    if (is_encrypted(document.root())) decrypt(document.root(), key);
    decrypt_parts(document, key);
  } catch (const Refused&) {
    return;
  } catch (const BadXml&) {
    return;
  }
}

// DEFLATE without compression.
std::string deflated(const std::string& text) {
  const auto size = static_cast<std::uint16_t>(text.size());
  const auto complement = static_cast<std::uint16_t>(~size);
  std::string out = "\1";
  for (const std::uint16_t each : {size, complement}) {
    out += static_cast<char>(each & 0xff);
    out += static_cast<char>(each >> 8);
  }
  return out + text;
}

// A good answer to a logout, and whatever follows in the query: nobody can sign it.
void check_logout_query(std::string_view input) {
  static const std::string good =
      "SAMLResponse=" + percent_encoded(encode_base64(deflated(
                            std::string("<p:LogoutResponse xmlns:p=\"") + protocol_ns +
                            "\" ID=\"_1\" Version=\"2.0\" InResponseTo=\"id-abc\" IssueInstant=\"" + Message::at(0) +
                            "\"><Issuer xmlns=\"" + assertion_ns + "\">" + idp_id +
                            "</Issuer><p:Status><p:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/>"
                            "</p:Status></p:LogoutResponse>")));
  static const bool accepted_alone = [] {
    check_logout(good);
    return true;
  }();
  require(accepted_alone);
  const std::string query = good + "&" + std::string(input);
  try {
    check_logout(query);
    require(!signed_part(query));
  } catch (const Refused&) {
    return;
  }
}

void check_documents(std::string_view input) {
  try {
    const Document document = Document::parse(input, Document::Kind::metadata, most_metadata_bytes);
    try {
      const Expected expected{idp_id, sp_id, acs, request_id, "", 0};
      read_assertion(check_response(document, expected, {}), expected, {});
    } catch (const Refused&) {
      // most are
    }
    read_idp_metadata(input);
  } catch (const BadXml&) {
    return;
  }
}

void check_names(std::string_view input) {
  try {
    const NameId name_id = name_id_from_xml(input);
    const NameId again = name_id_from_xml(to_xml(name_id));
    require(coded(again) == coded(name_id));
  } catch (const BadXml&) {
    return;
  }
}

void check_addresses(std::string_view input) {
  if (const auto time = parse_instant(input)) require(parse_instant(format_instant(*time)) == time || *time < 0);
  if (!wazoauth::may_redirect(input, {})) return;
  const auto url = wazoauth::parse_url(input);
  require(url && url->scheme == "https" && !url->host.empty());
  for (const char c : input) require(c > ' ' && c < 127 && c != '\\' && c != '"' && c != '<' && c != '>');
  const std::string_view authority = input.substr(8, input.find_first_of("/?#", 8) - 8);
  require(!authority.empty() && authority.find('@') == std::string_view::npos);
  require(wazoauth::may_redirect(input, {"https://" + std::string(authority)}));
  require(!wazoauth::may_redirect(input, {"https://other.example.org"}) || url->host == "other.example.org");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 9) {
    case 0:
      check_changed(input);
      break;
    case 1:
      check_bytes(input);
      break;
    case 2:
      check_documents(input);
      break;
    case 3:
      check_names(input);
      break;
    case 4:
      check_logout_query(input);
      break;
    case 5:
      check_changed_metadata(input);
      break;
    case 6:
      check_logout_request(input);
      break;
    case 7:
      check_encrypted(input);
      break;
    default:
      check_addresses(input);
      break;
  }
  return 0;
}
