"""What nginx says of itself: the version, everywhere the same, and the metrics that come from tables of the code."""
import re
import subprocess
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def version():
    return re.search(r'^project\(.* VERSION (\d+\.\d+\.\d+) ', (TOP / 'CMakeLists.txt').read_text(), re.M)[1]


def test_metrics_have_the_version(nginx, metrics, version):
    builds = {name: value for name, value in metrics(nginx).items() if name.startswith('wazo_auth_build_info')}
    assert builds == {f'wazo_auth_build_info{{version="{version}"}}': 1}


def test_the_document_has_the_version_beside_that_of_the_api(api, version):
    info = yaml.safe_load(api.get('/api/api.yml').text)['info']
    assert (info['version'], info['x-wazo-auth-nginx-version']) == ('0.1', version)


def test_nginx_t_shows_the_version(nginx, version):
    shown = subprocess.run(
        [*nginx.argv(), '-t', '-g', 'error_log stderr notice;'],
        env=nginx.environment(),
        capture_output=True,
        text=True,
        cwd='/',
        timeout=60,
        check=True,
    )
    assert re.search(rf'\[notice\] .*wazo_auth: version {re.escape(version)}$', shown.stderr, re.M), shown.stderr
    # Without being asked it shows nothing.
    assert nginx.test() == (True, '')


def test_every_lane_has_its_metric(nginx, metrics):
    lanes = re.findall(r'^ +lane\((\w+),', (TOP / 'lib/wazoauth/rest/lanes.h').read_text(), re.M)
    assert 'cpu' in lanes
    pools = [re.search(r'pool="(\w+)"', name)[1] for name in metrics(nginx) if 'worker_jobs_waiting' in name]
    assert pools == lanes


def test_counters_count_what_was_asked(nginx, gate, insert_token, metrics):
    """Each of them alone: none stands for another."""
    token = insert_token(['confd.users.read'])['token']

    def grown(call):
        before = metrics(nginx)
        call()
        after = metrics(nginx)
        return {name: after[name] - before[name] for name in after if '_total' in name and after[name] != before[name]}

    gate.get('/read', token)  # now it is in the zone
    assert grown(lambda: gate.get('/read', token)) == {'wazo_auth_gate_requests_total{outcome="hit"}': 1}
    assert grown(lambda: gate.get('/read')) == {'wazo_auth_gate_requests_total{outcome="no_token"}': 1}
