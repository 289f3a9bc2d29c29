-- Locks: docs/locks.md. Whoever makes a token of what is locked is refused, this server, the Python daemon and SQL alike.
--
-- A lock is made under the advisory lock 'wazo_auth.locks', taken exclusively; who makes tokens holds it shared until the
-- end of the transaction. So a token is either committed when the lock ends what it finds, or it is made by somebody who
-- sees the lock. What it finds are the rows of wazo_auth.ended_session, made in the lock's own transaction: whose session
-- is there is dead, whatever becomes of the lock. The clean-up deletes the sessions, and then these rows.
--
-- Channel wazo_auth_locks carries no payload: the list of addresses has to be read again, and the clean-up has work.
CREATE TABLE IF NOT EXISTS wazo_auth.lock (
  uuid text PRIMARY KEY DEFAULT gen_random_uuid()::text,
  tenant_uuid text NOT NULL,  -- whose lock it is: it counts in this tenant and below
  kind text NOT NULL CHECK (kind IN ('user', 'tenant', 'client', 'session', 'address')),
  value text NOT NULL,
  prefix cidr CHECK ((prefix IS NOT NULL) = (kind = 'address')),
  refresh_token_uuid text,    -- of a session: what else it would be opened by
  reason text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  ends_at timestamptz,        -- NULL: when it is removed
  revoking boolean NOT NULL,  -- there may be sessions that it has to end: a tenant was moved
  UNIQUE (tenant_uuid, kind, value)
);
CREATE INDEX IF NOT EXISTS lock_kind_value ON wazo_auth.lock (kind, value);
CREATE INDEX IF NOT EXISTS lock_refresh_token ON wazo_auth.lock (refresh_token_uuid) WHERE refresh_token_uuid IS NOT NULL;

CREATE TABLE IF NOT EXISTS wazo_auth.ended_session (session_uuid text PRIMARY KEY);

-- How often locks have changed: of two lists of addresses the one with the higher number is the newer one.
CREATE TABLE IF NOT EXISTS wazo_auth.lock_generation (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  generation bigint NOT NULL
);
INSERT INTO wazo_auth.lock_generation (generation) VALUES (1) ON CONFLICT DO NOTHING;

-- The address of a login, as it was stored; NULL for what is none. IPv4 inside of IPv6 is IPv4. Whoever catches exceptions
-- can't run in a parallel plan.
CREATE OR REPLACE FUNCTION wazo_auth.address(stored text) RETURNS inet
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF stored IS NULL OR stored !~ '^[0-9a-fA-F:.]+$' THEN
    RETURN NULL;
  END IF;
  RETURN regexp_replace(stored, '^::ffff:(\d+\.\d+\.\d+\.\d+)$', '\1', 'i')::inet;
EXCEPTION WHEN data_exception THEN
  RETURN NULL;
END
$$;

-- The lock by which such a token is refused, for the log; NULL for none.
CREATE OR REPLACE FUNCTION wazo_auth.find_lock(auth_id text, session_uuid text, tenant_uuid text,
                                               refresh_token_uuid text, remote_addr text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH RECURSIVE line AS (
    SELECT t.uuid, t.parent_uuid FROM public.auth_tenant AS t WHERE t.uuid = $3
    UNION
    SELECT t.uuid, t.parent_uuid FROM public.auth_tenant AS t JOIN line ON t.uuid = line.parent_uuid
  )
  SELECT l.kind || ' ' || l.value
  FROM (
    SELECT * FROM wazo_auth.lock WHERE kind = 'user' AND value = $1
    UNION ALL
    SELECT * FROM wazo_auth.lock WHERE kind = 'tenant' AND value IN (SELECT line.uuid FROM line)
    UNION ALL
    SELECT * FROM wazo_auth.lock
    WHERE kind = 'client' AND value = (SELECT r.client_id FROM public.auth_refresh_token AS r WHERE r.uuid = $4)
    UNION ALL
    SELECT * FROM wazo_auth.lock WHERE kind = 'session' AND value = $2
    UNION ALL
    SELECT * FROM wazo_auth.lock AS s WHERE s.refresh_token_uuid = $4
    UNION ALL
    SELECT * FROM wazo_auth.lock WHERE kind = 'address' AND prefix >>= wazo_auth.address($5)
  ) AS l
  WHERE (l.ends_at IS NULL OR l.ends_at > clock_timestamp()) AND l.tenant_uuid IN (SELECT line.uuid FROM line)
  LIMIT 1
$$;

-- Tokens of mails belong to nobody: their auth_id is 'wazo-auth'.
CREATE OR REPLACE FUNCTION wazo_auth.tokens_made() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found_lock text;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtext('wazo_auth.locks'));
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    -- An old snapshot doesn't show new locks: a serialization failure, if there are any.
    PERFORM 1 FROM wazo_auth.lock_generation FOR SHARE;
  END IF;
  IF NOT EXISTS (SELECT 1 FROM wazo_auth.lock) THEN
    RETURN NULL;
  END IF;
  SELECT found.lock INTO found_lock
  FROM fresh AS t
  JOIN public.auth_session AS s ON s.uuid = t.session_uuid
  CROSS JOIN LATERAL (
    SELECT wazo_auth.find_lock(t.auth_id, t.session_uuid, s.tenant_uuid, t.refresh_token_uuid, t.remote_addr) AS lock
  ) AS found
  WHERE t.auth_id <> 'wazo-auth' AND found.lock IS NOT NULL
  LIMIT 1;
  IF found_lock IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'WZ001', MESSAGE = 'locked: ' || found_lock;
  END IF;
  RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION wazo_auth.locks_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE wazo_auth.lock_generation SET generation = generation + 1;
  PERFORM pg_notify('wazo_auth_locks', '');
  RETURN NULL;
END
$$;

-- Ten times what it was: a lock ends what is there in one transaction, and the server that makes it should know each token.
CREATE OR REPLACE FUNCTION wazo_auth.remember_killed(items text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  killed text := concat_ws(',', nullif(current_setting('wazo_auth.killed', true), ''), items);
BEGIN
  IF octet_length(killed) > 10000000 OR killed LIKE '*,%' THEN
    killed := '*';
  END IF;
  PERFORM set_config('wazo_auth.killed', killed, true);
END
$$;

-- What a tenant takes along may be locked where it is now. Who moves it ends that, or else the clean-up does.
CREATE OR REPLACE FUNCTION wazo_auth.tenants_moved() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('wazo_auth.locks'));
  UPDATE wazo_auth.lock SET revoking = true
  WHERE NOT revoking AND (ends_at IS NULL OR ends_at > clock_timestamp());
  IF FOUND THEN
    PERFORM pg_notify('wazo_auth_locks', '');
  END IF;
  RETURN NULL;
END
$$;

-- For everybody who listens the tokens die here, not when their rows go.
CREATE OR REPLACE FUNCTION wazo_auth.sessions_ended() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  now_t bigint := extract(epoch FROM clock_timestamp());
  items text[];
  expiries bigint[];
BEGIN
  SELECT array_agg(hash || ':' || expiry ORDER BY expiry),
         array_agg(CASE expiry WHEN 0 THEN now_t + 315360000 ELSE expiry END ORDER BY expiry)
  INTO items, expiries
  FROM (SELECT encode(sha256(convert_to(t.uuid, 'UTF8')), 'hex') AS hash, coalesce(t.expire_t, 0)::bigint AS expiry
        FROM fresh JOIN public.auth_token AS t ON t.session_uuid = fresh.session_uuid) AS death
  WHERE expiry = 0 OR expiry > now_t - 60;
  IF items IS NOT NULL THEN
    PERFORM wazo_auth.announce(items, expiries);
  END IF;
  PERFORM pg_notify('wazo_auth_locks', '');
  RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION wazo_auth.find_lock(text, text, text, text, text), wazo_auth.tokens_made(),
  wazo_auth.locks_changed(), wazo_auth.remember_killed(text), wazo_auth.tenants_moved(), wazo_auth.sessions_ended()
  FROM PUBLIC;
-- Statements of sql/queries use it, and who runs them need not own it. It tells nothing.
GRANT EXECUTE ON FUNCTION wazo_auth.address(text) TO PUBLIC;

DROP TRIGGER IF EXISTS wazo_auth_tokens_made ON public.auth_token;
CREATE TRIGGER wazo_auth_tokens_made AFTER INSERT ON public.auth_token
  REFERENCING NEW TABLE AS fresh
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.tokens_made();

DROP TRIGGER IF EXISTS wazo_auth_tenants_moved ON public.auth_tenant;
CREATE TRIGGER wazo_auth_tenants_moved AFTER UPDATE OF parent_uuid ON public.auth_tenant
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.tenants_moved();

DROP TRIGGER IF EXISTS wazo_auth_sessions_ended ON wazo_auth.ended_session;
CREATE TRIGGER wazo_auth_sessions_ended AFTER INSERT ON wazo_auth.ended_session
  REFERENCING NEW TABLE AS fresh
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.sessions_ended();

DROP TRIGGER IF EXISTS wazo_auth_locks_changed ON wazo_auth.lock;
CREATE TRIGGER wazo_auth_locks_changed AFTER INSERT OR DELETE OR UPDATE OF ends_at, prefix, tenant_uuid ON wazo_auth.lock
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.locks_changed();
