"""Logins with a password, and what can be asked about a token: docs/spec/endpoints.md section 4.

Each failed login comes from an address of its own, so that none slows down another: of those at one address the sixth
would have to wait.
"""
import ast
import base64
import datetime
import json
import math
import random
import re
import statistics
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.checks import NO_TOKEN, UNKNOWN, below, credentials, elsewhere, label, reason
from support.logs import SECRETS
from support.stack import GATED

TEN_YEARS = 10 * 365 * 86400


def seconds(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc).timestamp()


@pytest.fixture(scope='module')
def log_in(api):
    def log_in(auth=None, headers=None, client=api, data=None, **body):
        return client.post(
            '/token', auth=auth, headers=elsewhere() | (headers or {}), data=data, json=body if data is None else None
        )

    return log_in


@pytest.fixture(scope='module')
def user(make_user):
    return make_user(acl=['a.b', 'c.#', '!d'])


@pytest.fixture(scope='module')
def tenants(api, admin_token):
    """A tenant and one below it."""
    parent = api.post('/tenants', admin_token, json={}).json()['uuid']
    return parent, api.post('/tenants', admin_token, json={}, headers=below(parent)).json()['uuid']


@pytest.fixture(scope='module')
def own(new_nginx):
    """An nginx with nothing in its zone and no Redis, in another time zone, and with small limits."""
    return new_nginx(
        'tokens',
        GATED,
        redis=False,
        environment={'TZ': 'America/Toronto', 'XIVO_UUID': 'the-xivo'},
        settings={
            'max_user_concurrent_sessions': 3,
            'default_token_lifetime': 100,
            'purpose_metadata_mapping': {'user': ['user_admin_status']},
            'enabled_metadata_plugins': {'user_admin_status': True},
            'idp_plugins': {'ldap': {'enabled': False}},
        },
    )


# -- POST /token -------------------------------------------------------------------------------------------------------


def test_post_answers_the_whole_token(nginx, log_in, user, master, psql):
    xivo = nginx.extra_environment['XIVO_UUID']
    before = time.time()
    answer = log_in(credentials(user), headers={'User-Agent': 'Téléphone/1'.encode(), 'X-Forwarded-For': '192.0.2.7'})
    assert answer.status_code == 200
    assert answer.headers['Wazo-Sessions-Revoked'] == '0'
    token = answer.json()['data']
    times = {key: token[key] for key in ('issued_at', 'expires_at', 'utc_issued_at', 'utc_expires_at')}
    assert token == {
        'token': token['token'],
        'auth_id': user['uuid'],
        'xivo_user_uuid': user['uuid'],
        'xivo_uuid': xivo,
        **times,
        'acl': token['acl'],
        'metadata': {
            'uuid': user['uuid'],
            'tenant_uuid': master,
            'auth_id': user['uuid'],
            'pbx_user_uuid': user['uuid'],
            'xivo_uuid': xivo,
            'purpose': 'user',
        },
        'session_uuid': token['session_uuid'],
        'remote_addr': '192.0.2.7',
        'user_agent': 'Téléphone/1',
    }
    assert sorted(token['acl']) == ['!d', 'a.b', 'c.#']
    assert before - 1 <= seconds(times['utc_issued_at']) <= time.time() + 1
    assert seconds(times['utc_expires_at']) - seconds(times['utc_issued_at']) == pytest.approx(7200, abs=0.001)
    row = psql(
        "SELECT user_agent, remote_addr, refresh_token_uuid IS NULL, mobile, tenant_uuid, "
        "expire_t - issued_t FROM auth_token JOIN auth_session s ON s.uuid = session_uuid "
        f"WHERE auth_token.uuid = '{token['token']}'"
    )
    assert row == f'Téléphone/1|192.0.2.7|t|f|{master}|7200'


def test_get_shows_what_post_answered_in_whole_seconds(api, log_in, user):
    issued = log_in(credentials(user)).json()['data']
    shown = api.get(f"/token/{issued['token']}").json()['data']
    for key in ('issued_at', 'expires_at'):
        assert shown[key] == issued[key].split('.')[0]
        assert shown[f'utc_{key}'] == issued[f'utc_{key}'].split('.')[0] + '.000000'
        del issued[key], issued[f'utc_{key}'], shown[key], shown[f'utc_{key}']
    assert shown == issued


def test_local_times_and_the_platforms_uuid(own, log_in, make_user):
    token = log_in(credentials(make_user()), client=own.api).json()['data']  # not of `user`: sessions are few here
    offset = seconds(token['utc_issued_at']) - seconds(token['issued_at'])
    assert offset in (4 * 3600, 5 * 3600)
    assert seconds(token['utc_expires_at']) - seconds(token['expires_at']) in (4 * 3600, 5 * 3600)
    assert token['xivo_uuid'] == token['metadata']['xivo_uuid'] == 'the-xivo'
    assert own.api.get(f"/token/{token['token']}").json()['data']['issued_at'] == token['issued_at'].split('.')[0]


def test_the_default_lifetime_is_a_setting(own, make_user, make_token):
    token = make_token(make_user(), client=own.api)
    assert seconds(token['utc_expires_at']) - seconds(token['utc_issued_at']) == pytest.approx(100, abs=0.001)


def test_admin_status_is_in_the_metadata_when_configured(own, api, admin_token, make_user, make_token):
    plain, chief = make_user(), make_user()
    policies = api.get('/policies', admin_token, params={'slug': 'wazo_default_admin_policy'}).json()['items']
    policy = (
        policies[0]
        if policies
        else api.post('/policies', admin_token, json={'name': label('t'), 'slug': 'wazo_default_admin_policy'}).json()
    )
    api.put(f"/users/{chief['uuid']}/policies/{policy['uuid']}", admin_token)
    assert make_token(plain, client=own.api)['metadata']['admin'] is False
    assert make_token(chief, client=own.api)['metadata']['admin'] is True
    assert 'admin' not in make_token(chief)['metadata']


@pytest.mark.parametrize('purpose', ['internal', 'external_api'])
def test_only_users_are_users_of_the_pbx(make_user, make_token, purpose):
    token = make_token(make_user(purpose=purpose))
    assert (token['metadata']['purpose'], token['metadata']['pbx_user_uuid'], token['xivo_user_uuid']) == (
        purpose,
        None,
        None,
    )


def test_a_login_is_a_username_or_a_confirmed_address_in_any_case(log_in, make_user):
    mail = f"{label('t')}@Example.com"
    user = make_user(email_address=mail)
    for login in (user['username'], user['username'].upper(), mail, mail.lower(), mail.upper()):
        answer = log_in((login, user['password']))
        assert answer.status_code == 200, login
        assert answer.json()['data']['auth_id'] == user['uuid']
    assert reason(log_in((mail, user['password'] + '.')), 401) == 'Authentication Failed'


def test_an_unconfirmed_address_is_no_login(log_in, make_user, psql):
    mail = f"{label('t')}@example.com"
    user = make_user(email_address=mail)
    psql(f"UPDATE auth_email SET confirmed = false WHERE address = '{mail}'")
    assert log_in((mail, user['password'])).status_code == 401
    assert log_in(credentials(user)).status_code == 200


def test_passwords_are_compared_exactly(log_in, make_user):
    user = make_user(password='Pass: wörd 🔑')
    assert log_in(credentials(user)).status_code == 200
    for other in ('pass: wörd 🔑', 'Pass: wörd 🔑 ', 'Pass', 'Pass: wo\u0308rd 🔑'):
        assert reason(log_in((user['username'], other)), 401) == 'Authentication Failed'


def test_latin_1_credentials(log_in, make_user):
    user = make_user(username=f"é{label('t')}", password='wörd')
    assert log_in(tuple(part.encode('latin-1') for part in credentials(user))).status_code == 200


def test_whoever_fails_learns_nothing(log_in, api, admin_token, make_user, psql):
    disabled, without, other = make_user(), make_user(), make_user(authentication_method='ldap')
    assert (
        api.put(
            f"/users/{disabled['uuid']}", admin_token, json={'username': disabled['username'], 'enabled': False}
        ).status_code
        == 200
    )
    psql(f"UPDATE auth_user SET password_hash = NULL, password_salt = NULL WHERE uuid = '{without['uuid']}'")
    failures = [
        log_in((disabled['username'], 'wrong-password')),
        log_in((label('t'), disabled['password'])),
        log_in(('nul\0', 'wrong-password')),
        log_in(credentials(disabled)),
        log_in(credentials(without)),
        log_in(credentials(other)),
        log_in(),
    ]
    assert {reason(answer, 401) for answer in failures} == {'Authentication Failed'}
    assert not any(
        'WWW-Authenticate' in answer.headers or 'Wazo-Sessions-Revoked' in answer.headers for answer in failures
    )


def test_default_means_the_method_of_the_tenant(api, admin_token, log_in, make_user, tenants):
    user = make_user(headers=below(tenants[0]))
    native = make_user(headers=below(tenants[0]), authentication_method='native')
    for method, status in (('ldap', 401), ('native', 200)):
        changed = api.put(f'/tenants/{tenants[0]}', admin_token, json={'default_authentication_method': method})
        assert changed.status_code == 200
        assert log_in(credentials(user)).status_code == status
        assert log_in(credentials(native)).status_code == 200


@pytest.mark.parametrize(
    'header',
    [
        'Basic',
        'Basic ',
        'Basic !!!',
        'Basic a',
        'Basic YWJj',
        'Basic OnBhc3M=',
        'Basic bG9naW46',
        'Basic Og==',
        'Bearer x',
        'Digest x',
    ],
)
def test_an_unreadable_authorization_is_no_login(log_in, header):
    assert reason(log_in(headers={'Authorization': header}), 401) == 'Authentication Failed'


def test_how_basic_credentials_are_read(log_in, user):
    text = base64.b64encode(':'.join(credentials(user)).encode()).decode()
    for header, status in ((f'Basic {text}', 200), (f'Basic {text[:3]} *{text[3:]}', 200), (f'basic {text}', 401)):
        assert log_in(headers={'Authorization': header}).status_code == status, header[:8]


def test_a_token_header_is_no_login(api, admin_token):
    assert api.post('/token', admin_token, headers=elsewhere()).status_code == 401


@pytest.mark.parametrize(
    'value, lifetime',
    [
        (1, 1),
        (TEN_YEARS, TEN_YEARS),
        ('60', 60),
        (' +6_0 ', 60),
        (60.9, 60),
    ],
)
def test_expiration(log_in, user, psql, value, lifetime):
    token = log_in(credentials(user), expiration=value).json()['data']
    assert seconds(token['utc_expires_at']) - seconds(token['utc_issued_at']) == pytest.approx(lifetime, abs=0.001)
    assert psql(f"SELECT expire_t - issued_t FROM auth_token WHERE uuid = '{token['token']}'") == str(lifetime)


def check(message, constraint_id, constraint):
    return {'message': message, 'constraint_id': constraint_id, 'constraint': constraint}


NULL = check('Field may not be null.', 'not_null', 'not_null')
TEXT = check('Not a valid string.', 'type', 'string')
INTEGER = check('Not a valid integer.', 'type', 'integer')
RANGE = check(
    f'Must be greater than or equal to 1 and less than or equal to {TEN_YEARS}.', 'range', {'min': 1, 'max': TEN_YEARS}
)
LENGTH = check('Length must be between 1 and 1024.', 'length', {'min': 1, 'max': 1024})


@pytest.mark.parametrize(
    'body, errors',
    [
        ({'expiration': 0}, {'expiration': [RANGE]}),
        ({'expiration': -1}, {'expiration': [RANGE]}),
        ({'expiration': TEN_YEARS + 1}, {'expiration': [RANGE]}),
        ({'expiration': 2**70}, {'expiration': [RANGE]}),
        ({'expiration': True}, {'expiration': INTEGER}),
        ({'expiration': 'an hour'}, {'expiration': INTEGER}),
        ({'expiration': []}, {'expiration': INTEGER}),
        ({'expiration': None, 'backend': None}, {'backend': NULL, 'expiration': NULL}),
        ({'backend': 1}, {'backend': TEXT}),
        (
            {'access_type': 'on'},
            {'access_type': [check('Must be one of: online, offline.', 'enum', {'choices': ['online', 'offline']})]},
        ),
        ({'client_id': ''}, {'client_id': [LENGTH]}),
        (
            {'client_id': 'x' * 1025, 'saml_session_id': 'x' * 1025},
            {'client_id': [LENGTH], 'saml_session_id': [LENGTH]},
        ),
        ({'client_id': 'nul\0'}, {'client_id': TEXT}),
        (
            {'refresh_token': 1, 'tenant_id': 1, 'domain_name': []},
            {'refresh_token': TEXT, 'tenant_id': TEXT, 'domain_name': TEXT},
        ),
        (
            {'access_type': 'offline'},
            {'_schema': ['"client_id" must be specified when using "access_type" is "offline"']},
        ),
        (
            {
                'access_type': 'offline',
                'refresh_token': NO_TOKEN,
                'saml_session_id': 'x',
                'tenant_id': 't',
                'domain_name': 'd',
            },
            {
                '_schema': [
                    'cannot use the "access_type" "offline" with a refresh token',
                    '"tenant_id" and "domain_name" must be mutually exclusive',
                    '"client_id" must be specified when using a "refresh_token"',
                    'Cannot use a "saml_session_id" and a "refresh_token" at the same time',
                ]
            },
        ),
    ],
)
def test_post_names_all_that_is_wrong(log_in, admin, body, errors):
    answer = log_in((admin['username'], admin['password']), data=json.dumps(body))
    found = ast.literal_eval(reason(answer, 400))
    assert {key: sorted(value) if key == '_schema' else value for key, value in found.items()} == {
        key: sorted(value) if key == '_schema' else value for key, value in errors.items()
    }


@pytest.mark.parametrize('data', ['1', '"x"', '[1]', 'true'])
def test_post_refuses_what_is_no_object(log_in, data):
    assert ast.literal_eval(reason(log_in(data=data), 400)) == {'_schema': ['Invalid input type.']}


@pytest.mark.parametrize('data', ['', '{', '{} {}', b'\xff', '[' * 100000, '{"client_id": "\\ud800"}'])
def test_post_refuses_what_is_no_json(log_in, data):
    answer = log_in(data=data)
    assert answer.status_code == 400
    if list(answer.json()) != ['message']:
        assert data.startswith('{"client_id"') and 'client_id' in reason(answer, 400)


def test_post_refuses_a_form(log_in, user):
    for kind in ('application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'):
        answer = log_in(credentials(user), headers={'Content-Type': kind}, data='{}')
        assert (answer.status_code, list(answer.json())) == (400, ['message'])


@pytest.mark.parametrize('data', ['null', '[]', '""', '0', 'false', '{"backend": "other", "username": 1, "x": null}'])
def test_post_takes_any_empty_body_and_unknown_keys(log_in, user, data):
    assert log_in(credentials(user), headers={'Content-Type': 'text/plain'}, data=data).status_code == 200


def test_a_domain_or_a_tenant_asks_for_ldap(log_in, own, user, make_user, master):
    for body in ({'domain_name': 'example.com'}, {'tenant_id': master}, {'domain_name': ''}, {'tenant_id': ''}):
        assert log_in(credentials(user), **body).status_code in (401, 404), body
    assert log_in(credentials(user), tenant_id=master).status_code == 401
    # Without LDAP the password counts.
    assert log_in(credentials(make_user()), client=own.api, domain_name='example.com').status_code == 200


def test_a_saml_session_asks_for_saml(log_in, user):
    assert log_in(credentials(user), saml_session_id='x').status_code == 401
    assert log_in(credentials(user), saml_session_id='token-already-used').status_code == 401


@pytest.mark.parametrize('session_type, mobile', [('mobile', True), ('MOBILE', True), ('desktop', False), ('', False)])
def test_session_type(log_in, user, psql, session_type, mobile):
    token = log_in(credentials(user), headers={'Wazo-Session-Type': session_type}).json()['data']
    assert psql(f"SELECT mobile FROM auth_session WHERE uuid = '{token['session_uuid']}'") == 'ft'[mobile]


def test_only_a_trusted_proxy_is_believed(stack, user):
    nginx = stack.new_nginx('tokens-direct', '', http='wazo_auth_trusted_proxies 192.0.2.1;')
    token = nginx.api.post('/token', auth=credentials(user), headers=elsewhere()).json()['data']
    assert token['remote_addr'] == '127.0.0.1'
    nginx.stop()


def test_the_access_list_of_a_login(api, admin_token, make_user, make_token):
    user = make_user(acl=['own.access'])
    group = api.post('/groups', admin_token, json={'name': label('t')}).json()['uuid']
    policy = api.post('/policies', admin_token, json={'name': label('t'), 'acl': ['of.group']}).json()['uuid']
    api.put(f'/groups/{group}/policies/{policy}', admin_token)
    api.put(f"/groups/{group}/users/{user['uuid']}", admin_token)
    token = make_token(user)
    assert token['acl'] == ['of.group', 'own.access']
    assert api.delete(f'/groups/{group}', admin_token).status_code == 204
    # A token keeps what it was given.
    assert api.get(f"/token/{token['token']}").json()['data']['acl'] == ['of.group', 'own.access']
    assert make_token(user)['acl'] == ['own.access']


# -- the limit of sessions ---------------------------------------------------------------------------------------------


def test_the_limit_counts_live_sessions(own, log_in, make_user, make_token, insert_token):
    user = make_user()
    for _ in range(5):
        insert_token(user_uuid=user['uuid'], expiration=-2)
    insert_token(user_uuid=user['uuid'], expiration=None)
    kept = make_token(user, client=own.api)
    assert log_in(credentials(user), client=own.api).status_code == 200
    refused = log_in(credentials(user), client=own.api)
    assert reason(refused, 429) == f"User {user['uuid']} has exceeded the maximum number of active sessions"
    assert log_in((user['username'], 'wrong-password'), client=own.api).status_code == 401
    own.api.delete(f"/token/{kept['token']}")
    assert log_in(credentials(user), client=own.api).status_code == 200
    assert log_in(credentials(user), client=own.api).status_code == 429


def test_the_limit_comes_before_what_a_login_would_end(api, own, log_in, make_user, insert_token):
    user, mobile = make_user(), {'Wazo-Session-Type': 'mobile'}
    offline = {'access_type': 'offline', 'client_id': 'phone'}
    phone = log_in(credentials(user), headers=mobile, client=own.api, **offline).json()['data']
    for _ in range(2):
        insert_token(user_uuid=user['uuid'])
    assert log_in(credentials(user), headers=mobile, client=own.api, **offline).status_code == 429
    refresh = {'refresh_token': phone['refresh_token'], 'client_id': 'phone'}
    assert log_in(client=own.api, **refresh).status_code == 429
    assert api.head(f"/token/{phone['token']}").status_code == 204
    assert log_in(**refresh).status_code == 200


def test_the_limit_holds_for_logins_at_once(own, log_in, make_user):
    user = make_user()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: log_in(credentials(user), client=own.api).status_code, range(6)))
    assert sorted(answers) == [200] * 3 + [429] * 3


def test_whom_the_limit_spares(own, log_in, make_user, insert_token):
    internal = make_user(purpose='internal')
    version1 = make_user(uuid=str(uuid.uuid1()))
    external = make_user(purpose='external_api')
    for user, status in ((internal, 200), (version1, 200), (external, 429)):
        for _ in range(3):
            insert_token(user_uuid=user['uuid'])
        assert log_in(credentials(user), client=own.api).status_code == status


# -- GET, HEAD, DELETE /token/{t} --------------------------------------------------------------------------------------


def test_get_shows_the_token(api, insert_token, master):
    token = insert_token(acl=['a.b', 'é'], user_agent='Agent', remote_addr='192.0.2.9', expiration=60)
    shown = api.get(f"/token/{token['token']}")
    assert shown.headers['Content-Type'] == 'application/json'
    shown = shown.json()['data']
    assert 'refresh_token' not in shown
    assert shown == shown | {
        'token': token['token'],
        'auth_id': token['user_uuid'],
        'xivo_user_uuid': token['user_uuid'],
        'xivo_uuid': 'e2e',
        'acl': ['a.b', 'é'],
        'session_uuid': token['session_uuid'],
        'remote_addr': '192.0.2.9',
        'user_agent': 'Agent',
    }
    assert shown['metadata']['tenant_uuid'] == master
    assert seconds(shown['utc_expires_at']) == token['expire_t']
    assert api.get(f"/token/{token['token'].upper()}").json()['data'] == shown


def test_a_token_without_expiry_lives(api, insert_token):
    for expire_t in (None, 0):
        token = insert_token(expiration=None, expire_t=expire_t)['token']
        for _ in range(2):
            shown = api.get(f'/token/{token}').json()['data']
            assert (shown['expires_at'], shown['utc_expires_at']) == (None, None)
            assert api.head(f'/token/{token}').status_code == 204


def test_head_has_no_body(api, insert_token):
    token = insert_token(acl=['a'])['token']
    for path, status in ((token, 204), (f'{token}?scope=b', 403), (str(uuid.uuid4()), 404)):
        answer = api.head(f'/token/{path}')
        assert (answer.status_code, answer.text) == (status, '')


def test_unknown_and_expired_tokens(api, insert_token):
    expired = insert_token(expiration=-2)['token']
    for token in (expired, str(uuid.uuid4()), expired):
        assert reason(api.get(f'/token/{token}'), 404) == 'No such token'
        assert api.head(f'/token/{token}').status_code == 404
        assert reason(api.post(f'/token/{token}/scopes/check', json={'scopes': []}), 404) == 'No such token'


def test_a_token_ends_with_its_time_also_in_the_zone(api, insert_token, wait_until):
    token = insert_token(expiration=1)
    assert api.head(f"/token/{token['token']}").status_code == 204
    wait_until(lambda: api.head(f"/token/{token['token']}").status_code == 404, 4, interval=0.02)
    assert token['expire_t'] < time.time() < token['expire_t'] + 3
    assert reason(api.get(f"/token/{token['token']}"), 404) == 'No such token'


@pytest.mark.parametrize('path', ['x', UNKNOWN + '0', UNKNOWN[:-1], UNKNOWN + '/', UNKNOWN.replace('-', '%2d') + 'x'])
def test_what_is_no_uuid_is_no_route(api, path):
    answer = api.get(f'/token/{path}')
    assert answer.status_code == 404
    assert answer.headers['Content-Type'].startswith('text/html')


def test_delete_answers_success_whatever_there_was(api, insert_token):
    token, expired = insert_token()['token'], insert_token(expiration=-2)['token']
    for gone in (token, token, expired, str(uuid.uuid4())):
        answer = api.delete(f'/token/{gone}')
        assert (answer.status_code, answer.json()) == (200, {'data': {'message': 'success'}})


def test_a_deleted_token_is_gone_everywhere(api, api2, gate, gate2, insert_token, psql, wait_until):
    token = insert_token(acl=['#'])
    for ask in (api.head, api2.head):
        assert ask(f"/token/{token['token']}").status_code == 204
    assert gate2.get('/', token['token']).status_code == 200
    api.delete(f"/token/{token['token']}")
    assert api.head(f"/token/{token['token']}").status_code == 404
    assert gate.get('/', token['token']).status_code == 401
    wait_until(lambda: api2.head(f"/token/{token['token']}").status_code == 404, 2)
    assert gate2.get('/', token['token']).status_code == 401
    assert psql(f"SELECT count(*) FROM auth_session WHERE uuid = '{token['session_uuid']}'") == '0'


def test_a_session_stays_for_its_other_token(api, insert_token, psql):
    one = insert_token()
    other = insert_token(session_uuid=one['session_uuid'])
    sessions = f"SELECT count(*) FROM auth_session WHERE uuid = '{one['session_uuid']}'"
    api.delete(f"/token/{one['token']}")
    assert psql(sessions) == '1'
    assert api.head(f"/token/{other['token']}").status_code == 204
    api.delete(f"/token/{other['token']}")
    assert psql(sessions) == '0'


def test_a_deleted_users_tokens_are_gone(api, admin_token, make_user, make_token):
    user = make_user()
    token = make_token(user)['token']
    assert api.head(f'/token/{token}').status_code == 204
    assert api.delete(f"/users/{user['uuid']}", admin_token).status_code == 204
    assert api.head(f'/token/{token}').status_code == 404


# -- scope= and tenant= ------------------------------------------------------------------------------------------------


@pytest.fixture
def ask_both(api, own, metrics):
    """ask(path, ...): the answer that PostgreSQL makes and the one from the zone, which must agree.

    The token in the path is asked about for the first time on an nginx that knows nothing.
    """

    def ask(method, path, **options):
        first = own.api.request(method, path, **options)
        before = metrics(own)['wazo_auth_api_answers_total{kind="zone"}']
        second = own.api.request(method, path, **options)
        from_zone = metrics(own)['wazo_auth_api_answers_total{kind="zone"}'] - before
        elsewhere = api.request(method, path, **options)
        for other in (second, elsewhere):
            assert other.status_code == first.status_code
            assert other.headers.get('Content-Type') == first.headers.get('Content-Type')
            hide = [lambda text: re.sub(r'"timestamp": \[?[\d.]+', '', text), lambda text: text]
            if other is elsewhere and first.status_code == 200:
                hide[0] = lambda text: re.sub(r'("\w*(issued|expires)_at": )"[^"]*"', r'\1', text)
            assert hide[0](other.text) == hide[0](first.text)
        return first, from_zone

    return ask


@pytest.mark.parametrize(
    'scope, granted',
    [
        ('a.b', True),
        ('c.x.y', True),
        ('d', False),
        ('e', False),
        ('', False),
        ('c.%C3%A9+%2B', True),
        ('%00', False),
        ('c.' + 'x' * 1022, True),
        ('c.' + 'x' * 1023, True),
        ('e' * 1025, False),
        ('%FF', False),
        ('me.USER', True),
        ('me.me', True),
        ('me.other', False),
        ('c.%23', True),
    ],
)
def test_scope(ask_both, insert_token, scope, granted):
    token = insert_token(acl=['a.b', 'c.#', '!d', 'me.me'])
    scope = scope.replace('USER', token['user_uuid'])
    head, from_zone = ask_both('HEAD', f"/token/{token['token']}?scope={scope}")
    assert head.status_code == (204 if granted else 403)
    assert from_zone == (len(scope) <= 1024)


def test_a_refused_scope_is_named_in_ascii(ask_both, insert_token):
    token = insert_token(acl=['a'])['token']
    answer, from_zone = ask_both('GET', f'/token/{token}', params={'scope': 'fé.ß'})
    assert reason(answer, 403) == 'Unauthorized for fe.ss'
    assert from_zone == 1
    # The first of repeated parameters counts.
    assert ask_both('HEAD', f'/token/{token}?scope=a&scope=b')[0].status_code == 204


def test_get_is_the_same_from_everywhere(ask_both, insert_token):
    token = insert_token(acl=['a.b', 'é"\\', '!x'], metadata={'extra': ['é', None, 1.5]}, user_agent='"Ü"')['token']
    answer, from_zone = ask_both('GET', f'/token/{token}')
    assert answer.status_code == 200
    assert from_zone == 1
    assert answer.text.isascii() and answer.text.endswith('}\n')
    assert answer.json()['data']['metadata']['extra'] == ['é', None, 1.5]


def test_tenant(ask_both, make_user, insert_token, tenants, master):
    parent, child = tenants
    user = make_user(headers=below(parent))
    for tenant, visible in (
        (parent, True),
        (child, True),
        (master, False),
        (UNKNOWN, False),
        ('x', False),
        (parent.upper(), False),
        ('%00', False),
        ('', True),
    ):
        token = insert_token(user_uuid=user['uuid'], tenant_uuid=parent)['token']
        for method in ('HEAD', 'GET'):
            answer, _ = ask_both(method, f'/token/{token}?tenant={tenant}')
            assert answer.status_code == (403 if not visible else 204 if method == 'HEAD' else 200), tenant
        if tenant == master:
            assert reason(answer, 403) == f'Unauthorized for tenant {master}'


def test_the_master_tenant_sees_all(ask_both, make_user, insert_token, tenants, master):
    token = insert_token(user_uuid=make_user()['uuid'])['token']
    for tenant, status in ((master, 204), (tenants[1], 204), (UNKNOWN, 403)):
        assert ask_both('HEAD', f'/token/{token}?tenant={tenant}')[0].status_code == status


def test_the_scope_comes_before_the_tenant(ask_both, make_user, insert_token):
    token = insert_token(user_uuid=make_user()['uuid'])['token']
    answer, _ = ask_both('GET', f'/token/{token}?scope=x&tenant=y')
    assert reason(answer, 403) == 'Unauthorized for x'


def test_tenants_of_a_token_that_has_no_user(ask_both, insert_token):
    internal = insert_token(auth_id='wazo-auth', metadata={'uuid': None})['token']
    assert ask_both('HEAD', f'/token/{internal}?tenant={UNKNOWN}')[0].status_code == 204
    ownerless = insert_token()
    answer, _ = ask_both('GET', f"/token/{ownerless['token']}?tenant={UNKNOWN}")
    assert answer.status_code == 404
    assert (answer.json()['error_id'], answer.json()['details']) == ('unknown-user', {'uuid': ownerless['user_uuid']})


# -- POST /token/{t}/scopes/check --------------------------------------------------------------------------------------


def test_check_scopes(ask_both, insert_token):
    token = insert_token(acl=['a.b', 'c.#', '!c.d'])['token']
    answer, from_zone = ask_both(
        'POST', f'/token/{token}/scopes/check', json={'scopes': ['a.b', 'c.d', 'c.e', 'é', '', 'a.b', 'x' * 1024]}
    )
    assert answer.json() == {
        'scopes': {'a.b': True, 'c.d': False, 'c.e': True, 'é': False, '': False, 'x' * 1024: False}
    }
    assert from_zone == 1
    assert ask_both('POST', f'/token/{token}/scopes/check', json={'scopes': []})[0].json() == {'scopes': {}}
    long = 'c.' + 'x' * 5000
    answer, _ = ask_both('POST', f'/token/{token}/scopes/check', json={'scopes': [long], 'tenant_uuid': None})
    assert answer.json() == {'scopes': {long: True}}


LIST = check('Not a valid list.', 'type', 'list')
REQUIRED = check('Missing data for required field.', 'required', 'required')


@pytest.mark.parametrize(
    'body, errors',
    [
        ({}, {'scopes': REQUIRED}),
        ({'scopes': None}, {'scopes': NULL}),
        ({'scopes': 'a'}, {'scopes': LIST}),
        ({'scopes': ['a', 1, None]}, {'scopes': {1: TEXT, 2: NULL}}),
        ({'scopes': [], 'tenant_uuid': 1}, {'tenant_uuid': TEXT}),
    ],
)
def test_check_scopes_refuses(ask_both, insert_token, body, errors):
    for token in (insert_token()['token'], str(uuid.uuid4())):
        answer, _ = ask_both('POST', f'/token/{token}/scopes/check', json=body)
        assert ast.literal_eval(reason(answer, 400)) == errors


def test_check_scopes_refuses_what_is_no_json(ask_both, insert_token):
    token = insert_token()['token']
    assert ask_both('HEAD', f'/token/{token}')[0].status_code == 204
    for data, kind in (('', None), ('{', None), ('{"scopes": []}', 'application/x-www-form-urlencoded')):
        answer, _ = ask_both('POST', f'/token/{token}/scopes/check', data=data, headers={'Content-Type': kind})
        assert (answer.status_code, list(answer.json())) == (400, ['message'])
    answer, _ = ask_both('POST', f'/token/{token}/scopes/check', data='{"scopes": ["\\u0000"]}')
    assert answer.status_code == 400


def test_check_scopes_of_a_tenant(ask_both, make_user, insert_token, tenants, master):
    parent, child = tenants
    token = insert_token(acl=['a'], user_uuid=make_user(headers=below(parent))['uuid'], tenant_uuid=parent)['token']
    for tenant, status in ((parent, 200), (child, 200), (None, 200), ('', 200), (master, 403), ('x', 403)):
        answer, _ = ask_both('POST', f'/token/{token}/scopes/check', json={'scopes': ['a'], 'tenant_uuid': tenant})
        assert answer.status_code == status, tenant
    ownerless = insert_token()['token']
    answer, _ = ask_both('POST', f'/token/{ownerless}/scopes/check', json={'scopes': ['a'], 'tenant_uuid': UNKNOWN})
    assert (answer.status_code, answer.json()['error_id']) == (404, 'unknown-user')


# -- what guessing costs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize('at_once, rounds', [(1, 12), (8, 8)], ids=['alone', 'in batches'])
def test_failures_take_equally_long(log_in, make_user, psql, at_once, rounds):
    """Whoever measures can't tell whether there is such a login: by a t-test of pairs."""
    user, without = make_user(), make_user()
    psql(f"UPDATE auth_user SET password_hash = NULL, password_salt = NULL WHERE uuid = '{without['uuid']}'")
    logins = {'known': user['username'], 'unknown': label('t'), 'without a password': without['username']}

    def fail(login):
        assert log_in((login, SECRETS.new_password())).status_code == 401

    with ThreadPoolExecutor(at_once) as pool:

        def time_of(login):
            start = time.perf_counter()
            list(pool.map(fail, [login] * at_once))
            return time.perf_counter() - start

        time_of(user['username'])  # connections and threads are there from now on
        times = {kind: [] for kind in logins}
        for _ in range(rounds):
            for kind in random.sample(sorted(logins), len(logins)):
                times[kind].append(time_of(logins[kind]))
    for kind in 'unknown', 'without a password':
        ratios = [math.log(one / other) for one, other in zip(times[kind], times['known'])]
        t = statistics.mean(ratios) / (statistics.stdev(ratios) / math.sqrt(rounds))
        assert abs(t) < 6, (kind, t, times)
    # All of it was hashed.
    assert min(map(statistics.median, times.values())) > 0.03, times


def test_logins_of_all_kinds_in_one_batch_take_equally_long(log_in, make_user):
    """As many known as unknown ones, at the same moment."""
    user, nobody = make_user()['username'], label('t')
    known, unknown = [], []

    def fail(login):
        start = time.perf_counter()
        assert log_in((login, SECRETS.new_password())).status_code == 401
        (known if login == user else unknown).append(time.perf_counter() - start)

    with ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            logins = [user, nobody] * 4
            random.shuffle(logins)
            list(pool.map(fail, logins))
    spread = statistics.variance(known) / len(known) + statistics.variance(unknown) / len(unknown)
    t = (statistics.mean(known) - statistics.mean(unknown)) / math.sqrt(spread)
    assert abs(t) < 6, (t, known, unknown)
