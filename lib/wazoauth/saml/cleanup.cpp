#include "wazoauth/saml/cleanup.h"

namespace wazoauth::saml {

void clean_up(Database& database, std::int64_t lifetime) {
  UnitOfWork unit(database);
  unit.run("saml.purge", {lifetime});
  unit.commit();
}

}  // namespace wazoauth::saml
