-- Moves in the tree of tenants.

-- name: tree.lock
-- Two moves at once could close a circle.
SELECT pg_advisory_xact_lock(hashtext('wazo_auth.tenant_tree'))

-- name: tree.move
UPDATE auth_tenant SET parent_uuid = $2 WHERE uuid = $1
