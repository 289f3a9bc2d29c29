"""The operator's page: directories, identity providers, external services and the mail server; and logins by SAML there."""
import base64
from urllib.parse import parse_qs, urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from support import servers
from support.checks import below, label
from support.directory import HASTY, PASSWORD, PEOPLE, SERVICE, SERVICE_PASSWORD, WRONG, new_slapd
from support.logs import SECRETS
from support.operators_page import MARKUP, SERVER, new_window
from support.saml_forms import Pysaml2, Simplesamlphp
from support.saml_idp import configure, make_key
from support.servers import wait_until

CLIENT_SECRET = SECRETS.password('client-secret-0c77a1')


@pytest.fixture(scope='module')
def site(stack, authority):
    """Whoever logs in by SAML may come back to the page."""
    key, certificate = make_key(stack.folder, 'ui-saml')
    nginx = stack.new_nginx('ui-backends', SERVER, start=False)
    nginx.page = f"http://127.0.0.1:{nginx.values['GATE_PORT']}/api/auth/ui/"
    saml = {'key_file': str(key), 'cert_file': str(certificate), 'redirect_urls': [nginx.page]}
    ldap = {**HASTY, 'ca_file': str(authority.file)}
    servers.write_settings(nginx.folder, stack.settings(saml=saml, ldap=ldap))
    nginx.start()
    yield nginx
    nginx.stop()


@pytest.fixture(scope='module')
def address(site):
    return site.page


@pytest.fixture(scope='module')
def directory(stack, authority):
    server = new_slapd(stack, authority.certificate('IP:127.0.0.1'))
    yield server.start()
    server.stop()


def at(page, kind, tenant):
    """That screen, for this tenant."""
    page.at(f'services/{kind}')
    Select(page.see('#choice-tenant')).select_by_value(tenant['uuid'])
    page.wait_for(lambda: page.find('.part') and not page.find('p', 'Loading…'), 'the form is there')


def outcomes(page):
    """{step: outcome}, once there are any."""
    page.wait_for(lambda: page.find('ol.steps li'), 'no steps')
    return {each.get_attribute('data-step'): each.get_attribute('data-outcome') for each in page.find('ol.steps > li')}


def try_it(page):
    page.press('Try it')
    page.see('[role=status]', 'All steps went well')


def save(page):
    page.press('Save')
    page.see('.teller', 'was saved')


def seen(page):
    return page.see('main').text


def assert_kept_to_itself(page, *secrets):
    """Passwords are nowhere in the page: neither as text nor in a field."""
    held = page.driver.execute_script(
        'return document.body.innerText + [...document.querySelectorAll("input, textarea")].map((each) => each.value)'
    )
    assert not [secret for secret in secrets if secret in held]


# -- LDAP --------------------------------------------------------------------------------------------------------------


def fill_ldap(page, directory):
    fields = {'host': '127.0.0.1', 'port': str(directory.tls_port), 'bind_dn': SERVICE, 'base': PEOPLE}
    for name, text in {**fields, 'bind_password': SERVICE_PASSWORD, 'login': 'uid', 'email': 'mail'}.items():
        page.fill(name, text)


@pytest.fixture
def alice(api, admin_token, tenant, make_user):
    user = make_user(email_address='alice@try.example', headers=below(tenant), authentication_method='ldap')
    yield user
    api.delete(f"/users/{user['uuid']}", admin_token)  # others use the addresses of this directory, too


@pytest.mark.usefixtures('alice')
def test_ldap_is_tried_then_saved(inside, api, admin_token, directory, tenant):
    at(inside, 'ldap', tenant)
    inside.see('.notice', 'has no directory yet')
    fill_ldap(inside, directory)
    inside.fill('try_username', 'alice')
    inside.fill('try_password', PASSWORD)
    try_it(inside)
    assert outcomes(inside) == dict.fromkeys(
        ['look_up', 'connect', 'tls', 'bind', 'search', 'bind_user', 'email', 'match'], 'ok'
    )
    inside.see('[data-step=tls] td', 'CN=authority')
    inside.see('[data-step=tls] td .mark', 'to')  # today or tomorrow: the tests' certificates don't live long
    assert api.get('/backends/ldap', admin_token, headers=below(tenant)).json()['host'] is None  # nothing is saved yet
    save(inside)
    inside.miss('.notice', 'has no directory yet')
    saved = api.get('/backends/ldap', admin_token, headers=below(tenant)).json()
    assert (saved['host'], saved['port'], saved['protocol_security']) == ('127.0.0.1', directory.tls_port, 'ldaps')
    assert (saved['bind_dn'], saved['user_base_dn'], saved['search_filters']) == (SERVICE, PEOPLE, None)
    assert_kept_to_itself(inside, SERVICE_PASSWORD)
    # As it is saved, with the saved password; and so after a change that leaves it be.
    try_it(inside)
    assert 'bind' in outcomes(inside)
    inside.fill('email', 'cn')
    save(inside)
    try_it(inside)
    inside.press('Delete')
    inside.confirm()
    inside.see('.notice', 'has no directory yet')


def test_ldap_that_is_wrong_says_where(inside, directory, tenant):
    at(inside, 'ldap', tenant)
    fill_ldap(inside, directory)
    inside.fill('try_username', 'alice')
    inside.fill('try_password', WRONG)
    inside.press('Try it')
    inside.see('[role=status]', 'Failed at this step: User login.')
    assert list(outcomes(inside).items())[-1] == ('bind_user', 'failed')
    inside.see('[data-step=bind_user] .reason', 'wrong password')
    assert WRONG not in seen(inside)
    inside.fill('bind_password', WRONG)
    inside.press('Try it')
    inside.see('[data-step=bind] .reason', 'wrong password')
    inside.fill('host', 'nowhere.invalid')
    inside.press('Try it')
    inside.see('[data-step=look_up] .reason', 'nowhere.invalid')


def test_what_the_api_refuses_is_told(inside, directory, tenant):
    at(inside, 'ldap', tenant)
    fill_ldap(inside, directory)
    inside.fill('host', 'ldap://127.0.0.1')
    inside.press('Save')
    inside.see('.teller', 'Invalid value supplied for field: host')


def test_two_who_edit_a_directory(inside, api, admin_token, directory, tenant):
    def put(base):
        body = {'host': '127.0.0.1', 'port': 389, 'user_base_dn': base, 'user_login_attribute': 'uid',
                'user_email_attribute': 'mail'}  # fmt: skip
        assert api.put('/backends/ldap', admin_token, json=body, headers=below(tenant)).status_code == 200

    put('dc=first')
    at(inside, 'ldap', tenant)
    inside.fill('base', 'dc=mine')
    put('dc=theirs')
    inside.press('Save')
    inside.see('[role=alert]', 'Somebody else has changed this')
    assert api.get('/backends/ldap', admin_token, headers=below(tenant)).json()['user_base_dn'] == 'dc=theirs'
    inside.press('Show their version')
    inside.wait_for(lambda: inside.see('[name=base]').get_property('value') == 'dc=theirs', 'theirs')


def test_what_one_may_not_is_not_there(page, make_user, tenant):
    """Nor is a screen whose address one knows."""
    user = make_user(acl=['auth.backends.ldap.read'])
    page.enter(user)
    page.go('Services')
    page.see('.part h2', 'Directory')
    assert [each.text for each in page.find('.parts a')] == ['LDAP']
    assert not page.find('main button')
    page.at('services/saml')
    page.see('[role=alert]', 'You may not see this.')


def test_markup_in_a_configuration(inside, api, admin_token, create):
    named = create('/tenants', name=MARKUP + label())
    body = {'host': '127.0.0.1', 'port': 1, 'user_base_dn': MARKUP, 'user_login_attribute': 'uid', 'bind_dn': MARKUP,
            'user_email_attribute': 'mail', 'bind_password': 'x'}  # fmt: skip
    assert api.put('/backends/ldap', admin_token, json=body, headers=below(named)).status_code == 200
    api.post('/external/google/config', admin_token, json={'client_id': MARKUP, MARKUP: MARKUP}, headers=below(named))
    at(inside, 'ldap', named)
    assert inside.see('[name=base]').get_property('value') == MARKUP
    inside.press('Try it')
    outcomes(inside)
    at(inside, 'external', named)
    inside.see('label', MARKUP)
    assert not inside.driver.find_elements(By.CSS_SELECTOR, 'main b, main img')


# -- SAML --------------------------------------------------------------------------------------------------------------


def test_saml_is_configured_and_shown(inside, site, api, admin_token, idp, tenant, tmp_path):
    file = tmp_path / 'idp.xml'
    file.write_text(idp.metadata if isinstance(idp.metadata, str) else idp.metadata.decode())
    at(inside, 'saml', tenant)
    inside.see('.notice', 'has no identity provider yet')
    assert inside.see('[name=acs_url]').get_property('value').endswith('/api/auth/0.1/saml/acs')
    Select(inside.see('#choice-domain')).select_by_visible_text(tenant['domain_names'][0])
    inside.fill('entity_id', 'https://ui.example/saml')
    inside.see('[name=metadata]').send_keys(str(file))
    try_it(inside)
    assert api.get('/backends/saml', admin_token, headers=below(tenant)).status_code == 404
    save(inside)
    inside.miss('.notice', 'has no identity provider yet')
    saved = api.get('/backends/saml', admin_token, headers=below(tenant)).json()
    assert saved['entity_id'] == 'https://ui.example/saml'
    assert api.get('/backends/saml/metadata', admin_token, headers=below(tenant)).text == file.read_text()
    # What is saved is shown without a press: nothing is sent by that.
    assert outcomes(inside) == dict.fromkeys(['metadata', 'certificates', 'key', 'request', 'last_response'], 'ok')
    inside.see('[data-step=certificates] td', 'RSA 2048')
    inside.see('[data-step=request] summary', 'XML').click()
    inside.see('[data-step=request] pre', 'AuthnRequest')
    inside.driver.execute_script(
        'const make = URL.createObjectURL; URL.createObjectURL = (blob) => { window.kept = blob; return make(blob); };'
    )
    inside.press('Our metadata')
    ours = site.api.get('/backends/saml/sp_metadata', admin_token, headers=below(tenant)).text
    kept = 'const done = arguments[0]; (window.kept ? window.kept.text() : Promise.resolve("")).then(done)'
    inside.wait_for(lambda: inside.driver.execute_async_script(kept) == ours, 'our metadata is kept')
    inside.fill('entity_id', 'https://ui.example/other')
    inside.press('Save')
    wait_until(
        lambda: api.get('/backends/saml', admin_token, headers=below(tenant)).json()['entity_id'].endswith('other'),
        10,
        'the change is saved',
    )
    assert api.get('/backends/saml/metadata', admin_token, headers=below(tenant)).text == file.read_text()
    inside.press('Delete')
    inside.confirm()
    inside.see('.notice', 'has no identity provider yet')


def test_metadata_that_is_none(inside, tenant, tmp_path):
    file = tmp_path / 'wrong.xml'
    file.write_text('<html><b>bold</b></html>')
    at(inside, 'saml', tenant)
    Select(inside.see('#choice-domain')).select_by_visible_text(tenant['domain_names'][0])
    inside.fill('entity_id', 'https://ui.example/saml')
    inside.see('[name=metadata]').send_keys(str(file))
    inside.press('Try it')
    inside.see('[data-step=metadata][data-outcome=failed] .reason', 'it describes 0 identity providers')
    file.write_text('no xml')
    inside.press('Save')
    inside.see('.teller .bad')


class Provider:
    """An identity provider with a tenant that uses it."""

    def __init__(self, there, site, token):
        self.there = there
        domain = f'{label()}.example.com'
        made = site.api.post('/tenants', token, json={'name': domain, 'domain_names': [domain]}).json()
        [row] = site.api.get(f"/tenants/{made['uuid']}/domains", token).json()['items']
        fields = {'entity_id': f'https://ui.example/{domain}', 'acs_url': f'{site.api.base}/saml/acs'}
        answer = configure(
            site.api, 'POST', token, made['uuid'], domain_uuid=row['uuid'], metadata=there.idp.metadata, **fields
        )
        assert answer.status_code == 200, answer.text
        there.add_service(site.api.get('/backends/saml/sp_metadata', token, headers=below(made)).text)
        self.tenant, self.domain = made, domain


@pytest.fixture(scope='module', params=[Pysaml2, Simplesamlphp])
def provider(request, stack, site, admin_token):
    there = request.param(stack.folder / label('there'))
    yield Provider(there, site, admin_token)
    there.idp.close()


def begin(page, domain):
    page.press('Log in with SAML', 'summary')
    page.fill('domain', domain + Keys.ENTER)


def arrive(page, provider):
    """At the form of the identity provider."""

    def is_there():
        on = page.driver.current_url.startswith(provider.there.idp.url)
        return on and page.driver.find_elements(By.TAG_NAME, 'form')

    begin(page, provider.domain)
    page.wait_for(is_there, 'the identity provider asks for no login')


def log_in_there(page, provider, name):
    arrive(page, provider)
    provider.there.fill(page.driver, name)


def test_log_in_by_saml(site, provider, api, admin_token, make_user):
    user = make_user(headers=below(provider.tenant), authentication_method='saml', acl=['auth.#'])
    name = provider.there.add_user(user)

    def sessions():
        return api.get(f"/users/{user['uuid']}/sessions", admin_token).json()['items']

    with new_window(site.page) as page:
        log_in_there(page, provider, name)
        page.see('h1', 'Overview')
        page.see('.who a', user['username'])
        assert page.driver.current_url.split('#')[0] == site.page
        # What lay in the window's storage meanwhile is gone, and the token never was there.
        kept = 'return [localStorage.length, sessionStorage.length, document.cookie]'
        assert page.driver.execute_script(kept)[:2] == [0, 0]
        assert len(sessions()) == 1
        page.see('nav a', 'Users')
        # Out, here and at the identity provider.
        page.press('Log out')
        page.see('[role=alert]', 'You have logged out.')
        wait_until(lambda: not sessions(), 10, 'the session goes')
        wait_until(lambda: page.driver.current_url.split('#')[0] == site.page, 10, 'the address is the page again')
        arrive(page, provider)  # which asks again
        # Whoever turns back there has no session, and hears that.
        page.open()
        page.see('[role=alert]', 'The SAML login didn’t succeed.')
        assert page.driver.execute_script(kept)[:2] == [0, 0]
        page.open()
        assert not page.find('[role=alert]')


def test_why_the_last_response_was_refused(inside, site, provider):
    begun = site.api.post('/saml/sso', json={'domain': provider.domain, 'redirect_url': site.page}).json()
    [relay_state] = parse_qs(urlsplit(begun['location']).query)['RelayState']
    form = {'SAMLResponse': base64.b64encode(b'<b>bold</b>').decode(), 'RelayState': relay_state}
    assert site.api.post('/saml/acs', data=form).headers['Location'].endswith('login_failure_code=500')
    at(inside, 'saml', provider.tenant)
    inside.see('[data-step=last_response][data-outcome=warning] .reason', 'the last response was refused')
    inside.see('[data-step=last_response] time')
    assert not inside.driver.find_elements(By.CSS_SELECTOR, 'main b')


def test_whom_the_page_does_not_know(site, provider):
    """Somebody whom the identity provider lets in, and wazo-auth doesn't."""
    name = provider.there.add_user({'username': f'nobody-{label()}'})
    with new_window(site.page) as page:
        log_in_there(page, provider, name)
        page.see('[role=alert]', 'The SAML login didn’t succeed.')
        assert page.driver.current_url == site.page  # no failure code stays in the address


def test_a_domain_without_saml(page):
    begin(page, f'{label()}.example.com')
    page.see('[role=alert]', 'There is no SAML login for this domain.')
    page.fill('domain', 'x y' + Keys.ENTER)
    page.see('[role=alert]', 'This isn’t a valid domain.')


def test_a_browser_that_keeps_nothing(site, admin):
    """It has no storage at all; only logins by SAML need one."""
    refused = """for (const name of ['localStorage', 'sessionStorage'])
        Object.defineProperty(window, name, {get() { throw new Error('no'); }});"""
    with new_window(site.page, refused) as page:
        assert not page.find('[role=alert]')
        page.enter(admin)


def test_the_domain_of_an_address_is_offered(page):
    page.fill('username', 'somebody@example.org')
    page.press('Log in with SAML', 'summary')
    assert page.see('[name=domain]').get_property('value') == 'example.org'


def test_a_page_that_saml_may_not_come_back_to(new_nginx, site, stack):
    """saml.redirect_urls lacks it."""
    saml = {'redirect_urls': ['https://elsewhere.example/']}
    other = new_nginx('ui-no-return', SERVER, settings={'saml': saml})
    with new_window(f"http://127.0.0.1:{other.values['GATE_PORT']}/api/auth/ui/") as page:
        begin(page, 'example.org')
        page.see('[role=alert]', 'saml.redirect_urls')


# -- external services and mail ----------------------------------------------------------------------------------------


def test_external_services(inside, api, admin_token, tenant):
    path, headers = '/external/google/config', below(tenant)
    at(inside, 'external', tenant)
    google = inside.part('Google')
    inside.see(f'{google} p', 'isn’t registered with this service')
    inside.see(f'{google} .quiet', '0 users are connected')
    inside.fill('google-client_id', 'client-1')
    inside.fill('google-client_secret', CLIENT_SECRET)
    inside.see('[aria-label="Save: Google"]').click()
    inside.see('.teller', 'was saved')
    assert api.get(path, admin_token, headers=headers).json() == {
        'client_id': 'client-1',
        'client_secret': CLIENT_SECRET,
    }
    inside.miss(f'{google} p', 'isn’t registered with this service')
    assert_kept_to_itself(inside, CLIENT_SECRET)
    inside.fill('google-client_id', 'client-2')
    inside.see('[aria-label="Save: Google"]').click()
    wait_until(lambda: api.get(path, admin_token, headers=headers).json()['client_id'] == 'client-2', 10, 'it is saved')
    assert api.get(path, admin_token, headers=headers).json()['client_secret'] == CLIENT_SECRET  # nobody typed it again
    inside.see('[aria-label="Delete: Google"]').click()
    inside.confirm()
    inside.see(f'{google} p', 'isn’t registered with this service')


def test_values_that_are_no_text_stay_what_they_are(inside, api, admin_token, tenant):
    path, headers = '/external/mobile/config', below(tenant)
    before = {'fcm_sender_id': '1', 'use_sandbox': True, 'more': {'a': [1]}, 'ios_apn_private': 'a\nb'}
    api.post(path, admin_token, json=before, headers=headers)
    at(inside, 'external', tenant)
    inside.fill('mobile-fcm_sender_id', '2')
    inside.see('[aria-label="Save: mobile"]').click()
    inside.see('.teller', 'was saved')
    assert api.get(path, admin_token, headers=headers).json() == before | {'fcm_sender_id': '2'}


def test_mail(inside, stack, tenant):
    inside.at('services/mail')
    inside.wait_for(lambda: inside.see('[name=hostname]').get_property('value') == '127.0.0.1', 'the values')
    assert inside.see('[name=port]').get_property('value') == str(stack.mail.port)
    recipient = f'{label()}@example.com'
    inside.fill('recipient', recipient)
    inside.see('[name=send]').click()
    try_it(inside)
    assert list(outcomes(inside))[-1] == 'message'
    assert stack.mail.wait_for(recipient)['Subject'] == 'Test of the mail server'
    inside.fill('port', '1')
    inside.press('Try it')
    inside.see('[role=status]', 'Failed at this step: Connection.')
