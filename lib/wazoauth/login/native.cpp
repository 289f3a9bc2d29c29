#include "wazoauth/login/native.h"

#include "wazoauth/base/password_hash.h"

namespace wazoauth {

namespace {

struct Stored {
  std::string user_uuid, hash, salt;  // all empty for an unknown login
  bool can_log_in() const { return !hash.empty() && !salt.empty(); }
};

Stored find(UnitOfWork& unit, const std::string& login) {
  if (login.find('\0') != std::string::npos) return {};
  const Rows rows = unit.run("logins.find", {login});
  if (rows.empty()) return {};
  return {rows.text(0, "uuid"), rows.text(0, "password_hash"), rows.bytes(0, "password_salt")};
}

Proof proof_of(const Login& login, const Stored& stored) {
  return {stored.user_uuid, login.credentials->password, stored.hash, stored.salt};
}

void verify(const Login& login, const Stored& stored, const std::string& hash) {
  if (!stored.can_log_in()) refuse(login, stored.user_uuid.empty() ? "unknown login" : "no password");
  if (!is_stored_hash(hash, stored.hash)) refuse(login, "wrong password");
}

Step accept(Context& context, const LoginPtr& login, const Stored& stored, IdentityProvider::Finish finish) {
  login->identity.user_uuid = stored.user_uuid;
  login->identity.method = "native";
  login->identity.login = login->credentials->login;
  login->identity.password_hash = stored.hash;
  context.proved_password = true;
  return finish(context, login);
}

}  // namespace

// Unknown logins take as long as known ones: some salt does for them. Only a right password is known to be right.
Step NativeProvider::identify(Context& context, const LoginPtr& login, Finish finish) const {
  const Stored stored = find(context.db(), login->credentials->login);
  if (stored.can_log_in() && memory_.knows(proof_of(*login, stored), BootClock::now()))
    return accept(context, login, stored, finish);
  return Step::hash(login->credentials->password, stored.can_log_in() ? stored.salt : random_salt(),
                    [this, login, stored, finish](Context& next, const std::string& hash) {
                      verify(*login, stored, hash);
                      memory_.remember(proof_of(*login, stored), BootClock::now());
                      return accept(next, login, stored, finish);
                    });
}

}  // namespace wazoauth
