"""What helps to run the other tests and to read their failures. It needs no server."""
import os
import re
import subprocess
import sys

import pytest

from support import servers

THREE = """
def test_{name}_one(): pass
def test_{name}_two(): pass
def test_{name}_three(): pass
def test_{name}_four(): pass
"""
LOOP = """
def judge(answer):
    for limit in (1, 10):
        assert answer < limit

def test_it():
    for name, answer in (('first', 0), ('second', 5)):
        judge(answer)
"""


@pytest.fixture
def run():
    """pytest over these files, {name: text}, with the plug-ins of the tests: its output."""
    # Beside the tests, or nothing in them would be ours.
    folder = servers.CHECKOUT / 't' / f'.support-{os.getpid()}'

    def run(files, *options):
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
        (folder / 'pytest.ini').write_text('[pytest]\n')
        command = [
            sys.executable,
            '-B',
            '-m',
            'pytest',
            '-p',
            'no:cacheprovider',
            '-p',
            'support.order',
            '-p',
            'support.loops',
        ]
        done = subprocess.run(
            [*command, *options, '-v', folder],
            env={**os.environ, 'PYTHONPATH': str(servers.CHECKOUT / 't')},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    yield run
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def names(output):
    return re.findall(r'::test_(\w+) PASSED', output)


def test_an_order_can_be_repeated(run):
    files = {f'test_{name}.py': THREE.format(name=name) for name in ('a', 'b', 'c')}
    written = names(run(files, '--order', 'file'))
    assert len(written) == 12 and written == sorted(written, key=lambda name: name[0])
    orders = {seed: names(run(files, '--order', seed)) for seed in ('1', '2', '3')}
    for seed, order in orders.items():
        assert sorted(order) == sorted(written) and order != written
        # Modules stay together.
        assert len(re.findall(r'(.)\1*', ''.join(name[0] for name in order))) == 3
        # A choice of tests keeps its order.
        chosen = names(run(files, '--order', seed, '-k', 'one or two'))
        assert chosen == [name for name in order if name.endswith(('one', 'two'))]
    assert len(set(map(tuple, orders.values()))) == 3


def test_without_an_order_it_says_which_one_it_took(run):
    files = {'test_a.py': THREE.format(name='a')}
    output = run(files)
    [seed] = set(re.findall(r'order of the tests: --order (\d+)', output))
    assert names(run(files, '--order', seed)) == names(output)


def test_a_failure_says_in_which_turn_of_a_loop(run):
    output = run({'test_loop.py': LOOP}, '--order', 'file')
    assert "line 7: name = 'second', answer = 5" in output
    assert 'line 3: limit = 1' in output
