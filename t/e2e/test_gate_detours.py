"""Ways around the gate: what other modules do to a request before, beside and after it."""
import re
import uuid

import pytest
from test_gate import FORGED, IDENTITY, header

HTTP = """\
    # Whoever asks for the key has these variables, and $1, as the client wants them.
    map $http_user_agent $agent { "~^(?<owner>(?<kind>.+))$" $1; default ""; }
    limit_req_zone $agent zone=agents:1m rate=10000r/s;
    map $http_x_asked $asked { default $request_uri; }
"""

SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth on;
        wazo_auth_identity on;
        limit_req zone=agents burst=1000 nodelay;
        add_header X-Status $wazo_auth_status always;
        if ($http_x_early ~ (?<owner>.+)) { set $early "$request_uri $request $http_wazo_user_uuid"; }
        location / { proxy_pass http://upstream; }

        location ~ ^/users/(?<owner>[^/]+)/ { wazo_auth_acl confd.users.$owner.read; proxy_pass http://upstream; }
        location ~ ^/if/(?<owner>[^/]+)/ {
            wazo_auth_acl confd.users.$owner.read;
            if ($http_user_agent ~ (?<owner>.+)) { set $y 1; }
            rewrite ^/if/(?<owner>.)(.*)$ /$2 break;
            proxy_pass http://upstream;
        }
        location ~ ^/methods/(?<owner>[^/]+)/ {
            wazo_auth_acl confd.users.$owner.read;
            limit_except POST { proxy_pass http://upstream; }
            proxy_pass http://upstream;
        }
        location ~ ^/nested/(?<owner>[^/]+)/ {
            wazo_auth_acl confd.$kind.$owner.$wazo_auth_method_verb;
            set $kind unknown;
            location ~ /(?<kind>[^/]+)$ { set $kind other; proxy_pass http://upstream; }
            location ~ ^/nested/(?<owner>[^/]+)/(?<kind>[^/]+)/last$ { proxy_pass http://upstream; }
        }
        location /moved/ { rewrite ^/moved/(.*)$ /users/$1 last; }

        # Where a token may come from.
        location = /any {
            wazo_auth_token_from header:X-Auth-Token bearer cookie:tok query:token;
            try_files /nowhere /header;
        }
        location = /any-named {
            wazo_auth_token_from header:X-Auth-Token bearer cookie:tok query:token strip;
            error_page 502 = @header; proxy_pass http://127.0.0.1:1;
        }
        location = /header { proxy_pass http://upstream; }
        location @header { proxy_pass http://upstream; }
        location = /to-query { wazo_auth_token_from query:token; try_files /nowhere /query; }
        location = /strip-to-query { wazo_auth_token_from query:token strip; try_files /nowhere /query; }
        location = /strip-to-other { wazo_auth_token_from query:token strip; try_files /nowhere /other; }
        location = /query { wazo_auth_token_from query:token; proxy_pass http://upstream; }
        location = /other { wazo_auth_token_from query:other; proxy_pass http://upstream; }

        location /strip/ {
            wazo_auth_token_from query:token strip;
            wazo_auth_preflight pass;
            if ($request_uri ~ secret) { set $y 1; }
            set $target $request_uri;
            location = /strip/plain { proxy_pass http://upstream; }
            location = /strip/uri { proxy_pass http://upstream$request_uri; }
            location = /strip/set { set $target $request_uri; proxy_pass http://upstream$target; }
            location = /strip/args { proxy_pass http://upstream/x?$args&$query_string&$arg_token; }
            location = /strip/header {
                proxy_set_header X-Request $request;
                proxy_set_header X-Uri "$request_uri $asked $is_args$args";
                proxy_pass http://upstream;
            }
        }
        location = /strip-late { error_page 404 = /strip-here; root @FOLDER@; }
        location = /strip-here {
            wazo_auth_token_from header:X-Auth-Token query:token strip;
            proxy_pass http://upstream$request_uri;
        }

        # Subrequests.
        location /pages/ { root @FOLDER@; default_type text/html; ssi on; }
        location = /included { proxy_set_header Accept-Encoding ""; proxy_pass http://upstream; }
        location = /included-silent { wazo_auth_identity off; proxy_pass http://upstream; }
        location /open-pages/ { wazo_auth off; wazo_auth_identity off; alias @FOLDER@/pages/; default_type text/html; ssi on; }
        location = /asking {
            auth_request /asked;
            auth_request_set $seen $http_wazo_user_uuid;  # as the subrequest sees it
            add_header X-Seen $seen always;
            proxy_pass http://upstream;
        }
        location = /asked { proxy_pass http://upstream; }

        # Identity in variables, wherever they are asked for.
        location = /who {
            if ($http_wazo_user_uuid) { add_header X-Before "$http_wazo_user_uuid" always; }
            proxy_set_header X-Who "$http_wazo_user_uuid $http_wazo_session_uuid";
            proxy_pass http://upstream;
        }

        # Pages.
        location = /either/ { satisfy any; allow 127.0.0.1; wazo_auth_acl confd.users.read; root @FOLDER@; }
        location = /either-missing { satisfy any; allow 127.0.0.1; root @FOLDER@; }
        location = /either-denied { satisfy any; deny all; wazo_auth_acl confd.users.read; root @FOLDER@; }
        location = /slowly { auth_delay 100ms; wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
    }
"""


@pytest.fixture(scope='module')
def nginx(new_nginx):
    nginx = new_nginx('detours', SERVERS, http=HTTP, start=False)
    pages = nginx.folder / 'pages'
    pages.mkdir()
    pages.chmod(0o755)
    (pages / 'page.html').write_text('<!--# include virtual="/included" -->')
    (pages / 'silent.html').write_text('<!--# include virtual="/included-silent" -->')
    (nginx.folder / 'either').mkdir(mode=0o755)
    nginx.start()
    return nginx


@pytest.fixture(scope='module')
def someone(insert_token):
    """May read what is theirs, and nothing else."""
    return insert_token(acl=['confd.users.me.read'])


# -- regular expressions that run after the location's -----------------------------------------------------------------


@pytest.mark.parametrize('path', ['/users/{}/x', '/if/{}/x', '/methods/{}/x', '/moved/{}/x'])
@pytest.mark.parametrize('name', ['User-Agent', 'X-Early'])
def test_nobody_chooses_whose_they_are(gate, someone, path, name):
    own, other = someone['user_uuid'], str(uuid.uuid4())
    for told in own, other, 'me', '':
        headers = {'User-Agent': 'x', name: told}
        assert gate.get(path.format(own), someone['token'], headers=headers).status_code == 200
        assert gate.get(path.format(other), someone['token'], headers=headers).status_code == 403


@pytest.mark.parametrize('agent', ['me', 'lines', 'x'])
def test_captures_of_all_enclosing_locations(gate, insert_token, agent):
    token = insert_token(acl=['confd.lines.me.read'])
    own, headers = token['user_uuid'], {'User-Agent': agent}
    for path, status in (
        (f'/nested/{own}/lines', 200),
        (f'/nested/{own}/trunks', 403),
        ('/nested/other/lines', 403),
        (f'/nested/{own}/lines/last', 403),
        ('/nested/me/lines', 200),
        ('/nested/me/x/lines', 200),
    ):
        assert gate.get(path, token['token'], headers=headers).status_code == status, path
    assert gate.post(f'/nested/{own}/lines', token['token'], headers=headers).status_code == 403


# -- where a token comes from, after an internal redirect --------------------------------------------------------------


def test_a_token_counts_where_its_source_is_named(gate, nobody):
    token = nobody['token']
    for target in '/any', '/any-named':
        assert gate.get(target, token).status_code == (200)
        assert gate.get(target, headers={'Cookie': f'tok={token}'}).status_code == 401
        assert gate.get(target, headers={'Authorization': f'Bearer {token}'}).status_code == 401
        assert gate.get(f'{target}?token={token}').status_code == 401
    assert gate.get('/header', headers={'Cookie': f'tok={token}'}).status_code == 401


def test_a_query_is_remembered_for_who_names_it(gate, nobody, reader):
    token, other = nobody['token'], reader['token']
    for target in '/to-query', '/strip-to-query':
        answer = gate.get(f'{target}?token={token}&a=1')
        assert (answer.status_code, answer.json()['target']) == (200, '/query')
    assert gate.get(f'/strip-to-other?token={token}').status_code == 401
    assert gate.get(f'/strip-to-other?token={token}&other={other}').status_code == 200


# -- strip -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('early', [{}, {'X-Early': 'x'}])
@pytest.mark.parametrize('method', ['GET', 'OPTIONS'])
@pytest.mark.parametrize('path', ['plain', 'uri', 'set', 'args', 'header'])
def test_a_stripped_token_is_nowhere(gate, insert_token, path, method, early):
    token = insert_token()['token']
    preflight = {'Origin': 'http://a.example', 'Access-Control-Request-Method': 'GET'} if method == 'OPTIONS' else {}
    answer = gate.request(method, f'/strip/{path}?a=1&token={token}&b=secret', headers=early | preflight)
    assert answer.status_code == 200
    assert token not in answer.text
    if path in ('plain', 'uri', 'set'):
        assert answer.json()['target'] == f'/strip/{path}?a=1&b=secret'
    if path == 'header':
        assert answer.json()['headers']['x-uri'] == ' '.join(['/strip/header?a=1&b=secret'] * 2 + ['?a=1&b=secret'])


def test_what_a_redirect_left_of_the_target_is_stripped_too(gate, insert_token):
    token = insert_token()['token']
    answer = gate.get(f'/strip-late?a=1&token={token}', token)
    assert (answer.status_code, answer.json()['target']) == (200, '/strip-late?a=1')


# -- identity ----------------------------------------------------------------------------------------------------------


def test_a_subrequest_has_the_identity_of_its_request(gate, nobody):
    status, text = gate.raw('/pages/page.html', header(nobody), *FORGED)
    assert status == 200
    assert 'forged' not in text
    for name, key in zip(IDENTITY, ('user_uuid', 'tenant_uuid', 'session_uuid'), strict=True):
        assert re.search(f'"{name}": "{nobody[key]}"', text), name
    assert gate.get('/asking', nobody['token']).headers['X-Seen'] == nobody['user_uuid']


def test_a_subrequest_that_wants_no_identity_has_none(gate, nobody):
    status, text = gate.raw('/pages/silent.html', header(nobody), *FORGED)
    assert status == 200
    assert '"target": "/pages/silent.html"' in text or '"target": "/included-silent"' in text
    assert 'forged' not in text and 'wazo-user-uuid' not in text


def test_a_subrequest_of_an_open_request_has_no_forged_one(gate):
    status, text = gate.raw('/open-pages/page.html', *FORGED)
    assert status == 200
    assert '"target"' in text
    assert 'forged' not in text and 'wazo-user-uuid' not in text


@pytest.mark.parametrize('early', [[], ['X-Early: x']])
def test_identity_in_variables(gate, nobody, early):
    status, text = gate.raw('/who', header(nobody), *FORGED, *early)
    assert status == 200
    assert 'forged' not in text
    assert f'"x-who": "{nobody["user_uuid"]} {nobody["session_uuid"]}"' in text


# -- pages -------------------------------------------------------------------------------------------------------------


def test_a_page_is_that_of_who_refused(gate, nobody):
    """The gate has refused, and that didn't matter: somebody else was content."""
    for token in None, nobody['token']:
        answer = gate.get('/either/', token)
        assert (answer.status_code, answer.headers['Content-Type']) == (403, 'text/html')
        assert '403 Forbidden' in answer.text
        answer = gate.get('/either-missing', token)
        assert (answer.status_code, answer.headers['Content-Type']) == (404, 'text/html')
    answer = gate.get('/either-denied')
    assert (answer.status_code, answer.json()['error_id']) == (401, 'unauthorized')
    answer = gate.get('/either-denied', nobody['token'])
    assert (answer.status_code, answer.json()['error_id']) == (403, 'forbidden')
    assert gate.get('/slowly', nobody['token']).json()['error_id'] == 'forbidden'
    assert gate.get('/slowly').json()['error_id'] == 'unauthorized'
