"""How many threads and connections nginx has, what it does when it can't have more, and how it ends at once."""
import os
import re
import resource
import signal
import subprocess
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from support import servers
from support.checks import elsewhere

NO_THREAD = r'the system has no thread to spare for '
HOUSE = {'wazo-sweep', 'wazo-listen', 'wazo-bus', 'wazo-mail', 'wazo-clean-up', 'wazo-redis', 'wazo-waits'}


def threads(pid):
    """name → number; the event loop is "nginx"."""
    names = Counter()
    for task in Path(f'/proc/{pid}/task').iterdir():
        try:
            names[(task / 'comm').read_text().strip()] += 1
        except OSError:
            pass
    return names


def limit_threads(pid, none=True):
    """From now on the process gets none, or as many as before."""
    user, group = (os.stat(f'/proc/{pid}').st_uid, os.stat(f'/proc/{pid}').st_gid)
    most = resource.prlimit(os.getpid(), resource.RLIMIT_NPROC)[1]
    command = ['prlimit', '--pid', str(pid), '--nproc=' + ('1:' if none else f'{most if most > 0 else "unlimited"}:')]
    if os.geteuid() == 0:  # a container's root may lack the right, the process's own user has it
        command = ['setpriv', f'--reuid={user}', f'--regid={group}', '--clear-groups', *command]
    subprocess.run(command, check=True)


def keeps_house(pid):
    return HOUSE <= set(threads(pid))


def only_worker(nginx):
    servers.wait_until(lambda: len(nginx.workers()) == 1, 20, 'one worker')
    return nginx.workers()[0]


def asked_at_once(number, ask):
    """Futures of so many requests; `ask` may throw."""
    pool = ThreadPoolExecutor(number)
    futures = [pool.submit(ask) for _ in range(number)]
    pool.shutdown(wait=False)
    return futures


def test_threads_start_with_their_work(new_nginx, admin_token):
    nginx = new_nginx('few-threads', workers=4)
    for _ in range(20):
        assert nginx.api.get('/users?limit=1', admin_token).status_code == 200
    servers.wait_until(lambda: sum(map(keeps_house, nginx.workers())) == 1, 10, 'a worker that keeps house')
    for pid in nginx.workers():
        found = threads(pid)
        lanes = {name: number for name, number in found.items() if name.startswith('lane-')}
        assert set(lanes) <= {'lane-database', 'lane-loading'}, found
        assert sum(lanes.values()) <= 3, found
        assert set(found) - set(lanes) <= {'nginx', 'wazo-watchdog', 'wazo-start'} | (
            HOUSE if keeps_house(pid) else set()
        ), found


def test_a_lane_grows_up_to_its_limit(new_nginx, admin_token, away, postgres):
    nginx = new_nginx('growing', workers=1)
    pid = only_worker(nginx)
    assert nginx.api.get('/users?limit=1', admin_token).status_code == 200
    with away(postgres, frozen=True):
        asked = asked_at_once(24, lambda: nginx.api.get('/users?limit=1', admin_token))
        servers.wait_until(lambda: threads(pid)['lane-database'] == 8, 5, 'the threads of 8 connections')
        for future in asked:
            future.result()
            assert threads(pid)['lane-database'] == 8
    assert nginx.api.get('/users?limit=1', admin_token).status_code == 200


def test_passwords_are_hashed_at_a_somewhat_lower_priority(new_nginx, admin):
    """The event loop goes first, and a busy process beside nginx doesn't keep everybody from logging in."""
    nginx = new_nginx('hashing', workers=1)
    pid = only_worker(nginx)
    assert nginx.api.post('/token', auth=(admin['username'], admin['password'])).status_code == 200
    tasks = [
        task for task in Path(f'/proc/{pid}/task').iterdir() if (task / 'comm').read_text().strip() == 'lane-hashing'
    ]
    loop = os.getpriority(os.PRIO_PROCESS, pid)
    assert tasks
    for task in tasks:
        assert os.getpriority(os.PRIO_PROCESS, int(task.name)) == min(19, loop + 5)


def test_one_address_does_not_fill_the_lane_for_passwords(new_nginx, admin, make_user):
    """It has a quarter of what may wait, and the next address doesn't wait for all of that."""
    nginx = new_nginx('crowded', workers=1)
    user, here = make_user(purpose='internal'), elsewhere()
    log_in = lambda: nginx.api.post('/token', auth=(user['username'], user['password']), headers=here)  # noqa: E731
    asked = asked_at_once(250, log_in)
    servers.wait_until(
        lambda: any(future.done() and future.result().status_code == 503 for future in asked), 30, 'a quarter is full'
    )
    answer = nginx.api.post('/token', auth=(admin['username'], admin['password']), headers=elsewhere())
    left = sum(not future.done() for future in asked)
    assert answer.status_code == 200
    assert left >= 16, left
    statuses = Counter(future.result().status_code for future in asked)
    assert set(statuses) == {200, 503} and statuses[200] >= 64, statuses


def assert_refused(answer):
    assert answer.status_code == 503, answer.text
    assert int(answer.headers['Retry-After']) >= 1


def test_a_thread_that_cannot_be_made(new_nginx, admin, admin_token, insert_token, expect_log):
    expect_log(NO_THREAD)
    nginx = new_nginx('short-of-threads', workers=1)
    assert nginx.gate.get('/', admin_token).status_code == 200
    nginx.reload()
    nginx.settle()
    pid = only_worker(nginx)
    servers.wait_until(lambda: keeps_house(pid), 10)
    assert nginx.api.get('/users?limit=1', admin_token).status_code == 200
    missed = insert_token()['token']
    log_in = lambda: nginx.api.post('/token', auth=(admin['username'], admin['password']))  # noqa: E731
    begin, before = time.monotonic(), len(nginx.error_log.read_text(errors='replace'))
    limit_threads(pid)
    try:
        for _ in range(10):
            assert_refused(log_in())  # the lane for passwords has no thread
            assert_refused(nginx.gate.get('/', missed))  # nor has the one that loads tokens
        # A lane that has one thread works with it.
        for future in asked_at_once(12, lambda: nginx.api.get('/users?limit=1', admin_token)):
            assert future.result().status_code == 200
    finally:
        limit_threads(pid, none=False)
    lines = re.findall(r'\[emerg\].*' + NO_THREAD, nginx.error_log.read_text(errors='replace')[before:])
    assert 1 <= len(lines) <= time.monotonic() - begin + 1
    assert log_in().status_code == 200
    assert nginx.gate.get('/', missed).status_code == 200
    assert nginx.workers() == [pid]


@pytest.mark.skipif(os.geteuid() != 0, reason='the master needs to fork')
def test_a_start_without_threads(new_nginx, admin, expect_log):
    expect_log(NO_THREAD)
    nginx = new_nginx('no-threads', workers=2, start=False)
    command, probe = nginx.argv(), nginx.probe
    nginx.argv = lambda: ['prlimit', '--nproc=1:', *command]
    nginx.probe = None
    nginx.start()
    servers.wait_until(lambda: len(nginx.workers()) == 2, 10)
    workers = nginx.workers()
    servers.wait_until(
        lambda: len(re.findall(NO_THREAD, nginx.error_log.read_text(errors='replace'))) >= 3, 10, 'several tries'
    )
    assert [set(threads(pid)) for pid in workers] == [{'nginx'}] * 2
    assert_refused(nginx.api.get('/backends'))
    assert nginx.workers() == workers
    for pid in workers:
        limit_threads(pid, none=False)
    nginx.probe = probe
    nginx.wait_ready()
    assert nginx.api.post('/token', auth=(admin['username'], admin['password'])).status_code == 200
    servers.wait_until(lambda: sum(map(keeps_house, workers)) == 1, 10, 'a worker that keeps house')
    assert nginx.workers() == workers


def test_a_stop_with_work_under_way(new_nginx, admin_token, insert_token, away, postgres):
    nginx = new_nginx('stopped', workers=2)
    assert nginx.api.get('/users?limit=1', admin_token).status_code == 200
    missed = insert_token()['token']

    def ask(get, path, token):
        try:
            get(path, token, timeout=20)
        except requests.RequestException:
            pass

    with away(postgres, frozen=True):
        asked = asked_at_once(8, lambda: ask(nginx.api.get, '/users?limit=1', admin_token))
        asked += asked_at_once(2, lambda: ask(nginx.gate.get, '/', missed))
        workers = nginx.workers()
        servers.wait_until(lambda: sum(threads(pid)['lane-database'] for pid in workers) >= 2, 5)
        pids = nginx.processes
        begin = time.monotonic()
        nginx.signal(signal.SIGTERM)
        servers.wait_until(lambda: not any(map(servers.start_time, pids)), 5, 'the end')
        took = time.monotonic() - begin
        for future in asked:
            future.result()
    assert 'exited on signal' not in nginx.error_log.read_text(errors='replace')
    assert took < 2.5


# -- connections -------------------------------------------------------------------------------------------------------


def test_too_few_connections_are_warned_of(stack, new_nginx):
    def said(workers, connections, redis):
        http = f'\nwazo_auth_database "{stack.database_uri}" connections={connections};'
        nginx = new_nginx(f'warned-{uuid.uuid4().hex[:6]}', http=http, workers=workers, redis=redis, start=False)
        accepted, output = nginx.test()
        assert accepted, output
        line = 1 + nginx.text()[: nginx.text().index('wazo_auth_database')].count('\n')
        return output, f'in {nginx.conf_file}:{line}'

    output, place = said(32, 8, redis=False)
    text = '"connections=8" is too few for 32 worker processes: this nginx opens up to 68 connections to PostgreSQL, '
    assert '[warn]' in output and text + place in output
    assert 'up to 69 connections' in said(32, 68, redis=True)[0]
    assert 'too few' not in said(32, 68, redis=False)[0]
    assert 'too few' not in said(32, 69, redis=True)[0]
    assert 'up to 8 connections' in said(2, 7, redis=False)[0]
    assert 'too few' not in said(2, 8, redis=False)[0]


def test_connections_are_a_promise(stack, new_nginx, postgres, insert_token):
    connections = 16
    name = f'promise-{uuid.uuid4().hex[:8]}'
    uri = postgres.create_database(name, 'wazo-auth')
    http = f'wazo_auth_database "{uri}" connections={connections};'
    nginx = new_nginx('promise', http=http, workers=4)
    # not the workers of PostgreSQL itself, autovacuum say
    count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND backend_type = 'client backend'"
    answer = nginx.api.post('/token', auth=('e2e-admin', 'correct-horse-9f31c0'), json={'expiration': 600})
    token = answer.json()['data']['token']
    end = time.monotonic() + 4

    def load():
        statuses = set()
        while time.monotonic() < end:
            statuses.add(nginx.api.get('/users?limit=1', token).status_code)
            statuses.add(nginx.gate.get('/', str(uuid.uuid4())).status_code)
        return statuses

    asked = asked_at_once(24, load)
    seen = []
    while time.monotonic() < end:
        seen.append(int(postgres.psql('postgres', count)))
    assert {200, 401} >= set().union(*(future.result() for future in asked))
    # one for the API requests of each worker, one for what its gate waits for, and five of the background
    assert 9 < max(seen) <= 13, sorted(set(seen))
