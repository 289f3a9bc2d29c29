-- Moves in the tree of tenants.

-- name: tree.lock
-- Two moves at once could close a circle.
SELECT pg_advisory_xact_lock(hashtext('wazo_auth.tenant_tree'))

-- name: tree.move
UPDATE auth_tenant SET parent_uuid = $2 WHERE uuid = $1

-- Scopes of lists; {tenant} is the column.

-- name: scope.tenant
{tenant} = ?

-- name: scope.tenant_of_found
{tenant} || '' = ?

-- name: scope.subtree
{tenant} = ANY (ARRAY (
  WITH RECURSIVE scope AS (
    SELECT ?::text AS uuid
    UNION
    SELECT t.uuid FROM auth_tenant t JOIN scope s ON t.parent_uuid = s.uuid
  ) SELECT uuid FROM scope))
