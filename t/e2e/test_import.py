"""POST /users/import: docs/spec/endpoints.md section 7. What it commits, row by row, is in t/calls."""
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.checks import UNKNOWN, below, error, label

OUTCOMES = 'created', 'changed', 'unchanged', 'failed'


@pytest.fixture(scope='module')
def tenant(create):
    return create('/tenants', name=label('i'))['uuid']


@pytest.fixture(scope='module')
def sales(create, tenant):
    """A group and a policy, both of this slug."""
    slug = f'sales_{label()}'.replace('-', '_')
    return {
        'slug': slug,
        'group': create('/groups', tenant, name=slug, slug=slug),
        'policy': create('/policies', tenant, name=slug, slug=slug, acl=['calls.read']),
    }


@pytest.fixture(scope='module')
def send(api, admin_token, tenant):
    def send(*rows, token=admin_token, to=tenant, **body):
        answer = api.post('/users/import', token, json={'users': rows, **body}, headers=below(to))
        assert answer.status_code == 200, answer.text
        result = answer.json()
        words = [item['outcome'] for item in result['items']]
        assert {word: result[word] for word in OUTCOMES} == {word: words.count(word) for word in OUTCOMES}
        return result['items']

    return send


@pytest.fixture(scope='module')
def importer(make_user, insert_token, tenant):
    """A token of the tenant that may import and has these accesses besides."""

    def importer(*acl):
        user = make_user(headers=below(tenant))
        own = insert_token(acl=['auth.users.import.create', *acl], user_uuid=user['uuid'], tenant_uuid=tenant)
        return own['token']

    return importer


@pytest.fixture(scope='module')
def read(api, admin_token):
    def read(path):
        answer = api.get(path, admin_token)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return read


@pytest.fixture
def belongs(read):
    """Slugs of the groups and of the policies that a user has, but for the group of all users."""

    def belongs(uuid):
        groups = [each['slug'] for each in read(f'/users/{uuid}/groups')['items'] if not each['system_managed']]
        return groups, [each['slug'] for each in read(f'/users/{uuid}/policies')['items']]

    return belongs


def outcomes(items):
    return [item['outcome'] for item in items]


def changes(item):
    return {each['field']: (each['before'], each['after']) for each in item['changes']}


# -- rows --------------------------------------------------------------------------------------------------------------


def test_a_new_user_has_all_of_its_row(send, read, belongs, tenant, sales, api):
    name, password = label('i'), f'pass-{label()}'
    [item] = send({
        'username': name, 'firstname': 'é', 'lastname': None, 'purpose': 'internal', 'enabled': True, 'password': password,
        'emails': [{'address': f'{name}@example.org'}, {'address': f'{name}@Example.com', 'main': True},
                   {'address': f'{name}@example.net', 'confirmed': False}],
        'groups': [sales['slug']], 'policies': [sales['policy']['uuid']],
    })  # fmt: skip
    assert (item['outcome'], 'error' in item) == ('created', False)
    user = read(f"/users/{item['uuid']}")
    assert user['tenant_uuid'] == tenant
    assert (user['username'], user['firstname'], user['lastname']) == (name, 'é', None)
    assert (user['purpose'], user['authentication_method'], user['enabled']) == ('internal', 'native', True)
    assert {each['address']: (each['main'], each['confirmed']) for each in user['emails']} == {
        f'{name}@Example.com': (True, True),
        f'{name}@example.org': (False, True),
        f'{name}@example.net': (False, False),
    }
    assert belongs(item['uuid']) == ([sales['slug']], [sales['slug']])
    assert api.post('/token', auth=(name, password)).status_code == 200
    assert changes(item)['groups'] == (None, [sales['slug']]) or changes(item)['groups'] == ([], [sales['slug']])
    assert password not in str(item)


def test_a_row_is_about_who_has_its_uuid_or_else_its_login(send, create, tenant):
    name = label('i')
    user = create('/users', tenant, username=name, email_address=f'{name}@example.com')
    for row in (
        {'uuid': user['uuid'], 'username': name},
        {'uuid': user['uuid'].upper()},
        {'username': name.upper(), 'firstname': None},
        {'emails': [{'address': f'{name}@example.com', 'main': True}]},
        {'username': f'{name}@example.com'},
    ):
        [item] = send(row, dry_run=True)
        assert item['uuid'] == user['uuid'], row
        assert item['outcome'] == ('unchanged' if row.get('username', name) == name else 'changed'), row


def test_what_a_row_does_not_name_stays(send, read, belongs, create, tenant, sales):
    name = label('i')
    [made] = send({'username': name, 'firstname': 'First', 'groups': [sales['slug']], 'policies': [sales['slug']]})
    before = read(f"/users/{made['uuid']}")
    [item] = send({'username': name, 'lastname': 'Last'})
    assert (item['outcome'], changes(item)) == ('changed', {'lastname': (None, 'Last')})
    assert read(f"/users/{made['uuid']}") == before | {'lastname': 'Last'}
    assert belongs(made['uuid']) == ([sales['slug']], [sales['slug']])
    [item] = send({'username': name, 'groups': [], 'policies': [], 'lastname': 'Last'})
    assert changes(item) == {'groups': ([sales['slug']], []), 'policies': ([sales['slug']], [])}
    assert belongs(made['uuid']) == ([], [])


def test_the_same_rows_again_change_nothing(send, sales, psql):
    rows = [
        {'username': label('i'), 'password': 'x', 'groups': [sales['slug']], 'policies': [sales['slug']]},
        {'emails': [{'address': f"{label('i')}@example.com", 'main': True}]},
    ]
    send(*rows)
    entries = psql('SELECT count(*) FROM wazo_auth.audit WHERE kind <> \'session\'')
    assert outcomes(send(*rows)) == ['unchanged', 'unchanged']
    assert psql('SELECT count(*) FROM wazo_auth.audit WHERE kind <> \'session\'') == entries


def test_addresses_keep_what_is_not_said_of_them(send, read, create, api, admin_token, tenant):
    name = label('i')
    user = create('/users', tenant, username=name)
    old = {'address': f'{name}@example.com', 'main': True, 'confirmed': False}
    path = f"/admin/users/{user['uuid']}/emails"
    assert api.put(path, admin_token, json={'emails': [old]}).status_code == 200
    uuid = read(f"/users/{user['uuid']}")['emails'][0]['uuid']
    send({'username': name, 'emails': [{'address': f'{name}@example.com', 'main': True}, {'address': f'{name}@b.com'}]})
    found = {each['address']: each for each in read(f"/users/{user['uuid']}")['emails']}
    assert found[f'{name}@example.com'] == old | {'uuid': uuid}
    assert found[f'{name}@b.com']['confirmed'] is True


@pytest.mark.parametrize('row, status, text', [
    ({}, 400, 'One of uuid, username and emails is needed'),
    (None, 400, 'One of uuid'),
    (7, 400, 'Invalid input type.'),
    ({'username': ''}, 400, 'Length must be between 1 and 256'),
    ({'username': 'a\0b'}, 400, 'Not a valid string.'),
    ({'username': '@', 'purpose': 'none'}, 400, 'Must be one of'),
    ({'username': '@', 'authentication_method': 'magic'}, 400, 'Invalid authentication method magic'),
    ({'username': '@', 'enabled': 'perhaps'}, 400, 'Not a valid boolean.'),
    ({'username': '@', 'password': ''}, 400, 'Shorter than minimum length 1.'),
    ({'username': '@', 'emails': [{'address': 'nonsense'}]}, 400, 'Not a valid email address.'),
    ({'username': '@', 'emails': [{'address': '@@example.com'}]}, 400, 'Not a valid email address.'),
    ({'username': '@', 'emails': [{'address': 'a@b.com'}]}, 400, 'At least one address should be main'),
    ({'username': '@', 'groups': ['nowhere']}, 404, 'No such group: "nowhere"'),
    ({'username': '@', 'groups': [UNKNOWN]}, 404, 'No such group'),
    ({'username': '@', 'policies': ['nowhere']}, 404, "No such policy {'slug': 'nowhere'}"),
    ({'username': '@', 'policies': [UNKNOWN]}, 404, "No such policy {'uuid': "),
    ({'uuid': UNKNOWN}, 404, 'No such user'),
])  # fmt: skip
def test_a_row_that_is_wrong_keeps_no_other_back(send, api, admin_token, row, status, text):
    name, other = label('i'), label('i')
    if isinstance(row, dict) and row.get('username') == '@':
        row = row | {'username': name}
    for dry_run in True, False:
        items = send(row, {'username': other}, dry_run=dry_run)
        assert outcomes(items) == ['failed', 'created']
        assert (items[0]['status'], items[0]['uuid'], items[0]['changes']) == (status, None, [])
        assert text in str(items[0]['error'].get('message') or items[0]['error']['reason'])
    assert api.get('/users', admin_token, params={'username': name, 'recurse': True}).json()['filtered'] == 0


def test_logins_of_others_are_taken(send, create, tenant):
    """In the tenant the row would be about them."""
    name = label('i')
    create('/users', username=name, email_address=f'{name}@example.com')
    create('/users', tenant, username=f'{name}-here')
    rows = [
        {'username': name},
        {'emails': [{'address': f'{name}@example.com', 'main': True}]},
        {'username': f'{name}-new', 'emails': [
            {'address': f'{name}-here@b.com', 'main': True}, {'address': f'{name}@example.com'}]},
        {'username': f'{name}-here', 'emails': [{'address': f'{name}@example.com', 'main': True}]},
    ]  # fmt: skip
    for item in send(*rows):
        assert (item['outcome'], item['status'], item['error']['error_id']) == ('failed', 409, 'conflict')


def test_the_group_of_all_users_is_not_for_imports(send, tenant, psql):
    slug = psql(f"SELECT slug FROM auth_group WHERE tenant_uuid = '{tenant}' AND system_managed")
    [item] = send({'username': label('i'), 'groups': [slug]})
    assert (item['status'], item['error']['error_id']) == (403, 'forbidden-group')


def test_an_import_is_of_one_tenant(send, create, tenant, sales, tenants):
    """Not of those below it, neither users nor groups."""
    beneath = create('/tenants', tenant, name=label('i'))['uuid']
    user = create('/users', beneath, username=label('i'))
    group = create('/groups', beneath, name=label('i'))
    assert send({'uuid': user['uuid']})[0]['status'] == 404
    assert send({'username': user['username']})[0]['status'] == 409
    assert send({'username': label('i'), 'groups': [group['uuid']]})[0]['status'] == 404
    assert send({'username': label('i'), 'groups': [sales['slug']]}, to=beneath)[0]['status'] == 404


def test_who_is_disabled_loses_sessions_and_the_bus_hears_it(send, make_user, make_token, api, tenant, bus):
    kept, ended = (make_user(headers=below(tenant)) for _ in range(2))
    tokens = {user['uuid']: make_token(user) for user in (kept, ended)}
    send({'username': kept['username'], 'enabled': False, 'policies': ['nowhere']})
    send({'username': kept['username'], 'enabled': False}, dry_run=True)
    send({'username': ended['username'], 'enabled': False})
    bus.wait('auth_session_deleted', lambda event: event.body['data']['user_uuid'] == ended['uuid'])
    told = [e.body['data']['user_uuid'] for e in bus.events if e.name == 'auth_session_deleted']
    assert kept['uuid'] not in told
    assert api.get(f"/token/{tokens[kept['uuid']]['token']}").status_code == 200
    assert api.get(f"/token/{tokens[ended['uuid']]['token']}").status_code == 404


# -- the request -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('body, field', [
    ({}, 'users'),
    ({'users': None}, 'users'),
    ({'users': {}}, 'users'),
    ({'users': [], 'dry_run': 'perhaps'}, 'dry_run'),
    ({'users': [{'username': 'x'}] * 501}, 'users'),
])  # fmt: skip
def test_requests_that_are_none(api, admin_token, body, field):
    assert field in error(api.post('/users/import', admin_token, json=body), 400, 'invalid-data')['details']


def test_nobody_is_nobody(send):
    assert send() == send(dry_run=True) == []


def test_as_many_as_there_may_be(send):
    prefix = label('i')
    rows = [
        {'username': f'{prefix}-{i}', 'emails': [{'address': f'{prefix}-{i}@example.com', 'main': True}]}
        for i in range(500)
    ]
    began = time.monotonic()
    assert set(outcomes(send(*rows, dry_run=True))) == {'created'}
    previewed = time.monotonic()
    assert set(outcomes(send(*rows))) == {'created'}
    print(f'500 users: preview {previewed - began:.2f} s, import {time.monotonic() - previewed:.2f} s')


def test_imports_edits_and_previews_at_once(send, api, admin_token, sales, read):
    """Nothing waits for anything that waits for it, and nobody answers 500."""
    prefix = label('i')
    rows = [{'username': f'{prefix}-{i}', 'groups': [sales['slug']], 'policies': [sales['slug']]} for i in range(30)]
    made = send(*rows)

    def import_them(turn):
        own = [row | {'firstname': f'turn {turn}'} for row in (rows if turn % 2 else reversed(rows))]
        return [item for item in send(*own, dry_run=turn % 3 == 0) if item['outcome'] == 'failed']

    def edit(turn):
        body = {'username': f'{prefix}-{turn}', 'lastname': 'edited'}
        answer = api.put(f"/users/{made[turn]['uuid']}", admin_token, json=body)
        return [] if answer.status_code == 200 else [answer.text]

    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(work, turn) for turn in range(12) for work in (import_them, edit)]
    assert [failure for each in done for failure in each.result()] == []


# -- accesses ----------------------------------------------------------------------------------------------------------


def required(item):
    return item['error']['details']['required_access'] if item['outcome'] == 'failed' else None


def test_each_part_needs_the_access_of_its_own_call(send, importer, create, tenant, sales):
    """One access after the other is added, in the order in which they are missed."""
    name = label('i')
    user = create('/users', tenant, username=name)['uuid']
    row = {
        'uuid': user, 'firstname': 'x', 'emails': [{'address': f'{name}@example.com', 'main': True}],
        'groups': [sales['slug']], 'policies': [sales['slug']],
    }  # fmt: skip
    wanted = [
        f'auth.users.{user}.read',
        f'auth.users.{user}.update',
        f'auth.admin.users.{user}.emails.update',
        f'auth.users.{user}.groups.read',
        f'auth.users.{user}.policies.read',
        f"auth.groups.{sales['group']['uuid']}.users.{user}.create",
        f"auth.users.{user}.policies.{sales['policy']['uuid']}.create",
        'calls.read',  # the policy's: nobody hands on what he hasn't
    ]
    for held in range(len(wanted)):
        token = importer(*wanted[:held])
        for dry_run in True, False:
            [item] = send(row, token=token, dry_run=dry_run)
            assert (item['status'], required(item)) == (401, wanted[held])
    [item] = send(row, token=importer(*wanted))
    assert item['outcome'] == 'changed'


def test_what_is_taken_away_needs_its_access_too(send, importer, sales):
    [made] = send({'username': label('i'), 'groups': [sales['slug']], 'policies': [sales['slug']]})
    user = made['uuid']
    reads = [f'auth.users.{user}.{part}read' for part in ('', 'groups.', 'policies.')]
    group = f"auth.groups.{sales['group']['uuid']}.users.{user}.delete"
    policy = f"auth.users.{user}.policies.{sales['slug']}.delete"  # by slug, as by uuid
    assert required(send({'uuid': user, 'groups': []}, token=importer(*reads))[0]) == group
    assert required(send({'uuid': user, 'policies': []}, token=importer(*reads))[0]).endswith('.delete')
    rows = {'uuid': user, 'groups': [], 'policies': []}
    assert required(send(rows, token=importer(*reads, group, policy))[0]) == 'calls.read'
    assert send(rows, token=importer(*reads, group, policy, 'calls.read'))[0]['outcome'] == 'changed'


def test_new_users_need_the_access_of_new_users(send, importer):
    row = {'username': label('i'), 'emails': [{'address': f"{label('i')}@example.com", 'main': True}]}
    [item] = send(row, token=importer())
    assert (item['status'], required(item)) == (401, 'auth.users.create')
    more = row | {'emails': [*row['emails'], {'address': f"{label('i')}@example.com"}]}
    assert required(send(more, token=importer('auth.users.create'))[0]).endswith('.emails.update')
    assert send(row, token=importer('auth.users.create'))[0]['outcome'] == 'created'


def test_who_may_not_see_a_user_learns_what_a_new_user_of_that_name_would(send, importer, create, tenant):
    user = create('/users', tenant, username=label('i'), firstname='Secret')
    [item] = send({'username': user['username'], 'firstname': 'Secret'}, token=importer('auth.users.create'))
    assert (item['status'], item['error']['error_id']) == (409, 'conflict')
    assert user['uuid'] not in str(item)


def test_an_import_needs_its_own_access(api, insert_token):
    token = insert_token(acl=['#', '!auth.users.import.create'])['token']
    error(api.post('/users/import', token, json={'users': []}), 401, 'unauthorized')


def test_other_tenants_are_no_ones_to_import_into(api, importer, tenants):
    answer = api.post('/users/import', importer('#'), json={'users': []}, headers=below(tenants[0]))
    error(answer, 401, 'unauthorized-tenant')
