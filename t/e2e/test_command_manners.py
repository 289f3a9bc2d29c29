"""What commands show to people, at a terminal, and to programs: progress, colours, help."""
import os
import pty
import re
import select
import subprocess
import sys
import time
from contextlib import contextmanager

import psycopg2
import pytest

from support import servers
from support.checks import label

ESCAPES = re.compile(r'\x1b\[([0-9;]*)([A-Za-z])')
WAZO_AUTH_NGINX = servers.CHECKOUT / 'tools/wazo-auth-nginx/wazo-auth-nginx'


class Terminal:
    """A command at a terminal of 100 columns; .text is what it has shown so far."""

    def __init__(self, argv, **environment):
        here, there = pty.openpty()
        subprocess.run(['stty', 'cols', '100'], stdin=there, check=True)
        plain = {
            name: value for name, value in os.environ.items() if not name.startswith(('WAZO_AUTH_', 'ALEMBIC_', 'PG'))
        }
        plain.pop('NO_COLOR', None)
        self.process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=there,
            stdout=there,
            stderr=there,
            cwd='/',
            env={**plain, 'TERM': 'xterm', **environment},
        )
        os.close(there)
        self.terminal = here
        self.text = ''

    def read(self, until=None, limit=60):
        """Until this text is there, or the command has ended."""
        end = time.monotonic() + limit
        while time.monotonic() < end and not (until and until in self.text):
            if not select.select([self.terminal], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self.terminal, 65536)
            except OSError:  # how Linux says that the other side is closed
                break
            if not data:
                break
            self.text += data.decode()
        return self.text

    def end(self):
        self.read()
        status = self.process.wait(60)
        os.close(self.terminal)
        return status


@pytest.fixture
def database(postgres, folder):
    """(name, configuration)"""
    name = label('manners')
    uri = postgres.create_database(name, 'wazo-auth')
    yield name, servers.write_settings(folder / name, {'db_uri': uri}), uri
    postgres.drop_database(name)


@contextmanager
def writer(uri):
    """A transaction that has written, for the end of which CREATE INDEX CONCURRENTLY waits."""
    connection = psycopg2.connect(uri)
    with connection.cursor() as cursor:
        cursor.execute('LOCK TABLE auth_token IN ROW EXCLUSIVE MODE')
    yield
    connection.close()


def an_index(postgres, name):
    """One of auth_token that is ours."""
    return postgres.psql(
        name,
        "SELECT indexname FROM pg_indexes WHERE tablename = 'auth_token' AND indexname LIKE 'wazo\\_auth\\_%' LIMIT 1",
    ).strip()


def test_progress_in_lines(command, database):
    done = command('wazo-auth-upgrade-db', '--config-file', database[1])
    assert done.returncode == 0 and done.stdout == ''
    assert '\r' not in done.stderr and '\x1b' not in done.stderr
    lines = re.findall(r'^INFO: schema: \S.* \((\d+) of (\d+)\)$', done.stderr, re.M)
    count = len(lines)
    assert count > 10 and lines == [(str(number), str(count)) for number in range(1, count + 1)]
    assert 'schema: making index wazo_auth_' in done.stderr
    again = command('wazo-auth-upgrade-db', '--config-file', database[1])
    assert (again.returncode, again.stdout, again.stderr) == (0, '', '')


def test_progress_on_a_terminal(database, postgres):
    terminal = Terminal([servers.BUILD / 'wazo-auth-upgrade-db', '--config-file', database[1]])
    assert terminal.end() == 0, terminal.text
    # What PostgreSQL warns of stands above, in lines of its own.
    text = re.sub(r'\r\x1b\[KWARNING: [^\r\n]*\r\n', '', terminal.text)
    shown = [ESCAPES.sub('', part) for part in text.split('\r')]
    shown = [part for part in shown if part]
    bars = [re.fullmatch(r'\[(#*)(\.*)\] (\d+) of (\d+): (\S.*)', part) for part in shown]
    assert all(bars), [part for part, bar in zip(shown, bars) if not bar]
    assert {len(bar[1] + bar[2]) for bar in bars} == {20}
    assert max(len(bar[0]) for bar in bars) < 100
    numbers = [int(bar[3]) for bar in bars]
    assert numbers == sorted(numbers) and numbers[0] == 1 and numbers[-1] == int(bars[-1][4])
    # One line, that is cleared at the end; no colour.
    assert '\n' not in text and terminal.text.endswith('\r\x1b[K')
    assert {kind for _, kind in ESCAPES.findall(terminal.text)} == {'K'}
    assert an_index(postgres, database[0])


def test_what_postgresql_does_meanwhile(command, database, postgres):
    """An index waits for a writer: one sees which, and for what."""
    name, config, uri = database
    assert command('wazo-auth-upgrade-db', '--config-file', config).returncode == 0
    index = an_index(postgres, name)
    postgres.psql(name, f'DROP INDEX {index}')
    with writer(uri):
        terminal = Terminal([servers.BUILD / 'wazo-auth-upgrade-db', '--config-file', config])
        assert f'[....................] 1 of 1: making index {index} (waiting for writers' in terminal.read(
            'waiting for writers'
        )
        assert terminal.process.poll() is None
    assert terminal.end() == 0
    assert an_index(postgres, name)


def test_a_dumb_terminal_gets_lines(database):
    terminal = Terminal([servers.BUILD / 'wazo-auth-upgrade-db', '--config-file', database[1]], TERM='dumb')
    assert terminal.end() == 0
    assert '\x1b' not in terminal.text and 'INFO: schema: ' in terminal.text


def test_an_error_stands_on_a_line_of_its_own(postgres, folder):
    config = servers.write_settings(folder / label('away'), {'db_uri': 'postgresql://u:p@127.0.0.1:1/none'})
    terminal = Terminal([servers.BUILD / 'wazo-auth-upgrade-db', '--config-file', config])
    assert terminal.end() == 1
    assert any(line.startswith('wazo-auth-upgrade-db: ') for line in terminal.text.splitlines())
    assert postgres


@pytest.mark.parametrize(
    'environment, coloured',
    [({}, True), ({'NO_COLOR': ''}, True), ({'NO_COLOR': '1'}, False), ({'TERM': 'dumb'}, False)],
)
def test_colours(tmp_path, environment, coloured):
    argv = [sys.executable, WAZO_AUTH_NGINX, '--root', tmp_path, 'check']
    terminal = Terminal(argv, **environment)
    assert terminal.end() == 1
    assert 'who runs this' in terminal.text
    assert ('\x1b[' in terminal.text) == coloured
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False, cwd='/')
    assert done.returncode == 1 and '\x1b' not in done.stdout + done.stderr
