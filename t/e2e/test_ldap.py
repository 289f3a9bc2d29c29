"""The directory of a tenant and logins with it, over real slapd servers: docs/spec/federation.md sections 1 and 3."""
import itertools
import re
import socket
import statistics
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest

from support import servers
from support.checks import UNKNOWN, elsewhere, error, reason, within
from support.directory import ENTRIES, PASSWORD, PEOPLE, SERVICE, SERVICE_PASSWORD, SUFFIX, person
from support.peer import Peer
from support.stack import GATED

KEYS = [
    'tenant_uuid',
    'host',
    'port',
    'protocol_version',
    'protocol_security',
    'bind_dn',
    'user_base_dn',
    'user_login_attribute',
    'user_email_attribute',
    'search_filters',
]

ELSEWHERE = f"""
dn: ou=elsewhere,{SUFFIX}
objectClass: organizationalUnit
ou: elsewhere

dn: ou=away,ou=elsewhere,{SUFFIX}
objectClass: referral
objectClass: extensibleObject
ou: away
ref: ldap://127.0.0.1:@REFERRED@/ou=away,{SUFFIX}
"""
PEOPLE_THERE = [
    # uid as it stands in a name, uid, more attributes
    ('alice', 'alice', 'cn: Alice\nmail: Alice@Example.com\nmail: other@example.com\nemployeeType: staff'),
    ('bob', 'bob', 'cn: Twin\nmail: bob@example.com'),
    ('carol', 'carol', 'cn: Twin\nmail: carol@example.com'),
    (r'dan\2c ou\3dpeople', 'dan, ou=people', 'cn: Dan\nmail: dan@example.com'),
    ('st*r', 'st*r', 'cn: Star\nmail: star@example.com'),
    ('nomail', 'nomail', 'cn: Nobody'),
    ('blind', 'blind', 'cn: Blind\nmail: blind@example.com'),
    ('stranger', 'stranger', 'cn: Stranger\nmail: stranger@example.com'),
    ('foreign', 'foreign', 'cn: Foreign\nmail: foreign@example.com'),
    ('native', 'native', 'cn: Native\nmail: native@example.com'),
    ('disabled', 'disabled', 'cn: Disabled\nmail: disabled@example.com'),
    ('unconfirmed', 'unconfirmed', 'cn: Unconfirmed\nmail: unconfirmed@example.com'),
    ('named', 'named', 'cn: Named\nmail: Named-In-Directory'),
]
ACCESS = f"""\
access to dn.exact="uid=blind,{PEOPLE}"
  by anonymous auth
  by * none
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""


def reference(number):
    return f"""
dn: ou=forest{number},{SUFFIX}
objectClass: referral
objectClass: extensibleObject
ou: forest{number}
ref: ldap://127.0.0.1:@REFERRED@/ou=forest{number},{SUFFIX}
"""


def assert_refused(answer):
    assert reason(answer, 401) == 'Authentication Failed'


def timed(work):
    start = time.monotonic()
    return work(), time.monotonic() - start


def relay(target, delay):
    """Bytes of each side go to the other one; an answer of `target`, in however many pieces, `delay` seconds after the question."""

    def serve(connection):
        asked = time.monotonic()

        def answer(upstream):
            try:
                while data := upstream.recv(65536):
                    time.sleep(max(0, asked + delay - time.monotonic()))
                    connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # who waited has left

        with socket.create_connection(('127.0.0.1', target)) as upstream:
            back = threading.Thread(target=answer, args=(upstream,), daemon=True)
            back.start()
            try:
                while data := connection.recv(65536):
                    asked = time.monotonic()
                    upstream.sendall(data)
                upstream.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            back.join()

    return serve


@pytest.fixture(scope='module')
def referred():
    peer = Peer(lambda connection: None)
    yield peer
    peer.close()


@pytest.fixture(scope='module')
def slapd(stack, authority, referred):
    """new(name, certificate, more) → a server with the same entries; `more` of its configuration."""
    made = []
    entries = ''.join([ENTRIES, ELSEWHERE, *(person(*each) for each in PEOPLE_THERE), *map(reference, range(20))])
    entries = entries.replace('@REFERRED@', str(referred.port))

    def new(name, certificate=None, more=''):
        server = servers.Slapd(
            stack.folder / f'slapd-{name}',
            servers.free_port(),
            entries,
            servers.free_port() if certificate else None,
            certificate,
            ACCESS + more,
        )
        made.append(server)
        return server.start()

    yield new
    for server in made:
        server.stop()


@pytest.fixture(scope='module')
def directory(slapd, authority):
    return slapd('main', authority.certificate('IP:127.0.0.1,DNS:directory.test'))


LDAP = {'network_timeout': 1, 'operation_timeout': 1, 'login_timeout': 2, 'logins_per_directory': 4}


@pytest.fixture(scope='module')
def site(authority, new_nginx):
    return new_nginx('ldap', GATED, workers=1, settings={'ldap': {**LDAP, 'ca_file': str(authority.file)}})


@pytest.fixture(scope='module')
def lines(site):
    """lines(pattern) → lines of this nginx's error log since the call of `lines.mark()`."""

    class Lines:
        start = 0

        def mark(self):
            self.start = site.error_log.stat().st_size

        def __call__(self, pattern):
            with open(site.error_log, 'rb') as log:
                log.seek(self.start)
                return [line for line in log.read().decode(errors='replace').splitlines() if re.search(pattern, line)]

    made = Lines()
    made.mark()
    return made


@pytest.fixture(scope='module')
def make_tenant(api, admin_token):
    def make(**fields):
        domain = f'{uuid.uuid4().hex[:12]}.example.com'
        answer = api.post('/tenants', admin_token, json={'domain_names': [domain], **fields})
        assert answer.status_code == 200, answer.text
        return answer.json() | {'domain': domain, 'headers': {'Wazo-Tenant': answer.json()['uuid']}}

    return make


@pytest.fixture(scope='module')
def configure(api, admin_token, directory):
    """The directory of a tenant; `changes` replace members."""

    def put(tenant, **changes):
        body = {
            'host': '127.0.0.1',
            'port': directory.port,
            'protocol_version': 3,
            'protocol_security': None,
            'bind_dn': None,
            'bind_password': None,
            'user_base_dn': PEOPLE,
            'user_login_attribute': 'uid',
            'user_email_attribute': 'mail',
            'search_filters': None,
            **changes,
        }
        answer = api.put('/backends/ldap', admin_token, json=body, headers=tenant['headers'])
        assert answer.status_code == 200, answer.text
        return answer.json()

    return put


@pytest.fixture(scope='module')
def tenant(make_tenant, make_user, api, admin_token):
    made = make_tenant()
    names = ('alice', 'bob', 'carol', 'dan', 'star', 'blind', 'disabled', 'native')
    made['users'] = {
        name: make_user(
            email_address=f'{name}@example.com',
            headers=made['headers'],
            authentication_method='native' if name == 'native' else 'ldap',
            enabled=name != 'disabled',
        )
        for name in names
    }
    made['users']['named'] = make_user(
        username='named-in-DIRECTORY', headers=made['headers'], authentication_method='ldap'
    )
    unconfirmed = make_user(headers=made['headers'], authentication_method='ldap')
    answer = api.put(
        f"/users/{unconfirmed['uuid']}/emails",
        admin_token,
        headers=made['headers'],
        json={'emails': [{'address': 'unconfirmed@example.com', 'main': True}]},
    )
    assert answer.status_code == 200, answer.text
    made['users']['unconfirmed'] = unconfirmed
    return made


@pytest.fixture(scope='module')
def log_in(site, tenant):
    def post(login, password=PASSWORD, tenant=tenant, headers=None, client=site.api, **body):
        if 'tenant_id' not in body:
            body = {'domain_name': tenant['domain'], **body}
        return client.post(
            '/token', auth=(login.encode(), password.encode()), json=body, headers={**elsewhere(), **(headers or {})}
        )

    return post


BY_SEARCH = {'bind_dn': SERVICE, 'bind_password': SERVICE_PASSWORD}
BY_NAME = {}
BOTH = pytest.mark.parametrize('way', [BY_SEARCH, BY_NAME], ids=['search', 'name'])


# -- the configuration -------------------------------------------------------------------------------------------------


def test_there_is_none_at_first(api, admin_token, make_tenant):
    headers = make_tenant()['headers']
    answer = api.get('/backends/ldap', admin_token, headers=headers)
    assert (answer.status_code, answer.json()) == (200, dict.fromkeys(KEYS))
    assert list(answer.json()) == KEYS
    assert api.delete('/backends/ldap', admin_token, headers=headers).status_code == 204


def test_it_is_set_shown_and_forgotten(api, admin_token, make_tenant):
    tenant = make_tenant()
    body = {
        'host': 'directory.test',
        'port': '1636',
        'protocol_version': 2,
        'protocol_security': 'ldaps',
        'bind_dn': 'cn=x',
        'bind_password': SERVICE_PASSWORD,
        'user_base_dn': 'ou=é',
        'user_login_attribute': 'uid',
        'user_email_attribute': '',
        'search_filters': '(&(x=y)({user_login_attribute}={username}))',
        'other': 1,
    }
    answer = api.put('/backends/ldap', admin_token, json=body, headers=tenant['headers'])
    shown = {key: body.get(key) for key in KEYS} | {'tenant_uuid': tenant['uuid'], 'port': 1636}
    assert (answer.status_code, answer.json()) == (200, shown)
    assert list(answer.json()) == KEYS
    assert api.get('/backends/ldap', admin_token, headers=tenant['headers']).json() == shown
    assert SERVICE_PASSWORD not in answer.text
    assert api.get('/backends/ldap', admin_token, headers=make_tenant()['headers']).json() == dict.fromkeys(KEYS)
    assert api.delete('/backends/ldap', admin_token, headers=tenant['headers']).status_code == 204
    assert api.get('/backends/ldap', admin_token, headers=tenant['headers']).json() == dict.fromkeys(KEYS)


def test_what_may_be_null_stays_when_it_is_left_out(api, admin_token, make_tenant, psql):
    tenant = make_tenant()
    put = lambda **body: api.put('/backends/ldap', admin_token, json=body, headers=tenant['headers'])  # noqa: E731
    needed = {'host': 'a', 'port': 1, 'user_base_dn': 'b', 'user_login_attribute': 'c', 'user_email_attribute': 'd'}
    kept = {'protocol_security': 'tls', 'bind_dn': 'cn=x', 'search_filters': 'x={username}'}
    assert put(**needed, **kept, bind_password=SERVICE_PASSWORD, protocol_version=2).status_code == 200
    stored = lambda: psql(  # noqa: E731
        f"SELECT bind_password FROM auth_ldap_config WHERE tenant_uuid = '{tenant['uuid']}'"
    )
    answer = put(**needed | {'user_base_dn': 'z'})
    assert answer.json() == {
        'tenant_uuid': tenant['uuid'],
        **needed,
        **kept,
        'user_base_dn': 'z',
        'protocol_version': 3,
    }
    assert stored() == SERVICE_PASSWORD
    answer = put(**needed, **dict.fromkeys([*kept, 'bind_password']))
    assert answer.json() == {'tenant_uuid': tenant['uuid'], **needed, **dict.fromkeys(kept), 'protocol_version': 3}
    assert stored() == ''


@pytest.mark.parametrize(
    'change', [{'host': 'z'}, {'port': 2}, {'protocol_security': None}, {'protocol_security': 'ldaps'}]
)
def test_the_password_goes_nowhere_else(api, admin_token, make_tenant, psql, change):
    """Who doesn't know it can't have it sent to a server of his own."""
    tenant = make_tenant()
    put = lambda **body: api.put('/backends/ldap', admin_token, json=body, headers=tenant['headers'])  # noqa: E731
    body = {
        'host': 'a',
        'port': 1,
        'user_base_dn': 'b',
        'user_login_attribute': 'c',
        'user_email_attribute': 'd',
        'protocol_security': 'tls',
        'bind_dn': 'cn=x',
    }
    before = put(**body, bind_password=SERVICE_PASSWORD).json()
    answer = put(**body | change)
    assert reason(answer, 400) == 'Invalid value supplied for field: bind_password'
    assert api.get('/backends/ldap', admin_token, headers=tenant['headers']).json() == before
    stored = lambda: psql(  # noqa: E731
        f"SELECT bind_password FROM auth_ldap_config WHERE tenant_uuid = '{tenant['uuid']}'"
    )
    assert put(**body | change, bind_password='another').status_code == 200 and stored() == 'another'
    body.pop('bind_dn')  # nobody wants to use it there
    answer = put(**body)
    assert answer.json() == before and stored() == ''
    body['bind_dn'] = 'cn=x'
    assert put(**body, bind_password=None).status_code == 200 and stored() == ''
    assert put(**body | change).status_code == 200


@pytest.mark.parametrize(
    'field, values',
    [
        ('host', (None, 7, 'x' * 513)),
        ('port', (None, True, 'x', 2**31, -(2**31) - 1, 2**63, [])),
        ('protocol_version', (None, 1, 4, 'x')),
        ('protocol_security', ('', 'TLS', 'ssl', 1)),
        ('bind_dn', ('x' * 257, 1)),
        ('bind_password', (1, [])),
        ('user_base_dn', (None, 'x' * 257)),
        ('user_login_attribute', (None, 'x' * 65)),
        ('user_email_attribute', (None, 'x' * 65)),
        ('search_filters', (1, {})),
    ],
)
def test_a_field_that_does_not_fit(api, admin_token, make_tenant, field, values):
    headers = make_tenant()['headers']
    good = {'host': 'a', 'port': 1, 'user_base_dn': 'b', 'user_login_attribute': 'c', 'user_email_attribute': 'd'}
    for value in values:
        answer = api.put('/backends/ldap', admin_token, json={**good, field: value}, headers=headers)
        assert reason(answer, 400) == f'Invalid value supplied for field: {field}', value
    if field in good:
        del good[field]
        answer = api.put('/backends/ldap', admin_token, json=good, headers=headers)
        assert reason(answer, 400) == f'Invalid value supplied for field: {field}'
    assert api.get('/backends/ldap', admin_token, headers=headers).json() == dict.fromkeys(KEYS)


def test_a_body_that_is_none(api, admin_token):
    assert reason(api.put('/backends/ldap', admin_token, json=[1]), 400) == 'Invalid value supplied for field: _schema'
    answer = api.put('/backends/ldap', admin_token, data='{')
    assert (answer.status_code, list(answer.json())) == (400, ['message'])
    error(
        api.put('/backends/ldap', admin_token, data='{', headers={'Wazo-Tenant': UNKNOWN}), 401, 'unauthorized-tenant'
    )


def test_each_tenant_sees_its_own(api, admin_token, make_tenant, make_user, make_token, configure):
    own, other = make_tenant(), make_tenant()
    configure(own)
    configure(other)
    user = make_user(acl=['auth.backends.ldap.#'], headers=own['headers'])
    token = make_token(user)['token']
    assert api.get('/backends/ldap', token).json()['tenant_uuid'] == own['uuid']
    for method in (api.get, api.put, api.delete):
        error(method('/backends/ldap', token, headers=other['headers']), 401, 'unauthorized-tenant')
    assert api.delete('/backends/ldap', token).status_code == 204
    assert api.get('/backends/ldap', admin_token, headers=other['headers']).json()['tenant_uuid'] == other['uuid']


def test_it_goes_with_its_tenant(api, admin_token, make_tenant, configure, psql):
    tenant = make_tenant()
    configure(tenant)
    assert api.delete(f"/tenants/{tenant['uuid']}", admin_token).status_code == 204
    assert psql(f"SELECT count(*) FROM auth_ldap_config WHERE tenant_uuid = '{tenant['uuid']}'") == '0'


# -- logins ------------------------------------------------------------------------------------------------------------


@BOTH
def test_a_login(log_in, tenant, configure, way):
    configure(tenant, **way)
    answer = log_in('alice')
    assert answer.status_code == 200, answer.text
    data = answer.json()['data']
    assert data['metadata']['uuid'] == tenant['users']['alice']['uuid']
    assert data['metadata']['username'] == 'alice@example.com'
    assert data['metadata']['tenant_uuid'] == tenant['uuid']
    assert_refused(log_in('alice', PASSWORD + 'x'))
    assert_refused(log_in('nobody'))


@BOTH
def test_the_tenant_may_be_named_by_uuid_or_slug(log_in, tenant, configure, way):
    configure(tenant, **way)
    for name in (tenant['uuid'], tenant['slug']):
        assert log_in('bob', tenant_id=name).status_code == 200
    assert error(log_in('bob', tenant_id='nope'), 404, 'unknown-tenant')['details'] == {'uuid': 'nope'}
    error(log_in('bob', tenant_id=''), 404, 'unknown-tenant')


def test_a_domain_that_no_tenant_has(log_in, tenant, configure, make_tenant):
    configure(tenant)
    for domain in ('', 'nope', tenant['domain'].upper(), tenant['domain'] + ' '):
        assert_refused(log_in('bob', domain_name=domain))
    assert_refused(log_in('bob', tenant=make_tenant()))


@BOTH
@pytest.mark.parametrize('version', [2, 3])
def test_both_versions_of_the_protocol(log_in, tenant, configure, way, version):
    configure(tenant, protocol_version=version, **way)
    assert log_in('alice').status_code == 200
    assert_refused(log_in('alice', 'wrong'))


@BOTH
def test_an_empty_password_reaches_no_directory(log_in, site, tenant, configure, directory, way):
    configure(tenant, **way)
    before = directory.log.stat().st_size
    assert_refused(log_in('alice', ''))
    assert log_in('bob').status_code == 200
    with open(directory.log, 'rb') as log:
        log.seek(before)
        said = log.read().decode()
    assert 'uid=bob' in said
    assert 'alice' not in said
    assert 'BIND dn="" method' not in said


def test_half_a_service_account_is_none(log_in, tenant, configure, directory):
    for half in ({'bind_dn': SERVICE, 'bind_password': ''}, {'bind_dn': '', 'bind_password': SERVICE_PASSWORD}):
        configure(tenant, **half)
        before = directory.log.stat().st_size
        assert log_in('alice').status_code == 200
        with open(directory.log, 'rb') as log:
            log.seek(before)
            assert 'cn=service' not in log.read().decode()


def test_a_service_account_that_is_not_taken(log_in, tenant, configure, lines):
    configure(tenant, bind_dn=SERVICE, bind_password='wrong')
    lines.mark()
    assert_refused(log_in('alice'))
    assert len(lines('Failed login')) == 1


@pytest.mark.parametrize(
    'login',
    [
        '*',
        '*)(uid=*',
        'a*',
        'alice)(|(uid=*',
        '(alice',
        'alice\\',
        'al\\69ce',
        'alice\0',
        'ali*',
        '\\2a',
        'x' * 3000,
        '',
    ],
)
def test_a_login_is_no_filter(log_in, tenant, configure, login):
    configure(tenant, **BY_SEARCH)
    assert_refused(log_in(login))


@BOTH
@pytest.mark.parametrize('login, name', [('st*r', 'star'), ('dan, ou=people', 'dan')])
def test_special_characters_are_themselves(log_in, tenant, configure, way, login, name):
    configure(tenant, **way)
    answer = log_in(login)
    assert answer.status_code == 200, answer.text
    assert answer.json()['data']['metadata']['uuid'] == tenant['users'][name]['uuid']


@pytest.mark.parametrize(
    'login',
    [
        'alice,ou=people',
        f'alice,{PEOPLE}',
        'alice+cn=Alice',
        'alice,',
        'alice\0',
        '#616c696365',
        ' alice',
        'alice ',
        'x,uid=alice',
        'nope',
    ],
)
def test_a_login_is_no_name(log_in, tenant, configure, login, directory):
    configure(tenant, user_base_dn=SUFFIX if 'ou=' in login else PEOPLE)
    answer = log_in(login)
    if login.strip() == 'alice' and '\0' not in login:
        # The directory ignores blanks around, escaped or not.
        assert answer.status_code in (200, 401)
    else:
        assert_refused(answer)


def test_filters(log_in, tenant, configure, lines):
    def with_filter(text, login='alice'):
        configure(tenant, **BY_SEARCH, search_filters=text)
        return log_in(login)

    for text in (
        '',
        'uid={username}',
        '(uid={username})',
        '(&(employeeType=staff)({user_login_attribute}={username}))',
        '(|(uid={username})({user_email_attribute}={username}))',
        '(&(uid={username})(!(cn={{x}})))',
    ):
        assert with_filter(text).status_code == 200, text
    assert with_filter('({user_email_attribute}={username})', 'alice@EXAMPLE.com').status_code == 200
    for text in ('(&(employeeType=boss)(uid={username}))', '((', '(uid={username}', 'uid', '(cn=Twin)'):
        assert_refused(with_filter(text))
    for text in (
        '{other}',
        '{',
        '}',
        '{username',
        '{}',
        '{0}',
        '{username!r}',
        '{username:>9}',
        '{username.__class__}',
        'uid={username}}',
        '{{username}',
    ):
        lines.mark()
        assert_refused(with_filter(text))
        assert len(lines('search_filters')) == 1, text


def test_several_with_one_login_are_nobody(log_in, tenant, configure):
    configure(tenant, **BY_SEARCH, user_login_attribute='cn')
    assert_refused(log_in('Twin'))
    assert log_in('Alice').status_code == 200


def test_referrals_are_not_followed(log_in, tenant, configure, referred):
    for base in (f'ou=elsewhere,{SUFFIX}', f'ou=away,ou=elsewhere,{SUFFIX}'):
        configure(tenant, **BY_SEARCH, user_base_dn=base)
        assert_refused(log_in('alice'))
        configure(tenant, user_base_dn=base)
        assert_refused(log_in('alice'))
    assert referred.clients == 0


def test_references_beside_the_entry(log_in, tenant, configure, referred):
    """From the top of the tree: one comes before alice's entry, twenty come after it."""
    configure(tenant, **BY_SEARCH, user_base_dn=SUFFIX)
    assert log_in('alice').status_code == 200
    assert_refused(log_in('nope'))
    configure(tenant, **BY_SEARCH, user_base_dn=SUFFIX, user_login_attribute='cn')
    assert_refused(log_in('Twin'))  # there are still two of that name
    assert referred.clients == 0


@BOTH
def test_who_has_no_address(log_in, tenant, configure, way):
    configure(tenant, **way)
    assert_refused(log_in('nomail'))
    for unknown in ('nope', '', '1.1'):
        configure(tenant, **way, user_email_attribute=unknown)
        assert_refused(log_in('alice'))


@BOTH
@pytest.mark.parametrize('name', ['MAIL', 'Mail', 'rfc822Mailbox', '0.9.2342.19200300.100.1.3'])
def test_other_names_of_an_attribute(log_in, tenant, configure, way, name):
    configure(tenant, **way, user_email_attribute=name, user_login_attribute='UID')
    assert log_in('alice').status_code == 200


def answering(code, text):
    """A directory that answers every request with a BindResponse."""

    def element(tag, content):
        assert len(content) < 65536
        return bytes([tag, 0x82]) + len(content).to_bytes(2, 'big') + content

    result = element(0x0A, bytes([code])) + element(0x04, b'') + element(0x04, text)

    def serve(connection):
        while request := connection.recv(65536):
            number = request[request.index(b'\x02\x01') + 2]
            connection.sendall(element(0x30, element(0x02, bytes([number])) + element(0x61, result)))

    return Peer(serve)


def active_directory(data):
    return f'80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data {data}, v4563\0'.encode()


@pytest.mark.parametrize(
    'code, text, told',
    [
        (49, active_directory('775'), 'the directory says: the account is locked (data 775)'),
        (49, active_directory('532'), 'the directory says: the password has expired (data 532)'),
        (49, active_directory('773'), 'the directory says: the password must be changed first (data 773)'),
        (49, active_directory('533'), 'the directory says: the account is disabled (data 533)'),
        (49, active_directory('52e'), 'the directory says: wrong password (data 52e)'),
        (49, b'', 'the directory says: wrong password'),
        pytest.param(49, f'{PASSWORD} is wrong'.encode(), 'the directory says: wrong password', id='the password'),
        (19, b'Exceed password retry limit.\nPlease try later.', 'Constraint violation: Exceed password retry limit. '),
        (53, b'Account inactivated.', 'Server is unwilling to perform: Account inactivated.'),
        (8, b'00002028: LdapErr: integrity checking', 'set protocol_security to ldaps or tls'),
        (51, b'too busy', 'Server is busy: too busy'),
        (52, b'shutting down', 'Server is unavailable: shutting down'),
    ],
)
def test_why_a_directory_says_no(log_in, tenant, configure, lines, code, text, told):
    peer = answering(code, text)
    configure(tenant, port=peer.port)
    lines.mark()
    assert_refused(log_in('alice'))
    peer.close()
    [line] = lines('Failed login')
    assert told in line


def test_a_directory_that_wants_tls(log_in, tenant, configure, slapd, authority, lines):
    server = slapd('strict', authority.certificate('IP:127.0.0.1'), 'security simple_bind=64\n')
    configure(tenant, port=server.port)
    lines.mark()
    assert_refused(log_in('alice'))
    [line] = lines('Failed login')
    assert 'onfidentiality required' in line and 'set protocol_security to ldaps or tls' in line
    configure(tenant, port=server.port, protocol_security='tls')
    assert log_in('alice').status_code == 200


@BOTH
def test_an_entry_that_its_owner_cannot_see(log_in, tenant, configure, way):
    configure(tenant, **way)
    assert_refused(log_in('blind'))


@BOTH
@pytest.mark.parametrize('name', ['stranger', 'disabled', 'unconfirmed', 'native'])
def test_who_the_directory_knows_and_this_tenant_does_not(log_in, tenant, configure, way, name):
    configure(tenant, **way)
    assert_refused(log_in(name))


@BOTH
def test_a_username_will_do(log_in, tenant, configure, way):
    configure(tenant, **way)
    data = log_in('named').json()['data']
    assert data['metadata']['uuid'] == tenant['users']['named']['uuid']
    assert data['metadata']['username'] == 'named-in-directory'


@BOTH
def test_a_directory_speaks_for_its_own_tenant_only(
    log_in, tenant, configure, make_tenant, make_user, api, admin_token, way
):
    other = make_tenant()
    address = 'foreign@example.com'
    users = api.get('/users', admin_token, params={'search': address, 'recurse': True}).json()['items']
    victim = (
        users[0] if users else make_user(email_address=address, headers=other['headers'], authentication_method='ldap')
    )
    configure(tenant, **way)
    assert_refused(log_in('foreign'))
    # Neither with a user of its own who claims that address.
    claimant = make_user(headers=tenant['headers'], authentication_method='ldap')
    answer = api.put(
        f"/users/{claimant['uuid']}/emails",
        admin_token,
        headers=tenant['headers'],
        json={'emails': [{'address': 'FOREIGN@example.com', 'main': True}]},
    )
    if answer.status_code == 200:
        assert_refused(log_in('foreign'))
    # The victim's own directory is another matter.
    owner = {'headers': {'Wazo-Tenant': victim['tenant_uuid']}, 'uuid': victim['tenant_uuid']}
    configure(owner, **way)
    data = log_in('foreign', tenant_id=victim['tenant_uuid']).json()['data']
    assert data['metadata']['uuid'] == victim['uuid']


def test_there_is_no_second_choice(log_in, tenant, configure, site):
    configure(tenant)
    user = tenant['users']['native']
    assert_refused(log_in(user['username'], user['password']))
    answer = site.api.post('/token', auth=(user['username'], user['password']))
    assert answer.status_code == 200
    assert 'username' not in answer.json()['data']['metadata']
    other = tenant['users']['alice']
    assert_refused(site.api.post('/token', auth=(other['username'], other['password']), headers=elsewhere()))


def test_the_tenants_method_counts_for_users_without_one(log_in, tenant, configure, make_tenant, api, admin_token):
    user = tenant['users']['bob']
    configure(tenant)
    assert api.delete(f"/idp/ldap/users/{user['uuid']}", admin_token).status_code == 204
    assert_refused(log_in('bob'))
    assert api.put(f"/idp/ldap/users/{user['uuid']}", admin_token).status_code == 204
    assert log_in('bob').status_code == 200


def test_a_refresh_token(log_in, site, tenant, configure, psql, api, admin_token):
    configure(tenant)
    data = log_in('carol', access_type='offline', client_id='phone', backend='ldap_user').json()['data']
    row = psql(f"SELECT login, backend, metadata FROM auth_refresh_token WHERE uuid = '{data['refresh_token']}'")
    assert row == 'carol@example.com|ldap_user|{}'
    body = {'refresh_token': data['refresh_token'], 'client_id': 'phone'}
    # Nobody asks the directory again.
    configure(tenant, port=1)
    again = site.api.post('/token', json=body).json()['data']
    assert again['metadata'] == data['metadata']
    assert again['metadata']['username'] == 'carol@example.com'
    assert 'refresh_token' not in again
    user = tenant['users']['carol']
    assert api.put(f"/idp/native/users/{user['uuid']}", admin_token).status_code == 204
    assert 'username' not in site.api.post('/token', json=body).json()['data']['metadata']
    assert api.put(f"/idp/ldap/users/{user['uuid']}", admin_token).status_code == 204


SPELLINGS = ['alice', ' alice', 'alice ', '  alice', 'Alice', 'alice\u00a0', '\uff41\uff4c\uff49\uff43\uff45']


def test_what_the_directory_takes_for_one_login_is_one(log_in, site, tenant, configure, metrics):
    """Blanks around it, and letters of another width."""
    configure(tenant, **BY_SEARCH)
    delayed = lambda: int(metrics(site)['wazo_auth_logins_slowed_total{how="delayed"}'])  # noqa: E731
    taken = [login for login in SPELLINGS if log_in(login).status_code == 200]
    assert {'alice', ' alice', 'alice ', '  alice', 'Alice'} <= set(taken)
    for login in SPELLINGS:
        here, before = elsewhere(), delayed()
        for number in range(5):
            assert_refused(log_in(SPELLINGS[number], f'wrong-password-{number}', headers=here))
        assert delayed() == before
        assert log_in(login, headers=here).status_code == (200 if login in taken else 401)
        assert delayed() == before + 1


def test_wrong_passwords_slow_down_who_guesses(site, tenant, configure):
    configure(tenant)
    headers = elsewhere()
    post = lambda password: site.api.post(  # noqa: E731
        '/token', auth=('alice', password), json={'domain_name': tenant['domain']}, headers=headers
    )
    for number in range(5):
        assert_refused(post(f'wrong-{number}'))
    # The right one doesn't make up for them: whoever has a directory could guess at all other passwords.
    for number in range(2):
        assert_refused(post(f'again-{number}'))
        answer, seconds = timed(lambda: post(PASSWORD))
        assert answer.status_code == 200
        assert seconds > 0.3


# -- TLS ---------------------------------------------------------------------------------------------------------------


SECURITY = pytest.mark.parametrize('security', ['ldaps', 'tls'])


@pytest.fixture(scope='module')
def secured(slapd, stack, authority, directory):
    """name → a server whose certificate is like that."""
    stranger = servers.Authority(stack.folder / 'ldap-other-ca')
    made = {
        'right': directory,
        'wrong-name': slapd('wrong-name', authority.certificate('DNS:other.example.com,IP:127.0.0.2')),
        'expired': slapd('expired', authority.certificate('IP:127.0.0.1', expired=True)),
        'unknown': slapd('unknown', stranger.certificate('IP:127.0.0.1')),
    }
    return made


@SECURITY
@BOTH
def test_a_directory_with_tls(log_in, tenant, configure, directory, security, way):
    port = directory.tls_port if security == 'ldaps' else directory.port
    configure(tenant, port=port, protocol_security=security, **way)
    before = directory.log.stat().st_size
    assert log_in('alice').status_code == 200
    assert_refused(log_in('alice', 'wrong'))
    with open(directory.log, 'rb') as log:
        log.seek(before)
        assert log.read().decode().count('TLS established') == 2


@SECURITY
@pytest.mark.parametrize('kind', ['wrong-name', 'expired', 'unknown'])
def test_a_certificate_that_proves_nothing(log_in, tenant, configure, secured, security, kind, lines):
    server = secured[kind]
    configure(tenant, port=server.tls_port if security == 'ldaps' else server.port, protocol_security=security)
    before = server.log.stat().st_size
    lines.mark()
    assert_refused(log_in('alice'))
    assert len(lines('no TLS')) == 1
    with open(server.log, 'rb') as log:
        log.seek(before)
        assert 'BIND' not in log.read().decode()


@SECURITY
@pytest.mark.parametrize('host', ['::1', '[::1]'])
def test_an_address_of_ipv6(log_in, tenant, configure, slapd, authority, security, host):
    """The certificate has to name it, too."""
    for name, status in (('IP:::1', 200), ('IP:127.0.0.1', 401)):
        server = slapd(f'ipv6-{uuid.uuid4().hex[:8]}', authority.certificate(name))
        peer = Peer(relay(server.tls_port if security == 'ldaps' else server.port, 0), '::1')
        configure(tenant, host=host, port=peer.port, protocol_security=security)
        assert log_in('alice').status_code == status
        peer.close()


@SECURITY
def test_a_server_without_tls(log_in, tenant, configure, slapd, security):
    plain = slapd(f'plain-{security}')
    configure(tenant, port=plain.port, protocol_security=security)
    assert_refused(log_in('alice'))
    configure(tenant, port=plain.port)
    assert log_in('alice').status_code == 200


def test_start_tls_needs_version_3(log_in, tenant, configure):
    configure(tenant, protocol_security='tls', protocol_version=2)
    assert_refused(log_in('alice'))


# -- slow, frozen, gone ------------------------------------------------------------------------------------------------


def test_a_directory_that_is_stopped(log_in, tenant, configure, slapd, lines):
    server = slapd('stopped')
    configure(tenant, port=server.port)
    assert log_in('alice').status_code == 200
    server.stop()
    lines.mark()
    assert_refused(within(1, lambda: log_in('alice')))
    # One warning is enough.
    for _ in range(3):
        assert_refused(log_in('alice'))
    assert len(lines(r'\(WARNING\)')) == 1
    server.start()
    assert log_in('alice').status_code == 200
    assert len(lines('answers again')) == 1


@pytest.mark.parametrize('security', [None, 'ldaps', 'tls'])
def test_a_directory_that_is_frozen(log_in, tenant, configure, slapd, authority, security):
    server = slapd(f'frozen-{security}', authority.certificate('IP:127.0.0.1'))
    configure(tenant, port=server.tls_port if security == 'ldaps' else server.port, protocol_security=security)
    assert log_in('alice').status_code == 200
    server.freeze()
    assert_refused(within(2, lambda: log_in('alice')))
    server.thaw()
    assert log_in('alice').status_code == 200


def test_an_address_that_never_answers(log_in, tenant, configure):
    with socket.create_server(('127.0.0.1', 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(8)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(('127.0.0.1', port))
        configure(tenant, port=port)
        assert_refused(within(1.7, lambda: log_in('alice')))
        for each in waiting:
            each.close()


def test_a_slow_directory_may_take_its_time_but_not_all_of_it(log_in, tenant, configure, directory):
    # Three answers are waited for: each of them is in time, all of them may be late.
    for delay, status, least, most in ((0.3, 200, 0.9, 1.7), (0.8, 401, 1.9, 2.3)):
        peer = Peer(relay(directory.port, delay))
        configure(tenant, port=peer.port, **BY_SEARCH)
        seen = []
        for _ in range(3):  # the machine may stall in one of them
            answer, seconds = timed(lambda: log_in('alice'))
            seen.append((answer.status_code, seconds))
        peer.close()
        assert any(each == status and least < seconds < most for each, seconds in seen), seen


def drip(data, pause=0.1):
    def serve(connection):
        connection.recv(4096)
        for byte in itertools.cycle(data):
            connection.sendall(bytes([byte]))
            time.sleep(pause)

    return serve


@pytest.mark.parametrize('security', [None, 'ldaps', 'tls'])
@pytest.mark.parametrize(
    'serve',
    [
        drip(b'\x30\x84\x00\x01\x00\x00\x02\x01\x01'),  # a long message, byte by byte
        drip(b'\x16\x03\x03\x40\x00\x02\x00\x3f\xfc'),  # a long record of TLS, byte by byte
        drip(b'\x00', 0.0005),  # nonsense, fast
        lambda connection: connection.sendall(b'\x30\x84\xff\xff\xff\xff'),
        lambda connection: None,
    ],
    ids=['drip', 'drip-tls', 'flood', 'huge', 'hangup'],
)
def test_a_peer_that_is_no_directory(log_in, tenant, configure, security, serve):
    peer = Peer(serve)
    configure(tenant, port=peer.port, protocol_security=security)
    assert_refused(within(2.5, lambda: log_in('alice')))
    peer.close()


def test_nobody_else_waits_for_a_frozen_directory(
    log_in, site, slapd, configure, tenant, make_tenant, admin, admin_token
):
    server, other = slapd('frozen'), make_tenant()
    configure(other, port=server.port)
    configure(tenant)
    server.freeze()
    stop = threading.Event()
    answers = []

    def knock():
        while not stop.is_set():
            answers.append(log_in('alice', tenant=other).status_code)

    calls = {
        'token': lambda: site.api.get(f'/token/{admin_token}', headers={'Connection': 'close'}).status_code,
        'native': lambda: site.api.post('/token', auth=(admin['username'], admin['password'])).status_code,
        'directory': lambda: log_in('bob').status_code,
        'list': lambda: site.api.get('/tenants', admin_token).status_code,
    }

    def measure():
        medians = {}
        for name, call in calls.items():
            times = []
            for _ in range(5):
                status, seconds = timed(call)
                assert status == 200, name
                times.append(seconds)
            medians[name] = statistics.median(times)
        return medians

    with ThreadPoolExecutor(12) as pool:
        for _ in range(12):
            pool.submit(knock)
        time.sleep(0.3)
        loaded = measure()
        stop.set()
    server.thaw()
    assert set(answers) == {401, 503}
    for name, seconds in loaded.items():
        assert seconds < 0.6, (name, loaded)


def test_too_many_at_one_directory_are_told_at_once(log_in, slapd, configure, make_tenant):
    server, other = slapd('crowded'), make_tenant()
    configure(other, port=server.port)
    server.freeze()
    with ThreadPoolExecutor(10) as pool:
        made = [pool.submit(timed, lambda: log_in('alice', tenant=other)) for _ in range(10)]
        results = [each.result() for each in made]
    server.thaw()
    refused = [(answer, seconds) for answer, seconds in results if answer.status_code == 503]
    assert len([answer for answer, _ in results if answer.status_code == 401]) == LDAP['logins_per_directory']
    assert len(refused) == 10 - LDAP['logins_per_directory']
    for answer, seconds in refused:
        assert error(answer, 503, 'service-unavailable')
        assert answer.headers['Retry-After'] == '1'
    assert max(seconds for _, seconds in refused) < min(s for answer, s in results if answer.status_code == 401)


def test_the_trouble_of_one_tenant_is_not_anothers(log_in, slapd, configure, make_tenant):
    """Who points his tenant at the directory of another one, in a way that it can't answer, takes no places there."""
    server, mine, his = slapd('shared'), make_tenant(), make_tenant()
    configure(mine, port=server.port)
    configure(his, port=server.port, protocol_security='ldaps')
    with ThreadPoolExecutor(12) as pool:
        others = [pool.submit(log_in, 'alice', tenant=his, headers=elsewhere()) for _ in range(6)]
        assert {each.result().status_code for each in others} <= {401, 503}
        answers = [
            pool.submit(log_in, 'carol', tenant=mine, headers=elsewhere()) for _ in range(LDAP['logins_per_directory'])
        ]
        assert 503 not in {each.result().status_code for each in answers}


def test_another_address_makes_no_more_places(log_in, slapd, configure, make_tenant):
    """Else who may configure a tenant could take all threads."""
    server, other, most = slapd('moved'), make_tenant(), LDAP['logins_per_directory']
    configure(other, port=server.port)
    server.freeze()
    with ThreadPoolExecutor(most + 1) as pool:
        made = [pool.submit(log_in, 'alice', tenant=other) for _ in range(most + 1)]
        first = next(as_completed(made))
        assert first.result().status_code == 503  # so the others are there
        configure(other)
        assert log_in('alice', tenant=other).status_code == 503
        assert {each.result().status_code for each in made if each is not first} == {401}
    server.thaw()


def test_a_directory_that_is_away_slows_down_nobody_who_tries_again(log_in, site, configure, tenant):
    configure(tenant, port=1)
    headers = elsewhere()
    for _ in range(8):
        assert_refused(log_in('alice', headers=headers))
    configure(tenant)
    assert within(0.45, lambda: log_in('alice', headers=headers)).status_code == 200


def test_no_connection_stays_open(log_in, site, configure, tenant, directory):
    configure(tenant, port=directory.tls_port, protocol_security='ldaps', **BY_SEARCH)
    [worker] = site.workers()
    count = lambda: len(list((Path('/proc') / str(worker) / 'fd').iterdir()))  # noqa: E731
    assert log_in('alice').status_code == 200
    before = count()
    for _ in range(5):
        assert log_in('alice').status_code == 200
        assert_refused(log_in('alice', 'wrong'))
        assert_refused(log_in('nope'))
    assert count() <= before + 2


def test_no_database_connection_is_held(stack, log_in, slapd, configure, make_tenant, authority, admin_token):
    """One database connection, several logins that wait: others still get theirs."""
    nginx = stack.new_nginx(
        'ldap-one',
        '',
        workers=1,
        http='wazo_auth_database "@URI@" connections=1;'.replace('@URI@', stack.database_uri),
        settings={'ldap': {**LDAP, 'ca_file': str(authority.file)}},
    )
    server, other = slapd('waiting'), make_tenant()
    configure(other, port=server.port)
    server.freeze()
    with ThreadPoolExecutor(3) as pool:
        made = [pool.submit(log_in, 'alice', tenant=other, client=nginx.api) for _ in range(3)]
        time.sleep(0.2)
        # Which take two seconds.
        assert nginx.api.get('/users', admin_token, params={'limit': 1}).status_code == 200
        assert not any(each.done() for each in made)
        for each in made:
            assert_refused(each.result())
    server.thaw()
    nginx.stop()


# -- where calls may go ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'host',
    [
        '169.254.169.254',
        '[fe80::1]',
        '0.0.0.0',
        '224.0.0.1',
        '::ffff:169.254.1.1',
        '2852039166',
        '0xa9fea9fe',
        '64:ff9b::a9fe:a9fe',
        '255.255.255.255',
        '::',
        'fd00:ec2::254',
    ],
)
def test_a_host_that_is_denied(log_in, tenant, configure, host, lines):
    configure(tenant, host=host, port=80)
    lines.mark()
    assert_refused(log_in('alice'))
    assert len(lines('is denied')) == 1
    assert len(lines('Failed login')) == 1


@pytest.mark.parametrize(
    'host, port',
    [
        ('', 389),
        ('127.0.0.1', 0),
        ('127.0.0.1', -1),
        ('127.0.0.1', 65536 + 389),
        ('nope.invalid', 389),
        ('x' * 500, 389),
    ],
)
def test_a_host_that_is_none(log_in, tenant, configure, host, port):
    configure(tenant, host=host, port=port)
    assert_refused(within(3, lambda: log_in('alice')))


@pytest.mark.parametrize(
    'host',
    [
        'ldap://127.0.0.1',
        'ldaps://directory.test:636',
        'ldapi://%2Fvar%2Frun%2Fslapd%2Fldapi',
        'a b',
        '127.0.0.1/x',
        'user@127.0.0.1',
        'é',
        '127.0.0.1:1 ldap://127.0.0.1',
        '[]',
        'a\r\nb',
    ],
)
def test_a_host_that_is_refused_at_once(api, admin_token, make_tenant, log_in, tenant, configure, psql, host):
    body = {'host': host, 'port': 389, 'user_base_dn': 'b', 'user_login_attribute': 'c', 'user_email_attribute': 'd'}
    answer = api.put('/backends/ldap', admin_token, json=body, headers=make_tenant()['headers'])
    assert reason(answer, 400).startswith('Invalid value supplied for field: host. It takes a name or an address')
    # The daemon may have stored it.
    configure(tenant)
    stored = host.replace("'", "''")
    psql(f"UPDATE auth_ldap_config SET host = '{stored}' WHERE tenant_uuid = '{tenant['uuid']}'")
    assert_refused(log_in('alice'))


def test_this_machine_can_be_denied(stack, log_in, tenant, configure, directory):
    nginx = stack.new_nginx('ldap-strict', '', workers=1, settings={'outgoing': {'loopback': False}})
    hosts = ('127.0.0.1', 'localhost', '::1', '[::1]', '127.9.9.9', '::ffff:127.0.0.1', '2130706433', '127.1')
    before = directory.log.stat().st_size
    for host in hosts:
        configure(tenant, host=host)
        assert_refused(log_in('alice', client=nginx.api))
    nginx.stop()
    assert directory.log.stat().st_size == before
    text = nginx.error_log.read_text(errors='replace')
    assert len([line for line in text.splitlines() if 'is loopback' in line]) == len(hosts)


@pytest.mark.parametrize('host', ['127.0.0.1', '127.1', '::ffff:127.0.0.1', 'localhost'])
def test_this_machine_is_allowed_otherwise(log_in, tenant, configure, host):
    configure(tenant, host=host)
    assert log_in('alice').status_code == 200


# -- the choice --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'settings',
    [{'idp_plugins': {'ldap': {'enabled': False}}}, {'enabled_backend_plugins': {'ldap_user': False}}],
    ids=['idp', 'backend'],
)
def test_a_directory_that_is_switched_off(stack, log_in, tenant, configure, admin, admin_token, settings):
    nginx = stack.new_nginx('ldap-off', '', workers=1, settings=settings)
    configure(tenant)
    items = nginx.api.get('/idp', admin_token).json()['items']
    answer = log_in('alice', client=nginx.api)
    # The local password is what counts then, whatever the body says.
    native = nginx.api.post(
        '/token', auth=(admin['username'], admin['password']), json={'domain_name': tenant['domain']}
    )
    nginx.stop()
    assert sorted(items) == ['default', 'native', 'saml']
    assert_refused(answer)
    assert native.status_code == 200
    text = nginx.error_log.read_text(errors='replace')
    assert 'Checking configured authentication methods for missing implementations' in text
    assert 'Authentication method ldap is in use but is not available' in text


def test_routes_can_be_switched_off(stack, admin_token):
    nginx = stack.new_nginx('ldap-routes', '', workers=1, settings={'enabled_http_plugins': {'ldap_config': False}})
    answer = nginx.api.get('/backends/ldap', admin_token)
    nginx.stop()
    assert answer.status_code == 404


def test_no_secret_is_logged(site, directory, log_in, tenant, configure):
    """The text of the password is in no log; conftest looks for it in nginx's after every test, too."""
    configure(tenant, **BY_SEARCH)
    assert log_in('alice').status_code == 200
    assert PASSWORD not in site.error_log.read_text(errors='replace')
    assert SERVICE_PASSWORD not in site.error_log.read_text(errors='replace')


# -- locks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('kind', ['user', 'tenant', 'client', 'session', 'address'])
def test_who_is_locked(kind, log_in, site, tenant, configure, api, admin_token):
    """The directory lets them in, and the lock doesn't: with a password, and with a refresh token of before."""
    configure(tenant, **BY_SEARCH)
    there = {'X-Forwarded-For': '198.51.100.66'}
    offline = {'access_type': 'offline', 'client_id': 'desk'}
    login = log_in('carol', **offline)
    assert login.status_code == 200, login.text
    token = login.json()['data']
    value = {
        'user': tenant['users']['carol']['uuid'],
        'tenant': tenant['uuid'],
        'client': 'desk',
        'session': token['session_uuid'],
        'address': '198.51.100.66',
    }[kind]
    refresh = {'refresh_token': token['refresh_token'], 'client_id': 'desk'}
    path = f'/locks/{kind}/{value}'
    assert api.put(path, admin_token, headers=tenant['headers']).status_code == 200
    assert site.api.post('/token', json=refresh, headers=there).status_code == 401
    if kind != 'session':
        assert_refused(log_in('carol', headers=there, **offline))
    assert api.delete(path, admin_token, headers=tenant['headers']).status_code == 204
    assert log_in('carol', headers=there, **offline).status_code == 200
    assert site.api.post('/token', json=refresh, headers=there).status_code == 200
