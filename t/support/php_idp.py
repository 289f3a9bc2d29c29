"""A second identity provider for tests, nobody's invention here: Debian's simplesamlphp, with its own form for logins.

    idp = PhpIdp(folder, port); idp.add_service(metadata_of_the_service); idp.add_user(name, password, asserted)

idp.metadata is what a tenant uploads. It verifies whatever is sent to it, and signs whatever it sends.
"""
import json
import os
import re
import subprocess
import time

import pytest
import requests

from support.saml_idp import make_key

INSTALLED = '/usr/share/simplesamlphp'
RELEASE_HAS_IT = 'VERSION_ID="12"' in open('/etc/os-release').read()

CONFIG = """<?php
$config = [
    'baseurlpath' => '@URL@/', 'certdir' => '@FOLDER@/', 'loggingdir' => '@FOLDER@/', 'datadir' => '@FOLDER@/',
    'tempdir' => '@FOLDER@/tmp', 'metadatadir' => '@FOLDER@/', 'attributenamemapdir' => '/etc/simplesamlphp/attributemap/',
    'secretsalt' => 'only-for-tests', 'auth.adminpassword' => bin2hex(random_bytes(16)), 'timezone' => 'UTC',
    'admin.checkforupdates' => false, 'showerrors' => true, 'errorreporting' => false,
    'logging.level' => SimpleSAML\\Logger::INFO, 'logging.handler' => 'file', 'logging.logfile' => 'simplesamlphp.log',
    'enable.saml20-idp' => true, 'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
    'store.type' => 'phpsession', 'session.phpsession.savepath' => '@FOLDER@/tmp', 'session.cookie.secure' => false,
    'session.cookie.samesite' => null, 'language.default' => 'en',
    'metadata.sources' => [['type' => 'flatfile'], ['type' => 'xml', 'file' => '@FOLDER@/services.xml']],
];
"""
USERS = """<?php
$config = ['users' => ['exampleauth:UserPass'] + json_decode(file_get_contents('@FOLDER@/users.json'), true)];
"""
HOSTED = """<?php
$metadata['@URL@/metadata'] = [
    'host' => '__DEFAULT__', 'privatekey' => '@KEY@', 'certificate' => '@CERTIFICATE@', 'auth' => 'users',
    'attributes.NameFormat' => 'urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified',
    'authproc' => [10 => ['class' => 'core:AttributeMap', 'name2claim']],
    'validate.authnrequest' => true, 'validate.logout' => true, 'sign.logout' => true,
    'assertion.encryption' => @ENCRYPTS@, 'nameid.encryption' => @ENCRYPTS@,
    'SingleLogoutServiceBinding' => ['urn:oasis:names:tc:SAML:2.0:bindings:HTTP-@LOGOUTS_BY@'],
];
"""


class PhpIdp:
    def __init__(self, folder, port):
        if not RELEASE_HAS_IT:
            pytest.skip('simplesamlphp is no package of this Debian')
        (folder / 'tmp').mkdir(parents=True)
        self.folder = folder
        self.url = f'http://127.0.0.1:{port}'
        self.front_page = f'{self.url}/module.php/core/frontpage_welcome.php'
        self._services = []
        self._users = {}
        self._logouts_by = 'Redirect'
        self._encrypts = 'false'
        self._write('config.php', CONFIG)
        self._write('authsources.php', USERS)
        self._write_services()
        self._write_users()
        self.new_key('first')
        environment = {**os.environ, 'SIMPLESAMLPHP_CONFIG_DIR': str(folder), 'PHP_CLI_SERVER_WORKERS': '2'}
        # No cache of scripts: what is written here works at once.
        self._server = subprocess.Popen(
            ['php', '-d', 'opcache.enable=0', '-S', f'127.0.0.1:{port}', '-t', f'{INSTALLED}/www'],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=open(folder / 'php.log', 'w'),
            start_new_session=True,
        )
        self._wait()

    def _wait(self):
        limit = time.monotonic() + 20
        while True:
            try:
                return requests.get(f'{self.url}/saml2/idp/metadata.php', timeout=10).raise_for_status()
            except requests.ConnectionError:
                assert self._server.poll() is None and time.monotonic() < limit, (self.folder / 'php.log').read_text()
                time.sleep(0.05)

    def close(self):
        os.killpg(self._server.pid, 15)  # its workers, too
        self._server.wait(10)

    def _write(self, name, text, **values):
        for key, value in {'URL': self.url, 'FOLDER': self.folder, **values}.items():
            text = text.replace(f'@{key}@', str(value))
        new = self.folder / f'{name}.new'
        new.write_text(text)
        new.rename(self.folder / name)

    def _write_services(self):
        self._write(
            'services.xml',
            '<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">'
            + ''.join(self._of_one_binding(each) for each in self._services)
            + '</EntitiesDescriptor>',
        )

    def _of_one_binding(self, metadata):
        return re.sub(
            '<SingleLogoutService [^>]*>',
            lambda found: found[0] if f'HTTP-{self._logouts_by}"' in found[0] else '',
            metadata,
        )

    def _write_users(self):
        self._write(
            'users.json',
            json.dumps(
                {f'{name}:{password}': {'uid': [asserted]} for name, (password, asserted) in self._users.items()}
            ),
        )

    def new_key(self, name):
        self._key, self._certificate = make_key(self.folder, name)
        self._write_hosted()

    def _write_hosted(self):
        self._write(
            'saml20-idp-hosted.php',
            HOSTED,
            KEY=self._key.name,
            CERTIFICATE=self._certificate.name,
            ENCRYPTS=self._encrypts,
            LOGOUTS_BY=self._logouts_by,
        )

    def encrypt(self, whether):
        """Assertions, and the names in them and in logouts."""
        self._encrypts = 'true' if whether else 'false'
        self._write_hosted()

    def log_out_by(self, binding):
        """'Redirect' or 'POST': its own requests, and the answers that it takes. Its metadata changes."""
        self._logouts_by = binding
        self._write_hosted()
        self._write_services()

    @property
    def metadata(self):
        answer = requests.get(f'{self.url}/saml2/idp/metadata.php', timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.text

    def add_service(self, metadata):
        self._services.append(metadata)
        self._write_services()

    def logout_url(self):
        """Where people go who have had enough: out of everything, and then to `front_page`."""
        return f'{self.url}/saml2/idp/initSLO.php?RelayState={self.front_page}'

    def add_user(self, name, password, asserted):
        self._users[name] = (password, asserted)
        self._write_users()
