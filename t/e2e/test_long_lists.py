"""Lists without a limit: their rows come from PostgreSQL in portions of 1,000, and the answer's text goes to a file.

A database of its own has users with several addresses each, so that the portions end in the middle of a user.
"""
import gzip
import http.client
import json
import re
import shutil
import socket
import subprocess
import threading
import uuid
from pathlib import Path

import pytest
from support import servers

USERS, MOST_ADDRESSES, POLICIES = 20000, 1300, 1700
MANY = 7  # users have 0 to 6 addresses, and one has MOST_ADDRESSES

FILL = f"""
SET session_replication_role = replica;
CREATE TEMP TABLE users AS SELECT i, uuid_generate_v4()::text AS uuid FROM generate_series(1, {USERS}) AS i;
INSERT INTO auth_user (uuid, username, firstname, lastname, tenant_uuid, purpose)
SELECT u.uuid, 'long-' || lpad(i::text, 6, '0'), 'First ' || md5('f' || i), 'Last ' || md5('l' || i), t.uuid, 'user'
FROM users u, auth_tenant t WHERE t.uuid = t.parent_uuid;
INSERT INTO auth_email (address, main, confirmed, user_uuid)
SELECT 'a' || n || '-' || i || '@example.com', n = 1, true, uuid
FROM users, generate_series(1, CASE WHEN i = 1001 THEN {MOST_ADDRESSES} ELSE i % {MANY} END) AS n;
INSERT INTO auth_policy (name, slug, tenant_uuid)
SELECT 'policy ' || lpad(i::text, 6, '0'), 'p' || i, t.uuid
FROM generate_series(1, {POLICIES}) AS i, auth_tenant t WHERE t.uuid = t.parent_uuid;
ANALYZE;
"""

# The API once more, with temporary files of its own.
SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        listen 127.0.0.1:@TLS_PORT@ ssl http2;
        ssl_certificate @CERTIFICATE@;
        ssl_certificate_key @CERTIFICATE@;
        client_body_temp_path @FOLDER@/answers;
        location / { wazo_auth_api; }
        location /sent/ { wazo_auth_api prefix=/sent; sendfile on; sendfile_max_chunk 300k; }
        location /zipped/ { wazo_auth_api prefix=/zipped; gzip on; gzip_types application/json; }
    }
"""


class Lists:
    def __init__(self, stack, admin, certificate):
        name = f'long-{uuid.uuid4().hex[:8]}'
        settings = {'db_uri': stack.postgres.create_database(name, 'wazo-auth')}
        self.nginx = stack.new_nginx('long', SERVERS, workers=1, settings=settings, start=False)
        self.nginx.values |= {'TLS_PORT': servers.free_port(), 'CERTIFICATE': certificate}
        self.nginx.start()
        self.sql = lambda text: stack.postgres.psql(name, text, timeout=120)
        self.sql(FILL)
        answer = self.nginx.api.post('/token', auth=(admin['username'], admin['password']), json={'expiration': 7200})
        assert answer.status_code == 200, answer.text
        self.token = answer.json()['data']['token']

    def ask(self, path, port=None, method='GET', **headers):
        """Without the comparison with the document, which takes minutes for so many."""
        connection = http.client.HTTPConnection('127.0.0.1', port or self.nginx.api.port, timeout=60)
        connection.request(method, path, headers={'X-Auth-Token': self.token} | headers)
        answer = connection.getresponse()
        answer.text = answer.read()
        connection.close()
        return answer

    def read(self, path):
        answer = self.ask(f'/0.1{path}')
        assert answer.status == 200, answer.text
        return answer.text

    def items(self, path):
        body = json.loads(self.read(path))
        assert len({item['uuid'] for item in body['items']}) == len(body['items'])
        return body, body['items']


@pytest.fixture(scope='module')
def lists(stack, admin, authority):
    made = Lists(stack, admin, authority.certificate('IP:127.0.0.1'))
    yield made
    made.nginx.stop()


def test_users_are_whole(lists):
    body, users = lists.items('/users?order=username')
    users = [user for user in users if user['username'].startswith('long-')]
    assert body['total'] == body['filtered'] == len(body['items'])
    assert [user['username'] for user in users] == [f'long-{i:06}' for i in range(1, USERS + 1)]
    for i, user in enumerate(users, 1):
        count = MOST_ADDRESSES if i == 1001 else i % MANY
        assert sorted(email['address'] for email in user['emails']) == sorted(
            f'a{n}-{i}@example.com' for n in range(1, count + 1)
        )
        assert [email['main'] for email in user['emails']] == [True] * (count > 0) + [False] * (count - 1)


@pytest.mark.parametrize(
    'query',
    ['limit=999', 'limit=1000', 'limit=1001', 'limit=2400&offset=700', 'offset=19000', 'offset=19002', 'limit=0'],
)
def test_a_part_is_that_part_of_the_whole(lists, query):
    _, users = lists.items('/users?order=username')
    body, part = lists.items(f'/users?order=username&{query}')
    limit, offset = (
        int((re.findall(f'{name}=(\\d+)', query) or [missing])[0])
        for name, missing in [('limit', 10**6), ('offset', 0)]
    )
    assert part == users[offset : offset + limit]
    assert body['total'] == body['filtered'] == len(users)


def test_filters_count(lists):
    body, users = lists.items('/users?order=username&direction=desc&search=long-01')
    assert [user['username'] for user in users] == [f'long-{i:06}' for i in range(19999, 9999, -1)]
    assert (body['filtered'], body['total']) == (10000, USERS + 1)


def test_lists_without_filtered(lists):
    body, policies = lists.items('/policies?order=name&search=policy')
    policies = [policy for policy in policies if policy['slug'].startswith('p')]
    assert list(body) == ['items', 'total']
    assert [policy['slug'] for policy in policies] == [f'p{i}' for i in range(1, POLICIES + 1)]


def test_the_connection_is_as_before(lists):
    """No transaction and no cursor is left on it, and what comes next may write."""
    lists.read('/users')
    assert (
        lists.sql("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = current_database()")
        == '0'
    )
    for i in range(20):
        answer = lists.nginx.api.post('/groups', lists.token, json={'name': f'after a long list {i}'})
        assert answer.status_code == 200, answer.text


def kilobytes(worker, name):
    return int(re.search(rf'{name}:\s+(\d+) kB', Path(f'/proc/{worker}/status').read_text())[1])


@pytest.mark.parametrize('prefix', ['', '/sent', '/zipped'])
def test_a_file_is_sent_as_memory_is(lists, prefix):
    path, port = '/0.1/users?order=username', lists.nginx.gate.port
    text = lists.read('/users?order=username')
    whole = lists.ask(prefix + path, port, **{'Accept-Encoding': 'gzip'})
    zipped = whole.getheader('Content-Encoding') == 'gzip'
    assert zipped == (prefix == '/zipped')
    assert (gzip.decompress(whole.text) if zipped else whole.text) == text
    head = lists.ask(prefix + path, port, 'HEAD')
    assert (head.status, head.text) == (200, b'')
    assert int(head.getheader('Content-Length')) == len(text)


@pytest.mark.parametrize('version', ['--http1.1', '--http2'])
def test_over_tls(lists, version):
    url = f"https://127.0.0.1:{lists.nginx.values['TLS_PORT']}/0.1/users?order=username"
    command = ['curl', '-sSfk', version, '-m', '60', '-H', f'X-Auth-Token: {lists.token}', url]
    got = subprocess.run(command, capture_output=True, check=True).stdout
    assert got == lists.read('/users?order=username')


def temporary_files(nginx):
    """Those that its workers have open: (name, bytes)"""
    opened = [path for worker in nginx.workers() for path in Path(f'/proc/{worker}/fd').iterdir()]
    links = [(path, path.readlink()) for path in opened if path.is_symlink()]
    return [(link.as_posix(), path.stat().st_size) for path, link in links if '/answers/' in link.as_posix()]


def test_the_file_lives_as_long_as_its_answer(lists, wait_until):
    """The client doesn't read, and then it leaves."""
    expected = len(lists.read('/users'))
    with socket.create_connection(('127.0.0.1', lists.nginx.gate.port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(f'GET /0.1/users HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {lists.token}\r\n\r\n'.encode())
        assert client.recv(12) == b'HTTP/1.1 200'
        ((name, size),) = temporary_files(lists.nginx)
        assert size == expected
        assert name.startswith(f'{lists.nginx.folder}/answers/') and name.endswith(' (deleted)')
    wait_until(lambda: temporary_files(lists.nginx) == [])


@pytest.fixture
def refused(lists, wait_until):
    """refused(reason): nothing of the answer is sent, the reason is in the log, and short lists need no file."""

    def refused(reason):
        answer = lists.ask('/0.1/users', lists.nginx.gate.port)
        assert answer.status == 500
        assert json.loads(answer.text)['message'] == 'Internal Server Error'
        wait_until(lambda: re.search(f'GET /users: .*{reason}', lists.nginx.error_log.read_text()))
        assert lists.ask('/0.1/users?limit=1000', lists.nginx.gate.port).status == 200

    yield refused
    assert lists.ask('/0.1/users', lists.nginx.gate.port).text == lists.read('/users')
    assert temporary_files(lists.nginx) == []


def test_without_a_folder_for_the_file(lists, refused):
    folder = lists.nginx.folder / 'answers'
    shutil.rmtree(folder)
    try:
        refused('no temporary file in .*: No such file or directory')
    finally:
        folder.mkdir()
        folder.chmod(0o777)


def test_without_room_for_the_file(lists, refused):
    folder = lists.nginx.folder / 'answers'
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=2m,mode=777', 'tmpfs', folder]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip('needs the right to mount')
    try:
        refused("a temporary file can't be written: No space left on device")
    finally:
        subprocess.run(['umount', folder], check=True)


def test_memory(lists):
    """While it answers the worker holds neither the rows nor the text; afterwards it is as before."""
    (worker,) = lists.nginx.workers()
    size = len(lists.read('/users')) / 1024
    lists.read('/users')
    before = kilobytes(worker, 'RssAnon')
    Path(f'/proc/{worker}/clear_refs').write_text('5')  # from now on the peak counts
    resident = kilobytes(worker, 'VmRSS')
    readers = [threading.Thread(target=lists.read, args=('/users',)) for _ in range(3)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    peak, after = kilobytes(worker, 'VmHWM') - resident, kilobytes(worker, 'RssAnon') - before
    print(f'{size:.0f} KB each: {peak} KB at most, {after} KB afterwards, {before} KB before')
    assert before < 25 * 1024
    assert peak < 16 * 1024 < 1.3 * size  # for three clients
    assert after < 8192
