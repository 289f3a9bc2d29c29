"""wazo-auth-nginx with the real daemon: docs/takeover.md."""
import os
import re
from pathlib import Path

import pytest

from support import daemon as daemons
from support import servers
from support.machine import Machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='needs root')


@pytest.fixture(scope='module')
def machine():
    folder = servers.temporary_folder()
    daemon = daemons.Daemon(folder / 'daemon').start()
    words = [word.decode() for word in Path(f'/proc/{daemon.pid}/cmdline').read_bytes().split(b'\0')[:-1]]
    pairs = [pair.decode() for pair in Path(f'/proc/{daemon.pid}/environ').read_bytes().split(b'\0')[:-1]]
    daemon.stop()
    made = Machine(folder / 'machine', {}).make()
    made.environment['OAUTHLIB_INSECURE_TRANSPORT'] = '1'  # as the daemon has it
    try:
        made.port = daemon.port
        made.write('etc/nginx/wazo-auth-nginx/authority.conf', made.AUTHORITY)
        made.unit(start=words, environment=dict(pair.split('=', 1) for pair in pairs))
        (made.root / 'etc/wazo-auth/config.yml').unlink()
        (made.root / 'etc/wazo-auth/config.yml').symlink_to(daemon.config)
        made.write(
            'root/.config/wazo-auth-cli/050-credentials.yml',
            'auth:\n  username: {}\n  password: {}\n'.format(*daemons.ADMIN),
        )
        yield made.start()
        made.run('systemctl', 'stop', 'wazo-auth')
    finally:
        made.close()
        daemon.close()


def seconds(done):
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    return float(re.search(r'without an answer: ([0-9.]+) s', done.stdout)[1])


def test_there_and_back(machine):
    """Nothing is different, and hardly anybody notices. What is printed shows how long."""
    for _ in range(2):
        assert seconds(machine.tool('takeover')) < 5
        assert (machine.who(), machine.answers()) == ('nginx', True)
        assert seconds(machine.tool('give-back')) < 15
        assert (machine.who(), machine.answers()) == ('daemon', True)
