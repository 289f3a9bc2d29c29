// Where a browser comes back to from a service's page of consent, when there is no broker: the address that is the
// service's redirect_uri. It uses the authorization and shows a page for people.
#pragma once

#include "wazoauth/rest/route.h"

namespace wazoauth {

namespace external {
class Waits;
}

Route landing_page(external::Waits& waits);  // `waits` lives as long as the route

}  // namespace wazoauth
