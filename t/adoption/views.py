"""What the API shows of a database, read at two servers at the same time and compared."""
import json


def paths(api, token):
    """(path, Wazo-Tenant or None) of every object and of every list, in many ways; read from `api`."""
    found = [(f'/token/{token}', None), (f'/token/{token}?scope=confd.users.read', None), ('/backends', None)]

    def items(path):
        return api.good('GET', path, token)['items']

    tenants = items('/tenants')
    for tenant in tenants:
        uuid = tenant['uuid']
        found += [(f'/tenants/{uuid}', None), (f'/tenants/{uuid}/domains', None)]
        for kind in ('tenants', 'users', 'groups', 'policies', 'sessions', 'tokens'):
            found += [(f'/{kind}', uuid), (f'/{kind}?recurse=true', uuid), (f'/{kind}?recurse=true&limit=0', uuid)]
        found += [('/policies?read_only=true', uuid), ('/policies?read_only=false', uuid), ('/policies?search=a', uuid)]
        found += [
            (f"/policies/{policy['slug']}", uuid) for policy in items('/policies?recurse=true')[:6] if policy['slug']
        ]
    for user in items('/users?recurse=true'):
        uuid = user['uuid']
        found += [(f'/users/{uuid}', None)]
        found += [(f'/users/{uuid}/{kind}', None) for kind in ('groups', 'policies', 'sessions', 'tokens')]
    for group in items('/groups?recurse=true'):
        uuid = group['uuid']
        found += [(f'/groups/{uuid}', None)] + [(f'/groups/{uuid}/{kind}', None) for kind in ('policies', 'users')]
    for policy in items('/policies?recurse=true'):
        found += [(f"/policies/{policy['uuid']}", None)]
    # One order that has no ties for each kind, in both directions, and in pages. Users without a username tie: they come
    # last, and are left out where they come first.
    for kind, column in (('users', 'username'), ('tenants', 'slug'), ('tokens', 'created_at')):
        for direction in ('asc', 'desc'):
            for page in ('', '&limit=5', '&limit=7&offset=3', '&offset=1000'):
                if (kind, direction) != ('users', 'desc') or not page:
                    found += [(f'/{kind}?recurse=true&order={column}&direction={direction}{page}', None)]
    for search in ('plain', 'UPPER1', 'example.com', 'é', '%', '_1', 'no-such-thing', 'Γ'):
        found += [
            (f'/{kind}?recurse=true&search={search}', None) for kind in ('users', 'tenants', 'groups', 'policies')
        ]
    found += [
        ('/users?recurse=true&username=plain1', None),
        ('/users?recurse=true&has_policy_slug=reader', None),
        ('/users?recurse=true&policy_slug=reader', None),
        ('/tenants?name=Alpha', None),
        ('/tenants?slug=beta', None),
        ('/groups?recurse=true&name=staff', None),
        ('/policies?recurse=true&name=reader', None),
    ]
    nobody = '00000000-0000-4000-8000-000000000000'
    found += [(f'/{kind}/{nobody}', None) for kind in ('tenants', 'users', 'groups', 'policies', 'token', 'nothing')]
    found += [(f'/users/{nobody}/{kind}', None) for kind in ('groups', 'policies', 'sessions', 'tokens')]
    found += [
        ('/users', nobody),
        ('/users?limit=-1', None),
        ('/users?order=password_hash', None),
        ('/tenants?direction=up', None),
        ('/policies?order=acl', None),
        ('/groups?offset=x', None),
    ]
    return found


def read(client, path, tenant, token):
    """(status, tree): lists whose order is open are sorted; times of errors are left out."""
    answer = client.get(path, token, headers={'Wazo-Tenant': tenant} if tenant else None)
    try:
        tree = answer.json()
    except ValueError:
        return answer.status_code, answer.headers.get('Content-Type')
    return answer.status_code, _settled(tree, 'order=' in path, path.startswith('/token/'))


def _settled(tree, order_of_items, order_of_all, key=None):
    if isinstance(tree, dict):
        error = 'error_id' in tree or 'reason' in tree
        return {
            name: _settled(value, order_of_items, order_of_all, name)
            for name, value in tree.items()
            if not (error and name == 'timestamp')
        }
    if isinstance(tree, list):
        settled = [_settled(value, order_of_items, order_of_all) for value in tree]
        if key == 'items' and order_of_items:
            return [item for item in settled if item.get('username', '') is not None]
        if order_of_all:
            return settled
        return sorted(settled, key=lambda value: json.dumps(value, sort_keys=True))
    return tree


def differences(world, token, some=None):
    """Lines that say where the two servers answer differently; [] is what everybody hopes for. And how much was read."""
    wanted = paths(world.daemon, token) if some is None else some
    found = []

    def compare(each):
        path, tenant = each
        one, other = (read(client, path, tenant, token) for client in (world.daemon, world.api))
        if one != other:
            # A write between the two reads: what differs for good still does.
            one, other = (read(client, path, tenant, token) for client in (world.daemon, world.api))
        if one != other:
            found.append(f'GET {path} (Wazo-Tenant {tenant}):\n  daemon {str(one)[:500]}\n  nginx  {str(other)[:500]}')

    list(world.pool.map(compare, wanted))
    return found, len(wanted)
