-- Each notification about tokens says when it was made, so that every nginx can tell how late it is. To the items of channel
-- wazo_auth_tokens comes the last one of each payload:
--   @<microseconds since 1970>              the database's clock, when the statement that tells of the tokens was run
-- Whoever doesn't know it skips it.

-- expiries: of the items, in the same order, never 0.
CREATE OR REPLACE FUNCTION wazo_auth.announce(items text[], expiries bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  part record;
  redis_is_used boolean;
  told_at text := ',@' || (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
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
    PERFORM pg_notify('wazo_auth_tokens', array_to_string(part.items, ',') || told_at);
    IF redis_is_used THEN
      INSERT INTO wazo_auth.outbox (target, expires_t, body)
      VALUES ('redis', part.expiry, jsonb_build_object('deaths', part.items));
    END IF;
  END LOOP;
  PERFORM wazo_auth.remember_killed(array_to_string(items, ','));
END
$$;
