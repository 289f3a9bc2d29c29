-- Policies. Which of them a request sees, and how, is docs/spec/endpoints.md section 13.1: `subtree`, in lists {in_scope},
-- is L there; `line` are the scoping tenant and its ancestors. A policy that isn't of a tenant in scope is shown as the
-- scoping tenant's.

-- name: policies.page
{with}
SELECT (SELECT count(*) FROM auth_policy p WHERE {scope}) AS total,
       CASE WHEN {narrowed} THEN (SELECT count(*) FROM auth_policy p WHERE {where}) END AS filtered,
       p.uuid, p.name, p.slug, p.description,
       CASE WHEN {in_scope} THEN p.tenant_uuid ELSE {asking} END AS tenant_uuid,
       coalesce(p.config_managed, false) OR (p.shared AND NOT {in_scope}) AS read_only,
       p.shared AND {in_scope} AS shared,
       (SELECT coalesce(json_agg((SELECT a.access FROM auth_access a WHERE a.id = pa.access_id) ORDER BY pa.ctid), '[]')
        FROM auth_policy_access pa WHERE pa.policy_uuid = p.uuid) AS acl
FROM (SELECT) AS always LEFT JOIN (
  SELECT * FROM (SELECT p.* FROM auth_policy p WHERE {where} ORDER BY {sort} {ahead}) AS ahead
  LIMIT {limit} OFFSET {offset}
) AS p ON true

-- name: policies.visible_to
-- Of a tenant in scope, the configuration's, or shared by a tenant above.
({in_scope} OR p.config_managed
 OR (p.shared AND p.tenant_uuid = ANY (ARRAY (WITH RECURSIVE {tree.line(?)} SELECT uuid FROM line))))

-- name: policies.found
WITH found AS MATERIALIZED (SELECT uuid FROM auth_policy WHERE name ILIKE ? OR description ILIKE ?)

-- name: policies.among_found
p.uuid = ANY (ARRAY (SELECT uuid FROM found))

-- name: policies.matching
(p.name ILIKE ? OR p.description ILIKE ?)

-- name: policies.by.uuid
p.uuid = ?

-- name: policies.by.name
p.name = ?

-- name: policies.by.slug
(lower(p.slug) = lower(?) AND p.slug = ?)

-- name: policies.by.user_uuid
p.uuid IN (SELECT policy_uuid FROM auth_user_policy WHERE user_uuid = ?)

-- name: policies.by.group_uuid
p.uuid IN (SELECT policy_uuid FROM auth_group_policy WHERE group_uuid = ?)

-- name: policies.by.tenant_uuid
p.tenant_uuid = ?

-- name: policies.by.read_only
(p.config_managed OR (p.shared AND p.tenant_uuid IN (SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid)))

-- name: policies.by.not_read_only
{in_scope}

-- name: policies.attached_page
-- Those of a user or of a group $1, as a tenant $2 and its subtree see them; with no tenant as they are. All of them
-- count, also those that aren't visible.
-- {table} {owner}: auth_user_policy user_uuid | auth_group_policy group_uuid
-- {order}: name | description | uuid
-- {direction}: ASC | DESC
WITH RECURSIVE {tree.subtree($2, true)}, {tree.line($2)}, counted AS (
  SELECT p.*, $2::text IS NULL OR p.tenant_uuid IN (SELECT uuid FROM subtree) AS in_scope
  FROM auth_policy p
  WHERE p.uuid IN (SELECT policy_uuid FROM {table} WHERE {owner} = $1)
), matched AS (
  SELECT * FROM counted p
  WHERE ($3::text IS NULL OR p.name ILIKE $3 OR p.description ILIKE $3)
    AND ($4::text IS NULL OR p.uuid = $4)
    AND ($5::text IS NULL OR p.name = $5)
    AND ($6::text IS NULL OR p.tenant_uuid = $6)
    AND ($7::text IS NULL OR EXISTS (
          SELECT 1 FROM auth_user_policy a WHERE a.policy_uuid = p.uuid AND a.user_uuid = $7))
    AND ($8::text IS NULL OR EXISTS (
          SELECT 1 FROM auth_group_policy a WHERE a.policy_uuid = p.uuid AND a.group_uuid = $8))
), page AS (
  SELECT *, row_number() OVER (ORDER BY {order} {direction}) AS place
  FROM matched p
  WHERE p.in_scope OR p.config_managed OR (p.shared AND p.tenant_uuid IN (SELECT uuid FROM line))
  ORDER BY place LIMIT $9::bigint OFFSET $10::bigint
)
SELECT (SELECT count(*) FROM counted) AS total, (SELECT count(*) FROM matched) AS filtered,
       p.uuid, p.name, p.slug, p.description,
       CASE WHEN p.in_scope THEN p.tenant_uuid ELSE $2 END AS tenant_uuid,
       coalesce(p.config_managed, false) OR (p.shared AND NOT p.in_scope) AS read_only,
       p.shared AND p.in_scope AS shared,
       (SELECT coalesce(json_agg((SELECT a.access FROM auth_access a WHERE a.id = pa.access_id) ORDER BY pa.ctid), '[]')
        FROM auth_policy_access pa WHERE pa.policy_uuid = p.uuid) AS acl
FROM (SELECT) AS always LEFT JOIN page p ON true
ORDER BY p.place

-- name: policies.visible
-- One policy by {key} $3. Where two have the same slug the tenant's own comes first.
-- {key}: uuid | slug
WITH RECURSIVE {tree.subtree($1, $2::boolean)}, {tree.line($1)}, found AS (
  SELECT p.*, p.tenant_uuid IN (SELECT uuid FROM subtree) AS in_scope FROM auth_policy p WHERE p.{key} = $3
)
SELECT p.uuid, p.name, p.slug, p.description,
       CASE WHEN p.in_scope THEN p.tenant_uuid ELSE $1 END AS tenant_uuid,
       coalesce(p.config_managed, false) OR (p.shared AND NOT p.in_scope) AS read_only,
       p.shared AND p.in_scope AS shared,
       (SELECT coalesce(json_agg((SELECT a.access FROM auth_access a WHERE a.id = pa.access_id) ORDER BY pa.ctid), '[]')
        FROM auth_policy_access pa WHERE pa.policy_uuid = p.uuid) AS acl
FROM found p
WHERE p.in_scope OR p.config_managed OR (p.shared AND p.tenant_uuid IN (SELECT uuid FROM line))
ORDER BY p.in_scope DESC
LIMIT 1

-- name: policies.get
-- A policy as it is, whoever asks.
SELECT p.uuid, p.name, p.slug, p.description, p.tenant_uuid, coalesce(p.config_managed, false) AS read_only, p.shared,
       (SELECT coalesce(json_agg((SELECT a.access FROM auth_access a WHERE a.id = pa.access_id) ORDER BY pa.ctid), '[]')
        FROM auth_policy_access pa WHERE pa.policy_uuid = p.uuid) AS acl
FROM auth_policy p WHERE p.uuid = $1

-- name: policies.lock
-- FOR UPDATE also holds back those who add accesses: their foreign key wants the row.
SELECT uuid FROM auth_policy WHERE uuid = $1 FOR UPDATE

-- name: policies.lock_names
-- The rule about shared names spans tenants, so no index can keep it.
SELECT pg_advisory_xact_lock(hashtext('wazo_auth.policy_names'))

-- name: policies.shared_name_taken
-- A shared policy above with this name $2 or slug $3; for a new shared one ($4) also any policy below.
WITH RECURSIVE {tree.line($1)}, {tree.subtree($1, true)}
SELECT EXISTS (
  SELECT 1 FROM auth_policy p
  WHERE (p.name = $2 OR p.slug = $3)
    AND (p.shared AND p.tenant_uuid IN (SELECT uuid FROM line)
         OR $4::boolean AND p.tenant_uuid IN (SELECT uuid FROM subtree))
) AS taken

-- name: policies.slug_taken
SELECT EXISTS (SELECT 1 FROM auth_policy WHERE tenant_uuid = $1 AND slug = $2) AS taken

-- name: policies.create
INSERT INTO auth_policy (name, slug, description, tenant_uuid, config_managed, shared)
VALUES ($1, $2, $3, $4, $5::boolean, $6::boolean)
RETURNING uuid

-- name: policies.update
UPDATE auth_policy SET name = $2, description = $3 WHERE uuid = $1

-- name: policies.delete
DELETE FROM auth_policy WHERE uuid = $1

-- name: policies.make_accesses
-- A conflict spends a number of the sequence, so the known ones are left out.
INSERT INTO auth_access (access)
SELECT DISTINCT wanted FROM unnest($1::text[]) AS wanted
WHERE NOT EXISTS (SELECT 1 FROM auth_access a WHERE a.access = wanted)
ORDER BY wanted
ON CONFLICT DO NOTHING

-- name: policies.add_accesses
-- In the given order, in which they are shown again.
INSERT INTO auth_policy_access (policy_uuid, access_id)
SELECT $1::text, a.id FROM unnest($2::text[]) WITH ORDINALITY AS wanted (access, place)
JOIN auth_access a ON a.access = wanted.access
ORDER BY wanted.place
ON CONFLICT DO NOTHING

-- name: policies.clear_accesses
-- Unless they are $2 already, in that order.
DELETE FROM auth_policy_access pa
WHERE pa.policy_uuid = $1
  AND ARRAY (SELECT a.access FROM auth_policy_access o JOIN auth_access a ON a.id = o.access_id
             WHERE o.policy_uuid = $1 ORDER BY o.ctid) IS DISTINCT FROM $2::text[]

-- name: policies.remove_access
DELETE FROM auth_policy_access pa USING auth_access a
WHERE pa.policy_uuid = $1 AND a.id = pa.access_id AND a.access = $2
