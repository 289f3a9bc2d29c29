"""nginx, systemd's unit and ports, as this machine has them."""
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from .screen import Failure


def run(*words, timeout=60, environment=None):
    """.returncode, .stdout and .stderr; a program that is missing, or doesn't end, is a Failure."""
    try:
        return subprocess.run(
            [str(word) for word in words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors='replace',
            timeout=timeout,
            check=False,
            env=environment,
            # A Ctrl-C is ours alone: what has begun is not cut off in the middle.
            start_new_session=True,
        )
    except FileNotFoundError:
        raise Failure(
            f'{words[0]} is missing: is its package installed, and {os.environ.get("PATH")} the right PATH?'
        ) from None
    except subprocess.TimeoutExpired:
        raise Failure(f'"{" ".join(map(str, words))}" did not end within {timeout} s.') from None


def wait_until(condition, seconds, interval=0.01):
    """The first true value of condition(), or what it was at the end."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(interval)


# -- ports -------------------------------------------------------------------------------------------------------------


def _tcp():
    """(state, local port, inode) of every socket."""
    for table in '/proc/net/tcp', '/proc/net/tcp6':
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            yield fields[3], int(fields[1].rpartition(':')[2], 16), fields[9]


def listening_inodes(port):
    return {inode for state, local, inode in _tcp() if state == '0A' and local == port}


def has_connection(pid):
    """Does it speak TCP with somebody?"""
    sockets = _sockets(pid, beyond=2)  # those are the log's
    if not sockets:
        return False
    # As text: among thousands of connections a daemon would be past its first before they are taken apart.
    known = Path('/proc/net/tcp').read_text() + Path('/proc/net/tcp6').read_text()
    return any(f' {inode} ' in known for inode in sockets)


def port_is_taken(port):
    return bool(listening_inodes(port))


def holds(pid, port):
    """Does this process have the port's listening socket?"""
    return bool(pid) and bool(_sockets(pid) & listening_inodes(port))


def _sockets(pid, beyond=-1):
    found = set()
    try:
        for entry in os.scandir(f'/proc/{pid}/fd'):
            if int(entry.name) <= beyond:
                continue
            try:
                target = os.readlink(entry.path)
            except OSError:
                continue
            if target.startswith('socket:['):
                found.add(target[8:-1])
    except OSError:
        pass
    return found


def holders(port):
    """{process: its command} that have the port's listening socket."""
    inodes = listening_inodes(port)
    found = {}
    for entry in os.listdir('/proc') if inodes else ():
        if entry.isdigit() and _sockets(entry) & inodes:
            found[int(entry)] = command_of(entry)
    return found


def named_holders(port):
    found = sorted(holders(port).items())
    return ', '.join(f'process {pid} ({name[:80]})' for pid, name in found[:3]) or 'nobody'


def command_of(pid):
    try:
        return Path(f'/proc/{pid}/cmdline').read_bytes().replace(b'\0', b' ').decode(errors='replace').strip()
    except OSError:
        return ''


def children_of(pid):
    try:
        return [int(word) for word in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]
    except OSError:
        return []


def environment_of(pid):
    """The environment that a process was started with."""
    try:
        pairs = Path(f'/proc/{pid}/environ').read_bytes().decode(errors='replace').split('\0')
    except OSError:
        return {}
    return dict(pair.split('=', 1) for pair in pairs if '=' in pair)


def is_program(path):
    return not path.startswith('/') or os.access(path, os.X_OK)


def _state(pid):
    """As ps has it; X: there is no such process."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except OSError:
        return 'X'


def lives(pid):
    return _state(pid) not in 'ZX'


def is_held(pid):
    """By SIGSTOP."""
    return _state(pid) == 'T'


# -- nginx -------------------------------------------------------------------------------------------------------------


class Nginx:
    """The machine's nginx: started by whom it may be, spoken to by its own program."""

    def __init__(self, places):
        self.places = places
        self._dump = None

    def test(self):
        """Fails with nginx's own words."""
        done = run('nginx', '-t', '-q')
        if done.returncode:
            raise Failure(f'nginx refuses its configuration (nginx -t):\n{done.stderr.strip()}')

    def dump(self):
        """{file: text} of all that it reads."""
        done = run('nginx', '-T', '-q')
        if done.returncode:
            raise Failure(f'nginx refuses its configuration (nginx -t):\n{done.stderr.strip()}')
        files = {}
        name = None
        for line in done.stdout.splitlines():
            header = re.fullmatch(r'# configuration file (.*):', line)
            if header:
                name = header[1]
                files[name] = []
            elif name:
                files[name].append(line)
        self._dump = {name: without_comments('\n'.join(lines)) for name, lines in files.items()}
        return self._dump

    def _value(self, directive, fallback):
        for text in (self._dump or self.dump()).values():
            found = re.search(rf'^\s*{directive}\s+([^;\s]+)', text, re.M)
            if found:
                return found[1]
        return fallback

    def _file(self, path):
        return self.places / path.lstrip('/') if not str(path).startswith(str(self.places.root)) else Path(path)

    @property
    def master(self):
        """The process id of the master that runs, or None."""
        try:
            pid = int(self._file(self._value('pid', '/run/nginx.pid')).read_text())
        except (OSError, ValueError):
            return None
        return pid if lives(pid) and 'nginx' in command_of(pid) else None

    @property
    def prefix(self):
        """What paths of load_module are relative to."""
        found = re.search(r'--prefix=(\S+)', run('nginx', '-V').stderr)
        return found[1].rstrip('/') if found else '/usr/share/nginx'

    @property
    def error_log(self):
        return self._file(self._value('error_log', '/var/log/nginx/error.log'))

    def holds(self, port):
        return holds(self.master, port)

    def reload(self):
        done = run('nginx', '-s', 'reload')
        if done.returncode:
            raise Failure(f'nginx can\'t be told to reload:\n{done.stderr.strip()}')

    def mark(self):
        """The end of its error log, for complaints_since()."""
        try:
            return self.error_log.stat().st_size
        except OSError:
            return 0

    def complaints_since(self, mark):
        try:
            with open(self.error_log, 'rb') as stream:
                stream.seek(mark)
                lines = stream.read(1 << 20).decode(errors='replace').splitlines()
        except OSError:
            return ''
        return '\n'.join([line for line in lines if '[emerg]' in line or '[alert]' in line][-5:])


def without_comments(text):
    return re.sub(r'(^|\s)#.*', r'\1', text)


def listens(text):
    """[(address, port, tls)] of `listen` directives; "" is every address."""
    found = []
    for words in re.findall(r'(?:^|[\s;{}])listen\s+([^;]+);', text):
        where, *options = words.split()
        if where.startswith('unix:'):
            continue
        address, _, port = where.rpartition(':') if not where.endswith(']') else (where, '', '80')
        if not port.isdigit():
            address, port = where, '80'
        found.append(('' if address in ('*', '0.0.0.0', '[::]') else address, int(port), 'ssl' in options))
    return found


# -- the unit ----------------------------------------------------------------------------------------------------------


class Unit:
    """A unit of systemd, by name."""

    def __init__(self, name):
        self.name = name

    def show(self):
        done = run('systemctl', 'show', '-p', 'LoadState,ActiveState,SubState,MainPID,UnitFileState', self.name)
        if done.returncode:
            raise Failure(f'systemctl can\'t say how {self.name} is:\n{done.stderr.strip()}')
        return dict(line.split('=', 1) for line in done.stdout.splitlines() if '=' in line)

    @property
    def pid(self):
        return int(self.show().get('MainPID') or 0)

    @property
    def ending(self):
        """The process that is on its way down since systemd was told to stop it, 0 where only others of the unit are left;
        None where nothing ends."""
        shown = self.show()
        return int(shown.get('MainPID') or 0) if shown.get('ActiveState') == 'deactivating' else None

    def programs(self, without):
        """What it starts, by its files without one of the drop-ins."""
        shown = run('systemctl', 'show', '-p', 'FragmentPath,DropInPaths', self.name).stdout
        files = [Path(word) for line in shown.splitlines() for word in line.partition('=')[2].split()]
        found = []
        for file in files:
            try:
                text = file.read_text() if file != without else ''
            except OSError:
                text = ''
            for words in re.findall(r'^ExecStart=(.*)', text, re.M):
                found = [*found, words.split()[0].lstrip('@-:+!')] if words.strip() else []
        return found

    def said(self, since):
        """Its lines of the journal, from a time on."""
        try:
            return run('journalctl', '-q', '-o', 'cat', '-u', self.name, '--since', f'@{since:.3f}').stdout
        except Failure:
            return ''

    def __call__(self, verb, *options, timeout=150):
        done = run('systemctl', verb, *options, self.name, timeout=timeout)
        if done.returncode:
            raise Failure(f'systemctl {verb} {self.name} failed:\n{done.stderr.strip() or done.stdout.strip()}')

    def begin(self, verb):
        """Without waiting for its end."""
        return subprocess.Popen(
            ['systemctl', verb, self.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def daemon_reload():
    done = run('systemctl', 'daemon-reload')
    if done.returncode:
        raise Failure(f'systemctl daemon-reload failed:\n{done.stderr.strip()}')


def end_family(pid, seconds=10):
    """A process and its children."""
    family = [pid, *children_of(pid)]
    kill(pid, signal.SIGTERM)
    if not wait_until(lambda: not any(map(lives, family)), seconds):
        for each in family:
            kill(each)
        wait_until(lambda: not any(map(lives, family)), seconds)


def kill(pid, number=signal.SIGKILL):
    """It may have ended in the meantime."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
