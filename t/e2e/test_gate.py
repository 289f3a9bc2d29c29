"""The gate's rules, each with the location that shows it."""
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        underscores_in_headers on;
        wazo_auth on;
        wazo_auth_identity on;
        add_header X-Status $wazo_auth_status always;

        location / { proxy_pass http://upstream; }
        location = /read { wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
        location = /verb { wazo_auth_acl confd.users.$wazo_auth_method_verb; proxy_pass http://upstream; }
        location ~ ^/captured/(?<kind>[^/]+)/(.*)$ { wazo_auth_acl confd.$kind.items.read; proxy_pass http://upstream; }
        location ~ ^/users/(?<owner>[^/]+)/ { wazo_auth_acl confd.users.$owner.read; proxy_pass http://upstream; }
        location = /argument { wazo_auth_acl confd.${arg_resource}.read; proxy_pass http://upstream; }

        location = /bearer { wazo_auth_token_from bearer; proxy_pass http://upstream; }
        location = /query { wazo_auth_token_from query:token; proxy_pass http://upstream; }
        location = /strip { wazo_auth_token_from query:token strip; proxy_pass http://upstream; }
        location = /cookie { wazo_auth_token_from cookie:wazo-token; proxy_pass http://upstream; }
        location = /header { wazo_auth_token_from header:X-Other; proxy_pass http://upstream; }
        location = /many {
            wazo_auth_token_from header:X-Auth-Token bearer query:token strip cookie:wazo-token;
            proxy_pass http://upstream;
        }

        location = /denied401 { wazo_auth_denied 401; wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
        location = /preflight { wazo_auth_preflight pass; proxy_pass http://upstream; }
        location = /no-preflight { wazo_auth_preflight deny; proxy_pass http://upstream; }
        location = /tenant { wazo_auth_tenant header; proxy_pass http://upstream; }
        location /loose/ { wazo_auth_path loose; proxy_pass http://upstream; }
        location = /silent { wazo_auth_identity off; proxy_pass http://upstream; }
        location = /off { wazo_auth off; proxy_pass http://upstream; }
        location = /untouched { wazo_auth off; wazo_auth_identity off; proxy_pass http://upstream; }

        location = /either { satisfy any; deny all; proxy_pass http://upstream; }
        location = /local { satisfy any; allow 127.0.0.1; deny all; proxy_pass http://upstream; }
        location = /both { satisfy all; deny all; proxy_pass http://upstream; }

        location = /rewritten { rewrite ^ /read last; }
        location = /tried { try_files /nowhere /read; }
        location = /failed { error_page 502 = /read; proxy_pass http://127.0.0.1:1; }
        location = /named { error_page 502 = @named; proxy_pass http://127.0.0.1:1; }
        location @named { wazo_auth_acl confd.users.read; proxy_pass http://upstream; }

        location = /paged { error_page 401 403 /page; wazo_auth_acl confd.users.read; proxy_pass http://upstream; }
        location = /page { wazo_auth off; default_type text/html; return 200 "<p>an administrator's page</p>"; }
        location = /conditional { if ($arg_x) { set $y 1; } wazo_auth_acl confd.users.read; proxy_pass http://upstream; }

        location = /variables {
            wazo_auth_acl confd.users.read;
            wazo_auth_token_from header:X-Auth-Token query:token;
            add_header X-Variables "$wazo_auth_user_uuid $wazo_auth_tenant_uuid $wazo_auth_session_uuid" always;
            add_header X-Required $wazo_auth_required_acl always;
            add_header X-Request $wazo_auth_request always;
            add_header X-Status $wazo_auth_status always;
            proxy_pass http://upstream;
        }
        location = /metrics { wazo_auth off; wazo_auth_metrics; }
    }
"""


@pytest.fixture(scope='module')
def nginx(new_nginx):
    return new_nginx('gate', SERVERS)


def header(token):
    return f"X-Auth-Token: {token['token']}"


# -- verdicts ----------------------------------------------------------------------------------------------------------


def test_a_live_token_passes_and_reaches_the_upstream(gate, nobody):
    answer = gate.post('/some/where?x=1', nobody['token'], json={'a': 1})
    assert answer.status_code == 200
    seen = answer.json()
    assert (seen['method'], seen['target'], seen['body']) == ('POST', '/some/where?x=1', '{"a": 1}')
    assert seen['headers']['x-auth-token'] == nobody['token']


@pytest.mark.parametrize('token', [None, '', 'garbage', '3b8d9c52-0f1e-4e83-9f0b-6a54c5f7d210', 'x' * 4000])
def test_no_known_token_is_401(gate, token):
    answer = gate.get('/', token)
    assert answer.status_code == 401
    assert answer.headers['Content-Type'] == 'application/json'
    body = answer.json()
    assert body['message'] == 'Unauthorized'
    assert body['error_id'] == 'unauthorized'
    assert body['details']['reason'] == 'not_found_or_expired'
    assert answer.headers['WWW-Authenticate'] == 'Wazo realm="wazo-auth"'


def test_tokens_are_compared_exactly(gate, insert_token):
    token = insert_token()['token']
    while token.upper() == token:
        token = insert_token()['token']
    assert gate.get('/', token.upper()).status_code == 401
    assert gate.get('/', token).status_code == 200


def test_missing_access_is_403(gate, reader, nobody):
    assert gate.get('/read', reader['token']).status_code == 200
    answer = gate.get('/read', nobody['token'])
    assert answer.status_code == 403
    body = answer.json()
    assert body['details']['required_access'] == 'confd.users.read'
    assert nobody['token'] not in answer.text


def test_denied_401_gives_the_daemons_own_answer(gate, reader, nobody):
    assert gate.get('/denied401', reader['token']).status_code == 200
    answer = gate.get('/denied401', nobody['token'])
    assert answer.status_code == 401
    body = answer.json()
    assert body['error_id'] == 'unauthorized'
    assert body['details']['reason'] == 'missing_permission_or_invalid_tenant'
    assert body['details']['required_access'] == 'confd.users.read'


def test_a_negative_access_wins(gate, insert_token):
    token = insert_token(acl=['#', '!confd.users.read'])['token']
    assert gate.get('/read', token).status_code == 403
    assert gate.post('/verb', token).status_code == 200


def test_head_is_judged_like_get_and_has_no_body(gate, reader, nobody):
    assert gate.head('/read', reader['token']).status_code == 200
    for token, status in ((nobody['token'], 403), (None, 401)):
        answer = gate.head('/read', token)
        assert (answer.status_code, answer.content) == (status, b'')


@pytest.mark.parametrize(
    'method, verb',
    [
        ('GET', 'read'),
        ('HEAD', 'read'),
        ('POST', 'create'),
        ('PUT', 'update'),
        ('PATCH', 'update'),
        ('DELETE', 'delete'),
    ],
)
def test_the_verb_of_a_method(gate, insert_token, method, verb):
    right = insert_token(acl=[f'confd.users.{verb}'])['token']
    wrong = insert_token(acl=['confd.users.*', f'!confd.users.{verb}'])['token']
    assert gate.request(method, '/verb', right).status_code == 200
    assert gate.request(method, '/verb', wrong).status_code == 403


def test_expiry_is_judged_on_every_request(gate, insert_token):
    assert gate.get('/', insert_token(expiration=-5)['token']).status_code == 401
    token = insert_token(expiration=2)['token']
    assert gate.get('/', token).status_code == 200
    assert gate.get('/', token).status_code == 200
    time.sleep(3.1)
    assert gate.get('/', token).status_code == 401


@pytest.mark.parametrize('columns', [{'expiration': None}, {'expire_t': 0}])
def test_no_expiry_means_for_ever(gate, insert_token, columns):
    assert gate.get('/', insert_token(**columns)['token']).status_code == 200


def test_reserved_words_stand_for_the_holder(gate, insert_token):
    token = insert_token(acl=['confd.users.me.read'])
    assert gate.get(f"/users/{token['user_uuid']}/lines", token['token']).status_code == 200
    assert gate.get('/users/me/lines', token['token']).status_code == 200
    assert gate.get(f'/users/{uuid.uuid4()}/lines', token['token']).status_code == 403


def test_many_requests_for_one_new_token(gate, insert_token):
    token = insert_token()['token']
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: gate.get('/', token).status_code, range(200)))
    assert set(answers) == {200}


def test_a_second_request_is_a_hit(gate, insert_token, wait_until):
    token = insert_token()['token']
    assert gate.get('/', token).headers['X-Status'] == 'miss'
    assert gate.get('/', token).headers['X-Status'] == 'hit'


# -- required accesses made of variables -------------------------------------------------------------------------------


def test_captures_and_variables_in_an_access(gate, insert_token):
    token = insert_token(acl=['confd.lines.items.read', 'confd.a_b.items.read', 'confd.voicemails.read'])['token']
    assert gate.get('/captured/lines/1', token).status_code == 200
    assert gate.get('/captured/trunks/1', token).status_code == 403
    assert gate.get('/captured/a.b/1', token).status_code == 200
    assert gate.get('/argument?resource=voicemails', token).status_code == 200
    assert gate.get('/argument?resource=users', token).status_code == 403


@pytest.mark.parametrize(
    'target',
    [
        '/argument',
        '/argument?resource=',
        '/argument?resource=a%23',
        '/argument?resource=%2a',
        '/argument?resource=*',
        '/captured/%23/1',
        '/captured/*/1',
        '/captured/%01/1',
        '/captured/a%0ab/1',
        '/captured/%7f/1',
    ],
)
def test_values_that_could_widen_an_access_are_refused(gate, insert_token, target):
    everything = insert_token(acl=['#'])
    status, _ = gate.raw(target, header(everything))
    encoded_pattern = '%' in target and target.startswith('/argument')  # $arg_ is not decoded: a plain text then
    assert status in ((200,) if encoded_pattern else (400, 403)), status


# -- where a token comes from ------------------------------------------------------------------------------------------


def test_token_sources(gate, nobody):
    token = nobody['token']
    assert gate.get('/bearer', headers={'Authorization': f'Bearer {token}'}).status_code == 200
    assert gate.get('/bearer', headers={'Authorization': f'bearer {token}'}).status_code == 200
    assert gate.get('/bearer', token).status_code == 401
    assert gate.get('/header', headers={'X-Other': token}).status_code == 200
    assert gate.get('/header', token).status_code == 401
    assert gate.get('/cookie', headers={'Cookie': f'a=b; wazo-token={token}; c=d'}).status_code == 200
    assert gate.get('/cookie', headers={'Cookie': f'wazo-token2={token}'}).status_code == 401
    for value, status in ((f'"{token}"', 200), (f'"{token}', 401), ('"', 401), ('""', 401)):
        assert gate.get('/cookie', headers={'Cookie': f'wazo-token={value}'}).status_code == status, value
    assert gate.get(f'/query?token={token}').status_code == 200
    assert gate.get('/query', token).status_code == 401
    for source in (f'?token={token}', ''):
        assert gate.get(f'/many{source}', token).status_code == 200


def test_the_query_is_stripped_only_where_asked(gate, nobody):
    token = nobody['token']
    assert gate.get(f'/query?a=1&token={token}&b=2').json()['target'] == f'/query?a=1&token={token}&b=2'
    assert gate.get(f'/strip?a=1&token={token}&b=2').json()['target'] == '/strip?a=1&b=2'
    assert gate.get(f'/strip?token={token}').json()['target'] in ('/strip', '/strip?')
    assert gate.get(f'/strip?atoken=1&token={token}').json()['target'] == '/strip?atoken=1'


def test_two_different_tokens_are_400(gate, nobody, reader):
    one, two = nobody['token'], reader['token']
    assert gate.get('/many', one, headers={'Authorization': f'Bearer {two}'}).status_code == 400
    assert gate.get(f'/many?token={two}', one).status_code == 400
    assert gate.get(f'/many?token={one}&token={two}').status_code == 400
    assert gate.get('/many', one, headers={'Cookie': f'wazo-token={two}'}).status_code == 400
    status, body = gate.raw('/', f'X-Auth-Token: {one}', f'X-Auth-Token: {two}')
    assert status == 400
    assert one not in body and two not in body


# -- identity ----------------------------------------------------------------------------------------------------------

IDENTITY = ('wazo-user-uuid', 'wazo-token-tenant-uuid', 'wazo-session-uuid')


def test_identity_headers_tell_who_asks(gate, nobody):
    seen = gate.get('/', nobody['token']).json()
    assert [seen['headers'][name] for name in IDENTITY] == [
        nobody['user_uuid'],
        nobody['tenant_uuid'],
        nobody['session_uuid'],
    ]


FORGED = [
    'Wazo-User-UUID: forged',
    'WAZO-TOKEN-TENANT-UUID: forged',
    'wazo-session-uuid: forged',
    'Wazo-User-UUID: forged',
    'Wazo_User_UUID: forged',
    'Wazo-User_UUID: forged',
    'Wazo_Session_UUID: forged',
]


@pytest.mark.parametrize('target', ['/', '/read', '/either', '/tried', '/failed', '/named'])
def test_a_clients_own_identity_is_replaced(gate, reader, target):
    status, text = gate.raw(target, header(reader), *FORGED)
    assert status == 200
    assert 'forged' not in text
    assert reader['user_uuid'] in text


def test_identity_headers_stand_once(gate, reader):
    for target in ('/', '/tried', '/failed', '/named'):
        names = gate.get(target, reader['token'], headers={'Wazo-User-UUID': 'forged'}).json()['names']
        assert [names.count(name) for name in IDENTITY] == [1, 1, 1], target


def test_without_identity_a_clients_own_is_still_cleared(gate, nobody):
    status, text = gate.raw('/silent', header(nobody), *FORGED)
    assert status == 200
    assert 'wazo-user-uuid' not in text and 'forged' not in text


def test_what_is_let_through_has_no_identity(gate):
    origin = ['Origin: http://a.example', 'Access-Control-Request-Method: GET']
    for target, method, lines in (('/local', 'GET', []), ('/preflight', 'OPTIONS', origin)):
        status, text = gate.raw(target, *lines, *FORGED, method=method)
        assert status == 200, target
        assert 'forged' not in text, target


def test_a_token_without_user_has_no_user_header(gate, psql, insert_token):
    token = insert_token(auth_id='wazo-auth', metadata={'uuid': None})
    status, text = gate.raw('/', header(token), *FORGED)
    assert status == 200
    assert 'forged' not in text and 'wazo-user-uuid' not in text
    assert token['tenant_uuid'] in text


def test_an_ungated_location_is_left_alone(gate):
    status, text = gate.raw('/untouched', *FORGED)
    assert (status, 'forged' in text) == (200, True)


def test_an_ungated_location_with_identity_forwards_no_forged_one(gate):
    status, text = gate.raw('/off', *FORGED)
    assert (status, 'forged' in text) == (200, False)


# -- paths -------------------------------------------------------------------------------------------------------------

UNSAFE = [
    '/a%2fb',
    '/a%2Fb',
    '/a%5cb',
    '/a%5Cb',
    '/a\\b',
    '/a//b',
    '//a',
    '/a/',
    '/a/./b',
    '/a/../b',
    '/a/..',
    '/a/.',
    '/a/%2e%2e/b',
    '/a/%2E%2e/b',
    '/a/.%2e/b',
    '/a/%2e/b',
    '/a/%2e',
    '/..%2fa',
    '/a%00b',
    '/a/..?x',
    '/./',
]
UNSAFE.remove('/a/')
# Servers in Java read a segment up to its first ';'.
UNSAFE += [
    '/a/..;/b',
    '/a/..;x=1/b',
    '/a/%2e%2e;/b',
    '/a/..%3b/b',
    '/a/..%3B/b',
    '/a/.;/b',
    '/a/.;..',
    '/a;/../b',
    '/a/;/b',
    '/a/;x/b',
    '/;/a',
    '/a/%3Bx/b',
    '/..;',
    '/a/..;b;c/d',
]


@pytest.mark.parametrize('target', UNSAFE)
def test_ambiguous_paths_are_400(gate, nobody, target):
    status, _ = gate.raw(target, header(nobody))
    assert status == 400


@pytest.mark.parametrize(
    'target',
    [
        '/a/',
        '/a.b',
        '/a/...',
        '/..a/b..',
        '/.well-known/x',
        '/a?x=%2f..//\\',
        '/a%20b',
        '/%41',
        '/users/me;x=1',
        '/a;/b',
        '/a;x/b;y=..',
        '/a?;/..;/',
        '/a/...;/b',
        '/a%3b',
    ],
)
def test_ordinary_paths_pass_untouched(gate, nobody, target):
    status, text = gate.raw(target, header(nobody))
    assert status == 200
    assert f'"target": "{target}"'.replace('\\', '\\\\') in text


def test_one_user_can_not_borrow_another_ones_path(gate, insert_token):
    token = insert_token(acl=['confd.users.me.read'])
    for target in (
        f"/users/other%2f..%2f{token['user_uuid']}/x",
        f"/users/{token['user_uuid']}/..%2fother/x",
        f"/users/{token['user_uuid']}/../other/x",
        f"/users/{token['user_uuid']}%2f..%2fother/x",
    ):
        assert gate.raw(target, header(token))[0] == 400


@pytest.mark.parametrize('target', ['/loose/a%2fb', '/loose/a//b', '/loose/a/%2e/b'])
def test_loose_paths(gate, nobody, target):
    assert gate.raw(target, header(nobody))[0] == 200


def test_paths_are_refused_without_a_token_too(gate):
    assert gate.raw('/a%2fb')[0] in (400, 401)


# -- preflights --------------------------------------------------------------------------------------------------------


PREFLIGHT = {'Origin': 'http://a.example', 'Access-Control-Request-Method': 'PUT'}


def test_preflights_pass_unless_the_directive_says_no(gate, nobody):
    """Browsers send no token with them, and the daemons want none."""
    for target in ('/', '/read', '/verb', '/preflight'):
        answer = gate.options(target, headers=PREFLIGHT | {'Wazo-User-UUID': nobody['user_uuid']})
        assert answer.status_code == 200
        assert (answer.json()['method'], answer.headers['X-Status']) == ('OPTIONS', 'preflight')
        assert 'wazo-user-uuid' not in answer.json()['headers']
    assert gate.options('/no-preflight', headers=PREFLIGHT).status_code == 401
    assert gate.options('/no-preflight', nobody['token'], headers=PREFLIGHT).status_code == 200


def test_what_is_no_preflight_needs_a_token(gate, nobody):
    for name in PREFLIGHT:
        partial = {key: value for key, value in PREFLIGHT.items() if key != name}
        assert gate.options('/preflight', headers=partial).status_code == 401
    assert gate.get('/preflight', headers=PREFLIGHT).status_code == 401
    assert gate.get('/preflight', nobody['token'], headers=PREFLIGHT).status_code == 200


@pytest.mark.parametrize(
    'more',
    [
        ['X-HTTP-Method-Override: DELETE'],
        ['X-HTTP-Method: DELETE'],
        ['x-method-override: DELETE'],
        ['Upgrade: websocket', 'Connection: upgrade', 'Sec-WebSocket-Key: x', 'Sec-WebSocket-Version: 13'],
        ['Content-Length: 2', '', '{}'],
        ['Transfer-Encoding: chunked', '', '2', '{}', '0', ''],
    ],
    ids=lambda lines: lines[0],
)
def test_a_preflight_asks_for_nothing_else(gate, nobody, more):
    """What an upstream could take for another request isn't let through as one."""
    lines = [f'{name}: {value}' for name, value in PREFLIGHT.items()]
    assert gate.raw('/preflight', *lines, method='OPTIONS')[0] == 200
    assert gate.raw('/preflight', *lines, *more, method='OPTIONS')[0] == 401
    if 'Upgrade: websocket' not in more:
        assert gate.raw('/preflight', *lines, header(nobody), *more, method='OPTIONS')[0] == 200


# -- tenants -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def tenants(psql, api):
    """master > parent > child, and other."""
    made = {'master': psql('SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid')}
    for name, parent in (('parent', 'master'), ('child', 'parent'), ('other', 'master')):
        made[name] = str(uuid.uuid4())
        psql(
            f"INSERT INTO auth_tenant (uuid, slug, name, parent_uuid) VALUES ('{made[name]}', "
            f"'{uuid.uuid4().hex[:10]}', '{name}', '{made[parent]}')"
        )
    yield made
    for name in ('child', 'other', 'parent'):
        psql(f"DELETE FROM auth_tenant WHERE uuid = '{made[name]}'")


@pytest.mark.parametrize(
    'own, asked, status',
    [
        ('parent', None, 200),
        ('parent', 'parent', 200),
        ('parent', 'child', 200),
        ('parent', 'other', 401),
        ('parent', 'master', 401),
        ('child', 'parent', 401),
        ('master', 'child', 200),
        ('master', 'master', 200),
    ],
)
def test_the_tenant_must_be_in_the_tokens_subtree(gate, insert_token, tenants, own, asked, status):
    token = insert_token(tenant_uuid=tenants[own])['token']
    headers = {'Wazo-Tenant': tenants[asked]} if asked else {}
    for _ in range(2):
        answer = gate.get('/tenant', token, headers=headers)
        assert answer.status_code == status, answer.text
        if status == 401:
            assert answer.json()['error_id'] == 'unauthorized-tenant'
            assert answer.json()['details'] == {'tenant_uuid': tenants[asked]}
    assert gate.get('/', token, headers=headers).status_code == 200


@pytest.mark.parametrize('asked', ['garbage', '3b8d9c52-0f1e-4e83-9f0b-6a54c5f7d210', "' OR 1=1 --"])
def test_an_unknown_tenant_is_refused(gate, insert_token, tenants, asked):
    token = insert_token(tenant_uuid=tenants['parent'])['token']
    assert gate.get('/tenant', token, headers={'Wazo-Tenant': asked}).status_code == 401


def test_an_empty_tenant_header_is_none(gate, insert_token, tenants):
    token = insert_token(tenant_uuid=tenants['parent'])['token']
    assert gate.get('/tenant', token, headers={'Wazo-Tenant': ''}).status_code == 200


# -- beside other modules ----------------------------------------------------------------------------------------------


def test_satisfy(gate, nobody):
    assert gate.get('/either', nobody['token']).status_code == 200
    assert gate.get('/either').status_code in (401, 403)
    assert gate.get('/local').status_code == 200
    assert gate.get('/local', nobody['token']).status_code == 200
    assert gate.get('/both', nobody['token']).status_code == 403
    assert gate.get('/both').status_code in (401, 403)


@pytest.mark.parametrize('target', ['/rewritten', '/tried', '/failed', '/named'])
def test_an_internal_redirect_is_judged_by_where_it_leads(gate, reader, nobody, target):
    assert gate.get(target, reader['token']).status_code == 200
    assert gate.get(target, nobody['token']).status_code == 403
    assert gate.get(target).status_code == 401


def test_an_administrators_own_page_is_shown(gate, reader, nobody):
    for token, status in (None, 401), (nobody['token'], 403):
        for _ in range(3):  # the connection is kept: the length has to be right
            answer = gate.get('/paged', token)
            assert (answer.status_code, answer.text) == (status, "<p>an administrator's page</p>")
            assert answer.headers['Content-Type'] == 'text/html'
    assert gate.get('/paged', reader['token']).status_code == 200


@pytest.mark.parametrize('target', ['/conditional', '/conditional?x=1'])
def test_a_condition_in_a_location_changes_nothing(gate, reader, nobody, target):
    assert gate.get(target, reader['token']).status_code == 200
    assert gate.get(target, nobody['token']).status_code == 403
    assert gate.get(target).status_code == 401


# -- variables and counters --------------------------------------------------------------------------------------------


def test_variables(gate, reader):
    answer = gate.get(f"/variables?a=1&token={reader['token']}&b=2", reader['token'])
    assert answer.headers['X-Required'] == 'confd.users.read'
    assert reader['token'] not in answer.headers['X-Request']
    assert answer.headers['X-Request'].startswith('GET /variables?a=1&token=XXXXXXXX-XXXX-XXXX-XXXX-XXXX')
    assert answer.headers['X-Request'].endswith(f"{reader['token'][-8:]}&b=2 HTTP/1.1")


def test_identity_variables(nginx, stack, reader, insert_token, wait_until):
    token = insert_token()
    assert nginx.gate.get('/', token['token']).status_code == 200
    # nginx writes the line after the answer.
    wait_until(
        lambda: any(
            token['user_uuid'] in line and '"GET / HTTP/1.1" 200' in line
            for line in nginx.access_log.read_text().splitlines()
        ),
        5,
    )


def test_the_status_variable(gate, reader, nobody):
    gate.get('/read', reader['token'])
    assert gate.get('/read', reader['token']).headers['X-Status'] == 'hit'
    assert gate.get('/read', nobody['token']).headers['X-Status'] == 'denied'


def test_metrics(nginx, metrics, insert_token):
    token = insert_token()['token']
    before = metrics(nginx)
    for _ in range(5):
        assert nginx.gate.get('/', token).status_code == 200
    assert nginx.gate.get('/read', token).status_code == 403
    after = metrics(nginx)
    grown = {name for name, value in after.items() if value > before.get(name, 0)}
    assert any('hit' in name for name in grown), sorted(after)
    assert any('denied' in name for name in grown), sorted(after)
