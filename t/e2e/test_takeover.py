"""wazo-auth-nginx takeover, give-back, status and check: docs/takeover.md."""
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from support import servers
from support.checks import label
from support.logs import SECRETS
from support.machine import CONNECTED, IDENTITY, Machine
from support.stack import ADMIN, OWNER

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='needs root')

STEPS = ('adopt', 'trial', 'files', 'switch', 'unit', 'verify')
CREDENTIALS = 'root/.config/wazo-auth-cli/050-credentials.yml'
QUICK = '--without-login'
SQUATTER = """
import socket, sys, time
held = socket.socket()
held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
held.bind(('127.0.0.1', int(sys.argv[2])))
held.listen()
time.sleep(600)
"""
# Its child goes on having the listening socket that nginx inherits.
KEEPS_ITS_PORT = """
import os, socket, sys, time
held = socket.create_server(('127.0.0.1', int(sys.argv[1])), backlog=64)
if os.fork() == 0:
    time.sleep(600)
held.set_inheritable(True)
os.environ['NGINX'] = f'{held.fileno()};'
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture(scope='module')
def whole_machine(postgres, stack):
    name = label('takeover')
    uri = postgres.create_database(name, OWNER)
    settings = stack.settings(db_uri=uri, default_policies={'watcher': {'acl': ['auth.users.read']}})
    made = Machine(servers.temporary_folder(), servers.template_settings() | settings).make()
    made.write(
        CREDENTIALS,
        f"auth:\n  username: {ADMIN['username']}\n  password: {SECRETS.password(ADMIN['password'])}\n  backend: wazo_user\n",
        0o600,
    )
    try:
        yield made.start()
    finally:
        made.close()
        postgres.drop_database(name)


@pytest.fixture
def machine(whole_machine):
    """With a daemon that answers, before the test and at its end: whatever has happened, authentication is there."""
    before = whole_machine.fingerprint()
    try:
        yield whole_machine
        for order in (whole_machine.root / 'orders').iterdir():
            order.unlink()
        if whole_machine.who() != 'daemon':
            given = whole_machine.tool('give-back')
            assert given.returncode == 0, given.stdout + given.stderr
        assert (whole_machine.who(), whole_machine.answers()) == ('daemon', True)
        assert whole_machine.fingerprint() == before
        assert not (whole_machine.root / 'var/lib/wazo-auth-nginx/takeover.json').exists()
        assert servers.port_is_free(whole_machine.trial_port)
    finally:
        if whole_machine.who() != 'daemon' or whole_machine.fingerprint() != before:
            whole_machine.reset()


def journal(machine):
    return json.loads((machine.root / 'var/lib/wazo-auth-nginx/takeover.json').read_text())


def gap(done):
    return float(re.search(r'without an answer: ([0-9.]+) s', done.stdout)[1])


def failed(done, *texts, status=1):
    assert done.returncode == status, done.stdout + done.stderr
    for text in texts:
        assert text in done.stdout + done.stderr
    return done


def serves(machine, who):
    assert (machine.who(), machine.answers()) == (who, True)


def tokens(machine, psql):
    return psql('SELECT count(*) FROM auth_token', machine.settings['db_uri'].rpartition('/')[2])


# -- there and back ----------------------------------------------------------------------------------------------------


def test_there_and_back(machine, psql):
    before = tokens(machine, psql)
    done = machine.tool('takeover')
    assert done.returncode == 0, done.stdout + done.stderr
    serves(machine, 'nginx')
    assert gap(done) < 5  # what it is on a machine that has nothing else to do is in the page
    assert tokens(machine, psql) == before
    assert ADMIN['password'] not in done.stdout + done.stderr
    assert '\x1b' not in done.stdout
    # Others go on by the unit's name.
    for verb in 'restart', 'stop', 'start':
        machine.run('systemctl', verb, 'wazo-auth')
        serves(machine, 'nginx')
    assert machine.run('systemctl', 'is-active', 'wazo-auth').stdout == 'active\n'
    # Its identity is the daemon's, though nginx was started without it.
    issued = machine.api.post('/token', auth=(ADMIN['username'], ADMIN['password']), json={'expiration': 60}).json()[
        'data'
    ]
    assert issued['xivo_uuid'] == IDENTITY
    machine.api.delete(f"/token/{issued['token']}")
    # Twice is once.
    again = machine.tool('takeover')
    assert (again.returncode, 'already' in again.stdout) == (0, True)
    shown = machine.tool('status')
    assert shown.returncode == 0
    assert f'port {machine.port}: nginx\n' in shown.stdout
    assert 'takeover: active' in shown.stdout

    done = machine.tool('give-back')
    assert done.returncode == 0, done.stdout + done.stderr
    serves(machine, 'daemon')
    assert gap(done) < 5
    assert machine.tool('give-back').returncode == 0
    assert f'port {machine.port}: the daemon\n' in machine.tool('status').stdout


def test_a_database_is_given_back_too(machine, psql):
    name = machine.settings['db_uri'].rpartition('/')[2]
    assert machine.tool('takeover', QUICK).returncode == 0
    machine.write_settings(db_upgrade_on_startup=False)
    try:
        machine.tool('give-back')
        machine.run('systemctl', 'stop', 'wazo-auth')  # the one of this test needs the schema as well
        done = machine.tool('give-back', '--detach')
        assert done.returncode == 0, done.stdout + done.stderr
        assert psql("SELECT count(*) FROM pg_namespace WHERE nspname = 'wazo_auth'", name) == '0'
    finally:
        machine.write_settings()
        machine.run('systemctl', 'start', 'wazo-auth')
        machine.wait()
    assert 'nothing to remove' in machine.tool('give-back', '--detach').stdout


def test_a_dry_run_changes_nothing(machine):
    for verb, words in ('takeover', ('adopt the database', 'stop the daemon')), ('give-back', ('let the daemon',)):
        done = machine.tool(verb, '--dry-run')
        assert done.returncode == 0
        for each in words:
            assert each in done.stdout
    serves(machine, 'daemon')


def test_check(machine):
    done = machine.tool('check')
    assert done.returncode == 0, done.stderr
    assert f"logged in at the daemon as {ADMIN['username']}" in done.stdout
    serves(machine, 'daemon')


def test_the_commands_in_cpp_by_their_short_names(machine):
    tool = [sys.executable, str(servers.CHECKOUT / 'tools/wazo-auth-nginx/wazo-auth-nginx')]
    for name in ('init-db', 'upgrade-db', 'bootstrap', 'wait', 'gate', 'lock'):
        done = machine.run(name, '--help', program=tool, check=False)
        assert f'wazo-auth-{name}' in done.stdout + done.stderr
    assert machine.run('wait', '--no-such', program=tool, check=False).returncode == 2


# -- killed and interrupted --------------------------------------------------------------------------------------------

MOMENTS = [*((step, 'before') for step in STEPS), ('switch', 'after'), ('between', 'in')]


@pytest.mark.parametrize('step, when', MOMENTS)
def test_killed_in_the_middle_of_a_takeover(machine, step, when):
    done = machine.killed_at(step, when, 'takeover', QUICK)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    assert journal(machine)['state'] == 'taking-over'
    answering = machine.answers()
    assert answering or step == 'between'
    shown = machine.tool('status')
    assert (shown.returncode, 'interrupted' in shown.stdout) == (5, True)
    # The next run sees to it, whichever it is.
    if step in ('trial', 'switch', 'between'):
        done = machine.tool('takeover', QUICK)
        assert done.returncode == 0, done.stdout + done.stderr
        serves(machine, 'nginx')
    done = machine.tool('give-back')
    assert done.returncode == 0, done.stdout + done.stderr
    serves(machine, 'daemon')


@pytest.mark.parametrize('step, when', [('warm', 'before'), ('back', 'before'), ('back', 'after')])
def test_killed_in_the_middle_of_giving_back(machine, step, when):
    assert machine.tool('takeover', QUICK).returncode == 0
    done = machine.killed_at(step, when, 'give-back')
    assert done.returncode == -signal.SIGKILL
    assert machine.answers()
    assert machine.tool('status').returncode == 5
    done = machine.tool('give-back')
    assert done.returncode == 0, done.stdout + done.stderr
    serves(machine, 'daemon')


@pytest.mark.parametrize('step', ['trial', 'between', 'verify'])
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT], ids=['SIGTERM', 'SIGINT'])
def test_interrupted(machine, step, number):
    done = machine.killed_at(step, 'before', 'takeover', QUICK, number=number)
    failed(done, f'Interrupted by {number.name}')
    serves(machine, 'daemon')


# -- what fails on the way ---------------------------------------------------------------------------------------------


def test_nginx_refuses_the_new_files(machine):
    machine.order('nginx-refuses')
    failed(machine.tool('takeover', QUICK), 'nginx refuses its configuration', 'as ordered')
    serves(machine, 'daemon')


def test_a_reload_that_has_no_effect(machine):
    machine.order('nginx-is-deaf')
    failed(machine.tool('takeover', QUICK), 'nginx was told to reload', f'port {machine.port}')
    serves(machine, 'daemon')


@pytest.mark.parametrize('order', ['stop-fails', 'stop-hangs', 'stop-does-nothing'])
def test_a_daemon_that_does_not_stop(machine, order):
    machine.order(order)
    failed(machine.tool('takeover', QUICK, '--patience', 1), 'is still taken by process')
    serves(machine, 'daemon')


def test_a_port_that_somebody_else_takes_in_between(machine):
    """Nothing that this command could do: it says who it is, and the next run finishes it."""
    squatter = [sys.executable, '-c', SQUATTER, str(machine.root), str(machine.port)]
    (machine.root / 'orders/stop-then').write_text(json.dumps(squatter))
    machine.order('nginx-is-deaf')  # it can't be first
    done = machine.tool('takeover', QUICK, '--patience', 2)
    machine.order('stop-then', False)
    machine.order('nginx-is-deaf', False)
    assert machine.who() == 'another'
    failed(done, f'ort {machine.port} is taken by process', 'give-back', status=3)
    for pid in machine.processes():
        if SQUATTER.encode() in Path(f'/proc/{pid}/cmdline').read_bytes():
            os.kill(pid, signal.SIGKILL)
    servers.wait_until(lambda: machine.who() is None, 10)
    assert machine.tool('give-back').returncode == 0
    serves(machine, 'daemon')


def test_a_unit_that_does_not_start_any_more(machine):
    """Neither the stand-in nor the daemon: nginx answers, and goes on."""
    machine.order('start-fails')
    done = failed(machine.tool('takeover', QUICK), 'as ordered', 'nginx', status=3)
    assert 'give-back' in done.stderr
    serves(machine, 'nginx')
    machine.order('start-fails', False)
    assert machine.tool('give-back').returncode == 0
    serves(machine, 'daemon')


def test_a_daemon_that_does_not_come_back(machine):
    """give-back fails, and nginx goes on answering."""
    assert machine.tool('takeover', QUICK).returncode == 0
    unit = (machine.root / 'units/wazo-auth.json').read_text()
    machine.unit(start=['/bin/false'], wait=['/bin/false'])
    failed(machine.tool('give-back'), 'ended at once', 'nginx answers in its place')
    serves(machine, 'nginx')
    assert machine.tool('status').returncode == 0
    (machine.root / 'units/wazo-auth.json').write_text(unit)
    assert machine.tool('give-back').returncode == 0


def test_an_nginx_that_can_not_reload_any_more(machine):
    """A file of somebody else's is broken: nginx couldn't give up the port."""
    assert machine.tool('takeover', QUICK).returncode == 0
    broken = machine.write('etc/nginx/conf.d/broken.conf', 'no_such_directive;\n')
    failed(machine.tool('give-back'), 'nginx refuses its configuration', 'no_such_directive', str(broken))
    serves(machine, 'nginx')
    broken.unlink()


# -- what is found out before anything happens -------------------------------------------------------------------------


def refused(machine, *texts, words=(QUICK,)):
    done = failed(machine.tool('takeover', *words), *texts)
    assert 'adopt the database' not in done.stdout
    serves(machine, 'daemon')


def test_a_file_that_nginx_refuses(machine):
    broken = machine.write('etc/nginx/conf.d/broken.conf', 'no_such_directive;\n')
    refused(machine, 'no_such_directive', str(broken))
    broken.unlink()


def test_a_module_that_is_not_loaded(machine):
    file = machine.root / 'etc/nginx/modules-enabled/50-mod-http-wazo-auth.conf'
    text = file.read_text()
    file.write_text('')
    refused(machine, 'doesn\'t load the module')
    file.write_text('load_module /nowhere/ngx_wazo_auth_module.so;\n')
    refused(machine, '/nowhere/ngx_wazo_auth_module.so')
    file.write_text(text)


@pytest.mark.parametrize(
    'text, told',
    [
        ('server { listen 127.0.0.1:@PORT@; }', 'listens on port'),
        ('wazo_auth_config @ROOT@/etc/wazo-auth/config.yml; wazo_auth_zone other:16m;', 'has wazo_auth_config'),
    ],
)
def test_another_file_that_does_the_same(machine, text, told):
    file = machine.write('etc/nginx/conf.d/mine.conf', text)
    refused(machine, told, str(file))
    file.unlink()


@pytest.mark.parametrize(
    'path', ['etc/nginx/conf.d/wazo-auth-nginx.conf', 'etc/systemd/system/wazo-auth.service.d/wazo-auth-nginx.conf']
)
def test_a_file_of_that_name_that_is_not_ours(machine, path):
    file = machine.write(path, '# mine\n')
    refused(machine, str(file), 'isn\'t ours')
    file.unlink()
    if 'service.d' in path:
        file.parent.rmdir()


def test_a_database_that_is_away(machine):
    machine.write_settings(db_uri=f'postgresql://a:b@127.0.0.1:{machine.trial_port}/x')
    refused(machine, 'upgrade-db --print says', str(machine.trial_port))
    machine.write_settings()


def test_a_schema_that_lacks_something(machine, psql):
    name = machine.settings['db_uri'].rpartition('/')[2]
    psql('ALTER TABLE auth_policy RENAME COLUMN description TO about', name)
    refused(machine, 'upgrade-db --print says', 'auth_policy', 'description')
    psql('ALTER TABLE auth_policy RENAME COLUMN about TO description', name)


def test_where_the_daemon_listens(machine):
    authority = machine.root / 'etc/nginx/wazo-auth-nginx/authority.conf'
    text = authority.read_text()
    authority.write_text(text.replace(str(machine.port), str(machine.trial_port)))
    refused(machine, f'listen 127.0.0.1:{machine.port};')
    authority.write_text(text)
    machine.write_settings(
        rest_api={'listen': '0.0.0.0', 'port': machine.port, 'certificate': '/etc/a.crt', 'private_key': '/etc/a.key'}
    )
    refused(machine, f'listen {machine.port} ssl;', 'ssl_certificate /etc/a.crt;')
    machine.write_settings()


def test_credentials(machine):
    file = machine.root / CREDENTIALS
    text = file.read_text()
    file.unlink()
    refused(machine, 'No credentials for a login', '--credentials', words=())
    machine.write(CREDENTIALS, 'auth:\n  username: nobody\n  password: wrong-password\n', 0o600)
    refused(machine, 'accepts none', f'{file}: 401', words=())
    # A service's key does as well.
    key = machine.write(
        'var/lib/wazo-auth-keys/x-key.yml', f"service_id: {ADMIN['username']}\nservice_key: {ADMIN['password']}\n"
    )
    assert machine.tool('check').returncode == 0
    key.unlink()
    machine.write(CREDENTIALS, text, 0o600)


def test_a_trial_port_that_is_taken(machine):
    with socket.create_server(('127.0.0.1', machine.trial_port)):
        failed(machine.tool('takeover', QUICK), 'for the trial, is taken by process', '--trial-port')
    serves(machine, 'daemon')


def test_two_runs_at_once(machine):
    lock = machine.root / 'run/wazo-auth-nginx/lock'
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, 'w', encoding='utf-8') as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for verb in 'takeover', 'give-back':
            failed(machine.tool(verb), 'Another wazo-auth-nginx', status=4)
    serves(machine, 'daemon')


def test_a_journal_that_can_not_be_written(machine):
    state = machine.root / 'var/lib/wazo-auth-nginx'
    aside = state.with_name('aside')
    if state.exists():
        state.rename(aside)
    state.write_text('no folder')
    try:
        refused(machine, 'takeover.json can\'t be read')
    finally:
        state.unlink()
    state.symlink_to('/proc/self')  # a folder on a file system that has no room
    try:
        refused(machine, 'Less than 64 MB are free', str(state))
    finally:
        state.unlink()
        if aside.exists():
            aside.rename(state)


def test_answers_that_differ(machine):
    conf = machine.root / 'daemon/nginx.conf'
    text = conf.read_text()
    conf.write_text(
        text.replace('location / ', "location = /0.1/backends { return 200 '{\"data\": [\"other\"]}'; } location / ")
    )
    machine.run('systemctl', 'restart', 'wazo-auth')
    machine.wait()
    done = failed(machine.tool('takeover', QUICK), 'GET /backends', '--accept-differences')
    assert '["other"]' in done.stdout or '"other"' in done.stdout
    serves(machine, 'daemon')
    assert machine.tool('takeover', QUICK, '--accept-differences').returncode == 0
    serves(machine, 'nginx')
    conf.write_text(text)
    assert machine.tool('give-back').returncode == 0


def test_a_daemon_that_does_not_run(machine):
    machine.run('systemctl', 'stop', 'wazo-auth')
    assert machine.tool('takeover').returncode == 0
    serves(machine, 'nginx')
    assert machine.tool('give-back').returncode == 0
    assert (machine.who(), machine.state()['pid']) == (None, 0)
    machine.unit(masked=True)
    assert machine.tool('takeover').returncode == 0
    serves(machine, 'nginx')
    assert machine.tool('give-back').returncode == 0
    assert machine.who() is None
    machine.unit()
    machine.run('systemctl', 'start', 'wazo-auth')
    machine.wait()


def test_no_daemon_at_all(machine):
    unit = machine.root / 'units/wazo-auth.json'
    text = unit.read_text()
    unit.unlink()
    failed(machine.tool('takeover', QUICK), 'There is no unit wazo-auth', 'setup')
    unit.write_text(text)


# -- how long nobody answers, seen from outside ------------------------------------------------------------------------


class Asking:
    """Asks without a pause until the end of the `with`: .lost questions, .longest seconds between two answers."""

    def __init__(self, machine):
        self.machine = machine
        self.lost = 0
        self.times = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.ask, daemon=True)

    def ask(self):
        while not self.over.is_set():
            if self.machine.answers():
                self.times.append(time.monotonic())
            else:
                self.lost += 1
            self.over.wait(0.005)

    def __enter__(self):
        self.times.append(time.monotonic())
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(10)
        self.times.append(time.monotonic())

    @property
    def longest(self):
        return max(later - earlier for earlier, later in zip(self.times, self.times[1:]))


@pytest.mark.parametrize(
    'start, told',
    [(['/nowhere/wazo-auth'], '/nowhere/wazo-auth, which'), (['/bin/false'], 'ended at once')],
    ids=['missing', 'ends'],
)
def test_a_daemon_that_can_not_start_costs_no_answer(machine, start, told):
    """nginx has never given up the port."""
    assert machine.tool('takeover', QUICK).returncode == 0
    machine.unit(start=start)
    with Asking(machine) as asked:
        failed(machine.tool('give-back'), told)
    assert asked.lost == 0
    serves(machine, 'nginx')
    assert 'takeover: active' in machine.tool('status').stdout
    machine.unit()
    assert machine.tool('give-back').returncode == 0


def test_a_daemon_that_ends_when_the_port_is_its_own(machine):
    """Nobody waits for systemd, which waits for the port: nginx is there again."""
    assert machine.tool('takeover', QUICK).returncode == 0
    database = machine.settings['db_uri'].partition('@')[2].partition('/')[0].rpartition(':')[2]
    ends = [sys.executable, '-c', CONNECTED, database, '/bin/sh', '-c', 'sleep 2; exit 1']
    machine.unit(start=ends, wait=['sleep', '25'])
    with Asking(machine) as asked:
        failed(machine.tool('give-back'), 'nginx answers in its place; without an answer: ')
    assert asked.longest < 8
    serves(machine, 'nginx')
    machine.unit()
    assert machine.tool('give-back').returncode == 0


def test_a_child_of_the_daemon_that_keeps_its_port(machine):
    """It has the daemon's socket and answers nobody: it is ended, and the seconds are told as they were."""
    machine.run('systemctl', 'stop', 'wazo-auth')
    words = json.loads((machine.root / 'units/wazo-auth.json').read_text())['start'][4:]
    machine.unit(start=[sys.executable, '-c', KEEPS_ITS_PORT, str(machine.port), *words])
    machine.run('systemctl', 'start', 'wazo-auth')
    machine.wait()
    with Asking(machine) as asked:
        done = machine.tool('takeover', QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'is killed' in done.stdout + done.stderr
    assert 3 <= asked.longest < 10
    assert abs(gap(done) - asked.longest) < 1
    serves(machine, 'nginx')
    machine.unit()
    assert machine.tool('give-back').returncode == 0


# -- a machine without Wazo --------------------------------------------------------------------------------------------


@pytest.fixture
def bare(postgres, stack):
    made = Machine(servers.temporary_folder(), servers.template_settings() | stack.settings()).make()
    made.environment |= {'PGHOST': postgres.host}
    (made.root / 'units/wazo-auth.json').unlink()
    (made.root / 'etc/default/xivo').unlink()
    shutil.rmtree(made.root / 'etc/wazo-auth')
    shipped = {
        'extra_config_files': str(made.root / 'etc/wazo-auth/conf.d'),
        'rest_api': {'port': made.port},
        'amqp': {'uri': stack.rabbitmq.uri},
        'default_policies': {'wazo_default_master_user_policy': {'acl': ['#']}},
    }
    made.write('usr/share/wazo-auth-nginx/config.yml', json.dumps(servers.template_settings() | shipped))
    try:
        made.run('nginx')
        yield made
    finally:
        made.close()
        postgres.drop_database('asterisk')


def test_a_machine_without_wazo(bare, postgres):
    before = bare.fingerprint()
    port = ('--db-port', postgres.port)
    done = bare.tool('setup', *port)
    assert done.returncode == 0, done.stdout + done.stderr
    name, password = re.search(r'shown this once:  (\S+)  (\S+)', done.stdout).groups()
    assert bare.who() == 'nginx'
    answer = bare.api.post('/token', auth=(name, SECRETS.password(password)), json={'expiration': 60})
    assert answer.status_code == 200
    identity = answer.json()['data']['xivo_uuid']
    assert re.fullmatch('[0-9a-f-]{36}', identity)
    secret = bare.root / 'etc/wazo-auth/conf.d/50-wazo-auth-nginx.yml'
    assert secret.stat().st_mode & 0o777 == 0o640
    SECRETS.password(re.search('asterisk:([^@]+)@', secret.read_text())[1])

    made = bare.fingerprint()
    again = bare.tool('setup', *port)
    assert (again.returncode, 'shown this once' in again.stdout) == (0, False), again.stdout + again.stderr
    assert bare.fingerprint() == made
    assert (
        bare.api.post('/token', auth=(name, password), json={'expiration': 60}).json()['data']['xivo_uuid'] == identity
    )

    # What the package does before it goes: there is nobody to give back to.
    assert bare.tool('give-back', '--detach').returncode == 0
    assert bare.who() is None
    assert bare.tool('setup', *port).returncode == 0
    assert bare.who() == 'nginx'
    done = bare.tool('teardown', '--drop-database', *port)
    assert done.returncode == 0, done.stdout + done.stderr
    assert bare.who() is None
    assert bare.fingerprint() == before
    assert not postgres.has_database('asterisk')
