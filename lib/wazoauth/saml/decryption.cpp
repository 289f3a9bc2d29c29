#include "wazoauth/saml/decryption.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "wazoauth/base/text.h"
#include "wazoauth/saml/response.h"

namespace wazoauth::saml {

namespace {

constexpr const char* encryption_ns = "http://www.w3.org/2001/04/xmlenc#";
constexpr const char* encryption11_ns = "http://www.w3.org/2009/xmlenc11#";
constexpr std::size_t most_keys = 8;    // each of them is tried
constexpr std::size_t most_parts = 64;  // each of them has a key
constexpr std::size_t tag_bytes = 16;   // of GCM

constexpr const char* changed = "an encrypted part can't be decrypted: it was changed after it was encrypted";

struct FreeContext {
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
struct FreeXml {
  void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
  void operator()(xmlChar* text) const { xmlFree(text); }
  void operator()(xmlNs** list) const { xmlFree(list); }
};

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* bytes_of(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

struct DataMethod {
  std::string_view name;
  const EVP_CIPHER* (*cipher)();
  bool gcm;
};
// The best ones first. pysaml2 takes 3DES unless it is told otherwise.
constexpr std::array<DataMethod, 7> data_methods{{
    {"http://www.w3.org/2009/xmlenc11#aes256-gcm", EVP_aes_256_gcm, true},
    {"http://www.w3.org/2009/xmlenc11#aes192-gcm", EVP_aes_192_gcm, true},
    {"http://www.w3.org/2009/xmlenc11#aes128-gcm", EVP_aes_128_gcm, true},
    {"http://www.w3.org/2001/04/xmlenc#aes256-cbc", EVP_aes_256_cbc, false},
    {"http://www.w3.org/2001/04/xmlenc#aes192-cbc", EVP_aes_192_cbc, false},
    {"http://www.w3.org/2001/04/xmlenc#aes128-cbc", EVP_aes_128_cbc, false},
    {"http://www.w3.org/2001/04/xmlenc#tripledes-cbc", EVP_des_ede3_cbc, false},
}};
constexpr std::string_view oaep_sha1 = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
constexpr std::string_view oaep = "http://www.w3.org/2009/xmlenc11#rsa-oaep";

std::string algorithm(const Element& element) {
  return element.attribute("Algorithm").value_or("");
}

std::string method_of(const Element& encrypted) {
  return algorithm(encrypted.child(encryption_ns, "EncryptionMethod"));
}

// That of the only child with that name; the default where there is none.
const EVP_MD* digest(const Element& method, const char* space, const char* name) {
  const auto all = method.children(space, name);
  if (all.empty()) return EVP_sha1();
  const std::string wanted = algorithm(all.front());
  if (wanted.ends_with("sha1")) return EVP_sha1();
  if (wanted.ends_with("sha256")) return EVP_sha256();
  if (wanted.ends_with("sha384")) return EVP_sha384();
  return wanted.ends_with("sha512") ? EVP_sha512() : nullptr;
}

std::string cipher_value(const Element& encrypted) {
  const Element data = encrypted.child(encryption_ns, "CipherData");
  const auto bytes = decode_base64(data.child(encryption_ns, "CipherValue").text());
  if (!bytes || bytes->empty()) throw Refused("an encrypted part without a text");
  return *bytes;
}

bool set_label(EVP_PKEY_CTX* context, const Element& method) {
  const auto all = method.children(encryption_ns, "OAEPparams");
  const auto label = all.empty() ? std::string() : decode_base64(all.front().text()).value_or("");
  if (label.empty()) return true;
  void* const copy = OPENSSL_memdup(label.data(), label.size());
  if (!copy) throw std::bad_alloc();
  if (EVP_PKEY_CTX_set0_rsa_oaep_label(context, copy, static_cast<int>(label.size())) == 1) return true;
  OPENSSL_free(copy);
  return false;
}

// The key in an EncryptedKey; nullopt when it is encrypted for somebody else.
std::optional<std::string> unwrap(const Element& encrypted_key, EVP_PKEY* key) {
  const Element method = encrypted_key.child(encryption_ns, "EncryptionMethod");
  const bool general = algorithm(method) == oaep;
  const EVP_MD* const hash = digest(method, signature_ns, "DigestMethod");
  const EVP_MD* const mask = general ? digest(method, encryption11_ns, "MGF") : EVP_sha1();
  const std::string text = cipher_value(encrypted_key);
  const std::unique_ptr<EVP_PKEY_CTX, FreeContext> context(EVP_PKEY_CTX_new(key, nullptr));
  if (!context) throw std::bad_alloc();
  std::string secret(static_cast<std::size_t>(EVP_PKEY_get_size(key)), '\0');
  std::size_t size = secret.size();
  const bool good = hash && mask && EVP_PKEY_decrypt_init(context.get()) == 1 &&
                    EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) == 1 &&
                    EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), hash) == 1 &&
                    EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), mask) == 1 && set_label(context.get(), method) &&
                    EVP_PKEY_decrypt(context.get(), bytes_of(secret), &size, bytes_of(text), text.size()) == 1;
  ERR_clear_error();
  if (!good) return std::nullopt;
  secret.resize(size);
  return secret;
}

// They stand in the EncryptedData, or beside it.
std::vector<Element> keys_in(const Element& encrypted, const Element& data) {
  std::vector<Element> keys;
  for (const Element& info : data.children(signature_ns, "KeyInfo")) {
    for (const Element& each : info.children(encryption_ns, "EncryptedKey")) keys.push_back(each);
  }
  for (const Element& each : encrypted.children(encryption_ns, "EncryptedKey")) keys.push_back(each);
  if (keys.size() > most_keys) throw Refused("an encrypted part with too many keys");
  return keys;
}

std::string find_secret(const Element& encrypted, const Element& data, EVP_PKEY* key) {
  const std::vector<Element> keys = keys_in(encrypted, data);
  if (keys.empty()) throw Refused("an encrypted part without a key in it");
  std::string unknown;
  for (const Element& each : keys) {
    const std::string method = method_of(each);
    if (method != oaep_sha1 && method != oaep)
      unknown = method;
    else if (auto secret = unwrap(each, key))
      return *secret;
  }
  if (!unknown.empty())
    throw Refused("an encrypted part whose key is encrypted by " + in_quotes(unknown) +
                  "; switch the identity provider to RSA-OAEP");
  throw Refused(
      "a part is encrypted for another key than ours; give the identity provider our metadata again "
      "(GET /backends/saml/sp_metadata)");
}

const DataMethod& data_method(const Element& data) {
  const std::string name = method_of(data);
  for (const DataMethod& each : data_methods) {
    if (each.name == name) return each;
  }
  throw Refused("a part is encrypted by " + in_quotes(name) + "; switch the identity provider to AES, like " +
                in_quotes(data_methods.front().name));
}

// The last byte says how many there are that don't count.
void remove_padding(std::string& text, std::size_t block) {
  const std::size_t padding = text.empty() ? 0 : static_cast<unsigned char>(text.back());
  if (padding == 0 || padding > block || padding > text.size()) throw Refused(changed);
  text.resize(text.size() - padding);
}

std::string decrypt_data(const DataMethod& method, const std::string& secret, std::string_view bytes) {
  const EVP_CIPHER* const cipher = method.cipher();
  const auto iv_size = static_cast<std::size_t>(EVP_CIPHER_get_iv_length(cipher));
  const std::size_t tag_size = method.gcm ? tag_bytes : 0;
  if (secret.size() != static_cast<std::size_t>(EVP_CIPHER_get_key_length(cipher)) ||
      bytes.size() <= iv_size + tag_size)
    throw Refused(changed);
  const std::string_view iv = bytes.substr(0, iv_size);
  const std::string_view body = bytes.substr(iv_size, bytes.size() - iv_size - tag_size);
  std::string tag(bytes.substr(bytes.size() - tag_size));
  std::string text(body.size() + EVP_MAX_BLOCK_LENGTH, '\0');
  const std::unique_ptr<EVP_CIPHER_CTX, FreeContext> context(EVP_CIPHER_CTX_new());
  if (!context) throw std::bad_alloc();
  int size = 0, rest = 0;
  const bool good =
      EVP_DecryptInit_ex(context.get(), cipher, nullptr, bytes_of(secret), bytes_of(iv)) == 1 &&
      EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1 &&
      (!method.gcm ||
       EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag_size), tag.data()) == 1) &&
      EVP_DecryptUpdate(context.get(), bytes_of(text), &size, bytes_of(body), static_cast<int>(body.size())) == 1 &&
      EVP_DecryptFinal_ex(context.get(), bytes_of(text) + size, &rest) == 1;
  ERR_clear_error();
  if (!good) throw Refused(changed);
  text.resize(static_cast<std::size_t>(size) + static_cast<std::size_t>(rest));
  if (!method.gcm) remove_padding(text, static_cast<std::size_t>(EVP_CIPHER_get_block_size(cipher)));
  return text;
}

std::string_view view(const xmlChar* text) {
  return text ? std::string_view(reinterpret_cast<const char*>(text)) : std::string_view();
}

// The prefixes that what stands at this place may use.
std::string declarations_at(const Element& element) {
  const std::unique_ptr<xmlNs*, FreeXml> list(xmlGetNsList(element.node()->doc, element.node()));
  std::string declarations;
  for (xmlNs** each = list.get(); each && *each; ++each) {
    const std::string_view prefix = view((*each)->prefix);
    declarations += std::string(prefix.empty() ? " xmlns" : " xmlns:") + std::string(prefix) + "=\"" +
                    escape_xml(view((*each)->href)) + "\"";
  }
  return declarations;
}

std::string without_declaration(const std::string& text) {
  if (!text.starts_with("<?xml ")) return text;
  const auto end = text.find("?>");
  return end == std::string::npos ? text : text.substr(end + 2);
}

constexpr std::array<const char*, 2> small_parts{"EncryptedID", "EncryptedAttribute"};

}  // namespace

std::string encryption_methods() {
  std::string methods;
  for (const DataMethod& each : data_methods)
    methods += "<EncryptionMethod Algorithm=\"" + std::string(each.name) + "\"/>";
  return methods + "<EncryptionMethod Algorithm=\"" + std::string(oaep_sha1) + "\"/>";
}

bool is_encrypted(const Element& element) {
  return element.is(assertion_ns, "EncryptedAssertion") || element.is(assertion_ns, "EncryptedID") ||
         element.is(assertion_ns, "EncryptedAttribute");
}

bool has_encrypted_parts(const Element& element) {
  if (is_encrypted(element)) return true;
  for (const char* name : small_parts) {
    if (!element.descendants(assertion_ns, name).empty()) return true;
  }
  return false;
}

std::string document_of(const Element& element) {
  const std::unique_ptr<xmlDoc, FreeXml> document(xmlNewDoc(nullptr));
  xmlNode* const copy = document ? xmlDocCopyNode(element.node(), document.get(), 1) : nullptr;
  if (!copy) throw std::bad_alloc();
  xmlDocSetRootElement(document.get(), copy);
  xmlChar* text = nullptr;
  int size = 0;
  xmlDocDumpMemoryEnc(document.get(), &text, &size, "UTF-8");
  const std::unique_ptr<xmlChar, FreeXml> owner(text);
  if (!text) throw std::bad_alloc();
  return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)};
}

std::string decrypt(const Element& encrypted, EVP_PKEY* key) {
  const Element data = encrypted.child(encryption_ns, "EncryptedData");
  const DataMethod& method = data_method(data);
  const std::string text = decrypt_data(method, find_secret(encrypted, data, key), cipher_value(data));
  const std::string wrapped =
      "<decrypted" + declarations_at(encrypted) + ">" + without_declaration(text) + "</decrypted>";
  const Document document = Document::parse(wrapped, Document::Kind::message, 2 * most_message_bytes);
  const std::vector<Element> content = document.root().children();
  if (content.size() != 1) throw Refused("an encrypted part with " + std::to_string(content.size()) + " elements");
  return document_of(content.front());
}

void decrypt_parts(Document& document, EVP_PKEY* key) {
  std::size_t count = 0;
  for (const char* name : small_parts) {
    // One at a time: the next one may have stood in what is gone.
    for (auto parts = document.root().descendants(assertion_ns, name); !parts.empty();
         parts = document.root().descendants(assertion_ns, name)) {
      if (++count > most_parts) throw Refused("too many encrypted parts");
      const Element& part = parts.front();
      const Document content = Document::parse(decrypt(part, key), Document::Kind::message, 2 * most_message_bytes);
      xmlNode* const copy = xmlDocCopyNode(content.root().node(), part.node()->doc, 1);
      if (!copy) throw std::bad_alloc();
      xmlReplaceNode(part.node(), copy);
      xmlFreeNode(part.node());
    }
  }
}

}  // namespace wazoauth::saml
