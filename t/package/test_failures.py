"""Whatever goes wrong in a takeover, or ends it, port 9497 answers afterwards, and the reason is printed."""
import pytest

import asking
import snapshot
from support import servers
from tripping import Tripping

DROP_IN = '/etc/systemd/system/wazo-auth.service.d/test.conf'
KEEPER = '/usr/local/bin/keep-port'
# ExecStop= of a unit: a process of its own has the daemon's listening socket, too, and answers nobody there.
KEEP = r'''#!/usr/bin/python3
import ctypes, os, time

PIDFD_OPEN, PIDFD_GETFD = 434, 438
listening = {line.split()[9] for line in open('/proc/net/tcp') if line.split()[3] == '0A' and ':2519 ' in line}
daemon = os.environ['MAINPID']
found = [fd for fd in os.listdir(f'/proc/{daemon}/fd') if os.readlink(f'/proc/{daemon}/fd/{fd}')[8:-1] in listening]
syscall = ctypes.CDLL(None, use_errno=True).syscall
kept = syscall(PIDFD_GETFD, syscall(PIDFD_OPEN, int(daemon), 0), int(found[0]), 0)
assert kept >= 0, os.strerror(ctypes.get_errno())
if os.fork() == 0:
    time.sleep(600)
'''


@pytest.fixture(scope='module')
def installed(wazo, api):
    """The packages, with nothing taken over yet."""
    wazo.apt(
        'install',
        'wazo-auth-nginx',
        answers='wazo-auth-nginx wazo-auth-nginx/takeover boolean false',
    )
    assert not api.is_nginx()


@pytest.fixture(scope='module')
def token(api):
    return api.log_in_as_root()['token']


@pytest.fixture
def tripping(wazo, installed):
    with Tripping(wazo) as wrappers:
        yield wrappers


@pytest.fixture(autouse=True)
def as_before(wazo, api, installed):
    """Each test begins with the daemon at the port, and leaves it there."""
    yield
    if api.answers() and api.is_nginx():
        wazo('wazo-auth-nginx give-back')
    servers.wait_until(api.answers, 30, 'the daemon answers')
    assert not api.is_nginx()


def answers_as_before(wazo, api, token, seconds=0):
    """The daemon answers, after so many seconds at most, and nothing is left of the attempt."""
    servers.wait_until(api.answers, seconds, 'port 9497 answers')
    assert not api.is_nginx()
    assert api.has(token)
    assert api.log_in_as_root()['token']
    assert wazo('ls /etc/nginx/conf.d; ls /etc/systemd/system/wazo-auth.service.d 2>/dev/null || true').split() in (
        [],
        ['test.conf'],
    )
    assert wazo('ss -Hltn sport = :9597') == ''
    wazo('nginx -t 2>&1')


def refuses(wazo, api, token, word, verb='takeover --yes'):
    """The takeover fails before it has changed anything, and says a word."""
    before = snapshot.taken(wazo, database=False)
    with asking.Watch(wazo, token) as watch:
        said, status = wazo.run(f'wazo-auth-nginx {verb}', check=False)
    assert status != 0, said
    assert word.lower() in said.lower(), said
    assert 'Traceback' not in said, said
    assert snapshot.differences(before, snapshot.taken(wazo, database=False)) == []
    return watch


def test_a_dry_run_changes_nothing(wazo, api, token, installed):
    before = snapshot.taken(wazo)
    with asking.Watch(wazo, token) as watch:
        wazo('wazo-auth-nginx takeover --dry-run')
        wazo('wazo-auth-nginx check')
        wazo('wazo-auth-nginx status', check=False)
    assert not watch.lost
    assert snapshot.differences(before, snapshot.taken(wazo)) == []


def test_a_configuration_that_nginx_refuses(wazo, api, token, installed):
    wazo('echo "no_such_directive on;" >/etc/nginx/conf.d/broken.conf')
    try:
        assert not refuses(wazo, api, token, 'no_such_directive').lost
    finally:
        wazo('rm /etc/nginx/conf.d/broken.conf')
    answers_as_before(wazo, api, token)


def test_a_database_that_is_away(wazo, api, token, installed):
    wazo('systemctl stop postgresql')
    try:
        refuses(wazo, api, token, 'database')
    finally:
        wazo('systemctl start postgresql@15-main')
    answers_as_before(wazo, api, token, 10)


def test_a_daemon_that_does_not_run(wazo, api, token, installed):
    """Nothing can be compared; nginx serves where nobody did, and give-back leaves it as it was."""
    wazo('systemctl stop wazo-auth')
    try:
        said = wazo('wazo-auth-nginx takeover --yes')
        assert 'inactive' in said
        assert api.is_nginx()
        assert api.has(token)
        wazo('wazo-auth-nginx give-back')
        assert not api.answers()
    finally:
        wazo('systemctl start wazo-auth')
    answers_as_before(wazo, api, token, 10)


def test_nginx_that_does_not_run(wazo, api, token, installed):
    wazo('systemctl stop nginx')
    try:
        assert not refuses(wazo, api, token, 'nginx').lost
    finally:
        wazo('systemctl start nginx')
    answers_as_before(wazo, api, token)


def test_a_schema_that_nobody_knows(wazo, api, token, installed):
    wazo("su postgres -c \"psql -q asterisk -c 'ALTER TABLE auth_session RENAME COLUMN mobile TO handset'\"")
    try:
        assert not refuses(wazo, api, token, 'mobile').lost
    finally:
        wazo("su postgres -c \"psql -q asterisk -c 'ALTER TABLE auth_session RENAME COLUMN handset TO mobile'\"")
    answers_as_before(wazo, api, token)


def test_a_trial_port_that_is_taken(wazo, api, token, installed):
    wazo("systemd-run --unit=squatter -q python3 -m http.server --bind 127.0.0.1 9597")
    servers.wait_until(lambda: wazo('ss -Hltn sport = :9597'), 10, 'the squatter listens')
    try:
        assert not refuses(wazo, api, token, '9597').lost
    finally:
        wazo('systemctl stop squatter')
    answers_as_before(wazo, api, token)


@pytest.fixture
def unit(wazo, installed):
    """Lines for the unit's section Service, until the end of the test."""

    def put(*lines):
        wazo.path(DROP_IN).parent.mkdir(exist_ok=True)
        wazo.path(DROP_IN).write_text('\n'.join(['[Service]', *lines, '']))
        wazo('systemctl daemon-reload')

    yield put
    wazo(f'rm -rf $(dirname {DROP_IN}); systemctl daemon-reload')


def test_a_daemon_that_does_not_stop(wazo, api, token, unit):
    """It goes on answering, and is given up on."""
    unit('ExecStop=/bin/sleep 600', 'TimeoutStopSec=30')
    with asking.Watch(wazo, token) as watch:
        said, status = wazo.run('wazo-auth-nginx takeover --yes --patience 5', check=False)
    assert status == 1, said
    assert 'was told to stop, and port 9497 is still taken by' in said
    assert watch.longest < 20  # systemd's restart of it, at the end of its TimeoutStopSec
    answers_as_before(wazo, api, token)


def test_a_port_that_stays_taken(wazo, api, token, unit):
    """Somebody has inherited the daemon's listening socket, and answers nobody: it is ended before long."""
    wazo.path(KEEPER).write_text(KEEP)
    wazo.path(KEEPER).chmod(0o755)
    unit(f'ExecStop={KEEPER}', 'KillMode=process')
    with asking.Watch(wazo, token) as watch:
        said = wazo('wazo-auth-nginx takeover --yes')
    assert f'{KEEPER}' in said
    assert 'is killed' in said
    assert watch.longest < 20  # 3 s, and what a busy machine adds
    assert api.is_nginx()
    wazo(f'rm {KEEPER}')
    wazo('wazo-auth-nginx give-back')
    answers_as_before(wazo, api, token)


def test_a_give_back_while_the_daemon_still_ends(wazo, api, token, tripping, unit):
    """It was told to stop by a takeover that was killed, and has given up its port: it is waited for, and comes again."""
    unit('ExecStopPost=/bin/sleep 2')
    tripping.run('takeover --yes', 'nginx -s reload*', 'kill')
    assert wazo('systemctl show -P ActiveState wazo-auth') == 'deactivating\n'
    said, status, _ = tripping.run('give-back')
    assert status == 0, said
    answers_as_before(wazo, api, token)


def test_a_give_back_while_the_daemon_does_not_end(wazo, api, token, tripping, unit):
    """Nobody answers meanwhile: it is killed."""
    unit('ExecStopPost=/bin/sleep 600')
    tripping.run('takeover --yes', 'nginx -s reload*', 'kill')
    state = lambda: wazo('systemctl show -P SubState wazo-auth')  # noqa: E731
    servers.wait_until(lambda: state() == 'stop-post\n', 30, 'the process of the daemon has ended')
    unit()
    said, status, _ = tripping.run('give-back')
    assert status == 0, said
    assert 'doesn\'t end: it is killed' in said
    answers_as_before(wazo, api, token)


def test_every_call_that_fails(wazo, api, token, tripping):
    """Each of the takeover's calls of systemctl and nginx fails once: the daemon is back, or nothing was lost by it."""
    calls = tripping.run('takeover --yes')[2]
    assert api.is_nginx()
    assert tripping.run('give-back')[1] == 0
    assert len(calls) > 5, calls
    for number in range(1, len(calls) + 1):
        said, status, made = tripping.run('takeover --yes', number, 'fail')
        assert 'Traceback' not in said, said
        assert api.answers(), f'{made[number - 1]}: {said}'
        if status:
            answers_as_before(wazo, api, token)
        else:
            assert api.is_nginx(), f'{made[number - 1]}: {said}'
            assert tripping.run('give-back')[1] == 0


@pytest.mark.parametrize('after', ['takeover --yes', 'give-back'])
@pytest.mark.parametrize('how', ['kill', 'kill-after'])
def test_a_takeover_that_is_killed(wazo, api, token, tripping, how, after):
    """At each of its calls: the next takeover finishes it, the next give-back undoes it, and authentication is there."""
    calls = tripping.run('takeover --yes')[2]
    assert tripping.run('give-back')[1] == 0
    for number in range(1, len(calls) + 1):
        status = tripping.run('takeover --yes', number, how)[1]
        assert status in (137, 1), calls[number - 1]
        said, status, _ = tripping.run(after)
        assert status == 0, f'after {calls[number - 1]}: {said}'
        assert api.has(token)
        assert api.is_nginx() == (after == 'takeover --yes'), f'after {calls[number - 1]}: {said}'
        if after == 'takeover --yes':
            assert tripping.run('give-back')[1] == 0
        answers_as_before(wazo, api, token)


def test_a_give_back_that_is_killed(wazo, api, token, tripping):
    tripping.run('takeover --yes')
    calls = tripping.run('give-back')[2]
    for number in range(1, len(calls) + 1):
        assert tripping.run('takeover --yes')[1] == 0
        tripping.run('give-back', number, 'kill')
        said, status, _ = tripping.run('give-back')
        assert status == 0, f'after {calls[number - 1]}: {said}'
        answers_as_before(wazo, api, token)


@pytest.mark.parametrize('moment', ['systemctl stop wazo-auth*', 'nginx -s reload*', 'systemctl start wazo-auth*'])
def test_a_database_that_goes_away_meanwhile(wazo, api, token, tripping, moment):
    """Nobody can answer without it. When it is there again somebody does: nginx, the daemon, or, where neither could be
    seen to answer, the one that was tried last."""
    said, status, _ = tripping.run('takeover --yes', moment, '/usr/bin/systemctl stop postgresql@15-main', timeout=400)
    wazo('systemctl start postgresql@15-main')
    servers.wait_until(lambda: api.answers() and api.has(token), 30, 'port 9497 answers')
    assert 'Traceback' not in said
    assert status in (0, 1, 3), said
    if status != 3:
        assert api.is_nginx() == (status == 0), said


def test_a_daemon_that_does_not_come_back_leaves_nginx_at_the_port(wazo, api, token, installed):
    wazo('wazo-auth-nginx takeover --yes')
    wazo('mv /usr/bin/wazo-auth /usr/bin/wazo-auth.away')
    try:
        with asking.Watch(wazo, token) as watch:
            said, status = wazo.run('wazo-auth-nginx give-back', check=False)
        assert status != 0, said
        assert '/usr/bin/wazo-auth, which' in said
        assert not watch.lost
        assert api.is_nginx()
        assert api.has(token)
        wazo('ln -s /bin/false /usr/bin/wazo-auth')
        with asking.Watch(wazo, token) as watch:
            said, status = wazo.run('wazo-auth-nginx give-back', check=False)
        assert status != 0, said
        assert 'ended at once' in said
        assert not watch.lost
        assert api.is_nginx()
        said, status = wazo.run('apt-get -y remove wazo-auth-nginx', check=False)
        assert status != 0, said
        assert api.is_nginx()
    finally:
        wazo('mv /usr/bin/wazo-auth.away /usr/bin/wazo-auth')
    wazo('wazo-auth-nginx give-back')
    answers_as_before(wazo, api, token)


def test_a_failing_takeover_does_not_fail_the_installation(wazo, api, token, installed):
    wazo('apt-get -y purge wazo-auth-nginx')
    wazo('echo "no_such_directive on;" >/etc/nginx/conf.d/broken.conf')
    try:
        said = wazo.apt('install', 'wazo-auth-nginx', answers='wazo-auth-nginx wazo-auth-nginx/takeover boolean true')
    finally:
        wazo('rm /etc/nginx/conf.d/broken.conf')
    assert 'no_such_directive' in said
    assert wazo("dpkg-query -W -f '${db:Status-Status}' wazo-auth-nginx") == 'installed'
    answers_as_before(wazo, api, token)
