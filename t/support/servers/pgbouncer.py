"""PgBouncer in front of a Postgres."""
import os
import shutil

from .ports import ADDRESS
from .process import Server, user_of_servers

CONFIG = """\
[databases]
* = host={host} port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir = {folder}
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = session
max_client_conn = 500
default_pool_size = 100
{more}
"""


class PgBouncer(Server):
    """In session mode. It refuses to run as root, and `users` (name: password) to all others."""

    name = 'pgbouncer'

    def __init__(self, folder, port, postgres, users, more=''):
        super().__init__(folder)
        self.port = port
        self.user = user_of_servers()
        self.postgres = postgres
        self.users = users
        self.more = more

    def prepare(self):
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.user, self.user)
        (self.folder / 'users').write_text(''.join(f'"{name}" "{password}"\n' for name, password in self.users.items()))
        (self.folder / 'pgbouncer.ini').write_text(
            CONFIG.format(
                folder=self.folder,
                port=self.port,
                host=self.postgres.host,
                server_port=self.postgres.port,
                more=self.more,
            )
        )

    def argv(self):
        return ['/usr/sbin/pgbouncer', self.folder / 'pgbouncer.ini']

    def uri(self, name, user):
        return f'postgresql://{user}:{self.users[user]}@{ADDRESS}:{self.port}/{name}'
