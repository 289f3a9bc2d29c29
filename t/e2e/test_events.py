"""Events on RabbitMQ: how a message looks, when it goes out, and that none is lost, late for good or out of order.

docs/spec/events.md sections 1, 2 and 5. Which request publishes what is tested where the request is.
Everything here has a
virtual host and a database of its own, shared by two nginx, each with a door to the broker that a test may shut.
"""
import contextlib
import json
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time
import types
import uuid
from datetime import datetime, timedelta

import pika
import pytest
import requests

from support import servers
from support.checks import NO_TOKEN, UNKNOWN
from support.stack import ADMIN

DATABASE = VHOST = EXCHANGE = 'events'
ZONE = 'XYZ-5:45'  # east of Greenwich: POSIX counts the other way round
EAST = timedelta(hours=5, minutes=45)
XIVO_UUID = '5ca1ab1e-0000-4000-8000-00000000e7e7'
LIMIT = 20  # the longest pause between two tries is 10 s


# -- the broker --------------------------------------------------------------------------------------------------------


class Door:
    """Between an nginx and the broker: counts the connections, cuts them, and lets nobody in while it is shut."""

    def __init__(self, port):
        self.shut = False
        self._broker_port = port
        self._listener = socket.create_server((servers.ADDRESS, 0))
        self.port = self._listener.getsockname()[1]
        self._other = {}  # each end of a connection → its other end
        self._cut = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def connections(self):
        return len(self._other) // 2

    def cut(self):
        """Resets all connections: both sides lose what is under way."""
        self._cut.set()
        servers.wait_until(lambda: not self._cut.is_set(), 5, 'the cut', 0.001)

    @contextlib.contextmanager
    def closed(self):
        self.shut = True
        self.cut()
        try:
            yield
        finally:
            self.shut = False

    def close(self):
        self._stopping = True
        self._thread.join(5)

    def _run(self):
        while not self._stopping:
            for ready in select.select([self._listener, *self._other], [], [], 0.01)[0]:
                if ready is self._listener:
                    self._let_in()
                elif ready in self._other:
                    self._pass_on(ready)
            if self._cut.is_set():
                self._drop(*self._other)
                self._cut.clear()
        self._drop(*self._other, self._listener)

    def _let_in(self):
        inside = self._listener.accept()[0]
        try:
            if self.shut:
                raise ConnectionRefusedError
            outside = socket.create_connection((servers.ADDRESS, self._broker_port), 5)
        except OSError:
            self._drop(inside)
        else:
            self._other.update({inside: outside, outside: inside})

    def _pass_on(self, end):
        try:
            data = end.recv(1 << 16)
            self._other[end].sendall(data)
        except OSError:
            data = b''
        if not data:
            self._drop(end, self._other[end])

    def _drop(self, *ends):
        for end in ends:
            self._other.pop(end, None)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            end.close()


class Broker:
    def __init__(self, server):
        self.server = server

    def uri(self, path='', port=None, login='guest:guest'):
        return f'amqp://{login}@{servers.ADDRESS}:{port or self.server.port}{path}'

    def control(self, *words):
        """rabbitmqctl: takes some seconds."""
        done = subprocess.run(
            ['/usr/lib/rabbitmq/bin/rabbitmqctl', '--silent', *words],
            env=self.server.environment(),
            cwd='/',
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    @contextlib.contextmanager
    def channel(self, vhost=VHOST):
        parameters = pika.ConnectionParameters(servers.ADDRESS, self.server.port, vhost, heartbeat=0)
        with pika.BlockingConnection(parameters) as connection:
            yield connection.channel()

    def close_connections(self):
        self.control('close_all_connections', '--vhost', VHOST, 'by force')

    def add_vhost(self, name):
        self.control('add_vhost', name)
        self.control('set_permissions', '-p', name, 'guest', '.*', '.*', '.*')


class Queue:
    """A durable queue behind an exchange. It is read when somebody asks, over a new connection each time."""

    def __init__(
        self, broker, exchange=EXCHANGE, key='#', kind='topic', vhost=VHOST, durable=True, arguments=None, match=None
    ):
        self.name = f'q-{uuid.uuid4().hex[:12]}'
        self.events = []
        self._broker = broker
        self._vhost = vhost
        self._exchange = {'exchange': exchange, 'exchange_type': kind, 'durable': durable}
        with broker.channel(vhost) as channel:
            channel.queue_declare(self.name, durable=True, arguments=arguments)
        self.bind(key, match)

    def bind(self, key='#', match=None):
        """The exchange is made when there is none, and refused when there is another one of that name."""
        with self._broker.channel(self._vhost) as channel:
            channel.exchange_declare(**self._exchange)
            channel.queue_bind(self.name, self._exchange['exchange'], key, match)

    def read(self):
        with self._broker.channel(self._vhost) as channel:
            while True:
                method, properties, body = channel.basic_get(self.name, auto_ack=True)
                if not method:
                    return self.events
                self.events.append(
                    types.SimpleNamespace(
                        key=method.routing_key,
                        headers=properties.headers,
                        properties=properties,
                        text=body,
                        body=json.loads(body),
                        name=properties.headers['name'],
                        data=json.loads(body)['data'],
                    )
                )

    def wait(self, wanted, timeout=LIMIT):
        """The first event for which wanted(event) is true."""

        def found():
            return next(filter(wanted, self.read()), None)

        try:
            return servers.wait_until(found, timeout, 'the event', 0.03)
        except TimeoutError as late:
            raise TimeoutError(f'{late}; there were {[event.key for event in self.events[-20:]]}') from None

    def names_of(self, tenant):
        """The names that the tenant got, each where it came first: events may come again."""
        names = [
            event.data['name']
            for event in self.events
            if event.name == 'auth_tenant_updated' and event.data['uuid'] == tenant
        ]
        return list(dict.fromkeys(names))

    def wait_names(self, tenant, names, timeout=LIMIT):
        """Every one of these, and in this order."""
        wanted = set(names)

        def complete():
            self.read()
            return wanted <= set(self.names_of(tenant))

        try:
            servers.wait_until(complete, timeout, 'the events', 0.05)
        except TimeoutError:
            pass
        assert [name for name in self.names_of(tenant) if name in wanted] == list(names)

    def delete(self):
        with self._broker.channel(self._vhost) as channel:
            channel.queue_delete(self.name)


@pytest.fixture(scope='module')
def broker(rabbitmq):
    made = Broker(rabbitmq)
    made.add_vhost(VHOST)
    return made


@pytest.fixture(scope='module')
def make_queue(broker):
    made = []

    def make(**options):
        made.append(Queue(broker, **options))
        return made[-1]

    yield make
    for queue in made:
        queue.delete()


@pytest.fixture(scope='module')
def everything(make_queue):
    return make_queue()


@pytest.fixture
def queue(everything):
    """Holds what came since the test began."""
    everything.read()
    everything.events.clear()
    return everything


# -- nginx -------------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _expected(expect_log):
    expect_log(r'worker process \d+ exited on signal 9', r'shared memory zone "tokens" was locked by \d+')


@pytest.fixture(scope='module')
def sql(postgres):
    return lambda text, database=DATABASE: postgres.psql(database, text)


@pytest.fixture(scope='module')
def both(stack, postgres, broker):
    """Two nginx; .door is their way to the broker."""
    uri = postgres.create_database(DATABASE, 'wazo-auth')
    made = []
    for name in ('events', 'events2'):
        door = Door(broker.server.port)
        made.append(
            stack.new_nginx(
                name,
                redis=False,
                environment={'TZ': ZONE, 'XIVO_UUID': XIVO_UUID},
                settings={
                    'db_uri': uri,
                    'amqp': {'uri': broker.uri(f'/{VHOST}', door.port), 'exchange_name': EXCHANGE},
                },
            )
        )
        made[-1].door = door
    yield made
    for each in made:
        each.stop()
        each.door.close()


@pytest.fixture(scope='module')
def api(both):
    return both[0].api


@pytest.fixture(scope='module')
def token(api):
    answer = api.post('/token', auth=(ADMIN['username'], ADMIN['password']), json={'expiration': 7200})
    assert answer.status_code == 200, answer.text
    return answer.json()['data']['token']


@pytest.fixture
def rename(api, token):
    """rename(tenant, name): one event auth_tenant_updated with that name."""

    def rename(tenant, name, client=api):
        answer = client.put(f'/tenants/{tenant}', token, json={'name': name})
        assert answer.status_code == 200, answer.text

    return rename


@pytest.fixture
def make_tenant(api, token, queue):
    def make():
        answer = api.post('/tenants', token, json={})
        assert answer.status_code == 200, answer.text
        tenant = answer.json()['uuid']
        queue.wait(lambda event: event.data.get('uuid') == tenant)
        queue.events.clear()
        return tenant

    return make


@pytest.fixture
def tenant(make_tenant):
    return make_tenant()


@pytest.fixture(scope='module')
def user(api, token):
    password = f'pass-{uuid.uuid4().hex}'
    answer = api.post('/users', token, json={'username': f'u-{uuid.uuid4().hex[:8]}', 'password': password})
    assert answer.status_code == 200, answer.text
    return answer.json() | {'password': password}


@pytest.fixture(scope='module')
def log_in(api, user):
    def log_in(**body):
        answer = api.post('/token', auth=(user['username'], user['password']), json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()['data']

    return log_in


@pytest.fixture(scope='module')
def master(sql, both):
    return sql('SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid')


@pytest.fixture(scope='module')
def waiting(sql):
    return lambda database=DATABASE: int(sql("SELECT count(*) FROM wazo_auth.outbox WHERE target = 'bus'", database))


@pytest.fixture
def dead(sql):
    """dead(): (routing key, reason) of the events that were refused for good since the test began."""
    sql('DELETE FROM wazo_auth.dead_event')

    def dead():
        rows = sql('SELECT routing_key, reason FROM wazo_auth.dead_event ORDER BY id')
        return [tuple(row.split('|')) for row in rows.splitlines()]

    return dead


@pytest.fixture(autouse=True)
def _nothing_stays_in_the_outbox(both, waiting):
    yield
    servers.wait_until(lambda: waiting() == 0, LIMIT, 'an empty outbox')


# -- transport ---------------------------------------------------------------------------------------------------------


def test_the_exchange(broker, queue, tenant, rename):
    rename(tenant, 'x')
    facts = ['name', 'type', 'durable', 'auto_delete', 'internal', 'arguments']
    rows = [row.split('\t') for row in broker.control('list_exchanges', '-p', VHOST, *facts).splitlines()]
    assert [EXCHANGE, 'topic', 'true', 'false', 'false', '[]'] in rows


def test_properties(queue, tenant, rename):
    rename(tenant, 'x')
    properties = vars(queue.wait(lambda event: event.data['uuid'] == tenant).properties)
    set_ones = {name: value for name, value in properties.items() if value is not None and name != 'headers'}
    assert set_ones == {
        'content_type': 'application/json',
        'content_encoding': 'utf-8',
        'delivery_mode': 2,
        'priority': 0,
    }


def test_types_of_headers(queue, tenant, rename, monkeypatch):
    kinds = {}
    decode = pika.data.decode_value

    def spy(encoded, offset):
        value = decode(encoded, offset)
        kinds.setdefault(repr(value[0]), set()).add(encoded[offset : offset + 1])
        return value

    rename(tenant, 'x')
    monkeypatch.setattr(pika.data, 'decode_value', spy)
    headers = queue.wait(lambda event: event.data['uuid'] == tenant).headers
    assert kinds[repr(tenant)] == {b'S'}
    assert {name: kinds[repr(value)] for name, value in headers.items()} == {
        name: {b't' if name.startswith('user_uuid:') else b'S'} for name in headers
    }


def test_the_body_is_utf8(queue, tenant, rename):
    rename(tenant, 'Événement \U0001f3ba "\\\n')
    event = queue.wait(lambda event: event.data['uuid'] == tenant)
    assert event.data['name'] == 'Événement \U0001f3ba "\\\n'
    assert json.loads(event.text.decode('utf-8')) == event.body


# -- envelope ----------------------------------------------------------------------------------------------------------


def check(event, name, key, tenant, **headers):
    """`headers`: those that not every event has, `__` for the colon."""
    assert (event.name, event.key) == (name, key)
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?', event.headers['timestamp'])
    assert event.headers == {
        'name': name,
        'origin_uuid': XIVO_UUID,
        'timestamp': event.headers['timestamp'],
        'required_access': f'event.{name}',
        'required_acl': f'events.{key}',
        'tenant_uuid': tenant,
        **{header.replace('__', ':'): value for header, value in headers.items()},
    }
    assert {key: value for key, value in event.body.items() if key != 'data'} == event.headers


def test_an_event_of_a_tenant(queue, tenant, rename):
    rename(tenant, 'x')
    event = queue.wait(lambda event: event.data['uuid'] == tenant)
    check(event, 'auth_tenant_updated', f'auth.tenants.{tenant}.updated', tenant, **{'user_uuid__*': True})
    assert event.data == {'uuid': tenant, 'name': 'x'}


def test_an_event_of_a_user(queue, log_in, user, master):
    log_in(access_type='offline', client_id='a.b#c*d é')
    event = queue.wait(lambda event: event.name == 'auth_refresh_token_created')
    key = f"auth.users.{user['uuid']}.tokens.a__DOT__b__HASH__c__STAR__d é.created"
    check(event, 'auth_refresh_token_created', key, master, **{f"user_uuid__{user['uuid']}": True})
    assert event.data == {'client_id': 'a.b#c*d é', 'mobile': False, 'user_uuid': user['uuid'], 'tenant_uuid': master}


def test_an_event_of_a_session(queue, log_in, user, master):
    session = log_in()['session_uuid']
    event = queue.wait(lambda event: event.data.get('uuid') == session)
    check(
        event,
        'auth_session_created',
        f'auth.sessions.{session}.created',
        master,
        session_uuid=session,
        **{f"user_uuid__{user['uuid']}": True},
    )
    assert event.data == {'uuid': session, 'tenant_uuid': master, 'user_uuid': user['uuid'], 'mobile': False}


def test_consumers_by_key(make_queue, log_in, user):
    """A dot in a client's id is no further word."""
    words = make_queue(key='auth.users.*.tokens.*.created')
    log_in(access_type='offline', client_id='dotted.client')
    event = words.wait(lambda event: event.data['client_id'] == 'dotted.client')
    assert event.key.split('.') == ['auth', 'users', user['uuid'], 'tokens', 'dotted__DOT__client', 'created']


def test_consumers_by_headers(broker, make_queue, log_in, user, master):
    mine = {'x-match': 'all', 'name': 'auth_session_created', 'tenant_uuid': master, f"user_uuid:{user['uuid']}": True}
    matched = make_queue(exchange='events-headers', kind='headers', key='', match=mine)
    others = make_queue(exchange='events-headers', kind='headers', key='', match=mine | {'tenant_uuid': UNKNOWN})
    with broker.channel() as channel:
        channel.exchange_bind('events-headers', EXCHANGE, '#')
    session = log_in()['session_uuid']
    assert matched.wait(lambda event: True).data['uuid'] == session
    assert others.read() == []


def wall_clock():
    return datetime.utcfromtimestamp(time.time()) + EAST


def test_timestamps_are_local(queue, tenant, rename):
    before = wall_clock()
    rename(tenant, 'x')
    event = queue.wait(lambda event: event.data['uuid'] == tenant)
    assert before <= datetime.fromisoformat(event.headers['timestamp']) <= wall_clock()


# -- transactions ------------------------------------------------------------------------------------------------------


def test_what_fails_is_not_told(queue, api, token, tenant, rename, user):
    rename(tenant, 'first')
    taken = api.post('/tenants', token, json={'slug': 'taken'})
    answers = [
        api.post('/tenants', token, json={'slug': 'taken'}),
        api.post('/tenants', token, json={'name': 1}),
        api.post('/tenants', NO_TOKEN),
        api.put(f'/tenants/{UNKNOWN}', token, json={}),
        api.put(f'/tenants/{tenant}', token, json={'name': 1}),
        api.delete(f'/tenants/{UNKNOWN}', token),
        api.delete(f"/users/{user['uuid']}/tokens/nothing", token),
        api.post('/token', auth=(user['username'], 'wrong-pass-0')),
        api.post('/token', auth=(user['username'], user['password']), json={'access_type': 'offline'}),
    ]
    assert [answer.status_code for answer in answers] == [409, 400, 401, 404, 400, 404, 404, 401, 400]
    # These succeed, but have nothing to tell.
    assert api.delete(f'/token/{NO_TOKEN}').status_code == 200
    assert api.delete(f'/sessions/{UNKNOWN}', token).status_code == 204
    rename(tenant, 'last')
    queue.wait(lambda event: event.data.get('name') == 'last')
    assert [(event.name, event.data['uuid']) for event in queue.events] == [
        ('auth_tenant_updated', tenant),
        ('auth_tenant_added', taken.json()['uuid']),
        ('auth_tenant_updated', tenant),
    ]


@pytest.fixture
def trigger(sql):
    """trigger(text, table, when): makes a trigger that lasts as long as the test."""
    made = []

    def make(body, table, when='AFTER UPDATE'):
        kind = 'CONSTRAINT TRIGGER' if when.startswith('AFTER') else 'TRIGGER'
        deferred = 'DEFERRABLE INITIALLY DEFERRED' if when.startswith('AFTER') else ''
        sql(
            'CREATE OR REPLACE FUNCTION public.e2e_trigger() RETURNS trigger LANGUAGE plpgsql AS '
            f"$$ BEGIN {body}; RETURN NEW; END $$; CREATE {kind} e2e {when} ON {table} {deferred} "
            'FOR EACH ROW EXECUTE FUNCTION public.e2e_trigger()'
        )
        made.append(table)

    yield make
    for table in made:
        sql(f'DROP TRIGGER e2e ON {table}')


def test_what_is_rolled_back_is_not_told(queue, api, token, tenant, make_tenant, rename, trigger, waiting):
    other = make_tenant()
    rename(tenant, 'kept')
    trigger(f"IF NEW.uuid = '{tenant}' THEN RAISE EXCEPTION 'no'; END IF", 'auth_tenant')  # at the commit
    for _ in range(3):
        assert api.put(f'/tenants/{tenant}', token, json={'name': 'lost'}).status_code >= 500
    assert waiting() == 0
    rename(other, 'last')
    queue.wait(lambda event: event.data.get('name') == 'last')
    assert [event.data['name'] for event in queue.events] == ['kept', 'last']


def test_what_can_not_be_told_does_not_happen(queue, api, token, tenant, rename, trigger):
    rename(tenant, 'kept')
    trigger("RAISE EXCEPTION 'no'", 'wazo_auth.outbox', 'BEFORE INSERT')
    assert api.put(f'/tenants/{tenant}', token, json={'name': 'lost'}).status_code >= 500
    assert api.get(f'/tenants/{tenant}', token).json()['name'] == 'kept'


def test_whoever_hears_of_it_can_see_it(queue, tenant, rename, sql, trigger):
    trigger('PERFORM pg_sleep(0.6)', 'auth_tenant')
    start = time.monotonic()
    renaming = threading.Thread(target=rename, args=(tenant, 'late'))
    renaming.start()
    queue.wait(lambda event: event.data.get('name') == 'late')
    assert sql(f"SELECT name FROM auth_tenant WHERE uuid = '{tenant}'") == 'late'
    assert time.monotonic() - start > 0.6
    renaming.join(10)


# -- at least once, in order -------------------------------------------------------------------------------------------


class Renaming:
    """Names a tenant 0, 1, 2, ...; a name whose request broke is given again. `names`: those that were acknowledged."""

    def __init__(self, client, token, tenant):
        self.names = []
        self._ask = lambda name: client.put(f'/tenants/{tenant}', token, json={'name': name}).status_code
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._stop.is_set():
            with contextlib.suppress(requests.RequestException):
                if self._ask(str(len(self.names))) == 200:
                    self.names.append(str(len(self.names)))
            time.sleep(0.005)

    def __enter__(self):
        self._thread.start()
        servers.wait_until(lambda: self.names, 10, 'the first name')
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(30)

    def goes_on(self, count=10):
        aim = len(self.names) + count
        servers.wait_until(lambda: len(self.names) >= aim, 15, 'further names')


LEADER = (
    "pg_locks JOIN pg_database ON pg_database.oid = database WHERE locktype = 'advisory' AND granted "
    f"AND datname = '{DATABASE}' AND objid = hashtext('wazo_auth.bus_relay')::bigint & 4294967295"
)


def leader(both):
    """The nginx that publishes. It connects when there is something to publish, and stays connected."""
    return servers.wait_until(lambda: next((each for each in both if each.door.connections), None), LIMIT, 'a leader')


def cut(both):
    """A channel keeps the permissions and limits of its beginning: there will be a new one."""
    for each in both:
        each.door.cut()


@pytest.mark.parametrize('how', ['cut', 'closed by the broker', 'database'])
def test_the_connection_is_lost(how, both, broker, queue, token, make_tenant, rename, sql):
    first, second = make_tenant(), make_tenant()

    def lose():
        if how == 'cut':
            leader(both).door.cut()
        elif how == 'database':
            sql(f'SELECT pg_terminate_backend(pid) FROM {LEADER}')
        else:
            broker.close_connections()

    with Renaming(both[0].api, token, first) as one, Renaming(both[1].api, token, second) as other:
        for _ in range(3 if how == 'closed by the broker' else 6):
            one.goes_on()
            other.goes_on()
            # Not while it connects: that would count as a broker that is away, and is tried less and less often.
            newest = one.names[-1]
            queue.wait(lambda event: event.data['uuid'] == first and event.data['name'] == newest)
            lose()
    queue.wait_names(first, one.names)
    queue.wait_names(second, other.names)


def test_reloads(both, queue, token, make_tenant):
    tenants = [make_tenant(), make_tenant()]
    with Renaming(both[0].api, token, tenants[0]) as one, Renaming(both[1].api, token, tenants[1]) as other:
        for _ in range(2):
            for each in both:
                each.reload()
                one.goes_on()
                other.goes_on()
    for tenant, renaming in zip(tenants, (one, other)):
        queue.wait_names(tenant, renaming.names)


@pytest.mark.parametrize('what', ['workers', 'nginx'])
def test_nginx_is_killed_while_it_publishes(what, both, queue, token, make_tenant):
    tenants = [make_tenant(), make_tenant()]
    with Renaming(both[0].api, token, tenants[0]) as one, Renaming(both[1].api, token, tenants[1]) as other:
        for _ in range(2):
            dying = leader(both)
            if what == 'workers':
                servers.signal_all(dying.workers(), signal.SIGKILL)
            else:
                dying.kill()
            (one if dying is both[1] else other).goes_on()
            dying.start()
            one.goes_on()
            other.goes_on()
    for tenant, renaming in zip(tenants, (one, other)):
        queue.wait_names(tenant, renaming.names)


def test_nginx_is_killed_while_events_wait(both, queue, tenant, rename, waiting):
    names = [str(number) for number in range(30)]
    with both[0].door.closed(), both[1].door.closed():
        for name in names:
            rename(tenant, name)
        for each in both:
            each.kill()
        assert waiting() == 30
        queue.read()
        assert queue.names_of(tenant) == []
    for each in both:
        each.start()
    queue.wait_names(tenant, names)


def test_there_is_one_relay_and_another_takes_over(both, queue, tenant, rename, sql, waiting):
    rename(tenant, 'before')
    queue.wait_names(tenant, ['before'])
    first = leader(both)
    second = both[1 - both.index(first)]
    for number in range(20):
        rename(tenant, f'one relay {number}', both[number % 2].api)
        assert [each.door.connections for each in (first, second)] == [1, 0]
        assert sql(f'SELECT count(*) FROM {LEADER}') == '1'
    queue.wait_names(tenant, [f'one relay {number}' for number in range(20)])
    try:
        with first.door.closed():
            for number in range(5):
                rename(tenant, f'other {number}', second.api)
            assert waiting() == 5
            # It leads as long as it lives, though it can't reach the broker.
            assert second.door.connections == 0
            first.kill()
            # Nothing tells the other: it looks by itself.
            queue.wait_names(tenant, [f'other {number}' for number in range(5)])
            assert second.door.connections == 1
    finally:
        first.start()
    rename(tenant, 'after', first.api)
    queue.wait_names(tenant, ['after'])
    assert first.door.connections == 0


# -- what the broker doesn't take --------------------------------------------------------------------------------------


@pytest.mark.parametrize('kind, durable', [('fanout', True), ('topic', False)])
def test_another_exchange_of_that_name(kind, durable, both, broker, queue, tenant, rename, waiting, dead):
    names = [str(number) for number in range(10)]
    rename(tenant, 'before')
    queue.wait_names(tenant, ['before'])
    logs = {each: len(each.error_log.read_bytes()) for each in both}

    def complaints():
        texts = [each.error_log.read_bytes()[logs[each] :].decode() for each in both]
        return [line for text in texts for line in text.splitlines() if 'events wait in the outbox' in line]

    with broker.channel() as channel:
        channel.exchange_delete(EXCHANGE)
        channel.exchange_declare(EXCHANGE, kind, durable=durable)
    try:
        leader(both).door.cut()
        for name in names:
            start = time.monotonic()
            rename(tenant, name)
            assert time.monotonic() - start < 2
        servers.wait_until(lambda: any('inequivalent arg' in line for line in complaints()), 10, 'a line in the log')
        assert waiting() == 10
    finally:
        with broker.channel() as channel:
            channel.exchange_delete(EXCHANGE)
        repaired = wall_clock()
        queue.bind()
    queue.wait_names(tenant, names)
    # The time of publication is told.
    assert all(
        datetime.fromisoformat(event.headers['timestamp']) >= repaired
        for event in queue.events
        if event.data['name'] in names
    )
    assert dead() == []
    assert len(complaints()) <= 4  # not once a try


def test_the_exchange_is_deleted(both, broker, queue, tenant, rename, waiting, dead):
    rename(tenant, 'before')
    queue.wait_names(tenant, ['before'])
    with broker.channel() as channel:
        channel.exchange_delete(EXCHANGE)
    rename(tenant, 'to nobody')
    servers.wait_until(lambda: waiting() == 0, LIMIT, 'an empty outbox')
    queue.bind()
    rename(tenant, 'after')
    queue.wait_names(tenant, ['after'])
    assert dead() == []


def test_a_key_that_is_too_long(queue, log_in, user, dead, both):
    client_id = 'c' * 300
    token = log_in(access_type='offline', client_id=client_id)
    session = log_in(access_type='offline', client_id='next')['session_uuid']
    queue.wait(lambda event: event.data.get('uuid') == session)
    # The others of that request, and those of the next, in order.
    assert list(dict.fromkeys((event.name, event.data.get('client_id')) for event in queue.events)) == [
        ('auth_session_created', None),
        ('auth_refresh_token_created', 'next'),
    ]
    assert list(dict.fromkeys(event.data['uuid'] for event in queue.events if 'uuid' in event.data)) == [
        token['session_uuid'],
        session,
    ]
    [(key, reason)] = dead()
    assert key == f"auth.users.{user['uuid']}.tokens.{client_id}.created"
    assert 'longer than 255 bytes' in reason
    assert any('is refused for good' in each.error_log.read_text(errors='replace') for each in both)


def test_a_topic_that_is_not_allowed(both, broker, queue, tenant, rename, log_in, dead):
    broker.control('set_topic_permissions', '-p', VHOST, 'guest', EXCHANGE, r'^auth\.tenants\..*', '.*')
    try:
        cut(both)
        rename(tenant, 'before')
        session = log_in()['session_uuid']
        rename(tenant, 'after')
        queue.wait_names(tenant, ['before', 'after'])
        assert [key for key, _ in dead()] == [f'auth.sessions.{session}.created']
        assert not any(event.data['uuid'] == session for event in queue.events)
    finally:
        broker.control('clear_topic_permissions', '-p', VHOST, 'guest', EXCHANGE)
        cut(both)


@pytest.fixture
def small_messages(both, broker):
    """The broker takes no message above 20,000 bytes."""

    def limit(size):
        broker.control('eval', f'application:set_env(rabbit, max_message_size, {size}).')
        cut(both)

    limit(20000)
    yield
    limit(134217728)


def test_a_message_that_is_too_large(small_messages, queue, tenant, rename, sql, dead):
    rename(tenant, 'before')
    sql(
        "INSERT INTO wazo_auth.outbox (target, routing_key, headers, body) VALUES ('bus', 'auth.large', "
        """'{"name": "large"}', jsonb_build_object('uuid', repeat('x', 30000)))"""
    )
    rename(tenant, 'after')
    queue.wait_names(tenant, ['before', 'after'])
    [(key, reason)] = dead()
    assert key == 'auth.large'
    assert 'larger than' in reason


def test_headers_that_fit_no_frame(queue, tenant, rename, sql, dead):
    rename(tenant, 'before')
    sql(
        "INSERT INTO wazo_auth.outbox (target, routing_key, headers, body) VALUES ('bus', 'auth.large', "
        "jsonb_build_object('name', repeat('x', 200000)), '{}')"
    )
    rename(tenant, 'after')
    queue.wait_names(tenant, ['before', 'after'])
    assert [key for key, _ in dead()] == ['auth.large']


def test_a_consumers_queue_is_full(make_queue, queue, tenant, make_tenant, rename, dead):
    other = make_tenant()
    full = make_queue(
        key=f'auth.tenants.{tenant}.updated', arguments={'x-max-length': 1, 'x-overflow': 'reject-publish'}
    )
    rename(tenant, '0')
    queue.wait_names(tenant, ['0'])
    for name in ('1', '2'):
        rename(tenant, name)
        rename(other, name)
    queue.wait_names(other, ['1', '2'])
    queue.wait_names(tenant, ['1', '2'])  # who has room gets them all the same
    servers.wait_until(lambda: [key for key, _ in dead()] == [f'auth.tenants.{tenant}.updated'] * 2, 5)
    assert [event.data['name'] for event in full.read()] == ['0']


def test_a_broker_short_of_memory(both, broker, queue, tenant, rename, waiting, dead):
    rename(tenant, 'before')
    queue.wait_names(tenant, ['before'])
    names = [str(number) for number in range(20)]
    broker.control('set_vm_memory_high_watermark', 'absolute', '1')
    try:
        for name in names:
            start = time.monotonic()
            rename(tenant, name)
            assert time.monotonic() - start < 2
        time.sleep(17)  # longer than a confirmation is waited for otherwise
        assert waiting() == 20
        assert queue.read() == queue.events and queue.names_of(tenant) == ['before']
    finally:
        broker.control('set_vm_memory_high_watermark', 'absolute', '1GB')
    queue.wait_names(tenant, names)
    assert dead() == []
    # It was late, and that was all: nothing was given up and sent again.
    assert len(queue.events) == 21


def test_a_broker_short_of_memory_from_the_start(both, broker, queue, tenant, rename, waiting, dead):
    names = [str(number) for number in range(5)]
    broker.control('set_vm_memory_high_watermark', 'absolute', '1')
    try:
        cut(both)
        for name in names:
            rename(tenant, name)
        leader(both)
        assert waiting() == 5
    finally:
        broker.control('set_vm_memory_high_watermark', 'absolute', '1GB')
    queue.wait_names(tenant, names)
    assert dead() == []


# -- configuration -----------------------------------------------------------------------------------------------------


class Configured:
    """An nginx whose section amqp changes with every test."""

    def __init__(self, stack, uri):
        self._stack = stack
        self._settings = {'db_uri': uri}
        self.nginx = stack.new_nginx('events-yaml', redis=False, workers=1, settings=self._settings)
        answer = self.nginx.api.post('/token', auth=(ADMIN['username'], ADMIN['password']), json={'expiration': 7200})
        self._token = answer.json()['data']['token']

    def event_with(self, queue=None, **amqp):
        """The event of a change made under this configuration."""
        self.nginx.stop()
        servers.write_settings(self.nginx.folder, self._stack.settings(**self._settings, amqp=amqp))
        self.nginx.start()
        answer = self.nginx.api.post('/tenants', self._token, json={})
        assert answer.status_code == 200, answer.text
        uuid_of_it = answer.json()['uuid']
        return queue and queue.wait(lambda event: event.data['uuid'] == uuid_of_it)


@pytest.fixture(scope='module')
def configured(stack, postgres):
    made = Configured(stack, postgres.create_database('events-yaml', 'wazo-auth'))
    yield made
    made.nginx.stop()


@pytest.mark.parametrize('path', ['', '/', '//', '/%2F', '/%2f', '/?heartbeat=5'])
def test_forms_of_the_default_vhost(path, configured, broker, make_queue):
    queue = make_queue(exchange='events-yaml', vhost='/')
    assert configured.event_with(queue, uri=broker.uri(path), exchange_name='events-yaml')


def test_a_vhost_with_odd_characters(configured, broker, make_queue):
    broker.add_vhost('/a b')
    for path in ('/%2Fa%20b', '//a%20b'):
        queue = make_queue(exchange='odd', vhost='/a b')
        assert configured.event_with(queue, uri=broker.uri(path), exchange_name='odd')


def test_a_login_with_odd_characters(configured, broker, make_queue):
    broker.control('add_user', 'ev@nts', 'p:a/s?s%')
    broker.control('set_permissions', '-p', VHOST, 'ev@nts', '.*', '.*', '.*')
    queue = make_queue(exchange='odd-login')
    uri = broker.uri(f'/{VHOST}', login='ev%40nts:p%3Aa%2Fs%3Fs%25')
    assert configured.event_with(queue, uri=uri, exchange_name='odd-login')


@pytest.mark.parametrize('kind, durable', [('headers', True), ('fanout', True), ('direct', False)])
def test_other_exchanges(kind, durable, configured, broker, waiting):
    name = f'events-{kind}'
    configured.event_with(uri=broker.uri(f'/{VHOST}'), exchange_name=name, exchange_type=kind, exchange_durable=durable)
    servers.wait_until(lambda: waiting('events-yaml') == 0, LIMIT, 'an empty outbox')  # though nobody listens
    queue = Queue(broker, exchange=name, kind=kind, durable=durable)  # refused when it is another one
    queue.delete()


def test_several_brokers(configured, broker, make_queue):
    queue = make_queue(exchange='events-several')
    nobody = broker.uri(port=servers.free_port())
    assert configured.event_with(queue, uri=f'{nobody};{broker.uri(f"/{VHOST}")}', exchange_name='events-several')


@pytest.mark.parametrize('uri', ['amqp://guest:guest@127.0.0.1:1/', 'amqp://nobody:n0thing@@PORT@/'])
def test_no_broker_at_the_start(uri, configured, broker, make_queue, waiting):
    queue = make_queue(exchange='events-later')
    configured.event_with(uri=uri.replace('@PORT@', f'127.0.0.1:{broker.server.port}'), exchange_name='events-later')
    assert waiting('events-yaml') == 1
    configured.event_with(queue, uri=broker.uri(f'/{VHOST}'), exchange_name='events-later')
    assert len(queue.events) == 2
    servers.wait_until(lambda: waiting('events-yaml') == 0, LIMIT, 'an empty outbox')
    assert 'n0thing' not in configured.nginx.error_log.read_text(errors='replace')
