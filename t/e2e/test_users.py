"""Users, their passwords and their policies over HTTP: docs/spec/endpoints.md sections 7 and 9."""
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.checks import UNKNOWN, error, label


@pytest.fixture(scope='module')
def tenant(api, admin_token):
    answer = api.post('/tenants', admin_token, json={'name': label('u')})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope='module')
def sub_admin(tenant, make_user, insert_token):
    """A token with every access whose user lives in a tenant below the master."""
    user = make_user(headers={'Wazo-Tenant': tenant['uuid']})
    return insert_token(acl=['#'], user_uuid=user['uuid'], tenant_uuid=tenant['uuid'])['token']


# -- POST --------------------------------------------------------------------------------------------------------------


def test_post_answers_the_whole_user(api, admin_token, psql):
    username, mail = label('u'), f"{label('u')}@Example.com"
    user = api.post('/users', admin_token, json={'username': username, 'email_address': mail, 'firstname': 'é'}).json()
    [email] = user['emails']
    master = psql('SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid')
    assert user == {
        'username': username,
        'uuid': user['uuid'],
        'enabled': True,
        'emails': [email],
        'firstname': 'é',
        'lastname': None,
        'purpose': 'user',
        'tenant_uuid': master,
        'authentication_method': 'default',
    }
    assert email == {'uuid': email['uuid'], 'address': mail, 'main': True, 'confirmed': True}
    assert api.get(f"/users/{user['uuid']}", admin_token).json() == user


def test_post_without_anything_makes_a_user(api, admin_token):
    user = api.post('/users', admin_token, json={}).json()
    assert (user['username'], user['emails'], user['enabled']) == (None, [], True)


def test_new_users_are_in_the_all_users_group(api, admin_token, tenant, psql):
    user = api.post('/users', admin_token, json={}, headers={'Wazo-Tenant': tenant['uuid']}).json()
    group = psql(
        f"SELECT g.name FROM auth_user_group JOIN auth_group g ON g.uuid = group_uuid WHERE user_uuid = '{user['uuid']}'"
    )
    assert group == f"wazo-all-users-tenant-{tenant['uuid']}"


@pytest.mark.parametrize('purpose, method', [('user', 'default'), ('internal', 'native'), ('external_api', 'native')])
def test_the_method_follows_the_purpose(api, admin_token, purpose, method):
    assert api.post('/users', admin_token, json={'purpose': purpose}).json()['authentication_method'] == method


@pytest.mark.parametrize(
    'body, field, constraint',
    [
        ({'username': ''}, 'username', 'length'),
        ({'username': 'x' * 257}, 'username', 'length'),
        ({'username': 1}, 'username', 'type'),
        ({'username': 'nul\0'}, 'username', 'type'),
        ({'firstname': False}, 'firstname', 'type'),
        ({'purpose': 'other'}, 'purpose', 'enum'),
        ({'purpose': None}, 'purpose', 'not_null'),
        ({'enabled': 'maybe'}, 'enabled', 'type'),
        ({'uuid': 'x'}, 'uuid', 'type'),
        ({'password': ''}, 'password', 'length'),
        ({'email_address': 'x@y'}, 'email_address', 'type'),
        ({'email_address': 'x@y', 'lastname': 1}, 'lastname', 'type'),
    ],
)
def test_post_names_the_first_wrong_field(api, admin_token, body, field, constraint):
    problem = error(api.post('/users', admin_token, json=body), 400, 'invalid-data')
    assert problem['resource'] == 'users'
    assert list(problem['details']) == [field]
    assert problem['details'][field]['constraint_id'] == constraint
    assert problem['message'] == problem['details'][field]['message']


@pytest.mark.parametrize('data', ['', '{', '{} {}', b'\xff'])
def test_post_refuses_what_is_no_json(api, admin_token, data):
    answer = api.post('/users', admin_token, data=data)
    assert answer.status_code == 400
    assert list(answer.json()) == ['message']


def test_post_refuses_an_unknown_method(api, admin_token):
    problem = error(api.post('/users', admin_token, json={'authentication_method': 'smoke'}), 400, 'invalid-data')
    assert problem['message'] == 'Invalid authentication method smoke'
    assert problem['details'] == {'authentication_method': 'smoke'}


def test_a_login_is_one_users_only(api, admin_token, tenant):
    username, mail = label('u'), f"{label('u')}@example.com"
    api.post('/users', admin_token, json={'username': username, 'email_address': mail})
    elsewhere = {'Wazo-Tenant': tenant['uuid']}
    for body, column in [
        ({'username': username.upper()}, 'username'),
        ({'username': mail.upper()}, 'username'),
        ({'email_address': mail.upper()}, 'email_address'),
    ]:
        problem = error(api.post('/users', admin_token, json=body, headers=elsewhere), 409, 'conflict')
        assert problem['details'][column]['message'] == f'The login "{body[column]}" is already used'
        assert problem['details'][column]['constraint_id'] == 'unique'


def test_a_username_may_be_the_users_own_address(api, admin_token):
    mail = f"{label('u')}@example.com"
    assert api.post('/users', admin_token, json={'username': mail, 'email_address': mail}).status_code == 200


def test_a_login_is_one_users_only_among_writers_at_once(api, admin_token):
    mail = f"{label('u')}@example.com"
    bodies = [{'username': mail}, {'email_address': mail}] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: api.post('/users', admin_token, json=body).status_code, bodies))
    assert sorted(answers) == [200] + [409] * 7


def test_a_uuid_is_one_users_only(api, admin_token):
    wanted = str(uuid.uuid4())
    assert api.post('/users', admin_token, json={'uuid': wanted.upper().replace('-', '')}).json()['uuid'] == wanted
    problem = error(api.post('/users', admin_token, json={'uuid': wanted, 'password': 'x'}), 409, 'conflict')
    assert problem['details']['uuid']['message'] == f'The uuid "{wanted}" is already used'


def test_post_checks_tenant_before_body(api, admin_token):
    error(api.post('/users', admin_token, data='{', headers={'Wazo-Tenant': UNKNOWN}), 401, 'unauthorized-tenant')


# -- one user ----------------------------------------------------------------------------------------------------------


def test_users_of_other_tenants_are_unknown(api, sub_admin, make_user):
    user = make_user()
    for method, body in [('get', None), ('put', {}), ('delete', None)]:
        options = {} if body is None else {'json': body}
        problem = error(getattr(api, method)(f"/users/{user['uuid']}", sub_admin, **options), 404, 'unknown-user')
        assert problem['details'] == {'uuid': user['uuid']}
        assert problem['message'] == f'No such user: "{user["uuid"]}"'


def test_put_replaces_all(api, admin_token, make_user):
    user = make_user(firstname='a', lastname='b', purpose='internal', enabled=False)
    changed = api.put(f"/users/{user['uuid']}", admin_token, json={'password': 'ignored', 'uuid': UNKNOWN}).json()
    assert changed == {
        **{key: user[key] for key in ('uuid', 'tenant_uuid', 'emails')},
        'username': None,
        'firstname': None,
        'lastname': None,
        'purpose': 'user',
        'enabled': True,
        'authentication_method': 'default',
    }


def test_put_keeps_the_own_username_and_refuses_others(api, admin_token, make_user):
    user, other = make_user(), make_user()
    path = f"/users/{user['uuid']}"
    assert api.put(path, admin_token, json={'username': user['username'].upper()}).status_code == 200
    error(api.put(path, admin_token, json={'username': other['username']}), 409, 'conflict')


def test_disabling_ends_sessions(api, admin_token, make_user, make_token):
    user = make_user()
    token = make_token(user)['token']
    api.put(f"/users/{user['uuid']}", admin_token, json={'username': user['username'], 'enabled': False})
    assert api.get(f'/token/{token}').status_code == 404
    assert api.post('/token', auth=(user['username'], user['password'])).status_code == 401


def test_deletion_takes_tokens_along(api, admin_token, make_user, make_token):
    user = make_user()
    token = make_token(user)['token']
    assert api.delete(f"/users/{user['uuid']}", admin_token).status_code == 204
    assert api.get(f'/token/{token}').status_code == 404
    error(api.delete(f"/users/{user['uuid']}", admin_token), 404, 'unknown-user')


# -- lists -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def crowd(api, admin_token):
    """A tenant with three users, and one below it with a fourth."""
    parent = api.post('/tenants', admin_token, json={}).json()['uuid']
    here = {'Wazo-Tenant': parent}
    child = api.post('/tenants', admin_token, json={}, headers=here).json()['uuid']
    mark = uuid.uuid4().hex[:8]
    rows = [
        ('alice', 'Anna', None, parent),
        ('bob', 'Ben', 'x', parent),
        ('carol', None, 'y z', parent),
        ('dave', 'Dan', None, child),
    ]
    users = {}
    for username, firstname, lastname, owner in rows:
        body = {
            'username': f'{username}-{mark}',
            'firstname': firstname,
            'lastname': lastname,
            'email_address': f'{username}.{mark}@example.com',
        }
        users[username] = api.post('/users', admin_token, json=body, headers={'Wazo-Tenant': owner}).json()
    return {'parent': parent, 'child': child, 'users': users, 'mark': mark}


@pytest.fixture(scope='module')
def listed(api, admin_token, crowd):
    def get(**params):
        answer = api.get('/users', admin_token, params=params, headers={'Wazo-Tenant': crowd['parent']})
        assert answer.status_code == 200, answer.text
        tree = answer.json()
        return [user['username'].split('-')[0] for user in tree['items']], tree['filtered'], tree['total']

    return get


def test_list_is_sorted_and_complete(listed, crowd, api, admin_token):
    assert listed() == (['alice', 'bob', 'carol'], 3, 3)
    assert listed(recurse='true') == (['alice', 'bob', 'carol', 'dave'], 4, 4)
    answer = api.get('/users', admin_token, headers={'Wazo-Tenant': crowd['parent']}).json()
    assert answer['items'][0] == crowd['users']['alice']


@pytest.mark.parametrize(
    'params, names',
    [
        ({'direction': 'desc'}, ['carol', 'bob', 'alice']),
        ({'order': 'firstname'}, ['alice', 'bob', 'carol']),
        ({'order': 'firstname', 'direction': 'desc'}, ['carol', 'bob', 'alice']),
        ({'limit': 1, 'offset': 1}, ['bob']),
        ({'limit': 0}, []),
        ({'offset': 9}, []),
        ({'limit': 2**63 - 1}, ['alice', 'bob', 'carol']),
    ],
)
def test_list_pages(listed, params, names):
    assert listed(**params) == (names, 3, 3)


@pytest.mark.parametrize(
    'params, names',
    [
        ({'search': 'ANN'}, ['alice']),
        ({'search': 'y z'}, ['carol']),
        ({'search': 'z y'}, []),
        ({'search': 'bob. @example'}, ['bob']),
        ({'search': '%'}, ['alice', 'bob', 'carol']),
        ({'search': '\\'}, []),
        ({'firstname': 'Ben'}, ['bob']),
        ({'firstname': 'ben'}, []),
        ({'purpose': 'internal'}, []),
        ({'uuid': 'no uuid'}, []),
    ],
)
def test_list_filters(listed, params, names):
    assert listed(**params) == (names, len(names), 3)


def test_list_filters_by_what_users_have(listed, crowd, api, admin_token):
    mark, users, here = crowd['mark'], crowd['users'], {'Wazo-Tenant': crowd['parent']}
    direct = api.post('/policies', admin_token, json={'name': f'd-{mark}'}, headers=here).json()
    grouped = api.post('/policies', admin_token, json={'name': f'g-{mark}'}, headers=here).json()
    group = api.post('/groups', admin_token, json={'name': 'group'}, headers=here).json()
    for path in (
        f"/users/{users['alice']['uuid']}/policies/{direct['uuid']}",
        f"/groups/{group['uuid']}/users/{users['bob']['uuid']}",
        f"/groups/{group['uuid']}/policies/{grouped['uuid']}",
    ):
        assert api.put(path, admin_token).status_code == 204
    assert listed(email_address=f'bob.{mark}@example.com')[0] == ['bob']
    assert listed(group_uuid=group['uuid'])[0] == ['bob']
    assert listed(policy_uuid=direct['uuid'])[0] == listed(policy_slug=direct['slug'])[0] == ['alice']
    assert listed(policy_uuid=grouped['uuid'])[0] == []
    assert listed(has_policy_uuid=grouped['uuid'])[0] == listed(has_policy_slug=grouped['slug'])[0] == ['bob']
    assert listed(has_policy_uuid=direct['uuid'])[0] == ['alice']
    assert listed(policy_uuid='', has_policy_slug='')[0] == ['alice', 'bob', 'carol']
    # Whose members these are is said by the path; a filter can only contradict it.
    for value in ('', group['uuid']):
        answer = api.get(f"/groups/{group['uuid']}/users?group_uuid={value}", admin_token)
        assert (answer.status_code, answer.json()['error_id']) == (400, 'invalid-list-param'), answer.text


@pytest.mark.parametrize(
    'params, fields',
    [
        ({'order': 'purpose'}, ['order']),
        ({'order': ''}, ['order']),
        (
            {'direction': 'ASC', 'limit': '-1', 'offset': 'x', 'recurse': ''},
            ['direction', 'limit', 'offset', 'recurse'],
        ),
        *(
            ({name: value}, [name])
            for name in ('limit', 'offset')
            for value in (2**63, -(2**63) - 1, 2**70, '9' * 400)
        ),
        ({'limit': 2**63, 'offset': 2**64}, ['limit', 'offset']),
    ],
)
def test_list_refuses_wrong_parameters(api, admin_token, params, fields):
    problem = error(api.get('/users', admin_token, params=params), 400, 'invalid-list-param')
    assert sorted(problem['message']) == sorted(fields)
    assert (problem['details'], problem['resource']) == ({}, 'users')


# -- passwords ---------------------------------------------------------------------------------------------------------


def password(old, new):
    return {'old_password': old, 'new_password': new}


def test_a_password_is_changed(api, admin_token, make_user, make_token):
    user = make_user()
    token = make_token(user)['token']
    path = f"/users/{user['uuid']}/password"
    assert api.put(path, admin_token, json=password(user['password'], 'new-password')).status_code == 204
    assert api.get(f'/token/{token}').status_code == 404
    assert api.post('/token', auth=(user['username'], user['password'])).status_code == 401
    make_token({**user, 'password': 'new-password'})


def test_a_password_is_not_changed(api, admin_token, sub_admin, make_user):
    user = make_user()
    path = f"/users/{user['uuid']}/password"
    right = password(user['password'], 'new-password')
    problem = error(api.put(path, admin_token, json={'new_password': ''}), 400, 'invalid-data')
    assert list(problem['details']) == ['old_password']
    error(api.put(f'/users/{UNKNOWN}/password', admin_token, json=right), 404, 'unknown-user')
    error(api.put(path, sub_admin, json=right), 404, 'unknown-user')
    answer = api.put(path, admin_token, json=password('wrong-password', 'new-password'))
    assert (answer.status_code, answer.json()['reason']) == (401, ['Authentication Failed'])


@pytest.mark.parametrize('fields', [{'enabled': False}, {'username': None}, {'password': None}])
def test_users_who_can_not_log_in_can_not_change_it(api, admin_token, make_user, fields):
    user = make_user(**fields)
    body = password(user['password'] or 'any-password', 'new-password')
    assert api.put(f"/users/{user['uuid']}/password", admin_token, json=body).status_code == 401


def test_a_password_that_is_kept_elsewhere(api, admin_token, make_user):
    user = make_user(authentication_method='ldap')
    path = f"/users/{user['uuid']}/password"
    assert api.put(path, admin_token, json=password('wrong-password', 'x')).status_code == 401
    error(api.put(path, admin_token, json=password(user['password'], 'x')), 405, 'password-managed-externally')


def test_changes_at_once_take_the_old_password_once(api, admin_token, make_user):
    user = make_user()
    path = f"/users/{user['uuid']}/password"
    with ThreadPoolExecutor(3) as pool:
        answers = pool.map(
            lambda n: api.put(path, admin_token, json=password(user['password'], f'new-password-{n}')).status_code,
            range(3),
        )
    assert sorted(answers) == [204, 401, 401]


# -- policies of users -------------------------------------------------------------------------------------------------


@pytest.fixture
def policy(api, admin_token):
    return api.post('/policies', admin_token, json={'name': label('u'), 'acl': ['a.b']}).json()


@pytest.mark.parametrize('key', ['uuid', 'slug'])
def test_a_policy_is_attached_and_detached(api, admin_token, make_user, policy, key):
    all_of_them = f"/users/{make_user()['uuid']}/policies"
    path = f'{all_of_them}/{policy[key]}'
    for _ in range(2):
        assert api.put(path, admin_token).status_code == 204
    assert api.get(all_of_them, admin_token).json() == {'items': [policy], 'total': 1, 'filtered': 1}
    for _ in range(2):
        assert api.delete(path, admin_token).status_code == 204
    assert api.get(all_of_them, admin_token).json() == {'items': [], 'total': 0, 'filtered': 0}


def test_what_is_unknown_is_not_attached(api, admin_token, make_user, policy):
    user = make_user()
    for method in (api.put, api.delete):
        error(method(f"/users/{UNKNOWN}/policies/{policy['uuid']}", admin_token), 404, 'unknown-user')
        answer = method(f"/users/{user['uuid']}/policies/{UNKNOWN}", admin_token)
        assert (answer.status_code, answer.json()['reason']) == (404, [f"No such policy {{'uuid': '{UNKNOWN}'}}"])
        answer = method(f"/users/{user['uuid']}/policies/no-such", admin_token)
        assert (answer.status_code, answer.json()['reason']) == (404, ["No such policy {'slug': 'no-such'}"])


def test_only_held_accesses_are_given_or_taken(api, admin_token, make_user, insert_token, policy):
    path = f"/users/{make_user()['uuid']}/policies/{policy['uuid']}"
    owner = make_user()['uuid']
    weak = insert_token(acl=['auth.#'], user_uuid=owner)['token']
    strong = insert_token(acl=['auth.#', 'a.*'], user_uuid=owner)['token']
    for method in (api.put, api.delete):
        problem = error(method(path, weak), 401, 'unauthorized')
        assert problem['details'] == {'invalid_token': weak, 'required_access': 'a.b'}
        assert method(path, strong).status_code == 204


def test_users_and_policies_of_other_tenants_are_out_of_reach(api, sub_admin, tenant, make_user, policy, admin_token):
    mine = make_user(headers={'Wazo-Tenant': tenant['uuid']})
    foreign = make_user()
    own_policy = api.post('/policies', sub_admin, json={'name': label('u')}).json()
    assert api.put(f"/users/{mine['uuid']}/policies/{policy['uuid']}", sub_admin).status_code == 404
    error(api.put(f"/users/{foreign['uuid']}/policies/{own_policy['uuid']}", sub_admin), 404, 'unknown-user')
    assert api.put(f"/users/{foreign['uuid']}/policies/{policy['uuid']}", admin_token).status_code == 204
    assert api.get(f"/users/{foreign['uuid']}/policies", sub_admin).json()['total'] == 0


def test_policies_of_a_user_are_filtered_and_sorted(api, admin_token, make_user):
    user = make_user()['uuid']
    mark = uuid.uuid4().hex[:6]
    for letter in 'bac':
        made = api.post('/policies', admin_token, json={'name': f'{letter}{mark}', 'description': f'about {letter}'})
        api.put(f"/users/{user}/policies/{made.json()['uuid']}", admin_token)
    listed = lambda **params: [  # noqa: E731
        p['name'][0] for p in api.get(f'/users/{user}/policies', admin_token, params=params).json()['items']
    ]
    assert listed() == ['a', 'b', 'c']
    assert listed(order='description', direction='desc', limit=2) == ['c', 'b']
    assert listed(search='about b') == ['b']
    assert listed(name=f'c{mark}') == ['c']
    error(api.get(f'/users/{user}/policies', admin_token, params={'order': 'slug'}), 400, 'invalid-list-param')
