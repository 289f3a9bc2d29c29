"""Each screen of the operator's page as people have it: light, dark, narrow, in French, and on a screen of 4K.

Nothing reaches beyond the window, axe-core finds no barrier, and the browser complains of nothing.
"""
import re

import pytest
from selenium.webdriver.common.keys import Keys

from support import browser
from support.checks import below, label
from support.directory import HASTY, PEOPLE, SERVICE, SERVICE_PASSWORD, new_slapd
from support.operators_page import SERVER, WIDTH, Page, new_window
from support.saml_idp import configure, make_key

# name → width, height, colours, language
LOOKS = {
    'light': (WIDTH, 900, 'light', 'en'),
    'dark': (WIDTH, 900, 'dark', 'en'),
    'narrow': (320, 700, 'light', 'en'),
    'french': (WIDTH, 900, 'light', 'fr'),
    '4k': (3840, 2160, 'light', 'en'),
}


@pytest.fixture(scope='module')
def site(new_nginx, stack, authority):
    key, certificate = make_key(stack.folder, 'ui-screens')
    settings = {
        'ldap': {**HASTY, 'ca_file': str(authority.file)},
        'saml': {'key_file': str(key), 'cert_file': str(certificate)},
    }
    return new_nginx('ui-screens', SERVER, settings=settings)


@pytest.fixture(scope='module')
def world(create, make_user, make_token, api, admin_token, stack, authority, idp):
    """A tenant that has some of everything; its UUIDs by what they are of, and its directory."""
    domain = f'{label()}.example.com'
    tenant = create('/tenants', name=label('Nordwind'), domain_names=[domain, f'voice.{domain}'])
    beside = create('/tenants', name=label('Sirocco'))['uuid']
    for name in 'Support', 'Sales':
        create('/tenants', tenant['uuid'], name=label(name))
    user = make_user(
        headers=below(tenant), acl=['confd.users.read', 'confd.users.*.update', '!confd.users.me.#', 'calld.#'],
        firstname='Zoë', lastname='Árnadóttir-Vandenbroucke', email_address=f'zoe@{domain}',
    )  # fmt: skip
    make_token(user, access_type='offline', client_id='desk-phone')
    for i in range(12):
        create('/users', tenant['uuid'], username=f'{label()}@{domain}', firstname='Ada', enabled=i % 5 > 0)
    group = create('/groups', tenant['uuid'], name='Sales in the north')
    policy = create(
        '/policies', tenant['uuid'], name='Call center', description='For agents', acl=['calld.#', 'agentd.*.read']
    )
    create('/policies', tenant['uuid'], name='Fax', acl=['calld.faxes.#', 'confd.fax.*.read', '!confd.users.me.#'])
    for path in f"/groups/{group['uuid']}/users/{user['uuid']}", f"/groups/{group['uuid']}/policies/{policy['uuid']}":
        assert api.put(path, admin_token).status_code == 204
    lock = {'reason': 'A lost phone', 'ends_at': '2199-01-01T00:00:00Z'}
    assert api.put('/locks/address/203.0.113.0/24', admin_token, json=lock, headers=below(tenant)).status_code == 200
    google = {'client_id': 'a-client', 'client_secret': 'a-secret-2b71'}
    assert api.post('/external/google/config', admin_token, json=google, headers=below(tenant)).status_code == 201
    [row, _] = api.get(f"/tenants/{tenant['uuid']}/domains", admin_token).json()['items']
    saml = {'domain_uuid': row['uuid'], 'entity_id': f'https://{domain}', 'acs_url': f'{api.base}/saml/acs'}
    assert configure(api, 'POST', admin_token, tenant['uuid'], metadata=idp.metadata, **saml).status_code == 200
    slapd = new_slapd(stack, authority.certificate('IP:127.0.0.1')).start()
    uuids = {'tenant': tenant, 'user': user, 'group': group, 'policy': policy}
    yield {name: each['uuid'] for name, each in uuids.items()} | {'beside': beside, 'slapd': slapd}
    slapd.stop()


@pytest.fixture(scope='module')
def shown(window, address, world, admin):
    """Logged in once for all screens, in the tenant."""
    page = Page(window, address)
    page.open()
    page.enter(admin)
    page.at('services/ldap')
    page.see(f'#choice-tenant option[value="{world["tenant"]}"]').click()
    yield page
    window.get('about:blank')


def preview(page, world):
    page.fill('acl', 'calld.#\nagentd.agents.read\nconfd.#')
    page.see('.notice li', 'gains')


def attach(page, world):
    page.choose('Attach-a-policy', 'Fax')
    page.press('Attach')
    page.see('dialog li', 'gains')


def move(page, world):
    page.see(f'[data-tenant="{world["tenant"]}"]').send_keys(Keys.CONTROL, 'x')
    page.see(f'[data-tenant="{world["beside"]}"]').send_keys(Keys.CONTROL, 'v')
    page.see('dialog li')


def attempt(page, world):
    fields = {'host': '127.0.0.1', 'port': str(world['slapd'].tls_port), 'bind_dn': SERVICE, 'base': PEOPLE}
    for name, text in {**fields, 'bind_password': SERVICE_PASSWORD, 'try_username': 'alice'}.items():
        page.fill(name, text)
    page.press('Try it')
    page.see('ol.steps li')


def table(page, world):
    page.see('[name=file]').send_keys(world['file'])
    page.see('[role=status]', 'new, ')


def ask(page, world):
    page.press('Delete')
    page.see('dialog')


# name → place, and what a person does there
SCREENS = {
    'overview': ('home', None),
    'metrics': ('node', None),
    'users': ('users', None),
    'new-user': ('users/new', None),
    'user': ('users/{user}', None),
    'edit-user': ('users/{user}', lambda page, world: page.press('Edit')),
    'delete-user': ('users/{user}', ask),
    'import': ('users/bulk', table),
    'groups': ('groups', None),
    'new-group': ('groups/new', None),
    'group': ('groups/{group}', None),
    'attach-policy': ('groups/{group}', attach),
    'policies': ('policies', None),
    'new-policy': ('policies/new', None),
    'policy': ('policies/{policy}', preview),
    'tenants': ('tenants', None),
    'move': ('tenants', move),
    'tenant': ('tenants/{tenant}', None),
    'sessions': ('sessions', None),
    'locks': ('locks', None),
    'ldap': ('services/ldap', attempt),
    'saml': ('services/saml', None),
    'external': ('services/external', None),
    'mail': ('services/mail', None),
    'audit': ('audit', None),
    'api': ('api', None),
    'operation': ('api/POST/tenants', None),
    'nowhere': ('users/nobody', None),
}


def look(page, name):
    """At the screen, in each of the ways."""
    for way, (width, height, scheme, language) in LOOKS.items():
        page.size(width, height)
        page.scheme(scheme)
        page.speak(language)
        page.settle()
        page.picture(f'{name}-{way}')
        assert page.too_wide() == [], way
        assert page.barriers() == [], way
    page.size()
    page.scheme()
    assert page.complaints() == []
    assert page.console() == []


@pytest.mark.parametrize('name', SCREENS)
def test_a_screen(shown, world, name, tmp_path):
    place, do = SCREENS[name]
    world['file'] = str(tmp_path / 'users.csv')
    (tmp_path / 'users.csv').write_text(f'username,enabled,groups\n{label()},true,\n,true,\n{label()},maybe,none\n')
    shown.at(place.format_map(world))
    shown.see('h1')
    shown.see('main section, main table, main form, [role=alert], [role=tree]')
    shown.settle()
    if do:
        do(shown, world)
    look(shown, name)
    if shown.find('dialog'):
        shown.press('Cancel', 'dialog button')


def test_the_log_in(site, address):
    with new_window(address) as page:
        page.press('Log in with SAML', 'summary')
        look(page, 'login')


@pytest.mark.parametrize('accepted, written', [
    ('en-US', r'\d+/\d+/\d\d, \d+:\d\d:\d\d.[AP]M'),
    ('en-GB,en', r'\d\d/\d\d/\d{4}, \d\d:\d\d:\d\d'),
    ('de-DE,en', r'\d\d/\d\d/\d{4}, \d\d:\d\d:\d\d'),  # in English, as Germans who read that have it
    ('fr-CA', r'\d{4}-\d\d-\d\d \d\d.h.\d\d.min.\d\d.s'),
])  # fmt: skip
def test_dates_are_written_as_in_the_visitors_country(site, address, admin, accepted, written):
    with browser.chromium(width=WIDTH) as driver:
        agent = driver.execute_script('return navigator.userAgent')
        driver.execute_cdp_cmd('Emulation.setUserAgentOverride', {'userAgent': agent, 'acceptLanguage': accepted})
        page = Page(driver, address)
        page.open()
        page.log_in(admin['username'], admin['password'])
        assert re.fullmatch(written, page.see('td time').text)
