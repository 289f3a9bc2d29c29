#include "wazoauth/cache/token_record.h"

#include <ctime>
#include <utility>

#include "wazoauth/base/json_text.h"

namespace wazoauth {
namespace {

std::string member_of_metadata(const TokenRecord& record, std::string_view key) {
  const auto metadata = Json::parse(record.metadata);
  return metadata ? metadata->text_or(key, "") : "";
}

Json optional_time(const std::optional<std::int64_t>& time) {
  return time ? Json(*time) : Json();
}

// Reads members of one object; remembers whether all had a fitting type.
class Members {
 public:
  explicit Members(const Json& object) : object_(object) {}

  std::string text(std::string_view key) {
    const Json& value = object_.get(key);
    good_ &= value.is_string();
    return value.is_string() ? std::string(value.text()) : "";
  }
  std::optional<std::string> optional_text(std::string_view key) {
    return is_null(key) ? std::nullopt : std::optional(text(key));
  }
  std::optional<std::int64_t> optional_integer(std::string_view key) {
    if (is_null(key)) return std::nullopt;
    const Json& value = object_.get(key);
    good_ &= value.is_integer();
    return value.is_integer() ? value.integer() : 0;
  }
  std::vector<std::string> texts(std::string_view key) {
    const Json& value = object_.get(key);
    good_ &= value.is_array();
    std::vector<std::string> result;
    for (const Json& item : value.items()) {
      good_ &= item.is_string();
      if (item.is_string()) result.emplace_back(item.text());
    }
    return result;
  }
  bool good() const { return good_; }

 private:
  bool is_null(std::string_view key) {
    good_ &= object_.has(key);
    return object_.get(key).is_null();
  }

  const Json& object_;
  bool good_ = true;
};

void append_number(std::string& out, int value, int digits) {
  char text[16];
  int size = 0;
  for (; value != 0 || size < digits; value /= 10) text[size++] = static_cast<char>('0' + value % 10);
  while (size > 0) out += text[--size];
}

void append_time(std::string& out, const std::tm& time, std::string_view fraction) {
  const std::pair<int, char> parts[] = {
      {time.tm_mon + 1, '-'}, {time.tm_mday, '-'}, {time.tm_hour, 'T'}, {time.tm_min, ':'}, {time.tm_sec, ':'}};
  out += '"';
  append_number(out, time.tm_year + 1900, 4);
  for (const auto& [value, separator] : parts) {
    out += separator;
    append_number(out, value, 2);
  }
  out += fraction;
  out += '"';
}

using Convert = std::tm*(const std::time_t*, std::tm*);

void append_optional_time(std::string& out, const std::optional<std::int64_t>& seconds, Convert* convert,
                          std::string_view fraction) {
  std::tm parts;
  const std::time_t time = seconds.value_or(0);
  if (seconds && convert(&time, &parts) != nullptr && parts.tm_year >= -1900) {
    append_time(out, parts, fraction);
  } else {
    out += "null";
  }
}

void append_optional_text(std::string& out, const std::optional<std::string>& text) {
  if (text) {
    append_json(out, *text);
  } else {
    out += "null";
  }
}

}  // namespace

std::string TokenRecord::user_uuid() const {
  return member_of_metadata(*this, "uuid");
}

std::string TokenRecord::tenant_uuid() const {
  return member_of_metadata(*this, "tenant_uuid");
}

std::string encode(const TokenRecord& record) {
  return Json::object({{"auth_id", record.auth_id},
                       {"pbx_user_uuid", record.pbx_user_uuid},
                       {"xivo_uuid", record.xivo_uuid},
                       {"issued_t", optional_time(record.issued_t)},
                       {"expire_t", optional_time(record.expire_t)},
                       {"metadata", record.metadata},
                       {"session_uuid", record.session_uuid},
                       {"session_tenant_uuid", record.session_tenant_uuid},
                       {"user_agent", record.user_agent},
                       {"remote_addr", record.remote_addr},
                       {"acl", Json::strings(record.acl)},
                       {"refresh_token_uuid", record.refresh_token_uuid}})
      .dump();
}

std::optional<TokenRecord> decode(std::string_view text) {
  const auto object = Json::parse(text);
  if (!object || !object->is_object()) return std::nullopt;
  Members members(*object);
  TokenRecord record;
  record.auth_id = members.text("auth_id");
  record.pbx_user_uuid = members.optional_text("pbx_user_uuid");
  record.xivo_uuid = members.optional_text("xivo_uuid");
  record.issued_t = members.optional_integer("issued_t");
  record.expire_t = members.optional_integer("expire_t");
  record.metadata = members.text("metadata");
  record.session_uuid = members.text("session_uuid");
  record.session_tenant_uuid = members.text("session_tenant_uuid");
  record.user_agent = members.text("user_agent");
  record.remote_addr = members.text("remote_addr");
  record.acl = members.texts("acl");
  record.refresh_token_uuid = members.optional_text("refresh_token_uuid");
  const auto metadata = Json::parse(record.metadata);
  if (!members.good() || !metadata || !metadata->is_object()) return std::nullopt;
  return record;
}

std::string token_json(std::string_view token, const TokenRecord& record, std::string_view acl_json) {
  constexpr std::string_view no_fraction = "", zero_fraction = ".000000";
  std::string out;
  out.reserve(acl_json.size() + record.metadata.size() + record.user_agent.size() + 640);
  const auto key = [&out](std::string_view name) -> std::string& { return out += name; };
  append_json(key("{\"token\": "), token);
  append_json(key(", \"auth_id\": "), record.auth_id);
  append_optional_text(key(", \"xivo_user_uuid\": "), record.pbx_user_uuid);
  append_optional_text(key(", \"xivo_uuid\": "), record.xivo_uuid);
  append_optional_time(key(", \"issued_at\": "), record.issued_t, localtime_r, no_fraction);
  append_optional_time(key(", \"expires_at\": "), record.expire_t, localtime_r, no_fraction);
  append_optional_time(key(", \"utc_issued_at\": "), record.issued_t, gmtime_r, zero_fraction);
  append_optional_time(key(", \"utc_expires_at\": "), record.expire_t, gmtime_r, zero_fraction);
  key(", \"acl\": ") += acl_json;
  key(", \"metadata\": ") += record.metadata;
  append_json(key(", \"session_uuid\": "), record.session_uuid);
  append_json(key(", \"remote_addr\": "), record.remote_addr);
  append_json(key(", \"user_agent\": "), record.user_agent);
  return out += '}';
}

}  // namespace wazoauth
