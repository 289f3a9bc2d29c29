"""For every operation: the gate grants what the daemon's own library grants, for 50 lists of accesses each.

The daemon's side is its own routes and xivo's verifier and AccessCheck; the gate's is its reader of documents and lib/
wazoauth/acl. Where they differ, it's an operation that a correction leaves out or can't express: left_out.py.
"""
import collections
from urllib.parse import unquote

import checkouts
import gate
import probes
from left_out import LOOSER

LISTS = 50
# What the gate refuses as wazo_auth_acl does, since it could widen the access that is asked for; and digits of other scripts.
REFUSED = ('%23', '*', '%0A', '%D9%A3')


def compared(daemon, requests, count):
    """[(request, the daemon's verdicts, the gate's answer)] of those that lead somewhere in the code."""
    found = daemon.ask([(method, target, None) for method, target in requests])
    asked = [
        (method, target, probes.access_lists(answer['asked'][0] if any(answer['asked']) else 'x', count))
        for (method, target), answer in zip(requests, found)
        if answer['asked'] or answer['reached']
    ]
    overlays = [checkouts.overlay(daemon.name)]
    questions = [(method, daemon.prefix + unquote(target), lists) for method, target, lists in asked]
    ours = gate.decide(daemon.files, overlays, daemon.prefix, questions)
    return [(question, their['verdicts'], our) for question, their, our in zip(asked, daemon.ask(asked), ours)]


def test_the_gate_grants_what_the_daemon_grants(daemon):
    compares = compared(daemon, list(daemon.answers), LISTS)
    operations, verdicts, granted, looser, left_out = set(), 0, 0, set(), set()
    for (method, target, lists), theirs, ours in compares:
        if ours['outcome'] != 'matched':
            left_out.add((method, target))  # test_corrections.py knows which may be
            continue
        assert len(theirs) == len(ours['granted']) == LISTS
        operations.add((method, target))
        verdicts += LISTS
        granted += sum(theirs)
        differing = [pair for pair in zip(lists, theirs, ours['granted']) if pair[1] != pair[2]]
        if differing and ours['need'] == 'token' and any(part in target for part in LOOSER.get(daemon.name, ())):
            assert all(our and not their for _, their, our in differing)
            looser.add((method, target))
        else:
            assert not differing, (method, target, ours, differing[0])
    print(
        f'{daemon.name}: {len(operations)} requests, {verdicts} verdicts, {granted} granted, '
        f'left to the daemon: {len(looser)} requests, left out: {len(left_out)} requests'
    )
    assert granted and granted < verdicts


def test_odd_values_never_get_more_at_the_gate(daemon):
    """Numbers with zeros in front, capitals, wildcards and the like: the gate may refuse them, but not be fooled."""
    requests = [(each['method'], target) for each in daemon.code for target in probes.odd_targets(each)]
    fooled, refused, verdicts = [], collections.Counter(), 0
    for (method, target, lists), theirs, ours in compared(daemon, requests, 14):
        if ours['outcome'] != 'matched' or ours['need'] == 'token':
            continue
        for accesses, their, our in zip(lists, theirs, ours['granted']):
            verdicts += 1
            if our and not their:
                fooled.append((method, target, accesses, ours['accesses']))
            elif their and not our:
                refused[next((value for value in REFUSED if value in target), target)] += 1
    print(f'{daemon.name}: {verdicts} verdicts, refused at the gate only: {dict(refused)}')
    assert not fooled
    assert not set(refused) - set(REFUSED)
