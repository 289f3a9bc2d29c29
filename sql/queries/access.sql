-- Why an access is granted, and to whom.

-- name: access.user
-- The user $1, if its tenant is $2 or below it; $2 null: of any.
SELECT u.uuid, u.tenant_uuid, coalesce(u.enabled, false) AS enabled FROM auth_user u
WHERE u.uuid = $1 AND ($2::text IS NULL OR {tree.within(u.tenant_uuid, $2)})

-- name: access.user_of_login
-- As a login finds them, also one who is disabled.
SELECT found.uuid FROM (
  SELECT user_uuid AS uuid, 1 AS place FROM auth_email WHERE confirmed AND lower(address) = lower($1::text)
  UNION ALL
  SELECT uuid, 2 FROM auth_user WHERE lower(username) = lower($1::text)
) AS found
ORDER BY found.place LIMIT 1

-- name: access.list_of_user
-- The access list that a login gives the user $1, in its order, and where each access comes from. $2: the name of the
-- policy that comes first.
WITH {logins.granted($1, $2)}
SELECT x.access, granted.part, p.uuid AS policy_uuid, p.name AS policy_name, p.slug AS policy_slug,
       coalesce(p.config_managed, false) AS config_managed, g.uuid AS group_uuid, g.name AS group_name
FROM granted
JOIN auth_policy p ON p.uuid = granted.policy_uuid
JOIN auth_policy_access pa ON pa.policy_uuid = p.uuid
JOIN auth_access x ON x.id = pa.access_id
LEFT JOIN auth_group g ON g.uuid = granted.group_uuid
ORDER BY granted.part, granted.policy_uuid, x.id

-- name: access.users_among
SELECT uuid FROM auth_user WHERE uuid = ANY ($1::text[])

-- name: access.patterns
-- Those of any policy.
SELECT id, access FROM auth_access

-- name: access.granting_policies
-- Some that the tenant $1 sees and that have an access of $2 and none of $3. Those that give the least come first: one
-- with "#" gives everything.
WITH RECURSIVE {tree.line($1)}
SELECT p.uuid, p.name, p.slug
FROM auth_policy p JOIN auth_policy_access pa ON pa.policy_uuid = p.uuid JOIN auth_access x ON x.id = pa.access_id
WHERE (p.tenant_uuid = $1 OR p.config_managed OR p.shared AND p.tenant_uuid IN (SELECT uuid FROM line))
  AND EXISTS (SELECT 1 FROM auth_policy_access a WHERE a.policy_uuid = p.uuid AND a.access_id = ANY ($2::integer[]))
  AND NOT EXISTS (SELECT 1 FROM auth_policy_access a WHERE a.policy_uuid = p.uuid AND a.access_id = ANY ($3::integer[]))
GROUP BY p.uuid, p.name, p.slug
ORDER BY bool_or(x.access = '#'), bool_or(x.access LIKE '%#%'), count(*), p.name, p.uuid
LIMIT 5

-- name: access.who_can
-- Enabled users whom a login now would give an access: those of tenant $1 and, if $2, below it; $1 null: all. The
-- patterns that match the access are $3, of which $4 says whether they are negations, and $5 the only user for whom
-- they match, '' for everybody. $6 is the name of the policy that every login gets first, $7 a search. A row for each
-- origin of the access, in pages of $8 users from $9 on.
-- {order}: username | firstname | lastname
-- {direction}: ASC | DESC
WITH RECURSIVE {tree.subtree($1, $2::boolean)}, {logins.first_policy($6)}, matched AS MATERIALIZED (
  SELECT * FROM unnest($3::integer[], $4::boolean[], $5::text[]) AS m (access_id, negated, only_user)
), carrying AS MATERIALIZED (
  SELECT pa.policy_uuid, m.access_id, m.negated, m.only_user
  FROM matched m JOIN auth_policy_access pa ON pa.access_id = m.access_id
), held AS MATERIALIZED (
  SELECT u.uuid AS user_uuid, 1 AS part, c.policy_uuid, NULL::text AS group_uuid, c.access_id, c.negated
  FROM carrying c JOIN first_policy f ON f.uuid = c.policy_uuid JOIN auth_user u ON c.only_user IN ('', u.uuid)
  UNION ALL
  SELECT m.user_uuid, 2, c.policy_uuid, m.group_uuid, c.access_id, c.negated
  FROM carrying c JOIN auth_group_policy a ON a.policy_uuid = c.policy_uuid
  JOIN auth_user_group m ON m.group_uuid = a.group_uuid
  WHERE c.only_user IN ('', m.user_uuid)
  UNION ALL
  SELECT a.user_uuid, 3, c.policy_uuid, NULL, c.access_id, c.negated
  FROM carrying c JOIN auth_user_policy a ON a.policy_uuid = c.policy_uuid
  WHERE c.only_user IN ('', a.user_uuid)
), able AS MATERIALIZED (
  SELECT u.uuid, u.username, u.firstname, u.lastname, u.purpose, u.tenant_uuid,
         $7::text IS NULL OR u.username ILIKE $7 OR u.firstname ILIKE $7 OR u.lastname ILIKE $7
           OR EXISTS (SELECT 1 FROM auth_email e WHERE e.user_uuid = u.uuid AND e.address ILIKE $7) AS found
  FROM (SELECT user_uuid FROM held GROUP BY user_uuid HAVING NOT bool_or(negated)) AS h
  JOIN auth_user u ON u.uuid = h.user_uuid
  WHERE u.enabled AND ($1::text IS NULL OR u.tenant_uuid IN (SELECT uuid FROM subtree))
)
SELECT (SELECT count(*) FROM able) AS total, (SELECT count(*) FROM able WHERE found) AS filtered,
       page.uuid, page.username, page.firstname, page.lastname, page.purpose, page.tenant_uuid,
       x.access AS "origins.pattern",
       CASE h.part WHEN 1 THEN 'default_user_policy' WHEN 2 THEN 'group_policy' ELSE 'user_policy' END AS "origins.kind",
       p.uuid AS "origins.policy_uuid", p.name AS "origins.policy_name", p.slug AS "origins.policy_slug",
       g.uuid AS "origins.group_uuid", g.name AS "origins.group_name"
FROM (SELECT) AS always LEFT JOIN (
  SELECT row_number() OVER () AS place, * FROM (
    SELECT * FROM able a WHERE found ORDER BY a.{order} {direction}, a.uuid LIMIT $8::bigint OFFSET $9::bigint
  ) AS ordered
) AS page ON true
LEFT JOIN held h ON h.user_uuid = page.uuid
LEFT JOIN auth_access x ON x.id = h.access_id
LEFT JOIN auth_policy p ON p.uuid = h.policy_uuid
LEFT JOIN auth_group g ON g.uuid = h.group_uuid
ORDER BY page.place, h.part, h.policy_uuid, h.group_uuid, h.access_id

-- name: access.of_policies
SELECT pa.policy_uuid, x.access FROM auth_policy_access pa JOIN auth_access x ON x.id = pa.access_id
WHERE pa.policy_uuid = ANY ($1::text[])

-- name: access.policies_of_group
SELECT array_agg(policy_uuid::text) AS policies FROM auth_group_policy WHERE group_uuid = $1

-- name: access.reached
-- Enabled users of tenant $1 and below it whom a change of a user $2, a group $3 and a policy $4 reaches; those that
-- don't take part are null. Users with the same policies are one row: what a login gives them now, and what without the
-- bond between the two, or without the one, if $5 says that it is taken away. $6: the name of the policy that every
-- login gets first.
WITH RECURSIVE {tree.subtree($1, true)}, {logins.first_policy($6)}, reached AS MATERIALIZED (
  SELECT $2::text AS user_uuid WHERE $2 IS NOT NULL
  UNION
  SELECT user_uuid FROM auth_user_group WHERE $2 IS NULL AND group_uuid = $3
  UNION
  SELECT user_uuid FROM auth_user_policy WHERE $2 IS NULL AND $3 IS NULL AND policy_uuid = $4
  UNION
  SELECT m.user_uuid FROM auth_group_policy a JOIN auth_user_group m ON m.group_uuid = a.group_uuid
  WHERE $2 IS NULL AND $3 IS NULL AND a.policy_uuid = $4
  UNION
  SELECT u.uuid FROM first_policy f CROSS JOIN auth_user u WHERE $2 IS NULL AND $3 IS NULL AND f.uuid = $4
), users AS MATERIALIZED (
  SELECT u.uuid, u.username, u.firstname, u.lastname, row_number() OVER (ORDER BY u.username, u.uuid) AS place
  FROM reached r JOIN auth_user u ON u.uuid = r.user_uuid
  WHERE u.enabled AND u.tenant_uuid IN (SELECT uuid FROM subtree)
), held AS (
  SELECT u.uuid AS user_uuid, f.uuid AS policy_uuid, $2 IS NULL AND $3 IS NULL AND f.uuid = $4 AS meant
  FROM users u CROSS JOIN first_policy f
  UNION ALL
  SELECT u.uuid, a.policy_uuid,
         coalesce(m.group_uuid = $3, $2 IS NULL) AND coalesce(a.policy_uuid = $4, true)
  FROM users u JOIN auth_user_group m ON m.user_uuid = u.uuid
  JOIN auth_group_policy a ON a.group_uuid = m.group_uuid
  UNION ALL
  SELECT u.uuid, a.policy_uuid, $3 IS NULL AND a.policy_uuid = $4
  FROM users u JOIN auth_user_policy a ON a.user_uuid = u.uuid
), having_policies AS (
  SELECT user_uuid, array_agg(DISTINCT policy_uuid::text) AS before,
         array_agg(DISTINCT policy_uuid::text) FILTER (WHERE NOT ($5::boolean AND meant)) AS after
  FROM held GROUP BY user_uuid
), ranked AS (
  SELECT u.*, h.before, h.after, row_number() OVER (PARTITION BY h.before, h.after ORDER BY u.place) AS rank
  FROM users u LEFT JOIN having_policies h ON h.user_uuid = u.uuid
)
SELECT before, after, count(*) AS users,
       json_agg(json_build_object('uuid', uuid, 'username', username, 'firstname', firstname, 'lastname', lastname,
                                  'place', place) ORDER BY place) FILTER (WHERE rank <= 5) AS first
FROM ranked GROUP BY before, after
