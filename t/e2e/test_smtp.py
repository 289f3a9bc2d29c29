"""The way to the mail server: TLS, login, and servers that are slow or not what they should be."""
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import servers
from support.checks import label, within
from support.logs import SECRETS

PATH = '/users/password/reset'
NAME, PASSWORD = 'wazo', SECRETS.password('smtp-pass-93b1c7')


@pytest.fixture(scope='module')
def good(authority):
    return authority.certificate('IP:127.0.0.1')


@pytest.fixture
def server(stack):
    """A mail server of one's own, started with options."""
    made = []

    def start(*options):
        made.append(servers.MailServer(stack.folder / f'mail-{label()}', servers.free_port(), *options))
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.stop()


@pytest.fixture
def site(stack):
    """Nginx over a database of its own, so that nobody else delivers its mails: site(**settings of smtp)"""
    made = []

    def start(server, environment=None, **smtp):
        name = f'smtp-{label()}'
        uri = stack.postgres.create_database(name, name)
        nginx = stack.new_nginx(
            name,
            settings={
                'db_uri': uri,
                'smtp': {'hostname': '127.0.0.1', 'port': server.port, 'timeout': 1, **smtp},
                'password_reset_mails_per_hour': 0,
                'enabled_http_plugins': {'user_registration': True},
            },
            environment=environment,
        )
        nginx.database = name
        made.append(nginx)
        token = nginx.api.post('/token', auth=('e2e-admin', 'correct-horse-9f31c0')).json()['data']['token']
        nginx.address = f'{label()}@example.com'
        answer = nginx.api.post('/users', token, json={'username': label(), 'email_address': nginx.address})
        assert answer.status_code == 200, answer.text
        nginx.token = token
        return nginx

    yield start
    for nginx in made:
        nginx.stop()
        stack.postgres.drop_database(nginx.database)


def ask(nginx):
    return nginx.api.get(PATH, params={'email': nginx.address})


def assert_sent(nginx, server, timeout=15, **headers):
    answer = ask(nginx)
    assert answer.status_code == 204, answer.text
    message = server.wait_for(nginx.address, timeout=timeout)
    for name, value in headers.items():
        assert message[name.replace('_', '-')] == value
    return message


def assert_failed(nginx, server, reason):
    answer = ask(nginx)
    assert (answer.status_code, answer.json()) == (500, {'message': 'Internal Server Error'})
    assert reason in nginx.error_log.read_text(errors='replace')
    assert server.messages() == [] and PASSWORD not in nginx.error_log.read_text(errors='replace')


def test_as_it_was_always(server, site):
    mail = server()
    assert_sent(site(mail), mail, X_TLS=None, X_Login=None)


@pytest.mark.parametrize('tls', ['starttls', 'tls'])
def test_tls(server, site, authority, good, tls):
    mail = server(f'--{tls}', good)
    message = assert_sent(site(mail, tls=tls, ca_file=str(authority.file)), mail, X_Login=None)
    assert message['X-TLS'] in ('TLSv1.2', 'TLSv1.3')


@pytest.mark.parametrize('tls', ['starttls', 'tls'])
def test_right_login(server, site, authority, good, tls):
    mail = server(f'--{tls}', good, '--login', f'{NAME}:{PASSWORD}')
    nginx = site(mail, tls=tls, ca_file=str(authority.file), username=NAME, password=PASSWORD)
    assert_sent(nginx, mail, X_Login=NAME)
    config = nginx.api.get('/config', nginx.token).json()['smtp']
    assert (config['username'], config['password']) == (NAME, '********')


def test_wrong_login(server, site, authority, good):
    mail = server('--starttls', good, '--login', f'{NAME}:{PASSWORD}')
    nginx = site(mail, tls='starttls', ca_file=str(authority.file), username=NAME, password='smtp-wrong-41aa')
    assert_failed(nginx, mail, 'the mail server refuses with code 535')


def test_no_login_where_one_is_wanted(server, site, authority, good):
    mail = server('--starttls', good, '--login', f'{NAME}:{PASSWORD}')
    assert_failed(
        site(mail, tls='starttls', ca_file=str(authority.file)), mail, 'the mail server refuses with code 530'
    )


def test_login_in_the_clear_only_if_it_is_wanted(server, site, stack):
    mail = server('--login', f'{NAME}:{PASSWORD}')
    nginx = site(mail, login_without_tls=True, username=NAME, password=PASSWORD)
    assert_sent(nginx, mail, X_Login=NAME, X_TLS=None)


def test_a_server_without_starttls(server, site, authority):
    """No mail and no login in the clear instead."""
    mail = server('--login', f'{NAME}:{PASSWORD}')
    nginx = site(mail, tls='starttls', ca_file=str(authority.file), username=NAME, password=PASSWORD)
    assert_failed(nginx, mail, "the mail server can't be used: Requested SSL level failed")


@pytest.mark.parametrize('tls', ['starttls', 'tls'])
@pytest.mark.parametrize(
    'name, expired, reason',
    [
        ('IP:127.0.0.2', False, "no alternative certificate subject name matches target host name '127.0.0.1'"),
        ('DNS:mail.example.com', False, "no alternative certificate subject name matches target host name '127.0.0.1'"),
        ('IP:127.0.0.1', True, 'certificate has expired'),
    ],
)
def test_certificates_that_are_no_good(server, site, authority, tls, name, expired, reason):
    mail = server(f'--{tls}', authority.certificate(name, expired))
    assert_failed(site(mail, tls=tls, ca_file=str(authority.file)), mail, reason)


def test_an_unknown_authority(server, site, stack, good):
    mail = server('--tls', good)
    other = servers.Authority(stack.folder / f'authority-{label()}')
    for ca in ({'ca_file': str(other.file)}, {}):
        assert_failed(site(mail, tls='tls', **ca), mail, 'SSL certificate problem')


@pytest.mark.parametrize('tls', ['starttls', 'tls'])
def test_a_frozen_server(server, site, authority, good, tls):
    mail = server(f'--{tls}', good)
    nginx = site(mail, tls=tls, ca_file=str(authority.file))
    mail.freeze()
    try:
        start = time.monotonic()
        assert ask(nginx).status_code == 204
        assert time.monotonic() - start < 4
    finally:
        mail.thaw()
    mail.wait_for(nginx.address)
    assert_sent(nginx, mail)


def test_a_slow_server_holds_up_nobody(server, site):
    """Each of its answers comes in time, and there are many of them."""
    mail = server()
    mail.order('slow', 0.6)
    nginx = site(mail)
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(ask, nginx) for _ in range(20)]
        time.sleep(0.3)
        for _ in range(10):
            assert within(1, lambda: nginx.api.get('/users', nginx.token, params={'limit': 1})).status_code == 200
            log_in = within(1, lambda: nginx.api.post('/token', auth=('e2e-admin', 'correct-horse-9f31c0')))
            assert log_in.status_code == 200
        statuses = {answer.result().status_code for answer in waiting}
    assert statuses <= {204, 500}
    mail.order('slow', False)
    servers.wait_until(lambda: ask(nginx).status_code == 204, 10)


def test_what_waits_is_delivered_when_the_login_is_mended(server, site, stack):
    mail = server('--login', f'{NAME}:{PASSWORD}')
    nginx = site(mail, login_without_tls=True, username=NAME, password='smtp-wrong-41aa')
    recipient = f'{label()}@example.com'
    stack.postgres.psql(
        nginx.database,
        f"""INSERT INTO wazo_auth.outbox (target, expires_t, headers, body) VALUES
        ('mail', 2000000000, '{{"from": "a@example.com", "to": "{recipient}"}}', '{{"message": "To: x\\r\\n\\r\\nx\\r\\n"}}')""",
    )
    servers.wait_until(
        lambda: 'mails wait in the outbox: the mail server refuses with code 535'
        in nginx.error_log.read_text(errors='replace'),
        10,
    )
    config = nginx.folder / 'config.yml'
    config.write_text(config.read_text().replace('smtp-wrong-41aa', PASSWORD))
    nginx.reload()
    mail.wait_for(recipient, timeout=30)
    assert len(mail.messages()) == 1


@pytest.mark.parametrize(
    'smtp, complaint',
    [
        ({'tls': 'ssl'}, '"smtp.tls" must be none, starttls or tls'),
        ({'tls': True}, '"smtp.tls" must be a text'),
        ({'ca_file': '/etc/ssl/certs/ca-certificates.crt'}, '"smtp.ca_file" is of no use without "smtp.tls"'),
        (
            {'tls': 'tls', 'ca_file': '/nowhere.pem'},
            '"smtp.ca_file" can\'t be used: /nowhere.pem: No such file or directory',
        ),
        ({'tls': 'tls', 'ca_file': '/etc/passwd'}, 'it holds no certificates (PEM), or broken ones'),
        ({'username': 'a'}, '"smtp.username" needs an "smtp.password"'),
        ({'password': 'a'}, '"smtp.password" needs an "smtp.username"'),
        ({'username': 'a', 'password': 'b'}, '"smtp.username" needs "smtp.tls", or "smtp.login_without_tls: true"'),
        ({'username': 'a\nb', 'password': 'b'}, '"smtp.username" must not hold control characters'),
        ({'ehlo': 'wazo_1.example.com'}, '"smtp.ehlo" must be a host\'s full name, or an address like [192.0.2.1]'),
        ({'ehlo': 'a.example.com\r\nMAIL FROM:<>'}, '"smtp.ehlo" must be'),
        ({'ehlo': '[192.0.2.300]'}, '"smtp.ehlo" must be'),
        ({'timeout': 0}, '"smtp.timeout" must be seconds, 0.1 to 60'),
    ],
)
def test_settings_that_are_refused(stack, expect_log, smtp, complaint):
    expect_log(r'\[emerg\] .* "smtp\.')
    nginx = stack.new_nginx(
        f'smtp-{label()}', start=False, settings={'smtp': {'hostname': 'localhost', 'port': 25, **smtp}}
    )
    nginx.prepare()
    ok, output = nginx.test()
    assert not ok and complaint in output and f"{nginx.folder / 'config.yml'}:" in output, output


# -- who we are --------------------------------------------------------------------------------------------------------


@pytest.fixture
def machine(stack):
    """machine(host name, lines of /etc/hosts) → the environment in which this machine is called so."""

    def make(name, *lines):
        hosts = stack.folder / f'hosts-{label()}'
        hosts.write_text('\n'.join(['127.0.0.1 localhost', *lines]) + '\n')
        return {
            'LD_PRELOAD': 'libnss_wrapper.so',
            'NSS_WRAPPER_HOSTS': str(hosts),
            'NSS_WRAPPER_HOSTNAME': name,
        }

    return make


def register(nginx):
    name = label()
    address = f'{name}@example.com'
    return address, nginx.api.post(
        '/users/register',
        json={'username': name, 'password': SECRETS.password(f'pass-{label()}'), 'email_address': address},
    )


@pytest.mark.parametrize(
    'name, hosts, ehlo',
    [
        ('wazo1', '127.0.1.1 wazo1.example.com wazo1', 'wazo1.example.com'),
        ('wazo1.example.com', '127.0.1.1 wazo1', 'wazo1.example.com'),
        ('wazo1', '127.0.1.1 wazo1', '[127.0.0.1]'),
        ('wazo1', '127.0.0.1 localhost.localdomain localhost wazo1', '[127.0.0.1]'),
        ('wazo_1', '127.0.1.1 wazo_1.example.com wazo_1', '[127.0.0.1]'),
    ],
)
def test_the_full_name_or_an_address(server, site, machine, name, hosts, ehlo):
    """To what Postfix refuses with "need fully-qualified hostname" in its usual setting."""
    mail = server('--full-names')
    nginx = site(mail, machine(name, hosts))
    assert_sent(nginx, mail, X_EHLO=ehlo)
    address, answer = register(nginx)
    assert answer.status_code == 200, answer.text
    assert mail.wait_for(address)['X-EHLO'] == ehlo


def test_a_name_of_ones_own(server, site):
    mail = server()
    assert_sent(site(mail, ehlo='mail.example.org'), mail, X_EHLO='mail.example.org')


def test_an_answer_about_us_drops_no_mail(server, site, stack):
    """504 at RCPT: the mail is there when the administrator has mended the name."""
    mail = server('--full-names')
    nginx = site(mail, ehlo='wazo1')
    assert ask(nginx).status_code == 204  # the question names no recipient, so the server has said nothing yet
    waits = r"is not taken yet: the mail server refuses with code 504 5.5.2 at RCPT: <wazo1>: Helo command rejected"
    servers.wait_until(lambda: waits in nginx.error_log.read_text(errors='replace'), 10)
    _, answer = register(nginx)
    assert answer.status_code == 500
    config = nginx.folder / 'config.yml'
    config.write_text(config.read_text().replace('"wazo1"', '"wazo1.example.com"'))
    nginx.reload()
    mail.wait_for(nginx.address, timeout=30)
    assert stack.postgres.psql(nginx.database, 'SELECT count(*) FROM wazo_auth.dead_event') == '0'


# -- "not now" ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('greeting', ['6', '6 220-mail.test please wait'])
def test_a_greeting_that_takes_six_seconds(server, site, greeting):
    """As postscreen's, with the usual timeout of 4 seconds."""
    mail = server()
    nginx = site(mail, timeout=4)
    mail.order('greeting', greeting)
    address, answer = register(nginx)
    assert answer.status_code == 200, answer.text
    mail.wait_for(address, timeout=30)


@pytest.mark.parametrize(
    'place, answer',
    [
        ('greeting', '421 4.3.2 Service not available'),
        ('EHLO', '421 4.3.2 Too busy'),
        ('MAIL', '452 4.3.1 Insufficient system storage'),
        ('RCPT', '451 4.7.1 Greylisted, try again'),
        ('RCPT', '450 4.2.0 try again'),
        ('RCPT', '421 4.7.0 Try again later, closing connection'),
        ('DATA', '451 4.3.0 later'),
    ],
)
def test_later_is_no_no(server, site, stack, place, answer):
    mail = server()
    nginx = site(mail)
    mail.order(f'at-{place}', answer)
    address, registered = register(nginx)
    assert registered.status_code == 200, registered.text
    assert ask(nginx).status_code == 204
    told = f'the mail server refuses for now with code {answer[:9]} at '
    servers.wait_until(lambda: told in nginx.error_log.read_text(errors='replace'), 10)
    time.sleep(2)  # several attempts
    lines = [line for line in nginx.error_log.read_text(errors='replace').splitlines() if told in line]
    assert len(lines) == (1 if place in ('greeting', 'EHLO') else 2), lines  # for all mails, or for each of them
    mail.order(f'at-{place}', False)
    for recipient in (address, nginx.address):
        mail.wait_for(recipient, timeout=30)
    assert stack.postgres.psql(nginx.database, 'SELECT count(*) FROM wazo_auth.dead_event') == '0'


def test_an_address_with_brackets(server, site):
    mail = server()
    nginx = site(mail, hostname='[::ffff:127.0.0.1]')
    assert_sent(nginx, mail)


def test_a_name_and_a_password_of_any_characters(server, site, authority, good):
    name, password = 'wa%zo@example;=', SECRETS.password('p%41 "\'\\:;@/?#&=ü漢')
    mail = server('--starttls', good, '--login', f'{name}:{password}')
    nginx = site(mail, tls='starttls', ca_file=str(authority.file), username=name, password=password)
    assert_sent(nginx, mail, X_Login=name)
