// HTML pages for people: small, without scripts and without resources from other addresses.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "wazoauth/http/http.h"
#include "wazoauth/http/problem.h"

namespace wazoauth {

struct WebPage {
  int status = 200;
  std::string title;  // also its heading
  std::vector<std::string> texts{};
  bool asks_for_password = false;  // a form, sent to the page's own address: fields `password` and `confirmation`
  std::string button{};            // a form of this button alone, sent there, too; "" for none
  std::string complaint{};         // about the form that was sent; "" for none
};

// All values are escaped.
Response web_page(const WebPage& page);
Response trouble_page(const Problem& problem);  // of 500 and 503

// For any page of ours: a link with a token leads to it.
std::vector<std::pair<std::string, std::string>> page_headers(const std::string& content_security_policy);

}  // namespace wazoauth
