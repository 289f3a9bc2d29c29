// POST /backends/saml/try: docs/spec/federation.md section 4.7. Nothing is sent to anybody, and nothing is stored.
#include <algorithm>

#include "wazoauth/base/certificate.h"
#include "wazoauth/base/clock.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/http/http.h"
#include "wazoauth/rest/trial_answer.h"
#include "wazoauth/saml/binding.h"
#include "wazoauth/saml/idp_metadata.h"
#include "wazoauth/saml/routes.h"
#include "wazoauth/saml/service_provider.h"
#include "wazoauth/saml/xml.h"

namespace wazoauth {

namespace {

using namespace saml;

struct Attempt {
  Profile profile;
  std::optional<std::string> came, refused;  // the last response
  Trial trial;
};
using AttemptPtr = std::shared_ptr<Attempt>;

// An end to the steps; what() says why.
struct Failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

Schema try_body() {
  const auto config =
      std::make_shared<const Schema>(Schema{{{.name = "entity_id", .min_length = 1, .max_length = 512},
                                             {.name = "acs_url", .min_length = 1, .max_length = 512},
                                             {.name = "metadata", .min_length = 1, .max_length = most_metadata_bytes}},
                                            {},
                                            "SamlTryConfig"});
  return {{object_of(config, "config")}, {}, "SamlTry"};
}

// What isn't given is what is saved.
AttemptPtr attempt_of(Context& context, const Json& config) {
  auto attempt = std::make_shared<Attempt>();
  Profile& profile = attempt->profile;
  const Rows saved = context.db().run("saml.saved", {context.tenant()});
  if (!saved.empty()) {
    profile = {saved.text(0, "entity_id"), saved.text(0, "acs_url"), saved.text(0, "metadata")};
    attempt->came = saved.optional_text(0, "came");
    attempt->refused = saved.optional_text(0, "refused");
  }
  profile.entity_id = config.text_or("entity_id", profile.entity_id);
  profile.acs_url = config.text_or("acs_url", profile.acs_url);
  profile.idp_metadata = config.text_or("metadata", profile.idp_metadata);
  for (const auto& [name, value] :
       {std::pair{"entity_id", &profile.entity_id}, {"acs_url", &profile.acs_url}, {"metadata", &profile.idp_metadata}})
    if (value->empty())
      throw Problem::with_reason(400, std::string("Invalid value supplied for field: config. The tenant has no SAML "
                                                  "yet: it lacks ") +
                                          name);
  return attempt;
}

IdpMetadata parse(Trial& trial, const std::string& xml, std::int64_t now) {
  trial.begin("metadata");
  check_metadata(xml, now);
  IdpMetadata idp = read_idp_metadata(xml);
  trial.detail("entity_id", idp.entity_id)
      .detail("login_url", idp.login_url)
      .detail("logout_url", idp.logout_url)
      .detail("valid_until", idp.valid_until ? Json(format_instant(*idp.valid_until)) : Json());
  return idp;
}

bool has_rsa_key(const Json& certificate) {
  return certificate.get("key").text().starts_with("RSA ");
}

bool has_expired(const Json& certificate) {
  return certificate.get("expired").boolean();
}

// What counts is the key: logins work with one whose certificate has expired.
void look_at_certificates(Trial& trial, const IdpMetadata& idp, std::int64_t now) {
  trial.begin("certificates");
  const Json shown = described_certificates(idp.certificates, now);
  trial.detail("certificates", shown);
  const Json::Items& all = shown.items();
  if (std::none_of(all.begin(), all.end(), has_rsa_key))
    throw Failed("no certificate in the metadata has an RSA key, which signatures are verified with");
  if (std::any_of(all.begin(), all.end(), has_expired))
    trial.warn("a certificate of the identity provider has expired; what its key signs is taken nevertheless");
}

const Keys& own_keys(Trial& trial, const SamlSettings& settings, std::int64_t now) {
  trial.begin("key").detail("key_file", settings.key_file).detail("cert_file", settings.cert_file);
  if (!settings.keys) throw Failed("there is no key or no certificate of ours");
  const Json certificate = described_certificate(der_of_pem(settings.keys->certificate), now);
  trial.detail("certificate", certificate);
  if (!certificate.is_null() && has_expired(certificate)) trial.warn("our certificate has expired");
  return *settings.keys;
}

void make_request(Attempt& attempt, const Keys& keys, const SamlSettings& settings, std::int64_t now) {
  Trial& trial = attempt.trial;
  trial.begin("request").detail("entity_id", attempt.profile.entity_id).detail("acs_url", attempt.profile.acs_url);
  const ServiceProvider provider(keys, attempt.profile, settings.rules);
  const OutgoingRequest request = provider.login_request("try", now);
  trial.detail("location", request.location);
  const auto mark = request.location.find('?');
  const std::string query = mark == std::string::npos ? "" : request.location.substr(mark + 1);
  if (const auto message = query_parameter(query, "SAMLRequest")) trial.detail("xml", decode_redirected(*message));
}

void look_at_last_response(const Attempt& attempt, Trial& trial) {
  trial.begin("last_response").detail("received_at", attempt.came).detail("refused", attempt.refused);
  if (attempt.refused) trial.warn("the last response was refused: " + *attempt.refused);
}

void go(Attempt& attempt, const SamlSettings& settings) {
  const std::int64_t now = unix_seconds();
  Trial& trial = attempt.trial;
  try {
    look_at_certificates(trial, parse(trial, attempt.profile.idp_metadata, now), now);
    make_request(attempt, own_keys(trial, settings, now), settings, now);
    look_at_last_response(attempt, trial);
    trial.end();
  } catch (const BadXml& e) {
    trial.fail(e.what());
  } catch (const Unusable& e) {
    trial.fail(e.what());
  } catch (const Refused& e) {
    trial.fail(e.what());
  } catch (const Failed& e) {
    trial.fail(e.what());
  }
}

Step try_saml(Context& context) {
  const Json body = context.valid_body();
  const AttemptPtr attempt = attempt_of(context, body.get("config"));
  return Step::then(Lane::cpu, [attempt](Context& next) -> Step {
    go(*attempt, next.settings.saml);
    return Response::json(attempt->trial.json());
  });
}

}  // namespace

void add_saml_try_route(Router& router) {
  RouteFamily family(router, {.plugin = "saml_config", .tenancy = Tenancy::scoped});
  family.add({.method = "POST",
              .path = "/backends/saml/try",
              .access = "auth.backends.saml.try",
              .handler = try_saml,
              .mode = Mode::read_only,
              .summary = "Try a tenant's configuration of SAML, as it is saved or as `config` would make it, step by "
                         "step: metadata, certificates, our key, the request that a login would make, and how the "
                         "last response ended; nothing is sent",
              .body = takes(try_body(), Report::field),
              .answer = trial_answer()});
}

}  // namespace wazoauth
