#include "wazoauth/saml/xml_signature.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/valid.h>
#include <xmlsec/crypto.h>
#include <xmlsec/templates.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmltree.h>

#include <memory>

namespace wazoauth::saml {

namespace {

struct Free {
  void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
  void operator()(xmlChar* text) const { xmlFree(text); }
  void operator()(xmlSecDSigCtx* context) const { xmlSecDSigCtxDestroy(context); }
};

// The empty signature, in its place.
xmlNode* add_signature(xmlDoc* document, const std::string& id) {
  xmlNode* const root = xmlDocGetRootElement(document);
  xmlAttr* const attribute = xmlHasProp(root, BAD_CAST "ID");
  xmlNode* const issuer = xmlFirstElementChild(root);
  if (!attribute || !issuer) return nullptr;
  xmlAddID(nullptr, document, BAD_CAST id.c_str(), attribute);
  xmlNode* const signature =
      xmlSecTmplSignatureCreate(document, xmlSecTransformExclC14NId, xmlSecTransformRsaSha256Id, nullptr);
  if (!signature) return nullptr;
  xmlAddNextSibling(issuer, signature);
  xmlNode* const reference =
      xmlSecTmplSignatureAddReference(signature, xmlSecTransformSha256Id, nullptr, BAD_CAST("#" + id).c_str(), nullptr);
  const bool whole = reference && xmlSecTmplReferenceAddTransform(reference, xmlSecTransformEnvelopedId) &&
                     xmlSecTmplReferenceAddTransform(reference, xmlSecTransformExclC14NId);
  return whole ? signature : nullptr;
}

}  // namespace

std::string sign_xml(const std::string& xml, const std::string& id, const std::string& key) {
  const std::unique_ptr<xmlDoc, Free> document(
      xmlReadMemory(xml.data(), static_cast<int>(xml.size()), nullptr, nullptr, XML_PARSE_NONET));
  xmlNode* const signature = document ? add_signature(document.get(), id) : nullptr;
  const std::unique_ptr<xmlSecDSigCtx, Free> context(xmlSecDSigCtxCreate(nullptr));
  if (!signature || !context) return "";
  context->signKey =
      xmlSecCryptoAppKeyLoadMemory(reinterpret_cast<const xmlSecByte*>(key.data()), static_cast<xmlSecSize>(key.size()),
                                   xmlSecKeyDataFormatPem, nullptr, nullptr, nullptr);
  if (!context->signKey || xmlSecDSigCtxSign(context.get(), signature) != 0) return "";
  xmlChar* text = nullptr;
  int size = 0;
  xmlDocDumpMemoryEnc(document.get(), &text, &size, "UTF-8");
  const std::unique_ptr<xmlChar, Free> owner(text);
  return text ? std::string(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)) : "";
}

}  // namespace wazoauth::saml
