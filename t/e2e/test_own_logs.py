"""wazo_auth_log: logs of the module's own; what is in them, and at which levels nginx's error log has it."""
import json
import re
import signal
import stat
import time
import uuid

import pytest

from support.checks import elsewhere
from support.logs import SECRETS

HTTP = """\
    wazo_auth_log @FOLDER@/daemon.log;
    wazo_auth_log @FOLDER@/own.json json;
"""
SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth on;
        wazo_auth_trace on;
        location / { proxy_pass http://upstream; }
        location = /query { wazo_auth_token_from query:token; proxy_pass http://upstream; }
        location = /read { wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
        location = /shadow { wazo_auth_enforce shadow; proxy_pass http://upstream; }
    }
"""
# As xivo.xivo_logging has them, with which all daemons log.
DAEMON = re.compile(
    r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z+-][A-Z0-9:]* \[pid \d+\] \[tid \d+\] '
    r'\((?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL)\) \((?P<name>[\w.]+)\): (?P<message>.*)'
)


@pytest.fixture(scope='module')
def nginx(new_nginx):
    return new_nginx('own-logs', SERVERS, HTTP)


def daemon_lines(nginx):
    return (nginx.folder / 'daemon.log').read_text().splitlines()


def json_lines(nginx):
    return [json.loads(line) for line in (nginx.folder / 'own.json').read_text().splitlines()]


def found(nginx, part):
    """The one line with this text in each of the two logs; None before it is there."""
    texts = [line for line in daemon_lines(nginx) if part in line]
    objects = [line for line in json_lines(nginx) if part in line['message']]
    assert len(texts) <= 1 and len(objects) <= 1
    return (DAEMON.fullmatch(texts[0]), objects[0]) if texts and objects else None


def test_every_line(nginx, wait_until):
    nginx.api.post('/token', auth=('nobody', 'a-wrong-password'), headers=elsewhere())
    wait_until(lambda: any('Failed login' in line for line in daemon_lines(nginx)))
    for line in daemon_lines(nginx):
        match = DAEMON.fullmatch(line)
        assert match and match['name'] == 'wazo_auth', line
    for line in json_lines(nginx):
        assert list(line)[:5] == ['time', 'level', 'logger', 'pid', 'tid'] and list(line)[-1] == 'message'
        assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z', line['time'])
        assert line['level'] in ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL') and line['logger'] == 'wazo_auth'
        assert isinstance(line['pid'], int) and isinstance(line['tid'], int)
    assert len(daemon_lines(nginx)) == len(json_lines(nginx))


def test_logins(nginx, make_user, wait_until):
    user = make_user()
    headers = elsewhere() | {'User-Agent': 'a "phone"\\'}
    answer = nginx.api.post('/token', auth=(user['username'], user['password']), headers=headers)
    token = answer.json()['data']['token']
    text, entry = wait_until(lambda: found(nginx, f'Login of "{user["username"]}"'))
    assert text['level'] == 'INFO' and text['message'] == entry['message']
    assert entry['event'] == 'login' and entry['user_uuid'] == user['uuid'] and entry['login'] == user['username']
    assert entry['client'] == headers['X-Forwarded-For'] and entry['user_agent'] == headers['User-Agent']
    assert entry['token'] == f'XXXXXXXX-XXXX-XXXX-XXXX-XXXX{token[-8:]}'
    wrong = SECRETS.new_password()
    nginx.api.post('/token', auth=(user['username'], wrong), headers=headers)
    text, entry = wait_until(lambda: found(nginx, f'Failed login of "{user["username"]}"'))
    assert entry['event'] == 'login_failed' and entry['reason'] == 'wrong password'
    assert entry['client'] == headers['X-Forwarded-For'] and entry['login'] == user['username']
    for path in nginx.folder / 'daemon.log', nginx.folder / 'own.json':
        assert SECRETS.found_in(path.read_text()) == set()


def test_refusals(nginx, insert_token, wait_until):
    token, trace = insert_token()['token'], uuid.uuid4().hex
    headers = {'traceparent': f'00-{trace}-00f067aa0ba902b7-01'}
    assert nginx.gate.get('/read?x=1', token, headers=headers).status_code == 403
    text, entry = wait_until(lambda: found(nginx, token[-8:]))
    assert entry.pop('time') and entry.pop('pid') and entry.pop('tid') and entry.pop('level') in ('INFO', 'ERROR')
    masked = f'XXXXXXXX-XXXX-XXXX-XXXX-XXXX{token[-8:]}'
    message = (
        f'refused: missing_access, token: {masked}, required access: confd.users.read, client: 127.0.0.1, '
        'request: "GET /read?x=1 HTTP/1.1"'
    )
    assert entry == {
        'logger': 'wazo_auth',
        'trace_id': trace,
        'event': 'refused',
        'reason': 'missing_access',
        'client': '127.0.0.1',
        'token': masked,
        'required_access': 'confd.users.read',
        'request': 'GET /read?x=1 HTTP/1.1',
        'message': message,
    }
    assert text['message'] == f'{message}, trace: {trace}'


def test_no_token_is_shown(nginx, insert_token, wait_until):
    """In a location that refuses for another reason than the token, and where it is a part of the request line."""
    token = insert_token(expiration=-5)['token']
    assert nginx.gate.get('/query', params={'token': token}).status_code == 401
    text, entry = wait_until(lambda: found(nginx, token[-8:]))
    assert token not in text.string and token not in json.dumps(entry)
    assert f'?token=XXXXXXXX-XXXX-XXXX-XXXX-XXXX{token[-8:]}' in entry['request']


def test_shadow(nginx, wait_until):
    assert nginx.gate.get('/shadow').status_code == 200
    text, entry = wait_until(lambda: found(nginx, '/shadow'))
    assert (
        text['level'] == 'WARNING' and entry['event'] == 'would_be_refused' and 'location /shadow' in entry['operation']
    )


@pytest.mark.parametrize('between', ['\n', '\r\n', '\x0b', '\x85', '\u2028', '\x1b[2K\n', '\x00\n'], ids=ascii)
def test_nobody_forges_a_line(nginx, between, wait_until):
    mark = uuid.uuid4().hex
    login = f'{mark}{between}2026-01-01 00.00.00,000 UTC [pid 1] [tid 1] (INFO) (wazo_auth). forged'
    nginx.api.post(
        '/token', auth=(login, 'a-wrong-password'), headers=elsewhere() | {'User-Agent': login.split(between)[0]}
    )
    text, entry = wait_until(lambda: found(nginx, mark))
    assert text['message'].startswith('Failed login of ') and entry['event'] == 'login_failed'


def test_rotation(nginx, wait_until):
    """As logrotate does it: moved away, then USR1. No line is lost, the new file is the workers' to write."""
    files = [nginx.folder / name for name in ('daemon.log', 'own.json')]
    for file in files:
        file.rename(file.with_suffix('.1'))
    first, second = uuid.uuid4().hex, uuid.uuid4().hex
    nginx.api.post('/token', auth=(first, 'a-wrong-password'), headers=elsewhere())
    wait_until(lambda: all(first in file.with_suffix('.1').read_text() for file in files))
    nginx.signal(signal.SIGUSR1)
    wait_until(lambda: all(file.exists() for file in files))

    def arrives():
        nginx.api.post('/token', auth=(second, 'a-wrong-password'), headers=elsewhere())
        return all(second in file.read_text() for file in files)

    wait_until(arrives)
    assert all(stat.S_IMODE(file.stat().st_mode) & stat.S_IWUSR for file in files)


def test_it_is_beside_nginxs_own(nginx, wait_until):
    mark = uuid.uuid4().hex
    nginx.api.post('/token', auth=(mark, 'a-wrong-password'), headers=elsewhere())
    wait_until(lambda: f'(INFO) (wazo_auth) Failed login of "{mark}"' in nginx.error_log.read_text())
    wait_until(lambda: found(nginx, mark))


def test_log_level(new_nginx):
    """That of the YAML, whatever nginx's error log has."""
    nginx = new_nginx('own-logs-level', SERVERS, HTTP, workers=1, settings={'debug': False, 'log_level': 'warning'})
    nginx.api.post('/token', auth=('nobody', 'a-wrong-password'), headers=elsewhere())
    nginx.gate.get('/')  # the first one of its second is an error
    nginx.gate.get('/')
    lines = json_lines(nginx)
    assert [line['event'] for line in lines if 'event' in line] == ['refused']
    assert {line['level'] for line in lines} <= {'WARNING', 'ERROR', 'CRITICAL'}


@pytest.mark.parametrize(
    'directive, complaint',
    [
        ('wazo_auth_log @FOLDER@/a.log xml;', 'invalid parameter "xml"'),
        ('wazo_auth_log @FOLDER@/a.log; wazo_auth_log @FOLDER@/a.log json;', '"wazo_auth_log" directive is duplicate'),
        ('wazo_auth_log @FOLDER@/nowhere/a.log;', 'nowhere/a.log" failed (2: No such file or directory)'),
        ('wazo_auth_log;', 'invalid number of arguments in "wazo_auth_log" directive'),
        ('wazo_auth_trace maybe;', 'invalid value "maybe" in "wazo_auth_trace" directive'),
    ],
)
def test_what_nginx_refuses(stack, directive, complaint, expect_log):
    expect_log(r'\[emerg\]')
    ok, output = stack.new_nginx(f'own-logs-{uuid.uuid4().hex[:6]}', http=directive, start=False).test()
    assert not ok and complaint in output


# -- levels ------------------------------------------------------------------------------------------------------------


def test_typical_traffic_is_no_news(new_nginx, make_user, insert_token, wait_until):
    """No line for a request is at [notice] or above, but for refusals of the gate: one in a second, reason and worker."""
    nginx = new_nginx('levels', workers=1, settings={'debug': False})
    user = make_user()
    auth = (user['username'], user['password'])
    reader, expired = insert_token(['confd.users.read'])['token'], insert_token(expiration=-5)['token']

    def lines():
        return nginx.error_log.read_text().splitlines()

    wait_until(lambda: any('the database is ready' in line for line in lines()))
    before, start = len(lines()), time.monotonic()
    for _ in range(5):
        headers = elsewhere()
        own = nginx.api.post('/token', auth=auth, headers=headers).json()['data']['token']
        assert nginx.api.post('/token', auth=(user['username'], 'wrong-one'), headers=headers).status_code == 401
        for method, path, status in (
            ('HEAD', f'/token/{own}', 204),
            ('GET', f'/token/{own}', 200),
            ('GET', f'/token/{expired}', 404),
            ('GET', '/users', 401),
            ('GET', '/nothing', 404),
            ('POST', '/users', 401),
            ('PATCH', '/status', 405),
            ('GET', f"/users/{user['uuid']}/sessions", 401),
            ('POST', '/users/password/reset', 401),
        ):
            assert nginx.api.request(method, path, own).status_code in (status, 400, 401, 405), path
        for path, token in (('/', reader), ('/read', reader), ('/open', None)):
            assert nginx.gate.get(path, token).status_code == 200
        for path, token, status in (('/', None, 401), ('/', expired, 401), ('/read', own, 403), ('/', 'garbage', 401)):
            assert nginx.gate.get(path, token).status_code == status
        assert nginx.api.delete(f'/token/{own}').status_code == 200
        assert nginx.gate.get('/', own).status_code == 401
    end = uuid.uuid4().hex
    nginx.api.post('/token', auth=(end, 'wrong-one'), headers=elsewhere())
    wait_until(lambda: any(end in line for line in lines()))
    seconds = time.monotonic() - start
    loud = [line for line in lines()[before:] if not re.search(r' \[(?:info|debug)\] ', line)]
    refused = [line for line in loud if 'wazo_auth: refused: ' in line]
    assert [line for line in loud if line not in refused] == []
    assert len(refused) <= 5 * (seconds + 1)
    assert len([line for line in lines()[before:] if 'wazo_auth: refused: ' in line]) == 5 * 5


@pytest.mark.parametrize(
    'before',
    [
        '',
        'CREATE SCHEMA wazo_auth AUTHORIZATION "fresh-owner"; CREATE EXTENSION pg_trgm SCHEMA wazo_auth',
        'CREATE EXTENSION pg_trgm SCHEMA public',
    ],
)
def test_a_first_start_warns_of_nothing(stack, new_nginx, wait_until, before):
    """In an empty database of a role that is no superuser, where an administrator may have made pg_trgm before."""
    name = f'fresh-{uuid.uuid4().hex[:8]}'
    uri = stack.postgres.create_database(name, 'fresh-owner')
    stack.postgres.psql(name, before)
    nginx = new_nginx(name, settings={'debug': False, 'db_uri': uri})
    wait_until(lambda: 'the database is ready' in nginx.error_log.read_text())
    lines = nginx.error_log.read_text().splitlines()
    assert any('applying 0014' in line for line in lines)
    assert [line for line in lines if not re.search(r' \[(?:notice|info|debug)\] ', line)] == []
    # Whoever finds a trigger missing makes all functions anew, beside those of pg_trgm.
    stack.postgres.psql(name, 'DROP TRIGGER wazo_auth_tokens_deleted ON auth_token')
    nginx.stop()
    nginx.start()
    wait_until(lambda: nginx.error_log.read_text().count('the database is ready') > 1)
    assert 'applying 0014' in nginx.error_log.read_text()[len('\n'.join(lines)) :]
    assert 'privileges' not in nginx.error_log.read_text()
    assert (
        stack.postgres.psql(
            name,
            "SELECT string_agg(DISTINCT p.proname, ' ') FROM pg_proc p WHERE p.pronamespace = 'wazo_auth'::regnamespace "
            "AND has_function_privilege('pg_monitor', p.oid, 'EXECUTE') AND p.proowner = '\"fresh-owner\"'::regrole",
        )
        == 'address keep_audit'
    )
    nginx.stop()
    stack.postgres.drop_database(name)
