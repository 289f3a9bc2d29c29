// The parts that every request may use. A feature gets its own parts when its routes are added.
#pragma once

namespace wazoauth {

class Database;
class MasterTenant;
class TokenStore;
class Zone;
struct Settings;

struct Services {
  const Settings& settings;
  Database& database;
  TokenStore& tokens;
  Zone* zone;  // null: nothing is cached (tools, tests)
  MasterTenant& master_tenant;
};

}  // namespace wazoauth
