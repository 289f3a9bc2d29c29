"""GET /0.1/status and wazo_auth_ready: from memory, while servers are away, frozen, or asked for too much."""
import threading
import time

import pytest
import requests

SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        location = /ready { wazo_auth_ready; }
        location / { return 404; }
    }
"""
COMPONENTS = {'rest_api', 'database', 'notifications', 'outbox', 'redis', 'broker', 'mail', 'health'}


@pytest.fixture(scope='module')
def nginx(new_nginx):
    return new_nginx('health', SERVERS)


def state(nginx):
    """(state, what fails), the same at both places, and what a load balancer sees."""
    answer = nginx.api.get('/status')
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == COMPONENTS
    assert {name for name, component in body.items() if component['status'] == 'fail'} - {'health'} == set(
        body['health']['why']
    )
    return body['health']['state'], set(body['health']['why'])


def somebody_misses(stack, name):
    """Whoever does the work of all nodes knows, which may be any of those that run."""
    for each in stack.all_nginx:
        answer = each.api.get('/status') if each.pid else None
        if answer is not None and answer.status_code == 200 and answer.json()[name]['status'] == 'fail':
            return True
    return False


def ready(nginx):
    return requests.get(f'http://127.0.0.1:{nginx.gate.port}/ready', timeout=20).status_code


def test_all_is_well(nginx, wait_until):
    wait_until(lambda: state(nginx) == ('ready', set()), 20, 'a nginx that is ready')
    assert ready(nginx) == 200
    assert nginx.api.head('/status').status_code == 200
    # What asks other daemons of Wazo reads each of them.
    assert all(component['status'] == 'ok' for component in nginx.api.get('/status').json().values())


@pytest.mark.parametrize('frozen', [False, True], ids=['stopped', 'frozen'])
def test_the_database_is_away(nginx, away, postgres, wait_until, frozen):
    with away(postgres, frozen):
        wait_until(lambda: state(nginx)[0] == 'live', 15, 'the status to tell it')
        assert {'database', 'notifications'} <= state(nginx)[1]
        assert ready(nginx) == 503
        # From memory, whatever others wait for.
        waiting = [threading.Thread(target=nginx.api.get, args=('/users', 'x')) for _ in range(20)]
        for each in waiting:
            each.start()
        times = []
        for _ in range(50):
            began = time.monotonic()
            assert nginx.api.get('/status').status_code == 200
            times.append(time.monotonic() - began)
        for each in waiting:
            each.join()
        assert sorted(times)[len(times) // 2] < 0.05, times
    wait_until(lambda: state(nginx)[0] != 'live', 15, 'the status to tell that it is back')
    assert ready(nginx) == 200


def test_nobody_tells_of_revocations(nginx, psql, wait_until):
    """The database is there; without notifications the gate asks it for each token."""
    psql('ALTER TABLE auth_token DISABLE TRIGGER wazo_auth_tokens_deleted')
    try:
        wait_until(lambda: state(nginx) == ('degraded', {'notifications'}), 15, 'the status to tell it')
        assert ready(nginx) == 200
    finally:
        psql('ALTER TABLE auth_token ENABLE TRIGGER wazo_auth_tokens_deleted')
    wait_until(lambda: state(nginx)[0] == 'ready', 15)


def test_events_wait_for_long(nginx, stack, away, rabbitmq, psql, wait_until):
    with away(rabbitmq):
        psql(
            "INSERT INTO wazo_auth.outbox (target, routing_key, headers, body, created_at) VALUES ('bus', 'e2e', "
            "'{\"name\": \"e2e\"}', '{}', now() - interval '2 minutes')"
        )
        wait_until(lambda: 'outbox' in state(nginx)[1], 25, 'the status to tell of the outbox')
        assert nginx.api.get('/status').json()['outbox']['bus']['oldest_seconds'] >= 120
        wait_until(lambda: somebody_misses(stack, 'broker'), 15)
        assert state(nginx)[0] == 'degraded'
        assert ready(nginx) == 200
    wait_until(lambda: state(nginx)[0] == 'ready', 30)


def test_redis_is_away(nginx, stack, away, redis, wait_until):
    with away(redis, frozen=True):
        wait_until(lambda: somebody_misses(stack, 'redis'), 15)
        assert ready(nginx) == 200
    wait_until(lambda: not somebody_misses(stack, 'redis'), 15)


def test_before_the_start(stack, new_nginx, postgres, wait_until):
    """It says so at once, and isn't waited for."""
    with stack.away(postgres):
        nginx = new_nginx('health-start', SERVERS, start=False)
        nginx.probe = None
        nginx.start()
        wait_until(lambda: state(nginx)[0] == 'live', 10)
        assert {'rest_api', 'database'} <= state(nginx)[1]
        assert ready(nginx) == 503


def test_only_get(nginx):
    assert requests.post(f'http://127.0.0.1:{nginx.gate.port}/ready', timeout=20).status_code == 405
    assert nginx.api.post('/status').status_code == 405
