-- Migrations of wazo-auth go on underneath. PostgreSQL alters no column that a trigger names, so none does; and whoever
-- deletes tokens, or a user, isn't stopped by a column that a trigger misses: then all nginx forget all tokens.

CREATE OR REPLACE FUNCTION wazo_auth.forget_all(reason text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE WARNING 'schema wazo_auth doesn''t fit the tables of wazo-auth any more: %', reason;
  UPDATE wazo_auth.redis_life SET nonce = gen_random_uuid();
  PERFORM pg_notify('wazo_auth_tokens', '*');
  PERFORM wazo_auth.remember_killed('*');
END
$$;

CREATE OR REPLACE FUNCTION wazo_auth.tokens_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  now_t bigint := extract(epoch FROM clock_timestamp());
  items text[];
  expiries bigint[];
BEGIN
  SELECT array_agg(hash || ':' || expiry
                   || CASE WHEN EXISTS (SELECT 1 FROM public.auth_session AS s WHERE s.uuid = death.session_uuid)
                           THEN '-' ELSE '' END
                   ORDER BY expiry),
         array_agg(CASE expiry WHEN 0 THEN now_t + 315360000 ELSE expiry END ORDER BY expiry)
  INTO items, expiries
  FROM (SELECT encode(sha256(convert_to(uuid, 'UTF8')), 'hex') AS hash, coalesce(expire_t, 0)::bigint AS expiry,
               session_uuid
        FROM gone) AS death
  WHERE expiry = 0 OR expiry > now_t - 60;
  IF items IS NOT NULL THEN
    PERFORM wazo_auth.announce(items, expiries);
  END IF;
  RETURN NULL;
EXCEPTION WHEN undefined_column OR undefined_table OR undefined_function OR datatype_mismatch THEN
  PERFORM wazo_auth.forget_all(SQLERRM);
  RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION wazo_auth.tokens_updated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  now_t bigint := extract(epoch FROM clock_timestamp());
  items text[];
  expiries bigint[];
BEGIN
  SELECT array_agg(mark || hash || ':' || expiry ORDER BY expiry),
         array_agg(CASE expiry WHEN 0 THEN now_t + 315360000 ELSE expiry END ORDER BY expiry)
  INTO items, expiries
  FROM (SELECT CASE WHEN n.uuid IS NULL THEN '' ELSE '~' END AS mark,
               encode(sha256(convert_to(o.uuid, 'UTF8')), 'hex') AS hash,
               CASE WHEN coalesce(o.expire_t, 0) = 0 OR (n.uuid IS NOT NULL AND coalesce(n.expire_t, 0) = 0) THEN 0
                    ELSE greatest(o.expire_t, n.expire_t) END::bigint AS expiry
        FROM old_rows AS o LEFT JOIN new_rows AS n ON n.uuid = o.uuid
        WHERE n.uuid IS NULL
           OR (n.acl, n.expire_t, n.auth_id, n.session_uuid, n.metadata)
              IS DISTINCT FROM (o.acl, o.expire_t, o.auth_id, o.session_uuid, o.metadata)) AS change
  WHERE expiry = 0 OR expiry > now_t - 60;
  IF items IS NOT NULL THEN
    PERFORM wazo_auth.announce(items, expiries);
  END IF;
  RETURN NULL;
EXCEPTION WHEN undefined_column OR undefined_table OR undefined_function OR datatype_mismatch THEN
  PERFORM wazo_auth.forget_all(SQLERRM);
  RETURN NULL;
END
$$;

-- The event is the one of events::session_deleted() in store/event.cpp.
CREATE OR REPLACE FUNCTION wazo_auth.users_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  WITH ended AS (
    DELETE FROM public.auth_session AS s
    USING gone AS u JOIN public.auth_token AS t ON t.auth_id = u.uuid
    WHERE s.uuid = t.session_uuid
    RETURNING s.uuid, s.tenant_uuid, u.uuid AS user_uuid
  ), event AS (
    SELECT *, 'auth.sessions.' || replace(replace(replace(uuid, '.', '__DOT__'), '#', '__HASH__'), '*', '__STAR__')
              || '.deleted' AS key
    FROM ended
    WHERE EXISTS (SELECT 1 FROM public.auth_tenant AS t WHERE t.uuid = ended.tenant_uuid)
  )
  INSERT INTO wazo_auth.outbox (target, routing_key, headers, body)
  SELECT 'bus', key,
         jsonb_build_object('name', 'auth_session_deleted', 'required_access', 'event.auth_session_deleted',
                            'required_acl', 'events.' || key, 'tenant_uuid', tenant_uuid,
                            'user_uuid:' || user_uuid, true, 'session_uuid', uuid),
         jsonb_build_object('uuid', uuid, 'user_uuid', user_uuid, 'tenant_uuid', tenant_uuid)
  FROM event;
  RETURN NULL;
EXCEPTION WHEN undefined_column OR undefined_table OR undefined_function OR datatype_mismatch THEN
  PERFORM wazo_auth.forget_all(SQLERRM);
  RETURN NULL;
END
$$;

-- What a tenant takes along may be locked where it is now. Who moves it ends that, or else the clean-up does.
CREATE OR REPLACE FUNCTION wazo_auth.tenants_moved() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT uuid, parent_uuid FROM fresh EXCEPT SELECT uuid, parent_uuid FROM gone) THEN
    RETURN NULL;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('wazo_auth.locks'));
  UPDATE wazo_auth.lock SET revoking = true
  WHERE NOT revoking AND (ends_at IS NULL OR ends_at > clock_timestamp());
  IF FOUND THEN
    PERFORM pg_notify('wazo_auth_locks', '');
  END IF;
  RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION wazo_auth.forget_all(text), wazo_auth.tokens_deleted(), wazo_auth.tokens_updated(),
  wazo_auth.users_deleted(), wazo_auth.tenants_moved() FROM PUBLIC;

DROP TRIGGER IF EXISTS wazo_auth_tenants_changed ON public.auth_tenant;
CREATE TRIGGER wazo_auth_tenants_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.auth_tenant
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.tell_channel('wazo_auth_tenants');

DROP TRIGGER IF EXISTS wazo_auth_tenants_moved ON public.auth_tenant;
CREATE TRIGGER wazo_auth_tenants_moved AFTER UPDATE ON public.auth_tenant
  REFERENCING OLD TABLE AS gone NEW TABLE AS fresh
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.tenants_moved();
