"""The gate beside the other modules that say who may come in."""
import base64
import uuid

import pytest
from test_gate import header

SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth on;
        add_header X-Status $wazo_auth_status always;
        auth_basic_user_file @FOLDER@/passwords;
        location / { proxy_pass http://upstream; }

        location = /from-elsewhere { deny all; proxy_pass http://upstream; }
        location = /with-password { auth_basic inside; proxy_pass http://upstream; }
        location = /asked-no { auth_request /no; proxy_pass http://upstream; }
        location = /asked-yes { auth_request /yes; proxy_pass http://upstream; }

        location = /any-address { satisfy any; allow 127.0.0.1; deny all; proxy_pass http://upstream; }
        location = /any-password { satisfy any; auth_basic inside; proxy_pass http://upstream; }
        location = /any-yes { satisfy any; auth_request /yes; proxy_pass http://upstream; }
        location = /any-no { satisfy any; auth_request /no; proxy_pass http://upstream; }
        location = /any-nobody { satisfy any; deny all; proxy_pass http://upstream; }
        location = /any-moved { satisfy any; deny all; error_page 400 = @moved; proxy_pass http://upstream; }
        location @moved { wazo_auth off; proxy_pass http://upstream; }

        location /asked-api/ { auth_request /unknown; wazo_auth_api prefix=/asked-api; }
        location = /unknown { internal; wazo_auth off; return 401; }

        location = /yes { internal; wazo_auth off; return 204; }
        location = /no { internal; wazo_auth off; return 403; }
    }
"""
PASSWORD = {'Authorization': 'Basic ' + base64.b64encode(b'somebody:right-password').decode()}


@pytest.fixture(scope='module')
def gate(stack):
    nginx = stack.new_nginx('neighbours', SERVERS, start=False)
    (nginx.folder / 'passwords').write_text('somebody:{PLAIN}right-password\n')
    nginx.start()
    yield nginx.gate
    nginx.stop()


def answer_to(gate, path, token, **options):
    answer = gate.get(path, token, **options)
    return answer.status_code, answer.text, answer.headers.get('X-Status')


@pytest.mark.parametrize('path, status', [('/from-elsewhere', 403), ('/with-password', 401)])
def test_who_is_kept_out_learns_nothing_about_tokens(gate, insert_token, path, status):
    answers = {answer_to(gate, path, token) for token in (insert_token()['token'], str(uuid.uuid4()), None)}
    assert len(answers) == 1
    code, text, asked = answers.pop()
    assert (code, asked) == (status, None)
    assert '<html>' in text


def test_both_have_to_be_content(gate, insert_token):
    token = insert_token()['token']
    assert gate.get('/with-password', token, headers=PASSWORD).status_code == 200
    assert gate.get('/with-password', headers=PASSWORD).json()['error_id'] == 'unauthorized'
    assert gate.get('/asked-yes', token).status_code == 200
    assert answer_to(gate, '/asked-no', token)[0] == 403
    # It isn't asked for nothing.
    assert answer_to(gate, '/asked-no', None)[0] == 401


LET_IN = [('/any-address', {}), ('/any-password', PASSWORD), ('/any-yes', {})]


@pytest.mark.parametrize('path, headers', LET_IN)
def test_any_that_lets_in_lets_in(gate, path, headers):
    lines = [f'{name}: {value}' for name, value in headers.items()]
    for more in [], ['X-Auth-Token: garbage'], ['X-Auth-Token: one', 'X-Auth-Token: two']:
        status, text = gate.raw(path, *lines, *more)
        assert (status, '"target"' in text) == (200, True), more


@pytest.mark.parametrize('path, headers', LET_IN)
def test_any_that_lets_in_lets_in_while_nobody_knows_the_token(gate, postgres, away, path, headers):
    with away(postgres, frozen=True):
        answer = gate.get(path, str(uuid.uuid4()), headers=headers)
        assert answer.status_code == 200
        if path != '/any-yes':  # which is asked after the gate
            assert answer.elapsed.total_seconds() < 1


@pytest.mark.parametrize('path', ['/any-no', '/any-nobody'])
def test_where_nobody_lets_in_the_gate_says_why(gate, insert_token, path):
    token = insert_token()
    assert gate.get(path, token['token']).status_code == 200
    status, text = gate.raw(path, header(token), 'X-Auth-Token: another')
    assert (status, '"ambiguous-token"' in text) == (400, True)
    assert gate.get(path).status_code == 401


def test_what_was_held_back_is_over_with_a_redirect(gate):
    assert gate.raw('/any-moved', 'X-Auth-Token: one', 'X-Auth-Token: two')[0] == 200


def test_who_refuses_in_front_of_the_api_has_its_own_status(gate):
    for path in '/asked-api/0.1/backends', '/asked-api/0.1/users':
        answer = gate.get(path)
        assert (answer.status_code, answer.headers['Content-Type']) == (401, 'application/json')
        assert 'WWW-Authenticate' not in answer.headers
