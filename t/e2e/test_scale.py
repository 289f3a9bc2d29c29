"""Lists of a large platform: the plans of the statements that really run, and how many of them a request takes.

A database of its own has 5,000 tenants, 50,000 users with an address each, 5,000 groups and 5,000 policies; half of each are
the master's. auto_explain writes the plan of every statement of nginx into PostgreSQL's log. How long they take is what
`./dev bench scale` tells.
"""
import contextlib
import json as json_module
import re
import uuid

import pytest

from support import servers
from support.platform_sql import fill


TENANTS, USERS, GROUPS, POLICIES = 5000, 50000, 5000, 5000


OTHERS = 'pending_authorization|current_setting'  # statements, and what the end of a transaction asks for


class Platform:
    """The database, an nginx over it, and what PostgreSQL says of its statements."""

    def __init__(self, stack):
        self.postgres = stack.postgres
        self.name = f'scale-{uuid.uuid4().hex[:8]}'
        uri = self.postgres.create_database(self.name, 'wazo-auth')
        self.nginx = stack.new_nginx('scale', workers=1, settings={'db_uri': uri})
        self.sql(fill(TENANTS, USERS, GROUPS, POLICIES), timeout=120)
        for setting in (
            "session_preload_libraries = 'auto_explain'",
            'auto_explain.log_min_duration = 0',
            "auto_explain.log_format = 'json'",
        ):
            self.sql(f'ALTER DATABASE "{self.name}" SET {setting}')
        self.nginx.reload()
        self.token = self.log_in()
        self.ask_for_the_master()

    def ask_for_the_master(self):
        """A worker asks once who that is."""
        self.nginx.api.get('/users?limit=1&recurse=true', self.token)

    def start_again(self, how):
        """By nginx.reload or nginx.restart; until all that a start reads beside service has been read."""

        def starts():
            return self.nginx.error_log.read_text().count('the database is ready')

        before = starts()
        how()
        servers.wait_until(lambda: starts() > before, 60)

    def sql(self, text, **options):
        return self.postgres.psql(self.name, text, **options)

    def log_in(self):
        answer = self.nginx.api.post('/token', auth=('e2e-admin', 'correct-horse-9f31c0'), json={'expiration': 7200})
        assert answer.status_code == 200, answer.text
        return answer.json()['data']['token']

    def planned(self, work):
        """What work() returns, and the plans that were logged meanwhile: (process, plan) in their order."""
        mark = f'mark-{uuid.uuid4().hex}'
        self.sql(f"SELECT '{mark}'")
        begin = self.log().rindex(mark)
        result = work()
        self.sql(f"SELECT '{mark}-end'")
        servers.wait_until(lambda: f'{mark}-end' in self.log(), 5)
        text = self.log()[begin:]
        text = text[: text.rindex(f'{mark}-end')]
        found = re.findall(r'\[(\d+)\] LOG:  duration: \S+ ms  plan:\n(\t?\{.*?\n\t?\})(?=\n\S)', text, flags=re.S)
        plans = [(process, json_module.loads(plan)) for process, plan in found]
        return result, [(process, plan) for process, plan in plans if mark not in plan['Query Text']]

    def statements(self, method, path, json=None):
        """The answer of a request, and the plans of the statements that it made, as text."""
        answer, plans = self.planned(lambda: self.nginx.api.request(method, path, self.token, json=json))
        assert answer.status_code in (200, 204), answer.text
        # Others work in this database, too: of a request is what ran on the connection that found its caller's tenant. The
        # worker's watch over authorizations borrows connections of the same pool (OTHERS).
        mine = {
            process for process, plan in plans if plan['Query Text'].startswith('SELECT tenant_uuid FROM auth_user')
        }
        plans = [plan for process, plan in plans if process in mine]
        return answer, [plan for plan in plans if not re.search(OTHERS, plan['Query Text'])]

    def log(self):
        return self.postgres.log.read_text(errors='replace')


@pytest.fixture(scope='module')
def platform(stack):
    made = Platform(stack)
    yield made
    made.nginx.stop()


def nodes(plan):
    yield plan
    for child in plan.get('Plans', ()):
        yield from nodes(child)


def scans(plans, table):
    """How the statements read a table: {(kind of node, index)}."""
    found = set()
    for plan in plans:
        for node in nodes(plan['Plan']):
            if node.get('Relation Name') == table:
                index = node.get('Index Name')
                if node['Node Type'] == 'Bitmap Heap Scan':
                    index = ' '.join(
                        sorted(each['Index Name'] for each in nodes(node) if each['Node Type'] == 'Bitmap Index Scan')
                    )
                found.add((node['Node Type'], index))
    return found


def listed(platform, path):
    """The plan of the one statement that makes the list, beside the one that finds the caller's tenant."""
    answer, plans = platform.statements('GET', path)
    lists = [plan for plan in plans if 'AS total' in plan['Query Text']]
    assert len(lists) == 1 and len(plans) <= 3, [plan['Query Text'][:80] for plan in plans]
    return answer.json(), lists


@pytest.mark.parametrize('order', ['username', 'firstname', 'lastname'])
@pytest.mark.parametrize('direction', ['asc', 'desc'])
def test_a_page_of_users_comes_from_an_index(platform, order, direction):
    answer, plans = listed(platform, f'/users?limit=25&order={order}&direction={direction}')
    assert len(answer['items']) == 25 and answer['total'] >= USERS / 2
    assert ('Index Scan', f'wazo_auth_user_tenant_{order}') in scans(plans, 'auth_user')
    answer, plans = listed(platform, f'/users?limit=25&order={order}&direction={direction}&recurse=true')
    assert answer['total'] > USERS
    assert ('Index Scan', f'wazo_auth_user_order_{order}') in scans(plans, 'auth_user')
    kinds = {kind for kind, _ in scans(plans, 'auth_user')}
    assert kinds == {'Index Scan', 'Index Only Scan'}  # the latter is the count
    assert {kind for kind, _ in scans(plans, 'auth_email')} == {'Index Scan'}


@pytest.mark.parametrize(
    'path, table, indexes',
    [
        ('/users?search=%s&limit=25', 'auth_user', {'wazo_auth_user_search'}),
        ('/users?search=%s&limit=25&recurse=true', 'auth_user', {'wazo_auth_user_search'}),
        ('/users?search=%s&limit=25', 'auth_email', {'wazo_auth_email_search'}),
        ('/groups?search=%s&limit=25', 'auth_group', {'wazo_auth_group_search'}),
        ('/tenants?search=%s&limit=25', 'auth_tenant', {'wazo_auth_tenant_search'}),
        ('/policies?search=%s&limit=25', 'auth_policy', {'wazo_auth_policy_search'}),
    ],
)
def test_a_search_comes_from_trigrams(platform, path, table, indexes):
    needle = platform.sql("SELECT substr(md5('2'), 3, 8)")
    answer, plans = listed(platform, path.replace('%s', needle))
    assert 1 <= answer.get('filtered', 1) < 50
    found = scans(plans, table)
    assert any(kind == 'Bitmap Heap Scan' and indexes <= set(used.split()) for kind, used in found), found
    # What is seen of policies is of the tenant, the configuration's or shared: their total isn't an index's work.
    assert table == 'auth_policy' or not any(kind == 'Seq Scan' for kind, _ in found), found


def test_a_search_of_two_letters_is_answered_too(platform):
    answer, _ = listed(platform, '/users?search=ab&limit=25')
    expected = platform.sql(
        "SELECT count(*) FROM auth_user u JOIN auth_tenant t ON t.uuid = u.tenant_uuid "
        "WHERE t.uuid = t.parent_uuid AND (username ILIKE '%ab%' OR firstname ILIKE '%ab%' "
        "OR lastname ILIKE '%ab%' OR EXISTS (SELECT 1 FROM auth_email e "
        "WHERE e.user_uuid = u.uuid AND address ILIKE '%ab%'))"
    )
    assert answer['filtered'] == int(expected)


@pytest.mark.parametrize(
    'path',
    [
        '/users?%s',
        '/users?recurse=true&%s',
        '/groups?%s',
        '/groups?recurse=true&%s',
        '/tenants?%s',
        '/policies?%s',
        '/policies?recurse=true&%s',
        '/sessions?%s',
        '/tokens?%s',
    ],
)
def test_what_a_list_costs_in_statements_is_the_same_for_one_row_and_for_a_thousand(platform, path):
    counts = {limit: len(platform.statements('GET', path.replace('%s', f'limit={limit}'))[1]) for limit in (0, 1, 1000)}
    assert len(set(counts.values())) == 1, counts


def test_counts_read_an_index_only(platform):
    _, plans = listed(platform, '/users?limit=1&recurse=true')
    assert any(kind == 'Index Only Scan' for kind, _ in scans(plans, 'auth_user'))
    _, plans = listed(platform, '/users?limit=1')
    assert any(kind == 'Index Only Scan' for kind, _ in scans(plans, 'auth_user'))


def test_whether_a_tenant_is_visible_is_one_statement_over_the_primary_key(platform):
    deep = platform.sql(f"SELECT uuid FROM auth_tenant WHERE slug = 't{TENANTS}'")
    _, plans = platform.statements('GET', f'/tenants/{deep}')
    assert len(plans) <= 2
    assert scans(plans, 'auth_tenant') == {('Index Scan', 'auth_tenant_pkey')}


def test_a_page_of_groups_and_of_tenants_comes_from_an_index(platform):
    _, plans = listed(platform, '/groups?limit=25&order=name')
    assert any(index == 'wazo_auth_group_tenant_name' for _, index in scans(plans, 'auth_group'))
    _, plans = listed(platform, '/groups?limit=25&order=uuid')
    assert any(index == 'wazo_auth_group_tenant_uuid' for _, index in scans(plans, 'auth_group'))
    _, plans = listed(platform, '/tenants?limit=25&order=name')
    assert any(index == 'wazo_auth_tenant_order_name' for _, index in scans(plans, 'auth_tenant'))
    _, plans = listed(platform, '/tenants?limit=25&order=slug')
    assert any(index == 'auth_tenant_slug_key' for _, index in scans(plans, 'auth_tenant'))


def test_all_of_it_in_one_list(platform):
    answer, _ = listed(platform, '/users')
    assert len(answer['items']) == answer['total'] >= USERS / 2
    names = [user['username'] for user in answer['items']]
    assert names == sorted(names)


@contextlib.contextmanager
def with_rows(platform):
    """Plans tell how many rows were read."""
    platform.sql(f'ALTER DATABASE "{platform.name}" SET auto_explain.log_analyze = on')
    platform.start_again(platform.nginx.reload)  # for connections with it
    try:
        yield
    finally:
        platform.sql(f'ALTER DATABASE "{platform.name}" RESET auto_explain.log_analyze')
        platform.start_again(platform.nginx.reload)
        platform.ask_for_the_master()


def most_read(plan, tables='auth_'):
    """By one node of the plan, of those that read such tables."""
    return max(
        (
            (node['Actual Rows'] + node.get('Rows Removed by Filter', 0) + node.get('Rows Removed by Index Recheck', 0))
            * node['Actual Loops']
            for node in nodes(plan['Plan'])
            if node.get('Relation Name', '').startswith(tables)
        ),
        default=0,
    )


def test_a_login_of_a_service_counts_no_sessions(platform):
    """It may have thousands, which nobody limits."""
    platform.sql(
        f"""
        CREATE TEMPORARY TABLE made AS
          SELECT uuid_generate_v4()::text AS token, uuid_generate_v4()::text AS session, u.uuid AS owner, u.tenant_uuid
          FROM generate_series(1, 3000), auth_user AS u WHERE u.username = 'e2e-admin';
        INSERT INTO auth_session (uuid, tenant_uuid, mobile) SELECT session, tenant_uuid, false FROM made;
        INSERT INTO auth_token (uuid, session_uuid, auth_id, issued_t, expire_t, metadata, user_agent, remote_addr, acl)
          SELECT token, session, owner, 1, {2**31 - 1}, '{{}}', '', '', ARRAY['#'] FROM made;
        ANALYZE auth_token; ANALYZE auth_session;"""
    )
    with with_rows(platform):
        _, plans = platform.planned(platform.log_in)
    counting = [plan for _, plan in plans if 'AS sessions' in plan['Query Text']]
    assert counting and max(most_read(plan, 'auth_token') for plan in counting) == 0


def test_a_start_reads_the_same_until_it_serves(platform):
    """Of each table a few rows, and not those of 5,000 tenants and 50,000 users."""

    with with_rows(platform):
        _, plans = platform.planned(lambda: platform.start_again(platform.nginx.restart))
    plans = [plan for _, plan in plans if 'Actual Rows' in plan['Plan']]  # those of the nginx that started
    texts = [plan['Query Text'] for plan in plans]
    serves = next(i for i, text in enumerate(texts) if text.startswith('-- At a start: $1 are served'))
    assert any(text.startswith('-- Does the master tenant') for text in texts[:serves])

    most = [most_read(plan) for plan in plans]
    assert max(most[: serves + 1]) < 20, dict(zip(texts, most))
    assert max(most[serves:]) >= TENANTS  # they are counted, and what reads all of them comes afterwards
