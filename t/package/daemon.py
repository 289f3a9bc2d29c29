#!/usr/bin/python3
"""The daemon of the stand-in package: enough of the API, from the same database, to be taken over from and given back to.

Logins by password (Basic), HEAD, GET and DELETE of tokens, lists of users, tenants and policies, backends, the status. As
the daemon it lets its port go when it is told to stop, and ends some time after that.
"""
import base64
import datetime
import hashlib
import http.server
import json
import os
import re
import signal
import socket
import sys
import threading
import time
import urllib.parse

import psycopg2
import yaml

VERSION = '@VERSION@'
ENDS_AFTER = 0.5  # seconds
ACCESSES = """
    SELECT DISTINCT access FROM auth_access JOIN auth_policy_access ON auth_policy_access.access_id = auth_access.id
    WHERE policy_uuid IN (SELECT policy_uuid FROM auth_user_policy WHERE user_uuid = %(user)s
                          UNION SELECT policy_uuid FROM auth_group_policy JOIN auth_user_group USING (group_uuid)
                          WHERE user_uuid = %(user)s)
    ORDER BY access"""
LISTS = {
    'users': """
        SELECT username, uuid, enabled, firstname, lastname, purpose, tenant_uuid, authentication_method, ARRAY(
          SELECT json_build_object('uuid', uuid, 'address', address, 'main', main, 'confirmed', confirmed)
          FROM auth_email WHERE user_uuid = auth_user.uuid) AS emails
        FROM auth_user ORDER BY username""",
    'tenants': """
        SELECT uuid, parent_uuid, name, slug, NULL AS contact, phone, default_authentication_method,
               ARRAY(SELECT name FROM auth_tenant_domain WHERE tenant_uuid = auth_tenant.uuid) AS domain_names,
               json_build_object('line_1', NULL, 'line_2', NULL, 'city', NULL, 'state', NULL, 'country', NULL,
                                 'zip_code', NULL) AS address
        FROM auth_tenant ORDER BY name""",
    'policies': """
        SELECT uuid, tenant_uuid, name, slug, description, config_managed AS read_only, shared, ARRAY(
          SELECT access FROM auth_access JOIN auth_policy_access ON access_id = auth_access.id
          WHERE policy_uuid = auth_policy.uuid) AS acl
        FROM auth_policy ORDER BY name""",
}
connections = threading.local()


def query(sql, values=None):
    """Rows as mappings; a connection that has died is made again."""
    for attempt in (1, 2):
        try:
            if not getattr(connections, 'mine', None):
                connections.mine = psycopg2.connect(settings['db_uri'])
                connections.mine.autocommit = True
            with connections.mine.cursor() as cursor:
                cursor.execute(sql, values)
                if not cursor.description:
                    return []
                names = [column.name for column in cursor.description]
                return [dict(zip(names, row)) for row in cursor.fetchall()]
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            connections.mine = None
            if attempt == 2:
                raise


def allows(acl, access):
    def pattern(entry):
        return ''.join({'*': '[^.]*?', '#': '.*?'}.get(part, re.escape(part)) for part in re.split('([*#])', entry))

    denied = any(re.fullmatch(pattern(entry[1:]), access) for entry in acl if entry.startswith('!'))
    return not denied and any(re.fullmatch(pattern(entry), access) for entry in acl if not entry.startswith('!'))


def shown(row):
    token = {'token': row['uuid']}
    for name, second in (('issued_at', row['issued_t']), ('expires_at', row['expire_t'])):
        at = datetime.datetime.fromtimestamp(second)
        token[name] = at.isoformat(timespec='microseconds')
        utc = datetime.datetime.fromtimestamp(second, datetime.timezone.utc).replace(tzinfo=None)
        token[f'utc_{name}'] = utc.isoformat(timespec='microseconds')
    metadata = json.loads(row['metadata'])
    token.update(
        {name: row[name] for name in ('auth_id', 'xivo_uuid', 'acl', 'session_uuid', 'remote_addr', 'user_agent')}
    )
    return {**token, 'metadata': metadata, 'xivo_user_uuid': metadata.get('pbx_user_uuid')}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def answer(self, status, body=None):
        data = b'' if body is None else json.dumps(body).encode()
        self.send_response(status)
        if status != 204:
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(data)

    def refuse(self, status, reason):
        self.answer(status, {'reason': [reason], 'timestamp': [time.time()], 'status_code': status})

    def respond(self):
        length = int(self.headers.get('Content-Length') or 0)
        body = self.rfile.read(length)
        path, _, arguments = self.path.partition('?')
        arguments = dict(urllib.parse.parse_qsl(arguments))
        words = path.strip('/').split('/')
        try:
            if words[:1] != ['0.1'] or len(words) < 2:
                self.refuse(404, 'Not found')
            elif words[1:] == ['token'] and self.command == 'POST':
                self.log_in(json.loads(body or b'{}'))
            elif words[1] == 'token' and len(words) == 3:
                self.token(words[2], arguments)
            elif words[1] == 'status':
                self.answer(200, {'rest_api': {'status': 'ok'}, 'master_tenant': {'status': 'ok'}})
            elif words[1:] == ['backends']:
                self.answer(200, {'data': ['ldap_user', 'wazo_user']})
            elif words[1] in LISTS and len(words) == 2 and self.command == 'GET':
                self.list(words[1], arguments)
            else:
                self.refuse(404, 'Not found')
        except psycopg2.Error as error:
            self.refuse(503, str(error))

    do_GET = do_HEAD = do_POST = do_DELETE = respond  # noqa: N815

    def log_in(self, options):
        kind, _, given = self.headers.get('Authorization', '').partition(' ')
        login, _, password = base64.b64decode(given).decode().partition(':') if kind == 'Basic' else ('', '', '')
        users = query('SELECT * FROM auth_user WHERE lower(username) = lower(%s) AND enabled', (login,))
        if not users or not users[0]['password_hash']:
            return self.refuse(401, 'Authentication Failed')
        user = users[0]
        derived = hashlib.pbkdf2_hmac('sha512', password.encode(), bytes(user['password_salt']), 250000, 64)
        if derived.hex() != user['password_hash']:
            return self.refuse(401, 'Authentication Failed')
        now = int(time.time())
        acl = [row['access'] for row in query(ACCESSES, {'user': user['uuid']})]
        metadata = {
            'uuid': user['uuid'],
            'tenant_uuid': user['tenant_uuid'],
            'auth_id': user['uuid'],
            'pbx_user_uuid': None,
        }
        metadata.update({'xivo_uuid': os.environ.get('XIVO_UUID'), 'purpose': user['purpose']})
        token = query(
            """WITH session AS (INSERT INTO auth_session (mobile, tenant_uuid) VALUES (false, %s) RETURNING uuid)
               INSERT INTO auth_token (auth_id, xivo_uuid, issued_t, expire_t, metadata, session_uuid, user_agent,
                                       remote_addr, acl)
               SELECT %s, %s, %s, %s, %s, uuid, %s, %s, %s FROM session RETURNING *""",
            (
                user['tenant_uuid'],
                user['uuid'],
                os.environ.get('XIVO_UUID'),
                now,
                now + options.get('expiration', 7200),
                json.dumps(metadata),
                self.headers.get('User-Agent', ''),
                self.client_address[0],
                acl,
            ),
        )[0]
        return self.answer(200, {'data': shown(token)})

    def live(self, token):
        rows = query('SELECT * FROM auth_token WHERE uuid = %s AND expire_t > %s', (token, int(time.time())))
        return rows[0] if rows else None

    def token(self, token, arguments):
        row = self.live(token)
        if self.command == 'DELETE':
            query(
                'DELETE FROM auth_session WHERE uuid = (SELECT session_uuid FROM auth_token WHERE uuid = %s)', (token,)
            )
            self.answer(200, {'data': {'message': 'success'}})
        elif not row:
            self.refuse(404, 'No such token')
        elif not allows(row['acl'], arguments.get('scope', '')) and arguments.get('scope'):
            self.refuse(403, 'Forbidden')
        elif self.command == 'HEAD':
            self.answer(204)
        else:
            self.answer(200, {'data': shown(row)})

    def list(self, name, arguments):
        row = self.live(self.headers.get('X-Auth-Token', ''))
        if not row or not allows(row['acl'], f'auth.{name}.read'):
            return self.refuse(401, 'Unauthorized')
        rows = query(LISTS[name])
        first = int(arguments.get('offset', 0))
        items = rows[first : first + int(arguments.get('limit', len(rows) + 1))]
        counts = {'total': len(rows)} if name == 'policies' else {'filtered': len(rows), 'total': len(rows)}
        return self.answer(200, {**counts, 'items': items})

    def log_message(self, format, *args):  # noqa: A002
        log.write(f'{self.log_date_time_string()} {self.command} {self.path.partition("?")[0][:20]} {args[1:2]}\n')
        log.flush()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def end(*_):
    server.socket.close()
    time.sleep(ENDS_AFTER)
    os._exit(0)


settings = yaml.safe_load(open('/etc/wazo-auth/config.yml'))
log = open(settings['log_filename'], 'a')
if sys.argv[1:] == ['--version']:
    print(VERSION)
    sys.exit(0)
try:
    query('SELECT 1')  # as the daemon does, before it listens
except psycopg2.Error as error:
    log.write(f'{error}\n')
server = Server((settings['rest_api']['listen'], settings['rest_api']['port']), Handler)
signal.signal(signal.SIGTERM, end)
server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
server.serve_forever()
