"""Certificates of servers."""
import secrets
import subprocess
from pathlib import Path


class Authority:
    """A certificate authority in a folder of its own: .file is its certificate."""

    CONFIG = """\
[ca]
default_ca = this
[this]
database = {folder}/index
serial = {folder}/serial
new_certs_dir = {folder}
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
default_md = sha256
default_days = 1
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.file = self.folder / 'ca.pem'
        (self.folder / 'config').write_text(self.CONFIG.format(folder=self.folder))
        (self.folder / 'index').touch()
        (self.folder / 'serial').write_text('01\n')
        self._openssl(
            'req',
            '-x509',
            '-newkey',
            'rsa:2048',
            '-nodes',
            '-subj',
            '/CN=authority',
            '-days',
            '1',
            '-keyout',
            'ca.key',
            '-out',
            'ca.pem',
        )

    def _openssl(self, *arguments):
        subprocess.run(['openssl', *arguments], cwd=self.folder, check=True, capture_output=True)

    def certificate(self, name, expired=False):
        """A file with a certificate for `name` (as "DNS:host" or "IP:address") and its key."""
        stem = secrets.token_hex(4)
        self._openssl(
            'req',
            '-newkey',
            'rsa:2048',
            '-nodes',
            '-subj',
            '/CN=server',
            '-addext',
            f'subjectAltName={name}',
            '-keyout',
            f'{stem}.key',
            '-out',
            f'{stem}.csr',
        )
        dates = ['-startdate', '20200101000000Z', '-enddate', '20200102000000Z'] if expired else []
        self._openssl(
            'ca', '-config', 'config', '-batch', '-notext', '-in', f'{stem}.csr', '-out', f'{stem}.crt', *dates
        )
        both = self.folder / f'{stem}.pem'
        both.write_text((self.folder / f'{stem}.crt').read_text() + (self.folder / f'{stem}.key').read_text())
        return both
