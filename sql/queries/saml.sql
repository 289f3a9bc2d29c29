-- Configurations of SAML, one a tenant, and logins that are under way or may be ended at their identity provider.

-- name: saml.config
SELECT domain_uuid, entity_id, tenant_uuid, acs_url FROM auth_saml_config WHERE tenant_uuid = $1 ORDER BY domain_uuid LIMIT 1

-- name: saml.metadata
SELECT idp_metadata::text AS metadata FROM auth_saml_config WHERE tenant_uuid = $1 ORDER BY domain_uuid LIMIT 1

-- name: saml.lock_tenant
-- The table would take one configuration for each domain.
SELECT uuid FROM auth_tenant WHERE uuid = $1 FOR NO KEY UPDATE

-- name: saml.has_domain
SELECT EXISTS (SELECT 1 FROM auth_tenant_domain WHERE uuid = $1 AND tenant_uuid = $2) AS yes

-- name: saml.create_config
INSERT INTO auth_saml_config (tenant_uuid, domain_uuid, entity_id, acs_url, idp_metadata)
VALUES ($1, $2, $3, $4, XMLPARSE(CONTENT $5::text))
RETURNING domain_uuid, entity_id, tenant_uuid, acs_url

-- name: saml.update_config
UPDATE auth_saml_config
SET domain_uuid = coalesce($2, domain_uuid), entity_id = coalesce($3, entity_id), acs_url = coalesce($4, acs_url),
    idp_metadata = CASE WHEN $5::text IS NULL THEN idp_metadata ELSE XMLPARSE(CONTENT $5::text) END
WHERE tenant_uuid = $1

-- name: saml.delete_config
WITH known AS (DELETE FROM wazo_auth.saml_response WHERE tenant_uuid = $1)
DELETE FROM auth_saml_config WHERE tenant_uuid = $1

-- name: saml.provider
-- The configuration of domain $1; its metadata only when it isn't the one with digest $2.
SELECT entity_id, acs_url, digest, CASE WHEN digest IS DISTINCT FROM $2 THEN metadata END AS metadata
FROM (
  SELECT c.entity_id, c.acs_url, c.idp_metadata::text AS metadata,
         md5(concat_ws(E'\n', md5(c.entity_id), md5(c.acs_url), c.idp_metadata::text)) AS digest
  FROM auth_saml_config c JOIN auth_tenant_domain d ON d.uuid = c.domain_uuid AND d.tenant_uuid = c.tenant_uuid
  WHERE d.name = $1
  LIMIT 1
) AS found

-- name: saml.configurations_version
-- Another one when a configuration or a domain was changed.
SELECT concat_ws(' ', (SELECT hashtextextended(string_agg(concat_ws(' ', domain_uuid, xmin), ' ' ORDER BY domain_uuid), 0)
                       FROM auth_saml_config),
                 (SELECT hashtextextended(string_agg(concat_ws(' ', d.uuid, d.xmin), ' ' ORDER BY d.uuid), 0)
                  FROM auth_tenant_domain d WHERE d.uuid IN (SELECT domain_uuid FROM auth_saml_config))) AS version

-- name: saml.next_metadata
-- Of the first domain behind $1.
SELECT d.name AS domain, c.idp_metadata::text AS metadata
FROM auth_saml_config c JOIN auth_tenant_domain d ON d.uuid = c.domain_uuid AND d.tenant_uuid = c.tenant_uuid
WHERE d.name > $1::text
ORDER BY d.name
LIMIT 1

-- name: saml.begin
INSERT INTO auth_saml_session (request_id, session_id, redirect_url, domain, relay_state) VALUES ($1, $2, $3, $4, $5)

-- name: saml.by_relay_state
SELECT request_id, session_id, redirect_url, domain, saml_name_id, login
FROM auth_saml_session WHERE relay_state = $1 LIMIT 1

-- name: saml.finish
-- Once, whichever node a response reaches first. Browsers may post it again: what it says is kept until then.
UPDATE auth_saml_session SET login = $3, saml_name_id = $4
WHERE request_id = $1 AND session_id = $2 AND login IS NULL

-- name: saml.give_up
DELETE FROM auth_saml_session WHERE request_id = $1 AND session_id = $2 AND login IS NULL

-- name: saml.remember_subject
INSERT INTO auth_saml_pysaml2_cache (name_id, entity_id, info, not_on_or_after) VALUES ($1, $2, $3, $4::integer)
ON CONFLICT (name_id, entity_id) DO UPDATE SET info = excluded.info, not_on_or_after = excluded.not_on_or_after

-- name: saml.remember_login
INSERT INTO wazo_auth.saml_login (request_id, session_index) VALUES ($1, $2)
ON CONFLICT (request_id) DO UPDATE SET session_index = excluded.session_index

-- name: saml.set_token
INSERT INTO wazo_auth.saml_login (request_id, token_uuid) VALUES ($1, $2)
ON CONFLICT (request_id) DO UPDATE SET token_uuid = excluded.token_uuid

-- name: saml.subject
-- The session of login $3, or of the subject's last login: that is what the table of old has.
SELECT info, (SELECT session_index FROM wazo_auth.saml_login WHERE request_id = $3) AS session_index
FROM auth_saml_pysaml2_cache WHERE name_id = $1 AND entity_id = $2

-- name: saml.forget_subject
DELETE FROM auth_saml_pysaml2_cache WHERE name_id = $1 AND entity_id = $2

-- name: saml.use
-- A finished login becomes a token once, within a day of its beginning, and while its domain still has a
-- configuration. What others mark as used isn't a session's name.
UPDATE auth_saml_session AS s SET session_id = 'token-already-used'
WHERE s.session_id = $1 AND s.session_id <> 'token-already-used' AND s.login IS NOT NULL
  AND s.start_time > now() - make_interval(secs => least($2::bigint, 86400))
RETURNING s.request_id, s.login,
          (SELECT d.tenant_uuid FROM auth_tenant_domain d
           JOIN auth_saml_config c ON c.domain_uuid = d.uuid AND c.tenant_uuid = d.tenant_uuid
           WHERE d.name = s.domain) AS tenant_uuid

-- name: saml.set_refresh_token
UPDATE auth_saml_session SET refresh_token_uuid = $2 WHERE request_id = $1

-- name: saml.of_token
-- The login that token $1 comes from: by its refresh token, and that must be one of its own user.
SELECT s.request_id, s.session_id, s.redirect_url, s.domain, s.saml_name_id, s.refresh_token_uuid
FROM auth_token t
JOIN auth_refresh_token r ON r.uuid = t.refresh_token_uuid AND r.user_uuid = t.auth_id
JOIN auth_saml_session s ON s.refresh_token_uuid = r.uuid
WHERE t.uuid = $1 AND s.login IS NOT NULL
ORDER BY s.start_time DESC, s.request_id LIMIT 1

-- name: saml.domains_of
-- Whose metadata has $1 or $2 in it, those with logins first.
SELECT d.name
FROM auth_saml_config c JOIN auth_tenant_domain d ON d.uuid = c.domain_uuid AND d.tenant_uuid = c.tenant_uuid
WHERE strpos(c.idp_metadata::text, $1) > 0 OR strpos(c.idp_metadata::text, $2) > 0
ORDER BY EXISTS (SELECT 1 FROM auth_saml_session s WHERE s.domain = d.name AND s.login IS NOT NULL) DESC, d.name
LIMIT 100

-- name: saml.of_subject
-- Logins through domain $1 that began before second $4 and whose NameID has the text $2 or $3 in it.
SELECT s.request_id, s.session_id, s.saml_name_id, s.refresh_token_uuid, l.session_index, l.token_uuid
FROM auth_saml_session s LEFT JOIN wazo_auth.saml_login l ON l.request_id = s.request_id
WHERE s.domain = $1 AND s.login IS NOT NULL AND s.start_time < to_timestamp($4::bigint)
  AND (strpos(s.saml_name_id, $2) > 0 OR strpos(s.saml_name_id, $3) > 0)
ORDER BY s.start_time

-- name: saml.tokens_of
SELECT uuid FROM auth_token WHERE refresh_token_uuid = $1 OR uuid = $2

-- name: saml.begin_logout
UPDATE auth_saml_session SET relay_state = $3 WHERE request_id = $1 AND session_id = $2

-- name: saml.end
WITH known AS (DELETE FROM wazo_auth.saml_login WHERE request_id = $1)
DELETE FROM auth_saml_session WHERE request_id = $1 AND session_id = $2

-- name: saml.delete_refresh_token
DELETE FROM auth_refresh_token r USING auth_user u
WHERE r.uuid = $1 AND u.uuid = r.user_uuid
RETURNING r.user_uuid, r.client_id, r.mobile, u.tenant_uuid

-- name: saml.purge
-- A login that nobody has finished within a day is given up sooner.
WITH sessions AS (
  DELETE FROM auth_saml_session
  WHERE start_time < now() - make_interval(secs => $1::bigint)
     OR (login IS NULL AND start_time < now() - interval '1 day')
), known AS (
  DELETE FROM wazo_auth.saml_login l
  WHERE NOT EXISTS (SELECT 1 FROM auth_saml_session s WHERE s.request_id = l.request_id)
), responses AS (
  DELETE FROM wazo_auth.saml_response r
  WHERE NOT EXISTS (SELECT 1 FROM auth_saml_config c WHERE c.tenant_uuid = r.tenant_uuid)
)
DELETE FROM auth_saml_pysaml2_cache WHERE not_on_or_after < extract(epoch FROM now()) - $1::bigint

-- name: saml.note_response
-- $2: why the response through domain $1 was refused; null when it was taken.
INSERT INTO wazo_auth.saml_response (tenant_uuid, came, refused)
SELECT c.tenant_uuid, now(), left($2::text, 1000)
FROM auth_saml_config c JOIN auth_tenant_domain d ON d.uuid = c.domain_uuid AND d.tenant_uuid = c.tenant_uuid
WHERE d.name = $1
LIMIT 1
ON CONFLICT (tenant_uuid) DO UPDATE SET came = excluded.came, refused = excluded.refused

-- name: saml.saved
-- What logins of tenant $1 use, and how the last one ended.
SELECT c.entity_id, c.acs_url, c.idp_metadata::text AS metadata,
       to_char(r.came AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS came, r.refused
FROM auth_saml_config c LEFT JOIN wazo_auth.saml_response r ON r.tenant_uuid = c.tenant_uuid
WHERE c.tenant_uuid = $1
ORDER BY c.domain_uuid LIMIT 1
