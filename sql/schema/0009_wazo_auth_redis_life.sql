-- The stored part of the life that keys in Redis name; node.life in sql/queries adds what no dump can carry along. Another
-- nonce makes everything in Redis unreadable. The relay that tells Redis of deaths makes the row, and names its server.
CREATE TABLE IF NOT EXISTS wazo_auth.redis_life (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  nonce uuid NOT NULL DEFAULT gen_random_uuid(),
  server bigint NOT NULL  -- a hash: which Redis server, and which database there
);

CREATE OR REPLACE FUNCTION wazo_auth.tokens_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE wazo_auth.redis_life SET nonce = gen_random_uuid();
  PERFORM pg_notify('wazo_auth_tokens', '*');
  PERFORM wazo_auth.remember_killed('*');
  RETURN NULL;
END
$$;

-- An nginx of before reads and writes other keys. Hearing this it stops doing so, and can't begin again without the table.
DROP TABLE IF EXISTS wazo_auth.redis_generation;
NOTIFY wazo_auth_tokens, '*';
