"""The dashboard and the alerts, by a real Prometheus and promtool: no query asks for what isn't there."""
import json
import re
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest
import requests
import yaml

from support import servers

TOP = Path(__file__).resolve().parents[2]
DASHBOARD, RULES = TOP / 'conf/grafana/wazo-auth.json', TOP / 'conf/prometheus/wazo-auth.rules.yml'


def expressions():
    panels = json.loads(DASHBOARD.read_text())['panels']
    return [target['expr'] for panel in panels for target in panel.get('targets', [])]


def tool(name):
    assert shutil.which(name), f"{name} is missing: Debian's package prometheus has it"
    return name


TLS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth on;
        location / { proxy_pass http://upstream; }
        location = /read { wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
    }
    server {
        listen unix:@FOLDER@/tls.socket ssl;
        ssl_certificate CERTIFICATE;
        ssl_certificate_key CERTIFICATE;
        location / { return 404; }
    }
"""


@pytest.fixture(scope='module')
def certificate(authority):
    return authority.certificate('DNS:localhost')


@pytest.fixture(scope='module')
def nginx(new_nginx, certificate):
    return new_nginx('dashboard', TLS.replace('CERTIFICATE', str(certificate)))


@pytest.fixture(scope='module')
def prometheus(stack, nginx):
    tool('prometheus')
    port = servers.free_port()
    targets = [f"127.0.0.1:{nginx.values['API_PORT']}"]
    server = servers.Prometheus(stack.folder / 'prometheus', port, targets, RULES).start()
    yield server
    server.stop()


@pytest.fixture
def use(nginx, admin, admin_token, insert_token):
    """A bit of everything, so that each name has values."""
    dead = insert_token()['token']
    api, gate = nginx.api, nginx.gate

    def once():
        token = insert_token(['confd.users.read'])['token']
        gate.get('/elsewhere', token)
        for _ in range(40):
            gate.get('/read', token)
        gate.get('/', str(uuid.uuid4()))
        api.get('/users', admin_token)
        api.post('/token', auth=(admin['username'], admin['password']))
        api.delete(f'/token/{dead}', admin_token)

    return once


def test_each_query_of_the_dashboard_has_data(prometheus, use, wait_until):
    def empty():
        use()
        asked = {each: each.replace('$instance', '.+').replace('$__rate_interval', '10s') for each in expressions()}
        return [name for name, query in asked.items() if not prometheus.query(query)]

    assert len(expressions()) > 20
    wait_until(lambda: not empty(), 60, 'data for every panel', 2)


def test_each_alert_asks_for_what_there_is(prometheus, use, wait_until):
    """Every name in it has values; and none of them is raised by a nginx that works."""
    use()
    rules = yaml.safe_load(RULES.read_text())['groups'][0]['rules']
    names = {name for rule in rules for name in re.findall(r'\b(?:wazo_auth|flask|up)\w*', rule['expr'])}
    assert len(names) > 10
    wait_until(lambda: all(prometheus.query(name) for name in names), 30, 'values of every name', 1)
    answer = requests.get(f'http://127.0.0.1:{prometheus.port}/api/v1/alerts', timeout=20).json()
    # The tests' certificates hold for a day.
    assert {alert['labels']['alertname'] for alert in answer['data']['alerts']} <= {'WazoAuthCertificateExpires'}


def test_certificates_say_how_long_they_hold(nginx, certificate, metrics):
    left = metrics(nginx)[f'wazo_auth_certificate_expiry_seconds{{certificate="{certificate}"}}']
    # The authority gives them a day.
    assert 86400 - 600 < left <= 86400


def test_alerts_come_when_they_have_to(tmp_path):
    for file in RULES, TOP / 't/prometheus/alerts.test.yml':
        shutil.copy(file, tmp_path)
    command = [tool('promtool'), 'test', 'rules', tmp_path / 'alerts.test.yml']
    tested = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    tested_alerts = set(re.findall(r'alertname: (\w+)', (tmp_path / 'alerts.test.yml').read_text()))
    assert tested_alerts == set(re.findall(r'alert: (\w+)', RULES.read_text()))
