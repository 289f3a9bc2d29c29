"""A private nginx with the module: what is going to serve, tried out where nobody is hurt."""
import os
import shutil

from .compare import Api
from .screen import Failure
from .system import command_of, end_family, named_holders, port_is_taken, run, wait_until

PORT = 9597

CONF = """\
daemon on;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
{modules}
{identity}
env TZ;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    wazo_auth_config {config};
    wazo_auth_zone trial:16m;
    server {{
        listen 127.0.0.1:{port};
        location / {{ wazo_auth_api; }}
    }}
}}
"""


class Trial:
    def __init__(self, places, port=PORT):
        self.folder = places.trial
        self.config = places.config
        self.port = port
        self.api = Api(port)

    def start(self, modules, user, identity):
        """`modules`: the load_module directives of the machine's nginx; `user`: its workers'."""
        self.stop()
        if port_is_taken(self.port):
            raise Failure(f'Port {self.port}, for the trial, is taken by {named_holders(self.port)}. End that, or choose '
                          'another by --trial-port.')  # fmt: skip
        self.folder.mkdir(parents=True)
        os.chmod(self.folder, 0o711)
        conf = self.folder / 'nginx.conf'
        conf.write_text(
            CONF.format(
                user=f'user {user};' if user else '',
                folder=self.folder,
                modules='\n'.join(modules),
                identity=f'env XIVO_UUID={identity};' if identity else '',
                config=self.config,
                port=self.port,
            )
        )
        done = run('nginx', '-p', f'{self.folder}/', '-e', self.folder / 'error.log', '-c', conf)
        if done.returncode:
            raise Failure(f'The trial nginx doesn\'t start:\n{done.stderr.strip()}')
        if not wait_until(self.api.answers, 30, 0.05):
            raise Failure(f'The trial nginx at port {self.port} doesn\'t answer:\n{self.complaints()}')

    def complaints(self):
        try:
            lines = (self.folder / 'error.log').read_text(errors='replace').splitlines()
        except OSError:
            return '(it has no log)'
        worse = [
            line
            for line in lines
            if any(level in line for level in ('[emerg]', '[alert]', '[crit]', '[error]', '[warn]'))
        ]
        return '\n'.join((worse or lines)[-5:])

    def stop(self):
        """Also one of a run that was killed."""
        for entry in os.listdir('/proc'):
            # By its own words: its file with the id may not have been written yet.
            if entry.isdigit() and f'-c {self.folder}/nginx.conf' in command_of(entry):
                end_family(int(entry))
        if self.folder.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
