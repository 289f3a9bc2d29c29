"""Where things are."""
import os
from pathlib import Path

UNIT = 'wazo-auth'


class Places:
    """`root` is / but for tests. Links are relative: they hold wherever the root is mounted."""

    def __init__(self, root='/'):
        self.root = Path(root)
        etc_nginx = self / 'etc/nginx'
        self.ours = etc_nginx / 'wazo-auth-nginx'
        self.authority = self.ours / 'authority.conf'
        self.link = etc_nginx / 'conf.d/wazo-auth-nginx.conf'
        self.log_link = etc_nginx / 'modules-enabled/60-wazo-auth-nginx.conf'
        self.identity = etc_nginx / 'modules-enabled/61-wazo-auth-nginx-identity.conf'
        self.drop_in = self / f'etc/systemd/system/{UNIT}.service.d/wazo-auth-nginx.conf'
        self.shipped_drop_in = self / 'usr/share/wazo-auth-nginx/unit/wazo-auth-nginx.conf'
        self.share = self / 'usr/share/wazo-auth-nginx'
        self.config = self / 'etc/wazo-auth/config.yml'
        self.conf_d = self / 'etc/wazo-auth/conf.d'
        self.templates = self / 'var/lib/wazo-auth/templates'
        self.state = self / 'var/lib/wazo-auth-nginx'
        self.journal = self.state / 'takeover.json'
        self.setup_journal = self.state / 'setup.json'
        self.adopted = self.state / 'adopted'
        self.run = self / 'run/wazo-auth-nginx'
        self.lock = self.run / 'lock'
        self.trial = self.run / 'trial'
        self.credentials = self / 'root/.config/wazo-auth-cli/050-credentials.yml'
        self.keys = self / 'var/lib/wazo-auth-keys'
        self.daemon_log = self / 'var/log/wazo-auth.log'
        self.libexec = Path(os.environ.get('WAZO_AUTH_LIBEXEC') or self / 'usr/libexec/wazo-auth-nginx')

    def __truediv__(self, path):
        return self.root / path

    def program(self, name):
        """One of the commands in C++."""
        inside = self.libexec / f'wazo-auth-{name}'
        return str(inside) if inside.exists() else f'wazo-auth-{name}'
