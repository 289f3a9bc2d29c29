"""The routes, their methods and the access that each of them needs.

The index of docs/spec/endpoints.md, sections 4 to 18.
"""
import re

import pytest

UUID = 'ABCDEF01-0000-4000-8000-000000000000'
TEXT = 'a.b'
U, G, P, T = '/users/<user_uuid>', '/groups/<group_uuid>', '/policies/<policy_', '/tenants/<tenant_uuid>'


def crud(access, *verbs):
    methods = {'read': 'GET', 'create': 'POST', 'update': 'PUT', 'delete': 'DELETE'}
    return {methods[verb]: f'auth.{access}.{verb}' for verb in verbs}


def attached(access):
    return {'PUT': f'auth.{access}.create', 'DELETE': f'auth.{access}.delete'}


ONE = ('read', 'update', 'delete')
ROUTES = {
    '/status': {'HEAD': None, 'GET': None},
    '/backends': {'GET': None},
    '/access/explain': {'POST': 'auth.access.explain'},
    '/access/preview': {'POST': 'auth.access.preview'},
    '/access/who-can': {'GET': 'auth.access.who_can'},
    '/backends/ldap': crud('backends.ldap', *ONE),
    '/backends/ldap/try': {'POST': 'auth.backends.ldap.try'},
    '/backends/saml/try': {'POST': 'auth.backends.saml.try'},
    '/config/smtp/try': {'POST': 'auth.config.smtp.try'},
    '/token': {'POST': None},
    '/token/<token_uuid>': {'GET': None, 'HEAD': None, 'DELETE': None},
    '/token/<token_uuid>/scopes/check': {'POST': None},
    '/node': {'GET': 'auth.node.read'},
    '/config': {'GET': 'auth.config.read', 'PATCH': 'auth.config.update'},
    '/tokens': crud('tokens', 'read'),
    '/users/me/tokens': crud('users.me.tokens', 'read'),
    '/users/me/tokens/<client_id>': crud('users.me.tokens.{client_id}', 'delete'),
    U + '/tokens': crud('users.{user_uuid}.tokens', 'read'),
    U + '/tokens/<client_id>': crud('users.{user_uuid}.tokens.{client_id}', 'delete'),
    '/sessions': crud('sessions', 'read'),
    '/sessions/<session_uuid>': crud('sessions.{session_uuid}', 'delete'),
    U + '/sessions': crud('users.{user_uuid}.sessions', 'read'),
    U + '/sessions/<session_uuid>': crud('users.{user_uuid}.sessions.{session_uuid}', 'delete'),
    '/users': crud('users', 'read', 'create'),
    '/users/import': {'POST': 'auth.users.import.create'},
    U: crud('users.{user_uuid}', *ONE),
    U + '/password': crud('users.{user_uuid}.password', 'update'),
    U + '/emails': crud('users.{user_uuid}.emails', 'update'),
    '/admin' + U + '/emails': crud('admin.users.{user_uuid}.emails', 'update'),
    U + '/emails/<email_uuid>/confirm': crud('users.{user_uuid}.emails.{email_uuid}.confirm', 'read'),
    '/emails/<email_uuid>/confirm': dict.fromkeys(('GET', 'POST', 'PUT'), 'auth.emails.{email_uuid}.confirm.update'),
    U + '/policies': crud('users.{user_uuid}.policies', 'read'),
    U + P + 'uuid>': attached('users.{user_uuid}.policies.{policy_uuid}'),
    U + P + 'slug>': attached('users.{user_uuid}.policies.{policy_slug}'),
    U + '/groups': crud('users.{user_uuid}.groups', 'read'),
    '/users/password/reset': {'GET': None, 'POST': None},  # the POST's access: test_password_reset.py
    '/groups': crud('groups', 'read', 'create'),
    G: crud('groups.{group_uuid}', *ONE),
    G + '/users': crud('groups.{group_uuid}.users', 'read'),
    G + U: attached('groups.{group_uuid}.users.{user_uuid}'),
    G + '/policies': crud('groups.{group_uuid}.policies', 'read'),
    G + P + 'uuid>': attached('groups.{group_uuid}.policies.{policy_uuid}'),
    G + P + 'slug>': attached('groups.{group_uuid}.policies.{policy_slug}'),
    '/policies': crud('policies', 'read', 'create'),
    P + 'uuid>': crud('policies.{policy_uuid}', *ONE),
    P + 'slug>': crud('policies.{policy_slug}', *ONE),
    P + 'uuid>/acl/<access>': dict.fromkeys(('PUT', 'DELETE'), 'auth.policies.{policy_uuid}.update'),
    P + 'slug>/acl/<access>': dict.fromkeys(('PUT', 'DELETE'), 'auth.policies.{policy_slug}.update'),
    '/tenants': crud('tenants', 'read', 'create'),
    T: crud('tenants.{tenant_uuid}', *ONE),
    T + '/domains': crud('tenants.{tenant_uuid}.domains', 'read'),
    T + '/parent/<parent_tenant_uuid>': crud('tenants.{tenant_uuid}.parent.{parent_tenant_uuid}', 'update'),
    '/backends/saml': crud('backends.saml', 'create', *ONE),
    '/backends/saml/metadata': crud('backends.saml', 'read'),
    '/backends/saml/sp_metadata': crud('backends.saml', 'read'),
    '/backends/saml/sp-metadata': crud('backends.saml', 'read'),
    '/backends/saml/acs_url_template': crud('backends.saml', 'read'),
    '/saml/sso': {'POST': None},
    '/saml/acs': {'POST': None},
    '/saml/logout': {'GET': None},
    '/saml/sls': {'GET': None, 'POST': None},
    '/idp': crud('idp', 'read'),
    '/idp/<idp_type>/users': crud('idp.{idp_type}.users', 'update'),
    '/idp/<idp_type>' + U: attached('idp.{idp_type}.users.{user_uuid}'),
    U + '/external': crud('users.{user_uuid}.external', 'read'),
    U + '/external/mobile': crud('users.{user_uuid}.external.mobile', 'create', *ONE),
    U + '/external/mobile/sender_id': crud('users.{user_uuid}.external.mobile.sender_id', 'read'),
    U + '/external/google': crud('users.{user_uuid}.external.google', 'create', 'read', 'delete'),
    U + '/external/microsoft': crud('users.{user_uuid}.external.microsoft', 'create', 'read', 'delete'),
    '/external/<auth_type>/config': crud('{auth_type}.external.config', 'create', *ONE),
    '/external/<auth_type>/users': crud('{auth_type}.external.users', 'read'),
}


def path_of(template):
    return re.sub(r'<[^>]+>', lambda name: UUID if name[0].endswith('_uuid>') else TEXT, template)


def access_of(template):
    return re.sub(
        r'{[^}]+}', lambda name: UUID.lower() if name[0].endswith('_uuid}') else TEXT.replace('.', '_'), template
    )


@pytest.mark.parametrize('path', ROUTES)
def test_methods(api, path):
    wanted = set(ROUTES[path]) | {'OPTIONS'} | ({'HEAD'} if 'GET' in ROUTES[path] else set())
    answer = api.options(path_of(path))
    assert (answer.status_code, answer.content) == (200, b'')
    assert set(answer.headers['Allow'].split(', ')) == wanted
    for method in {'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'SMOKE'} - wanted:
        answer = api.request(method, path_of(path))
        assert answer.status_code == 405, method
        assert set(answer.headers['Allow'].split(', ')) == wanted
        if method != 'HEAD':
            assert answer.json() == {'message': 'The method is not allowed for the requested URL.'}
    assert api.get(path_of(path) + '/').status_code == api.get(path_of(path).upper()).status_code == 404


@pytest.mark.parametrize(
    'method, path', [(method, path) for path, methods in ROUTES.items() for method, access in methods.items() if access]
)
def test_access(api, insert_token, method, path):
    required = access_of(ROUTES[path][method])
    everything_else = insert_token(acl=['#', '!' + required])['token']
    for token, reason in ((None, 'not_found_or_expired'), (everything_else, 'missing_permission_or_invalid_tenant')):
        # Whatever is wrong besides comes later.
        answer = api.request(
            method, path_of(path), token, data='{', params={'limit': 'x'}, headers={'Wazo-Tenant': 'nowhere'}
        )
        assert answer.status_code == 401, answer.text
        problem = answer.json()
        assert (problem['error_id'], problem['message']) == ('unauthorized', 'Unauthorized')
        assert problem['details'].pop('tenant_uuid', 'nowhere') == 'nowhere'
        assert problem['details'] == {'invalid_token': token or '', 'reason': reason, 'required_access': required}
