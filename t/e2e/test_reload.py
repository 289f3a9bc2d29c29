"""A reload, or a worker that ends, in the middle of something loses nothing."""
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from support import servers


@pytest.fixture(scope='module')
def nginx(new_nginx):
    return new_nginx('reload')


def reload(nginx):
    nginx.reload()


def end_workers(nginx):
    """Each worker gets SIGQUIT: it finishes what it has, and the master starts another."""
    for pid in nginx.workers():
        os.kill(pid, signal.SIGQUIT)


WAYS = pytest.mark.parametrize('interrupt', [reload, end_workers])


@WAYS
def test_in_the_middle_of_a_request(nginx, gate, insert_token, interrupt, wait_until):
    token = insert_token()['token']
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(gate.get, '/', token, headers={'X-Delay': '1.0'}) for _ in range(4)]
        time.sleep(0.3)
        interrupt(nginx)
        assert [answer.result().status_code for answer in running] == [200] * 4
    nginx.settle()


@WAYS
def test_in_the_middle_of_a_login(nginx, make_user, interrupt, wait_until):
    user = make_user()
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(nginx.api.post, '/token', auth=(user['username'], user['password'])) for _ in range(4)]
        time.sleep(0.03)
        interrupt(nginx)
        assert [answer.result().status_code for answer in running] == [200] * 4
    nginx.settle()


@WAYS
def test_in_the_middle_of_a_miss(nginx, gate, postgres, insert_token, interrupt, away):
    tokens = [insert_token()['token'] for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        with away(postgres, frozen=True):
            running = [pool.submit(gate.get, '/', token) for token in tokens]
            time.sleep(0.2)
            interrupt(nginx)
            time.sleep(0.3)
        assert [answer.result().status_code for answer in running] == [200] * 8
    nginx.settle()


@WAYS
def test_in_the_middle_of_an_api_call(nginx, postgres, admin_token, interrupt, away):
    assert nginx.api.get('/users', admin_token).status_code == 200
    with ThreadPoolExecutor(4) as pool:
        with away(postgres, frozen=True):
            running = [pool.submit(nginx.api.get, '/users', admin_token) for _ in range(4)]
            time.sleep(0.2)
            interrupt(nginx)
            time.sleep(0.2)
        assert [answer.result().status_code for answer in running] == [200] * 4
    nginx.settle()


def test_the_zone_outlives_a_reload(nginx, gate, postgres, insert_token, away):
    token = insert_token()['token']
    assert gate.get('/', token).status_code == 200
    nginx.reload()
    nginx.settle()
    with away(postgres, frozen=True):
        assert gate.get('/', token).status_code == 200


def test_tokens_of_another_database_end_with_the_reload_that_leaves_it(stack, insert_token, wait_until):
    """The new one can't even be reached: what the old one said of a token is no reason to let it in for its grace."""
    nginx = stack.new_nginx('reload-elsewhere')
    try:
        token = insert_token()['token']
        assert nginx.gate.get('/', token).status_code == 200
        here, elsewhere = nginx.values['CONFIG'], stack.folder / 'elsewhere'
        elsewhere.mkdir()
        nginx.values['CONFIG'] = servers.write_settings(
            elsewhere, stack.settings(db_uri=f'postgresql://wazo-auth:Secr7t@127.0.0.1:{servers.free_port()}/elsewhere')
        )
        old = set(nginx.workers())
        nginx.reload()
        wait_until(lambda: not old & set(nginx.workers()), 20)
        for _ in range(20):
            assert nginx.gate.get('/', token).status_code == 503
        nginx.reload()  # what is new is kept from now on
        nginx.settle()
        assert nginx.gate.get('/', token).status_code == 503
        nginx.values['CONFIG'] = here
        nginx.reload()
        wait_until(lambda: nginx.gate.get('/', token).status_code == 200, 10)
    finally:
        nginx.stop()


def test_requests_go_on_during_reloads(nginx, gate, insert_token, wait_until):
    token = insert_token()['token']
    stop = threading.Event()
    answers = []

    def ask():
        while not stop.is_set():
            answers.append(
                requests.get(
                    f'{gate.base}/', headers={'X-Auth-Token': token, 'Connection': 'close'}, timeout=20
                ).status_code
            )

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(ask) for _ in range(4)]
        for _ in range(3):
            nginx.reload()
            time.sleep(0.3)
        stop.set()
        for each in running:
            each.result()
    assert len(answers) > 50 and set(answers) == {200}
    nginx.settle()


def test_revocations_are_heard_after_a_worker_was_killed(nginx, gate, api, insert_token, wait_until, expect_log):
    """The worker that listens may be any of them: all are killed in turn."""
    expect_log(r'worker process \d+ exited on signal 9')
    nginx.settle()
    for pid in nginx.workers():
        token = insert_token()['token']
        assert gate.get('/', token).status_code == 200
        os.kill(pid, signal.SIGKILL)
        assert api.delete(f'/token/{token}').status_code == 200
        # The new listener has to be there within the bound for a lost LISTEN connection.
        wait_until(
            lambda: requests.get(f'{gate.base}/', headers={'X-Auth-Token': token}, timeout=10).status_code == 401, 3.5
        )
    nginx.settle()
