"""Why an access is granted, and to whom: docs/explain.md."""
import json
import random

import pytest
import yaml

from support.checks import UNKNOWN, below, error, label, reason
from support.toys import TOYS

ALLOWED = ('granted', True)


@pytest.fixture(scope='module')
def tenant(create):
    return create('/tenants')['uuid']


@pytest.fixture(scope='module')
def admin_of(insert_token, make_user, tenant):
    """Who may ask about a tenant, and about nothing else."""
    user = make_user(headers=below(tenant))
    return insert_token(acl=['auth.access.#'], user_uuid=user['uuid'], tenant_uuid=tenant)['token']


@pytest.fixture(scope='module')
def new(api, admin_token, create, make_user, tenant):
    """Makes what an access comes from, in one tenant."""

    class New:
        @staticmethod
        def user(**fields):
            return make_user(headers=below(tenant), **fields)

        @staticmethod
        def policy(*acl, **fields):
            return create('/policies', tenant, name=label('policy'), acl=list(acl), **fields)

        @staticmethod
        def attach(user, policy):
            assert api.put(f"/users/{user['uuid']}/policies/{policy['uuid']}", admin_token).status_code == 204

        @staticmethod
        def group(*policies, members=()):
            group = create('/groups', tenant, name=label('group'))
            for policy in policies:
                answer = api.put(f"/groups/{group['uuid']}/policies/{policy['uuid']}", admin_token)
                assert answer.status_code == 204, answer.text
            for user in members:
                answer = api.put(f"/groups/{group['uuid']}/users/{user['uuid']}", admin_token)
                assert answer.status_code == 204, answer.text
            return group

    return New


@pytest.fixture
def explain(api, admin_of):
    def ask(access, token=None, client=api, caller=admin_of, **of):
        body = {'access': access, **({'token': token} if token else {}), **of}
        answer = client.post('/access/explain', caller, json=body)
        assert answer.status_code == 200, answer.text
        assert token is None or token not in answer.text
        return answer.json()

    return ask


def verdict(answer):
    return answer['reason'], answer['allowed']


def origin(pattern, policy, group=None, kind=None):
    return {
        'pattern': pattern,
        'kind': kind or ('group_policy' if group else 'user_policy'),
        'policy_uuid': policy['uuid'],
        'policy_name': policy['name'],
        'policy_slug': policy['slug'],
        'group_uuid': group and group['uuid'],
        'group_name': group and group['name'],
    }


def changes(answer):
    return [each['change'] for each in answer['changes']]


# -- a user ------------------------------------------------------------------------------------------------------------


def test_by_a_policy_of_the_user(explain, new, tenant):
    user, policy = new.user(), new.policy('calld.#', 'confd.users.read')
    new.attach(user, policy)
    answer = explain('calld.calls.read', user_uuid=user['uuid'])
    match = {'pattern': 'calld.#', 'negated': False, 'origins': [origin('calld.#', policy)]}
    assert answer == {
        'access': 'calld.calls.read',
        'operation': None,
        'user_uuid': user['uuid'],
        'tenant_uuid': tenant,
        'basis': 'login',
        'summary': f'"calld.#" grants it: policy "{policy["name"]}" of the user.',
        'allowed': True,
        'reason': 'granted',
        'deciding': match,
        'matches': [match],
        'patterns': answer['patterns'],
        'login': None,
        'changes': [],
    }
    assert answer['patterns'] >= 2


def test_by_several_ways_at_once(explain, new):
    user, policy = new.user(), new.policy('x.*', 'x.y')
    new.attach(user, policy)
    group = new.group(policy, members=[user])
    answer = explain('x.y', user_uuid=user['uuid'])
    assert {each['pattern'] for each in answer['matches']} == {'x.*', 'x.y'}
    for match in answer['matches']:
        pattern = match['pattern']
        assert match['origins'] == [origin(pattern, policy, group), origin(pattern, policy)]
    assert answer['deciding'] == answer['matches'][0]


def test_by_the_group_of_all_users(api, explain, new, tenant, admin_token):
    user, policy = new.user(), new.policy('everybody.may')
    everybody = api.get('/groups', admin_token, params={'search': 'wazo-all-users'}, headers=below(tenant)).json()
    group = everybody['items'][0]
    assert api.put(f"/groups/{group['uuid']}/policies/{policy['uuid']}", admin_token).status_code == 204
    answer = explain('everybody.may', user_uuid=user['uuid'])
    assert verdict(answer) == ALLOWED
    assert answer['deciding']['origins'] == [origin('everybody.may', policy, group)]


def test_a_negation_of_a_group_denies(explain, new):
    user, granting, denying = new.user(), new.policy('calld.#'), new.policy('!calld.*.delete')
    new.attach(user, granting)
    group = new.group(denying, members=[user])
    answer = explain('calld.calls.delete', user_uuid=user['uuid'])
    assert verdict(answer) == ('negated', False)
    assert answer['deciding'] == {
        'pattern': '!calld.*.delete',
        'negated': True,
        'origins': [origin('!calld.*.delete', denying, group)],
    }
    assert [each['pattern'] for each in answer['matches']] == ['!calld.*.delete', 'calld.#']
    change = answer['changes'][0]
    assert changes(answer) == ['remove_access']
    assert (change['pattern'], change['policy_uuid']) == ('!calld.*.delete', denying['uuid'])
    assert group['name'] in change['text'] and denying['name'] in change['text']


def test_a_negation_and_nothing_that_grants(explain, new):
    """Both have to change, and a policy that is offered doesn't deny again."""
    user, denying = new.user(), new.policy('!only.this')
    new.policy('only.#', '!only.this')
    granting = new.policy('only.this')
    new.attach(user, denying)
    answer = explain('only.this', user_uuid=user['uuid'])
    assert changes(answer) == ['remove_access', 'attach_policy']
    assert answer['changes'][1]['policy_uuid'] == granting['uuid']


def test_nothing_matches_and_policies_are_named_that_would_do(api, explain, new, create, admin_token):
    user = new.user()
    access = f'{label("a")}.read'
    big, small = new.policy('#'), new.policy(access)
    create('/policies', create('/tenants')['uuid'], name=label('elsewhere'), acl=[access])
    answer = explain(access, user_uuid=user['uuid'])
    assert verdict(answer) == ('no_match', False)
    assert (answer['deciding'], answer['matches']) == (None, [])
    offered = [each['policy_uuid'] for each in answer['changes']]
    assert set(changes(answer)) == {'attach_policy'} and offered[0] == small['uuid']
    for policy in (big, small):
        assert api.delete(f"/policies/{policy['uuid']}", admin_token).status_code == 204


def test_what_is_said_to_change_is_enough(api, explain, new, admin_token):
    user, denying, granting = new.user(), new.policy('!w.#'), new.policy('w.x')
    new.attach(user, denying)
    while not (answer := explain('w.x', user_uuid=user['uuid']))['allowed']:
        change = answer['changes'][0]
        if change['change'] == 'remove_access':
            path = f"/policies/{change['policy_uuid']}/acl/{change['pattern'].replace('#', '%23')}"
            assert api.delete(path, admin_token).status_code == 204
        else:
            assert change == {**change, 'change': 'attach_policy', 'policy_uuid': granting['uuid']}
            new.attach(user, granting)
    assert answer['deciding']['origins'] == [origin('w.x', granting)]


def test_no_policy_that_would_do(explain, new):
    answer = explain('nobody.\n\nhas.this', user_uuid=new.user()['uuid'])
    assert changes(answer) == ['add_access']
    assert answer['changes'][0]['pattern'] == 'nobody.\n\nhas.this'


def test_me_and_my_session(explain, new):
    user, other = new.user(), new.user()
    policy = new.policy('auth.users.me.read', '!auth.users.me.delete', 'auth.#.delete', 'foo.my_session')
    new.attach(user, policy)
    own = f"auth.users.{user['uuid']}."
    assert verdict(explain(own + 'read', user_uuid=user['uuid'])) == ALLOWED
    assert verdict(explain('auth.users.me.read', user_uuid=user['uuid'])) == ALLOWED
    assert verdict(explain(f"auth.users.{other['uuid']}.read", user_uuid=user['uuid'])) == ('no_match', False)
    assert verdict(explain(own + 'delete', user_uuid=user['uuid'])) == ('negated', False)
    assert verdict(explain(f"auth.users.{other['uuid']}.delete", user_uuid=user['uuid'])) == ALLOWED
    assert verdict(explain('foo.my_session', user_uuid=user['uuid'])) == ALLOWED
    assert verdict(explain('foo.', user_uuid=user['uuid'])) == ('no_match', False)  # a session has a name


def test_a_user_who_is_disabled(api, explain, new, admin_token):
    user, policy = new.user(), new.policy('calld.#')
    new.attach(user, policy)
    changed = {'username': user['username'], 'enabled': False}
    assert api.put(f"/users/{user['uuid']}", admin_token, json=changed).status_code == 200
    answer = explain('calld.x', user_uuid=user['uuid'])
    assert verdict(answer) == ('user_disabled', False)
    assert answer['deciding']['pattern'] == 'calld.#'
    assert changes(answer) == ['enable_user']


def test_the_policy_that_the_configuration_puts_first(new_nginx, explain, new, api, admin_token, tenant, make_token):
    policy, user = new.policy('default.#'), new.user()
    nginx = new_nginx('access-default', workers=1, settings={'default_user_policy': policy['name']})
    answer = explain('default.x', client=nginx.api, user_uuid=user['uuid'])
    assert verdict(answer) == ALLOWED
    assert answer['deciding']['origins'] == [origin('default.#', policy, kind='default_user_policy')]
    assert 'default.#' in make_token(user, client=nginx.api)['acl']
    found = nginx.api.get('/access/who-can', admin_token, params={'access': 'default.x'}, headers=below(tenant)).json()
    users = api.get('/users', admin_token, headers=below(tenant), params={'limit': 1}).json()
    disabled = [u for u in api.get('/users', admin_token, headers=below(tenant)).json()['items'] if not u['enabled']]
    assert found['total'] == users['total'] - len(disabled)
    assert found['items'][0]['origins'] == [origin('default.#', policy, kind='default_user_policy')]


# -- a token -----------------------------------------------------------------------------------------------------------


def test_a_token(explain, new, make_token):
    user, policy = new.user(), new.policy('calld.#', 'auth.sessions.my_session.read')
    new.attach(user, policy)
    token = make_token(user)
    answer = explain('calld.x', token['token'])
    assert (verdict(answer), answer['basis'], answer['user_uuid']) == (ALLOWED, 'token', user['uuid'])
    assert answer['deciding']['origins'] == [origin('calld.#', policy)]
    assert verdict(answer['login']) == ALLOWED
    # The token has a session.
    answer = explain(f"auth.sessions.{token['session_uuid']}.read", token['token'])
    assert verdict(answer) == ALLOWED and not answer['login']['allowed']


def test_a_token_that_is_older_than_the_policies(api, explain, new, make_token, admin_token):
    user, policy = new.user(), new.policy('old.#')
    new.attach(user, policy)
    token = make_token(user)['token']
    assert api.delete(f"/policies/{policy['uuid']}/acl/old.%23", admin_token).status_code == 204
    assert api.put(f"/policies/{policy['uuid']}/acl/new.%23", admin_token).status_code == 204

    answer = explain('old.x', token)
    assert verdict(answer) == ALLOWED and verdict(answer['login']) == ('no_match', False)
    assert [each['kind'] for each in answer['deciding']['origins']] == ['token']
    assert 'A new login would not be allowed' in answer['summary']

    answer = explain('new.x', token)
    assert verdict(answer) == ('no_match', False) and verdict(answer['login']) == ALLOWED
    assert answer['login']['deciding']['origins'] == [origin('new.#', policy)]
    assert changes(answer) == ['log_in_again']
    assert 'A new login would be allowed' in answer['summary']

    answer = explain('neither', token)
    assert changes(answer)[-1] == 'log_in_again' and len(answer['changes']) > 1


def test_a_token_that_is_no_users(explain, insert_token, tenant):
    token = insert_token(acl=['a.me.b', '!c'], tenant_uuid=tenant, auth_id='wazo-auth')['token']
    answer = explain('a.wazo-auth.b', token)
    assert (verdict(answer), answer['user_uuid'], answer['login']) == (ALLOWED, None, None)
    assert (answer['deciding']['origins'][0]['kind'], answer['patterns']) == ('token', 2)
    assert changes(explain('c', token)) == []


def test_a_token_that_has_ended(api, admin_of, insert_token, tenant):
    expired = insert_token(acl=['#'], expiration=-60, tenant_uuid=tenant)['token']
    for token in (expired, UNKNOWN, 'no token', 'x' * 5000):
        answer = api.post('/access/explain', admin_of, json={'access': 'a', 'token': token})
        reason(answer, 404, 'No such token')
        assert token not in answer.text


def test_it_says_what_the_check_of_a_token_says(api, explain, new, make_token):
    rng = random.Random(16)
    words = ['a', 'b', 'me', 'edit', 'update', '*', '#', 'my_session']
    user = new.user()
    pattern = lambda: rng.choice(['', '', '!']) + '.'.join(rng.choices(words, k=rng.randint(2, 3)))  # noqa: E731
    for _ in range(6):
        new.attach(user, new.policy(*{pattern() for _ in range(4)}))
    token = make_token(user)
    names = ['a', 'b', 'me', 'update', user['uuid'], token['session_uuid']]
    seen = set()
    for _ in range(60):
        access = '.'.join(rng.choices(names, k=rng.randint(1, 4)))
        answer = explain(access, token['token'])
        granted = api.head(f"/token/{token['token']}", params={'scope': access}).status_code == 204
        assert answer['allowed'] == granted, (access, answer)
        seen.add(answer['reason'])
    assert seen == {'granted', 'negated', 'no_match'}


# -- who may ask -------------------------------------------------------------------------------------------------------


def test_what_isnt_the_callers_to_see(api, admin_of, make_user, create, insert_token, make_token, tenant, admin_token):
    elsewhere = create('/tenants')['uuid']
    stranger = make_user(headers=below(elsewhere))
    token = make_token(stranger)['token']
    body = {'access': 'a', 'user_uuid': stranger['uuid']}
    error(api.post('/access/explain', admin_of, json=body), 404, 'unknown-user', uuid=stranger['uuid'])
    error(api.post('/access/explain', admin_of, json=body | {'user_uuid': UNKNOWN}), 404, 'unknown-user', uuid=UNKNOWN)
    reason(api.post('/access/explain', admin_of, json={'access': 'a', 'token': token}), 404, 'No such token')
    # From above both are seen, and through a tenant beside them neither.
    for body in (body, {'access': 'a', 'token': token}):
        assert api.post('/access/explain', admin_token, json=body).status_code == 200
        assert api.post('/access/explain', admin_token, json=body, headers=below(elsewhere)).status_code == 200
        assert api.post('/access/explain', admin_token, json=body, headers=below(tenant)).status_code == 404
    foreign = api.post('/access/explain', admin_of, json=body, headers=below(elsewhere))
    assert foreign.json()['error_id'] == 'unauthorized-tenant'


def test_without_the_right(api, insert_token):
    for acl, method, path in (
        (['#', '!auth.access.explain'], 'POST', '/access/explain'),
        (['#', '!auth.access.who_can'], 'GET', '/access/who-can?access=a'),
    ):
        caller = insert_token(acl=acl)['token']
        answer = api.request(method, path, caller, json={'access': 'a', 'user_uuid': UNKNOWN})
        assert answer.status_code == 401
        assert answer.json()['details']['required_access'] == acl[1][1:]


@pytest.mark.parametrize(
    'body, field',
    [
        ({}, '_schema'),
        ({'user_uuid': UNKNOWN}, '_schema'),
        ({'access': None, 'user_uuid': UNKNOWN}, '_schema'),
        ({'access': 1, 'user_uuid': UNKNOWN}, 'access'),
        ({'access': 'a\0', 'user_uuid': UNKNOWN}, 'access'),
        ({'access': 'a', 'user_uuid': 'x'}, 'user_uuid'),
        ({'access': 'a', 'token': 1}, 'token'),
        ({'access': 'a'}, '_schema'),
        ({'access': 'a', 'token': UNKNOWN, 'user_uuid': UNKNOWN}, '_schema'),
    ],
)
def test_bad_questions(api, admin_of, body, field):
    assert field in error(api.post('/access/explain', admin_of, json=body), 400, 'invalid-data')['details']


# -- who can -----------------------------------------------------------------------------------------------------------


def test_who_can_says_where_from(api, new, admin_of):
    first, second = new.user(firstname='Ann', lastname='Z'), new.user(firstname='Bob', lastname='Y')
    policy = new.policy('whocan.#', 'whocan.x')
    group = new.group(policy, members=[first, second])
    new.attach(second, policy)
    answer = api.get('/access/who-can', admin_of, params={'access': 'whocan.x', 'order': 'firstname'}).json()
    # Others have it by "#".
    mine = [each for each in answer['items'] if each['uuid'] in (first['uuid'], second['uuid'])]
    keys = ('uuid', 'username', 'firstname', 'lastname', 'purpose', 'tenant_uuid')
    assert [{key: each[key] for key in keys} for each in mine] == [
        {key: u[key] for key in keys} for u in (first, second)
    ]
    by_group = [origin(pattern, policy, group) for pattern in ('whocan.#', 'whocan.x')]
    by_policy = [origin(pattern, policy) for pattern in ('whocan.#', 'whocan.x')]

    def ordered(origins):
        return sorted(origins, key=str)

    assert ordered(mine[0]['origins']) == ordered(by_group)
    assert ordered(mine[1]['origins']) == ordered(by_group + by_policy)


def test_who_can_is_a_list(api, new, admin_of):
    access = f'{label("list")}.read'
    policy = new.policy(access)
    users = sorted((new.user(lastname=label('l')) for _ in range(5)), key=lambda user: user['username'])
    for user in users:
        new.attach(user, policy)

    def ask(**params):
        answer = api.get('/access/who-can', admin_of, params={'access': access, **params})
        assert answer.status_code == 200, answer.text
        assert api.head('/access/who-can', admin_of, params={'access': access, **params}).status_code == 200
        body = answer.json()
        return [each['username'] for each in body['items']], body['filtered'], body['total']

    names = [user['username'] for user in users]
    assert ask() == (names, 5, 5)
    assert ask(limit=2, offset=1) == (names[1:3], 5, 5)
    assert ask(direction='desc', limit=1) == (names[4:], 5, 5)
    assert ask(limit=0) == ([], 5, 5) and ask(offset=9) == ([], 5, 5)
    assert ask(search=names[2]) == ([names[2]], 1, 5)
    assert ask(order='lastname')[0] == [u['username'] for u in sorted(users, key=lambda user: user['lastname'])]
    error(api.get('/access/who-can', admin_of), 400, 'invalid-list-param')
    error(api.get('/access/who-can', admin_of, params={'access': 'a', 'order': 'uuid'}), 400, 'invalid-list-param')
    nobody = api.get('/access/who-can', admin_of, params={'access': 'nobody\n\ncan'}).json()
    assert nobody == {'filtered': 0, 'total': 0, 'items': []}


def test_who_can_keeps_to_tenants(api, new, create, make_user, admin_of, admin_token, tenant):
    child = create('/tenants', tenant)['uuid']
    access = f'{label("tenancy")}.read'
    policy = new.policy(access)
    here, under, beside = new.user(), make_user(headers=below(child)), make_user()
    for user in (here, under, beside):
        new.attach(user, policy)

    def ask(caller=admin_of, headers=None, **params):
        answer = api.get('/access/who-can', caller, params={'access': access, **params}, headers=headers)
        return {each['uuid'] for each in answer.json()['items']}

    assert ask() == {here['uuid']}
    assert ask(recurse=True) == {here['uuid'], under['uuid']}
    assert ask(headers=below(child)) == {under['uuid']}
    mine = {user['uuid'] for user in (here, under, beside)}  # administrators have it by "#"
    assert ask(admin_token) & mine == {beside['uuid']}
    assert ask(admin_token, recurse=True) & mine == mine


def test_who_can_is_who_is_let_through(api, new, admin_of, make_token):
    """Against the tokens of all, one by one: policies and groups at random, with negations and `me`."""
    rng = random.Random(4711)
    users = [new.user() for _ in range(14)]
    top = label('brute')
    words = ['a', 'b', 'me', 'edit', '*', '#', users[0]['uuid']]

    def pattern():
        return rng.choice(['', '', '', '!']) + '.'.join([top, *rng.choices(words, k=rng.randint(1, 3))])

    for _ in range(12):
        policy = new.policy(*{pattern() for _ in range(rng.randint(1, 4))})
        for user in rng.sample(users, rng.randint(0, 3)):
            new.attach(user, policy)
        if rng.random() < 0.5:
            new.group(policy, members=rng.sample(users, rng.randint(1, 4)))
    tokens = {user['uuid']: make_token(user)['token'] for user in users}
    names = ['a', 'b', 'me', 'edit', 'update', 'c'] + [user['uuid'] for user in users[:3]]
    sizes = set()
    for _ in range(40):
        access = '.'.join([top, *rng.choices(names, k=rng.randint(1, 3))])
        expected = {
            each
            for each, token in tokens.items()
            if api.head(f'/token/{token}', params={'scope': access}).status_code == 204
        }
        answer = api.get('/access/who-can', admin_of, params={'access': access}).json()
        found = {each['uuid'] for each in answer['items']}
        assert found & set(tokens) == expected, access
        assert answer['total'] == len(found)
        for each in answer['items']:
            assert each['origins'] and not any(o['pattern'].startswith('!') for o in each['origins'])
        sizes.add(len(expected))
    assert len(sizes) > 3, 'the data should make a difference'


def test_who_can_leaves_out_who_is_disabled(api, new, admin_of, admin_token):
    access, user = f'{label("off")}.read', new.user()
    new.attach(user, new.policy(access))
    ask = lambda: api.get('/access/who-can', admin_of, params={'access': access}).json()['total']  # noqa: E731
    assert ask() == 1
    changed = {'username': user['username'], 'enabled': False}
    assert api.put(f"/users/{user['uuid']}", admin_token, json=changed).status_code == 200
    assert ask() == 0


@pytest.mark.parametrize('access', ['', '#', '*', '!a', "a'b", 'é.ü', 'a' * 4000, '.'.join('ab' * 800)])
def test_any_text_may_be_asked_about(api, explain, new, admin_of, access):
    answer = explain(access, user_uuid=new.user()['uuid'])
    assert answer['access'] == access
    assert api.get('/access/who-can', admin_of, params={'access': access}).status_code == 200


# -- what a change would change ----------------------------------------------------------------------------------------


@pytest.fixture
def preview(api, admin_of):
    """→ (users whom the change reaches, {(effect, access): usernames of the first of them, and how many}) of a change."""

    def ask(change, **what):
        body = {'change': change} | {
            name if name == 'acl' else f'{name}_uuid': value if name == 'acl' else value['uuid']
            for name, value in what.items()
        }
        answer = api.post('/access/preview', admin_of, json=body)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found['skipped'] == 0
        return found['users'], {
            (effect['effect'], access): ([user['username'] for user in effect['first']], effect['users'])
            for effect in found['effects']
            for access in effect['accesses']
        }

    return ask


def names(*users):
    return sorted(user['username'] for user in users), len(users)


NOBODY = ([], 0)


def test_preview_of_a_policy_for_a_group(new, preview):
    """Who has it already gains nothing; who has it by another way doesn't lose it."""
    words = label('p').replace('-', '')
    policy, other = new.policy(f'{words}.a', f'{words}.b.*'), new.policy(f'{words}.b.#')
    alone, both, denied = new.user(), new.user(), new.user()
    group = new.group(members=[alone, both, denied])
    new.attach(both, other)
    new.attach(denied, new.policy(f'!{words}.#'))
    users, effects = preview('add', group=group, policy=policy)
    assert users == 3
    assert effects == {('gain', f'{words}.a'): names(alone, both), ('gain', f'{words}.b.*'): names(alone)}
    group = new.group(policy, members=[alone, both, denied])
    users, effects = preview('remove', group=group, policy=policy)
    assert effects == {('lose', f'{words}.a'): names(alone, both), ('lose', f'{words}.b.*'): names(alone)}
    new.attach(alone, policy)
    assert preview('remove', group=group, policy=policy)[1][('lose', f'{words}.b.*')] == NOBODY
    assert preview('remove', group=group)[1][('lose', f'{words}.a')] == names(both)
    assert preview('remove', policy=policy)[1][('lose', f'{words}.a')] == names(alone, both)
    again = new.group(policy, members=[both])
    assert preview('remove', group=again, policy=policy) == (1, dict.fromkeys(effects, NOBODY))


def test_preview_of_a_user(new, preview):
    words = label('p').replace('-', '')
    user, there = new.user(), new.user()
    policy, narrow, denying = new.policy(f'{words}.#'), new.policy(f'{words}.x.*'), new.policy(f'!{words}.x.read')
    group, denied = new.group(policy, members=[there]), new.group(denying)
    assert preview('add', user=user, group=group) == (1, {('gain', f'{words}.#'): names(user)})
    assert preview('add', user=there, group=group) == (1, {('gain', f'{words}.#'): NOBODY})
    assert preview('add', user=there, policy=narrow) == (1, {('gain', f'{words}.x.*'): NOBODY})
    assert preview('add', user=there, group=denied) == (1, {('lose', f'!{words}.x.read'): names(there)})
    assert preview('add', user=user, group=denied) == (1, {('lose', f'!{words}.x.read'): NOBODY})
    new.attach(there, denying)
    assert preview('remove', user=there, policy=denying) == (1, {('gain', f'!{words}.x.read'): names(there)})
    new.attach(there, narrow)
    assert preview('remove', user=there, policy=narrow) == (1, {('lose', f'{words}.x.*'): NOBODY})
    assert preview('remove', user=there, group=group) == (1, {('lose', f'{words}.#'): names(there)})


def test_preview_of_an_edit(new, preview):
    words = label('p').replace('-', '')
    policy = new.policy(f'{words}.kept', f'{words}.gone', f'{words}.part.read')
    direct, member = new.user(), new.user()
    new.attach(direct, policy)
    new.group(policy, members=[member])
    acl = [f'{words}.kept', f'{words}.part.*', f'{words}.more', f'{words}.more', f'!{words}.kept']
    users, effects = preview('edit', policy=policy, acl=acl)
    assert users == 2
    assert effects == {
        ('gain', f'{words}.more'): names(direct, member),
        ('gain', f'{words}.part.*'): names(direct, member),
        ('lose', f'{words}.gone'): names(direct, member),
        ('lose', f'!{words}.kept'): names(direct, member),
        ('lose', f'{words}.part.read'): NOBODY,
    }
    assert preview('edit', policy=policy, acl=policy['acl'])[1] == {}
    assert preview('edit', policy=policy, acl=[])[1][('lose', f'{words}.kept')] == names(direct, member)


def test_preview_is_what_logins_say(api, new, preview, make_token, admin_token):
    """Random policies: an access that is said to be gained is in the tokens of those users afterwards, and no one else's."""
    pick = random.Random(4711)
    words = label('p').replace('-', '')
    accesses = [f'{words}.{rest}' for rest in ('a', 'b', 'c.d', 'c.e', 'f.g.h', 'f.g.i')]
    patterns = [*accesses, f'{words}.c.*', f'{words}.f.#', f'!{words}.a', f'!{words}.f.g.*', f'!{words}.c.d']

    def has(user):
        token = make_token(user)['token']
        return api.post(f'/token/{token}/scopes/check', json={'scopes': accesses}).json()['scopes']

    for _ in range(6):
        users = [new.user() for _ in range(3)]
        policies = [new.policy(*pick.sample(patterns, pick.randint(1, 4))) for _ in range(3)]
        groups = [new.group(*pick.sample(policies, 1), members=pick.sample(users, 2)) for _ in range(2)]
        for user in users:
            new.attach(user, pick.choice(policies))
        group, policy = pick.choice(groups), pick.choice(policies)
        verb = pick.choice(['add', 'remove'])
        _, said = preview(verb, group=group, policy=policy)
        before = {user['username']: has(user) for user in users}
        path = f"/groups/{group['uuid']}/policies/{policy['uuid']}"
        assert api.request('PUT' if verb == 'add' else 'DELETE', path, admin_token).status_code == 204
        for user in users:
            after = has(user)
            gained = [each for each in accesses if after[each] > before[user['username']][each]]
            lost = [each for each in accesses if after[each] < before[user['username']][each]]
            told = {effect for (effect, _), (whom, _) in said.items() if user['username'] in whom}
            assert told == {*(['gain'] if gained else []), *(['lose'] if lost else [])}, (user, policy, said)
            for effect, changed in ('gain', gained), ('lose', lost):
                for access in changed:
                    assert (effect, access) not in said or user['username'] in said[(effect, access)][0]


def test_preview_shows_five_users_and_counts_all(psql, new, preview, tenant):
    words = label('p').replace('-', '')
    group, policy = new.group(), new.policy(f'{words}.a')
    psql(
        f"""SET session_replication_role = replica;
            INSERT INTO auth_user (uuid, username, purpose, authentication_method, enabled, tenant_uuid)
            SELECT uuid_generate_v4()::text, '{words}-' || to_char(i, 'FM0000'), 'user', 'default', i > 1, '{tenant}'
            FROM generate_series(1, 5000) i;
            INSERT INTO auth_user_group (user_uuid, group_uuid)
            SELECT uuid, '{group["uuid"]}' FROM auth_user WHERE username LIKE '{words}-%'"""
    )
    try:
        users, effects = preview('add', group=group, policy=policy)
        assert users == 4999  # who is disabled has nothing
        assert effects == {('gain', f'{words}.a'): ([f'{words}-{i:04}' for i in range(2, 7)], 4999)}
    finally:
        psql(f"SET session_replication_role = replica; DELETE FROM auth_user_group WHERE group_uuid = '{group['uuid']}'; "
             f"DELETE FROM auth_user WHERE username LIKE '{words}-%'")  # fmt: skip


def test_preview_of_the_policy_that_the_configuration_puts_first(new_nginx, create, admin_token, admin_of, new):
    words = label('p').replace('-', '')
    policy = create('/policies', name=f'first-{words}', acl=[f'{words}.#'], shared=True)
    new.user()
    nginx = new_nginx('preview-first', settings={'default_user_policy': policy['name']})
    body = {'change': 'edit', 'policy_uuid': policy['uuid'], 'acl': []}
    found = nginx.api.post('/access/preview', admin_of, json=body).json()
    [effect] = found['effects']
    assert (effect['effect'], effect['accesses']) == ('lose', [f'{words}.#'])
    assert effect['users'] == found['users'] > 1


def test_preview_keeps_to_tenants(api, new, create, make_user, admin_of, tenant):
    policy = create('/policies', name=label('shared'), acl=['x.y'], shared=True)
    beside, below_it = make_user(), make_user(headers=below(create('/tenants', tenant)))
    mine = new.user()
    for user in beside, below_it, mine:
        new.attach(user, policy)
    found = api.post('/access/preview', admin_of, json={'change': 'remove', 'policy_uuid': policy['uuid']}).json()
    assert found['users'] == 2
    assert beside['username'] not in str(found) and below_it['username'] in str(found)
    for what, answer in (
        ({'user_uuid': beside['uuid'], 'policy_uuid': policy['uuid']}, 'unknown-user'),
        ({'group_uuid': UNKNOWN, 'policy_uuid': policy['uuid']}, 'unknown-group'),
    ):
        error(api.post('/access/preview', admin_of, json={'change': 'add', **what}), 404, answer)
    hidden = create('/policies', name=label('hidden'), acl=['x.y'])
    reason(api.post('/access/preview', admin_of, json={'change': 'remove', 'policy_uuid': hidden['uuid']}), 404)
    other = api.post(
        '/access/preview', admin_of, json={'change': 'add', 'policy_uuid': hidden['uuid'], 'user_uuid': mine['uuid']}
    )
    reason(other, 404)


@pytest.mark.parametrize('body', [
    {}, {'change': 'add'}, {'change': 'swap', 'policy_uuid': UNKNOWN, 'group_uuid': UNKNOWN},
    {'change': 'add', 'policy_uuid': UNKNOWN}, {'change': 'remove', 'user_uuid': UNKNOWN},
    {'change': 'add', 'policy_uuid': UNKNOWN, 'group_uuid': UNKNOWN, 'user_uuid': UNKNOWN},
    {'change': 'edit', 'policy_uuid': UNKNOWN}, {'change': 'edit', 'group_uuid': UNKNOWN, 'acl': []},
    {'change': 'remove', 'policy_uuid': UNKNOWN, 'acl': ['a']}, {'change': 'add', 'user_uuid': 'x', 'group_uuid': UNKNOWN},
])  # fmt: skip
def test_previews_of_no_change(api, admin_of, body):
    error(api.post('/access/preview', admin_of, json=body), 400, 'invalid-data')


# -- the document ------------------------------------------------------------------------------------------------------


def test_the_document_is_read_as_it_is_meant(api):
    """What stands beside a reference is ignored, so that what may be null would not be."""

    def look(at):
        if isinstance(at, dict):
            assert '$ref' not in at or len(at) == 1, at
            at = list(at.values())
        for each in at if isinstance(at, list) else ():
            look(each)

    content = yaml.safe_load(api.get('/api/api.yml').text)  # a validator writes into the one that tests share
    look(content)
    assert content['definitions']['AccessExplanation']['properties']['deciding']['x-nullable']
    parameters = {each['name']: each for each in content['paths']['/access/who-can']['get']['parameters']}
    assert parameters['access']['required'] and not parameters['limit']['required']


# -- the command -------------------------------------------------------------------------------------------------------

DOCUMENT = """
swagger: '2.0'
info: {title: wazo-toy, version: '1.0'}
basePath: /1.0
paths:
  /toys:
    get:
      description: '**Required ACL:** `toyd.toys.read`'
  /toys/{toy_id}:
    delete:
      description: '**Required ACL:** `toyd.toys.{toy_id}.delete`'
      parameters: [{name: toy_id, in: path, required: true, type: string}]
  /status:
    get:
      description: '**Required ACL:** none'
"""


@pytest.fixture(scope='module')
def document(folder):
    file = folder / 'api.yml'
    file.write_text(DOCUMENT)
    return file


@pytest.fixture(scope='module')
def gate(command, stack, document):
    """gate('check', 'GET', '/toys', ...) with the document, gate('who-can', ...)."""

    def run(verb, *words, **options):
        source = [document] if verb == 'check' else []
        return command('wazo-auth-gate', verb, *source, *words, '--config', stack.nginx.values['CONFIG'], **options)

    return run


def test_check_names_the_operation(gate, document):
    for words in (('DELETE', '/1.0/toys/a%2eb'), ('DELETE', '/1.0/toys/a.b/?x=1')):
        done = gate('check', *words)
        assert (done.returncode, done.stderr) == (0, '')
        assert done.stdout == f'DELETE /1.0/toys/{{toy_id}}  ({document}:10)\n  needs toyd.toys.a_b.delete\n'
    assert '/api/toyd/1.0/toys' in gate('check', 'GET', '/api/toyd/1.0/toys', '--prefix=/api/toyd').stdout
    assert 'needs no token' in gate('check', 'GET', '/1.0/status').stdout
    assert 'would widen the access' in gate('check', 'DELETE', '/1.0/toys/%23').stdout


def test_check_says_why(gate, new, make_token, document):
    user, granting, denying = new.user(), new.policy('toyd.#'), new.policy('!toyd.*.*.delete')
    new.attach(user, granting)
    group = new.group(denying, members=[user])
    for who in (user['uuid'], user['username']):
        done = gate('check', 'GET', '/1.0/toys', '--user', who)
        assert (done.returncode, done.stderr) == (0, '')
        assert f'allowed: "toyd.#" grants it: policy "{granting["name"]}" of the user.' in done.stdout
        done = gate('check', 'DELETE', '/1.0/toys/1', f'--user={who}')
        assert (done.returncode, done.stderr) == (3, '')
        assert f'    not allowed: "!toyd.*.*.delete" denies it: policy "{denying["name"]}" of group' in done.stdout
        assert f'    - Remove "!toyd.*.*.delete" from policy "{denying["name"]}" of group' in done.stdout
        assert group['name'] in done.stdout
    token = make_token(user)['token']
    for words, given in ((('--token', token), ''), (('--token=-',), token + '\n')):
        done = gate('check', 'DELETE', '/1.0/toys/1', *words, '--json', standard_input=given)
        assert done.returncode == 3 and token not in done.stdout + done.stderr
        answer = json.loads(done.stdout)
        assert (answer['need'], answer['allowed'], answer['accesses'][0]['access']) == (
            'acl',
            False,
            'toyd.toys.1.delete',
        )
        assert answer['accesses'][0]['explanation']['deciding']['pattern'] == '!toyd.*.*.delete'


def test_check_says_what_the_api_says(gate, explain, new):
    user = new.user()
    new.attach(user, new.policy('toyd.toys.read'))
    done = gate('check', 'GET', '/1.0/toys', '--user', user['uuid'], '--json')
    assert json.loads(done.stdout)['accesses'] == [
        {'access': 'toyd.toys.read', 'explanation': explain('toyd.toys.read', user_uuid=user['uuid'])}
    ]


@pytest.mark.parametrize(
    'words, why',
    [
        (('GET', '/1.0/nothing'), 'no operation has the path /1.0/nothing'),
        (('POST', '/1.0/toys'), '/1.0/toys has other methods: GET'),
        (('GET', '/1.0/toys', '--user', 'nobody'), 'no user "nobody"'),
        (('GET', '/1.0/toys', '--token', UNKNOWN), 'no such token'),
        (('GET', '/1.0/toys', '--token', '-'), 'no token on the standard input'),
        (('GET', '/1.0/toys', '--user', 'a', '--config', '/nowhere.yml'), '--config comes once'),
    ],
)
def test_check_of_what_isnt_there(gate, words, why):
    done = gate('check', *words)
    assert done.returncode in (1, 2) and why in done.stderr and done.stdout == ''


@pytest.mark.parametrize(
    'words',
    [
        ('check',),
        ('check', 'GET'),
        ('check', 'GET', '/', '--user'),
        ('check', 'GET', '/', '--user='),
        ('check', 'GET', '/', '--user', 'a', '--token', 'b'),
        ('who-can',),
        ('who-can', 'a', 'b'),
        ('who-can', 'a', '--tenant', 'x'),
        ('who-can', 'a', '--prefix', 'x'),
    ],
)
def test_wrong_command_lines(gate, words):
    done = gate(*words)
    assert (done.returncode, done.stdout) == (2, '') and done.stderr.startswith('wazo-auth-gate: ')


def test_who_can_on_the_machine(api, gate, new, make_user, create, tenant, admin_of):
    access = f'{label("tool")}.read'
    here, under, beside = new.user(), make_user(headers=below(create('/tenants', tenant))), make_user()
    policy = new.policy(access)
    group = new.group(policy, members=[here])
    for user in (here, under, beside):
        new.attach(user, policy)
    done = gate('who-can', access, '--tenant', tenant)
    assert (done.returncode, done.stderr) == (0, '')
    lines = done.stdout.splitlines()
    assert lines[-1] == f'2 users have "{access}"'
    place = lines.index(f"{here['uuid']}  {here['username']}  of tenant {tenant}")
    assert lines[place + 1 : place + 3] == [
        f'    "{access}" of policy "{policy["name"]}" of group "{group["name"]}"',
        f'    "{access}" of policy "{policy["name"]}"',
    ]
    assert f"{under['uuid']}  " in done.stdout and beside['uuid'] not in done.stdout
    assert beside['uuid'] in gate('who-can', access).stdout
    shown = json.loads(gate('who-can', access, '--tenant', tenant, '--json').stdout)
    assert shown == api.get('/access/who-can', admin_of, params={'access': access, 'recurse': True}).json()
    assert gate('who-can', 'nobody.\n\nhas').stdout == '0 users have "nobody.\n\nhas"\n'


# -- a request in place of an access -----------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def with_documents(new_nginx, folder):
    (folder / 'toys.yml').write_text(TOYS)
    return new_nginx('explained', http=f'wazo_auth_openapi {folder}/toys.yml prefix=/api/toys;')


@pytest.fixture
def explain_request(with_documents, admin_of):
    def ask(method, url, status=200, **of):
        answer = with_documents.api.post('/access/explain', admin_of, json={'method': method, 'url': url, **of})
        assert answer.status_code == status, answer.text
        return answer.json()

    return ask


def test_a_request_is_explained_by_its_operation(explain_request, new):
    user, policy = new.user(), new.policy('toys.42.read')
    found = explain_request('GET', 'https://pbx.example.com/api/toys/1.0/toys/42?x=1', user_uuid=user['uuid'])
    assert (found['allowed'], found['reason'], found['access']) == (False, 'no_match', 'toys.42.read')
    assert found['operation'] == {
        'method': 'GET',
        'path': '/api/toys/1.0/toys/{toy_id}',
        'document': 'toys',
        'need': 'acl',
        'accesses': ['toys.42.read', 'toys.all.read'],
    }
    new.attach(user, policy)
    found = explain_request('GET', '/api/toys/1.0/toys/42', user_uuid=user['uuid'])
    assert (found['allowed'], found['access'], found['deciding']['pattern']) == (True, 'toys.42.read', 'toys.42.read')
    # The second of two is enough.
    other = new.user()
    new.attach(other, new.policy('toys.all.read'))
    found = explain_request('GET', '/api/toys/1.0/toys/42', user_uuid=other['uuid'])
    assert (found['allowed'], found['access']) == (True, 'toys.all.read')


def test_a_request_that_would_widen_its_access_is_refused(explain_request, new):
    user = new.user()
    new.attach(user, new.policy('toys.42.read'))
    found = explain_request('GET', '/api/toys/1.0/toys/%23', user_uuid=user['uuid'])
    assert (found['allowed'], found['access']) == (False, 'toys.all.read')
    assert found['operation']['accesses'] == ['toys.all.read']


def test_requests_that_need_no_access(explain_request, new, make_token, tenant):
    user = new.user()
    off = new.user(enabled=False)
    for of in {'user_uuid': user['uuid']}, {'user_uuid': off['uuid']}, {'token': make_token(user)['token']}:
        found = explain_request('GET', '/api/toys/1.0/open', **of)
        assert (found['allowed'], found['access'], found['operation']['need']) == (True, None, 'open')
        assert found['tenant_uuid'] == tenant and found['changes'] == found['matches'] == []
    for of, allowed in ({'user_uuid': user['uuid']}, True), ({'user_uuid': off['uuid']}, False):
        found = explain_request('GET', '/api/toys/1.0/any', **of)
        assert (found['allowed'], found['operation']['need']) == (allowed, 'token')
        assert found['reason'] == ('granted' if allowed else 'user_disabled')
    options = explain_request('OPTIONS', '/api/toys/1.0/toys/1', user_uuid=user['uuid'])
    assert options['allowed'] and options['operation']['path'] is None


def test_requests_that_no_document_has(explain_request, api, admin_of, new):
    user = new.user()
    for method, url, text in (
        ('GET', '/api/toys/1.0/dolls', 'No API document'),
        ('PUT', '/api/toys/1.0/toys/1', 'GET, HEAD'),
    ):
        problem = explain_request(method, url, 404, user_uuid=user['uuid'])
        assert problem['error_id'] == 'unknown-operation' and text in problem['message']
    body = {'method': 'GET', 'url': '/api/toys/1.0/open', 'user_uuid': user['uuid']}
    problem = error(api.post('/access/explain', admin_of, json=body), 404, 'unknown-operation')
    assert 'wazo_auth_openapi' in problem['message']


@pytest.mark.parametrize(
    'question', [{}, {'method': 'GET'}, {'url': '/x'}, {'access': 'a', 'method': 'GET', 'url': '/x'},
                 {'access': 'a', 'url': '/x'}]
)  # fmt: skip
def test_questions_are_about_one_thing(api, admin_of, new, question):
    body = question | {'user_uuid': new.user()['uuid']}
    error(api.post('/access/explain', admin_of, json=body), 400, 'invalid-data')
