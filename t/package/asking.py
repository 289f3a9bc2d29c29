"""Requests to port 9497 of a machine, and how long nobody answers there."""
import base64
import dataclasses
import http.client
import json
import threading
import time
import uuid

import yaml

PORT = 9497
CREDENTIALS = '/root/.config/wazo-auth-cli/050-credentials.yml'


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)


def ask(method, path, headers=None, body=None, port=PORT, timeout=60):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=timeout)
    try:
        connection.request(method, path, body, {'Connection': 'close', **(headers or {})})
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()


class Api:
    """The API as a client inside the machine sees it."""

    def __init__(self, machine, port=PORT):
        self.machine = machine
        self.port = port
        self.threads = machine.threads()

    def close(self):
        self.threads.shutdown()

    def __call__(self, method, path, headers=None, body=None, **options):
        """An Answer; OSError where nobody listens."""
        return self.threads.submit(ask, method, f'/0.1/{path}', headers, body, self.port, **options).result()

    def answers(self):
        """About a token that nobody has, from the database."""
        try:
            return self('HEAD', f'token/{uuid.uuid4()}').status == 404
        except (OSError, http.client.HTTPException):
            return False

    def log_in(self, name, password, **options):
        """The data of POST /token."""
        basic = base64.b64encode(f'{name}:{password}'.encode()).decode()
        headers = {'Authorization': f'Basic {basic}', 'Content-Type': 'application/json'}
        answer = self('POST', 'token', headers, json.dumps(options))
        assert answer.status == 200, answer
        return answer.json()['data']

    def log_in_as_root(self):
        """As wazo-auth-cli does, with the credentials in root's home."""
        given = yaml.safe_load(self.machine(f'cat {CREDENTIALS}'))['auth']
        return self.log_in(given['username'], given['password'])

    def log_in_as_service(self, name):
        given = yaml.safe_load(self.machine(f'cat /var/lib/wazo-auth-keys/{name}-key.yml'))
        return self.log_in(given['service_id'], given['service_key'])

    def has(self, token):
        return self('HEAD', f'token/{token}').status == 204

    def is_nginx(self):
        """Does nginx answer itself, or the daemon?"""
        return self('GET', 'status').headers.get('server', '').startswith('nginx')


class Watch:
    """Asks about a token without a pause, from `threads` threads, until the end of the `with`.

    Afterwards: `longest`, seconds between two answers that were right, and `again`, when these ended; `lost`, the others:
    (second, what came).
    """

    def __init__(self, machine, token, threads=1, pause=0.002, timeout=5, port=PORT):
        self.path = f'/0.1/token/{token}'
        self.pause = pause
        self.timeout = timeout
        self.port = port
        self.number = threads
        self.threads = machine.threads(threads)
        self.over = threading.Event()
        self.good = []
        self.lost = []

    def __enter__(self):
        self.start = time.monotonic()
        self.running = [self.threads.submit(self._go) for _ in range(self.number)]
        return self

    def __exit__(self, *_):
        self.over.set()
        self.end = time.monotonic()
        for each in self.running:
            each.result()
        self.threads.shutdown()

    def _go(self):
        while not self.over.is_set():
            try:
                came = ask('HEAD', self.path, port=self.port, timeout=self.timeout).status
            except (OSError, http.client.HTTPException) as error:
                came = repr(error)
            now = time.monotonic()
            if came == 204:
                self.good.append(now)
            else:
                self.lost.append((round(now - self.start, 3), came))
            time.sleep(self.pause)

    @property
    def longest(self):
        return max(after - before for before, after in self._between())

    @property
    def again(self):
        """Seconds from the start until the answer that ended the longest time without one."""
        return max(self._between(), key=lambda pair: pair[1] - pair[0])[1] - self.start

    def _between(self):
        times = [self.start, *sorted(self.good), max([self.end, *self.good])]
        return list(zip(times, times[1:]))

    def __str__(self):
        return (
            f'{len(self.good)} right answers, {len(self.lost)} others, {self.longest:.3f} s without an answer at most'
        )
