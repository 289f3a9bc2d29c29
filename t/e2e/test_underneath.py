"""Migrations of wazo-auth's own package go on underneath: to revisions that we don't know, under running nginx, before a
reload, before a restart, and before wazo-auth-upgrade-db.
"""
import threading
import time
import uuid

import psycopg2
import pytest

from support import servers
from support.logs import LogReader
from support.stack import is_well

NEWER = "UPDATE alembic_version_auth SET version_num = 'fade00000001';"
# What a later version may do, and ours needs nothing of.
HARMLESS = {
    'a revision alone': '',
    'a nullable column': 'ALTER TABLE auth_token ADD COLUMN note text; ALTER TABLE auth_user ADD COLUMN note text',
    'a column with a default': "ALTER TABLE auth_user ADD COLUMN locale text NOT NULL DEFAULT 'fr'",
    'a wider column': 'ALTER TABLE auth_user ALTER COLUMN username TYPE text; '
    'ALTER TABLE auth_tenant ALTER COLUMN parent_uuid TYPE text; ALTER TABLE auth_token ALTER COLUMN expire_t TYPE bigint',
    'a table': 'CREATE TABLE auth_device (uuid varchar(38) PRIMARY KEY, user_uuid varchar(38) REFERENCES auth_user (uuid) '
    'ON DELETE CASCADE)',
    'a purpose': "ALTER TABLE auth_user DROP CONSTRAINT auth_user_purpose_check, ADD CONSTRAINT auth_user_purpose_check "
    "CHECK (purpose IN ('user', 'internal', 'external_api', 'tenant_admin'))",
    'another name of a key': 'ALTER TABLE auth_email RENAME CONSTRAINT auth_email_pkey TO auth_email_key_of_rows',
}
# (migration, what is told of it). Logins need none of it.
HARMFUL = {
    'a column is gone': (
        'ALTER TABLE auth_ldap_config DROP COLUMN search_filters',
        'column auth_ldap_config.search_filters',
    ),
    'another name of a column': (
        'ALTER TABLE auth_tenant_domain RENAME COLUMN name TO fqdn',
        'column auth_tenant_domain.name',
    ),
    'another name of a table': ('ALTER TABLE auth_saml_config RENAME TO auth_saml_idp', 'table auth_saml_config'),
    'another type': (
        'ALTER TABLE auth_ldap_config ALTER COLUMN port TYPE text',
        'column auth_ldap_config.port as integer, or wider: it is text',
    ),
    'a narrower column': (
        'ALTER TABLE auth_ldap_config ALTER COLUMN host TYPE varchar(64)',
        'column auth_ldap_config.host as character varying(512), or wider: it is character varying(64)',
    ),
    'a column that must not be NULL': (
        'ALTER TABLE auth_ldap_config ADD COLUMN timeout integer NOT NULL',
        'a default of column auth_ldap_config.timeout, which must not be NULL and is left to it',
    ),
    'a default is gone': (
        'ALTER TABLE auth_policy ALTER COLUMN uuid DROP DEFAULT',
        'a default of column auth_policy.uuid',
    ),
    'a key is gone': (
        'ALTER TABLE auth_ldap_config DROP CONSTRAINT auth_ldap_config_pkey',
        'a unique key of table auth_ldap_config: tenant_uuid',
    ),
    'a cascade is gone': (
        'ALTER TABLE auth_user_policy DROP CONSTRAINT auth_user_policy_policy_uuid_fkey, ADD CONSTRAINT '
        'auth_user_policy_policy_uuid_fkey FOREIGN KEY (policy_uuid) REFERENCES auth_policy (uuid)',
        'a foreign key: auth_user_policy.policy_uuid to auth_policy.uuid, on delete cascade',
    ),
    'another name of a constraint': (
        'ALTER TABLE auth_tenant_domain RENAME CONSTRAINT auth_tenant_domain_name_key TO auth_domain_name_key',
        'constraint auth_tenant_domain_name_key of table auth_tenant_domain',
    ),
    'a generated column': (
        'ALTER TABLE auth_ldap_config DROP COLUMN bind_dn, '
        "ADD COLUMN bind_dn varchar(256) GENERATED ALWAYS AS ('cn=' || bind_password) STORED",
        'column auth_ldap_config.bind_dn as one that takes a value: it is generated',
    ),
}
LDAP = {
    'host': 'ldap.invalid',
    'port': 389,
    'user_base_dn': 'dc=x',
    'user_login_attribute': 'uid',
    'user_email_attribute': 'm',
}


class Site:
    """An nginx over a database of its own."""

    def __init__(self, stack, command, name, **settings):
        self.stack, self.command = stack, command
        self.database = f'under-{uuid.uuid4().hex[:8]}'
        self.uri = stack.postgres.create_database(self.database, 'wazo-auth')
        self.settings = {'db_uri': self.uri, 'db_upgrade_on_startup': False, **settings}
        self.nginx = stack.new_nginx(name, redis=False, settings=self.settings)
        self.log, self.lines = LogReader(self.nginx.error_log), []
        self.api, self.gate = self.nginx.api, self.nginx.gate
        self.wait()

    def wait(self):
        servers.wait_until(lambda: is_well(self.nginx), 30, 'nginx hears notifications')

    def sql(self, text):
        return self.stack.postgres.psql(self.database, text)

    def migrate(self, text):
        """As alembic does it: all of it, and the revision, in one transaction."""
        self.sql(f'BEGIN; {text}; {NEWER} COMMIT')

    def upgrade(self, *options):
        config = servers.write_settings(self.nginx.folder / 'upgrade', self.settings)
        return self.command('wazo-auth-upgrade-db', '--config-file', config, *options)

    def told(self, words, timeout=25):
        """The lines of the log since forget() that have these words, as soon as there is one."""

        def found():
            self.lines.extend(self.log.news().splitlines())
            return [line for line in self.lines if words in line]

        return servers.wait_until(found, timeout, f'{words} in the log')

    def forget(self):
        self.log.news()
        self.lines.clear()

    def log_in(self, status=200):
        answer = self.api.post('/token', auth=('root', 'Secr7t-root'), json={'expiration': 600})
        assert answer.status_code == status, answer.text
        return answer.json()['data']['token']

    def close(self):
        self.nginx.stop()
        self.stack.postgres.drop_database(self.database)


@pytest.fixture
def site(stack, command, admin, request):
    made = []

    def make(**settings):
        settings = {
            'bootstrap_user_username': 'root',
            'bootstrap_user_password': 'Secr7t-root',
            'token_cleanup_interval': 1,
            **settings,
        }
        made.append(Site(stack, command, f'under-{uuid.uuid4().hex[:8]}', **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


def use(site, admin):
    """A little of everything: the names that are made, for the next time."""
    user = site.api.post('/users', admin, json={'username': f'u-{uuid.uuid4()}', 'password': 'Secr7t-user'})
    assert user.status_code == 200, user.text
    token = site.api.post('/token', auth=(user.json()['username'], 'Secr7t-user'), json={'expiration': 600})
    assert token.status_code == 200, token.text
    token = token.json()['data']['token']
    policy = site.api.post('/policies', admin, json={'name': str(uuid.uuid4()), 'acl': ['x.#']}).json()['uuid']
    assert site.api.put(f"/users/{user.json()['uuid']}/policies/{policy}", admin).status_code == 204
    tenant = site.api.post('/tenants', admin, json={'name': 'T'}).json()['uuid']
    assert site.api.put('/backends/ldap', admin, json=LDAP, headers={'Wazo-Tenant': tenant}).status_code == 200
    assert site.api.get('/users', admin, params={'search': 'u-'}).json()['filtered'] > 0
    assert site.gate.get('/any', token).status_code == 200
    assert site.api.delete(f"/users/{user.json()['uuid']}", admin).status_code == 204
    servers.wait_until(lambda: site.gate.get('/any', token).status_code == 401, 5, 'the token is dead at the gate')


def test_what_a_later_version_adds_is_served_with_one_warning(site):
    """All at once: each alone is what the check says of it (below), and what statements do with it (./dev lint)."""
    site = site()
    admin = site.log_in()
    use(site, admin)
    for change in HARMLESS.values():
        site.migrate(change or 'SELECT 1')
    use(site, admin)
    assert len(site.told('revision fade00000001, which this version doesn')) == 1

    site.nginx.reload()
    site.wait()
    assert site.gate.get('/any', admin).status_code == 200
    use(site, admin)
    site.nginx.stop()
    site.forget()
    site.nginx.start()
    site.wait()
    use(site, site.log_in())
    lines = site.told('fade00000001')
    assert len(lines) == 1 and '(WARNING)' in lines[0] and 'All that it uses is there' in lines[0]

    done = site.upgrade()
    assert (done.returncode, done.stdout) == (0, ''), done.stderr
    assert done.stderr.count('fade00000001') == 1 and 'All that it uses is there' in done.stderr
    assert site.sql('SELECT version_num FROM alembic_version_auth') == 'fade00000001'


@pytest.mark.parametrize('name', HARMLESS)
def test_each_is_no_lack(postgres, command, folder, name):
    """Also of a database that isn't adopted yet: the command adopts it."""
    with_database(postgres, command, folder, HARMLESS[name] or 'SELECT 1', '')


@pytest.mark.parametrize('name', HARMFUL)
def test_what_is_missing_is_named(postgres, command, folder, name):
    with_database(postgres, command, folder, *HARMFUL[name])


def with_database(postgres, command, folder, change, lack):
    name = f'under-{uuid.uuid4().hex[:8]}'
    uri = postgres.create_database(name, 'wazo-auth')
    config = servers.write_settings(folder / name, {'db_uri': uri})
    try:
        assert command('wazo-auth-upgrade-db', '--config-file', config).returncode == 0
        assert command('wazo-auth-upgrade-db', '--config-file', config, '--detach').returncode == 0
        postgres.psql(name, f'{change}; {NEWER}')
        before = postgres.psql(name, 'SELECT count(*) FROM pg_class')
        for options in (('--print',), ()):
            done = command('wazo-auth-upgrade-db', '--config-file', config, *options)
            if lack:
                assert (done.returncode, done.stdout) == (1, '')
                said = done.stderr.partition('and it lacks: ')[2].partition('. Nothing was changed')[0]
                assert lack in said.split('; ')
                assert postgres.psql(name, 'SELECT count(*) FROM pg_class') == before
            else:
                assert done.returncode == 0, done.stderr
    finally:
        postgres.drop_database(name)


def test_what_lacks_something_keeps_what_works_alive(site, expect_log):
    """Under running nginx, after a reload and after a restart: logins, checks and the gate go on; the rest gets 503."""
    site = site()
    admin = site.log_in()
    assert site.api.put('/backends/ldap', admin, json=LDAP).status_code == 200
    site.forget()
    change, lack = HARMFUL['a column is gone']
    site.migrate(change)

    def works(token, where):
        assert site.gate.get('/any', token).status_code == 200, where
        assert site.api.head(f'/token/{token}').status_code == 204, where
        assert site.gate.get('/any', site.log_in()).status_code == 200, where
        assert site.api.get('/users', token).status_code == 200, where
        answer = site.api.put('/backends/ldap', token, json=LDAP)
        assert (answer.status_code, answer.json()['error_id']) == (503, 'service-unavailable'), answer.text
        short_lived = site.log_in()
        assert site.gate.get('/any', short_lived).status_code == 200, where
        assert site.api.delete(f'/token/{short_lived}').status_code == 200, where
        servers.wait_until(lambda: site.gate.get('/any', short_lived).status_code == 401, 5, f'{where}: revoked')

    works(admin, 'running')
    lines = site.told(f'it lacks: {lack}')
    assert len(lines) == 1 and '(ERROR) (wazo_auth) schema: ' in lines[0] and 'get 503' in lines[0]
    assert site.told('PUT /backends/ldap: ')

    site.forget()
    site.nginx.reload()
    site.told(f'it lacks: {lack}')
    site.wait()
    works(admin, 'after a reload')

    site.nginx.stop()
    site.forget()
    site.nginx.start()
    site.told(f'it lacks: {lack}')
    site.wait()
    works(admin, 'after a restart')

    done = site.upgrade()
    assert done.returncode == 1 and f'it lacks: {lack}. Nothing was changed' in done.stderr

    site.sql('ALTER TABLE auth_ldap_config ADD COLUMN search_filters text')
    site.told('All that it uses is there')
    site.told('the database is ready')
    assert site.api.put('/backends/ldap', admin, json=LDAP).status_code == 200


def test_a_new_column_that_must_not_be_null_is_told_of(site):
    site = site()
    admin = site.log_in()
    site.migrate('ALTER TABLE auth_tenant_domain ADD COLUMN verified boolean NOT NULL')
    answer = site.api.post('/tenants', admin, json={'domain_names': ['a.example']})
    assert answer.status_code == 503, answer.text
    site.told('POST /tenants: ')
    site.told('a default of column auth_tenant_domain.verified')
    assert site.api.post('/tenants', admin, json={'name': 'without a domain'}).status_code == 200


def test_a_revision_that_is_too_old_is_refused_as_ever(site):
    site = site()
    site.sql("UPDATE alembic_version_auth SET version_num = '8c14d2c98235'")
    done = site.upgrade()
    assert done.returncode == 1 and 'old revision 8c14d2c98235' in done.stderr
    site.nginx.reload(wait=False)
    site.told('start: the tables of wazo-auth have the old revision 8c14d2c98235')


def test_a_table_that_is_made_anew_has_no_triggers(site):
    """So nobody tells of revoked tokens: PostgreSQL is asked for each, until the triggers are there again."""
    site = site()
    token = site.log_in()
    assert site.gate.get('/any', token).status_code == 200
    site.migrate(
        'ALTER TABLE auth_token RENAME TO auth_token_old; CREATE TABLE auth_token (LIKE auth_token_old INCLUDING ALL); '
        'INSERT INTO auth_token SELECT * FROM auth_token_old; ALTER TABLE auth_token OWNER TO "wazo-auth"; '
        'DROP TABLE auth_token_old; '
        'ALTER TABLE auth_token ADD FOREIGN KEY (session_uuid) REFERENCES auth_session (uuid) ON DELETE CASCADE, '
        'ADD FOREIGN KEY (refresh_token_uuid) REFERENCES auth_refresh_token (uuid) ON DELETE SET NULL'
    )
    site.told('nobody tells of revoked tokens')
    for _ in range(3):
        other = site.log_in()
        assert site.gate.get('/any', other).status_code == 200
        site.sql(f"DELETE FROM auth_token WHERE uuid = '{other}'")
        servers.wait_until(lambda: site.gate.get('/any', other).status_code == 401, 5, 'it is confirmed, and refused')
    assert site.gate.get('/any', token).status_code == 200
    done = site.upgrade()
    assert done.returncode == 0, done.stderr
    site.wait()
    site.sql(f"DELETE FROM auth_token WHERE uuid = '{token}'")
    servers.wait_until(lambda: site.gate.get('/any', token).status_code == 401, 5, 'a revocation is heard')


def test_triggers_don_t_stop_the_daemon_whose_migration_took_what_they_use(site):
    site = site()
    token = site.log_in()
    assert site.gate.get('/any', token).status_code == 200
    user = site.api.post('/users', token, json={'username': 'gone'}).json()['uuid']
    site.sql('ALTER TABLE auth_token RENAME COLUMN expire_t TO expires_at')
    site.sql("UPDATE auth_token SET acl = '{}'")
    site.sql(f"DELETE FROM auth_token WHERE uuid = '{token}'")
    site.sql(
        'ALTER TABLE auth_token RENAME COLUMN expires_at TO expire_t; ALTER TABLE auth_token RENAME auth_id TO owner'
    )
    site.sql(f"DELETE FROM auth_user WHERE uuid = '{user}'")
    site.sql('ALTER TABLE auth_token RENAME COLUMN owner TO auth_id')
    servers.wait_until(lambda: site.gate.get('/any', token).status_code == 401, 5, 'the token is dead at the gate')


def test_migrations_don_t_wait_for_us(site):
    """A lock on each table is to be had at once, beside logins, lists and the background's work: nothing of ours waits
    inside a transaction."""
    site = site()
    admin = site.log_in()
    ended = threading.Event()
    troubles, waits = [], []

    def load():
        while not ended.is_set():
            for answer in (
                site.api.post('/token', auth=('root', 'Secr7t-root'), json={}),
                site.api.get('/users', admin, params={'recurse': 'true'}),
                site.api.put('/backends/ldap', admin, json=LDAP),
            ):
                if answer.status_code != 200:
                    troubles.append(answer.text)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    connection = psycopg2.connect(
        host=site.stack.postgres.host, port=site.stack.postgres.port, user='postgres', dbname=site.database
    )
    try:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("SET lock_timeout = '2s'")
        cursor.execute("SELECT relname FROM pg_class WHERE relname LIKE 'auth\\_%' AND relkind = 'r'")
        for number, (table,) in enumerate(cursor.fetchall() * 2):
            began = time.monotonic()
            cursor.execute(f'ALTER TABLE {table} ADD COLUMN more_{number} text')
            waits.append(time.monotonic() - began)
            cursor.execute(
                "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - state_change)), 0) FROM pg_stat_activity "
                "WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
            )
            assert cursor.fetchone()[0] < 1
    finally:
        connection.close()
        ended.set()
        for thread in threads:
            thread.join()
    assert len(waits) > 40 and troubles == []
