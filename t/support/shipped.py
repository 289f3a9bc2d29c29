"""The files of conf/ as they are shipped, but for what this machine has elsewhere: each replacement has to be found."""
import os
import re
from pathlib import Path

from support import servers

NGINX = servers.CHECKOUT / 'conf/nginx'
FILES = sorted(path.name for path in NGINX.glob('*.conf'))


def replaced(text, pairs):
    for old, new in pairs:
        if old not in text:
            raise ValueError(f'"{old}" is not there')
        text = text.replace(old, str(new))
    return text


def with_free_ports(text):
    """The text with other ports, and {port in the file: port here}."""
    ports = {}

    def another(match):
        port = ports.setdefault(int(match[2]), servers.free_port())
        return f"{'listen ' if match[1].startswith('listen') else ''}127.0.0.1:{port}"

    return re.sub(r'(listen (?:127\.0\.0\.1:)?|127\.0\.0\.1:)(\d+)(?=[ ;/])', another, text), ports


class ShippedNginx(servers.Nginx):
    """nginx with a file of conf/nginx. `ports`: port in the file → port here. Its logs are in its folder."""

    PREAMBLE = 'daemon off;\n'

    def __init__(self, folder, build, file, settings, certificate=None, environment=None):
        text = (NGINX / file).read_text()
        pairs = [
            ('modules/ngx_wazo_auth_module.so;', f'{Path(build) / "ngx_wazo_auth_module.so"};'),
            ('pid /run/nginx.pid;', f'pid {folder}/nginx.pid;'),
            ('/var/log/nginx/', f'{folder}/'),
            ('/etc/wazo-auth/config.yml', settings),
            ('\nhttp {\n', '\nhttp {\n@TEMPORARY@\n'),
        ]
        if os.geteuid() != 0:
            pairs.append(('user www-data;\n', ''))
        if 'ssl_certificate' in text:
            pairs += [
                ('/usr/share/wazo-certs/server.crt', certificate),
                ('/usr/share/wazo-certs/server.key', certificate),
                ('/var/www/html', folder),
            ]
        text, self.ports = with_free_ports(text)
        super().__init__(
            folder, build, replaced(text, pairs), (self.ports[9497], '/0.1/backends'), environment=environment
        )
        self.logs = [
            self.folder / name for name in re.findall(rf'(?:error|access)_log {folder}/(\S+?\.log)', self.conf)
        ]
        self.error_log = self.folder / 'wazo-auth.log'


def shipped_settings(folder, pairs=()):
    """conf/config.yml in this folder, with an empty folder for drop-ins and the shipped templates."""
    (Path(folder) / 'conf.d').mkdir(parents=True, exist_ok=True)
    text = replaced(
        (servers.CHECKOUT / 'conf/config.yml').read_text(),
        [
            ('extra_config_files: /etc/wazo-auth/conf.d/', f'extra_config_files: {folder}/conf.d/'),
            ('/var/lib/wazo-auth/templates/', f'{servers.CHECKOUT}/conf/templates/'),
            *pairs,
        ],
    )
    file = Path(folder) / 'config.yml'
    file.touch(mode=0o600)
    file.write_text(text)
    return file
