// Where a browser comes back to from a service's page of consent, when there is no broker: the address that is the
// service's redirect_uri. It uses the authorization and shows a page for people.
#pragma once

#include "wazoauth/rest/router.h"

namespace wazoauth {

const Route& landing_page();

}  // namespace wazoauth
