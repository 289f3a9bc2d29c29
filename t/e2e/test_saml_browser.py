"""Logins and logouts by SAML as people see them: an application in a headless Chromium, and two identity providers that
have nothing in common, pysaml2 and simplesamlphp. Both know of us by the metadata that we serve.
"""
import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from selenium.webdriver.common.by import By

from support import browser, servers
from support.browser import wait_for
from support.logs import SECRETS
from support.saml_forms import Pysaml2, Simplesamlphp
from support.saml_idp import configure, make_key

# The application, of another origin than the API. #state says where it is: out, in, failed.
APP = """<!doctype html><meta charset=utf-8><title>app</title><h1>app</h1><p id=state></p><p id=answer></p>
<button id=in>Log in</button><button id=out>Log out</button>
<script>
const api = '@API@', domain = new URLSearchParams(location.search).get('domain');
const show = (id, text) => document.getElementById(id).textContent = text;
const send = async (method, path, body, headers) => {
  const answer = await fetch(api + path, {method, body: body && JSON.stringify(body),
                                          headers: {'Content-Type': 'application/json', ...headers}});
  return {status: answer.status, ...await answer.json()};
};
document.getElementById('in').onclick = async () => {
  const begun = await send('POST', '/saml/sso', {domain, redirect_url: location.origin + '/after'});
  sessionStorage.setItem('session', begun.saml_session_id);
  location = begun.location;
};
document.getElementById('out').onclick = async () => {
  location = (await send('GET', '/saml/logout', null, {'X-Auth-Token': sessionStorage.getItem('token')})).location;
};
(async () => {
  const query = new URLSearchParams(location.search), session = sessionStorage.getItem('session');
  if (location.pathname != '/after' || query.has('logged_out')) return show('state', 'out');
  if (query.has('login_failure_code')) return show('state', 'failed');
  const answer = await send('POST', '/token', {saml_session_id: session, access_type: 'offline', client_id: 'browser'});
  if (answer.status != 200) return show('state', 'failed');
  sessionStorage.setItem('token', answer.data.token);
  show('answer', JSON.stringify(answer.data));
  show('state', 'in');
})();
</script>
"""


class App:
    def __init__(self, api):
        page = APP.replace('@API@', api.base).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header('Content-Type', 'text/html')
                self.send_header('Content-Length', str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://localhost:{self._server.server_port}'
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope='module')
def site(stack):
    """nginx with .app, whose pages are where browsers may be sent after logins."""
    key, certificate = make_key(stack.folder, 'saml-browser')
    nginx = stack.new_nginx('saml-browser', start=False)
    nginx.app = App(nginx.api)
    saml = {'key_file': str(key), 'cert_file': str(certificate), 'redirect_urls': [f'{nginx.app.url}/after']}
    servers.write_settings(nginx.folder, stack.settings(saml=saml))
    nginx.start()
    yield nginx
    nginx.stop()
    nginx.app.close()


@pytest.fixture(scope='module', params=[Pysaml2, Simplesamlphp])
def there(request, stack):
    """An identity provider, and how people log in there."""
    made = request.param(stack.folder / f'idp-{uuid.uuid4().hex}')
    yield made
    made.idp.close()


by_simplesamlphp = pytest.mark.parametrize('there', [Simplesamlphp], indirect=True)


@pytest.fixture(scope='module')
def tenant(site, there, admin_token):
    """What an administrator does: our configuration at us, our metadata at the identity provider."""
    domain = f'{uuid.uuid4().hex[:12]}.example.com'
    made = site.api.post('/tenants', admin_token, json={'name': domain, 'domain_names': [domain]}).json()
    headers = {'Wazo-Tenant': made['uuid']}
    [domain_row] = site.api.get(f"/tenants/{made['uuid']}/domains", admin_token).json()['items']
    answer = configure(
        site.api,
        'POST',
        admin_token,
        made['uuid'],
        domain_uuid=domain_row['uuid'],
        metadata=there.idp.metadata,
        entity_id=f'https://wazo.example.org/{domain}',
        acs_url=f'{site.api.base}/saml/acs',
    )
    assert answer.status_code == 200, answer.text
    ours = site.api.get('/backends/saml/sp_metadata', admin_token, headers=headers)
    assert ours.status_code == 200, ours.text
    there.add_service(ours.text)
    return made | {'domain': domain, 'headers': headers}


@pytest.fixture
def user(make_user, tenant):
    return make_user(headers=tenant['headers'], authentication_method='saml', acl=['confd.users.read'])


@pytest.fixture
def page():
    """Somebody's browser, new and without cookies."""
    with browser.chromium() as driver:
        yield driver


def state(page):
    found = page.find_elements(By.ID, 'state')
    return found[0].text if found else None


def begin(page, site, tenant):
    """From the application to the identity provider."""
    page.get(f"{site.app.url}/?domain={tenant['domain']}")
    page.find_element(By.ID, 'in').click()


def at_form(page, there):
    return page.current_url.startswith(there.idp.url) and page.find_elements(By.TAG_NAME, 'form')


def log_in(page, site, tenant, there, name):
    begin(page, site, tenant)
    wait_for(page, lambda: at_form(page, there), 'no form')
    there.fill(page, name)


def arrived(page):
    """The application's answer to its POST /token."""
    wait_for(page, lambda: state(page) == 'in', 'not logged in')
    data = json.loads(page.find_element(By.ID, 'answer').text)
    SECRETS.token(data['token'])
    SECRETS.token(data['refresh_token'])
    return data


def refreshed(site, data):
    return site.api.post('/token', json={'refresh_token': data['refresh_token'], 'client_id': 'browser'}).status_code


def log_out(page):
    page.find_element(By.ID, 'out').click()
    wait_for(page, lambda: state(page) == 'out', 'not logged out')


def test_in_and_out(site, tenant, there, user, page):
    log_in(page, site, tenant, there, there.add_user(user))
    data = arrived(page)
    assert page.current_url == f'{site.app.url}/after'
    assert data['metadata']['uuid'] == user['uuid']
    assert site.gate.get('/read', data['token']).status_code == 200
    assert site.gate.get('/verb', data['token']).status_code == 200
    assert site.gate.get(f"/users/{user['uuid']}/x", data['token']).status_code == 403
    assert refreshed(site, data) == 200

    log_out(page)
    assert page.current_url == f'{site.app.url}/after?logged_out=true'
    assert site.gate.get('/read', data['token']).status_code == 401
    assert refreshed(site, data) == 401
    # There, too: the next login begins with the form.
    begin(page, site, tenant)
    wait_for(page, lambda: at_form(page, there), 'still logged in at the identity provider')


def test_once_there_is_enough(site, tenant, there, user, page):
    """Who is logged in at the identity provider sees no form at the second login; both logins are alive."""
    log_in(page, site, tenant, there, there.add_user(user))
    first = arrived(page)
    begin(page, site, tenant)
    wait_for(page, lambda: page.current_url == f'{site.app.url}/after', 'asked again')
    second = arrived(page)
    assert first['token'] != second['token']
    assert refreshed(site, first) == refreshed(site, second) == 200


def test_somebody_else(site, tenant, there, user, make_user, page):
    """Whom the identity provider knows and we don't, and one who doesn't log in by SAML."""
    for other in ({'username': f'nobody-{uuid.uuid4().hex}'}, make_user(headers=tenant['headers'])):
        log_in(page, site, tenant, there, there.add_user(other))
        wait_for(page, lambda: state(page) == 'failed', 'no failure')
        assert page.current_url == f'{site.app.url}/after'
        begin(page, site, tenant)  # his session there doesn't make him another one
        wait_for(page, lambda: state(page) == 'failed', 'no failure')
        page.execute_cdp_cmd('Network.clearBrowserCookies', {})
    log_in(page, site, tenant, there, there.add_user(user))
    assert arrived(page)['metadata']['uuid'] == user['uuid']


def kept_form(page):
    """From now on the form of the identity provider waits to be sent by hand, and can be sent again."""
    page.execute_cdp_cmd(
        'Page.addScriptToEvaluateOnNewDocument',
        {
            'source': 'HTMLFormElement.prototype.submit = function () { window.held = this; };'
            'HTMLElement.prototype.click = function () { window.held = this.form; };'
        },
    )


def held(page):
    return page.execute_script('return !!(window.held && window.held.SAMLResponse);')


def test_back_and_again(site, tenant, there, user, page):
    """The browser goes back to the identity provider's page and posts the same response again: it leads nowhere."""
    name = there.add_user(user)
    begin(page, site, tenant)
    wait_for(page, lambda: at_form(page, there), 'no form')
    kept_form(page)
    there.fill(page, name)
    wait_for(page, lambda: held(page), 'no response')
    fields = page.execute_script(
        'return [window.held.action, window.held.SAMLResponse.value, window.held.RelayState.value];'
    )
    page.execute_script('window.held.requestSubmit();')
    data = arrived(page)

    page.back()
    wait_for(page, lambda: not page.current_url.startswith(site.app.url), 'not back')
    post_again = (
        "const form = document.createElement('form'); form.method = 'POST'; form.action = arguments[0];"
        "for (const [name, value] of [['SAMLResponse', arguments[1]], ['RelayState', arguments[2]]]) {"
        "  const input = document.createElement('input'); input.name = name; input.value = value;"
        "  form.append(input); } document.body.append(form); form.requestSubmit();"
    )
    page.execute_script(post_again, *fields)
    wait_for(page, lambda: state(page) == 'failed', 'no failure')
    assert page.current_url == f'{site.app.url}/after?login_failure_code=500'
    # What the login gave stays alive.
    assert refreshed(site, data) == 200
    # The application's own page again: the session id was good once.
    page.get(f'{site.app.url}/after')
    wait_for(page, lambda: state(page) == 'failed', 'no failure')


def test_a_new_certificate(site, tenant, there, user, page, admin_token):
    """The identity provider signs with a new key: nobody logs in until its new metadata is here."""
    name = there.add_user(user)
    there.idp.new_key(f'new-{uuid.uuid4().hex[:6]}')
    log_in(page, site, tenant, there, name)
    wait_for(page, lambda: state(page) == 'failed', 'no failure')
    assert parse_qs(urlsplit(page.current_url).query) == {'login_failure_code': ['500']}
    assert configure(site.api, 'PUT', admin_token, tenant['uuid'], metadata=there.idp.metadata).status_code == 200
    begin(page, site, tenant)
    data = arrived(page)
    log_out(page)
    assert refreshed(site, data) == 401


@pytest.fixture
def php(there):
    yield there
    there.idp.encrypt(False)
    there.idp.log_out_by('Redirect')


@by_simplesamlphp
@pytest.mark.parametrize('encrypted', [False, True], ids=['plain', 'encrypted'])
@pytest.mark.parametrize('binding', ['Redirect', 'POST'])
def test_out_at_the_identity_provider(site, tenant, php, user, page, admin_token, binding, encrypted):
    """The logout begins there, and everything ends here; it hears that this went well."""
    php.idp.encrypt(encrypted)
    php.idp.log_out_by(binding)
    assert configure(site.api, 'PUT', admin_token, tenant['uuid'], metadata=php.idp.metadata).status_code == 200
    log_in(page, site, tenant, php, php.add_user(user))
    data = arrived(page)
    assert data['metadata']['uuid'] == user['uuid']
    page.get(php.idp.logout_url())
    wait_for(page, lambda: page.current_url == php.idp.front_page, 'no way back')
    assert site.gate.get('/read', data['token']).status_code == 401
    assert refreshed(site, data) == 401
    begin(page, site, tenant)
    wait_for(page, lambda: at_form(page, php), 'still logged in at the identity provider')


@by_simplesamlphp
def test_in_and_out_encrypted(site, tenant, php, user, page):
    php.idp.encrypt(True)
    log_in(page, site, tenant, php, php.add_user(user))
    data = arrived(page)
    log_out(page)
    assert page.current_url == f'{site.app.url}/after?logged_out=true'
    assert refreshed(site, data) == 401
