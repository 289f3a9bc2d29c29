"""Passwords chosen anew by a mailed link, over a real mail server: docs/spec/email-flows.md sections 1, 2 and 4."""
import json
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import servers
from support.checks import NO_TOKEN, error, internal_error, label, text_of, within
from support.client import Client
from support.logs import SECRETS
from support.stack import GATED

# Tokens must be in no log: this isn't the uuid that other tests have in their paths.
PATH = '/users/password/reset'
LINK = re.compile(r'^(https://\S+/0\.1/users/password/reset\?user_uuid=([0-9a-f-]{36})&token=([0-9a-f-]{36}))$', re.M)

NAMED = """
    server {
        listen 127.0.0.1:@NAMED_PORT@;
        server_name auth.example.org;
        location /api/auth/ { wazo_auth_api prefix=/api/auth; }
    }
"""


def assert_204(answer):
    assert (answer.status_code, answer.content) == (204, b''), answer.text


@pytest.fixture(scope='module')
def mail_settings(mail):
    return {
        'smtp': {'hostname': '127.0.0.1', 'port': mail.port, 'timeout': 1},
        'password_reset_from_name': 'Wazo, the platform',
        'password_reset_from_address': 'passwords@example.com',
    }


@pytest.fixture(scope='module')
def site(mail_settings, new_nginx):
    named_port = servers.free_port()
    nginx = new_nginx('reset', GATED + NAMED.replace('@NAMED_PORT@', str(named_port)), settings=mail_settings)
    nginx.named = Client(named_port, '/api/auth/0.1')
    return nginx


@pytest.fixture(scope='module')
def client(site):
    return site.api


@pytest.fixture
def person(make_user):
    """A user with an address."""

    def make(**fields):
        name = f'reset-{label()}'
        return make_user(username=fields.pop('username', name), email_address=f'{name}@example.com', **fields)

    return make


@pytest.fixture
def set_emails(site, admin_token):
    """set_emails(user, (address, main, confirmed), ...)"""

    def put(user, *emails):
        body = {'emails': [dict(zip(('address', 'main', 'confirmed'), each)) for each in emails]}
        answer = site.api.put(f"/admin/users/{user['uuid']}/emails", admin_token, json=body)
        assert answer.status_code == 200, answer.text

    return put


@pytest.fixture
def link_to(mail):
    """The link of the last mail to an address: .url .user .token .message"""

    def read(address, count=1):
        message = mail.wait_for(address, count)
        found = LINK.search(text_of(message))
        assert found, text_of(message)
        SECRETS.token(found[3])
        return type('Link', (), {'url': found[1], 'user': found[2], 'token': found[3], 'message': message})

    return read


@pytest.fixture
def link(client, link_to):
    """Asks for a mail to the only address of a user, and reads it."""

    def ask(user, **parameters):
        address = user['emails'][0]['address']
        assert_204(client.get(PATH, params=parameters or {'email': address}))
        return link_to(address)

    return ask


@pytest.fixture
def no_mail(client, mail, person, link):
    """no_mail(**parameters): what is asked for like this is answered 204, and nobody gets a mail of it."""

    def check(asked=client, **parameters):
        before = len(mail.messages())
        assert_204(asked.get(PATH, params=parameters))
        link(marker := person())  # mails keep their order
        news = [message['X-Envelope-To'] for message in mail.messages()[before:]]
        assert news == [marker['emails'][0]['address']]

    return check


def post(client, user_uuid, token, password, **options):
    parameters = {'user_uuid': user_uuid, 'token': token}
    return client.post(
        PATH,
        params={key: value for key, value in parameters.items() if value is not None},
        json={'password': SECRETS.password(password)},
        **options,
    )


def new_password():
    return f'fresh-{label()}'


def can_log_in(client, user, password=None, login=None):
    return client.post('/token', auth=(login or user['username'], password or user['password'])).status_code == 200


# -- asking ------------------------------------------------------------------------------------------------------------


def test_from_the_mail_to_a_login(client, person, link):
    user, password = person(), new_password()
    found = link(user, username=user['username'])
    assert found.user == user['uuid']
    assert_204(post(client, user['uuid'], found.token, password))
    assert can_log_in(client, user, password) and not can_log_in(client, user)


def test_the_mail(person, link):
    user = person()
    message = link(user).message
    assert message['X-Envelope-From'] == 'passwords@example.com'
    assert message['From'] == '"Wazo, the platform" <passwords@example.com>'
    assert message['To'] == f"{user['username']} <{user['emails'][0]['address']}>"
    assert message['Subject'] == 'A new password for your account'
    assert message['Auto-Submitted'] == 'auto-generated'
    assert re.fullmatch(r'<[0-9a-f-]{36}@example\.com>', message['Message-ID'])


def test_the_token_that_is_mailed(person, link, psql):
    user = person()
    found = link(user)
    row = json.loads(
        psql(
            f"""SELECT to_json(x) FROM (
        SELECT t.*, s.tenant_uuid, s.mobile, t.expire_t - t.issued_t AS lifetime
        FROM auth_token t JOIN auth_session s ON s.uuid = t.session_uuid WHERE t.uuid = '{found.token}') AS x"""
        )
    )
    assert row['acl'] == [f"auth.users.password.reset.{user['uuid']}.create"]
    assert row['lifetime'] == 172800 and row['auth_id'] == 'wazo-auth' and json.loads(row['metadata']) == {}
    assert row['user_agent'] == 'wazo-auth-email-reset' and row['remote_addr'] == '' and not row['mobile']
    assert row['xivo_uuid'] is None and row['pbx_user_uuid'] is None and row['refresh_token_uuid'] is None
    assert row['tenant_uuid'] == psql('SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid')


@pytest.mark.parametrize(
    'parameters',
    [
        lambda user, address: {'username': user['username']},
        lambda user, address: {'email': address},
        lambda user, address: {'login': user['username'].upper()},
        lambda user, address: {'login': address.upper()},
    ],
)
def test_how_a_user_is_found(person, link, parameters):
    user = person()
    assert link(user, **parameters(user, user['emails'][0]['address'])).user == user['uuid']


@pytest.mark.parametrize(
    'parameters',
    [
        lambda user: {'username': user['username'].upper()},
        lambda user: {'username': user['emails'][0]['address']},
        lambda user: {'email': user['emails'][0]['address'].upper()},
        lambda user: {'username': 'nobody-at-all'},
        lambda user: {'email': 'nobody-at-all@example.com'},
        lambda user: {'login': '%'},
        lambda user: {'login': 'a\nb'},
        lambda user: {'email': 'é@example.com'},
    ],
)
def test_who_is_not_found(person, no_mail, parameters):
    no_mail(**parameters(person()))


@pytest.mark.parametrize(
    'query, message',
    [
        ('', ['give one of "username", "email" and "login"']),
        ('?username=a&login=a', ['give one of "username", "email" and "login"']),
        ('?username=', 'Length must be between 1 and 256.'),
        ('?login=', 'Length must be between 1 and 256.'),
        ('?username=' + 'x' * 257, 'Length must be between 1 and 256.'),
        ('?login=' + 'é' * 257, 'Length must be between 1 and 256.'),
        ('?email=', 'Not a valid email address.'),
        ('?email=nobody', 'Not a valid email address.'),
        ('?email=a@b.com%0d%0aBcc:c@d.com', 'Not a valid email address.'),
        ('?username=&login=a', 'Length must be between 1 and 256.'),
        ('?token=x', ['give one of "username", "email" and "login"']),
    ],
)
def test_queries_that_are_refused(client, query, message):
    body = error(client.get(PATH + query), 400, 'invalid-data')
    assert (body['resource'], body['details'], body['message']) == ('reset', {}, message)


def test_which_address_is_written_to(client, person, set_emails, mail, link_to):
    user, (one, two, three) = person(), [f'{label()}@example.com' for _ in range(3)]
    set_emails(user, (one, False, True), (two, True, True), (three, False, False))
    assert_204(client.get(PATH, params={'username': user['username']}))
    assert link_to(two).user == user['uuid']
    set_emails(user, (one, False, True), (two, True, False), (three, False, False))
    assert_204(client.get(PATH, params={'username': user['username']}))
    assert link_to(one).user == user['uuid']
    # The one that was given is good enough, confirmed or not.
    assert_204(client.get(PATH, params={'email': three}))
    assert link_to(three).user == user['uuid']
    # By login it isn't.
    assert_204(client.get(PATH, params={'login': three}))
    assert link_to(one, 2).user == user['uuid']
    assert len(mail.messages(two)) == 1


def test_no_confirmed_address_no_mail(person, make_user, set_emails, no_mail):
    user = person()
    set_emails(user, (f'{label()}@example.com', True, False))
    no_mail(username=user['username'])
    no_mail(username=make_user()['username'])


def test_a_user_without_name(client, make_user, link_to):
    address = f'{label()}@example.com'
    user = make_user(username=None, email_address=address)
    assert_204(client.get(PATH, params={'login': address}))
    found = link_to(address)
    assert found.message['To'] == address and text_of(found.message).startswith(f'Hello {address},')
    password = new_password()
    assert_204(post(client, user['uuid'], found.token, password))
    assert can_log_in(client, user, password, address)


def test_a_name_that_no_header_holds(site, make_user, no_mail, psql):
    address = f'{label()}@example.com'
    user = make_user(email_address=address)
    psql(f"UPDATE auth_user SET username = E'x{label()}\\r\\nBcc: a@example.com' WHERE uuid = '{user['uuid']}'")
    no_mail(email=address)
    assert f"User {user['uuid']} can't be sent a mail" in site.error_log.read_text(errors='replace')


def test_names_beyond_ascii(client, make_user, link_to):
    address = f'{label()}@example.com'
    user = make_user(username=f'Zoë "{label()}"', email_address=address)
    assert_204(client.get(PATH, params={'username': user['username']}))
    assert link_to(address).message['To'].addresses[0].display_name == user['username']


def test_disabled_users_get_a_mail(person, link):
    assert link(person(enabled=False)).token


@pytest.mark.parametrize('method', ['saml', 'ldap'])
def test_passwords_that_are_kept_elsewhere(client, person, make_user, admin_token, no_mail, link, insert_token, method):
    user = person(authentication_method=method)
    no_mail(username=user['username'])
    no_mail(email=user['emails'][0]['address'])
    body = error(post(client, user['uuid'], admin_token, new_password()), 405, 'password-managed-externally')
    assert (body['details'], body['resource']) == ({'uuid': user['uuid']}, 'users')
    assert_204(post(client, user['uuid'], admin_token, None))

    tenant = client.post(
        '/tenants', admin_token, json={'name': label(), 'default_authentication_method': method}
    ).json()
    inside = {'Wazo-Tenant': tenant['uuid']}
    other = person(headers=inside)
    no_mail(email=other['emails'][0]['address'])
    error(post(client, other['uuid'], admin_token, new_password()), 405, 'password-managed-externally')
    native = person(headers=inside, authentication_method='native')
    assert_204(post(client, native['uuid'], link(native).token, new_password()))


# -- the link ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'headers',
    [
        {},
        {'Host': 'evil.example'},
        {'X-Forwarded-Host': 'evil.example'},
        {'Host': 'evil.example:1', 'X-Forwarded-Host': 'evil.example', 'X-Script-Name': '@evil.example'},
    ],
)
def test_no_header_chooses_the_host_of_the_link(site, person, link_to, headers):
    user = person()
    address = user['emails'][0]['address']
    assert_204(site.api.get(PATH, params={'email': address}, headers=headers))
    found = link_to(address)
    assert found.url == (
        f'https://127.0.0.1:{site.api.port}/0.1/users/password/reset?user_uuid={user["uuid"]}' f'&token={found.token}'
    )
    assert 'evil' not in found.message.as_string()


def test_the_servers_name_is_the_host(site, person, link_to):
    user = person()
    address = user['emails'][0]['address']
    assert_204(site.named.get(PATH, params={'email': address}, headers={'Host': 'evil.example'}))
    assert link_to(address).url.startswith(f'https://auth.example.org:{site.named.port}/api/auth/0.1/users/password/')


@pytest.fixture(scope='module')
def other_site(mail_settings, new_nginx):
    """Another nginx over the same database, with settings of its own."""
    return new_nginx(
        'reset2',
        settings=mail_settings
        | {
            'email_link_url': 'https://voice.example.org/api/auth',
            'password_reset_mails_per_hour': 2,
            'password_reset_expiration': 600,
        },
    )


def test_settings(other_site, person, link_to, psql):
    user = person()
    address = user['emails'][0]['address']
    assert_204(other_site.api.get(PATH, params={'email': address}))
    found = link_to(address)
    assert found.url.startswith('https://voice.example.org/api/auth/0.1/users/password/reset?')
    assert psql(f"SELECT expire_t - issued_t FROM auth_token WHERE uuid = '{found.token}'") == '600'


def test_nobody_is_flooded(other_site, person, link_to, mail, no_mail):
    user = person()
    address = user['emails'][0]['address']
    with ThreadPoolExecutor(6) as pool:
        for answer in pool.map(lambda _: other_site.api.get(PATH, params={'email': address}), range(6)):
            assert_204(answer)
    link_to(address, 2)
    no_mail(other_site.api, email=address)
    assert len(mail.messages(address)) == 2
    assert f"User {user['uuid']} is sent no more mails" in other_site.error_log.read_text(errors='replace')


def test_mails_from_the_future_dont_count(other_site, person, link_to, no_mail, psql):
    """The clock was set back by an hour since: nobody waits for two hours because of that."""
    user = person()
    address = user['emails'][0]['address']
    for _ in range(2):
        assert_204(other_site.api.get(PATH, params={'email': address}))
    link_to(address, 2)
    no_mail(other_site.api, email=address)
    psql(
        "UPDATE auth_token SET issued_t = issued_t + 3600 "
        f"WHERE auth_id = 'wazo-auth' AND array_to_string(acl, '') LIKE '%{user['uuid']}%'"
    )
    assert_204(other_site.api.get(PATH, params={'email': address}))
    link_to(address, 3)


# -- setting the password ----------------------------------------------------------------------------------------------


def test_a_link_works_once(client, person, link):
    user, password = person(), new_password()
    found = link(user)
    assert_204(post(client, user['uuid'], found.token, password))
    body = error(post(client, user['uuid'], found.token, new_password()), 401, 'unauthorized')
    assert body['details'] == {'invalid_token': found.token} and body['message'] == 'Unauthorized'
    assert can_log_in(client, user, password)
    assert client.head(f'/token/{found.token}').status_code == 404


def test_two_at_once(site, api2, person, link):
    user = person()
    found = link(user)
    passwords = [new_password() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(
                lambda i: post((site.api, api2)[i % 2], user['uuid'], found.token, passwords[i]).status_code, range(6)
            )
        )
    assert sorted(answers) == [204] + [401] * 5
    assert [can_log_in(site.api, user, password) for password in passwords] == [status == 204 for status in answers]


def test_what_is_refused_uses_up_nothing(client, person, link):
    user, other = person(), person()
    found = link(user)
    for body in ({}, {'password': ''}, {'password': 7}, {'password': 'a\0b'}, [], 'x'):
        answer = client.post(
            PATH,
            params={'user_uuid': user['uuid'], 'token': found.token},
            data=json.dumps(body),
            headers={'Content-Type': 'application/json'},
        )
        assert answer.status_code == 400, answer.text
    error(post(client, other['uuid'], found.token, new_password()), 401, 'unauthorized')
    assert_204(post(client, user['uuid'], found.token, new_password()))


def test_the_token_comes_before_the_body(client, person):
    user = person()
    for parameters, token, sent in (
        ({'user_uuid': user['uuid']}, None, ''),
        ({'user_uuid': user['uuid'], 'token': 'x'}, None, 'x'),
        ({}, NO_TOKEN, NO_TOKEN),
        ({'user_uuid': user['uuid'], 'token': 'y'}, NO_TOKEN, 'y'),
    ):
        body = error(client.post(PATH, token, params=parameters, data='{'), 401, 'unauthorized')
        assert body['details'] == {'invalid_token': sent} and 'resource' not in body


def test_where_the_token_may_be(client, person, link, insert_token):
    user = person()
    found = link(user)
    assert_204(client.post(PATH, found.token, params={'user_uuid': user['uuid']}, json={'password': new_password()}))
    # Without a user "None" is what the access names.
    none = insert_token(['auth.users.password.reset.None.create'])['token']
    error(client.post(PATH, none, json={'password': 'x'}), 404, 'unknown-user')
    error(client.post(PATH, none, params={'user_uuid': user['uuid']}, json={'password': 'x'}), 401, 'unauthorized')
    # The query's wins.
    fitting = insert_token([f"auth.users.password.reset.{user['uuid']}.create"])['token']
    error(
        client.post(PATH, fitting, params={'user_uuid': user['uuid'], 'token': none}, json={'password': 'x'}),
        401,
        'unauthorized',
    )


def test_an_expired_link(client, person, link, psql):
    user = person()
    found = link(user)
    psql(f"UPDATE auth_token SET expire_t = 1 WHERE uuid = '{found.token}'")
    error(post(client, user['uuid'], found.token, new_password()), 401, 'unauthorized')
    assert can_log_in(client, user)


@pytest.mark.parametrize('data', ['', '{', '[1]', '{"password": "a\\u0000b"}', '{"password": ["x"]}', '{}'])
def test_bodies_that_are_refused(client, admin_token, person, data):
    user = person()
    answer = client.post(
        PATH, admin_token, params={'user_uuid': user['uuid']}, data=data, headers={'Content-Type': 'application/json'}
    )
    assert answer.status_code == 400, answer.text
    if 'error_id' in answer.json():
        body = error(answer, 400, 'invalid-data')
        assert (body['resource'], body['details']) == ('reset', {})
    assert can_log_in(client, user)


def test_unknown_users(client, admin_token):
    nobody = str(uuid.uuid4())
    for user in (nobody, 'me', 'a b', '%', "'"):
        body = error(post(client, user, admin_token, new_password()), 404, 'unknown-user')
        assert (body['details'], body['resource']) == ({'uuid': user}, 'users')
        body = error(post(client, user, admin_token, None), 404, 'unknown-user')
        assert (body['details'], body['resource']) == ({'password': None, 'uuid': user}, 'users')
    assert post(client, 'a\0b', admin_token, 'x').status_code in (400, 401, 404)


def test_a_user_without_login(client, make_user, admin_token, person, set_emails):
    user = make_user(username=None, email_address=f'{label()}@example.com')
    set_emails(user, (f'{label()}@example.com', True, False))
    answer = post(client, user['uuid'], admin_token, new_password())
    assert answer.status_code == 401 and answer.json()['reason'] == ['Authentication Failed']
    assert_204(post(client, user['uuid'], admin_token, None))


def test_sessions_end_and_are_told_in_order(client, person, link, make_token, bus):
    user, other = person(), person()
    tokens = [make_token(user, client=client) for _ in range(3)]
    kept = make_token(other, client=client)
    refresh = make_token(user, client=client, access_type='offline', client_id='phone')
    found = link(user)
    bus.clear()
    password = new_password()
    assert_204(post(client, user['uuid'], found.token, password))
    ended = {each['session_uuid'] for each in [*tokens, refresh]}

    def told():
        data = [event.body['data'] for event in bus.events if event.name == 'auth_session_deleted']
        return [each for each in data if each['user_uuid'] == user['uuid']]

    bus.wait('auth_session_deleted', lambda event: len(told()) == 4)
    assert {each['uuid'] for each in told()} == ended
    assert all(each['tenant_uuid'] == user['tenant_uuid'] for each in told())
    for each in [*tokens, refresh]:
        assert client.head(f"/token/{each['token']}").status_code == 404
    assert client.head(f"/token/{kept['token']}").status_code == 204
    again = client.post('/token', json={'refresh_token': refresh['refresh_token'], 'client_id': 'phone'})
    assert again.status_code == 200, again.text


def test_no_password_any_more(client, person, link, make_token, admin_token):
    user = person()
    token = make_token(user, client=client)['token']
    assert_204(post(client, user['uuid'], link(user).token, None))
    assert client.head(f'/token/{token}').status_code == 404 and not can_log_in(client, user)
    password = new_password()
    for _ in range(2):  # an administrator's token isn't used up
        assert_204(post(client, user['uuid'], admin_token, password))
    assert can_log_in(client, user, password)


def test_administrators_of_other_tenants(client, admin_token, make_user, make_token, person):
    """A right to reset passwords ends at one's own tenant and what is below."""
    tenant = client.post('/tenants', admin_token, json={'name': label()}).json()
    inside = {'Wazo-Tenant': tenant['uuid']}
    administrator = make_user(['auth.users.password.reset.#'], headers=inside)
    token = make_token(administrator, client=client)['token']
    outside, colleague = person(), person(headers=inside)
    error(post(client, outside['uuid'], token, new_password()), 404, 'unknown-user')
    assert can_log_in(client, outside)
    assert_204(post(client, colleague['uuid'], token, password := new_password()))
    assert can_log_in(client, colleague, password)


def test_passwords_are_not_logged(site, person, link):
    user, password = person(), new_password()
    found = link(user)
    assert_204(post(site.api, user['uuid'], found.token, password))
    time.sleep(0.2)
    for log in (site.error_log, site.access_log):
        assert password not in log.read_text() and found.token not in log.read_text()
    assert f'XXXXXXXX-XXXX-XXXX-XXXX-XXXX{found.token[-8:]}' in site.access_log.read_text()


# -- the mail server -----------------------------------------------------------------------------------------------------


def test_server_stopped(client, mail, person, rows, away):
    user, other = person(), person(authentication_method='saml')
    before = rows()
    with away(mail):
        for name in (user['username'], other['username'], 'nobody-at-all'):
            internal_error(client.get(PATH, params={'username': name}))
    assert not rows() - before


def test_server_frozen(client, mail, person, admin_token, away):
    """It may be a server that greets late: the mails wait."""
    user = person()
    with away(mail, frozen=True):
        with ThreadPoolExecutor(12) as pool:
            began = time.monotonic()
            waiting = [
                pool.submit(client.get, PATH, params={'username': name}) for name in (user['username'], 'nobody') * 6
            ]
            time.sleep(0.3)
            for _ in range(5):  # nobody else waits for it
                within(0.5, lambda: client.get('/users', admin_token, params={'limit': 1}))
            for answer in waiting:
                assert_204(answer.result())
            assert time.monotonic() - began < 8
    mail.wait_for(user['emails'][0]['address'], timeout=30)


def test_a_refused_sender(client, mail, person, rows):
    user = person()
    before = rows()
    mail.order('no-sender')
    try:
        for name in (user['username'], 'nobody-at-all'):
            internal_error(client.get(PATH, params={'username': name}))
    finally:
        mail.order('no-sender', False)
    assert not rows() - before


def test_a_refused_recipient(client, make_user, psql):
    address = f'refused-{label()}@example.com'
    user = make_user(email_address=address)
    assert_204(client.get(PATH, params={'username': user['username']}))
    dead = f"SELECT reason FROM wazo_auth.dead_event WHERE target = 'mail' AND headers ->> 'to' = '{address}'"
    assert servers.wait_until(lambda: psql(dead), 15) == (
        'the mail server refuses with code 550 5.1.1 at RCPT: no such mailbox'
    )


def test_how_long_the_mail_server_takes_for_a_recipient_is_not_seen(client, make_user, link_to):
    address = f'tardy-{label()}@example.com'
    user = make_user(email_address=address)
    assert_204(within(1.2, lambda: client.get(PATH, params={'username': user['username']})))
    link_to(address)


def test_server_dies_between_question_and_delivery(client, mail, person, link_to, psql):
    user = person()
    address = user['emails'][0]['address']
    mail.order('die')
    assert_204(client.get(PATH, params={'email': address}))
    servers.wait_until(lambda: mail.pid is None, 10, 'death of the mail server')
    waiting = (
        f"SELECT body ->> 'message' FROM wazo_auth.outbox WHERE target = 'mail' AND headers ->> 'to' = '{address}'"
    )
    text = servers.wait_until(lambda: psql(waiting), 5)
    mail.start()
    found = link_to(address)
    assert found.message['Message-ID'] in text
    servers.wait_until(lambda: psql(waiting) == '', 10)
    assert len(mail.messages(address)) == 1
    assert_204(post(client, user['uuid'], found.token, new_password()))


def test_time_tells_nothing(client, person):
    """Answers with an account and without one come at the same time after the question."""
    user = person()
    took = {True: [], False: []}
    for i in range(4):
        for known in (True, False):
            start = time.perf_counter()
            assert_204(client.get(PATH, params={'username': user['username'] if known else f'nobody-{i}'}))
            took[known].append(time.perf_counter() - start)
    assert 0.35 < min(took[True] + took[False])
    # The quickest: a machine that stalls makes others slower.
    assert abs(min(took[True]) - min(took[False])) < 0.05, took


def test_a_template_that_is_missing(stack, mail_settings, person, rows):
    nginx = stack.new_nginx('reset3', settings=mail_settings | {'password_reset_email_template': '/nowhere'})
    try:
        assert '/nowhere: No such file or directory; no mail to reset a password can be sent' in nginx.test()[1]
        user = person()
        before = rows()
        for name in (user['username'], 'nobody-at-all'):
            internal_error(nginx.api.get(PATH, params={'username': name}))
        assert not rows() - before
    finally:
        nginx.stop()


def test_a_subject_that_no_header_holds(stack, mail_settings, person, rows):
    subject = stack.folder / 'subject.jinja'
    subject.write_text('one\ntwo\n')
    nginx = stack.new_nginx('reset4', settings=mail_settings | {'password_reset_email_subject_template': str(subject)})
    try:
        user = person()
        before = rows()
        assert_204(nginx.api.get(PATH, params={'username': user['username']}))
        assert not rows() - before
        assert 'CR, LF or NUL in a subject' in nginx.error_log.read_text(errors='replace')
    finally:
        nginx.stop()


def test_switched_off(stack):
    nginx = stack.new_nginx('reset5', settings={'enabled_http_plugins': {'password_reset': False}})
    try:
        assert nginx.api.get(PATH, params={'username': 'a'}).status_code == 404
        assert nginx.api.post(PATH).status_code == 404
    finally:
        nginx.stop()
