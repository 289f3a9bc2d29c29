"""What stands behind the gate.

Upstream   tells in JSON what it got, and echoes what comes over a WebSocket. A request's header X-Delay: SECONDS holds
           the answer back.
Daemon     the same as a daemon of the platform does it: it serves only its own paths, tells who it is, and lets
           applications of all origins read its answers.
Websocketd asks for a token in the query, as websocketd does, and says then what it got.
"""
import asyncio
import base64
import hashlib
import json
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import websockets

_WEBSOCKET_KEY = b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'  # RFC 6455, section 1.3


class _Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    wbufsize = -1  # headers and body leave in one segment

    def _answer(self):
        length = int(self.headers.get('Content-Length') or 0)
        body = self.rfile.read(length)
        if self.headers.get('Upgrade', '').lower() == 'websocket':
            self._websocket()
            return
        time.sleep(float(self.headers.get('X-Delay') or 0))
        text = json.dumps(
            {
                'method': self.command,
                'target': self.path,
                'headers': {name.lower(): value for name, value in self.headers.items()},
                'names': [name.lower() for name in self.headers.keys()],
                'body': body.decode(errors='replace'),
            }
        ).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(text)
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer

    def _websocket(self):
        accepted = base64.b64encode(hashlib.sha1(self.headers['Sec-WebSocket-Key'].encode() + _WEBSOCKET_KEY).digest())
        self.send_response(101)
        self.send_header('Upgrade', 'websocket')
        self.send_header('Connection', 'Upgrade')
        self.send_header('Sec-WebSocket-Accept', accepted.decode())
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        while True:
            head = self.rfile.read(2)
            if len(head) < 2 or head[0] & 0x0F == 8:
                return
            length = head[1] & 0x7F  # longer messages are not sent by the tests
            mask = self.rfile.read(4)
            text = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.rfile.read(length)))
            self.wfile.write(struct.pack('!BB', 0x81, length) + text)
            self.wfile.flush()

    def log_message(self, *args):
        pass


class _DaemonHandler(_Handler):
    def _headers(self, length):
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(length))
        if origin := self.headers.get('Origin'):
            self.send_header('Access-Control-Allow-Origin', origin)
            self.send_header('Access-Control-Allow-Headers', 'Content-Type, X-Auth-Token, Wazo-Tenant')
            self.send_header('Access-Control-Allow-Methods', 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT')
            self.send_header('Vary', 'Origin')
        self.end_headers()

    def _answer(self):
        self.rfile.read(int(self.headers.get('Content-Length') or 0))
        daemon = self.server.daemon
        path = self.path.partition('?')[0]
        status = 404
        if path.startswith(daemon.serves):
            status = 401 if path.endswith('/refused') else 200
        text = json.dumps(
            {
                'daemon': daemon.port,
                'method': self.command,
                'target': self.path,
                'headers': {name.lower(): value for name, value in self.headers.items()},
            }
        ).encode()
        self.send_response(status)
        self._headers(len(text))
        if self.command != 'HEAD':
            self.wfile.write(text)
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        pass  # a client that went away


class Upstream:
    def __init__(self, port, handler=_Handler):
        self.port = port
        self._server = _Server(('127.0.0.1', port), handler)
        self._server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class Daemon(Upstream):
    """Paths begin with `serves`, others are 404; one that ends with /refused is 401."""

    def __init__(self, port, serves):
        super().__init__(port, _DaemonHandler)
        self.serves = serves
        self._server.daemon = self


class Websocketd:
    def __init__(self, port):
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._start())
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    async def _start(self):
        self._server = await websockets.serve(self._serve, '127.0.0.1', self.port)

    async def _serve(self, connection, target):
        token = parse_qs(urlsplit(target).query).get('token')
        if not token:
            return await connection.close(4001, 'no token')
        headers = {name.lower(): value for name, value in connection.request_headers.raw_items()}
        await connection.send(json.dumps({'op': 'init', 'daemon': self.port, 'target': target, 'headers': headers}))
        await connection.wait_closed()

    def close(self):
        async def end():
            self._server.close()
            await self._server.wait_closed()

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
