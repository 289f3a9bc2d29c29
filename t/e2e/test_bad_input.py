"""Bad input for every operation, made from the API's document: the documented 400, and nothing has changed."""
import copy
import json as json_module
import uuid

import pytest

HOSTILE_TEXTS = ['%00', 'a%00b', '%ff%fe', '%ed%a0%80', "'", '"', '%5c', '%25', '%F0%9F%92%A9', 'x' * 3000, '%0d%0a']
BODIES = [
    b'',
    b' ',
    b'{',
    b'{"a"}',
    b'[1]',
    b'"x"',
    b'7',
    b'true',
    b'\xff\xfe\x00',
    b'{"a": "\xff"}',
    b'[' * 100000,
    b'{"a":' * 5000,
    b'{} {}',
    b'\x00',
]


@pytest.fixture(scope='module')
def objects(api, admin_token, make_user, make_token):
    """Something that exists for each parameter of a path."""
    name = uuid.uuid4().hex[:8]

    def made(path, **body):
        answer = api.post(path, admin_token, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    user = make_user(email_address=f'{name}@example.com')
    token = make_token(user, access_type='offline', client_id='bad-input')
    tenant, parent = made('/tenants', name=name), made('/tenants', name=f'{name}-above')
    yield {
        'user_uuid': user['uuid'],
        'email_uuid': user['emails'][0]['uuid'],
        'token_uuid': token['token'],
        'session_uuid': token['session_uuid'],
        'client_id': 'bad-input',
        'tenant_uuid': tenant['uuid'],
        'parent_tenant_uuid': parent['uuid'],
        'group_uuid': made('/groups', name=name)['uuid'],
        'policy_uuid_or_slug': made('/policies', name=name, acl=['bad.input'])['uuid'],
        'access': 'bad.input',
        'idp_type': 'native',
        'auth_type': 'google',
        'kind': 'user',
        'value': make_user()['uuid'],
        'address': '233.252.0.0',
        'prefix_length': '24',
    }
    # Bodies that are taken lock these addresses for every request of other tests.
    api.delete('/locks/address/233.252.0.0/24', admin_token)


@pytest.fixture
def unchanged(psql):
    """A fingerprint of all that operations of the API change."""
    names = psql(
        "SELECT string_agg(table_name, ',' ORDER BY table_name) FROM information_schema.tables "
        "WHERE table_schema = 'public' AND table_name LIKE 'auth\\_%'"
    ).split(',')
    expiring = {
        'auth_token': 'WHERE expire_t > extract(epoch FROM now()) + 600',
        'auth_session': "WHERE uuid IN (SELECT session_uuid FROM auth_token "
        "WHERE expire_t > extract(epoch FROM now()) + 600)",
    }
    sql = ' UNION ALL '.join(
        f"SELECT '{name}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) "
        f'FROM {name} t {expiring.get(name, "")}'
        for name in names
    )

    def fingerprint():
        return sorted(psql(sql).splitlines())  # PostgreSQL may run parts side by side

    before = fingerprint()
    yield
    assert fingerprint() == before


def path_of(path, objects):
    for name, value in objects.items():
        path = path.replace(f'{{{name}}}', value)
    assert '{' not in path, f'no object for {path}'
    return path


def resolved(content, shape):
    while '$ref' in shape:
        shape = content['definitions'][shape['$ref'].rsplit('/', 1)[1]]
    return shape


def body_shape(content, operation):
    for parameter in operation.get('parameters', ()):
        if parameter['in'] == 'body':
            shape = resolved(content, parameter['schema'])
            return shape if shape.get('type') == 'object' else None
    return None


def takes_any(operation):
    return any(parameter['in'] == 'body' and not parameter['schema'] for parameter in operation.get('parameters', ()))


def is_json(body):
    try:
        json_module.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def good(content, shape):
    """A value that fits."""
    shape = resolved(content, shape)
    kind = shape.get('type')
    if 'enum' in shape:
        return shape['enum'][0]
    if kind == 'object':
        return {
            name: good(content, each)
            for name, each in shape.get('properties', {}).items()
            if name in shape.get('required', ())
        }
    if kind == 'array':
        return [good(content, shape['items'])]
    if kind in ('integer', 'number'):
        return shape.get('minimum', 1)
    if kind == 'boolean':
        return True
    if shape.get('format') == 'uuid':
        return str(uuid.uuid4())
    if shape.get('format') == 'email':
        return f'{uuid.uuid4().hex}@example.com'
    if shape.get('format') == 'hostname':
        return f'{uuid.uuid4().hex}.example.com'
    return uuid.uuid4().hex[: shape.get('maxLength', 32)]


def bad(content, shape):
    """Values that don't fit, each wrong in one way."""
    nullable = shape.get('x-nullable')
    shape = resolved(content, shape)
    kind = shape.get('type')
    if not nullable:
        yield None
    if kind == 'object':
        yield from ('x', 7, [1], True)
        for name, each in shape.get('properties', {}).items():
            for value in bad(content, each):
                yield {**good(content, shape), name: value}
            if name in shape.get('required', ()):
                yield {key: value for key, value in good(content, shape).items() if key != name}
    elif kind == 'array':
        yield from ('x', 7, {'a': 1}, True)
        for value in bad(content, shape['items']):
            yield [good(content, shape['items']), value]
    elif kind == 'integer':
        yield from ('x', '', '1x', True, [], {}, 'ä')
        if 'minimum' in shape:
            yield from (shape['minimum'] - 1, str(shape['minimum'] - 1), -(10**30), -1.5e300)
        if 'maximum' in shape:
            yield from (shape['maximum'] + 1, 10**30, 1e300)
    elif kind == 'boolean':
        yield from ('perhaps', '', 7, -1, [], {}, 'TrUe')
    else:
        yield from (7, 1.5, True, [], ['x'], {}, {'a': 'x'}, 'a\0b')
        if shape.get('minLength') or shape.get('format') in ('uuid', 'email', 'hostname') or 'enum' in shape:
            yield ''
        if 'maxLength' in shape:
            yield from ('x' * (shape['maxLength'] + 1), 'ä' * (shape['maxLength'] + 1), 'x' * 1000000)
        if 'enum' in shape:
            yield from ('nonsense', shape['enum'][0] + ' ', shape['enum'][0].upper())
        if 'pattern' in shape:
            yield from ('a b', 'ä', 'a/b', "a'b")
        if shape.get('format') == 'uuid':
            yield from ('nope', '0' * 31, '0' * 33, 'g' * 32)
        if shape.get('format') == 'email':
            yield from ('nope', '@', 'a@', '@b.com', 'a b@c.de', 'a@b.com\r\nBcc: c@d.ef', 'a@b@')
        if shape.get('format') == 'hostname':
            yield from ('nope', 'a b.com', '-a.com', 'a_b.com', 'a..b', 'a.' * 200 + 'com', 'a.com\n')


def shown(value):
    text = json_module.dumps(value)
    return text if len(text) < 200 else text[:200] + '...'


def test_the_generator_knows_every_type(content):
    """Else a new kind of field would go untested."""
    kinds = set()
    for shape in content['definitions'].values():
        kinds |= {each.get('type') for each in shape.get('properties', {}).values() if '$ref' not in each}
    assert kinds <= {'string', 'integer', 'number', 'boolean', 'array', 'object', None}


@pytest.mark.timeout(300)
def test_fields_of_bodies(content, operations, objects, api, admin_token, unchanged):
    tried, wrong = 0, []
    for method, path, operation in operations:
        shape = body_shape(content, operation)
        if shape is None:
            continue
        target = path_of(path, objects)
        for name, each in shape['properties'].items():
            values = list(bad(content, each))
            bodies = [{**good(content, shape), name: value} for value in values]
            if name in shape.get('required', ()):
                bodies.append({key: value for key, value in good(content, shape).items() if key != name})
            for body in bodies:
                answer = api.request(method, target, admin_token, json=body)
                tried += 1
                if path == '/users/import' and answer.status_code == 200:  # a row fails by itself
                    last = answer.json()['items'][-1]
                    if last['outcome'] != 'failed' or last['status'] != 400:
                        wrong.append(f'{method} {path} {shown(body)}: {last}')
                    continue
                # Never named there, on the wire since ever.
                named = name in answer.text or path == '/users/password/reset'
                if answer.status_code != 400 or not named:
                    wrong.append(f'{method} {path} {shown(body)}: {answer.status_code} {answer.text[:200]}')
    assert not wrong, '\n'.join(wrong[:20])
    assert tried > 600


@pytest.mark.timeout(300)
def test_bodies(content, operations, objects, api, admin_token, unchanged):
    wrong = []
    for method, path, operation in operations:
        shape = body_shape(content, operation)
        any_json = takes_any(operation)
        if shape is None and method != 'PATCH' and not any_json:
            continue
        target = path_of(path, objects)
        valid = json_module.dumps(good(content, shape) if shape else []).encode()
        requests = [(body, 'application/json') for body in BODIES if not (any_json and is_json(body))]
        requests += [
            (valid, 'application/x-www-form-urlencoded'),
            (valid, 'multipart/form-data; boundary=x'),
            (valid + b'x', 'application/json'),
            (valid[:-1], 'application/json'),
        ]
        for body, media in requests:
            answer = api.request(method, target, admin_token, data=body, headers={'Content-Type': media})
            if answer.status_code != 400:
                wrong.append(f'{method} {path} {body[:60]}: {answer.status_code} {answer.text[:200]}')
    assert not wrong, '\n'.join(wrong[:20])


def test_unknown_fields_are_not_looked_at(content, operations, objects, api, admin_token):
    """On the wire since ever; what they hold must not reach the database or the answer."""
    wrong = []
    for method, path, operation in operations:
        shape = body_shape(content, operation)
        skipped = ('/token', '/password', '/saml/', '/idp/')
        if shape is None or any(part in path for part in skipped):
            continue
        if path.endswith(('/external/google', '/external/microsoft')):  # nobody has configured them here
            continue
        valid = copy.deepcopy(good(content, shape))
        if path.endswith('/emails'):
            valid['emails'][0]['main'] = True
        if path.endswith('/access/explain'):  # it wants one of two, twice, which the document can't call required
            valid |= {'user_uuid': path_of('{user_uuid}', objects), 'access': 'a.b'}
        if path.endswith('/access/preview'):
            valid = {'change': 'remove', 'group_uuid': path_of('{group_uuid}', objects)}
        body = valid | {'nonsense': {'a': ['x']}, 'id': 7, '': None, 'tenant_uuid': 'nope'}
        answer = api.request(method, path_of(path, objects), admin_token, json=body)
        if answer.status_code not in (200, 201, 204, 409) or 'nonsense' in answer.text:
            wrong.append(f'{method} {path} {shown(body)}: {answer.status_code} {answer.text[:200]}')
    assert not wrong, '\n'.join(wrong)


@pytest.mark.timeout(300)
def test_parameters_of_queries(content, operations, objects, api, admin_token, unchanged):
    tried, wrong = 0, []
    for method, path, operation in operations:
        for parameter in operation.get('parameters', ()):
            if parameter['in'] != 'query' or method == 'HEAD' or parameter['name'] == 'token':
                continue
            name, kind, target = parameter['name'], parameter['type'], path_of(path, objects)
            checked = []
            if kind == 'integer':
                checked = ['x', '', '-1', '1x', '1.5', '%00', '-99999999999999999999', '0x1']
            elif kind == 'boolean':
                checked = ['x', '', '2', '%00', 'TrUe']
            elif kind == 'array':
                checked = ['&'.join(f'{name}={i}' for i in range(parameter['maxItems'] + 1)).partition('=')[2]]
            elif 'enum' in parameter:
                checked = ['', 'nonsense', '%00', parameter['enum'][0].upper(), parameter['enum'][0] + '%20']
            for value in checked:
                answer = api.get(f'{target}?{name}={value}', admin_token)
                tried += 1
                if answer.status_code != 400 or name not in answer.text:
                    wrong.append(f'{path}?{name}={value[:50]}: {answer.status_code} {answer.text[:200]}')
            for value in HOSTILE_TEXTS + (
                ['99999999999999999999', str(2**63), str(2**63 - 1)] if kind == 'integer' else []
            ):
                answer = api.get(f'{target}?{name}={value}', admin_token)
                tried += 1
                documented = path == '/saml/sls' and 'processing-error' in answer.text  # its only failure, a 500
                if answer.status_code not in (200, 204, 400, 403, 404) and not documented:
                    wrong.append(f'{path}?{name}={value[:50]}: {answer.status_code} {answer.text[:200]}')
    assert not wrong, '\n'.join(wrong[:20])
    assert tried > 500


@pytest.mark.timeout(300)
def test_parameters_of_paths(operations, objects, api, admin_token, unchanged):
    """What isn't a UUID is no route; what is nobody's finds nothing; texts may be anything."""
    wrong = []
    for method, path, operation in operations:
        for parameter in operation.get('parameters', ()):
            if parameter['in'] != 'path' or method == 'HEAD':
                continue
            name = parameter['name']
            others = {key: value for key, value in objects.items() if key != name}

            def ask(value):
                target = path_of(path.replace(f'{{{name}}}', value), others)
                return api.request(method, target, admin_token, json={} if method in ('PUT', 'POST') else None)

            if name.endswith('_uuid'):
                for value in ('nope', 'me', objects[name][:-1], objects[name] + '0', objects[name].replace('-', '')):
                    if path_of(path, objects).replace(objects[name], value) in {each[1] for each in operations}:
                        continue  # /users/me/tokens
                    if ask(value).status_code not in (404, 405):
                        wrong.append(f'{method} {path} with {value}: {ask(value).status_code}')
            else:
                for value in HOSTILE_TEXTS:
                    if (name, method) in (('access', 'PUT'), ('auth_type', 'POST')):
                        continue  # any text will do
                    answer = ask(value)
                    # 401: "#" grants nothing that has a line's end in it, as in the daemon.
                    if answer.status_code not in (204, 400, 404) and (answer.status_code, value) != (401, '%0d%0a'):
                        wrong.append(f'{method} {path} with {value[:50]}: {answer.status_code} {answer.text[:200]}')
    assert not wrong, '\n'.join(wrong[:20])


@pytest.mark.timeout(300)
def test_the_header_that_names_a_tenant(operations, objects, api, admin_token, make_user, make_token, unchanged):
    wrong = []
    for method, path, operation in operations:
        if not any(each['name'] == 'Wazo-Tenant' for each in operation.get('parameters', ())):
            continue
        for tenant in ('nope', str(uuid.uuid4()), objects['tenant_uuid'].upper(), "'", 'x' * 5000, '\xe4', 'master'):
            answer = api.request(
                method,
                path_of(path, objects),
                admin_token,
                headers={'Wazo-Tenant': tenant},
                json={'name': 'x'} if method in ('PUT', 'POST') else None,
            )
            if answer.status_code != 401 and not (answer.status_code == 404 and '/idp/' in path):
                wrong.append(f'{method} {path} in {tenant[:50]}: {answer.status_code} {answer.text[:200]}')
    assert not wrong, '\n'.join(wrong[:20])
