"""Requests that reach every operation of a daemon's code and of its documents, and lists of accesses to try on them."""
import itertools
import random
import re

from flask_daemon import AUTH_ID, SESSION_ID

# A parameter of a document is tried with each; the code takes one of them. Words that the code has as routes of their own
# come first.
VALUES = (f'{AUTH_ID[:-1]}1', '7701', 'value')
WORDS = {
    'range_type': ('user', 'group', 'queue', 'conference', 'incall'),
    'forward_name': ('busy', 'noanswer', 'unconditional'),
    'service_name': ('dnd', 'incallfilter'),
    'plugin_id': ('value-plugin_id',),
    'operation_id': ('value-operation_id',),
}


def targets(path):
    """Paths that a template could stand for."""
    names = re.findall(r'{(\w+)}', path)
    choices = [WORDS.get(name, VALUES) for name in names]
    for values in itertools.product(*choices):
        target = path
        for name, value in zip(names, values):
            target = target.replace(f'{{{name}}}', value)
        yield target


def access_lists(required, count=50):
    """Lists of accesses that meet the required one, nearly meet it or deny it; the same ones for the same access."""
    chance = random.Random(required)
    words = required.split('.')
    wild = ['.'.join((*words[:at], '*', *words[at + 1 :])) for at in range(len(words))]
    deep = ['.'.join((*words[:at], '#')) for at in range(len(words))]
    known = {AUTH_ID: 'me', SESSION_ID: 'my_session'}
    own = ['.'.join(known.get(word, word) for word in words)]
    last = ['read', 'update', 'edit', 'create', 'delete', 'get']
    near = [
        required + '.#',
        required + '.x',
        '.'.join(words[:-1]) or 'x',
        required + 's',
        'x' + required,
        '*',
        required.upper(),
    ]
    near += ['.'.join((*words[:-1], word)) for word in last]
    near += ['.'.join((*words[:at], 'other', *words[at + 1 :])) for at in range(len(words))]
    good = [required, *own, *wild, *deep, '#']
    lists = [[], [required], own, ['#'], [f'!{required}'], ['#', f'!{required}'], ['!#', required]]
    lists += [[pattern] for pattern in wild + deep[1:]]
    lists += [['#', f'!{pattern}'] for pattern in (*wild[-2:], *deep[-2:], *near[-4:], *own)]
    lists = lists[: count // 2]
    while len(lists) < count:
        picked = [
            chance.choice(('', '', '', '!')) + chance.choice(good if chance.random() < 0.5 else near)
            for _ in range(chance.randint(1, 4))
        ]
        lists.append(picked)
    return lists


# What a client may write for a parameter besides the usual.
ODD = {
    'integer': ('0077', '00', '%D9%A3', '7701%0A'),
    'uuid': (AUTH_ID.replace('7', 'a').upper(),),
    'other': (
        'a.b',
        'a..b',
        '0077',
        'a%20b',
        '*',
        'a*b',
        '%23',
        'a%23b',
        '%7Bx%7D',
        '%C3%A9',
        'a%0Ab',
        'me',
        '!a',
        'A' * 40,
    ),
}


def odd_targets(operation):
    """The operation's target with one odd value in it."""
    for name, kind in operation['parameters'].items():
        for value in ODD.get(kind, ODD['other']):
            target = operation['path']
            for other in operation['parameters']:
                usual = {'integer': '7701', 'uuid': f'{AUTH_ID[:-1]}1'}.get(
                    operation['parameters'][other], f'value-{other}'
                )
                target = target.replace(f'{{{other}}}', value if other == name else usual)
            yield target
