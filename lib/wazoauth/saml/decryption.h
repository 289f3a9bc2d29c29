// Parts of messages that are encrypted for us: W3C's XML Encryption, and of it what identity providers use. Whatever
// would have to be fetched isn't.
#pragma once

#include <openssl/evp.h>

#include <string>

#include "wazoauth/saml/xml.h"

namespace wazoauth::saml {

// What our metadata says that we take.
std::string encryption_methods();

bool is_encrypted(const Element& element);         // an EncryptedAssertion, EncryptedID or EncryptedAttribute
bool has_encrypted_parts(const Element& element);  // below it, or itself
std::string document_of(const Element& element);   // a document of this element alone

// What is in an encrypted element, as a document. Throws Refused. Decrypt nothing before the signature around it is
// verified: somebody who may have any text decrypted, and sees what becomes of it, can read other people's.
std::string decrypt(const Element& encrypted, EVP_PKEY* key);

// Puts what is in them where the document has an EncryptedID or an EncryptedAttribute. Throws Refused.
void decrypt_parts(Document& document, EVP_PKEY* key);

}  // namespace wazoauth::saml
