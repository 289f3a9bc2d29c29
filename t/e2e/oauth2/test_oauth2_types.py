"""Types of external services of an administrator's own. No other nginx starts meanwhile: it would switch them off."""
import uuid

import pytest
import requests

from support import servers
from support.checks import error
from support.external import code, of, path_of, pending
from support.logs import SECRETS


@pytest.fixture(scope='module')
def own_types(stack, world, psql):
    nginx = stack.new_nginx(
        'oauth2-types',
        settings={
            'oauth2_synchronization_ws_url_template': f'ws://127.0.0.1:{world.broker.port}/ws/{{state}}',
            'enabled_external_auth_plugins': {'foo': True, 'google': True, 'off': False},
            'external_auth_types': {
                'foo': {'awaited': ['access_token']},
                'bar': {
                    'plugin_info': {'foo': 'bar'},
                    'shown': {'scope': {'type': 'list', 'items': {'type': 'string'}}},
                },
                'badge': {
                    'data': {
                        'number': {'required': True, 'min_length': 2, 'max_length': 4},
                        'doors': {'type': 'list', 'items': {'type': 'integer', 'minimum': 1}},
                        'kind': {'choices': ['a', 'b'], 'nullable': True},
                    }
                },
                'off': {},
            },
        },
        environment={'OAUTHLIB_INSECURE_TRANSPORT': '1'},
    )
    yield nginx
    nginx.stop()
    # As any other start would.
    psql("UPDATE auth_external_auth_type SET enabled = name IN ('google', 'microsoft', 'mobile')")


def test_a_type_that_only_stores(own_types, admin_token, make_user, bus):
    api, user = own_types.api, make_user()

    def users_of_bar():
        return [item['uuid'] for item in api.get('/external/bar/users', admin_token).json()['items']]

    path = path_of(user, 'bar')
    data = {'secret': 'x', 'scope': ['one', 'two'], 'n': {'deep': [None]}}
    for method in ('GET', 'PUT', 'DELETE'):
        error(api.request(method, path, admin_token, data='{}'), 404, 'unknown-external-auth')
    answer = api.post(path, admin_token, json=data)
    assert (answer.status_code, answer.json()) == (200, data)
    bus.wait('auth_user_external_auth_added', of(user))
    error(api.post(path, admin_token, json=data), 409, 'conflict')
    assert api.get(path, admin_token).json() == data
    items = {item['type']: item for item in api.get(f"/users/{user['uuid']}/external", admin_token).json()['items']}
    assert items['bar'] == {
        'type': 'bar',
        'data': {'scope': ['one', 'two']},
        'enabled': True,
        'plugin_info': {'foo': 'bar'},
    }
    assert items['foo'] == {'type': 'foo', 'data': {}, 'enabled': False, 'plugin_info': {}}
    assert sorted(items) == ['badge', 'bar', 'foo', 'google', 'microsoft', 'mobile']
    answer = api.put(path, admin_token, json={'scope': 'no list'})
    assert (answer.status_code, answer.json()) == (200, {'scope': 'no list'})
    bus.wait('auth_user_external_auth_updated', of(user))
    listed = api.get(f"/users/{user['uuid']}/external?type=bar", admin_token).json()['items']
    assert listed == [{'type': 'bar', 'data': {}, 'enabled': True, 'plugin_info': {'foo': 'bar'}}]
    assert user['uuid'] in users_of_bar()
    assert api.delete(path, admin_token).status_code == 204
    assert user['uuid'] not in users_of_bar()
    bus.wait('auth_user_external_auth_deleted', of(user))
    for method in ('GET', 'POST', 'PUT', 'DELETE'):
        error(api.request(method, f'/users/{uuid.uuid4()}/external/bar', admin_token, data='{}'), 404, 'unknown-user')
        answer = api.request(method, path_of(user, 'off'), admin_token, data='{}')
        assert answer.status_code == 404 and 'error_id' not in answer.text


@pytest.mark.parametrize('type_', ['bar', 'foo'])
def test_what_is_stored_is_an_object(own_types, admin_token, make_user, psql, type_):
    api, user = own_types.api, make_user()
    for method in ('POST', 'PUT'):
        for body in ('[1]', '"x"', '7', 'true'):
            found = error(api.request(method, path_of(user, type_), admin_token, data=body), 400, 'invalid-data')
            assert found['resource'] == 'users'
            assert found['details'] == {'_schema': {'message': 'Invalid input type.'}}
        for body in ('', '{', b'\xff'):
            answer = api.request(method, path_of(user, type_), admin_token, data=body)
            assert (answer.status_code, list(answer.json())) == (400, ['message'])
    error(api.get(path_of(user, type_), admin_token), 404, 'unknown-external-auth')
    assert pending(psql, user) == '0'


def test_events_of_a_stored_type(own_types, admin_token, make_user, bus):
    api, user = own_types.api, make_user()
    for method in ('POST', 'PUT', 'DELETE'):
        api.request(method, path_of(user, 'bar'), admin_token, data='{}')
    for method in ('PUT', 'DELETE'):  # nothing is told of what isn't done
        error(api.request(method, path_of(user, 'bar'), admin_token, data='{}'), 404, 'unknown-external-auth')
    api.post(path_of(user, 'badge'), admin_token, json={})
    api.post(path_of(user, 'badge'), admin_token, json={'number': 'xx'})
    bus.wait(
        'auth_user_external_auth_added', lambda event: event.key == f"auth.users.{user['uuid']}.external.badge.created"
    )
    prefix = f"auth.users.{user['uuid']}.external."
    events = [event for event in bus.events if event.key.startswith(prefix)]
    assert [event.key.removeprefix(prefix) for event in events] == [
        'bar.created',
        'bar.updated',
        'bar.deleted',
        'badge.created',
    ]
    for event in events[:3]:
        assert event.body['data'] == {'user_uuid': user['uuid'], 'external_auth_name': 'bar'}
        assert event.headers['tenant_uuid'] == user['tenant_uuid']
        assert event.headers[f"user_uuid:{user['uuid']}"] is True


def test_who_may_do_what_with_a_stored_type(own_types, api, admin_token, make_user, make_token):
    client = own_types.api
    tenant = {'Wazo-Tenant': api.post('/tenants', admin_token, json={}).json()['uuid']}
    user = make_user(headers=tenant)
    path = path_of(user, 'bar')
    calls = {'create': ('POST', 200), 'read': ('GET', 200), 'update': ('PUT', 200), 'delete': ('DELETE', 204)}
    for right, (method, status) in calls.items():
        tokens = {
            each: make_token(make_user(acl=[f'auth.users.*.external.bar.{each}'], headers=tenant))['token']
            for each in calls
        }
        for each, token in tokens.items():
            if each != right:
                error(client.request(method, path, token, data='{}'), 401, 'unauthorized')
        answer = client.request(method, path, tokens[right], data='{}')
        assert answer.status_code == status, answer.text
    # Somebody who isn't below the caller is nobody.
    outside = make_user()
    client.post(path_of(outside, 'bar'), admin_token, json={'secret': 'x'})
    caller = make_token(make_user(acl=['#'], headers=tenant))['token']
    for method, _ in calls.values():
        error(client.request(method, path_of(outside, 'bar'), caller, data='{}'), 404, 'unknown-user')
    assert client.get(path_of(outside, 'bar'), admin_token).json() == {'secret': 'x'}


def test_declared_data(own_types, admin_token, make_user):
    api, user = own_types.api, make_user()
    path = path_of(user, 'badge')
    for body in (
        {},
        {'number': 'x'},
        {'number': 'xxxxx'},
        {'number': 7},
        {'number': None},
        {'number': 'xx', 'doors': [0]},
        {'number': 'xx', 'doors': 'a'},
        {'number': 'xx', 'kind': 'c'},
    ):
        found = error(api.post(path, admin_token, json=body), 400, 'invalid-data')
        assert found['resource'] == 'users'
        assert list(found['details']) == (list(body)[1:] or ['number'])
    error(api.get(path, admin_token), 404, 'unknown-external-auth')
    body = {'number': 'xx', 'doors': [1, 2], 'kind': None}
    answer = api.post(path, admin_token, json=body | {'unknown': 1})
    assert (answer.status_code, answer.json()) == (200, body)
    error(api.put(path, admin_token, json={'doors': []}), 400, 'invalid-data')
    assert api.get(path, admin_token).json() == body
    paths = own_types.api.get('/api/api.yml').text
    assert '/users/{user_uuid}/external/badge' in paths and 'auth.users.{user_uuid}.external.badge.create' in paths


def test_data_that_a_broker_completes(own_types, world, admin_token, make_user, bus):
    api, user = own_types.api, make_user()
    path = path_of(user, 'foo')
    answer = api.post(path, admin_token, json={'scope': ['one']})
    state = SECRETS.password(answer.json()['state'])
    assert (answer.status_code, answer.json()) == (200, {'scope': ['one'], 'state': state})
    secret = code()
    requests.get(
        f'http://127.0.0.1:{world.broker.port}/foo/authorize',
        params={'access_token': secret, 'code': 'c', 'state': state},
        timeout=10,
    ).raise_for_status()
    event = bus.wait('auth_user_external_auth_authorized', of(user))
    assert event.key == f"auth.users.{user['uuid']}.external.foo.authorized"
    assert api.get(path, admin_token).json() == {'scope': ['one'], 'state': state, 'access_token': secret}
    # Of data that is gone, or another, nothing comes back.
    api.delete(path, admin_token)
    state = api.post(path, admin_token, json={}).json()['state']
    api.put(path, admin_token, json={'other': 1})
    world.broker.tell(state, {'access_token': secret})
    servers.wait_until(lambda: state not in world.broker.waiting, 10)
    assert api.get(path, admin_token).json() == {'other': 1}
