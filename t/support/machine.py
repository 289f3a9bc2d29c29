"""A machine for wazo-auth-nginx: its files below a folder, the real nginx, and a stand-in for systemctl.

The daemon is another nginx with the module, in the state of a unit: it answers the same API over the same database. The
machine's own nginx, which is going to take its place, runs beside it.
"""
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.parse
import uuid
from pathlib import Path

from . import servers
from .client import Client

TOOL = servers.CHECKOUT / 'tools/wazo-auth-nginx'
SUPPORT = servers.CHECKOUT / 't/support'
IDENTITY = '7d1c5f0a-0000-4000-8000-5a1f6f0c1d2e'

MAIN = """\
user www-data;
worker_processes 1;
pid @ROOT@/run/nginx.pid;
error_log @ROOT@/var/log/nginx/error.log info;
include @ROOT@/etc/nginx/modules-enabled/*.conf;
events { worker_connections 256; }
http {
    access_log off;
@TEMPORARY@
    include @ROOT@/etc/nginx/conf.d/*.conf;
    server { listen 127.0.0.1:@OTHER_PORT@; location / { return 204; } }
}
"""

AUTHORITY = """\
wazo_auth_config @ROOT@/etc/wazo-auth/config.yml;
wazo_auth_zone tokens:16m;
server {
    listen 127.0.0.1:@PORT@;
    location / { wazo_auth_api; }
}
"""

DAEMON = """\
daemon off;
user www-data;
worker_processes 1;
pid @ROOT@/daemon/nginx.pid;
error_log @ROOT@/daemon/error.log info;
load_module @MODULE@;
env XIVO_UUID;
events { worker_connections 256; }
http {
    access_log off;
@TEMPORARY@
    wazo_auth_config @ROOT@/etc/wazo-auth/config.yml;
    wazo_auth_zone daemon:16m;
    server { listen 127.0.0.1:@PORT@; location / { wazo_auth_api; } @EXTRA@ }
}
"""


# As the daemon does, it speaks with its database before it listens.
CONNECTED = """
import os, socket, sys
database = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
os.set_inheritable(database.fileno(), True)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Machine:
    AUTHORITY = AUTHORITY

    def __init__(self, folder, settings, module=None):
        self.root = Path(folder)
        self.port, self.other_port, self.trial_port = (servers.free_port() for _ in range(3))
        self.settings = settings
        self.module = module or servers.BUILD / 'ngx_wazo_auth_module.so'
        self.api = Client(self.port, '/0.1')
        self.environment = {
            **{key: value for key, value in os.environ.items() if key != 'XIVO_UUID'},
            'PATH': f'{self.root}/bin:{os.environ["PATH"]}',
            'SYSTEMCTL_ROOT': str(self.root),
            'WAZO_AUTH_LIBEXEC': str(servers.BUILD),
            'PYTHONDONTWRITEBYTECODE': '1',
        }

    # -- making --------------------------------------------------------------------------------------------------------

    def text(self, text, **values):
        values = {'ROOT': self.root, 'PORT': self.port, 'OTHER_PORT': self.other_port, 'MODULE': self.module, **values}
        for name, value in values.items():
            text = text.replace(f'@{name}@', str(value))
        return text

    def write(self, path, text, mode=0o644, **values):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.text(text, **values))
        file.chmod(mode)
        return file

    def make(self):
        for path in (
            'bin etc/nginx/conf.d etc/nginx/modules-enabled etc/wazo-auth/conf.d etc/systemd/system run units orders daemon '
            'var/log/nginx var/lib/wazo-auth-keys root'
        ).split():
            (self.root / path).mkdir(parents=True, exist_ok=True)
        self.write('etc/nginx/nginx.conf', MAIN, TEMPORARY=self.temporary('nginx-temporary'))
        self.write(
            'etc/nginx/modules-enabled/50-mod-http-wazo-auth.conf', 'load_module @MODULE@;\nenv XIVO_UUID;\nenv TZ;\n'
        )
        self.write('etc/nginx/wazo-auth-nginx/authority.conf', AUTHORITY)
        self.write(
            'usr/share/wazo-auth-nginx/unit/wazo-auth-nginx.conf',
            '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=\n'
            f'ExecStart={servers.BUILD}/wazo-auth-wait --config-file @ROOT@/etc/wazo-auth/config.yml\nExecStop=\n',
        )
        self.write_settings()
        self.write('daemon/nginx.conf', DAEMON, TEMPORARY=self.temporary('daemon'), EXTRA='')
        self.write(
            'bin/nginx',
            '#!/bin/sh\n# The machine\'s own, unless it is told another configuration.\n'
            f'case " $* " in *" -c "*) exec {servers.nginx_program()} "$@" ;; esac\n'
            'if [ -e @ROOT@/orders/nginx-refuses ]; then\n'
            '  case " $* " in *" -t "*) echo "nginx: [emerg] as ordered" >&2; exit 1 ;; esac\n'
            'fi\n'
            '[ ! -e @ROOT@/orders/nginx-is-deaf ] || case " $* " in *" reload "*) exit 0 ;; esac\n'
            f'exec {servers.nginx_program()} -e @ROOT@/var/log/nginx/error.log -c @ROOT@/etc/nginx/nginx.conf "$@"\n',
            0o755,
        )
        self.write('bin/systemctl', f'#!/bin/sh\nexec {sys.executable} {SUPPORT}/systemctl.py "$@"\n', 0o755)
        self.write('bin/journalctl', '#!/bin/sh\necho "wazo-auth.service: Main process exited, code=exited"\n', 0o755)
        self.write('etc/default/xivo', f'XIVO_UUID={IDENTITY}\n')
        self.unit()
        return self

    def temporary(self, folder):
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        return '\n'.join(
            f'    {kind}_temp_path {self.root}/{folder}/{kind};'
            for kind in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi')
        )

    def write_settings(self, **changes):
        tree = self.settings | {'rest_api': {'port': self.port, 'listen': '127.0.0.1'}} | changes
        tree['extra_config_files'] = f'{self.root}/etc/wazo-auth/conf.d'
        self.write('etc/wazo-auth/config.yml', json.dumps(tree, indent=1), 0o640)

    def unit(self, **changes):
        database = str(urllib.parse.urlsplit(self.settings.get('db_uri', '')).port)
        unit = {
            'start': [
                sys.executable,
                '-c',
                CONNECTED,
                database,
                servers.nginx_program(),
                '-e',
                f'{self.root}/daemon/error.log',
                '-c',
                f'{self.root}/daemon/nginx.conf',
            ],
            'environment': {'XIVO_UUID': IDENTITY},
            **changes,
        }
        self.write('units/wazo-auth.json', json.dumps(unit))
        self.write('units/wazo-auth.service', f'[Service]\nExecStart=-{unit["start"][0]} and arguments\n')

    # -- running -------------------------------------------------------------------------------------------------------

    def run(self, *words, timeout=60, check=True, program=None):
        done = subprocess.run(
            [*(program or [str(self.root / 'bin' / words[0])]), *(words if program else words[1:])],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd='/',
        )
        if check and done.returncode:
            raise AssertionError(f'{words}: {done.returncode}\n{done.stdout}\n{done.stderr}')
        return done

    def tool_words(self, verb, *words):
        more = ['--trial-port', str(self.trial_port)] if verb in ('takeover', 'check') else []
        return ['--root', str(self.root), verb, *more, *map(str, words)]

    def tool(self, verb, *words, timeout=120):
        """wazo-auth-nginx: .returncode, .stdout, .stderr"""
        program = [sys.executable, str(TOOL / 'wazo-auth-nginx')]
        return self.run(*self.tool_words(verb, *words), program=program, timeout=timeout, check=False)

    def killed_at(self, step, when, verb, *words, number=signal.SIGKILL):
        """The same, and it gets a signal `when` (before, after) its `step` is done."""
        program = [sys.executable, str(SUPPORT / 'killed_at.py'), str(TOOL), step, when, str(int(number))]
        return self.run(*self.tool_words(verb, *words), program=program, timeout=120, check=False)

    def reset(self):
        """As it was made, whatever has happened."""
        self.close()
        for path in 'etc units orders var/lib/wazo-auth-nginx run'.split():
            shutil.rmtree(self.root / path, ignore_errors=True)
        return self.make().start()

    def start(self):
        self.run('nginx')
        self.run('systemctl', 'start', 'wazo-auth')
        self.wait()
        return self

    def wait(self):
        servers.wait_until(self.answers, 20, 'an answer at the port')

    def order(self, name, given=True):
        file = self.root / 'orders' / name
        file.touch() if given else file.unlink(missing_ok=True)

    def answers(self):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=5)
        try:
            connection.request('HEAD', f'/0.1/token/{uuid.uuid4()}')
            return connection.getresponse().status == 404
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def who(self):
        """Who has the port: nginx, daemon, or None."""
        found = {pid for pid in {*self.processes(), self.state().get('pid')} if _listens(pid, self.port)}
        if not found:
            return None
        daemon = self.state().get('pid')
        return 'daemon' if daemon in found else 'nginx' if self.master in found else 'another'

    @property
    def master(self):
        try:
            return int((self.root / 'run/nginx.pid').read_text())
        except (OSError, ValueError):
            return None

    def state(self):
        try:
            return json.loads((self.root / 'units/wazo-auth.state').read_text())
        except OSError:
            return {}

    def processes(self):
        """All that were started with files of this machine."""
        found = []
        for entry in os.listdir('/proc'):
            try:
                known = entry.isdigit() and str(self.root).encode() in Path(f'/proc/{entry}/cmdline').read_bytes()
            except OSError:
                continue
            if known and int(entry) != os.getpid():
                found.append(int(entry))
        return found

    def close(self):
        pids = {each for pid in self.processes() for each in servers.family(pid)}
        servers.signal_all(pids, signal.SIGKILL)
        servers.wait_until(lambda: not any(map(servers.start_time, pids)), 10, 'the end of all processes')

    def fingerprint(self):
        """{file: text or target} of /etc: what give-back has to leave as it was."""
        found = {}
        for path in sorted((self.root / 'etc').rglob('*')):
            name = str(path.relative_to(self.root))
            found[name] = os.readlink(path) if path.is_symlink() else 'folder' if path.is_dir() else path.read_text()
        return found


def _listens(pid, port):
    sys.path.insert(0, str(TOOL))
    try:
        from wazo_auth_nginx.system import holds
    finally:
        sys.path.remove(str(TOOL))
    return holds(pid, port)
