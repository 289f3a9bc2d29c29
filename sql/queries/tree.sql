-- Moves in the tree of tenants.

-- name: tree.lock
-- Two moves at once could close a circle.
SELECT pg_advisory_xact_lock(hashtext('wazo_auth.tenant_tree'))

-- name: tree.move
UPDATE auth_tenant SET parent_uuid = $2 WHERE uuid = $1

-- Scopes of lists; {tenant} is the column.

-- name: scope.tenant
{tenant} = ?

-- name: scope.tenant_in_order
-- For an order by tenant first: a planner takes most tenants for small ones, and would rather sort.
{tenant} BETWEEN ? AND ?

-- name: scope.tenant_of_found
-- Not by an index: what a search has found is looked up.
{tenant} || '' = ?

-- name: scope.subtree
{tenant} = ANY (ARRAY (
  WITH RECURSIVE scope AS (
    SELECT ?::text AS uuid
    UNION
    SELECT t.uuid FROM auth_tenant t JOIN scope s ON t.parent_uuid = s.uuid
  ) SELECT uuid FROM scope))
