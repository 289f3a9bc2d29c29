"""Where values of directives come from: the levels around a location, and the configuration of a reload."""
import uuid

import pytest

from support import servers
from support.stack import is_well

# -- inheritance -------------------------------------------------------------------------------------------------------

INHERITED = """\
    wazo_auth on;
    wazo_auth_denied 401;
    wazo_auth_tenant header;
    wazo_auth_identity on;
    wazo_auth_preflight pass;
    wazo_auth_path loose;
    wazo_auth_token_from header:X-Other;
    wazo_auth_grace 0;
"""
TWO_SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        location / { proxy_pass http://upstream; }
        location = /read { wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
        location = /graceful { wazo_auth_grace 60s; proxy_pass http://upstream; }
        location /nested/ {
            wazo_auth_acl confd.users.read;
            wazo_auth_denied 403;
            proxy_pass http://upstream;
            location /nested/same { proxy_pass http://upstream; }
            location /nested/other { wazo_auth_acl confd.other.read; proxy_pass http://upstream; }
            location /nested/open { wazo_auth off; proxy_pass http://upstream; }
        }
        location /open/ {
            wazo_auth off;
            proxy_pass http://upstream;
            location /open/closed { wazo_auth on; proxy_pass http://upstream; }
        }
        location /ours/ {
            wazo_auth_token_from bearer;
            wazo_auth_tenant off;
            wazo_auth_identity off;
            wazo_auth_preflight deny;
            wazo_auth_path strict;
            proxy_pass http://upstream;
        }
    }
    server {
        listen 127.0.0.1:@ENTRANCE_PORT@;
        location /api/ {
            wazo_auth_api prefix=/api;
            if ($arg_if) { set $something 1; }
            location /api/below/ { proxy_pass http://upstream; }
            location /api/below/api/ { wazo_auth_api prefix=/api/below/api; }
        }
        location /limited/ { wazo_auth_api prefix=/limited; limit_except GET { deny 127.0.0.2; } }
        location /moving/ { wazo_auth_api prefix=/moving; if ($arg_old) { proxy_pass http://upstream; } }
        location /closed/ {
            wazo_auth on;
            wazo_auth_api prefix=/closed;
            if ($arg_if) { set $something 1; }
            limit_except GET { deny 127.0.0.2; }
            location /closed/api/ { wazo_auth_api prefix=/closed/api; }
        }
        location /open/ {
            wazo_auth off;
            proxy_pass http://upstream;
            location /open/api/ { wazo_auth_api prefix=/open/api; location /open/api/below/ { proxy_pass http://upstream; } }
        }
        location = /back { wazo_auth_oauth2; if ($arg_if) { set $something 1; } }
        location = /back-closed { wazo_auth on; wazo_auth_oauth2; }
        location = /metrics { wazo_auth_metrics; if ($arg_if) { set $something 1; } }
    }
    server {
        listen 127.0.0.1:@OTHER_PORT@;
        wazo_auth_denied 403;
        wazo_auth_token_from query:token;
        wazo_auth_tenant off;
        location / { wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
        location = /back { wazo_auth_acl confd.users.read; wazo_auth_denied 401; proxy_pass http://upstream; }
    }
    server {
        listen 127.0.0.1:@OPEN_PORT@;
        wazo_auth off;
        location / { proxy_pass http://upstream; }
        location = /closed { wazo_auth on; proxy_pass http://upstream; }
    }
"""


@pytest.fixture(scope='module')
def nginx(new_nginx):
    nginx = new_nginx('directives', TWO_SERVERS, http=INHERITED, start=False)
    nginx.values |= {
        'OTHER_PORT': servers.free_port(),
        'OPEN_PORT': servers.free_port(),
        'ENTRANCE_PORT': servers.free_port(),
    }
    nginx.entrance = type(nginx.gate)(nginx.values['ENTRANCE_PORT'])
    nginx.other = type(nginx.gate)(nginx.values['OTHER_PORT'])
    nginx.open = type(nginx.gate)(nginx.values['OPEN_PORT'])
    nginx.start()
    return nginx


def other(token):
    return {'X-Other': token['token']}


def test_http_is_inherited_by_locations(gate, insert_token):
    token = insert_token()
    assert gate.get('/', token['token']).status_code == 401
    answer = gate.get('/', headers=other(token))
    assert answer.status_code == 200
    assert answer.json()['headers']['wazo-user-uuid'] == token['user_uuid']
    assert gate.get('/', headers=other(token) | {'Wazo-Tenant': str(uuid.uuid4())}).status_code == 401
    assert gate.get('/read', headers=other(token)).status_code == 401
    assert gate.raw('/a//b', f"X-Other: {token['token']}")[0] == 200
    preflight = {'Origin': 'http://a.example', 'Access-Control-Request-Method': 'PUT'}
    assert gate.options('/', headers=preflight).status_code == 200


def test_a_location_overrides_http(gate, insert_token):
    token = insert_token()
    bearer = {'Authorization': f"Bearer {token['token']}"}
    assert gate.get('/ours/', headers=other(token)).status_code == 401
    answer = gate.get('/ours/', headers=bearer | {'Wazo-Tenant': str(uuid.uuid4()), 'Wazo-User-UUID': 'forged'})
    assert answer.status_code == 200
    assert 'wazo-user-uuid' not in answer.json()['headers']
    assert gate.raw('/ours/a//b', f"Authorization: Bearer {token['token']}")[0] == 400
    preflight = {'Origin': 'http://a.example', 'Access-Control-Request-Method': 'PUT'}
    assert gate.options('/ours/', headers=preflight).status_code == 401


def test_a_server_overrides_http(nginx, insert_token):
    token, reader = insert_token(), insert_token(acl=['confd.users.read'])
    assert nginx.other.get('/', headers=other(reader)).status_code == 401
    assert nginx.other.get('/', params={'token': reader['token']}).status_code == 200
    foreign = {'Wazo-Tenant': str(uuid.uuid4())}
    assert nginx.other.get('/', params={'token': reader['token']}, headers=foreign).status_code == 200
    assert nginx.other.get('/', params={'token': token['token']}).status_code == 403
    assert nginx.other.get('/back', params={'token': token['token']}).status_code == 401


def test_off_and_on_again(nginx, gate, insert_token):
    token = insert_token()
    assert gate.get('/open/').status_code == 200
    assert gate.get('/open/closed').status_code == 401
    assert gate.get('/open/closed', headers=other(token)).status_code == 200
    assert nginx.open.get('/').status_code == 200
    assert nginx.open.get('/closed').status_code == 401
    assert nginx.open.get('/closed', headers=other(token)).status_code == 200


def test_nested_locations(gate, insert_token):
    token, reader = insert_token(), insert_token(acl=['confd.users.read'])
    for path in ('/nested/', '/nested/same'):
        assert gate.get(path, headers=other(reader)).status_code == 200
        assert gate.get(path, headers=other(token)).status_code == 403
    assert gate.get('/nested/other', headers=other(reader)).status_code == 403
    assert gate.get('/nested/other', headers=other(insert_token(acl=['confd.other.read']))).status_code == 200
    assert gate.get('/nested/open').status_code == 200


@pytest.mark.parametrize('prefix', ['/api', '/api/below/api', '/limited', '/moving', '/closed/api', '/open/api'])
def test_the_api_gates_itself(nginx, admin, prefix):
    """One comes to it for a token: what a server says of its other locations would keep everybody out."""
    for query in ('', '?if=1'):
        assert nginx.entrance.get(f'{prefix}/0.1/backends{query}').status_code == 200
        assert nginx.entrance.head(f'{prefix}/0.1/status{query}').status_code == 200
        login = nginx.entrance.post(f'{prefix}/0.1/token{query}', auth=(admin['username'], admin['password']))
        assert login.status_code == 200
        assert nginx.entrance.get(f'{prefix}/0.1/users{query}').status_code == 401


@pytest.mark.parametrize('query', ['', '?if=1'])
def test_the_api_is_gated_where_it_says_so_itself(nginx, insert_token, query):
    target, token = f'/closed/0.1/backends{query}', insert_token()
    assert nginx.entrance.get(target).status_code == 401
    assert nginx.entrance.get(target, headers=other(token)).status_code == 200
    assert nginx.entrance.post(f'/closed/0.1/token{query}').json()['error_id'] == 'unauthorized'
    assert nginx.entrance.get('/back-closed').status_code == 401


@pytest.mark.parametrize('query', ['', '?if=1'])
def test_other_entrances(nginx, insert_token, query):
    """Where browsers come back to is one, metrics aren't."""
    answer = nginx.entrance.get(f'/back{query}')
    assert (answer.status_code, answer.headers['Content-Type'].split(';')[0]) == (400, 'text/html')
    assert nginx.entrance.get(f'/metrics{query}').status_code == 401
    answer = nginx.entrance.get(f'/metrics{query}', headers=other(insert_token()))
    assert answer.status_code == 200 and 'wazo_auth' in answer.text


def test_inside_the_api_others_are_gated_as_in_the_server(nginx, insert_token):
    for target in ('/api/below/0.1/status', '/moving/0.1/status?old=1'):
        assert nginx.entrance.get(target).status_code == 401
        answer = nginx.entrance.get(target, headers=other(insert_token()))
        assert answer.json()['target'] == target
    assert nginx.entrance.get('/open/api/below/x').json()['target'] == '/open/api/below/x'


def test_grace_is_overridden(gate, postgres, insert_token, away, wait_until):
    token = insert_token()
    assert gate.get('/', headers=other(token)).status_code == 200
    with away(postgres):
        wait_until(lambda: gate.get('/', headers=other(token)).status_code == 503, 10, interval=0.1)
        assert gate.get('/graceful', headers=other(token)).status_code == 200
    assert gate.get('/', headers=other(token)).status_code == 200


# -- reloads -----------------------------------------------------------------------------------------------------------

RELOADED = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth on;
        @RELOADED@
        add_header X-Status $wazo_auth_status always;
        location / { proxy_pass http://upstream; }
        location = /read { wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
    }
"""


@pytest.fixture
def reloaded(stack):
    nginx = stack.new_nginx(f'reloaded-{uuid.uuid4().hex[:8]}', RELOADED, start=False)
    nginx.values['RELOADED'] = ''
    listening(nginx.start())
    yield nginx
    nginx.stop()


def listening(nginx):
    """Until it hears of deaths, it looks each token up."""
    nginx.settle()
    servers.wait_until(lambda: is_well(nginx), 10, 'notifications')


def status_of(nginx, token):
    answer = nginx.gate.get('/', token, headers={'Connection': 'close'})
    assert answer.status_code == 200
    return answer.headers['X-Status']


def learns(nginx, token):
    """It doesn't know the token; then it does, as soon as it hears of deaths."""
    assert status_of(nginx, token) == 'miss'
    servers.wait_until(lambda: status_of(nginx, token) == 'hit', 10, 'a known token')


@pytest.mark.parametrize('size', ['4m', '32m'])
def test_a_zone_of_another_size(reloaded, insert_token, metrics, size):
    token = insert_token()['token']
    learns(reloaded, token)
    reloaded.reload()
    listening(reloaded)
    assert metrics(reloaded)['wazo_auth_zone_tokens'] == 1
    reloaded.values['ZONE'] = size
    reloaded.reload()
    listening(reloaded)
    learns(reloaded, token)
    assert reloaded.api.delete(f'/token/{token}').status_code == 200
    assert reloaded.gate.get('/', token).status_code == 401


def test_another_name_of_the_zone(reloaded, insert_token):
    token = insert_token()['token']
    learns(reloaded, token)
    reloaded.conf = reloaded.conf.replace('wazo_auth_zone tokens:', 'wazo_auth_zone others:')
    reloaded.reload()
    listening(reloaded)
    learns(reloaded, token)


def test_a_right_value_holds_after_a_reload(reloaded, insert_token, wait_until):
    token = insert_token()['token']
    assert reloaded.gate.get('/read', token).status_code == 403
    reloaded.values['RELOADED'] = 'wazo_auth_denied 401;'
    reloaded.reload()
    reloaded.settle()
    assert reloaded.gate.get('/read', token).status_code == 401


def refuse_reload(nginx, wait_until, *texts):
    """Reloads in vain: the old workers stay."""
    before = nginx.workers()
    start = nginx.error_log.stat().st_size
    nginx.reload(wait=False)

    def complaint():
        with open(nginx.error_log, 'rb') as log:
            log.seek(start)
            text = log.read().decode()
        return all(part in text for part in texts) and text

    text = wait_until(complaint)
    assert nginx.workers() == before
    return text


def test_a_wrong_value_leaves_the_old_one(reloaded, insert_token, wait_until, expect_log):
    expect_log(r'\[emerg\].*nginx\.conf:\d+$')
    token = insert_token()['token']
    reloaded.values['RELOADED'] = 'wazo_auth_denied 404;'
    refuse_reload(reloaded, wait_until, 'invalid value "404"', f'in {reloaded.conf_file}:')
    assert reloaded.gate.get('/read', token).status_code == 403
    assert reloaded.api.get('/backends').status_code == 200
    reloaded.values['RELOADED'] = ''
    reloaded.reload()
    reloaded.settle()
    assert reloaded.gate.get('/read', token).status_code == 403


def test_broken_yaml_leaves_the_old_one(reloaded, insert_token, wait_until, expect_log):
    expect_log(r'\[emerg\].*nginx\.conf:\d+$')
    config = reloaded.folder / 'config.yml'
    right = config.read_text()
    config.write_text(right + ']\n')
    refuse_reload(reloaded, wait_until, f'({config}:', f'in {reloaded.conf_file}:')
    assert status_of(reloaded, insert_token()['token']) == 'miss'
    assert reloaded.api.get('/backends').status_code == 200
    config.write_text(right)
    reloaded.reload()
    reloaded.settle()
    assert status_of(reloaded, insert_token()['token']) == 'miss'


def test_exec_runs_again_at_a_reload(reloaded, admin_token, wait_until):
    config, number = reloaded.folder / 'config.yml', reloaded.folder / 'number'
    number.write_text('7\n')
    command = f'"max_user_concurrent_sessions": !exec {{"command": "cat {number}"}}'
    config.write_text(config.read_text().rstrip().removesuffix('}') + f', {command}}}\n')
    for expected in (7, 8):
        number.write_text(f'{expected}\n')
        reloaded.reload()
        reloaded.settle()
        assert reloaded.api.get('/config', admin_token).json()['max_user_concurrent_sessions'] == expected
