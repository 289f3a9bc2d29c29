"""Conditions and ranges in a request: what we answer has no versions, so that nothing is asked of them."""
import uuid

import pytest

CONDITIONS = [
    {'If-Match': '"some-version"'},
    {'If-Match': '*'},
    {'If-Unmodified-Since': 'Sat, 01 Jan 2000 00:00:00 GMT'},
    {'If-None-Match': '*'},
    {'If-None-Match': '"some-version"'},
    {'If-Modified-Since': 'Fri, 01 Jan 2100 00:00:00 GMT'},
    {'Range': 'bytes=0-3'},
    {'Range': 'bytes=0-3', 'If-Range': '"some-version"'},
]
SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth on;
        root @FOLDER@/pages;
        location / { proxy_pass http://upstream; }
        location = /read { wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
        location = /denied401 { wazo_auth_denied 401; wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
        location = /metrics { wazo_auth off; wazo_auth_metrics; }
        location = /back { wazo_auth_oauth2; }
        location = /file.txt { }
    }
"""


@pytest.fixture(scope='module')
def gate(stack):
    nginx = stack.new_nginx('conditional', SERVERS, start=False)
    pages = nginx.folder / 'pages'
    pages.mkdir()
    (pages / 'file.txt').write_text('0123456789')
    nginx.start()
    yield nginx.gate
    nginx.stop()


@pytest.fixture(params=CONDITIONS, ids=lambda condition: ' '.join(condition.values()))
def condition(request):
    return request.param


def test_a_change_is_made_and_says_so(api, admin_token, make_user, condition):
    user = make_user()
    changed = api.put(
        f"/users/{user['uuid']}",
        admin_token,
        json={'username': f'changed-{uuid.uuid4().hex}', 'firstname': 'Changed'},
        headers=condition,
    )
    assert (changed.status_code, changed.json()['firstname']) == (200, 'Changed')
    made = api.post('/users', admin_token, json={'username': f'made-{uuid.uuid4().hex}'}, headers=condition)
    assert made.status_code == 200
    assert api.get(f"/users/{made.json()['uuid']}", admin_token).status_code == 200
    assert api.delete(f"/users/{user['uuid']}", admin_token, headers=condition).status_code == 204


def test_a_login_hands_out_its_token(api, admin, condition):
    answer = api.post('/token', auth=(admin['username'], admin['password']), headers=condition)
    assert answer.status_code == 200
    token = answer.json()['data']['token']
    assert api.delete(f'/token/{token}', headers=condition).status_code == 200
    assert api.head(f'/token/{token}').status_code == 404


def test_reads_are_whole(api, insert_token, admin_token, condition):
    token = insert_token(acl=['auth.read'])['token']
    for _ in range(2):  # from PostgreSQL, then from the zone
        answer = api.get(f'/token/{token}', headers=condition)
        assert (answer.status_code, answer.json()['data']['token']) == (200, token)
        assert api.head(f'/token/{token}', headers=condition).status_code == 204
    for path in '/users', '/backends', '/api/api.yml':
        answer = api.get(path, admin_token, headers=condition)
        assert answer.status_code == 200
        assert 'Content-Range' not in answer.headers and 'Accept-Ranges' not in answer.headers


def test_errors_stay_what_they_are(api, admin_token, condition):
    assert api.get(f'/users/{uuid.uuid4()}', admin_token, headers=condition).status_code == 404
    assert api.get('/users', headers=condition).status_code == 401
    assert api.post('/users', admin_token, json={'username': 1}, headers=condition).status_code == 400


def test_pages_and_metrics(gate, api, condition):
    assert gate.get('/metrics', headers=condition).status_code == 200
    answer = gate.get('/back', headers=condition)
    assert (answer.status_code, answer.headers['Content-Type'].split(';')[0]) == (400, 'text/html')


def test_refusals(gate, insert_token, condition):
    token = insert_token()['token']
    for path, token, status in ('/', None, 401), ('/read', token, 403), ('/denied401', token, 401):
        answer = gate.get(path, token, headers=condition)
        assert (answer.status_code, answer.headers['Content-Type']) == (status, 'application/json')
        assert answer.json()['error_id'] in ('unauthorized', 'forbidden')


def test_behind_the_gate_nginx_tests_them(gate, insert_token):
    token = insert_token()['token']
    whole = gate.get('/file.txt', token)
    version = whole.headers['ETag']
    assert gate.get('/file.txt', token, headers={'If-None-Match': version}).status_code == 304
    # nginx closes the connection after its own 412, and says so only to whoever wants that.
    refused = {'If-Match': '"another"', 'Connection': 'close'}
    assert gate.get('/file.txt', token, headers=refused).status_code == 412
    part = gate.get('/file.txt', token, headers={'Range': 'bytes=2-4'})
    assert (part.status_code, part.text) == (206, '234')
