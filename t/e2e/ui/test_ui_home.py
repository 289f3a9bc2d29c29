"""The operator's page: what the server did in the last hour, and GET /0.1/node, which it has that from."""
import re
import statistics
import time
from datetime import datetime

import pytest
import requests
from selenium.webdriver.common.by import By

from support.checks import NO_TOKEN, below, elsewhere, error, label
from support.operators_page import server_with
from support.servers import wait_until

GATED = 'location = /gated { wazo_auth_acl some.access; proxy_pass http://upstream; }'
TLS = """\
    server {
        listen unix:@FOLDER@/tls.socket ssl;
        ssl_certificate CERTIFICATE;
        ssl_certificate_key CERTIFICATE;
        location / { return 404; }
    }
"""
NUMBERS = {'api_requests', 'api_errors', 'gated_requests', 'gate_refusals', 'gate_failures', 'logins', 'failed_logins',
           'revocations'}  # fmt: skip
USEFUL_MS = 3000  # what a machine that does six other things may take; docs/ui.md has what one takes that doesn't


@pytest.fixture(scope='module')
def ending(authority):
    return authority.certificate('DNS:localhost')  # for a day


@pytest.fixture(scope='module')
def site(new_nginx, ending):
    return new_nginx('ui-home', server_with(GATED) + TLS.replace('CERTIFICATE', str(ending)))


@pytest.fixture(scope='module')
def root(site):
    return f"http://127.0.0.1:{site.values['GATE_PORT']}"


def node_of(root, token):
    answer = requests.get(f'{root}/api/auth/0.1/node', headers={'X-Auth-Token': token}, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def counted(root, token):
    periods = node_of(root, token)['periods']
    return {name: sum(period[name] for period in periods) for name in NUMBERS}


def test_what_happens_is_counted_at_once(root, api, admin_token, make_user, insert_token):
    user = make_user()
    start = counted(root, admin_token)

    def is_measured():  # not while a reload hands the listening on
        api.delete(f"/token/{insert_token()['token']}")
        return counted(root, admin_token)['revocations'] > start['revocations']

    wait_until(is_measured, 20, 'a revocation is measured', 0.2)
    before = counted(root, admin_token)

    def log_in(password):
        auth = user['username'], password
        return requests.post(f'{root}/api/auth/0.1/token', auth=auth, json={}, headers=elsewhere(), timeout=10)

    token = log_in(user['password']).json()['data']['token']
    assert log_in('wrong-password-77').status_code == 401
    assert requests.get(f'{root}/gated', headers={'X-Auth-Token': NO_TOKEN}, timeout=10).status_code == 401
    assert requests.get(f'{root}/gated', headers={'X-Auth-Token': token}, timeout=10).status_code == 403
    assert requests.get(f'{root}/gated', headers={'X-Auth-Token': admin_token}, timeout=10).status_code == 200
    assert api.delete(f'/token/{token}').status_code == 200
    wait_until(lambda: counted(root, admin_token)['revocations'] > before['revocations'], 10, 'the revocation is there')
    after = counted(root, admin_token)
    grown = {name: after[name] - before[name] for name in NUMBERS}
    assert (grown['logins'], grown['failed_logins']) == (1, 1)
    assert (grown['gated_requests'], grown['gate_refusals'], grown['gate_failures']) == (3, 2, 0)
    assert grown['api_errors'] == 1 and grown['api_requests'] >= 3
    revoking = [period for period in node_of(root, admin_token)['periods'] if period['revocations']]
    for period in revoking:
        assert 0 < period['revocation_milliseconds'] <= period['slowest_revocation_milliseconds'] <= 10_000
    quiet = [period for period in node_of(root, admin_token)['periods'] if not period['revocations']]
    assert all(period['revocation_milliseconds'] is None for period in quiet)


def test_periods_follow_each_other_over_a_reload(site, root, admin_token):
    before = node_of(root, admin_token)
    site.reload()
    after = node_of(root, admin_token)
    assert after['since'] == before['since']
    assert counted(root, admin_token)['api_requests'] > 0
    assert after['periods'] and all(0 < period['seconds'] < 121 for period in after['periods'])
    assert len(after['periods']) <= 61


def test_what_it_is_at(root, ending, admin_token):
    headers = {'X-Auth-Token': admin_token}
    assert requests.get(f'{root}/api/auth/0.1/users?limit=1', headers=headers, timeout=10).status_code == 200
    # Workers tell of their connections each second.
    wait_until(lambda: node_of(root, admin_token)['database_connections']['open'] >= 1, 10, 'a connection is there')
    node = node_of(root, admin_token)
    assert re.fullmatch(r'\d+\.\d+\.\d+.*', node['version'])
    assert node['workers'] >= 1 and node['tokens']['known'] >= 1 and node['tokens']['room'] > 1000
    assert {'database', 'hashing'} <= {pool['name'] for pool in node['pools']}
    assert node['database_connections']['limit'] >= node['database_connections']['open'] >= 1
    (certificate,) = [each for each in node['certificates'] if each['name'] == str(ending)]
    left = datetime.fromisoformat(certificate['ends_at']).timestamp() - time.time()
    assert 0 < left <= 86400


def test_a_tenants_administrator_is_told_nothing_of_it(api, insert_token, make_user, create):
    tenant = create('/tenants')['uuid']
    user = make_user(headers=below(tenant))
    token = insert_token(acl=['auth.#'], user_uuid=user['uuid'], tenant_uuid=tenant)['token']
    error(api.get('/node', token), 401, 'unauthorized')


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_last_hour_is_drawn(inside, ending):
    hour = inside.part('The last hour')
    inside.see(f'{hour} h3', 'Requests')
    for title in 'Requests', 'Refusals', 'Logins', 'Revocation delay':
        graph = inside.see(f'{hour} svg[aria-label^="{title}: "]')
        assert re.search(r'\d', graph.get_attribute('aria-label'))
    assert inside.driver.find_elements(By.CSS_SELECTOR, f'{hour} rect')
    inside.see(f'{inside.part("Certificates")} td', str(ending))
    inside.see(f'{inside.part("Certificates")} .mark.bad', 'to')
    # The same as a table, for those who can't see it.
    inside.press('As a table', f'{hour} summary')
    inside.see(f'{hour} details[open] th', 'to the API')
    inside.see(f'{hour} details[open] td')


def test_metrics_of_the_server(inside, ending):
    inside.press('Metrics of this server', 'a')
    inside.see('h1', 'Metrics of this server')
    inside.see('dd', ' of at most ')
    inside.see(f'{inside.part("Threads")} td', 'database')
    inside.see(f'{inside.part("Certificates")} td', str(ending))


def test_who_may_not_see_it_is_not_shown_it(page, make_user, create):
    tenant = create('/tenants', name=f'sub-{label()}')['uuid']
    user = make_user(acl=['auth.#'], headers=below(tenant))
    page.log_in(user['username'], user['password'])
    page.see('nav a', 'Users')
    page.see(page.part('Recent changes'))
    assert not page.find(page.part('The last hour'))
    page.at('node')
    page.see('[role=alert]', 'You may not see this.')


# Requests wait for release(), but for the login's, the status, and whether the token lives.
HOLD = r"""
const ask = fetch, free = /\/0\.1\/(token(\/[0-9a-f-]+)?|status)$/;
window.held = [];
window.happened = [];
window.release = () => held.splice(0).forEach(({ go }) => go());
window.fetch = async (address, options) => {
  const path = new URL(address).pathname;
  happened.push(`asked ${path}`);
  if (!free.test(path)) await new Promise((go) => held.push({ path, go }));
  const answer = await ask(address, options);
  happened.push(`answered ${path}`);
  return answer;
};
"""


def test_how_many_answers_the_overview_waits_for_one_after_the_other(page, admin):
    """One until it is useful, three until it is whole."""

    def held(count):
        script = 'return held.map(({ path }) => path.split("/0.1/")[1].replace(/token.*scopes/, "scopes")).sort()'
        page.wait_for(lambda: len(page.driver.execute_script(script)) >= count, f'{count} requests')
        return page.driver.execute_script(script)

    page.driver.execute_script(HOLD)
    page.log_in(admin['username'], admin['password'])
    page.see('[data-state]')
    happened = [each.split('/0.1/') for each in page.driver.execute_script('return happened')]
    assert happened.index(['asked /api/auth', 'status']) < happened.index(['answered /api/auth', 'token'])
    assert held(1) == ['scopes/check']  # what the navigation and each part of the overview want to know
    assert not page.find('nav a', 'Users')
    page.driver.execute_script('release()')
    page.see('nav a', 'Users')
    assert held(2) == ['audit', 'node']
    page.driver.execute_script('release()')
    page.see(page.part('The last hour') + ' svg')
    page.see(page.part('Recent changes') + ' time')


# From the click to the overview with its health, as the page itself sees it; and until the answer to the login.
CLICK = """
performance.clearResourceTimings();
const begin = performance.now();
new MutationObserver((_, observer) => {
  if (!document.querySelector('[data-state]')) return;
  observer.disconnect();
  const shown = performance.now();
  const login = performance.getEntriesByType('resource').find((entry) => entry.name.endsWith('/0.1/token'));
  window.took = [shown - begin, login.responseEnd - begin];
}).observe(document.body, { childList: true, subtree: true });
document.querySelector('form button').click();
"""


def test_something_useful_comes_soon(page, admin):
    painted, useful, answered = [], [], []
    for _ in range(5):
        page.driver.get('about:blank')
        page.open()
        paint = "return performance.getEntriesByName('first-contentful-paint').map((entry) => entry.startTime)[0]"
        painted.append(page.wait_for(lambda: page.driver.execute_script(paint), 'the page is painted'))
        page.fill('username', admin['username'])
        page.fill('password', admin['password'])
        page.driver.execute_script(CLICK)
        took = page.wait_for(lambda: page.driver.execute_script('return window.took'), 'the overview comes')
        useful.append(took[0])
        answered.append(took[1])
    shown, all_of_it, login = (statistics.median(times) for times in (painted, useful, answered))
    print(
        f'painted after {shown:.0f} ms; overview {all_of_it:.0f} ms after the click, {login:.0f} ms of which for the login'
    )
    assert min(painted) < USEFUL_MS and min(useful) < USEFUL_MS
