#include "wazoauth/login/native.h"

#include "wazoauth/login/password.h"

namespace wazoauth {

namespace {

struct Stored {
  std::string user_uuid, hash, salt;  // all empty for an unknown login
};

Stored find(UnitOfWork& unit, const std::string& login) {
  if (login.find('\0') != std::string::npos) return {};
  const Rows rows = unit.run("logins.find", {login});
  if (rows.empty()) return {};
  return {rows.text(0, "uuid"), rows.text(0, "password_hash"), rows.bytes(0, "password_salt")};
}

void verify(Login& login, const Stored& stored) {
  const std::string& password = login.credentials->password;
  if (stored.hash.empty() || stored.salt.empty()) {
    burn_equal_time(password);
    refuse(login, stored.user_uuid.empty() ? "unknown login" : "no password");
  }
  if (!verify_password(password, stored.hash, stored.salt)) refuse(login, "wrong password");
  login.identity.user_uuid = stored.user_uuid;
  login.identity.method = "native";
  login.identity.login = login.credentials->login;
  login.identity.password_hash = stored.hash;
}

}  // namespace

Step NativeProvider::identify(Context& context, const LoginPtr& login, Finish finish) const {
  const Stored stored = find(context.db(), login->credentials->login);
  return Step::then(Lane::cpu, [login, stored, finish](Context& next) {
    verify(*login, stored);
    next.proved_password = true;
    return Step::then(Lane::database, [login, finish](Context& next) { return finish(next, login); });
  });
}

}  // namespace wazoauth
