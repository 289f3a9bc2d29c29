-- The schema of wazo-auth at its revision 1c862ebfbb3a, for an empty database. Facts: docs/spec/schema.md.
--
-- Names of constraints, indexes and sequences are part of the contract: wazo-auth itself goes on working here, and
-- answers depend on the constraint that an insert violates. What is ours comes with the next files.
SET LOCAL search_path = public, pg_temp;

CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;

CREATE TABLE auth_tenant (
  uuid varchar(38) CONSTRAINT auth_tenant_pkey PRIMARY KEY DEFAULT uuid_generate_v4(),
  name text,
  phone text,
  contact_uuid varchar(38),
  parent_uuid varchar(38) NOT NULL
    CONSTRAINT auth_tenant_parent_uuid_fkey REFERENCES auth_tenant (uuid),
  slug varchar(10) NOT NULL CONSTRAINT auth_tenant_slug_key UNIQUE,
  default_authentication_method text NOT NULL DEFAULT 'native'
);
CREATE INDEX auth_tenant__idx__contact_uuid ON auth_tenant (contact_uuid);
CREATE INDEX auth_tenant__idx__parent_uuid ON auth_tenant (parent_uuid);

CREATE TABLE auth_user (
  uuid varchar(38) CONSTRAINT auth_user_pkey PRIMARY KEY DEFAULT uuid_generate_v4(),
  username varchar(256),
  password_hash text,
  password_salt bytea,
  firstname text,
  lastname text,
  enabled boolean DEFAULT true,
  tenant_uuid varchar(38) NOT NULL
    CONSTRAINT auth_user_tenant_uuid_fkey REFERENCES auth_tenant (uuid) ON DELETE CASCADE,
  purpose text NOT NULL CONSTRAINT auth_user_purpose_check CHECK (purpose IN ('user', 'internal', 'external_api')),
  authentication_method text NOT NULL DEFAULT 'default'
);
CREATE UNIQUE INDEX auth_user_username_key ON auth_user (lower(username));
CREATE INDEX auth_user__idx__tenant_uuid ON auth_user (tenant_uuid);

ALTER TABLE auth_tenant
  ADD CONSTRAINT auth_tenant_contact_uuid_fkey FOREIGN KEY (contact_uuid) REFERENCES auth_user (uuid)
    ON DELETE SET NULL;

CREATE TABLE auth_address (
  id serial CONSTRAINT auth_address_pkey PRIMARY KEY,
  line_1 text,
  line_2 text,
  city text,
  state text,
  zip_code text,
  country text,
  tenant_uuid varchar(38) NOT NULL
    CONSTRAINT auth_address_tenant_uuid_fkey REFERENCES auth_tenant (uuid) ON DELETE CASCADE
);
CREATE INDEX auth_address__idx__tenant_uuid ON auth_address (tenant_uuid);

CREATE TABLE auth_tenant_domain (
  uuid varchar(36) CONSTRAINT auth_tenant_domain_pkey PRIMARY KEY DEFAULT uuid_generate_v4(),
  tenant_uuid varchar(38) NOT NULL
    CONSTRAINT auth_tenant_domain_tenant_uuid_fkey REFERENCES auth_tenant (uuid) ON DELETE CASCADE,
  name varchar(253) NOT NULL CONSTRAINT auth_tenant_domain_name_key UNIQUE
);
CREATE INDEX auth_tenant_domain__idx__tenant_uuid ON auth_tenant_domain (tenant_uuid);

CREATE TABLE auth_email (
  uuid varchar(38) CONSTRAINT auth_email_pkey PRIMARY KEY DEFAULT uuid_generate_v4(),
  address text NOT NULL,
  confirmed boolean NOT NULL,
  main boolean NOT NULL,
  user_uuid varchar(38) NOT NULL
    CONSTRAINT auth_email_user_uuid_fkey REFERENCES auth_user (uuid) ON DELETE CASCADE
);
CREATE UNIQUE INDEX auth_email_address_key ON auth_email (lower(address));
CREATE INDEX auth_email__idx__user_uuid ON auth_email (user_uuid);

-- The sequence kept the name that the table had once.
CREATE SEQUENCE auth_acl_template_id_seq AS integer;
CREATE TABLE auth_access (
  id integer CONSTRAINT auth_access_pkey PRIMARY KEY DEFAULT nextval('auth_acl_template_id_seq'),
  access text NOT NULL CONSTRAINT auth_access_access UNIQUE
);
ALTER SEQUENCE auth_acl_template_id_seq OWNED BY auth_access.id;

CREATE TABLE auth_policy (
  uuid varchar(38) CONSTRAINT auth_policy_pkey PRIMARY KEY DEFAULT uuid_generate_v4(),
  name varchar(80) NOT NULL,
  description text,
  tenant_uuid varchar(38) NOT NULL
    CONSTRAINT auth_policy_tenant_uuid_fkey REFERENCES auth_tenant (uuid) ON DELETE CASCADE,
  config_managed boolean DEFAULT false,
  slug varchar(80) NOT NULL,
  shared boolean NOT NULL DEFAULT false,
  CONSTRAINT auth_policy_name_tenant UNIQUE (name, tenant_uuid)
);
CREATE UNIQUE INDEX auth_policy__idx__slug ON auth_policy (lower(slug), tenant_uuid);
CREATE INDEX auth_policy__idx__tenant_uuid ON auth_policy (tenant_uuid);

CREATE TABLE auth_policy_access (
  policy_uuid varchar(38)
    CONSTRAINT auth_policy_access_policy_uuid_fkey REFERENCES auth_policy (uuid) ON DELETE CASCADE,
  access_id integer
    CONSTRAINT auth_policy_access_access_id_fkey REFERENCES auth_access (id) ON DELETE CASCADE,
  CONSTRAINT auth_policy_access_pkey PRIMARY KEY (policy_uuid, access_id)
);

CREATE TABLE auth_group (
  uuid varchar(38) CONSTRAINT auth_group_pkey PRIMARY KEY DEFAULT uuid_generate_v4(),
  name text NOT NULL,
  tenant_uuid varchar(38) NOT NULL
    CONSTRAINT auth_group_tenant_uuid_fkey REFERENCES auth_tenant (uuid) ON DELETE CASCADE,
  system_managed boolean NOT NULL DEFAULT false,
  slug varchar(80) NOT NULL,
  CONSTRAINT auth_group_name_tenant UNIQUE (name, tenant_uuid)
);
CREATE UNIQUE INDEX auth_group__idx__slug ON auth_group (lower(slug), tenant_uuid);
CREATE INDEX auth_group__idx__tenant_uuid ON auth_group (tenant_uuid);

CREATE TABLE auth_group_policy (
  group_uuid varchar(38)
    CONSTRAINT auth_group_policy_group_uuid_fkey REFERENCES auth_group (uuid) ON DELETE CASCADE,
  policy_uuid varchar(38)
    CONSTRAINT auth_group_policy_policy_uuid_fkey REFERENCES auth_policy (uuid) ON DELETE CASCADE,
  CONSTRAINT auth_group_policy_pkey PRIMARY KEY (group_uuid, policy_uuid)
);

CREATE TABLE auth_user_group (
  group_uuid varchar(38)
    CONSTRAINT auth_user_group_group_uuid_fkey REFERENCES auth_group (uuid) ON DELETE CASCADE,
  user_uuid varchar(38)
    CONSTRAINT auth_user_group_user_uuid_fkey REFERENCES auth_user (uuid) ON DELETE CASCADE,
  CONSTRAINT auth_user_group_pkey PRIMARY KEY (group_uuid, user_uuid)
);

CREATE TABLE auth_user_policy (
  user_uuid varchar(38)
    CONSTRAINT auth_user_policy_user_uuid_fkey REFERENCES auth_user (uuid) ON DELETE CASCADE,
  policy_uuid varchar(38)
    CONSTRAINT auth_user_policy_policy_uuid_fkey REFERENCES auth_policy (uuid) ON DELETE CASCADE,
  CONSTRAINT auth_user_policy_pkey PRIMARY KEY (user_uuid, policy_uuid)
);

CREATE TABLE auth_refresh_token (
  uuid varchar(36) CONSTRAINT auth_refresh_token_pkey PRIMARY KEY DEFAULT uuid_generate_v4(),
  client_id text,
  user_uuid varchar(36)
    CONSTRAINT auth_refresh_token_user_uuid_fkey REFERENCES auth_user (uuid) ON DELETE CASCADE,
  backend text,
  login text,
  user_agent text,
  remote_addr text,
  created_at timestamptz DEFAULT now(),
  mobile boolean NOT NULL DEFAULT false,
  metadata json NOT NULL DEFAULT '{}',
  CONSTRAINT auth_refresh_token_client_id_user_uuid UNIQUE (client_id, user_uuid)
);
CREATE INDEX auth_refresh_token__idx__user_uuid ON auth_refresh_token (user_uuid);

CREATE TABLE auth_session (
  uuid varchar(36) CONSTRAINT auth_session_pkey PRIMARY KEY DEFAULT uuid_generate_v4(),
  mobile boolean NOT NULL,
  tenant_uuid varchar(38) NOT NULL
    CONSTRAINT auth_session_tenant_uuid_fkey REFERENCES auth_tenant (uuid) ON DELETE CASCADE
);
CREATE INDEX auth_session__idx__tenant_uuid ON auth_session (tenant_uuid);

CREATE TABLE auth_token (
  uuid varchar(38) CONSTRAINT auth_token_pkey PRIMARY KEY DEFAULT uuid_generate_v4(),
  auth_id text NOT NULL,
  pbx_user_uuid varchar(36),
  xivo_uuid varchar(38),
  issued_t integer,
  expire_t integer,
  metadata text,
  session_uuid varchar(36) NOT NULL
    CONSTRAINT auth_token_session_uuid_fkey REFERENCES auth_session (uuid) ON DELETE CASCADE,
  user_agent text DEFAULT '',
  remote_addr text DEFAULT '',
  acl text[] NOT NULL DEFAULT '{}',
  refresh_token_uuid varchar(36)
    CONSTRAINT auth_token_refresh_token_uuid_fkey REFERENCES auth_refresh_token (uuid) ON DELETE SET NULL
);
CREATE INDEX auth_token__idx__session_uuid ON auth_token (session_uuid);

CREATE TABLE auth_external_auth_type (
  uuid varchar(38) CONSTRAINT auth_external_auth_type_pkey PRIMARY KEY DEFAULT uuid_generate_v4(),
  name text NOT NULL CONSTRAINT auth_external_auth_type_name_key UNIQUE,
  enabled boolean
);

CREATE TABLE auth_external_auth_config (
  type_uuid varchar(36)
    CONSTRAINT auth_external_auth_config_type_uuid_fkey REFERENCES auth_external_auth_type (uuid) ON DELETE CASCADE,
  tenant_uuid varchar(38)
    CONSTRAINT auth_external_auth_config_tenant_uuid_fkey REFERENCES auth_tenant (uuid) ON DELETE CASCADE,
  data text NOT NULL,
  CONSTRAINT auth_external_auth_config_pkey PRIMARY KEY (type_uuid, tenant_uuid)
);
CREATE INDEX auth_external_auth_config__idx__type_uuid ON auth_external_auth_config (type_uuid);

CREATE TABLE auth_user_external_auth (
  user_uuid varchar(38) NOT NULL
    CONSTRAINT auth_user_external_auth_user_uuid_fkey REFERENCES auth_user (uuid) ON DELETE CASCADE,
  external_auth_type_uuid varchar(38) NOT NULL
    CONSTRAINT auth_user_external_auth_external_auth_type_uuid_fkey REFERENCES auth_external_auth_type (uuid)
      ON DELETE CASCADE,
  data text NOT NULL,
  CONSTRAINT auth_external_user_type_auth_constraint UNIQUE (user_uuid, external_auth_type_uuid)
);

CREATE TABLE auth_ldap_config (
  tenant_uuid varchar(38) CONSTRAINT auth_ldap_config_pkey PRIMARY KEY
    CONSTRAINT auth_ldap_config_tenant_uuid_fkey REFERENCES auth_tenant (uuid) ON DELETE CASCADE,
  host varchar(512) NOT NULL,
  port integer NOT NULL,
  protocol_version smallint,
  protocol_security text
    CONSTRAINT auth_ldap_config_protocol_security_check CHECK (protocol_security IN ('ldaps', 'tls')),
  bind_dn varchar(256),
  bind_password text,
  user_base_dn varchar(256) NOT NULL,
  user_login_attribute varchar(64),
  user_email_attribute varchar(64),
  search_filters text
);

CREATE TABLE auth_saml_config (
  tenant_uuid varchar(38)
    CONSTRAINT auth_saml_config_tenant_uuid_fkey REFERENCES auth_tenant (uuid) ON DELETE CASCADE,
  domain_uuid varchar(38)
    CONSTRAINT auth_saml_config_domain_uuid_fkey REFERENCES auth_tenant_domain (uuid) ON DELETE CASCADE,
  entity_id varchar(512) NOT NULL,
  idp_metadata xml NOT NULL,
  acs_url varchar(512) NOT NULL,
  CONSTRAINT auth_saml_config_pkey PRIMARY KEY (tenant_uuid, domain_uuid)
);

CREATE TABLE auth_saml_session (
  request_id varchar(40),
  session_id varchar(22),
  redirect_url varchar(512) NOT NULL,
  domain varchar(512) NOT NULL,
  relay_state varchar(100) NOT NULL,
  login varchar(512),
  start_time timestamptz DEFAULT now(),
  saml_name_id text,
  refresh_token_uuid varchar(36)
    CONSTRAINT auth_saml_session_refresh_token_uuid_fkey REFERENCES auth_refresh_token (uuid) ON DELETE SET NULL,
  CONSTRAINT auth_saml_session_pkey PRIMARY KEY (request_id, session_id)
);

CREATE TABLE auth_saml_pysaml2_cache (
  name_id varchar(512),
  entity_id varchar(1024),
  info text NOT NULL,
  not_on_or_after integer NOT NULL,
  CONSTRAINT auth_saml_pysaml2_cache_pkey PRIMARY KEY (name_id, entity_id)
);

-- Accesses made later begin at 4, as in every database of wazo-auth.
INSERT INTO auth_access (id, access) VALUES (1, '#');
SELECT setval('auth_acl_template_id_seq', 3);

WITH top AS (
  INSERT INTO auth_tenant (uuid, parent_uuid, name, slug)
  SELECT uuid, uuid, 'master', 'master' FROM (SELECT uuid_generate_v4() AS uuid) AS made
  RETURNING uuid
), all_users AS (
  INSERT INTO auth_group (name, slug, tenant_uuid, system_managed)
  SELECT 'wazo-all-users-tenant-' || uuid, 'wazo-all-users-tenant-' || uuid, uuid, true FROM top
), policy AS (
  INSERT INTO auth_policy (name, slug, tenant_uuid, description)
  SELECT 'wazo_default_master_user_policy', 'wazo_default_master_user_policy', uuid,
         'Every access: the policy of the first administrator. It belongs to wazo-auth and should stay as it is.'
  FROM top
  RETURNING uuid
)
INSERT INTO auth_policy_access (policy_uuid, access_id) SELECT uuid, 1 FROM policy;

CREATE TABLE IF NOT EXISTS alembic_version_auth (
  version_num varchar(32) CONSTRAINT alembic_version_auth_pkc PRIMARY KEY
);
INSERT INTO alembic_version_auth (version_num) VALUES ('1c862ebfbb3a');
