-- Each statement by itself, outside a transaction. Made again whenever one is missing or was left invalid.
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_token_auth_id ON public.auth_token (auth_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_token_expire_t ON public.auth_token (expire_t);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_token_refresh_token_uuid ON public.auth_token (refresh_token_uuid);
-- What tables of the daemon have no index for: pages in each order, of one tenant and of all; both ways of what is joined.
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_user_tenant_username ON public.auth_user (tenant_uuid, username);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_user_tenant_firstname ON public.auth_user (tenant_uuid, firstname);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_user_tenant_lastname ON public.auth_user (tenant_uuid, lastname);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_user_order_username ON public.auth_user (username);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_user_order_firstname ON public.auth_user (firstname);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_user_order_lastname ON public.auth_user (lastname);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_group_tenant_name ON public.auth_group (tenant_uuid, name);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_group_tenant_uuid ON public.auth_group (tenant_uuid, uuid);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_policy_managed ON public.auth_policy (uuid) WHERE config_managed;
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_policy_shared ON public.auth_policy (tenant_uuid) WHERE shared;
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_tenant_order_name ON public.auth_tenant (name);
-- Who the master is, among all tenants.
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_tenant_master ON public.auth_tenant (uuid) WHERE uuid = parent_uuid;
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_user_group_user ON public.auth_user_group (user_uuid, group_uuid);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_user_policy_policy ON public.auth_user_policy (policy_uuid);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_group_policy_policy ON public.auth_group_policy (policy_uuid);
-- Logins by SAML are found by what browsers and applications bring back; deletions of refresh tokens look here, too.
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_saml_session_relay ON public.auth_saml_session (relay_state);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_saml_session_id ON public.auth_saml_session (session_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_saml_session_refresh ON public.auth_saml_session (refresh_token_uuid);
-- What searches find; gin_trgm_ops is pg_trgm's.
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_user_search ON public.auth_user
  USING gin (username gin_trgm_ops, firstname gin_trgm_ops, lastname gin_trgm_ops) WITH (gin_pending_list_limit = 256);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_email_search ON public.auth_email
  USING gin (address gin_trgm_ops) WITH (gin_pending_list_limit = 256);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_group_search ON public.auth_group USING gin (name gin_trgm_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_policy_search ON public.auth_policy
  USING gin (name gin_trgm_ops, description gin_trgm_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_tenant_search ON public.auth_tenant
  USING gin (name gin_trgm_ops, slug gin_trgm_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_domain_search ON public.auth_tenant_domain USING gin (name gin_trgm_ops);
