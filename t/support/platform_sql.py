"""Fills wazo-auth's tables with a platform of a size: half of the users, groups and policies are the master tenant's."""


def fill(tenants, users, groups, policies):
    """SQL for a superuser; tables that were there have to be those of a new database."""
    return f"""
SET session_replication_role = replica;
CREATE TEMP TABLE tenants AS SELECT i, uuid_generate_v4()::text AS uuid FROM generate_series(1, {tenants}) AS i;
CREATE TEMP TABLE master AS SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid;
INSERT INTO auth_tenant (uuid, name, slug, parent_uuid)
SELECT uuid, 'tenant ' || md5(i::text), 't' || i,
       coalesce((SELECT p.uuid FROM tenants p WHERE p.i = t.i / 10), (SELECT uuid FROM master))
FROM tenants t;
CREATE TEMP TABLE users AS
SELECT u.i, uuid_generate_v4()::text AS uuid, CASE WHEN u.i % 2 = 0 THEN (SELECT uuid FROM master) ELSE t.uuid END AS tenant
FROM generate_series(1, {users}) AS u (i) JOIN tenants t ON t.i = 1 + u.i % {tenants};
INSERT INTO auth_user (uuid, username, firstname, lastname, tenant_uuid, purpose)
SELECT uuid, 'user-' || md5(i::text), 'First ' || md5('f' || i), 'Last ' || md5('l' || i), tenant, 'user' FROM users;
INSERT INTO auth_email (address, main, confirmed, user_uuid)
SELECT md5('e' || i) || '@example.com', true, true, uuid FROM users;
INSERT INTO auth_group (name, slug, tenant_uuid)
SELECT 'group ' || md5(g.i::text), 'g' || g.i, CASE WHEN g.i % 2 = 0 THEN (SELECT uuid FROM master) ELSE t.uuid END
FROM generate_series(1, {groups}) AS g (i) JOIN tenants t ON t.i = 1 + g.i % {tenants};
INSERT INTO auth_user_group (group_uuid, user_uuid)
SELECT g.uuid, u.uuid FROM auth_group g JOIN LATERAL (SELECT uuid FROM users u WHERE u.tenant = g.tenant_uuid LIMIT 3) u ON true;
INSERT INTO auth_policy (name, slug, tenant_uuid)
SELECT 'policy ' || md5(p.i::text), 'p' || p.i, CASE WHEN p.i % 2 = 0 THEN (SELECT uuid FROM master) ELSE t.uuid END
FROM generate_series(1, {policies}) AS p (i) JOIN tenants t ON t.i = 1 + p.i % {tenants};
VACUUM (ANALYZE) auth_tenant; VACUUM (ANALYZE) auth_user; VACUUM (ANALYZE) auth_email; VACUUM (ANALYZE) auth_group;
VACUUM (ANALYZE) auth_user_group; VACUUM (ANALYZE) auth_policy;
"""
