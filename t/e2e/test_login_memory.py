"""login_memory: a password that was right isn't hashed again for a while, and nothing else changes."""
import re
from pathlib import Path

import pytest

from support import servers
from support.checks import credentials, elsewhere, label
from support.logs import SECRETS


class Remembering:
    """An nginx with one worker, and how long its threads have hashed."""

    def __init__(self, nginx):
        self.nginx = nginx
        self.api = nginx.api
        (self.pid,) = servers.wait_until(lambda: nginx.workers() if len(nginx.workers()) == 1 else None, 20)

    def hashing(self):
        """Clock ticks of CPU, each 10 ms: a hash takes at least five."""
        ticks = 0
        for task in Path(f'/proc/{self.pid}/task').iterdir():
            if (task / 'comm').read_text().strip() == 'lane-hashing':
                fields = (task / 'stat').read_text().rsplit(')', 1)[1].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks

    def log_in(self, user, password=None):
        """(status, whether something was hashed)"""
        before = self.hashing()
        login = (user['username'], password or user['password'])
        status = self.api.post('/token', auth=login, json={}, headers=elsewhere()).status_code
        return status, self.hashing() - before >= 4


HASHED, REMEMBERED, REFUSED = (200, True), (200, False), (401, True)


@pytest.fixture(scope='module')
def remembering(new_nginx):
    return Remembering(new_nginx('remembering', settings={'login_memory': 5}, workers=1))


@pytest.fixture
def proved(remembering, make_user):
    """A user whose password is remembered."""
    user = make_user()
    assert remembering.log_in(user) == HASHED
    assert remembering.log_in(user) == REMEMBERED
    return user


def test_each_password_is_hashed_when_it_is_off(new_nginx, make_user):
    forgetful = Remembering(new_nginx('forgetful', workers=1))
    user = make_user()
    for _ in range(3):
        assert forgetful.log_in(user) == HASHED


def test_what_was_proved_is_not_hashed_again(remembering, proved, make_user):
    for _ in range(5):
        assert remembering.log_in(proved) == REMEMBERED
    other = make_user(password=proved['password'])
    assert remembering.log_in(other) == HASHED
    assert remembering.log_in(proved) == REMEMBERED


def test_wrong_passwords_are_hashed_each_time(remembering, proved):
    wrong = SECRETS.new_password()
    for _ in range(3):
        assert remembering.log_in(proved, wrong) == REFUSED
    assert remembering.log_in(proved) == REMEMBERED
    assert remembering.log_in({'username': label('nobody')}, proved['password']) == REFUSED


def test_a_changed_password_is_wrong_at_once(remembering, proved, api, admin_token):
    new = SECRETS.new_password()
    body = {'old_password': proved['password'], 'new_password': new}
    # By another nginx.
    assert api.put(f"/users/{proved['uuid']}/password", admin_token, json=body).status_code == 204
    assert remembering.log_in(proved) == REFUSED
    assert remembering.log_in(proved, new) == HASHED
    assert remembering.log_in(proved, new) == REMEMBERED


def test_a_password_that_another_program_writes(remembering, proved, make_user, psql):
    other = make_user()
    psql(
        'UPDATE auth_user SET (password_hash, password_salt) = '
        f"(SELECT password_hash, password_salt FROM auth_user WHERE uuid = '{other['uuid']}') "
        f"WHERE uuid = '{proved['uuid']}'"
    )
    assert remembering.log_in(proved) == REFUSED
    assert remembering.log_in(proved, other['password']) == HASHED


def test_whoever_is_disabled_locked_or_gone_is_refused(remembering, proved, api, admin_token):
    path, lock = f"/users/{proved['uuid']}", f"/locks/user/{proved['uuid']}"
    fields = {name: proved[name] for name in ('username', 'firstname', 'lastname', 'purpose')}
    assert api.put(path, admin_token, json={**fields, 'enabled': False}).status_code == 200
    assert remembering.log_in(proved)[0] == 401
    assert api.put(path, admin_token, json={**fields, 'enabled': True}).status_code == 200
    assert remembering.log_in(proved) == REMEMBERED
    assert api.put(lock, admin_token, json={'reason': 'a test'}).status_code == 200
    assert remembering.log_in(proved)[0] == 401
    assert api.delete(lock, admin_token).status_code == 204
    assert remembering.log_in(proved) == REMEMBERED
    assert api.delete(path, admin_token).status_code == 204
    assert remembering.log_in(proved) == REFUSED


def test_it_makes_up_for_wrong_ones(remembering, proved, metrics):
    """As a right password that was hashed does: the throttle forgets."""
    here = elsewhere()
    slowed = lambda: metrics(remembering.nginx)['wazo_auth_logins_slowed_total{how="delayed"}']  # noqa: E731
    before = slowed()
    for _ in range(3):
        for _ in range(4):
            login = (proved['username'], SECRETS.new_password())
            assert remembering.api.post('/token', auth=login, json={}, headers=here).status_code == 401
        assert remembering.api.post('/token', auth=credentials(proved), json={}, headers=here).status_code == 200
    assert slowed() == before


def test_nothing_is_written(remembering, proved, psql):
    """Not into swap, nor into a core dump."""
    areas = re.split(r'(?m)^(?=[0-9a-f]+-[0-9a-f]+ )', Path(f'/proc/{remembering.pid}/smaps').read_text())
    guarded = [area for area in areas if re.search(r'^VmFlags:.* lo\b', area, re.M)]
    assert len(guarded) == 1 and re.search(r'^VmFlags:.* dd\b', guarded[0], re.M), guarded
