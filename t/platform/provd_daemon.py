"""wazo-provd's own tree of resources, which is Twisted's instead of Flask's: what does an operation ask of a token?

As flask_daemon does for the others: resources and the check of the token are its own code, the authority writes down.
"""
import functools
import importlib
import json
import logging
import sys
import warnings
from pathlib import Path
from urllib.parse import unquote_to_bytes

import stand_ins
from flask_daemon import LIBRARIES, MASTER_TENANT, METHODS, Authority, Operation, Outcome, answer

PLUGIN = 'value-plugin_id'
OPERATION = 'value-operation_id'
# What the segment is called that a resource takes from the path.
NAMED = {'DevicesResource': 'device_id', 'ConfigsResource': 'config_id', 'ConfigureServiceResource': 'param_id'}


class Request:
    """What a resource reads of a request of Twisted's."""

    def __init__(self, method, target, headers):
        path, _, query = target.partition('?')
        self.method, self.path, self.uri = method.encode(), path.encode(), target.encode()
        self.args = {b'token': [query[6:].encode()]} if query.startswith('token=') else {}
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.prepath, self.postpath = [], [unquote_to_bytes(part) for part in path[1:].split('/')]
        self.code, self.content = 200, None

    def getHeader(self, name):
        value = self.headers.get(name.decode().lower())
        return None if value is None else value.encode()

    def getAllHeaders(self):
        return {}

    def setHeader(self, *_):
        pass

    def setResponseCode(self, code, *_):
        self.code = code


class ProvdDaemon:
    def __init__(self, ref):
        self.checkout = Path(ref) / 'wazo-provd'
        for folder in (self.checkout, *(Path(ref) / library for library in LIBRARIES)):
            sys.path.insert(0, str(folder))
        self.stand_ins = stand_ins.install(ref)
        logging.disable()
        warnings.simplefilter('ignore')
        self.authority = Authority()
        self.reached = False
        server = importlib.import_module('wazo_provd.rest.server.server')
        site = importlib.import_module('wazo_provd.servers.http_site')
        auth = importlib.import_module('wazo_provd.rest.server.auth')
        auth.get_auth_verifier().set_client(self.authority)
        auth._auth_client = self.authority
        self.site, self.server = site, server
        self.root = self._make()
        for kind in vars(server).values():
            for name, function in list(vars(kind).items()) if isinstance(kind, type) else ():
                if name.startswith('render_'):
                    setattr(kind, name, self._answer_for(function))

    def _make(self):
        from twisted.web.resource import Resource

        class Plugins(dict):
            def __getattr__(self, name):
                return stand_ins.make(name)()

        class Plugin:
            id = PLUGIN
            services = {'install': stand_ins.make('install')(), 'configure': stand_ins.make('configure')()}
            info = {}

        class Application:
            pg_mgr = Plugins({PLUGIN: Plugin()})

            def __getattr__(self, name):
                return stand_ins.make(name)()

        server, root = self.server, self.site.AuthResource()
        tree = server.new_authenticated_server_resource(Application(), stand_ins.make('dhcp')())
        root.putChild(b'0.2', tree)

        daemon = self

        class File(Resource):
            def render_GET(self, _):
                daemon.reached = True
                return b''

        api = importlib.import_module('wazo_provd.main').UnsecuredResource()
        api.putChild(b'api.yml', File())
        tree.putChild(b'api', api)
        return root

    def _answer_for(self, function):
        @functools.wraps(function)
        def answer(*_, **__):
            self.reached = True
            return b''

        return answer

    def ask(self, method, target, decide=None, **headers):
        from twisted.web.error import UnsupportedMethod

        self.authority.asked.clear()
        self.authority.decide = decide or (lambda _: False)
        self.reached = False
        request = Request(method, target, headers)
        found = []
        self.site.getChildForRequest(self.root, request).addCallbacks(found.append, lambda _: None)
        if not found:  # it fell over the path
            return Outcome(500, False, [])
        if method == 'OPTIONS':  # the site answers it before it looks for a resource
            return Outcome(200, False, [])
        try:
            found[0].render(request)
        except UnsupportedMethod:
            request.code = 405
        return Outcome(request.code, self.reached, list(self.authority.asked))

    def operations(self):
        return [
            self._operation(resource, method, path, names)
            for resource, path, names in self._resources(self.root, '', ())
            for method in METHODS
            if method not in ('HEAD', 'OPTIONS') and hasattr(resource, f'render_{method}')
        ]

    def _resources(self, resource, path, names):
        """(resource, path, names of its parameters) below this one."""
        if path:
            yield resource, path, names
        children = {name.decode(): child for name, child in resource.children.items()}
        kind = type(resource).__name__
        if isinstance(resource, self.server._OipInstallResource):
            resource.putChild(OPERATION.encode(), self.server.OperationInProgressResource(None))
            children['{operation_id}'] = resource.children[OPERATION.encode()]
        if kind == 'PluginsResource':
            children['{plugin_id}'] = resource._children[PLUGIN]
        named = next((NAMED[base.__name__] for base in type(resource).__mro__ if base.__name__ in NAMED), None)
        if named:
            children[f'{{{named}}}'] = resource.getChild(f'value-{named}'.encode(), None)
        if kind == 'ConfigResource':
            children['raw'] = resource.getChild(b'raw', None)
        for name, child in children.items():
            named = (name[1:-1],) if name.startswith('{') else ()
            yield from self._resources(child, f'{path}/{name}', names + named)

    def _operation(self, resource, method, path, names):
        target = path
        for name in names:
            target = target.replace(f'{{{name}}}', f'value-{name}')
        asked = self.ask(method, target, **{'X-Auth-Token': 'by-header'})
        query = self.ask(method, f'{target}?token=by-query')
        open_ = not asked.asked
        access = None if open_ else asked.asked[0].access.replace(MASTER_TENANT, '{tenant_uuid}')
        for name in names:
            access = access.replace(f'value-{name}', f'{{{name}}}')
        by_query = bool(query.asked and query.asked[0].token)
        kinds = dict.fromkeys(names, 'unicode')
        return Operation(
            method,
            path,
            target,
            kinds,
            access,
            by_query,
            False,
            f'{type(resource).__module__}.{type(resource).__name__}',
        )


def main(ref):
    stdout, sys.stdout = sys.stdout, sys.stderr
    questions = json.load(sys.stdin)
    json.dump(answer(ProvdDaemon(ref), questions), stdout)


if __name__ == '__main__':
    main(*sys.argv[1:])
