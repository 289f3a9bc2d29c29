"""Machines for the tests of the packages, see machine.py.

Layers, made once: `base` (debootstrap), `bare` (and PostgreSQL), `wazo` (and nginx, and the platform's packages of
stand_ins.py, with a daemon that answers).

Fixtures
  packages          of the session: .module .tools .folder: what ./dev package made, in build/packages
  wazo bare         of a module: a machine that has just booted; the packages are in its /srv/wazo, none is installed
  api               of a module: asking.Api of the module's machine `wazo`
"""
import hashlib
import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import asking  # noqa: E402
import stand_ins  # noqa: E402
from machine import Machine, MachineError, Workshop, why_not  # noqa: E402

from support import servers  # noqa: E402

PACKAGES = Path(os.environ.get('WAZO_AUTH_PACKAGES') or servers.BUILD / 'packages')
OWN = ('libnginx-mod-http-wazo-auth', 'wazo-auth-nginx')
DEBIAN = ('postgresql', 'postgresql-contrib')


def pytest_collection_modifyitems(items):
    for item in items:  # the first one makes the layers; those that trip a takeover at each call repeat it often
        item.add_marker(pytest.mark.timeout(1800))


def tell(text):
    print(f'{text} ...', file=sys.__stderr__, flush=True)


class Packages:
    def __init__(self, folder):
        self.folder = folder
        self.module, self.tools = (self._one(name) for name in OWN)

    def _one(self, name):
        found = sorted(self.folder.glob(f'{name}_*.deb'))
        if len(found) != 1:
            pytest.exit(f'{self.folder} should have one {name}_*.deb: ./dev package makes it', 2)
        return found[0]

    @property
    def version(self):
        return self.tools.name.split('_')[1]


@pytest.fixture(scope='session')
def packages():
    return Packages(PACKAGES)


def _made_of(*paths):
    """A digest of files and folders."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob('*')) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(str(file.name).encode() + file.read_bytes())
    return digest.hexdigest()


@pytest.fixture(scope='session')
def workshop(packages):
    why = why_not()
    if why:
        pytest.exit(f'the tests of packages cannot run here: {why}', 2)
    try:
        shop = Workshop(servers.BUILD / 'package-machine')
    except MachineError as error:
        pytest.exit(str(error), 2)
    shop.base(tell)
    here = Path(__file__).resolve().parent
    key = (
        _made_of(here / 'stand_ins', here / 'stand_ins.py', *([] if stand_ins.reference() else [here / 'daemon.py'])),
        stand_ins.libraries(packages),
        str(stand_ins.reference()),
    )
    platform = shop.folder / 'platform'
    if not shop.made('../platform', key):
        shutil.rmtree(platform, ignore_errors=True)
        stand_ins.build(platform, packages)
        shop.mark('../platform', key)
    offered = shop.folder / 'offered'
    shutil.rmtree(offered, ignore_errors=True)
    shutil.copytree(platform, offered)
    for package in (packages.module, packages.tools):
        shutil.copy(package, offered)
    shop.fetch(DEBIAN, offered, tell)
    _layer(shop, 'bare', ['base'], shop.key('../debian'), [], DEBIAN)
    _layer(shop, 'wazo', ['base', 'bare'], (shop.key('bare'), key), platform.glob('*.deb'), ['wazo-auth'])
    return shop


def _layer(shop, name, below, key, offered, packages):
    if shop.made(name, key):
        return
    tell(f'installing {" ".join(packages)} in the machine')
    machine = Machine(shop, below).start()
    try:
        machine.offer(*offered)
        machine.apt('install', *packages, timeout=500)
    except BaseException:
        machine.stop()
        raise
    machine.become(name, key)


def _running(shop, layers, packages):
    machine = Machine(shop, layers).start()
    try:
        machine.offer(packages.module, packages.tools)
        yield machine
    finally:
        machine.stop()


@pytest.fixture(scope='module')
def wazo(workshop, packages):
    yield from _running(workshop, ['base', 'bare', 'wazo'], packages)


@pytest.fixture(scope='module')
def bare(workshop, packages):
    yield from _running(workshop, ['base', 'bare'], packages)


@pytest.fixture(scope='module')
def api(wazo):
    asks = asking.Api(wazo)
    servers.wait_until(asks.answers, 20, 'the daemon answers')
    yield asks
    asks.close()
