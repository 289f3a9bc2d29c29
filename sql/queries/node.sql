-- What an nginx does for itself: the tree of tenants, its registration, what waits for Redis and RabbitMQ.

-- name: node.tenants
SELECT uuid, parent_uuid FROM auth_tenant

-- name: node.events_waiting
-- The target isn't a parameter, here and below: a plan that fits all of them looks for the few deaths of tokens among a
-- million events that wait for RabbitMQ.
SELECT id, routing_key, headers, body FROM wazo_auth.outbox
WHERE target = 'bus'
ORDER BY id
LIMIT 500

-- name: node.deaths_waiting
SELECT id, body FROM wazo_auth.outbox
WHERE target = 'redis'
ORDER BY id
LIMIT 500

-- name: node.outbox
-- How much waits for each target, in the order of Meters::Target, and for how many seconds the first of it; no more than
-- a hundred thousand are counted.
SELECT (SELECT count(*) FROM (SELECT 1 FROM wazo_auth.outbox AS o WHERE o.target = t.target LIMIT 100000) AS counted)
         AS waiting,
       coalesce((SELECT greatest(0, extract(epoch FROM clock_timestamp() - o.created_at)) FROM wazo_auth.outbox AS o
                 WHERE o.target = t.target ORDER BY o.id LIMIT 1), 0)::bigint AS oldest
FROM unnest(ARRAY['bus', 'redis', 'mail']) WITH ORDINALITY AS t (target, place)
ORDER BY t.place

-- name: node.drop_late
-- The next of the bus's events behind the id $1, of which those of sessions are dropped that are older than $2 seconds.
-- They are in the order of their age, more or less: the last one tells whether there may be more.
WITH next AS (SELECT id, headers ->> 'name' AS name, created_at < now() - $2::bigint * interval '1 second' AS late
              FROM wazo_auth.outbox
              WHERE target = 'bus' AND id > $1::bigint
              ORDER BY id
              LIMIT 5000),
     gone AS (DELETE FROM wazo_auth.outbox
              WHERE id IN (SELECT id FROM next
                           WHERE late AND (name LIKE 'auth\_session\_%' OR name LIKE 'auth\_refresh\_token\_%'))
              RETURNING id)
SELECT (SELECT count(*) FROM gone) AS dropped, (SELECT max(id) FROM next) AS last,
       (SELECT late FROM next ORDER BY id DESC LIMIT 1) AS more

-- name: node.done
DELETE FROM wazo_auth.outbox WHERE id = ANY ($1::bigint[])

-- name: node.refused
-- Of a mail nothing is kept but whose it was: there is a key in it.
WITH gone AS (DELETE FROM wazo_auth.outbox WHERE id = ANY ($1::bigint[]) RETURNING *)
INSERT INTO wazo_auth.dead_event (id, target, created_at, expires_t, routing_key, headers, body, reason)
SELECT id, target, created_at, expires_t, routing_key, headers, CASE WHEN target <> 'mail' THEN body END, $2
FROM gone
ON CONFLICT (id) DO NOTHING

-- name: node.prune
WITH dead AS (DELETE FROM wazo_auth.dead_event WHERE failed_at < now() - interval '30 days')
DELETE FROM wazo_auth.outbox WHERE target = 'redis' AND expires_t < extract(epoch FROM now())::bigint

-- name: node.life
-- Three numbers of 64 bits, the same for every nginx that asks: the database's life, that of what is in Redis, and which
-- Redis server has it. The database's changes whenever a token may have died unheard: a restore makes other triggers, who
-- switches them off and on writes their rows anew (xmin), and a copy of the server's files was started at another time.
-- An ordinary role may ask for all of that, without waiting for locks on tokens.
SELECT concat_ws(' ', hashtextextended(l.text, 0),
                 hashtextextended(concat_ws(' ', l.text, r.nonce, r.xmin, r.server), 0), coalesce(r.server, 0)) AS life
FROM (SELECT concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()),
                       (SELECT oid FROM pg_database WHERE datname = current_database()),
                       string_agg(concat_ws(' ', t.oid, t.tgrelid, t.xmin), ' ' ORDER BY t.oid)) AS text
      FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
      WHERE p.pronamespace = to_regnamespace('wazo_auth')) AS l
LEFT JOIN wazo_auth.redis_life AS r ON true

-- name: node.deaths_are_told
-- By the triggers of ours that tell of them: a table that a migration made anew has none.
SELECT count(*) = 3 AS told FROM pg_trigger
WHERE tgrelid = to_regclass('public.auth_token') AND tgenabled IN ('O', 'A')
  AND tgname IN ('wazo_auth_tokens_deleted', 'wazo_auth_tokens_updated', 'wazo_auth_tokens_truncated')

-- name: node.tables
-- A number that changes when a migration alters wazo-auth's tables, or makes others.
SELECT hashtextextended(concat_ws(' ',
         (SELECT string_agg(concat_ws(' ', a.attrelid, a.attnum, a.xmin), ' ' ORDER BY a.attrelid, a.attnum)
          FROM pg_attribute AS a WHERE a.attrelid = ANY (t.ids) AND a.attnum > 0),
         (SELECT string_agg(concat_ws(' ', c.oid, c.xmin), ' ' ORDER BY c.oid)
          FROM pg_constraint AS c WHERE c.conrelid = ANY (t.ids)),
         (SELECT string_agg(i.indexrelid::text, ' ' ORDER BY i.indexrelid)
          FROM pg_index AS i WHERE i.indrelid = ANY (t.ids)), t.names), 0) AS number
FROM (SELECT array_agg(oid) AS ids, string_agg(relname, ' ' ORDER BY relname) AS names
      FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname LIKE 'auth\_%') AS t

-- name: node.new_redis_life
-- Deaths are told to this server from now on.
INSERT INTO wazo_auth.redis_life (server) VALUES ($1)
ON CONFLICT (only_row) DO UPDATE SET nonce = excluded.nonce, server = excluded.server

-- name: node.lock
SELECT pg_try_advisory_lock(hashtext($1)) AS got

-- name: node.unlock
SELECT pg_advisory_unlock_all()
