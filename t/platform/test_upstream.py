"""A daemon that checks tokens itself answers behind the gate as it does without it; and what that costs.

The daemon's routes, its library and its HTTP server are its own (serve_daemon.py); the authority that they ask is ours.
"""
import statistics
import subprocess
import sys
import time
from types import SimpleNamespace

import checkouts
import pytest
from conftest import platform_of

from support import daemon, servers
from support.client import Client
from support.stack import ADMIN, Stack

NAME = 'calld'
GATE = """\
    wazo_auth_openapi @FILES@ prefix=/api/calld overlay=@OVERLAY@ name=calld;
    wazo_auth_denied 401;
    server {
        listen 127.0.0.1:@GATE_PORT@;
        location /api/calld/ { proxy_pass http://127.0.0.1:@CHECKING@/; proxy_set_header X-Script-Name /api/calld; }
    }
    server {
        listen 127.0.0.1:@ALONE_PORT@;
        location /api/calld/ { proxy_pass http://127.0.0.1:@BELIEVING@/; proxy_set_header X-Script-Name /api/calld; }
    }
    server {
        listen 127.0.0.1:@PROXY_PORT@;
        wazo_auth off;
        location /api/calld/ { proxy_pass http://127.0.0.1:@CHECKING@/; proxy_set_header X-Script-Name /api/calld; }
    }
"""
LISTS = {
    'all': ['#'],
    'calls': ['calld.calls.#'],
    'read': ['calld.#.read', '!calld.config.read'],
    'own': ['calld.users.me.#'],
    'one': ['calld.calls.value.read', 'calld.voicemails.7701.#'],
    'none': [],
}


def serve(authority, master_tenant):
    port = servers.free_port()
    process = subprocess.Popen(
        [
            sys.executable,
            '-W',
            'ignore',
            checkouts.HERE / 'serve_daemon.py',
            NAME,
            checkouts.REF,
            str(port),
            str(authority),
            master_tenant,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    client = Client(port)

    def answers():
        try:
            return client.get('/1.0/api/api.yml').status_code == 200
        except OSError:
            return False

    servers.wait_until(answers, 60, f'{NAME} at {port}')
    return SimpleNamespace(process=process, port=port, client=client)


@pytest.fixture(scope='module')
def world():
    stack, started = Stack(), []
    try:
        stack.start()
        api = stack.nginx.api
        admin = api.post('/token', auth=(ADMIN['username'], ADMIN['password']), json={}).json()['data']
        master = admin['metadata']['tenant_uuid']
        checking, believing = serve(stack.nginx.api.port, master), serve(0, master)
        started += [checking, believing]
        values = {
            'FILES': ' '.join(map(str, platform_of(NAME).files)),
            'OVERLAY': str(checkouts.overlay(NAME)),
            'CHECKING': str(checking.port),
            'BELIEVING': str(believing.port),
            'ALONE_PORT': str(servers.free_port()),
            'PROXY_PORT': str(servers.free_port()),
        }
        text = GATE
        for name, value in values.items():
            text = text.replace(f'@{name}@', value)
        gated = stack.new_nginx('platform', text)
        tokens = {None: None, 'dead': '5d1f9d5e-2c5e-4a4f-9a46-1f1b0f3a2f11'}
        for name, accesses in LISTS.items():
            user = {'username': f'platform-{name}', 'password': 'platform-password'}
            uuid = api.post('/users', admin['token'], json=user).json()['uuid']
            policy = api.post('/policies', admin['token'], json={'name': f'platform-{name}', 'acl': accesses}).json()
            assert api.put(f"/users/{uuid}/policies/{policy['uuid']}", admin['token']).status_code == 204
            tokens[name] = api.post('/token', auth=(user['username'], user['password']), json={}).json()['data'][
                'token'
            ]
        yield SimpleNamespace(
            tokens=tokens,
            bare=checking.client,
            gate=gated.gate,
            alone=Client(int(values['ALONE_PORT'])),
            proxy=Client(int(values['PROXY_PORT'])),
        )
    finally:
        for each in started:
            each.process.kill()
            each.process.wait()
        stack.stop()


def test_every_operation_answers_as_without_the_gate(world):
    wrong, statuses, prefix = {}, {}, checkouts.prefix(NAME)
    tried = {(each['method'], each['target']) for each in platform_of(NAME).code}
    for method, target in sorted(tried):
        for name, token in world.tokens.items():
            bare = world.bare.request(method, target, token)
            gated = world.gate.request(method, prefix + target, token)
            statuses[bare.status_code] = statuses.get(bare.status_code, 0) + 1
            if bare.status_code != gated.status_code or (bare.status_code == 200 and bare.content != gated.content):
                wrong[method, target, name] = (bare.status_code, gated.status_code)
    print(f'{len(tried)} operations, {len(world.tokens)} tokens: {statuses}')
    assert not wrong
    assert statuses[200] > 100 and statuses[401] > 100


def medians(paths, token, rounds=150):
    """{name: ms} of GET; they take turns, so that what else the machine does meets all of them."""
    times = {name: [] for name in paths}
    for _ in range(rounds):
        for name, (client, path) in paths.items():
            start = time.perf_counter()
            client.get(path, token)
            times[name].append(time.perf_counter() - start)
    return {name: round(statistics.median(each) * 1000, 2) for name, each in times.items()}


def test_what_it_costs(world):
    """Told, not judged: a machine that does other things as well says little."""
    target = '/1.0/calls'
    path = f'/api/{NAME}{target}'
    paths = {
        'asks ours': (world.bare, target),
        'asks ours, behind nginx': (world.proxy, path),
        'the same, gated': (world.gate, path),
        'gated, asks nobody': (world.alone, path),
    }
    for name in ('all', 'none', 'dead'):
        print(f'{name}: {medians(paths, world.tokens[name])}')


def test_what_the_python_daemon_costs(world):
    """As it is today: the daemon asks wazo-auth's Python daemon. Skipped without the tools that run it."""
    lacking = daemon.missing()
    if lacking:
        pytest.skip(lacking)
    python, served = daemon.Daemon(servers.temporary_folder()), None
    try:
        python.start()
        issued = Client(python.port, '/0.1').post('/token', auth=daemon.ADMIN, json={}).json()['data']
        served = serve(python.port, issued['metadata']['tenant_uuid'])
        paths = {'asks the Python daemon': (served.client, '/1.0/calls')}
        ours = {'gated, asks ours': (world.gate, f'/api/{NAME}/1.0/calls')}
        for _ in range(3):
            print(f"all: {medians(paths, issued['token'], 100)} {medians(ours, world.tokens['all'], 100)}")
            print(f"dead: {medians(paths, world.tokens['dead'], 100)} {medians(ours, world.tokens['dead'], 100)}")
    finally:
        if served:
            served.process.kill()
            served.process.wait()
        python.close()
