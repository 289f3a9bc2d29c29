"""PostgreSQL changes under a living nginx: tables are altered, servers change places, a pooler stands in between.

Everything here has databases of its own.
"""
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from support import servers
from support.stack import ADMIN

LOGIN = (ADMIN['username'], ADMIN['password'])


@pytest.fixture
def new_database(stack):
    made = []

    def new(postgres=stack.postgres):
        name = f'db-{uuid.uuid4().hex[:12]}'
        postgres.create_database(name, 'wazo-auth')
        made.append((postgres, name))
        return name

    yield new
    for postgres, name in made:
        if postgres.pid:
            postgres.drop_database(name)


@pytest.fixture
def new_nginx(stack, new_database):
    """new_nginx(uri) → one over this database, without Redis"""
    made = []

    def new(uri, **options):
        made.append(stack.new_nginx(f'db{len(stack.all_nginx)}', settings={'db_uri': uri}, redis=False, **options))
        return made[-1]

    yield new
    for nginx in made:
        nginx.stop()


def log_in(nginx):
    return nginx.api.post('/token', auth=LOGIN)


def ask(nginx, token):
    """On a connection of its own, so that any worker may get it."""
    return requests.get(
        f'{nginx.gate.base}/', headers={'X-Auth-Token': token, 'Connection': 'close'}, timeout=20
    ).status_code


class Traffic:
    """Asks in turn, from several threads; remembers (name, status, time)."""

    def __init__(self, threads=4, **asks):
        self.answers = []
        self._asks = asks
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(threads)
        self._threads = threads

    def _run(self):
        while not self._stop.is_set():
            for name, ask in self._asks.items():
                began = time.monotonic()
                try:
                    status = ask().status_code
                except requests.RequestException as error:
                    status = type(error).__name__
                self.answers.append((name, status, began))

    def rounds(self, count=3):
        """Waits until each was asked so often from now on."""
        began = time.monotonic()

        def asked():
            since = [name for name, _, at in list(self.answers) if at > began]
            return all(since.count(name) >= count for name in self._asks)

        servers.wait_until(asked, 60, 'so many answers')

    def bad(self, good=(200,)):
        return [(name, status) for name, status, _ in self.answers if status not in good]

    def __enter__(self):
        for _ in range(self._threads):
            self._pool.submit(self._run)
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._pool.shutdown()


# -- statements that were prepared before ------------------------------------------------------------------------------

ALTERED = [
    ('auth_token', 'user_agent', 'varchar(4000)', 'text'),
    ('auth_user', 'firstname', 'varchar(300)', 'text'),
    ('auth_session', 'mobile', 'text', 'boolean'),
    ('auth_tenant', 'name', 'varchar(1000)', 'text'),
]


def test_tables_are_altered_under_a_living_nginx(stack, new_database, new_nginx):
    """An update of the platform does that. Nobody's request fails, and the connections stay few."""
    database = new_database()
    nginx = new_nginx(stack.postgres.uri(database, 'wazo-auth'))
    token = log_in(nginx).json()['data']['token']
    tenant = nginx.api.get(f'/token/{token}').json()['data']['metadata']['tenant_uuid']
    user = nginx.api.get(f'/token/{token}').json()['data']['metadata']['uuid']

    def miss():
        fresh = stack.postgres.psql(
            database,
            f"INSERT INTO auth_token (uuid, session_uuid, auth_id, expire_t) SELECT '{uuid.uuid4()}', session_uuid, "
            f"auth_id, expire_t FROM auth_token WHERE uuid = '{token}' RETURNING uuid",
        )
        return nginx.gate.get('/', fresh)

    asks = {
        'users': lambda: nginx.api.get('/users', token),
        'user': lambda: nginx.api.get(f'/users/{user}', token),
        'sessions': lambda: nginx.api.get(f'/users/{user}/sessions', token),
        'tenant': lambda: nginx.api.get(f'/tenants/{tenant}', token),
        'change': lambda: nginx.api.put(f'/tenants/{tenant}', token, json={'name': uuid.uuid4().hex}),
        'login': lambda: log_in(nginx),
        'miss': miss,
    }
    with Traffic(**asks) as traffic:
        traffic.rounds()
        for way in 2, 3:
            for change in ALTERED:
                if change[0] == 'auth_session' and way == 2:
                    continue  # the daemon's type
                stack.postgres.psql(
                    database,
                    f'SET lock_timeout = 5000; ALTER TABLE {change[0]} ALTER COLUMN {change[1]} TYPE {change[way]} '
                    f'USING {change[1]}::{change[way]}',
                )
            traffic.rounds()
    assert traffic.bad() == []
    assert 'cached plan' not in nginx.error_log.read_text(errors='replace')


def forget_statements(postgres, database, table):
    """The first insert into a table deallocates all prepared statements of its session, in the middle of its work."""
    postgres.psql(
        database,
        f"""CREATE SEQUENCE forgotten; GRANT ALL ON SEQUENCE forgotten TO PUBLIC;
            CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('forgotten') = 1 THEN EXECUTE 'DEALLOCATE ALL'; END IF; RETURN NEW; END $$;
            CREATE TRIGGER forget AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION forget()""",
    )


def test_statements_are_deallocated(stack, new_database, new_nginx):
    """In the middle of a transaction all of it is done again, once; nothing of the first try is left."""
    database = new_database()
    nginx = new_nginx(stack.postgres.uri(database, 'wazo-auth'), workers=1)
    for _ in range(3):
        assert log_in(nginx).status_code == 200
    before = int(stack.postgres.psql(database, 'SELECT count(*) FROM auth_session'))
    forget_statements(stack.postgres, database, 'auth_session')
    answer = log_in(nginx)
    assert answer.status_code == 200, answer.text
    tried = int(stack.postgres.psql(database, 'SELECT last_value FROM forgotten'))
    assert tried == 2  # the first one was undone
    assert int(stack.postgres.psql(database, 'SELECT count(*) FROM auth_session')) == before + 1
    assert nginx.gate.get('/', answer.json()['data']['token']).status_code == 200


# -- servers change places ---------------------------------------------------------------------------------------------


@pytest.fixture
def pair(stack, tmp_path, new_nginx):
    """Two servers with the same contents, and the conninfo that names both."""
    one, two = (
        servers.Postgres(stack.folder / f'pair-{uuid.uuid4().hex[:6]}', servers.free_port(), durable=False).start()
        for _ in range(2)
    )
    for each in one, two:
        each.create_database('pair', 'wazo-auth')
    nginx = new_nginx(one.uri('pair', 'wazo-auth'))
    assert log_in(nginx).status_code == 200
    nginx.stop()
    dump = tmp_path / 'dump'
    dump.touch(mode=0o644)
    one.program('pg_dump', '-Fc', '-f', dump, 'pair')
    two.program('pg_restore', '--exit-on-error', '-d', 'pair', dump)
    yield one, two
    one.stop()
    two.stop()


def conninfo(one, two, more=''):
    return (
        f'host=127.0.0.1,127.0.0.1 port={one.port},{two.port} dbname=pair user=wazo-auth password=Secr7t '
        f'connect_timeout=2 {more}'
    )


def read_only(postgres, on):
    postgres.psql('postgres', f"ALTER SYSTEM SET default_transaction_read_only = {'on' if on else 'off'}")
    postgres.psql('postgres', 'SELECT pg_reload_conf()')


def own_token(postgres, token):
    fresh = str(uuid.uuid4())
    postgres.psql(
        'pair',
        'SET default_transaction_read_only = off; INSERT INTO auth_token (uuid, session_uuid, auth_id, expire_t) '
        f"SELECT '{fresh}', session_uuid, auth_id, expire_t FROM auth_token WHERE uuid = '{token}'",
    )
    return fresh


def connections(postgres, words):
    return int(
        postgres.psql(
            'postgres', f"SELECT count(*) FROM pg_stat_activity WHERE datname = 'pair' AND application_name {words}"
        )
    )


@pytest.mark.parametrize('attribute', ['', 'target_session_attrs=read-write'])
def test_a_server_becomes_read_only(pair, new_nginx, attribute):
    """Its connections live on, so that only what it says tells. Logins, lookups and LISTEN go over to the other one."""
    one, two = pair
    nginx = new_nginx(conninfo(one, two, attribute))
    first = log_in(nginx).json()['data']['token']
    with Traffic(login=lambda: log_in(nginx), known=lambda: nginx.gate.get('/', first)) as traffic:
        traffic.rounds(5)
        assert connections(two, "LIKE 'wazo-auth%'") == 0
        # What it had is at the other one, as replication would have it.
        two.psql('pair', 'TRUNCATE auth_session, auth_token CASCADE')
        rows = one.psql(
            'pair', "SELECT string_agg(format('(%L, %L, false)', uuid, tenant_uuid), ',') FROM auth_session"
        )
        two.psql('pair', f'INSERT INTO auth_session (uuid, tenant_uuid, mobile) VALUES {rows}')
        row = one.psql(
            'pair',
            "SELECT format('(%L, %L, %L, %L, %L, %L)', uuid, session_uuid, auth_id, expire_t, acl, metadata) "
            f"FROM auth_token WHERE uuid = '{first}'",
        )
        two.psql('pair', f'INSERT INTO auth_token (uuid, session_uuid, auth_id, expire_t, acl, metadata) VALUES {row}')
        read_only(one, True)
        changed = time.monotonic()
        servers.wait_until(lambda: connections(two, "= 'wazo-auth listen'") == 1, 3, 'LISTEN at the other one')
        servers.wait_until(lambda: connections(two, "= 'wazo-auth'") > 0, 3, 'logins at the other one')
        traffic.rounds(5)
        assert time.monotonic() - changed < 15
        # A token that only the new one has, and its end there, count.
        for _ in range(8):  # whichever worker is asked
            at_two, at_one = own_token(two, first), own_token(one, first)
            assert ask(nginx, at_two) == 200
            assert ask(nginx, at_one) == 401
            two.psql('pair', f"DELETE FROM auth_token WHERE uuid = '{at_two}'")
            servers.wait_until(lambda: ask(nginx, at_two) == 401, 3)
        # And back.
        read_only(one, False)
        read_only(two, True)
        servers.wait_until(lambda: connections(one, "= 'wazo-auth listen'") == 1, 3, 'LISTEN at the first one')
        traffic.rounds(5)
    assert traffic.bad() == []


def test_the_only_server_is_read_only_for_a_while(pair, new_nginx):
    """Maintenance: logins are told to come back, known tokens and lookups go on, and all is well afterwards."""
    one, _ = pair
    nginx = new_nginx(one.uri('pair', 'wazo-auth'))
    token = log_in(nginx).json()['data']['token']
    read_only(one, True)
    servers.wait_until(lambda: log_in(nginx).status_code != 200, 5)
    answer = log_in(nginx)
    assert (answer.status_code, answer.headers.get('Retry-After')) == (503, '1')
    assert nginx.gate.get('/', own_token(one, token)).status_code == 200
    time.sleep(3)
    assert nginx.gate.get('/', token).status_code == 200
    assert nginx.api.get('/users', token).status_code == 200
    read_only(one, False)
    servers.wait_until(lambda: log_in(nginx).status_code == 200, 5)
    servers.wait_until(lambda: connections(one, "= 'wazo-auth listen'") == 1, 5)


@pytest.mark.parametrize('value', ['read-only', 'standby', 'prefer-standby'])
def test_servers_that_cannot_be_written_to_are_refused(stack, expect_log, value):
    expect_log('target_session_attrs')
    nginx = stack.new_nginx(
        'db-attributes', settings={'db_uri': f'dbname=x target_session_attrs={value}'}, redis=False, start=False
    )
    good, output = nginx.test()
    assert not good and f'target_session_attrs={value} finds servers that can' in output


# -- PgBouncer ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=['', 'ignore_startup_parameters = options'], ids=['plain', 'ignoring'])
def bouncer(stack, request):
    server = servers.PgBouncer(
        stack.folder / f'bouncer-{uuid.uuid4().hex[:6]}',
        servers.free_port(),
        stack.postgres,
        {'wazo-auth': 'Secr7t'},
        request.param,
    ).start()
    yield server
    server.stop()


def test_pgbouncer_in_session_mode(stack, bouncer, new_database, new_nginx, command, tmp_path, wait_until):
    database = new_database()
    uri = bouncer.uri(database, 'wazo-auth')
    done = command('wazo-auth-upgrade-db', '-c', servers.write_settings(tmp_path, {'db_uri': uri}))
    assert done.returncode == 0, done.stderr
    nginx = new_nginx(uri)
    token = log_in(nginx).json()['data']['token']
    assert nginx.gate.get('/', token).status_code == 200
    # Revocations are heard.
    stack.postgres.psql(database, f"DELETE FROM auth_token WHERE uuid = '{token}'")
    wait_until(lambda: nginx.gate.get('/', token).status_code == 401, 1)
    # Our limits hold.
    with ThreadPoolExecutor() as pool:
        locked = pool.submit(
            stack.postgres.psql, database, 'BEGIN; LOCK TABLE auth_session; SELECT pg_sleep(14); COMMIT'
        )
        wait_until(
            lambda: stack.postgres.psql(
                database, "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
            ),
            5,
        )
        began = time.monotonic()
        answer = log_in(nginx)
        assert (answer.status_code, answer.headers.get('Retry-After')) == (503, '1')
        assert 8 < time.monotonic() - began < 12
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        assert stack.postgres.psql(database, waiting) == '0'
        locked.result()
    assert log_in(nginx).status_code == 200
    # It goes and comes back.
    bouncer.restart()
    wait_until(lambda: log_in(nginx).status_code == 200, 10)
    token = log_in(nginx).json()['data']['token']
    assert nginx.gate.get('/', token).status_code == 200
    wait_until(
        lambda: 'listening for revoked tokens' in nginx.error_log.read_text(errors='replace').rsplit('LISTEN: ', 1)[-1],
        10,
    )
    stack.postgres.psql(database, f"DELETE FROM auth_token WHERE uuid = '{token}'")
    wait_until(lambda: nginx.gate.get('/', token).status_code == 401, 1)
