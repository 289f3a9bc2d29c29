"""Requests of tests."""
import http.client
import json as json_module
import socket
import threading

import requests
import websocket

from support.logs import SECRETS


class Client:
    """Requests to one server. Every secret that passes is remembered for the check of the logs."""

    document = None  # of the first nginx; what others don't have in it isn't checked

    def __init__(self, port, prefix=''):
        self.port = port
        self.is_api = bool(prefix)
        self.base = f'http://127.0.0.1:{port}{prefix}'
        self._local = threading.local()

    def connect_anew(self):
        """The connections that are kept open are used no more."""
        self._local = threading.local()

    def request(self, method, path, token=None, json=None, headers=None, auth=None, data=None, params=None, **options):
        headers = dict(headers or {})
        if token is not None:
            headers['X-Auth-Token'] = SECRETS.token(token)
        if auth:
            SECRETS.password(auth[1])
            auth = tuple(part.encode() if isinstance(part, str) else part for part in auth)
        if isinstance(json, dict):
            for name in ('password', 'old_password', 'new_password'):
                SECRETS.password(json.get(name))
            SECRETS.token(json.get('refresh_token'))
        if json is not None:
            data = json_module.dumps(json)
            headers.setdefault('Content-Type', 'application/json')
        session = getattr(self._local, 'session', None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
        prepared = session.prepare_request(
            requests.Request(method, self.base + path, headers=headers, data=data, params=params, auth=auth)
        )
        options.setdefault('timeout', 60)
        options.setdefault('allow_redirects', False)
        answer = session.send(prepared, **options)
        self._remember(answer)
        if self.is_api and Client.document:
            complaint = Client.document.complaint(answer, '/0.1')
            assert not complaint, complaint
        return answer

    @staticmethod
    def _remember(answer):
        if answer.request.method == 'POST' and answer.status_code == 200 and '/token' in answer.request.url:
            try:
                issued = answer.json().get('data') or {}
            except (ValueError, AttributeError):
                return
            SECRETS.token(issued.get('token'))
            SECRETS.token(issued.get('refresh_token'))

    def raw(self, target, *headers, method='GET'):
        """A request whose target and header lines go out exactly as given: (status, body text)."""
        lines = [f'{method} {target} HTTP/1.1', 'Host: 127.0.0.1', 'Connection: close', *headers]
        with socket.create_connection(('127.0.0.1', self.port), 30) as connection:
            connection.sendall('\r\n'.join(lines).encode('latin-1') + b'\r\n\r\n')
            answer = http.client.HTTPResponse(connection, method=method)
            answer.begin()
            return answer.status, answer.read().decode()

    def get(self, path, token=None, **options):
        return self.request('GET', path, token, **options)

    def head(self, path, token=None, **options):
        return self.request('HEAD', path, token, **options)

    def options(self, path, token=None, **options):
        return self.request('OPTIONS', path, token, **options)

    def delete(self, path, token=None, **options):
        return self.request('DELETE', path, token, **options)

    def post(self, path, token=None, json=None, data=None, **options):
        return self.request(
            'POST', path, token, json={} if json is None and data is None else json, data=data, **options
        )

    def put(self, path, token=None, json=None, data=None, **options):
        return self.request(
            'PUT', path, token, json={} if json is None and data is None else json, data=data, **options
        )

    def patch(self, path, token=None, json=None, data=None, **options):
        return self.request(
            'PATCH', path, token, json={} if json is None and data is None else json, data=data, **options
        )


def lives(connection):
    """Does a message over this WebSocket come back?"""
    try:
        connection.send('hello')
        return connection.recv() == 'hello'
    except (websocket.WebSocketException, OSError):
        return False


def ends(connection, timeout=5):
    """Waits until it does. The code of the server's close frame; None when it was just cut off."""
    connection.settimeout(timeout)
    try:
        while True:
            opcode, data = connection.recv_data(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(data[:2], 'big')
    except websocket.WebSocketTimeoutException:
        raise TimeoutError(f'the connection still stands after {timeout} s') from None
    except (websocket.WebSocketException, OSError):
        return None
