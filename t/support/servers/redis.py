"""Redis."""
import socket

from .ports import ADDRESS
from .process import Server


class Redis(Server):
    """Nothing is stored: what wazo-auth puts there may be lost at any time."""

    name = 'redis'

    def __init__(self, folder, port):
        super().__init__(folder)
        self.port = port
        self.uri = f'redis://{ADDRESS}:{port}/0'

    def argv(self):
        return [
            'redis-server',
            '--bind',
            ADDRESS,
            '--port',
            self.port,
            '--dir',
            self.folder,
            '--save',
            '',
            '--appendonly',
            'no',
            '--daemonize',
            'no',
        ]

    def ready(self):
        try:
            with socket.create_connection((ADDRESS, self.port), 1) as connection:
                connection.settimeout(1)
                connection.sendall(b'PING\r\n')
                return connection.recv(16).startswith(b'+PONG')
        except OSError:
            return False
