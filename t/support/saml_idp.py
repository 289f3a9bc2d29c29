"""An identity provider for tests, by pysaml2: it believes whoever the browser's cookie `user` says, and asks for a name
when there is none.

    idp = SamlIdp(folder, port); idp.add_service(entity_id, acs_url, sls_url, certificate); ... idp.close()

idp.metadata is what a tenant uploads. A login is answered by a page whose form the browser posts; `attribute` says in
which of the two forms the user's name is asserted. What came in is in idp.requests, as pysaml2 parsed it.
"""
import base64
import html
import re
import subprocess
import threading
import uuid
import zlib
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID
from saml2.samlp import logout_response_from_string
from saml2.server import Server
from saml2.sigver import verify_redirect_signature
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

UNSPECIFIED = 'urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified'
BASIC = 'urn:oasis:names:tc:SAML:2.0:attrname-format:basic'
# What pysaml2 calls "name", as Entra ID and ADFS, and as others write it.
NAMES = {
    UNSPECIFIED: 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name',
    BASIC: 'urn:mace:dir:attribute-def:name',
}
PASSWORD = 'urn:oasis:names:tc:SAML:2.0:ac:classes:Password'


def make_key(folder, name):
    """(key file, certificate file), new ones."""
    key, certificate = folder / f'{name}.key', folder / f'{name}.crt'
    subprocess.run(
        [
            'openssl',
            'req',
            '-x509',
            '-newkey',
            'rsa:2048',
            '-nodes',
            '-keyout',
            key,
            '-out',
            certificate,
            '-days',
            '2',
            '-subj',
            f'/CN={name}',
        ],
        check=True,
        capture_output=True,
    )
    return key, certificate


def configure(api, method, token, tenant, **fields):
    """The answer to a tenant's configuration of SAML; `metadata` goes as a file."""
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{"; filename=idp.xml" if name == "metadata" else ""}'
        f'\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return api.request(
        method,
        '/backends/saml',
        token,
        data=(''.join(parts) + f'--{boundary}--\r\n').encode(),
        headers={'Content-Type': f'multipart/form-data; boundary={boundary}', 'Wazo-Tenant': tenant},
    )


class SamlIdp:
    def __init__(self, folder, port, name='idp'):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.url = f'http://127.0.0.1:{port}'
        self.entity_id = f'{self.url}/metadata'
        self.attribute = UNSPECIFIED
        self.minutes = 5  # that a response is good for
        self.signs_logouts = False  # its answers to them
        self.requests = []
        self.logged_out = []
        self.answers = []  # to its own logouts, parsed; their signatures are good
        self.logout_bindings = [BINDING_HTTP_REDIRECT]  # of its metadata
        self._services = []
        self.new_key(name)
        maps = folder / 'maps'
        maps.mkdir(exist_ok=True)
        for number, (form, claim) in enumerate(NAMES.items()):
            names = {'identifier': form, 'fro': {claim: 'name'}, 'to': {'name': claim}}
            (maps / f'names_{number}.py').write_text(f'MAP = {names!r}\n')
        idp = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                idp._answer(self)

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(('127.0.0.1', port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def new_key(self, name):
        self.key, self.certificate = make_key(self.folder, name)

    @property
    def metadata(self):
        return str(entity_descriptor(self._config()))

    def add_service(self, entity_id, acs_url, sls_url, certificate):
        data = re.sub('-----.*?-----|\\s', '', certificate.read_text())
        self.add_metadata(
            f'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{html.escape(entity_id)}">'
            '<SPSSODescriptor AuthnRequestsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
            '<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>'
            f'{data}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>'
            f'<SingleLogoutService Binding="{BINDING_HTTP_REDIRECT}" Location="{sls_url}"/>'
            f'<AssertionConsumerService index="0" Binding="{BINDING_HTTP_POST}" Location="{acs_url}"/>'
            '</SPSSODescriptor></EntityDescriptor>'
        )

    def add_metadata(self, metadata):
        path = self.folder / f'service-{len(self._services)}.xml'
        path.write_text(metadata)
        self._services.append(str(path))

    def _config(self):
        return IdPConfig().load(
            {
                'entityid': self.entity_id,
                'key_file': str(self.key),
                'cert_file': str(self.certificate),
                'metadata': {'local': self._services} if self._services else {},
                'attribute_map_dir': str(self.folder / 'maps'),
                'service': {
                    'idp': {
                        'endpoints': {
                            'single_sign_on_service': [(f'{self.url}/sso', BINDING_HTTP_REDIRECT)],
                            'single_logout_service': [(f'{self.url}/slo', each) for each in self.logout_bindings],
                        },
                        'policy': {
                            'default': {
                                'lifetime': {'minutes': self.minutes},
                                'name_form': self.attribute,
                                'attribute_restrictions': None,
                            }
                        },
                    }
                },
            }
        )

    def response(self, user, request_id, acs_url, entity_id, **options):
        """A signed response as text; `options` are pysaml2's."""
        settings = {
            'identity': {'name': [user]},
            'in_response_to': request_id,
            'destination': acs_url,
            'sp_entity_id': entity_id,
            'name_id': NameID(format=NAMEID_FORMAT_PERSISTENT, sp_name_qualifier=entity_id, text=f'id-of-{user}'),
            'authn': {'class_ref': PASSWORD, 'authn_auth': self.entity_id},
            'sign_response': True,
            'sign_alg': SIG_RSA_SHA256,
            'digest_alg': DIGEST_SHA256,
        }
        return str(Server(config=self._config()).create_authn_response(**{**settings, **options}))

    def logout_request(self, sls_url, entity_id, name, sessions=(), change=lambda request: None, sign=False):
        """A logout that this identity provider begins: pysaml2's object, or its signed text. `change` comes first."""
        server = Server(config=self._config())
        name_id = NameID(format=NAMEID_FORMAT_PERSISTENT, sp_name_qualifier=entity_id, text=name)
        _, request = server.create_logout_request(
            sls_url, entity_id, name_id=name_id, session_indexes=list(sessions), sign=False
        )
        change(request)
        return server.sign(request, sign_alg=SIG_RSA_SHA256, digest_alg=DIGEST_SHA256) if sign else request

    def redirected(self, xml, url, relay_state='', sign=True):
        """The address by which a browser takes a request there."""
        server = Server(config=self._config())
        sent = server.apply_binding(
            BINDING_HTTP_REDIRECT, str(xml), url, relay_state, response=False, sign=sign, sigalg=SIG_RSA_SHA256
        )
        return dict(sent['headers'])['Location']

    def encrypted_for(self, certificate, xml, element, cipher='aes256-cbc', wrap='rsa-oaep-mgf1p'):
        """`xml` in an EncryptedAssertion or EncryptedID, by xmlsec1."""
        space = 'http://www.w3.org/2009/xmlenc11#' if cipher.endswith('gcm') else 'http://www.w3.org/2001/04/xmlenc#'
        template, data = self.folder / 'template.xml', self.folder / 'data.xml'
        template.write_text(
            '<x:EncryptedData xmlns:x="http://www.w3.org/2001/04/xmlenc#" '
            'Type="http://www.w3.org/2001/04/xmlenc#Element">'
            f'<x:EncryptionMethod Algorithm="{space}{cipher}"/>'
            '<d:KeyInfo xmlns:d="http://www.w3.org/2000/09/xmldsig#"><x:EncryptedKey>'
            f'<x:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#{wrap}"/>'
            '<x:CipherData><x:CipherValue/></x:CipherData></x:EncryptedKey></d:KeyInfo>'
            '<x:CipherData><x:CipherValue/></x:CipherData></x:EncryptedData>'
        )
        data.write_text(xml)
        bits = '192' if cipher.startswith('tripledes') else cipher[3:6]
        made = subprocess.run(
            ['xmlsec1', '--encrypt', '--pubkey-cert-pem', certificate, '--session-key']
            + [f"{'des' if cipher.startswith('tripledes') else 'aes'}-{bits}", '--xml-data', data, template],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        content = re.sub(r'^<\?xml[^>]*>\s*', '', made)
        return f'<a:{element} xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion">{content}</a:{element}>'

    def signed(self, xml, name):
        """A text whose signature is empty so far, signed."""
        node = re.search(r'ID="([^"]+)"', xml)[1]
        return Server(config=self._config()).sec.sign_statement(xml, name, key_file=str(self.key), node_id=node)

    def refusal(self, code, text, request_id, acs_url):
        """A signed response that lets nobody in."""
        server = Server(config=self._config())
        return str(server.create_error_response(request_id, acs_url, (code, text), sign=True, sign_alg=SIG_RSA_SHA256))

    def _answer(self, handler):
        url = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        cookies = SimpleCookie(handler.headers.get('Cookie', ''))
        user = cookies['user'].value.strip('"') if 'user' in cookies else ''
        server = Server(config=self._config())
        if url.path == '/sso':
            user = query.pop('user', user)
            status, headers, body = self._log_in(server, query, user) if user else self._ask_for_name(query)
        elif url.path == '/slo' and 'SAMLResponse' in query:
            self._take_answer(server, query)
            status, headers, body = 200, {'Content-Type': 'text/html'}, 'logged out'
        elif url.path == '/slo':
            status, headers, body = self._log_out(server, query)
        else:
            status, headers, body = 404, {}, ''
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header('Content-Length', str(len(body.encode())))
        handler.end_headers()
        handler.wfile.write(body.encode())

    @staticmethod
    def _check_signature(server, query, request):
        [certificate] = server.metadata.certs(request.issuer.text, 'any', 'signing')
        if isinstance(certificate, tuple):  # since pysaml2 7.2: with the key's name
            certificate = certificate[1]
        assert verify_redirect_signature(query, server.sec.sec_backend, certificate)

    @staticmethod
    def _ask_for_name(query):
        hidden = ''.join(
            f'<input type=hidden name="{name}" value="{html.escape(value)}">' for name, value in query.items()
        )
        return (
            200,
            {'Content-Type': 'text/html'},
            f'<form action=/sso>{hidden}<input name=user><button>Log in</button></form>',
        )

    def _log_in(self, server, query, user):
        request = server.parse_authn_request(query['SAMLRequest'], BINDING_HTTP_REDIRECT).message
        self._check_signature(server, query, request)
        self.requests.append(request)
        xml = self.response(user, request.id, request.assertion_consumer_service_url, request.issuer.text)
        form = server.apply_binding(
            BINDING_HTTP_POST, xml, request.assertion_consumer_service_url, query['RelayState'], response=True
        )
        return 200, {'Content-Type': 'text/html', 'Set-Cookie': f'user={user}; HttpOnly'}, ''.join(form['data'])

    def _take_answer(self, server, query):
        answer = logout_response_from_string(zlib.decompress(base64.b64decode(query['SAMLResponse']), -15))
        self._check_signature(server, query, answer)
        self.answers.append(answer)

    def posted_answer(self, message):
        """One that came in a form, as pysaml2 parsed it."""
        server = Server(config=self._config())
        xml = base64.b64decode(message).decode()
        answer = server.sec.correctly_signed_logout_response(xml, must=True)
        assert answer.signature
        return answer

    def _log_out(self, server, query):
        request = server.parse_logout_request(query['SAMLRequest'], BINDING_HTTP_REDIRECT).message
        self._check_signature(server, query, request)
        self.requests.append(request)
        self.logged_out.append(request.name_id.text)
        answer = server.create_logout_response(request, [BINDING_HTTP_REDIRECT])
        binding = server.response_args(request, [BINDING_HTTP_REDIRECT])
        sent = server.apply_binding(
            BINDING_HTTP_REDIRECT,
            str(answer),
            binding['destination'],
            query['RelayState'],
            response=True,
            sign=self.signs_logouts,
            sigalg=SIG_RSA_SHA256,
        )
        return 302, {'Location': dict(sent['headers'])['Location'], 'Set-Cookie': 'user=; Max-Age=0'}, ''
