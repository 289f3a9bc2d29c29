"""A database that the Python daemon made and filled: adopted by nginx, served by both at once, given back by --detach.

Run by ./dev test-adoption. One story in this order; the first test that fails ends it.
"""
import re
import statistics
import threading
import time
import uuid

import pytest
from views import differences

from support import daemon, servers

pytestmark = pytest.mark.timeout(300)
story = {}


def unlike(one, other):
    """Names of tables or objects in which two dumps differ."""
    return sorted(name for name in set(one) | set(other) if one.get(name) != other.get(name))


def same_everywhere(world):
    found, count = differences(world, world.filling.root)
    print(f'\n{count} GETs read at both')
    assert not found, f'{len(found)} of {count} differ:\n' + '\n'.join(found[:10])


def logins(world):
    """(login, password, is it good) of all users."""
    for user in world.filling.users:
        good = bool(user['password'] and user['enabled'])
        yield user['login'], user['password'] or 'guess', good
        if user['password']:
            yield user['login'], user['password'] + ' ', False
        for login in user.get('more_logins', []):
            yield login, user['password'] or 'guess', good
        if 'no_login' in user and user['password']:
            yield user['no_login'], user['password'], False


def to_the_second(token):
    """POST /token tells times to the microsecond; stored are seconds."""
    times = {
        name: value[:19] + ('.000000' if name.startswith('utc') else '')
        for name, value in token.items()
        if name.endswith('_at')
    }
    return {**token, **times}


def milliseconds_until(condition, limit=5):
    start = time.perf_counter()
    while not condition():
        if time.perf_counter() - start > limit:
            raise AssertionError(f'not within {limit} s')
    return (time.perf_counter() - start) * 1e3


# -- adoption ----------------------------------------------------------------------------------------------------------


def test_the_upgrade_changes_nothing_of_the_daemons(world):
    """It runs beside the running daemon. Rows stay as they are, objects too; what is new is named as ours."""
    world.python.restart()  # it seeds the tenants that were made since
    story['schema'], story['rows'] = world.python.schema(), world.python.rows()
    done = world.upgrade()
    assert done.returncode == 0, done.stderr
    assert unlike(story['rows'], world.python.rows()) == []
    schema = world.python.schema()
    changed = unlike(story['schema'], schema)
    assert changed and not set(changed) & set(story['schema']), 'only additions'
    named = [name for name in changed if 'wazo_auth' in name.replace('Owner: wazo-auth', '')]
    assert [name for name in changed if name not in named and 'pg_trgm' not in name] == []


def test_the_start_of_nginx_changes_nothing(world):
    """It seeds as the daemon does from the same configuration: there is nothing left to seed."""
    world.make_nginx()
    world.nginx.start()
    assert unlike(story['rows'], world.python.rows()) == []


def test_every_object_reads_the_same_at_both(world):
    same_everywhere(world)


# -- side by side ------------------------------------------------------------------------------------------------------


def test_old_passwords(world):
    wanted = list(logins(world))

    def attempt(each):
        login, password, good = each
        return bool(world.api.log_in(login, password, expiration=600)) == good, each

    wrong = [each for right, each in world.pool.map(attempt, wanted) if not right]
    assert not wrong
    print(f'\n{len(wanted)} logins, {sum(good for _, _, good in wanted)} of them good')
    same_everywhere(world)


def test_old_tokens_at_the_api_and_at_the_gate(world):
    for each in world.filling.tokens:
        one, other = world.at_both(lambda client: client.good('GET', f"/token/{each['token']}"))
        assert one == other
        assert world.gate.get('/known', each['token']).status_code == 200
        assert world.gate.get('/granted', each['token']).status_code == 200
        scopes = [
            'confd.users.read',
            'auth.users.me.read',
            f"auth.users.{each['user']['uuid']}.read",
            'dird.a.update',
            '#',
        ]
        one, other = world.at_both(
            lambda client: client.good('POST', f"/token/{each['token']}/scopes/check", json={'scopes': scopes})
        )
        assert one == other


def test_a_token_made_by_the_one_is_good_at_the_other(world):
    for user in [user for user in world.filling.users if user['password'] and user['enabled']]:
        made = world.at_both(lambda client: client.log_in(user['login'], user['password'], expiration=600))
        shown = [world.at_both(lambda client: client.good('GET', f"/token/{each['token']}")['data']) for each in made]
        for issued, (one, other) in zip(made, shown):
            assert one == other == to_the_second(issued)
        # Who logs in at the one or at the other gets the same token but for ids and times.
        different = {name for name in made[0] if made[0][name] != made[1][name]}
        assert different <= {
            'token',
            'session_uuid',
            'issued_at',
            'expires_at',
            'utc_issued_at',
            'utc_expires_at',
            'acl',
        }
        assert sorted(made[0]['acl']) == sorted(made[1]['acl']), 'the order inside a policy is open'
        assert world.gate.get('/granted', made[0]['token']).status_code == 200


def test_refresh_tokens_of_the_one_at_the_other(world):
    for each in world.filling.refresh_tokens:
        for client in (world.api, world.daemon):
            made = client.refresh(each['refresh_token'], each['client_id'])
            assert made['metadata']['uuid'] == each['user']['uuid']
            assert all(world.at_both(lambda other: other.alive(made['token'])))
            assert client.refresh(each['refresh_token'], each['client_id'] + 'x') is None
    user = world.filling.users[0]
    made = world.api.log_in(user['login'], user['password'], access_type='offline', client_id='both')
    again = world.daemon.log_in(user['login'], user['password'], access_type='offline', client_id='both')
    assert made['refresh_token'] == again['refresh_token'], 'one for each client and user'
    assert world.daemon.refresh(made['refresh_token'], 'both')
    world.daemon.good('DELETE', f"/users/{user['uuid']}/tokens/both", world.filling.root)
    assert world.api.refresh(made['refresh_token'], 'both') is None
    made = world.daemon.log_in(user['login'], user['password'], access_type='offline', client_id='both')
    assert world.api.refresh(made['refresh_token'], 'both')
    world.api.good('DELETE', f"/users/{user['uuid']}/tokens/both", world.filling.root)
    assert world.daemon.refresh(made['refresh_token'], 'both') is None


def test_what_the_daemon_revokes_is_refused_at_the_gate(world):
    """Within milliseconds after its answer; the gate had served the token from memory before."""
    user = world.filling.users[0]
    root = world.filling.root
    times = []
    for n in range(60):
        made = (world.daemon, world.api)[n % 2].log_in(user['login'], user['password'], expiration=600)
        token = made['token']
        for _ in range(2):
            assert world.gate.get('/known', token).status_code == 200
        if n % 3:
            world.daemon.good('DELETE', f'/token/{token}')
        else:
            world.daemon.good('DELETE', f"/sessions/{made['session_uuid']}", root)
        times.append(milliseconds_until(lambda: world.gate.get('/known', token).status_code == 401))
        assert not world.api.alive(token)
    print(
        f'\nafter the answer of the daemon: median {statistics.median(times):.1f} ms, largest {max(times):.1f} ms '
        '(a request to the gate included)'
    )
    assert statistics.median(times) < 10 and max(times) < 250


def test_what_nginx_revokes_is_refused_by_the_daemon(world):
    user = world.filling.users[0]
    for n in range(20):
        made = (world.daemon, world.api)[n % 2].log_in(user['login'], user['password'], expiration=600)
        assert world.daemon.alive(made['token'])
        world.api.good('DELETE', f"/token/{made['token']}")
        assert not world.daemon.alive(made['token'])


def test_tokens_die_with_what_the_daemon_changes(world):
    """A new password, a disabled user, a deleted user, a deleted tenant, a row deleted by hand: all at the daemon's side."""
    root, filling = world.filling.root, world.filling

    def user_with_token(tenant):
        name = f'mortal-{uuid.uuid4().hex[:8]}'
        user = world.daemon.good(
            'POST', '/users', root, {'username': name, 'password': 'mortal-password'}, headers={'Wazo-Tenant': tenant}
        )
        token = world.api.log_in(name, 'mortal-password', expiration=600)['token']
        assert world.gate.get('/known', token).status_code == 200
        return user, token

    def dies(token):
        milliseconds_until(lambda: world.gate.get('/known', token).status_code == 401, 1)

    user, token = user_with_token(filling.top)
    world.daemon.good(
        'PUT',
        f"/users/{user['uuid']}/password",
        root,
        {'old_password': 'mortal-password', 'new_password': 'another-password'},
    )
    dies(token)
    assert world.api.log_in(user['username'], 'another-password')
    assert world.api.log_in(user['username'], 'mortal-password') is None

    user, token = user_with_token(filling.top)
    world.daemon.good('PUT', f"/users/{user['uuid']}", root, {'username': user['username'], 'enabled': False})
    dies(token)

    user, token = user_with_token(filling.top)
    world.daemon.good('DELETE', f"/users/{user['uuid']}", root)
    dies(token)

    tenant = world.daemon.good('POST', '/tenants', root, {'name': 'short-lived'})['uuid']
    user, token = user_with_token(tenant)
    world.daemon.good('DELETE', f'/tenants/{tenant}', root)
    dies(token)

    user, token = user_with_token(filling.top)
    world.python.psql(f"DELETE FROM auth_token WHERE uuid = '{token}'")
    dies(token)


def test_changes_of_the_one_are_seen_by_the_other_at_once(world):
    """Grants come with the next login, the tree of tenants with the next request."""
    root, top = world.filling.root, world.filling.top
    for writer, reader in ((world.daemon, world.api), (world.api, world.daemon)):
        name = uuid.uuid4().hex[:10]
        user = writer.good(
            'POST',
            '/users',
            root,
            {'username': name, 'password': 'seen-password', 'email_address': f'{name}@example.com'},
        )
        assert reader.good('GET', f"/users/{user['uuid']}", root) == user
        policy = writer.good('POST', '/policies', root, {'name': name, 'acl': [f'seen.{name}', 'b', 'a']})
        reader.good('PUT', f"/users/{user['uuid']}/policies/{policy['uuid']}", root)
        assert f'seen.{name}' in writer.log_in(f'{name}@example.com', 'seen-password')['acl']
        assert f'seen.{name}' in reader.log_in(name, 'seen-password')['acl']
        reader.good('PUT', f"/policies/{policy['uuid']}", root, {'name': name, 'acl': ['changed']})
        assert 'changed' in writer.log_in(name, 'seen-password')['acl']
        outer = writer.good('POST', '/tenants', root, {'name': f'{name}1'})['uuid']
        inner = reader.good('POST', '/tenants', root, {'name': f'{name}2'})['uuid']
        boss = writer.good(
            'POST',
            '/users',
            root,
            {'username': f'{name}b', 'password': 'boss-password'},
            headers={'Wazo-Tenant': outer},
        )
        writer.good('PUT', f"/users/{boss['uuid']}/policies/wazo_default_master_user_policy", root)
        token = reader.log_in(f'{name}b', 'boss-password')['token']
        assert reader.get('/users', token, headers={'Wazo-Tenant': inner}).status_code == 401
        writer.good('PUT', f'/tenants/{inner}/parent/{outer}', root)
        assert reader.get('/users', token, headers={'Wazo-Tenant': inner}).status_code == 200
        writer.good('PUT', f'/tenants/{inner}/parent/{top}', root)
        assert reader.get('/users', token, headers={'Wazo-Tenant': inner}).status_code == 401
    same_everywhere(world)


def test_writes_at_both_at_the_same_time(world):
    """Each of 16 threads makes, changes, ties and deletes by turns at the one and at the other.

    The daemon looks whether an access is known and inserts it then: who makes the same new access meanwhile, nginx or
    another of its own threads, causes its answer 500, and a second try is good.
    """
    root = world.filling.root
    tried_again = []

    def policy_at(client, method, path, body):
        while client is world.daemon and len(tried_again) < 50:
            answer = client.request(method, path, root, json=body)
            if answer.status_code != 500:
                assert answer.status_code == 200, answer.text
                return answer.json()
            tried_again.append(path)
        return client.good(method, path, root, body)

    def work(n):
        mine = []
        for i in range(6):
            one, other = (world.daemon, world.api) if (n + i) % 2 else (world.api, world.daemon)
            name = f'w{n}-{i}-{uuid.uuid4().hex[:6]}'
            user = one.good('POST', '/users', root, {'username': name, 'password': f'password-{name}'})
            group = other.good('POST', '/groups', root, {'name': name})
            # The same accesses everywhere: both insert into auth_access what the other inserts.
            policy = policy_at(
                one, 'POST', '/policies', {'name': name, 'acl': [f'same.{i}', f'only.{name}', 'confd.#']}
            )
            other.good('PUT', f"/groups/{group['uuid']}/users/{user['uuid']}", root)
            one.good('PUT', f"/groups/{group['uuid']}/policies/{policy['uuid']}", root)
            policy_at(
                other, 'PUT', f"/policies/{policy['uuid']}", {'name': name, 'acl': [f'then.{name}', f'again.{i}']}
            )
            token = one.log_in(name, f'password-{name}', expiration=600)
            assert f'then.{name}' in token['acl']
            other.good('PUT', f"/users/{user['uuid']}", root, {'username': name, 'firstname': 'x', 'enabled': True})
            one.good('DELETE', f"/groups/{group['uuid']}/policies/{policy['uuid']}", root)
            if i:
                other.good('DELETE', f"/users/{user['uuid']}", root)
                one.good('DELETE', f"/groups/{group['uuid']}", root)
                other.good('DELETE', f"/policies/{policy['uuid']}", root)
            else:
                mine.append(user['uuid'])
        return mine

    kept = [user for some in world.pool.map(work, range(16)) for user in some]
    assert len(kept) == 16
    print(f'\nthe daemon answered 500 to {len(tried_again)} of its 96 writes of policies')
    same_everywhere(world)


def test_one_name_at_both_at_the_same_time(world):
    """Exactly one of two gets it; the other is told so."""
    root = world.filling.root
    outcomes = []
    for n in range(25):
        name = f'race-{n}-{uuid.uuid4().hex[:6]}'
        for path, body in (
            ('/users', {'username': name}),
            ('/groups', {'name': name}),
            ('/policies', {'name': name}),
            ('/tenants', {'slug': f'r{n}{name[-6:]}'}),
        ):
            answers = world.at_both(lambda client: client.post(path, root, body))
            outcomes.append((path, tuple(answer.status_code for answer in answers)))
            assert sorted(status for status in outcomes[-1][1])[0] == 200, (path, [answer.text for answer in answers])
            assert answers[1].status_code in (200, 409), answers[1].text
            # The daemon's own answer may be 500: it looks first and inserts then.
            assert answers[0].status_code in (200, 409, 500), answers[0].text
            assert [answer.status_code for answer in answers].count(200) == 1
            made = next(answer.json()['uuid'] for answer in answers if answer.status_code == 200)
            world.daemon.good('DELETE', f'{path}/{made}', root)
    print('\n' + ', '.join(f'{path} {pair}: {outcomes.count((path, pair))}' for path, pair in sorted(set(outcomes))))
    same_everywhere(world)


def test_both_purge_what_has_expired(world):
    """Both delete expired sessions every 2 s: all of them go, and neither stumbles."""
    user = world.filling.users[0]
    made = [client.log_in(user['login'], user['password'], expiration=1) for client in (world.daemon, world.api) * 20]
    tokens = ', '.join(f"'{each['token']}'" for each in made)
    sessions = ', '.join(f"'{each['session_uuid']}'" for each in made)

    def gone():
        return (
            world.python.psql(
                f'SELECT (SELECT count(*) FROM auth_token WHERE uuid IN ({tokens})) + '
                f'(SELECT count(*) FROM auth_session WHERE uuid IN ({sessions}))'
            )
            == '0'
        )

    servers.wait_until(gone, 20, 'the purge of expired tokens', 0.2)
    same_everywhere(world)


def test_the_daemon_restarts_while_nginx_serves(world):
    """No request to nginx fails, and what nginx did meanwhile is there for the daemon."""
    root = world.filling.root
    user = world.filling.users[0]
    failed, done, stop = [], [], threading.Event()

    def work(n):
        while not stop.is_set():
            try:
                name = f'meanwhile-{uuid.uuid4().hex[:8]}'
                made = world.api.good('POST', '/users', root, {'username': name})
                token = world.api.log_in(user['login'], user['password'], expiration=600)['token']
                assert world.gate.get('/granted', token).status_code == 200
                world.api.good('DELETE', f'/token/{token}')
                assert world.gate.get('/granted', token).status_code == 401
                done.append(made)
            except Exception as error:  # whatever it is, it is told below
                failed.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        world.python.restart()
        time.sleep(0.5)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed, failed[:3]
    assert len(done) > 20
    print(f'\n{len(done)} rounds of four requests during three restarts')
    for made in done[-10:]:
        assert world.daemon.good('GET', f"/users/{made['uuid']}", root) == made
    same_everywhere(world)


def test_nginx_restarts_and_reloads_while_the_daemon_serves(world):
    before = world.python.rows()
    world.nginx.reload()
    world.nginx.restart()
    after = world.python.rows()
    assert [name for name in unlike(before, after) if name not in ('auth_token', 'auth_session')] == []
    same_everywhere(world)


# -- the way back ------------------------------------------------------------------------------------------------------


def test_detach_leaves_nothing_of_ours(world):
    name = story['last user'] = f'by-nginx-{uuid.uuid4().hex[:8]}'
    world.api.good('POST', '/users', world.filling.root, {'username': name, 'password': 'made-by-nginx'})
    story['last token'] = world.api.log_in(
        name, 'made-by-nginx', expiration=86400, access_type='offline', client_id='c'
    )
    found, count = differences(world, world.filling.root)
    assert not found
    done = world.upgrade('--detach')
    assert done.returncode == 1 and 'an nginx still uses this database' in done.stderr
    world.nginx.stop()
    before = world.python.rows()
    done = world.upgrade('--detach')
    assert done.returncode == 0, done.stderr
    assert unlike(story['schema'], world.python.schema()) == []
    assert [name for name in unlike(before, world.python.rows()) if name not in ('auth_token', 'auth_session')] == []


def test_the_daemon_alone_goes_on(world):
    """It runs through --detach, and starts again."""
    root, api = world.filling.root, world.daemon
    for restarted in (False, True):
        if restarted:
            world.python.restart()
        assert api.alive(story['last token']['token'])
        assert api.refresh(story['last token']['refresh_token'], 'c')
        assert api.log_in(story['last user'], 'made-by-nginx')
        for login, password, good in list(logins(world))[::5]:
            assert bool(api.log_in(login, password)) == good, login
        name = f'alone-{uuid.uuid4().hex[:8]}'
        user = api.good('POST', '/users', root, {'username': name, 'password': 'alone-password'})
        tenant = api.good('POST', '/tenants', root, {'name': name})
        group = api.good('POST', '/groups', root, {'name': name})
        policy = api.good('POST', '/policies', root, {'name': name, 'acl': ['alone.read']})
        api.good('PUT', f"/groups/{group['uuid']}/users/{user['uuid']}", root)
        api.good('PUT', f"/groups/{group['uuid']}/policies/{policy['uuid']}", root)
        token = api.log_in(name, 'alone-password')
        assert 'alone.read' in token['acl']
        api.good('DELETE', f"/token/{token['token']}")
        assert not api.alive(token['token'])
        for path in (
            f"/users/{user['uuid']}",
            f"/tenants/{tenant['uuid']}",
            f"/groups/{group['uuid']}",
            f"/policies/{policy['uuid']}",
        ):
            api.good('DELETE', path, root)
            assert api.get(path, root).status_code == 404


def test_there_and_back_once_more(world):
    """The same database can be adopted again, and given back again."""
    assert world.upgrade().returncode == 0
    assert world.upgrade().returncode == 0, 'a second run changes nothing'
    world.nginx.start()
    same_everywhere(world)
    world.nginx.stop()
    assert world.upgrade('--detach').returncode == 0
    assert world.upgrade('--detach').returncode == 0, 'a second run has nothing to do'
    assert unlike(story['schema'], world.python.schema()) == []
    assert world.daemon.log_in(*daemon.ADMIN)


def test_the_logs_of_both(world):
    serious = re.compile(r'\[(error|alert|crit|emerg)\]')
    # The gate's refusals are what these tests ask for; nginx logs refusals as errors.
    refused = re.compile(r'wazo_auth: refused: (revoked_token|unknown_token), ')
    lines = [line for line in world.nginx.error_log.read_text().splitlines() if serious.search(line)]
    bad = [line for line in lines if not refused.search(line)]
    assert not bad, bad[:10]
    assert len(lines) > len(bad)
    ends = []  # the line that ends a traceback is the first one after it that isn't indented
    lines = [line.partition(' ')[2] for line in world.python.log.read_text().splitlines()]
    for n, line in enumerate(lines):
        if line.startswith('Traceback'):
            ends.append(next((each for each in lines[n + 1 :] if each and not each.startswith(' ')), ''))
    print("\ntracebacks in the daemon's log: ", *sorted({f'{ends.count(end)} {end}' for end in ends}), sep='\n  ')
