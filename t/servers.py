"""Private servers on loopback: PostgreSQL, Redis, RabbitMQ, a mail server, directories and nginx with the module.

Used by `./dev run` and by the tests. Every server lives in a folder of its own, is started in a session of its own, and
is only ever signalled by a process id whose start time still is the one that was written down. A server object that is
made again over the same folder finds the running server.
"""
import email
import email.policy
import hashlib
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ADDRESS = '127.0.0.1'
CHECKOUT = Path(__file__).resolve().parents[1]
TICKS = os.sysconf('SC_CLK_TCK')


class ServerError(Exception):
    """A server could not be started or stopped; the text ends with the tail of its log."""


# -- ports and waiting -------------------------------------------------------------------------------------------------


def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            return False
        return True


_given = set()


def free_port(wanted=None):
    """`wanted` or the next free one above it; any free one below the ephemeral range without it."""
    port = wanted or 20000 + secrets.randbelow(10000)
    while port in _given or not port_is_free(port):
        port += 1
    _given.add(port)
    return port


def wait_until(condition, timeout=10.0, what='the condition', interval=0.01):
    """The first true value of condition(); TimeoutError after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f'{what}: not within {timeout} s')
        time.sleep(interval)


def port_answers(port):
    try:
        socket.create_connection((ADDRESS, port), 1).close()
    except OSError:
        return False
    return True


# -- processes ---------------------------------------------------------------------------------------------------------


def _stat(pid):
    """Fields of /proc/pid/stat from the state on; None when the process is gone or a zombie."""
    try:
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return None
    return None if fields[0] in 'ZX' else fields


def start_time(pid):
    fields = _stat(pid)
    return fields and fields[19]


def family(pid):
    """pid and its descendants, parents first."""
    children = {}
    for entry in os.listdir('/proc'):
        fields = entry.isdigit() and _stat(entry)
        if fields:
            children.setdefault(int(fields[1]), []).append(int(entry))
    found = []
    todo = [pid]
    while todo:
        current = todo.pop(0)
        found.append(current)
        todo += children.get(current, [])
    return found


def cpu_seconds(pid):
    """User and system time that the process used, 0 when it is gone."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def user_of_servers():
    """PostgreSQL refuses root: its servers, and their files, belong to this user then."""
    return 'postgres' if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def as_user(user, argv):
    if os.geteuid() != 0 or user == 'root':
        return argv
    return ['setpriv', '--reuid', user, '--regid', user, '--init-groups', *argv]


def can_enter(user, folder):
    """May `user` reach something in `folder`?"""
    return subprocess.run(as_user(user, ['test', '-x', str(folder)]), check=False).returncode == 0


def state_folder(checkout=CHECKOUT):
    """Where a checkout's private servers keep their data: .run, or outside when others can't reach it.

    The path is short enough for a Unix socket below it (107 bytes).
    """
    inside = checkout / '.run'
    if len(str(inside)) < 70 and can_enter(user_of_servers(), checkout):
        return inside
    name = hashlib.sha256(str(checkout).encode()).hexdigest()[:16]
    if os.geteuid() == 0:
        return Path('/var/lib/wazo-auth-dev') / name
    return Path.home() / '.local/state/wazo-auth-dev' / name


class Server:
    """One long-running program. Sub-classes give argv(), prepare() and ready()."""

    name = 'server'
    user = 'root'
    start_timeout = 60
    stop_signal = signal.SIGTERM
    stop_timeout = 20

    def __init__(self, folder):
        self.folder = Path(folder)
        self.log = self.folder / f'{self.name}.log'
        self._pid_file = self.folder / f'{self.name}.pid.json'
        self._frozen = []
        self._child = None

    def prepare(self):
        """Makes what is needed before the first start. Called at every start."""

    def argv(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def ready(self):
        return port_answers(self.port)

    @property
    def pid(self):
        """The id of the running server's first process, or None."""
        try:
            known = json.loads(self._pid_file.read_text())
        except (OSError, ValueError):
            return None
        return known['pid'] if start_time(known['pid']) == known['start'] else None

    @property
    def processes(self):
        return family(self.pid) if self.pid else []

    def start(self):
        """Starts it, if it isn't running, and waits until it answers."""
        if not self.pid:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.prepare()
            with open(self.log, 'ab') as output:
                self._child = subprocess.Popen(
                    [str(word) for word in as_user(self.user, self.argv())],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=self.environment(),
                    cwd='/',
                    start_new_session=True,
                )
            self._pid_file.write_text(json.dumps({'pid': self._child.pid, 'start': start_time(self._child.pid)}))
        self.wait_ready()
        return self

    def wait_ready(self):
        def answered_or_died():
            return not self.pid or self.ready()

        try:
            wait_until(answered_or_died, self.start_timeout, f'start of {self.name}', 0.03)
        except TimeoutError as late:
            raise ServerError(f'{late}\n{self.tail()}') from None
        if not self.pid:
            raise ServerError(f'{self.name} did not start\n{self.tail()}')

    def tail(self, lines=20):
        try:
            return '\n'.join(self.log.read_text(errors='replace').splitlines()[-lines:])
        except OSError:
            return ''

    def stop(self, number=None):
        """Ends it and all that it started. Without effect when it isn't running."""
        self.thaw()
        pids = self.processes
        if pids:
            signal_all(pids[:1], number or self.stop_signal)
            try:
                wait_until(lambda: not any(map(start_time, pids)), self.stop_timeout, f'end of {self.name}')
            except TimeoutError:
                self.kill()
        self._reap()

    def kill(self):
        """SIGKILL to all of it: what a crash of the machine would do."""
        pids = self.processes
        signal_all(pids, signal.SIGKILL)
        wait_until(lambda: not any(map(start_time, pids)), 10, f'end of {self.name}')
        self._frozen = []
        self._reap()

    def _reap(self):
        if self._child:
            self._child.wait()
            self._child = None
        self._pid_file.unlink(missing_ok=True)

    def restart(self):
        self.stop()
        return self.start()

    def freeze(self):
        """SIGSTOP to all its processes: connections stay open, nothing answers."""
        self._frozen = self.processes
        signal_all(self._frozen, signal.SIGSTOP)
        late = [pid for pid in self.processes if pid not in self._frozen]  # forked meanwhile
        signal_all(late, signal.SIGSTOP)
        self._frozen += late

    def thaw(self):
        signal_all(self._frozen, signal.SIGCONT)
        self._frozen = []


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


def statement(name):
    """The text of a statement in sql/queries."""
    text = (CHECKOUT / f"sql/queries/{name.split('.')[0]}.sql").read_text()
    return re.search(rf'^-- name: {re.escape(name)}$(.*?)(?=^-- name: |\Z)', text, re.M | re.S)[1]


def _postgres_program(name):
    found = sorted(Path('/usr/lib/postgresql').glob(f'*/bin/{name}'), key=lambda path: int(path.parts[-3]))
    if not found:
        raise ServerError('PostgreSQL is not installed')
    return found[-1]


class Postgres(Server):
    """A private cluster. `host` is the folder of its socket; local connections are trusted, TCP needs passwords."""

    name = 'postgres'
    stop_signal = signal.SIGINT  # "fast": doesn't wait for clients
    superuser = 'postgres'

    def __init__(self, folder, port, durable=True):
        super().__init__(folder)
        self.port = port
        self.user = user_of_servers()
        self.data = self.folder / 'data'
        self.host = str(self.folder / 'socket')
        self.durable = durable

    def prepare(self):
        for folder, mode in ((self.data, 0o700), (Path(self.host), 0o755)):
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)
            if os.geteuid() == 0:
                shutil.chown(folder, self.user, self.user)
        if not (self.data / 'PG_VERSION').exists():
            made = subprocess.run(
                as_user(
                    self.user,
                    [
                        _postgres_program('initdb'),
                        '-D',
                        self.data,
                        '-U',
                        self.superuser,
                        '-E',
                        'UTF8',
                        '--locale',
                        'C.UTF-8',
                        '--auth-local',
                        'trust',
                        '--auth-host',
                        'scram-sha-256',
                        '--no-sync',
                    ],
                ),
                capture_output=True,
                text=True,
                cwd='/',
                check=False,
            )
            if made.returncode:
                raise ServerError(f'initdb: {made.stderr}')

    def argv(self):
        settings = {
            'listen_addresses': ADDRESS,
            'port': self.port,
            'unix_socket_directories': self.host,
            'max_connections': 200,
            'shared_buffers': '128MB',
            'log_timezone': 'UTC',
            'log_line_prefix': '%m [%p] ',
        }
        if not self.durable:
            settings |= {'fsync': 'off', 'full_page_writes': 'off'}
        options = [word for name, value in settings.items() for word in ('-c', f'{name}={value}')]
        return [_postgres_program('postgres'), '-D', self.data, *options]

    def ready(self):
        asked = [_postgres_program('pg_isready'), '-q', '-h', self.host, '-p', str(self.port), '-t', '2']
        return subprocess.run(asked, check=False).returncode == 0

    def psql(self, database, sql, user=None, timeout=60):
        """The rows as text: columns separated by '|', rows by newlines."""
        done = subprocess.run(
            [
                _postgres_program('psql'),
                '-qAtX',
                '-v',
                'ON_ERROR_STOP=1',
                '-h',
                self.host,
                '-p',
                str(self.port),
                '-U',
                user or self.superuser,
                '-d',
                database,
                '-f',
                '-',
            ],
            input=sql,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise ServerError(done.stderr.strip())
        return done.stdout.strip()

    def has_database(self, name):
        return self.psql('postgres', f"SELECT 1 FROM pg_database WHERE datname = '{name}'") == '1'

    def create_database(self, name, owner, password='Secr7t'):
        """A new empty database whose owner, made when missing, is no superuser; returns the owner's conninfo (a URI)."""
        if not self.psql('postgres', f"SELECT 1 FROM pg_roles WHERE rolname = '{owner}'"):
            self.psql('postgres', f"CREATE ROLE \"{owner}\" LOGIN PASSWORD '{password}'")
        self.psql('postgres', f'CREATE DATABASE "{name}" OWNER "{owner}"')
        return self.uri(name, owner, password)

    def program(self, name, *arguments, timeout=120):
        """Runs pg_dump or the like as the superuser of this cluster, and checks that it went well."""
        done = subprocess.run(
            [
                _postgres_program(name),
                '-h',
                self.host,
                '-p',
                str(self.port),
                '-U',
                self.superuser,
                *map(str, arguments),
            ],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise ServerError(f'{name}: {done.stderr.strip()}')

    def drop_database(self, name):
        self.psql('postgres', f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def uri(self, name, user, password='Secr7t'):
        return f'postgresql://{user}:{password}@{ADDRESS}:{self.port}/{name}'


# -- Redis -------------------------------------------------------------------------------------------------------------


class Redis(Server):
    """Nothing is stored: what wazo-auth puts there may be lost at any time."""

    name = 'redis'

    def __init__(self, folder, port):
        super().__init__(folder)
        self.port = port
        self.uri = f'redis://{ADDRESS}:{port}/0'

    def argv(self):
        return [
            'redis-server',
            '--bind',
            ADDRESS,
            '--port',
            self.port,
            '--dir',
            self.folder,
            '--save',
            '',
            '--appendonly',
            'no',
            '--daemonize',
            'no',
        ]

    def ready(self):
        try:
            with socket.create_connection((ADDRESS, self.port), 1) as connection:
                connection.settimeout(1)
                connection.sendall(b'PING\r\n')
                return connection.recv(16).startswith(b'+PONG')
        except OSError:
            return False


# -- RabbitMQ ----------------------------------------------------------------------------------------------------------


class RabbitMQ(Server):
    """A broker with a port mapper (epmd) of its own, so that it meets no other broker of this machine."""

    name = 'rabbitmq'
    start_timeout = 120
    stop_timeout = 40

    def __init__(self, folder, port, distribution_port, mapper_port):
        super().__init__(folder)
        self.port = port
        self.distribution_port = distribution_port
        self.mapper = _PortMapper(folder, mapper_port)
        self.uri = f'amqp://guest:guest@{ADDRESS}:{port}/'

    def environment(self):
        node = hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]
        return {
            'PATH': os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin'),
            'LANG': 'C.UTF-8',
            'HOME': str(self.folder),
            'ERL_EPMD_ADDRESS': ADDRESS,
            'ERL_EPMD_PORT': str(self.mapper.port),
            'RABBITMQ_NODENAME': f'wazo-auth-{node}@localhost',
            'RABBITMQ_NODE_IP_ADDRESS': ADDRESS,
            'RABBITMQ_NODE_PORT': str(self.port),
            'RABBITMQ_DIST_PORT': str(self.distribution_port),
            'RABBITMQ_MNESIA_BASE': str(self.folder / 'mnesia'),
            'RABBITMQ_LOG_BASE': str(self.folder / 'log'),
            'RABBITMQ_LOGS': '-',
            'RABBITMQ_PID_FILE': str(self.folder / 'broker.pid'),
            'RABBITMQ_ENABLED_PLUGINS_FILE': str(self.folder / 'enabled_plugins'),
            'RABBITMQ_CONFIG_FILE': str(self.folder / 'broker'),
            'RABBITMQ_CONF_ENV_FILE': '/dev/null',
            # Erlang's schedulers don't spin while they wait: the tests share two cores with the broker.
            'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS': '+sbwt none +sbwtdcpu none +sbwtdio none '
            '-kernel inet_dist_use_interface {127,0,0,1}',
        }

    def prepare(self):
        (self.folder / 'enabled_plugins').write_text('[].\n')
        (self.folder / 'broker.conf').write_text(
            'vm_memory_high_watermark.absolute = 1GB\ndisk_free_limit.absolute = 50MB\nlog.console.level = warning\n'
        )
        self.mapper.start()

    def argv(self):
        return ['/usr/lib/rabbitmq/bin/rabbitmq-server']

    def ready(self):
        try:
            with socket.create_connection((ADDRESS, self.port), 1) as connection:
                connection.settimeout(2)
                connection.sendall(b'AMQP\0\0\x09\x01')
                return connection.recv(1) == b'\x01'
        except OSError:
            return False

    def stop(self, number=None):
        # The shell script in front passes no signal on to the broker; it ends with it.
        self.thaw()
        broker = [pid for pid in self.processes if _program(pid) == 'beam.smp']
        signal_all(broker, number or signal.SIGTERM)
        super().stop(signal.SIGTERM if not broker else signal.SIGCONT)
        self.mapper.stop()

    def kill(self):
        super().kill()
        self.mapper.stop()


class _PortMapper(Server):
    name = 'epmd'

    def __init__(self, folder, port):
        super().__init__(folder)
        self.port = port

    def argv(self):
        return ['epmd', '-address', ADDRESS, '-port', self.port]


def _program(pid):
    try:
        return Path(f'/proc/{pid}/comm').read_text().strip()
    except OSError:
        return ''


# -- mail --------------------------------------------------------------------------------------------------------------


class MailServer(Server):
    """aiosmtpd over t/mail_server.py, which says how it can be made to misbehave."""

    name = 'mail'

    def __init__(self, folder, port, *options):
        super().__init__(folder)
        self.port = port
        self.options = options
        self.mailbox = self.folder / 'mailbox'

    def prepare(self):
        self.mailbox.mkdir(exist_ok=True)

    def argv(self):
        return ['/usr/bin/python3', CHECKOUT / 't/mail_server.py', ADDRESS, self.port, self.folder, *self.options]

    def order(self, name, given=True):
        """Misbehave like this from now on, or no longer."""
        order = self.folder / name
        order.write_text(str(given)) if given else order.unlink(missing_ok=True)

    def messages(self, recipient=None):
        """What came, oldest first, as email.message.EmailMessage; `recipient`: the envelope's."""
        found = [
            email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            for path in sorted(self.mailbox.iterdir())
        ]
        return [message for message in found if recipient in (None, message['X-Envelope-To'])]

    def wait_for(self, recipient, count=1, timeout=15):
        """The last of `count` messages to this recipient."""
        wait_until(lambda: len(self.messages(recipient)) >= count, timeout, f'mail {count} to {recipient}', 0.05)
        return self.messages(recipient)[-1]


# -- certificates ------------------------------------------------------------------------------------------------------


class Authority:
    """A certificate authority in a folder of its own: .file is its certificate."""

    CONFIG = """\
[ca]
default_ca = this
[this]
database = {folder}/index
serial = {folder}/serial
new_certs_dir = {folder}
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
default_md = sha256
default_days = 1
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.file = self.folder / 'ca.pem'
        (self.folder / 'config').write_text(self.CONFIG.format(folder=self.folder))
        (self.folder / 'index').touch()
        (self.folder / 'serial').write_text('01\n')
        self._openssl(
            'req',
            '-x509',
            '-newkey',
            'rsa:2048',
            '-nodes',
            '-subj',
            '/CN=authority',
            '-days',
            '1',
            '-keyout',
            'ca.key',
            '-out',
            'ca.pem',
        )

    def _openssl(self, *arguments):
        subprocess.run(['openssl', *arguments], cwd=self.folder, check=True, capture_output=True)

    def certificate(self, name, expired=False):
        """A file with a certificate for `name` (as "DNS:host" or "IP:address") and its key."""
        stem = secrets.token_hex(4)
        self._openssl(
            'req',
            '-newkey',
            'rsa:2048',
            '-nodes',
            '-subj',
            '/CN=server',
            '-addext',
            f'subjectAltName={name}',
            '-keyout',
            f'{stem}.key',
            '-out',
            f'{stem}.csr',
        )
        dates = ['-startdate', '20200101000000Z', '-enddate', '20200102000000Z'] if expired else []
        self._openssl(
            'ca', '-config', 'config', '-batch', '-notext', '-in', f'{stem}.csr', '-out', f'{stem}.crt', *dates
        )
        both = self.folder / f'{stem}.pem'
        both.write_text((self.folder / f'{stem}.crt').read_text() + (self.folder / f'{stem}.key').read_text())
        return both


# -- directories -------------------------------------------------------------------------------------------------------


class Slapd(Server):
    """OpenLDAP's server with what `entries` (LDIF) says, below `suffix`. With a certificate also LDAPS and StartTLS.

    Its log has every operation (loglevel stats). The program is a copy: a machine's AppArmor profile, which is for the
    service of Debian's package, would keep it away from its own folder.
    """

    name = 'slapd'
    suffix = 'dc=example,dc=com'

    def __init__(self, folder, port, entries, tls_port=None, certificate=None, access=''):
        super().__init__(folder)
        self.port = port
        self.tls_port = tls_port
        self.entries = entries
        self.certificate = certificate
        self.access = access
        self.program = self.folder / 'slapd'

    def prepare(self):
        data = self.folder / 'data'
        if data.exists():
            return
        data.mkdir()
        shutil.copy2('/usr/sbin/slapd', self.program)
        tls = ''
        if self.certificate:
            tls = f'TLSCertificateFile {self.certificate}\nTLSCertificateKeyFile {self.certificate}\n'
        schemas = '\n'.join(f'include /etc/ldap/schema/{name}.schema' for name in ('core', 'cosine', 'inetorgperson'))
        (self.folder / 'slapd.conf').write_text(
            f"""\
{schemas}
modulepath /usr/lib/ldap
moduleload back_mdb
allow bind_v2
pidfile {self.folder}/slapd.pid
{tls}
database mdb
suffix "{self.suffix}"
directory {data}
{self.access}
"""
        )
        (self.folder / 'entries.ldif').write_text(self.entries)
        done = subprocess.run(
            [self.program, '-Tadd', '-f', self.folder / 'slapd.conf', '-l', self.folder / 'entries.ldif'],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            shutil.rmtree(data)
            raise ServerError(done.stderr)

    def argv(self):
        urls = [f'ldap://{ADDRESS}:{self.port}']
        if self.tls_port:
            urls.append(f'ldaps://{ADDRESS}:{self.tls_port}')
        return [self.program, '-d', 'stats', '-f', self.folder / 'slapd.conf', '-h', ' '.join(urls)]


# -- OAuth 2 -----------------------------------------------------------------------------------------------------------


class OAuth2Provider(Server):
    """npm's oauth2-mock-server: /authorize says yes at once, /token checks PKCE."""

    name = 'oauth2'

    def __init__(self, folder, port):
        super().__init__(folder)
        self.port = port
        self.base = f'http://{ADDRESS}:{port}'

    def argv(self):
        program = CHECKOUT / 'build/oauth2/node_modules/oauth2-mock-server/dist/oauth2-mock-server.js'
        return ['node', program, '-a', ADDRESS, '-p', self.port]


# -- nginx -------------------------------------------------------------------------------------------------------------


class WallClock:
    """The wall clock of the programs that run with its environment: as far from the right time as it was set last.

    Only what tells the time of day is faked, by libfaketime: other clocks go on, as they do when the machine's clock is set.
    """

    def __init__(self, file):
        self.file = Path(file)
        self.offset = 0
        self.set(0)
        self.environment = {
            'LD_PRELOAD': str(next(Path('/usr/lib').glob('*/faketime/libfaketimeMT.so.1'))),
            'FAKETIME_TIMESTAMP_FILE': str(self.file),
            'FAKETIME_NO_CACHE': '1',
            'FAKETIME_DONT_FAKE_MONOTONIC': '1',
        }

    def set(self, seconds):
        fresh = self.file.with_suffix('.new')
        fresh.write_text(f'{seconds:+d}\n')
        fresh.chmod(0o644)
        fresh.replace(self.file)
        self.offset = seconds

    def time(self):
        return time.time() + self.offset


class Nginx(Server):
    """nginx with the module, from a whole nginx.conf given as text.

    In the text @FOLDER@, @MODULE@ and the upper-case names of `values` between @ are replaced; PREAMBLE is put in
    front, HTTP may be used at the head of its http block. It counts as started when `probe` answers: a pair of port
    and path of the API, or None for "the first listening port". Workers have the variables of `environment`, too.
    """

    name = 'nginx'

    PREAMBLE = """\
daemon off;
master_process on;
@USER@
worker_processes @WORKERS@;
pid @FOLDER@/nginx.pid;
error_log @FOLDER@/error.log @LOG_LEVEL@;
load_module @MODULE@;
env TZ;
@ENVIRONMENT@
"""
    TEMPORARY = """\
    client_body_temp_path @FOLDER@/tmp-body;
    proxy_temp_path @FOLDER@/tmp-proxy;
    fastcgi_temp_path @FOLDER@/tmp-fastcgi;
    uwsgi_temp_path @FOLDER@/tmp-uwsgi;
    scgi_temp_path @FOLDER@/tmp-scgi;
"""

    def __init__(self, folder, build, conf, probe=None, values=None, environment=None):
        super().__init__(folder)
        self.build = Path(build)
        self.module = self.build / 'ngx_wazo_auth_module.so'
        self.conf = conf
        self.probe = probe
        self.values = {'WORKERS': 2, 'LOG_LEVEL': 'info', **(values or {})}
        self.extra_environment = {'XIVO_UUID': '08c56466-8f29-45c7-9856-92bf1ba89b92', **(environment or {})}
        self.error_log = self.folder / 'error.log'
        self.access_log = self.folder / 'access.log'
        self.conf_file = self.folder / 'nginx.conf'

    def text(self):
        values = {
            'FOLDER': self.folder,
            'MODULE': self.module,
            'USER': 'user www-data;' if os.geteuid() == 0 else '',
            'TEMPORARY': self.TEMPORARY,
            'ENVIRONMENT': '\n'.join(f'env {name};' for name in self.extra_environment),
            **self.values,
        }
        text = self.PREAMBLE + self.conf
        for _ in range(2):  # a value may hold other names
            text = re.sub(r'@([A-Z0-9_]+)@', lambda match: str(values.get(match[1], match[0])), text)
        return text

    def prepare(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.conf_file.write_text(self.text())

    def _command(self, *options):
        return [
            _nginx_program(),
            '-p',
            f'{self.folder}/',
            '-e',
            str(self.error_log),
            '-c',
            str(self.conf_file),
            *options,
        ]

    def argv(self):
        return self._command()

    def environment(self):
        environment = {**os.environ, **self.extra_environment}
        if sanitized(self.build):
            libraries = [_compiler_file(name) for name in ('libasan.so', 'libubsan.so')]
            environment['LD_PRELOAD'] = ' '.join([*libraries, self.extra_environment.get('LD_PRELOAD', '')])
            # nginx keeps its memory until it ends: leaks are looked for in the unit tests' own processes. The other one
            # keeps ASan from asking libfaketime, which allocates memory, for the time while it allocates memory.
            environment.setdefault('ASAN_OPTIONS', 'detect_leaks=0:allocator_release_to_os_interval_ms=-1')
            environment.setdefault('UBSAN_OPTIONS', 'print_stacktrace=1')
        return environment

    def test(self):
        """`nginx -t`: (ok, output)."""
        self.prepare()
        done = subprocess.run(
            self._command('-t', '-q'), env=self.environment(), capture_output=True, text=True, cwd='/', check=False
        )
        return done.returncode == 0, done.stderr + done.stdout

    def ready(self):
        if self.probe is None:
            return bool(self.workers())
        port, path = self.probe
        try:
            with socket.create_connection((ADDRESS, port), 1) as connection:
                connection.settimeout(2)
                connection.sendall(f'GET {path} HTTP/1.0\r\nHost: {ADDRESS}\r\n\r\n'.encode())
                return connection.recv(12).endswith(b' 200')
        except OSError:
            return False

    def tail(self, lines=20):
        text = super().tail(lines)
        try:
            return text + '\n'.join(self.error_log.read_text(errors='replace').splitlines()[-lines:])
        except OSError:
            return text

    def workers(self):
        """Ids of the workers, draining ones too."""
        return self.processes[1:]

    def stop(self, number=None):
        """Graceful for 3 s (a leaked connection shows up in the log then), fast afterwards."""
        self.thaw()
        pids = self.processes
        if pids and number is None:
            signal_all(pids[:1], signal.SIGQUIT)
            try:
                wait_until(lambda: not any(map(start_time, pids)), 3)
            except TimeoutError:
                pass
        super().stop(number or signal.SIGTERM)

    def signal(self, number):
        signal_all([self.pid], number)

    def reload(self, wait=True):
        """SIGHUP with nginx.conf written anew from `conf`. Waits until new workers are there (old ones may drain)."""
        self.prepare()
        before = set(self.workers())
        self.signal(signal.SIGHUP)
        if wait:
            count = int(self.values['WORKERS'])
            wait_until(lambda: len(set(self.workers()) - before) >= count, 15, 'new workers')


def _nginx_program():
    return shutil.which('nginx') or '/usr/sbin/nginx'


def _compiler_file(name):
    found = subprocess.run(['g++', f'-print-file-name={name}'], capture_output=True, text=True, check=True)
    return os.path.realpath(found.stdout.strip())


def write_settings(folder, settings, drop_ins=None):
    """wazo-auth's configuration below `folder` (config.yml, conf.d/NAME.yml); JSON is YAML. Returns the main file.

    Mail templates are the shipped ones unless the settings say something else.
    """
    conf_d = Path(folder) / 'conf.d'
    conf_d.mkdir(parents=True, exist_ok=True)
    main = Path(folder) / 'config.yml'
    for path, tree in [
        (main, {'extra_config_files': str(conf_d), **template_settings(), **settings}),
        *((conf_d / f'{name}.yml', tree) for name, tree in (drop_ins or {}).items()),
    ]:
        path.touch(mode=0o600)
        path.write_text(json.dumps(tree, indent=2) + '\n')
    return main


def template_settings(folder=CHECKOUT / 'conf/templates'):
    """Settings that name the templates as they are shipped: installed ones may be missing, and nginx says so."""
    return {
        'email_confirmation_template': f'{folder}/email_confirmation.jinja',
        'email_confirmation_subject_template': f'{folder}/email_confirmation_subject.jinja',
        'email_confirmation_get_response_body_template': f'{folder}/email_confirmation_get_body.jinja',
        'password_reset_email_template': f'{folder}/password_reset_email.jinja',
        'password_reset_email_subject_template': f'{folder}/password_reset_email_subject.jinja',
    }


def sanitized(build):
    """Was this build folder made with -DWAZO_AUTH_SANITIZE=ON?"""
    try:
        return 'WAZO_AUTH_SANITIZE:BOOL=ON' in (Path(build) / 'CMakeCache.txt').read_text()
    except OSError:
        return False


def temporary_folder():
    """A folder that every server may enter, whatever user it runs as."""
    folder = Path(tempfile.mkdtemp(prefix='wazo-auth-test-'))
    folder.chmod(0o755)
    return folder
