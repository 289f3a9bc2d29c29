"""wazo-auth-gate: docs/platform.md."""
import json
import subprocess

import pytest

from support.servers import BUILD

DOCUMENT = """
swagger: '2.0'
info: {title: wazo-phoned}
basePath: /1.0
paths:
  /phones:
    get:
      description: '**Required ACL:** `phoned.phones.read`

        All of them.'
  /phones/{phone_id}/log:
    get:
      description: '**Required ACL:** `phoned.phones.{phone_id}.log.read`'
"""

OTHER_FILE = """
paths:
  /status:
    head: {description: '**Required ACL:** none'}
  /me:
    get: {summary: Who am I}
"""

OVERLAY = """
paths:
  /phones/{phone_id}/log:
    get: {x-token-in: query}
  /me:
    get: {x-required-acl: [phoned.me.read, phoned.users.me.read]}
"""


def run(*arguments):
    return subprocess.run(
        [BUILD / 'wazo-auth-gate', *arguments], text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=20
    )


@pytest.fixture
def phoned(tmp_path):
    folder = tmp_path / 'wazo_phoned' / 'plugins'
    for name, text in (('phones', DOCUMENT), ('status', OTHER_FILE)):
        (folder / name).mkdir(parents=True)
        (folder / name / 'api.yml').write_text(text)
    (tmp_path / 'overlay.yml').write_text(OVERLAY)
    return tmp_path


def test_help():
    done = run('--help')
    assert (done.returncode, done.stderr) == (0, '')
    assert 'routes FILE...' in done.stdout
    assert run('routes', '--help').stdout == done.stdout


@pytest.mark.parametrize(
    'arguments',
    [
        [],
        ['no-such-verb'],
        ['routes'],
        ['routes', 'x', '--no-such-option'],
        ['routes', 'x', '--prefix'],
        ['routes', 'x', '--json=1'],
        ['routes', 'x', '--prefix', '/a', '--prefix', '/b'],
    ],
)
def test_wrong_command_line(arguments):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr.startswith('wazo-auth-gate: ')


def test_routes(phoned):
    done = run('routes', phoned / 'wazo_phoned', '--prefix', '/api/phoned', '--overlay', phoned / 'overlay.yml')
    assert (done.returncode, done.stderr) == (0, '')
    files = [phoned / 'wazo_phoned/plugins' / name / 'api.yml' for name in ('phones', 'status')]
    overlay = phoned / 'overlay.yml'
    rows = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert [(method, path, ' '.join(rest.split())) for method, path, rest in rows] == [
        ('GET', '/api/phoned/1.0/me', f'phoned.me.read or phoned.users.me.read {overlay}:6 (corrected)'),
        ('GET', '/api/phoned/1.0/phones', f'phoned.phones.read {files[0]}:7'),
        (
            'GET',
            '/api/phoned/1.0/phones/{phone_id}/log',
            f'phoned.phones.{{phone_id}}.log.read ?token= {files[0]}:12 (corrected)',
        ),
        ('HEAD', '/api/phoned/1.0/status', f'(open) {files[1]}:4'),
    ]
    assert len({line.index(str(phoned)) for line in done.stdout.splitlines()}) == 1  # columns


def test_routes_as_json(phoned):
    done = run('routes', '--json', f'{phoned}/wazo_*/plugins/*/api.yml', f'--overlay={phoned}/overlay.yml')
    assert (done.returncode, done.stderr) == (0, '')
    routes = {(route['method'], route['path']): route for route in json.loads(done.stdout)}
    assert len(routes) == 4
    assert routes['GET', '/1.0/phones/{phone_id}/log'] == {
        'document': 'phoned',
        'method': 'GET',
        'path': '/1.0/phones/{phone_id}/log',
        'need': 'acl',
        'accesses': ['phoned.phones.{phone_id}.log.read'],
        'token_in_query': True,
        'stated_by': 'description',
        'corrected': True,
        'file': str(phoned / 'wazo_phoned/plugins/phones/api.yml'),
        'line': 12,
    }
    assert routes['HEAD', '/1.0/status']['need'] == 'open'
    assert json.loads(run('routes', '--json', phoned, '--name', 'p').stdout)[0]['document'] == 'p'


def test_routes_warns(phoned):
    done = run('routes', phoned / 'wazo_phoned')
    place = phoned / 'wazo_phoned/plugins/status/api.yml'
    assert done.returncode == 0
    assert done.stderr == (
        f"warning: {place}:6: GET /me: the document doesn't say what it needs: any valid token passes\n"
    )
    assert '(token)' in done.stdout


def test_routes_of_a_wrong_document(phoned):
    wrong = phoned / 'wrong.yml'
    wrong.write_text('paths:\n  /a:\n    get: {x-required-acl: a.#}\n')
    done = run('routes', phoned / 'wazo_phoned', wrong)
    assert (done.returncode, done.stdout) == (1, '')
    assert f'error: {wrong}:3: GET /a: x-required-acl must be ' in done.stderr
    assert done.stderr.endswith('\nwazo-auth-gate: there are errors, so there is no table\n')
    missing = phoned / 'missing.yml'
    done = run('routes', missing)
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr.startswith(f'error: {missing}: there is no such file\n')
