"""The operator's page, for each module anew.

Fixtures of a module
  site                      an nginx with the API and the page; a module may have one of its own
  address                   of the page there
  window                    a headless Chromium
Fixtures of a test
  page                      support.operators_page.Page, where nobody is logged in
  log_in(user)              → the page, with this user
  inside                    the page, with the administrator
  tenant                    a new one, with a domain

WAZO_AUTH_PICTURES=FOLDER keeps pictures of the screens.
"""
import pytest

from support import browser
from support.checks import label
from support.operators_page import SERVER, WIDTH, Page


@pytest.fixture(scope='module')
def site(new_nginx):
    return new_nginx(label('ui'), SERVER)


@pytest.fixture(scope='module')
def address(site):
    return f"http://127.0.0.1:{site.values['GATE_PORT']}/api/auth/ui/"


@pytest.fixture(scope='module')
def window(site):
    """It ends before nginx does, which would wait for connections that Chromium has opened in advance."""
    with browser.chromium(width=WIDTH) as driver:
        yield driver


@pytest.fixture
def page(window, address):
    window.get('about:blank')
    made = Page(window, address)
    made.open()
    yield made
    assert made.complaints() == []
    made.size()
    made.scheme()
    window.get('about:blank')  # whoever is logged in is no more


@pytest.fixture
def log_in(page):
    def log_in(user):
        page.enter(user)
        return page

    return log_in


@pytest.fixture
def inside(log_in, admin):
    return log_in(admin)


@pytest.fixture
def tenant(create):
    return create('/tenants', name=label('tenant'), domain_names=[f'{label()}.example.com'])
