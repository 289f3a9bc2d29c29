"""A token that dies, whatever killed it, is refused by every nginx at once and for ever.

Everything here has a database and a Redis of its own, shared by two nginx whose relay to Redis a test may hold back.
"""
import hashlib
import json
import re
import select
import statistics
import threading
import time
import uuid

import psycopg2
import pytest
import redis as redis_client
import requests

from support import servers
from support.logs import SECRETS

DATABASE = 'revocation'
LIMIT = 3  # how long a test waits for what normally takes some milliseconds, and never happens where nobody tells of it
HEARD = 'LISTEN wazo_auth_tokens; LISTEN wazo_auth_tenants; LISTEN wazo_auth_outbox'


# -- the servers -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def connect(postgres):
    """connect(database, user) → an autocommit connection."""
    made = []

    def connect(database=DATABASE, user='postgres'):
        connection = psycopg2.connect(host=postgres.host, port=postgres.port, dbname=database, user=user)
        connection.autocommit = True
        made.append(connection)
        return connection

    yield connect
    for connection in made:
        connection.close()


@pytest.fixture(scope='module')
def uri(postgres):
    return postgres.create_database(DATABASE, 'wazo-auth')


@pytest.fixture(scope='module')
def records(own_redis):
    return redis_client.Redis(port=own_redis.port)


class Hold:
    """While it is held nothing goes from the outbox into Redis."""

    def __init__(self, path):
        self.path = path
        self.environment = {'WAZO_AUTH_TEST_HOLD_RELAY': str(path)}

    def __enter__(self):
        self.path.touch()

    def __exit__(self, *_):
        self.path.unlink()


@pytest.fixture(scope='module')
def hold(stack):
    return Hold(stack.folder / 'hold-relay')


@pytest.fixture(scope='module')
def new_nginx(uri, own_redis, hold, new_nginx):
    def new(name, database=uri, redis=own_redis.uri, **options):
        # Without clean-up: what is told is what the tests have done.
        settings = {'db_uri': database, 'token_cleanup_interval': 0}
        return new_nginx(name, settings=settings, redis=redis, environment=hold.environment, **options)

    return new


@pytest.fixture(scope='module')
def both(new_nginx):
    return [new_nginx('revoked1'), new_nginx('revoked2')]


@pytest.fixture(scope='module')
def gates(both):
    return [nginx.gate for nginx in both]


@pytest.fixture(scope='module')
def sql(both, connect):
    """sql(text, values) → rows, in the database of both."""
    connection = connect()

    def run(text, values=None):
        with connection.cursor() as cursor:
            cursor.execute(text, values)
            return cursor.fetchall() if cursor.description else []

    return run


def items_of(payload):
    """Without the moment when they were told, which stands behind them."""
    return [item for item in payload.split(',') if not re.fullmatch(r'@\d{16}', item)]


class News:
    """Payloads of our channels, as any role that may connect gets them."""

    def __init__(self, connection):
        self._connection = connection
        self.heard = []
        with connection.cursor() as cursor:
            cursor.execute(HEARD)

    def take(self, seconds=0.3):
        """What came since the last call, and comes within so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self._connection], [], [], left)[0]:
                self._connection.poll()
        taken = [(each.channel, each.payload) for each in self._connection.notifies]
        self._connection.notifies.clear()
        self.heard += taken
        return taken

    def items(self, seconds=0.3):
        return [
            item
            for channel, payload in self.take(seconds)
            if channel == 'wazo_auth_tokens'
            for item in items_of(payload)
        ]


@pytest.fixture(scope='module', autouse=True)
def all_news(sql, connect):
    """Whatever the tests do, no token is in a payload."""
    made = News(connect())
    yield made
    made.take(0.1)
    assert not SECRETS.found_in(' '.join(payload for _, payload in made.heard))
    assert {payload for channel, payload in made.heard if channel != 'wazo_auth_tokens'} <= {''}


@pytest.fixture
def news(all_news):
    all_news.take(0.05)
    return all_news


def key(token):
    return hashlib.sha256(token.encode()).hexdigest()


# -- tokens ------------------------------------------------------------------------------------------------------------


class Made:
    def __init__(self, **columns):
        self.__dict__.update(columns)

    @property
    def item(self):
        return f'{key(self.token)}:{self.expire_t or 0}'

    @property
    def given_up(self):
        """The token alone: its session is still there."""
        return f'{self.item}-'


@pytest.fixture(scope='module')
def master(sql):
    return sql('SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid')[0][0]


@pytest.fixture(scope='module')
def make(sql, master):
    """make(...) → a token; make(count=n) → n tokens of one session."""

    def make(count=None, acl=(), expiration=3600, user=None, tenant=None):
        user, tenant, session = user or str(uuid.uuid4()), tenant or master, str(uuid.uuid4())
        expire_t = None if expiration is None else int(time.time()) + expiration
        metadata = json.dumps({'uuid': user, 'tenant_uuid': tenant, 'purpose': 'user'})
        tokens = [SECRETS.token(str(uuid.uuid4())) for _ in range(count or 1)]
        sql('INSERT INTO auth_session (uuid, tenant_uuid, mobile) VALUES (%s, %s, false)', (session, tenant))
        sql(
            'INSERT INTO auth_token (uuid, session_uuid, auth_id, metadata, acl, issued_t, expire_t) '
            'SELECT t, %s, %s, %s, %s, extract(epoch FROM now())::int, %s FROM unnest(%s) AS t',
            (session, user, metadata, list(acl), expire_t, tokens),
        )
        made = [Made(token=token, session=session, user=user, tenant=tenant, expire_t=expire_t) for token in tokens]
        return made if count else made[0]

    return make


# -- watching ----------------------------------------------------------------------------------------------------------


class Watch(threading.Thread):
    """Asks one gate again and again: [(began, ended, answer)]."""

    def __init__(self, gate, token, path='/', pause=0.0005):
        super().__init__(daemon=True)
        self.gate, self.token, self.path, self.pause = gate, token, path, pause
        self.seen = []
        self._end = threading.Event()

    def __enter__(self):
        self.start()
        servers.wait_until(lambda: self.seen)
        return self

    def __exit__(self, *_):
        self._end.set()
        self.join()

    def run(self):
        while not self._end.is_set():
            began = time.monotonic()
            answer = self.gate.get(self.path, self.token)
            self.seen.append((began, time.monotonic(), answer))
            time.sleep(self.pause)

    def since(self, moment):
        return [answer for began, _, answer in list(self.seen) if began >= moment]

    def statuses(self):
        return {answer.status_code for _, _, answer in list(self.seen)}


def seconds_until(gates, token, wanted, kill, path='/', stays=1.0):
    """kill() commits; then each gate's answer becomes `wanted`, and stays so. How long that took, at the slowest gate."""
    watches = [Watch(gate, token, path).__enter__() for gate in gates]
    try:
        kill()
        committed = time.monotonic()
        slowest = 0
        for watch in watches:
            servers.wait_until(lambda w=watch: any(map(wanted, w.since(committed))), LIMIT, 'the change', 0.001)
            began = next(began for began, _, answer in watch.seen if wanted(answer))
            slowest = max(slowest, began - committed)
            time.sleep(stays)
            after = watch.since(max(began, committed))
            assert all(map(wanted, after)), [answer.status_code for answer in after]
        return slowest
    finally:
        for watch in watches:
            watch.__exit__()


def refused(answer):
    return answer.status_code == 401


def status(code):
    return lambda answer: answer.status_code == code


def ask(gate, token, path='/'):
    """On a connection of its own, so that any worker may get it."""
    return requests.get(f'{gate.base}{path}', headers={'X-Auth-Token': token, 'Connection': 'close'}, timeout=20)


def known_to(gates, token, path='/', code=200):
    for gate in gates:
        assert gate.get(path, token).status_code == code


def redis_life(sql):
    """What the keys in Redis have to name now."""
    return int(sql(servers.statement('node.life'))[0][0].split()[1]) % 2**64


# -- whoever kills it --------------------------------------------------------------------------------------------------


@pytest.fixture(params=['REST', 'token', 'session', 'user', 'tenant', 'expire_t', 'uuid'])
def death(request, both, sql, make, master):
    """(a token, what kills it)"""
    if request.param == 'REST':
        made = make()
        return made, lambda: both[0].api.delete(f'/token/{made.token}')
    if request.param == 'user':
        made = make()
        sql(
            "INSERT INTO auth_user (uuid, username, tenant_uuid, purpose) VALUES (%s, %s, %s, 'user')",
            (made.user, made.user, master),
        )
        return made, lambda: sql('DELETE FROM auth_user WHERE uuid = %s', (made.user,))
    if request.param == 'tenant':
        tenant = str(uuid.uuid4())
        sql('INSERT INTO auth_tenant (uuid, parent_uuid, slug) VALUES (%s, %s, %s)', (tenant, master, tenant[:10]))
        made = make(tenant=tenant)
        return made, lambda: sql('DELETE FROM auth_tenant WHERE uuid = %s', (tenant,))
    made = make()
    statement, value = {
        'token': ('DELETE FROM auth_token WHERE uuid = %s', made.token),
        'session': ('DELETE FROM auth_session WHERE uuid = %s', made.session),
        'expire_t': ('UPDATE auth_token SET expire_t = extract(epoch FROM now()) - 10 WHERE uuid = %s', made.token),
        'uuid': ('UPDATE auth_token SET uuid = uuid_generate_v4() WHERE uuid = %s', made.token),
    }[request.param]
    return made, lambda: sql(statement, (value,))


def test_a_dead_token_is_refused_everywhere_at_once_and_for_ever(gates, death):
    made, kill = death
    known_to(gates, made.token)
    seconds_until(gates, made.token, refused, kill)


def test_the_tokens_of_a_user_die_with_it_although_their_sessions_are_of_another_tenant(gates, sql, make, master):
    tenant, made = str(uuid.uuid4()), make()
    sql('INSERT INTO auth_tenant (uuid, parent_uuid, slug) VALUES (%s, %s, %s)', (tenant, master, tenant[:10]))
    sql(
        "INSERT INTO auth_user (uuid, username, tenant_uuid, purpose) VALUES (%s, %s, %s, 'user')",
        (made.user, made.user, tenant),
    )
    known_to(gates, made.token)
    seconds_until(
        gates, made.token, refused, lambda: sql('DELETE FROM auth_tenant WHERE uuid = %s', (tenant,)), stays=0
    )


def test_it_takes_milliseconds(gates, sql, make, record_property):
    took = []
    for made in make(count=20):
        known_to(gates, made.token)
        took.append(
            seconds_until(
                gates,
                made.token,
                refused,
                stays=0,
                kill=lambda: sql('DELETE FROM auth_token WHERE uuid = %s', (made.token,)),
            )
        )
    record_property('typical_ms', round(statistics.median(took) * 1000, 1))
    record_property('worst_ms', round(max(took) * 1000, 1))
    # Of what is found by asking once a second, a twentieth would be as fast.
    assert statistics.quantiles(took)[0] < 0.05, took


def test_nothing_dies_that_was_rolled_back(gates, connect, make):
    made = make()
    known_to(gates, made.token)
    connection = connect()
    with connection.cursor() as cursor:
        cursor.execute('BEGIN; DELETE FROM auth_token WHERE uuid = %s', (made.token,))
        cursor.execute('ROLLBACK')
    time.sleep(0.2)
    known_to(gates, made.token)


def test_truncate_kills_every_token(gates, sql, make):
    made = make(count=5)
    for each in made:
        known_to(gates, each.token)
    life = redis_life(sql)
    seconds_until(gates, made[0].token, refused, lambda: sql('TRUNCATE auth_token'))
    assert all(refused(gate.get('/', each.token)) for gate in gates for each in made)
    assert redis_life(sql) != life
    after = make()
    known_to(gates, after.token)


def test_thousands_at_once(both, gates, sql, make, metrics, news):
    made = make(count=5000)
    for gate in gates:
        for each in made[::2]:
            assert gate.get('/', each.token).status_code == 200
    seconds_until(
        gates,
        made[0].token,
        refused,
        stays=0,
        kill=lambda: sql('DELETE FROM auth_session WHERE uuid = %s', (made[0].session,)),
    )
    for gate in gates:
        assert {gate.get('/', each.token).status_code for each in made} == {401}
    payloads = []

    def all_are_told():
        payloads.extend(payload for channel, payload in news.take(0.1) if channel == 'wazo_auth_tokens')
        return sum(len(items_of(payload)) for payload in payloads) >= len(made)

    servers.wait_until(all_are_told, LIMIT)
    assert sorted(item for payload in payloads for item in items_of(payload)) == sorted(each.item for each in made)
    assert max(map(len, payloads)) < 7000
    assert all(metrics(nginx)['wazo_auth_zone_tombstones_lost_total'] == 0 for nginx in both)


# -- changes -----------------------------------------------------------------------------------------------------------


def test_another_access_list_counts_at_once(gates, sql, make):
    made = make(acl=['confd.users.read'])
    known_to(gates, made.token, '/read')
    for acl, code in (['dird.#'], 403), (['confd.#'], 200):
        seconds_until(
            gates,
            made.token,
            status(code),
            path='/read',
            stays=0.3,
            kill=lambda acl=acl: sql('UPDATE auth_token SET acl = %s WHERE uuid = %s', (acl, made.token)),
        )


def test_another_auth_id_counts_at_once(gates, sql, make):
    """It is what the reserved word "me" stands for."""
    made, other = make(acl=['confd.users.me.read']), str(uuid.uuid4())
    known_to(gates, made.token, f'/users/{made.user}/x')
    seconds_until(
        gates,
        made.token,
        status(403),
        path=f'/users/{made.user}/x',
        stays=0.3,
        kill=lambda: sql('UPDATE auth_token SET auth_id = %s WHERE uuid = %s', (other, made.token)),
    )
    known_to(gates, made.token, f'/users/{other}/x')


def tells(header, value):
    return lambda answer: answer.status_code == 200 and answer.json()['headers'].get(header) == value


def test_another_session_counts_at_once(gates, sql, make):
    made, other = make(), make()
    assert all(tells('wazo-session-uuid', made.session)(gate.get('/', made.token)) for gate in gates)
    seconds_until(
        gates,
        made.token,
        tells('wazo-session-uuid', other.session),
        stays=0.3,
        kill=lambda: sql('UPDATE auth_token SET session_uuid = %s WHERE uuid = %s', (other.session, made.token)),
    )
    seconds_until(
        gates, made.token, refused, lambda: sql('DELETE FROM auth_session WHERE uuid = %s', (other.session,)), stays=0.3
    )


def test_other_metadata_counts_at_once(gates, sql, make):
    made, other = make(), str(uuid.uuid4())
    assert all(tells('wazo-user-uuid', made.user)(gate.get('/', made.token)) for gate in gates)
    seconds_until(
        gates,
        made.token,
        tells('wazo-user-uuid', other),
        stays=0.3,
        kill=lambda: sql(
            'UPDATE auth_token SET metadata = %s WHERE uuid = %s', (json.dumps({'uuid': other}), made.token)
        ),
    )


def test_a_longer_life_counts_at_once(gates, sql, make):
    made = make(expiration=2)
    known_to(gates, made.token)
    sql('UPDATE auth_token SET expire_t = expire_t + 3600 WHERE uuid = %s', (made.token,))
    time.sleep(3.1)
    known_to(gates, made.token)


def test_a_token_lives_under_its_new_uuid_only(gates, sql, make):
    made, renamed = make(), SECRETS.token(str(uuid.uuid4()))
    known_to(gates, made.token)
    sql('UPDATE auth_token SET uuid = %s WHERE uuid = %s', (renamed, made.token))
    servers.wait_until(lambda: all(refused(gate.get('/', made.token)) for gate in gates), LIMIT)
    known_to(gates, renamed)
    # What was dead once stays dead.
    sql('UPDATE auth_token SET uuid = %s WHERE uuid = %s', (made.token, renamed))
    servers.wait_until(lambda: all(refused(gate.get('/', renamed)) for gate in gates), LIMIT)
    known_to(gates, made.token, code=401)


def test_a_change_that_nobody_caches_is_not_told(sql, make, news):
    made = make()
    sql("UPDATE auth_token SET acl = acl, pbx_user_uuid = NULL WHERE uuid = %s", (made.token,))
    assert news.items() == []
    sql("UPDATE auth_token SET acl = '{#}' WHERE uuid = %s", (made.token,))
    assert news.items() == ['~' + made.item]


# -- what is told ------------------------------------------------------------------------------------------------------


def test_who_may_only_delete_tokens_is_heard(gates, sql, connect, make):
    made = make(count=2)
    sql('CREATE ROLE janitor LOGIN; GRANT SELECT, DELETE ON auth_token TO janitor')
    janitor = connect(user='janitor').cursor()
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        janitor.execute('SELECT FROM wazo_auth.outbox')
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        janitor.execute("SELECT wazo_auth.announce('{}', '{}')")
    for each in made:
        known_to(gates, each.token)
        seconds_until(
            gates,
            each.token,
            refused,
            stays=0,
            kill=lambda: janitor.execute('DELETE FROM auth_token WHERE uuid = %s', (each.token,)),
        )


def in_a_transaction(connect, *statements):
    """The rows of the last statement; nothing is kept."""
    connection = connect()
    with connection.cursor() as cursor:
        cursor.execute('BEGIN')
        for statement in statements:
            cursor.execute(*statement if isinstance(statement, tuple) else (statement,))
        rows = cursor.fetchall()
        cursor.execute('ROLLBACK')
    connection.close()
    return rows


# Only of this transaction: now() is its beginning.
FOR_REDIS = "SELECT expires_t, body FROM wazo_auth.outbox WHERE target = 'redis' AND created_at = now() ORDER BY id"


def test_long_dead_tokens_are_not_worth_telling(sql, connect, make, news):
    long_dead, just_dead, immortal = make(expiration=-63), make(expiration=-50), make(expiration=None)
    sql('DELETE FROM auth_token WHERE uuid = %s', (long_dead.token,))
    assert news.items() == []
    again = make(expiration=-63)
    delete = ('DELETE FROM auth_token WHERE uuid = ANY (%s)', ([again.token, just_dead.token, immortal.token],))
    rows = in_a_transaction(connect, delete, FOR_REDIS)
    assert sorted(rows[0][1]['deaths']) == sorted([just_dead.given_up, immortal.given_up]) and len(rows) == 1
    sql(*delete)
    assert sorted(news.items()) == sorted([just_dead.given_up, immortal.given_up])


def test_rows_for_redis_are_kept_as_long_as_the_last_of_their_tokens(connect, make):
    short, long = make(expiration=60), make(expiration=7200)
    delete = ('DELETE FROM auth_token WHERE uuid = ANY (%s)', ([short.token, long.token],))
    assert in_a_transaction(connect, delete, FOR_REDIS) == [
        (long.expire_t, {'deaths': [short.given_up, long.given_up]})
    ]


@pytest.mark.parametrize(
    'change, rows',
    [
        ('SELECT', 1),
        ("UPDATE wazo_auth.node SET last_seen = clock_timestamp() - interval '55 seconds'", 1),
        ("UPDATE wazo_auth.node SET last_seen = clock_timestamp() - interval '61 seconds'", 0),
        ('UPDATE wazo_auth.node SET redis = false', 0),
        ('DELETE FROM wazo_auth.node', 0),
    ],
)
def test_rows_for_redis_are_written_while_an_nginx_with_redis_is_there(connect, make, change, rows):
    made = make()
    delete = ('DELETE FROM auth_token WHERE uuid = %s', (made.token,))
    assert len(in_a_transaction(connect, change, delete, FOR_REDIS)) == rows


def test_a_transaction_with_an_old_snapshot_writes_them_anyway(connect, make):
    """It can't see who has registered since it began."""
    made = make()
    rows = in_a_transaction(
        connect,
        'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ',
        'DELETE FROM wazo_auth.node',
        ('DELETE FROM auth_token WHERE uuid = %s', (made.token,)),
        FOR_REDIS,
    )
    assert [row[1] for row in rows] == [{'deaths': [made.given_up]}]


def test_an_open_transaction_disturbs_nobody(both, gates, connect, sql, make, metrics):
    """It has killed a token, and holds the lock that new nodes have to wait for."""
    victim, others = make(), make(count=12)
    cursor = connect().cursor()
    cursor.execute('BEGIN; DELETE FROM auth_token WHERE uuid = %s', (victim.token,))
    ages = []
    for each in others:
        known_to(gates, each.token)
        began = time.monotonic()
        sql('DELETE FROM auth_token WHERE uuid = %s', (each.token,))
        assert time.monotonic() - began < LIMIT
        servers.wait_until(lambda: all(refused(gate.get('/', each.token)) for gate in gates), LIMIT)
        ages += [metrics(nginx)['wazo_auth_listen_age_seconds'] for nginx in both]
        time.sleep(1)
    assert max(ages) < 2, ages
    known_to(gates, victim.token)
    seconds_until(gates, victim.token, refused, lambda: cursor.execute('COMMIT'), stays=0)


# -- Redis -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def record_of(records, sql):
    """record_of(token) → what Redis has for it, in the life that counts; of another database: with its sql()."""

    def find(token, sql=sql):
        return records.get(f'wazo-auth:{redis_life(sql)}:{key(token)}')

    return find


def records_of_any_life(records, token):
    return [records.get(name) for name in records.keys(f'wazo-auth:*:{key(token)}')]


def restart_with_an_empty_zone(nginx):
    nginx.stop()
    nginx.start()


@pytest.fixture(scope='module')
def wait_until_redis_is_read(make, record_of):
    """An nginx puts what it loads into Redis from when it reads from it, too."""

    def wait(nginx):
        def put():
            made = make()
            assert ask(nginx.gate, made.token).status_code == 200
            return record_of(made.token)

        servers.wait_until(put, 5, f'{nginx.name_in_tests} uses Redis', 0.05)

    return wait


def test_redis_learns_of_a_death(gates, sql, make, records, record_of):
    made, immortal = make(), make(expiration=None)
    for each in made, immortal:
        known_to(gates, each.token)
        assert record_of(each.token) not in (None, b'dead')
        sql('DELETE FROM auth_token WHERE uuid = %s', (each.token,))
        servers.wait_until(lambda: record_of(each.token) == b'dead', 3)
    lives = [records.ttl(f'wazo-auth:{redis_life(sql)}:{key(each.token)}') for each in (made, immortal)]
    assert 3600 + 86400 - 60 < lives[0] <= 3600 + 86400 and lives[1] > 360 * 86400


def test_a_death_outlives_the_zone(both, gates, sql, make, record_of, wait_until_redis_is_read):
    made, renamed, changed = make(), make(), make(acl=['confd.users.read'])
    known_to(gates, made.token)
    known_to(gates, renamed.token)
    known_to(gates, changed.token, '/read')
    sql('DELETE FROM auth_token WHERE uuid = %s', (made.token,))
    sql('UPDATE auth_token SET uuid = uuid_generate_v4() WHERE uuid = %s', (renamed.token,))
    sql("UPDATE auth_token SET acl = '{}' WHERE uuid = %s", (changed.token,))
    servers.wait_until(lambda: record_of(changed.token) == b'changed', 3)
    restart_with_an_empty_zone(both[0])
    wait_until_redis_is_read(both[0])
    for each in made, renamed:
        assert record_of(each.token) == b'dead'
        assert ask(gates[0], each.token).status_code == 401
    assert ask(gates[0], changed.token, '/read').status_code == 403


def test_nobody_is_let_in_while_the_relay_is_held_back(
    both, gates, new_nginx, sql, make, record_of, hold, wait_until_redis_is_read
):
    """Redis has the record of a living token all the time, and one nginx begins with an empty zone."""
    made = make()
    known_to(gates, made.token)
    assert len(record_of(made.token)) > 10
    late = new_nginx('revoked-late', start=False)
    with hold:
        sql('DELETE FROM auth_token WHERE uuid = %s', (made.token,))
        committed = time.monotonic()
        servers.wait_until(lambda: all(refused(gate.get('/', made.token)) for gate in gates), LIMIT)
        with Watch(gates[0], made.token) as first, Watch(gates[1], made.token) as second:
            late.start()
            with Watch(late.gate, made.token) as third:
                wait_until_redis_is_read(late)
                time.sleep(max(0.5, committed + 5 - time.monotonic()))
                assert len(record_of(made.token)) > 10
                assert sql("SELECT count(*) FROM wazo_auth.outbox WHERE target = 'redis'") >= [(1,)]
                assert first.statuses() | second.statuses() | third.statuses() == {401}
    servers.wait_until(lambda: record_of(made.token) == b'dead', 5)
    servers.wait_until(lambda: sql("SELECT count(*) FROM wazo_auth.outbox WHERE target = 'redis'") == [(0,)], 5)
    late.stop()


def test_a_restored_redis_is_not_believed(
    both, gates, sql, make, records, record_of, own_redis, wait_until_redis_is_read
):
    made = make()
    known_to(gates, made.token)
    records.save()
    old_run = records.info('server')['run_id']
    sql('DELETE FROM auth_token WHERE uuid = %s', (made.token,))
    servers.wait_until(lambda: record_of(made.token) == b'dead', 3)
    own_redis.kill()
    own_redis.start()
    (own_redis.folder / 'dump.rdb').unlink()
    assert records.info('server')['run_id'] != old_run
    assert any(len(record) > 10 for record in records_of_any_life(records, made.token))
    restart_with_an_empty_zone(both[1])
    wait_until_redis_is_read(both[1])
    for _ in range(10):
        assert ask(gates[1], made.token).status_code == 401
    assert record_of(made.token) != b'dead'


def test_redis_is_not_believed_after_a_time_in_which_nobody_told_it(new_nginx, postgres, connect, records, record_of):
    """The only nginx with Redis was away for longer than a registration lasts."""
    database = 'revocation-alone'
    alone = new_nginx('revoked-alone', database=postgres.create_database(database, 'wazo-auth'))
    cursor = connect(database).cursor()
    token, session = SECRETS.token(str(uuid.uuid4())), str(uuid.uuid4())
    cursor.execute(
        'INSERT INTO auth_session (uuid, tenant_uuid, mobile) SELECT %s, uuid, false FROM auth_tenant', (session,)
    )
    cursor.execute(
        'INSERT INTO auth_token (uuid, session_uuid, auth_id, expire_t) '
        "VALUES (%s, %s, 'x', extract(epoch FROM now()) + 3600)",
        (token, session),
    )

    def rows(text):
        cursor.execute(text)
        return cursor.fetchall()

    def cached():
        assert ask(alone.gate, token).status_code == 200
        return record_of(token, rows)

    alone.stop()
    alone.start()
    # Whoever begins to use Redis waits for all transactions of the server, those in other databases, too.
    servers.wait_until(cached, 70)
    alone.stop()
    cursor.execute("UPDATE wazo_auth.node SET last_seen = clock_timestamp() - interval '61 seconds'")
    cursor.execute('DELETE FROM auth_token')
    cursor.execute("SELECT count(*) FROM wazo_auth.outbox WHERE target = 'redis'")
    assert cursor.fetchone() == (0,)
    alone.start()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert ask(alone.gate, token).status_code == 401
    assert any(len(record) > 10 for record in records_of_any_life(records, token))
    alone.stop()


def test_without_redis_nothing_waits_for_it(new_nginx, postgres, connect):
    database = 'revocation-plain'
    plain = new_nginx('revoked-plain', database=postgres.create_database(database, 'wazo-auth'), redis=None)
    cursor = connect(database).cursor()

    def delete_one():
        session = str(uuid.uuid4())
        cursor.execute(
            'INSERT INTO auth_session (uuid, tenant_uuid, mobile) SELECT %s, uuid, false FROM auth_tenant', (session,)
        )
        cursor.execute(
            'INSERT INTO auth_token (session_uuid, auth_id, expire_t) '
            "VALUES (%s, 'x', extract(epoch FROM now()) + 3600) RETURNING uuid",
            (session,),
        )
        token = SECRETS.token(cursor.fetchone()[0])
        assert ask(plain.gate, token).status_code == 200
        cursor.execute('DELETE FROM auth_token WHERE uuid = %s', (token,))
        servers.wait_until(lambda: refused(ask(plain.gate, token)), LIMIT)
        cursor.execute("SELECT count(*) FROM wazo_auth.outbox WHERE target = 'redis'")
        return cursor.fetchone()[0]

    servers.wait_until(lambda: plain.gate.get('/metrics').ok)
    cursor.execute('SELECT redis FROM wazo_auth.node')
    assert set(cursor.fetchall()) == {(False,)}
    assert delete_one() == 0
    # One that uses Redis comes, and this Redis is away.
    with_redis = new_nginx(
        'revoked-with', database=plain_uri(postgres, database), redis=f'redis://127.0.0.1:{servers.free_port()}/0'
    )

    def registered():
        cursor.execute('SELECT count(*) FROM wazo_auth.node WHERE redis')
        return cursor.fetchone()[0]

    servers.wait_until(registered, 5)
    assert delete_one() == 1
    # A new relay begins with what nobody needs any more.
    cursor.execute("UPDATE wazo_auth.outbox SET expires_t = extract(epoch FROM now()) - 1 WHERE target = 'redis'")
    assert delete_one() == 2
    with_redis.reload()

    def waiting():
        cursor.execute("SELECT count(*) FROM wazo_auth.outbox WHERE target = 'redis'")
        return cursor.fetchone()[0]

    servers.wait_until(lambda: waiting() == 1, 20)
    with_redis.stop()
    plain.stop()


def plain_uri(postgres, database):
    return postgres.uri(database, 'wazo-auth')


# -- only LISTEN is lost -----------------------------------------------------------------------------------------------


def end_listening(sql):
    """Of both nginx of this database, at once."""
    servers.wait_until(
        lambda: sql(
            """
        SELECT pg_terminate_backend(pid)
        FROM (SELECT pid, count(*) OVER () AS found FROM pg_stat_activity
              WHERE datname = %s AND application_name = 'wazo-auth listen') AS listening
        WHERE found = 2""",
            (DATABASE,),
        ),
        5,
    )


def heard_again(both, metrics):
    servers.wait_until(lambda: all(metrics(nginx)['wazo_auth_listen_age_seconds'] < 1 for nginx in both), 5)


def quietly(sql, statement, values):
    """Without triggers: nobody hears of it."""
    sql('SET session_replication_role = replica')
    try:
        sql(statement, values)
    finally:
        sql('SET session_replication_role = origin')


def test_a_death_in_the_moment_without_listen_is_noticed(both, gates, sql, make, metrics):
    made, lives = make(), make()
    known_to(gates, made.token)
    known_to(gates, lives.token)
    with Watch(gates[0], lives.token) as first, Watch(gates[1], lives.token) as second:
        end_listening(sql)
        sql('DELETE FROM auth_token WHERE uuid = %s', (made.token,))
        servers.wait_until(lambda: all(refused(gate.get('/', made.token)) for gate in gates), 3)
        for _ in range(100):
            known_to(gates, made.token, code=401)
        heard_again(both, metrics)
        assert first.statuses() | second.statuses() == {200}
    after = make()
    known_to(gates, after.token)
    seconds_until(
        gates, after.token, refused, stays=0, kill=lambda: sql('DELETE FROM auth_token WHERE uuid = %s', (after.token,))
    )


def test_every_token_is_confirmed_once_after_listen_was_lost(both, gates, sql, make, metrics):
    unheard, lives = make(), make()
    known_to(gates, unheard.token)
    known_to(gates, lives.token)
    quietly(sql, 'DELETE FROM auth_token WHERE uuid = %s', (unheard.token,))
    known_to(gates, unheard.token)  # otherwise this would prove nothing
    end_listening(sql)
    servers.wait_until(lambda: all(refused(gate.get('/', unheard.token)) for gate in gates), 3)
    heard_again(both, metrics)
    known_to(gates, lives.token)
    misses = [metrics(nginx)['wazo_auth_gate_requests_total{outcome="miss"}'] for nginx in both]
    for _ in range(20):
        known_to(gates, lives.token)
    assert [metrics(nginx)['wazo_auth_gate_requests_total{outcome="miss"}'] for nginx in both] == misses


def test_what_cannot_be_confirmed_after_listen_was_lost_has_its_own_grace_only(
    both, gates, sql, connect, make, metrics
):
    """LISTEN is back and good, and says nothing of what happened before: here the token died, unheard."""
    unheard = make()
    known_to(gates, unheard.token, '/grace2')
    quietly(sql, 'DELETE FROM auth_token WHERE uuid = %s', (unheard.token,))
    time.sleep(2.5)
    cursor = connect().cursor()
    cursor.execute('BEGIN; LOCK TABLE auth_token IN ACCESS EXCLUSIVE MODE')  # lookups find no end
    try:
        end_listening(sql)
        time.sleep(0.5)
        heard_again(both, metrics)
        for gate in gates:
            assert gate.get('/grace2', unheard.token).status_code == 503
    finally:
        cursor.execute('ROLLBACK')
    servers.wait_until(lambda: all(refused(gate.get('/grace2', unheard.token)) for gate in gates), 5)


def test_while_nobody_listens_tokens_are_confirmed_every_second(both, gates, sql, uri, make, metrics, wait_until):
    """The LISTEN connections are ended and can't be made again; connections that are there work."""
    made, lives = make(), make()
    for each in made, lives:
        known_to(gates, each.token)
    sql('ALTER ROLE "wazo-auth" CONNECTION LIMIT 0')
    try:
        end_listening(sql)
        wait_until(lambda: all(metrics(nginx)['wazo_auth_listen_age_seconds'] > 2.1 for nginx in both), 10)
        known_to(gates, made.token)
        quietly(sql, 'DELETE FROM auth_token WHERE uuid = %s', (made.token,))
        wait_until(lambda: all(refused(gate.get('/', made.token)) for gate in gates), 3)
        before = metrics(both[0])
        with Watch(gates[0], lives.token, pause=0.01) as watch:
            time.sleep(2.5)
        assert watch.statuses() == {200}
        after = metrics(both[0])
        hits, misses = (
            after[name] - before[name]
            for name in (f'wazo_auth_gate_requests_total{{outcome="{each}"}}' for each in ('hit', 'miss'))
        )
        assert misses < hits
    finally:
        sql('ALTER ROLE "wazo-auth" CONNECTION LIMIT -1')
    heard_again(both, metrics)
    after = make()
    known_to(gates, after.token)
    seconds_until(
        gates, after.token, refused, stays=0, kill=lambda: sql('DELETE FROM auth_token WHERE uuid = %s', (after.token,))
    )
