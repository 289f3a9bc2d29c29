"""The operator's page in a headless Chromium, and what a person finds in it by its name."""
import base64
import contextlib
import os
from pathlib import Path

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from support import browser
from support.browser import wait_for
from support.servers import CHECKOUT


def server_with(*locations):
    """The block of a server with the page, and with these."""
    return '\n        '.join([
        '    server {',
        'listen 127.0.0.1:@GATE_PORT@;',
        'wazo_auth on;',
        'gzip on;',
        'location /api/auth/ { wazo_auth_api prefix=/api/auth; }',
        'location /api/auth/ui { wazo_auth_ui; }',
        *locations,
    ]) + '\n    }\n'  # fmt: skip


SERVER = server_with()
MARKUP = '<img src=x onerror=alert(1)><b>bold</b>&amp;'
AXE = Path(os.environ.get('WAZO_AUTH_AXE') or CHECKOUT / 'build/axe') / 'node_modules/axe-core/axe.min.js'
WIDTH = 1280

# What Chromium complains of, asked for by Page.complaints().
WATCHER = """
window.complaints = [];
addEventListener('securitypolicyviolation', (event) => complaints.push(`${event.violatedDirective} ${event.blockedURI}`));
addEventListener('error', (event) => complaints.push(String(event.message)));
addEventListener('unhandledrejection', (event) => complaints.push(String(event.reason)));
"""


class Page:
    """A window of the page."""

    def __init__(self, driver, address):
        self.driver = driver
        self.address = address
        self.run_first(WATCHER)

    def run_first(self, script):
        """In each document, before its own scripts."""
        self.driver.execute_cdp_cmd('Page.addScriptToEvaluateOnNewDocument', {'source': script})

    def open(self, hash_=''):
        self.driver.get(self.address + hash_)
        self.see('h1')

    def find(self, css, text=None):
        found = self.driver.find_elements(By.CSS_SELECTOR, css)
        return [each for each in found if each.is_displayed() and (text is None or text in each.text)]

    def see(self, css, text=None):
        return self.wait_for(lambda: self.find(css, text), f'{css} with {text!r} is missing')[0]

    def miss(self, css, text=None):
        self.wait_for(lambda: not self.find(css, text), f'{css} with {text!r} is there')

    def wait_for(self, condition, what, seconds=20):
        return wait_for(self.driver, condition, what, seconds)

    def press(self, text, css='button'):
        self.see(css, text).click()

    def fill(self, name, text):
        field = self.see(f'[name={name}]')
        field.send_keys(Keys.CONTROL, 'a')
        field.send_keys(text or Keys.DELETE)

    def choose(self, name, text):
        Select(self.see(f'#choice-{name}')).select_by_visible_text(text)

    def log_in(self, name, password):
        self.fill('username', name)
        self.fill('password', password + Keys.ENTER)

    def enter(self, user):
        self.log_in(user['username'], user['password'])
        self.see('h1', 'Overview')

    def at(self, place):
        self.driver.execute_script('location.hash = arguments[0]', f'#/{place}')

    def go(self, title):
        self.press(title, 'nav a')
        self.see('h1', title)

    def part(self, title):
        return f'section[aria-label="{title}"]'

    def confirm(self):
        self.see('dialog[open] button:last-child').click()
        self.miss('dialog')

    def complaints(self):
        return self.driver.execute_script('return window.complaints')

    def focused(self):
        return self.driver.switch_to.active_element

    # -- how it looks

    def settle(self):
        """Until nothing is asked for."""
        self.wait_for(lambda: not self.find('main p[role=status].quiet, [aria-busy=true]'), 'it loads and loads')

    def size(self, width=WIDTH, height=900):
        size = {'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': False}
        self.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)

    def scheme(self, name='light'):
        """Without motion: colours in between have contrasts of their own."""
        features = {'prefers-color-scheme': name, 'prefers-reduced-motion': 'reduce'}
        self.driver.execute_cdp_cmd(
            'Emulation.setEmulatedMedia', {'features': [{'name': n, 'value': v} for n, v in features.items()]}
        )

    def speak(self, language):
        """By the choice that is at the end of each screen, also beneath a dialog."""
        choice = 'select:has(> [lang=fr])'
        self.driver.execute_script(
            'const choice = document.querySelector(arguments[0]); choice.value = arguments[1];'
            'choice.dispatchEvent(new Event("change", {bubbles: true})); localStorage.clear()', choice, language
        )  # fmt: skip
        tag = 'return document.documentElement.lang'
        self.wait_for(lambda: self.driver.execute_script(tag) == language, f'it does not speak {language}')

    @contextlib.contextmanager
    def in_french(self):
        self.speak('fr')
        try:
            yield
        finally:
            self.speak('en')

    def barriers(self):
        """What axe-core finds: [(rule, [HTML, ...]), ...]."""
        if not self.driver.execute_script('return Boolean(window.axe)'):
            self.driver.execute_script(AXE.read_text())
        found = self.driver.execute_async_script(
            'const done = arguments[0]; axe.run({resultTypes: ["violations"]}).then(done, (e) => done(String(e)))'
        )
        return [(rule['id'], [node['html'][:120] for node in rule['nodes']]) for rule in found['violations']]

    def too_wide(self):
        """What reaches beyond the window."""
        return self.driver.execute_script(
            'return [...document.querySelectorAll("*")].filter((each) => '
            'each.getBoundingClientRect().right > innerWidth + 1 && !each.closest("thead, .skip, .unseen, svg"))'
            '.map((each) => each.outerHTML.slice(0, 80))'
        )

    def console(self):
        """What the browser itself complained of, but for answers of the API that are none of 200."""
        return [
            each for each in self.driver.get_log('browser') if each['level'] == 'SEVERE' and each['source'] != 'network'
        ]

    def picture(self, name):
        """All of the page, kept if somebody wants to look at it."""
        if folder := os.environ.get('WAZO_AUTH_PICTURES'):
            width, height = self.driver.execute_script('return [innerWidth, document.documentElement.scrollHeight]')
            clip = {'x': 0, 'y': 0, 'width': width, 'height': height, 'scale': 1}
            what = {'captureBeyondViewport': True, 'clip': clip}
            shown = self.driver.execute_cdp_cmd('Page.captureScreenshot', what)['data']
            (Path(folder) / f'{name}.png').write_bytes(base64.b64decode(shown))


@contextlib.contextmanager
def new_window(address, *scripts, width=WIDTH):
    """The page in a Chromium of its own, without complaints at the end. These scripts run before its own."""
    with browser.chromium(width=width) as driver:
        page = Page(driver, address)
        for script in scripts:
            page.run_first(script)
        page.open()
        yield page
        assert page.complaints() == []
