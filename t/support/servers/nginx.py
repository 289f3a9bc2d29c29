"""nginx with the module."""
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from .ports import ADDRESS, port_is_free
from .process import Server, signal_all, start_time
from .wait import wait_until


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
        self.clients = []  # Client of this nginx: they connect anew after a reload
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
            nginx_program(),
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

    def wait_for_log(self, words):
        wait_until(lambda: words in self.error_log.read_text(errors='replace'), 25, f'{words} in the log')

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

    def kill(self):
        super().kill()
        # A process counts as dead when its first thread is; the others may hold its sockets for a moment.
        for name in 'API_PORT', 'GATE_PORT':
            wait_until(lambda port=self.values.get(name): port is None or port_is_free(port), 10, 'the end of threads')

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
            wait_until(lambda: all(map(is_draining, before)), 15, 'the old workers to take no more connections')
            # What the old ones keep open they close as soon as they see it idle, also below a request that arrives.
            for client in self.clients:
                client.connect_anew()

    def settle(self):
        """Waits until the workers of before are gone and as many as configured are left."""
        wait_until(lambda: len(self.workers()) == int(self.values['WORKERS']), 20, 'only new workers')


def is_draining(pid):
    """The worker is gone, or finishes what it has."""
    try:
        return b'shutting down' in Path(f'/proc/{pid}/cmdline').read_bytes() or start_time(pid) is None
    except (FileNotFoundError, ProcessLookupError):
        return True


def nginx_program():
    return os.environ.get('WAZO_AUTH_NGINX') or shutil.which('nginx') or '/usr/sbin/nginx'


def _compiler_file(name):
    found = subprocess.run(['g++', f'-print-file-name={name}'], capture_output=True, text=True, check=True)
    return os.path.realpath(found.stdout.strip())


def sanitized(build):
    """Was this build folder made with -DWAZO_AUTH_SANITIZE=ON?"""
    try:
        return 'WAZO_AUTH_SANITIZE:BOOL=ON' in (Path(build) / 'CMakeCache.txt').read_text()
    except OSError:
        return False
