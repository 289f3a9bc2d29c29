"""A headless Chromium for tests of pages.

    with browser.chromium(script=False, width=320) as page: page.get(url)

gives a selenium WebDriver, and wait_for() waits for what a page becomes. Certificates aren't checked: links in mails
begin with https, and a test may have to take nginx as it is.
"""
import base64
import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile

from selenium import webdriver
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait


def quic(certificate, port):
    """Arguments `more` with which everything from this port of 127.0.0.1 is asked for over HTTP/3, and nothing else."""
    key = subprocess.run(
        ['openssl', 'x509', '-in', certificate, '-noout', '-pubkey'], capture_output=True, check=True
    ).stdout
    der = subprocess.run(['openssl', 'pkey', '-pubin', '-outform', 'der'], input=key, capture_output=True, check=True)
    digest = base64.b64encode(hashlib.sha256(der.stdout).digest()).decode()
    # QUIC takes no certificate by ignore-certificate-errors.
    return f'origin-to-force-quic-on=127.0.0.1:{port}', f'ignore-certificate-errors-spki-list={digest}'


@contextlib.contextmanager
def chromium(script=True, width=1000, dark=False, more=()):
    folder = tempfile.mkdtemp(prefix='wazo-auth-chromium-')
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    for argument in (
        'headless=new',
        f'window-size={width},900',
        f'user-data-dir={folder}',
        'disable-gpu',
        'disable-dev-shm-usage',
        'no-first-run',
        'disable-background-networking',
        'disable-component-update',
        'disable-sync',
        'lang=en',
        'ignore-certificate-errors',
        'no-proxy-server',
        *more,
    ):
        options.add_argument(f'--{argument}')
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    if os.geteuid() == 0:
        options.add_argument('--no-sandbox')  # it can't be had as root
    if dark:
        options.add_argument('--force-dark-mode')
    if not script:
        options.add_experimental_option('prefs', {'profile.managed_default_content_settings.javascript': 2})
    driver = None
    try:
        driver = webdriver.Chrome(service=Service(shutil.which('chromedriver'), log_path=os.devnull), options=options)
        driver.set_page_load_timeout(30)
        # Windows aren't made narrower than 500 pixels: what is shown in them is.
        driver.execute_cdp_cmd(
            'Emulation.setDeviceMetricsOverride',
            {'width': width, 'height': 900, 'deviceScaleFactor': 1, 'mobile': False},
        )
        if dark:
            driver.execute_cdp_cmd(
                'Emulation.setEmulatedMedia', {'features': [{'name': 'prefers-color-scheme', 'value': 'dark'}]}
            )
        yield driver
    finally:
        if driver:
            driver.quit()
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(page, condition, what, seconds=20):
    """Until condition() is true. The page may leave while condition() looks at it; Chromium says so in several ways."""
    waiting = WebDriverWait(page, seconds, 0.1, (WebDriverException,))
    try:
        return waiting.until(lambda _: condition())
    except TimeoutException:
        raise AssertionError(f'{what}, at {page.current_url}: {page.page_source[:1000]}') from None
