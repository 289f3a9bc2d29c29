#include "wazoauth/http/slug.h"

#include "wazoauth/base/text.h"

namespace wazoauth {

Field slug_field(const SlugRule& rule) {
  return {.name = "slug",
          .nullable = true,
          .fallback = Json(),
          .min_length = 1,
          .max_length = rule.max_length,
          .pattern = rule.allow_dash ? "^[a-zA-Z0-9_-]+$" : "^[a-zA-Z0-9_]+$"};
}

std::string slug_of(const Json& body, const SlugRule& rule, const std::function<bool(const std::string&)>& taken) {
  if (body.get("slug").is_string()) return std::string(body.get("slug").text());
  if (body.get("name").is_string()) {
    std::string slug = make_slug(body.get("name").text(), rule.max_length, rule.allow_dash);
    if (!taken(slug)) return slug;
  }
  std::string slug;
  do {
    slug = random_text(3, "abcdefghijklmnopqrstuvwxyz0123456789");
  } while (taken(slug));
  return slug;
}

}  // namespace wazoauth
