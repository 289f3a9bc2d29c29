-- Tenants.

-- name: tenants.page
WITH RECURSIVE scope AS (
  SELECT $1::text AS uuid
  UNION
  SELECT t.uuid FROM auth_tenant t JOIN scope s ON t.parent_uuid = s.uuid
), counted AS (
  SELECT t.* FROM auth_tenant t WHERE t.uuid IN (SELECT uuid FROM scope)
), matched AS (
  SELECT * FROM counted t
  WHERE ($2::text IS NULL OR t.name ILIKE $2 OR t.slug ILIKE $2
         OR EXISTS (SELECT 1 FROM auth_tenant_domain d WHERE d.tenant_uuid = t.uuid AND d.name ILIKE $2))
    AND ($3::text IS NULL OR t.uuid = $3)
    AND ($4::text[] IS NULL OR t.uuid = ANY ($4::text[]))
    AND ($5::text IS NULL OR t.name = $5)
    AND ($6::text IS NULL OR t.slug = $6)
    AND ($7::text IS NULL OR EXISTS (
          SELECT 1 FROM auth_tenant_domain d WHERE d.tenant_uuid = t.uuid AND d.name = $7))
), page AS (
  SELECT *, row_number() OVER (ORDER BY {order} {direction}) AS place
  FROM matched ORDER BY place LIMIT $8::bigint OFFSET $9::bigint
)
SELECT (SELECT count(*) FROM counted) AS total, (SELECT count(*) FROM matched) AS filtered,
       t.uuid, t.parent_uuid, t.name, t.slug, t.contact_uuid, t.phone, t.default_authentication_method,
       a.line_1, a.line_2, a.city, a.state, a.country, a.zip_code,
       (SELECT coalesce(json_agg(d.name ORDER BY d.name), '[]')
        FROM auth_tenant_domain d WHERE d.tenant_uuid = t.uuid) AS domain_names
FROM (SELECT) AS always LEFT JOIN page t ON true
LEFT JOIN LATERAL (SELECT * FROM auth_address a WHERE a.tenant_uuid = t.uuid ORDER BY a.id LIMIT 1) AS a ON true
ORDER BY t.place

-- name: tenants.visible
-- A tenant that is $2 or below it.
WITH RECURSIVE up AS (
  SELECT uuid, parent_uuid FROM auth_tenant WHERE uuid = $1
  UNION
  SELECT t.uuid, t.parent_uuid FROM auth_tenant t JOIN up ON t.uuid = up.parent_uuid
)
SELECT t.uuid, t.parent_uuid, t.name, t.slug, t.contact_uuid, t.phone, t.default_authentication_method,
       a.line_1, a.line_2, a.city, a.state, a.country, a.zip_code,
       (SELECT coalesce(json_agg(d.name ORDER BY d.name), '[]')
        FROM auth_tenant_domain d WHERE d.tenant_uuid = t.uuid) AS domain_names
FROM auth_tenant t
LEFT JOIN LATERAL (SELECT * FROM auth_address a WHERE a.tenant_uuid = t.uuid ORDER BY a.id LIMIT 1) AS a ON true
WHERE t.uuid = $1 AND EXISTS (SELECT 1 FROM up WHERE up.uuid = $2)

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
SELECT uuid, name FROM auth_tenant_domain WHERE tenant_uuid = $1 ORDER BY name

-- name: tenants.delete_address
DELETE FROM auth_address WHERE tenant_uuid = $1

-- name: tenants.set_address
INSERT INTO auth_address (tenant_uuid, line_1, line_2, city, state, country, zip_code)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: tenants.has_children
SELECT EXISTS (SELECT 1 FROM auth_tenant WHERE parent_uuid = $1) AS yes

-- name: tenants.delete
DELETE FROM auth_tenant WHERE uuid = $1
