-- The tree of tenants: walks along it, and moves in it. The master tenant is its own parent. Where a part has arguments,
-- name columns with their table: a bare name could mean a column of the part.

-- name: tree.line(tenant)
-- The {tenant} and those above it.
line AS (
  SELECT uuid, parent_uuid FROM auth_tenant WHERE uuid = {tenant}
  UNION
  SELECT t.uuid, t.parent_uuid FROM auth_tenant t JOIN line ON t.uuid = line.parent_uuid
)

-- name: tree.within(tenant, top)
-- Whether the {tenant} is {top} or below it.
EXISTS (WITH RECURSIVE {tree.line({tenant})} SELECT 1 FROM line WHERE uuid = {top})

-- name: tree.subtree(top, deep)
-- The tenant {top} and, if {deep}, all below it.
subtree AS (
  SELECT {top}::text AS uuid
  UNION
  SELECT t.uuid FROM auth_tenant t JOIN subtree s ON t.parent_uuid = s.uuid WHERE {deep}
)

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
{tenant} = ANY (ARRAY (WITH RECURSIVE {tree.subtree(?, true)} SELECT uuid FROM subtree))
