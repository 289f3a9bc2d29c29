"""A dead token is refused at every gate, whoever killed it and however; and it stays dead."""
import json
import time
import uuid

import pytest
import redis


@pytest.fixture
def everywhere(gate, gate2, wait_until):
    """everywhere(token, status, path='/', within=1.0): both nginx answer so within that time; returns how long it took."""

    def check(token, status, path='/', within=1.0):
        start = time.monotonic()
        for each in (gate, gate2):
            wait_until(lambda g=each: g.get(path, token).status_code == status, within, f'{status} at port {each.port}')
        return time.monotonic() - start

    return check


@pytest.fixture
def known(insert_token, everywhere):
    """A token that both nginx have in their zones."""

    def make(**options):
        token = insert_token(**options)
        everywhere(token['token'], 200)
        return token

    return make


def stays(gates, token, status, seconds):
    end = time.monotonic() + seconds
    asked = 0
    while time.monotonic() < end:
        for each in gates:
            assert each.get('/', token).status_code == status
            asked += 1
    assert asked > 20


def test_a_deletion_over_the_api_counts_at_once_here_and_soon_elsewhere(api, gate, gate2, known, wait_until):
    times = []
    for _ in range(20):
        token = known()['token']
        assert api.delete(f'/token/{token}').status_code == 200
        assert gate.get('/', token).status_code == 401
        start = time.monotonic()
        wait_until(lambda t=token: gate2.get('/', t).status_code == 401, 1, 'a 401 of the other nginx', interval=0)
        times.append(time.monotonic() - start)
    assert sorted(times)[len(times) // 2] < 0.05
    stays((gate, gate2), token, 401, 1)


DEATHS = {
    'token': "DELETE FROM auth_token WHERE uuid = '{token}'",
    'session': "DELETE FROM auth_session WHERE uuid = '{session_uuid}'",
    'expiry': "UPDATE auth_token SET expire_t = 1 WHERE uuid = '{token}'",
    'renamed': "UPDATE auth_token SET uuid = '{other}' WHERE uuid = '{token}'",
}


@pytest.mark.parametrize('how', DEATHS)
def test_whoever_kills_it_by_sql(how, psql, known, everywhere, gate, gate2):
    token = known()
    psql(DEATHS[how].format(**token, other=uuid.uuid4()))
    everywhere(token['token'], 401)
    stays((gate, gate2), token['token'], 401, 0.3)


def test_deleting_a_user_row_kills_the_tokens(psql, known, everywhere):
    user = str(uuid.uuid4())
    psql(f"INSERT INTO auth_user (uuid, username, purpose, tenant_uuid) SELECT '{user}', 'sql-{user}', 'user', uuid FROM auth_tenant "
         'WHERE uuid = parent_uuid')
    tokens = [known(user_uuid=user)['token'] for _ in range(3)]
    psql(f"DELETE FROM auth_user WHERE uuid = '{user}'")
    for token in tokens:
        everywhere(token, 401)
    assert psql(f"SELECT count(*) FROM auth_session s JOIN auth_token t ON t.session_uuid = s.uuid "
                f"WHERE t.auth_id = '{user}'") == '0'


def test_a_tenants_deletion_kills_its_sessions(psql, known, everywhere):
    tenant = str(uuid.uuid4())
    psql(f"INSERT INTO auth_tenant (uuid, slug, parent_uuid) SELECT '{tenant}', '{tenant[:10]}', uuid FROM auth_tenant "
         'WHERE uuid = parent_uuid')
    token = known(tenant_uuid=tenant)['token']
    psql(f"DELETE FROM auth_tenant WHERE uuid = '{tenant}'")
    everywhere(token, 401)


def test_another_access_list_counts_at_once(psql, known, everywhere, gate):
    token = known(acl=['confd.users.read'])['token']
    assert gate.get('/read', token).status_code == 200
    psql(f"UPDATE auth_token SET acl = ARRAY['confd.users.delete'] WHERE uuid = '{token}'")
    everywhere(token, 403, '/read')
    psql(f"UPDATE auth_token SET acl = ARRAY['confd.#'] WHERE uuid = '{token}'")
    everywhere(token, 200, '/read')


@pytest.mark.parametrize('column, value, header', [
    ('session_uuid', None, 'wazo-session-uuid'), ('metadata', '{"uuid": "other", "tenant_uuid": "t"}', 'wazo-user-uuid')])
def test_other_facts_count_at_once(psql, known, gate, wait_until, column, value, header):
    token = known()
    if column == 'session_uuid':
        value = str(uuid.uuid4())
        psql(f"INSERT INTO auth_session (uuid, tenant_uuid, mobile) VALUES ('{value}', '{token['tenant_uuid']}', false)")
    psql(f"UPDATE auth_token SET {column} = '{value}' WHERE uuid = '{token['token']}'")
    wanted = json.loads(value)['uuid'] if column == 'metadata' else value

    def shown():
        headers = {name.lower(): text for name, text in gate.get('/', token['token']).json()['headers'].items()}
        return headers.get(header) == wanted

    wait_until(shown, 1, 'the new fact')


def test_a_role_without_rights_on_our_schema_may_delete(stack, psql, known, everywhere):
    psql("DO $$ BEGIN CREATE ROLE cleaner LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
         'GRANT SELECT, DELETE ON auth_token, auth_session TO cleaner')
    token = known()
    stack.postgres.psql('wazo-auth', f"DELETE FROM auth_token WHERE uuid = '{token['token']}'", user='cleaner')
    everywhere(token['token'], 401)


class Listening:
    """What PostgreSQL sends on our channels, heard by a psql of its own."""

    def __init__(self, postgres):
        import psycopg2
        self.connection = psycopg2.connect(host=postgres.host, port=postgres.port, user=postgres.superuser, dbname='wazo-auth')
        self.connection.autocommit = True
        self.connection.cursor().execute('LISTEN wazo_auth_tokens')

    def payloads(self):
        self.connection.cursor().execute('SELECT 1')
        self.connection.poll()
        return [each.payload for each in self.connection.notifies]


def test_thousands_at_once(stack, psql, gate, gate2, known, everywhere):
    heard = Listening(stack.postgres)
    session, first = str(uuid.uuid4()), str(uuid.uuid4())
    expire = int(time.time()) + 3600
    psql(f"INSERT INTO auth_session (uuid, mobile, tenant_uuid) SELECT '{session}', false, uuid FROM auth_tenant WHERE uuid = parent_uuid;"
         f"INSERT INTO auth_token (uuid, session_uuid, auth_id, expire_t, acl, metadata) SELECT "
         f"CASE n WHEN 1 THEN '{first}' ELSE gen_random_uuid()::text END, '{session}', 'many', {expire}, '{{}}', '{{}}' "
         'FROM generate_series(1, 5000) n')
    some = psql(f"SELECT uuid FROM auth_token WHERE auth_id = 'many' ORDER BY uuid LIMIT 50").split()
    for token in some:
        everywhere(token, 200)
    psql("DELETE FROM auth_token WHERE auth_id = 'many'")
    for token in some:
        everywhere(token, 401)
    payloads = heard.payloads()
    assert sum(payload.count(',') + 1 for payload in payloads) == 5000
    assert max(len(payload) for payload in payloads) < 7000
    assert not any(token in payload for payload in payloads for token in some)


def test_what_has_been_dead_for_a_minute_is_not_told(stack, psql, insert_token):
    heard = Listening(stack.postgres)
    tokens = [insert_token(expiration=-seconds)['token'] for seconds in (61, 3600, 30)]
    psql(f"DELETE FROM auth_token WHERE uuid IN ('{tokens[0]}', '{tokens[1]}')")
    assert heard.payloads() == []
    psql(f"DELETE FROM auth_token WHERE uuid = '{tokens[2]}'")
    assert len(heard.payloads()) == 1


def test_truncation_makes_everything_unknown(stack, known, wait_until):
    """On a database of its own: nobody else's tokens die."""
    uri = stack.postgres.create_database('truncated', 'wazo-auth')
    nginx = stack.new_nginx('truncated', settings={'db_uri': uri})
    try:
        token = str(uuid.uuid4())
        stack.postgres.psql('truncated', (
            "INSERT INTO auth_session (uuid, mobile, tenant_uuid) SELECT 'd5b47b40-6e8c-4c1c-9d19-6ae7bd3b2d1f', false, uuid FROM auth_tenant;"
            f"INSERT INTO auth_token (uuid, session_uuid, auth_id, acl, metadata) VALUES ('{token}', "
            "'d5b47b40-6e8c-4c1c-9d19-6ae7bd3b2d1f', 'somebody', '{}', '{}')"))
        wait_until(lambda: nginx.gate.get('/', token).status_code == 200, 5)
        stack.postgres.psql('truncated', 'TRUNCATE auth_session CASCADE')
        wait_until(lambda: nginx.gate.get('/', token).status_code == 401, 1)
    finally:
        nginx.stop()


# -- Redis -------------------------------------------------------------------------------------------------------------


def redis_rows(psql):
    return int(psql("SELECT count(*) FROM wazo_auth.outbox WHERE target = 'redis'"))


def test_a_tombstone_reaches_redis(stack, psql, api, known, wait_until):
    token = known()['token']
    server = redis.Redis.from_url(stack.redis.uri)
    before = {key for key in server.keys('wazo-auth:*') if server.get(key) == b'dead'}
    assert api.delete(f'/token/{token}').status_code == 200
    wait_until(lambda: len({key for key in server.keys('wazo-auth:*') if server.get(key) == b'dead'} - before) == 1, 5)
    wait_until(lambda: redis_rows(psql) == 0, 5)


def test_an_nginx_with_an_empty_zone_does_not_believe_what_redis_kept(stack, psql, known, everywhere):
    """The record stays in Redis, as after a restored snapshot; the tombstone has another key then."""
    token = known()
    server = redis.Redis.from_url(stack.redis.uri)
    records = {key: server.get(key) for key in server.keys('wazo-auth:*') if server.get(key) != b'dead'}
    assert records
    psql(f"DELETE FROM auth_token WHERE uuid = '{token['token']}'")
    everywhere(token['token'], 401)
    stack.redis.restart()
    server = redis.Redis.from_url(stack.redis.uri)
    for key, value in records.items():
        server.set(key, value)
    fresh = stack.new_nginx('fresh')
    try:
        for _ in range(20):
            assert fresh.gate.get('/', token['token']).status_code == 401
    finally:
        fresh.stop()


def test_a_held_relay_makes_no_difference(stack, psql, known, insert_token, wait_until, api, tmp_path_factory):
    hold = stack.folder / 'hold-relay'
    uri = stack.postgres.create_database('held', 'wazo-auth')
    nodes = [stack.new_nginx(f'held{n}', settings={'db_uri': uri}, environment={'WAZO_AUTH_TEST_HOLD_RELAY': str(hold)})
             for n in (1, 2)]
    try:
        sql = lambda text: stack.postgres.psql('held', text)  # noqa: E731
        session, token = str(uuid.uuid4()), str(uuid.uuid4())
        sql(f"INSERT INTO auth_session (uuid, mobile, tenant_uuid) SELECT '{session}', false, uuid FROM auth_tenant;"
            "INSERT INTO auth_token (uuid, session_uuid, auth_id, expire_t, acl, metadata) VALUES "
            f"('{token}', '{session}', 'somebody', {int(time.time()) + 600}, '{{}}', '{{}}')")
        for node in nodes:
            wait_until(lambda n=node: n.gate.get('/', token).status_code == 200, 5)
        wait_until(lambda: sql('SELECT count(*) FROM wazo_auth.node WHERE redis') == '2', 5)
        hold.touch()
        time.sleep(0.6)  # a relay that is at it already is done by then
        sql(f"DELETE FROM auth_token WHERE uuid = '{token}'")
        for node in nodes:
            wait_until(lambda n=node: n.gate.get('/', token).status_code == 401, 1)
        nodes.append(stack.new_nginx('held3', settings={'db_uri': uri},
                                     environment={'WAZO_AUTH_TEST_HOLD_RELAY': str(hold)}))
        end = time.monotonic() + 5
        while time.monotonic() < end:
            for node in nodes:
                assert node.gate.get('/', token).status_code == 401
        assert sql("SELECT count(*) FROM wazo_auth.outbox WHERE target = 'redis'") == '1'
        hold.unlink()
        wait_until(lambda: sql("SELECT count(*) FROM wazo_auth.outbox WHERE target = 'redis'") == '0', 10)
        for node in nodes:
            assert node.gate.get('/', token).status_code == 401
    finally:
        hold.unlink(missing_ok=True)
        for node in nodes:
            node.stop()


def test_nothing_waits_for_redis_where_nobody_uses_it(stack, psql, wait_until):
    uri = stack.postgres.create_database('no-redis', 'wazo-auth')
    nginx = stack.new_nginx('no-redis', settings={'db_uri': uri}, redis=False)
    try:
        sql = lambda text: stack.postgres.psql('no-redis', text)  # noqa: E731

        def kill_one(expire):
            sql("WITH s AS (INSERT INTO auth_session (uuid, mobile, tenant_uuid) SELECT gen_random_uuid()::text, false, uuid FROM auth_tenant "
                "RETURNING uuid) INSERT INTO auth_token (uuid, session_uuid, auth_id, expire_t, acl, metadata) "
                f"SELECT gen_random_uuid()::text, uuid, 'x', {expire}, '{{}}', '{{}}' FROM s; DELETE FROM auth_token")
            return int(sql("SELECT count(*) FROM wazo_auth.outbox WHERE target = 'redis'"))

        now = int(time.time())
        wait_until(lambda: sql('SELECT count(*) FROM wazo_auth.node') == '1', 5)
        assert kill_one(now + 60) == 0
        sql("INSERT INTO wazo_auth.node (id, redis, last_seen) VALUES ('gone', true, now() - interval '61 seconds')")
        assert kill_one(now + 60) == 0
        sql("UPDATE wazo_auth.node SET last_seen = now() WHERE id = 'gone'")
        assert kill_one(now + 60) == 1
    finally:
        nginx.stop()


# -- LISTEN ------------------------------------------------------------------------------------------------------------

LISTENERS = ("SELECT {what} FROM pg_stat_activity WHERE datname = 'wazo-auth' AND query ~* "
             "'(NOTIFY|LISTEN) wazo_auth|FROM wazo_auth.node|INTO wazo_auth.node' AND pid <> pg_backend_pid()")


def test_a_lost_listen_connection(psql, known, gate, gate2, wait_until):
    tokens = [known()['token'] for _ in range(5)]
    killed = psql(LISTENERS.format(what='count(pg_terminate_backend(pid))'))
    assert int(killed) >= 2
    psql(f"DELETE FROM auth_token WHERE uuid = '{tokens[0]}'")
    start = time.monotonic()
    for each in (gate, gate2):
        wait_until(lambda g=each: g.get('/', tokens[0]).status_code == 401, 3)
    assert time.monotonic() - start < 3
    for token in tokens[1:]:
        assert gate.get('/', token).status_code == gate2.get('/', token).status_code == 200
    # And it listens again: the next deletion is heard at once.
    wait_until(lambda: int(psql(LISTENERS.format(what='count(*)'))) >= 2, 10)
    time.sleep(1)  # its heartbeat has come back by then, or what follows takes longer
    psql(f"DELETE FROM auth_token WHERE uuid = '{tokens[1]}'")
    for each in (gate, gate2):
        wait_until(lambda g=each: g.get('/', tokens[1]).status_code == 401, 0.5)
