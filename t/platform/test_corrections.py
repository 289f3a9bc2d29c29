"""Each daemon's documents, with our corrections, say of every operation what the daemon's own code does."""
import re

import documents
from left_out import LEFT_OUT, LOOSER


def differences(daemon, operations):
    """{request: what the documents say and what the code asks}, for every request of the probes."""
    router, found = documents.Router(operations), {}
    for (method, target), answer in daemon.answers.items():
        operation, said = router.find(method, daemon.prefix + target)
        asks = answer['asked'][0] or 'token' if answer['asked'] else 'none'
        if operation is None:
            said = 'nothing of it'
        elif operation.query != answer['query']:
            said = f'{said}, token in the query: {operation.query}'
        if said != asks:
            found[method, target] = f'{said}, not {asks}'
    return found


def shape(text):
    return re.sub(r'{\w+}', '{}', text)


def test_documents_with_corrections_say_what_the_code_does(daemon):
    left_out = {shape(line) for line in LEFT_OUT.get(daemon.name, ())}
    known = {(each['method'], each['target']): shape(f"{each['method']} {each['path']}") for each in daemon.code}
    found = differences(daemon, daemon.corrected)
    found = {request: text for request, text in found.items() if known.get(request) not in left_out}
    looser = LOOSER.get(daemon.name, ())
    assert not {
        request: text
        for request, text in found.items()
        if not (text.startswith('token, not ') and any(part in request[1] for part in looser))
    }


def test_nothing_that_the_documents_have_lacks_in_the_code(daemon):
    reached = {
        documents.Router(daemon.corrected).find(method, daemon.prefix + target)[0]._replace(spans=None)
        for method, target in daemon.answers
        if documents.Router(daemon.corrected).find(method, daemon.prefix + target)[0]
    }
    assert not [each for each in daemon.corrected if each._replace(spans=None) not in reached]


def test_what_is_left_out_is_what_the_code_has_besides(daemon):
    """And it takes any token, or none: what has an access of its own is in the overlay."""
    said = {shape(f'{each.method} {each.path.removeprefix(daemon.prefix)}') for each in daemon.corrected}
    router = documents.Router(daemon.corrected)
    besides = {
        f"{each['method']} {each['path']}": each['access']
        for each in daemon.code
        if not router.find(each['method'], daemon.prefix + each['target'])[0]
    }
    assert not {name: access for name, access in besides.items() if access}
    assert {shape(name) for name in besides} == {shape(line) for line in LEFT_OUT.get(daemon.name, ())}
    assert not said & {shape(line) for line in LEFT_OUT.get(daemon.name, ())}
