"""The list of a user's e-mail addresses: docs/spec/endpoints.md section 8."""
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.checks import UNKNOWN, error

BOTH = pytest.mark.parametrize('prefix', ['', '/admin'], ids=['user', 'admin'])


def address():
    return f'E-{uuid.uuid4().hex[:12]}@Example.com'


@pytest.fixture(scope='module')
def put(api, admin_token):
    def put_(user, emails, prefix='', token=admin_token, client=api, **options):
        path = f"{prefix}/users/{user if isinstance(user, str) else user['uuid']}/emails"
        return client.put(path, token, json={'emails': emails}, **options)

    return put_


@pytest.fixture(scope='module')
def stored(api, admin_token):
    """The user's addresses as everybody sees them, by address."""

    def get(user):
        emails = api.get(f"/users/{user['uuid']}", admin_token).json()['emails']
        return {email['address']: email for email in emails}

    return get


@pytest.fixture(scope='module')
def elsewhere(api, admin_token):
    """A tenant below the master."""
    return {'Wazo-Tenant': api.post('/tenants', admin_token, json={}).json()['uuid']}


# -- what is written ---------------------------------------------------------------------------------------------------


def test_a_user_gives_addresses(put, stored, make_user):
    user, one, two = make_user(), address(), address()
    answer = put(user, [{'address': two}, {'address': one, 'main': True, 'confirmed': True, 'uuid': UNKNOWN}])
    assert answer.status_code == 200, answer.text
    first, second = answer.json()
    assert first == {'address': two, 'main': False, 'confirmed': False, 'uuid': first['uuid']}
    assert second == {'address': one, 'main': True, 'confirmed': False, 'uuid': second['uuid']}
    assert list(first) == ['address', 'main', 'confirmed', 'uuid']
    assert stored(user) == {one: second, two: first}
    assert len({first['uuid'], second['uuid'], UNKNOWN}) == 3


def test_what_stays_keeps_its_uuid_and_its_confirmation(put, stored, make_user):
    old, new = address(), address()
    user = make_user(email_address=old)
    [before] = user['emails']
    answer = put(user, [{'address': old, 'main': False, 'confirmed': False}, {'address': new, 'main': True}]).json()
    assert answer[0] == before | {'main': False}
    assert stored(user) == {old: answer[0], new: answer[1]}
    assert put(user, [{'address': new, 'main': True}]).json() == [answer[1]]
    assert stored(user) == {new: answer[1]}
    [again] = put(user, [{'address': old, 'main': True}]).json()
    assert again['uuid'] != before['uuid']
    assert again['confirmed'] is False


def test_another_case_is_another_address(put, stored, make_user):
    old = address()
    user = make_user(email_address=old)
    [changed] = put(user, [{'address': old.lower(), 'main': True}]).json()
    assert changed['uuid'] != user['emails'][0]['uuid']
    assert changed['confirmed'] is False
    assert stored(user) == {old.lower(): changed}


@BOTH
def test_an_empty_list_takes_all_away(put, stored, make_user, prefix):
    user = make_user(email_address=address())
    answer = put(user, [], prefix)
    assert (answer.status_code, answer.json()) == (200, [])
    assert stored(user) == {}


def test_an_administrator_says_what_is_confirmed(put, stored, make_user):
    old = address()
    user = make_user(email_address=old)
    others = [address() for _ in range(3)]
    answer = put(
        user,
        [
            {'address': old, 'main': True},
            {'address': others[0], 'confirmed': True},
            {'address': others[1], 'confirmed': 'no'},
            {'address': others[2], 'confirmed': None},
        ],
        '/admin',
    ).json()
    assert [email['confirmed'] for email in answer] == [True, True, False, None]
    seen = stored(user)
    assert [seen[email['address']]['confirmed'] for email in answer] == [True, True, False, False]
    again = put(user, [{'address': old, 'main': 1, 'confirmed': False}, {'address': others[2]}], '/admin').json()
    assert again == [user['emails'][0] | {'confirmed': False}, seen[others[2]]]
    assert stored(user) == {old: again[0], others[2]: again[1]}


def test_a_confirmed_address_is_a_login_and_a_new_one_is_not(api, put, make_user):
    user, mail = make_user(), address()
    login = lambda: api.post('/token', auth=(mail.lower(), user['password'])).status_code  # noqa: E731
    put(user, [{'address': mail, 'main': True}])
    assert login() == 401
    put(user, [{'address': mail, 'main': True, 'confirmed': True}], '/admin')
    assert login() == 200
    put(user, [], '/admin')
    assert login() == 401


def test_nobody_is_told(api, admin_token, put, make_user, bus, elsewhere):
    user = make_user(email_address=address())
    for prefix in ('', '/admin'):
        assert put(user, [{'address': address(), 'main': True}], prefix).status_code == 200
    marker, tenant = address(), elsewhere['Wazo-Tenant']
    assert api.put(f'/tenants/{tenant}', admin_token, json={'name': marker}).status_code == 200
    bus.wait('auth_tenant_updated', lambda event: event.body['data']['name'] == marker)
    assert not [event for event in bus.events if user['uuid'] in str(event.body)]


def test_many_addresses(put, stored, make_user):
    user = make_user()
    wanted = [{'address': address(), 'main': n == 0} for n in range(3000)]
    answer = put(user, wanted)
    assert answer.status_code == 200, answer.text
    assert [email['address'] for email in answer.json()] == [email['address'] for email in wanted]
    assert len(stored(user)) == 3000
    assert put(user, []).json() == []


# -- what is refused ---------------------------------------------------------------------------------------------------


NO_LIST_OF_OBJECTS = {'message': 'Invalid type.', 'constraint_id': 'type', 'constraint': 'dict'}
REQUIRED = {'message': 'Missing data for required field.', 'constraint_id': 'required', 'constraint': 'required'}
NOT_EMAIL = {'message': 'Not a valid email address.', 'constraint_id': 'type', 'constraint': 'email'}


@BOTH
@pytest.mark.parametrize(
    'body, errors',
    [
        (
            {},
            {
                'emails': {
                    'message': 'Missing data for required field.',
                    'constraint_id': 'required',
                    'constraint': 'required',
                }
            },
        ),
        (
            [],
            {
                'emails': {
                    'message': 'Missing data for required field.',
                    'constraint_id': 'required',
                    'constraint': 'required',
                }
            },
        ),
        (
            {'emails': None},
            {'emails': {'message': 'Field may not be null.', 'constraint_id': 'not_null', 'constraint': 'not_null'}},
        ),
        *(({'emails': wrong}, {'emails': NO_LIST_OF_OBJECTS}) for wrong in ({}, {'0': {}}, 'x', '', 1, 0, False)),
        *(({'emails': [wrong]}, {'emails': {'0': {'_schema': ['Invalid input type.']}}}) for wrong in (1, 'x', [1])),
        *(
            ({'emails': [nothing]}, {'emails': {'0': {'address': REQUIRED}}})
            for nothing in (None, {}, [], 0, '', False)
        ),
        (
            {'emails': [{'address': 5}, None, True]},
            {
                'emails': {
                    '0': {'address': NOT_EMAIL},
                    '1': {'address': REQUIRED},
                    '2': {'_schema': ['Invalid input type.']},
                }
            },
        ),
        (
            {'emails': [{'main': True}]},
            {
                'emails': {
                    '0': {
                        'address': {
                            'message': 'Missing data for required field.',
                            'constraint_id': 'required',
                            'constraint': 'required',
                        }
                    }
                }
            },
        ),
        (
            {'emails': [{'address': 'a@b.com', 'main': True}, {'address': 'x', 'main': None}]},
            {
                'emails': {
                    '1': {
                        'address': [NOT_EMAIL],
                        'main': {
                            'message': 'Field may not be null.',
                            'constraint_id': 'not_null',
                            'constraint': 'not_null',
                        },
                    }
                }
            },
        ),
        ({'emails': [{'address': 5, 'main': True}]}, {'emails': {'0': {'address': NOT_EMAIL}}}),
        ({'emails': [{'address': 'nul\0@b.com', 'main': True}]}, {'emails': {'0': {'address': [NOT_EMAIL]}}}),
        (
            {'emails': [{'address': 'a@b.com', 'main': 'x'}]},
            {
                'emails': {
                    '0': {'main': {'message': 'Not a valid boolean.', 'constraint_id': 'type', 'constraint': 'boolean'}}
                }
            },
        ),
        ({'emails': [{'address': 'a@b.com'}]}, {'_schema': ['At least one address should be main']}),
        (
            {'emails': [{'address': 'a@b.com', 'main': True}, {'address': 'c@b.com', 'main': True}]},
            {'_schema': ['Only one address should be main']},
        ),
        (
            {'emails': [{'address': 'a@b.com', 'main': True}, {'address': 'a@b.com'}]},
            {'_schema': ['The same address can only be used once']},
        ),
        (
            {'emails': [{'address': 'a@b.com', 'main': True}, {'address': 'a@b.com', 'main': True}]},
            {'_schema': ['The same address can only be used once', 'Only one address should be main']},
        ),
        (
            {'emails': [{'address': 'a@b.com'}, {'address': 'a@b.com'}]},
            {'_schema': ['The same address can only be used once', 'At least one address should be main']},
        ),
        ([1], {'_schema': ['Invalid input type.']}),
    ],
    ids=str,
)
def test_wrong_bodies(api, admin_token, prefix, body, errors):
    # Of a user who isn't there, to see that the body comes first.
    answer = api.put(f'{prefix}/users/{UNKNOWN}/emails', admin_token, json=body)
    problem = error(answer, 400, 'invalid-data')
    assert problem['message'] == errors
    assert (problem['details'], problem['resource']) == ({}, 'emails')


def test_only_administrators_confirm(put, make_user):
    user, wrong = make_user(), [{'address': address(), 'main': True, 'confirmed': 'x'}]
    assert put(user, wrong).status_code == 200
    problem = error(put(user, wrong, '/admin'), 400, 'invalid-data')
    assert problem['message']['emails']['0']['confirmed']['constraint'] == 'boolean'


@BOTH
@pytest.mark.parametrize('data', ['', '{', '{"emails": []} x', b'\xff', '{"emails": [{"address": "\\ud800"}]}'])
def test_what_is_no_json(api, admin_token, prefix, data):
    answer = api.put(f'{prefix}/users/{UNKNOWN}/emails', admin_token, data=data)
    assert answer.status_code == 400
    assert list(answer.json()) == ['message']


@BOTH
def test_logins_of_others_are_taken(put, stored, make_user, elsewhere, prefix):
    mine, free, theirs = address(), address(), address()
    user = make_user(email_address=mine)
    by_address = make_user(email_address=theirs, headers=elsewhere)
    by_name = make_user(username=address(), enabled=False)
    for taken in (theirs.upper(), by_name['username'].lower()):
        problem = error(put(user, [{'address': free, 'main': True}, {'address': taken}], prefix), 409, 'conflict')
        assert problem['details'] == {
            'email_address': {'constraint_id': 'unique', 'message': f'The login "{taken}" is already used'}
        }
        assert (problem['message'], problem['resource']) == ('Conflict detected', 'users')
    assert list(stored(user)) == [mine]
    assert list(stored(by_address)) == [theirs]


def test_the_first_taken_login_is_named(put, make_user):
    taken = [make_user(email_address=address())['emails'][0]['address'] for _ in range(3)]
    for order in (taken, taken[::-1]):
        wanted = [{'address': mail, 'main': n == 0} for n, mail in enumerate(order)]
        assert (
            f'"{order[0]}"' in error(put(make_user(), wanted), 409, 'conflict')['details']['email_address']['message']
        )


def test_the_own_username_may_be_an_address(put, make_user):
    user = make_user(username=address())
    assert put(user, [{'address': user['username'].upper(), 'main': True}]).status_code == 200


@BOTH
def test_one_address_in_two_cases(put, stored, make_user, prefix):
    old = address()
    user = make_user(email_address=old)
    new = address()
    problem = error(put(user, [{'address': new, 'main': True}, {'address': new.lower()}], prefix), 409, 'conflict')
    assert problem['details'] == {
        'email_address': {'constraint_id': 'unique', 'message': 'The email_address "None" is already used'}
    }
    assert list(stored(user)) == [old]


@BOTH
def test_unknown_users(put, make_user, prefix):
    problem = error(put(UNKNOWN, [{'address': address(), 'main': True}], prefix), 404, 'unknown-user')
    assert problem['details'] == {'uuid': UNKNOWN}
    assert (problem['message'], problem['resource']) == (f'No such user: "{UNKNOWN}"', 'users')
    error(put(UNKNOWN, [], prefix), 404, 'unknown-user')
    taken = make_user(email_address=address())['emails'][0]['address']
    error(put(UNKNOWN, [{'address': taken, 'main': True}], prefix), 409, 'conflict')


@BOTH
def test_users_of_other_tenants_are_unknown(put, stored, make_user, insert_token, elsewhere, prefix):
    tenant = elsewhere['Wazo-Tenant']
    mine, old = make_user(headers=elsewhere), address()
    outside = make_user(email_address=old)
    token = insert_token(acl=['#'], user_uuid=mine['uuid'], tenant_uuid=tenant)['token']
    new = [{'address': address(), 'main': True}]
    for emails in ([], new):
        error(put(outside, emails, prefix, token), 404, 'unknown-user')
    assert list(stored(outside)) == [old]
    # The header is ignored here: what counts is who asks.
    for headers in (None, {'Wazo-Tenant': UNKNOWN}):
        assert put(mine, new, prefix, token, headers=headers).status_code == 200


@pytest.mark.parametrize(
    'prefix, access', [('', 'auth.users.{}.emails.update'), ('/admin', 'auth.admin.users.{}.emails.update')]
)
def test_each_needs_its_own_access(put, make_user, insert_token, prefix, access):
    user = make_user()
    all_but_it = insert_token(acl=['auth.#', '!' + access.format('*')], user_uuid=user['uuid'])['token']
    only_it = insert_token(acl=[access.format('me')], user_uuid=user['uuid'])['token']
    problem = error(put(user, [], prefix, all_but_it), 401, 'unauthorized')
    assert problem['details']['required_access'] == access.format(user['uuid'])
    assert put(user, [], prefix, only_it).status_code == 200


def test_a_deleted_user_who_asks(put, make_user, insert_token):
    user = make_user()
    token = insert_token(acl=['#'], user_uuid=str(uuid.uuid4()))['token']
    error(put(user, [], token=token), 404, 'unknown-user')


# -- several at once ---------------------------------------------------------------------------------------------------


def test_lists_at_once_are_one_of_them(api, api2, put, stored, make_user):
    user = make_user()
    keep = address()
    lists = [[{'address': keep, 'main': n % 2 == 0}, {'address': address(), 'main': n % 2 == 1}] for n in range(8)]
    for _ in range(5):
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: put(user, lists[n], client=(api, api2)[n % 2]), range(8)))
        assert [answer.status_code for answer in answers] == [200] * 8
        now = stored(user)
        assert now in [{email['address']: email for email in answer.json()} for answer in answers]
        assert [email['main'] for email in now.values()].count(True) == 1


def test_mails_are_confirmed_while_lists_change(api, put, stored, make_user, admin_token, psql):
    user, mail = make_user(), address()
    put(user, [{'address': mail, 'main': True}])
    email = stored(user)[mail]['uuid']
    lists = [[{'address': mail, 'main': True}, {'address': address()}] for _ in range(6)]
    with ThreadPoolExecutor(7) as pool:
        changes = [pool.submit(put, user, emails) for emails in lists]
        confirmed = pool.submit(api.put, f'/emails/{email}/confirm', admin_token)
        assert {change.result().status_code for change in changes} == {200}
        assert confirmed.result().status_code == 204
    assert stored(user)[mail] == {'address': mail, 'main': True, 'confirmed': True, 'uuid': email}


def test_a_user_goes_while_his_list_changes(api, put, make_user, admin_token, psql):
    for _ in range(5):
        user = make_user()
        with ThreadPoolExecutor(5) as pool:
            changes = [pool.submit(put, user, [{'address': address(), 'main': True}]) for _ in range(4)]
            deletion = pool.submit(api.delete, f"/users/{user['uuid']}", admin_token)
            assert {change.result().status_code for change in changes} <= {200, 404}
            assert deletion.result().status_code == 204
        assert psql(f"SELECT count(*) FROM auth_email WHERE user_uuid = '{user['uuid']}'") == '0'
