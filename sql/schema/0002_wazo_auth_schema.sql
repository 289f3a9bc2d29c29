-- What is ours beside wazo-auth's tables: schema wazo_auth. detach.sql takes all of it away again.
-- An administrator may have made the schema for a role that may not make one.
DO $$
BEGIN
  IF to_regnamespace('wazo_auth') IS NULL THEN
    CREATE SCHEMA wazo_auth;
  END IF;
END
$$;

CREATE TABLE wazo_auth.migration (
  name text PRIMARY KEY,
  applied_at timestamptz NOT NULL DEFAULT now()
);

-- What a transaction has to tell others, until it was told. 'bus': body is the event's data, headers the envelope's.
-- 'redis': body is {"deaths": [...]}, items as in the notifications of 0003; expires_t is the last expiry of them.
CREATE TABLE wazo_auth.outbox (
  id bigserial PRIMARY KEY,
  target text NOT NULL CHECK (target IN ('bus', 'redis', 'mail')),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_t bigint,
  routing_key text,
  headers jsonb,
  body jsonb
);
CREATE INDEX outbox_target_id ON wazo_auth.outbox (target, id);

-- Events that the broker refused for good.
CREATE TABLE wazo_auth.dead_event (
  id bigint PRIMARY KEY,
  target text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_t bigint,
  routing_key text,
  headers jsonb,
  body jsonb,
  reason text NOT NULL,
  failed_at timestamptz NOT NULL DEFAULT now()
);

-- The nginx that run now; each renews its row.
CREATE TABLE wazo_auth.node (
  id text PRIMARY KEY,
  redis boolean NOT NULL,
  last_seen timestamptz NOT NULL DEFAULT now()
);

-- Part of the keys in Redis: raising it makes everything there unreadable.
CREATE TABLE wazo_auth.redis_generation (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  generation bigint NOT NULL
);
INSERT INTO wazo_auth.redis_generation (generation) VALUES (1);
