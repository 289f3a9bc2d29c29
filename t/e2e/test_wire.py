"""Details of the wire that all operations share: headers sent twice, owners of lists, the tenant that a request names.

docs/spec/http-conventions.md sections 1, 8 and 9.
"""
import json
import uuid

import pytest

UNKNOWN = '00000000-0000-4000-8000-000000000000'
HEADERS = ('X-Auth-Token', 'Wazo-Tenant')


def within(tenant):
    return {'Wazo-Tenant': tenant}


@pytest.fixture(scope='module')
def tree(api, admin_token, make_user):
    """Tenant `a`, `below` it, and `b` beside it; what each of them has."""

    def made(path, tenant=None, **body):
        answer = api.post(path, admin_token, json=body, headers=within(tenant) if tenant else None)
        assert answer.status_code == 200, answer.text
        return answer.json()['uuid']

    tenants = {'a': made('/tenants'), 'b': made('/tenants')}
    tenants['below'] = made('/tenants', tenants['a'])
    has = {}
    for name, tenant in tenants.items():
        word = uuid.uuid4().hex[:12]
        has[name] = {
            'tenant': tenant,
            'user': make_user(headers=within(tenant))['uuid'],
            'group': made('/groups', tenant, name=word),
            'policy': made('/policies', tenant, name=word, slug=word),
            'slug': word,
        }
    return has


# -- headers sent twice ------------------------------------------------------------------------------------------------


@pytest.fixture
def raw(api, admin_token):
    """raw(*header lines) → (status, body) of GET /users by the administrator."""

    def send(*lines, target='/0.1/users', method='GET', token=True):
        own = [f'X-Auth-Token: {admin_token}'] if token else []
        status, body = api.raw(target, *own, *lines, method=method)
        return status, json.loads(body) if body else None

    return send


def test_two_different_tokens(raw, insert_token):
    other = insert_token(acl=['#'])['token']
    for lines in (
        [f'X-Auth-Token: {other}'],
        [f'x-auth-token: {UNKNOWN}'],
        ['X-Auth-Token:', f'X-AUTH-TOKEN: {other}'],
    ):
        for target in ('/0.1/users', '/0.1/idp', '/0.1/config', f'/0.1/users/{UNKNOWN}/policies'):
            status, body = raw(*lines, target=target)
            assert (status, body['error_id']) == (400, 'ambiguous-token')
            assert other not in json.dumps(body)


def test_two_different_tokens_end_no_saml_login(raw, insert_token):
    other = insert_token(acl=['#'])['token']
    status, body = raw(f'X-Auth-Token: {other}', target='/0.1/saml/logout')
    assert (status, body['error_id']) == (400, 'ambiguous-token')


def test_two_different_tenants(raw, tree):
    a, b = (within(tree[name]['tenant'])['Wazo-Tenant'] for name in 'ab')
    for lines in (
        [f'Wazo-Tenant: {a}', f'Wazo-Tenant: {b}'],
        [f'Wazo-Tenant: {b}', 'Wazo-Tenant:', f'wazo-tenant: {a}'],
    ):
        for target in ('/0.1/users', '/0.1/policies', f"/0.1/groups/{tree['a']['group']}", '/0.1/backends/ldap'):
            status, body = raw(*lines, target=target)
            assert (status, body['error_id']) == (400, 'ambiguous-tenant')
    # The token comes first, and who ignores the header goes on doing so.
    status, body = raw(f'Wazo-Tenant: {a}', f'Wazo-Tenant: {b}', f'X-Auth-Token: {UNKNOWN}', token=False)
    assert (status, body['error_id']) == (401, 'unauthorized')
    assert raw(f'Wazo-Tenant: {a}', f'Wazo-Tenant: {b}', target='/0.1/idp')[0] == 200


def test_the_same_twice_is_once(raw, tree, admin_token):
    tenant = tree['a']['tenant']
    same = [f'Wazo-Tenant: {tenant}', 'Wazo-Tenant:', f'Wazo-Tenant: {tenant}', f'X-Auth-Token: {admin_token}']
    status, body = raw('X-Auth-Token:', *same, 'X-Auth-Token:')
    assert status == 200
    assert [user['uuid'] for user in body['items']] == [tree['a']['user']]


def test_two_headers_do_not_matter_where_none_is_read(api, admin_token):
    lines = [f'{name}: {value}' for name in HEADERS for value in (admin_token, UNKNOWN)]
    assert api.raw('/0.1/backends', *lines)[0] == 200
    assert api.raw(f'/0.1/token/{admin_token}', *lines)[0] == 200


# -- owners of lists ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('value', ['', 'x', UNKNOWN, '{own}'])
@pytest.mark.parametrize(
    'path, owner',
    [
        ('/users/{user}/policies', 'user_uuid'),
        ('/users/{user}/groups', 'user_uuid'),
        ('/groups/{group}/users', 'group_uuid'),
        ('/groups/{group}/policies', 'group_uuid'),
    ],
)
def test_the_path_says_whose_list_it_is(api, admin_token, tree, path, owner, value):
    has = tree['a']
    path, value = path.format(**has), value.format(own=has[owner[:-5]])
    answer = api.get(f'{path}?{owner}={value}', admin_token)
    assert answer.status_code == 400
    problem = answer.json()
    assert (problem['error_id'], list(problem['message'])) == ('invalid-list-param', [owner])
    assert api.get(f'{path}?tenant_uuid=', admin_token).status_code == 200


# -- the tenant that a request names -----------------------------------------------------------------------------------

VISIBLE_FROM = {'a': {'a', 'below'}, 'b': {'b'}, 'below': {'below'}}
OPERATIONS = [
    ('GET', '/users/{user}'),
    ('GET', '/users/{user}/groups'),
    ('GET', '/users/{user}/sessions'),
    ('GET', '/users/{user}/tokens'),
    ('PUT', '/users/{user}'),
    ('PUT', '/idp/native/users/{user}'),
    ('DELETE', '/idp/ldap/users/{user}'),
    ('GET', '/groups/{group}'),
    ('GET', '/groups/{group}/policies'),
    ('GET', '/policies/{policy}'),
    ('PUT', '/policies/{policy}/acl/x.y'),
    ('DELETE', '/policies/{policy}/acl/x.y'),
    ('PUT', '/users/{user}/policies/{policy}'),
    ('DELETE', '/users/{user}/policies/{policy}'),
    ('PUT', '/groups/{group}/policies/{policy}'),
    ('DELETE', '/groups/{group}/policies/{policy}'),
    ('PUT', '/groups/{group}/users/{user}'),
    ('DELETE', '/groups/{group}/users/{user}'),
    ('GET', '/tenants/{tenant}'),
]
BY_SLUG = [
    ('GET', '/policies/{slug}'),
    ('PUT', '/policies/{slug}/acl/x.y'),
    ('DELETE', '/policies/{slug}/acl/x.y'),
    ('PUT', '/users/{user}/policies/{slug}'),
    ('DELETE', '/users/{user}/policies/{slug}'),
    ('PUT', '/groups/{group}/policies/{slug}'),
    ('DELETE', '/groups/{group}/policies/{slug}'),
]


@pytest.mark.parametrize('named', sorted(VISIBLE_FROM))
def test_objects_are_looked_for_in_the_tenant_that_is_named(api, admin_token, tree, named):
    """Not in the caller's own, from where all of them can be seen."""
    for name, has in tree.items():
        for method, path in OPERATIONS + BY_SLUG:
            answer = api.request(
                method, path.format(**has), admin_token, json={}, headers=within(tree[named]['tenant'])
            )
            found = name in VISIBLE_FROM[named] if '{slug}' not in path else name == named
            assert (answer.status_code != 404) == found, (method, path, name, answer.text)
            assert answer.status_code < 300 or not found, (method, path, name, answer.text)


@pytest.mark.parametrize('path', ['/users/{user}/policies/', '/groups/{group}/policies/'])
def test_a_policy_is_looked_for_in_the_tenant_that_is_named(api, admin_token, tree, path):
    """Whose it shall be may be in sight and the policy not."""
    path, here = path.format(**tree['a']), within(tree['a']['tenant'])
    for method in ('PUT', 'DELETE'):
        for key, name, found in (('policy', 'below', True), ('slug', 'below', False), ('policy', 'b', False)):
            answer = api.request(method, path + tree[name][key], admin_token, headers=here)
            assert answer.status_code == (204 if found else 404), (method, name, answer.text)
            assert found or answer.json()['reason'][0].startswith('No such policy')
