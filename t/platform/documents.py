"""What a daemon's documents say, put together as the daemon does it for GET /api/api.yml, and with our corrections.

It knows nothing of lib/wazoauth/openapi, which reads them for the gate: each is a test of the other.
"""
import re
from collections import namedtuple

import yaml

METHODS = ('get', 'head', 'post', 'put', 'patch', 'delete', 'options')
GROUPS = {'dird': 'views'}  # of entry points whose packages have the files
ALONE = {'plugind': 'wazo_plugind/openapi/api.yml', 'provd': 'wazo_provd/rest/api/api.yml'}
STATEMENT = re.compile(r'\*\*\s*required[ _]acl\s*:?\s*\*\*\s*:*\s*', re.IGNORECASE)

# path: public, with {names}; access: as stated, 'none', 'token', or None where nothing is stated; spans: names of
# parameters that may hold slashes.
Operation = namedtuple('Operation', 'method path access spelling query spans')


def files(name, checkout, entry_points):
    if name in ALONE:
        return [checkout / ALONE[name]]
    group = f'wazo_{name.replace("-", "_")}.{GROUPS.get(name, "plugins")}'
    folders = [checkout / module.rpartition('.')[0].replace('.', '/') for _, module, _ in entry_points[group]]
    return list(dict.fromkeys(folder / 'api.yml' for folder in folders if (folder / 'api.yml').is_file()))


def _merge(known, more):
    """What is known stays; what is new comes in, at any depth of mappings."""
    for key, value in more.items():
        if key not in known:
            known[key] = value
        elif isinstance(known[key], dict) and isinstance(value, dict):
            _merge(known[key], value)


def merged(paths):
    document = {}
    for path in paths:
        _merge(document, yaml.safe_load(path.read_text()))
    return document


def correct(document, overlay):
    """The document with an overlay of conf/platform/overlays; an entry that changes nothing is an error."""
    paths = document['paths']
    for path, item in yaml.safe_load(overlay.read_text())['paths'].items():
        for method, keys in item.items():
            if keys.get('x-remove'):
                del paths[path][method]
            else:
                known = paths.setdefault(path, {}).setdefault(method, {})
                changed = known | keys
                if changed == known or stated_access(known)[0] == keys.get('x-required-acl', ''):
                    raise ValueError(f'{overlay}: {method} {path} says what the document says')
                paths[path][method] = changed


def stated_access(operation):
    """(access, how its description spells the statement)."""
    if 'x-required-acl' in operation:
        return operation['x-required-acl'], 'x-required-acl'
    description = operation.get('description') or ''
    found = STATEMENT.search(description)
    if not found:
        return None, 'nothing'
    rest = description[found.end() :]
    quoted = re.match(r'`([^`]*)`', rest)
    access = quoted[1] if quoted else re.match(r"[^\s`,']*", rest.removeprefix('`'))[0].rstrip('.')
    kind = '`x`' if quoted else '`x' if rest.startswith('`') else 'none' if access.lower() == 'none' else 'x'
    return re.sub(r'\s+', '', access), f'{found[0].strip()} {kind}'


def operations(document, prefix):
    base = document.get('basePath', '')
    base = base if base.startswith(prefix + '/') else prefix + base
    found = []
    for path, item in document['paths'].items():
        for method in METHODS:
            if method in item:
                access, spelling = stated_access(item[method])
                query = item[method].get('x-token-in') == 'query'
                spans = item[method].get('x-spans-slashes', [])
                found.append(Operation(method.upper(), base + path, access, spelling, query, spans))
    return found


class Router:
    """The more literal segment wins, from left to right."""

    def __init__(self, found):
        self.routes = []
        for operation in found:
            spelled = re.escape(operation.path.rstrip('/')).replace(r'\{', '{').replace(r'\}', '}')
            for name in re.findall(r'{(\w+)}', operation.path):
                spelled = spelled.replace(f'{{{name}}}', f"(?P<{name}>{'.+' if name in operation.spans else '[^/]+'})")
            order = [part.startswith('{') for part in operation.path.split('/')]
            self.routes.append((order, re.compile(spelled + '/?'), operation))
        self.routes.sort(key=lambda route: route[0])

    def find(self, method, path):
        """(operation, its access for this path), or (None, None)."""
        for _, pattern, operation in self.routes:
            matched = operation.method == method and pattern.fullmatch(path)
            if matched:
                access = operation.access
                for name, value in matched.groupdict().items():
                    access = access and access.replace(f'{{{name}}}', value.replace('.', '_'))
                return operation, access
        return None, None
