-- How the last login at the identity provider of a tenant ended, for an administrator who tries the configuration.
CREATE TABLE IF NOT EXISTS wazo_auth.saml_response (
  tenant_uuid text PRIMARY KEY,
  came timestamptz NOT NULL,
  refused text  -- why; null: it was taken
);
