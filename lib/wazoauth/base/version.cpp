#include "wazoauth/base/version.h"

namespace wazoauth {

const std::string_view version = WAZO_AUTH_VERSION;

}  // namespace wazoauth
