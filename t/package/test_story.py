"""A Wazo server's whole way: takeover at installation, the platform's tools, upgrades, give-back, again, removal, purge.

It is written down in build/package-transcript.txt, with times and with the seconds in which nobody answered at port 9497.
"""
import re
import time

import pytest

import asking
import snapshot
import stand_ins
from support import servers
from transcript import Transcript

WITHOUT_AN_ANSWER = 1.0  # seconds, at most, in each direction
TOLD = 0.25  # seconds by which the command's own measurement may differ from that of an observer
BACK = 3.0  # seconds of the give-back until the daemon answers
RESTART = 2.0  # seconds in which a machine that has nothing else to do restarts the daemon


def told_honestly(said, watch, pace):
    """The command prints for how long nobody answered, as an observer has seen it."""
    told = float(re.search(r'without an answer: ([0-9.]+) s', said)[1])
    return abs(told - watch.longest) <= TOLD * pace


@pytest.fixture(scope='module')
def transcript(wazo):
    written = Transcript(wazo, servers.BUILD / 'package-transcript.txt')
    yield written
    written.close()


@pytest.fixture(scope='module')
def before(wazo, api):
    """What the machine was like before anything of ours was installed."""
    return snapshot.taken(wazo)


@pytest.fixture(scope='module')
def token(wazo, api, before):
    """Of the daemon's; it is asked about all the way."""
    return api.log_in_as_root()['token']


@pytest.fixture(scope='module')
def pace(wazo, token, transcript):
    """How many times as long as on an idle machine things take here, by a mere restart of the daemon; at least 1."""
    with asking.Watch(wazo, token) as watch:
        wazo('systemctl restart wazo-auth')
    slower = max(1.0, watch.longest / RESTART)
    transcript.note(f'a restart of the daemon: {watch}; what may take 1 s has {slower:.2f} s')
    return slower


@pytest.fixture(scope='module')
def installed(wazo, api, token, packages, pace, transcript):
    """The packages, with debconf's own answers: Watch of the installation."""
    transcript.title('Installation on a Wazo server, and with it the takeover')
    transcript.run('systemctl cat wazo-auth | head -3; ss -Hltnp sport = :9497')
    with asking.Watch(wazo, token) as watch:
        said = transcript.apt('install libnginx-mod-http-wazo-auth wazo-auth-nginx')
    transcript.note(f'port 9497 meanwhile: {watch}')
    assert told_honestly(said, watch, pace)
    return watch


def test_installing_takes_over(api, wazo, token, installed, pace, transcript):
    assert api.is_nginx()
    assert installed.longest <= WITHOUT_AN_ANSWER * pace
    transcript.run('wazo-auth-nginx status')
    assert api.has(token)
    assert api.has(api.log_in_as_root()['token'])
    assert api.log_in_as_root()['xivo_uuid'] == wazo('. /etc/profile.d/xivo_uuid.sh; echo $XIVO_UUID').strip()
    assert api.log_in_as_service('wazo-confd')['token']
    assert wazo('pgrep -f /usr/bin/wazo-auth$ || true') == ''
    assert wazo('systemctl --failed --no-legend') == ''


def test_names_of_the_daemons_package_stay_its_own(wazo, installed):
    for name in ('init-db', 'upgrade-db', 'bootstrap', 'wait'):
        assert wazo(f'dpkg -S /usr/bin/wazo-auth-{name}').startswith('wazo-auth:')
        assert wazo(f'readlink /usr/bin/wazo-auth-{name} || true') == ''
    assert wazo('dpkg --verify wazo-auth wazo-nginx nginx') == ''


PLATFORM_TOOLS = (
    # As wazo-service does it, by name, in its order.
    'systemctl is-active wazo-auth',
    'systemctl cat wazo-auth >/dev/null && systemctl is-enabled wazo-auth',
    'systemctl stop wazo-auth',
    'systemctl start wazo-auth',
    'systemctl is-active --quiet wazo-auth',
    'systemctl restart wazo-auth',
    'systemctl reload wazo-auth',
    'service wazo-auth status >/dev/null',
    # As wazo-upgrade's scripts do it: restart, wait for the port, the services' keys, stop.
    'systemctl restart wazo-auth && timeout 10 sh -c "until ss -Hltn sport = :9497 | grep -q .; do sleep 0.1; done"',
    'wazo-auth-wait',
    'wazo-auth-keys service update',
    'wazo-auth-keys service clean --users',
    # The stand-in has none.
    'if type wazo-auth-cli >/dev/null 2>&1; then wazo-auth-cli user list | tail -n 3; fi',
    'systemctl stop wazo-auth',
    'systemctl start wazo-auth',
    'logrotate --force /etc/logrotate.d/wazo-auth',
    'test -e /var/log/wazo-auth.log',
)


def test_the_platforms_tools_go_on(wazo, api, token, before, installed, transcript):
    transcript.title("The platform's own tools")
    assert snapshot.keys(wazo) == before['keys']
    with asking.Watch(wazo, token) as watch:
        for script in PLATFORM_TOOLS:
            transcript.run(script)
            assert api.is_nginx(), script
    transcript.note(f'port 9497 meanwhile: {watch}')
    assert not watch.lost
    if snapshot.keys(wazo) != before['keys']:  # the stand-in has no services but the one that is there
        transcript.note('wazo-auth-keys has written keys: from now on these are what has to stay')
        before['keys'] = snapshot.keys(wazo)


def test_a_restart_of_nginx_is_one_of_the_unit(wazo, api, token, installed, transcript):
    transcript.run('systemctl restart nginx && systemctl is-active nginx wazo-auth')
    assert api.has(token)


def test_the_module_is_upgraded_without_a_lost_request(wazo, api, token, packages, installed, transcript, tmp_path):
    transcript.title('Upgrade of the packages, under load')
    newer = [
        stand_ins.again(package, tmp_path, f'{packages.version}+test', packages.version)
        for package in (packages.module, packages.tools)
    ]
    wazo.offer(*newer)
    master = wazo('cat /run/nginx.pid')
    with asking.Watch(wazo, token, threads=4) as watch:
        transcript.apt('upgrade')
        time.sleep(1)  # what the old master still had
    transcript.note(f'port 9497 meanwhile, 4 at once: {watch}')
    assert not watch.lost
    assert wazo('dpkg-query -W -f "\\${Version}" wazo-auth-nginx').endswith('+test')
    assert wazo('cat /run/nginx.pid') != master  # whose code was the old module
    assert wazo('ls -l /proc/$(cat /run/nginx.pid)/map_files | grep wazo_auth_module | grep deleted || true') == ''
    assert api.is_nginx()


def test_the_daemons_package_is_upgraded_underneath(
    wazo, api, token, packages, workshop, installed, transcript, tmp_path
):
    transcript.title("Upgrade of the daemon's package underneath, with a column more and a table more")
    migration = """
        ALTER TABLE auth_user ADD COLUMN IF NOT EXISTS nickname text;
        CREATE TABLE IF NOT EXISTS auth_device (uuid varchar(36) PRIMARY KEY);
        UPDATE alembic_version_auth SET version_num = '0123456789ab';
    """
    migration = f'SET ROLE asterisk;{migration}'
    back = """
        ALTER TABLE auth_user DROP COLUMN nickname;
        DROP TABLE auth_device;
        UPDATE alembic_version_auth SET version_num = '1c862ebfbb3a';
    """
    wazo.offer(stand_ins.wazo_auth(tmp_path, '2.0', packages, migration))
    try:
        with asking.Watch(wazo, token) as watch:
            transcript.apt('upgrade')
        transcript.note(f'port 9497 meanwhile: {watch}')
        assert wazo('cat /usr/share/wazo-auth/version') == '2.0\n'
        assert not watch.lost
        assert api.is_nginx()
        assert api.log_in_as_root()['token']
        transcript.run('systemctl restart nginx')
        assert api.log_in_as_root()['token']  # a new nginx serves the newer schema, too
    finally:  # the daemon of before again, for the comparison at the end
        wazo(f"su postgres -c 'psql -q asterisk' <<'END'\n{back}\nEND")
        wazo.offer(*workshop.folder.glob('platform/wazo-auth_*.deb'))
        wazo.apt('install', '--allow-downgrades', 'wazo-auth=1.0')
    assert api.is_nginx()


def test_it_gives_back(wazo, api, token, installed, pace, transcript):
    transcript.title('Give-back')
    transcript.run('wazo-auth-nginx give-back --dry-run')
    assert api.is_nginx()
    with asking.Watch(wazo, token) as watch:
        said = transcript.run('wazo-auth-nginx give-back')
    transcript.note(f'port 9497 meanwhile: {watch}; the daemon answered after {watch.again:.2f} s')
    assert not api.is_nginx()
    assert watch.longest <= WITHOUT_AN_ANSWER * pace
    assert told_honestly(said, watch, pace)
    assert watch.again <= BACK * pace
    assert api.has(api.log_in_as_root()['token'])
    assert wazo('systemctl is-active wazo-auth nginx') == 'active\nactive\n'
    assert wazo('pgrep -f /usr/bin/wazo-auth$') != ''
    wazo('systemctl restart wazo-auth')  # as ever
    assert api.has(token)


def test_it_takes_over_again(wazo, api, token, installed, pace, transcript):
    transcript.title('Takeover by hand')
    transcript.run('wazo-auth-nginx takeover --dry-run')
    assert not api.is_nginx()
    with asking.Watch(wazo, token) as watch:
        said = transcript.run('wazo-auth-nginx takeover --yes')
    transcript.note(f'port 9497 meanwhile: {watch}')
    assert api.is_nginx()
    assert watch.longest <= WITHOUT_AN_ANSWER * pace
    assert told_honestly(said, watch, pace)
    with asking.Watch(wazo, token) as watch:
        transcript.run('wazo-auth-nginx takeover --yes')  # nothing to do
    assert not watch.lost


def test_removing_gives_back(wazo, api, token, installed, pace, transcript):
    transcript.title('apt remove')
    with asking.Watch(wazo, token) as watch:
        said = transcript.apt('remove wazo-auth-nginx libnginx-mod-http-wazo-auth')
    transcript.note(f'port 9497 meanwhile: {watch}')
    assert told_honestly(said, watch, pace)
    assert not api.is_nginx()
    assert watch.longest <= WITHOUT_AN_ANSWER * pace
    assert api.has(api.log_in_as_root()['token'])
    assert wazo('nginx -t 2>&1')
    assert wazo('systemctl is-active wazo-auth nginx') == 'active\nactive\n'


def test_purging_leaves_everything_as_it_was(wazo, api, token, before, installed, transcript):
    transcript.title('apt purge')
    with asking.Watch(wazo, token) as watch:
        transcript.apt('purge wazo-auth-nginx libnginx-mod-http-wazo-auth')
    assert not watch.lost
    after = snapshot.taken(wazo)
    for name in before:
        transcript.note(f'{name}: sha256 {snapshot.digest(before[name])} before, {snapshot.digest(after[name])} after')
    assert snapshot.differences(before, after) == []
    assert (
        wazo('ls -d /var/lib/wazo-auth-nginx /etc/nginx/wazo-auth-nginx /run/wazo-auth-nginx 2>/dev/null || true') == ''
    )
    assert api.has(token)
