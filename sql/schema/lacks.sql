-- What of relied_on.sql, which stands before it, isn't there, a line each: for an administrator who looks for it in a
-- migration. Columns may be wider than we know them: t/relied_on.py tries each that is in `wider`.
, wider (type, other) AS (VALUES
  ('character varying', 'text'), ('integer', 'bigint'), ('smallint', 'integer'), ('smallint', 'bigint')
), relation AS (
  SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
), there AS (
  SELECT r.relname AS on_table, a.attname AS name, format_type(a.atttypid, NULL) AS type,
         format_type(a.atttypid, a.atttypmod) AS shown, greatest(a.atttypmod - 4, 0) AS size, a.attnotnull AS must,
         a.atthasdef OR a.attidentity <> '' AS filled, a.attgenerated <> '' OR a.attidentity = 'a' AS closed
  FROM relation AS r JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
), relied AS (
  SELECT * FROM relied_column WHERE on_table IN (SELECT relname FROM relation)
), lack (on_table, name, text) AS (
  SELECT DISTINCT on_table, '', format('table %s', on_table)
  FROM relied_column WHERE on_table NOT IN (SELECT relname FROM relation)
  UNION ALL
  SELECT on_table, name, format('column %s.%s', on_table, name)
  FROM relied AS c WHERE NOT EXISTS (SELECT 1 FROM there AS t WHERE (t.on_table, t.name) = (c.on_table, c.name))
  UNION ALL
  SELECT on_table, name, CASE
    WHEN t.closed AND c.rule <> 'none' THEN format('column %s.%s as one that takes a value: it is generated', on_table, name)
    ELSE format('column %s.%s as %s, or wider: it is %s', on_table, name,
                c.type || CASE WHEN c.size > 0 THEN format('(%s)', c.size) ELSE '' END, t.shown) END
  FROM relied AS c JOIN there AS t USING (on_table, name)
  WHERE (t.closed AND c.rule <> 'none')
     OR (t.type <> c.type AND (c.type, t.type) NOT IN (SELECT type, other FROM wider))
     OR (t.type = 'character varying' AND t.size > 0 AND (c.size = 0 OR t.size < c.size))
  UNION ALL
  SELECT on_table, name, format('a default of column %s.%s', on_table, name)
  FROM relied AS c JOIN there AS t USING (on_table, name) WHERE c.rule = 'default' AND NOT t.filled
  UNION ALL
  SELECT on_table, name, format('a default of column %s.%s, which must not be NULL and is left to it', on_table, name)
  FROM there AS t LEFT JOIN relied AS c USING (on_table, name)
  WHERE on_table IN (SELECT on_table FROM relied) AND t.must AND NOT t.filled AND coalesce(c.rule, 'none') = 'none'
  UNION ALL
  SELECT on_table, parts::text, format('a unique key of table %s: %s', on_table, array_to_string(parts::text[], ', '))
  FROM relied_key AS k
  WHERE on_table IN (SELECT relname FROM relation) AND NOT EXISTS (
    SELECT 1 FROM pg_index AS i JOIN relation AS r ON r.oid = i.indrelid
    WHERE r.relname = k.on_table AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
      AND k.parts::text[] = ARRAY(
        SELECT replace(pg_get_indexdef(i.indexrelid, n, true), '::text', '') COLLATE "C" FROM generate_series(1, i.indnkeyatts) AS n
        ORDER BY 1))
  UNION ALL
  SELECT on_table, f.name, format('a foreign key: %s.%s to %s.%s%s', on_table, f.name, to_table, to_name,
    CASE on_delete WHEN 'c' THEN ', on delete cascade' WHEN 'n' THEN ', on delete set null' ELSE '' END)
  FROM relied_reference AS f
  WHERE on_table IN (SELECT relname FROM relation) AND to_table IN (SELECT relname FROM relation) AND NOT EXISTS (
    SELECT 1 FROM pg_constraint AS c
    JOIN relation AS r ON r.oid = c.conrelid
    JOIN relation AS t ON t.oid = c.confrelid
    JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum = c.conkey[1]
    JOIN pg_attribute AS b ON b.attrelid = t.oid AND b.attnum = c.confkey[1]
    WHERE c.contype = 'f' AND cardinality(c.conkey) = 1
      AND (r.relname, a.attname, t.relname, b.attname, c.confdeltype::text)
        = (f.on_table, f.name, f.to_table, f.to_name, f.on_delete))
  UNION ALL
  SELECT on_table, n.name, format('constraint %s of table %s', n.name, on_table)
  FROM relied_name AS n JOIN relation AS r ON r.relname = n.on_table
  WHERE NOT EXISTS (SELECT 1 FROM pg_constraint AS c WHERE c.conrelid = r.oid AND c.conname = n.name)
    AND NOT EXISTS (SELECT 1 FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
                    WHERE i.indrelid = r.oid AND x.relname = n.name)
)
SELECT text FROM lack ORDER BY on_table, name, text
