"""PostgreSQL is away: what the gate and the API do about tenants, and from the start on."""
import time
import uuid

import pytest

SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth on;
        wazo_auth_tenant header;
        add_header X-Status $wazo_auth_status always;
        location / { proxy_pass http://upstream; }
        location = /grace2 { wazo_auth_grace 2s; proxy_pass http://upstream; }
        location = /metrics { wazo_auth off; wazo_auth_metrics; }
        location = /grace0 { wazo_auth_grace 0; proxy_pass http://upstream; }
    }
"""


@pytest.fixture(scope='module')
def nginx(stack):
    nginx = stack.new_nginx('away', SERVERS)
    yield nginx
    nginx.stop()


@pytest.fixture
def gate(nginx):
    return nginx.gate


@pytest.fixture
def tenants(psql):
    """parent > child, and other."""
    made = {}
    for name in 'parent', 'child', 'other':
        made[name] = str(uuid.uuid4())
        above = made['parent'] if name == 'child' else psql('SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid')
        psql(
            'INSERT INTO auth_tenant (uuid, slug, name, parent_uuid) '
            f"VALUES ('{made[name]}', '{uuid.uuid4().hex[:10]}', '{name}', '{above}')"
        )
    yield made
    for name in 'child', 'other', 'parent':
        psql(f"DELETE FROM auth_tenant WHERE uuid = '{made[name]}'")


@pytest.fixture(params=['stopped', 'frozen'])
def away(request, stack, nginx, postgres, gate, metrics, wait_until, insert_token):
    """Makes PostgreSQL be away, and the gate know it. Up to then nothing can have been missed."""
    wait_until(lambda: metrics(nginx)['wazo_auth_listen_age_seconds'] < 1.5, 30, 'the gate to listen', 0.1)

    def go(token):
        postgres.stop() if request.param == 'stopped' else postgres.freeze()
        wait_until(lambda: gate.get('/', token).headers['X-Status'] == 'grace', 15, 'the gate to know', 0.1)

    yield go
    postgres.start() if request.param == 'stopped' else postgres.thaw()
    stack.wait_recovered(postgres)
    token = insert_token()['token']
    wait_until(lambda: gate.get('/', token).status_code == 200, 30, 'the gate to be well', 0.1)


def test_the_grace_covers_tenants_below(gate, insert_token, tenants, away, wait_until):
    token = insert_token(tenant_uuid=tenants['parent'])['token']

    def ask(tenant, path='/'):
        return gate.get(path, token, headers={'Wazo-Tenant': tenants[tenant]})

    wait_until(lambda: ask('child').status_code == 200, 15, 'the tree to be known')
    away(token)
    began = time.monotonic()
    for _ in range(20):
        assert ask('child').status_code == 200
        assert ask('parent').status_code == 200
        refused = ask('other')
        assert (refused.status_code, refused.json()['error_id']) == (401, 'unauthorized-tenant')
    assert time.monotonic() - began < 10
    assert ask('child', '/grace0').status_code == 503
    wait_until(lambda: ask('child', '/grace2').status_code == 503, 10, 'its end', 0.2)
    assert 'Retry-After' in ask('child', '/grace2').headers
    assert ask('child').status_code == 200


def test_a_tree_that_has_changed_since_is_nobodys(gate, psql, insert_token, tenants, away, wait_until):
    """Also within the grace: the tenant may have been moved."""
    token, other = insert_token(tenant_uuid=tenants['parent'])['token'], insert_token()['token']

    def ask():
        return gate.get('/', token, headers={'Wazo-Tenant': tenants['child']})

    def move(to):
        psql(f"UPDATE auth_tenant SET parent_uuid = '{tenants[to]}' WHERE uuid = '{tenants['child']}'")

    move('parent')
    wait_until(lambda: ask().status_code == 200, 15, 'the tree to be known')
    assert gate.get('/', other).status_code == 200
    move('other')
    psql(f"DELETE FROM auth_token WHERE uuid = '{other}'")
    wait_until(lambda: gate.get('/', other).status_code == 401, 10, 'the later one of two notices')
    away(token)
    answer = ask()
    assert answer.status_code == 503
    assert answer.elapsed.total_seconds() < 6  # it is read once, not three times


def test_the_api_says_at_once_that_postgresql_is_away_since_the_start(stack, postgres, admin, wait_until):
    nginx = stack.new_nginx('away-since-start', SERVERS, start=False)
    nginx.probe = None
    with stack.away(postgres):
        nginx.start()
        began = time.monotonic()
        answers = [
            nginx.api.head('/status'),
            nginx.api.get('/users', str(uuid.uuid4())),
            nginx.api.post('/token', auth=(admin['username'], admin['password'])),
        ]
        for answer in answers:
            assert (answer.status_code, 'Retry-After' in answer.headers) == (503, True)
            assert answer.elapsed.total_seconds() < 4
        assert time.monotonic() - began < 14
    wait_until(lambda: nginx.api.get('/backends').status_code == 200, 30, 'the API to be well')
    nginx.stop()
