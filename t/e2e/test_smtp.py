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

    def start(server, **smtp):
        name = f'smtp-{label()}'
        uri = stack.postgres.create_database(name, name)
        nginx = stack.new_nginx(
            name,
            settings={
                'db_uri': uri,
                'smtp': {'hostname': '127.0.0.1', 'port': server.port, 'timeout': 1, **smtp},
                'password_reset_mails_per_hour': 0,
            },
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


def assert_sent(nginx, server, **headers):
    answer = ask(nginx)
    assert answer.status_code == 204, answer.text
    message = server.wait_for(nginx.address)
    for name, value in headers.items():
        assert message[name.replace('_', '-')] == value
    return message


def assert_failed(nginx, server, reason):
    answer = ask(nginx)
    assert (answer.status_code, answer.json()) == (500, {'message': 'Internal Server Error'})
    assert reason in nginx.error_log.read_text()
    assert server.messages() == [] and PASSWORD not in nginx.error_log.read_text()


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
        assert_failed(nginx, mail, "the mail server can't be used: Timeout was reached")
        assert time.monotonic() - start < 4
    finally:
        mail.thaw()
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
        lambda: 'is not taken yet: the mail server refuses with code 535' in nginx.error_log.read_text(), 10
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
