"""The machine of these tests is a Wazo server to begin with, or what follows proves nothing."""


def test_the_daemon_serves_a_platform(wazo, api):
    token = api.log_in_as_root()
    assert token['xivo_uuid'] == wazo('. /etc/profile.d/xivo_uuid.sh; echo $XIVO_UUID').strip()
    assert api.has(token['token'])
    assert api('HEAD', f'token/{token["token"]}?scope=auth.users.read').status == 204
    users = api('GET', 'users', {'X-Auth-Token': token['token']}).json()['items']
    assert {'wazo-auth-cli', 'wazo-confd'} <= {user['username'] for user in users}
    assert api('DELETE', f'token/{token["token"]}').status == 200
    assert not api.has(token['token'])
    assert api.log_in_as_service('wazo-confd')['auth_id'] != token['auth_id']
    assert not api.is_nginx()
    assert wazo('systemctl --failed --no-legend') == ''
