-- The audit log: docs/audit.md. Who changes a row of wazo-auth's tables, or a lock, this server, the Python daemon and SQL
-- alike, makes an entry in the same transaction.
--
-- Who it is tells the setting wazo_auth.actor of the transaction, four words: user, session, address, trace id; "-" for
-- each that is not known. Without it nobody knows who it is. What isn't known to be no secret is shown as "***".
--
-- Deletions of what others depend on make their entry before the rows go that depend on it: these find its tenant there.
CREATE SEQUENCE IF NOT EXISTS wazo_auth.audit_id_seq;

-- Entries in the order of (xact, id): when all transactions before one have ended, no entry can come before those of it.
CREATE TABLE IF NOT EXISTS wazo_auth.audit (
  xact xid8 NOT NULL DEFAULT pg_current_xact_id(),
  id bigint NOT NULL DEFAULT nextval('wazo_auth.audit_id_seq'),
  at timestamptz NOT NULL DEFAULT now(),
  action text NOT NULL,
  kind text NOT NULL,
  object_uuid text,
  related_uuid text,  -- what else it is about: of a membership the member
  tenant_uuid text,
  actor_uuid text,
  session_uuid text,  -- of the actor
  remote_addr text,
  trace_id text,
  before jsonb,
  after jsonb
) PARTITION BY RANGE (at);
CREATE INDEX IF NOT EXISTS audit_position ON wazo_auth.audit (xact, id);
CREATE INDEX IF NOT EXISTS audit_tenant ON wazo_auth.audit (tenant_uuid, xact, id);
CREATE INDEX IF NOT EXISTS audit_object ON wazo_auth.audit (object_uuid);
CREATE INDEX IF NOT EXISTS audit_related ON wazo_auth.audit (related_uuid) WHERE related_uuid IS NOT NULL;

-- Takes what comes in a month that nobody has made a partition for: no change ever fails for want of one.
CREATE TABLE IF NOT EXISTS wazo_auth.audit_rest PARTITION OF wazo_auth.audit DEFAULT;

CREATE TABLE IF NOT EXISTS wazo_auth.audit_setting (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  enabled boolean NOT NULL
);
INSERT INTO wazo_auth.audit_setting (enabled) VALUES (true) ON CONFLICT DO NOTHING;

-- The last entry that was written to a file.
CREATE TABLE IF NOT EXISTS wazo_auth.audit_cursor (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  xact xid8 NOT NULL,
  id bigint NOT NULL
);
INSERT INTO wazo_auth.audit_cursor (xact, id) VALUES ('0', 0) ON CONFLICT DO NOTHING;

-- Failed logins of the minutes that haven't become entries yet.
CREATE TABLE IF NOT EXISTS wazo_auth.failed_login (
  minute timestamptz NOT NULL,
  remote_addr text NOT NULL,
  login text NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (minute, remote_addr, login)
);

-- Makes the partitions of this month and the two that follow, and drops those of which all is older than so many days.
-- Readers and writers don't wait for the first, and half a second for the second: later it is tried again.
CREATE OR REPLACE FUNCTION wazo_auth.keep_audit(days bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms'
SET timezone = 'UTC' AS $$
DECLARE
  month timestamptz;
  name text;
  oldest CONSTANT timestamptz := now() - days * interval '1 day';
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtext('wazo_auth.audit')) THEN
    RETURN;
  END IF;
  FOR month IN SELECT date_trunc('month', now()) + n * interval '1 month' FROM generate_series(0, 2) AS n LOOP
    name := 'audit_' || to_char(month, 'YYYYMM');
    IF to_regclass('wazo_auth.' || name) IS NULL THEN
      LOCK TABLE wazo_auth.audit_rest IN ACCESS EXCLUSIVE MODE;
      EXECUTE format('CREATE TABLE wazo_auth.%I (LIKE wazo_auth.audit INCLUDING ALL)', name);
      EXECUTE format('WITH late AS (DELETE FROM wazo_auth.audit_rest WHERE at >= %L AND at < %L RETURNING *)
                      INSERT INTO wazo_auth.%I SELECT * FROM late', month, month + interval '1 month', name);
      EXECUTE format('ALTER TABLE wazo_auth.audit ATTACH PARTITION wazo_auth.%I FOR VALUES FROM (%L) TO (%L)',
                     name, month, month + interval '1 month');
    END IF;
  END LOOP;
  FOR name IN
    SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'wazo_auth.audit'::regclass AND c.relname ~ '^audit_[0-9]{6}$'
      AND to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month' <= oldest
  LOOP
    EXECUTE format('DROP TABLE wazo_auth.%I', name);
  END LOOP;
  DELETE FROM wazo_auth.audit_rest WHERE at < oldest;
END
$$;

-- Arguments: kind; the columns of object_uuid and related_uuid; what it belongs to, if it has no tenant_uuid of its own:
-- user, group or policy; columns that may be shown; columns that play no role.
CREATE OR REPLACE FUNCTION wazo_auth.audited() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  names CONSTANT text[] := string_to_array(TG_ARGV[4], ' ');
  hidden CONSTANT text[] := string_to_array(TG_ARGV[5], ' ');
  who CONSTANT text[] := string_to_array(current_setting('wazo_auth.actor', true), ' ');
  actor text := nullif(who[1], '-');
  what text := CASE TG_OP WHEN 'INSERT' THEN 'created' WHEN 'UPDATE' THEN 'updated' ELSE 'deleted' END;
  old_line jsonb;
  new_line jsonb;
  line jsonb;
  rest jsonb;
  tenant text;
  owner text;
  access_text text;
BEGIN
  IF NOT EXISTS (SELECT FROM wazo_auth.audit_setting WHERE enabled) THEN
    RETURN OLD;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    old_line := to_jsonb(OLD);
    line := old_line;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    new_line := to_jsonb(NEW);
    line := new_line;
  END IF;
  tenant := line ->> CASE TG_ARGV[0] WHEN 'tenant' THEN 'uuid' ELSE 'tenant_uuid' END;

  IF TG_ARGV[0] = 'session' THEN
    IF TG_OP = 'DELETE' AND substring(line ->> 'expire_t' FROM '^[0-9]+$')::numeric
                            BETWEEN 1 AND extract(epoch FROM clock_timestamp()) THEN
      RETURN OLD;  -- it ended by itself, when its login said that it would
    END IF;
    tenant := substring(line ->> 'metadata' FROM '"tenant_uuid": ?"([^"]*)"');
    IF line ->> 'auth_id' <> 'wazo-auth' AND TG_OP <> 'UPDATE' THEN
      what := CASE TG_OP WHEN 'INSERT' THEN 'login' ELSE 'logout' END;
      -- Who logs in asks without a token, and who gives one up shows no other.
      IF cardinality(who) > 0 AND actor IS NULL THEN
        actor := line ->> 'auth_id';
      END IF;
    END IF;
  END IF;

  IF TG_ARGV[3] <> '' THEN
    owner := line ->> (TG_ARGV[3] || '_uuid');
    BEGIN
      IF TG_ARGV[3] = 'user' THEN
        SELECT u.tenant_uuid INTO tenant FROM public.auth_user AS u WHERE u.uuid = owner;
      ELSIF TG_ARGV[3] = 'group' THEN
        SELECT g.tenant_uuid INTO tenant FROM public.auth_group AS g WHERE g.uuid = owner;
      ELSE
        SELECT p.tenant_uuid INTO tenant FROM public.auth_policy AS p WHERE p.uuid = owner;
      END IF;
      IF TG_ARGV[0] = 'policy_access' THEN
        SELECT a.access INTO access_text FROM public.auth_access AS a WHERE a.id = (line ->> 'access_id')::bigint;
        old_line := old_line || jsonb_build_object('access', access_text);
        new_line := new_line || jsonb_build_object('access', access_text);
      END IF;
    EXCEPTION WHEN undefined_column OR undefined_table OR undefined_function OR datatype_mismatch
      OR invalid_text_representation THEN
      -- Nobody but the master tenant will see the entry.
      RAISE WARNING 'schema wazo_auth doesn''t fit the tables of wazo-auth any more: %', SQLERRM;
    END;
    IF tenant IS NULL THEN
      SELECT a.tenant_uuid INTO tenant FROM wazo_auth.audit AS a
      WHERE a.object_uuid = owner AND a.kind = TG_ARGV[3] AND a.action = 'deleted' AND a.at = now()
      LIMIT 1;
    END IF;
  END IF;

  line := coalesce(new_line, old_line);
  IF TG_OP = 'UPDATE' THEN
    SELECT jsonb_object_agg(m.key, CASE WHEN m.key = ANY (names) OR old_line -> m.key = 'null' THEN old_line -> m.key
                                        ELSE '"***"' END),
           jsonb_object_agg(m.key, CASE WHEN m.key = ANY (names) OR m.value = 'null' THEN m.value ELSE '"***"' END)
    INTO old_line, new_line
    FROM jsonb_each(new_line) AS m
    WHERE m.key <> ALL (hidden) AND m.value IS DISTINCT FROM old_line -> m.key;
    IF new_line IS NULL THEN
      RETURN OLD;  -- it changes nothing
    END IF;
  ELSE
    new_line := line - hidden;
    rest := jsonb_strip_nulls(new_line - names);
    IF rest <> '{}' THEN
      SELECT new_line || jsonb_object_agg(m.key, '***') INTO new_line FROM jsonb_each(rest) AS m;
    END IF;
    IF TG_OP = 'DELETE' THEN
      old_line := new_line;
      new_line := NULL;
    END IF;
  END IF;
  INSERT INTO wazo_auth.audit (action, kind, object_uuid, related_uuid, tenant_uuid,
                               actor_uuid, session_uuid, remote_addr, trace_id, before, after)
  VALUES (what, TG_ARGV[0], line ->> TG_ARGV[1], line ->> TG_ARGV[2], tenant,
          actor, nullif(who[2], '-'), nullif(who[3], '-'), nullif(who[4], '-'), old_line, new_line);
  RETURN OLD;
END
$$;

-- What went isn't told.
CREATE OR REPLACE FUNCTION wazo_auth.audited_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  who CONSTANT text[] := string_to_array(current_setting('wazo_auth.actor', true), ' ');
BEGIN
  INSERT INTO wazo_auth.audit (action, kind, actor_uuid, session_uuid, remote_addr, trace_id)
  SELECT 'truncated', TG_ARGV[0], nullif(who[1], '-'), nullif(who[2], '-'), nullif(who[3], '-'), nullif(who[4], '-')
  FROM wazo_auth.audit_setting WHERE enabled;
  RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION wazo_auth.audited(), wazo_auth.audited_truncate(), wazo_auth.keep_audit(bigint) FROM PUBLIC;
-- Statements of sql/queries use it, and who runs them need not own it. Others have no right to the schema.
GRANT EXECUTE ON FUNCTION wazo_auth.keep_audit(bigint) TO PUBLIC;

DO $$
BEGIN
  PERFORM wazo_auth.keep_audit(36500);
END
$$;

DROP TRIGGER IF EXISTS wazo_auth_audit_users ON public.auth_user;
CREATE TRIGGER wazo_auth_audit_users AFTER INSERT OR UPDATE ON public.auth_user
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'user', 'uuid', '', '',
    'uuid username firstname lastname enabled tenant_uuid purpose authentication_method',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_users_deleted ON public.auth_user;
CREATE TRIGGER wazo_auth_audit_users_deleted BEFORE DELETE ON public.auth_user
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'user', 'uuid', '', '',
    'uuid username firstname lastname enabled tenant_uuid purpose authentication_method',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_users_truncated ON public.auth_user;
CREATE TRIGGER wazo_auth_audit_users_truncated AFTER TRUNCATE ON public.auth_user
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('user');

DROP TRIGGER IF EXISTS wazo_auth_audit_emails ON public.auth_email;
CREATE TRIGGER wazo_auth_audit_emails AFTER INSERT OR UPDATE OR DELETE ON public.auth_email
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'email', 'uuid', 'user_uuid', 'user',
    'uuid address confirmed main user_uuid',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_emails_truncated ON public.auth_email;
CREATE TRIGGER wazo_auth_audit_emails_truncated AFTER TRUNCATE ON public.auth_email
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('email');

DROP TRIGGER IF EXISTS wazo_auth_audit_groups ON public.auth_group;
CREATE TRIGGER wazo_auth_audit_groups AFTER INSERT OR UPDATE ON public.auth_group
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'group', 'uuid', '', '',
    'uuid name tenant_uuid system_managed slug',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_groups_deleted ON public.auth_group;
CREATE TRIGGER wazo_auth_audit_groups_deleted BEFORE DELETE ON public.auth_group
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'group', 'uuid', '', '',
    'uuid name tenant_uuid system_managed slug',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_groups_truncated ON public.auth_group;
CREATE TRIGGER wazo_auth_audit_groups_truncated AFTER TRUNCATE ON public.auth_group
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('group');

DROP TRIGGER IF EXISTS wazo_auth_audit_group_users ON public.auth_user_group;
CREATE TRIGGER wazo_auth_audit_group_users AFTER INSERT OR UPDATE OR DELETE ON public.auth_user_group
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'group_user', 'group_uuid', 'user_uuid', 'group',
    'group_uuid user_uuid',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_group_users_truncated ON public.auth_user_group;
CREATE TRIGGER wazo_auth_audit_group_users_truncated AFTER TRUNCATE ON public.auth_user_group
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('group_user');

DROP TRIGGER IF EXISTS wazo_auth_audit_group_policies ON public.auth_group_policy;
CREATE TRIGGER wazo_auth_audit_group_policies AFTER INSERT OR UPDATE OR DELETE ON public.auth_group_policy
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'group_policy', 'group_uuid', 'policy_uuid', 'group',
    'group_uuid policy_uuid',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_group_policies_truncated ON public.auth_group_policy;
CREATE TRIGGER wazo_auth_audit_group_policies_truncated AFTER TRUNCATE ON public.auth_group_policy
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('group_policy');

DROP TRIGGER IF EXISTS wazo_auth_audit_user_policies ON public.auth_user_policy;
CREATE TRIGGER wazo_auth_audit_user_policies AFTER INSERT OR UPDATE OR DELETE ON public.auth_user_policy
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'user_policy', 'user_uuid', 'policy_uuid', 'user',
    'user_uuid policy_uuid',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_user_policies_truncated ON public.auth_user_policy;
CREATE TRIGGER wazo_auth_audit_user_policies_truncated AFTER TRUNCATE ON public.auth_user_policy
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('user_policy');

DROP TRIGGER IF EXISTS wazo_auth_audit_policies ON public.auth_policy;
CREATE TRIGGER wazo_auth_audit_policies AFTER INSERT OR UPDATE ON public.auth_policy
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'policy', 'uuid', '', '',
    'uuid name description tenant_uuid config_managed slug shared',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_policies_deleted ON public.auth_policy;
CREATE TRIGGER wazo_auth_audit_policies_deleted BEFORE DELETE ON public.auth_policy
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'policy', 'uuid', '', '',
    'uuid name description tenant_uuid config_managed slug shared',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_policies_truncated ON public.auth_policy;
CREATE TRIGGER wazo_auth_audit_policies_truncated AFTER TRUNCATE ON public.auth_policy
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('policy');

DROP TRIGGER IF EXISTS wazo_auth_audit_accesses ON public.auth_policy_access;
CREATE TRIGGER wazo_auth_audit_accesses AFTER INSERT OR UPDATE OR DELETE ON public.auth_policy_access
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'policy_access', 'policy_uuid', '', 'policy',
    'policy_uuid access',
    'access_id');

DROP TRIGGER IF EXISTS wazo_auth_audit_accesses_truncated ON public.auth_policy_access;
CREATE TRIGGER wazo_auth_audit_accesses_truncated AFTER TRUNCATE ON public.auth_policy_access
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('policy_access');

DROP TRIGGER IF EXISTS wazo_auth_audit_tenants ON public.auth_tenant;
CREATE TRIGGER wazo_auth_audit_tenants AFTER INSERT OR UPDATE OR DELETE ON public.auth_tenant
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'tenant', 'uuid', 'parent_uuid', '',
    'uuid name phone contact_uuid parent_uuid slug default_authentication_method',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_tenants_truncated ON public.auth_tenant;
CREATE TRIGGER wazo_auth_audit_tenants_truncated AFTER TRUNCATE ON public.auth_tenant
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('tenant');

DROP TRIGGER IF EXISTS wazo_auth_audit_domains ON public.auth_tenant_domain;
CREATE TRIGGER wazo_auth_audit_domains AFTER INSERT OR UPDATE OR DELETE ON public.auth_tenant_domain
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'domain', 'uuid', '', '',
    'uuid tenant_uuid name',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_domains_truncated ON public.auth_tenant_domain;
CREATE TRIGGER wazo_auth_audit_domains_truncated AFTER TRUNCATE ON public.auth_tenant_domain
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('domain');

DROP TRIGGER IF EXISTS wazo_auth_audit_addresses ON public.auth_address;
CREATE TRIGGER wazo_auth_audit_addresses AFTER INSERT OR UPDATE OR DELETE ON public.auth_address
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'address', 'tenant_uuid', '', '',
    'line_1 line_2 city state zip_code country tenant_uuid',
    'id');

DROP TRIGGER IF EXISTS wazo_auth_audit_addresses_truncated ON public.auth_address;
CREATE TRIGGER wazo_auth_audit_addresses_truncated AFTER TRUNCATE ON public.auth_address
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('address');

DROP TRIGGER IF EXISTS wazo_auth_audit_ldap ON public.auth_ldap_config;
CREATE TRIGGER wazo_auth_audit_ldap AFTER INSERT OR UPDATE OR DELETE ON public.auth_ldap_config
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'ldap_config', 'tenant_uuid', '', '',
    'tenant_uuid host port protocol_version protocol_security bind_dn user_base_dn user_login_attribute'
    ' user_email_attribute search_filters',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_ldap_truncated ON public.auth_ldap_config;
CREATE TRIGGER wazo_auth_audit_ldap_truncated AFTER TRUNCATE ON public.auth_ldap_config
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('ldap_config');

DROP TRIGGER IF EXISTS wazo_auth_audit_saml ON public.auth_saml_config;
CREATE TRIGGER wazo_auth_audit_saml AFTER INSERT OR UPDATE OR DELETE ON public.auth_saml_config
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'saml_config', 'tenant_uuid', 'domain_uuid', '',
    'tenant_uuid domain_uuid entity_id acs_url',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_saml_truncated ON public.auth_saml_config;
CREATE TRIGGER wazo_auth_audit_saml_truncated AFTER TRUNCATE ON public.auth_saml_config
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('saml_config');

DROP TRIGGER IF EXISTS wazo_auth_audit_external_types ON public.auth_external_auth_type;
CREATE TRIGGER wazo_auth_audit_external_types AFTER INSERT OR UPDATE OR DELETE ON public.auth_external_auth_type
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'external_type', 'uuid', '', '',
    'uuid name enabled',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_external_types_truncated ON public.auth_external_auth_type;
CREATE TRIGGER wazo_auth_audit_external_types_truncated AFTER TRUNCATE ON public.auth_external_auth_type
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('external_type');

DROP TRIGGER IF EXISTS wazo_auth_audit_external_configs ON public.auth_external_auth_config;
CREATE TRIGGER wazo_auth_audit_external_configs AFTER INSERT OR UPDATE OR DELETE ON public.auth_external_auth_config
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'external_config', 'type_uuid', '', '',
    'type_uuid tenant_uuid',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_external_configs_truncated ON public.auth_external_auth_config;
CREATE TRIGGER wazo_auth_audit_external_configs_truncated AFTER TRUNCATE ON public.auth_external_auth_config
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('external_config');

DROP TRIGGER IF EXISTS wazo_auth_audit_user_external ON public.auth_user_external_auth;
CREATE TRIGGER wazo_auth_audit_user_external AFTER INSERT OR UPDATE OR DELETE ON public.auth_user_external_auth
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'user_external', 'user_uuid', 'external_auth_type_uuid', 'user',
    'user_uuid external_auth_type_uuid',
    '');

DROP TRIGGER IF EXISTS wazo_auth_audit_user_external_truncated ON public.auth_user_external_auth;
CREATE TRIGGER wazo_auth_audit_user_external_truncated AFTER TRUNCATE ON public.auth_user_external_auth
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('user_external');

DROP TRIGGER IF EXISTS wazo_auth_audit_refresh_tokens ON public.auth_refresh_token;
CREATE TRIGGER wazo_auth_audit_refresh_tokens AFTER INSERT OR UPDATE OR DELETE ON public.auth_refresh_token
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'refresh_token', 'user_uuid', '', 'user',
    'client_id user_uuid backend login user_agent remote_addr created_at mobile',
    'uuid');

DROP TRIGGER IF EXISTS wazo_auth_audit_refresh_tokens_truncated ON public.auth_refresh_token;
CREATE TRIGGER wazo_auth_audit_refresh_tokens_truncated AFTER TRUNCATE ON public.auth_refresh_token
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('refresh_token');

DROP TRIGGER IF EXISTS wazo_auth_audit_tokens ON public.auth_token;
CREATE TRIGGER wazo_auth_audit_tokens AFTER INSERT OR UPDATE OR DELETE ON public.auth_token
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'session', 'session_uuid', 'auth_id', '',
    'auth_id session_uuid issued_t expire_t user_agent remote_addr',
    'uuid refresh_token_uuid pbx_user_uuid xivo_uuid');

DROP TRIGGER IF EXISTS wazo_auth_audit_tokens_truncated ON public.auth_token;
CREATE TRIGGER wazo_auth_audit_tokens_truncated AFTER TRUNCATE ON public.auth_token
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('session');

DROP TRIGGER IF EXISTS wazo_auth_audit_locks ON wazo_auth.lock;
CREATE TRIGGER wazo_auth_audit_locks AFTER INSERT OR UPDATE OR DELETE ON wazo_auth.lock
  FOR EACH ROW EXECUTE FUNCTION wazo_auth.audited(
    'lock', 'uuid', 'value', '',
    'uuid tenant_uuid kind value reason created_at ends_at',
    'prefix revoking refresh_token_uuid');

DROP TRIGGER IF EXISTS wazo_auth_audit_locks_truncated ON wazo_auth.lock;
CREATE TRIGGER wazo_auth_audit_locks_truncated AFTER TRUNCATE ON wazo_auth.lock
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.audited_truncate('lock');
