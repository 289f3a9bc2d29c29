// E-mail addresses as marshmallow accepts them: docs/spec/http-conventions.md section 5.3.
#pragma once

#include <string>
#include <string_view>

namespace wazoauth {

bool is_email(std::string_view address);
std::string ascii_domain(std::string_view domain);  // of an address, as the DNS has it; "" if there is none

}  // namespace wazoauth
