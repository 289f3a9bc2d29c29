-- The audit log: docs/audit.md.

-- name: audit.enable
UPDATE wazo_auth.audit_setting SET enabled = $1::boolean WHERE enabled <> $1::boolean

-- name: audit.keep
SELECT wazo_auth.keep_audit($1)

-- name: audit.failed_login
-- At most 100 rows a minute, and one for all others: whoever makes up logins fills no disk.
WITH minute AS (SELECT date_trunc('minute', now()) AS start),
     known AS (
       SELECT (SELECT count(*) FROM wazo_auth.failed_login f WHERE f.minute = m.start) < 100
              OR EXISTS (SELECT 1 FROM wazo_auth.failed_login f
                         WHERE f.minute = m.start AND f.remote_addr = $1::text AND f.login = $2::text) AS by_name
       FROM minute m
     )
INSERT INTO wazo_auth.failed_login AS f (minute, remote_addr, login, count)
SELECT m.start, CASE WHEN k.by_name THEN $1::text ELSE '' END, CASE WHEN k.by_name THEN $2::text ELSE '' END, 1
FROM minute m CROSS JOIN known k
ON CONFLICT (minute, remote_addr, login) DO UPDATE SET count = f.count + 1

-- name: audit.settle_failed_logins
-- Of the minutes that are over. An entry belongs to the tenant of whoever has the login.
WITH over AS (
  DELETE FROM wazo_auth.failed_login f WHERE f.minute < date_trunc('minute', now())
  RETURNING f.minute, f.remote_addr, f.login, f.count
)
INSERT INTO wazo_auth.audit (action, kind, object_uuid, tenant_uuid, remote_addr, after)
SELECT 'login_failed', 'login', u.uuid, u.tenant_uuid, nullif(o.remote_addr, ''),
       jsonb_build_object('minute', to_char(o.minute AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'),
                          'login', nullif(o.login, ''), 'count', o.count)
FROM over o
LEFT JOIN LATERAL (
  SELECT n.uuid, n.tenant_uuid FROM auth_user n WHERE lower(n.username) = lower(o.login)
  UNION ALL
  SELECT n.uuid, n.tenant_uuid FROM auth_email e JOIN auth_user n ON n.uuid = e.user_uuid
  WHERE lower(e.address) = lower(o.login)
  LIMIT 1
) AS u ON true

-- name: audit.entry(a)
jsonb_build_object(
  'id', {a}.id, 'at', to_char({a}.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
  'action', {a}.action, 'kind', {a}.kind, 'object_uuid', {a}.object_uuid, 'related_uuid', {a}.related_uuid,
  'tenant_uuid', {a}.tenant_uuid, 'actor_uuid', {a}.actor_uuid, 'session_uuid', {a}.session_uuid,
  'remote_addr', {a}.remote_addr, 'trace_id', {a}.trace_id, 'before', {a}.before, 'after', {a}.after)

-- name: audit.wanted(a)
-- $1 is the tenant, $2 and $3 where the last page ended.
($2::text IS NULL OR ({a}.xact, {a}.id) < ($2::text::xid8, $3::bigint))
AND ($4::text IS NULL OR {a}.actor_uuid = $4::text)
AND ($5::text IS NULL OR {a}.kind = $5::text)
AND ($6::text IS NULL OR {a}.object_uuid = $6::text OR {a}.related_uuid = $6::text)
AND ($7::text IS NULL OR {a}.action = $7::text)
AND ($8::bigint IS NULL OR {a}.at >= to_timestamp($8::bigint))
AND ($9::bigint IS NULL OR {a}.at < to_timestamp($9::bigint))

-- name: audit.of_tenant
SELECT a.xact, a.id, {audit.entry(a)} AS entry
FROM wazo_auth.audit a
WHERE a.tenant_uuid = $1::text AND {audit.wanted(a)}
ORDER BY a.xact DESC, a.id DESC
LIMIT $10::bigint

-- name: audit.of_subtree
SELECT a.xact, a.id, {audit.entry(a)} AS entry
FROM wazo_auth.audit a
WHERE a.tenant_uuid = ANY (ARRAY (WITH RECURSIVE {tree.subtree($1, true)} SELECT uuid FROM subtree)) AND {audit.wanted(a)}
ORDER BY a.xact DESC, a.id DESC
LIMIT $10::bigint

-- name: audit.of_all
-- Also of tenants that are gone, and what belongs to none.
SELECT a.xact, a.id, {audit.entry(a)} AS entry
FROM wazo_auth.audit a
WHERE $1::text IS NOT NULL AND {audit.wanted(a)}
ORDER BY a.xact DESC, a.id DESC
LIMIT $10::bigint

-- name: audit.renumber
-- In another cluster of PostgreSQL, restored from a dump say, transactions have smaller numbers: all is written again.
WITH strange AS (
  UPDATE wazo_auth.audit SET xact = pg_current_xact_id()
  WHERE xact > pg_snapshot_xmax(pg_current_snapshot())
  RETURNING 1
)
UPDATE wazo_auth.audit_cursor SET xact = '0', id = 0
WHERE xact > pg_snapshot_xmax(pg_current_snapshot()) OR EXISTS (SELECT 1 FROM strange)

-- name: audit.cursor
SELECT xact, id FROM wazo_auth.audit_cursor

-- name: audit.waiting
-- Of transactions that nobody can commit any more between those that are written.
SELECT a.xact, a.id, {audit.entry(a)} AS entry
FROM wazo_auth.audit a
WHERE (a.xact, a.id) > ($1::text::xid8, $2::bigint) AND a.xact < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY a.xact, a.id
LIMIT 500

-- name: audit.written
UPDATE wazo_auth.audit_cursor SET xact = $1::text::xid8, id = $2::bigint
