"""PostgreSQL."""
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from .paths import CHECKOUT
from .ports import ADDRESS
from .process import Server, ServerError, as_user, user_of_servers


def statement(name):
    """The text of a statement in sql/queries."""
    text = (CHECKOUT / f"sql/queries/{name.split('.')[0]}.sql").read_text()
    return re.search(rf'^-- name: {re.escape(name)}$(.*?)(?=^-- name: |\Z)', text, re.M | re.S)[1]


def postgres_program(name):
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
                        postgres_program('initdb'),
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
        return [postgres_program('postgres'), '-D', self.data, *options]

    def ready(self):
        asked = [postgres_program('pg_isready'), '-q', '-h', self.host, '-p', str(self.port), '-t', '2']
        return subprocess.run(asked, check=False).returncode == 0

    def psql(self, database, sql, user=None, timeout=60):
        """The rows as text: columns separated by '|', rows by newlines."""
        done = subprocess.run(
            [
                postgres_program('psql'),
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
                postgres_program(name),
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
