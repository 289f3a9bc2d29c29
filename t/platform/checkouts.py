"""The daemons' checkouts, where they lie (REF), and what their code answers: each daemon is asked in a process of its own.

As a program it only tells what is missing; its exit code is 0 when nothing is.
"""
import json
import subprocess
import sys
from pathlib import Path

from flask_daemon import DAEMONS as FLASK
from flask_daemon import LIBRARIES, entry_points

from support import daemon, servers

REF = daemon.REF
DAEMONS = sorted((*FLASK, 'provd'))
OVERLAYS = servers.CHECKOUT / 'conf/platform/overlays'
HERE = Path(__file__).parent


def missing():
    names = [f'wazo-{name}' for name in (*DAEMONS, 'websocketd')] + list(LIBRARIES)
    lacking = [str(REF / name) for name in names if not (REF / name).is_dir()]
    if not lacking:
        return ''
    return f"""This reads and runs the code of Wazo's daemons. It lacks: {', '.join(lacking)}.
  REF  folder with checkouts of {', '.join(names)},
       each from https://github.com/wazo-platform/NAME (now {REF})
"""


def checkout(name):
    return REF / f'wazo-{name}'


def plugins(name):
    return {} if name == 'provd' else entry_points(checkout(name))


def overlay(name):
    return OVERLAYS / f'{name}.yml'


def prefix(name):
    """What nginx cuts off before the daemon sees a path."""
    return f'/api/{name}'


def ask(name, questions=()):
    """What flask_daemon.answer() says; `questions`: (method, target at the daemon, access lists or None)."""
    program = ['provd_daemon.py'] if name == 'provd' else ['flask_daemon.py', name]
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', HERE / program[0], *program[1:], REF],
        input=json.dumps({'ask': list(questions)}),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f'{name}: {done.stderr[-2000:]}')
    return json.loads(done.stdout)


if __name__ == '__main__':
    sys.exit(missing() or 0)
