"""What we use of wazo-auth's own tables: sql/schema/relied_on.sql, derived and proved (through t/lint_sql.py).

Each statement of sql/queries becomes a function with its body parsed (BEGIN ATOMIC), whose dependencies PostgreSQL itself
writes down, column by column; indexes have theirs. Bodies of our trigger functions it doesn't parse, so they run: on tables
without any other column, and with each column of every type that we say is as good.

Unique keys, foreign keys and defaults are those of sql/schema/0001, as far as they concern such columns. Constraints
that code tells apart by their names are found in the code.
"""
import re

import psycopg2

from support.servers import CHECKOUT

FILE = CHECKOUT / 'sql/schema/relied_on.sql'
LACKS = CHECKOUT / 'sql/schema/lacks.sql'
HEAD = """\
-- What statements, triggers and code use of wazo-auth's own tables. lacks.sql, which follows, compares that with what is
-- there. Made by `./dev relied-on`; `./dev lint` fails where it isn't what they use. A column's rule: what an INSERT of
-- ours needs of it. given: nothing, each has a value for it; default: one leaves it to its default; none: to NULL.
"""
COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, NULL), greatest(a.atttypmod - 4, 0), a.atthasdef, a.attrelid, a.attnum
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname LIKE 'auth\\_%'
ORDER BY 1, 2
"""
USED_BY_STATEMENTS = """
SELECT p.proname, d.refobjid, d.refobjsubid
FROM pg_depend AS d JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
WHERE p.pronamespace = 'linted'::regnamespace AND d.refclassid = 'pg_class'::regclass
"""
USED_BY_INDEXES = """
SELECT d.refobjid, d.refobjsubid
FROM pg_depend AS d JOIN pg_class AS i ON d.classid = 'pg_class'::regclass AND i.oid = d.objid
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND i.relname LIKE 'wazo\\_auth\\_%'
"""
NAMED_BY_TRIGGERS = """
SELECT t.tgname, a.attname
FROM pg_depend AS d
JOIN pg_trigger AS t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid AND t.tgname LIKE 'wazo\\_auth\\_%'
JOIN pg_class AS c ON c.oid = d.refobjid AND c.relnamespace = 'public'::regnamespace
JOIN pg_attribute AS a ON d.refclassid = 'pg_class'::regclass AND a.attrelid = c.oid AND a.attnum = d.refobjsubid
WHERE d.refobjsubid > 0
"""
KEYS = """
SELECT c.relname, array_agg(k.text ORDER BY k.text COLLATE "C")
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indrelid
CROSS JOIN LATERAL (
  SELECT replace(pg_get_indexdef(i.indexrelid, n, true), '::text', '') AS text FROM generate_series(1, i.indnkeyatts) AS n
) AS k
WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace AND c.relname LIKE 'auth\\_%'
GROUP BY c.relname, i.indexrelid
ORDER BY 1, 2
"""
REFERENCES = """
SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text, f.attname, c.confdeltype
FROM pg_constraint AS c
JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
JOIN pg_attribute AS f ON f.attrelid = c.confrelid AND f.attnum = c.confkey[1]
WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace AND cardinality(c.conkey) = 1
ORDER BY 1, 2
"""
NAMES = """
SELECT c.relname, n.name
FROM (SELECT conrelid AS on_table, conname AS name FROM pg_constraint WHERE connamespace = 'public'::regnamespace
      UNION SELECT i.indrelid, x.relname FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid) AS n
JOIN pg_class AS c ON c.oid = n.on_table
WHERE n.name = ANY (%s)
ORDER BY 1, 2
"""
# Everything that our trigger functions do, with a lock of each kind.
EXERCISE = """
INSERT INTO auth_tenant (uuid, parent_uuid, slug) VALUES ('t', 't', 't'), ('u', 't', 'u');
INSERT INTO auth_user (uuid, username, tenant_uuid, purpose) VALUES ('a', 'a', 'u', 'user'), ('b', 'b', 'u', 'user');
INSERT INTO auth_refresh_token (uuid, client_id, user_uuid) VALUES ('r', 'c', 'a');
INSERT INTO auth_session (uuid, mobile, tenant_uuid) VALUES ('s', false, 'u');
INSERT INTO wazo_auth.lock (tenant_uuid, kind, value, prefix, refresh_token_uuid, reason, revoking)
VALUES ('u', 'user', 'x', NULL, NULL, '', false), ('u', 'tenant', 'x', NULL, NULL, '', false),
       ('u', 'client', 'x', NULL, NULL, '', false), ('u', 'session', 'x', NULL, 'y', '', false),
       ('u', 'address', '192.0.2.0/24', '192.0.2.0/24', NULL, '', false);
INSERT INTO auth_token (uuid, auth_id, session_uuid, expire_t, issued_t, metadata, refresh_token_uuid, remote_addr)
VALUES ('k', 'a', 's', 2000000000, 1, '{}', 'r', '198.51.100.1'), ('l', 'b', 's', 2000000000, 1, '{}', NULL, '::1');
UPDATE auth_token SET expire_t = 2000000001;
UPDATE auth_tenant SET parent_uuid = 't' WHERE uuid = 'u';
DELETE FROM auth_token WHERE uuid = 'l';
DELETE FROM auth_user WHERE uuid = 'a';
DELETE FROM auth_session;
TRUNCATE auth_token;
"""


class ReliedOn:
    """forms: [(name, text)] of all statements, as they are run. The connection of the cursor is in autocommit."""

    def __init__(self, cursor, forms):
        self.cursor = cursor
        self.forms = dict(enumerate(forms))
        self.problems = []
        self.columns = self.rows(COLUMNS)
        self.by_number = {(table, number): (name, column) for name, column, *_, table, number in self.columns}
        self.users = {}  # {(table, column): numbers of the forms that use it}
        self.find_users()
        self.used = set(self.users) | {self.by_number[row] for row in self.rows(USED_BY_INDEXES) if row in self.by_number}

    def rows(self, sql, params=None):
        self.cursor.execute(sql, params)
        return self.cursor.fetchall()

    def find_users(self):
        self.cursor.execute('CREATE SCHEMA linted')
        for number, (_, text) in self.forms.items():
            self.cursor.execute(f'PREPARE linted AS {text}')
            [(types,)] = self.rows("SELECT array_to_string(parameter_types, ', ') FROM pg_prepared_statements")
            self.cursor.execute('DEALLOCATE linted')
            body = f'BEGIN ATOMIC {text}\n; END'
            self.cursor.execute(f'CREATE FUNCTION linted.f{number}({types}) RETURNS void LANGUAGE sql {body}')
        for function, table, column in self.rows(USED_BY_STATEMENTS):
            if (table, column) in self.by_number:
                self.users.setdefault(self.by_number[table, column], set()).add(int(function[1:]))
        self.cursor.execute('SET client_min_messages = warning; DROP SCHEMA linted CASCADE')

    # -- the list --------------------------------------------------------------------------------------------------

    def given(self):
        """{table: columns for which each INSERT has a value}."""
        given = {}
        for name, text in self.forms.values():
            inserts = re.findall(r'INSERT INTO (?:public\.)?(auth_\w+)(?: AS \w+)? \(([^)]*)\)', text)
            if len(inserts) != len(re.findall(r'INSERT INTO (?:public\.)?auth_', text)):
                self.problems.append(f'{name}: an INSERT that tells no columns')
            for table, columns in inserts:
                columns = set(re.findall(r'\w+', columns))
                given[table] = given.get(table, columns) & columns
        return given

    def text(self):
        given = self.given()
        columns = []
        for table, column, kind, size, has_default, *_ in self.columns:
            if (table, column) not in self.used:
                continue
            rule = 'given' if column in given.get(table, [column]) else 'default' if has_default else 'none'
            columns.append(f"('{table}', '{column}', '{kind}', {size}, '{rule}')")

        def is_used(table, keys):
            return all((table, word) in self.used for key in keys for word in re.findall(r'\w+(?!\w*\()', key))

        keys = [f"""('{t}', '{{{','.join(k)}}}')""" for t, k in self.rows(KEYS) if is_used(t, k)]
        references = [
            f"('{table}', '{column}', '{to}', '{key}', '{action}')"
            for table, column, to, key, action in self.rows(REFERENCES)
            if {(table, column), (to, key)} <= self.used
        ]
        code = '\n'.join(path.read_text() for path in (CHECKOUT / 'lib').rglob('*.cpp'))
        words = sorted(set(re.findall(r'\bconstraint [!=]= "(\w+)"', code)))
        names = [f"('{table}', '{name}')" for table, name in self.rows(NAMES, (words,))]
        if len(names) != len(words):
            self.problems.append(f'sql/schema/0001 lacks a constraint among {", ".join(words)}')
        parts = {
            'relied_column (on_table, name, type, size, rule)': columns,
            'relied_key (on_table, parts)': keys,
            'relied_reference (on_table, name, to_table, to_name, on_delete)': references,
            'relied_name (on_table, name)': names,
        }
        return (
            HEAD
            + 'WITH '
            + ', '.join(f'{head} AS (VALUES\n  ' + ',\n  '.join(rows) + '\n)' for head, rows in parts.items())
        )

    # -- proofs ----------------------------------------------------------------------------------------------------

    def compare(self):
        if not FILE.exists() or FILE.read_text() != self.text() + '\n':
            self.problems.append(f'{FILE.relative_to(CHECKOUT)} is not what is used: run ./dev relied-on')

    def attempt(self, changes, numbers, what):
        """Statements and triggers, with some changes to the tables."""
        try:
            self.cursor.execute('BEGIN')
            self.cursor.execute(changes)
            for number in numbers:
                what_now = f'{what}: {self.forms[number][0]}'
                self.cursor.execute(f'PREPARE linted AS {self.forms[number][1]}')
                self.cursor.execute('DEALLOCATE linted')
            what_now = f'{what}: triggers'
            self.cursor.execute(EXERCISE)
        except psycopg2.Error as error:
            self.problems.append(f'{what_now}: {error.diag.message_primary} {error.diag.context or ""}')
        finally:
            self.cursor.execute('ROLLBACK')

    def prove(self):
        for trigger, column in self.rows(NAMED_BY_TRIGGERS):
            self.problems.append(f'trigger {trigger} names {column}: PostgreSQL would alter or drop it no more')
        others = [(table, column) for table, column, *_ in self.columns if (table, column) not in self.used]
        drops = [f'ALTER TABLE {table} DROP COLUMN {column}' for table, column in others]
        self.attempt(';'.join(drops) or 'SELECT', self.forms, 'without what we do not use')
        wider = re.findall(r"\('([\w ]+)', '([\w ]+)'\)", LACKS.read_text().partition('), relation AS')[0])
        assert wider
        for table, column, kind, *_ in self.columns:
            for other in [other for of, other in wider if of == kind]:
                change = f'ALTER TABLE {table} ALTER COLUMN {column} TYPE {other}'
                self.attempt(change, self.users.get((table, column), []), f'{table}.{column} as {other}')
