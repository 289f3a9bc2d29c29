"""Which path the API answers: what the client asked for, or what rewrites, redirects and subrequests made of it."""
import re

import pytest

SERVERS = """\
    server {
        listen 127.0.0.1:@GATE_PORT@;
        root @FOLDER@;
        ssi on;
        wazo_auth off;
        location /0.1/ { wazo_auth_api; }
        location /plain/ { rewrite ^/plain(/.*)$ $1 break; wazo_auth_api; }
        location /prefix/ { rewrite ^/prefix/v2/(.*)$ /prefix/0.1/$1 break; wazo_auth_api prefix=/prefix; }
        location /query/ { rewrite ^/query(/.*)$ $1?limit=1 break; wazo_auth_api; }
        location /last/ { rewrite ^/last(/.*)$ $1 last; }
        location /named/ { error_page 404 = @named; }
        location @named { rewrite ^/named(/.*)$ $1 break; wazo_auth_api; }
        location = /redirected { error_page 404 = /0.1/backends; }
        location = /double { rewrite ^ //evil.example/x break; wazo_auth_api; }
        location = /asking { auth_request /check; proxy_pass http://upstream; }
        location = /check { internal; rewrite ^ /0.1/token/$http_x_auth_token break; wazo_auth_api; }
        location = /mirrored { mirror /0.1/backends; proxy_pass http://upstream; }
        location /pages/ { default_type text/html; }
    }
"""
PAGE = '<!--# include virtual="/0.1/users?limit=1" --> and <!--# include virtual="/0.1/backends" --> and ' * 3


@pytest.fixture(scope='module')
def gate(stack):
    nginx = stack.new_nginx('targets', SERVERS, start=False)
    (nginx.folder / 'pages').mkdir()
    (nginx.folder / 'pages/page.html').write_text(PAGE)
    nginx.start()
    yield nginx.gate
    nginx.stop()


@pytest.mark.parametrize('path', ['/0.1', '/plain/0.1', '/prefix/v2', '/query/0.1', '/last/0.1', '/named/0.1'])
def test_rewrites(gate, api, admin, admin_token, path):
    assert gate.get(f'{path}/backends').json() == api.get('/backends').json()
    login = gate.post(f'{path}/token', auth=(admin['username'], admin['password']))
    assert login.status_code == 200
    assert gate.get(f'{path}/users?limit=1', admin_token).json() == api.get('/users?limit=1', admin_token).json()
    assert gate.get(f'{path}/nothing').status_code == 404


def test_the_query_of_a_rewrite(gate, make_user, admin_token):
    make_user()
    make_user()
    assert len(gate.get('/query/0.1/users?order=username', admin_token).json()['items']) == 1
    assert len(gate.get('/plain/0.1/users?order=username&limit=2', admin_token).json()['items']) == 2


def test_names_with_odd_letters(gate, api, admin_token):
    name = 'odd %41 ?&# ünïcode'
    group = api.post('/groups', admin_token, json={'name': name}).json()
    params = {'search': name}
    for path in '/0.1', '/plain/0.1', '/last/0.1':
        found = gate.get(f'{path}/groups', admin_token, params=params).json()['items']
        assert [each['uuid'] for each in found] == [group['uuid']], path
        acl = gate.put(f'{path}/policies/a%2541%20%3F%23/acl/x.%25y', admin_token)
        assert acl.status_code == 404, path


def test_an_internal_redirect(gate, api):
    assert gate.get('/redirected').json() == api.get('/backends').json()


def test_a_rewrite_to_what_may_be_a_host(gate):
    assert gate.get('/double').status_code == 400


def test_subrequests(gate, api, admin_token, insert_token):
    text = gate.get('/pages/page.html', admin_token).text
    assert len(re.findall('"items"', text)) == 3
    assert text.count(api.get('/backends').text.strip()) == 3
    token = insert_token()['token']
    for _ in range(2):
        assert gate.get('/asking', token).json()['target'] == '/asking'
    assert gate.get('/mirrored').json()['target'] == '/mirrored'
