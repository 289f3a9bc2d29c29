#include "wazoauth/saml/xml.h"

#include <libxml/parser.h>

#include <charconv>
#include <chrono>
#include <ctime>

#include "wazoauth/base/text.h"

namespace wazoauth::saml {

namespace {

// Far beyond what any message needs. Before the value of a signature is looked at, what it refers to is brought into
// canonical form, which takes as long as the square of the nodes, or the nodes times the square of the namespaces in
// scope: 120,000 nodes took 35 s.
constexpr int most_depth = 64;
constexpr int most_nodes = 5000;  // of a message
constexpr int most_namespaces = 32, most_attributes = 64;

struct Parser {
  Parser() : context(xmlNewParserCtxt()) {
    if (!context) throw std::bad_alloc();
    context->_private = this;
    // Before anything that it declares is read.
    context->sax->internalSubset = [](void* data, const xmlChar*, const xmlChar*, const xmlChar*) {
      auto* parser = static_cast<xmlParserCtxt*>(data);
      static_cast<Parser*>(parser->_private)->doctype = true;
      xmlStopParser(parser);
    };
  }
  ~Parser() { xmlFreeParserCtxt(context); }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  xmlParserCtxt* context;
  bool doctype = false;
};

std::string_view view(const xmlChar* text) {
  return text ? std::string_view(reinterpret_cast<const char*>(text)) : std::string_view();
}

template <typename Link>
int length(const Link* first) {
  int count = 0;
  for (; first; first = first->next) ++count;
  return count;
}

void check_node(const xmlNode* node, Document::Kind kind) {
  switch (node->type) {
    case XML_ELEMENT_NODE:
      if (length(node->properties) > most_attributes) throw BadXml("an element with too many attributes");
      return;
    case XML_TEXT_NODE:
    case XML_CDATA_SECTION_NODE:
      return;
    case XML_COMMENT_NODE:
    case XML_PI_NODE:
      if (kind == Document::Kind::metadata) return;
      throw BadXml("a comment or a processing instruction");
    default:
      throw BadXml("something other than elements and text");
  }
}

struct Walk {
  Document::Kind kind;
  int nodes = 0;

  void check(const xmlNode* first, int depth, int namespaces) {
    for (const xmlNode* node = first; node; node = node->next) {
      check_node(node, kind);
      if (++nodes > most_nodes && kind == Document::Kind::message) throw BadXml("too many elements");
      if (node->type != XML_ELEMENT_NODE) continue;
      const int in_scope = namespaces + length(node->nsDef);
      if (in_scope > most_namespaces) throw BadXml("too many namespaces");
      if (node->children && depth == most_depth) throw BadXml("nested too deeply");
      check(node->children, depth + 1, in_scope);
    }
  }
};

bool is_utf8_name(std::string_view encoding) {
  return encoding.empty() || fold_case(encoding) == "utf-8";
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

template <typename Found>
void each_descendant(xmlNode* top, Found found) {
  xmlNode* node = top->children;
  while (node) {
    if (node->type == XML_ELEMENT_NODE) found(Element(node));
    if (node->type == XML_ELEMENT_NODE && node->children) {
      node = node->children;
      continue;
    }
    while (node != top && !node->next) node = node->parent;
    if (node == top) return;
    node = node->next;
  }
}

}  // namespace

Document Document::parse(std::string_view text, Kind kind, std::size_t limit) {
  if (text.size() > limit) throw BadXml("longer than " + std::to_string(limit) + " bytes");
  if (text.find('\0') != std::string_view::npos || !is_utf8(text)) throw BadXml("not UTF-8");
  const Parser parser;
  Document document(xmlCtxtReadMemory(parser.context, text.data(), static_cast<int>(text.size()), nullptr, nullptr,
                                      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING));
  if (parser.doctype) throw BadXml("a DOCTYPE");
  if (!document.document_ || !xmlDocGetRootElement(document.document_.get())) throw BadXml("not well-formed");
  if (!is_utf8_name(view(document.document_->encoding))) throw BadXml("an encoding other than UTF-8");
  Walk{kind}.check(document.document_->children, 0, 0);
  return document;
}

bool Element::is(const char* space, std::string_view wanted) const {
  return name() == wanted && node_->ns && view(node_->ns->href) == space;
}

std::string_view Element::name() const {
  return view(node_->name);
}

std::vector<Element> Element::children() const {
  std::vector<Element> found;
  for (xmlNode* node = node_->children; node; node = node->next) {
    if (node->type == XML_ELEMENT_NODE) found.emplace_back(node);
  }
  return found;
}

std::vector<Element> Element::children(const char* space, std::string_view wanted) const {
  std::vector<Element> found;
  for (const Element& child : children()) {
    if (child.is(space, wanted)) found.push_back(child);
  }
  return found;
}

std::vector<Element> Element::descendants(const char* space, std::string_view wanted) const {
  std::vector<Element> found;
  each_descendant(node_, [&](const Element& element) {
    if (element.is(space, wanted)) found.push_back(element);
  });
  return found;
}

Element Element::child(const char* space, std::string_view wanted) const {
  const std::vector<Element> found = children(space, wanted);
  if (found.size() != 1)
    throw BadXml(std::to_string(found.size()) + " " + std::string(wanted) + " in a " + std::string(name()));
  return found.front();
}

std::optional<std::string> Element::attribute(const char* wanted) const {
  for (const xmlAttr* each = node_->properties; each; each = each->next) {
    if (each->ns || view(each->name) != wanted) continue;
    std::string value;
    for (const xmlNode* part = each->children; part; part = part->next) value += view(part->content);
    return value;
  }
  return std::nullopt;
}

std::string Element::text() const {
  std::string text;
  for (const xmlNode* part = node_->children; part; part = part->next) {
    if (part->type == XML_ELEMENT_NODE) throw BadXml("elements in a " + std::string(name()));
    if (part->type == XML_TEXT_NODE || part->type == XML_CDATA_SECTION_NODE) text += view(part->content);
  }
  return text;
}

std::string Element::trimmed() const {
  std::string value = text();
  while (!value.empty() && is_blank(value.back())) value.pop_back();
  std::size_t start = 0;
  while (start < value.size() && is_blank(value[start])) ++start;
  return value.substr(start);
}

std::string escape_xml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\t':
      case '\n':
      case '\r':
        escaped += "&#" + std::to_string(static_cast<int>(c)) + ";";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

namespace {

// Takes exactly `digits` digits from the front; -1 when they aren't there.
int take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return -1;
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// Of "Z", "+02:00" or nothing at the end.
std::optional<std::int64_t> take_offset(std::string_view& text) {
  if (text.empty() || take(text, 'Z')) return 0;
  const bool west = take(text, '-');
  if (!west && !take(text, '+')) return std::nullopt;
  const int hours = take_number(text, 2);
  const int minutes = take(text, ':') ? take_number(text, 2) : -1;
  if (hours < 0 || hours > 14 || minutes < 0 || minutes > 59) return std::nullopt;
  return (west ? -1 : 1) * (hours * 3600 + minutes * 60);
}

void skip_fraction(std::string_view& text) {
  if (text.size() < 2 || text[0] != '.' || text[1] < '0' || text[1] > '9') return;
  text.remove_prefix(1);
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') text.remove_prefix(1);
}

}  // namespace

std::optional<std::int64_t> parse_instant(std::string_view text) {
  const int year = take_number(text, 4);
  const int month = take(text, '-') ? take_number(text, 2) : -1;
  const int day = take(text, '-') ? take_number(text, 2) : -1;
  const int hour = take(text, 'T') ? take_number(text, 2) : -1;
  const int minute = take(text, ':') ? take_number(text, 2) : -1;
  const int second = take(text, ':') ? take_number(text, 2) : -1;
  if (year < 1 || month < 0 || day < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 59)
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  skip_fraction(text);
  const auto offset = take_offset(text);
  if (!date.ok() || !offset || !text.empty()) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * 86400 + hour * 3600 + minute * 60 + second - *offset;
}

std::string format_instant(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
}

}  // namespace wazoauth::saml
