-- What auth_saml_session doesn't say about a login by SAML: a logout that the identity provider begins names the sessions
-- that it ends, and a token without a refresh token ends with them, too.
CREATE TABLE IF NOT EXISTS wazo_auth.saml_login (
  request_id text PRIMARY KEY,  -- of auth_saml_session
  session_index text NOT NULL DEFAULT '',
  token_uuid text
);
