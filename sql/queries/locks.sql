-- Locks: docs/locks.md. One that has ended counts for nothing; the clean-up deletes its row.

-- name: locks.live(lock)
({lock}.ends_at IS NULL OR {lock}.ends_at > clock_timestamp())

-- name: locks.columns(lock)
{lock}.uuid, {lock}.kind, {lock}.value, {lock}.tenant_uuid, {lock}.reason,
to_char({lock}.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"') AS created_at,
to_char({lock}.ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"') AS ends_at

-- name: locks.hold
-- Before any change of locks: nobody makes tokens meanwhile, and changes come one after the other.
SELECT pg_advisory_xact_lock(hashtext('wazo_auth.locks'))

-- name: locks.target_visible
-- Is what a lock of tenant $3 names in this tenant or below it? Who may come at any time need not be there.
SELECT CASE $1::text
         WHEN 'user' THEN EXISTS (SELECT 1 FROM auth_user u WHERE u.uuid = $2::text AND {tree.within(u.tenant_uuid, $3)})
         WHEN 'tenant' THEN EXISTS (SELECT 1 FROM auth_tenant t WHERE t.uuid = $2::text AND {tree.within(t.uuid, $3)})
         WHEN 'session' THEN EXISTS (SELECT 1 FROM auth_session s
                                     WHERE s.uuid = $2::text AND {tree.within(s.tenant_uuid, $3)})
         ELSE true
       END AS visible

-- name: locks.count_addresses
SELECT count(*) AS all, count(*) FILTER (WHERE l.tenant_uuid = $1::text) AS own
FROM wazo_auth.lock l WHERE l.kind = 'address' AND {locks.live(l)}

-- name: locks.get
SELECT {locks.columns(l)} FROM wazo_auth.lock l
WHERE l.tenant_uuid = $1::text AND l.kind = $2 AND l.value = $3 AND {locks.live(l)}

-- name: locks.list
SELECT {locks.columns(l)} FROM wazo_auth.lock l WHERE l.tenant_uuid = $1::text AND {locks.live(l)} ORDER BY l.kind, l.value

-- name: locks.place
INSERT INTO wazo_auth.lock AS l (tenant_uuid, kind, value, prefix, refresh_token_uuid, reason, ends_at, revoking)
VALUES ($1, $2, $3, CASE $2::text WHEN 'address' THEN $3::text::cidr END,
        CASE $2::text WHEN 'session' THEN (SELECT t.refresh_token_uuid FROM auth_token t
                                           WHERE t.session_uuid = $3::text AND t.refresh_token_uuid IS NOT NULL
                                           LIMIT 1) END,
        $4, to_timestamp($5::bigint), true)
ON CONFLICT (tenant_uuid, kind, value)
DO UPDATE SET reason = excluded.reason, ends_at = excluded.ends_at, revoking = true

-- name: locks.delete
DELETE FROM wazo_auth.lock l
WHERE l.tenant_uuid = $1::text AND l.kind = $2 AND l.value = $3 AND {locks.live(l)}
RETURNING {locks.columns(l)}

-- name: locks.delete_ended
-- Also those of tenants that are gone. $1, $2, $3: NULL for all, else one of them.
DELETE FROM wazo_auth.lock l
WHERE (NOT {locks.live(l)} OR NOT EXISTS (SELECT 1 FROM auth_tenant t WHERE t.uuid = l.tenant_uuid))
  AND ($1::text IS NULL OR (l.tenant_uuid = $1 AND l.kind = $2::text AND l.value = $3::text))
RETURNING {locks.columns(l)}

-- name: locks.work
-- What a clean-up has to do.
SELECT EXISTS (SELECT 1 FROM wazo_auth.lock l
               WHERE NOT {locks.live(l)} OR NOT EXISTS (SELECT 1 FROM auth_tenant t WHERE t.uuid = l.tenant_uuid)) AS ended,
       EXISTS (SELECT 1 FROM wazo_auth.lock l WHERE l.revoking AND {locks.live(l)}) AS moved,
       EXISTS (SELECT 1 FROM wazo_auth.ended_session) AS dead

-- name: locks.ended_by(tenant, kind, value)
-- Sessions that such a lock ends, some more than once; `subtree` is what is in its tenant.
SELECT t.session_uuid
FROM auth_token t JOIN auth_session s ON s.uuid = t.session_uuid
WHERE {kind}::text = 'user' AND t.auth_id = {value}::text AND s.tenant_uuid IN (SELECT uuid FROM subtree)
UNION ALL
SELECT s.uuid
FROM auth_session s
WHERE {kind}::text = 'tenant' AND s.tenant_uuid IN (SELECT uuid FROM subtree)
  AND s.tenant_uuid IN (WITH RECURSIVE {tree.subtree({value}::text, true)} SELECT uuid FROM subtree)
  AND EXISTS (SELECT 1 FROM auth_token t WHERE t.session_uuid = s.uuid AND t.auth_id <> 'wazo-auth')
UNION ALL
SELECT t.session_uuid
FROM auth_refresh_token r JOIN auth_token t ON t.refresh_token_uuid = r.uuid
JOIN auth_session s ON s.uuid = t.session_uuid
WHERE {kind}::text = 'client' AND r.client_id = {value}::text AND s.tenant_uuid IN (SELECT uuid FROM subtree)
UNION ALL
SELECT s.uuid FROM auth_session s
WHERE {kind}::text = 'session' AND s.uuid = {value}::text AND s.tenant_uuid IN (SELECT uuid FROM subtree)
UNION ALL
SELECT t.session_uuid
FROM wazo_auth.lock l JOIN auth_token t USING (refresh_token_uuid)
WHERE {kind}::text = 'session' AND l.tenant_uuid = {tenant}::text AND l.kind = {kind}::text AND l.value = {value}::text
UNION ALL
SELECT t.session_uuid
FROM auth_token t JOIN auth_session s ON s.uuid = t.session_uuid
WHERE {kind}::text = 'address' AND t.auth_id <> 'wazo-auth' AND s.tenant_uuid IN (SELECT uuid FROM subtree)
  AND t.remote_addr IN (SELECT a.remote_addr FROM (SELECT DISTINCT remote_addr FROM auth_token) AS a
                        WHERE wazo_auth.address(a.remote_addr)
                              <<= CASE {kind}::text WHEN 'address' THEN {value}::text::cidr END)

-- name: locks.ends_session
-- Would it end the session $4?
WITH RECURSIVE {tree.subtree($1, true)}
SELECT EXISTS (SELECT 1 FROM ({locks.ended_by($1, $2, $3)}) AS ended WHERE ended.session_uuid = $4::text) AS yes

-- name: locks.end_sessions
-- All that it ends: they are dead from now on. A trigger tells of their tokens.
WITH RECURSIVE {tree.subtree($1, true)}
INSERT INTO wazo_auth.ended_session (session_uuid)
SELECT DISTINCT ended.session_uuid FROM ({locks.ended_by($1, $2, $3)}) AS ended
ON CONFLICT DO NOTHING

-- name: locks.lives(session)
-- No lock has ended this {session}.
NOT EXISTS (SELECT 1 FROM wazo_auth.ended_session e WHERE e.session_uuid = {session})

-- name: locks.delete_sessions
-- Some of those that were ended, $1 at most: their number, and one row for each that is still there, at least one row.
-- Whom another clean-up has are left to it. Sessions are locked before their tokens, as whoever deletes a token does;
-- tokens go first, so that one statement tells of all. By ctid: PostgreSQL takes this table, which it mostly sees empty,
-- for small, and would compare all with all.
WITH batch AS MATERIALIZED (
  SELECT e.ctid AS place, e.session_uuid FROM wazo_auth.ended_session e LIMIT $1::bigint FOR UPDATE SKIP LOCKED
), held AS MATERIALIZED (
  SELECT s.uuid FROM auth_session s WHERE s.uuid IN (SELECT session_uuid FROM batch) FOR UPDATE
), dead AS (
  DELETE FROM auth_token t USING held WHERE t.session_uuid = held.uuid RETURNING t.session_uuid, t.auth_id
), gone AS (
  DELETE FROM auth_session s USING held WHERE s.uuid = held.uuid RETURNING s.uuid, s.tenant_uuid
), done AS (
  DELETE FROM wazo_auth.ended_session e WHERE e.ctid = ANY (ARRAY (SELECT place FROM batch))
)
SELECT (SELECT count(*) FROM batch) AS found, gone.uuid, gone.tenant_uuid,
       (SELECT dead.auth_id FROM dead WHERE dead.session_uuid = gone.uuid LIMIT 1) AS auth_id
FROM (SELECT) AS always LEFT JOIN gone ON true

-- name: locks.revoked
UPDATE wazo_auth.lock SET revoking = false WHERE tenant_uuid = $1 AND kind = $2 AND value = $3

-- name: locks.next_revoking
SELECT l.tenant_uuid, l.kind, l.value FROM wazo_auth.lock l WHERE l.revoking AND {locks.live(l)} LIMIT 1

-- name: locks.client
-- Is the client $1 locked for users of tenant $2?
SELECT EXISTS (SELECT 1 FROM wazo_auth.lock l
               WHERE l.kind = 'client' AND l.value = $1::text AND {locks.live(l)}
                 AND {tree.within($2, l.tenant_uuid)}) AS yes

-- name: locks.addresses
-- One text, so that it can be read by any connection.
SELECT json_build_object(
         'generation', (SELECT generation FROM wazo_auth.lock_generation),
         'locks', (SELECT coalesce(json_agg(json_build_array(l.value, l.tenant_uuid, t.uuid = t.parent_uuid,
                                                             coalesce(ceil(extract(epoch FROM l.ends_at)), 0)::bigint)),
                                   '[]')
                   FROM wazo_auth.lock l JOIN auth_tenant t ON t.uuid = l.tenant_uuid
                   WHERE l.kind = 'address' AND {locks.live(l)})) AS list

-- name: locks.page
{with}
SELECT (SELECT count(*) FROM wazo_auth.lock l WHERE {scope}) AS total,
       CASE WHEN {narrowed} THEN (SELECT count(*) FROM wazo_auth.lock l WHERE {where}) END AS filtered,
       {locks.columns(l)}
FROM (SELECT) AS always LEFT JOIN (
  SELECT * FROM (
    SELECT l.* FROM wazo_auth.lock l WHERE {where} ORDER BY {sort}, l.uuid {ahead}
  ) AS ahead LIMIT {limit} OFFSET {offset}
) AS l ON true

-- name: locks.of_live
{locks.live(l)}

-- name: locks.found
WITH found AS MATERIALIZED (SELECT uuid FROM wazo_auth.lock WHERE value ILIKE ? OR reason ILIKE ?)

-- name: locks.among_found
l.uuid = ANY (ARRAY (SELECT uuid FROM found))

-- name: locks.matching
(l.value ILIKE ? OR l.reason ILIKE ?)

-- name: locks.by.kind
l.kind = ?

-- name: locks.by.value
l.value = ?
