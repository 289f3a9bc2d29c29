"""The Python daemon with a PostgreSQL, a broker and a mail server of its own, run by the conformance tools.

The daemon and its libraries are used where they lie, in the checkouts of their public repositories (REF), by the tools in
CONFORMANCE; nothing of them is copied here. The tests of adoption and the benchmark beside the daemon start it.

As a program it only tells what is missing; its exit code is 0 when nothing is.
"""
import json
import os
import subprocess
import sys
from pathlib import Path

from support import servers

CONFORMANCE = Path(os.environ.get('CONFORMANCE') or servers.CHECKOUT.parent / 'shared/conformance')
REF = Path(os.environ.get('REF') or '/tmp/ref')
CHECKOUTS = ('wazo-auth', 'wazo-auth-client', 'wazo-bus', 'xivo-lib-python', 'wazo-lib-rest-client')
ADMIN = ('admin', 's3cre7')  # as the tools configure it
DATABASE = OWNER = 'wazo-auth'


def missing():
    """What has to be there before any of this can run: text for people, '' when nothing lacks."""
    lacking = [str(REF / name) for name in CHECKOUTS if not (REF / name).is_dir()]
    lacking += [
        str(CONFORMANCE / name) for name in ('services', 'target-reference') if not (CONFORMANCE / name).is_file()
    ]
    if not lacking:
        return ''
    return f"""This runs the Python daemon beside nginx. It lacks: {', '.join(lacking)}.
  REF          folder with checkouts of {', '.join(CHECKOUTS)},
               each from https://github.com/wazo-platform/NAME (now {REF})
  CONFORMANCE  folder with the tools that run the daemon without docker: services, target-reference (now {CONFORMANCE})
"""


class Daemon:
    """`drop_in`: keys of a file in the daemon's conf.d that win over what the tools configure."""

    def __init__(self, folder, drop_in=None):
        self.folder = Path(folder)
        self.drop_in = drop_in or {}
        ports = {
            name: servers.free_port()
            for name in ('auth', 'postgres', 'rabbitmq', 'rabbitmq_dist', 'epmd', 'slapd', 'smtp', 'oauth2sync')
        }
        self.port = ports['auth']
        self.postgres_port = ports['postgres']
        self.config = self.folder / 'auth/etc/wazo-auth/config.yml'
        self.log = self.folder / 'logs/auth.log'
        self.uri = f"postgresql://{OWNER}:Secr7t@127.0.0.1:{ports['postgres']}/{DATABASE}"
        self.environment = {
            **os.environ,
            'REF': str(REF),
            'HARNESS_STATE': str(self.folder),
            'HARNESS_TEST_PLUGINS': '0',
            **{f'HARNESS_{name.upper()}_PORT': str(port) for name, port in ports.items()},
        }

    def _tool(self, name, *arguments):
        done = subprocess.run(
            [CONFORMANCE / name, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=240,
            check=False,
        )
        if done.returncode:
            raise servers.ServerError(f'{name} {" ".join(arguments)}: {done.stdout}{done.stderr}')
        return done.stdout

    def start(self):
        """Everything, on a fresh database that the daemon itself makes and seeds."""
        self._tool('services', 'up', 'postgres', 'rabbitmq', 'smtp')
        self._tool('target-reference', 'start', '--asset', 'base')
        if self.drop_in:
            (self.config.parent / 'conf.d/05-ours.yml').write_text(json.dumps(self.drop_in))
            self.restart()
        return self

    def stop(self):
        """Only the daemon; resume() goes on with the same data."""
        self._tool('target-reference', 'stop')

    def resume(self):
        self._tool('target-reference', 'resume')

    def restart(self):
        self._tool('target-reference', 'restart')

    def close(self):
        for tool, verb in (('target-reference', 'stop'), ('services', 'down')):
            try:
                self._tool(tool, verb)
            except servers.ServerError as error:
                print(error)

    @property
    def pid(self):
        return json.loads(self._tool('target-reference', 'status'))['pid']

    @property
    def postgres_pid(self):
        try:
            status = self._tool('services', 'status')
        except servers.ServerError as error:  # its exit code says that not all of them run
            status = str(error).partition('status: ')[2]
        return json.loads(status)['services']['postgres']['pid']

    def _client(self, name, *arguments, **options):
        done = subprocess.run(
            [
                servers.postgres_program(name),
                '-h',
                self.folder / 'postgres/socket',
                '-p',
                str(self.postgres_port),
                '-U',
                'postgres',
                '-d',
                DATABASE,
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **options,
        )
        if done.returncode:
            raise servers.ServerError(f'{name}: {done.stderr}')
        return done.stdout

    def psql(self, sql):
        return self._client('psql', '-qAtX', '-v', 'ON_ERROR_STOP=1', '-f', '-', input=sql).strip()

    def schema(self):
        """{name of an object: its DDL}, of the whole database."""
        objects, name = {}, None
        for line in self._client('pg_dump', '--schema-only').splitlines():
            if line.startswith('-- Name: '):
                name = line
                objects[name] = []
            elif name and line.strip() and not line.startswith(('--', '\\', 'SET default_')):
                objects[name].append(line)
        return objects

    def rows(self):
        """{table: its rows, sorted}, of wazo-auth's own tables and alembic's version."""
        tables = self.psql("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").split()
        return {table: sorted(self.psql(f'COPY public.{table} TO STDOUT').splitlines()) for table in tables}


if __name__ == '__main__':
    sys.exit(missing() or 0)
