"""Processes, and servers made of them."""
import json
import os
import pwd
import signal
import subprocess
from pathlib import Path

from .ports import port_answers
from .wait import wait_until

TICKS = os.sysconf('SC_CLK_TCK')


class ServerError(Exception):
    """A server could not be started or stopped; the text ends with the tail of its log."""


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


def cpu_seconds(pid, of_ended_children=False):
    """User and system time that the process used (or its children that ended), 0 when it is gone."""
    fields = _stat(pid)
    first = 13 if of_ended_children else 11
    return (int(fields[first]) + int(fields[first + 1])) / TICKS if fields else 0.0


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
