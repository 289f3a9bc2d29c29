-- Tenants.

-- name: tenants.page
{with}
SELECT (SELECT count(*) FROM auth_tenant t WHERE {scope}) AS total,
       CASE WHEN {narrowed} THEN (SELECT count(*) FROM auth_tenant t WHERE {where}) END AS filtered,
       t.uuid, t.parent_uuid, t.name, t.slug, t.contact_uuid AS contact, t.phone, t.default_authentication_method,
       a.line_1, a.line_2, a.city, a.state, a.country, a.zip_code,
       (SELECT coalesce(json_agg(d.name ORDER BY d.name), '[]')
        FROM auth_tenant_domain d WHERE d.tenant_uuid = t.uuid) AS domain_names
FROM (SELECT) AS always LEFT JOIN (
  SELECT * FROM (SELECT t.* FROM auth_tenant t WHERE {where} ORDER BY {sort} {ahead}) AS ahead
  LIMIT {limit} OFFSET {offset}
) AS t ON true
LEFT JOIN LATERAL (SELECT * FROM auth_address a WHERE a.tenant_uuid = t.uuid ORDER BY a.id LIMIT 1) AS a ON true

-- name: tenants.found
WITH found AS MATERIALIZED (
  SELECT uuid FROM auth_tenant WHERE name ILIKE ? OR slug ILIKE ?
  UNION
  SELECT tenant_uuid FROM auth_tenant_domain WHERE name ILIKE ?
)

-- name: tenants.among_found
t.uuid = ANY (ARRAY (SELECT uuid FROM found))

-- name: tenants.matching
(t.name ILIKE ? OR t.slug ILIKE ?
 OR EXISTS (SELECT 1 FROM auth_tenant_domain d WHERE d.tenant_uuid = t.uuid AND d.name ILIKE ?))

-- name: tenants.by.uuid
t.uuid = ?

-- name: tenants.by.uuids
t.uuid = ANY (?::text[])

-- name: tenants.by.name
t.name = ?

-- name: tenants.by.slug
t.slug = ?

-- name: tenants.by.domain_name
t.uuid IN (SELECT tenant_uuid FROM auth_tenant_domain WHERE name = ?)

-- name: tenants.visible
-- A tenant that is $2 or below it.
SELECT t.uuid, t.parent_uuid, t.name, t.slug, t.contact_uuid AS contact, t.phone, t.default_authentication_method,
       a.line_1, a.line_2, a.city, a.state, a.country, a.zip_code,
       (SELECT coalesce(json_agg(d.name ORDER BY d.name), '[]')
        FROM auth_tenant_domain d WHERE d.tenant_uuid = t.uuid) AS domain_names
FROM auth_tenant t
LEFT JOIN LATERAL (SELECT * FROM auth_address a WHERE a.tenant_uuid = t.uuid ORDER BY a.id LIMIT 1) AS a ON true
WHERE t.uuid = $1 AND {tree.within(t.uuid, $2)}

-- name: tenants.slug_taken
SELECT EXISTS (SELECT 1 FROM auth_tenant WHERE slug = $1) AS taken

-- name: tenants.create
INSERT INTO auth_tenant (uuid, parent_uuid, name, slug, contact_uuid, phone, default_authentication_method)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: tenants.update
UPDATE auth_tenant SET name = $2, contact_uuid = $3, phone = $4, default_authentication_method = $5 WHERE uuid = $1

-- name: tenants.keep_domains
DELETE FROM auth_tenant_domain WHERE tenant_uuid = $1 AND name <> ALL ($2::text[])

-- name: tenants.add_domains
INSERT INTO auth_tenant_domain (tenant_uuid, name)
SELECT $1::text, wanted FROM unnest($2::text[]) AS wanted
WHERE NOT EXISTS (SELECT 1 FROM auth_tenant_domain d WHERE d.tenant_uuid = $1 AND d.name = wanted)
ORDER BY wanted

-- name: tenants.domains
SELECT count(d.uuid) OVER () AS total, d.uuid, d.name
FROM (SELECT) AS always LEFT JOIN auth_tenant_domain d ON d.tenant_uuid = $1
ORDER BY d.name

-- name: tenants.delete_address
DELETE FROM auth_address WHERE tenant_uuid = $1

-- name: tenants.set_address
INSERT INTO auth_address (tenant_uuid, line_1, line_2, city, state, country, zip_code)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: tenants.has_children
SELECT EXISTS (SELECT 1 FROM auth_tenant WHERE parent_uuid = $1) AS yes

-- name: tenants.delete
DELETE FROM auth_tenant WHERE uuid = $1
