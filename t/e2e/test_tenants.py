"""Tenants over HTTP: docs/spec/endpoints.md section 14."""
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.checks import UNKNOWN, below, error, label

NO_ADDRESS = dict.fromkeys(('line_1', 'line_2', 'city', 'state', 'country', 'zip_code'))


@pytest.fixture(scope='module')
def new(api, admin_token):
    def make(parent=None, **fields):
        answer = api.post('/tenants', admin_token, json=fields, headers=below(parent) if parent else None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return make


def test_post_answers_the_whole_tenant(api, admin_token, new, master, make_user):
    slug, contact = label(), make_user()['uuid']
    tenant = new(
        name='Näme',
        slug=slug,
        phone='1',
        contact=contact.upper(),
        domain_names=['b.com' + slug, 'a.b.' + slug],
        address={'city': 'Québec', 'other': 1},
        default_authentication_method='ldap',
        parent_uuid=UNKNOWN,
    )
    assert tenant == {
        'uuid': tenant['uuid'],
        'parent_uuid': master,
        'name': 'Näme',
        'slug': slug,
        'contact': contact,
        'phone': '1',
        'default_authentication_method': 'ldap',
        'domain_names': ['a.b.' + slug, 'b.com' + slug],
        'address': NO_ADDRESS | {'city': 'Québec'},
    }
    assert api.get(f"/tenants/{tenant['uuid']}", admin_token).json() == tenant


def test_post_fills_in_defaults(new, psql):
    wanted = str(uuid.uuid4())
    tenant = new(uuid=wanted, address=[])
    assert tenant | {'slug': 0, 'parent_uuid': 0} == {
        'uuid': wanted,
        'parent_uuid': 0,
        'name': None,
        'slug': 0,
        'contact': None,
        'phone': None,
        'default_authentication_method': 'native',
        'domain_names': [],
        'address': NO_ADDRESS,
    }
    assert len(tenant['slug']) == 3
    group = psql(f"SELECT name || '|' || slug || '|' || system_managed FROM auth_group WHERE tenant_uuid = '{wanted}'")
    assert group == f'wazo-all-users-tenant-{wanted}|wazo-all-users-tenant-{wanted}|true'


def test_slugs_come_from_names(new):
    word = uuid.uuid4().hex[:8]
    assert new(name=f'é {word}--_+abcdef')['slug'] == f'{word}_a'
    assert len(new(name=f'{word}_a')['slug']) == 3


@pytest.mark.parametrize(
    'body, path, constraint',
    [
        ({'uuid': 'x'}, ['uuid'], 'type'),
        ({'name': ''}, ['name'], 'length'),
        ({'slug': 'a-b'}, ['slug'], 'regex'),
        ({'slug': 'x' * 11}, ['slug'], 'length'),
        ({'contact': 'x'}, ['contact'], 'type'),
        ({'phone': 'x' * 33}, ['phone'], 'length'),
        ({'default_authentication_method': None}, ['default_authentication_method'], 'not_null'),
        ({'domain_names': None}, ['domain_names'], 'not_null'),
        ({'domain_names': ['a.com', 'a']}, ['domain_names', '1'], 'regex'),
        ({'domain_names': ['-a.com']}, ['domain_names', '0'], 'regex'),
        ({'domain_names': ['a_b.com']}, ['domain_names', '0'], 'regex'),
        ({'address': None}, ['address'], 'not_null'),
        ({'address': 'x'}, ['address'], 'type'),
        ({'address': {'zip_code': 'x' * 17}}, ['address', 'zip_code'], 'length'),
    ],
)
def test_post_names_the_first_wrong_field(api, admin_token, body, path, constraint):
    problem = error(api.post('/tenants', admin_token, json=body), 400, 'invalid-data')
    assert problem['resource'] == 'tenants'
    check = problem['details']
    for key in path:
        assert list(check) == [key]
        check = check[key]
    assert (check['constraint_id'], check['message']) == (constraint, problem['message'])


def test_conflicts(api, admin_token, new, master):
    domain = f'{label()}.com'
    tenant = new(domain_names=[domain])
    post = lambda **body: api.post('/tenants', admin_token, json=body)  # noqa: E731
    problem = error(post(default_authentication_method='smoke'), 400, 'invalid-data')
    assert problem['message'] == 'Invalid default authentication method smoke'
    problem = error(post(uuid=master), 403, 'conflict')
    assert problem['details']['parent_uuid']['msg'] == 'A master tenant already exist'
    problem = error(post(uuid=tenant['uuid']), 409, 'tenant-identity-conflict')
    assert problem['message'] == 'Tenant Conflict detected'
    problem = error(post(slug=tenant['slug']), 409, 'conflict')
    assert problem['details']['slug']['message'] == f'The slug "{tenant["slug"]}" is already used'
    problem = error(post(domain_names=['z.' + domain, domain]), 409, 'conflict')
    assert problem['details']['domain_names'] == {
        'constraint-id': 'unique',
        'message': f"Domain name : \"['{domain}', 'z.{domain}']\" is already in use, no duplicates allowed"
        if domain < 'z.' + domain
        else f"Domain name : \"['z.{domain}', '{domain}']\" is already in use, no duplicates allowed",
    }
    error(post(contact=UNKNOWN), 404, 'unknown-user')


def test_a_slug_is_given_once_to_writers_at_once(api, admin_token):
    slug = label()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: api.post('/tenants', admin_token, json={'slug': slug}).status_code, range(6)))
    assert sorted(answers) == [200] + [409] * 5


def test_events(api, admin_token, new, bus):
    domain = f'{label()}.org'
    tenant = new(name='events', domain_names=[domain])
    uuid_ = tenant['uuid']
    mine = lambda event: event.body['data']['uuid'] == uuid_  # noqa: E731
    added = bus.wait('auth_tenant_added', mine)
    assert added.body['data'] == {'uuid': uuid_, 'name': 'events', 'slug': tenant['slug'], 'domain_names': [domain]}
    assert added.key == f'auth.tenants.{uuid_}.created'
    api.put(f'/tenants/{uuid_}', admin_token, json={})
    assert bus.wait('auth_tenant_updated', mine).body['data'] == {'uuid': uuid_, 'name': None}
    api.delete(f'/tenants/{uuid_}', admin_token)
    assert bus.wait('auth_tenant_deleted', mine).body['data'] == {'uuid': uuid_}


def test_put_replaces_all(api, admin_token, new, psql):
    domains = [f'{letter}.{label()}' for letter in 'abc']
    tenant = new(
        name='n', phone='1', domain_names=domains[:2], address={'city': 'c'}, default_authentication_method='saml'
    )
    path = f"/tenants/{tenant['uuid']}"
    kept = psql(f"SELECT uuid FROM auth_tenant_domain WHERE name = '{domains[1]}'")
    changed = api.put(
        path, admin_token, json={'name': 'm', 'slug': '!', 'domain_names': domains[1:], 'address': {'line_1': 'l'}}
    ).json()
    assert changed == tenant | {
        'name': 'm',
        'phone': None,
        'domain_names': domains[1:],
        'default_authentication_method': 'native',
        'address': NO_ADDRESS | {'line_1': 'l'},
    }
    assert psql(f"SELECT uuid FROM auth_tenant_domain WHERE name = '{domains[1]}'") == kept
    assert api.put(path, admin_token, json={}).json()['address'] == NO_ADDRESS
    assert psql(f"SELECT count(*) FROM auth_address WHERE tenant_uuid = '{tenant['uuid']}'") == '0'
    other = new(domain_names=[domains[0]])
    error(api.put(path, admin_token, json={'domain_names': other['domain_names']}), 409, 'conflict')
    error(api.put(path, admin_token, json={'contact': UNKNOWN}), 404, 'unknown-user')
    error(api.put(f'/tenants/{UNKNOWN}', admin_token, json={}), 404, 'unknown-tenant')


def test_lists(api, admin_token, new):
    mark = uuid.uuid4().hex[:6]
    top = new(name=f'b{mark}', domain_names=[f'{mark}.example.com'])
    child = new(top, name=f'a{mark}')
    grandchild = new(child, name=f'c{mark}')

    def listed(**params):
        answer = api.get('/tenants', admin_token, params=params, headers=below(top))
        assert answer.status_code == 200, answer.text
        tree = answer.json()
        assert (tree['total'], tree['filtered'] >= len(tree['items'])) == (3, True)
        return [tenant['name'][0] for tenant in tree['items']]

    assert listed() == ['a', 'b', 'c']
    assert listed(direction='desc', limit=2) == ['c', 'b']
    assert listed(search=f'{mark}.EXAMPLE') == ['b']
    assert listed(domain_name=f'{mark}.example.com') == ['b']
    assert listed(domain_name='') == ['a', 'b', 'c']
    assert listed(uuid=child['uuid']) == listed(name=child['name']) == listed(slug=child['slug']) == ['a']
    assert listed(uuids=[child['uuid'], grandchild['uuid'], UNKNOWN]) == ['a', 'c']
    assert listed(uuids='') == []
    problem = error(
        api.get('/tenants', admin_token, params={'uuids': ['x'] * 26, 'order': 'x'}), 400, 'invalid-list-param'
    )
    assert sorted(problem['message']) == ['order', 'uuids']
    assert [tenant['uuid'] for tenant in api.get('/tenants', admin_token, headers=below(child)).json()['items']] == [
        child['uuid'],
        grandchild['uuid'],
    ]


def test_only_the_subtree_is_known(api, admin_token, new, master):
    top, other = new(), new()
    for tenant in (master, other['uuid'], UNKNOWN):
        for method, options in ((api.get, {}), (api.put, {'json': {}}), (api.delete, {})):
            error(method(f'/tenants/{tenant}', admin_token, headers=below(top), **options), 404, 'unknown-tenant')


def test_delete(api, admin_token, new, make_user, make_token):
    top = new()
    child = new(top)
    error(api.delete(f"/tenants/{top['uuid']}", admin_token, headers=below(top)), 403, 'deleting-own-tenant-forbidden')
    answer = api.delete(f"/tenants/{top['uuid']}", admin_token)
    assert (answer.status_code, answer.json()['error_id'], answer.json()['details']) == (
        400,
        {'uuid': top['uuid']},
        'tenants',
    )
    token = make_token(make_user(headers=below(child)))['token']
    assert api.delete(f"/tenants/{child['uuid']}", admin_token, headers=below(top)).status_code == 204
    assert api.get(f'/token/{token}').status_code == 404
    assert api.delete(f"/tenants/{top['uuid']}", admin_token).status_code == 204
    error(api.delete(f"/tenants/{top['uuid']}", admin_token), 404, 'unknown-tenant')


def test_domains(api, admin_token, new, make_user, insert_token):
    tenant, other = new(domain_names=[f'{label()}.com']), new()
    [domain] = api.get(f"/tenants/{tenant['uuid']}/domains", admin_token).json()['items']
    assert (set(domain), domain['name']) == ({'name', 'uuid'}, tenant['domain_names'][0])
    error(api.get(f'/tenants/{UNKNOWN}/domains', admin_token), 404, 'unknown-tenant')
    user = make_user(headers=below(other))['uuid']
    token = insert_token(acl=['#'], user_uuid=user, tenant_uuid=other['uuid'])['token']
    error(api.get(f"/tenants/{tenant['uuid']}/domains", token), 404, 'unknown-tenant')


def test_moves(api, admin_token, new, master):
    top, other = new(), new()
    child = new(top)
    move = lambda tenant, parent, **options: api.put(  # noqa: E731
        f'/tenants/{tenant}/parent/{parent}', admin_token, **options
    )
    assert move(child['uuid'], other['uuid']).status_code == 204
    assert api.get(f"/tenants/{child['uuid']}", admin_token, headers=below(other)).status_code == 200
    assert api.get(f"/tenants/{child['uuid']}", admin_token, headers=below(top)).status_code == 404
    for parent in (other['uuid'], child['uuid']):
        problem = error(move(other['uuid'], parent), 409, 'conflict')
        assert problem['message'] == f'Parent ({parent}) is a descendent of tenant: "{other["uuid"]}"'
        assert problem['details'] == {'uuid': other['uuid'], 'parent_uuid': parent}
    error(move(master, child['uuid']), 409, 'conflict')
    error(move(top['uuid'], UNKNOWN), 404, 'unknown-tenant')
    error(move(top['uuid'], other['uuid'], headers=below(other)), 404, 'unknown-tenant')


def test_moves_at_once_make_no_circle(api, admin_token, new, psql):
    for _ in range(5):
        one, two = new()['uuid'], new()['uuid']
        with ThreadPoolExecutor(2) as pool:
            answers = list(
                pool.map(
                    lambda pair: api.put(f'/tenants/{pair[0]}/parent/{pair[1]}', admin_token).status_code,
                    [(one, two), (two, one)],
                )
            )
        assert sorted(answers) == [204, 409]
