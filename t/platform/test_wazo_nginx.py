"""Wazo's own nginx files with our one file beside them: what is open stays open, and nothing else is."""
import re
import shutil
from types import SimpleNamespace

import checkouts
import pytest
from left_out import LEFT_OUT

from support import client, servers
from support.upstream import Upstream

PLATFORM = servers.CHECKOUT / 'conf/platform'
OTHERS = ('auth', 'setupd', 'websocketd')  # with locations, and without a document

CONF = """\
events {}
http {
@TEMPORARY@
    wazo_auth_config @CONFIG@;
    wazo_auth_zone tokens:4m;
    include @FOLDER@/conf.d/*.conf;
    include @FOLDER@/sites-enabled/*;
}
"""


def location_files():
    found = []
    for name in (*checkouts.DAEMONS, *OTHERS):
        found += sorted((checkouts.REF / f'wazo-{name}' / 'etc/nginx/locations/https-available').glob('*'))
    return found


@pytest.fixture(scope='module')
def platform(tmp_path_factory):
    if not (checkouts.REF / 'wazo-nginx').is_dir():
        pytest.skip(f'there is no checkout of wazo-nginx in {checkouts.REF}')
    folder = tmp_path_factory.mktemp('wazo-nginx')
    for part in 'conf.d', 'sites-enabled', 'locations/https-enabled', 'html', 'packages':
        (folder / part).mkdir(parents=True)
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    upstream = Upstream(servers.free_port())
    authority = servers.Authority(folder / 'authority')
    certificate = authority.certificate('IP:127.0.0.1')
    port = servers.free_port()
    ours = servers.free_port()

    def moved(text):
        text = text.replace('/etc/nginx/', f'{folder}/').replace('/var/log/nginx/', f'{folder}/')
        text = text.replace('/var/www/html', f'{folder}/html').replace(
            '/usr/lib/python3/dist-packages', f'{folder}/packages'
        )
        text = re.sub(r'/usr/share/wazo-certs/server\.(crt|key)', str(certificate), text)
        text = re.sub(
            r'listen (\[::\]:)?(80|443) .*\n',
            lambda m: ''
            if m[1]
            else f'listen 127.0.0.1:{port} ssl;\n'
            if m[2] == '443'
            else f'listen 127.0.0.1:{servers.free_port()};\n',
            text,
        )
        text = text.replace('listen 127.0.0.1:9498', f'listen 127.0.0.1:{ours}')
        return re.sub(r'proxy_pass http://127\.0\.0\.1:\d+', f'proxy_pass http://127.0.0.1:{upstream.port}', text)

    nginx_files = checkouts.REF / 'wazo-nginx/etc/nginx'
    (folder / 'sites-enabled/wazo').write_text(moved((nginx_files / 'sites-available/wazo').read_text()))
    shared = [*nginx_files.glob('*.conf')]
    for name in (*checkouts.DAEMONS, *OTHERS):
        shared += (checkouts.REF / f'wazo-{name}' / 'etc/nginx').glob('*.conf')
    for path in shared:
        (folder / path.name).write_text(moved(path.read_text()))
    for path in location_files():
        (folder / 'locations/https-enabled' / path.name).write_text(moved(path.read_text()))
    for name in checkouts.DAEMONS:
        package = 'wazo_' + name.replace('-', '_')
        (folder / 'packages' / package).symlink_to(checkouts.checkout(name) / package)
    shutil.copytree(PLATFORM / 'overlays', folder / 'wazo-auth-gate/overlays')
    shutil.copy(PLATFORM / 'websocketd.yml', folder / 'wazo-auth-gate')
    text = moved((PLATFORM / 'wazo-auth-gate.conf').read_text())
    (folder / 'conf.d/wazo-auth-gate.conf').write_text(text.replace('enforce=shadow', 'enforce=on'))
    config = servers.write_settings(folder, {'db_uri': 'postgresql://a:b@127.0.0.1:1/x'})
    nginx = servers.Nginx(folder, servers.BUILD, CONF, values={'CONFIG': config})
    checked = nginx.test()
    nginx.start()
    try:
        gate = client.Client(port)
        gate.base = f'https://127.0.0.1:{port}'
        yield SimpleNamespace(nginx=nginx, checked=checked, gate=gate)
    finally:
        nginx.stop()
        upstream.close()


def ask(platform, method, path):
    answer = platform.gate.request(method, path, verify=False)
    return answer.status_code


def test_nginx_takes_it(platform):
    ok, output = platform.checked
    assert (ok, output) == (True, '')


def test_all_that_is_open_is_open_and_nothing_else(daemon, platform):
    wrong, tried = {}, 0
    for operation in daemon.corrected:
        path = re.sub(r'{\w+}', 'x1', operation.path)
        status = ask(platform, operation.method, path)
        tried += 1
        if status != (200 if operation.access == 'none' else 401):
            wrong[operation.method, operation.path] = status
    assert not wrong
    assert tried >= 3


def test_what_no_document_has_is_refused(daemon, platform):
    base = daemon.corrected[0].path.split('/')[3]
    assert ask(platform, 'GET', f'/api/{daemon.name}') == 301  # nginx's own, to the path with a slash
    for path in '/', f'/{base}', f'/{base}/nowhere', '/metrics', '/9.9/users':
        assert ask(platform, 'GET', f'/api/{daemon.name}{path}') == 401, path
    for line in LEFT_OUT.get(daemon.name, ()):
        method, _, path = line.partition(' ')
        assert ask(platform, method, f'/api/{daemon.name}' + re.sub(r'{\w+}', 'x1', path)) == 401, line


@pytest.mark.parametrize(
    'method, path, status',
    [
        ('GET', '/api/auth/0.1/backends', 200),  # the authority's own
        ('GET', '/api/auth/0.1/users', 200),
        ('GET', '/api/websocketd/', 401),
        ('GET', '/api/websocketd', 301),
        ('POST', '/api/websocketd/', 401),
        ('GET', '/device/provisioning/x', 200),
        ('GET', '/api/confd/1.1/wizard', 200),
        ('POST', '/api/confd/1.1/wizard', 200),
        ('GET', '/api/nobody/1.0/x', 404),
    ],
)
def test_what_has_no_document_of_a_daemon(platform, method, path, status):
    assert ask(platform, method, path) == status
