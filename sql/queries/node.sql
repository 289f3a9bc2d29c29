-- What an nginx does for itself: the tree of tenants, its registration, what waits for Redis and RabbitMQ.

-- name: node.tenants
SELECT uuid, parent_uuid FROM auth_tenant

-- name: node.waiting
SELECT id, routing_key, headers, body FROM wazo_auth.outbox
WHERE target = $1
ORDER BY id
LIMIT 500

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

-- name: node.lock
SELECT pg_try_advisory_lock(hashtext($1)) AS got

-- name: node.unlock
SELECT pg_advisory_unlock_all()

-- name: node.still_locked
SELECT EXISTS (SELECT 1 FROM pg_locks
               WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted) AS mine
