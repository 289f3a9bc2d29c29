"""Two identity providers that have nothing in common, and how people log in at their forms in a browser."""
from selenium.webdriver.common.by import By

from support import servers
from support.logs import SECRETS
from support.php_idp import PhpIdp
from support.saml_idp import SamlIdp


class Pysaml2:
    """A form with nothing but a name."""

    def __init__(self, folder):
        self.idp = SamlIdp(folder, servers.free_port())
        self.add_service = self.idp.add_metadata

    def add_user(self, user):
        return user['username']

    def fill(self, page, name):
        page.find_element(By.NAME, 'user').send_keys(name)
        page.find_element(By.TAG_NAME, 'button').click()


class Simplesamlphp:
    """A form with a name and a password, which are none of wazo-auth's."""

    PASSWORD = 'at-the-idp-7e1f'

    def __init__(self, folder):
        self.idp = PhpIdp(folder, servers.free_port())
        self.add_service = self.idp.add_service

    def add_user(self, user):
        name = f"php-{user['username'][-6:]}"
        self.idp.add_user(name, SECRETS.password(self.PASSWORD), user['username'])
        return name

    def fill(self, page, name):
        page.find_element(By.NAME, 'username').send_keys(name)
        page.find_element(By.NAME, 'password').send_keys(self.PASSWORD)
        page.find_element(By.CSS_SELECTOR, '[type=submit]').click()
