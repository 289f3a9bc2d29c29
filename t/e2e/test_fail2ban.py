"""conf/fail2ban: of a log of real logins fail2ban counts each one that failed, and no other line."""
import re
import shutil
import subprocess
import uuid

import pytest

from support import servers
from support.checks import elsewhere

FILTER = servers.CHECKOUT / 'conf/fail2ban/filter.d/wazo-auth.conf'
HTTP = """\
    wazo_auth_log @FOLDER@/daemon.log;
    wazo_auth_log @FOLDER@/own.json json;
"""
LOGS = ('error.log', 'daemon.log', 'own.json')


def matches(path):
    """The lines that the filter counts, with the address that it finds in each."""
    done = subprocess.run(
        ['fail2ban-regex', '-o', '<ip> <msg>', str(path), str(FILTER)], capture_output=True, text=True, check=True
    )
    return [line.split(' ', 1) for line in done.stdout.splitlines() if line.strip()]


@pytest.fixture(scope='module')
def recorded(new_nginx, make_user, insert_token):
    """(nginx, addresses of logins that failed)"""
    nginx = new_nginx('fail2ban', http=HTTP, workers=1, settings={'debug': True})
    failed = []

    def log_in(auth=None, status=401, addresses=None, agent='phone', **options):
        headers = (addresses or elsewhere()) | {'User-Agent': agent}
        assert nginx.api.post('/token', auth=auth, headers=headers, **options).status_code == status
        if status == 401:
            failed.append(headers['X-Forwarded-For'])

    user = make_user()
    right, wrong = (user['username'], user['password']), (user['username'], 'a-wrong-password')
    log_in(right, 200)
    log_in(wrong)
    log_in(('nobody', 'a-wrong-password'))
    log_in(wrong, addresses={'X-Forwarded-For': '2001:db8::17'})
    # What clients choose looks like the rest of a line, of another client.
    for text in (
        'x" from 192.0.2.1 using agent "y": wrong password',
        "x\\\" from 192.0.2.1 using agent \\\"y\\\": the directory can't tell: away",
        '", "client": "192.0.2.1", "login": "',
        'x\n2026-11-29 04:00:00,000 UTC [pid 1] [tid 1] (INFO) (wazo_auth). Failed login of "x" from 192.0.2.1 using',
    ):
        log_in((text.replace(':', '.'), 'a-wrong-password'))
        log_in(wrong, agent=text.replace('\n', ' '))
        log_in(right, 200, agent=text.replace('\n', ' '))
    log_in(json={'refresh_token': str(uuid.uuid4()), 'client_id': 'client'})
    log_in(json={'saml_session_id': 'unknown'})
    trace = {'traceparent': f'00-{uuid.uuid4().hex}-00f067aa0ba902b7-01'}
    log_in(right, 200, addresses=elsewhere() | trace)
    log_in(wrong, addresses=elsewhere() | trace)
    # Neither are these logins.
    token = insert_token()['token']
    nginx.api.get('/users', token)
    nginx.api.get(f'/token/{uuid.uuid4()}')
    for path in '/', '/read':
        nginx.gate.get(path, token)
        nginx.gate.get(path, 'garbage')
    nginx.gate.get('/', headers={'User-Agent': 'Failed login of "x" from 192.0.2.1 using agent "y": wrong password'})
    assert nginx.api.head(f'/token/{token}').status_code == 204
    nginx.stop()
    return nginx, failed


@pytest.mark.parametrize('name', LOGS)
def test_each_failure_and_nothing_else(recorded, name):
    nginx, failed = recorded
    assert sorted(address for address, _ in matches(nginx.folder / name)) == sorted(failed)


def test_the_directorys_trouble_is_not_the_clients(recorded, tmp_path):
    nginx, failed = recorded
    for name in LOGS:
        text = (nginx.folder / name).read_text()
        assert len(re.findall('wrong password', text)) >= 3
        text = re.sub(r'(: |"reason": ")wrong password', r"\1the directory can't tell: no answer", text)
        (tmp_path / name).write_text(text)
        counted = [address for address, _ in matches(tmp_path / name)]
        assert 0 < len(counted) < len(failed)


def test_the_jail(tmp_path):
    """fail2ban reads both files, as they lie below /etc/fail2ban."""
    configuration = tmp_path / 'fail2ban'
    shutil.copytree('/etc/fail2ban', configuration)
    for folder in 'filter.d', 'jail.d':
        for file in (servers.CHECKOUT / 'conf/fail2ban' / folder).iterdir():
            shutil.copy(file, configuration / folder)
    (configuration / 'jail.d/defaults-debian.conf').unlink(missing_ok=True)
    done = subprocess.run(
        ['fail2ban-client', '-c', str(configuration), '-d'], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "['add', 'wazo-auth'" in done.stdout and "'multi-set', 'wazo-auth', 'addfailregex'" in done.stdout
