"""Sessions: lists, deletions, their events, and how expired ones are cleaned up.

docs/spec/endpoints.md sections 6 and 19.
"""
import json
import time
import uuid

import pytest

from support.checks import UNKNOWN, below, error

DATABASE = 'sessions'


def listed(answer):
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert list(body) == ['filtered', 'total', 'items']
    assert body['filtered'] == body['total']
    return [item['uuid'] for item in body['items']]


@pytest.fixture(scope='module')
def users(make_user, tenants):
    return [make_user(headers=below(tenant))['uuid'] for tenant in tenants]


@pytest.fixture
def in_tenant(insert_token, users, tenants):
    """in_tenant(n): a token, hence a session, of the user of tenant n."""
    return lambda n, **columns: insert_token(user_uuid=users[n], tenant_uuid=tenants[n], **columns)


@pytest.fixture
def gone(psql):
    return lambda session: psql(f"SELECT count(*) FROM auth_session WHERE uuid = '{session}'") == '0'


# -- lists -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def own_tenants(create):
    """Of the sessions in lists: a tenant and one below it."""
    parent = create('/tenants')['uuid']
    return parent, create('/tenants', parent)['uuid']


@pytest.fixture(scope='module')
def sessions(psql, insert_token, make_token, make_user, own_tenants):
    """All sessions of own_tenants: (user, user below, one of a mobile, one of a desk, one without a user, one below)."""
    parent, child = own_tenants
    user, lower = make_user(headers=below(parent)), make_user(headers=below(child))
    mobile = make_token(user, headers={'Wazo-Session-Type': 'mobile'})['session_uuid']
    desk = make_token(user)['session_uuid']
    internal = insert_token(tenant_uuid=parent, auth_id='wazo-auth')['session_uuid']
    psql(f"INSERT INTO auth_session (tenant_uuid, mobile) VALUES ('{parent}', false)")
    return user, lower, mobile, desk, internal, make_token(lower)['session_uuid']


@pytest.fixture
def in_parent(api, admin_token, tenants):
    return lambda path='/sessions', **params: api.get(path, admin_token, headers=below(tenants[0]), params=params)


@pytest.fixture
def in_own(api, admin_token, own_tenants):
    return lambda path='/sessions', **params: api.get(path, admin_token, headers=below(own_tenants[0]), params=params)


def test_a_session_in_a_list(in_own, sessions, own_tenants):
    user, _, mobile, desk, internal, _ = sessions
    items = {item['uuid']: item for item in in_own().json()['items']}
    for session, is_mobile, owner in (
        (mobile, True, user['uuid']),
        (desk, False, user['uuid']),
        (internal, False, None),
    ):
        assert items[session] == {
            'uuid': session,
            'mobile': is_mobile,
            'tenant_uuid': own_tenants[0],
            'user_uuid': owner,
        }


def test_only_sessions_with_a_token_are_listed(in_own, sessions):
    _, _, mobile, desk, internal, lower = sessions
    assert set(listed(in_own())) == {mobile, desk, internal}
    assert set(listed(in_own(recurse='true'))) == {mobile, desk, internal, lower}


def test_pages(in_own, sessions):
    mobile = sessions[2]
    everything = listed(in_own())
    pages = [in_own(limit=1, offset=offset).json() for offset in range(4)]
    assert [item['uuid'] for page in pages for item in page['items']] == everything
    assert [page['total'] for page in pages] == [3] * 4
    assert listed(in_own(order='mobile'))[-1] == mobile
    assert listed(in_own(order='mobile', direction='desc'))[0] == mobile
    assert listed(in_own(limit=0)) == []
    assert set(listed(in_own(search='nothing', uuid=UNKNOWN, user_uuid=UNKNOWN))) == set(everything)


@pytest.mark.parametrize(
    'params, field',
    [
        ({'order': 'uuid'}, 'order'),
        ({'order': ''}, 'order'),
        ({'direction': 'up'}, 'direction'),
        ({'limit': 'x'}, 'limit'),
        ({'offset': -1}, 'offset'),
        ({'recurse': ''}, 'recurse'),
        ({'search': '\0'}, 'search'),
    ],
)
def test_lists_refuse(in_own, sessions, params, field):
    for path in ('/sessions', f"/users/{sessions[0]['uuid']}/sessions"):
        problem = error(in_own(path, **params), 400, 'invalid-list-param')
        assert list(problem['message']) == [field]


def test_two_tokens_are_one_session(in_parent, in_tenant, users):
    one = in_tenant(0)
    in_tenant(0, session_uuid=one['session_uuid'])
    assert listed(in_parent()).count(one['session_uuid']) == 1
    assert listed(in_parent(f'/users/{users[0]}/sessions')).count(one['session_uuid']) == 1


def test_sessions_of_a_user(api, admin_token, in_own, sessions, make_user):
    user, lower, mobile, desk, _, lowers = sessions
    other = make_user()['uuid']
    path = f"/users/{user['uuid']}/sessions"
    assert set(listed(in_own(path))) == {mobile, desk}
    assert listed(in_own(path, order='mobile', limit=1, offset=1)) == [mobile]
    [item] = in_own(f"/users/{lower['uuid']}/sessions").json()['items']
    assert (item['uuid'], item['user_uuid']) == (lowers, lower['uuid'])
    for unknown in (other, UNKNOWN):
        assert error(in_own(f'/users/{unknown}/sessions', order='x'), 404, 'unknown-user')['details'] == {
            'uuid': unknown
        }
    assert listed(api.get(f'/users/{other}/sessions', admin_token)) == []


def test_a_user_of_another_version_is_not_named(in_parent, make_user, make_token, tenants):
    user = make_user(uuid=str(uuid.uuid1()), headers=below(tenants[1]))
    session = make_token(user)['session_uuid']
    for path in ('/sessions?recurse=true', f"/users/{user['uuid']}/sessions"):
        [item] = [item for item in in_parent(path).json()['items'] if item['uuid'] == session]
        assert item['user_uuid'] is None


def test_sessions_need_their_access(api, insert_token, users):
    nobody = insert_token(user_uuid=users[0])['token']
    for ask, path, access in (
        (api.get, '/sessions', 'auth.sessions.read'),
        (api.delete, f'/sessions/{UNKNOWN}', f'auth.sessions.{UNKNOWN}.delete'),
        (api.get, f'/users/{users[0]}/sessions', f'auth.users.{users[0]}.sessions.read'),
        (api.delete, f'/users/{users[0]}/sessions/{UNKNOWN}', f'auth.users.{users[0]}.sessions.{UNKNOWN}.delete'),
    ):
        assert error(ask(path, nobody), 401, 'unauthorized')['details']['required_access'] == access
        token = insert_token(acl=[access], user_uuid=users[0])['token']
        assert ask(path, token).status_code in (200, 204)


# -- deletions ---------------------------------------------------------------------------------------------------------


def test_delete_ends_all_tokens_of_a_session(api, gate, admin_token, in_tenant, gone):
    one = in_tenant(0)
    other = in_tenant(0, session_uuid=one['session_uuid'])
    for token in (one, other):
        assert api.head(f"/token/{token['token']}").status_code == 204
        assert gate.get('/', token['token']).status_code == 200
    assert api.delete(f"/sessions/{one['session_uuid'].upper()}", admin_token).status_code == 204
    assert gone(one['session_uuid'])
    for token in (one, other):
        assert api.head(f"/token/{token['token']}").status_code == 404
        assert gate.get('/', token['token']).status_code == 401


def test_a_token_may_end_its_own_session(api, in_tenant, gone):
    own, other = in_tenant(0, acl=['auth.sessions.my_session.delete']), in_tenant(0)
    assert api.delete(f"/sessions/{other['session_uuid']}", own['token']).status_code == 401
    assert api.delete(f"/sessions/{own['session_uuid']}", own['token']).status_code == 204
    assert gone(own['session_uuid'])
    assert not gone(other['session_uuid'])


@pytest.mark.parametrize('path', ['/sessions/{session}', '/users/{user}/sessions/{session}'])
def test_delete_only_what_is_visible(api, admin_token, in_tenant, gone, users, tenants, path):
    for n, visible in ((0, True), (1, True), (2, False)):
        session = in_tenant(n)['session_uuid']
        for _ in range(2):
            answer = api.delete(path.format(session=session, user=users[0]), admin_token, headers=below(tenants[0]))
            assert (answer.status_code, answer.text) == (204, '')
            assert gone(session) == visible


def test_delete_of_an_unknown_session(api, admin_token, users):
    assert api.delete(f'/sessions/{UNKNOWN}', admin_token).status_code == 204
    assert api.delete(f'/users/{users[0]}/sessions/{UNKNOWN}', admin_token).status_code == 204
    assert api.delete('/sessions/x', admin_token).headers['Content-Type'].startswith('text/html')


def test_delete_needs_a_visible_user(api, admin_token, in_tenant, gone, users, tenants):
    session = in_tenant(0)['session_uuid']
    for user in (users[2], UNKNOWN):
        answer = api.delete(f'/users/{user}/sessions/{session}', admin_token, headers=below(tenants[0]))
        error(answer, 404, 'unknown-user')
    assert not gone(session)


def test_delete_needs_a_visible_tenant(api, in_tenant, gone, tenants):
    session, token = in_tenant(0)['session_uuid'], in_tenant(1, acl=['#'])['token']
    error(api.delete(f'/sessions/{session}', token, headers=below(tenants[0])), 401, 'unauthorized-tenant')
    assert api.delete(f'/sessions/{session}', token).status_code == 204
    assert not gone(session)


# -- events ------------------------------------------------------------------------------------------------------------


def of_session(session):
    return lambda event: event.headers.get('session_uuid') == session


def expected_headers(event, key, tenant, user, session, nginx):
    headers = {
        'name': event.name,
        'required_access': f'event.{event.name}',
        'required_acl': f'events.{key}',
        'tenant_uuid': tenant,
        'session_uuid': session,
        'origin_uuid': nginx.extra_environment['XIVO_UUID'],
        'timestamp': event.headers['timestamp'],
    }
    if user:
        headers[f'user_uuid:{user}'] = True
    return headers


def check_event(event, key, tenant, user, session, nginx, **data):
    key = key.format(session)
    assert event.key == key
    headers = expected_headers(event, key, tenant, user, session, nginx)
    assert event.headers == headers
    assert event.body == headers | {'data': {'uuid': session, 'user_uuid': user, 'tenant_uuid': tenant, **data}}
    properties = event.properties
    assert (properties.content_type, properties.content_encoding, properties.delivery_mode, properties.priority) == (
        'application/json',
        'utf-8',
        2,
        0,
    )


def test_events_of_a_session(api, bus, make_user, make_token, tenants, nginx):
    for session_type in ('desktop', 'mobile'):
        user = make_user(headers=below(tenants[0]))
        token = make_token(user, headers={'Wazo-Session-Type': session_type})
        session = token['session_uuid']
        created = bus.wait('auth_session_created', of_session(session))
        check_event(
            created,
            'auth.sessions.{}.created',
            tenants[0],
            user['uuid'],
            session,
            nginx,
            mobile=session_type == 'mobile',
        )
        api.delete(f"/token/{token['token']}")
        deleted = bus.wait('auth_session_deleted', of_session(session))
        check_event(deleted, 'auth.sessions.{}.deleted', tenants[0], user['uuid'], session, nginx)


def test_a_user_of_another_version_is_named_only_at_the_end(api, bus, make_user, make_token, master, nginx):
    user = make_user(uuid=str(uuid.uuid1()))
    token = make_token(user)
    session = token['session_uuid']
    created = bus.wait('auth_session_created', of_session(session))
    check_event(created, 'auth.sessions.{}.created', master, None, session, nginx, mobile=False)
    api.delete(f"/token/{token['token']}")
    deleted = bus.wait('auth_session_deleted', of_session(session))
    check_event(deleted, 'auth.sessions.{}.deleted', master, user['uuid'], session, nginx)


@pytest.fixture
def told_before(bus, make_user, make_token, tenants):
    """told_before(session): names of the events of this session, up to now."""

    def told(session):
        # What comes later in the same tenant comes after.
        for n in (0, 1):
            last = make_token(make_user(headers=below(tenants[n])))['session_uuid']
            bus.wait('auth_session_created', of_session(last))
        return [event.name for event in bus.events if of_session(session)(event)]

    return told


def test_deletions_are_told_once(api, bus, admin_token, in_tenant, told_before, users, tenants, nginx):
    for path in ('/sessions/{session}', '/users/{user}/sessions/{session}'):
        session = in_tenant(1)['session_uuid']
        for _ in range(2):
            api.delete(path.format(session=session, user=users[0]), admin_token)
        assert told_before(session) == ['auth_session_deleted']
        event = bus.wait('auth_session_deleted', of_session(session))
        check_event(event, 'auth.sessions.{}.deleted', tenants[1], users[1], session, nginx)


def test_what_is_not_deleted_is_not_told(api, admin_token, in_tenant, told_before, tenants):
    session = in_tenant(1)['session_uuid']
    api.delete(f'/sessions/{session}', admin_token, headers=below(tenants[2]))
    assert told_before(session) == []
    one = in_tenant(1)
    in_tenant(1, session_uuid=one['session_uuid'])
    api.delete(f"/token/{one['token']}")
    assert told_before(one['session_uuid']) == []


def test_the_end_of_the_servers_own_session(api, bus, insert_token, master, nginx):
    token = insert_token(auth_id='wazo-auth', metadata={'uuid': None})
    session = token['session_uuid']
    api.delete(f"/token/{token['token']}")
    event = bus.wait('auth_session_deleted', of_session(session))
    check_event(event, 'auth.sessions.{}.deleted', master, 'wazo-auth', session, nginx)


def test_disabling_a_user_ends_the_sessions(api, bus, admin_token, make_user, make_token):
    user = make_user()
    tokens = [make_token(user) for _ in range(2)]
    api.put(f"/users/{user['uuid']}", admin_token, json={'username': user['username'], 'enabled': False})
    for token in tokens:
        assert api.head(f"/token/{token['token']}").status_code == 404
        bus.wait('auth_session_deleted', of_session(token['session_uuid']))


@pytest.mark.parametrize('version', (1, 4))
@pytest.mark.parametrize('by', ('the API', 'SQL'))
def test_the_end_of_a_user_ends_the_sessions(
    by, version, api, bus, admin_token, make_user, make_token, told_before, psql, tenants, nginx
):
    user = make_user(headers=below(tenants[0]), uuid=str(uuid.uuid1() if version == 1 else uuid.uuid4()))
    tokens = [make_token(user) for _ in range(3)]
    if by == 'SQL':
        psql(f"DELETE FROM auth_user WHERE uuid = '{user['uuid']}'")
    else:
        assert api.delete(f"/users/{user['uuid']}", admin_token).status_code == 204
    for token in tokens:
        session = token['session_uuid']
        event = bus.wait('auth_session_deleted', of_session(session))
        check_event(event, 'auth.sessions.{}.deleted', tenants[0], user['uuid'], session, nginx)
        assert told_before(session) == ['auth_session_created', 'auth_session_deleted']
        assert api.head(f"/token/{token['token']}").status_code == 404


def test_users_that_end_together(bus, make_user, make_token, told_before, psql, tenants, in_tenant, gone):
    """One statement, several users; a session without a user, and those of others, are none of its business."""
    ended = [(user, make_token(user)['session_uuid']) for user in (make_user(headers=below(tenants[1])) for _ in '12')]
    without = make_user(headers=below(tenants[1]))['uuid']
    other = in_tenant(1)['session_uuid']
    uuids = ', '.join(f"'{user}'" for user in (ended[0][0]['uuid'], ended[1][0]['uuid'], without))
    psql(f'DELETE FROM auth_user WHERE uuid IN ({uuids})')
    for user, session in ended:
        assert bus.wait('auth_session_deleted', of_session(session)).body['data']['user_uuid'] == user['uuid']
    assert told_before(other) == [] and not gone(other)


def test_the_end_of_a_tenant_is_one_event(api, bus, admin_token, make_user, make_token, told_before, gone):
    tenant = api.post('/tenants', admin_token, json={}).json()['uuid']
    session = make_token(make_user(headers=below(tenant)))['session_uuid']
    assert api.delete(f'/tenants/{tenant}', admin_token).status_code == 204
    assert gone(session)
    assert told_before(session) == ['auth_session_created']


# -- clean-up ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def cleaner(postgres, new_nginx):
    """An nginx over a database of its own: in the shared one another nginx has the lead, and cleans every minute."""
    uri = postgres.create_database(DATABASE, 'wazo-auth')
    return new_nginx(
        'sessions-cleaner', settings={'db_uri': uri, 'token_cleanup_interval': 1.5, 'token_cleanup_batch_size': 3}
    )


@pytest.fixture(scope='module')
def own_master(cleaner, psql):
    return psql('SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid', DATABASE)


@pytest.fixture
def put(psql, own_master):
    """put((lifetime, metadata), ...): tokens, each of a new user, inserted all at once: (token, session, user)."""

    def put(*wanted, session=None):
        made, sessions, tokens, now = [], [], [], int(time.time())
        for lifetime, metadata in wanted:
            token, own, user = (str(uuid.uuid4()) for _ in range(3))
            facts = {'uuid': user, 'tenant_uuid': own_master} if metadata is None else metadata
            expire_t = 'NULL' if lifetime is None else '0' if lifetime == 0 else str(now + lifetime)
            made.append((token, session or own, user))
            sessions.append(f"('{session or own}', '{own_master}', false)")
            tokens.append(f"('{token}', '{user}', '{session or own}', {expire_t}, {now}, '{json.dumps(facts)}')")
        psql(
            f"BEGIN; INSERT INTO auth_session (uuid, tenant_uuid, mobile) VALUES {', '.join(sessions)} "
            "ON CONFLICT DO NOTHING; "
            "INSERT INTO auth_token (uuid, auth_id, session_uuid, expire_t, issued_t, metadata) "
            f"VALUES {', '.join(tokens)}; COMMIT",
            DATABASE,
        )
        return made

    return put


@pytest.fixture
def left(psql):
    """left(table, uuids): those that are still there."""

    def left(table, uuids):
        names = ', '.join(f"'{one}'" for one in uuids)
        return set(psql(f'SELECT uuid FROM {table} WHERE uuid IN ({names})', DATABASE).split('\n')) - {''}

    return left


def test_expired_tokens_go_with_their_sessions(cleaner, bus, put, left, own_master, wait_until):
    expired = put(*[(-600 + n, None) for n in range(8)])
    alive = put((3600, None), (None, None), (0, None))
    wait_until(lambda: not left('auth_session', [session for _, session, _ in expired]), 8)
    assert not left('auth_token', [token for token, _, _ in expired])
    assert left('auth_session', [session for _, session, _ in alive]) == {session for _, session, _ in alive}
    for _, session, user in expired:
        event = bus.wait('auth_session_deleted', of_session(session))
        check_event(event, 'auth.sessions.{}.deleted', own_master, user, session, cleaner)
        assert [event.name for event in bus.events if of_session(session)(event)] == ['auth_session_deleted']


def test_the_oldest_go_first(bus, put):
    lifetimes = [-50, -90, -70, -80, -60, -100, -110]
    sessions = [session for _, session, _ in put(*[(lifetime, None) for lifetime in lifetimes])]
    for session in sessions:
        bus.wait('auth_session_deleted', of_session(session))
    ended = [
        event.headers['session_uuid']
        for event in bus.events
        if event.name == 'auth_session_deleted' and event.headers['session_uuid'] in sessions
    ]
    assert ended == [session for _, session in sorted(zip(lifetimes, sessions))]


def test_a_session_goes_with_its_last_token(cleaner, bus, put, left, psql, wait_until):
    session = str(uuid.uuid4())
    (first, _, _), (second, _, user) = put((-5, None), (3600, None), session=session)
    wait_until(lambda: not left('auth_token', [first]), 8)
    assert left('auth_session', [session]) == {session}
    assert cleaner.api.head(f'/token/{second}').status_code == 204
    psql(f"UPDATE auth_token SET expire_t = 1 WHERE uuid = '{second}'", DATABASE)
    wait_until(lambda: not left('auth_session', [session]), 8)
    event = bus.wait('auth_session_deleted', of_session(session))
    assert event.body['data']['user_uuid'] == user
    assert [event.name for event in bus.events if of_session(session)(event)] == ['auth_session_deleted']


def test_tokens_of_no_tenant_go_silently(bus, put, left, wait_until):
    silent = put(
        (-100, {}), (-99, {'tenant_uuid': None}), (-98, {'tenant_uuid': ''}), (-97, []), (-96, {'uuid': UNKNOWN})
    )
    wait_until(lambda: not left('auth_session', [session for _, session, _ in silent]), 8)
    [(_, last, _)] = put((-1, None))
    bus.wait('auth_session_deleted', of_session(last))
    ended = {session for _, session, _ in silent}
    assert [event.name for event in bus.events if event.headers.get('session_uuid') in ended] == []


def test_what_was_cleaned_up_was_dead_before(cleaner, put, wait_until, left):
    [(token, session, _)] = put((2, None))
    assert cleaner.gate.get('/', token).status_code == 200
    wait_until(lambda: cleaner.gate.get('/', token).status_code == 401, 5)
    wait_until(lambda: not left('auth_session', [session]), 5)
    assert cleaner.gate.get('/', token).status_code == 401


def test_the_end_is_announced(cleaner, bus, put, own_master):
    started = time.time()
    # Beside one that lives for long and one whose tenant isn't known.
    (_, silent, _), (_, later, _), (_, session, user) = put((5, {}), (600, None), (5, None))
    event = bus.wait('auth_session_expire_soon', of_session(session))
    key = f'auth.users.{user}.sessions.{session}.expire_soon'
    check_event(event, key, own_master, user, session, cleaner)
    # The interval, and what times lose in whole seconds.
    assert time.time() > int(started) + 5 - 3
    bus.wait('auth_session_deleted', of_session(session))
    names = [event.name for event in bus.events if of_session(session)(event)]
    assert names[-1] == 'auth_session_deleted'
    assert set(names[:-1]) == {'auth_session_expire_soon'}
    assert [event.name for event in bus.events if event.headers.get('session_uuid') in (silent, later)] == []


def test_no_clean_up_when_it_is_off(stack, postgres, psql, wait_until):
    uri = postgres.create_database('sessions-off', 'wazo-auth')
    nginx = stack.new_nginx('sessions-off', settings={'db_uri': uri, 'token_cleanup_interval': 0})
    tenant = psql('SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid', 'sessions-off')
    session = str(uuid.uuid4())
    psql(
        f"BEGIN; INSERT INTO auth_session (uuid, tenant_uuid, mobile) VALUES ('{session}', '{tenant}', false); "
        "INSERT INTO auth_token (auth_id, session_uuid, expire_t) VALUES "
        f"('x', '{session}', 1); COMMIT",
        'sessions-off',
    )
    # One with clean-up does it at its start.
    nginx.restart()
    assert psql(f"SELECT count(*) FROM auth_session WHERE uuid = '{session}'", 'sessions-off') == '1'
    nginx.stop()
    other = stack.new_nginx('sessions-on', settings={'db_uri': uri, 'token_cleanup_interval': 3600.0})
    wait_until(lambda: psql(f"SELECT count(*) FROM auth_session WHERE uuid = '{session}'", 'sessions-off') == '0', 8)
    other.stop()


def test_no_end_goes_unannounced(bus, put):
    tokens = put(*[(lifetime, None) for lifetime in range(2, 8)])
    for _, session, _ in tokens:
        bus.wait('auth_session_deleted', of_session(session), timeout=15)
    for _, session, _ in tokens:
        names = [event.name for event in bus.events if of_session(session)(event)]
        assert names[0] == 'auth_session_expire_soon'
        assert names[-1] == 'auth_session_deleted'
