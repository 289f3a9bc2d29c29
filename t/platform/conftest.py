"""What each daemon's documents say and what its code does, once for all tests of this folder."""
import functools

import checkouts
import documents
import probes
import pytest


class Platform:
    """One daemon: its documents with and without our corrections, and its code's operations."""

    def __init__(self, name):
        self.name, self.prefix = name, checkouts.prefix(name)
        self.files = documents.files(name, checkouts.checkout(name), checkouts.plugins(name))
        self.bare = documents.operations(documents.merged(self.files), self.prefix)
        document = documents.merged(self.files)
        documents.correct(document, checkouts.overlay(name))
        self.corrected = documents.operations(document, self.prefix)

    @functools.cached_property
    def code(self):
        return checkouts.ask(self.name)['operations']

    def ask(self, questions):
        return checkouts.ask(self.name, questions)['asked']

    @functools.cached_property
    def requests(self):
        """[(method, target at the daemon)] that reach each operation of the code and of the documents."""
        found = dict.fromkeys((operation['method'], operation['target']) for operation in self.code)
        for operation in {(each.method, each.path): each for each in (*self.bare, *self.corrected)}.values():
            for target in probes.targets(operation.path.removeprefix(self.prefix)):
                found[operation.method, target.rstrip('/')] = None
        return list(found)

    @functools.cached_property
    def answers(self):
        """{(method, target): what came of it at the daemon's code}, without those that lead nowhere there."""
        asked = self.ask([(method, target, None) for method, target in self.requests])
        return {
            request: answer
            for request, answer in zip(self.requests, asked)
            if answer['asked'] or answer['reached'] or answer['status'] == 200
        }


@functools.cache
def platform_of(name):
    return Platform(name)


@pytest.fixture(params=checkouts.DAEMONS)
def daemon(request):
    return platform_of(request.param)


def pytest_sessionstart():
    lacking = checkouts.missing()
    if lacking:
        pytest.exit(lacking, 2)


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.timeout(1200))
