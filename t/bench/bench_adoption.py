"""usage: bench_adoption.py [TOKENS [USERS]]     (through ./dev bench adoption)

How long wazo-auth-upgrade-db takes to adopt a database of the Python daemon, of 1,000,000 tokens and 100,000 users
unless told, and what the daemon notices: meanwhile somebody logs in and out, as it does (a session and a token,
deleted again), and reads a token, one after the other without a pause; the longest of each is reported, and every lock
that could make it wait, with how long it was seen.
"""
import collections
import os
import subprocess
import sys
import threading
import time

import bench
import load
import psycopg2

from support import servers

LOG_IN = """
WITH s AS (INSERT INTO auth_session (mobile, tenant_uuid)
           SELECT false, uuid FROM auth_tenant WHERE uuid = parent_uuid RETURNING uuid)
INSERT INTO auth_token (auth_id, session_uuid, issued_t, expire_t)
SELECT 'bench', uuid, 0, 2000000000 FROM s RETURNING uuid
"""
STEPS = {
    'a log-in': LOG_IN,
    'a read': 'SELECT * FROM auth_token WHERE uuid = %s',
    'a log-out': 'DELETE FROM auth_token WHERE uuid = %s',
}
# Those that hold up who writes rows or reads them.
LOCKS = """
SELECT relation::regclass::text, mode FROM pg_locks
WHERE granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  AND relation::regclass::text ~ '^(public[.])?auth_[a-z_]+$' AND pid <> pg_backend_pid()
"""


def fill(tokens, users):
    return f"""
SET session_replication_role = replica;
CREATE TEMP TABLE top AS SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid;
INSERT INTO auth_user (username, firstname, lastname, tenant_uuid, purpose)
SELECT 'user' || i, 'First ' || i, 'Last ' || i, top.uuid, 'user' FROM top, generate_series(1, {users}) i;
INSERT INTO auth_email (address, main, confirmed, user_uuid)
SELECT username || '@example.com', true, true, uuid FROM auth_user WHERE username LIKE 'user%';
CREATE TEMP TABLE sessions AS SELECT uuid_generate_v4()::text AS uuid, i FROM generate_series(1, {tokens}) i;
CREATE TEMP TABLE owners AS SELECT row_number() OVER () AS i, uuid FROM auth_user;
INSERT INTO auth_session (uuid, mobile, tenant_uuid) SELECT s.uuid, false, top.uuid FROM sessions s, top;
INSERT INTO auth_token (auth_id, session_uuid, issued_t, expire_t, acl)
SELECT o.uuid, s.uuid, 0, 2000000000, ARRAY['calld.#', 'confd.users.read'] FROM sessions s
JOIN owners o ON o.i = 1 + s.i % {users};
VACUUM (ANALYZE);
"""


class Watch(threading.Thread):
    """Runs until it is told to stop."""

    def __init__(self, connect):
        super().__init__()
        self.connection = connect()
        self.connection.autocommit = True
        self.over = threading.Event()

    def run(self):
        with self.connection.cursor() as cursor:
            while not self.over.is_set():
                self.turn(cursor)

    def end(self):
        self.over.set()
        self.join()
        self.connection.close()


class Client(Watch):
    def __init__(self, connect):
        super().__init__(connect)
        self.times = {name: [] for name in STEPS}

    def turn(self, cursor):
        token = None
        for name, statement in STEPS.items():
            start = time.perf_counter()
            cursor.execute(statement, token)
            token = token or cursor.fetchone()
            self.times[name].append((time.perf_counter() - start) * 1000)


class Locks(Watch):
    def __init__(self, connect):
        super().__init__(connect)
        self.seen = collections.Counter()
        self.last = time.perf_counter()

    def turn(self, cursor):
        cursor.execute(LOCKS)
        held = set(cursor.fetchall())
        now = time.perf_counter()
        for lock in held:
            self.seen[lock] += (now - self.last) * 1000
        self.last = now


def adopt(uri, folder):
    config = servers.write_settings(folder, {'db_uri': uri})
    start = time.perf_counter()
    done = subprocess.run(
        [servers.BUILD / 'wazo-auth-upgrade-db', '--config-file', config], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise servers.ServerError(done.stdout + done.stderr)
    return time.perf_counter() - start


def main(arguments):
    tokens, users = (int(text) for text in [*arguments, *('1000000', '100000')[len(arguments) :]])
    report = bench.Report()
    with load.own_postgres() as (folder, postgres, _):
        uri = postgres.create_database('adoption', 'wazo-auth')
        schema = (servers.CHECKOUT / 'sql/schema/0001_wazo_auth_tables.sql').read_text()
        postgres.psql('adoption', f'BEGIN;\n{schema};\nCOMMIT;', user='wazo-auth')
        postgres.psql('adoption', fill(tokens, users), timeout=3600)

        def connect():
            return psycopg2.connect(host=postgres.host, port=postgres.port, user='wazo-auth', dbname='adoption')

        watches = [Client(connect), Locks(connect)]
        for watch in watches:
            watch.start()
        time.sleep(1)  # the client's times before
        before = {name: max(times) for name, times in watches[0].times.items()}
        try:
            seconds = adopt(uri, folder)
        finally:
            for watch in watches:
                watch.end()
        print(f'{tokens:,} tokens, {users:,} users: adopted in {seconds:.1f} s, {os.cpu_count()} cores')
        for name, times in watches[0].times.items():
            report.line(f'adoption: the longest wait of {name}', [max(times)], 200, False, ' ms')
            report.note('in the second before; how many', f'{before[name]:.1f} ms; {len(times):,}')
        for (table, mode), ms in watches[1].seen.most_common():
            report.note(f'{mode} on {table}', f'{ms:.0f} ms')
    return 1 if report.missed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
