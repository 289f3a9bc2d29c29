"""What the API answers, without what is different each time: what two servers of one database must agree about."""
import base64
import http.client
import json
import re
import ssl
import uuid
from dataclasses import dataclass, field


class Api:
    """The REST API at a port of this machine."""

    def __init__(self, port, tls=False, host='127.0.0.1'):
        self.port = port
        self.tls = tls
        self.host = host

    def _connection(self, timeout):
        if not self.tls:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        context = ssl.create_default_context()
        context.check_hostname = False  # it is this machine's own port: who listens there is looked up elsewhere
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)

    def ask(self, method, path, token=None, login=None, body=None, timeout=20):
        """(status, parsed body or None); status 0: no answer."""
        headers = {'Accept': 'application/json', 'User-Agent': 'wazo-auth-nginx', 'Connection': 'close'}
        if token:
            headers['X-Auth-Token'] = token
        if login:
            headers['Authorization'] = 'Basic ' + base64.b64encode(':'.join(login).encode()).decode()
        text = None
        if body is not None:
            headers['Content-Type'] = 'application/json'
            text = json.dumps(body)
        connection = self._connection(timeout)
        try:
            connection.request(method, f'/0.1{path}', text, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, None

    def answers(self, timeout=1):
        """Does the authority answer about a token, one that nobody has? A 404 is asked of its database."""
        return self.ask('HEAD', f'/token/{uuid.uuid4()}', timeout=timeout)[0] == 404


# -- credentials -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Credentials:
    file: str
    username: str
    password: str = field(repr=False)


def read_credentials(file):
    """Those of wazo-auth-cli or of a service: files that a program wrote, a key and a value a line. None: neither."""
    try:
        pairs = dict(re.findall(r'^[ \t]*(\w+):[ \t]*(\S.*?)[ \t]*$', file.read_text(), re.M))
    except (OSError, UnicodeDecodeError):
        return None
    pairs = {key: _unquoted(value) for key, value in pairs.items()}
    for name, secret in ('username', 'password'), ('service_id', 'service_key'):
        if pairs.get(name) and pairs.get(secret):
            return Credentials(str(file), pairs[name], pairs[secret])
    return None


def _unquoted(value):
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    if len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


def all_credentials(places, given=None):
    """wazo-auth-cli's, who may do everything, and then a service's."""
    files = [given] if given else [places.credentials, *sorted(places.keys.glob('*-key.yml'))]
    return [found for found in map(read_credentials, files) if found]


def usable(api, credentials):
    """Those that log in there: up to two, of two kinds of users when there are."""
    found, refused = [], []
    for each in credentials[:1] + credentials[1:4]:
        status, body = api.ask('POST', '/token', login=(each.username, each.password), body={'expiration': 60})
        if status == 200:
            api.ask('DELETE', f"/token/{body['data']['token']}")
            found.append(each)
            if len(found) == 2:
                break
        else:
            refused.append(f'{each.file}: {status or "no answer"}')
    return found, refused


# -- answers -----------------------------------------------------------------------------------------------------------

SCOPES = ('auth.users.read', 'auth.tenants.read', 'confd.users.read', 'no.such.access')
CHANGING = {'token', 'session_uuid', 'issued_at', 'expires_at', 'utc_issued_at', 'utc_expires_at', 'remote_addr'}
CHANGING |= {'refresh_token', 'user_agent'}


def shape(value):
    """The keys, however deep; of a list what its items have."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        shapes = {json.dumps(shape(item), sort_keys=True) for item in value}
        return sorted(shapes)
    return None


def content_of_token(answer):
    """Everything of it that is the same for two tokens of one user."""
    data = (answer or {}).get('data') or {}
    kept = {key: value for key, value in data.items() if key not in CHANGING}
    kept['acl'] = sorted(kept.get('acl') or [])
    return {'keys': shape(data), 'values': kept}


def examine(api, credentials, other=None):
    """{question: what is to be the same elsewhere}. Tokens that it makes are deleted. `other`: a server of the same
    database that has to know a token of this one."""
    seen = {}
    status, body = api.ask('GET', '/backends')
    seen['GET /backends'] = [status, shape(body), sorted(map(str, (body or {}).get('data') or []))]
    seen['HEAD /token/(unknown)'] = api.ask('HEAD', f'/token/{uuid.uuid4()}')[0]
    seen['POST /token without a login'] = api.ask('POST', '/token', body={})[0]
    for each in credentials:
        seen |= {f'{question} as {each.username}': answer for question, answer in _examine_as(api, each, other).items()}
    return seen


def _examine_as(api, credentials, other):
    login = (credentials.username, credentials.password)
    status, body = api.ask('POST', '/token', login=login, body={'expiration': 60})
    seen = {'POST /token': [status, content_of_token(body)]}
    token = body['data']['token'] if status == 200 and body else None
    if not token:
        return seen
    try:
        for scope in SCOPES:
            seen[f'HEAD /token/T?scope={scope}'] = api.ask('HEAD', f'/token/{token}?scope={scope}')[0]
        status, body = api.ask('GET', f'/token/{token}')
        seen['GET /token/T'] = [status, content_of_token(body)]
        for path in '/users?limit=3&order=username', '/tenants?limit=3&order=name', '/policies?limit=1':
            status, body = api.ask('GET', path, token=token)
            seen[f'GET {path}'] = [status, shape(body) if status == 200 else None, (body or {}).get('total')]
        if other:
            seen['HEAD /token/T there'] = other.ask('HEAD', f'/token/{token}')[0]
    finally:
        deleted = api.ask('DELETE', f'/token/{token}')[0]
    seen['DELETE /token/T'] = deleted
    seen['HEAD /token/(deleted)'] = api.ask('HEAD', f'/token/{token}')[0]
    return seen


def differences(theirs, ours):
    """Texts for people. Answers as they were examined have no secrets in them."""
    found = []
    for question in sorted(theirs.keys() | ours.keys()):
        found += [f'{question}{where}: daemon {_told(one)}, nginx {_told(two)}'
                  for where, one, two in _different(theirs.get(question), ours.get(question))]  # fmt: skip
    return found


def _different(one, two, where=''):
    """The places in two trees where they differ."""
    if one == two:
        return
    if isinstance(one, dict) and isinstance(two, dict):
        for key in sorted(one.keys() | two.keys()):
            yield from _different(one.get(key, ABSENT), two.get(key, ABSENT), f'{where} {key}')
    elif isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        for left, right in zip(one, two):
            yield from _different(left, right, where)
    else:
        yield where, one, two


ABSENT = '(absent)'


def _told(answer):
    text = json.dumps(answer, sort_keys=True, default=str)
    return text if len(text) < 100 else text[:100] + '...'
