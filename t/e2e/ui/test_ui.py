"""The operator's page: sessions, users, groups, policies, tenants and the API, as people use them."""
import uuid

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from support.checks import below, label
from support.operators_page import MARKUP, new_window, server_with
from support.servers import wait_until

# Long waits of the page are half a second.
HASTY = """const wait = setTimeout;
window.setTimeout = (what, ms, ...more) => wait(what, ms > 600000 ? 500 : ms, ...more);"""


@pytest.fixture(scope='module')
def site(new_nginx):
    return new_nginx('ui', server_with('location /another/daemon { return 204; }'))


def sessions_of(api, admin_token, user):
    answer = api.get(f"/users/{user['uuid']}/sessions", token=admin_token)
    return [session['uuid'] for session in answer.json()['items']]


def test_log_in_and_out(page, api, admin_token, make_user):
    user = make_user(acl=['auth.users.me.tokens.#'])
    page.log_in(user['username'], 'wrong-password-3b1')
    page.see('[role=alert]', 'Wrong name or password')
    page.enter(user)
    assert len(sessions_of(api, admin_token, user)) == 1
    assert page.find('nav a', 'Overview') and not page.find('nav a', 'Users')  # what the API would refuse isn't shown
    # Nothing of the session is kept anywhere but in the page's memory.
    assert page.driver.execute_script('return [localStorage.length, sessionStorage.length, document.cookie]') == [
        0,
        0,
        '',
    ]
    page.press('Log out')
    page.see('[role=alert]', 'You have logged out.')
    wait_until(lambda: not sessions_of(api, admin_token, user), 10, 'the session goes')
    assert api.get(f"/users/{user['uuid']}/tokens", token=admin_token).json()['items'] == []


def test_the_token_is_renewed(address, api, admin_token, make_user):
    """The token before goes with its session."""
    user = make_user()
    with new_window(address, HASTY) as page:
        page.enter(user)
        seen = set()

        def renewed():
            seen.update(sessions_of(api, admin_token, user))
            return len(seen) >= 3

        wait_until(renewed, 20, 'further sessions')
        assert len(sessions_of(api, admin_token, user)) <= 2
        tokens = api.get(f"/users/{user['uuid']}/tokens", token=admin_token).json()['items']
        assert [token['client_id'] for token in tokens] == ['wazo-auth-ui']
        assert page.find('h1', 'Overview')
        # Whoever's session is ended isn't let in again by the refresh token.
        api.put(f"/locks/user/{user['uuid']}", token=admin_token, json={})
        page.see('[role=alert]', 'ended by somebody else')
        assert sessions_of(api, admin_token, user) == []


def test_who_logs_out_while_the_token_is_renewed(address, api, admin_token, make_user):
    """The new token comes when its visitor has gone: nothing of it stays."""
    held = """const ask = fetch;
    window.fetch = async (address, options) => {
      const answer = await ask(address, options);
      if (String(options?.body).includes('"refresh_token"')) await new Promise((go) => (window.release = go));
      return answer;
    };"""
    user = make_user()
    with new_window(address, HASTY, held) as page:
        page.enter(user)
        page.wait_for(lambda: page.driver.execute_script('return Boolean(window.release)'), 'the new token')
        assert len(sessions_of(api, admin_token, user)) == 2
        page.press('Log out')
        page.see('[role=alert]', 'You have logged out.')
        page.driver.execute_script('window.release()')
        wait_until(lambda: not sessions_of(api, admin_token, user), 10, 'both sessions go')


def test_leaving_ends_the_session(page, api, admin_token, make_user):
    user = make_user()
    page.enter(user)
    assert sessions_of(api, admin_token, user)
    page.driver.get('about:blank')
    wait_until(lambda: not sessions_of(api, admin_token, user), 10, 'the session goes')
    page.open()


def test_overview(inside):
    inside.see('[data-state]')
    inside.see('dt', 'Database')
    inside.see(inside.part('Recent changes') + ' td', 'login')


def test_a_user_is_found_as_one_types(inside, create):
    name = f'findable-{label()}'
    create('/users', username=name, email_address=f'{name}@example.com')
    inside.go('Users')
    inside.fill('search', name[:-1])
    inside.see('td a', name)
    inside.wait_for(lambda: len(inside.find('tbody tr')) == 1, 'one user is found')
    inside.fill('search', f'{name}-not')
    inside.see('p', 'No users found.')
    inside.fill('search', f'{name}@')
    inside.press(name, 'td a')
    inside.see('h1', name)
    inside.see('dd', f'{name}@example.com')


def test_many_users_come_page_by_page(inside, create):
    name = f'many-{label()}'
    for i in range(30):
        create('/users', username=f'{name}-{i:02}')
    inside.go('Users')
    inside.fill('search', name)
    inside.see('.pages', '1 to 25 of 30')
    inside.press('Next')
    inside.see('td a', f'{name}-29')
    inside.see('.pages', '26 to 30 of 30')
    inside.press('Previous')
    inside.see('td a', f'{name}-00')


def test_an_ended_session_is_told_to_who_had_it(inside, address, make_user):
    user = make_user()
    with new_window(address) as other:
        other.enter(user)
        inside.at(f"users/{user['uuid']}")
        inside.see('h1', user['username'])
        sessions = inside.part('Sessions')
        inside.see(f'{sessions} td', 'Chrome')  # the client, from the audit log
        inside.see(f'{sessions} td button', 'End').click()
        inside.confirm()
        inside.see(f'{sessions} p', 'No sessions.')
        other.see('[role=alert]', 'ended by somebody else')
        assert not other.find('nav')


def test_lock_and_unlock(inside, api, make_user):
    user = make_user()
    inside.at(f"users/{user['uuid']}")
    inside.see('h1', user['username'])
    inside.press('Lock', f"{inside.part('Locks')} button")
    inside.confirm()
    inside.see(f"{inside.part('Locks')} li", 'locked')
    assert api.post('/token', auth=(user['username'], user['password'])).status_code == 401
    inside.press('Unlock')
    inside.see(f"{inside.part('Locks')} p", 'Not locked.')
    assert api.post('/token', auth=(user['username'], user['password'])).status_code == 200


def test_disable_keeps_the_rest(inside, api, admin_token, create):
    user = create('/users', username=f'kept-{label()}', firstname='Ada', lastname='L', authentication_method='native')
    inside.at(f"users/{user['uuid']}")
    inside.press('Disable')
    inside.see('dialog')
    inside.press('Cancel')
    inside.miss('dialog')
    assert api.get(f"/users/{user['uuid']}", token=admin_token).json()['enabled']
    inside.press('Disable')
    inside.confirm()
    inside.see('dd', 'disabled')
    assert api.get(f"/users/{user['uuid']}", token=admin_token).json() == user | {'enabled': False}


def test_explain(inside, make_user):
    user = make_user(acl=['confd.users.read'])
    inside.at(f"users/{user['uuid']}")
    inside.fill('access', 'confd.users.read' + Keys.ENTER)
    inside.see(f"{inside.part('Check an access')} .mark.good", 'allowed')
    inside.fill('access', 'confd.users.delete' + Keys.ENTER)
    inside.see(f"{inside.part('Check an access')} .mark.bad", 'not allowed')
    inside.see('h3', 'What would have to change')


def test_sessions(page, create, make_user, make_token):
    """Of a tenant of one's own: in the master tenant there are as many as other tests have made."""
    tenant = {'Wazo-Tenant': create('/tenants')['uuid']}
    visitor = make_user(acl=['auth.#'], headers=tenant)
    token = make_token(make_user(headers=tenant))
    page.log_in(visitor['username'], visitor['password'])
    page.go('Sessions')
    page.see('td', 'your session')
    row = page.see('tr', 'your session')
    assert page.wait_for(lambda: row.find_elements(By.TAG_NAME, 'time'), 'since when')
    assert '127.0.0.1' in row.text and 'Chrome' in row.text
    page.see(f'[aria-label="End: {token["session_uuid"]}"]').click()
    page.confirm()
    page.miss(f'[aria-label="End: {token["session_uuid"]}"]')


def test_audit(inside, create):
    first = create('/users', username=f'audited-{label()}')
    for _ in range(49):
        create('/users')
    user = create('/users', username=f'audited-{label()}')
    inside.go('Audit log')
    Select(inside.see('#choice-Kind')).select_by_visible_text('user')
    Select(inside.see('#choice-Action')).select_by_visible_text('created')
    inside.see('td a', user['username'])
    assert not inside.find('td a', first['username'])
    inside.press('Earlier')
    inside.see('td a', first['username'])
    inside.press('Later')
    inside.see('td a', user['username'])
    inside.fill('object', first['uuid'])
    inside.see('td a', first['username'])
    inside.miss('td a', user['username'])


def test_groups(inside, api, admin_token, create):
    group, policy = create('/groups', name=f'group-{label()}'), create(
        '/policies', name=f'policy-{label()}', acl=['a.b']
    )
    user = create('/users', username=f'member-{label()}')
    inside.go('Groups')
    inside.fill('search', group['name'])
    inside.press(group['name'], 'td a')
    inside.see('h1', group['name'])
    inside.see('p', 'No members.')
    inside.fill('member', user['username'])
    inside.see(f'[aria-label="Add: {user["username"]}"]').click()
    inside.confirm()
    inside.see('td a', user['username'])
    Select(inside.see('#choice-Attach-a-policy')).select_by_visible_text(policy['name'])
    inside.press('Attach')
    inside.confirm()
    inside.see('td a', policy['name'])
    path = f"/groups/{group['uuid']}"
    assert [each['uuid'] for each in api.get(f'{path}/users', token=admin_token).json()['items']] == [user['uuid']]
    assert [each['uuid'] for each in api.get(f'{path}/policies', token=admin_token).json()['items']] == [policy['uuid']]
    inside.at(f"users/{user['uuid']}")  # what the user has, and where from
    inside.see('h3 a', group['name'])
    inside.see(f"{inside.part('Groups and policies')} a", policy['name'])
    inside.see('li code', 'a.b')
    inside.at(f"groups/{group['uuid']}")
    for button in (f'Remove: {user["username"]}', f'Detach: {policy["name"]}'):
        inside.see(f'[aria-label="{button}"]').click()
        inside.confirm()
        inside.miss(f'[aria-label="{button}"]')
    assert api.get(f'{path}/users', token=admin_token).json()['items'] == []
    assert api.get(f'{path}/policies', token=admin_token).json()['items'] == []


def test_a_group_is_created_renamed_and_deleted(inside, api, admin_token, create):
    name, taken = f'group-{label()}', create('/groups', name=f'taken-{label()}')['name']
    inside.go('Groups')
    inside.see('a.button', 'New group').send_keys(Keys.ENTER)
    inside.see('h1', 'New group')
    assert not inside.see('button.main').is_enabled()
    inside.fill('name', taken + Keys.ENTER)
    inside.see('.teller .bad', taken)
    assert inside.see('[name=name]').get_property('value') == taken  # nothing that was typed is lost
    inside.fill('name', name + Keys.ENTER)
    inside.see('h1', name)
    (group,) = api.get('/groups', admin_token, params={'name': name}).json()['items']
    inside.fill('name', taken + Keys.ENTER)
    inside.see('.teller .bad', taken)
    inside.fill('name', f'{name}-mine')
    assert api.put(f"/groups/{group['uuid']}", admin_token, json={'name': f'{name}-theirs'}).status_code == 200
    inside.press('Rename')
    inside.see('[role=alert]', 'Somebody else has changed this')
    inside.press('Show their version')
    inside.see('h1', f'{name}-theirs')
    inside.fill('name', f'{name}-mine' + Keys.ENTER)
    inside.see('h1', f'{name}-mine')
    inside.press('Delete')
    inside.see('dialog', 'can’t be undone')
    inside.press('Cancel', 'dialog button')
    inside.miss('dialog')
    assert api.get(f"/groups/{group['uuid']}", admin_token).json()['name'] == f'{name}-mine'
    inside.press('Delete')
    inside.confirm()
    inside.see('h1', 'Groups')
    assert api.get(f"/groups/{group['uuid']}", admin_token).status_code == 404


def test_a_group_of_all_users_stays(inside, api, admin_token, tenant):
    (group,) = api.get('/groups', admin_token, headers=below(tenant)).json()['items']
    inside.at(f"groups/{group['uuid']}")
    inside.see('.notice', 'Every user of the tenant')
    assert not inside.find('button', 'Delete') and not inside.find('button', 'Rename')


def test_a_policy_is_created(inside, api, admin_token, tenant, create):
    name, taken = f'policy-{label()}', create('/policies', tenant, name=f'taken-{label()}')['name']
    inside.go('Policies')
    inside.press('New policy', 'a.button')
    inside.see('h1', 'New policy')
    assert not inside.see('button.main').is_enabled()
    Select(inside.see('#choice-tenant')).select_by_value(tenant['uuid'])
    inside.fill('description', 'for tests')
    inside.fill('acl', 'a.read\n a.write \n\na.read')
    inside.see('[name=shared]').click()
    inside.fill('name', taken + Keys.ENTER)
    inside.see('.teller .bad', taken)
    inside.fill('name', name)
    inside.press('Create')
    inside.see('h1', name)
    (policy,) = api.get('/policies', admin_token, params={'name': name}, headers=below(tenant)).json()['items']
    assert policy | {'name': name, 'description': 'for tests', 'shared': True, 'tenant_uuid': tenant['uuid']} == policy
    assert sorted(policy['acl']) == ['a.read', 'a.write']


def test_whoever_may_only_read_groups_and_policies(page, create, make_user, log_in):
    group, policy = create('/groups', name=label('g')), create('/policies', name=label('p'), acl=['a.b'])
    log_in(make_user(acl=['auth.groups.#.read', 'auth.groups.read', 'auth.policies.read', 'auth.policies.*.read']))
    for screen in 'groups', f"groups/{group['uuid']}", 'policies', f"policies/{policy['uuid']}":
        page.at(screen)
        page.see('table, .part')
        page.settle()
        assert not page.find('main button:not(.pages button)') and not page.find('main a.button'), screen
    page.at('groups/new')  # whose address one may know
    page.fill('name', label() + Keys.ENTER)
    page.see('.teller .bad', 'You may not do this.')


def test_a_policy_is_edited_with_a_preview(inside, api, admin_token, create):
    policy = create('/policies', name=f'policy-{label()}', description='before', acl=['a.keep', 'a.lose'])
    path = f"/policies/{policy['uuid']}"
    inside.go('Policies')
    inside.fill('search', policy['name'])
    inside.press(policy['name'], 'td a')
    inside.see('p', '0 users have it')
    field = inside.see('[name=acl]')
    field.send_keys(Keys.CONTROL, 'a')
    field.send_keys('a.keep\n a.gain \n')
    inside.see('.notice ins', 'a.gain')
    inside.see('.notice del', 'a.lose')
    assert sorted(api.get(path, token=admin_token).json()['acl']) == ['a.keep', 'a.lose']  # nothing is saved yet
    inside.press('Save')
    inside.see('.teller', 'was saved')
    inside.miss('.notice ins')
    saved = api.get(path, token=admin_token).json()
    assert (sorted(saved['acl']), saved['description']) == (['a.gain', 'a.keep'], 'before')


def test_two_who_edit_a_policy_do_not_overwrite_each_other(inside, api, admin_token, create):
    policy = create('/policies', name=f'policy-{label()}', acl=['a.first'])
    path = f"/policies/{policy['uuid']}"
    inside.at(f"policies/{policy['uuid']}")
    inside.see('[name=acl]').send_keys('\na.mine')
    inside.see('.notice ins', 'a.mine')
    api.put(path, token=admin_token, json={'name': policy['name'], 'acl': ['a.first', 'a.theirs']})
    inside.press('Save')
    inside.see('[role=alert]', 'Somebody else has changed this')
    assert sorted(api.get(path, token=admin_token).json()['acl']) == ['a.first', 'a.theirs']
    inside.press('Show their version')
    inside.wait_for(lambda: 'a.theirs' in inside.see('[name=acl]').get_property('value'), 'their version is shown')


def test_tenants(inside, api, admin_token, create):
    old, new = create('/tenants', name=f'old-{label()}'), create('/tenants', name=f'new-{label()}')
    moved = create('/tenants', tenant=old['uuid'], name=f'moved-{label()}', domain_names=[f'{label()}.example.com'])
    inside.go('Tenants')
    inside.see('ul.tree ul.tree ul.tree a', moved['name'])
    inside.see('.mark', moved['domain_names'][0])
    inside.press(moved['name'], 'a')
    inside.see('dd a', old['name'])
    Select(inside.see('#choice-parent')).select_by_visible_text(new['name'])
    inside.press('Move')
    inside.see('dialog', 'This tenant moves with everything in it.')
    inside.confirm()
    inside.see('dd a', new['name'])
    assert api.get(f"/tenants/{moved['uuid']}", token=admin_token).json()['parent_uuid'] == new['uuid']


def test_the_api_in_the_browser(inside, create, operations):
    user = create('/users', username=f'asked-{label()}')
    inside.go('API')
    inside.see('.heading', str(len(operations)))
    inside.fill('search', 'get a user uuid')
    inside.see('a[href="#/api/GET/users/%7Buser_uuid%7D"]').click()
    inside.fill('value-user_uuid', user['uuid'])
    inside.see('code', f"auth.users.{user['uuid']}.read")
    inside.see('.mark.good', 'you have it')
    inside.see('pre', f"/api/auth/0.1/users/{user['uuid']}")
    assert '$TOKEN' in inside.see('pre').text
    inside.press('Send')
    inside.see('.mark.good', '200')
    inside.see('pre', user['username'])


def test_every_operation_of_the_document_is_shown(inside, operations):
    inside.go('API')
    shown = inside.wait_for(lambda: inside.find('main li a'), 'operations')
    assert sorted(each.text for each in shown) == sorted(f'{method.upper()} {path}' for method, path, _ in operations)


def test_what_the_api_says_is_never_markup(inside, create):
    user = create('/users', username=MARKUP + label(), firstname=MARKUP, lastname=MARKUP)
    inside.go('Users')
    inside.fill('search', user['username'][-6:])
    inside.see('td a', user['username'])
    inside.press(user['username'], 'td a')
    inside.see('h1', user['username'])
    inside.see('td', MARKUP)
    assert not inside.driver.find_elements(By.CSS_SELECTOR, 'main b, main img')


@pytest.mark.parametrize('client_id', ['../' * 6 + 'another/daemon', '..', '.'])
def test_a_name_that_somebody_chose_leads_nowhere_else(inside, api, admin_token, make_user, client_id):
    """Browsers and nginx resolve the dots of a path, even when its slashes are encoded."""
    user = make_user()
    login = {'access_type': 'offline', 'client_id': client_id}
    assert api.post('/token', auth=(user['username'], user['password']), json=login).status_code == 200
    inside.at(f"users/{user['uuid']}")
    inside.press('Remove', f"{inside.part('Refresh tokens')} button")
    inside.confirm()
    inside.see('.teller', 'This doesn’t exist')
    [left] = api.get(f"/users/{user['uuid']}/tokens", token=admin_token).json()['items']
    assert left['client_id'] == client_id


def test_what_is_not_there(inside):
    for user in uuid.uuid4(), '%', '..%2F..%2F..%2F..%2Fanother%2Fdaemon':
        inside.at(f'users/{user}')
        inside.see('[role=alert]', 'This doesn’t exist')
        inside.at('nowhere')
        inside.see('h1', 'There is no such screen.')


def test_french(inside):
    Select(inside.see('footer select')).select_by_value('fr')
    inside.see('h1', 'Aperçu')
    assert inside.driver.execute_script('return document.documentElement.lang') == 'fr'
    Select(inside.see('footer select')).select_by_value('en')
    inside.see('h1', 'Overview')
    inside.driver.execute_script('localStorage.clear()')


def test_by_keyboard_alone(page, admin):
    page.driver.switch_to.active_element.send_keys(Keys.TAB)
    page.enter(admin)
    # The heading of a new screen has the focus, so it is read aloud.
    page.wait_for(lambda: page.driver.switch_to.active_element.text == 'Overview', 'the heading has the focus')
    page.see('nav a', 'Users').send_keys(Keys.ENTER)
    page.wait_for(lambda: page.driver.switch_to.active_element.text == 'Users', 'the heading has the focus')


def test_a_server_that_restarts_under_it(inside, site):
    site.stop()
    inside.go('Users')
    inside.see('.away', 'can’t be reached')
    site.start()
    inside.see('td a')
    inside.miss('.away')


def test_nobody_is_told_that_it_tries_again_what_it_does_not(inside, site, make_user):
    user = make_user()
    inside.at(f"users/{user['uuid']}")
    inside.press('Disable')
    site.stop()
    inside.confirm()
    told = inside.see('.teller p', 'can’t be reached')
    assert 'Trying again' not in told.text
    site.start()
    inside.miss('.away')
