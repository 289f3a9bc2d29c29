"""A Debian 12 with PostgreSQL and without Wazo."""
import re

import pytest

import asking
import snapshot
from support import servers


@pytest.fixture(scope='module')
def before(bare):
    """Of a machine that has what the packages depend on already."""
    bare.apt('install', 'nginx', 'python3', *dependencies(bare))
    return snapshot.taken(bare, database=False)


def dependencies(machine):
    said = machine("apt-cache depends wazo-auth-nginx libnginx-mod-http-wazo-auth | sed -n 's/^ *|\\?Depends: //p'")
    own = ('wazo-auth-nginx', 'libnginx-mod-http-wazo-auth')
    return [word for word in said.split() if word not in own and not word.startswith('<')]


def test_the_module_alone_is_harmless(bare, before):
    bare.apt('install', 'libnginx-mod-http-wazo-auth')
    assert bare('nginx -T 2>/dev/null | grep -c wazo_auth_module').strip() == '1'
    assert bare('systemctl is-active nginx') == 'active\n'
    assert bare('ss -Hltn sport = :9497') == ''
    assert bare('cd /proc/$(cat /run/nginx.pid) && ls -l map_files | grep -c wazo_auth_module').strip() != '0'
    bare('systemctl restart nginx')
    bare.apt('purge', 'libnginx-mod-http-wazo-auth')
    assert snapshot.differences(before, snapshot.taken(bare, database=False)) == []
    assert bare('systemctl is-active nginx') == 'active\n'


def test_a_fresh_machine_is_set_up(bare, before):
    said = bare.apt('install', 'libnginx-mod-http-wazo-auth', 'wazo-auth-nginx')
    api = asking.Api(bare)
    try:
        servers.wait_until(api.answers, 10, 'nginx answers')
        assert api.is_nginx()
        password = re.search(r'first account.*?:\s+wazo-auth-cli\s+(\S+)', said)
        assert password, said
        assert api.log_in('wazo-auth-cli', password[1])['token']
        assert api.log_in_as_root()['token']
        assert said.count(password[1]) == 1
        bare('systemctl restart nginx')
        assert api.log_in_as_root()['token']
        status = bare('wazo-auth-nginx status')
        assert password[1] not in status
        # The names that others know, which nobody else owns here.
        for name in ('init-db', 'upgrade-db', 'bootstrap', 'wait'):
            assert bare(f'readlink -f /usr/bin/wazo-auth-{name}').startswith('/usr/libexec/wazo-auth-nginx/')
    finally:
        api.close()


def test_purging_a_fresh_machine_leaves_etc_and_usr_as_they_were(bare, before):
    bare.apt('purge', 'wazo-auth-nginx', 'libnginx-mod-http-wazo-auth')
    assert bare('ss -Hltn sport = :9497') == ''
    assert bare('systemctl is-active nginx') == 'active\n'
    assert bare('ls /usr/bin/wazo-auth-* 2>/dev/null || true') == ''
    kept = (
        'root/.config',
        'var/lib/wazo-auth',
        'etc/wazo-auth',
    )  # accounts are theirs who made them, like the database
    left = [
        line
        for line in snapshot.differences(before, snapshot.taken(bare, database=False))
        if line[:2] not in ('--', '@@')
    ]
    left = [line for line in left if not any(name in line for name in kept) and not line.startswith(('+++', '---'))]
    assert left == []
