// The parts that every request may use. A feature gets its own parts when its routes are added.
#pragma once

namespace wazoauth {

class AddressLocks;
class Database;
class MasterTenant;
class TokenStore;
class Zone;
struct Settings;

struct Services {
  const Settings& settings;
  Database& database;
  TokenStore& tokens;
  AddressLocks* address_locks;  // null: nobody asks from where requests come (tools, tests)
  Zone* zone;                   // null: nothing is cached (tools, tests)
  MasterTenant& master_tenant;
};

}  // namespace wazoauth
