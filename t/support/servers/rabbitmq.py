"""RabbitMQ."""
import hashlib
import os
import signal
import socket
from pathlib import Path

from .ports import ADDRESS
from .process import Server, signal_all


class RabbitMQ(Server):
    """A broker with a port mapper (epmd) of its own, so that it meets no other broker of this machine."""

    name = 'rabbitmq'
    start_timeout = 120
    stop_timeout = 40

    def __init__(self, folder, port, distribution_port, mapper_port):
        super().__init__(folder)
        self.port = port
        self.distribution_port = distribution_port
        self.mapper = _PortMapper(folder, mapper_port)
        self.uri = f'amqp://guest:guest@{ADDRESS}:{port}/'

    def environment(self):
        node = hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]
        return {
            'PATH': os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin'),
            'LANG': 'C.UTF-8',
            'HOME': str(self.folder),
            'ERL_EPMD_ADDRESS': ADDRESS,
            'ERL_EPMD_PORT': str(self.mapper.port),
            'RABBITMQ_NODENAME': f'wazo-auth-{node}@localhost',
            'RABBITMQ_NODE_IP_ADDRESS': ADDRESS,
            'RABBITMQ_NODE_PORT': str(self.port),
            'RABBITMQ_DIST_PORT': str(self.distribution_port),
            'RABBITMQ_MNESIA_BASE': str(self.folder / 'mnesia'),
            'RABBITMQ_LOG_BASE': str(self.folder / 'log'),
            'RABBITMQ_LOGS': '-',
            'RABBITMQ_PID_FILE': str(self.folder / 'broker.pid'),
            'RABBITMQ_ENABLED_PLUGINS_FILE': str(self.folder / 'enabled_plugins'),
            'RABBITMQ_CONFIG_FILE': str(self.folder / 'broker'),
            'RABBITMQ_CONF_ENV_FILE': '/dev/null',
            # Erlang's schedulers don't spin while they wait: the tests share two cores with the broker.
            'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS': '+sbwt none +sbwtdcpu none +sbwtdio none '
            '-kernel inet_dist_use_interface {127,0,0,1}',
        }

    def prepare(self):
        (self.folder / 'enabled_plugins').write_text('[].\n')
        (self.folder / 'broker.conf').write_text(
            'vm_memory_high_watermark.absolute = 1GB\ndisk_free_limit.absolute = 50MB\nlog.console.level = warning\n'
        )
        self.mapper.start()

    def argv(self):
        return ['/usr/lib/rabbitmq/bin/rabbitmq-server']

    def ready(self):
        try:
            with socket.create_connection((ADDRESS, self.port), 1) as connection:
                connection.settimeout(2)
                connection.sendall(b'AMQP\0\0\x09\x01')
                return connection.recv(1) == b'\x01'
        except OSError:
            return False

    def stop(self, number=None):
        # The shell script in front passes no signal on to the broker; it ends with it.
        self.thaw()
        broker = [pid for pid in self.processes if _program(pid) == 'beam.smp']
        signal_all(broker, number or signal.SIGTERM)
        super().stop(signal.SIGTERM if not broker else signal.SIGCONT)
        self.mapper.stop()

    def kill(self):
        super().kill()
        self.mapper.stop()


class _PortMapper(Server):
    name = 'epmd'

    def __init__(self, folder, port):
        super().__init__(folder)
        self.port = port

    def argv(self):
        return ['epmd', '-address', ADDRESS, '-port', self.port]


def _program(pid):
    try:
        return Path(f'/proc/{pid}/comm').read_text().strip()
    except OSError:
        return ''
