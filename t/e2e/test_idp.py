"""Which users log in by which identity provider: docs/spec/endpoints.md section 15."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.checks import UNKNOWN, error

TYPES = ['native', 'default', 'ldap', 'saml']


@pytest.fixture(scope='module')
def method_of(api, admin_token):
    return lambda user: api.get(f"/users/{user['uuid']}", admin_token).json()['authentication_method']


@pytest.fixture(scope='module')
def tenants(api, admin_token):
    """A tenant below the master, and another one below that."""
    top = {'Wazo-Tenant': api.post('/tenants', admin_token, json={}).json()['uuid']}
    below = {'Wazo-Tenant': api.post('/tenants', admin_token, json={}, headers=top).json()['uuid']}
    return {'top': top, 'below': below}


# -- the list of types -------------------------------------------------------------------------------------------------


def test_types(api, admin_token):
    answer = api.get('/idp', admin_token, params={'limit': 'x', 'search': 'x'}, headers={'Wazo-Tenant': UNKNOWN})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert sorted(body.pop('items')) == sorted(TYPES)
    assert body == {'total': 4, 'filtered': 4}
    assert api.head('/idp', admin_token).status_code == 200
    assert api.post('/idp', admin_token).status_code == 405


def test_types_need_their_access(api, insert_token):
    token = insert_token(acl=['auth.idp.create'])['token']
    assert error(api.get('/idp', token), 401, 'unauthorized')['details']['required_access'] == 'auth.idp.read'


def test_types_that_are_switched_off(stack, admin_token, make_user):
    nginx = stack.new_nginx('idp', settings={'idp_plugins': {'ldap': {'enabled': False}, 'saml': {'enabled': False}}})
    try:
        assert sorted(nginx.api.get('/idp', admin_token).json()['items']) == ['default', 'native']
        error(nginx.api.put(f"/idp/ldap/users/{make_user()['uuid']}", admin_token), 404, 'unknown-idp-type')
    finally:
        nginx.stop()


# -- one user ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('type_', TYPES)
def test_put_sets_and_delete_unsets(api, admin_token, make_user, method_of, type_):
    user = make_user()
    path = f"/idp/{type_}/users/{user['uuid']}"
    for data in ('', '{', '[]'):
        answer = api.put(path, admin_token, data=data)
        assert (answer.status_code, answer.text) == (204, '')
        assert method_of(user) == type_
    for _ in range(2):
        assert api.delete(path, admin_token).status_code == 204
        assert method_of(user) == 'default'


def test_delete_leaves_another_method(api, admin_token, make_user, method_of):
    user = make_user(authentication_method='saml')
    assert api.delete(f"/idp/ldap/users/{user['uuid']}", admin_token).status_code == 204
    assert method_of(user) == 'saml'


@pytest.mark.parametrize('type_', ['refresh_token', 'smoke', 'NATIVE', 'ldap%20', 'é', 'a.b'])
def test_unknown_types(api, admin_token, make_user, type_):
    user, nowhere = make_user()['uuid'], {'Wazo-Tenant': UNKNOWN}
    shown = {'ldap%20': 'ldap '}.get(type_, type_)
    for answer in (
        api.put(f'/idp/{type_}/users/{user}', admin_token, headers=nowhere),
        api.delete(f'/idp/{type_}/users/{user}', admin_token, headers=nowhere),
        api.put(f'/idp/{type_}/users', admin_token, data='{', headers=nowhere),
    ):
        problem = error(answer, 404, 'unknown-idp-type')
        assert problem['details'] == {'idp_type': shown}
        assert (problem['message'], problem['resource']) == (f'No such IDP type: "{shown}"', 'idp')


def test_a_dot_in_a_type_is_no_separator_of_the_access(api, insert_token):
    token = insert_token(acl=[])['token']
    problem = error(api.put('/idp/a.b/users', token), 401, 'unauthorized')
    assert problem['details']['required_access'] == 'auth.idp.a_b.users.update'


def test_one_users_accesses(api, make_user, insert_token):
    user = make_user()['uuid']
    token = insert_token(acl=['auth.idp.ldap.users.update'], user_uuid=user)['token']
    for method, verb in ((api.put, 'create'), (api.delete, 'delete')):
        problem = error(method(f'/idp/ldap/users/{user}', token), 401, 'unauthorized')
        assert problem['details']['required_access'] == f'auth.idp.ldap.users.{user}.{verb}'


def test_unknown_users(api, admin_token, make_user, tenants, method_of):
    outside = make_user()
    for uuid_, headers in ((UNKNOWN, None), (outside['uuid'], tenants['top'])):
        for method in (api.put, api.delete):
            problem = error(method(f'/idp/ldap/users/{uuid_}', admin_token, headers=headers), 404, 'unknown-user')
            assert problem['details'] == {'uuid': uuid_}
    assert method_of(outside) == 'default'
    error(
        api.put(f'/idp/ldap/users/{UNKNOWN}', admin_token, headers={'Wazo-Tenant': UNKNOWN}), 401, 'unauthorized-tenant'
    )


def test_users_below_are_seen(api, admin_token, make_user, tenants, method_of):
    user = make_user(headers=tenants['below'])
    assert api.put(f"/idp/ldap/users/{user['uuid']}", admin_token, headers=tenants['top']).status_code == 204
    assert method_of(user) == 'ldap'
    assert api.delete(f"/idp/ldap/users/{user['uuid']}", admin_token, headers=tenants['top']).status_code == 204
    assert method_of(user) == 'default'


def test_who_is_handed_over_logs_in_otherwise(api, admin_token, make_user, make_token, bus):
    user = make_user()
    token = make_token(user)['token']
    assert api.put(f"/idp/ldap/users/{user['uuid']}", admin_token).status_code == 204
    assert api.post('/token', auth=(user['username'], user['password'])).status_code == 401
    assert api.get(f'/token/{token}').status_code == 200  # sessions aren't touched
    assert api.delete(f"/idp/ldap/users/{user['uuid']}", admin_token).status_code == 204
    make_token(user)
    assert not [
        event
        for event in bus.events
        if event.name == 'auth_session_deleted' and event.body['data'].get('user_uuid') == user['uuid']
    ]


# -- many users --------------------------------------------------------------------------------------------------------


def users(*made):
    return {'users': [{'uuid': user if isinstance(user, str) else user['uuid']} for user in made]}


def test_many(api, admin_token, make_user, method_of, tenants):
    made = [make_user(headers=tenants[name]) for name in ('top', 'below', 'top')]
    body = users(*made, made[0])
    body['users'][0] |= {'other': 1}
    answer = api.put('/idp/saml/users', admin_token, json=body | {'other': 1}, headers=tenants['top'])
    assert (answer.status_code, answer.text) == (204, '')
    assert [method_of(user) for user in made] == ['saml'] * 3
    assert api.put('/idp/ldap/users', admin_token, json={'users': []}).status_code == 204
    assert [method_of(user) for user in made] == ['saml'] * 3


def test_all_or_none(api, admin_token, make_user, method_of, tenants):
    """The reference keeps those before the one that it doesn't find."""
    made, outside = [make_user(headers=tenants['top']) for _ in range(2)], make_user()
    for unknown in (UNKNOWN, outside['uuid'], made[0]['uuid'].upper(), 'no uuid', ''):
        for body in (users(*made, unknown), users(unknown, *made), users(made[0], unknown, made[1], 'also')):
            answer = api.put('/idp/saml/users', admin_token, json=body, headers=tenants['top'])
            problem = error(answer, 404, 'unknown-user')
            assert problem['details'] == {'uuid': unknown}
            assert problem['message'] == f'No such user: "{unknown}"'
    assert [method_of(user) for user in (*made, outside)] == ['default'] * 3


REQUIRED = {'message': 'Missing data for required field.', 'constraint_id': 'required', 'constraint': 'required'}
NO_KEY = {'uuid': REQUIRED}
NO_OBJECT = {'_schema': ['Invalid input type.']}
NO_TEXT = {'message': 'Not a valid string.', 'constraint_id': 'type', 'constraint': 'string'}


@pytest.mark.parametrize(
    'body, errors',
    [
        ({}, {'users': REQUIRED}),
        ([], {'users': REQUIRED}),
        (
            {'users': None},
            {'users': {'message': 'Field may not be null.', 'constraint_id': 'not_null', 'constraint': 'not_null'}},
        ),
        *(
            ({'users': wrong}, {'users': {'message': 'Invalid type.', 'constraint_id': 'type', 'constraint': 'dict'}})
            for wrong in ('x', '', {}, {'0': {}}, 1, False)
        ),
        ({'users': ['x', {}, None, [1]]}, {'users': {'0': NO_OBJECT, '1': NO_KEY, '2': NO_KEY, '3': NO_OBJECT}}),
        ({'users': [{'uuid': 'x'}, {}]}, {'users': {'1': {'uuid': REQUIRED}}}),
        ({'users': [{'uuid': 1}]}, {'users': {'0': {'uuid': NO_TEXT}}}),
        ({'users': [{'uuid': 'nul\0'}]}, {'users': {'0': {'uuid': NO_TEXT}}}),
        ([1], {'_schema': ['Invalid input type.']}),
    ],
    ids=str,
)
def test_wrong_bodies(api, admin_token, body, errors):
    problem = error(api.put('/idp/ldap/users', admin_token, json=body), 400, 'invalid-list-param')
    assert problem['message'] == errors
    assert (problem['details'], problem['resource']) == ({}, 'users')
    error(
        api.put('/idp/ldap/users', admin_token, json=body, headers={'Wazo-Tenant': UNKNOWN}), 401, 'unauthorized-tenant'
    )


def test_what_is_no_json(api, admin_token):
    for data in ('', '{', b'\xff'):
        answer = api.put('/idp/ldap/users', admin_token, data=data)
        assert answer.status_code == 400
        assert list(answer.json()) == ['message']


def test_the_same_users_at_once(api, api2, admin_token, make_user, psql):
    made = [make_user(password=None)['uuid'] for _ in range(12)]
    quoted = ', '.join(f"'{user}'" for user in made)
    for _ in range(10):
        with ThreadPoolExecutor(8) as pool:
            answers = list(
                pool.map(
                    lambda n: (api, api2)[n % 2]
                    .put(f'/idp/{TYPES[n % 4]}/users', admin_token, json=users(*(made if n < 4 else made[::-1])))
                    .status_code,
                    range(8),
                )
            )
        assert answers == [204] * 8
        assert psql(f'SELECT count(DISTINCT authentication_method) FROM auth_user WHERE uuid IN ({quoted})') == '1'


def test_a_user_goes_while_many_change(api, api2, admin_token, make_user, psql):
    for _ in range(8):
        made = [make_user(password=None)['uuid'] for _ in range(4)]
        with ThreadPoolExecutor(5) as pool:
            changes = [
                pool.submit((api, api2)[n % 2].put, '/idp/ldap/users', admin_token, json=users(*made)) for n in range(4)
            ]
            deletion = pool.submit(api2.delete, f'/users/{made[2]}', admin_token)
            statuses = {change.result().status_code for change in changes}
            assert deletion.result().status_code == 204
        assert statuses <= {204, 404}
        method = psql(f"SELECT DISTINCT authentication_method FROM auth_user WHERE uuid IN ('{made[0]}', '{made[3]}')")
        assert method == ('ldap' if 204 in statuses else 'default')
