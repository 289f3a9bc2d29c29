"""Registration and confirmation of addresses, over a real mail server.

docs/spec/email-flows.md sections 1 to 3 and 5.
"""
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import servers
from support.checks import UNKNOWN, error, internal_error, label, text_of, within
from support.client import Client
from support.logs import SECRETS
from support.stack import GATED

LINK = re.compile(r'^(https://\S+/0\.1/emails/([0-9a-f-]{36})/confirm\?token=([0-9a-f-]{36}))$', re.M)

NAMED = """
    server {
        listen 127.0.0.1:@NAMED_PORT@;
        server_name auth.example.org;
        location /api/auth/ { wazo_auth_api prefix=/api/auth; }
    }
"""


@pytest.fixture(scope='module')
def mail_settings(mail):
    return {
        'enabled_http_plugins': {'user_registration': True},
        'smtp': {'hostname': '127.0.0.1', 'port': mail.port, 'timeout': 1},
        'email_confirmation_from_name': 'Wazo, the platform',
        'email_confirmation_from_address': 'noreply@example.com',
    }


@pytest.fixture(scope='module')
def site(mail_settings, new_nginx):
    named_port = servers.free_port()
    nginx = new_nginx('registration', GATED + NAMED.replace('@NAMED_PORT@', str(named_port)), settings=mail_settings)
    nginx.named = Client(named_port, '/api/auth/0.1')
    return nginx


@pytest.fixture(scope='module')
def register(site):
    def post(client=site.api, headers=None, **fields):
        name = f'reg-{label()}'
        body = {'username': name, 'password': f'pass-{label()}', 'email_address': f'{name}@example.com', **fields}
        body = {key: value for key, value in body.items() if value is not ...}
        answer = client.post('/users/register', json=body, headers=headers)
        answer.sent = body
        return answer

    return post


@pytest.fixture(scope='module')
def registered(register):
    def make(**options):
        answer = register(**options)
        assert answer.status_code == 200, answer.text
        return answer.json() | {'password': answer.sent['password']}

    return make


@pytest.fixture
def link_in(mail):
    """The link of the last mail to a user: .url .email .token"""

    def read(user, count=1):
        message = mail.wait_for(user['emails'][0]['address'], count)
        found = LINK.search(text_of(message))
        assert found, text_of(message)
        SECRETS.token(found[3])
        return type('Link', (), {'url': found[1], 'email': found[2], 'token': found[3], 'message': message})

    return read


def waiting(psql, address):
    return psql(f"SELECT count(*) FROM wazo_auth.outbox WHERE target = 'mail' AND headers ->> 'to' = '{address}'")


def delivered(psql, address):
    servers.wait_until(lambda: waiting(psql, address) == '0', 10, f'no mail to {address} waits')


# -- registration ------------------------------------------------------------------------------------------------------


def test_registration_makes_tenant_user_and_mail(site, registered, admin_token, psql, mail, link_in):
    user = registered(firstname='Ann', lastname=None)
    name, address = user['username'], user['emails'][0]['address']
    assert {key: value for key, value in user.items() if key != 'password'} == {
        'uuid': user['uuid'],
        'username': name,
        'firstname': 'Ann',
        'lastname': None,
        'purpose': 'user',
        'enabled': True,
        'tenant_uuid': user['tenant_uuid'],
        'authentication_method': 'default',
        'emails': [{'uuid': user['emails'][0]['uuid'], 'address': address, 'main': True, 'confirmed': False}],
    }
    tenant = site.api.get(f"/tenants/{user['tenant_uuid']}", admin_token).json()
    assert tenant['name'] == name
    assert tenant['parent_uuid'] == psql('SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid')
    assert (
        psql(
            f"""SELECT g.name FROM auth_user_group m JOIN auth_group g ON g.uuid = m.group_uuid
                    WHERE m.user_uuid = '{user['uuid']}'"""
        )
        == f"wazo-all-users-tenant-{user['tenant_uuid']}"
    )
    link = link_in(user)
    assert link.email == user['emails'][0]['uuid']
    delivered(psql, address)
    assert len(mail.messages(address)) == 1


def test_event_of_the_new_tenant(registered, bus):
    user = registered()
    event = bus.wait('auth_tenant_added', lambda e: e.body['data']['uuid'] == user['tenant_uuid'])
    assert event.body['data']['name'] == user['username']
    assert event.body['data']['domain_names'] == []
    assert not [e for e in bus.events if e.name.startswith('auth_session') and 'wazo-auth' in str(e.body)]


def test_the_mail(registered, link_in):
    message = link_in(user := registered()).message
    assert message['X-Envelope-From'] == 'noreply@example.com'
    assert message['From'] == '"Wazo, the platform" <noreply@example.com>'
    assert message['To'] == f"{user['username']} <{user['emails'][0]['address']}>"
    assert message['Subject'] == f"{user['username']}, please confirm your e-mail address"
    assert message['Auto-Submitted'] == 'auto-generated'
    assert re.fullmatch(r'<[0-9a-f-]{36}@example\.com>', message['Message-ID'])
    assert message['Date'].datetime.timestamp() == pytest.approx(time.time(), abs=60)
    assert message.get_content_charset() == 'us-ascii'


def test_names_beyond_ascii(registered, link_in):
    user = registered(username=f'Zoë "{label()}" Größe 漢字')
    message = link_in(user).message
    assert message['To'].addresses[0].display_name == user['username']
    assert message['Subject'].startswith(user['username'])
    assert user['username'] in text_of(message)
    assert message.get_content_charset() == 'utf-8'


def test_domain_beyond_ascii(registered, mail):
    name = label()
    registered(email_address=f'{name}@é.example.com')
    mail.wait_for(f'{name}@xn--9ca.example.com')


def test_the_token_that_is_mailed(registered, link_in, psql):
    link = link_in(registered())
    row = json.loads(
        psql(
            f"""SELECT to_json(x) FROM (
        SELECT t.*, s.tenant_uuid, s.mobile, t.expire_t - t.issued_t AS lifetime
        FROM auth_token t JOIN auth_session s ON s.uuid = t.session_uuid WHERE t.uuid = '{link.token}') AS x"""
        )
    )
    assert row['acl'] == [f'auth.emails.{link.email}.confirm.edit']
    assert row['lifetime'] == 172800 and row['auth_id'] == 'wazo-auth' and json.loads(row['metadata']) == {}
    assert row['user_agent'] == 'wazo-auth-email-reset' and row['remote_addr'] == '' and not row['mobile']
    assert row['xivo_uuid'] is None and row['pbx_user_uuid'] is None and row['refresh_token_uuid'] is None
    assert row['tenant_uuid'] == psql('SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid')


def test_login_by_name_at_once_by_address_when_confirmed(site, registered, link_in):
    user = registered()
    address = user['emails'][0]['address']
    assert site.api.post('/token', auth=(user['username'], user['password'])).status_code == 200
    assert site.api.post('/token', auth=(address, user['password'])).status_code == 401
    link = link_in(user)
    assert site.api.put(f'/emails/{link.email}/confirm', link.token).status_code == 204
    assert site.api.post('/token', auth=(address, user['password'])).status_code == 200


@pytest.mark.parametrize(
    'fields, field, message',
    [
        ({'username': ...}, 'username', 'Missing data for required field.'),
        ({'username': None}, 'username', 'Field may not be null.'),
        ({'username': ''}, 'username', 'Length must be between 1 and 128.'),
        ({'username': 'x' * 129}, 'username', 'Length must be between 1 and 128.'),
        ({'username': 'a\r\nBcc: b@example.com'}, 'username', 'String does not match expected pattern.'),
        ({'username': 'a\nb'}, 'username', 'String does not match expected pattern.'),
        ({'password': ...}, 'password', 'Missing data for required field.'),
        ({'password': ''}, 'password', 'Shorter than minimum length 1.'),
        ({'firstname': 1}, 'firstname', 'Not a valid string.'),
        ({'email_address': ...}, 'email_address', 'Missing data for required field.'),
        ({'email_address': None}, 'email_address', 'Field may not be null.'),
        ({'email_address': 'nobody'}, 'email_address', 'Not a valid email address.'),
        ({'email_address': 'é@example.com'}, 'email_address', 'Not a valid email address.'),
        ({'username': 1, 'password': ''}, 'username', 'Not a valid string.'),
    ],
)
def test_bodies_that_are_refused(register, rows, fields, field, message):
    before = rows()
    body = error(register(**fields), 400, 'invalid-data')
    assert body['resource'] == 'users' and body['message'] == message
    assert list(body['details']) == [field] and body['details'][field]['message'] == message
    assert not rows() - before


@pytest.mark.parametrize(
    'data', ['', '{', '{"username": "a\\u0000b", "password": "x", "email_address": "a@b.com"}', '[1]']
)
def test_no_body_makes_a_500(site, data):
    answer = site.api.post('/users/register', data=data, headers={'Content-Type': 'application/json'})
    assert answer.status_code == 400, answer.text


def test_128_characters_are_a_name(registered):
    name = label() + 'é' * 116
    assert registered(username=name)['username'] == name


@pytest.mark.parametrize(
    'taken, field',
    [
        (lambda user: {'username': user['username'].upper()}, 'username'),
        (lambda user: {'username': user['emails'][0]['address']}, 'username'),
        (lambda user: {'email_address': user['emails'][0]['address'].upper()}, 'email_address'),
    ],
)
def test_a_taken_login_leaves_nothing(register, registered, link_in, rows, taken, field):
    user = registered()
    link_in(user)
    before = rows()
    answer = register(**taken(user))
    body = error(answer, 409, 'conflict')
    assert body['resource'] == 'users'
    assert body['details'] == {
        field: {'constraint_id': 'unique', 'message': f'The login "{answer.sent[field]}" is already used'}
    }
    assert not rows() - before


def test_one_of_many_gets_the_name(register, psql):
    name = f'race-{label()}'
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda i: register(username=name, email_address=f'{name}-{i}@example.com'), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    assert psql(f"SELECT count(*) FROM auth_tenant WHERE name = '{name}'") == '1'


def test_similar_names_at_once(register):
    # All of them suggest the same slug.
    name = f'similarname-{label()}'
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda i: register(username=f'{name}{i}'), range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6, [answer.text for answer in answers]


def test_off_unless_it_is_switched_on(api):
    assert api.post('/users/register', json={}).status_code == 404


# -- the link ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'headers',
    [
        {},
        {'Host': 'evil.example'},
        {'X-Forwarded-Host': 'evil.example'},
        {
            'Host': 'evil.example:1',
            'X-Forwarded-Host': 'evil.example',
            'X-Forwarded-Port': '1',
            'X-Script-Name': '@evil.example',
        },
    ],
)
def test_no_header_chooses_the_host_of_the_link(site, registered, link_in, headers):
    link = link_in(registered(headers=headers))
    assert link.url == f'https://127.0.0.1:{site.api.port}/0.1/emails/{link.email}/confirm?token={link.token}'
    assert 'evil' not in link.message.as_string()


def test_the_servers_name_is_the_host(site, registered, link_in):
    link = link_in(registered(client=site.named, headers={'Host': 'evil.example'}))
    assert link.url.startswith(f'https://auth.example.org:{site.named.port}/api/auth/0.1/emails/')
    path = link.url.partition('/0.1')[2]
    assert site.named.get(path).status_code == 200


@pytest.fixture(scope='module')
def other_site(mail_settings, new_nginx):
    """Another nginx over the same database, with a link of its own and a page that it lacks."""
    return new_nginx(
        'registration2',
        settings=mail_settings
        | {
            'email_link_url': 'https://voice.example.org/api/auth',
            'email_confirmation_get_response_body_template': '/nowhere',
        },
    )


def test_a_setting_is_the_host(other_site, registered, link_in):
    link = link_in(registered(client=other_site.api))
    assert link.url == f'https://voice.example.org/api/auth/0.1/emails/{link.email}/confirm?token={link.token}'


# -- confirmation ------------------------------------------------------------------------------------------------------


def confirmed(psql, user):
    return psql(f"SELECT confirmed FROM auth_email WHERE user_uuid = '{user['uuid']}'") == 't'


def test_the_link_confirms_once(site, registered, link_in, psql):
    link = link_in(user := registered())
    path = link.url.partition('/0.1')[2]
    answer = site.api.head(path)
    assert answer.status_code == 200 and not confirmed(psql, user)
    answer = site.api.get(path)
    assert answer.status_code == 200
    assert answer.headers['Content-Type'] == 'text/html; charset=utf-8'
    assert answer.headers['Referrer-Policy'] == 'no-referrer' and answer.headers['Cache-Control'] == 'no-store'
    assert answer.text == (
        servers.CHECKOUT / 'conf/templates/email_confirmation_get_body.jinja'
    ).read_text().removesuffix('\n')
    assert confirmed(psql, user)
    body = error(site.api.get(path), 401, 'unauthorized')
    assert body['details'] == {
        'invalid_token': link.token,
        'reason': 'not_found_or_expired',
        'required_access': f'auth.emails.{link.email}.confirm.update',
    }
    # The token lives on: it is how a browser that comes back is told that all is well.
    assert psql(f"SELECT metadata FROM auth_token WHERE uuid = '{link.token}'") == '{"used": true}'
    # It doesn't confirm anything any more, whatever an administrator does.
    psql(f"UPDATE auth_email SET confirmed = false WHERE uuid = '{link.email}'")
    error(site.api.put(f'/emails/{link.email}/confirm', link.token), 401, 'unauthorized')
    error(site.api.post(path), 401, 'unauthorized')
    assert not confirmed(psql, user)


def test_two_clicks_at_once(site, registered, link_in):
    link = link_in(registered())
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: site.api.put(f'/emails/{link.email}/confirm', link.token).status_code, range(8))
        )
    assert sorted(answers) == [204] + [401] * 7


def test_put_takes_the_header_only(site, registered, link_in, psql):
    link = link_in(user := registered())
    error(site.api.put(f'/emails/{link.email}/confirm?token={link.token}'), 401, 'unauthorized')
    assert not confirmed(psql, user)
    answer = site.api.put(f'/emails/{link.email}/confirm', link.token)
    assert answer.status_code == 204 and answer.content == b''
    assert confirmed(psql, user)


def test_get_takes_the_header_as_well(site, registered, link_in, psql):
    link = link_in(user := registered())
    assert site.api.get(f'/emails/{link.email}/confirm', link.token).status_code == 200
    assert confirmed(psql, user)


def test_a_link_is_for_one_address(site, registered, link_in):
    link, other = link_in(registered()), link_in(registered())
    body = error(site.api.put(f'/emails/{other.email}/confirm', link.token), 401, 'unauthorized')
    assert body['details']['reason'] == 'missing_permission_or_invalid_tenant'
    assert site.api.put(f'/emails/{link.email}/confirm', link.token).status_code == 204


def test_an_administrators_token_isnt_used_up(site, registered, admin_token, psql):
    user = registered()
    for _ in range(2):
        assert site.api.put(f"/emails/{user['emails'][0]['uuid']}/confirm", admin_token).status_code == 204
    assert confirmed(psql, user)
    body = error(site.api.put(f'/emails/{UNKNOWN}/confirm', admin_token), 404, 'unknown-email')
    assert body['details'] == {'uuid': UNKNOWN} and body['resource'] == 'emails'
    error(site.api.get(f'/emails/{UNKNOWN}/confirm', admin_token), 404, 'unknown-email')


def test_confirming_tells_nobody(site, registered, link_in, bus):
    link = link_in(user := registered())
    bus.wait('auth_tenant_added', lambda e: e.body['data']['uuid'] == user['tenant_uuid'])
    bus.clear()
    assert site.api.put(f'/emails/{link.email}/confirm', link.token).status_code == 204
    marker = registered()
    bus.wait('auth_tenant_added', lambda e: e.body['data']['uuid'] == marker['tenant_uuid'])
    # The clock tells of sessions of other tests.
    assert {event.name for event in bus.events} - {'auth_session_expire_soon'} == {'auth_tenant_added'}


def test_another_mail(site, registered, link_in, admin_token):
    user = registered()
    email = user['emails'][0]['uuid']
    first = link_in(user)
    path = f"/users/{user['uuid']}/emails/{email}/confirm"
    answer = site.api.get(path, admin_token)
    assert answer.status_code == 204 and answer.content == b''
    second = link_in(user, 2)
    assert second.token != first.token and second.message['Message-ID'] != first.message['Message-ID']
    assert site.api.put(f'/emails/{email}/confirm', second.token).status_code == 204
    body = error(site.api.get(path, admin_token), 409, 'conflict')
    assert body['details'] == {'uuid': email} and body['resource'] == 'emails'
    assert body['message'] == f'This email already confirmed: "{email}"'


def test_another_mail_is_for_users_below(site, registered, admin_token, insert_token):
    user, other = registered(), registered()
    email = user['emails'][0]['uuid']
    for who, what, error_id in (
        (UNKNOWN, email, 'unknown-user'),
        (user['uuid'], UNKNOWN, 'unknown-email'),
        (other['uuid'], email, 'unknown-email'),
    ):
        error(site.api.get(f'/users/{who}/emails/{what}/confirm', admin_token), 404, error_id)
    path = f"/users/{user['uuid']}/emails/{email}/confirm"
    token = site.api.post('/token', auth=(other['username'], other['password'])).json()['data']['token']
    error(site.api.get(path, token), 401, 'unauthorized')
    foreign = insert_token(['#'], user_uuid=other['uuid'], tenant_uuid=other['tenant_uuid'])['token']
    error(site.api.get(path, foreign), 404, 'unknown-user')


# -- the mail server is away -------------------------------------------------------------------------------------------


def test_server_stopped(site, mail, register, registered, admin_token, rows, away):
    user = registered()
    mail.wait_for(user['emails'][0]['address'])
    before = rows()
    with away(mail):
        internal_error(register())
        internal_error(site.api.get(f"/users/{user['uuid']}/emails/{user['emails'][0]['uuid']}/confirm", admin_token))
    assert not rows() - before
    registered()


def test_server_frozen(site, mail, register, registered, admin_token, away):
    """It may be a server that greets late: the mails wait."""
    user = registered()
    mail.wait_for(user['emails'][0]['address'])
    with away(mail, frozen=True):
        with ThreadPoolExecutor(12) as pool:
            began = time.monotonic()
            waiting = [pool.submit(register) for _ in range(12)]
            time.sleep(0.3)
            # Nobody else waits for it.
            for _ in range(5):
                answer = within(0.9, lambda: site.api.get('/users', admin_token, params={'limit': 1}))
                assert answer.status_code == 200
            answers = [answer.result() for answer in waiting]
            assert time.monotonic() - began < 8
    for answer in answers:
        assert answer.status_code == 200, answer.text
        mail.wait_for(answer.json()['emails'][0]['address'], timeout=30)


def test_recipient_refused(register, rows):
    before = rows()
    internal_error(register(email_address=f'refused-{label()}@example.com'))
    assert not rows() - before


def test_server_dies_between_question_and_delivery(site, mail, register, link_in, psql):
    mail.order('die')
    answer = register()
    assert answer.status_code == 200, answer.text
    user = answer.json()
    servers.wait_until(lambda: mail.pid is None, 10, 'death of the mail server')
    address = user['emails'][0]['address']
    time.sleep(1)
    assert waiting(psql, address) == '1'
    mail.start()
    link = link_in(user)
    delivered(psql, address)
    assert len(mail.messages(address)) == 1
    assert site.api.put(f'/emails/{link.email}/confirm', link.token).status_code == 204


@pytest.fixture
def lonely(stack):
    """Nginx over a database of their own: lonely.nginx(name, settings), lonely.queue(recipient)."""
    uri = stack.postgres.create_database('mails', 'mails')
    made = []

    def nginx(name, settings):
        made.append(stack.new_nginx(name, settings=settings | {'db_uri': uri}))
        return made[-1]

    def queue(recipient):
        message = json.dumps({'message': f'To: {recipient}\r\n\r\nx\r\n'})
        stack.postgres.psql(
            'mails',
            f"""INSERT INTO wazo_auth.outbox (target, expires_t, headers, body) VALUES
            ('mail', 2000000000, '{{"from": "a@example.com", "to": "{recipient}"}}', '{message}')""",
        )

    yield type('Lonely', (), {'nginx': staticmethod(nginx), 'queue': staticmethod(queue)})
    for each in made:
        each.stop()
    stack.postgres.drop_database('mails')


def test_another_nginx_delivers_what_one_cannot(lonely, mail_settings, mail):
    nowhere = {'hostname': '127.0.0.1', 'port': servers.free_port()}
    broken = lonely.nginx('mails1', mail_settings | {'smtp': nowhere})
    lonely.queue(recipient := f'other-{label()}@example.com')
    servers.wait_until(lambda: 'mails wait in the outbox' in broken.error_log.read_text(errors='replace'), 10)
    lonely.nginx('mails2', mail_settings)
    mail.wait_for(recipient, timeout=30)


def test_nginx_ends_while_a_mail_is_under_way(lonely, mail_settings, mail, away):
    nginx = lonely.nginx('mails3', mail_settings)
    with away(mail, frozen=True):
        lonely.queue(recipient := f'later-{label()}@example.com')
        time.sleep(0.7)
        began = time.monotonic()
        nginx.stop()
        assert time.monotonic() - began < 3
    assert 'still at work' not in nginx.error_log.read_text(errors='replace')
    nginx.start()
    mail.wait_for(recipient, timeout=30)
    assert len(mail.messages(recipient)) == 1


def test_a_mail_that_is_not_taken_yet_holds_up_nobody(mail, registered, psql):
    mail.order('busy')
    try:
        user = registered(email_address=f'busy-{label()}@example.com')
        time.sleep(0.5)
        other = registered()
        mail.wait_for(other['emails'][0]['address'])  # passes the one that isn't taken yet
        assert mail.messages(user['emails'][0]['address']) == []
    finally:
        mail.order('busy', False)
    SECRETS.token(LINK.search(text_of(mail.wait_for(user['emails'][0]['address'], timeout=30)))[3])
    for each in user, other:
        delivered(psql, each['emails'][0]['address'])


def test_refused_for_good_after_all(stack, registered, psql):
    user = registered(email_address=f'spam-{label()}@example.com')
    address = user['emails'][0]['address']
    reason = servers.wait_until(
        lambda: psql(
            f"SELECT reason FROM wazo_auth.dead_event WHERE target = 'mail' AND headers ->> 'to' = '{address}'"
        ),
        15,
    )
    assert '554' in reason
    # The link in it would still be good.
    assert psql(f"SELECT body IS NULL FROM wazo_auth.dead_event WHERE headers ->> 'to' = '{address}'") == 't'
    logs = ''.join(nginx.error_log.read_text(errors='replace') for nginx in stack.all_nginx if nginx.error_log.exists())
    assert 'is refused for good: the mail server refuses with code 554' in logs
    registered()


def test_an_expired_mail_is_dropped(site, psql):
    psql(
        """INSERT INTO wazo_auth.outbox (target, expires_t, headers, body)
            VALUES ('mail', 1, '{"from": "a@example.com", "to": "late@example.com"}',
                    '{"message": "Subject: x\\r\\n\\r\\nx\\r\\n"}')"""
    )
    servers.wait_until(lambda: psql("SELECT count(*) FROM wazo_auth.outbox WHERE expires_t = 1") == '0', 15)


# -- templates ---------------------------------------------------------------------------------------------------------


def test_no_page_no_confirmation_by_link(other_site, registered, link_in, psql):
    link = link_in(user := registered())
    internal_error(other_site.api.get(f'/emails/{link.email}/confirm?token={link.token}'))
    assert not confirmed(psql, user)
    assert other_site.api.put(f'/emails/{link.email}/confirm', link.token).status_code == 204
    assert '/nowhere: No such file or directory; links in mails' in other_site.test()[1]


def test_a_broken_template_switches_registration_off(stack, mail_settings, register, rows):
    broken = stack.folder / 'broken.jinja'
    broken.write_text('Hello\n{% for x in y %}{% endfor %}\n')
    nginx = stack.new_nginx(
        'registration3',
        settings=mail_settings
        | {'email_confirmation_template': str(broken), 'email_confirmation_get_mimetype': 'text/x-test'},
    )
    try:
        ok, output = nginx.test()
        assert ok and f'{broken}:2: tag "for" is not supported; no mail to confirm an address can be sent' in output
        before = rows()
        internal_error(register(client=nginx.api))
        assert not rows() - before
        broken.write_text(
            '{{ username }}\nhttps://{{ hostname }}/0.1/emails/{{ email_uuid }}/confirm?token={{ token }}'
        )
        nginx.reload()
        servers.wait_until(lambda: register(client=nginx.api).status_code == 200, 10)
    finally:
        nginx.stop()


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_logs_show_no_token_of_a_mail(site, registered, link_in):
    user = registered()
    link = link_in(user)
    site.api.get(link.url.partition('/0.1')[2])
    site.api.get(link.url.partition('/0.1')[2])
    time.sleep(0.2)
    for log in (site.error_log, site.access_log):
        text = log.read_text()
        assert link.token not in text and user['password'] not in text
    assert f'XXXXXXXX-XXXX-XXXX-XXXX-XXXX{link.token[-8:]}' in site.access_log.read_text()
