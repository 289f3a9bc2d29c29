"""The option --order: end-to-end tests run in a random order, so that none needs what another leaves behind.

Modules are shuffled, and tests within each: what a module starts is started once. The output says the seed, at its head and at
its end; --order SEED repeats it, for any choice of tests, and --order file is the order in which they are written.
"""
import random
import secrets

import pytest


def pytest_addoption(parser):
    parser.addoption(
        '--order', default=str(secrets.randbelow(10000)), metavar='SEED', help='"file", or a seed of the order'
    )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """Of one of several processes: all have the order of the first."""
    node.workerinput['order'] = node.config.getoption('order')


def order_of(config):
    return getattr(config, 'workerinput', {}).get('order') or config.getoption('order')


def pytest_report_header(config):
    return f'order of the tests: --order {order_of(config)}'


def pytest_terminal_summary(terminalreporter, config):
    terminalreporter.line(pytest_report_header(config))


@pytest.hookimpl(tryfirst=True)  # pytest itself then brings those together that share a fixture with a parameter
def pytest_collection_modifyitems(config, items):
    order = order_of(config)
    if order == 'file':
        return

    def place(name):
        """Of this module or test: it depends on no other, so that a choice of tests keeps its order."""
        return random.Random(f'{order} {name}').random()

    items.sort(key=lambda item: (place(item.path.name), item.path.name, place(item.name)))
