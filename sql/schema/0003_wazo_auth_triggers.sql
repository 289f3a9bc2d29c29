-- Whoever deletes or changes a token, all nginx hear of it: docs/ARCHITECTURE.md, "Revocation".
--
-- Channel wazo_auth_tokens: items joined by commas, each payload below 7,000 bytes (PostgreSQL's limit is 8,000).
--   <sha256 of the token, hex>:<expire_t>   the token died; 0: it would never have expired
--   ~<sha256>:<expire_t>                    the token lives on with other facts; expire_t is the later of old and new
--   *                                       anything may have happened: forget all tokens
-- The same items stand, in the transaction that caused them, in the setting wazo_auth.killed.
-- Channels wazo_auth_tenants (the tree changed) and wazo_auth_outbox (there are new rows) carry no payload.
--
-- Functions run as their owner, with a fixed search_path: whoever may delete a token needs no right on our schema.

CREATE OR REPLACE FUNCTION wazo_auth.remember_killed(items text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  killed text := concat_ws(',', nullif(current_setting('wazo_auth.killed', true), ''), items);
BEGIN
  IF octet_length(killed) > 1000000 OR killed LIKE '*,%' THEN
    killed := '*';
  END IF;
  PERFORM set_config('wazo_auth.killed', killed, true);
END
$$;

-- expiries: of the items, in the same order, never 0.
CREATE OR REPLACE FUNCTION wazo_auth.announce(items text[], expiries bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  part record;
  redis_is_used boolean;
BEGIN
  -- A node that begins to use Redis first registers, then waits for all transactions that run: so whoever didn't see
  -- its registration has committed by then. A transaction with an old snapshot can't see it, however late it asks.
  redis_is_used := current_setting('transaction_isolation') <> 'read committed' OR EXISTS (
    SELECT 1 FROM wazo_auth.node WHERE redis AND last_seen > clock_timestamp() - interval '60 seconds');
  FOR part IN
    SELECT array_agg(item ORDER BY n) AS items, max(expiry) AS expiry
    FROM unnest(items, expiries) WITH ORDINALITY AS i (item, expiry, n)
    GROUP BY (n - 1) / 85  -- an item has at most 78 bytes, its comma included
    ORDER BY (n - 1) / 85
  LOOP
    PERFORM pg_notify('wazo_auth_tokens', array_to_string(part.items, ','));
    IF redis_is_used THEN
      INSERT INTO wazo_auth.outbox (target, expires_t, body)
      VALUES ('redis', part.expiry, jsonb_build_object('deaths', part.items));
    END IF;
  END LOOP;
  PERFORM wazo_auth.remember_killed(array_to_string(items, ','));
END
$$;

-- Tokens that are dead for more than 60 s anyway aren't worth telling: the clean-up deletes thousands of them.
CREATE OR REPLACE FUNCTION wazo_auth.tokens_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  now_t bigint := extract(epoch FROM clock_timestamp());
  items text[];
  expiries bigint[];
BEGIN
  SELECT array_agg(hash || ':' || expiry ORDER BY expiry),
         array_agg(CASE expiry WHEN 0 THEN now_t + 315360000 ELSE expiry END ORDER BY expiry)
  INTO items, expiries
  FROM (SELECT encode(sha256(convert_to(uuid, 'UTF8')), 'hex') AS hash, coalesce(expire_t, 0)::bigint AS expiry
        FROM gone) AS death
  WHERE expiry = 0 OR expiry > now_t - 60;
  IF items IS NOT NULL THEN
    PERFORM wazo_auth.announce(items, expiries);
  END IF;
  RETURN NULL;
END
$$;

-- A token whose uuid was changed died under the old one.
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
END
$$;

CREATE OR REPLACE FUNCTION wazo_auth.tokens_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE wazo_auth.redis_generation SET generation = generation + 1;
  PERFORM pg_notify('wazo_auth_tokens', '*');
  PERFORM wazo_auth.remember_killed('*');
  RETURN NULL;
END
$$;

-- auth_token.auth_id has no foreign key: without this the tokens of a deleted user live on.
CREATE OR REPLACE FUNCTION wazo_auth.users_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM public.auth_session
  WHERE uuid IN (SELECT t.session_uuid FROM gone AS u JOIN public.auth_token AS t ON t.auth_id = u.uuid);
  RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION wazo_auth.tell_channel() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_notify(TG_ARGV[0], '');
  RETURN NULL;
END
$$;

-- Each by its name: those of pg_trgm, which may be in our schema, aren't ours.
REVOKE ALL ON FUNCTION wazo_auth.remember_killed(text), wazo_auth.announce(text[], bigint[]), wazo_auth.tokens_deleted(),
  wazo_auth.tokens_updated(), wazo_auth.tokens_truncated(), wazo_auth.users_deleted(), wazo_auth.tell_channel() FROM PUBLIC;

DROP TRIGGER IF EXISTS wazo_auth_tokens_deleted ON public.auth_token;
CREATE TRIGGER wazo_auth_tokens_deleted AFTER DELETE ON public.auth_token
  REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.tokens_deleted();

DROP TRIGGER IF EXISTS wazo_auth_tokens_updated ON public.auth_token;
CREATE TRIGGER wazo_auth_tokens_updated AFTER UPDATE ON public.auth_token
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.tokens_updated();

DROP TRIGGER IF EXISTS wazo_auth_tokens_truncated ON public.auth_token;
CREATE TRIGGER wazo_auth_tokens_truncated AFTER TRUNCATE ON public.auth_token
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.tokens_truncated();

DROP TRIGGER IF EXISTS wazo_auth_users_deleted ON public.auth_user;
CREATE TRIGGER wazo_auth_users_deleted AFTER DELETE ON public.auth_user
  REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.users_deleted();

DROP TRIGGER IF EXISTS wazo_auth_tenants_changed ON public.auth_tenant;
CREATE TRIGGER wazo_auth_tenants_changed
  AFTER INSERT OR UPDATE OF parent_uuid OR DELETE OR TRUNCATE ON public.auth_tenant
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.tell_channel('wazo_auth_tenants');

DROP TRIGGER IF EXISTS wazo_auth_outbox_filled ON wazo_auth.outbox;
CREATE TRIGGER wazo_auth_outbox_filled AFTER INSERT ON wazo_auth.outbox
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.tell_channel('wazo_auth_outbox');
