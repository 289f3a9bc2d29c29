"""Refresh tokens: how they are obtained, used, listed and lost.

docs/spec/endpoints.md sections 4.1 and 5, docs/spec/events.md.
"""
import json
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.checks import NO_TOKEN, UNKNOWN, below, error, label

MOBILE = {'Wazo-Session-Type': 'mobile'}
ELSEWHERE = {'X-Forwarded-For': '198.18.254.1'}  # failures there slow down no other test


@pytest.fixture(scope='module')
def offline(make_token):
    def offline(user, client_id=None, headers=None, **body):
        return make_token(user, headers=headers, access_type='offline', client_id=client_id or label('r'), **body)

    return offline


@pytest.fixture(scope='module')
def refresh(api):
    def refresh(token, client_id, headers=None, **body):
        return api.post(
            '/token', json={'refresh_token': token, 'client_id': client_id, **body}, headers=ELSEWHERE | (headers or {})
        )

    return refresh


@pytest.fixture(scope='module')
def insert(psql):
    """A refresh token made by SQL."""

    def insert(user, client_id, mobile=False, created_at='2026-01-02T03:04:05.678+00', metadata=None):
        return psql(
            'INSERT INTO auth_refresh_token (client_id, user_uuid, login, mobile, created_at, metadata) VALUES '
            f"('{client_id}', '{user['uuid']}', '{user['username']}', {mobile}, '{created_at}', "
            f"'{json.dumps(metadata or {})}') RETURNING uuid"
        ).split('\n')[0]

    return insert


def refused(answer):
    assert answer.status_code == 401, answer.text
    assert answer.json()['reason'] == ['Authentication Failed']


# -- obtained ----------------------------------------------------------------------------------------------------------


def test_an_offline_login_stores_a_refresh_token(offline, make_user, psql):
    user = make_user()
    token = offline(
        user | {'username': user['username'].upper()},
        'my.client',
        backend='any',
        headers={'User-Agent': 'Desk/2', 'X-Forwarded-For': '192.0.2.8'},
    )
    row = psql(
        "SELECT client_id, user_uuid, backend, login, user_agent, remote_addr, mobile, metadata, "
        f"now() - created_at < '1 minute' FROM auth_refresh_token WHERE uuid = '{token['refresh_token']}'"
    )
    assert row == f"my.client|{user['uuid']}|any|{user['username'].upper()}|Desk/2|192.0.2.8|f|{{}}|t"
    assert psql(f"SELECT refresh_token_uuid FROM auth_token WHERE uuid = '{token['token']}'") == token['refresh_token']


def test_the_backend_has_a_default(offline, make_user, psql):
    token = offline(make_user())['refresh_token']
    assert psql(f"SELECT backend FROM auth_refresh_token WHERE uuid = '{token}'") == 'wazo_user'


def test_an_online_login_gets_none(make_token, make_user, psql):
    user = make_user()
    for body in ({}, {'access_type': 'online'}, {'client_id': 'c'}):
        assert 'refresh_token' not in make_token(user, **body)
    assert psql(f"SELECT count(*) FROM auth_refresh_token WHERE user_uuid = '{user['uuid']}'") == '0'


def test_a_client_of_a_user_has_one_refresh_token(offline, make_user, psql):
    user, other = make_user(), make_user()
    first = offline(user, 'c', backend='first')['refresh_token']
    assert offline(user, 'c', backend='second')['refresh_token'] == first
    assert psql(f"SELECT backend FROM auth_refresh_token WHERE uuid = '{first}'") == 'first'
    assert len({first, offline(user, 'C')['refresh_token'], offline(other, 'c')['refresh_token']}) == 3


def test_a_client_of_a_user_has_one_refresh_token_among_logins_at_once(offline, make_user):
    user = make_user()
    with ThreadPoolExecutor(4) as pool:
        tokens = list(pool.map(lambda _: offline(user, 'c')['refresh_token'], range(4)))
    assert len(set(tokens)) == 1


def test_longest_client_ids(api, make_user, offline, refresh):
    user = make_user()
    client_id = 'é' * 1024
    assert refresh(offline(user, client_id)['refresh_token'], client_id).status_code == 200
    # The index of the table takes no row beyond 2.7 kB.
    client_id = ''.join(chr(random.randrange(0x10000, 0x1D800)) for _ in range(1024))
    answer = api.post(
        '/token', auth=(user['username'], user['password']), json={'access_type': 'offline', 'client_id': client_id}
    )
    assert (answer.status_code, list(answer.json())) == (400, ['message'])


# -- used --------------------------------------------------------------------------------------------------------------


def test_a_login_by_refresh_token(api, offline, refresh, make_user, psql):
    user = make_user(acl=['a.b'])
    first = offline(user, 'c')
    answer = refresh(first['refresh_token'], 'c', headers={'User-Agent': 'Other/1'}, expiration=60)
    assert answer.status_code == 200
    assert answer.headers['Wazo-Sessions-Revoked'] == '0'
    token = answer.json()['data']
    assert set(first) - set(token) == {'refresh_token'}
    for key in ('token', 'session_uuid'):
        assert token[key] != first[key]
    for key in ('auth_id', 'xivo_user_uuid', 'xivo_uuid', 'acl', 'metadata'):
        assert token[key] == first[key]
    assert token['user_agent'] == 'Other/1'
    row = psql(f"SELECT refresh_token_uuid, expire_t - issued_t FROM auth_token WHERE uuid = '{token['token']}'")
    assert row == f"{first['refresh_token']}|60"
    assert 'refresh_token' not in api.get(f"/token/{token['token']}").json()['data']


def test_both_keys_ask_for_it_whatever_else_there_is(api, make_user, offline, admin):
    token = offline(make_user(), 'c')
    body = {'refresh_token': token['refresh_token'], 'client_id': 'c', 'domain_name': 'example.com'}
    auth = admin['username'], admin['password']
    assert api.post('/token', json=body, auth=auth).json()['data']['auth_id'] == token['auth_id']
    # An empty one is one.
    refused(api.post('/token', json=body | {'refresh_token': ''}, auth=auth, headers=ELSEWHERE))


def test_wrong_refresh_tokens(offline, refresh, make_user):
    token = offline(make_user(), 'c')['refresh_token']
    for wrong, client_id in (
        (NO_TOKEN, 'c'),
        (token, 'C'),
        (token, 'other'),
        (token.upper(), 'c'),
        (token + ' ', 'c'),
        ('x' * 5000, 'c'),
        ('é', 'c'),
        (token, 'x' * 1024),
    ):
        refused(refresh(wrong, client_id))


def test_what_is_kept_with_a_refresh_token_comes_below_the_users_own_facts(insert, refresh, make_user):
    user = make_user()
    token = insert(user, 'c', metadata={'kept': ['é', 1], 'uuid': UNKNOWN, 'purpose': 'internal'})
    metadata = refresh(token, 'c').json()['data']['metadata']
    assert (metadata['kept'], metadata['uuid'], metadata['purpose']) == (['é', 1], user['uuid'], 'user')


def test_it_gives_what_its_user_has_by_now(api, admin_token, offline, refresh, make_user):
    user = make_user(acl=['a.b'])
    token = offline(user, 'c')
    [policy] = api.get(f"/users/{user['uuid']}/policies", admin_token).json()['items']
    assert api.delete(f"/policies/{policy['uuid']}", admin_token).status_code == 204
    assert refresh(token['refresh_token'], 'c').json()['data']['acl'] == []


def test_a_rename_changes_nothing(api, admin_token, offline, refresh, make_user, psql):
    mail = f"{label('r')}@example.com"
    user = make_user(email_address=mail)
    by_name = offline(user, 'by-name')['refresh_token']
    by_mail = offline(user | {'username': mail}, 'by-mail')['refresh_token']
    renamed = api.put(f"/users/{user['uuid']}", admin_token, json={'username': label('r')})
    assert renamed.status_code == 200
    psql(f"DELETE FROM auth_email WHERE address = '{mail}'")
    heir = make_user(username=user['username'], email_address=mail)
    for token, client_id in ((by_name, 'by-name'), (by_mail, 'by-mail')):
        assert refresh(token, client_id).json()['data']['auth_id'] == user['uuid'] != heir['uuid']


def test_it_rests_while_its_user_is_disabled(api, admin_token, offline, refresh, make_user):
    user = make_user()
    token = offline(user, 'c')['refresh_token']
    change = {'username': user['username']}
    assert api.put(f"/users/{user['uuid']}", admin_token, json=change | {'enabled': False}).status_code == 200
    refused(refresh(token, 'c'))
    assert api.put(f"/users/{user['uuid']}", admin_token, json=change | {'enabled': True}).status_code == 200
    assert refresh(token, 'c').status_code == 200


def test_it_dies_with_its_user(api, admin_token, offline, refresh, make_user, psql):
    user = make_user()
    token = offline(user, 'c')['refresh_token']
    assert api.delete(f"/users/{user['uuid']}", admin_token).status_code == 204
    refused(refresh(token, 'c'))
    assert psql(f"SELECT count(*) FROM auth_refresh_token WHERE uuid = '{token}'") == '0'


def test_it_outlives_a_change_of_password_and_its_tokens_dont(api, offline, refresh, make_user):
    user = make_user(acl=['auth.users.*.password.update'])
    token = offline(user, 'c')
    changed = api.put(
        f"/users/{user['uuid']}/password",
        token['token'],
        json={'old_password': user['password'], 'new_password': 'another-password-1'},
    )
    assert changed.status_code == 204, changed.text
    assert api.head(f"/token/{token['token']}").status_code == 404
    assert refresh(token['refresh_token'], 'c').status_code == 200


def test_any_method_that_there_is_will_do(offline, refresh, make_user, psql):
    user = make_user()
    token = offline(user, 'c')['refresh_token']
    for method, status in (('ldap', 200), ('saml', 200), ('smoke', 401), ('native', 200)):
        psql(f"UPDATE auth_user SET authentication_method = '{method}' WHERE uuid = '{user['uuid']}'")
        assert refresh(token, 'c').status_code == status, method


# -- mobiles -----------------------------------------------------------------------------------------------------------


def sessions_of(psql, user):
    text = psql(f"SELECT session_uuid FROM auth_token WHERE auth_id = '{user['uuid']}'")
    return set(text.split('\n')) - {''}


def revoked_by(api, user, client_id, headers=MOBILE):
    answer = api.post(
        '/token',
        auth=(user['username'], user['password']),
        headers=headers,
        json={'access_type': 'offline', 'client_id': client_id},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()['data'], answer.headers['Wazo-Sessions-Revoked']


def test_a_mobile_replaces_its_own_refresh_token(api, refresh, make_user, psql):
    user = make_user()
    old, revoked = revoked_by(api, user, 'phone')
    assert revoked == '0'
    again = refresh(old['refresh_token'], 'phone', headers=MOBILE).json()['data']
    new, revoked = revoked_by(api, user, 'phone')
    assert revoked == '2'
    assert new['refresh_token'] != old['refresh_token']
    refused(refresh(old['refresh_token'], 'phone'))
    for token in (old, again):
        assert api.head(f"/token/{token['token']}").status_code == 404
    assert sessions_of(psql, user) == {new['session_uuid']}
    assert psql(f"SELECT mobile FROM auth_refresh_token WHERE uuid = '{new['refresh_token']}'") == 't'


def test_a_mobile_ends_the_users_other_mobiles_only(api, refresh, make_user, make_token, psql):
    user, other = make_user(), make_user()
    phone, _ = revoked_by(api, user, 'phone')
    desk, _ = revoked_by(api, user, 'desk', headers={})
    others, _ = revoked_by(api, other, 'phone')
    online = make_token(user, headers=MOBILE)
    new, revoked = revoked_by(api, user, 'new phone')
    assert revoked == '1'
    refused(refresh(phone['refresh_token'], 'phone'))
    assert refresh(desk['refresh_token'], 'desk').status_code == 200
    assert refresh(others['refresh_token'], 'phone').status_code == 200
    assert api.head(f"/token/{phone['token']}").status_code == 404
    assert {desk['session_uuid'], online['session_uuid'], new['session_uuid']} < sessions_of(psql, user)


def test_a_desk_takes_over_the_refresh_token_of_a_mobile_as_it_is(api, make_user, psql):
    user = make_user()
    phone, _ = revoked_by(api, user, 'c')
    desk, revoked = revoked_by(api, user, 'c', headers={})
    assert (desk['refresh_token'], revoked) == (phone['refresh_token'], '0')
    assert psql(f"SELECT mobile FROM auth_refresh_token WHERE uuid = '{desk['refresh_token']}'") == 't'


def test_a_mobile_replaces_the_refresh_token_of_a_desk_with_its_client_id(api, refresh, make_user):
    user = make_user()
    desk, _ = revoked_by(api, user, 'c', headers={})
    phone, revoked = revoked_by(api, user, 'c')
    assert revoked == '1'
    refused(refresh(desk['refresh_token'], 'c'))
    assert refresh(phone['refresh_token'], 'c').status_code == 200


# -- events ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def told(bus):
    """told(user, last): (name, session or client id) of all events of this user until the session of `last` began."""

    def told(user, last):
        bus.wait('auth_session_created', lambda event: event.headers['session_uuid'] == last['session_uuid'])
        return [
            (event.name.removeprefix('auth_'), event.headers.get('session_uuid') or event.body['data']['client_id'])
            for event in bus.events
            if f"user_uuid:{user['uuid']}" in event.headers
        ]

    return told


def test_events_of_offline_logins(told, bus, offline, refresh, make_user, master, nginx):
    user = make_user()
    first = offline(user, 'my.c*#')
    again = offline(user, 'my.c*#')
    by_token = refresh(first['refresh_token'], 'my.c*#').json()['data']
    assert told(user, by_token) == [
        ('refresh_token_created', 'my.c*#'),
        ('session_created', first['session_uuid']),
        ('session_created', again['session_uuid']),
        ('session_created', by_token['session_uuid']),
    ]
    event = bus.wait('auth_refresh_token_created', lambda event: f"user_uuid:{user['uuid']}" in event.headers)
    key = f"auth.users.{user['uuid']}.tokens.my__DOT__c__STAR____HASH__.created"
    headers = {
        'name': 'auth_refresh_token_created',
        'required_access': 'event.auth_refresh_token_created',
        'required_acl': f'events.{key}',
        'origin_uuid': nginx.extra_environment['XIVO_UUID'],
        'tenant_uuid': master,
        f"user_uuid:{user['uuid']}": True,
        'timestamp': event.headers['timestamp'],
    }
    assert (event.key, event.headers) == (key, headers)
    assert event.body == headers | {
        'data': {'client_id': 'my.c*#', 'mobile': False, 'user_uuid': user['uuid'], 'tenant_uuid': master}
    }


def test_events_of_mobile_logins(told, bus, api, refresh, make_user):
    user = make_user()
    first, _ = revoked_by(api, user, 'a')
    desk, _ = revoked_by(api, user, 'desk', headers={})
    second = refresh(first['refresh_token'], 'a', headers=MOBILE).json()['data']
    third, revoked = revoked_by(api, user, 'b')
    assert revoked == '2'
    fourth, revoked = revoked_by(api, user, 'b')
    assert revoked == '1'
    told_ = told(user, fourth)
    ended = {('session_deleted', token['session_uuid']) for token in (first, second)}
    assert set(told_[6:8]) == ended
    assert told_[:6] + told_[8:] == [
        ('refresh_token_created', 'a'),
        ('session_created', first['session_uuid']),
        ('refresh_token_created', 'desk'),
        ('session_created', desk['session_uuid']),
        ('session_created', second['session_uuid']),
        ('refresh_token_created', 'b'),
        ('refresh_token_deleted', 'a'),
        ('session_created', third['session_uuid']),
        ('session_deleted', third['session_uuid']),
        ('refresh_token_deleted', 'b'),
        ('refresh_token_created', 'b'),
        ('session_created', fourth['session_uuid']),
    ]
    mine = [event for event in bus.events if f"user_uuid:{user['uuid']}" in event.headers]
    mobile = [event.body['data']['mobile'] for event in mine if event.name.startswith('auth_refresh_token')]
    assert mobile == [True, False, True, True, True, True]


def test_events_of_a_mobile_login_with_a_known_client_and_others(told, api, insert, make_user, offline):
    user = make_user()
    desk = offline(user, 'same')
    insert(user, 'old', mobile=True)
    last, revoked = revoked_by(api, user, 'same')
    assert revoked == '1'
    assert told(user, last)[2:] == [
        ('session_deleted', desk['session_uuid']),
        ('refresh_token_deleted', 'same'),
        ('refresh_token_created', 'same'),
        ('refresh_token_deleted', 'old'),
        ('session_created', last['session_uuid']),
    ]


def test_events_of_deletions(told, api, admin_token, offline, make_user, make_token, bus, master):
    user = make_user()
    first = offline(user, 'c.1')
    assert api.delete(f"/users/{user['uuid']}/tokens/c.1", admin_token).status_code == 204
    last = make_token(user)
    assert told(user, last)[1:] == [
        ('session_created', first['session_uuid']),
        ('refresh_token_deleted', 'c.1'),
        ('session_created', last['session_uuid']),
    ]
    event = bus.wait('auth_refresh_token_deleted', lambda event: f"user_uuid:{user['uuid']}" in event.headers)
    assert event.key == f"auth.users.{user['uuid']}.tokens.c__DOT__1.deleted"
    assert event.body['data'] == {'client_id': 'c.1', 'mobile': False, 'user_uuid': user['uuid'], 'tenant_uuid': master}


# -- lists -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def own_tenants(create):
    """Of the tokens in lists: a tenant, one below it, and one beside it."""
    parent = create('/tenants')['uuid']
    return parent, create('/tenants', parent)['uuid'], create('/tenants')['uuid']


@pytest.fixture(scope='module')
def listed(make_user, own_tenants, insert):
    """A user in each tenant, with refresh tokens."""
    parent, child, beside = [make_user(headers=below(tenant)) for tenant in own_tenants]
    insert(parent, 'b%', created_at='2026-01-02T03:04:05+00')
    insert(parent, 'a', mobile=True, created_at='2026-01-02T03:04:06.5+00', metadata={'k': 'é'})
    insert(parent, 'Xc', created_at='2026-01-02T03:04:07.678901+00')
    insert(child, 'below', created_at='2026-01-01T00:00:00+00')
    insert(beside, 'beside')
    return parent, child, beside


def clients(answer):
    assert answer.status_code == 200, answer.text
    return [item['client_id'] for item in answer.json()['items']]


def test_a_refresh_token_in_a_list(api, admin_token, listed, own_tenants):
    answer = api.get('/tokens', admin_token, headers=below(own_tenants[0]), params={'client_id': 'a'})
    assert answer.json() == {
        'total': 3,
        'filtered': 1,
        'items': [
            {
                'client_id': 'a',
                'created_at': '2026-01-02T03:04:06.500000+00:00',
                'mobile': True,
                'user_uuid': listed[0]['uuid'],
                'tenant_uuid': own_tenants[0],
                'metadata': {'k': 'é'},
            }
        ],
    }
    assert set(answer.json()) == {'total', 'filtered', 'items'}
    [item] = api.get('/tokens', admin_token, headers=below(own_tenants[0]), params={'client_id': 'b%'}).json()['items']
    assert item['created_at'] == '2026-01-02T03:04:05+00:00'


@pytest.mark.parametrize(
    'params, expected',
    [
        ({}, ['b%', 'a', 'Xc']),
        ({'recurse': 'true'}, ['below', 'b%', 'a', 'Xc']),
        ({'recurse': 'false'}, ['b%', 'a', 'Xc']),
        ({'order': 'created_at', 'direction': 'desc'}, ['Xc', 'a', 'b%']),
        ({'order': 'client_id'}, None),
        ({'order': 'mobile', 'direction': 'desc', 'limit': 1}, ['a']),
        ({'limit': 1, 'offset': 1}, ['a']),
        ({'limit': 0}, []),
        ({'offset': 9}, []),
        ({'limit': 2**63 - 1}, ['b%', 'a', 'Xc']),
        ({'offset': 2**63 - 1}, []),
        ({'search': 'x'}, ['Xc']),
        ({'search': 'c'}, ['Xc']),
        ({'search': ''}, ['b%', 'a', 'Xc']),
        ({'search': '\\'}, ['b%']),
        ({'mobile': 'true'}, ['a']),
        ({'mobile': 'f'}, ['b%', 'Xc']),
        ({'client_id': 'A'}, []),
        ({'client_id': ''}, []),
        ({'created_at': '2026-01-02T03:04:05Z'}, ['b%']),
        ({'unknown': 'x', 'tenant_uuid': UNKNOWN}, ['b%', 'a', 'Xc']),
    ],
)
@pytest.mark.usefixtures('listed')
def test_lists(api, admin_token, own_tenants, psql, params, expected):
    if expected is None:
        expected = psql("SELECT c FROM unnest(ARRAY['b%', 'a', 'Xc']) AS c ORDER BY c").split('\n')
    assert clients(api.get('/tokens', admin_token, headers=below(own_tenants[0]), params=params)) == expected


@pytest.mark.usefixtures('listed')
def test_counts(api, admin_token, own_tenants):
    body = api.get(
        '/tokens', admin_token, headers=below(own_tenants[0]), params={'search': 'b', 'limit': 0, 'recurse': True}
    ).json()
    assert body == {'total': 4, 'filtered': 2, 'items': []}


@pytest.mark.parametrize(
    'params, field',
    [
        ({'order': 'user_uuid'}, 'order'),
        ({'order': ''}, 'order'),
        ({'direction': 'DESC'}, 'direction'),
        ({'limit': -1}, 'limit'),
        ({'offset': 'x'}, 'offset'),
        ({'recurse': ''}, 'recurse'),
        ({'mobile': 'maybe'}, 'mobile'),
        ({'created_at': 'yesterday-ish'}, 'created_at'),
        ({'created_at': ''}, 'created_at'),
        ({'search': 'a\0'}, 'search'),
        ({'client_id': '\0'}, 'client_id'),
    ],
)
def test_lists_refuse(api, admin_token, listed, own_tenants, params, field):
    for path in ('/tokens', f"/users/{listed[0]['uuid']}/tokens", '/users/me/tokens'):
        headers = below(own_tenants[0]) if 'me' not in path else None
        problem = error(api.get(path, admin_token, headers=headers, params=params), 400, 'invalid-list-param')
        assert list(problem['message']) == [field]
        assert problem['resource'] == 'users'


def test_lists_of_a_user(api, admin_token, listed, own_tenants):
    parent, child, beside = listed
    assert clients(api.get(f"/users/{parent['uuid']}/tokens", admin_token)) == ['b%', 'a', 'Xc']
    for user, status in ((parent, 200), (child, 200), (beside, 404), ({'uuid': UNKNOWN}, 404)):
        answer = api.get(f"/users/{user['uuid']}/tokens", admin_token, headers=below(own_tenants[0]))
        assert answer.status_code == status
        if status == 404:
            assert error(answer, 404, 'unknown-user')['details'] == {'uuid': user['uuid']}
    body = api.get(
        f"/users/{child['uuid']}/tokens", admin_token, headers=below(own_tenants[0]), params={'recurse': 'false'}
    ).json()
    assert (body['total'], body['items'][0]['client_id']) == (1, 'below')
    # The user comes before the parameters.
    answer = api.get(f"/users/{UNKNOWN}/tokens", admin_token, params={'order': 'x'})
    error(answer, 404, 'unknown-user')


def test_lists_of_oneself(api, listed, own_tenants, insert_token):
    token = insert_token(acl=['auth.users.me.tokens.#'], user_uuid=listed[0]['uuid'], tenant_uuid=own_tenants[0])[
        'token'
    ]
    assert clients(api.get('/users/me/tokens', token)) == ['b%', 'a', 'Xc']
    assert clients(api.get('/users/me/tokens', token, params={'recurse': 'true', 'mobile': 'true'})) == ['a']
    assert api.get('/users/me/tokens', token, headers=below(own_tenants[2])).json()['error_id'] == 'unauthorized-tenant'
    error(api.get('/users/me/tokens', token, headers=below(own_tenants[1])), 404, 'unknown-user')


def test_a_token_of_nobody_is_no_me(api, insert_token):
    token = insert_token(acl=['#'], auth_id='wazo-auth', metadata={'uuid': None})['token']
    for ask in (api.get('/users/me/tokens', token), api.delete('/users/me/tokens/c', token)):
        assert error(ask, 404, 'unknown-user')['details'] == {'uuid': 'None'}


def test_lists_need_their_access(api, insert_token, make_user):
    user = make_user()['uuid']
    nobody = insert_token(user_uuid=user)['token']
    for path, access in (
        ('/tokens', 'auth.tokens.read'),
        (f'/users/{user}/tokens', f'auth.users.{user}.tokens.read'),
        ('/users/me/tokens', 'auth.users.me.tokens.read'),
    ):
        problem = error(api.get(path, nobody), 401, 'unauthorized')
        assert problem['details']['required_access'] == access
        token = insert_token(acl=[access], user_uuid=user)['token']
        assert api.get(path, token).status_code == 200


# -- deletions ---------------------------------------------------------------------------------------------------------


def test_delete(api, admin_token, offline, refresh, make_user, psql):
    user = make_user()
    token, other = offline(user, 'c é'), offline(user, 'other')
    assert api.delete(f"/users/{user['uuid']}/tokens/c%20%C3%A9", admin_token).status_code == 204
    refused(refresh(token['refresh_token'], 'c é'))
    # Its tokens live on.
    assert api.head(f"/token/{token['token']}").status_code == 204
    assert psql(f"SELECT refresh_token_uuid IS NULL FROM auth_token WHERE uuid = '{token['token']}'") == 't'
    assert refresh(other['refresh_token'], 'other').status_code == 200
    problem = error(
        api.delete(f"/users/{user['uuid']}/tokens/c%20%C3%A9", admin_token),
        404,
        'cannot-find-refresh-token-matching-client-id',
    )
    assert (problem['details'], problem['resource']) == ({'client_id': 'c é'}, 'tokens')
    assert problem['message'] == 'unknown refresh_token for client_id "c é"'


def test_delete_only_what_is_visible(api, admin_token, insert, make_user, tenants):
    parent, child, beside = [make_user(headers=below(tenant)) for tenant in tenants]
    for user in (parent, child, beside):
        insert(user, 'c')
    for user, status in ((parent, 204), (child, 204), (beside, 404)):
        answer = api.delete(f"/users/{user['uuid']}/tokens/c", admin_token, headers=below(tenants[0]))
        assert answer.status_code == status
    assert error(answer, 404, 'unknown-user')['details'] == {'uuid': beside['uuid']}
    assert api.delete(f"/users/{beside['uuid']}/tokens/c", admin_token).status_code == 204


@pytest.mark.parametrize('client_id', ['%ff', 'x' * 5000, 'a%2Fb'])
def test_delete_of_what_cant_be(api, admin_token, listed, client_id):
    answer = api.delete(f"/users/{listed[0]['uuid']}/tokens/{client_id}", admin_token)
    error(answer, 404, 'cannot-find-refresh-token-matching-client-id')


def test_delete_ones_own(api, insert, make_user, insert_token, tenants):
    user = make_user(headers=below(tenants[0]))
    insert(user, 'c')
    token = insert_token(acl=['auth.users.me.tokens.c.delete'], user_uuid=user['uuid'], tenant_uuid=tenants[0])['token']
    error(api.delete('/users/me/tokens/d', token), 401, 'unauthorized')
    assert api.delete('/users/me/tokens/c', token).status_code == 204
    error(api.delete('/users/me/tokens/c', token), 404, 'cannot-find-refresh-token-matching-client-id')


def test_me_is_a_word_for_tokens_only(api, admin_token):
    for path in ('/users/me', '/users/me/sessions', '/users/me/policies'):
        assert api.get(path, admin_token).status_code == 404
