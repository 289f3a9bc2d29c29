-- A notice tells whether the token alone was deleted, by somebody who has it, or its session ended. An upgraded connection
-- of a token that was given up goes on with the same client's next one; that of an ended session doesn't
-- (docs/ARCHITECTURE.md, "Upgraded connections"). Channel wazo_auth_tokens has one item more:
--   <sha256 of the token, hex>:<expire_t>-   the token died, and its session was still there
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
END
$$;
REVOKE ALL ON FUNCTION wazo_auth.tokens_deleted() FROM PUBLIC;
