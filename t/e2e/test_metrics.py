"""What nginx says of itself: the version, everywhere the same, and the metrics that come from tables of the code."""
import os
import re
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path

import pytest
import requests
import websocket
import yaml

from support.checks import elsewhere

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
    assert {'cpu', 'hashing'} <= set(lanes)
    pools = [re.search(r'pool="(\w+)"', name)[1] for name in metrics(nginx) if 'worker_jobs_waiting' in name]
    assert pools == lanes


def test_counters_count_what_was_asked(nginx, gate, insert_token, metrics):
    """Each of them alone: none stands for another."""
    token = insert_token(['confd.users.read'])['token']

    def grown(call):
        before = metrics(nginx)
        call()
        after = metrics(nginx)
        names = [name for name in after if '_requests_total{outcome' in name]
        return {name: after[name] - before[name] for name in names if after[name] != before[name]}

    gate.get('/read', token)  # now it is in the zone
    assert grown(lambda: gate.get('/read', token)) == {'wazo_auth_gate_requests_total{outcome="hit"}': 1}
    assert grown(lambda: gate.get('/read')) == {'wazo_auth_gate_requests_total{outcome="no_token"}': 1}


# -- names and values --------------------------------------------------------------------------------------------------


def text_of(nginx):
    return requests.get(f"http://127.0.0.1:{nginx.values['API_PORT']}/metrics", timeout=20).text


@pytest.fixture(scope='module')
def promtool():
    tool = shutil.which('promtool')
    assert tool, "Debian's package prometheus has it: ./dev test installs it"
    return tool


@pytest.fixture(scope='module')
def busy(nginx, api, gate, admin, make_user, insert_token):
    """Everything has been used: a name with a label is there from its first value on."""
    token = insert_token(['confd.users.read'])['token']
    gate.get('/read', token)
    gate.get('/', str(uuid.uuid4()))
    api.get(f'/token/{token}')
    make_user(['auth.users.read'])
    api.post('/token', auth=(admin['username'], 'wrong'))
    api.get('/nowhere')
    return nginx


def test_promtool_has_no_complaints(busy, promtool):
    checked = subprocess.run(
        [promtool, 'check', 'metrics'], input=text_of(busy), capture_output=True, text=True, timeout=60
    )
    assert (checked.returncode, checked.stderr) == (0, ''), checked.stderr


def test_requests_have_the_names_of_the_daemons_exporter(nginx, api, admin_token, metrics):
    token = str(uuid.uuid4())
    name = 'flask_http_request_duration_seconds'

    def grown(call):
        before = metrics(nginx)
        call()
        after = metrics(nginx)
        counts = {
            each: value - before.get(each, 0) for each, value in after.items() if each.startswith(f'{name}_count')
        }
        return {each[len(name) + 6 :]: value for each, value in counts.items() if value}

    assert grown(lambda: api.get('/users', admin_token)) == {'{endpoint="users",method="GET",status="200"}': 1}
    assert grown(lambda: api.get('/users/me', admin_token)) != {}
    assert grown(lambda: api.get(f'/token/{token}')) == {'{endpoint="token",method="GET",status="404"}': 1}
    assert grown(lambda: api.get(f'/token/{admin_token}')) == {'{endpoint="token",method="GET",status="200"}': 1}
    assert grown(lambda: api.head('/status')) == {'{endpoint="statuslist",method="HEAD",status="200"}': 1}
    # What clients make up never becomes a label.
    assert grown(lambda: api.get(f'/nowhere/{token}')) == {'{endpoint="None",method="GET",status="404"}': 1}
    assert token not in text_of(nginx)


def test_every_operation_has_an_endpoint_of_letters(operations, busy, metrics):
    endpoints = {match[1] for name in metrics(busy) if (match := re.search(r'endpoint="([^"]*)"', name))}
    assert endpoints and all(re.fullmatch(r'[a-z0-9]+|None', name) for name in endpoints), endpoints


def test_histograms_add_up(busy, metrics):
    values = metrics(busy)
    names = {name.split('_count')[0] for name in values if '_duration_seconds_count' in name}
    assert {
        'flask_http_request_duration_seconds',
        'wazo_auth_gate_load_duration_seconds',
        'wazo_auth_login_duration_seconds',
        'wazo_auth_statement_duration_seconds',
    } <= names
    for count in [name for name in values if '_seconds_count' in name]:
        labels = count.partition('{')[2].rstrip('}')
        ends = ','.join(filter(None, [labels, 'le="+Inf"']))
        assert values[f"{count.partition('_count')[0]}_bucket{{{ends}}}"] == values[count]


def test_one_of_sixteen_hits_is_measured(nginx, gate, insert_token, metrics):
    token = insert_token()['token']
    gate.get('/', token)
    name = 'wazo_auth_gate_hit_duration_seconds'
    before = metrics(nginx)
    for _ in range(320):
        assert gate.get('/', token).status_code == 200
    after = metrics(nginx)
    # Each of the workers counts on its own.
    assert 18 <= after[f'{name}_count'] - before[f'{name}_count'] <= 22
    assert 0 < after[f'{name}_sum'] - before[f'{name}_sum'] < 1


def test_the_gate_tells_where_and_why(nginx, gate, nobody, metrics):
    def number(location, outcome, reason):
        labels = f'location="{location}",outcome="{outcome}",reason="{reason}"'
        return metrics(nginx).get(f'wazo_auth_gate_location_requests_total{{{labels}}}', 0)

    gate.get('/read', nobody['token'])
    before = number('/read', 'denied', 'missing_access')
    gate.get('/read', nobody['token'])
    assert number('/read', 'denied', 'missing_access') == before + 1
    before = number('^/users/(?<owner>[^/]+)/', 'unknown', 'unknown_token')
    assert gate.get('/users/a/x', str(uuid.uuid4())).status_code == 401
    assert number('^/users/(?<owner>[^/]+)/', 'unknown', 'unknown_token') == before + 1


def test_a_reload_keeps_what_was_counted(new_nginx, insert_token, metrics, wait_until):
    nginx = new_nginx('metrics-reload')
    token = insert_token()['token']
    for _ in range(20):
        assert nginx.gate.get('/', token).status_code == 200
    hits = 'wazo_auth_gate_location_requests_total{location="/",outcome="hit"}'
    before = metrics(nginx)
    nginx.reload()
    after = metrics(nginx)
    assert after[hits] == before[hits] >= 18
    assert after['process_start_time_seconds'] == before['process_start_time_seconds']
    assert abs(time.time() - after['process_start_time_seconds']) < 60
    wait_until(lambda: metrics(nginx)['wazo_auth_workers'] == 2, 10, 'the end of the old workers')


def test_workers_are_added_up_whoever_answers(new_nginx, open_websockets, metrics, wait_until, expect_log):
    """Each of them has some of the connections, and each scrape shows all."""
    nginx = new_nginx('metrics-workers', workers=3)
    open_websockets(nginx, 12)
    wait_until(lambda: metrics(nginx)['wazo_auth_worker_upgraded_connections'] == 12, 10)
    seen = [metrics(nginx)['wazo_auth_worker_upgraded_connections'] for _ in range(12)]
    assert set(seen) == {12}
    expect_log('exited on signal 9')
    # Who is killed takes its numbers along.
    os.kill(nginx.workers()[0], signal.SIGKILL)
    wait_until(lambda: metrics(nginx)['wazo_auth_worker_upgraded_connections'] < 12, 15)
    wait_until(lambda: metrics(nginx)['wazo_auth_workers'] == 3, 15)


@pytest.fixture
def open_websockets(insert_token):
    made = []

    def connect(nginx, number):
        token = insert_token()['token']
        for _ in range(number):
            address = f'ws://127.0.0.1:{nginx.gate.port}/ws'
            made.append(websocket.create_connection(address, timeout=15, header={'X-Auth-Token': token}))

    yield connect
    for each in made:
        each.close(timeout=0)


def test_notifications_are_timed_by_heartbeats(nginx, metrics, wait_until):
    name = 'wazo_auth_notification_delay_seconds'
    before = metrics(nginx)
    wait_until(lambda: metrics(nginx)[f'{name}_count'] >= before[f'{name}_count'] + 3, 10)
    after = metrics(nginx)
    assert 0 < after[f'{name}_sum'] - before[f'{name}_sum'] < 10


@pytest.mark.parametrize('held', [0, 0.6])
def test_each_nginx_times_revocations(nginx, nginx2, insert_token, psql, metrics, wait_until, held):
    """By the database's clock, from the statement on: also where a transaction is left open after it."""
    name = 'wazo_auth_revocation_delay_seconds'
    token = insert_token()
    before = [metrics(each) for each in (nginx, nginx2)]
    psql(f"BEGIN; DELETE FROM auth_session WHERE uuid = '{token['session_uuid']}'; SELECT pg_sleep({held}); COMMIT")

    def news(of):
        after = [metrics(each) for each in (nginx, nginx2)]
        return [after[i][f'{name}_{of}'] - before[i][f'{name}_{of}'] for i in range(2)]

    wait_until(lambda: 0 not in news('count'), 10)
    assert news('count') == [1, 1]
    assert all(held < seconds < held + 3 for seconds in news('sum'))


def test_the_outbox_is_counted(nginx, nginx2, psql, away, rabbitmq, metrics, wait_until):
    rows, oldest = (f'wazo_auth_outbox_{each}{{target="bus"}}' for each in ('rows', 'oldest_seconds'))
    with away(rabbitmq):
        psql(
            "INSERT INTO wazo_auth.outbox (target, routing_key, headers, body, created_at) SELECT 'bus', 'e2e', "
            "'{\"name\": \"e2e\"}', '{}', now() - interval '90 seconds' FROM generate_series(1, 7)"
        )
        wait_until(lambda: metrics(nginx).get(rows, 0) >= 7, 25, 'the outbox to be counted')
        values = metrics(nginx)
        assert 90 <= values[oldest] < 200
        # One of the two relays events, and knows that.
        up = 'wazo_auth_server_up{server="broker"}'
        wait_until(lambda: 0 in (metrics(each).get(up) for each in (nginx, nginx2)), 15, 'the broker to be missed')
    wait_until(lambda: metrics(nginx)[rows] == 0, 25)
    assert metrics(nginx)[oldest] == 0


def test_the_api_has_metrics_where_it_is_told_so(new_nginx, api):
    """By the switch that Wazo's exporter plug-in sets; without a token, so for this machine only."""
    assert api.get('/metrics').status_code == 404
    nginx = new_nginx('metrics-api', settings={'enabled_http_plugins': {'metrics': True}})
    answer = requests.get(f"http://127.0.0.1:{nginx.values['API_PORT']}/0.1/metrics", timeout=20)
    assert answer.status_code == 200
    assert answer.headers['Content-Type'] == 'text/plain; version=0.0.4'
    assert 'process_start_time_seconds' in answer.text


def test_metrics_in_the_api_are_for_this_machine_only(new_nginx):
    """realip makes a client of elsewhere."""
    nginx = new_nginx(
        'metrics-elsewhere',
        http='set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;',
        settings={'enabled_http_plugins': {'metrics': True}},
    )
    address = f"http://127.0.0.1:{nginx.values['API_PORT']}/0.1/metrics"
    for peer, status in {'192.0.2.1': 404, '2001:db8::1': 404, '127.0.0.9': 200, '::1': 200}.items():
        assert requests.get(address, headers={'X-Real-IP': peer}, timeout=20).status_code == status, peer


def test_the_throttle_says_how_full_it_is(nginx, metrics):
    def entries(values=None):
        values = values or metrics(nginx)
        return [values[f'wazo_auth_throttle_entries{{table="{table}"}}'] for table in ('failures', 'passwords')]

    before = entries()
    for number in range(3):
        auth = (f'nobody-{uuid.uuid4().hex}', f'wrong-{number}')
        assert nginx.api.post('/token', auth=auth, headers=elsewhere()).status_code == 401
    failures, passwords = entries()
    assert (failures >= before[0] + 3, passwords >= before[1] + 3) == (True, True)
    values = metrics(nginx)
    assert values['wazo_auth_throttle_capacity{table="failures"}'] >= failures
    assert values['wazo_auth_throttle_capacity{table="passwords"}'] >= passwords
