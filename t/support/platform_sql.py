"""Fills wazo-auth's tables with a platform of a size: half of the users, groups and policies are the master tenant's."""

# Row by row they cost more than all else, and the more the longer they are.
WITHOUT_TRIGRAMS = """
CREATE TEMP TABLE trigrams AS
SELECT format('%I.%I', schemaname, indexname) AS name, indexdef AS made FROM pg_indexes WHERE indexdef LIKE '%USING gin%';
SELECT format('DROP INDEX %s', name) FROM trigrams \\gexec
"""
WITH_TRIGRAMS = """
SET maintenance_work_mem = '512MB';
SELECT made FROM trigrams \\gexec
RESET maintenance_work_mem;
"""


def fill(tenants, users, groups, policies):
    """SQL for a superuser; tables that were there have to be those of a new database."""
    return f"""
SET session_replication_role = replica;
{WITHOUT_TRIGRAMS}
CREATE TEMP TABLE tenants AS SELECT i, uuid_generate_v4()::text AS uuid FROM generate_series(1, {tenants}) AS i;
CREATE TEMP TABLE master AS SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid;
INSERT INTO auth_tenant (uuid, name, slug, parent_uuid)
SELECT t.uuid, 'tenant ' || md5(t.i::text), 't' || t.i, coalesce(p.uuid, (SELECT uuid FROM master))
FROM tenants t LEFT JOIN tenants p ON p.i = t.i / 10;
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
{WITH_TRIGRAMS}
VACUUM (ANALYZE) auth_tenant; VACUUM (ANALYZE) auth_user; VACUUM (ANALYZE) auth_email; VACUUM (ANALYZE) auth_group;
VACUUM (ANALYZE) auth_user_group; VACUUM (ANALYZE) auth_policy;
"""


def grant():
    """What the policies of such a platform grant: 20 of 2,000 accesses each. Every user has one, every group has one, and a
    group of all users has `calld.#`; every hundredth user may not `calld.calls.delete`, and the master's admins are few.
    """
    return """
SET session_replication_role = replica;
INSERT INTO auth_access (access)
SELECT 'service' || i % 40 || '.' || CASE i % 5 WHEN 0 THEN 'users.me.' WHEN 1 THEN '*.' ELSE 'things' || i || '.' END
       || CASE i % 7 WHEN 0 THEN '#' WHEN 1 THEN '*.edit' ELSE 'part' || i || '.read' END
FROM generate_series(1, 2000) AS i
UNION SELECT unnest(ARRAY['calld.#', '!calld.calls.delete', '#']) ON CONFLICT DO NOTHING;
CREATE TEMP TABLE accesses AS SELECT row_number() OVER (ORDER BY id) AS i, id FROM auth_access WHERE access LIKE 'service%';
CREATE TEMP TABLE policies AS SELECT row_number() OVER (ORDER BY uuid) AS i, uuid FROM auth_policy WHERE slug ~ '^p[0-9]+$';
CREATE TEMP TABLE groups AS SELECT row_number() OVER (ORDER BY uuid) AS i, uuid FROM auth_group WHERE slug ~ '^g[0-9]+$';
CREATE TEMP TABLE members AS SELECT row_number() OVER (ORDER BY uuid) AS i, uuid FROM auth_user WHERE username LIKE 'user-%';
INSERT INTO auth_policy_access (policy_uuid, access_id)
SELECT p.uuid, a.id FROM policies p CROSS JOIN generate_series(1, 20) AS n
JOIN accesses a ON a.i = 1 + (p.i * 37 + n * 101) % (SELECT count(*) FROM accesses) ON CONFLICT DO NOTHING;
INSERT INTO auth_group_policy (group_uuid, policy_uuid)
SELECT g.uuid, p.uuid FROM groups g JOIN policies p ON p.i = 1 + g.i % (SELECT count(*) FROM policies);
INSERT INTO auth_user_policy (user_uuid, policy_uuid)
SELECT m.uuid, p.uuid FROM members m JOIN policies p ON p.i = 1 + m.i * 7 % (SELECT count(*) FROM policies);
INSERT INTO auth_policy (name, slug, tenant_uuid)
SELECT name, name, (SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid) FROM unnest(ARRAY['all', 'not', 'admins']) AS name;
INSERT INTO auth_policy_access (policy_uuid, access_id)
SELECT p.uuid, a.id FROM auth_policy p JOIN auth_access a
  ON (p.slug, a.access) IN (('all', 'calld.#'), ('not', '!calld.calls.delete'), ('admins', '#'));
INSERT INTO auth_group (name, slug, tenant_uuid)
SELECT 'all', 'all', (SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid);
INSERT INTO auth_group_policy (group_uuid, policy_uuid)
SELECT g.uuid, p.uuid FROM auth_group g JOIN auth_policy p ON p.slug = 'all' WHERE g.slug = 'all';
INSERT INTO auth_user_group (group_uuid, user_uuid)
SELECT g.uuid, m.uuid FROM auth_group g CROSS JOIN members m WHERE g.slug = 'all';
INSERT INTO auth_user_policy (user_uuid, policy_uuid)
SELECT m.uuid, p.uuid FROM members m JOIN auth_policy p
  ON p.slug = 'not' AND m.i % 100 = 0 OR p.slug = 'admins' AND m.i % 10000 = 1;
VACUUM (ANALYZE) auth_policy; VACUUM (ANALYZE) auth_policy_access; VACUUM (ANALYZE) auth_access;
VACUUM (ANALYZE) auth_group; VACUUM (ANALYZE) auth_group_policy; VACUUM (ANALYZE) auth_user_group;
VACUUM (ANALYZE) auth_user_policy;
"""
