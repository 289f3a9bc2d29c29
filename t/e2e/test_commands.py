"""wazo-auth-bootstrap, -init-db and -wait: docs/spec/config.md sections 3.3 to 3.5, docs/spec/schema.md section 4.6."""
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import time
import urllib.parse

import psycopg2
import pytest

from support import servers
from support.checks import label
from support.logs import SECRETS
from support.servers import BUILD
from support.stack import OWNER

COMMANDS = ('wazo-auth-bootstrap', 'wazo-auth-init-db', 'wazo-auth-upgrade-db', 'wazo-auth-wait')
CLI_USER = 'wazo-auth-cli'
POLICY = 'wazo_default_master_user_policy'

as_root = pytest.mark.skipif(os.geteuid() != 0, reason='needs root')


def failed(done, name, *texts):
    """It ended with 1, and its last words say why."""
    assert (done.returncode, done.stdout) == (1, '')
    _, found, why = f'\n{done.stderr}'.rpartition(f'\n{name}: ')
    assert found and why.endswith('\n')
    for text in texts:
        assert text in why


# -- usage -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', COMMANDS[:3])
def test_help(command, name):
    for option in ('--help', '-h'):
        done = command(name, option)
        assert (done.returncode, done.stderr) == (0, '')
        assert done.stdout.startswith(f'usage: {name} [OPTION...]')


WRONG = [
    ('wazo-auth-bootstrap', 'no-such-command'),
    ('wazo-auth-bootstrap', '--no-such-option'),
    ('wazo-auth-bootstrap', 'complete', 'x'),
    ('wazo-auth-bootstrap', 'complete', '--uri', 'x'),
    ('wazo-auth-bootstrap', 'setup', 'x'),
    ('wazo-auth-bootstrap', 'initial-user', 'x'),
    ('wazo-auth-bootstrap', 'initial-user', '--no-such-option'),
    ('wazo-auth-bootstrap', 'initial-user', '--uri'),
    ('wazo-auth-bootstrap', '--config'),
    ('wazo-auth-init-db', 'x'),
    ('wazo-auth-init-db', '--no-such-option'),
    ('wazo-auth-init-db', '--db'),
    ('wazo-auth-upgrade-db', 'x'),
    ('wazo-auth-upgrade-db', '--no-such-option'),
    ('wazo-auth-upgrade-db', '-c'),
    ('wazo-auth-upgrade-db', '--print', '--detach'),
    ('wazo-auth-wait', 'x'),
    ('wazo-auth-wait', '--port', '1'),
]


@pytest.mark.parametrize('words', WRONG, ids=' '.join)
def test_wrong_usage(command, words):
    done = command(*words)
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr.splitlines()[-1].startswith(f'{words[0]}: ')


@pytest.mark.parametrize(
    'name, options',
    [
        ('wazo-auth-bootstrap', ('--config', '{}', 'initial-user')),
        ('wazo-auth-bootstrap', ('--config', '{}', 'complete')),
        ('wazo-auth-upgrade-db', ('--config-file', '{}')),
    ],
)
def test_a_broken_configuration(command, folder, name, options):
    config = folder / 'broken.yml'
    config.write_text('extra_config_files: /nowhere\na: [\n')
    failed(command(name, *(option.format(config) for option in options)), name, f'{config}:')
    config.write_text('extra_config_files: /nowhere\n\nlog_level: loud\n')
    failed(command(name, *(option.format(config) for option in options)), name, f'{config}:3: ', '"log_level"')


# -- wazo-auth-bootstrap -----------------------------------------------------------------------------------------------


class Installation:
    """A database with its schema, its configuration and the place for the credentials."""

    def __init__(self, postgres, command, folder):
        self.name = label('commands')
        self.uri = postgres.create_database(self.name, OWNER)
        self.config = servers.write_settings(folder / self.name, {'db_uri': self.uri})
        self.credentials = folder / self.name / 'a' / 'b'
        self.file = self.credentials / '050-credentials.yml'
        self._postgres = postgres
        self._command = command
        done = command('wazo-auth-upgrade-db', '--config-file', self.config)
        assert done.returncode == 0, done.stderr

    def sql(self, text):
        return self._postgres.psql(self.name, text)

    def bootstrap(self, *words, **options):
        return self._command(
            'wazo-auth-bootstrap', '--config', self.config, '--credentials', self.credentials, *words, **options
        )

    def complete(self):
        return self.bootstrap('complete')

    def written(self):
        """username and password of the credentials."""
        text = self.file.read_text()
        match = re.fullmatch(r'auth:\n  username: (\S+)\n  password: (\S+)\n  backend: wazo_user\n', text)
        SECRETS.password(match[2])
        return match[1], match[2]

    def logs_in(self, username, password):
        row = self.sql(
            "SELECT password_hash, encode(password_salt, 'hex') FROM auth_user " f"WHERE username = '{username}'"
        )
        known, salt = row.split('|')
        return hashlib.pbkdf2_hmac('sha512', password.encode(), bytes.fromhex(salt), 250000, 64).hex() == known

    def users(self):
        return self.sql('SELECT username FROM auth_user ORDER BY 1').splitlines()

    def everything(self):
        return self.sql(
            'SELECT u.*, p.policy_uuid, g.group_uuid FROM auth_user u LEFT JOIN auth_user_policy p '
            'ON p.user_uuid = u.uuid LEFT JOIN auth_user_group g ON g.user_uuid = u.uuid ORDER BY 1, 2'
        )


@pytest.fixture
def installation(postgres, command, folder):
    made = Installation(postgres, command, folder)
    yield made
    postgres.drop_database(made.name)


def succeeded(done):
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


def test_bootstrap_without_a_command_prints_help(command):
    done = command('wazo-auth-bootstrap')
    assert (done.returncode, done.stderr) == (0, '')
    for word in ('complete', 'initial-user', 'setup', '--credentials'):
        assert word in done.stdout


def test_setup_is_no_longer_needed(command):
    done = command('wazo-auth-bootstrap', 'setup')
    assert (done.returncode, done.stderr) == (0, '')
    assert 'no longer needed' in done.stdout


def test_complete_makes_user_and_credentials(installation):
    succeeded(installation.complete())
    username, password = installation.written()
    assert username == CLI_USER
    assert re.fullmatch('[0-9a-zA-Z]{28}', password)
    assert installation.logs_in(username, password)
    assert installation.users() == [CLI_USER]
    assert (
        installation.sql(
            'SELECT purpose, enabled, authentication_method, firstname, lastname, tenant_uuid = '
            '(SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid) FROM auth_user'
        )
        == 'internal|t|native|||t'
    )
    assert installation.sql('SELECT count(*) FROM auth_email') == '0'
    assert installation.sql('SELECT slug FROM auth_user_policy JOIN auth_policy ON uuid = policy_uuid') == POLICY
    assert (
        installation.sql(
            "SELECT slug = 'wazo-all-users-tenant-' || tenant_uuid FROM auth_user_group "
            'JOIN auth_group ON uuid = group_uuid'
        )
        == 't'
    )


def test_the_credentials_are_the_owners_alone(installation):
    before = os.umask(0)
    try:
        succeeded(installation.complete())
    finally:
        os.umask(before)
    assert stat.S_IMODE(installation.file.stat().st_mode) == 0o600
    assert os.listdir(installation.credentials) == [installation.file.name]


def test_complete_twice_changes_nothing(installation):
    succeeded(installation.complete())
    before = installation.everything(), installation.file.read_text(), installation.file.stat().st_mtime_ns
    succeeded(installation.complete())
    assert (installation.everything(), installation.file.read_text(), installation.file.stat().st_mtime_ns) == before


def test_complete_without_the_file_gives_a_new_password(installation):
    succeeded(installation.complete())
    _, old = installation.written()
    user = installation.sql('SELECT uuid FROM auth_user')
    installation.sql(
        f'''
        INSERT INTO auth_session (uuid, tenant_uuid, mobile) SELECT 's-' || n, tenant_uuid, false
            FROM auth_user, generate_series(1, 2) AS n;
        INSERT INTO auth_token (uuid, session_uuid, auth_id)
            VALUES ('t-1', 's-1', '{user}'), ('t-2', 's-2', 'other')'''
    )
    installation.file.unlink()
    installation.file.with_suffix('.yml.new').write_text('left behind')
    succeeded(installation.complete())
    username, new = installation.written()
    assert new != old
    assert installation.logs_in(username, new) and not installation.logs_in(username, old)
    assert installation.sql('SELECT uuid FROM auth_user') == user
    assert installation.sql('SELECT uuid FROM auth_session') == 's-2'
    assert installation.sql('SELECT uuid FROM auth_token') == 't-2'
    assert installation.sql('SELECT routing_key FROM wazo_auth.outbox') == 'auth.sessions.s-1.deleted'
    assert os.listdir(installation.credentials) == [installation.file.name]


def given(installation, username, password):
    installation.credentials.mkdir(parents=True, exist_ok=True)
    installation.file.write_text(f'auth:\n  username: {username}\n  password: "{password}"\n  backend: wazo_user\n')


def test_complete_makes_the_user_of_given_credentials(installation):
    given(installation, 'somebody', 'gruß-é-1234567')
    before = installation.file.read_text()
    succeeded(installation.complete())
    assert installation.users() == ['somebody']
    assert installation.logs_in('somebody', 'gruß-é-1234567')
    assert installation.file.read_text() == before


def test_complete_refuses_given_credentials_that_are_wrong(installation):
    succeeded(installation.complete())
    before = installation.everything()
    given(installation, CLI_USER, 'wrong-password')
    done = installation.complete()
    failed(done, 'wazo-auth-bootstrap', f'"{CLI_USER}"')
    assert 'wrong-password' not in done.stderr
    assert installation.everything() == before


@pytest.mark.parametrize(
    'text',
    [
        '',
        'auth: {}\n',
        'auth: {username: a}\n',
        'auth: [\n',
        'auth: {password: secret-1}\n',
        '- a\n',
        'auth: secret-1\n',
        'auth:\n  username: a\n  password: ""\n',
        'auth: {username: a, password: "secret-1}\n',
    ],
)
def test_complete_refuses_credentials_that_are_none(installation, text):
    given(installation, 'a', 'b')
    installation.file.write_text(text)
    done = installation.complete()
    failed(done, 'wazo-auth-bootstrap', str(installation.file))
    assert 'secret-1' not in done.stderr
    assert installation.users() == []
    assert installation.file.read_text() == text


def test_complete_where_no_file_can_be(installation):
    """What can't be written down isn't changed either."""
    succeeded(installation.complete())
    before = installation.everything()
    shutil.rmtree(installation.credentials.parent)
    installation.credentials.parent.write_text('a file')
    failed(installation.complete(), 'wazo-auth-bootstrap')
    assert installation.everything() == before
    installation.credentials.parent.unlink()
    succeeded(installation.complete())
    assert installation.logs_in(*installation.written())


def test_a_database_that_is_away(command, folder):
    port = servers.free_port()
    config = servers.write_settings(folder / label('away'), {'db_uri': f'postgresql://a:Secr7t@127.0.0.1:{port}/x'})
    for words in (('complete',), ('initial-user',)):
        done = command('wazo-auth-bootstrap', '--config', config, '--credentials', folder / 'none', *words)
        failed(done, 'wazo-auth-bootstrap')
        assert 'Secr7t' not in done.stderr
    assert not (folder / 'none').exists()


@pytest.mark.parametrize(
    'uri',
    [
        'host=a password=b Secr7t',
        'host=a password=Secr7t dbname',
        'postgresql://a:Secr7t@[b/x',
        'postgresql://a/x?password=Secr7t&hots=b',
        'postgresql://a:b@c:1/x?Secr7t',
        'host=a password=b "Secr7t',
        'postgresql://a:%zzSecr7t@b/x',
        "host=a password='Secr7t",
    ],
)
def test_a_wrong_address_is_not_shown(command, uri):
    done = command('wazo-auth-bootstrap', 'initial-user', '--uri', uri)
    failed(done, 'wazo-auth-bootstrap', 'connection string')
    assert 'Secr7t' not in done.stderr


def test_a_database_without_schema(postgres, command, folder):
    name = label('empty')
    uri = postgres.create_database(name, OWNER)
    failed(command('wazo-auth-bootstrap', 'initial-user', '--uri', uri), 'wazo-auth-bootstrap')
    postgres.drop_database(name)


def test_initial_user_by_default(installation):
    succeeded(installation.bootstrap('initial-user'))
    assert installation.users() == [CLI_USER]
    assert installation.sql('SELECT length(password_hash), length(password_salt) FROM auth_user') == '128|64'
    assert not installation.credentials.exists()
    failed(installation.bootstrap('initial-user'), 'wazo-auth-bootstrap', f'"{CLI_USER}"')


def add_policy(installation, slug):
    installation.sql(
        f"INSERT INTO auth_policy (name, slug, tenant_uuid) SELECT '{slug}', '{slug}', uuid "
        'FROM auth_tenant WHERE uuid = parent_uuid'
    )


FIRST = {'username': 'first', 'password': 'pass word-1 %:@"\'', 'purpose': 'external_api', 'policy_slug': 'mine'}


def assert_first(installation):
    assert installation.users() == ['first']
    assert installation.logs_in('first', FIRST['password'])
    assert (
        installation.sql(
            'SELECT purpose, slug FROM auth_user JOIN auth_user_policy ON user_uuid = auth_user.uuid '
            'JOIN auth_policy ON auth_policy.uuid = policy_uuid'
        )
        == 'external_api|mine'
    )


def test_initial_user_by_options(installation, command):
    add_policy(installation, 'mine')
    words = [word for name, value in FIRST.items() for word in (f'--{name.replace("_", "-")}', value)]
    for _ in range(2):
        succeeded(command('wazo-auth-bootstrap', 'initial-user', '--uri', installation.uri, *words))
        assert_first(installation)


def test_initial_user_by_environment(installation, command):
    add_policy(installation, 'mine')
    environment = {f'WAZO_AUTH_BOOTSTRAP_{name.upper()}': value for name, value in FIRST.items()}
    environment['WAZO_AUTH_BOOTSTRAP_URI'] = installation.uri
    for _ in range(2):
        succeeded(command('wazo-auth-bootstrap', 'initial-user', environment=environment))
        assert_first(installation)


def test_options_win_over_the_environment_and_that_over_the_file(installation):
    environment = {
        'WAZO_AUTH_BOOTSTRAP_USERNAME': 'of-environment',
        'WAZO_AUTH_BOOTSTRAP_URI': 'postgresql://127.0.0.1:1/x',
    }
    succeeded(
        installation.bootstrap(
            'initial-user', '--username', 'of-options', '--uri', installation.uri, environment=environment
        )
    )
    environment['WAZO_AUTH_BOOTSTRAP_URI'] = installation.uri
    installation.config.write_text(installation.config.read_text().replace(installation.name, 'nowhere'))
    succeeded(installation.bootstrap('initial-user', environment=environment))
    assert installation.users() == ['of-environment', 'of-options']


@pytest.mark.parametrize(
    'words, text',
    [
        (('--policy-slug', 'none'), '"none"'),
        (('--purpose', 'boss'), '"boss"'),
        (('--username', ''), 'username'),
    ],
)
def test_initial_user_refuses(installation, words, text):
    failed(installation.bootstrap('initial-user', *words), 'wazo-auth-bootstrap', text)
    assert installation.users() == []


def test_another_password_is_refused(installation):
    succeeded(installation.bootstrap('initial-user', '--username', 'x', '--password', 'right-password'))
    before = installation.everything()
    done = installation.bootstrap('initial-user', '--username', 'x', '--password', 'wrong-password')
    failed(done, 'wazo-auth-bootstrap', '"x"')
    assert 'wrong-password' not in done.stderr
    assert installation.everything() == before


def test_the_initial_user_may_do_everything(stack, command, api):
    name, word = label('initial'), SECRETS.password(label('secret'))
    succeeded(
        command(
            'wazo-auth-bootstrap', 'initial-user', '--uri', stack.database_uri, '--username', name, '--password', word
        )
    )
    answer = api.post('/token', auth=(name, word))
    assert answer.status_code == 200
    assert answer.json()['data']['acl'] == ['#']
    assert answer.json()['data']['metadata']['purpose'] == 'internal'
    assert api.get('/users', answer.json()['data']['token']).status_code == 200


# -- wazo-auth-init-db -------------------------------------------------------------------------------------------------


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture
def init_db(postgres, command):
    """init_db(database, owner, password, ...) against the test's cluster, as its superuser, through its socket."""
    made = []

    def uri(name):
        return (
            f'postgresql://{postgres.superuser}@{urllib.parse.quote(postgres.host, "")}:{postgres.port}/'
            + urllib.parse.quote(name, '')
        )

    def run(database, owner, password='Secr7t', *words):
        made.append((database, owner))
        return command(
            'wazo-auth-init-db',
            '--pg_db_uri',
            uri('postgres'),
            '--auth_db_uri',
            uri(database),
            '--db',
            database,
            '--owner',
            owner,
            '--password',
            password,
            *words,
        )

    yield run
    for database, _ in made:
        postgres.psql('postgres', f'DROP DATABASE IF EXISTS {quoted(database)} WITH (FORCE)')
    for _, owner in made:
        postgres.psql('postgres', f'DROP ROLE IF EXISTS {quoted(owner)}')


def connects(postgres, database, owner, password):
    try:
        psycopg2.connect(host='127.0.0.1', port=postgres.port, dbname=database, user=owner, password=password).close()
    except psycopg2.OperationalError:
        return False
    return True


def test_init_db(init_db, postgres, command, folder):
    database, owner = label('init'), label('owner')
    succeeded(init_db(database, owner))
    assert connects(postgres, database, owner, 'Secr7t')
    assert postgres.psql(
        'postgres',
        'SELECT rolname, pg_encoding_to_char(encoding), rolsuper, rolcreatedb FROM '
        f"pg_database d JOIN pg_roles r ON r.oid = datdba WHERE datname = '{database}'",
    ) == (f'{owner}|UTF8|f|f')
    assert 'uuid-ossp' in postgres.psql(database, 'SELECT extname FROM pg_extension').splitlines()
    assert postgres.psql(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == '0'
    config = servers.write_settings(folder / database, {'db_uri': postgres.uri(database, owner)})
    done = command('wazo-auth-upgrade-db', '--config-file', config)
    assert done.returncode == 0, done.stderr


def test_init_db_twice_changes_nothing(init_db, postgres):
    database, owner = label('init'), label('owner')
    succeeded(init_db(database, owner))
    postgres.psql(database, 'CREATE TABLE kept ()')
    done = init_db(database, owner, 'another')
    assert (done.returncode, done.stdout) == (0, '')
    assert connects(postgres, database, owner, 'Secr7t') and not connects(postgres, database, owner, 'another')
    assert postgres.psql(database, 'SELECT count(*) FROM kept') == '0'


def test_init_db_keeps_an_existing_role(init_db, postgres):
    owner, one, two = label('owner'), label('init'), label('init')
    succeeded(init_db(one, owner))
    succeeded(init_db(two, owner, 'another'))
    assert connects(postgres, two, owner, 'Secr7t')


def test_init_db_quotes_names(init_db, postgres):
    database, owner = f'{label("init")} "x"; --', f"{label('owner')} 'Y' \"z\""
    password = "it's \\ a \"pass\"; DROP"
    succeeded(init_db(database, owner, password))
    assert connects(postgres, database, owner, password)


@as_root
def test_init_db_as_another_user(postgres, init_db):
    user = servers.user_of_servers()
    database, owner = label('init'), label('owner')
    succeeded(init_db(database, owner, 'Secr7t', '--user', user))
    assert connects(postgres, database, owner, 'Secr7t')


def test_init_db_as_nobody_known(init_db):
    failed(
        init_db(label('init'), label('owner'), 'Secr7t', '--user', 'no-such-user'),
        'wazo-auth-init-db',
        '"no-such-user"',
    )


def test_init_db_waits_ten_seconds_for_the_server(command):
    start = time.monotonic()
    done = command('wazo-auth-init-db', '--pg_db_uri', f'postgresql://a:Secr7t@127.0.0.1:{servers.free_port()}/x')
    assert 9 < time.monotonic() - start < 30
    failed(done, 'wazo-auth-init-db')
    assert 'Secr7t' not in done.stderr


@pytest.mark.parametrize(
    'uri', ['nonsense', 'postgresql://a/x?hots=b', 'host=a password=Secr7t dbname', 'host=a password=b Secr7t']
)
def test_init_db_with_a_wrong_address(command, uri):
    start = time.monotonic()
    done = command('wazo-auth-init-db', '--pg_db_uri', uri)
    failed(done, 'wazo-auth-init-db', 'connection string')
    assert 'Secr7t' not in done.stderr
    assert time.monotonic() - start < 5


def test_init_db_without_rights(postgres, init_db, command):
    database, owner = label('init'), label('owner')
    succeeded(init_db(database, owner))
    plain = postgres.uri(database, owner)
    done = command(
        'wazo-auth-init-db',
        '--pg_db_uri',
        plain,
        '--auth_db_uri',
        plain,
        '--db',
        label('init'),
        '--owner',
        label('owner'),
    )
    failed(done, 'wazo-auth-init-db', 'permission denied')


# -- wazo-auth-wait ----------------------------------------------------------------------------------------------------

# It reads /etc/wazo-auth/config.yml and nothing else: here another /etc has it, for this process only.
ELSEWHERE = 'mount -t tmpfs none /etc && mkdir /etc/wazo-auth && cp "$1" /etc/wazo-auth/config.yml && exec "$2"'


@pytest.fixture
def wait_argv(folder):
    """wait_argv(text of /etc/wazo-auth/config.yml) → argv"""

    def make(text):
        config = folder / label('wait')
        config.write_text(text)
        argv = ['unshare', '--mount', 'sh', '-c', ELSEWHERE, 'sh', str(config)]
        if subprocess.run([*argv, 'true'], capture_output=True, check=False).returncode:
            pytest.skip('needs a mount namespace')
        return [*argv, str(BUILD / 'wazo-auth-wait')]

    return make


def run_wait(argv):
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_wait_ends_at_once_when_somebody_listens(wait_argv):
    with socket.create_server(('127.0.0.1', 0)) as listener:
        start = time.monotonic()
        done = run_wait(wait_argv(f'rest_api: {{port: {listener.getsockname()[1]}}}\n'))
        assert (done.returncode, done.stdout) == (0, '')
        assert time.monotonic() - start < 3


def test_wait_goes_on_until_somebody_listens(wait_argv):
    port = servers.free_port()
    process = subprocess.Popen(wait_argv(f'rest_api: {{port: {port}}}\n'), stderr=subprocess.PIPE)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2.5)
        with socket.create_server(('127.0.0.1', port)):
            assert process.wait(3) == 0
    finally:
        process.kill()
        process.communicate()


def test_wait_tells_where_the_api_is(command, folder):
    config = folder / 'where.yml'
    config.write_text("extra_config_files: /nowhere\nrest_api: {port: 1234, listen: '::', certificate: /etc/a.crt}\n")
    done = command('wazo-auth-wait', '--print', '--config-file', config)
    assert done.returncode == 0
    where = {'listen': '::', 'port': 1234, 'certificate': '/etc/a.crt', 'private_key': None}
    assert json.loads(done.stdout) == where


def test_wait_for_nginx(wait_argv, nginx):
    assert run_wait(wait_argv(f'rest_api: {{port: {nginx.api.port}}}\n')).returncode == 0


@pytest.mark.parametrize(
    'text, complaint',
    [
        ('rest_api: {port: 0}\n', 'rest_api.port'),
        ('rest_api: {port: 65536}\n', 'rest_api.port'),
        ('rest_api: {port: x}\n', 'rest_api.port'),
        ('rest_api: x\n', '/etc/wazo-auth/config.yml:1: '),
        ('rest_api: {\n', '/etc/wazo-auth/config.yml:'),
        ('- a\n', '/etc/wazo-auth/config.yml:1: '),
    ],
)
def test_wait_refuses(wait_argv, text, complaint):
    failed(run_wait(wait_argv(text)), 'wazo-auth-wait', complaint)
