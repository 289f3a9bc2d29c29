"""nginx's debug log is written by event loops alone: a log may be reopened while a thread writes, and lines get mixed up."""
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support import servers

LINE = re.compile(r'^\d{4}/\d\d/\d\d [0-9:]{8} \[(\w+)\] (\d+)#(\d+): (.*)')


@pytest.fixture
def talkative(stack, new_nginx):
    """One that logs all that it can, into a file of its own: tokens stand there."""
    nginx = new_nginx('talkative', start=False, zone='2m')
    nginx.debug_log = nginx.folder / 'debug.log'
    nginx.values['LOG_LEVEL'] = f'info;\nerror_log {nginx.debug_log} debug'
    nginx.start()
    return nginx


def threads_of(pid):
    names = set()
    for task in Path(f'/proc/{pid}/task').iterdir():
        try:
            names.add((task / 'comm').read_text().strip())
        except OSError:
            pass
    return names


def lines_of(log):
    """(level, pid, thread, text) of each line that begins like one: some go on in the next."""
    found = []
    for line in log.read_text(errors='replace').splitlines():
        match = LINE.match(line)
        if match:
            found.append((match[1], int(match[2]), int(match[3]), match[4]))
    return found


def test_no_thread_of_ours_writes_it(talkative, admin, admin_token, insert_token, make_user):
    nginx, user = talkative, make_user(acl=['#'])
    names = set()

    def log_in_and_out(_):
        answer = nginx.api.post('/token', auth=(user['username'], user['password']), json={'expiration': 60})
        token = answer.json()['data']['token']
        statuses = [nginx.gate.get('/', token).status_code, nginx.api.delete(f'/token/{token}').status_code]
        return [answer.status_code, *statuses, nginx.gate.get('/', token).status_code]

    def miss(_):
        return nginx.gate.get('/', str(uuid.uuid4())).status_code

    def known(token):  # loaded by a thread: from Redis or PostgreSQL
        return nginx.gate.get('/', token).status_code

    def change(number):
        name = f'{uuid.uuid4().hex}'
        made = nginx.api.post('/users', admin_token, json={'username': name, 'password': f'{name}-secret'})
        return made.status_code, nginx.api.delete(f"/users/{made.json()['uuid']}", admin_token).status_code

    def load(turns):
        with ThreadPoolExecutor(8) as pool:
            for outcomes, wanted in (
                (pool.map(log_in_and_out, range(turns)), [200, 200, 200, 401]),
                (pool.map(miss, range(turns * 10)), 401),
                (pool.map(known, [insert_token(['#'])['token'] for _ in range(turns)]), 200),
                (pool.map(change, range(turns)), (200, 204)),
            ):
                assert all(outcome == wanted for outcome in outcomes)
        for pid in nginx.workers():
            names.update(threads_of(pid))

    load(20)
    before = nginx.workers()
    nginx.reload()
    load(10)  # some of it in workers that end
    servers.wait_until(lambda: not set(before) & set(nginx.workers()), 20, 'the end of the old workers')
    load(10)
    nginx.stop()
    assert {'lane-database', 'lane-hashing', 'lane-loading', 'wazo-listen', 'wazo-sweep', 'wazo-redis'} <= names
    lines = lines_of(nginx.debug_log)
    assert {level for level, *_ in lines} >= {'debug', 'info'}
    assert {pid for _, pid, _, text in lines if 'http' in text} >= set(before)
    foreign = [line for line in lines if line[1] != line[2]]
    assert not foreign, foreign[:10]
