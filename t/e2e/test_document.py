"""The API's document: valid, complete, and true of routes and of the access that they want."""
import uuid

import requests
import yaml
from swagger_spec_validator.validator20 import validate_spec

from support.checks import UNKNOWN
from support.document import Document

METHODS = {'get', 'put', 'post', 'delete', 'patch', 'head'}


def filled(text, values=None):
    """A path or an access with something in each of its parameters."""
    values = values or {}
    for name in ('{policy_uuid_or_slug}', '{idp_type}', '{client_id}', '{access}'):
        text = text.replace(name, values.get(name, 'nothing'))
    while '{' in text:
        begin, end = text.index('{'), text.index('}')
        text = text[:begin] + values.get(text[begin : end + 1], UNKNOWN) + text[end + 1 :]
    return text


def test_it_is_valid(content):
    validate_spec(content)
    assert (content['swagger'], content['basePath'], content['schemes']) == ('2.0', '/0.1', ['http'])


def test_behind_a_proxy_it_has_the_public_path(api):
    content = yaml.safe_load(api.get('/api/api.yml', headers={'X-Script-Name': '/api/auth'}).text)
    assert (content['basePath'], content['schemes']) == ('/api/auth/0.1', ['https'])


def test_it_needs_no_token_and_head_works(api):
    answer = api.get('/api/api.yml')
    assert (answer.status_code, answer.headers['Content-Type']) == (200, 'application/x-yaml')
    head = api.head('/api/api.yml')
    assert (head.status_code, int(head.headers['Content-Length'])) == (200, len(answer.content))


def test_a_plugin_that_is_off_is_not_in_it(stack):
    nginx = stack.new_nginx('document', settings={'enabled_http_plugins': {'groups': False, 'user_registration': True}})
    paths = yaml.safe_load(nginx.api.get('/api/api.yml').text)['paths']
    assert '/groups' not in paths and '/users' in paths
    assert paths['/users/register']['post']['operationId'] == 'registerUser'
    nginx.stop()


def test_operations_have_all_that_a_reader_needs(operations):
    ids = [operation['operationId'] for _, _, operation in operations if 'operationId' in operation]
    assert len(ids) == len(set(ids))
    for method, path, operation in operations:
        assert operation['summary'] and operation['tags'], (method, path)
        assert any(status[0] in '23' for status in operation['responses']), (method, path)
        named = {each['name'] for each in operation.get('parameters', ()) if each['in'] == 'path'}
        assert all(f'{{{name}}}' in path for name in named)
        if operation.get('x-access'):
            assert '401' in operation['responses'] and operation['security'] == [{'token': []}]


def test_what_is_in_it_exists_and_nothing_else_is_allowed(api, content):
    """OPTIONS is answered from the router itself."""
    for path, methods in content['paths'].items():
        answer = api.options(filled(path))
        assert answer.status_code == 200, path
        allowed = {each.strip().lower() for each in answer.headers['Allow'].split(',')} - {'options'}
        if 'get' in allowed:
            allowed.discard('head')
        assert allowed == set(methods) - ({'head'} if 'get' in methods else set()), path
        for method in METHODS - set(methods) - {'head'}:
            assert api.request(method.upper(), filled(path)).status_code == 405, (method, path)


def test_the_required_access_is_the_one_that_is_written_there(api, operations, insert_token):
    """Without it 401, which names it; with nothing but it something else."""
    nothing = insert_token(acl=['nothing.at.all'])['token']
    for method, path, operation in operations:
        access = operation.get('x-access')
        in_query = bool(access) and '{' in access and '{' not in path
        target = filled(path) + (f'?user_uuid={UNKNOWN}' if in_query else '')
        answer = api.request(method, target, nothing, json={} if method in ('PUT', 'POST', 'PATCH') else None)
        if not access:
            assert answer.status_code != 401 or 'error_id' not in answer.json(), (method, path)
            continue
        assert answer.status_code == 401, (method, path)
        if in_query:
            assert answer.json()['details'] == {'invalid_token': nothing}, (method, path)
        elif method != 'HEAD':
            assert answer.json()['details']['required_access'] == filled(access), (method, path)
        enough = insert_token(acl=[filled(access)])['token']
        answer = api.request(method, target, enough, json={} if method in ('PUT', 'POST', 'PATCH') else None)
        reason = answer.json().get('details', {}).get('reason') if answer.status_code == 401 else None
        assert reason is None, (method, path)


def test_every_operation_of_it_wants_the_token_that_it_says(api, operations):
    unknown = str(uuid.uuid4())
    for method, path, operation in operations:
        if not operation.get('x-access'):
            continue
        for token in (None, '', 'x', unknown, unknown.upper(), 'ä'.encode().decode('latin-1'), '0' * 5000):
            answer = api.request(method, filled(path), token)
            assert answer.status_code == 401, (method, path, token)
            if method != 'HEAD':
                assert answer.json()['details'].get('reason', 'not_found_or_expired') == 'not_found_or_expired'


def test_the_judge_of_all_answers_finds_what_is_wrong(api):
    """Every answer in these tests is held against the document: here with answers that lie."""
    judge = Document(api.get('/api/api.yml').text)

    def answer(status, body, method='GET', path='/users', media='application/json'):
        made = requests.Response()
        made.status_code, made._content = status, body.encode()
        made.headers['Content-Type'] = media
        made.request = requests.Request(method, f'http://127.0.0.1/0.1{path}').prepare()
        return judge.complaint(made, '/0.1')

    empty = '{"filtered": 0, "total": 0, "items": []}'
    assert answer(200, empty) is None
    assert 'not in the document' in answer(418, '{}')
    for lie in (
        '{"filtered": 0, "total": 0}',
        empty.replace('0', '"0"', 1),
        empty[:-1] + ', "more": 1}',
        empty.replace('[]', '[{}]'),
    ):
        assert 'says otherwise' in answer(200, lie)
    assert 'with a body' in answer(204, '{}', 'DELETE', f'/users/{UNKNOWN}')
    assert 'says otherwise' in answer(404, '{"reason": ["x"]}', 'DELETE', f'/users/{UNKNOWN}')


# What generators of code made methods of, as the Python daemon names them.
OPERATION_IDS = {
    'deleteLDAPBackendConfig': ('DELETE', '/backends/ldap'),
    'getLDAPBackendConfig': ('GET', '/backends/ldap'),
    'updateLDAPBackendConfig': ('PUT', '/backends/ldap'),
    'deleteSAMLBackendConfig': ('DELETE', '/backends/saml'),
    'getSAMLBackendConfig': ('GET', '/backends/saml'),
    'createSAMLBackendConfig': ('POST', '/backends/saml'),
    'updateSAMLBackendConfig': ('PUT', '/backends/saml'),
    'getConfig': ('GET', '/config'),
    'patchConfig': ('PATCH', '/config'),
    'listGroups': ('GET', '/groups'),
    'createGroups': ('POST', '/groups'),
    'delete_group': ('DELETE', '/groups/{group_uuid}'),
    'editGroups': ('PUT', '/groups/{group_uuid}'),
    'removeGroupPolicy': ('DELETE', '/groups/{group_uuid}/policies/{policy_uuid_or_slug}'),
    'addGroupPolicy': ('PUT', '/groups/{group_uuid}/policies/{policy_uuid_or_slug}'),
    'removeUserGroup': ('DELETE', '/groups/{group_uuid}/users/{user_uuid}'),
    'addUserGroup': ('PUT', '/groups/{group_uuid}/users/{user_uuid}'),
    'updateUsersIDP': ('PUT', '/idp/{idp_type}/users'),
    'removeIDPUser': ('DELETE', '/idp/{idp_type}/users/{user_uuid}'),
    'addUserIDP': ('PUT', '/idp/{idp_type}/users/{user_uuid}'),
    'listPolicies': ('GET', '/policies'),
    'createPolicies': ('POST', '/policies'),
    'delete_policy': ('DELETE', '/policies/{policy_uuid_or_slug}'),
    'editPolicies': ('PUT', '/policies/{policy_uuid_or_slug}'),
    'deletePolicyAccess': ('DELETE', '/policies/{policy_uuid_or_slug}/acl/{access}'),
    'addPolicyAccess': ('PUT', '/policies/{policy_uuid_or_slug}/acl/{access}'),
    'processACS': ('POST', '/saml/acs'),
    'samlLogout': ('GET', '/saml/logout'),
    'samlLogoutResponse': ('GET', '/saml/sls'),
    'samlSSO': ('POST', '/saml/sso'),
    'listSessions': ('GET', '/sessions'),
    'delete_session': ('DELETE', '/sessions/{session_uuid}'),
    'createTenant': ('POST', '/tenants'),
    'delete_tenant': ('DELETE', '/tenants/{tenant_uuid}'),
    'updateTenant': ('PUT', '/tenants/{tenant_uuid}'),
    'updateTenantParent': ('PUT', '/tenants/{tenant_uuid}/parent/{parent_tenant_uuid}'),
    'createToken': ('POST', '/token'),
    'listRefreshTokens': ('GET', '/tokens'),
    'createUser': ('POST', '/users'),
    'delete_user': ('DELETE', '/users/{user_uuid}'),
    'updateUser': ('PUT', '/users/{user_uuid}'),
    'removeUserPolicy': ('DELETE', '/users/{user_uuid}/policies/{policy_uuid_or_slug}'),
    'addUserPolicy': ('PUT', '/users/{user_uuid}/policies/{policy_uuid_or_slug}'),
    'user_delete_session': ('DELETE', '/users/{user_uuid}/sessions/{session_uuid}'),
    'listUserRefreshTokens': ('GET', '/users/{user_uuid}/tokens'),
    'deleteRefreshTokens': ('DELETE', '/users/{user_uuid}/tokens/{client_id}'),
    'reset_password': ('GET', '/users/password/reset'),
    'reset_password_change': ('POST', '/users/password/reset'),
    'registerUser': ('POST', '/users/register'),
}


def test_operations_have_the_names_that_clients_were_generated_from(operations):
    ids = {
        operation['operationId']: (method, path) for method, path, operation in operations if 'operationId' in operation
    }
    expected = dict(OPERATION_IDS)
    assert expected.pop('registerUser') == ('POST', '/users/register')  # is off here
    assert ids == expected


def test_whose_document_it_is(api):
    document = yaml.safe_load(api.get('/api/api.yml').text)
    assert (document['x-xivo-name'], document['x-xivo-port']) == ('auth', 9497)
    assert document['info']['contact'] == {
        'name': 'Wazo Dev Team',
        'email': 'dev@wazo.community',
        'url': 'https://wazo-platform.org/',
    }
