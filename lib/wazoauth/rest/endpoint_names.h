// The names that metrics have for paths of the API: those that the Python daemon's have, by its Flask endpoints.
#pragma once

#include <string>
#include <string_view>

namespace wazoauth {

std::string endpoint_name(std::string_view path);  // as in a Route

// Of requests that no operation is for, as Python writes it.
inline constexpr std::string_view no_endpoint = "None";

}  // namespace wazoauth
