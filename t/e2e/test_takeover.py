"""wazo-auth-nginx takeover, give-back, status: docs/takeover.md."""
import os

import pytest

from support import servers
from support.checks import label
from support.logs import SECRETS
from support.machine import Machine
from support.stack import ADMIN, OWNER

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='needs root')

STEPS = ('adopt', 'trial', 'files', 'switch', 'unit', 'verify')


@pytest.fixture(scope='module')
def machine(postgres, stack):
    """With a daemon that answers; each test leaves it so."""
    name = label('takeover')
    uri = postgres.create_database(name, OWNER)
    folder = servers.temporary_folder()
    settings = stack.settings(db_uri=uri, default_policies={'watcher': {'acl': ['auth.users.read']}})
    made = Machine(folder, servers.template_settings() | settings).make()
    made.write(
        'root/.config/wazo-auth-cli/050-credentials.yml',
        f"auth:\n  username: {ADMIN['username']}\n  password: {SECRETS.password(ADMIN['password'])}\n  backend: wazo_user\n",
        0o600,
    )
    try:
        yield made.start()
    finally:
        made.close()
        postgres.drop_database(name)


def test_there_and_back(machine):
    before = machine.fingerprint()
    done = machine.tool('takeover')
    print(done.stdout, done.stderr)
    assert (done.returncode, machine.who(), machine.answers()) == (0, 'nginx', True)
    done = machine.tool('give-back')
    print(done.stdout, done.stderr)
    assert (done.returncode, machine.who(), machine.answers()) == (0, 'daemon', True)
    assert machine.fingerprint() == before
