"""External services: the generic operations and mobile. docs/spec/federation.md sections 5 and 7."""
import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.checks import UNKNOWN, error
from support.external import of, path_of

NOBODY = f'/users/{UNKNOWN}/external/mobile'
FIELDS = ['token', 'apns_token', 'apns_voip_token', 'apns_notification_token', 'apns_call_topic', 'apns_default_topic']


def service():
    return f'service-{uuid.uuid4().hex[:10]}'


@pytest.fixture(scope='module')
def tenants(api, admin_token):
    """A tenant below the master, another one below that, and one beside them."""
    top = {'Wazo-Tenant': api.post('/tenants', admin_token, json={}).json()['uuid']}
    below = {'Wazo-Tenant': api.post('/tenants', admin_token, json={}, headers=top).json()['uuid']}
    beside = {'Wazo-Tenant': api.post('/tenants', admin_token, json={}).json()['uuid']}
    return {'top': top, 'below': below, 'beside': beside}


@pytest.fixture
def caller(make_user, make_token, tenants):
    """Somebody of a tenant who may do everything there."""
    return make_token(make_user(acl=['#'], headers=tenants['top']))['token']


# -- configuration -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'config', [{'client_id': 'é', 'a': [1, None, {}]}, {}, [], 'text', 7, 1.5, True, None, '', {'n': 'a\0b'}]
)
def test_configuration_is_any_json(api, admin_token, config):
    path = f'/external/{service()}/config'
    answer = api.post(path, admin_token, data=json.dumps(config), headers={'Content-Type': 'application/json'})
    assert (answer.status_code, answer.json()) == (201, '')
    answer = api.get(path, admin_token)
    assert (answer.status_code, answer.json()) == (200, config)
    assert api.put(path, admin_token, json={'other': config}).status_code == 204
    assert api.get(path, admin_token).json() == {'other': config}
    assert api.delete(path, admin_token).status_code == 204
    error(api.get(path, admin_token), 404, 'unknown-external-auth')


def test_a_body_that_is_no_json_changes_nothing(api, admin_token):
    path = f'/external/{service()}/config'
    for method in ('POST', 'PUT'):
        for body in (b'', b'{', b'\xff\xfe\x00', b'{} {}', b'[' * 100000):
            answer = api.request(method, path, admin_token, data=body, headers={'Content-Type': 'application/json'})
            assert (answer.status_code, list(answer.json())) == (400, ['message'])
    error(api.get(path, admin_token), 404, 'unknown-config')


def test_a_configuration_belongs_to_one_tenant(api, admin_token, tenants):
    type_ = service()
    path = f'/external/{type_}/config'
    assert api.post(path, admin_token, json={'of': 'top'}, headers=tenants['top']).status_code == 201
    for other in (tenants['below'], tenants['beside'], {}):
        found = error(api.get(path, admin_token, headers=other), 404, 'unknown-external-auth', type=type_)
        assert found['resource'] == type_
        error(api.put(path, admin_token, json={}, headers=other), 404, 'unknown-external-auth', type=type_)
        error(api.delete(path, admin_token, headers=other), 404, 'unknown-external-auth', type=type_)
    assert api.get(path, admin_token, headers=tenants['top']).json() == {'of': 'top'}


def test_unknown_types(api, admin_token):
    for type_ in (service(), 'a.b', 'é', "'"):
        path = f'/external/{type_}/config'
        error(api.get(path, admin_token), 404, 'unknown-config')
        found = error(api.put(path, admin_token, json={}), 404, 'unknown-external-auth-type')
        assert found['resource'] == 'external'
        error(api.delete(path, admin_token), 404, 'unknown-external-auth-type')
        error(api.get(f'/external/{type_}/users', admin_token), 404, 'unknown-external-auth-type')


def test_configured_twice_at_once(api, api2, admin_token):
    type_ = service()
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda i: (api, api2)[i % 2].post(f'/external/{type_}/config', admin_token, json={'n': i}), range(8)
            )
        )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    winner = next(i for i, answer in enumerate(answers) if answer.status_code == 201)
    assert api.get(f'/external/{type_}/config', admin_token).json() == {'n': winner}
    found = error(next(answer for answer in answers if answer.status_code == 409), 409, 'conflict', type=type_)
    assert found['resource'] == type_


def test_a_point_in_a_type_is_an_underscore_in_the_access(api, make_user, make_token):
    token = make_token(make_user(acl=['auth.a_b.external.config.read']))['token']
    error(api.get('/external/a.b/config', token), 404, 'unknown-config')
    error(api.get('/external/a.c/config', token), 401, 'unauthorized')


def send(method, path, token, text):
    return method(path, token, data=text, headers={'Content-Type': 'application/json'})


@pytest.mark.parametrize('digits', ['9223372036854775807', '9223372036854775808', '-9223372036854775809', '7' * 4300])
def test_configuration_keeps_integers(api, admin_token, digits):
    path = f'/external/{service()}/config'
    assert send(api.post, path, admin_token, f'{{"n": [{digits}]}}').status_code == 201
    assert api.get(path, admin_token).text == f'{{"n": [{digits}]}}\n'
    assert send(api.put, path, admin_token, f'{{"m": {digits}}}').status_code == 204
    assert api.get(path, admin_token).text == f'{{"m": {digits}}}\n'


@pytest.mark.parametrize('value', ['NaN', 'Infinity', '-Infinity', '1e400', '-1e400', '7' * 4301, '-' + '7' * 4301])
def test_configuration_refuses_what_is_no_number(api, admin_token, value):
    path = f'/external/{service()}/config'
    wrong = f'{{"a": [{{"n": {value}}}]}}'
    answer = send(api.post, path, admin_token, wrong)
    assert (answer.status_code, list(answer.json())) == (400, ['message'])
    assert send(api.post, path, admin_token, '{"a": 1e308}').status_code == 201
    answer = send(api.put, path, admin_token, wrong)
    assert (answer.status_code, list(answer.json())) == (400, ['message'])
    assert api.get(path, admin_token).json() == {'a': 1e308}


def nested(depth):
    return '{"a": ' * (depth - 1) + '[]' + '}' * (depth - 1)


@pytest.mark.parametrize('depth', [951, 2000, 2048, 100000])
def test_configuration_is_not_too_deep(api, admin_token, depth):
    path = f'/external/{service()}/config'
    answer = send(api.post, path, admin_token, nested(depth))
    assert (answer.status_code, list(answer.json())) == (400, ['message'])
    assert send(api.post, path, admin_token, nested(950)).status_code == 201
    assert send(api.put, path, admin_token, nested(depth)).status_code == 400
    assert api.get(path, admin_token).text == nested(950) + '\n'


def test_the_words_of_the_catalogue(api, admin_token, make_user):
    """docs/spec/http-conventions.md section 7.1."""
    type_, user = service(), make_user()

    def message(answer, status):
        assert answer.status_code == status, answer.text
        return answer.json()['message']

    path = f'/external/{type_}/config'
    for method in (api.get, api.put, api.delete):
        text = message(method(path, admin_token), 404)
        assert text == (
            f'Configuration for this external auth type "{type_}" is not defined.'
            if method == api.get
            else f'No such auth type: "{type_}"'
        )
    assert api.post(path, admin_token).status_code == 201
    text = f'This external authentication config has already been set: "{type_}"'
    assert message(api.post(path, admin_token), 409) == text
    assert api.delete(path, admin_token).status_code == 204
    for method in (api.get, api.put, api.delete):
        assert message(method(path, admin_token), 404) == f'No config found for this external auth type: "{type_}"'
    assert message(api.get(f'/external/{service()}x/users', admin_token), 404).startswith(
        'No such auth type: "service-'
    )
    path = path_of(user)
    for answer in (api.get(path, admin_token), api.delete(path, admin_token)):
        assert message(answer, 404) == 'No such external auth: "mobile"'
    assert api.post(path, admin_token, json={'token': 'T'}).status_code == 201
    text = 'This external authentication method has already been set: "mobile"'
    assert message(api.post(path, admin_token, json={'token': 'T'}), 409) == text


# -- mobile ------------------------------------------------------------------------------------------------------------


def test_mobile(api, admin_token, make_user, bus):
    user = make_user()
    path = path_of(user)
    error(api.get(path, admin_token), 404, 'unknown-external-auth', type='mobile')
    answer = api.post(path, admin_token, json={'token': 'T', 'apns_voip_token': '', 'nonsense': 1})
    assert answer.status_code == 201, answer.text
    stored = dict.fromkeys(FIELDS) | {'token': 'T', 'apns_voip_token': ''}
    assert list(answer.json().items()) == list(stored.items())
    assert api.get(path, admin_token).json() == stored
    event = bus.wait('auth_user_external_auth_added', of(user))
    assert event.body['data'] == {'user_uuid': user['uuid'], 'external_auth_name': 'mobile'}

    found = error(api.post(path, admin_token, json={'token': 'U'}), 409, 'conflict', type='mobile')
    assert found['resource'] == 'mobile'
    assert api.get(path, admin_token).json() == stored

    answer = api.put(path, admin_token, json={'apns_token': 'x' * 512})
    assert answer.status_code == 200
    assert answer.json() == api.get(path, admin_token).json() == dict.fromkeys(FIELDS) | {'apns_token': 'x' * 512}
    bus.wait('auth_user_external_auth_updated', of(user))

    assert api.delete(path, admin_token).status_code == 204
    bus.wait('auth_user_external_auth_deleted', of(user))
    error(api.delete(path, admin_token), 404, 'unknown-external-auth', type='mobile')
    bus.clear()
    assert api.put(path, admin_token, json={'token': None}).status_code == 200
    bus.wait('auth_user_external_auth_added', of(user))


def test_routing_keys_and_their_order(api, admin_token, make_user, bus):
    user = make_user()
    api.put(path_of(user), admin_token, json={})
    api.put(path_of(user), admin_token, json={})
    api.delete(path_of(user), admin_token)
    bus.wait('auth_user_external_auth_deleted', of(user))
    prefix = f"auth.users.{user['uuid']}.external.mobile"
    events = [event for event in bus.events if event.key.startswith(prefix)]
    assert [event.key for event in events] == [f'{prefix}.created', f'{prefix}.updated', f'{prefix}.deleted']
    for event in events:
        assert event.headers[f"user_uuid:{user['uuid']}"] is True
        assert event.headers['tenant_uuid'] == user['tenant_uuid']
        assert event.headers['required_access'] == f'event.{event.name}'


def test_rows_of_older_versions(api, admin_token, make_user, psql):
    user = make_user()
    psql(
        f"INSERT INTO auth_user_external_auth SELECT '{user['uuid']}', uuid, '{{\"token\": \"T\", \"apns_token\": null}}' "
        "FROM auth_external_auth_type WHERE name = 'mobile'"
    )
    assert api.get(path_of(user), admin_token).json() == {
        'token': 'T',
        'apns_token': None,
        'apns_call_topic': None,
        'apns_default_topic': None,
    }


def test_users_that_are_not_there_or_not_the_callers(api, admin_token, make_user, caller, tenants):
    outside = make_user(headers=tenants['beside'])
    api.post(path_of(outside), admin_token, json={'token': 'T'})
    for path, token in ((NOBODY, admin_token), (path_of(outside), caller)):
        for method, body in (('GET', None), ('POST', {}), ('PUT', {}), ('DELETE', None)):
            error(api.request(method, path, token, json=body), 404, 'unknown-user')
    assert api.get(path_of(outside), admin_token).json()['token'] == 'T'
    below = make_user(headers=tenants['below'])
    assert api.post(path_of(below), caller, json={}).status_code == 201
    assert api.get(path_of(below), caller).status_code == 200


def test_several_at_once(api, api2, admin_token, make_user):
    user = make_user()
    with ThreadPoolExecutor(8) as pool:
        posted = list(
            pool.map(lambda i: (api, api2)[i % 2].post(path_of(user), admin_token, json={'token': str(i)}), range(8))
        )
        assert sorted(answer.status_code for answer in posted) == [201] + [409] * 7
        put = list(
            pool.map(lambda i: (api, api2)[i % 2].put(path_of(user), admin_token, json={'token': str(i)}), range(8))
        )
        assert {answer.status_code for answer in put} == {200}
        deleted = list(pool.map(lambda i: (api, api2)[i % 2].delete(path_of(user), admin_token), range(8)))
        assert sorted(answer.status_code for answer in deleted) == [204] + [404] * 7


def test_a_user_who_goes_while_data_is_written(api, api2, admin_token, make_user):
    for _ in range(5):
        user = make_user()
        with ThreadPoolExecutor(4) as pool:
            puts = [pool.submit(api2.put, path_of(user), admin_token, json={'token': 'x'}) for _ in range(3)]
            assert api.delete(f"/users/{user['uuid']}", admin_token).status_code == 204
            assert {put.result().status_code for put in puts} <= {200, 404}


def test_the_sender_id(api, admin_token, tenants, make_user, psql):
    user = make_user()
    path = path_of(user) + '/sender_id'
    headers = tenants['below']
    error(api.get(path, admin_token, headers=headers), 404, 'unknown-external-auth', type='mobile')
    for config, sender in (({'fcm_sender_id': 'S'}, 'S'), ({}, None), ([], None), ({'fcm_sender_id': None}, None)):
        assert api.post('/external/mobile/config', admin_token, json=config, headers=headers).status_code == 201
        assert api.get(path, admin_token, headers=headers).json() == {'sender_id': sender}
        assert api.get(f'{NOBODY}/sender_id', admin_token, headers=headers).json() == {'sender_id': sender}
        assert api.delete('/external/mobile/config', admin_token, headers=headers).status_code == 204


# -- who has what ------------------------------------------------------------------------------------------------------


def test_what_a_user_has(api, admin_token, make_user, caller, tenants):
    user = make_user(headers=tenants['top'])
    api.post(path_of(user), admin_token, json={'token': 'secret-token'})
    path = f"/users/{user['uuid']}/external"
    nothing = {'data': {}, 'plugin_info': {}}
    expected = [
        {'type': 'google', 'enabled': False} | nothing,
        {'type': 'microsoft', 'enabled': False} | nothing,
        {'type': 'mobile', 'enabled': True} | nothing,
    ]
    answer = api.get(path, admin_token)
    assert answer.json() == {'filtered': 3, 'total': 3, 'items': expected}
    assert list(answer.json()['items'][0]) == ['type', 'data', 'enabled', 'plugin_info']
    for query, items in (
        ('direction=desc', expected[::-1]),
        ('limit=1', expected[:1]),
        ('limit=1&offset=2', expected[2:]),
        ('limit=0', []),
        ('offset=7', []),
        ('order=type&direction=asc', expected),
    ):
        assert api.get(f'{path}?{query}', admin_token).json() == {'filtered': 3, 'total': 3, 'items': items}
    for query, items in (
        ('search=O', expected),
        ('search=m%20b', expected[2:]),
        ('type=google', expected[:1]),
        ('type=GOOGLE', []),
        ('search=nothing', []),
    ):
        assert api.get(f'{path}?{query}', admin_token).json() == {'filtered': len(items), 'total': 3, 'items': items}
    for query in ('order=name', 'direction=up', 'limit=-1', 'offset=x', 'recurse=perhaps'):
        error(api.get(f'{path}?{query}', admin_token), 400, 'invalid-list-param')

    # Somebody else's user looks like nobody.
    outside = make_user(headers=tenants['beside'])
    api.post(path_of(outside), admin_token, json={})
    none = [item | {'enabled': False} for item in expected]
    assert api.get(f"/users/{outside['uuid']}/external", caller).json()['items'] == none
    assert api.get(f'/users/{UNKNOWN}/external', admin_token).json()['items'] == none
    assert api.get(path, caller).json()['items'] == expected


def test_users_of_a_type(api, admin_token, make_user, tenants):
    users = {name: make_user(headers=tenants[name]) for name in tenants}
    for user in users.values():
        api.post(path_of(user), admin_token, json={})

    def listed(name, **params):
        body = api.get('/external/mobile/users', admin_token, headers=tenants[name], params=params).json()
        assert body['total'] == body['filtered']
        return body['total'], [item['uuid'] for item in body['items']]

    total, uuids = listed('below')
    assert users['below']['uuid'] in uuids and users['top']['uuid'] not in uuids and total == len(uuids)
    total, uuids = listed('top', recurse='true')
    assert {users['below']['uuid'], users['top']['uuid']} <= set(uuids) and users['beside']['uuid'] not in uuids
    assert listed('top', recurse='true', limit=1, offset=1) == (total, sorted(uuids)[1:2])
    assert listed('top', recurse='true', limit=0) == (total, [])
    for query in ('order=uuid', 'order=', 'limit=x', 'recurse=perhaps'):
        error(api.get(f'/external/mobile/users?{query}', admin_token), 400, 'invalid-list-param')


def test_types_that_are_switched_off(stack, api, admin_token, make_user, psql):
    user = make_user()
    api.post(path_of(user), admin_token, json={})
    nginx = stack.new_nginx('external', settings={'enabled_external_auth_plugins': {'mobile': False}})
    try:
        assert nginx.api.get(path_of(user), admin_token).status_code == 404
        assert 'error_id' not in nginx.api.get(path_of(user), admin_token).text
        types = nginx.api.get(f"/users/{user['uuid']}/external", admin_token).json()['items']
        assert [item['type'] for item in types] == ['google', 'microsoft']
        assert nginx.api.get('/external/mobile/users', admin_token).json() == {'filtered': 0, 'total': 0, 'items': []}
    finally:
        nginx.stop()
        # As any other start would.
        psql("UPDATE auth_external_auth_type SET enabled = true WHERE name = 'mobile'")
    assert api.get(path_of(user), admin_token).status_code == 200


def test_plug_ins_of_the_daemon(stack, psql):
    """A type that only the Python daemon knows stays switched on as long as the configuration says so."""
    psql("INSERT INTO auth_external_auth_type (name, enabled) VALUES ('plug', true), ('gone', true)")
    nginx = stack.new_nginx('external', settings={'enabled_external_auth_plugins': {'plug': True}})
    try:
        assert psql("SELECT name, enabled FROM auth_external_auth_type WHERE name IN ('plug', 'gone') ORDER BY 1") == (
            'gone|f\nplug|t'
        )
    finally:
        nginx.stop()
        psql("DELETE FROM auth_external_auth_type WHERE name IN ('plug', 'gone')")


def test_what_goes_with_a_user_and_a_tenant(api, admin_token, make_user, psql):
    tenant = {'Wazo-Tenant': api.post('/tenants', admin_token, json={}).json()['uuid']}
    api.post('/external/google/config', admin_token, json={'client_secret': 'x'}, headers=tenant)
    user = make_user(headers=tenant)
    api.post(path_of(user), admin_token, json={})
    assert api.delete(f"/users/{user['uuid']}", admin_token).status_code == 204
    assert api.delete(f"/tenants/{tenant['Wazo-Tenant']}", admin_token).status_code == 204
    assert psql(f"SELECT count(*) FROM auth_user_external_auth WHERE user_uuid = '{user['uuid']}'") == '0'
    assert psql(f"SELECT count(*) FROM auth_external_auth_config WHERE tenant_uuid = '{tenant['Wazo-Tenant']}'") == '0'


def test_events_of_a_tenant_s_configuration(new_nginx, stack, api, admin_token, tenants, bus):
    """Only where they are switched on, and only for what has been changed."""
    nginx = new_nginx('config-events', settings={'amqp': {'uri': stack.rabbitmq.uri, 'external_config_events': True}})
    tenant, type_, silent = tenants['top']['Wazo-Tenant'], service() + '.x', service()

    def change(client, type_):
        path = f'/external/{type_}/config'
        error(client.put(path, admin_token, json={}, headers=tenants['top']), 404, 'unknown-external-auth-type')
        for method, status in (('POST', 201), ('POST', 409), ('PUT', 204), ('DELETE', 204), ('DELETE', 404)):
            body = None if method == 'DELETE' else {'a': 1}
            answer = client.request(method, path, admin_token, json=body, headers=tenants['top'])
            assert answer.status_code == status, answer.text

    change(api, silent)
    change(nginx.api, type_)
    bus.wait('auth_external_auth_deleted', lambda event: event.body['data'] == {'external_auth_name': type_})
    events = [each for each in bus.events if each.name.startswith('auth_external_auth_')]
    assert silent not in [each.body['data']['external_auth_name'] for each in events]
    assert [each.name.rpartition('_')[2] for each in events] == ['added', 'updated', 'deleted']
    for event, verb in zip(events, ('created', 'updated', 'deleted')):
        assert event.key == f"auth.tenants.{tenant}.external.{type_.replace('.', '__DOT__')}.{verb}"
        assert event.body['data'] == {'external_auth_name': type_}
        headers = event.headers
        assert (headers['tenant_uuid'], headers['user_uuid:*'], headers['required_access']) == (
            tenant,
            True,
            f'event.{event.name}',
        )
