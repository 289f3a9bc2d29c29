// XML that comes from strangers: messages of browsers, uploaded metadata. Nothing here touches the
// network or a file, and nothing is expanded.
#pragma once

#include <libxml/tree.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace wazoauth::saml {

constexpr const char* assertion_ns = "urn:oasis:names:tc:SAML:2.0:assertion";
constexpr const char* protocol_ns = "urn:oasis:names:tc:SAML:2.0:protocol";
constexpr const char* metadata_ns = "urn:oasis:names:tc:SAML:2.0:metadata";
constexpr const char* signature_ns = "http://www.w3.org/2000/09/xmldsig#";

// A document that isn't taken. what() says why and shows nothing of it.
struct BadXml : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// An element of a Document, valid as long as that lives.
class Element {
 public:
  explicit Element(xmlNode* node) : node_(node) {}
  xmlNode* node() const { return node_; }
  bool is(const char* space, std::string_view name) const;
  std::string_view name() const;
  std::vector<Element> children() const;
  std::vector<Element> children(const char* space, std::string_view name) const;
  std::vector<Element> descendants(const char* space, std::string_view name) const;  // without itself
  // The only child of that name. Throws BadXml when there is none, or another one.
  Element child(const char* space, std::string_view name) const;
  std::optional<std::string> attribute(const char* name) const;  // one that is in no namespace
  // All of its text, whatever comments and CDATA sections cut it into pieces. Throws BadXml when it has children.
  std::string text() const;
  std::string trimmed() const;
  Element parent() const { return Element(node_->parent); }
  bool operator==(const Element& other) const { return node_ == other.node_; }

 private:
  xmlNode* node_;
};

class Document {
 public:
  enum class Kind {
    message,   // neither comments nor processing instructions: no known software writes any
    metadata,  // people edit those
  };
  // UTF-8 only, no DOCTYPE, at most `limit` bytes, and bounded in depth and in what an element may carry. Throws
  // BadXml.
  static Document parse(std::string_view text, Kind kind, std::size_t limit);
  Element root() const { return Element(xmlDocGetRootElement(document_.get())); }

 private:
  struct Free {
    void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
  };
  explicit Document(xmlDoc* document) : document_(document) {}
  std::unique_ptr<xmlDoc, Free> document_;
};

std::string escape_xml(std::string_view text);  // for texts and for attributes in double quotes

// Unix seconds of an xs:dateTime; without a time zone it is UTC. nullopt when it is none.
std::optional<std::int64_t> parse_instant(std::string_view text);
std::string format_instant(std::int64_t seconds);  // "2026-11-25T12:00:00Z"

}  // namespace wazoauth::saml
