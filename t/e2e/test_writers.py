"""Several writers at once, on two nginx that share the database: one of them wins, the others hear the documented answer."""
import itertools
import os
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.checks import label

ROUNDS = int(os.environ.get('WAZO_AUTH_ROUNDS', '6'))
WRITERS = 8


def spellings(text):
    """The same text in other cases, again and again."""
    return itertools.cycle([text, text.upper(), text.capitalize(), text.swapcase()])


@pytest.fixture(scope='module')
def at_once(api, api2):
    """at_once([(method, path, options), ...]) → answers; they leave together, from one nginx and the other by turns."""

    def run(requests):
        start = threading.Barrier(len(requests))

        def send(numbered):
            number, (method, path, options) = numbered
            start.wait()
            return (api, api2)[number % 2].request(method, path, **options)

        with ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(send, enumerate(requests)))

    return run


@pytest.fixture(scope='module')
def post(admin_token):
    return lambda path, tenant=None, **body: (
        'POST',
        path,
        {'token': admin_token, 'json': body, 'headers': {'Wazo-Tenant': tenant} if tenant else None},
    )


@pytest.fixture(scope='module')
def put(admin_token):
    return lambda path, **body: ('PUT', path, {'token': admin_token, 'json': body})


@pytest.fixture(scope='module')
def delete(admin_token):
    return lambda path: ('DELETE', path, {'token': admin_token})


@pytest.fixture(scope='module')
def tenants(create):
    """A tenant, two below it, and an unrelated one."""
    top = create('/tenants')['uuid']
    return [top, *(create('/tenants', tenant=top)['uuid'] for _ in range(2)), create('/tenants')['uuid']]


def one_wins(answers, conflict):
    """Exactly one success, which is returned; all the others are 409 and pleasing to `conflict`."""
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] + [409] * (len(answers) - 1), [answer.text for answer in answers]
    for answer in answers:
        if answer.status_code == 409:
            assert conflict(answer.json()), answer.text
    return next(answer.json() for answer in answers if answer.status_code == 200)


def login_conflict(body):
    [(column, detail)] = body['details'].items()
    return (
        (body['error_id'], body['resource']) == ('conflict', 'users')
        and column in ('username', 'email_address')
        and detail['constraint_id'] == 'unique'
        and detail['message'].endswith('" is already used')
    )


def tenant_conflict(column, error_id='conflict'):
    return lambda body: (body['error_id'], body['resource'], list(body['details'])) == (error_id, 'tenants', [column])


def taken(kind):
    return (
        lambda body: body['status_code'] == 409
        and body['reason'][0].startswith(f'{kind} "')
        and body['reason'][0].endswith('" already exists')
    )


# -- creation ----------------------------------------------------------------------------------------------------------


def test_one_username(at_once, post, tenants, psql):
    for _ in range(ROUNDS):
        name = f'writer-{label()}'
        requests = [
            post('/users', tenants[n % 4], username=spelling) for n, spelling in zip(range(WRITERS), spellings(name))
        ]
        one_wins(at_once(requests), login_conflict)
        assert psql(f"SELECT count(*) FROM auth_user WHERE lower(username) = '{name}'") == '1'


def test_one_address(at_once, post, tenants, psql):
    for _ in range(ROUNDS):
        mail = f'{label()}@example.com'
        requests = [
            post('/users', tenants[n % 4], email_address=spelling)
            for n, spelling in zip(range(WRITERS), spellings(mail))
        ]
        one_wins(at_once(requests), login_conflict)
        assert psql(f"SELECT count(*) FROM auth_email WHERE lower(address) = '{mail}'") == '1'


def test_ones_username_is_anothers_address(at_once, post, tenants, psql):
    for _ in range(ROUNDS):
        mail = f'{label()}@example.com'
        requests = [
            post('/users', tenants[n % 4], **{('username', 'email_address')[n // 2 % 2]: spelling})
            for n, spelling in zip(range(WRITERS), spellings(mail))
        ]
        one_wins(at_once(requests), login_conflict)
        assert (
            psql(
                f"""SELECT (SELECT count(*) FROM auth_user WHERE lower(username) = '{mail}')
                             + (SELECT count(*) FROM auth_email WHERE lower(address) = '{mail}')"""
            )
            == '1'
        )


def test_logins_crosswise(at_once, post):
    """Each wants both texts, one as username and one as address, or the other way round."""
    for _ in range(ROUNDS):
        first, second = (f'{label()}@example.com' for _ in range(2))
        pairs = [(first, second), (second, first)] * (WRITERS // 2)
        one_wins(at_once([post('/users', username=name, email_address=mail) for name, mail in pairs]), login_conflict)


def test_one_user_uuid(at_once, post, tenants):
    for _ in range(ROUNDS):
        wanted = str(uuid.uuid4())
        answers = at_once([post('/users', tenants[n % 4], uuid=wanted, username=label()) for n in range(WRITERS)])
        one_wins(
            answers,
            lambda body: body['details']
            == {'uuid': {'constraint_id': 'unique', 'message': f'The uuid "{wanted}" is already used'}},
        )


def test_one_tenant_slug(at_once, post, tenants):
    for _ in range(ROUNDS):
        slug = label()
        answers = at_once([post('/tenants', tenants[n % 4], slug=slug) for n in range(WRITERS)])
        one_wins(answers, tenant_conflict('slug'))


def test_one_tenant_name(at_once, post, tenants):
    """Names needn't be unique: each tenant has a slug of its own."""
    for _ in range(ROUNDS):
        name = label()
        answers = at_once([post('/tenants', tenants[n % 4], name=name) for n in range(WRITERS)])
        assert [answer.status_code for answer in answers] == [200] * WRITERS, [answer.text for answer in answers]
        assert len({answer.json()['slug'] for answer in answers}) == WRITERS


def test_one_domain(at_once, post, tenants, psql):
    for _ in range(ROUNDS):
        domain, others = f'{label()}.com', [f'{letter}{label()}.org' for letter in 'az']
        lists = [[domain], [domain, others[0]], [others[1], domain], [others[0], domain, others[1]]]
        answers = at_once([post('/tenants', tenants[n % 4], domain_names=lists[n % 4]) for n in range(WRITERS)])
        one_wins(answers, tenant_conflict('domain_names'))
        assert psql(f"SELECT count(*) FROM auth_tenant_domain WHERE name = '{domain}'") == '1'


def test_one_tenant_uuid(at_once, post, tenants):
    for _ in range(ROUNDS):
        wanted = str(uuid.uuid4())
        answers = at_once([post('/tenants', tenants[n % 4], uuid=wanted, slug=label()) for n in range(WRITERS)])
        one_wins(answers, tenant_conflict('uuid', 'tenant-identity-conflict'))


@pytest.mark.parametrize('path, kind', [('/policies', 'Policy'), ('/groups', 'Group')])
def test_one_name_in_a_tenant(at_once, post, tenants, path, kind):
    for _ in range(ROUNDS):
        name = label()
        answers = at_once([post(path, tenants[0], name=name, slug=label()) for n in range(WRITERS)])
        one_wins(answers, taken(kind))
        answers = at_once([post(path, tenants[1], name='n' + name) for n in range(WRITERS)])
        one_wins(answers, taken(kind))


@pytest.mark.parametrize('path, kind', [('/policies', 'Policy'), ('/groups', 'Group')])
def test_one_slug_in_a_tenant(at_once, post, tenants, path, kind):
    for _ in range(ROUNDS):
        slug = f's{label()}'
        answers = at_once(
            [
                post(path, tenants[0], name=label(), slug=spelling)
                for _, spelling in zip(range(WRITERS), spellings(slug))
            ]
        )
        one_wins(answers, taken(kind))


@pytest.mark.parametrize('path', ['/policies', '/groups'])
def test_names_that_give_one_slug(at_once, post, tenants, path):
    """The slug that comes of a name is given once; the next one gets a random one, or the documented answer."""
    for _ in range(ROUNDS):
        name = label()
        answers = at_once([post(path, tenants[0], name=name + '!' * n) for n in range(WRITERS)])
        assert {answer.status_code for answer in answers} <= {200, 409}, [answer.text for answer in answers]
        slugs = [answer.json()['slug'] for answer in answers if answer.status_code == 200]
        assert name in slugs
        assert len(set(slugs)) == len(slugs)


@pytest.mark.parametrize('field', ['name', 'slug'])
def test_one_shared_policy_along_the_tree(at_once, post, tenants, psql, field):
    """Shared above or anything below: whichever is first. Tenants that don't see each other don't meet."""
    top, one, two, _ = tenants
    for _ in range(ROUNDS):
        text = f'shared-{label()}'
        body = lambda: {'name': label(), field: text}  # noqa: E731
        answers = at_once(
            [post('/policies', top, shared=True, **body()) for _ in range(3)]
            + [post('/policies', tenant, **body()) for tenant in (one, one, two, two)]
        )
        assert {answer.status_code for answer in answers} == {200, 409}, [answer.text for answer in answers]
        assert all(taken('Policy')(answer.json()) for answer in answers if answer.status_code == 409)
        owners = psql(f"SELECT tenant_uuid FROM auth_policy WHERE {field} = '{text}' ORDER BY tenant_uuid").split()
        assert owners in ([top], [one], [two], sorted([one, two]))


# -- changes -----------------------------------------------------------------------------------------------------------


def test_one_new_username(at_once, put, post, create, tenants):
    users = [create('/users', tenant=tenants[n % 4], username=label())['uuid'] for n in range(WRITERS - 2)]
    for _ in range(ROUNDS):
        name = f'{label()}@example.com'
        texts = spellings(name)
        answers = at_once(
            [put(f'/users/{user}', username=next(texts)) for user in users]
            + [post('/users', username=next(texts)), post('/users', email_address=next(texts))]
        )
        one_wins(answers, login_conflict)


def test_ones_new_username_is_anothers_new_address(at_once, put, create, tenants):
    users = [create('/users', tenant=tenants[n % 4])['uuid'] for n in range(WRITERS)]
    for _ in range(ROUNDS):
        texts = spellings(f'{label()}@example.com')
        one_wins(
            at_once(
                [
                    put(f'/users/{user}', username=next(texts))
                    if n // 2 % 2
                    else put(f'/users/{user}/emails', emails=[{'address': next(texts), 'main': True}])
                    for n, user in enumerate(users)
                ]
            ),
            login_conflict,
        )


@pytest.mark.parametrize('prefix', ['', '/admin'])
def test_one_new_address(at_once, put, post, create, tenants, psql, prefix):
    users = [create('/users', tenant=tenants[n % 4])['uuid'] for n in range(WRITERS - 2)]
    for _ in range(ROUNDS):
        mail = f'{label()}@example.com'
        texts = spellings(mail)
        lists = [[{'address': next(texts), 'main': True}, {'address': f'{label()}@example.com'}] for _ in users]
        answers = at_once(
            [
                put(f'{prefix}/users/{user}/emails', emails=emails[:: 1 - 2 * (n % 2)])
                for n, (user, emails) in enumerate(zip(users, lists))
            ]
            + [post('/users', email_address=next(texts)), post('/users', username=next(texts))]
        )
        one_wins(answers, login_conflict)
        assert (
            psql(
                f"""SELECT (SELECT count(*) FROM auth_user WHERE lower(username) = '{mail}')
                             + (SELECT count(*) FROM auth_email WHERE lower(address) = '{mail}')"""
            )
            == '1'
        )


def test_addresses_that_change_hands(at_once, put, create, psql):
    """Everybody takes the next one's address: nobody waits in a circle, and nobody has another one's."""
    mails = [f'{label()}@example.com' for _ in range(WRITERS)]
    users = [create('/users', email_address=mail)['uuid'] for mail in mails]
    for turn in range(ROUNDS):
        wanted = mails[turn % 7 + 1 :] + mails[: turn % 7 + 1]
        answers = at_once(
            [
                put(f'/users/{user}/emails', emails=[{'address': mail, 'main': True}])
                for user, mail in zip(users, wanted)
            ]
        )
        assert {answer.status_code for answer in answers} <= {200, 409}, [answer.text for answer in answers]
        quoted = ', '.join(f"'{mail}'" for mail in mails)
        assert psql(f'SELECT count(*) FROM auth_email WHERE lower(address) IN ({quoted})') == str(WRITERS)


def test_one_new_domain(at_once, put, create):
    owners = [create('/tenants', domain_names=[f'{label()}.com'])['uuid'] for _ in range(WRITERS)]
    for _ in range(ROUNDS):
        domain = f'{label()}.com'
        answers = at_once([put(f'/tenants/{tenant}', domain_names=[domain, f'{label()}.com']) for tenant in owners])
        one_wins(answers, tenant_conflict('domain_names'))


def test_domains_that_change_hands(at_once, put, create, psql):
    domains = [f'{label()}.com' for _ in range(4)]
    owners = [create('/tenants', domain_names=[domain])['uuid'] for domain in domains]
    for turn in range(3):
        wanted = domains[turn + 1 :] + domains[: turn + 1]
        answers = at_once([put(f'/tenants/{owner}', domain_names=[domain]) for owner, domain in zip(owners, wanted)])
        assert {answer.status_code for answer in answers} <= {200, 409}, [answer.text for answer in answers]
    quoted = ', '.join(f"'{domain}'" for domain in domains)
    assert psql(f'SELECT count(*) FROM auth_tenant_domain WHERE name IN ({quoted})') == '4'


@pytest.mark.parametrize('path, kind', [('/policies', 'Policy'), ('/groups', 'Group')])
def test_one_new_name(at_once, put, post, create, tenants, path, kind):
    things = [create(path, tenant=tenants[0], name=label())['uuid'] for _ in range(WRITERS - 2)]
    for _ in range(ROUNDS):
        name = label()
        answers = at_once(
            [put(f'{path}/{thing}', name=name) for thing in things]
            + [post(path, tenants[0], name=name, slug=label()) for _ in range(2)]
        )
        one_wins(answers, taken(kind))


def test_one_objects_changes_are_one_after_the_other(at_once, put, create, api, admin_token):
    user, group = create('/users', username=label())['uuid'], create('/groups', name=label())['uuid']
    policy, tenant = create('/policies', name=label())['uuid'], create('/tenants')['uuid']
    for _ in range(ROUNDS):
        texts = [label() for _ in range(4)]
        bodies = {
            f'/users/{user}': [{'username': text, 'firstname': text} for text in texts],
            f'/groups/{group}': [{'name': text} for text in texts],
            f'/policies/{policy}': [
                {'name': text, 'description': text, 'acl': [text, 'a', text[::-1]]} for text in texts
            ],
            f'/tenants/{tenant}': [
                {'name': text, 'domain_names': [f'{text}.com', 'a.' + text], 'address': {'city': text}}
                for text in texts
            ],
        }
        for path, wanted in bodies.items():
            answers = at_once([put(path, **body) for body in wanted])
            assert [answer.status_code for answer in answers] == [200] * 4, [answer.text for answer in answers]
            now = api.get(path, admin_token).json()
            assert now in [answer.json() for answer in answers]


# -- deletion ----------------------------------------------------------------------------------------------------------


def problems_of(answers, allowed):
    return [
        (answer.request.method, answer.request.url, answer.status_code, answer.text)
        for answer in answers
        if answer.status_code not in allowed
    ]


def test_a_user_goes_while_he_is_associated(at_once, put, delete, create, psql):
    for turn in range(ROUNDS):
        user = create('/users', username=label(), email_address=f'{label()}@example.com')['uuid']
        policies = [create('/policies', name=label(), acl=['a'])['uuid'] for _ in range(2)]
        groups = [create('/groups', name=label())['uuid'] for _ in range(2)]
        requests = (
            [put(f'/users/{user}/policies/{policy}') for policy in policies]
            + [put(f'/groups/{group}/users/{user}') for group in groups]
            + [
                put(f'/users/{user}', firstname='x'),
                put(f'/idp/native/users/{user}'),
                put(f'/users/{user}/emails', emails=[{'address': f'{label()}@example.com', 'main': True}]),
            ]
        )
        requests.insert(turn % 4 * 2, delete(f'/users/{user}'))
        answers = at_once(requests)
        assert not problems_of(answers, {200, 204, 404})
        assert answers[turn % 4 * 2].status_code == 204
        for table in ('auth_user_policy', 'auth_user_group', 'auth_email'):
            assert psql(f"SELECT count(*) FROM {table} WHERE user_uuid = '{user}'") == '0'


def test_policies_and_groups_go_while_they_are_associated(at_once, put, delete, create, psql):
    users = [create('/users')['uuid'] for _ in range(2)]
    for turn in range(ROUNDS):
        policy, group = create('/policies', name=label(), acl=['a'])['uuid'], create('/groups', name=label())['uuid']
        requests = (
            [put(f'/users/{user}/policies/{policy}') for user in users]
            + [put(f'/groups/{group}/users/{user}') for user in users]
            + [
                put(f'/groups/{group}/policies/{policy}'),
                put(f'/policies/{policy}/acl/b'),
                put(f'/policies/{policy}', name=label(), acl=['c']),
                put(f'/groups/{group}', name=label()),
            ]
        )
        requests.insert(turn % 6, delete(f'/policies/{policy}'))
        requests.insert(turn % 6 + 2, delete(f'/groups/{group}'))
        answers = at_once(requests)
        assert not problems_of(answers, {200, 204, 404})
        assert (answers[turn % 6].status_code, answers[turn % 6 + 2].status_code) == (204, 204)
        assert (
            psql(
                f"""SELECT (SELECT count(*) FROM auth_user_policy WHERE policy_uuid = '{policy}')
                             + (SELECT count(*) FROM auth_group_policy WHERE group_uuid = '{group}')
                             + (SELECT count(*) FROM auth_policy_access WHERE policy_uuid = '{policy}')
                             + (SELECT count(*) FROM auth_user_group WHERE group_uuid = '{group}')"""
            )
            == '0'
        )


def test_one_deletion_is_enough(at_once, delete, create):
    for path in ('/users', '/groups', '/policies', '/tenants'):
        for _ in range(3):
            thing = create(path, name=label())['uuid']
            answers = at_once([delete(f'{path}/{thing}') for _ in range(6)])
            assert {answer.status_code for answer in answers} <= {204, 404}, [answer.text for answer in answers]
            assert [answer.status_code for answer in answers].count(204) >= 1


def test_tokens_end_in_many_ways_at_once(at_once, put, delete, create, make_user, make_token, psql):
    for _ in range(ROUNDS):
        user = make_user()
        tokens = [
            make_token(user, access_type='offline', client_id='c') if n == 0 else make_token(user) for n in range(3)
        ]
        uuid_ = user['uuid']
        answers = at_once(
            [('DELETE', f"/token/{token['token']}", {}) for token in tokens]
            + [delete(f"/sessions/{token['session_uuid']}") for token in tokens]
            + [
                delete(f'/users/{uuid_}/tokens/c'),
                put(f'/users/{uuid_}', username=user['username'], enabled=False),
                delete(f'/users/{uuid_}'),
            ]
        )
        assert not problems_of(answers, {200, 204, 404})
        assert psql(f"SELECT count(*) FROM auth_token WHERE auth_id = '{uuid_}'") == '0'
        sessions = ', '.join(f"'{token['session_uuid']}'" for token in tokens)
        assert psql(f'SELECT count(*) FROM auth_session WHERE uuid IN ({sessions})') == '0'


def left_behind(psql, tenant):
    """Tables in which something of this tenant is left."""
    tables = psql(
        """SELECT table_name FROM information_schema.columns
                     WHERE table_schema = 'public' AND column_name = 'tenant_uuid'"""
    ).split()
    return [table for table in tables if psql(f"SELECT count(*) FROM {table} WHERE tenant_uuid = '{tenant}'") != '0']


class Busy:
    """Clients who work in a tenant until they are told to stop."""

    def __init__(self, clients, work):
        self._stop = threading.Event()
        self.answers = []
        self._threads = [
            threading.Thread(target=self._run, args=(clients[n % len(clients)], n, one)) for n, one in enumerate(work)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, client, number, work):
        for turn in itertools.count(number):
            if self._stop.is_set():
                return
            self.answers.append(work(client, turn))

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


def test_a_tenant_goes_while_people_work_in_it(api, api2, admin_token, create, make_user, make_token, psql):
    """Whatever is made in it while it goes: nothing of it is left, and nobody sees an undocumented answer."""
    for turn in range(ROUNDS):
        tenant = create('/tenants', name=label())['uuid']
        here = {'Wazo-Tenant': tenant}
        user = make_user(headers=here)
        users = [user['uuid'], create('/users', tenant=tenant)['uuid']]
        groups = [create('/groups', tenant=tenant, name=label())['uuid'] for _ in range(2)]
        policies = [create('/policies', tenant=tenant, name=label(), acl=['a'])['uuid'] for _ in range(2)]
        tokens = []

        def in_it(method, path, **body):
            return lambda client, n: client.request(
                method,
                path.format(u=users[n % 2], g=groups[n // 2 % 2], p=policies[n % 2]),
                admin_token,
                json={key: value(n) if callable(value) else value for key, value in body.items()},
                headers=here,
            )

        def log_in(client, n):
            answer = client.post(
                '/token',
                auth=(user['username'], user['password']),
                json={'access_type': 'offline', 'client_id': f'c{n % 3}'},
                headers={'Wazo-Session-Type': 'mobile'} if n % 2 else None,
            )
            if answer.status_code == 200:
                tokens.append(answer.json()['data']['token'])
            return answer

        fresh = lambda n: label()  # noqa: E731
        work = [
            log_in,
            in_it('POST', '/users', username=fresh, email_address=lambda n: f'{label()}@example.com'),
            in_it('POST', '/groups', name=fresh),
            in_it('POST', '/policies', name=fresh, acl=['a', 'b']),
            in_it('PUT', '/groups/{g}/users/{u}'),
            in_it('PUT', '/groups/{g}/policies/{p}'),
            in_it('PUT', '/users/{u}/policies/{p}'),
            in_it('PUT', '/users/{u}/emails', emails=lambda n: [{'address': f'{label()}@example.com', 'main': True}]),
            in_it('PUT', '/policies/{p}', name=fresh, acl=['c']),
            in_it(
                'PUT',
                f'/tenants/{tenant}',
                name=fresh,
                domain_names=lambda n: [f'{label()}.com'],
                address={'city': 'x'},
            ),
        ]
        busy = Busy([api, api2], work)
        try:
            time.sleep(0.2 + turn % 6 * 0.05)
            gone = (api, api2)[turn % 2].delete(f'/tenants/{tenant}', admin_token)
            time.sleep(0.1)
        finally:
            busy.stop()
        assert gone.status_code == 204, gone.text
        assert not problems_of(busy.answers, {200, 204, 401, 404})
        assert left_behind(psql, tenant) == []
        assert psql(f"SELECT count(*) FROM auth_token WHERE metadata LIKE '%{tenant}%'") == '0'
        assert psql(f"SELECT count(*) FROM auth_refresh_token WHERE user_uuid = '{user['uuid']}'") == '0'
        for token in tokens[-3:]:
            assert api.get(f'/token/{token}').status_code == api2.get(f'/token/{token}').status_code == 404


def test_a_tenant_goes_while_another_one_is_made_below_it(create, at_once, post, delete, psql):
    for turn in range(ROUNDS):
        tenant = create('/tenants')['uuid']
        requests = [post('/tenants', tenant, name=label()) for _ in range(3)]
        requests.insert(turn % 4, delete(f'/tenants/{tenant}'))
        answers = at_once(requests)
        gone = answers.pop(turn % 4)
        children = psql(f"SELECT count(*) FROM auth_tenant WHERE parent_uuid = '{tenant}'")
        assert not problems_of(answers, {200, 401})
        assert str([answer.status_code for answer in answers].count(200)) == children
        assert gone.status_code == (204 if children == '0' else 400), gone.text


def test_a_parent_goes_while_a_tenant_moves_there(create, at_once, put, delete, psql):
    for turn in range(ROUNDS):
        parents, child = [create('/tenants')['uuid'] for _ in range(2)], create('/tenants')['uuid']
        requests = [put(f'/tenants/{child}/parent/{parent}') for parent in parents] + [
            delete(f'/tenants/{parent}') for parent in parents
        ]
        answers = at_once(requests if turn % 2 else requests[::-1])
        assert not problems_of(answers, {204, 400, 404})
        assert (
            psql(
                f"SELECT count(*) FROM auth_tenant t JOIN auth_tenant p ON p.uuid = t.parent_uuid WHERE t.uuid = '{child}'"
            )
            == '1'
        )


def test_everybody_is_in_the_group_of_all_users(create, at_once, post, psql, expect_log):
    """Also those who come at once to a tenant that has lost it."""
    expect_log('had no all-users group')
    for _ in range(ROUNDS):
        tenant = create('/tenants')['uuid']
        psql(f"DELETE FROM auth_group WHERE tenant_uuid = '{tenant}' AND system_managed")
        answers = at_once([post('/users', tenant, username=label()) for _ in range(WRITERS)])
        assert [answer.status_code for answer in answers] == [200] * WRITERS
        assert (
            psql(
                f"""SELECT count(*) FROM auth_user_group JOIN auth_group g ON g.uuid = group_uuid
                        WHERE g.tenant_uuid = '{tenant}' AND g.system_managed"""
            )
            == str(WRITERS)
        )
