"""What external services are made of in tests: a broker, and a provider that can be told to misbehave.

Both live on threads of the test's own process. The provider that behaves is npm's oauth2-mock-server (servers/oauth2.py).
"""
import asyncio
import json
import secrets
import socket
import ssl
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import websockets

from support.servers import wait_until


class Broker:
    """WebSockets at /ws/<state>. What comes to any other path is a browser whose query is told to its state's socket."""

    def __init__(self, port, certificate=None):
        self.port = port
        self.certificate = certificate
        self.waiting = {}  # state → its newest socket
        self.asked = []  # every state, as often as its socket was asked for
        self.opened = []  # and opened
        self.sockets = set()
        self._loop = asyncio.new_event_loop()
        self._server = None
        self._frozen = None
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.start()

    def _run(self, coroutine, timeout=10):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    def start(self):
        self._run(self._start())

    async def _start(self):
        context = None
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
        self._server = await websockets.serve(
            self._serve, '127.0.0.1', self.port, ssl=context, process_request=self._browser, ping_interval=None
        )

    def stop(self):
        """Closes every socket and listens no longer."""
        self._run(self._stop())

    async def _stop(self):
        self._server.close()
        await self._server.wait_closed()
        self.waiting.clear()

    def freeze(self):
        """Connections are accepted by the system, and that is all."""
        self.stop()
        self._frozen = socket.create_server(('127.0.0.1', self.port))

    def thaw(self):
        self._frozen.close()
        self.start()

    async def _serve(self, peer):
        state = peer.path.removeprefix('/ws/')
        self.waiting[state] = peer
        self.sockets.add(peer)
        self.opened.append(state)
        try:
            async for _ in peer:
                pass
        except websockets.ConnectionClosed:
            pass
        finally:
            self.sockets.discard(peer)
            if self.waiting.get(state) is peer:
                del self.waiting[state]

    async def _browser(self, path, headers):
        url = urlsplit(path)
        if url.path.startswith('/ws/'):
            self.asked.append(url.path.removeprefix('/ws/'))
            return None
        query = dict(parse_qsl(url.query))
        peer = self.waiting.get(query.get('state'))
        if not peer:
            return HTTPStatus.NOT_FOUND, [], b'nobody waits\n'
        await peer.send(json.dumps(query))
        return HTTPStatus.OK, [], b'you may close this window\n'

    def wait_for(self, state, timeout=10):
        wait_until(lambda: state in self.waiting, timeout, f'a socket for {state}')

    def tell(self, state, message, times=1):
        """A message to the socket of `state`: JSON, or a text as it is."""
        self.wait_for(state)
        text = message if isinstance(message, (str, bytes)) else json.dumps(message)
        self._run(self._tell(self.waiting[state], text, times))

    @staticmethod
    async def _tell(peer, text, times):
        await asyncio.gather(*(peer.send(text) for _ in range(times)), return_exceptions=times > 1)

    def close_all(self):
        for peer in list(self.sockets):
            asyncio.run_coroutine_threadsafe(peer.close(), self._loop)

    def end(self):
        if self._frozen:
            self._frozen.close()
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)


class Provider:
    """POST /token. Tokens are remembered; `answer`, when set, is asked for (status, headers, body) with the form."""

    def __init__(self, port, certificate=None):
        self.port = port
        self.requests = []  # (form, authorization)
        self.answer = None
        self.expires_in = 3600
        self.tokens = []
        self._go = threading.Event()
        self._go.set()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                provider.serve(self)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(('127.0.0.1', port), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # clients that are killed
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def token(self, kind):
        value = f'{kind}-{secrets.token_hex(12)}'
        self.tokens.append(value)
        return value

    def grant(self, **changes):
        tokens = {
            'access_token': self.token('access'),
            'refresh_token': self.token('refresh'),
            'expires_in': self.expires_in,
            'scope': 'one two',
            'token_type': 'Bearer',
        } | changes
        return {name: value for name, value in tokens.items() if value is not None}

    def serve(self, request):
        body = request.rfile.read(int(request.headers.get('Content-Length') or 0)).decode()
        self.requests.append((dict(parse_qsl(body, keep_blank_values=True)), request.headers.get('Authorization')))
        self._go.wait(30)
        if self.answer:
            status, headers, text = self.answer(dict(parse_qsl(body)))
        else:
            status, headers, text = 200, {}, json.dumps(self.grant())
        text = text.encode() if isinstance(text, str) else text
        try:
            request.send_response(status)
            for name, value in {
                'Content-Type': 'application/json',
                'Content-Length': str(len(text)),
                **headers,
            }.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(text)
        except OSError:
            pass

    def freeze(self):
        self._go.clear()

    def thaw(self):
        self._go.set()

    def reset(self):
        self.thaw()
        self.answer = None
        self.expires_in = 3600
        self.requests.clear()

    def wait_for_request(self, count=1, timeout=10):
        wait_until(lambda: len(self.requests) >= count, timeout, f'request {count} at the provider')
        return self.requests[count - 1]

    def end(self):
        self.thaw()
        self._server.shutdown()
        self._server.server_close()
