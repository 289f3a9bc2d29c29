"""The operator's page as files: how they come, and what protects them."""
import subprocess

import pytest
import requests

SERVER = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        wazo_auth on;
        location /api/auth/ { wazo_auth_api prefix=/api/auth; }
        location /api/auth/ui { wazo_auth_ui; }
        location /elsewhere/ { wazo_auth_ui prefix=/elsewhere; }
        location ~ ^/by/pattern { wazo_auth_ui prefix=/by/pattern/; }
    }
"""
FILES = ('', 'app.js', 'app.css', 'icon.svg')
FIRST_SCREEN_BYTES = 150_000


@pytest.fixture(scope='module')
def site(new_nginx):
    return new_nginx('ui-served', SERVER)


def fetch(url, **headers):
    headers = {name.replace('_', '-'): value for name, value in headers.items()}
    return requests.get(url, headers={'Accept-Encoding': 'identity'} | headers, timeout=10, allow_redirects=False)


def raw_of(url, coding):
    with requests.get(url, headers={'Accept-Encoding': coding}, stream=True, timeout=10) as answer:
        return answer.raw.read(decode_content=False)


@pytest.mark.parametrize('file', FILES)
def test_a_file_comes_plain_or_compressed(address, file):
    plain = fetch(address + file)
    packed, tight = (fetch(address + file, Accept_Encoding=accepted) for accepted in ('gzip, br;q=0', 'gzip, br'))
    assert plain.status_code == packed.status_code == tight.status_code == 200
    assert 'Content-Encoding' not in plain.headers
    assert (packed.headers['Content-Encoding'], tight.headers['Content-Encoding']) == ('gzip', 'br')
    assert int(tight.headers['Content-Length']) < int(packed.headers['Content-Length'])
    assert plain.content == packed.content  # unpacked by requests
    unpacked = subprocess.run(['brotli', '-dc'], input=raw_of(address + file, 'br'), capture_output=True, check=True)
    assert unpacked.stdout == plain.content
    assert len({answer.headers['ETag'] for answer in (plain, packed, tight)}) == 3
    assert fetch(address + file, Accept_Encoding='gzip;q=0').headers['ETag'] == plain.headers['ETag']
    for answer in (plain, packed, tight):
        assert answer.headers['Vary'] == 'Accept-Encoding'
        assert answer.headers['Cache-Control'] == 'no-cache'
        assert answer.headers['X-Content-Type-Options'] == 'nosniff'
        assert answer.headers['Referrer-Policy'] == 'no-referrer'
        assert (
            answer.headers['Content-Type'].split(';')[0]
            == {
                'js': 'text/javascript',
                'css': 'text/css',
                'svg': 'image/svg+xml',
                '': 'text/html',
            }[file.rpartition('.')[2]]
        )


def test_a_file_that_is_known_is_not_sent_again(address):
    for encoding in ('identity', 'gzip', 'br'):
        first = fetch(address + 'app.js', Accept_Encoding=encoding)
        again = fetch(address + 'app.js', Accept_Encoding=encoding, If_None_Match=first.headers['ETag'])
        assert (again.status_code, again.content) == (304, b'')
        assert again.headers['ETag'] == first.headers['ETag']
        assert 'Content-Security-Policy' in again.headers
        assert fetch(address + 'app.js', Accept_Encoding=encoding, If_None_Match='"other"').status_code == 200


def test_the_policy_is_strict(address):
    policy = fetch(address).headers['Content-Security-Policy']
    rules = dict(rule.strip().split(' ', 1) for rule in policy.split(';'))
    assert rules.pop('default-src') == rules.pop('form-action') == rules.pop('base-uri') == "'none'"
    assert rules.pop('frame-ancestors') == rules.pop('trusted-types') == "'none'"
    assert rules.pop('require-trusted-types-for') == "'script'"
    assert set(rules.values()) == {"'self'"}


def test_methods_and_paths(site, address):
    head = requests.head(address, headers={'Accept-Encoding': 'identity'}, timeout=10)
    assert (head.headers['Content-Length'], head.content) == (fetch(address).headers['Content-Length'], b'')
    assert requests.post(address, data='x', timeout=10).status_code == 405
    for path in ('x', 'app.js/', '..%2fapp.js', 'app.js.gz', 'ui/'):
        assert fetch(address + path).status_code == 404
    assert fetch(address[:-1] + 'x').status_code == 404
    moved = fetch(address[:-1])
    assert (moved.status_code, moved.headers['Location'], moved.content) == (301, 'ui/', b'')
    assert requests.get(address[:-1], timeout=10).url == address
    root = f"http://127.0.0.1:{site.values['GATE_PORT']}"
    assert fetch(f'{root}/elsewhere/').content == fetch(f'{root}/by/pattern/').content == fetch(address).content


@pytest.mark.parametrize('coding', ['gzip', 'br'])
def test_the_first_screen_is_small(address, coding):
    sent = {}
    for file in FILES:
        with requests.get(address + file, headers={'Accept-Encoding': coding}, stream=True, timeout=10) as answer:
            assert answer.headers['Content-Encoding'] == coding
            headers = sum(len(name) + len(value) + 4 for name, value in answer.headers.items())
            sent[file or 'index.html'] = len(answer.raw.read(decode_content=False)) + headers
    print(f'the first screen takes {sum(sent.values())} bytes by {coding}')
    assert sum(sent.values()) <= FIRST_SCREEN_BYTES, sent
