"""Where we are stricter than the Python daemon (docs/differences.md).

What stands here has no better place. Elsewhere:
  a deleted user's tokens        test_users: deletion_takes_tokens_along; test_revocation: everywhere_at_once_and_for_ever
  refresh tokens and renames     test_refresh_tokens: a_rename_changes_nothing
  read-only policies             test_policies: read_only_is_read_only
  GET /config masks, PATCH       test_config_api: get_masks_secrets, patch_refuses
  links in mails, single use     test_registration: no_header_chooses_the_host_of_the_link, the_link_confirms_once
  one request, one transaction   test_registration: a_taken_login_leaves_nothing; test_idp: all_or_none
  events after the commit        test_events: whoever_hears_of_it_can_see_it, what_is_rolled_back_is_not_told; test_faults
  limits count live sessions     test_tokens: the_limit_counts_live_sessions
  logs                           test_logs: nothing_of_ours_in_a_debug_log, logins, users, refresh_tokens
  starts that are repaired       test_seed: a_tenant_without_all_users_group_is_repaired, a_shared_default_policy_starts_twice
  keys with an apostrophe        unit/test_config: both_spellings
  forwarded addresses            test_tokens: only_a_trusted_proxy_is_believed
  !exec                          test_directives: exec_*
"""
import json
import uuid

import pytest

from support.checks import UNKNOWN, label

NEW = '00000000-0000-4000-8000-0000000000ff'  # of what a hostile body may have made
SECRET = 'strict-password-1'


# -- the caller's own tenant and those below ---------------------------------------------------------------------------


@pytest.fixture(scope='module')
def victims(create):
    """Things of the master tenant."""
    user = create('/users', username=label(), password=SECRET, email_address=f'{label()}@example.com')
    return {
        'user': user['uuid'],
        'email': user['emails'][0]['uuid'],
        'policy': create('/policies', name=label())['uuid'],
        'group': create('/groups', name=label())['uuid'],
        'tenant': create('/tenants', domain_names=[f'{label()}.com'])['uuid'],
    }


@pytest.fixture(scope='module')
def stranger(api, admin_token, create, make_user, insert_token):
    """Somebody with every access whose tenant lies elsewhere, and what is his."""
    tenant = create('/tenants')['uuid']
    here = {'Wazo-Tenant': tenant}
    user = make_user(headers=here)['uuid']
    return {
        'token': insert_token(acl=['#'], user_uuid=user, tenant_uuid=tenant)['token'],
        'user': user,
        'policy': api.post('/policies', admin_token, json={'name': label()}, headers=here).json()['uuid'],
    }


PASSWORDS = {'old_password': SECRET, 'new_password': 'strict-password-2'}


@pytest.mark.parametrize(
    'method, path, body, unknown',
    [
        ('PUT', '/users/{user}/emails', {'emails': []}, 'user'),
        ('PUT', '/admin/users/{user}/emails', {'emails': []}, 'user'),
        ('GET', '/users/{user}/emails/{email}/confirm', None, 'user'),
        ('GET', '/emails/{email}/confirm', None, 'email'),
        ('PUT', '/emails/{email}/confirm', {}, 'email'),
        ('PUT', '/users/{user}/password', PASSWORDS, 'user'),
        ('PUT', '/users/{user}/policies/{own_policy}', {}, 'user'),
        ('DELETE', '/users/{user}/policies/{own_policy}', None, 'user'),
        ('GET', '/tenants/{tenant}/domains', None, 'tenant'),
    ],
)
def test_what_is_elsewhere_is_unknown(api, victims, stranger, psql, method, path, body, unknown):
    """The reference checks no tenancy in these operations."""
    psql(f"UPDATE auth_email SET confirmed = false WHERE uuid = '{victims['email']}'")
    path = path.format(own_policy=stranger['policy'], **victims)
    answer = api.request(method, path, stranger['token'], json=body)
    assert answer.status_code == 404, answer.text
    problem = answer.json()
    assert (problem['error_id'], problem['resource']) == (f'unknown-{unknown}', f'{unknown}s')
    assert problem['details'] == {'uuid': victims[unknown]}
    assert psql(f"SELECT confirmed FROM auth_email WHERE uuid = '{victims['email']}'") == 'f'
    assert psql(f"SELECT count(*) FROM auth_user_policy WHERE user_uuid = '{victims['user']}'") == '0'


def test_policies_elsewhere_are_unknown(api, victims, stranger, psql):
    path = f"/users/{stranger['user']}/policies/{victims['policy']}"
    for method in (api.put, api.delete):
        answer = method(path, stranger['token'])
        assert answer.status_code == 404
        assert answer.json()['reason'] == [f"No such policy {{'uuid': '{victims['policy']}'}}"]
    assert psql(f"SELECT count(*) FROM auth_user_policy WHERE user_uuid = '{stranger['user']}'") == '0'


@pytest.mark.parametrize('path', ['/users/{user}/policies', '/groups/{group}/users'])
def test_lists_of_what_is_elsewhere_are_empty(api, admin_token, victims, stranger, path):
    """As those of something that isn't there at all."""
    assert api.put(f"/groups/{victims['group']}/users/{victims['user']}", admin_token).status_code == 204
    answer = api.get(path.format(**victims), stranger['token'])
    assert (answer.status_code, answer.json()) == (200, {'items': [], 'total': 0, 'filtered': 0})


# -- one request, one transaction --------------------------------------------------------------------------------------


def test_what_fails_late_leaves_nothing(api, admin_token, create, psql):
    taken, name = create('/tenants', domain_names=[f'{label()}.com'])['domain_names'], label()
    tenant = create('/tenants', name=name, phone='1')
    too_long = ''.join(uuid.uuid4().hex for _ in range(300))
    policy = create('/policies', name=name, acl=['a'])
    for method, path, body, status in (
        ('POST', '/tenants', {'name': f'new-{name}', 'domain_names': taken}, 409),
        ('PUT', f"/tenants/{tenant['uuid']}", {'name': f'new-{name}', 'domain_names': taken}, 409),
        ('POST', '/policies', {'name': f'new-{name}', 'acl': ['b', too_long]}, 400),
        ('PUT', f"/policies/{policy['uuid']}", {'name': f'new-{name}', 'acl': ['b', too_long]}, 400),
    ):
        assert api.request(method, path, admin_token, json=body).status_code == status
    for table in ('auth_tenant', 'auth_policy', 'auth_group'):
        assert psql(f"SELECT count(*) FROM {table} WHERE name = 'new-{name}'") == '0'
    assert api.get(f"/tenants/{tenant['uuid']}", admin_token).json() == tenant
    assert api.get(f"/policies/{policy['uuid']}", admin_token).json() == policy


# -- no input makes a 500 ----------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def targets(create):
    """One of each, to be spoilt."""
    user = create('/users', username=label(), password=SECRET)
    return {
        'user': user['uuid'],
        'group': create('/groups', name=label())['uuid'],
        'policy': create('/policies', name=label())['uuid'],
        'tenant': create('/tenants')['uuid'],
    }


USER = {'firstname': 'a', 'lastname': 'b', 'purpose': 'user', 'authentication_method': 'native', 'enabled': True}
TENANT = {
    'uuid': NEW,
    'name': 'n',
    'contact': UNKNOWN,
    'phone': '1',
    'default_authentication_method': 'native',
    'domain_names': ['a.com'],
    'address': {'city': 'c', 'zip_code': 'z'},
}
POLICY = {'name': 'n', 'slug': 's', 'description': 'd', 'acl': ['a'], 'shared': False}
LOGIN = {
    'backend': 'b',
    'expiration': 1,
    'access_type': 'offline',
    'client_id': 'c',
    'refresh_token': 'r',
    'saml_session_id': 's',
    'domain_name': 'd',
    'tenant_id': 't',
}
EMAILS = {'emails': [{'address': 'a@example.com', 'main': True, 'confirmed': True}]}
BODIES = [
    ('POST', '/token', LOGIN),
    ('POST', '/token/' + UNKNOWN + '/scopes/check', {'scopes': ['a'], 'tenant_uuid': 't'}),
    ('POST', '/token/{token}/scopes/check', {'scopes': ['a'], 'tenant_uuid': 't'}),
    ('POST', '/users', {**USER, 'username': 'u', 'uuid': NEW, 'email_address': 'a@example.com', 'password': SECRET}),
    ('PUT', '/users/{user}', {**USER, 'username': 'u'}),
    ('PUT', '/users/{user}/password', PASSWORDS),
    ('PUT', '/users/{user}/emails', EMAILS),
    ('PUT', '/admin/users/{user}/emails', EMAILS),
    ('POST', '/groups', {'name': 'n', 'slug': 's'}),
    ('PUT', '/groups/{group}', {'name': 'n'}),
    ('POST', '/policies', POLICY),
    ('PUT', '/policies/{policy}', POLICY),
    ('POST', '/tenants', {**TENANT, 'slug': 's'}),
    ('PUT', '/tenants/{tenant}', TENANT),
    ('PUT', '/idp/native/users', {'users': [{'uuid': UNKNOWN}]}),
    ('PATCH', '/config', {'op': 'replace', 'path': '/debug', 'value': True}),
]
# As JSON: Python can't say all of them.
VALUES = [
    'null',
    'true',
    '-1',
    '1e400',
    '1' * 400,
    '-0.0',
    '9223372036854775808',
    'NaN',
    '""',
    '"\\u0000"',
    '"nul\\u0000@b.com"',
    '"\\ud800"',
    '"\\ud83d"',
    '"\\ude00\\ud83d"',
    '"' + 'x' * 20000 + '"',
    '"' + '\\u20ac' * 300 + '"',
    '"%s"',
    '"\\ufffe@\\uffff.com"',
    '[]',
    '[[]]',
    '[null]',
    '["\\u0000"]',
    '["\\ud800"]',
    '{}',
    '{"uuid": "\\u0000"}',
    '{"\\u0000": 1}',
    '{"\\ud800": 1}',
    '[{"uuid": "\\u0000", "address": "\\u0000"}]',
    '[{"address": "a@example.com", "main": 9e999}]',
    '[' * 3000 + ']' * 3000,
    '{"a":' * 3000 + '1' + '}' * 3000,
]


@pytest.mark.parametrize('method, path, body', BODIES, ids=[f'{method} {path}' for method, path, _ in BODIES])
def test_bodies(api, admin_token, insert_token, targets, method, path, body):
    path = path.format(token=insert_token(acl=['a'])['token'] if '{token}' in path else '', **targets)
    spoilt = list(VALUES)
    for field in body:
        rest = ''.join(f', {json.dumps(key)}: {json.dumps(value)}' for key, value in body.items() if key != field)
        spoilt += [f'{{{json.dumps(field)}: {value}{rest}}}' for value in VALUES]
        spoilt += [f'{{{rest[2:]}}}']  # without it
    if method == 'PATCH':
        spoilt += [f'[{text}]' for text in spoilt]
    for text in spoilt:
        # Nobody logs in here: that would only cost time.
        answer = api.request(method, path, admin_token, data=text.encode())
        assert answer.status_code < 500, (text[:200], answer.text)
        if answer.status_code >= 400:
            assert answer.headers['Content-Type'] == 'application/json'
            answer.json()


@pytest.mark.parametrize(
    'data',
    [
        b'',
        b'\x00',
        b'\xff\xfe',
        b'\xef\xbb\xbf',
        b'\xed\xa0\x80',
        b'"\xed\xa0\x80"',
        b'{"username": "\x00"}',
        b'{"a": 1e',
        b'[' * 100000,
        b'{"a":' * 100000,
        '{}'.encode('utf-16'),
        '{"username": "\ud800"}'.encode('utf-16', 'surrogatepass'),
        b'{} {}',
    ],
)
def test_what_is_hardly_json(api, admin_token, targets, data):
    for method, path, _ in BODIES:
        answer = api.request(method, path.format(token=UNKNOWN, **targets), admin_token, data=data)
        assert answer.status_code < 500, (method, path, answer.text)


LISTS = [
    '/users',
    '/groups',
    '/policies',
    '/tenants',
    '/sessions',
    '/tokens',
    '/users/me/tokens',
    '/users/{user}/tokens',
    '/users/{user}/sessions',
    '/users/{user}/groups',
    '/users/{user}/policies',
    '/groups/{group}/users',
    '/groups/{group}/policies',
    '/tenants/{tenant}/domains',
    '/idp',
]
PARAMETERS = [
    'order',
    'direction',
    'limit',
    'offset',
    'search',
    'recurse',
    'uuid',
    'uuids',
    'name',
    'slug',
    'username',
    'firstname',
    'lastname',
    'purpose',
    'email_address',
    'user_uuid',
    'group_uuid',
    'tenant_uuid',
    'policy_uuid',
    'policy_slug',
    'has_policy_uuid',
    'has_policy_slug',
    'read_only',
    'domain_name',
    'client_id',
    'mobile',
    'created_at',
]


@pytest.mark.parametrize('path', LISTS)
def test_parameters_of_lists(api, admin_token, targets, path):
    path = path.format(**targets)
    for name in PARAMETERS:
        for value in (
            '',
            '%00',
            '%ff',
            '%ed%a0%80',
            '9223372036854775807',
            '9223372036854775808',
            '-9223372036854775809',
            '1' * 400,
            '1e5',
            'NaN',
            'x',
            "'",
            '%25',
            '%5C',
            'true',
            '0',
            '0001-01-01',
            '999999-01-01',
            'infinity',
            'x' * 3000,
            '{}',
        ):
            answer = api.get(f'{path}?{name}={value}', admin_token)
            assert answer.status_code < 500, (name, value, answer.text)
            answer.json()


@pytest.mark.parametrize(
    'value', ['%ff', '%ed%a0%80', 'x' * 3000, '%25', '%5C', "'", '%E2%82%AC', '%7B%7D', '%F0%9F%98%80', '.', '%2e%2e']
)
def test_texts_in_paths(api, admin_token, targets, value):
    for method, path in (
        ('GET', '/policies/{}'),
        ('PUT', '/policies/{}'),
        ('DELETE', '/policies/{}'),
        ('PUT', '/policies/{}/acl/{}'),
        ('PUT', '/policies/{policy}/acl/{}'),
        ('DELETE', '/policies/{policy}/acl/{}'),
        ('PUT', '/users/{user}/policies/{}'),
        ('DELETE', '/groups/{group}/policies/{}'),
        ('DELETE', '/users/me/tokens/{}'),
        ('DELETE', '/users/{user}/tokens/{}'),
        ('PUT', '/idp/{}/users'),
        ('PUT', '/idp/{}/users/{user}'),
        ('GET', '/token/{}'),
        ('GET', '/token/' + UNKNOWN + '?scope={}&tenant={}'),
    ):
        for name in ('user', 'group', 'policy'):
            path = path.replace('{' + name + '}', targets[name])
        answer = api.request(method, path.replace('{}', value), admin_token, data='{"name": "n"}')
        assert answer.status_code < 500, (method, path, answer.text)


def test_headers(api, admin_token):
    for name, value in (
        ('Wazo-Tenant', b'\xff'),
        ('Wazo-Tenant', b'x' * 3000),
        ('X-Auth-Token', b'\xff\xfe'),
        ('X-Auth-Token', b"'"),
        ('X-Forwarded-For', b'\xff'),
        ('User-Agent', b'\xff\xfe'),
        ('Wazo-Session-Type', b'\xff'),
        ('Authorization', b'Basic ====='),
        ('Authorization', b'Basic ' + b'A' * 3000),
        ('Authorization', b'Basic gICAOoA='),
        ('Authorization', b'Basic AAA6AAA='),
        ('Origin', b'\xff'),
        ('Content-Type', b'\xff'),
    ):
        for method, path in (('POST', '/token'), ('GET', '/users'), ('POST', '/users')):
            headers = {'X-Auth-Token': admin_token, name: value}
            answer = api.request(method, path, headers=headers, data='{"purpose": 1}')
            assert answer.status_code < 500, (name, value, answer.text)


# -- who may say where we are ------------------------------------------------------------------------------------------


def test_only_a_trusted_proxy_says_where_we_are(stack, api):
    claims = {'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'evil.example', 'X-Script-Name': '/evil'}
    trusting = api.get('//users', headers=claims)
    assert (trusting.status_code, trusting.headers['Location']) == (308, 'https://evil.example/evil/0.1/users')
    nginx = stack.new_nginx('strict', '', http='wazo_auth_trusted_proxies 192.0.2.1;')
    try:
        answer = nginx.api.get('//users', headers=claims)
        assert answer.status_code == 308
        assert answer.headers['Location'].startswith('http://')
        assert 'evil' not in answer.headers['Location']
    finally:
        nginx.stop()
