#include "wazoauth/base/clock.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/rest/context.h"
#include "wazoauth/rest/row_writer.h"
#include "wazoauth/saml/idp_metadata.h"
#include "wazoauth/saml/routes.h"
#include "wazoauth/saml/service_provider.h"
#include "wazoauth/saml/xml.h"

namespace wazoauth {

namespace {

constexpr const char* file_field = "metadata";

Problem refused(int status, const std::string& tenant, const std::string& text) {
  return Problem::with_error_id(status, "unknown-saml-config", text, Json::object({{"uuid", tenant}}), "saml_config");
}

Problem no_config(const std::string& tenant) {
  return refused(404, tenant, "No SAML IDP config found for this tenant: \"" + tenant + "\"");
}

const std::shared_ptr<const Schema>& config_shape() {
  static const auto config = shape("SamlConfig", {{.name = "domain_uuid", .type = Type::uuid},
                                                  {.name = "entity_id"},
                                                  {.name = "tenant_uuid", .type = Type::uuid},
                                                  {.name = "acs_url"}});
  return config;
}

Schema fields(bool required) {
  return {{{.name = "domain_uuid", .required = required, .min_length = 36, .max_length = 38},
           {.name = "entity_id", .required = required, .min_length = 1, .max_length = 512},
           {.name = "acs_url", .required = required, .min_length = 1, .max_length = 512},
           {.name = "tenant_uuid", .min_length = 36, .max_length = 38}},
          {},
          required ? "NewSamlConfig" : "ChangedSamlConfig"};
}

// As it is stored: without a byte order mark.
std::string checked_metadata(const FormData::File& file, const std::string& tenant) {
  if (file.name.empty()) throw refused(400, tenant, "The file with the metadata has no name");
  std::string_view xml = file.content;
  if (xml.starts_with("\xef\xbb\xbf")) xml.remove_prefix(3);
  try {
    saml::check_metadata(xml, unix_seconds());
  } catch (const saml::BadXml& e) {
    throw refused(400, tenant, std::string("The metadata can't be used: ") + e.what());
  }
  return std::string(xml);
}

std::optional<std::string> text_of(const Json& body, const char* name) {
  return body.has(name) ? std::optional(std::string(body.get(name).text())) : std::nullopt;
}

Problem foreign_domain(Context& context, const std::string& domain_uuid) {
  return refused(400, context.tenant(), "The domain isn't one of the tenant: \"" + domain_uuid + "\"");
}

void check_domain(Context& context, const std::string& domain_uuid) {
  if (!context.db().run("saml.has_domain", {domain_uuid, context.tenant()}).boolean(0, "yes"))
    throw foreign_domain(context, domain_uuid);
}

Problem exists_already() {
  return problems::conflict("saml_config", "tenant_uuid", "Duplicated SAML config exists");
}

Rows insert(Context& context, const Json& body, const std::string& metadata) {
  const std::string domain = *text_of(body, "domain_uuid");
  try {
    return context.db().run("saml.create_config", {context.tenant(), domain, *text_of(body, "entity_id"),
                                                   *text_of(body, "acs_url"), metadata});
  } catch (const ConstraintViolation& e) {
    if (e.foreign_key()) throw foreign_domain(context, domain);  // it went away a moment ago
    throw exists_already();
  } catch (const BadValue&) {
    throw refused(400, context.tenant(), "The metadata can't be stored");
  }
}

Step create(Context& context) {
  const std::string& tenant = context.tenant();
  const FormData form = context.form_data();
  const Json body = context.valid_body(form);
  const FormData::File* const file = form.file(file_field);
  if (!file) throw refused(400, tenant, "The file with the metadata is missing");
  const std::string metadata = checked_metadata(*file, tenant);
  context.db().run("saml.lock_tenant", {tenant});
  if (!context.db().run("saml.config", {tenant}).empty()) throw exists_already();
  check_domain(context, *text_of(body, "domain_uuid"));
  return row_response(insert(context, body, metadata), *config_shape());
}

Step update(Context& context) {
  const std::string& tenant = context.tenant();
  const FormData form = context.form_data();
  const Json body = context.valid_body(form);
  const FormData::File* const file = form.file(file_field);
  const auto metadata = file ? std::optional(checked_metadata(*file, tenant)) : std::nullopt;
  context.db().run("saml.lock_tenant", {tenant});
  if (context.db().run("saml.config", {tenant}).empty()) throw no_config(tenant);
  const auto domain = text_of(body, "domain_uuid");
  if (domain) check_domain(context, *domain);
  try {
    context.db().run("saml.update_config",
                     {tenant, domain, text_of(body, "entity_id"), text_of(body, "acs_url"), metadata});
  } catch (const ConstraintViolation&) {
    throw exists_already();
  } catch (const BadValue&) {
    throw refused(400, tenant, "The metadata can't be stored");
  }
  return Response::json(Json::object());
}

Step show(Context& context) {
  const Rows rows = context.db().run("saml.config", {context.tenant()});
  if (rows.empty()) throw no_config(context.tenant());
  return row_response(rows, *config_shape());
}

Step remove(Context& context) {
  context.db().run("saml.delete_config", {context.tenant()});
  return Response::no_content();
}

Step show_metadata(Context& context) {
  const Rows rows = context.db().run("saml.metadata", {context.tenant()});
  if (rows.empty()) throw no_config(context.tenant());
  Response response;
  response.content_type = "application/xml";
  response.body = rows.text(0, "metadata");
  response.headers.emplace_back("Content-Disposition", "attachment");
  return response;
}

Step show_sp_metadata(Context& context) {
  const Rows rows = context.db().run("saml.config", {context.tenant()});
  if (rows.empty()) throw no_config(context.tenant());
  const auto& keys = context.settings.saml.keys;
  if (!keys) throw refused(404, context.tenant(), "SAML has no key and certificate here");
  Response response;
  response.content_type = "application/samlmetadata+xml";
  response.body = saml::own_metadata({rows.text(0, "entity_id"), rows.text(0, "acs_url"), ""}, keys->certificate);
  response.headers.emplace_back("Content-Disposition", "attachment");
  return response;
}

Step show_template(Context& context) {
  return Response::json(Json::object({{"acs_url", context.settings.saml.acs_url_template}}));
}

}  // namespace

void add_saml_config_routes(Router& router) {
  const std::string path = "/backends/saml", access = "auth.backends.saml.";
  const Failure bad{400, ErrorForm::error_id, "unknown-saml-config"},
      none{404, ErrorForm::error_id, "unknown-saml-config"};
  const Failure conflict{409, ErrorForm::error_id, "conflict"};
  RouteFamily family(router, {.plugin = "saml_config"});
  family.add({.method = "GET",
              .path = path,
              .access = access + "read",
              .handler = show,
              .mode = Mode::read_only,
              .tenancy = Tenancy::scoped,
              .summary = "Get the tenant's configuration of SAML",
              .answer = object_of(config_shape()),
              .failures = {none}});
  family.add({.method = "POST",
              .path = path,
              .access = access + "create",
              .handler = create,
              .tenancy = Tenancy::scoped,
              .summary = "Configure SAML for a tenant: one of its domains, and its identity provider's metadata",
              .body = takes_form(fields(true), Report::list_parameter, "", {file_field}),
              .answer = object_of(config_shape()),
              .failures = {bad, conflict}});
  family.add({.method = "PUT",
              .path = path,
              .access = access + "update",
              .handler = update,
              .tenancy = Tenancy::scoped,
              .summary = "Change a tenant's configuration of SAML; what isn't given stays",
              .body = takes_form(fields(false), Report::list_parameter, "", {file_field}),
              .answer = object_of(shape("Nothing", {})),
              .failures = {bad, none, conflict}});
  family.add({.method = "DELETE",
              .path = path,
              .access = access + "delete",
              .handler = remove,
              .tenancy = Tenancy::scoped,
              .summary = "Delete the tenant's configuration of SAML, if there is one"});
  family.add({.method = "GET",
              .path = path + "/metadata",
              .access = access + "read",
              .handler = show_metadata,
              .mode = Mode::read_only,
              .tenancy = Tenancy::scoped,
              .summary = "Get the metadata of the tenant's identity provider",
              .status = 200,
              .produces = "application/xml",
              .failures = {none}});
  // The daemon's developers spell it with a hyphen.
  for (const char* name : {"/sp_metadata", "/sp-metadata"}) {
    family.add({.method = "GET",
                .path = path + name,
                .access = access + "read",
                .handler = show_sp_metadata,
                .mode = Mode::read_only,
                .tenancy = Tenancy::scoped,
                .summary = "Get our own metadata for the tenant's identity provider",
                .status = 200,
                .produces = "application/samlmetadata+xml",
                .failures = {none}});
  }
  family.add({.method = "GET",
              .path = path + "/acs_url_template",
              .access = access + "read",
              .handler = show_template,
              .mode = Mode::read_only,
              .summary = "Get what an acs_url looks like here",
              .answer = object_of(shape("AcsUrlTemplate", {{.name = "acs_url"}}))});
}

}  // namespace wazoauth
