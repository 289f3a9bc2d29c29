// The service's redirect_uri, when there is no broker: a browser returns here from the service's page of consent. Uses
// the authorization up and shows a page for people.
#pragma once

#include "wazoauth/rest/route.h"

namespace wazoauth {

namespace external {
class Completion;
}

Route landing_page(external::Completion& completion);  // `completion` lives as long as the route

}  // namespace wazoauth
