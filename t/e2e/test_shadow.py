"""wazo_auth_enforce shadow: nothing is refused, nothing changes, and everything is counted."""
import re
import time
import uuid

import pytest
from test_gate import FORGED
from test_platform import CONFD, ONE_FILE, write_documents

from support import servers
from support.stack import metrics as read_metrics

PLACES = """\
        location ^~ /api/calld/ { proxy_pass http://upstream; }
        location ^~ /api/confd/ { proxy_pass http://upstream; }
        location = /read { wazo_auth on; wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
        location ~ ^/users/(?<owner>[^/]+)$ {
            wazo_auth on;
            wazo_auth_acl confd.users.$owner.read;
            proxy_pass http://upstream;
        }
        location = /tenant { wazo_auth on; wazo_auth_tenant header; proxy_pass http://upstream; }
        location = /stripped { wazo_auth on; wazo_auth_token_from query:token strip; proxy_pass http://upstream; }
        location = /ws {
            wazo_auth on;
            proxy_pass http://upstream;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }
        location = /told {
            wazo_auth on;
            proxy_set_header X-Told "$wazo_auth_user_uuid $wazo_auth_status $wazo_auth_reason $wazo_auth_required_acl";
            add_header X-Status "$wazo_auth_status $wazo_auth_reason $wazo_auth_user_uuid" always;
            wazo_auth_acl confd.users.read;
            proxy_pass http://upstream;
        }
        location = /page { wazo_auth on; error_page 401 403 /read; proxy_pass http://upstream; }
        location = /only { satisfy any; deny all; wazo_auth on; proxy_pass http://upstream; }
        location = /enforced { wazo_auth on; wazo_auth_enforce on; proxy_pass http://upstream; }
"""
SERVERS = f"""\
    server {{
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth_enforce shadow;
{PLACES}
        location = /report {{ wazo_auth_shadow_report; }}
    }}
    server {{
        listen 127.0.0.1:@UNGATED_PORT@;
        wazo_auth off;
{re.sub(r'wazo_auth_openapi [^;]*;|wazo_auth on;|wazo_auth_(acl|tenant|token_from|enforce) [^;]*;', '', PLACES)}
    }}
"""


def documents_in_http():
    return ONE_FILE.replace('wazo_auth_identity on;', '').replace('@CONF@', str(servers.CHECKOUT / 'conf'))


def make(new_nginx, name, **options):
    nginx = new_nginx(
        name,
        SERVERS,
        http=documents_in_http(),
        start=False,
        **options,
    )
    nginx.values['UNGATED_PORT'] = servers.free_port()
    write_documents(nginx.folder)
    nginx.start()
    nginx.ungated = type(nginx.gate)(nginx.values['UNGATED_PORT'])
    return nginx


@pytest.fixture(scope='module')
def nginx(new_nginx):
    return make(new_nginx, 'shadow')


def report(nginx):
    """{operation: counters}"""
    answer = nginx.gate.get('/report')
    assert answer.status_code == 200
    return {each['operation']: each for each in answer.json()['operations']}


def make_known(nginx, *tokens):
    """In shadow nobody waits long for a token that nginx doesn't know yet."""
    for token in tokens:
        assert nginx.gate.get('/enforced', token['token']).status_code == 200
    return tokens


def refused(nginx, operation):
    return {key: each['refused'] for key, each in report(nginx).items() if operation in key}.popitem()[1]


@pytest.fixture(scope='module')
def strangers(insert_token, psql):
    """Values of X-Auth-Token."""
    expired, revoked = insert_token(expiration=-10)['token'], insert_token()['token']
    psql(f"DELETE FROM auth_token WHERE uuid = '{revoked}'")
    return [None, str(uuid.uuid4()), 'x' * 500, '', expired, revoked, insert_token()['token']]


REQUESTS = [
    ('GET', '/api/calld/1.0/calls'),
    ('POST', '/api/calld/1.0/calls'),
    ('OPTIONS', '/api/calld/1.0/calls'),
    ('GET', '/api/calld/1.0/calls/*'),
    ('GET', '/api/calld/1.0//calls/a%2fb'),
    ('PUT', '/api/calld/1.0/unknown'),
    ('GET', '/api/calld/1.0/files/x?token=abc&token=def'),
    ('GET', '/read'),
    ('GET', '/users/a*'),
    ('GET', '/tenant'),
    ('GET', '/stripped?token=abc&a=1'),
    ('GET', '/page'),
]


@pytest.mark.parametrize('method, path', REQUESTS)
def test_nothing_changes_on_the_wire(nginx, strangers, method, path):
    more = [*FORGED, 'Wazo-Tenant: a', 'Wazo-Tenant: b', 'X-HTTP-Method-Override: DELETE', 'Origin: http://a.example']
    for token in strangers:
        headers = [*more, *([] if token is None else [f'X-Auth-Token: {token}'])]
        with_gate, without = (client.raw(path, *headers, method=method) for client in (nginx.gate, nginx.ungated))
        assert with_gate == without
        assert with_gate[0] == 200
    with_gate, without = (client.request(method, path) for client in (nginx.gate, nginx.ungated))
    names = [{name for name in answer.headers if name != 'Date'} for answer in (with_gate, without)]
    assert names[0] == names[1]


def test_who_may_is_not_told_either(nginx, reader):
    make_known(nginx, reader)
    for client in nginx.gate, nginx.ungated:
        assert not {'wazo-user-uuid', 'wazo-session-uuid'} & set(client.get('/read', reader['token']).json()['headers'])
    told = nginx.gate.get('/told', reader['token'])
    assert told.json()['headers']['x-told'].split() in (['hit', 'confd.users.read'], ['miss', 'confd.users.read'])
    told = nginx.gate.get('/told')
    assert told.headers['X-Status'].strip() == 'shadow no_token'
    assert nginx.gate.get('/only', reader['token']).status_code == 403  # as without the gate: nobody lets it in
    assert nginx.gate.get('/enforced').status_code == 401


def test_all_is_counted(nginx, strangers, nobody, reader, insert_token):
    gate, before = nginx.gate, report(nginx)
    user = insert_token(acl=['calld.calls.read'])
    make_known(nginx, nobody, reader, user)
    for _ in range(3):
        gate.get('/api/calld/1.0/calls')
        gate.get('/api/calld/1.0/calls', nobody['token'])
        gate.get('/api/calld/1.0/calls', user['token'])
    gate.raw('/api/calld/1.0//calls')
    gate.get('/api/calld/1.0/unknown', reader['token'])
    gate.get('/api/calld/1.0/guests/x/status')
    gate.get('/read', nobody['token'])
    gate.get('/read', reader['token'])
    gate.get('/tenant', reader['token'], headers={'Wazo-Tenant': str(uuid.uuid4())})
    after = report(nginx)

    def grown(operation):
        key = next(key for key in after if key.startswith(operation))
        old = before[key]
        more = {reason: count - old['refused'].get(reason, 0) for reason, count in after[key]['refused'].items()}
        return {'passed': after[key]['passed'] - old['passed']} | {k: v for k, v in more.items() if v}

    assert grown('GET /api/calld/1.0/calls') == {'passed': 3, 'no_token': 3, 'missing_access': 3}
    assert grown('any other path of /api/calld/') == {'passed': 0, 'ambiguous_path': 1, 'unknown_operation': 1}
    assert grown('GET /api/calld/1.0/guests/{guest}/status') == {'passed': 1}
    assert grown('location /read') == {'passed': 1, 'missing_access': 1}
    assert grown('location /tenant') == {'passed': 0, 'foreign_tenant': 1}
    calls = after['GET /api/calld/1.0/calls']
    assert calls['document'] == 'calld'
    who = {(each['who'], each['reason']) for each in calls['recent']}
    assert {(nobody['user_uuid'], 'missing_access'), ('127.0.0.1', 'no_token')} <= who
    assert not any(user['user_uuid'] in each for each in who)
    assert calls['last_refused'] >= calls['since'] > 0
    values = read_metrics(nginx)
    assert values['wazo_auth_shadow_requests_total{document="calld",outcome="refuse"}'] >= 8
    assert values['wazo_auth_shadow_requests_total{document="calld",outcome="pass"}'] >= 4
    assert values['wazo_auth_gate_requests_total{outcome="denied"}'] == 0


def test_few_are_remembered(nginx, insert_token):
    users = make_known(nginx, *(insert_token() for _ in range(9)))
    for user in users:
        nginx.gate.post('/api/calld/1.0/calls', user['token'])
    recent = report(nginx)['POST /api/calld/1.0/calls']['recent']
    assert len(recent) == 5 and users[-1]['user_uuid'] in {each['who'] for each in recent}


def test_one_line_in_a_second(nginx, nobody):
    def lines():
        return [
            line
            for line in nginx.error_log.read_text().splitlines()
            if 'would be refused' in line and '/calls/77' in line
        ]

    make_known(nginx, nobody)
    begin, before = time.monotonic(), len(lines())
    while time.monotonic() - begin < 2.5:
        for _ in range(20):
            nginx.gate.get('/api/calld/1.0/calls/77', nobody['token'])
    found = lines()
    assert len(found) - before >= 2
    assert len({line[: len('2026/01/01 00:00:00')] for line in found}) == len(found)
    assert nobody['token'] not in found[-1] and '[warn]' in found[-1]
    assert 'required access: calld.calls.77.read, operation: GET /api/calld/1.0/calls/{call_id}' in found[-1]


@pytest.mark.parametrize('frozen', [False, True])
def test_an_authority_that_fails_breaks_nothing(new_nginx, away, postgres, frozen, expect_log):
    nginx = make(new_nginx, f'shadow-away-{frozen}', redis=False)
    before = report(nginx)['GET /api/calld/1.0/calls']
    with away(postgres, frozen):
        for _ in range(5):
            answer = nginx.gate.get('/api/calld/1.0/calls', str(uuid.uuid4()))
            assert answer.status_code == 200
            assert answer.elapsed.total_seconds() < 1
    after = report(nginx)['GET /api/calld/1.0/calls']
    assert after['undecided'] - before['undecided'] == 5
    assert after['refused'] == before['refused']


def test_a_websocket_goes_on(nginx, insert_token, api, open_websocket, wait_until):
    token = insert_token()
    connection = open_websocket(token['token'], '/ws')
    assert api.delete(f"/token/{token['token']}").status_code == 200

    def counted():
        nginx.gate.get('/ws', token['token'])
        return {'revoked_token', 'unknown_token'} & set(refused(nginx, 'location /ws'))

    wait_until(counted)
    time.sleep(0.5)  # a connection that ends with its token does so within 20 ms
    connection.send('hello')
    assert connection.recv() == 'hello'


def test_one_daemon_after_the_other(new_nginx, nobody):
    """A line of its own says it, whatever wazo_auth_enforce does."""
    http = documents_in_http().replace('prefix=/api/calld', 'prefix=/api/calld enforce=shadow')
    servers_text = f"""\
    server {{
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth_identity on;
        wazo_auth_token_from query:token strip header:X-Auth-Token;
{PLACES}
        location = /report {{ wazo_auth off; wazo_auth_shadow_report; }}
    }}
"""
    nginx = new_nginx('shadow-one', servers_text.replace('wazo_auth_tenant header; ', ''), http=http, start=False)
    write_documents(nginx.folder)
    nginx.start()
    gate, token = nginx.gate, make_known(nginx, nobody)[0]['token']
    assert gate.get('/api/calld/1.0/calls').status_code == 200
    answer = gate.get(f'/api/calld/1.0/calls?token={token}').json()
    assert answer['target'].endswith(f'?token={token}') and 'wazo-user-uuid' not in answer['headers']
    assert gate.get('/api/confd/1.1/users').status_code == 401
    assert gate.get('/read', token).status_code == 403
    counted = report(nginx)
    assert counted['GET /api/calld/1.0/calls']['refused'] == {'no_token': 1, 'missing_access': 1}
    assert counted['GET /api/confd/1.1/users']['refused'] == {}


def test_what_was_gated_stays_gated(new_nginx, nobody, open_websocket):
    """Documents in shadow open nothing that `wazo_auth on` has closed."""
    http = 'wazo_auth_identity on;' + documents_in_http().replace(' prefix=', ' enforce=shadow prefix=')
    servers_text = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        location ^~ /api/calld/ { wazo_auth on; proxy_pass http://upstream; }
        location ^~ /api/confd/ { proxy_pass http://upstream; }
        location = /enforced { wazo_auth on; proxy_pass http://upstream; }
        location = /report { wazo_auth_shadow_report; }
    }
"""
    nginx = new_nginx('shadow-beside', servers_text, http=http, start=False)
    write_documents(nginx.folder)
    nginx.start()
    gate, token = nginx.gate, make_known(nginx, nobody)[0]['token']
    for path in '/calls', '/guests/x/status', '/unknown':
        assert gate.get('/api/calld/1.0' + path).status_code == 401
        assert gate.get('/api/calld/1.0' + path, str(uuid.uuid4())).status_code == 401
        answer = gate.get('/api/calld/1.0' + path, token)
        assert (answer.status_code, answer.json()['headers']['wazo-user-uuid']) == (200, nobody['user_uuid'])
    assert gate.raw('/api/calld/1.0//calls', f'X-Auth-Token: {token}')[0] == 400
    assert gate.get('/api/calld/1.0/calls', token, headers={'X-HTTP-Method': 'PUT'}).status_code == 200
    assert gate.get('/api/confd/1.1/users').status_code == 200
    counted = report(nginx)
    assert counted['GET /api/calld/1.0/calls']['refused'] == {'missing_access': 2}
    assert counted['GET /api/calld/1.0/guests/{guest}/status']['passed'] == 1
    assert counted['any other path of /api/calld/']['refused'] == {'unknown_operation': 1, 'ambiguous_method': 1}
    assert counted['GET /api/confd/1.1/users']['refused'] == {'no_token': 1}


def test_a_reload_keeps_what_is_the_same(new_nginx, nobody, wait_until):
    nginx = make(new_nginx, 'shadow-reload')
    make_known(nginx, nobody)
    nginx.gate.get('/api/calld/1.0/calls', nobody['token'])
    nginx.gate.get('/api/confd/1.1/users', nobody['token'])
    before = report(nginx)
    nginx.reload()
    assert report(nginx) == before
    changed = CONFD.replace('confd.users.read', 'confd.users.list')
    (nginx.folder / 'confd.yml').write_text(changed + '  /lines:\n    get: {x-required-acl: confd.lines.read}\n')
    nginx.reload()
    wait_until(lambda: 'GET /api/confd/1.1/lines' in report(nginx))
    after = report(nginx)
    assert after['GET /api/calld/1.0/calls'] == before['GET /api/calld/1.0/calls']
    assert after['GET /api/confd/1.1/users']['refused'] == {}
    assert after['GET /api/confd/1.1/lines']['refused'] == {}
    nginx.gate.get('/api/confd/1.1/lines')
    before = report(nginx)
    assert before['GET /api/confd/1.1/lines']['refused'] == {'no_token': 1}
    old = set(nginx.workers())
    nginx.reload()  # what is new is kept from now on
    wait_until(lambda: not old & set(nginx.workers()), 20)
    assert report(nginx) == before


def test_the_command(nginx, new_nginx, command, nobody):
    url = f"http://127.0.0.1:{nginx.values['GATE_PORT']}/report"
    make_known(nginx, nobody)
    nginx.gate.get('/api/calld/1.0/calls', nobody['token'])
    told = command('wazo-auth-gate', 'report', url, '--for', '1h')
    assert told.returncode == 3, told.stderr
    assert 'calld: not safe to enforce' in told.stdout and 'missing_access' in told.stdout
    assert nobody['user_uuid'] in told.stdout and 'GET /api/calld/1.0/calls: ' in told.stdout
    fresh = make(new_nginx, 'shadow-fresh')
    url = f"http://127.0.0.1:{fresh.values['GATE_PORT']}/report"
    told = command('wazo-auth-gate', 'report', url)
    assert told.returncode == 3 and 'too early to say' in told.stdout
    told = command('wazo-auth-gate', 'report', url, '--for=0s')
    assert told.returncode == 0, told.stdout
    assert 'calld: safe to enforce' in told.stdout and 'locations: safe to enforce' in told.stdout
    fresh.gate.get('/read')
    assert command('wazo-auth-gate', 'report', url, '--for', '0d', '--document', 'calld').returncode == 0
    for arguments in [], ['a', 'b'], [url, '--for', 'x'], [url, '--for'], [url, '--nonsense']:
        assert command('wazo-auth-gate', 'report', *arguments).returncode == 2
    told = command('wazo-auth-gate', 'report', url.replace('/report', '/read'))
    assert (told.returncode, told.stdout) == (1, '') and 'no report' in told.stderr
