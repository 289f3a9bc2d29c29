"""The configuration over HTTP, the status and the list of backends: docs/spec/endpoints.md sections 16 and 17."""
import itertools
import json

import pytest

from support.stack import ADMIN, GATED

MASK = '********'
SECRETS = {
    'smtp': {'tls': 'starttls', 'username': 'wazo', 'password': 'secret-of-smtp'},
    'consul': {'token': 'secret-of-consul', 'port': 8501},
}


@pytest.fixture(scope='module')
def own(new_nginx):
    """An nginx whose configuration this file may change."""
    return new_nginx(
        'config',
        GATED,
        settings={
            'debug': False,
            'log_level': 'warning',
            'max_user_concurrent_sessions': 7,
            'an_unknown_key': {'x': [1, None]},
            'enabled_backend_plugins': {'ldap_user': False},
            **SECRETS,
        },
        environment={'XIVO_UUID': 'the-xivo'},
    )


@pytest.fixture(scope='module')
def token(insert_token):
    return insert_token(acl=['auth.config.read', 'auth.config.update'])['token']


def change(path, value):
    return [{'op': 'replace', 'path': path, 'value': value}]


def shown(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


# -- GET ---------------------------------------------------------------------------------------------------------------


def test_get_shows_files_and_defaults(own, token):
    config = shown(own.api.get('/config', token))
    assert config['max_user_concurrent_sessions'] == 7
    assert config['default_token_lifetime'] == 7200
    assert config['rest_api']['cors']['enabled'] is True
    assert config['an_unknown_key'] == {'x': [1, None]}
    assert config['consul']['port'] == 8501
    assert config['consul']['scheme'] == 'http'
    assert config['enabled_backend_plugins'] == {'ldap_user': False, 'wazo_user': True}
    assert (config['log_level'], config['debug'], config['profiling_enabled']) == (30, False, False)
    assert config['uuid'] == 'the-xivo'
    assert config['loaded_plugins'] == ['wazo_user']


def test_get_masks_secrets(own, stack, token):
    answer = own.api.get('/config', token)
    config = answer.json()
    assert config['bootstrap_user_password'] == MASK
    assert config['smtp'] == {
        'hostname': 'localhost',
        'port': 25,
        'tls': 'starttls',
        'username': 'wazo',
        'password': MASK,
    }
    assert config['consul']['token'] == MASK
    assert config['bootstrap_user_username'] == ADMIN['username']
    assert config['db_uri'] == stack.database_uri.replace('Secr7t', MASK)
    assert 'Secr7t' not in answer.text and ADMIN['password'] not in answer.text and 'secret-of' not in answer.text
    assert f':{MASK}@' in config['amqp']['uri']


@pytest.mark.parametrize('method, access', [('GET', 'auth.config.read'), ('PATCH', 'auth.config.update')])
def test_only_the_master_tenant_may(api, admin_token, insert_token, method, access):
    tenant = api.post('/tenants', admin_token, json={}).json()['uuid']
    inside = insert_token(acl=[access])['token']
    for token, headers, status in (
        (inside, {}, 200),
        (inside, {'Wazo-Tenant': 'ignored'}, 200),
        (insert_token(acl=['#'], tenant_uuid=tenant)['token'], {}, 401),
        (insert_token(acl=['auth.config'])['token'], {}, 401),
    ):
        answer = api.request(method, '/config', token, json=[], headers=headers)
        assert answer.status_code == status
        if status == 401:
            assert answer.json()['error_id'] == 'unauthorized'
    refused = api.request(method, '/config', insert_token(acl=['#'], tenant_uuid=tenant)['token'], json=[])
    assert list(refused.json()['details']) == ['invalid_token']
    assert 'resource' not in refused.json()
    details = api.request(method, '/config', insert_token()['token'], json=[]).json()['details']
    assert details['required_access'] == access


def test_the_token_comes_before_the_body(api, insert_token):
    assert api.patch('/config', insert_token()['token'], data='{').status_code == 401


# -- PATCH -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('key', ['debug', 'profiling_enabled'])
def test_patch(own, token, key):
    before = shown(own.api.get('/config', token))
    for value, expected in ((True, True), ('off', False), (1, True), ('N', False), ('yes', True), (0.0, False)):
        assert shown(own.api.patch('/config', token, json=change(f'/{key}', value))) == before | {key: expected}
        # By all workers.
        for _ in range(4):
            answer = own.api.get('/config', token, headers={'Connection': 'close'})
            assert shown(answer) == before | {key: expected}


def test_patch_takes_several_operations_and_none(own, token):
    before = shown(own.api.get('/config', token))
    assert shown(own.api.patch('/config', token, json=[])) == before
    both = change('/debug', True) + change('/profiling_enabled', True) + change('/debug', False)
    assert shown(own.api.patch('/config', token, json=both)) == before | {'debug': False, 'profiling_enabled': True}
    own.api.patch('/config', token, json=change('/profiling_enabled', False))


@pytest.mark.parametrize(
    'body',
    [
        {},
        None,
        True,
        'x',
        1,
        [1],
        [None],
        [[]],
        [{}],
        [{'op': 'add', 'path': '/debug', 'value': True}],
        [{'op': 'replace', 'path': '/log_level', 'value': True}],
        [{'op': 'replace', 'path': 'debug', 'value': True}],
        [{'op': 'replace', 'path': '/debug'}],
        [{'op': 'replace', 'value': True}],
        [{'path': '/debug', 'value': True}],
        [{'op': 'replace', 'path': '/debug', 'value': None}],
        [{'op': 'replace', 'path': '/debug', 'value': 'maybe'}],
        [{'op': 'replace', 'path': '/debug', 'value': [True]}],
        [{'op': 'replace', 'path': '/debug', 'value': True, 'from': '/x'}],
        [{'op': 'replace', 'path': '/debug', 'value': True}, {'op': 'remove', 'path': '/debug'}],
    ],
)
def test_patch_refuses(own, token, body):
    before = shown(own.api.get('/config', token))
    answer = own.api.patch('/config', token, data=json.dumps(body))
    assert answer.status_code == 400
    assert list(answer.json()) == ['message']
    # Nothing of it was done.
    assert shown(own.api.get('/config', token)) == before


@pytest.mark.parametrize('data', ['', '{', '[] []', b'\xff'])
def test_patch_refuses_what_is_no_json(own, token, data):
    answer = own.api.patch('/config', token, data=data)
    assert (answer.status_code, list(answer.json())) == (400, ['message'])


def test_a_change_is_for_one_nginx_until_it_restarts(own, api, token):
    elsewhere = shown(api.get('/config', token))['profiling_enabled']
    own.api.patch('/config', token, json=change('/profiling_enabled', True))
    assert shown(own.api.get('/config', token))['profiling_enabled'] is True
    assert shown(api.get('/config', token))['profiling_enabled'] == elsewhere
    own.restart()
    assert shown(own.api.get('/config', token))['profiling_enabled'] is False


def test_debug_writes_more(own, token, wait_until):
    def told(login, address='198.19.0.1'):
        """Whether the log has the failed login, which is no warning."""
        answer = own.api.post('/token', auth=(login, 'wrong-password'), headers={'X-Forwarded-For': address})
        assert answer.status_code == 401
        with open(own.error_log, encoding='utf-8', errors='replace') as log:
            return f'Failed login of "{login}"' in log.read()

    assert not told('in-silence')
    own.api.patch('/config', token, json=change('/debug', True))
    numbers = itertools.count(2)
    wait_until(lambda: told('aloud', f'198.19.0.{next(numbers)}'), 5, interval=0.1)
    own.api.patch('/config', token, json=change('/debug', False))
    wait_until(lambda: not any([told(f'again-{next(numbers)}', f'198.19.1.{next(numbers)}') for _ in range(3)]), 5)


# -- status, backends --------------------------------------------------------------------------------------------------


def test_status(api):
    answer = api.head('/status')
    assert (answer.status_code, answer.text) == (200, '')
    assert api.get('/status').json()['rest_api']['status'] == 'ok'
    refused = api.post('/status')
    assert (refused.status_code, list(refused.json())) == (405, ['message'])
    assert set(refused.headers['Allow'].split(', ')) == {'GET', 'HEAD', 'OPTIONS'}


def test_backends(api, own):
    answer = api.get('/backends')
    assert (answer.status_code, answer.json()) == (200, {'data': ['ldap_user', 'wazo_user']})
    assert own.api.get('/backends').json() == {'data': ['wazo_user']}
    assert api.head('/backends').headers['Content-Length'] == answer.headers['Content-Length']
