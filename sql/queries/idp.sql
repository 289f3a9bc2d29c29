-- By which way users log in.

-- name: idp.lock_users
-- Of the users $1 those in the tenant $2 or below it. In the order of uuids: two requests over the same users don't wait
-- for each other in a circle.
WITH RECURSIVE {tree.subtree($2, true)}
SELECT u.uuid FROM auth_user u
WHERE u.uuid = ANY ($1::text[]) AND u.tenant_uuid IN (SELECT uuid FROM subtree)
ORDER BY u.uuid
FOR NO KEY UPDATE

-- name: idp.set_methods
UPDATE auth_user SET authentication_method = $2 WHERE uuid = ANY ($1::text[])

-- name: idp.unset_method
UPDATE auth_user SET authentication_method = 'default' WHERE uuid = $1 AND authentication_method = $2
