"""usage: dashboard_pictures.py     (through ./dev pictures)

Draws docs/pictures/dashboard-*.svg: the panels of conf/grafana/wazo-auth.json, by their own queries, of what a real
Prometheus scraped from two nginx that had two minutes of work. In these the broker was away for half a minute, and
somebody guessed passwords for another half.
"""
import json
import re
import threading
import time
import uuid

import matplotlib
import websocket

from support import checks, servers
from support.stack import ADMIN, GATED, Stack

matplotlib.use('svg')
from matplotlib import pyplot  # noqa: E402
from matplotlib.ticker import EngFormatter, PercentFormatter  # noqa: E402

DASHBOARD = servers.CHECKOUT / 'conf/grafana/wazo-auth.json'
RULES = servers.CHECKOUT / 'conf/prometheus/wazo-auth.rules.yml'
PICTURES = servers.CHECKOUT / 'docs/pictures'
BROKER_AWAY, GUESSES, END = (30, 60), (75, 105), 120  # seconds
UNITS = {'s': '', 'reqps': ', per second', 'percentunit': '', 'short': ''}
COLOURS = ['#3b78b5', '#d9822b', '#4a9c5d', '#c0392b', '#7d5ba6', '#8c6d4f', '#c977a9', '#777777', '#a6a62f', '#2fa6b5']

TLS = """\
    server {
        listen unix:@FOLDER@/tls.socket ssl;
        ssl_certificate CERTIFICATE;
        ssl_certificate_key CERTIFICATE;
        location / { return 404; }
    }
"""


class Work:
    """What clients do; each kind in a thread of its own."""

    def __init__(self, stack, one, two):
        self.stack, self.one, self.two = stack, one, two
        self.start = time.monotonic()
        self.failed = []
        self.token = self.log_in()
        self.threads = [
            threading.Thread(target=self._repeat, args=each)
            for each in (
                (self.known_tokens, 0.02),
                (self.new_tokens, 0.2),
                (self.refusals, 0.4),
                (self.lists, 0.5),
                (self.guesses, 0.3),
                (self.broker, 1),
            )
        ]
        for thread in self.threads:
            thread.start()

    def _seconds(self):
        return time.monotonic() - self.start

    def _is(self, between):
        return between[0] <= self._seconds() < between[1]

    def _repeat(self, work, pause):
        try:
            while self._seconds() < END:
                work()
                time.sleep(pause)
        except Exception as error:  # pylint: disable=broad-except
            self.failed.append(error)

    def log_in(self):
        answer = self.one.api.post('/token', auth=(ADMIN['username'], ADMIN['password']), headers=checks.elsewhere())
        return answer.json()['data']['token']

    def known_tokens(self):
        self.one.gate.get('/', self.token)

    def new_tokens(self):
        """A login here; its token is used, and revoked, at the other one."""
        token = self.log_in()
        self.two.gate.get('/', token)
        self.two.api.delete(f'/token/{token}')

    def refusals(self):
        self.one.gate.get('/', str(uuid.uuid4()))
        self.one.gate.get('/read')

    def lists(self):
        for path in '/users', '/groups', '/policies':
            self.two.api.get(path, self.token)

    def guesses(self):
        if self._is(GUESSES):
            self.two.api.post('/token', auth=(f'guessed-{uuid.uuid4().hex[:3]}', 'wrong-password'))

    def broker(self):
        if self._is(BROKER_AWAY):
            with self.stack.away(self.stack.rabbitmq, frozen=True):
                while self._is(BROKER_AWAY):
                    time.sleep(0.2)

    def wait(self):
        for thread in self.threads:
            thread.join()
        assert not self.failed, self.failed


def legend(text, labels, names):
    text = re.sub(r'\{\{(\w+)\}\}', lambda found: labels.get(found[1], ''), text)
    for target, name in names.items():
        text = text.replace(target, name)
    return re.sub(r'/\S*/', '', text)  # files by their names alone


def draw_panel(axes, panel, prometheus, start, names):
    lines = 0
    for target in panel['targets']:
        query = target['expr'].replace('$instance', '.+').replace('$__rate_interval', '10s')
        for series in prometheus.query_range(query, start, start + END, 2):
            points = [(float(at) - start, float(value)) for at, value in series['values'] if value != 'NaN']
            if not points:
                continue
            label = legend(target['legendFormat'], series['metric'], names)
            axes.plot(*zip(*points), label=label, color=COLOURS[lines % len(COLOURS)], linewidth=1)
            lines += 1
    assert lines, f"no data: {panel['title']}"
    unit = panel['fieldConfig']['defaults']['unit']
    axes.set_title(panel['title'] + UNITS[unit], loc='left', fontsize=9)
    if unit == 's':
        axes.yaxis.set_major_formatter(EngFormatter('s'))
    if unit == 'percentunit':
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlim(0, END)
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    axes.tick_params(labelsize=7)
    axes.grid(color='#e5e5e5', linewidth=0.5)
    axes.legend(fontsize=6, loc='upper left', bbox_to_anchor=(-0.03, -0.12), ncols=3 if lines > 5 else 5, frameon=False)


def rows_of_panels():
    """[(row's title, its panels)]"""
    rows = []
    for panel in json.loads(DASHBOARD.read_text())['panels']:
        if panel['type'] == 'row':
            rows.append((panel['title'], []))
        else:
            rows[-1][1].append(panel)
    return rows


def compact(svg):
    """A tenth of a point is enough for lines; and no blanks at the ends of lines."""

    def rounded(path):
        short = re.sub(r'\d+\.\d{2,}', lambda number: f'{float(number[0]):.1f}', path[0])
        return ' '.join(short.split())

    svg = re.sub(r'\bd="[^"]*"', rounded, svg)
    return '\n'.join(line.rstrip() for line in svg.splitlines()) + '\n'


def draw(prometheus, start, names):
    PICTURES.mkdir(exist_ok=True)
    matplotlib.rcParams.update({'svg.fonttype': 'none', 'svg.hashsalt': 'wazo-auth', 'font.family': 'sans-serif'})
    for title, panels in rows_of_panels():
        height = (len(panels) + 1) // 2
        figure, axes = pyplot.subplots(height, 2, figsize=(11, 2.4 * height), layout='constrained', squeeze=False)
        for place in axes.flat[len(panels) :]:
            place.remove()
        for place, panel in zip(axes.flat, panels):
            draw_panel(place, panel, prometheus, start, names)
        file = PICTURES / f'dashboard-{title.lower()}.svg'
        figure.savefig(file, metadata={'Date': None, 'Creator': None})
        file.write_text(compact(file.read_text()))
        print(f'{file.relative_to(servers.CHECKOUT)}: {file.stat().st_size // 1024} KiB')


def main():
    stack = Stack()
    sockets = []
    prometheus = None
    try:
        stack.start()
        certificate = servers.Authority(stack.folder / 'authority').certificate('DNS:localhost')
        one, two = stack.new_nginx('one', GATED + TLS.replace('CERTIFICATE', str(certificate))), stack.nginx2
        stack.nginx.stop()  # else it might be the one that looks after the broker
        targets = [f"127.0.0.1:{nginx.values['API_PORT']}" for nginx in (one, two)]
        prometheus = servers.Prometheus(stack.folder / 'prometheus', servers.free_port(), targets, RULES).start()
        start = time.time()
        work = Work(stack, one, two)
        for _ in range(5):
            address = f'ws://127.0.0.1:{one.gate.port}/ws'
            sockets.append(websocket.create_connection(address, header={'X-Auth-Token': work.token}, timeout=10))
        work.wait()
        draw(prometheus, start, dict(zip(targets, ('one', 'two'))))
    finally:
        for each in sockets:
            each.close()
        if prometheus:
            prometheus.stop()
        stack.stop()


if __name__ == '__main__':
    main()
