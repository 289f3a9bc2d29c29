"""What a person sees: the pages that links in mails lead to, in a headless Chromium with and without JavaScript."""
import contextlib
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import staleness_of

from support import browser
from support.checks import label
from support.logs import SECRETS

BROWSER = {'Accept': 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'}
PATH = '/users/password/reset'
LINK = re.compile(r'^https://\S+(/0\.1(/\S+[?&]token=([0-9a-f-]{36})))$', re.M)


@pytest.fixture(scope='module')
def site(new_nginx):
    return new_nginx(
        'pages', settings={'enabled_http_plugins': {'user_registration': True}, 'password_reset_mails_per_hour': 0}
    )


@pytest.fixture(scope='module', params=['with scripts', 'without scripts'])
def page(request, site):  # which ends after it: a browser keeps connections
    script = request.param == 'with scripts'
    with browser.chromium(script=script) as driver:
        driver.get('data:text/html,<title>off</title><script>document.title = "on"</script>')
        assert driver.title == ('on' if script else 'off')
        yield driver


@pytest.fixture
def link_to(mail, site):
    """What the last mail to an address links to: .url .path .token"""

    def read(address):
        found = LINK.search(mail.wait_for(address).get_content().replace('\r\n', '\n'))
        SECRETS.token(found[3])
        return type(
            'Link', (), {'url': f'http://127.0.0.1:{site.api.port}{found[1]}', 'path': found[2], 'token': found[3]}
        )

    return read


@pytest.fixture
def registered(site):
    name = f'page-{label()}'
    answer = site.api.post(
        '/users/register',
        json={'username': name, 'password': f'pass-{label()}', 'email_address': f'{name}@example.com'},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def person(make_user):
    name = f'page-{label()}'
    return make_user(username=name, email_address=f'{name}@example.com')


@pytest.fixture
def reset(site, person, link_to):
    address = person['emails'][0]['address']
    assert site.api.get(PATH, params={'email': address}).status_code == 204
    return link_to(address)


@pytest.fixture
def dead_link(site, person):
    """A link whose token nobody knows."""
    token = SECRETS.token(str(uuid.uuid4()))
    return f"http://127.0.0.1:{site.api.port}/0.1{PATH}?user_uuid={person['uuid']}&token={token}"


def can_log_in(site, user, password):
    return site.api.post('/token', auth=(user['username'], password)).status_code == 200


def heading(page):
    return page.find_element(By.TAG_NAME, 'h1').text


def alert(page):
    found = page.find_elements(By.CSS_SELECTOR, '[role=alert]')
    return found[0].text if found else None


def fill(page, password, again):
    for name, text in (('password', password), ('confirmation', again)):
        page.find_element(By.NAME, name).send_keys(SECRETS.password(text))
    with next_page(page):
        page.find_element(By.TAG_NAME, 'button').click()


@contextlib.contextmanager
def next_page(page):
    old = page.find_element(By.TAG_NAME, 'html')
    yield
    browser.wait_for(page, lambda: staleness_of(old)(page), 'the same page')
    browser.wait_for(page, lambda: page.find_elements(By.TAG_NAME, 'h1'), 'no heading')


# -- checks of a page, as an auditor makes them ------------------------------------------------------------------------


def luminance(colour):
    channels = [int(part) / 255 for part in re.findall(r'\d+', colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def background(element):
    while True:
        colour = element.value_of_css_property('background-color')
        if not re.fullmatch(r'rgba\(\d+, \d+, \d+, 0\)', colour):
            return colour
        if element.tag_name == 'html':
            return 'rgb(255, 255, 255)'
        element = element.find_element(By.XPATH, '..')


def audit(page):
    """Language, title, one main part and one heading, names of controls, contrast (WCAG 2.1 AA), no sideways scrolling."""
    root = page.find_element(By.TAG_NAME, 'html')
    assert root.get_attribute('lang') == 'en' and page.title
    assert len(page.find_elements(By.TAG_NAME, 'main')) == len(page.find_elements(By.TAG_NAME, 'h1')) == 1
    ids = [each.get_attribute('id') for each in page.find_elements(By.CSS_SELECTOR, '[id]')]
    assert len(ids) == len(set(ids))
    for control in page.find_elements(By.CSS_SELECTOR, 'input, button, select, textarea, a'):
        assert control.accessible_name, control.get_attribute('outerHTML')
        assert control.size['height'] >= 24
    for control in page.find_elements(By.CSS_SELECTOR, 'input'):
        label_of = page.find_element(By.CSS_SELECTOR, f"label[for={control.get_attribute('id')}]")
        assert label_of.is_displayed() and label_of.text == control.accessible_name
        assert control.get_attribute('autocomplete')
        assert contrast(control.value_of_css_property('border-top-color'), background(control)) >= 3
        for described in (control.get_attribute('aria-describedby') or '').split():
            assert page.find_element(By.ID, described).text
    for element in page.find_elements(By.CSS_SELECTOR, 'h1, p, label, button, input'):
        ratio = contrast(element.value_of_css_property('color'), background(element))
        assert ratio >= 4.5, (element.get_attribute('outerHTML'), ratio)
    assert (
        page.find_element(By.CSS_SELECTOR, 'meta[name=viewport]')
        .get_attribute('content')
        .startswith('width=device-width')
    )
    assert not page.find_elements(By.CSS_SELECTOR, 'script, img, iframe, link, [style], [onclick]')
    assert is_readable(page)


def is_readable(page):
    """The policy lets the page's own style in, and nothing is wider than the window."""
    main = page.find_element(By.TAG_NAME, 'main')
    assert main.value_of_css_property('max-width') == '512px', 'the style was refused'
    width = page.execute_cdp_cmd('Page.getLayoutMetrics', {})
    return width['cssContentSize']['width'] <= width['cssLayoutViewport']['clientWidth']


# -- confirmation --------------------------------------------------------------------------------------------------------


def is_confirmed(psql, user):
    return psql(f"SELECT confirmed FROM auth_email WHERE user_uuid = '{user['uuid']}'") == 't'


def press(page):
    with next_page(page):
        page.find_element(By.TAG_NAME, 'button').click()


def test_confirm_after_a_registration(site, page, registered, link_to, psql):
    link = link_to(registered['emails'][0]['address'])
    page.get(link.url)
    assert heading(page) == page.title == 'Confirm your e-mail address'
    audit(page)
    assert not is_confirmed(psql, registered)
    press(page)
    assert heading(page) == 'Your e-mail address is confirmed'
    audit(page)
    assert is_confirmed(psql, registered)
    page.get(link.url)  # by this very link, so all is well
    assert heading(page) == 'Your e-mail address is confirmed'
    psql(f"UPDATE auth_email SET confirmed = false WHERE user_uuid = '{registered['uuid']}'")
    page.get(link.url)
    assert heading(page) == page.title == "This link doesn't work"
    audit(page)


SCANNER = BROWSER | {'User-Agent': 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/97.0.4692.99'}


def test_a_scanner_that_opens_every_link(site, registered, link_to, psql):
    link = link_to(registered['emails'][0]['address'])
    for _ in range(2):
        for method in ('get', 'head'):
            answer = getattr(site.api, method)(link.path, headers=SCANNER)
            assert answer.status_code == 200
            assert_own_headers(answer)
    assert link.token not in site.api.get(link.path, headers=SCANNER).text
    assert not is_confirmed(psql, registered)
    for _ in range(2):  # pressed twice
        answer = site.api.post(link.path, data=b'', headers=FORM)
        assert answer.status_code == 200 and 'is confirmed' in answer.text
        assert answer.headers['Content-Security-Policy'] == "frame-ancestors 'none'"
    assert is_confirmed(psql, registered)
    answer = site.api.get(link.path, headers=SCANNER)
    assert answer.status_code == 200 and 'is confirmed' in answer.text


def test_the_button_pressed_at_once_by_many(site, registered, link_to):
    link = link_to(registered['emails'][0]['address'])
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: site.api.post(link.path, data=b'', headers=FORM).status_code, range(8))
    assert set(answers) == {200}


def test_an_address_that_is_confirmed_otherwise(site, registered, link_to, admin_token):
    link = link_to(registered['emails'][0]['address'])
    email = registered['emails'][0]['uuid']
    assert site.api.put(f'/emails/{email}/confirm', admin_token).status_code == 204
    assert 'is confirmed' in site.api.get(link.path, headers=BROWSER).text


def test_a_used_confirmation_for_browsers_and_for_programs(site, registered, link_to, psql):
    link = link_to(registered['emails'][0]['address'])
    first = site.api.get(link.path)
    assert first.status_code == 200 and first.headers['X-Content-Type-Options'] == 'nosniff'
    assert first.headers['Content-Security-Policy'] == "frame-ancestors 'none'"
    psql(f"UPDATE auth_email SET confirmed = false WHERE user_uuid = '{registered['uuid']}'")
    for used in (site.api.get(link.path, headers=BROWSER), site.api.post(link.path, data=b'', headers=FORM)):
        assert used.status_code == 401 and used.headers['Content-Type'] == 'text/html; charset=utf-8'
        assert_own_headers(used)
    for accept in (
        None,
        '*/*',
        'application/json',
        'application/json, text/plain, */*',
        'text/html, application/json',
        'text/html;q=0.5, */*;q=0.8',
        'text/html, */*',
        '',
        ';',
        'text/html;q=x;, application/json;q=2',
    ):
        answer = site.api.get(link.path, headers={'Accept': accept})
        assert answer.status_code == 401 and answer.json()['error_id'] == 'unauthorized', accept
    for accept in (
        'text/html',
        'TEXT/HTML;q=0.9, application/json;q=0.8',
        'text/html, */*;q=0.01',
        'application/*;q=.2, text/html;level=1;q=.3',
    ):
        assert site.api.get(link.path, headers={'Accept': accept}).text.startswith('<!doctype html>'), accept


# -- reset ---------------------------------------------------------------------------------------------------------------


def assert_own_headers(answer):
    assert answer.headers['Cache-Control'] == 'no-store' and answer.headers['Referrer-Policy'] == 'no-referrer'
    assert answer.headers['X-Content-Type-Options'] == 'nosniff'
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[0-9A-Za-z+/]{43}='; form-action 'self'; base-uri 'none'; "
        r"frame-ancestors 'none'",
        answer.headers['Content-Security-Policy'],
    )


def test_from_the_link_to_a_login(site, page, person, reset):
    page.get(reset.url)
    assert heading(page) == page.title == 'Choose a new password' and alert(page) is None
    audit(page)
    password = f'fresh-{label()}'
    fill(page, password, password)
    assert heading(page) == 'The password is changed'
    audit(page)
    assert can_log_in(site, person, password) and not can_log_in(site, person, person['password'])
    page.get(reset.url)
    assert heading(page) == "This link doesn't work"
    audit(page)


def test_two_different_passwords(site, page, person, reset):
    page.get(reset.url)
    fill(page, f'fresh-{label()}', f'other-{label()}')
    assert alert(page) == 'These were two different passwords. Please enter the same one twice.'
    assert page.title == 'Error: Choose a new password'
    field = page.find_element(By.NAME, 'password')
    assert field.get_attribute('aria-invalid') == 'true' and field.get_attribute('value') == ''
    audit(page)
    password = f'fresh-{label()}'
    fill(page, password, password)
    assert heading(page) == 'The password is changed' and can_log_in(site, person, password)


def test_the_keyboard_is_enough(site, page, person, reset):
    page.get(reset.url)
    password = SECRETS.password(f'fresh-{label()}')
    assert page.switch_to.active_element.get_attribute('name') == 'password'
    for key in (password, Keys.TAB, password):
        page.switch_to.active_element.send_keys(key)
    page.switch_to.active_element.send_keys(Keys.TAB)
    button = page.switch_to.active_element
    assert button.tag_name == 'button' and button.value_of_css_property('outline-style') == 'solid'
    with next_page(page):
        button.send_keys(Keys.ENTER)
    assert heading(page) == 'The password is changed' and can_log_in(site, person, password)


def test_a_link_that_expires_while_the_form_is_open(page, reset, psql, api2, site, person):
    page.get(reset.url)
    site.api.post(PATH, params={'user_uuid': person['uuid'], 'token': reset.token}, json={'password': 'somewhere else'})
    fill(page, 'too-late-by-now', 'too-late-by-now')
    assert heading(page) == "This link doesn't work" and can_log_in(site, person, 'somewhere else')


def test_dead_and_cut_links(page, dead_link):
    for url in (
        dead_link,
        dead_link.partition('&token')[0],
        dead_link.partition('?')[0],
        dead_link.replace('user_uuid', 'x'),
    ):
        page.get(url)
        assert heading(page) == "This link doesn't work"
        audit(page)


@pytest.mark.parametrize('dark', [False, True])
def test_a_small_screen(person, reset, registered, link_to, dead_link, dark):
    with browser.chromium(width=320, dark=dark) as page:
        for url in (reset.url, dead_link, link_to(registered['emails'][0]['address']).url):
            page.get(url)
            audit(page)
        page.get(reset.url)
        is_dark = luminance(background(page.find_element(By.TAG_NAME, 'main'))) < 0.2
        assert is_dark == dark
        fill(page, 8 * f'fresh-{label()}', 'y')
        assert alert(page)
        audit(page)


# -- without a browser -----------------------------------------------------------------------------------------------------


FORM = BROWSER | {'Content-Type': 'application/x-www-form-urlencoded'}


def form(site, path, **fields):
    return site.api.post(path, data=fields, headers=FORM)


def test_looking_uses_up_nothing(site, person, reset):
    for method in ('get', 'head', 'get'):
        answer = getattr(site.api, method)(reset.path, headers=BROWSER)
        assert answer.status_code == 200
        assert_own_headers(answer)
    assert reset.token not in answer.text and person['username'] not in answer.text
    # A program is told what the wire says.
    assert site.api.get(reset.path).json()['error_id'] == 'invalid-data'


def test_answers_to_the_form(site, person, reset):
    password = SECRETS.password(f'fresh-{label()}')
    for fields in (
        {},
        {'password': ''},
        {'password': password},
        {'confirmation': password},
        {'password': '', 'confirmation': ''},
        {'password': password, 'confirmation': password + ' '},
        {'Password': password, 'confirmation': password},
    ):
        answer = form(site, reset.path, **fields)
        assert answer.status_code == 400 and 'role="alert"' in answer.text and password not in answer.text, fields
        assert_own_headers(answer)
    answer = form(site, reset.path, password=password, confirmation=password)
    assert answer.status_code == 200 and answer.headers['Content-Type'] == 'text/html; charset=utf-8'
    assert_own_headers(answer)
    assert can_log_in(site, person, password)
    answer = form(site, reset.path, password=password, confirmation=password)
    assert answer.status_code == 401
    assert_own_headers(answer)


def test_passwords_of_any_characters(site, person, reset):
    password = ' ä+&=%25\t漢"<b>\U0001f600 '
    assert form(site, reset.path, password=password, confirmation=password).status_code == 200
    assert can_log_in(site, person, password)


@pytest.mark.parametrize(
    'data',
    [
        b'',
        b'&&&===',
        b'password=%ff%fe&confirmation=%ff',
        b'\x00',
        b'password=a%00b&confirmation=a%00b',
        b'password',
        b'password=x&password=y&confirmation=y',
        b'%',
        b'x' * 1000000,
    ],
)
def test_no_form_makes_a_500(site, person, reset, data):
    answer = site.api.post(reset.path, data=data, headers=FORM)
    assert answer.status_code == 400 and answer.headers['Content-Type'] == 'text/html; charset=utf-8', answer.text
    assert can_log_in(site, person, person['password'])


def test_forms_are_for_browsers(site, person, reset):
    """To a program a form is what it was always: no body."""
    answer = site.api.post(reset.path, data={'password': 'x', 'confirmation': 'x'})
    assert answer.status_code == 400 and answer.json() == {
        'message': 'The browser (or proxy) sent a request that this server could not understand.'
    }
    # And JSON is JSON, whatever the answer may look like.
    answer = site.api.post(reset.path, json={'password': f'fresh-{label()}'}, headers=BROWSER)
    assert answer.status_code == 204


def test_passwords_that_are_kept_elsewhere(site, person, reset, psql):
    psql(f"UPDATE auth_user SET authentication_method = 'ldap' WHERE uuid = '{person['uuid']}'")
    answer = form(site, reset.path, password='x', confirmation='x')
    assert answer.status_code == 405 and 'administrator' in answer.text
    assert_own_headers(answer)


def test_a_form_of_somebody_else_does_nothing(site, person):
    """Without the token of the mail there is nothing to forge."""
    answer = site.api.post(
        PATH,
        params={'user_uuid': person['uuid']},
        data={'password': 'x', 'confirmation': 'x'},
        headers=BROWSER | {'Origin': 'https://evil.example', 'Cookie': f'token={uuid.uuid4()}'},
    )
    assert answer.status_code == 401 and can_log_in(site, person, person['password'])
