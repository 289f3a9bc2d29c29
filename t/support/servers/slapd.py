"""OpenLDAP."""
import shutil
import subprocess

from .ports import ADDRESS
from .process import Server, ServerError


class Slapd(Server):
    """OpenLDAP's server with what `entries` (LDIF) says, below `suffix`. With a certificate also LDAPS and StartTLS.

    Its log has every operation (loglevel stats). The program is a copy: a machine's AppArmor profile, which is for the
    service of Debian's package, would keep it away from its own folder.
    """

    name = 'slapd'
    suffix = 'dc=example,dc=com'

    def __init__(self, folder, port, entries, tls_port=None, certificate=None, access=''):
        super().__init__(folder)
        self.port = port
        self.tls_port = tls_port
        self.entries = entries
        self.certificate = certificate
        self.access = access
        self.program = self.folder / 'slapd'

    def prepare(self):
        data = self.folder / 'data'
        if data.exists():
            return
        data.mkdir()
        shutil.copy2('/usr/sbin/slapd', self.program)
        tls = ''
        if self.certificate:
            tls = f'TLSCertificateFile {self.certificate}\nTLSCertificateKeyFile {self.certificate}\n'
        schemas = '\n'.join(f'include /etc/ldap/schema/{name}.schema' for name in ('core', 'cosine', 'inetorgperson'))
        (self.folder / 'slapd.conf').write_text(
            f"""\
{schemas}
modulepath /usr/lib/ldap
moduleload back_mdb
allow bind_v2
pidfile {self.folder}/slapd.pid
{tls}
database mdb
suffix "{self.suffix}"
directory {data}
{self.access}
"""
        )
        (self.folder / 'entries.ldif').write_text(self.entries)
        done = subprocess.run(
            [self.program, '-Tadd', '-f', self.folder / 'slapd.conf', '-l', self.folder / 'entries.ldif'],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            shutil.rmtree(data)
            raise ServerError(done.stderr)

    def argv(self):
        urls = [f'ldap://{ADDRESS}:{self.port}']
        if self.tls_port:
            urls.append(f'ldaps://{ADDRESS}:{self.tls_port}')
        return [self.program, '-d', 'stats', '-f', self.folder / 'slapd.conf', '-h', ' '.join(urls)]
