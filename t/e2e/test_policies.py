"""Policies over HTTP: docs/spec/endpoints.md section 13, and delegation, docs/spec/acl.md section 4."""
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.checks import UNKNOWN, label, reason


def unauthorized(answer, token, access):
    assert answer.status_code == 401, answer.text
    assert answer.json()['error_id'] == 'unauthorized'
    assert answer.json()['details'] == {'invalid_token': token, 'required_access': access}


@pytest.fixture(scope='module')
def tree(api, admin_token):
    """Tenants: top (below the master) over child."""
    top = api.post('/tenants', admin_token, json={}).json()['uuid']
    child = api.post('/tenants', admin_token, json={}, headers={'Wazo-Tenant': top}).json()['uuid']
    return {'top': {'Wazo-Tenant': top}, 'child': {'Wazo-Tenant': child}}


@pytest.fixture(scope='module')
def new(api, admin_token):
    def make(headers=None, **fields):
        answer = api.post('/policies', admin_token, json={'name': label('p'), **fields}, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return make


@pytest.fixture
def managed(new, psql):
    """As if the configuration had made it."""
    policy = new(acl=['m'])
    psql(f"UPDATE auth_policy SET config_managed = true WHERE uuid = '{policy['uuid']}'")
    yield policy
    psql(f"DELETE FROM auth_policy WHERE uuid = '{policy['uuid']}'")


@pytest.fixture
def limited(make_user, insert_token):
    """Makes tokens of a user of the master tenant with few accesses."""
    owner = make_user()['uuid']
    return lambda *acl: insert_token(acl=['auth.#', *acl], user_uuid=owner)['token']


# -- creation ----------------------------------------------------------------------------------------------------------


def test_post_answers_the_whole_policy(api, new, admin_token, psql):
    policy = new(name='Ünïque ' + label('p'), description='D', acl=['a.b', 'c.#', '!d', 'a.b', ''])
    assert sorted(policy.pop('acl')) == ['', '!d', 'a.b', 'c.#']
    assert policy == {
        'uuid': policy['uuid'],
        'tenant_uuid': psql('SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid'),
        'name': policy['name'],
        'slug': policy['name'].replace('Ü', '').replace('ï', '').replace(' ', ''),
        'description': 'D',
        'read_only': False,
        'shared': False,
    }
    for key in ('uuid', 'slug'):
        assert api.get(f'/policies/{policy[key]}', admin_token).json() | {'acl': 0} == policy | {'acl': 0}


@pytest.mark.parametrize(
    'body, field',
    [
        ([1], '_schema'),
        ({}, 'name'),
        ({'name': ''}, 'name'),
        ({'name': 'x' * 81}, 'name'),
        ({'name': None}, 'name'),
        ({'name': 'n', 'slug': 'a b'}, 'slug'),
        ({'name': 'n', 'description': 1}, 'description'),
        ({'name': 'n', 'acl': None}, 'acl'),
        ({'name': 'n', 'acl': [None]}, 'acl'),
        ({'name': 'n', 'acl': 'a'}, 'acl'),
        ({'name': 'n', 'shared': None}, 'shared'),
        ({'slug': '!', 'acl': 1}, 'name'),
        ({'name': 'n', 'acl': ['nul\0']}, 'acl'),
    ],
)
def test_post_names_the_first_wrong_field(api, admin_token, body, field):
    reason(api.post('/policies', admin_token, json=body), 400, f'Invalid value supplied for field: {field}')


def test_post_checks_body_before_tenant(api, admin_token):
    nowhere = {'Wazo-Tenant': UNKNOWN}
    assert api.post('/policies', admin_token, json={}, headers=nowhere).status_code == 400
    assert api.post('/policies', admin_token, json={'name': 'n'}, headers=nowhere).status_code == 401


def test_an_access_that_no_index_can_hold(api, admin_token):
    acl = [''.join(uuid.uuid4().hex for _ in range(300))]
    reason(
        api.post('/policies', admin_token, json={'name': label('p'), 'acl': acl}),
        400,
        'Invalid value supplied for field: acl',
    )


def test_names_and_slugs_are_unique_in_a_tenant(api, admin_token, new, tree):
    policy = new(slug='S' + uuid.uuid4().hex)
    for body in ({'name': policy['name']}, {'name': label('p'), 'slug': policy['slug'].lower()}):
        reason(api.post('/policies', admin_token, json=body), 409, f'Policy "{body["name"]}" already exists')
    new(name=policy['name'], headers=tree['top'])


def test_a_taken_slug_is_replaced_when_it_was_generated(new):
    first = new()
    assert new(name=first['name'] + '!')['slug'] != first['slug']


def test_shared_names_are_unique_along_the_tree(api, admin_token, new, tree):
    shared = new(shared=True, headers=tree['top'])
    taken = {'name': shared['name']}
    assert api.post('/policies', admin_token, json=taken, headers=tree['child']).status_code == 409
    assert (
        api.post(
            '/policies', admin_token, json={'name': label('p'), 'slug': shared['slug']}, headers=tree['child']
        ).status_code
        == 409
    )
    below = new(headers=tree['child'])
    assert (
        api.post(
            '/policies', admin_token, json={'name': below['name'], 'shared': True}, headers=tree['top']
        ).status_code
        == 409
    )
    new(name=below['name'], headers=tree['top'])


def test_a_name_is_given_once_to_writers_at_once(api, admin_token):
    body = {'name': label('p'), 'acl': [f'x.{uuid.uuid4().hex}', 'y']}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: api.post('/policies', admin_token, json=body).status_code, range(6)))
    assert sorted(answers) == [200] + [409] * 5


def test_a_new_access_is_made_once_by_writers_at_once(api, admin_token):
    acl = [f'{n}.{uuid.uuid4().hex}' for n in range(20)]
    bodies = [{'name': label('p'), 'acl': acl[::step]} for step in (1, -1) * 4]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: api.post('/policies', admin_token, json=body).json()['acl'], bodies))
    assert all(sorted(answer) == sorted(acl) for answer in answers)


# -- visibility --------------------------------------------------------------------------------------------------------


def test_what_is_shared_is_seen_below_as_the_tenants_own(api, admin_token, new, tree):
    shared = new(shared=True, headers=tree['top'])
    child = tree['child']['Wazo-Tenant']
    for key in ('uuid', 'slug'):
        seen = api.get(f'/policies/{shared[key]}', admin_token, headers=tree['child']).json()
        assert (seen['tenant_uuid'], seen['read_only'], seen['shared']) == (child, True, False)
        own = api.get(f'/policies/{shared[key]}', admin_token, headers=tree['top']).json()
        assert own == shared


def test_what_is_not_shared_is_not_seen_below(api, admin_token, new, tree):
    policy = new(headers=tree['top'])
    for key in ('uuid', 'slug'):
        reason(
            api.get(f'/policies/{policy[key]}', admin_token, headers=tree['child']),
            404,
            f"No such policy {{'{key}': '{policy[key]}'}}",
        )


def test_a_slug_is_looked_up_in_one_tenant_a_uuid_in_the_subtree(api, admin_token, new, tree):
    policy = new(headers=tree['child'])
    assert api.get(f"/policies/{policy['uuid']}", admin_token, headers=tree['top']).status_code == 200
    assert api.get(f"/policies/{policy['slug']}", admin_token, headers=tree['top']).status_code == 404


def test_managed_policies_are_seen_everywhere_and_nobodys(api, admin_token, managed, tree):
    for headers in (None, tree['child']):
        policy = api.get(f"/policies/{managed['slug']}", admin_token, headers=headers).json()
        assert policy['read_only'] is True
        assert policy['tenant_uuid'] == (headers or {}).get('Wazo-Tenant', managed['tenant_uuid'])


@pytest.mark.parametrize('key', ['uuid', 'slug'])
def test_read_only_is_read_only(api, admin_token, managed, new, tree, key):
    shared = new(shared=True, acl=['s'], headers=tree['top'])
    for policy, headers in ((managed, None), (shared, tree['child'])):
        path, text = f'/policies/{policy[key]}', f'Forbidden policy deletion: "{policy["uuid"]}"'
        reason(api.put(path, admin_token, json={'name': label('p')}, headers=headers), 403, text)
        reason(api.delete(path, admin_token, headers=headers), 403, text)
        reason(api.put(f'{path}/acl/new', admin_token, headers=headers), 403, text)
        reason(api.delete(f'{path}/acl/s', admin_token, headers=headers), 403, text)


# -- lists -------------------------------------------------------------------------------------------------------------


def test_lists(api, admin_token, new, tree, managed):
    mark = uuid.uuid4().hex[:6]
    top = [new(name=f'{letter}{mark}', description=letter * 3, headers=tree['top']) for letter in 'ba']
    below = new(name=f'c{mark}', headers=tree['child'])
    seen_below = new(name=f'd{mark}', shared=True, headers=tree['top'])

    def listed(headers, **params):
        answer = api.get('/policies', admin_token, params=params, headers=headers)
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == {'items', 'total'}
        return [policy['name'] for policy in answer.json()['items'] if policy['name'].endswith(mark)]

    def names(letters):
        return [letter + mark for letter in letters]

    assert listed(tree['top']) == names('abd')
    assert listed(tree['top'], recurse='true') == names('abcd')
    assert listed(tree['child']) == names('cd')
    assert listed(tree['top'], order='description', direction='asc', search=mark) == names('abd')
    assert listed(tree['top'], search='BBB') == names('b')
    assert listed(tree['top'], name=f'a{mark}') == listed(tree['top'], slug=f'a{mark}') == names('a')
    assert listed(tree['top'], uuid=top[0]['uuid']) == names('b')
    assert listed(tree['child'], tenant_uuid=seen_below['tenant_uuid']) == names('d')
    assert listed(tree['child'], read_only='false') == names('c')
    assert listed(tree['child'], read_only='1') == []
    everything = api.get('/policies', admin_token, headers=tree['child']).json()
    few = api.get('/policies', admin_token, params={'limit': 1, 'read_only': 'true'}, headers=tree['child']).json()
    assert few['total'] == everything['total'] == len(everything['items'])
    assert len(few['items']) == 1
    assert managed['uuid'] in [policy['uuid'] for policy in everything['items']]
    assert below['uuid'] in [policy['uuid'] for policy in everything['items']]


def test_lists_refuse_wrong_parameters(api, admin_token):
    reason(api.get('/policies', admin_token, params={'order': 'read_only'}), 400, 'Invalid sort column: read_only')
    answer = api.get('/policies', admin_token, params={'order': 'x', 'read_only': 'x'}, headers={'Wazo-Tenant': 'x'})
    assert answer.status_code == 400
    assert sorted(answer.json()['message']) == ['order', 'read_only']


# -- changes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('key', ['uuid', 'slug'])
def test_put_replaces_all_but_the_slug(api, admin_token, new, key):
    policy = new(description='D', acl=['a', 'b'], shared=True)
    path = f'/policies/{policy[key]}'
    changed = api.put(
        path, admin_token, json={'name': label('p'), 'acl': ['b', 'c'], 'slug': '!', 'shared': 'x'}
    ).json()
    assert sorted(changed['acl']) == ['b', 'c']
    assert changed == policy | {'name': changed['name'], 'description': None, 'acl': changed['acl']}
    assert api.put(path, admin_token, json={'name': 'n' + label('p')}).json()['acl'] == []


def test_put_to_a_taken_name(api, admin_token, new):
    policy, other = new(), new()
    reason(
        api.put(f"/policies/{policy['uuid']}", admin_token, json={'name': other['name']}),
        409,
        f'Policy "{other["name"]}" already exists',
    )


def test_put_order_of_checks(api, admin_token, limited, new):
    policy = new(acl=['x.y', 'z'])
    token = limited('z', 'a.#')
    path = f"/policies/{policy['uuid']}"
    assert api.put('/policies/none-such', admin_token, json={}).status_code == 404
    assert api.put(f'/policies/{UNKNOWN}', admin_token, json={}).status_code == 400
    unauthorized(api.put(f'/policies/{UNKNOWN}', token, json={'name': 'n', 'acl': ['b']}), token, 'b')
    assert api.put(f'/policies/{UNKNOWN}', token, json={'name': 'n', 'acl': ['a.b']}).status_code == 404
    unauthorized(api.put(path, token, json={'name': label('p'), 'acl': ['z', 'a.b', '!q']}), token, 'x.y')
    api.put(f'{path}/acl/!q', token)
    assert api.delete(f'{path}/acl/x.y', admin_token).status_code == 204
    unauthorized(api.put(path, token, json={'name': label('p'), 'acl': ['z']}), token, '!q')
    assert api.put(path, admin_token, json={'name': label('p'), 'acl': ['z']}).status_code == 200


def test_delete(api, admin_token, limited, new, make_user):
    policy = new(acl=['x'])
    api.put(f"/users/{make_user()['uuid']}/policies/{policy['uuid']}", admin_token)
    token = limited()
    unauthorized(api.delete(f"/policies/{policy['uuid']}", token), token, 'x')
    assert api.delete(f"/policies/{policy['uuid']}", admin_token).status_code == 204
    assert api.delete(f"/policies/{policy['uuid']}", admin_token).status_code == 404


@pytest.mark.parametrize('key, unknown', [('uuid', UNKNOWN), ('slug', 'no-such')])
def test_single_accesses(api, admin_token, limited, new, key, unknown):
    policy = new()
    path = f'/policies/{policy[key]}/acl'
    assert api.put(f'{path}/a.%23', admin_token).status_code == 204
    reason(api.put(f'{path}/a.%23', admin_token), 409, 'Policy already associated to a.#')
    assert api.get(f"/policies/{policy['uuid']}", admin_token).json()['acl'] == ['a.#']
    token = limited()
    unauthorized(api.put(f'{path}/b', token), token, 'b')
    unauthorized(api.delete(f'{path}/a.%23', token), token, 'a.#')
    for _ in range(2):
        assert api.delete(f'{path}/a.%23', admin_token).status_code == 204
    for method in (api.put, api.delete):
        reason(method(f'/policies/{unknown}/acl/x', admin_token), 404, f"No such policy {{'{key}': '{unknown}'}}")


def test_anybody_may_forbid_only_holders_may_allow_again(api, limited, new):
    policy = new()
    path = f"/policies/{policy['uuid']}/acl/!x"
    token = limited()
    assert api.put(path, token).status_code == 204
    unauthorized(api.delete(path, token), token, '!x')
    assert api.delete(path, limited('x')).status_code == 204


def test_an_access_is_one_whatever_is_in_it(api, admin_token, create, insert_token):
    """';' separated accesses for what read them: whoever may hand out `a.#` handed out what stood behind it."""
    odd = ['a.b;auth.users.read', 'a,b', '"', '\\', 'NULL', 'null', '{x}', 'a b', '', '{', 'é;', "'"]
    made = create('/policies', name='odd accesses', acl=odd)
    assert sorted(api.get(f"/policies/{made['uuid']}", admin_token).json()['acl']) == sorted(odd)
    token = insert_token(acl=['a.b;auth.users.read'])['token']
    assert api.get('/users', token).status_code == 401
    assert api.head(f'/token/{token}', params={'scope': 'auth.users.read'}).status_code == 403
    assert api.head(f'/token/{token}', params={'scope': 'a.b;auth.users.read'}).status_code == 204
