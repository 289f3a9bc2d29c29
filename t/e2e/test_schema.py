"""wazo-auth-upgrade-db: the schema that it makes, adopts or refuses, and what of it is ours. docs/spec/schema.md."""
import re
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from support import servers

# Section 2. NAME TYPE, ! for not null, = DEFAULT; primary, unique, check; references NAME column table: C cascade,
# N set null, - no action; index, unique index.
STRUCTURE = """
auth_access
    id integer! = nextval('auth_acl_template_id_seq'::regclass)
    access text!
    primary auth_access_pkey (id)
    unique auth_access_access (access)
auth_address
    id integer! = nextval('auth_address_id_seq'::regclass)
    line_1 text
    line_2 text
    city text
    state text
    zip_code text
    country text
    tenant_uuid varchar(38)!
    primary auth_address_pkey (id)
    references auth_address_tenant_uuid_fkey tenant_uuid auth_tenant C
    index auth_address__idx__tenant_uuid (tenant_uuid)
auth_email
    uuid varchar(38)! = uuid_generate_v4()
    address text!
    confirmed boolean!
    main boolean!
    user_uuid varchar(38)!
    primary auth_email_pkey (uuid)
    references auth_email_user_uuid_fkey user_uuid auth_user C
    unique index auth_email_address_key (lower(address))
    index auth_email__idx__user_uuid (user_uuid)
auth_external_auth_config
    type_uuid varchar(36)!
    tenant_uuid varchar(38)!
    data text!
    primary auth_external_auth_config_pkey (type_uuid, tenant_uuid)
    references auth_external_auth_config_tenant_uuid_fkey tenant_uuid auth_tenant C
    references auth_external_auth_config_type_uuid_fkey type_uuid auth_external_auth_type C
    index auth_external_auth_config__idx__type_uuid (type_uuid)
auth_external_auth_type
    uuid varchar(38)! = uuid_generate_v4()
    name text!
    enabled boolean
    primary auth_external_auth_type_pkey (uuid)
    unique auth_external_auth_type_name_key (name)
auth_group
    uuid varchar(38)! = uuid_generate_v4()
    name text!
    tenant_uuid varchar(38)!
    system_managed boolean! = false
    slug varchar(80)!
    primary auth_group_pkey (uuid)
    unique auth_group_name_tenant (name, tenant_uuid)
    references auth_group_tenant_uuid_fkey tenant_uuid auth_tenant C
    unique index auth_group__idx__slug (lower(slug), tenant_uuid)
    index auth_group__idx__tenant_uuid (tenant_uuid)
auth_group_policy
    group_uuid varchar(38)!
    policy_uuid varchar(38)!
    primary auth_group_policy_pkey (group_uuid, policy_uuid)
    references auth_group_policy_group_uuid_fkey group_uuid auth_group C
    references auth_group_policy_policy_uuid_fkey policy_uuid auth_policy C
auth_ldap_config
    tenant_uuid varchar(38)!
    host varchar(512)!
    port integer!
    protocol_version smallint
    protocol_security text
    bind_dn varchar(256)
    bind_password text
    user_base_dn varchar(256)!
    user_login_attribute varchar(64)
    user_email_attribute varchar(64)
    search_filters text
    primary auth_ldap_config_pkey (tenant_uuid)
    references auth_ldap_config_tenant_uuid_fkey tenant_uuid auth_tenant C
    check auth_ldap_config_protocol_security_check protocol_security ldaps tls
auth_policy
    uuid varchar(38)! = uuid_generate_v4()
    name varchar(80)!
    description text
    tenant_uuid varchar(38)!
    config_managed boolean = false
    slug varchar(80)!
    shared boolean! = false
    primary auth_policy_pkey (uuid)
    unique auth_policy_name_tenant (name, tenant_uuid)
    references auth_policy_tenant_uuid_fkey tenant_uuid auth_tenant C
    unique index auth_policy__idx__slug (lower(slug), tenant_uuid)
    index auth_policy__idx__tenant_uuid (tenant_uuid)
auth_policy_access
    policy_uuid varchar(38)!
    access_id integer!
    primary auth_policy_access_pkey (policy_uuid, access_id)
    references auth_policy_access_access_id_fkey access_id auth_access(id) C
    references auth_policy_access_policy_uuid_fkey policy_uuid auth_policy C
auth_refresh_token
    uuid varchar(36)! = uuid_generate_v4()
    client_id text
    user_uuid varchar(36)
    backend text
    login text
    user_agent text
    remote_addr text
    created_at timestamptz = now()
    mobile boolean! = false
    metadata json! = '{}'::json
    primary auth_refresh_token_pkey (uuid)
    unique auth_refresh_token_client_id_user_uuid (client_id, user_uuid)
    references auth_refresh_token_user_uuid_fkey user_uuid auth_user C
    index auth_refresh_token__idx__user_uuid (user_uuid)
auth_saml_config
    tenant_uuid varchar(38)!
    domain_uuid varchar(38)!
    entity_id varchar(512)!
    idp_metadata xml!
    acs_url varchar(512)!
    primary auth_saml_config_pkey (tenant_uuid, domain_uuid)
    references auth_saml_config_domain_uuid_fkey domain_uuid auth_tenant_domain C
    references auth_saml_config_tenant_uuid_fkey tenant_uuid auth_tenant C
auth_saml_pysaml2_cache
    name_id varchar(512)!
    entity_id varchar(1024)!
    info text!
    not_on_or_after integer!
    primary auth_saml_pysaml2_cache_pkey (name_id, entity_id)
auth_saml_session
    request_id varchar(40)!
    session_id varchar(22)!
    redirect_url varchar(512)!
    domain varchar(512)!
    relay_state varchar(100)!
    login varchar(512)
    start_time timestamptz = now()
    saml_name_id text
    refresh_token_uuid varchar(36)
    primary auth_saml_session_pkey (request_id, session_id)
    references auth_saml_session_refresh_token_uuid_fkey refresh_token_uuid auth_refresh_token N
auth_session
    uuid varchar(36)! = uuid_generate_v4()
    mobile boolean!
    tenant_uuid varchar(38)!
    primary auth_session_pkey (uuid)
    references auth_session_tenant_uuid_fkey tenant_uuid auth_tenant C
    index auth_session__idx__tenant_uuid (tenant_uuid)
auth_tenant
    uuid varchar(38)! = uuid_generate_v4()
    name text
    phone text
    contact_uuid varchar(38)
    parent_uuid varchar(38)!
    slug varchar(10)!
    default_authentication_method text! = 'native'::text
    primary auth_tenant_pkey (uuid)
    unique auth_tenant_slug_key (slug)
    references auth_tenant_contact_uuid_fkey contact_uuid auth_user N
    references auth_tenant_parent_uuid_fkey parent_uuid auth_tenant -
    index auth_tenant__idx__contact_uuid (contact_uuid)
    index auth_tenant__idx__parent_uuid (parent_uuid)
auth_tenant_domain
    uuid varchar(36)! = uuid_generate_v4()
    tenant_uuid varchar(38)!
    name varchar(253)!
    primary auth_tenant_domain_pkey (uuid)
    unique auth_tenant_domain_name_key (name)
    references auth_tenant_domain_tenant_uuid_fkey tenant_uuid auth_tenant C
    index auth_tenant_domain__idx__tenant_uuid (tenant_uuid)
auth_token
    uuid varchar(38)! = uuid_generate_v4()
    auth_id text!
    pbx_user_uuid varchar(36)
    xivo_uuid varchar(38)
    issued_t integer
    expire_t integer
    metadata text
    session_uuid varchar(36)!
    user_agent text = ''::text
    remote_addr text = ''::text
    acl text[]! = '{}'::text[]
    refresh_token_uuid varchar(36)
    primary auth_token_pkey (uuid)
    references auth_token_session_uuid_fkey session_uuid auth_session C
    references auth_token_refresh_token_uuid_fkey refresh_token_uuid auth_refresh_token N
    index auth_token__idx__session_uuid (session_uuid)
auth_user
    uuid varchar(38)! = uuid_generate_v4()
    username varchar(256)
    password_hash text
    password_salt bytea
    firstname text
    lastname text
    enabled boolean = true
    tenant_uuid varchar(38)!
    purpose text!
    authentication_method text! = 'default'::text
    primary auth_user_pkey (uuid)
    references auth_user_tenant_uuid_fkey tenant_uuid auth_tenant C
    check auth_user_purpose_check purpose user internal external_api
    unique index auth_user_username_key (lower(username))
    index auth_user__idx__tenant_uuid (tenant_uuid)
auth_user_external_auth
    user_uuid varchar(38)!
    external_auth_type_uuid varchar(38)!
    data text!
    unique auth_external_user_type_auth_constraint (user_uuid, external_auth_type_uuid)
    references auth_user_external_auth_user_uuid_fkey user_uuid auth_user C
    references auth_user_external_auth_external_auth_type_uuid_fkey external_auth_type_uuid auth_external_auth_type C
auth_user_group
    group_uuid varchar(38)!
    user_uuid varchar(38)!
    primary auth_user_group_pkey (group_uuid, user_uuid)
    references auth_user_group_group_uuid_fkey group_uuid auth_group C
    references auth_user_group_user_uuid_fkey user_uuid auth_user C
auth_user_policy
    user_uuid varchar(38)!
    policy_uuid varchar(38)!
    primary auth_user_policy_pkey (user_uuid, policy_uuid)
    references auth_user_policy_policy_uuid_fkey policy_uuid auth_policy C
    references auth_user_policy_user_uuid_fkey user_uuid auth_user C
alembic_version_auth
    version_num varchar(32)!
    primary alembic_version_auth_pkc (version_num)
"""

SEQUENCES = """
auth_acl_template_id_seq integer 1 1 1 auth_access.id
auth_address_id_seq integer 1 1 1 auth_address.id
"""

HEAD = '1c862ebfbb3a'
TYPES = {'timestamptz': 'timestamp with time zone'}
ACTIONS = {'C': ' ON DELETE CASCADE', 'N': ' ON DELETE SET NULL', '-': ''}


# -- the structure that is expected ------------------------------------------------------------------------------------


def constraint_of(words):
    """(name, definition as PostgreSQL prints it) of a line of STRUCTURE."""
    kind, name, rest = words[0], words[1], ' '.join(words[2:])
    if kind in ('primary', 'unique'):
        return name, f"{kind.upper()} {'KEY ' if kind == 'primary' else ''}{rest}"
    if kind == 'check':
        values = ', '.join(f"'{value}'::text" for value in words[3:])
        return name, f'CHECK (({words[2]} = ANY (ARRAY[{values}])))'
    column, table, action = words[2:]
    target = table if '(' in table else f'{table}(uuid)'
    return name, f'FOREIGN KEY ({column}) REFERENCES {target}{ACTIONS[action]}'


class Table:
    def __init__(self, name):
        self.name = name
        self.columns = []  # (name, type with !, default or None)
        self.constraints = []  # (name, definition)
        self.indexes = []  # (name, 'UNIQUE ' or '', definition)

    def add(self, line):
        words = line.split()
        if 'index' in words[:2]:
            at = words.index('index')
            self.indexes.append((words[at + 1], 'UNIQUE ' if at else '', ' '.join(words[at + 2 :])))
        elif words[0] in ('primary', 'unique', 'check', 'references'):
            self.constraints.append(constraint_of(words))
        else:
            self.columns.append((words[0], words[1], ' '.join(words[3:]) or None))

    def lines(self):
        for name, kind, default in self.columns:
            yield f'{self.name} column {name} {kind} = {default}'
        for name, definition in self.constraints:
            yield f'{self.name} constraint {name} {definition}'
        for name, unique, definition in self.indexes:
            yield f'{self.name} index {name} {unique}{definition}'


def tables():
    found = []
    for line in STRUCTURE.strip().splitlines():
        if line.startswith(' '):
            found[-1].add(line)
        else:
            found.append(Table(line))
    return found


def expected_lines():
    return sorted(line for table in tables() for line in table.lines())


# -- databases ---------------------------------------------------------------------------------------------------------

COLUMNS = """
SELECT c.relname, 'column', attname,
       replace(replace(format_type(atttypid, atttypmod), 'character varying', 'varchar'),
               'timestamp with time zone', 'timestamptz') || CASE WHEN attnotnull THEN '!' ELSE '' END,
       '=', coalesce(pg_get_expr(adbin, adrelid), 'None')
FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped"""
CONSTRAINTS = """
SELECT conrelid::regclass, 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype <> 't'"""
INDEXES = """
SELECT indrelid::regclass, 'index', indexrelid::regclass,
       regexp_replace(pg_get_indexdef(indexrelid), '^CREATE (UNIQUE )?INDEX .* USING btree ', '\\1')
FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid
WHERE relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'wazo\\_auth\\_%'
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))"""
OURS = """
SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgname LIKE 'wazo\\_auth\\_%' AND tgenabled = 'O'
UNION SELECT 'index ' || relname FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid
      WHERE relname LIKE 'wazo\\_auth\\_%' AND indisvalid
UNION SELECT 'table ' || relname FROM pg_class
WHERE relnamespace = to_regnamespace('wazo_auth') AND relkind IN ('r', 'p') AND NOT relispartition
ORDER BY 1"""
AUDITED = (
    'accesses addresses domains emails external_configs external_types group_policies group_users groups ldap locks policies '
    'refresh_tokens saml tenants tokens user_external user_policies users'
).split()
ALL_OF_OURS = [
    'index wazo_auth_domain_search',
    'index wazo_auth_email_search',
    'index wazo_auth_group_policy_policy',
    'index wazo_auth_group_search',
    'index wazo_auth_group_tenant_name',
    'index wazo_auth_group_tenant_uuid',
    'index wazo_auth_policy_managed',
    'index wazo_auth_policy_search',
    'index wazo_auth_policy_shared',
    'index wazo_auth_saml_session_id',
    'index wazo_auth_saml_session_refresh',
    'index wazo_auth_saml_session_relay',
    'index wazo_auth_tenant_master',
    'index wazo_auth_tenant_order_name',
    'index wazo_auth_tenant_search',
    'index wazo_auth_token_auth_id',
    'index wazo_auth_token_expire_t',
    'index wazo_auth_token_refresh_token_uuid',
    'index wazo_auth_user_group_user',
    'index wazo_auth_user_order_firstname',
    'index wazo_auth_user_order_lastname',
    'index wazo_auth_user_order_username',
    'index wazo_auth_user_policy_policy',
    'index wazo_auth_user_search',
    'index wazo_auth_user_tenant_firstname',
    'index wazo_auth_user_tenant_lastname',
    'index wazo_auth_user_tenant_username',
    'table audit',
    'table audit_cursor',
    'table audit_setting',
    'table dead_event',
    'table ended_session',
    'table failed_login',
    'table lock',
    'table lock_generation',
    'table migration',
    'table node',
    'table outbox',
    'table pending_authorization',
    'table redis_life',
    'table renewal',
    'table saml_login',
    'table saml_response',
    *(f'trigger wazo_auth_audit_{name}' for name in AUDITED),
    *(f'trigger wazo_auth_audit_{name}_deleted' for name in ('groups', 'policies', 'users')),
    *(f'trigger wazo_auth_audit_{name}_truncated' for name in AUDITED),
    'trigger wazo_auth_locks_changed',
    'trigger wazo_auth_outbox_filled',
    'trigger wazo_auth_sessions_ended',
    'trigger wazo_auth_tenants_changed',
    'trigger wazo_auth_tenants_moved',
    'trigger wazo_auth_tokens_deleted',
    'trigger wazo_auth_tokens_made',
    'trigger wazo_auth_tokens_truncated',
    'trigger wazo_auth_tokens_updated',
    'trigger wazo_auth_users_deleted',
]
ALL_OF_OURS.sort()

# All but wazo-auth's own schema, and the indexes, which come outside of a transaction.
MIGRATIONS = (
    sum('CONCURRENTLY' not in file.read_text() for file in (servers.CHECKOUT / 'sql/schema').glob('0*.sql')) - 1
)


class Database:
    """A database of its own, with the commands that a test runs on it."""

    def __init__(self, postgres, command, owner, folder):
        self.name = f'schema-{uuid.uuid4().hex[:12]}'
        self._postgres = postgres
        self._command = command
        self._folder = folder
        self.uri = postgres.create_database(self.name, owner)

    def sql(self, text, user=None):
        return self._postgres.psql(self.name, text, user)

    def connect(self):
        return psycopg2.connect(host=self._postgres.host, port=self._postgres.port, user='postgres', dbname=self.name)

    def uri_of(self, role):
        return self._postgres.uri(self.name, role)

    def upgrade(self, *options, uri=None):
        config = servers.write_settings(self._folder / uuid.uuid4().hex, {'db_uri': uri or self.uri})
        return self._command('wazo-auth-upgrade-db', '--config-file', config, *options)

    def upgraded(self):
        done = self.upgrade()
        assert done.returncode == 0, done.stderr
        return self

    def structure(self):
        rows = '\n'.join(
            self.sql(
                f"SELECT concat_ws(' ', {', '.join('x.c%d' % i for i in range(1, count + 1))}) "
                f"FROM ({query}) AS x ({', '.join('c%d' % i for i in range(1, count + 1))})"
            )
            for query, count in ((COLUMNS, 6), (CONSTRAINTS, 4), (INDEXES, 4))
        )
        return sorted(re.sub(r'\((\w+)\)::text', r'\1', line) for line in rows.splitlines())

    def ours(self):
        return sorted(self.sql(OURS).splitlines())

    def settings(self):
        """What ALTER DATABASE ... SET says."""
        return self.sql(
            'SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_database AS d ON d.oid = setdatabase '
            'WHERE datname = current_database() AND setrole = 0 ORDER BY 1'
        )

    def dump(self, with_ours=False):
        """All of the database as SQL, owners, rights and rows too; without what is ours."""
        done = subprocess.run(
            [
                servers.postgres_program('pg_dump'),
                '-h',
                self._postgres.host,
                '-p',
                str(self._postgres.port),
                '-U',
                'postgres',
                *([] if with_ours else ['-N', 'wazo_auth']),
                self.name,
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        text = re.sub(r'^\\(un)?restrict .*\n', '', done.stdout, flags=re.M)
        text = re.sub(r'^--.*\n', '', text, flags=re.M)
        if not with_ours:
            text = re.sub(r'^CREATE (TRIGGER|INDEX) wazo_auth_[^;]*;\n', '', text, flags=re.M)
            text = re.sub(r'^(CREATE|COMMENT ON) EXTENSION.* pg_trgm .*;\n', '', text, flags=re.M)
        return re.sub(r'\n{2,}', '\n', text)


@pytest.fixture
def database(postgres, command, tmp_path):
    made = []

    def make(owner='schema-owner'):
        made.append(Database(postgres, command, owner, tmp_path))
        return made[-1]

    yield make
    for each in made:
        postgres.drop_database(each.name)


def reference_ddl():
    """The tables as another program may have made them: each with its columns the other way round."""
    yield 'CREATE EXTENSION "uuid-ossp"; CREATE SEQUENCE auth_acl_template_id_seq AS integer;'
    yield 'CREATE SEQUENCE auth_address_id_seq AS integer;'
    for table in tables():
        columns = ', '.join(
            f"{name} {kind.rstrip('!')}{' NOT NULL' if '!' in kind else ''}{f' DEFAULT {default}' if default else ''}"
            for name, kind, default in reversed(table.columns)
        )
        yield f'CREATE TABLE {table.name} ({columns});'
    for foreign in (False, True):
        for table in tables():
            for name, definition in table.constraints:
                if definition.startswith('FOREIGN') == foreign:
                    yield f'ALTER TABLE {table.name} ADD CONSTRAINT {name} {definition};'
    for table in tables():
        for name, unique, definition in table.indexes:
            yield f'CREATE {unique}INDEX {name} ON {table.name} {definition};'
    yield 'ALTER SEQUENCE auth_acl_template_id_seq OWNED BY auth_access.id;'
    yield 'ALTER SEQUENCE auth_address_id_seq OWNED BY auth_address.id;'


# Rows as after some use, and things of others in the same database.
REFERENCE_ROWS = f"""
INSERT INTO auth_access (id, access) VALUES (1, '#'), (4, 'confd.#');
SELECT setval('auth_acl_template_id_seq', 4);
INSERT INTO auth_tenant (uuid, parent_uuid, name, slug) VALUES
  ('10000000-0000-4000-8000-000000000000', '10000000-0000-4000-8000-000000000000', 'master', 'master'),
  ('20000000-0000-4000-8000-000000000000', '10000000-0000-4000-8000-000000000000', 'Ünder', 'under');
INSERT INTO auth_group (name, slug, tenant_uuid, system_managed)
SELECT 'wazo-all-users-tenant-' || uuid, 'wazo-all-users-tenant-' || uuid, uuid, true FROM auth_tenant;
INSERT INTO auth_policy (name, slug, tenant_uuid) VALUES
  ('wazo_default_master_user_policy', 'wazo_default_master_user_policy', '10000000-0000-4000-8000-000000000000');
INSERT INTO auth_policy_access (policy_uuid, access_id) SELECT uuid, 1 FROM auth_policy;
INSERT INTO auth_user (uuid, username, purpose, tenant_uuid) VALUES
  ('30000000-0000-4000-8000-000000000000', 'bob', 'user', '20000000-0000-4000-8000-000000000000');
INSERT INTO auth_session (uuid, mobile, tenant_uuid) VALUES
  ('40000000-0000-4000-8000-000000000000', false, '20000000-0000-4000-8000-000000000000');
INSERT INTO auth_token (uuid, auth_id, session_uuid, metadata, expire_t, issued_t, acl) VALUES
  ('50000000-0000-4000-8000-000000000000', '30000000-0000-4000-8000-000000000000',
   '40000000-0000-4000-8000-000000000000', '{{}}', 2000000000, 1, '{{a,b}}');
INSERT INTO alembic_version_auth (version_num) VALUES ('{HEAD}');

CREATE TABLE userfeatures (id serial PRIMARY KEY, name text);
INSERT INTO userfeatures (name) VALUES ('somebody');
CREATE INDEX made_by_an_administrator ON auth_token (auth_id);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER watch AFTER DELETE ON auth_token FOR EACH ROW EXECUTE FUNCTION watch();
ALTER TABLE auth_user ADD COLUMN note text;
GRANT SELECT ON auth_user TO PUBLIC;
"""


@pytest.fixture
def reference(database):
    """A database that wazo-auth already uses, and others too."""

    def make(owner='schema-owner', by='schema-owner'):
        made = database(owner)
        made.sql('\n'.join(reference_ddl()) + REFERENCE_ROWS, by)
        return made

    return make


@pytest.fixture
def role(postgres):
    """role() → the name of a new role that may do nothing. Use it before `database`."""
    made = []

    def make():
        made.append(f'schema-role-{uuid.uuid4().hex[:8]}')
        postgres.psql('postgres', f"CREATE ROLE \"{made[-1]}\" LOGIN PASSWORD 'Secr7t'")
        return made[-1]

    yield make
    for name in made:
        postgres.psql('postgres', f'DROP ROLE "{name}"')


# -- an empty database -------------------------------------------------------------------------------------------------


def test_the_schema_of_an_empty_database(database):
    db = database().upgraded()
    assert db.structure() == expected_lines()
    assert (
        db.sql(
            "SELECT concat_ws(' ', c.relname, format_type(seqtypid, NULL), seqstart, seqincrement, seqcache, "
            "d.refobjid::regclass || '.' || attname) FROM pg_sequence JOIN pg_class AS c ON c.oid = seqrelid "
            "JOIN pg_depend AS d ON d.objid = seqrelid AND d.deptype = 'a' "
            "JOIN pg_attribute ON attrelid = d.refobjid AND attnum = d.refobjsubid "
            "WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
        )
        == SEQUENCES.strip()
    )
    assert db.sql(
        "SELECT extname, extnamespace::regnamespace FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1"
    ) == ('pg_trgm|wazo_auth\nuuid-ossp|public')
    assert db.ours() == ALL_OF_OURS


def test_all_of_it_belongs_to_the_owner_who_is_no_superuser(database):
    db = database().upgraded()
    assert (
        db.sql(
            "SELECT DISTINCT relowner::regrole FROM pg_class WHERE relkind IN ('r', 'S', 'i') "
            "AND relnamespace IN ('public'::regnamespace, 'wazo_auth'::regnamespace)"
        )
        == '"schema-owner"'
    )
    assert db.sql("SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = 'schema-owner'") == 'f'


def test_rows_of_an_empty_database(database):
    db = database().upgraded()
    top = db.sql('SELECT uuid FROM auth_tenant')
    assert re.fullmatch(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', top)
    assert db.sql('SELECT version_num FROM alembic_version_auth') == HEAD
    assert (
        db.sql(
            "SELECT parent_uuid, name, slug, phone IS NULL, contact_uuid IS NULL, default_authentication_method "
            'FROM auth_tenant'
        )
        == f'{top}|master|master|t|t|native'
    )
    assert db.sql('SELECT name, slug, tenant_uuid, system_managed FROM auth_group') == (
        f'wazo-all-users-tenant-{top}|wazo-all-users-tenant-{top}|{top}|t'
    )
    slug = 'wazo_default_master_user_policy'
    assert db.sql("SELECT name, slug, tenant_uuid, config_managed, shared, description <> '' FROM auth_policy") == (
        f'{slug}|{slug}|{top}|f|f|t'
    )
    assert (
        db.sql(
            'SELECT slug, access_id, access FROM auth_policy_access JOIN auth_policy ON uuid = policy_uuid '
            'JOIN auth_access ON id = access_id'
        )
        == f'{slug}|1|#'
    )
    assert db.sql("INSERT INTO auth_access (access) VALUES ('x') RETURNING id") == '4'
    seeded = ('auth_access', 'auth_tenant', 'auth_group', 'auth_policy', 'auth_policy_access', 'alembic_version_auth')
    for table in tables():
        if table.name not in seeded:
            assert db.sql(f'SELECT count(*) FROM {table.name}') == '0', table.name


def test_an_empty_marker_table_counts_as_none(database):
    db = database()
    db.sql(
        'CREATE TABLE alembic_version_auth (version_num varchar(32) CONSTRAINT alembic_version_auth_pkc PRIMARY KEY)',
        'schema-owner',
    )
    assert db.upgraded().structure() == expected_lines()
    assert db.sql('SELECT version_num FROM alembic_version_auth') == HEAD


def test_other_tables_are_none_of_our_business(database):
    db = database()
    db.sql('CREATE TABLE userfeatures (id int); CREATE TABLE auth_of_somebody_else (id int)', 'schema-owner')
    db.upgraded()
    db.upgraded()
    assert len(db.structure()) == len(expected_lines()) + 2


# -- adoption ----------------------------------------------------------------------------------------------------------


def test_adoption_changes_nothing_that_is_not_ours(reference):
    db = reference()
    before = db.dump()
    assert 'userfeatures' in before and 'Ünder' in before
    db.upgraded()
    assert db.dump() == before
    assert db.ours() == ALL_OF_OURS


def test_the_api_works_over_an_adopted_database(reference, stack, admin):
    db = reference()
    nginx = stack.new_nginx('adopted', servers_text='', settings={'db_uri': db.uri})
    try:
        login = (admin['username'], admin['password'])
        token = nginx.api.post('/token', auth=login, json={'access_type': 'offline', 'client_id': 'c'}).json()['data']
        assert token['metadata']['tenant_uuid'] == '10000000-0000-4000-8000-000000000000'
        admin_token = token['token']
        tenant = nginx.api.post(
            '/tenants',
            admin_token,
            json={'name': 'T', 'slug': 'tslug', 'phone': '5551', 'address': {'city': 'C'}, 'domain_names': ['a.io']},
        )
        assert tenant.status_code == 200, tenant.text
        seen = nginx.api.get(f"/tenants/{tenant.json()['uuid']}", admin_token).json()
        assert (seen['name'], seen['slug'], seen['phone'], seen['address']['city'], seen['domain_names']) == (
            'T',
            'tslug',
            '5551',
            'C',
            ['a.io'],
        )
        user = nginx.api.post(
            '/users',
            admin_token,
            json={'username': 'eve', 'firstname': 'F', 'password': 'p4ss-w0rd', 'email_address': 'e@v.io'},
        ).json()
        assert (user['username'], user['firstname'], user['emails'][0]['address']) == ('eve', 'F', 'e@v.io')
        policy = nginx.api.post('/policies', admin_token, json={'name': 'P', 'acl': ['x.y']}).json()
        assert (policy['name'], policy['acl']) == ('P', ['x.y'])
        group = nginx.api.post('/groups', admin_token, json={'name': 'G', 'slug': 'gslug'}).json()
        assert (group['name'], group['slug'], group['system_managed']) == ('G', 'gslug', False)
        kept = nginx.api.get('/users/me/tokens', admin_token).json()['items']
        assert [each['client_id'] for each in kept] == ['c']
        assert nginx.api.get('/token/50000000-0000-4000-8000-000000000000').json()['data']['acl'] == ['a', 'b']
    finally:
        nginx.stop()


def old_marker(db):
    db.sql("UPDATE alembic_version_auth SET version_num = '8c14d2c98235'")


def no_marker(db):
    db.sql('DROP TABLE alembic_version_auth')


def empty_marker(db):
    db.sql('DELETE FROM alembic_version_auth')


def two_markers(db):
    db.sql("INSERT INTO alembic_version_auth VALUES ('other')")


def one_table_left(db):
    db.sql('DROP TABLE alembic_version_auth')
    for table in tables():
        if table.name not in ('auth_saml_pysaml2_cache', 'alembic_version_auth'):
            db.sql(f'DROP TABLE {table.name} CASCADE')


def one_table_missing(db):
    db.sql('DROP TABLE auth_saml_pysaml2_cache')


@pytest.mark.parametrize(
    'spoil, words',
    [
        (old_marker, ['8c14d2c98235', '25.09']),
        (no_marker, ['alembic_version_auth']),
        (empty_marker, ['alembic_version_auth']),
        (two_markers, ['alembic_version_auth']),
        (one_table_left, ['auth_saml_pysaml2_cache', 'alembic_version_auth']),
        (one_table_missing, ['auth_saml_pysaml2_cache']),
    ],
)
@pytest.mark.parametrize('option', [(), ('--print',)])
def test_what_cannot_be_adopted_is_refused_and_left_alone(reference, spoil, words, option):
    db = reference()
    spoil(db)
    before = db.dump(with_ours=True)
    done = db.upgrade(*option)
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr.startswith('wazo-auth-upgrade-db: ')
    for word in words:
        assert word in done.stderr
    assert db.dump(with_ours=True) == before


# -- again, and at once ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('kind', ['database', 'reference'])
def test_a_second_upgrade_changes_nothing(request, kind):
    db = request.getfixturevalue(kind)().upgraded()
    before = db.dump(with_ours=True)
    db.upgraded()
    assert db.dump(with_ours=True) == before
    assert db.upgrade('--print').stdout == '-- This database is up to date.\n'


@pytest.mark.parametrize('kind', ['database', 'reference'])
def test_several_upgrades_at_once(request, kind):
    db = request.getfixturevalue(kind)()
    with ThreadPoolExecutor(4) as pool:
        for done in pool.map(lambda _: db.upgrade(), range(4)):
            assert done.returncode == 0, done.stderr
    assert db.ours() == ALL_OF_OURS
    assert db.sql('SELECT count(*) FROM auth_tenant WHERE uuid = parent_uuid') == '1'
    assert db.sql('SELECT count(*) FROM wazo_auth.migration') == str(MIGRATIONS)


def test_an_upgrade_that_failed_half_way_is_finished_by_the_next(database):
    db = database()
    db.sql('CREATE SCHEMA wazo_auth; CREATE TABLE wazo_auth.node (id int)', 'schema-owner')
    done = db.upgrade()
    assert done.returncode == 1 and '"node" already exists' in done.stderr
    assert db.structure() == expected_lines()
    assert db.ours() == ['table node']
    db.sql('DROP TABLE wazo_auth.node')
    assert db.upgraded().ours() == ALL_OF_OURS
    assert db.sql('SELECT count(*) FROM auth_tenant') == '1'


def test_an_index_that_was_left_invalid_is_redone(reference):
    db = reference().upgraded()
    oid = "SELECT 'wazo_auth_token_auth_id'::regclass::oid"
    before = db.sql(oid)
    db.sql(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'wazo_auth_token_auth_id'::regclass; "
        'DROP INDEX wazo_auth_token_expire_t'
    )
    assert len(db.ours()) == len(ALL_OF_OURS) - 2
    others = db.sql(
        "SELECT 'made_by_an_administrator'::regclass::oid, 'wazo_auth_token_refresh_token_uuid'::regclass::oid"
    )
    db.upgraded()
    assert db.ours() == ALL_OF_OURS
    assert db.sql(oid) != before
    assert (
        db.sql(
            "SELECT 'made_by_an_administrator'::regclass::oid, " "'wazo_auth_token_refresh_token_uuid'::regclass::oid"
        )
        == others
    )


@pytest.mark.parametrize(
    'spoil',
    [
        'DROP TRIGGER wazo_auth_tokens_deleted ON auth_token',
        'ALTER TABLE auth_user DISABLE TRIGGER wazo_auth_users_deleted',
        'DROP FUNCTION wazo_auth.tokens_updated() CASCADE',
    ],
)
def test_a_trigger_that_is_missing_or_switched_off_is_redone(reference, spoil):
    db = reference().upgraded()
    db.sql(spoil)
    assert len(db.ours()) == len(ALL_OF_OURS) - 1
    db.upgraded()
    assert db.ours() == ALL_OF_OURS


def test_an_upgrade_waits_for_writers_and_holds_up_none(reference, wait_until):
    db = reference()
    writer, other = db.connect(), db.connect()
    try:
        writer.cursor().execute('UPDATE auth_token SET issued_t = 2')
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(db.upgrade)
            wait_until(
                lambda: db.sql(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted " "AND relation = 'auth_token'::regclass"
                )
                == '1'
            )
            cursor = other.cursor()
            cursor.execute("SET lock_timeout = '4s'")
            cursor.execute("INSERT INTO auth_token (auth_id, session_uuid) SELECT 'x', uuid FROM auth_session")
            other.commit()
            assert not running.done()
            writer.commit()
            done = running.result()
        assert done.returncode == 0, done.stderr
    finally:
        writer.close()
        other.close()
    assert db.ours() == ALL_OF_OURS


def test_tools_that_name_tables_without_a_schema_find_ours(reference):
    db = reference().upgraded()
    assert db.sql('SELECT current_schema(), count(*) FROM migration', 'schema-owner') == f'public|{MIGRATIONS}'
    for name in db.sql(
        "SELECT tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    ).split():
        db.sql(f'SELECT count(*) FROM {name}', 'schema-owner')


def test_a_search_path_that_somebody_set_stays(reference):
    db = reference()
    db.sql(f'ALTER DATABASE "{db.name}" SET search_path = public, other')
    before = db.settings()
    assert before == 'search_path=public, other'
    assert db.upgraded().settings() == before
    assert db.upgrade('--detach').returncode == 0
    assert db.settings() == before


# -- detach ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('kind', ['database', 'reference'])
def test_detach_removes_all_of_ours_and_leaves_the_rest(request, kind):
    db = request.getfixturevalue(kind)()
    if kind == 'database':
        db.upgraded()
        before = db.dump()
    else:
        before = db.dump(with_ours=True)
        db.upgraded()
    db.sql("INSERT INTO wazo_auth.outbox (target) VALUES ('bus')")
    for _ in range(2):  # the second finds nothing
        done = db.upgrade('--detach')
        assert (done.returncode, done.stdout, done.stderr) == (0, '', '')
        assert db.ours() == []
        assert db.settings() == ''
        assert db.dump(with_ours=True) == before
    db.sql('DELETE FROM auth_user; DELETE FROM auth_token; UPDATE auth_tenant SET name = name')
    assert db.upgraded().ours() == ALL_OF_OURS


def test_detach_takes_nothing_that_only_has_a_similar_name(reference):
    db = reference()
    db.sql(
        "CREATE TABLE wazo_authors (id int); CREATE INDEX wazo_authors_id ON wazo_authors (id); "
        'CREATE SCHEMA wazo_auth_backup; CREATE TABLE wazo_auth_backup.token AS SELECT * FROM auth_token'
    )
    before = db.dump(with_ours=True)
    db.upgraded()
    assert db.upgrade('--detach').returncode == 0
    assert db.dump(with_ours=True) == before


def test_detach_waits_for_the_end_of_nginx(reference):
    """Without our triggers it would serve revoked tokens. Its LISTEN connection is known by its name."""
    db = reference().upgraded()
    before = db.dump(with_ours=True)
    nginx = db.connect()
    with nginx.cursor() as cursor:
        cursor.execute("SET application_name = 'wazo-auth listen'")
    nginx.commit()
    done = db.upgrade('--detach')
    assert (done.returncode, done.stdout) == (1, '')
    assert f'an nginx still uses this database (process {nginx.get_backend_pid()})' in done.stderr
    assert db.dump(with_ours=True) == before
    nginx.close()
    assert db.upgrade('--detach').returncode == 0
    assert db.ours() == []


def test_detach_without_the_right_changes_nothing(role, reference):
    stranger = role()
    db = reference().upgraded()
    before = db.dump(with_ours=True)
    done = db.upgrade('--detach', uri=db.uri_of(stranger))
    assert done.returncode == 1 and done.stderr
    assert db.dump(with_ours=True) == before
    assert db.ours() == ALL_OF_OURS


# -- rights ------------------------------------------------------------------------------------------------------------


def rights_asked_for(done):
    """The statements that the message tells an administrator to run."""
    assert (done.returncode, done.stdout) == (1, '')
    assert 'lacks rights' in done.stderr and '--print' in done.stderr
    statements = re.findall(r'^  (.*;)$', done.stderr, re.M)
    assert statements
    return statements


def empty_of_somebody_else(database, reference, app):
    return database('postgres')


def tables_of_somebody_else(database, reference, app):
    db = reference()
    db.sql(
        f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{app}"; '
        f'GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "{app}"'
    )
    return db


def tables_of_a_superuser(database, reference, app):
    db = reference('postgres', 'postgres')
    db.sql(
        f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{app}"; '
        f'GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "{app}"'
    )
    return db


def no_right_at_all(database, reference, app):
    return reference()


SITUATIONS = pytest.mark.parametrize(
    'situation, first',
    [
        (
            empty_of_somebody_else,
            ['GRANT CREATE ON DATABASE "@DB@" TO "@APP@";', 'GRANT CREATE ON SCHEMA public TO "@APP@";'],
        ),
        (
            tables_of_somebody_else,
            [
                'GRANT "schema-owner" TO "@APP@";',
                'GRANT CREATE ON DATABASE "@DB@" TO "@APP@";',
                'GRANT CREATE ON SCHEMA public TO "@APP@";',
            ],
        ),
        (tables_of_a_superuser, None),
        (no_right_at_all, ['GRANT SELECT ON public.alembic_version_auth TO "@APP@";']),
    ],
)


@pytest.fixture
def lacking(role, database, reference):
    """lacking(situation) → (a database, the URI of a role that lacks rights there, its name)"""

    def make(situation):
        app = role()
        db = situation(database, reference, app)
        return db, db.uri_of(app), app

    return make


def serves(stack, admin, uri):
    """An nginx as this role starts, lets the first user in, and tells of a deleted token."""
    nginx = stack.new_nginx(f'rights-{uuid.uuid4().hex[:6]}', servers_text='', redis=False, settings={'db_uri': uri})
    try:
        answer = nginx.api.post('/token', auth=(admin['username'], admin['password']))
        assert answer.status_code == 200, answer.text
        token = answer.json()['data']['token']
        assert nginx.api.post('/tenants', token, json={'name': 'T'}).status_code == 200
        assert nginx.api.delete(f'/token/{token}').status_code == 200
        return nginx.api.get(f'/token/{token}').status_code == 404
    finally:
        nginx.stop()


@SITUATIONS
def test_a_role_that_lacks_rights_is_told_which(lacking, situation, first, stack, admin):
    db, uri, app = lacking(situation)
    before = db.dump(with_ours=True)
    done = db.upgrade(uri=uri)
    assert db.dump(with_ours=True) == before
    asked = rights_asked_for(done)
    if first:
        assert sorted(asked) == sorted(line.replace('@DB@', db.name).replace('@APP@', app) for line in first)
    for _ in range(4):
        db.sql('\n'.join(asked))
        done = db.upgrade(uri=uri)
        if done.returncode == 0:
            break
        asked = rights_asked_for(done)
    assert done.returncode == 0, done.stderr
    assert db.ours() == ALL_OF_OURS
    assert serves(stack, admin, uri)


@SITUATIONS
def test_print_writes_what_an_administrator_runs(lacking, situation, first, postgres, stack, admin):
    db, uri, app = lacking(situation)
    before = db.dump(with_ours=True)
    printed = db.upgrade('--print', uri=uri)
    if printed.returncode:  # not even that much may be read
        db.sql('\n'.join(rights_asked_for(printed)))
        before = db.dump(with_ours=True)
        printed = db.upgrade('--print', uri=uri)
    assert (printed.returncode, printed.stderr) == (0, '')
    assert db.dump(with_ours=True) == before
    owners = """SELECT oid::regclass, relowner::regrole FROM pg_class
                WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"""
    owned = db.sql(owners)
    db.sql(printed.stdout)
    assert db.ours() == ALL_OF_OURS
    if owned:
        assert db.sql(owners) == owned
    done = db.upgrade(uri=uri)
    assert (done.returncode, done.stderr) == (0, '')
    assert db.upgrade('--print', uri=uri).stdout == '-- This database is up to date.\n'
    # What was lent for the script was taken back.
    assert db.sql(f"SELECT has_database_privilege('{app}', current_database(), 'CREATE')") == 'f'
    assert serves(stack, admin, uri)


def test_what_is_printed_does_the_same_as_an_upgrade(database):
    made, printed = database().upgraded(), database()
    printed.sql(printed.upgrade('--print').stdout, 'postgres')
    assert printed.structure() == made.structure() == expected_lines()
    assert printed.ours() == made.ours()
    ours = "SELECT oid::regclass, relowner::regrole FROM pg_class WHERE relnamespace = 'wazo_auth'::regnamespace ORDER BY 1"
    assert printed.sql(ours) == made.sql(ours)
