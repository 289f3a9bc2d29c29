"""What a start does in the database: docs/spec/endpoints.md section 19, docs/spec/config.md 5.3 to 5.5."""
import contextlib
import json
import uuid

import psycopg2
import pytest

from support import servers
from support.checks import label

READY = 'the database is ready'


@pytest.fixture
def start(stack):
    """Starts an nginx with this configuration, stops it, and gives what it logged."""

    def run(**settings):
        nginx = stack.new_nginx(label('seed'), servers_text='', settings=settings)
        nginx.wait_for_log(READY)
        nginx.stop()
        return nginx.error_log.read_text()

    yield run
    # What is no longer configured goes away, unless it is attached.
    run()


@pytest.fixture(scope='module')
def tenant(api, admin_token):
    return api.post('/tenants', admin_token, json={}).json()['uuid']


@pytest.fixture
def held(stack):
    """held(statement): a context in which a transaction holds the locks that the statement takes."""

    @contextlib.contextmanager
    def hold(statement):
        connection = psycopg2.connect(stack.database_uri)
        try:
            connection.cursor().execute(statement)
            yield
        finally:
            connection.close()

    return hold


def policy_of(api, token, slug):
    answer = api.get('/policies', token, params={'slug': slug})
    items = answer.json()['items']
    return items[0] if items else None


def attached(psql, group, tenant):
    text = psql(
        'SELECT p.slug FROM auth_group_policy JOIN auth_group g ON g.uuid = group_uuid '
        f"JOIN auth_policy p ON p.uuid = policy_uuid WHERE g.slug = '{group}' AND g.tenant_uuid = '{tenant}' "
        'ORDER BY p.slug'
    )
    return text.split('\n') if text else []


def test_default_policies(api, admin_token, psql, start):
    slug = label('default')
    start(default_policies={slug: {'acl': ['a', 'b']}})
    policy = policy_of(api, admin_token, slug)
    assert (policy['name'], policy['description'], sorted(policy['acl']), policy['read_only']) == (
        slug,
        'Automatically created',
        ['a', 'b'],
        True,
    )
    psql(f"UPDATE auth_policy SET name = 'renamed-{slug}', config_managed = false WHERE slug = '{slug}'")
    start(default_policies={slug: {'acl': ['b', 'c'], 'description': 'D'}})
    changed = policy_of(api, admin_token, slug)
    assert changed == policy | {'acl': changed['acl'], 'description': 'D'}
    assert sorted(changed['acl']) == ['b', 'c']


def test_a_shared_default_policy_starts_twice(api, admin_token, start):
    slug = label('shared')
    policies = {slug: {'acl': ['a'], 'shared': True}}
    start(default_policies=policies)
    assert policy_of(api, admin_token, slug)['shared'] is True
    assert slug in start(default_policies=policies)


def test_a_taken_name_does_not_stop_the_start(api, admin_token, psql, start):
    slug, taken = label('taken'), label('taken')
    api.post('/policies', admin_token, json={'name': taken})
    psql(f"UPDATE auth_policy SET slug = 'x{uuid.uuid4().hex}' WHERE name = '{taken}'")
    log = start(default_policies={taken: {'acl': []}, slug: {'acl': []}})
    assert taken in log
    assert policy_of(api, admin_token, slug)


def test_orphans(api, admin_token, make_user, start):
    used, unused = label('used'), label('unused')
    start(default_policies={used: {'acl': []}, unused: {'acl': []}})
    user = make_user()['uuid']
    api.put(f"/users/{user}/policies/{policy_of(api, admin_token, used)['uuid']}", admin_token)
    log = start()
    assert policy_of(api, admin_token, unused) is None
    assert policy_of(api, admin_token, used)
    assert used in log
    api.delete(f'/users/{user}', admin_token)


def test_all_users_policies(psql, tenant, start):
    slugs = [label('all') for _ in range(3)]
    policies = {slug: {'acl': []} for slug in slugs}
    master = psql('SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid')
    groups = [(f'wazo-all-users-tenant-{owner}', owner) for owner in (master, tenant)]
    start(default_policies=policies, all_users_policies={slugs[0]: True, slugs[1]: True, 'no-such-policy': True})
    for group, owner in groups:
        assert set(slugs) & set(attached(psql, group, owner)) == set(slugs[:2])
    start(default_policies=policies, all_users_policies={slugs[0]: False, slugs[2]: True})
    assert set(slugs) & set(attached(psql, *groups[0])) == {slugs[0], slugs[2]}
    assert set(slugs) & set(attached(psql, *groups[1])) == set(slugs)


def test_default_groups(api, admin_token, psql, tenant, start):
    group, one, two = label('group'), label('policy'), label('policy')
    policies = {slug: {'acl': []} for slug in (one, two)}
    start(default_policies=policies, tenant_default_groups={group: {'policies': {one: True, two: False, 'none': True}}})
    assert attached(psql, group, tenant) == [one]
    psql(f"UPDATE auth_group SET name = 'renamed' WHERE slug = '{group}' AND tenant_uuid = '{tenant}'")
    start(default_policies=policies, tenant_default_groups={group: {'policies': {one: False, two: True}}})
    assert attached(psql, group, tenant) == [two]
    assert psql(f"SELECT name FROM auth_group WHERE slug = '{group}' AND tenant_uuid = '{tenant}'") == group
    start(default_policies=policies, tenant_default_groups={group: {}})
    assert attached(psql, group, tenant) == [two]


def test_a_tenant_without_all_users_group_is_repaired(api, admin_token, psql, make_user, start):
    tenant = api.post('/tenants', admin_token, json={}).json()['uuid']
    make_user(headers={'Wazo-Tenant': tenant})
    psql(f"DELETE FROM auth_group WHERE tenant_uuid = '{tenant}'")
    assert tenant in start()
    members = (
        'SELECT count(*) FROM auth_user_group JOIN auth_group g ON g.uuid = group_uuid '
        f"WHERE g.tenant_uuid = '{tenant}' AND g.system_managed"
    )
    assert psql(members) == '1'
    psql(f"DELETE FROM auth_group WHERE tenant_uuid = '{tenant}'")
    make_user(headers={'Wazo-Tenant': tenant})
    assert psql(members) == '2'


def test_nothing_is_touched_when_it_is_switched_off(api, admin_token, start):
    slug = label('off')
    start(update_policy_on_startup=False, default_policies={slug: {'acl': []}})
    assert policy_of(api, admin_token, slug) is None


def test_methods_that_nobody_offers_are_reported(psql, make_user, start):
    user = make_user()['uuid']
    psql(f"UPDATE auth_user SET authentication_method = 'smoke' WHERE uuid = '{user}'")
    log = start()
    psql(f"UPDATE auth_user SET authentication_method = 'default' WHERE uuid = '{user}'")
    assert 'Checking configured authentication methods for missing implementations' in log
    assert 'Authentication method smoke is in use but is not available' in log
    assert f'User (uuid={user}) has no available idp implementation for authentication method smoke' in log


# -- what service waits for --------------------------------------------------------------------------------------------

NO_CHANGES = 'LOCK TABLE auth_group, auth_group_policy, auth_user_group, auth_policy IN SHARE MODE'


def test_a_start_serves_before_it_looks_at_all_tenants(new_nginx, start, held):
    """Nothing is written, and so no tenant but the master is looked at, where it was seeded before."""
    slug, group = label('seeded'), label('seeded')
    settings = {
        'default_policies': {slug: {'acl': ['b', 'a']}},
        'all_users_policies': {slug: True, 'no-such-policy': True},
        'tenant_default_groups': {group: {'policies': {slug: True, 'no-such-policy': True}}, label('empty'): {}},
    }
    start(**settings)
    with held(NO_CHANGES):
        nginx = new_nginx(label('serves'), servers_text='', settings=settings)
        assert READY not in nginx.error_log.read_text()
    nginx.wait_for_log(READY)


@pytest.mark.parametrize(
    'before, now',
    [
        ({}, {'all_users_policies': {'the policy': True}}),
        ({'all_users_policies': {'the policy': True}}, {}),
        ({}, {'tenant_default_groups': {'the policy': {}}}),
        (
            {'tenant_default_groups': {'the policy': {'policies': {'the policy': True}}}},
            {'tenant_default_groups': {'the policy': {'policies': {'the policy': False}}}},
        ),
    ],
    ids=['a policy for all users', 'no policy for all users', 'a default group', 'no policy of a default group'],
)
def test_service_waits_for_what_is_new(new_nginx, start, held, wait_until, before, now):
    slug = label('waits')
    policies = {slug: {'acl': []}}
    before, now = (json.loads(json.dumps(each).replace('the policy', slug)) for each in (before, now))
    start(default_policies=policies, **before)
    nginx = new_nginx(label('waits'), servers_text='', settings={'default_policies': policies, **now}, start=False)
    answered, nginx.ready = nginx.ready, lambda: servers.port_answers(nginx.values['API_PORT'])
    with held(NO_CHANGES):
        nginx.start()
        assert nginx.api.get('/backends').status_code == 503
    wait_until(answered)
    nginx.stop()


def test_a_start_waits_for_no_upgrade_that_it_does_not_need(new_nginx, held):
    with held("SELECT pg_advisory_lock(hashtext('wazo_auth.migration'))"):
        new_nginx(label('fit'), servers_text='', settings={'db_upgrade_on_startup': True})


def test_another_password_of_the_bootstrap_user_is_an_error_beside_service(new_nginx, admin):
    nginx = new_nginx(label('bootstrap'), servers_text='', settings={'bootstrap_user_password': 'Secr7t-another'})
    nginx.wait_for_log(f"""start: the user "{admin['username']}" exists, and the given password is not the right one""")
    assert nginx.api.get('/backends').status_code == 200
    nginx.stop()
