"""Services that hand out tokens, for each module anew.

Fixtures of a module
  world                     support.external.World
  one_worker                the API of a further nginx, with one worker
Fixtures of a test
  ask(user, type_='google', client=None, **body)   what a user who wants to consent is told, with "query" of the URL
  connect(user)             connects a user to google
"""
from urllib.parse import parse_qsl, urlsplit

import pytest

from support import servers
from support.external import CLIENT, World, code, of, path_of
from support.logs import SECRETS


@pytest.fixture(scope='module')
def world(stack, api, admin_token, psql):
    made = World(stack)
    SECRETS.password(CLIENT['client_secret'])
    for type_ in ('google', 'microsoft', 'own', 'own_mock', 'through_mock'):
        assert api.post(f'/external/{type_}/config', admin_token, json=CLIENT).status_code == 201
    yield made
    for type_ in ('google', 'microsoft', 'own', 'own_mock', 'through_mock'):
        api.delete(f'/external/{type_}/config', admin_token)
    made.end()
    # As any other start would.
    psql("UPDATE auth_external_auth_type SET enabled = name IN ('google', 'microsoft', 'mobile')")


@pytest.fixture(autouse=True)
def clean(world):
    world.provider.reset()
    yield
    for value in world.provider.tokens:
        SECRETS.password(value)


@pytest.fixture
def ask(world, admin_token):
    def ask(user, type_='google', client=None, **body):
        answer = (client or world.api).post(path_of(user, type_), admin_token, json=body)
        assert answer.status_code == 201, answer.text
        query = dict(parse_qsl(urlsplit(answer.json()['authorization_url']).query))
        SECRETS.password(query['state'])
        return answer.json() | {'query': query}

    return ask


@pytest.fixture
def connect(world, ask, bus):
    """A user who is connected to google."""

    def connect(user):
        asked = ask(user)
        world.broker.tell(asked['state'], {'code': code(), 'state': asked['state']})
        bus.wait('auth_user_external_auth_added', of(user))
        world.provider.requests.clear()

    return connect


@pytest.fixture(scope='module')
def one_worker(world):
    """Of which one knows how many threads there are: 16 that ask providers."""
    nginx = world.new('one', servers.free_port(), workers=1, external_auth_timeout=10)
    yield nginx.api
    nginx.stop()
