// Brings what the database says of tokens into the zone.
#pragma once

#include "wazoauth/cache/zone.h"
#include "wazoauth/store/token_notice.h"

namespace wazoauth {

void apply(Zone& zone, const TokenNotice& notice);

}  // namespace wazoauth
