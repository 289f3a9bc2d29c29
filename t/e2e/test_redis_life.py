"""Redis outlives databases, and several platforms share it: what it has of another life is never believed.

Everything here has databases of its own. The Redis is that of all tests: nothing here expects it to be empty.
"""
import hashlib
import subprocess
import time
import uuid

import pytest
import redis as redis_client
import requests

from support import servers
from support.logs import SECRETS

LIMIT = 5


# -- platforms ---------------------------------------------------------------------------------------------------------


class Platform:
    """A database with its nginx."""

    def __init__(self, stack, postgres, database):
        self.stack, self.postgres, self.database = stack, postgres, database
        self.uri = postgres.uri(database, 'wazo-auth')
        self.redis = stack.redis
        self.all_nginx = []

    def nginx(self, redis=True, **options):
        self.all_nginx.append(
            self.stack.new_nginx(
                f'life{len(self.stack.all_nginx)}', settings={'db_uri': self.uri}, redis=redis, **options
            )
        )
        return self.all_nginx[-1]

    def stop(self):
        for nginx in self.all_nginx:
            nginx.stop()

    def sql(self, text):
        return self.postgres.psql(self.database, text)

    def token(self):
        token, session = SECRETS.token(str(uuid.uuid4())), str(uuid.uuid4())
        self.sql(
            f"INSERT INTO auth_session (uuid, tenant_uuid, mobile) SELECT '{session}', uuid, false FROM auth_tenant "
            'WHERE uuid = parent_uuid; INSERT INTO auth_token (uuid, session_uuid, auth_id, expire_t) '
            f"VALUES ('{token}', '{session}', 'x', extract(epoch FROM now()) + 3600)"
        )
        return token

    def delete(self, token):
        self.sql(f"DELETE FROM auth_token WHERE uuid = '{token}'")

    def without_a_word(self, statement):
        """As if it had happened while the triggers weren't there; nothing tells that it has."""
        self.sql(f'SET session_replication_role = replica; {statement}')

    def told(self):
        """Redis has what the outbox had."""
        servers.wait_until(
            lambda: self.sql("SELECT count(*) FROM wazo_auth.outbox WHERE target = 'redis'") == '0', LIMIT
        )

    def long_ago(self):
        """The nginx of this platform, all of them stopped, are taken for gone."""
        self.sql("UPDATE wazo_auth.node SET last_seen = last_seen - interval '61 seconds'")


@pytest.fixture
def new_platform(stack):
    """new_platform() → one with an empty database; of a database that is there already: (postgres, database)"""
    made = []

    def new(postgres=stack.postgres, database=None):
        if not database:
            database = f'life-{uuid.uuid4().hex[:12]}'
            postgres.create_database(database, 'wazo-auth')
        made.append(Platform(stack, postgres, database))
        return made[-1]

    yield new
    for platform in made:
        platform.stop()
    for platform in made:
        if platform.postgres is stack.postgres:
            platform.postgres.drop_database(platform.database)


@pytest.fixture
def platform(new_platform):
    return new_platform()


def ask(nginx, token):
    """On a connection of its own, so that any worker may get it."""
    return requests.get(
        f'{nginx.gate.base}/', headers={'X-Auth-Token': token, 'Connection': 'close'}, timeout=20
    ).status_code


def refuses(nginx, token, seconds=0.0):
    """The first answer tells, when nobody has asked before: a token is remembered as unknown for 2 s."""
    answers = {ask(nginx, token) for _ in range(8)}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.05)
        answers.add(ask(nginx, token))
    return answers == {401} and nginx.api.head(f'/token/{token}').status_code == 404


def records(redis, token):
    """Records of a token in Redis, in any life and any database of it; tombstones don't count."""
    found = []
    for number in range(8):
        client = redis_client.Redis(port=redis.port, db=number)
        values = [client.get(name) for name in client.keys(f'wazo-auth:*:{hashlib.sha256(token.encode()).hexdigest()}')]
        found += [value for value in values if value and len(value) > 10]
    return found


def uses_redis(platform, nginx, redis=None):
    """Waits until this nginx reads Redis: from then on it puts there what it loads."""

    def put():
        token = platform.token()
        assert ask(nginx, token) == 200
        return records(redis or platform.redis, token)

    servers.wait_until(put, LIMIT, 'the use of Redis', 0.05)


def in_redis(platform, nginx, redis=None):
    """A new token of which Redis has a record."""
    uses_redis(platform, nginx, redis)
    token = platform.token()
    assert ask(nginx, token) == 200
    servers.wait_until(lambda: records(redis or platform.redis, token), LIMIT)
    return token


def started_again(platform, nginx):
    """With an empty zone, and when Redis is read again."""
    nginx.stop()
    nginx.start()
    uses_redis(platform, nginx)


# -- one platform ------------------------------------------------------------------------------------------------------


def test_the_nginx_of_a_platform_share_what_they_load(platform):
    first, second = platform.nginx(), platform.nginx()
    token = in_redis(platform, first)
    uses_redis(platform, second)
    platform.without_a_word(f"DELETE FROM auth_token WHERE uuid = '{token}'")
    assert ask(second, token) == 200  # only Redis can have said so


def test_a_restart_of_the_database_costs_nothing_but_misses(stack, new_platform):
    postgres = servers.Postgres(stack.folder / 'life-restart', servers.free_port(), durable=False).start()
    try:
        postgres.create_database('life', 'wazo-auth')
        platform = new_platform(postgres, 'life')
        nginx = platform.nginx()
        dead, lives = in_redis(platform, nginx), in_redis(platform, nginx)
        postgres.restart()
        servers.wait_until(lambda: ask(nginx, lives) == 200, LIMIT)
        uses_redis(platform, nginx)
        platform.delete(dead)
        platform.told()
        started_again(platform, nginx)
        assert refuses(nginx, dead) and ask(nginx, lives) == 200
        platform.stop()
    finally:
        postgres.stop()


# -- several platforms -------------------------------------------------------------------------------------------------


def test_a_token_is_of_no_use_at_another_platform(new_platform, admin):
    one, two = new_platform(), new_platform()
    at_one, at_two = one.nginx(), two.nginx()
    uses_redis(one, at_one)
    uses_redis(two, at_two)
    answer = at_one.api.post('/token', auth=(admin['username'], admin['password']))
    assert answer.status_code == 200, answer.text
    token = answer.json()['data']['token']
    assert ask(at_one, token) == 200
    assert at_one.api.get(f'/token/{token}').status_code == 200
    servers.wait_until(lambda: records(one.redis, token), LIMIT)
    assert ask(at_two, token) == 401
    assert at_two.api.get(f'/token/{token}').status_code == 404
    assert at_two.api.get('/users', token).status_code == 401
    assert refuses(at_two, token)


class OwnCluster:
    """A server of its own, for copies of its files."""

    def __init__(self, stack):
        self.folder = stack.folder / f'life-{uuid.uuid4().hex[:6]}'
        self.servers = []

    def start(self, name):
        self.servers.append(servers.Postgres(self.folder / name, servers.free_port(), durable=False).start())
        return self.servers[-1]

    def copy_of(self, postgres, name):
        postgres.stop()
        (self.folder / name).mkdir()
        subprocess.run(['cp', '-a', postgres.data, self.folder / name / 'data'], check=True)
        postgres.start()
        return self.start(name)

    def stop(self):
        for server in self.servers:
            server.stop()


@pytest.fixture
def own_cluster(stack):
    made = OwnCluster(stack)
    yield made
    made.stop()


@pytest.mark.parametrize('way', ['template', 'dump', 'files'])
def test_a_copy_of_a_platform_is_another_one(new_platform, own_cluster, way, tmp_path):
    """With the same tokens, while none is revoked."""
    if way == 'files':
        postgres = own_cluster.start('original')
        postgres.create_database('life', 'wazo-auth')
        one = new_platform(postgres, 'life')
    else:
        one = new_platform()
    at_one = one.nginx()
    of_both = [in_redis(one, at_one) for _ in range(3)]
    at_one.stop()
    if way == 'files':
        two = new_platform(own_cluster.copy_of(one.postgres, 'copy'), 'life')
    elif way == 'template':
        name = f'{one.database}-copy'
        one.postgres.psql('postgres', f'CREATE DATABASE "{name}" TEMPLATE "{one.database}" OWNER "wazo-auth"')
        two = new_platform(one.postgres, name)
    else:
        two = new_platform()
        dump(one, tmp_path / 'dump')
        restore(two, tmp_path / 'dump')
    at_one.start()
    at_two = two.nginx()
    uses_redis(one, at_one)
    uses_redis(two, at_two)

    later = in_redis(one, at_one)
    assert refuses(at_two, later)

    for token in of_both:
        assert (ask(at_one, token), ask(at_two, token)) == (200, 200)
    one.delete(of_both[0])
    two.delete(of_both[1])
    for platform in one, two:
        platform.told()
    started_again(one, at_one)
    started_again(two, at_two)
    assert [ask(at_one, token) for token in of_both] == [401, 200, 200]
    assert [ask(at_two, token) for token in of_both] == [200, 401, 200]
    one.stop()
    two.stop()


# -- another life of the same platform ---------------------------------------------------------------------------------


def test_a_second_adoption_begins_anew(platform, command, tmp_path):
    config = servers.write_settings(tmp_path, {'db_uri': platform.uri})

    def upgrade(*options):
        done = command('wazo-auth-upgrade-db', '--config-file', config, *options)
        assert done.returncode == 0, done.stderr

    nginx = platform.nginx()
    dead = in_redis(platform, nginx)
    nginx.stop()
    upgrade('--detach')
    platform.delete(dead)  # the daemon alone
    upgrade()
    nginx.start()
    uses_redis(platform, nginx)
    assert records(platform.redis, dead)
    assert refuses(nginx, dead)


def dump(platform, file):
    file.touch(mode=0o644)
    platform.postgres.program('pg_dump', '-Fc', '-f', file, platform.database)


def restore(platform, file, *options):
    platform.postgres.program('pg_restore', '--exit-on-error', '-d', platform.database, *options, file)


def into_a_new_database(platform, file):
    platform.postgres.drop_database(platform.database)
    platform.postgres.create_database(platform.database, 'wazo-auth')
    restore(platform, file)


def over_the_old_one(platform, file):
    restore(platform, file, '--clean', '--if-exists')


def over_the_old_one_at_once(platform, file):
    restore(platform, file, '--clean', '--if-exists', '--single-transaction')


def rows_only(platform, file):
    tables = platform.sql(
        "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables "
        "WHERE schemaname IN ('public', 'wazo_auth')"
    )
    script = file.with_suffix('.sql')
    platform.postgres.program('pg_restore', '--data-only', '--disable-triggers', '-f', script, file)
    platform.sql(f'BEGIN; TRUNCATE {tables};\n{script.read_text()}\nCOMMIT;')


RESTORES = pytest.mark.parametrize(
    'restored', [into_a_new_database, over_the_old_one, over_the_old_one_at_once, rows_only]
)


@RESTORES
def test_tokens_younger_than_a_restored_dump_are_gone(platform, tmp_path, restored):
    nginx = platform.nginx()
    older = in_redis(platform, nginx)
    nginx.stop()
    platform.long_ago()
    dump(platform, tmp_path / 'dump')
    nginx.start()
    younger = in_redis(platform, nginx)
    nginx.stop()
    restored(platform, tmp_path / 'dump')
    assert platform.sql(f"SELECT count(*) FROM auth_token WHERE uuid = '{younger}'") == '0'
    nginx.start()
    uses_redis(platform, nginx)
    assert records(platform.redis, younger)
    assert refuses(nginx, younger)
    assert ask(nginx, older) == 200


@RESTORES
def test_a_database_restored_under_running_nginx_is_noticed(platform, tmp_path, restored):
    shared, alone = platform.nginx(), platform.nginx(redis=False)
    older = in_redis(platform, shared)
    dump(platform, tmp_path / 'dump')
    younger = in_redis(platform, shared)
    for nginx in shared, alone:
        for token in older, younger:
            assert ask(nginx, token) == 200
    restored(platform, tmp_path / 'dump')
    assert platform.sql(f"SELECT count(*) FROM auth_token WHERE uuid = '{younger}'") == '0'
    for nginx in shared, alone:
        servers.wait_until(lambda: ask(nginx, younger) == 401, LIMIT)
        assert refuses(nginx, younger, 2.5)
        servers.wait_until(lambda: ask(nginx, older) == 200, LIMIT)
    # All goes on: what dies is heard, by Redis too.
    uses_redis(platform, shared)
    last = in_redis(platform, shared)
    assert ask(alone, last) == 200
    for token in older, last:
        platform.delete(token)
        for nginx in shared, alone:
            servers.wait_until(lambda: ask(nginx, token) == 401, 1)
    platform.told()
    started_again(platform, shared)
    assert refuses(shared, older) and refuses(shared, last)


UNHEARD = "ALTER TABLE auth_token DISABLE TRIGGER USER; {}; ALTER TABLE auth_token ENABLE TRIGGER USER"


def test_triggers_that_were_switched_off_for_a_while_are_noticed(platform):
    nginx = platform.nginx()
    first, second = in_redis(platform, nginx), in_redis(platform, nginx)
    platform.sql(UNHEARD.format(f"DELETE FROM auth_token WHERE uuid = '{first}'"))
    servers.wait_until(lambda: ask(nginx, first) == 401, LIMIT)
    assert refuses(nginx, first, 2.5)
    # And while nobody listens.
    uses_redis(platform, nginx)
    nginx.stop()
    platform.sql(UNHEARD.format(f"DELETE FROM auth_token WHERE uuid = '{second}'"))
    nginx.start()
    uses_redis(platform, nginx)
    assert refuses(nginx, second) and refuses(nginx, first)


# -- another Redis -----------------------------------------------------------------------------------------------------


@pytest.fixture
def other_redis(stack):
    server = servers.Redis(stack.folder / f'life-redis-{uuid.uuid4().hex[:6]}', servers.free_port()).start()
    yield server
    server.stop()


@pytest.mark.parametrize('other', ['server', 'database'])
def test_a_redis_that_was_left_for_a_while_is_not_believed(platform, stack, other_redis, other):
    """While another one is used, deaths are told to that one."""
    nginx = platform.nginx()
    dead = in_redis(platform, nginx)
    here, elsewhere = stack.redis.uri, other_redis.uri if other == 'server' else stack.redis.uri[:-1] + '5'
    nginx.values['REDIS'] = f'wazo_auth_redis {elsewhere};'
    nginx.stop()
    nginx.start()
    uses_redis(platform, nginx, other_redis if other == 'server' else None)
    platform.delete(dead)
    platform.told()
    nginx.values['REDIS'] = f'wazo_auth_redis {here};'
    started_again(platform, nginx)
    assert records(platform.redis, dead)
    assert refuses(nginx, dead)


def test_who_names_another_redis_than_the_others_goes_without(platform, other_redis):
    """Deaths are told to one Redis."""
    first = platform.nginx()
    token = in_redis(platform, first)
    second = platform.nginx(redis=other_redis.uri)
    servers.wait_until(lambda: int(platform.sql('SELECT count(*) FROM wazo_auth.node WHERE redis')) == 2, LIMIT)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        assert ask(second, platform.token()) == 200
    assert ask(second, token) == 200
    assert not records(other_redis, token)
    platform.delete(token)
    platform.told()
    for nginx in first, second:
        nginx.stop()
        nginx.start()
        assert refuses(nginx, token)
