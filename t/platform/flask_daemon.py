"""A daemon's own Flask application, as its code makes it, with nobody behind it: what does an operation ask of a token?

Routes, views and the check of the token are the daemon's and xivo's own code. In the authority's place stands one that writes
down what it is asked; in place of what an operation does stands an answer. As a program it prints operations as JSON. Each
daemon needs a process of its own: their modules keep state.
"""
import asyncio
import functools
import importlib
import json
import logging
import os
import sys
import threading
import warnings
from collections import namedtuple
from pathlib import Path

import stand_ins

LIBRARIES = ('xivo-lib-python', 'wazo-auth-client', 'wazo-bus', 'wazo-lib-rest-client')
MASTER_TENANT = '11111111-1111-4111-8111-111111111111'
# The user and the session of the token; what has a UUID in its path is asked for with the user's first.
AUTH_ID = '77777777-7777-4777-8777-000000000000'
SESSION_ID = '99999999-9999-4999-8999-999999999999'
METHODS = ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS')

# module: has the application; group: the entry points that are loaded with it.
Where = namedtuple('Where', 'module group', defaults=('plugins',))
DAEMONS = {
    'agentd': Where('http'),
    'amid': Where('rest_api'),
    'call-logd': Where('http_server'),
    'calld': Where('http_server'),
    'chatd': Where('http_server'),
    'confd': Where('http_server'),
    'dird': Where('http_server', 'views'),
    'plugind': Where('http', None),
    'webhookd': Where('rest_api'),
}

Asked = namedtuple('Asked', 'token access tenant')
# What came of a request: its status, whether the operation itself was reached, what the authority was asked.
Outcome = namedtuple('Outcome', 'status reached asked')
# access: with {name} for what the path fills in; '' where any token will do; None where none is needed.
Operation = namedtuple('Operation', 'method path target parameters access query master view')


class Dependencies(dict):
    """What a plugin is given; what isn't here is a stand-in."""

    def __missing__(self, key):
        self[key] = stand_ins.make(str(key))()
        return self[key]


def entry_points(checkout):
    """{group: [(name, module, attribute)]} of the daemon's setup.py, sorted by name as those of an installed package are."""
    import setuptools

    given = {}
    setuptools.setup = lambda **arguments: given.update(arguments)
    folder = os.getcwd()
    os.chdir(checkout)
    try:
        exec(compile(Path('setup.py').read_text(), 'setup.py', 'exec'), {'__name__': 'setup', '__file__': 'setup.py'})
    finally:
        os.chdir(folder)
    found = {}
    for group, lines in given.get('entry_points', {}).items():
        found[group] = []
        for line in sorted(lines):
            name, _, target = (part.strip() for part in line.partition('='))
            module, _, attribute = target.partition(':')
            found[group].append((name, module, attribute))
    return found


class Authority:
    """In wazo-auth-client's place; `decide` says whether a token has an access."""

    def __init__(self):
        self.token = self
        self.host, self.port = 'nobody', 0
        self.asked = []
        self.decide = lambda _: False

    def check(self, token, required_acl=None, tenant=None):
        from wazo_auth_client import exceptions

        self.asked.append(Asked(token, required_acl or '', tenant))
        if not token:
            raise exceptions.InvalidTokenException()
        if required_acl and not self.decide(required_acl):
            raise exceptions.MissingPermissionsTokenException()
        return True

    def get(self, token, **_):
        return {'metadata': {'tenant_uuid': MASTER_TENANT, 'uuid': None}}

    def set_token(self, token):
        pass


class FlaskDaemon:
    def __init__(self, name, ref):
        self.name = name
        self.package = 'wazo_' + name.replace('-', '_')
        self.checkout = Path(ref) / f'wazo-{name}'
        for folder in (self.checkout, *(Path(ref) / library for library in LIBRARIES)):
            sys.path.insert(0, str(folder))
        self.stand_ins = stand_ins.install(ref)
        logging.disable()
        warnings.simplefilter('ignore')
        self.plugins = entry_points(self.checkout)
        start = threading.Thread.start
        threading.Thread.start = lambda _: None  # plug-ins' own: nobody is behind them
        try:
            self.app = self._make()
        finally:
            threading.Thread.start = start
        self.hooks = sorted(hook.__name__ for hooks in self.app.before_request_funcs.values() for hook in hooks)
        self.authority = Authority()
        self.reached = False
        self._stand_in_for_services()
        self.client = self.app.test_client()

    def _make(self):
        where = DAEMONS[self.name]
        defaults = importlib.import_module(f'{self.package}.config')
        config = Dependencies(getattr(defaults, '_DEFAULT_CONFIG', None) or defaults.DEFAULT_CONFIG)
        config['wizard'] = {'service_id': 'id', 'service_key': 'key'}  # confd has no wizard without them
        module = importlib.import_module(f'{self.package}.{where.module}')
        if self.name == 'plugind':
            return module.new_app(config, plugin_service=Dependencies(), status_aggregator=Dependencies())
        if self.name == 'agentd':
            interface = module.HTTPInterface(config, Dependencies(), Dependencies(), Dependencies())
            app, api = interface._app, interface.api
        else:
            app, api = module.app, module.api
        if self.name == 'confd':
            app.url_map.converters['filename'] = importlib.import_module(
                'wazo_confd.helpers.converter'
            ).FilenameConverter
        given = Dependencies(api=api, flask_app=app, app=app, config=config)
        found = self.plugins[f'{self.package}.{where.group}']
        for plugin in [getattr(importlib.import_module(target), kind)() for _, target, kind in found]:
            plugin.load(given)
        return app

    def _stand_in_for_services(self):
        import xivo.tenant_flask_helpers

        xivo.tenant_flask_helpers.AuthClient = lambda **_: self.authority
        self.app.config['auth'] = {'master_tenant_uuid': MASTER_TENANT}
        for hooks in (
            'before_request_funcs',
            'before_first_request_funcs',
            'after_request_funcs',
            'teardown_request_funcs',
        ):
            getattr(self.app, hooks, {}).clear()
        for rule in self.rules():
            view = self.view(rule)
            if not isinstance(view, type):
                self.app.view_functions[rule.endpoint] = self._answer_for(view)
                continue
            view.__init__ = lambda *_, **__: None
            for method in map(str.lower, METHODS):
                function = getattr(view, method, None)
                if function and not hasattr(function, 'stands_in'):
                    setattr(view, method, self._answer_for(function))

    def _answer_for(self, function):
        """With the marks that required_acl and its like left on the function."""

        @functools.wraps(function)
        def answer(*_, **__):
            self.reached = True
            return {}, 200

        answer.stands_in = True
        return answer

    def rules(self):
        return [rule for rule in self.app.url_map.iter_rules() if rule.endpoint != 'static']

    def view(self, rule):
        function = self.app.view_functions[rule.endpoint]
        return getattr(function, 'view_class', function)

    def ask(self, method, target, decide=None, **headers):
        self.authority.asked.clear()
        self.authority.decide = decide or (lambda _: False)
        self.reached = False
        answer = self.client.open(target, method=method, headers=headers)
        return Outcome(answer.status_code, self.reached, list(self.authority.asked))

    def operations(self):
        found = []
        for rule in sorted(self.rules(), key=lambda rule: rule.rule):
            own_head = {'HEAD'} if hasattr(self.view(rule), 'head') else set()
            for method in sorted(rule.methods - {'HEAD', 'OPTIONS'} | own_head):
                found.append(self._operation(rule, method))
        return found

    def _operation(self, rule, method):
        values, parameters = {}, {}
        for index, (name, converter) in enumerate(sorted(rule._converters.items())):
            kind = type(converter).__name__.removesuffix('Converter').lower()
            parameters[name] = kind
            values[name] = {'integer': 7700 + index, 'uuid': f'{AUTH_ID[:-1]}{index}'}.get(kind, f'value{index}')
        _, target = rule.build(values)
        target = target.removeprefix('|')
        path = rule.rule
        for name in parameters:
            path = ''.join(f'{{{part.rpartition(":")[2]}}}' if last else part for part, last in _pieces(path))
        asked = self.ask(method, target, **{'X-Auth-Token': 'by-header'})
        query = self.ask(method, f'{target}?token=by-query')
        none = self.ask(method, target)
        open_ = none.reached and not none.asked
        access = None
        if not open_:
            assert len(asked.asked) == 1, (rule.rule, method, asked)
            access = asked.asked[0].access
            for name, value in values.items():
                access = access.replace(str(value), f'{{{name}}}')
        return Operation(
            method,
            path,
            target,
            parameters,
            access,
            bool(query.asked and query.asked[0].token == 'by-query'),
            self._is_for_master(rule, method),
            f'{self.view(rule).__module__}.{self.view(rule).__name__}',
        )

    def _is_for_master(self, rule, method):
        function = getattr(self.view(rule), method.lower(), None)
        return bool(getattr(function, 'tenant_uuid', None))


def _pieces(path):
    """[(text, is it a parameter's name)] of a rule."""
    pieces = []
    for part in path.split('<'):
        name, end, rest = part.partition('>')
        pieces += [(name, True), (rest, False)] if end else [(part, False)]
    return pieces


def answer(daemon, questions):
    """JSON: {'operations': ..., 'asked': [...]} for {'ask': [[method, target, [access lists] or None], ...]}.

    An item of 'asked' has the outcome of a request with a token that has nothing, and whether the operation was reached
    with each of the access lists.
    """
    from xivo.auth_verifier import AccessCheck

    found = {'operations': [operation._asdict() for operation in daemon.operations()], 'asked': []}
    for method, target, lists in questions.get('ask', ()):
        outcome = daemon.ask(method, target, **{'X-Auth-Token': 'by-header'})._asdict()
        outcome['asked'] = [asked.access for asked in outcome['asked']]
        outcome['query'] = [asked.token for asked in daemon.ask(method, f'{target}?token=by-query').asked] == [
            'by-query'
        ]
        outcome['verdicts'] = []
        for accesses in lists or ():
            check = AccessCheck(AUTH_ID, SESSION_ID, accesses)
            decided = daemon.ask(method, target, check.matches_required_access, **{'X-Auth-Token': 'by-header'})
            outcome['verdicts'].append(decided.reached)
        found['asked'].append(outcome)
    found['stand_ins'] = sorted(daemon.stand_ins.used)
    return found


def main(name, ref):
    stdout, sys.stdout = sys.stdout, sys.stderr
    questions = json.load(sys.stdin)
    asyncio.set_event_loop(asyncio.new_event_loop())
    json.dump(answer(FlaskDaemon(name, ref), questions), stdout)


if __name__ == '__main__':
    main(*sys.argv[1:])
