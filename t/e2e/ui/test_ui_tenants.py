"""The operator's page: the tree of tenants, locks, and requests that are made from the API's document."""
import json
import uuid
from datetime import datetime, timedelta

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from support.checks import below, error, label
from support.operators_page import MARKUP, Page


@pytest.fixture
def family(create):
    """top with old and new below it, moved below old, and child below moved."""
    top = create('/tenants', name=label('top'))
    made = {'top': top}
    for name, parent in {'old': 'top', 'new': 'top', 'moved': 'old', 'child': 'moved'}.items():
        made[name] = create('/tenants', tenant=made[parent]['uuid'], name=label(name))
    return made


@pytest.fixture
def whoever(page, family, make_user):
    """An administrator of top, who sees nothing else."""
    user = make_user(acl=['auth.#'], headers=below(family['top']))
    page.enter(user)
    page.go('Tenants')
    page.see('[role=tree]')
    return page


def parent_of(api, admin_token, tenant):
    return api.get(f"/tenants/{tenant['uuid']}", admin_token).json()['parent_uuid']


def item(page, tenant):
    return page.see(f'[data-tenant="{tenant["uuid"]}"]')


# -- the tree ----------------------------------------------------------------------------------------------------------


def test_the_tree_by_keyboard(whoever, family):
    page = whoever
    items = page.find('[role=treeitem]')
    assert [each.text for each in items] == [family[name]['name'] for name in ('top', 'new', 'old', 'moved', 'child')]
    assert [each.get_attribute('aria-level') for each in items] == ['1', '2', '2', '3', '4']
    assert [each.get_attribute('tabindex') for each in items] == ['0', '-1', '-1', '-1', '-1']  # one stop of Tab
    items[0].send_keys(Keys.ARROW_DOWN)
    for key, name in [
        (Keys.ARROW_DOWN, 'old'),
        (Keys.ARROW_RIGHT, 'moved'),
        (Keys.ARROW_RIGHT, 'child'),
        (Keys.ARROW_RIGHT, 'child'),
        (Keys.ARROW_LEFT, 'moved'),
        (Keys.HOME, 'top'),
        (Keys.END, 'child'),
        (Keys.ARROW_UP, 'moved'),
    ]:
        page.focused().send_keys(key)
        assert page.focused().text == family[name]['name']
    # Left closes what is open, and right opens it again.
    page.focused().send_keys(Keys.ARROW_LEFT)
    assert item(page, family['moved']).get_attribute('aria-expanded') == 'false'
    assert not page.find(f'[data-tenant="{family["child"]["uuid"]}"]')
    page.focused().send_keys(Keys.ARROW_DOWN)
    assert page.focused().text == family['moved']['name']  # the last that is seen
    page.focused().send_keys(Keys.ARROW_RIGHT)
    item(page, family['child'])
    page.focused().send_keys(Keys.ENTER)
    page.see('h1', family['moved']['name'])


def test_a_tenant_is_moved_by_keyboard(whoever, api, admin_token, family):
    page = whoever
    item(page, family['moved']).send_keys(Keys.CONTROL, 'x')
    page.see('[role=status]', f"{family['moved']['name']} is ready to move")
    item(page, family['child']).send_keys(Keys.CONTROL, 'v')  # below itself: nothing
    assert not page.find('dialog')
    item(page, family['new']).send_keys(Keys.CONTROL, 'v')
    page.see(
        'dialog li', f"2 tenants move with everything in them: {family['moved']['name']}, {family['child']['name']}."
    )
    page.see('dialog li', f"no longer see it: {family['old']['name']}")
    page.see('dialog li', f"from now on: {family['new']['name']}")
    page.press('Cancel', 'dialog button')
    page.miss('dialog')
    assert parent_of(api, admin_token, family['moved']) == family['old']['uuid']
    item(page, family['moved']).send_keys(Keys.CONTROL, 'x')
    item(page, family['new']).send_keys(Keys.CONTROL, 'v')
    page.see('dialog')
    page.confirm()
    page.see('.teller', 'was moved')
    assert parent_of(api, admin_token, family['moved']) == family['new']['uuid']
    page.wait_for(lambda: page.focused().text == family['moved']['name'], 'the focus goes along')
    page.see(f'#below-{family["new"]["uuid"]} a', family['moved']['name'])


def test_a_tenant_is_dragged(whoever, api, admin_token, family):
    page = whoever
    ActionChains(page.driver).drag_and_drop(item(page, family['moved']), item(page, family['new'])).perform()
    page.see('dialog', f"Move {family['moved']['name']} to {family['new']['name']}?")
    page.confirm()
    page.see('.teller', 'was moved')
    assert parent_of(api, admin_token, family['moved']) == family['new']['uuid']


def test_a_move_below_a_lock_is_told(whoever, api, admin_token, family):
    page, path = whoever, f"/locks/tenant/{family['new']['uuid']}"
    assert api.put(path, admin_token, json={}, headers=below(family['top'])).status_code == 200
    try:
        item(page, family['moved']).send_keys(Keys.CONTROL, 'x')
        item(page, family['new']).send_keys(Keys.CONTROL, 'v')
        page.see('dialog li', f"whatever moves there will be, too: {family['new']['name']}")
        page.press('Cancel', 'dialog button')
    finally:
        assert api.delete(path, admin_token, headers=below(family['top'])).status_code == 204


def test_whoever_may_not_move(page, family, make_user):
    user = make_user(acl=['auth.tenants.read'], headers=below(family['top']))
    page.enter(user)
    page.go('Tenants')
    item(page, family['moved']).send_keys(Keys.CONTROL, 'x')
    item(page, family['new']).send_keys(Keys.CONTROL, 'v')
    page.see('.teller', 'You may not do this.')
    assert not page.find('dialog')
    assert not page.find('h2', 'New tenant')
    page.at(f"tenants/{family['moved']['uuid']}")
    page.see('h2', 'About')
    assert not page.find('h2', 'Edit') and not page.find('h2', 'Move') and not page.find('h2', 'Delete')


def test_a_tenant_is_made_edited_and_deleted(whoever, api, admin_token, family):
    page, name, domain = whoever, label('made'), f'{label()}.example.com'
    page.fill('new_name', name)
    page.fill('new_domains', f'{domain}\nx.{domain}')
    Select(page.see('#choice-parent')).select_by_visible_text(family['new']['name'])
    page.press('Create')
    page.press(name, '[role=treeitem]')
    page.see('h1', name)
    found = api.get('/tenants', admin_token, params={'name': name}).json()['items'][0]
    assert (found['parent_uuid'], found['domain_names']) == (family['new']['uuid'], [domain, f'x.{domain}'])
    path = f"/tenants/{found['uuid']}"
    address = {'city': 'Québec', 'line_1': None, 'line_2': None, 'state': None, 'country': None, 'zip_code': None}
    body = {'name': name, 'domain_names': found['domain_names'], 'phone': '+1 555', 'address': address}
    assert api.put(path, admin_token, json=body).status_code == 200
    page.fill('domains', domain)
    page.see('[role=status]', f'with x.{domain}')
    page.see('#choice-method option', 'ldap')
    Select(page.see('#choice-method')).select_by_visible_text('ldap')
    page.press('Save')
    page.see('.teller', 'The tenant was saved.')
    saved = api.get(path, admin_token).json()
    assert (saved['domain_names'], saved['default_authentication_method']) == ([domain], 'ldap')
    assert (saved['phone'], saved['address'], saved['slug']) == ('+1 555', address, found['slug'])  # these stay
    page.fill('name', f'{name}-mine')
    assert api.put(path, admin_token, json=body | {'name': f'{name}-theirs'}).status_code == 200
    page.press('Save')
    page.see('[role=alert]', 'Somebody else has changed this')
    page.press('Show their version')
    page.see('h1', f'{name}-theirs')
    page.press('Delete')
    page.confirm()
    page.see('h1', 'Tenants')
    error(api.get(path, admin_token), 404, 'unknown-tenant')


def test_a_domain_that_another_has(whoever, create):
    taken = create('/tenants', name=label(), domain_names=[f'{label()}.example.com'])['domain_names'][0]
    whoever.fill('new_name', label())
    whoever.fill('new_domains', taken)
    whoever.press('Create')
    whoever.see('.teller .bad')
    assert whoever.see('[name=new_name]').get_property('value')  # nothing that was typed is lost


def test_markup_in_names_of_tenants(inside, create):
    parent = create('/tenants', name=MARKUP + label())
    tenant = create('/tenants', tenant=parent['uuid'], name=MARKUP + label())
    inside.go('Tenants')
    item(inside, tenant).send_keys(Keys.CONTROL, 'x')
    inside.see('[role=status]', tenant['name'])
    inside.at(f"tenants/{tenant['uuid']}")
    inside.see('h1', tenant['name'])
    inside.see('dd a', parent['name'])
    assert not inside.driver.find_elements(By.CSS_SELECTOR, 'main b, main img')


# -- locks -------------------------------------------------------------------------------------------------------------


def test_locks(inside, api, admin_token, make_user):
    user = make_user()
    login = (user['username'], user['password'])
    ends = (datetime.now() + timedelta(days=2)).replace(second=0, microsecond=0)
    inside.go('Locks')
    inside.fill('value', user['username'])
    inside.fill('reason', f'{MARKUP} stolen')
    inside.driver.execute_script(
        'const field = arguments[0]; field.value = arguments[1]; field.dispatchEvent(new Event("input", {bubbles: true}))',
        inside.see('[name=until]'),
        ends.strftime('%Y-%m-%dT%H:%M'),
    )
    inside.press('Lock', 'main section button')
    inside.see('dialog', 'people have to log in again')
    inside.confirm()
    inside.see('.teller', 'The lock was created.')
    assert api.post('/token', auth=login).status_code == 401
    lock = api.get(f"/locks/user/{user['uuid']}", admin_token).json()
    assert lock['reason'] == f'{MARKUP} stolen'
    zone = inside.driver.execute_script('return new Date(arguments[0]).toISOString()', ends.strftime('%Y-%m-%dT%H:%M'))
    assert datetime.fromisoformat(lock['ends_at']) == datetime.fromisoformat(zone.replace('Z', '+00:00'))
    inside.fill('search', 'stolen')
    inside.see('td a', user['username'])
    inside.see('td', 'stolen')
    assert not inside.driver.find_elements(By.CSS_SELECTOR, 'main b, main td img')
    inside.see(f'[aria-label="Unlock: {user["uuid"]}"]').click()
    inside.confirm()
    inside.miss('td a', user['username'])
    assert api.post('/token', auth=login).status_code == 200


def test_an_address_is_locked(inside, api, admin_token):
    inside.go('Locks')
    Select(inside.see('#choice-new_kind')).select_by_value('address')
    inside.fill('value', '203.0.113.0/24')
    inside.press('Lock', 'main section button')
    inside.confirm()
    Select(inside.see('#choice-kind')).select_by_value('address')
    inside.see('td code', '203.0.113.0/24')
    inside.see('td', 'until removed')
    inside.fill('value', 'nowhere')
    inside.press('Lock', 'main section button')
    inside.confirm()
    inside.see('.teller .bad')
    inside.see('[aria-label="Unlock: 203.0.113.0/24"]').click()
    inside.confirm()
    inside.miss('td code', '203.0.113.0/24')  # others may have locked something


def test_nobody_is_locked_by_mistake(inside):
    inside.go('Locks')
    inside.fill('value', label('nobody'))
    inside.press('Lock', 'main section button')
    inside.confirm()
    inside.see('.teller .bad', 'No users found.')


def test_whoever_may_only_look(page, make_user, api, admin_token):
    user = make_user(acl=['auth.locks.read'])
    other = str(uuid.uuid4())
    assert api.put(f'/locks/client/{other}', admin_token, json={}).status_code == 200
    page.enter(user)
    page.go('Locks')
    page.fill('search', other)
    page.see('td code', other)
    assert not page.find('td button') and not page.find('h2', 'Lock')
    assert api.delete(f'/locks/client/{other}', admin_token).status_code == 204


# -- requests from the document ----------------------------------------------------------------------------------------


def body_of(page):
    return json.loads(page.see('#body').get_property('value'))


def test_a_body_by_form(inside, api, admin_token):
    name = label('by-form')
    inside.at('api/POST/tenants')
    inside.fill('body-name', name)
    inside.fill('body-address-city', 'Québec')
    inside.see('#body-domain_names').send_keys('a.example.com\nb.example.com')
    inside.wait_for(
        lambda: body_of(inside)
        == {'name': name, 'address': {'city': 'Québec'}, 'domain_names': ['a.example.com', 'b.example.com']},
        'the body follows the form',
    )
    inside.fill('body-address-city', '')
    inside.wait_for(lambda: 'address' not in body_of(inside), 'what is emptied goes')
    # And the form follows the text.
    field = inside.see('#body')
    field.send_keys(Keys.CONTROL, 'a')
    field.send_keys(json.dumps({'name': f'{name}-2'}))
    inside.wait_for(lambda: inside.see('[name=body-name]').get_property('value') == f'{name}-2', 'the form follows')
    field.send_keys('}')
    inside.see('[role=alert]', 'This isn’t valid JSON.')
    assert not inside.see('button.main', 'Send').is_enabled()
    field.send_keys(Keys.BACKSPACE)
    inside.press('Send')
    inside.confirm()
    inside.see('.mark.good', '200')
    assert api.get('/tenants', admin_token, params={'name': f'{name}-2'}).json()['filtered'] == 1


def test_headers_and_choices(inside, create):
    tenant = create('/tenants', name=label())
    group = create('/groups', tenant=tenant['uuid'], name=label())
    inside.at('api/GET/groups')
    inside.fill('value-Wazo-Tenant', tenant['uuid'])
    inside.see('pre', f"Wazo-Tenant: {tenant['uuid']}")
    inside.press('Send')
    inside.see('pre', group['name'])
    inside.at('api/POST/users')
    inside.see('h1', 'POST /users')
    Select(inside.see('#body-purpose')).select_by_visible_text('internal')
    Select(inside.see('#body-enabled')).select_by_visible_text('false')
    inside.wait_for(
        lambda: body_of(inside).items() >= {'purpose': 'internal', 'enabled': False}.items(),
        'it follows',
    )


def test_a_file_is_sent(inside, create, tmp_path):
    tenant = create('/tenants', name=label(), domain_names=[f'{label()}.example.com'])
    file = tmp_path / 'idp.xml'
    file.write_text('<xml><b>bold</b></xml>')
    inside.at('api/POST/backends/saml')
    inside.fill('value-Wazo-Tenant', tenant['uuid'])
    inside.fill('value-domain_uuid', str(uuid.uuid4()))
    inside.fill('value-entity_id', 'x')
    inside.fill('value-acs_url', 'https://x.example/')
    inside.see('#upload-value-metadata').send_keys(str(file))
    inside.see('pre', 'metadata=@idp.xml')
    inside.press('Send')
    inside.confirm()
    inside.see('pre', 'unknown-saml-config')  # the domain isn't the tenant's: the form was read


def test_an_access_that_one_lacks(page, make_user):
    user = make_user(acl=[])
    page.enter(user)
    page.at('api')
    page.fill('search', 'get /locks')
    page.see('main li .mark', 'you don’t have it')
    page.fill('search', 'get /status')
    page.see('main li code', 'GET /status')
    assert not page.find('main li .mark')
    page.at('api/GET/users')
    page.see('.mark.bad', 'you don’t have it')


# -- behind another nginx ----------------------------------------------------------------------------------------------

INNER = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        location / { wazo_auth_api; }
        location /ui { wazo_auth_ui; }
    }
"""
FRONT = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        location /api/auth/ { proxy_pass http://127.0.0.1:INNER/; }
    }
"""


def test_behind_the_platforms_nginx_and_a_restart_under_it(new_nginx, window, admin, create):
    """As a platform has it: its own nginx shows all of your session below /api/auth/, and answers 502 while it restarts."""
    inner = new_nginx('ui-inner', INNER)
    front = new_nginx('ui-front', FRONT.replace('INNER', str(inner.values['GATE_PORT'])))
    user = create('/users', username=label('found'))
    root = f"http://127.0.0.1:{front.values['GATE_PORT']}"
    window.get(f'{root}/api/auth/ui')
    page = Page(window, f'{root}/api/auth/ui/')
    page.see('h1', 'Log in')
    assert window.current_url == page.address
    page.open()
    page.enter(admin)
    inner.stop()
    page.go('Locks')
    page.see('[role=alert]', 'can’t be reached')
    page.go('Users')
    page.fill('search', user['username'])
    page.see('[role=alert]', 'can’t be reached')
    inner.start()
    page.see('td a', user['username'])  # without a press, and with the same session
    page.miss('[role=alert]', 'can’t be reached')
    assert page.complaints() == []
    window.get('about:blank')
