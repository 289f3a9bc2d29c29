"""A version of the daemon's package that is known not to fit, which the field Breaks of ours names: an invented one."""
import pytest

import asking
import stand_ins
from support import servers

TOO_NEW = '99.0'


@pytest.fixture(scope='module')
def offered(wazo, api, packages, tmp_path_factory):
    """Our package, that names the version, has taken over; apt knows the daemon's package of that version."""
    into = tmp_path_factory.mktemp('packages')
    wazo.offer(
        stand_ins.again(packages.tools, into, packages.version, packages.version, breaks=f'wazo-auth (>= {TOO_NEW})')
    )
    wazo.apt('install', 'wazo-auth-nginx')
    assert api.is_nginx()
    too_new = stand_ins.wazo_auth(into, TOO_NEW, packages)
    wazo.offer(too_new)
    return too_new


@pytest.fixture(scope='module')
def token(api, offered):
    return api.log_in_as_root()['token']


def version(wazo):
    return wazo('cat /usr/share/wazo-auth/version').strip()


def test_an_upgrade_of_everything_leaves_the_daemons_package_as_it_is(wazo, api, token):
    said = wazo.apt('upgrade')
    assert 'kept back' in said and 'wazo-auth' in said
    assert version(wazo) == '1.0'
    assert api.is_nginx()


def test_who_asks_for_it_gets_the_daemon_back_first(wazo, api, token):
    """Ours is removed, gives back and leaves the database before the daemon's is upgraded, which migrates it."""
    with asking.Watch(wazo, token) as watch:
        said = wazo.apt('install', 'wazo-auth')
    assert 'REMOVED:\n  wazo-auth-nginx' in said
    back, migrated = said.index('the database is as before'), said.index(f'Unpacking wazo-auth ({TOO_NEW})')
    assert back < migrated
    assert version(wazo) == TOO_NEW
    assert not api.is_nginx()
    assert wazo("su postgres -c \"psql -AtXc \\\"SELECT to_regnamespace('wazo_auth') IS NULL\\\" asterisk\"") == 't\n'
    assert watch.good


def test_dpkg_does_not_configure_it(wazo, api, token, offered, workshop):
    """By itself dpkg unpacks it all the same, and migrates nothing: nginx goes on until ours is removed."""
    wazo.offer(*workshop.folder.glob('platform/wazo-auth_*.deb'))
    wazo.apt('install', '--allow-downgrades', 'wazo-auth=1.0', 'wazo-auth-nginx')
    wazo('wazo-auth-nginx takeover --yes')
    assert api.is_nginx()
    with asking.Watch(wazo, token) as watch:
        said, status = wazo.run(f'dpkg -i /srv/wazo/{offered.name}', check=False)
    assert status != 0
    assert 'leaving unconfigured' in said
    assert not watch.lost
    assert api.is_nginx()
    wazo.apt('remove', 'wazo-auth-nginx')
    servers.wait_until(api.answers, 60, 'the daemon answers')
    assert not api.is_nginx()
    assert version(wazo) == TOO_NEW
