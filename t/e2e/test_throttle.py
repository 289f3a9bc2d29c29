"""Who guesses passwords is slowed down, and nobody else: by which address, which login, which password."""
import contextlib
import http.client
import json
import re
import socket
import struct
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from support import servers
from support.checks import NO_TOKEN, address, basic, credentials, elsewhere, label
from support.logs import SECRETS
from support.stack import GATED

PORTS = {name: servers.free_port() for name in ('both', 'real', 'wide', 'proxied', 'real_proxied')}

LISTENERS = f"""\
    server {{
        listen [::]:{PORTS['both']} ipv6only=off;
        location / {{ wazo_auth_api; }}
    }}
    server {{
        listen 127.0.0.1:{PORTS['real']};
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Forwarded-For;
        real_ip_recursive on;
        location / {{ wazo_auth_api; }}
    }}
    server {{
        listen 127.0.0.1:{PORTS['wide']};
        set_real_ip_from 0.0.0.0/0;
        real_ip_header X-Forwarded-For;
        location / {{ wazo_auth_api; }}
    }}
    server {{
        listen 127.0.0.1:{PORTS['proxied']} proxy_protocol;
        location / {{ wazo_auth_api; }}
    }}
    server {{
        listen 127.0.0.1:{PORTS['real_proxied']} proxy_protocol;
        set_real_ip_from 127.0.0.1;
        real_ip_header proxy_protocol;
        location / {{ wazo_auth_api; }}
    }}
"""


@pytest.fixture(scope='module')
def guessed(new_nginx):
    return new_nginx('guessed', GATED + LISTENERS)


@pytest.fixture
def slowed(metrics, guessed):
    """slowed() → how many logins were (delayed, refused) since the test began."""

    def now():
        numbers = metrics(guessed)
        return [int(numbers[f'wazo_auth_logins_slowed_total{{how="{how}"}}']) for how in ('delayed', 'refused')]

    before = now()
    return lambda: tuple(number - was for number, was in zip(now(), before))


@pytest.fixture
def attempt(guessed):
    def post(auth, headers, **body):
        return guessed.api.post('/token', auth=auth, json=body, headers=headers)

    return post


@pytest.fixture
def guess(attempt):
    """Another wrong password for a login."""

    def post(login, headers, times=1):
        for _ in range(times):
            assert attempt((login, SECRETS.new_password()), headers).status_code == 401

    return post


class Answer:
    def __init__(self, answer, text):
        self.status = answer.status
        self.location = answer.getheader('Location')
        self.text = text

    @property
    def remote_addr(self):
        assert self.status == 200, self.text
        issued = json.loads(self.text)['data']
        SECRETS.token(issued['token'])
        return issued['remote_addr']


def ask(port, method, path, headers=None, body=b'', source='127.0.0.1', to='127.0.0.1', preamble=b'', version='1.1'):
    """A request from any address of this machine; `preamble` goes out before it."""
    with socket.create_connection((to, port), 60, source_address=None if to == '::1' else (source, 0)) as connection:
        lines = [f'{method} /0.1{path} HTTP/{version}', f'Content-Length: {len(body)}', 'Connection: close']
        lines += [f'{name}: {value}' for name, value in (headers or {}).items()]
        if version == '1.1' and 'Host' not in (headers or {}):
            lines.append('Host: 127.0.0.1')
        connection.sendall(preamble + '\r\n'.join(lines).encode() + b'\r\n\r\n' + body)
        answer = http.client.HTTPResponse(connection, method=method)
        answer.begin()
        return Answer(answer, answer.read().decode())


def log_in(port, user, headers=None, word=None, **options):
    login = {'Authorization': basic(user['username'], word or user['password'])}
    return ask(
        port, 'POST', '/token', {**login, 'Content-Type': 'application/json', **(headers or {})}, b'{}', **options
    )


# -- what guessing costs -----------------------------------------------------------------------------------------------


def test_the_sixth_guess_has_to_wait(attempt, guess, slowed, make_user):
    user, other, here = make_user(), make_user(), elsewhere()
    guess(user['username'], here, times=5)
    start = time.monotonic()
    # The right password as well: else whoever waits less would know more.
    assert attempt(credentials(user), here).status_code == 200
    assert time.monotonic() - start > 0.3
    assert slowed() == (1, 0)
    assert attempt(credentials(user), here).status_code == 200
    guess(user['username'], here, times=5)
    assert attempt(credentials(other), here).status_code == 200
    assert attempt(credentials(user), elsewhere()).status_code == 200
    assert slowed() == (1, 0)


def test_guessing_in_other_letters_is_guessing(attempt, guess, slowed, make_user):
    user, here = make_user(), elsewhere()
    for size in range(5):
        guess(user['username'][:size] + user['username'][size:].upper(), here)
    assert attempt(credentials(user), here).status_code == 200
    assert slowed() == (1, 0)


def test_many_guesses_at_once_are_no_more_than_in_a_row(attempt, slowed, make_user):
    user, here, start = make_user(), elsewhere(), time.monotonic()

    def one(_):
        assert attempt((user['username'], SECRETS.new_password()), here).status_code == 401
        return time.monotonic() - start

    with ThreadPoolExecutor(10) as pool:
        guesses = [pool.submit(one, number) for number in range(10)]
        servers.wait_until(lambda: slowed()[0] == 5)
        # The next one would have to wait for too long.
        answer = attempt(credentials(user), here)
        assert answer.status_code == 429
        assert (answer.json()['error_id'], answer.headers['Retry-After']) == ('too-many-requests', '10')
        assert attempt(credentials(user), elsewhere()).status_code == 200
        assert max(each.result() for each in guesses) > 15
    assert slowed() == (5, 1)


def test_who_leaves_before_its_turn_gives_it_back(guessed, attempt, guess, slowed, make_user):
    user, here = make_user(), elsewhere()
    guess(user['username'], here, times=8)  # the next one in 4 s
    for _ in range(5):
        with pytest.raises(requests.Timeout):
            guessed.api.post('/token', auth=(user['username'], SECRETS.new_password()), headers=here, timeout=0.3)
    start = time.monotonic()
    assert attempt(credentials(user), here).status_code == 200
    assert time.monotonic() - start < 20  # each turn that isn't given back takes eight seconds more


def test_whose_client_has_left_counts(guessed, guess, slowed, make_user):
    """However soon it hangs up: what was judged was a guess."""
    user, here = make_user(), address()

    def judged():
        with open(guessed.error_log, encoding='utf-8', errors='replace') as log:
            return sum(f'Failed login of "{user["username"]}" from {here} ' in line for line in log)

    def guess_and_hang_up():
        request = [
            'POST /0.1/token HTTP/1.1',
            'Host: x',
            'Content-Length: 2',
            f'X-Forwarded-For: {here}',
            f"Authorization: {basic(user['username'], SECRETS.new_password())}",
        ]
        with socket.create_connection(('127.0.0.1', guessed.api.port)) as connection:
            connection.sendall('\r\n'.join(request).encode() + b'\r\n\r\n{}')
            connection.settimeout(0.02)
            with pytest.raises(TimeoutError):
                connection.recv(1)  # it is at work by now
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))

    # On a busy machine nobody looks at some of them, and those that count make others wait.
    end = time.monotonic() + 60
    while judged() < 5 and slowed()[0] == 0 and time.monotonic() < end:
        before = judged()
        guess_and_hang_up()
        with contextlib.suppress(TimeoutError):
            servers.wait_until(lambda was=before: judged() > was, timeout=1)
    guess(user['username'], {'X-Forwarded-For': here}, times=3)
    assert slowed()[0] >= 2


def test_a_worn_out_refresh_token_slows_down_no_other(attempt, slowed, make_user):
    here, user = elsewhere(), make_user()
    good = attempt(credentials(user), here, access_type='offline', client_id='c').json()['data']['refresh_token']
    for number in range(8):
        assert attempt(None, here, refresh_token=NO_TOKEN, client_id=f'c{number}').status_code == 401
    assert attempt(None, here, refresh_token=good, client_id='c').status_code == 200
    # The same one again and again, however often.
    for _ in range(50):
        assert attempt(None, here, refresh_token=NO_TOKEN, client_id='c').status_code == 401
    assert attempt(credentials(user), here).status_code == 200
    assert slowed() == (0, 0)


def test_a_refresh_token_doesnt_make_up_for_guesses_at_somebody_else(attempt, guess, slowed, make_user):
    here, victim, guesser = elsewhere(), make_user(), make_user()
    token = attempt(credentials(guesser), here, access_type='offline', client_id='c').json()['data']['refresh_token']
    for _ in range(5):
        answer = attempt((victim['username'], SECRETS.new_password()), here, refresh_token=token, client_id='c')
        assert answer.status_code == 200
        guess(victim['username'], here)
    assert slowed() == (0, 0)
    guess(victim['username'], here)
    assert slowed() == (1, 0)


def test_a_wrong_refresh_token_is_no_guess_at_the_login_beside_it(attempt, slowed, make_user):
    here, user = elsewhere(), make_user()
    for number in range(8):
        answer = attempt(credentials(user), here, refresh_token=NO_TOKEN, client_id=f'c{number}')
        assert answer.status_code == 401
    assert attempt(credentials(user), here).status_code == 200
    assert slowed() == (0, 0)


def test_a_burst_at_one_address_is_slowed_down(attempt, guess, slowed):
    here = elsewhere()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: attempt(None, here, client_id=f'c{number}').status_code, range(70)))
    assert set(answers) == {401}
    start = time.monotonic()
    guess(label('t'), here)
    assert time.monotonic() - start > 0.05
    assert slowed()[0] > 0


# -- the owner among others --------------------------------------------------------------------------------------------


def test_phones_with_old_passwords_lock_nobody_out(attempt, slowed, make_user):
    user, here, gone = make_user(), elsewhere(), threading.Event()

    def phone(_):
        old, answers = SECRETS.new_password(), []
        while not gone.wait(0.5):
            answers.append(attempt((user['username'], old), here).status_code)
        return answers

    with ThreadPoolExecutor(4) as pool:
        phones = [pool.submit(phone, number) for number in range(4)]
        times = []
        for _ in range(8):
            start = time.monotonic()
            assert attempt(credentials(user), here).status_code == 200
            times.append(time.monotonic() - start)
            gone.wait(1)
        gone.set()
        for each in phones:
            assert len(each.result()) > 5 and set(each.result()) == {401}
    # Phones that repeat themselves faster than four times a second wait in a queue of their own, and nobody is refused.
    assert slowed()[1] == 0
    assert max(times) < 3  # of hashing


def test_a_password_that_was_wrong_may_become_right(api, admin_token, attempt, slowed, make_user):
    user, here, later = make_user(), elsewhere(), SECRETS.new_password()
    for _ in range(8):
        assert attempt((user['username'], later), here).status_code == 401
    change = {'old_password': user['password'], 'new_password': later}
    assert api.put(f"/users/{user['uuid']}/password", admin_token, json=change).status_code == 204
    assert attempt((user['username'], later), here).status_code == 200
    assert slowed() == (0, 0)


def test_the_old_password_is_guessed_at_as_slowly(guessed, admin_token, slowed, make_user):
    user, other, here, there = make_user(), make_user(), elsewhere(), elsewhere()

    def change(word, headers, user=user, token=admin_token, timeout=60):
        answer = guessed.api.put(
            f"/users/{user['uuid']}/password",
            token,
            headers=headers,
            timeout=timeout,
            json={'old_password': word, 'new_password': user['password']},
        )
        return answer.status_code

    for _ in range(8):  # without a token nothing is tried
        assert change(SECRETS.new_password(), here, token=str(uuid.uuid4())) == 401
    again = SECRETS.new_password()
    for _ in range(6):
        assert change(again, here) == 401
    for _ in range(4):
        assert change(SECRETS.new_password(), here) == 401
    start = time.monotonic()
    assert change(user['password'], here) == 204
    assert time.monotonic() - start > 0.3
    assert slowed() == (1, 0)
    assert change(user['password'], here) == 204
    for _ in range(8):
        assert change(SECRETS.new_password(), here) == 401
    assert slowed() == (4, 0)
    assert change(user['password'], there) == 204
    assert change(other['password'], here, user=other) == 204
    assert slowed() == (4, 0)

    def soon(_):
        try:
            return change(SECRETS.new_password(), here, timeout=3)
        except requests.Timeout:
            return None

    with ThreadPoolExecutor(8) as pool:
        assert 429 in pool.map(soon, range(8))


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'form',
    [
        '{}',
        '{}:5000%d',
        '"{}"',
        '"{}:5000%d"',
        '10.0.0.%d  ,  {}',
        '::ffff:{}',
        '[::ffff:{}]:5000%d',
        '[::FFFF:{}]',
        '10.0.0.%d, {}:1',
    ],
)
def test_a_proxy_names_an_address_in_many_ways(attempt, slowed, make_user, guessed, form):
    user, here = make_user(), address()
    for number in range(5):
        header = form.replace('%d', str(number)).format(here)
        assert attempt((user['username'], SECRETS.new_password()), {'X-Forwarded-For': header}).status_code == 401
    answer = attempt(credentials(user), {'X-Forwarded-For': form.replace('%d', '9').format(here)})
    assert answer.json()['data']['remote_addr'] == here
    assert slowed() == (1, 0)
    text = guessed.error_log.read_text(errors='replace')
    assert len(re.findall(f'Failed login of "{user["username"]}" from {re.escape(here)} ', text)) == 5


@pytest.mark.parametrize('form', ['{}', '[{}]', '[{}]:5000%d', '"[{}]:5000%d"', '{}%%eth0'])
def test_the_same_in_ipv6(attempt, slowed, make_user, form):
    user, network = make_user(), f'2001:db8:{uuid.uuid4().int % 0xFFFF + 1:x}:1'
    for number in range(5):
        header = form.replace('%d', str(number)).replace('%%', '%').format(f'{network}:0:0:0:{number}')
        assert attempt((user['username'], SECRETS.new_password()), {'X-Forwarded-For': header}).status_code == 401
    header = form.replace('%d', '9').replace('%%', '%').format(f'{network.upper()}:0:0:0:7')
    assert attempt(credentials(user), {'X-Forwarded-For': header}).json()['data']['remote_addr'] == f'{network}::7'
    assert slowed() == (1, 0)


def test_ipv4_in_ipv6_is_many_addresses(attempt, guess, slowed, make_user):
    user = make_user()
    guess(user['username'], {'X-Forwarded-For': f'::ffff:{address()}'}, times=5)
    for form in ('::ffff:{}', '{}'):
        assert attempt(credentials(user), {'X-Forwarded-For': form.format(address())}).status_code == 200
    assert slowed() == (0, 0)


@pytest.mark.parametrize(
    'nothing', ['unknown', '_hidden', 'unix:', 'a.example.com', '198.51.100.300', '198.51.100.7 x', '[::1']
)
def test_what_is_no_address_is_not_believed(attempt, make_user, nothing):
    answer = attempt(credentials(make_user()), {'X-Forwarded-For': nothing})
    assert answer.json()['data']['remote_addr'] == '127.0.0.1'


def test_a_socket_for_both(slowed, make_user):
    user = make_user()
    for _ in range(5):
        assert log_in(PORTS['both'], user, word=SECRETS.new_password(), source='127.0.0.2').status == 401
    assert log_in(PORTS['both'], user, word=SECRETS.new_password(), source='127.0.0.2').status == 401
    assert slowed() == (1, 0)
    assert log_in(PORTS['both'], user, source='127.0.0.3').remote_addr == '127.0.0.3'
    assert log_in(PORTS['both'], user, to='::1').remote_addr == '::1'
    assert slowed() == (1, 0)
    assert log_in(PORTS['both'], user, source='127.0.0.2').remote_addr == '127.0.0.2'
    # A trusted proxy is one there, too, and nobody else.
    forwarded = {'X-Forwarded-For': '198.51.100.7'}
    assert log_in(PORTS['both'], user, forwarded).remote_addr == '198.51.100.7'
    assert log_in(PORTS['both'], user, forwarded, source='127.0.0.3').remote_addr == '127.0.0.3'


def test_its_own_address_in_a_redirect():
    port = PORTS['both']
    assert ask(port, 'GET', '//users', version='1.0').location == f'http://127.0.0.1:{port}/0.1/users'
    assert ask(port, 'GET', '//users', to='::1', version='1.0').location == f'http://[::1]:{port}/0.1/users'


FORWARDED = {'X-Forwarded-For': '198.51.100.7', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'pbx.example.org'}
PUBLIC = 'https://pbx.example.org/0.1/users'


def own(name):
    return f'http://127.0.0.1:{PORTS[name]}/0.1/users'


def test_a_proxy_is_one_beside_realip(make_user):
    assert ask(PORTS['real'], 'GET', '//users', FORWARDED).location == PUBLIC
    assert log_in(PORTS['real'], make_user(), FORWARDED).remote_addr == '198.51.100.7'
    # realip has the last word on the address: it went further back than we would.
    chain = FORWARDED | {'X-Forwarded-For': '198.51.100.8, 127.0.0.1'}
    assert log_in(PORTS['real'], make_user(), chain).remote_addr == '198.51.100.8'


def test_realip_makes_nobody_a_proxy(make_user):
    forged = FORWARDED | {'X-Forwarded-For': '127.0.0.1'}
    assert ask(PORTS['wide'], 'GET', '//users', forged, source='127.0.0.2').location == own('wide')
    assert ask(PORTS['wide'], 'GET', '//users', forged).location == PUBLIC
    assert ask(PORTS['real'], 'GET', '//users', forged, source='127.0.0.2').location == own('real')
    assert log_in(PORTS['real'], make_user(), FORWARDED, source='127.0.0.2').remote_addr == '127.0.0.2'


def proxied(source, name='proxied', **options):
    return {'preamble': f'PROXY TCP{6 if ":" in source else 4} {source} {source} 50001 443\r\n'.encode(), **options}


@pytest.mark.parametrize('name', ['proxied', 'real_proxied'])
def test_the_proxy_protocol_names_who_speaks(make_user, slowed, name):
    port, user = PORTS[name], make_user()
    here, forged = address(), {'X-Forwarded-For': '203.0.113.66'}
    assert log_in(port, user, **proxied(here)).remote_addr == here
    # What such a balancer passes on are its clients' words, not its own.
    assert log_in(port, user, forged, **proxied(here)).remote_addr == here
    assert ask(port, 'GET', '//users', FORWARDED, **proxied(here)).location == own(name)
    assert log_in(port, user, **proxied('2001:db8:0:0::7')).remote_addr == '2001:db8::7'
    # A trusted proxy behind it is believed.
    assert ask(port, 'GET', '//users', FORWARDED, **proxied('127.0.0.1')).location == PUBLIC
    assert log_in(port, user, FORWARDED, **proxied('127.0.0.1')).remote_addr == '198.51.100.7'
    # Anybody can write a line.
    assert ask(port, 'GET', '//users', FORWARDED, source='127.0.0.2', **proxied('127.0.0.1')).location == own(name)
    assert log_in(port, user, FORWARDED, source='127.0.0.2', **proxied('127.0.0.1')).remote_addr == '127.0.0.2'
    for number in range(5):
        guess = FORWARDED | {'X-Forwarded-For': f'203.0.113.{number}'}
        assert log_in(port, user, guess, SECRETS.new_password(), **proxied(here)).status == 401
    assert log_in(port, user, FORWARDED, SECRETS.new_password(), **proxied(here)).status == 401
    assert slowed() == (1, 0)
    assert log_in(port, user, **proxied(address())).status == 200
    assert slowed() == (1, 0)
