"""The directives: what `nginx -t` accepts, refuses and warns of, and what it says then."""
import json
import os
import re
import select
import socket
import time
import uuid
from pathlib import Path

import pytest

from support import servers
from support.servers import BUILD

CONF = """\
@MAIN@
events {}
http {
@TEMPORARY@
    access_log off;
    @REQUIRED@
    @HTTP@
    upstream behind { server 127.0.0.1:1; @UPSTREAM@ }
    server {
        listen 127.0.0.1:@PORT@;
        @SERVER@
        location / { @LOCATION@ }
        location /if/ { if ($args) { @IF@ } }
    }
}
"""

LEVELS = ('main', 'http', 'upstream', 'server', 'location', 'if')
EVERYWHERE = ('http', 'server', 'location')


class Checked:
    """The outcome of `nginx -t`."""

    def __init__(self, nginx):
        self.conf = nginx.conf_file
        self.ok, self.output = nginx.test()

    def line(self, text):
        """nginx.conf:LINE of the last line with this text."""
        lines = [number for number, line in enumerate(self.conf.read_text().splitlines(), 1) if text in line]
        return f'{self.conf}:{lines[-1]}'


@pytest.fixture
def check(folder):
    """check(level='directives', ...) → Checked; `yaml`: the text of config.yml; `required`: what replaces it."""
    port = servers.free_port()

    def run(yaml='', required=None, **levels):
        own = folder / uuid.uuid4().hex
        (own / 'conf.d').mkdir(parents=True)
        # What isn't installed here would be warned of.
        (own / 'conf.d/templates.yml').write_text(
            json.dumps({**servers.template_settings(), 'enabled_http_plugins': {'saml': False}})
        )
        config = own / 'config.yml'
        config.write_text(f'extra_config_files: {own}/conf.d\n{yaml}')
        if required is None:
            required = f'wazo_auth_config {config}; wazo_auth_zone tokens:2m;'
        values = {level.upper(): levels.get(level, '') for level in LEVELS} | {'REQUIRED': required, 'PORT': port}
        return Checked(servers.Nginx(own, BUILD, CONF, values=values))

    return run


def refused(checked, *texts, at):
    """It names nginx.conf and the line of `at`, and has these texts."""
    assert not checked.ok
    assert f'in {checked.line(at)}' in checked.output
    for text in texts:
        assert text in checked.output


# -- values ------------------------------------------------------------------------------------------------------------

ON_OFF = (['on', 'off'], ['yes', '1', '""', 'on off', ''])

DOCUMENT = servers.CHECKOUT / 'conf/platform/websocketd.yml'

# name: (where it may stand, right values, wrong values)
DIRECTIVES = {
    'wazo_auth_config': (('http',), [], ['', 'a b']),
    'wazo_auth_zone': (
        ('http',),
        ['tokens:2m', 'tokens:2048k', 'a-b:4194304'],
        [
            '',
            'tokens',
            'tokens:',
            ':4m',
            'tokens:x',
            'tokens:4x',
            'tokens:-4m',
            'tokens:0',
            'tokens:2047k',
            'tokens:1m',
            'tokens:99999999999999999999m',
            'tokens 4m',
            'tokens:4m x',
            '""',
        ],
    ),
    'wazo_auth_database': (
        ('http',),
        [
            'postgresql://a:b@127.0.0.1:1/x',
            'postgresql+psycopg2://a@127.0.0.1/x?application_name=y',
            '"host=a,b port=1,2 dbname=x target_session_attrs=read-write"',
            'postgresql://a,b/x connections=100',
            'postgresql:///x connections=10000',
        ],
        [
            '',
            'nonsense',
            '"host=a hots=b"',
            '"host=a dbname"',
            'postgresql://a/x?hots=b',
            'postgresql://[a/x',
            'postgresql://a/x connections=0',
            'postgresql://a/x connections=-1',
            'postgresql://a/x connections=10001',
            'postgresql://a/x connections=x',
            'postgresql://a/x connections=',
            'postgresql://a/x connection=1',
            'postgresql://a/x 1',
            'postgresql://a/x connections=1 x',
        ],
    ),
    'wazo_auth_redis': (
        ('http',),
        ['off', 'redis://127.0.0.1:1/0', 'redis://a', 'redis://a:b@c:1/15', 'redis://:b@c', 'unix:/x/y.sock', 'a:1'],
        [
            '',
            '""',
            'redis://',
            'redis://a:b',
            'redis://a:70000',
            'redis://a:-1',
            'redis://a/x',
            'redis://a:1/0x',
            'unix:',
            'rediss://a',
            'http://a',
            '/x/y.sock',
            'redis://a b',
        ],
    ),
    'wazo_auth_trusted_proxies': (
        ('http',),
        ['127.0.0.1', '10.0.0.0/8 ::1 unix:', 'fe80::/10', '0.0.0.0/0'],
        ['', 'a', 'localhost', '10.0.0', '10.0.0.0/33', '::/129', '10.0.0.0/8 a', 'all', 'unix:/x', '""'],
    ),
    'wazo_auth_api': (
        ('location',),
        ['', 'prefix=/api/auth', 'prefix=/api/auth/', 'prefix=/'],
        ['x', 'prefix', 'prefix=api', '/api', 'prefix=/a x', 'on'],
    ),
    'wazo_auth': (EVERYWHERE, *ON_OFF),
    'wazo_auth_acl': (
        ('location',),
        [
            'off',
            'a b',
            'a.$arg_x b.c',
            'confd.#',
            'confd.users.*.read',
            'a.$arg_x.$wazo_auth_method_verb',
            'a.${arg_x}b',
            '$remote_user',
        ],
        [
            '',
            '""',
            'a.$',
            'a.$.b',
            'a.${arg_x',
            'a.${}',
            'a.${arg-x}',
            'a off',
            'off a',
            'a b.$',
            'a ""',
            'a b.$1',
            'a.$1',
            '$9.b',
            'a.${2}b',
            'a.$1b',
            'a.$0',
        ],
    ),
    'wazo_auth_token_from': (
        EVERYWHERE,
        [
            'header:X-Auth-Token',
            'bearer',
            'query:token',
            'query:token strip',
            'cookie:a',
            'header:X-Auth-Token bearer query:token strip cookie:a',
        ],
        [
            '',
            '""',
            'header',
            'header:',
            'query:',
            'cookie:',
            'basic',
            'token',
            'strip',
            'header:X-Auth-Token strip',
            'bearer strip',
            'query:a strip strip',
            'strip query:a',
            'bearer basic',
        ],
    ),
    'wazo_auth_tenant': (EVERYWHERE, ['header', 'off'], ['', 'on', 'query', '""', 'header off']),
    'wazo_auth_identity': (EVERYWHERE, *ON_OFF),
    'wazo_auth_denied': (EVERYWHERE, ['401', '403'], ['', '404', '40', '4010', 'on', '""', '401 403']),
    'wazo_auth_preflight': (EVERYWHERE, ['pass', 'deny'], ['', 'on', 'off', '""', 'pass deny']),
    'wazo_auth_path': (EVERYWHERE, ['strict', 'loose'], ['', 'on', '""', 'strict loose']),
    'wazo_auth_grace': (
        EVERYWHERE,
        ['0', '60', '60s', '500ms', '1h30m'],
        ['', '-1', 'x', '60x', '1s1m', '""', 'off', '1 s'],
    ),
    'wazo_auth_timeout': (
        EVERYWHERE,
        ['60', '60s', '500ms', '1h30m'],
        ['', '0', '0s', '-1', 'x', '60x', '""', 'off', '1 s'],
    ),
    'wazo_auth_watch': (EVERYWHERE, *ON_OFF),
    'wazo_auth_cache': (EVERYWHERE, ['private', 'shared'], ['', 'on', 'off', '""', 'private shared']),
    'wazo_auth_metrics': (('location',), [''], ['on', 'x']),
    'wazo_auth_openapi': (
        EVERYWHERE,
        [
            f'{DOCUMENT}',
            f'{DOCUMENT} prefix=/api/calld',
            f'{DOCUMENT} prefix=/api/calld/ unmatched=deny',
            f'{DOCUMENT} prefix= unmatched=pass name=calld optional',
            f'{DOCUMENT} overlay={DOCUMENT}',
            f'{DOCUMENT} enforce=shadow',
            f'{DOCUMENT} enforce=on',
        ],
        [
            '',
            'prefix=/a',
            'optional',
            f'{DOCUMENT} prefix=api',
            f'{DOCUMENT} unmatched=',
            f'{DOCUMENT} unmatched=open',
            f'{DOCUMENT} name=',
            f'{DOCUMENT} enforce=off',
            f'{DOCUMENT} overlay=',
            '""',
        ],
    ),
    'wazo_auth_enforce': (EVERYWHERE, ['on', 'shadow'], ['', 'off', '""', 'on shadow']),
    'wazo_auth_shadow_report': (('location',), [''], ['on', 'x']),
    'wazo_auth_ui': (
        ('location',),
        ['', 'prefix=/api/auth/ui', 'prefix=/ui/', 'prefix=/'],
        ['x', 'prefix', 'prefix=ui', '/ui', 'prefix=/a x', 'on'],
    ),
    'wazo_auth_oauth2': (('location',), [''], ['on', 'x']),
}
# Alone in a location they are a mistake.
OF_THE_GATE = (
    'wazo_auth_acl',
    'wazo_auth_token_from',
    'wazo_auth_tenant',
    'wazo_auth_identity',
    'wazo_auth_denied',
    'wazo_auth_preflight',
    'wazo_auth_path',
    'wazo_auth_watch',
    'wazo_auth_cache',
)
ZONE_OF_ITS_OWN = ('wazo_auth_config', 'wazo_auth_zone')


def cases(which):
    return [
        pytest.param(name, value, id=f'{name} {value}') for name, entry in DIRECTIVES.items() for value in entry[which]
    ]


def statement(name, value):
    return f'{name} {value};' if value else f'{name};'


@pytest.mark.parametrize('name, value', cases(1))
def test_right_values(check, name, value):
    required = '' if name in ZONE_OF_ITS_OWN else None
    for level in DIRECTIVES[name][0]:
        gate = 'wazo_auth on; ' if level == 'location' and name in OF_THE_GATE else ''
        checked = check(required=required, **{level: gate + statement(name, value)})
        assert checked.ok, checked.output
        assert checked.output == ''


@pytest.mark.parametrize('name, value', cases(2))
def test_wrong_values(check, name, value):
    """The message names the directive, or quotes the value or a part of it."""
    required = '' if name in ZONE_OF_ITS_OWN else None
    words = [word.strip('"') for word in value.split()]
    for level in DIRECTIVES[name][0]:
        checked = check(required=required, **{level: statement(name, value)})
        refused(checked, at=statement(name, value))
        assert (
            f'"{name}"' in checked.output
            or any(f'"{word}"' in checked.output for word in words)
            or (
                'zone "tokens" is too small' in checked.output
                or 'invalid connection string: ' in checked.output
                or 'invalid Redis address' in checked.output
            )
        ), checked.output


@pytest.mark.parametrize('name', DIRECTIVES)
def test_elsewhere_it_is_not_allowed(check, name):
    allowed, right, _ = DIRECTIVES[name]
    line = statement(name, right[0] if right else '/etc/hostname')
    for level in LEVELS:
        if level not in allowed:
            refused(check(required='', **{level: line}), f'"{name}" directive is not allowed here', at=line)


@pytest.mark.parametrize('name', [name for name in DIRECTIVES if name != 'wazo_auth_openapi'])
def test_it_stands_once(check, name):
    allowed, right, _ = DIRECTIVES[name]
    line = statement(name, right[0] if right else '/dev/null')
    required = '' if name in ZONE_OF_ITS_OWN else None
    for level in allowed:
        again = f'{line} # again'
        checked = check(required=required, **{level: f'{line}\n{again}\n'})
        refused(checked, f'"{name}" directive ', at=again)
        assert 'is duplicate' in checked.output or 'clashes with another handler' in checked.output


def test_masked_bits_of_a_network_are_warned_of(check):
    checked = check(http='wazo_auth_trusted_proxies 10.1.2.3/8;')
    assert checked.ok
    assert 'low address bits of 10.1.2.3/8 are meaningless' in checked.output


def test_an_unknown_variable(check):
    checked = check(location='wazo_auth on; wazo_auth_acl confd.$no_such_variable.read;')
    assert not checked.ok
    assert 'unknown "no_such_variable" variable' in checked.output


@pytest.mark.parametrize(
    'location',
    [
        'proxy_pass http://behind; wazo_auth_api;',
        'wazo_auth_metrics; wazo_auth_api;',
        'wazo_auth_api; wazo_auth_metrics;',
        'wazo_auth_oauth2; wazo_auth_api;',
        'wazo_auth_api; wazo_auth_ui;',
    ],
)
def test_one_location_has_one_handler(check, location):
    refused(check(location=location), 'directive clashes with another handler of this location', at=location)


def test_passwords_are_not_shown(check):
    for line in (
        'wazo_auth_redis redis://user:Secr7t@host:port/0;',
        'wazo_auth_redis redis://:Secr7t@host/x;',
        'wazo_auth_database postgresql://user:Secr7t@host/x?hots=y;',
        'wazo_auth_database "host=a password=Secr7t dbname";',
        'wazo_auth_database "host=a password=b Secr7t";',
        'wazo_auth_database postgresql://user:Secr7t@[host/x;',
    ):
        checked = check(http=line)
        refused(checked, at=line)
        assert 'Secr7t' not in checked.output


# -- accesses that a client could choose --------------------------------------------------------------------------------

POSITIONAL = 'is set from a positional capture'


@pytest.mark.parametrize(
    'levels',
    [
        {'location': 'set $x $1;'},
        {'location': 'set $x a$1b;'},
        {'location': 'set $y $2; set $x "$y/$host";'},
        {'location': 'if ($http_x ~ (.+)) { set $x $1; }'},
        {'location': 'rewrite ^/(.)/ /a$1 break; set $y "a b"; set $x $1;'},
        {'server': 'set $x $1;'},
        {'server': 'set $y $1; if ($args = a) { set $y b; }', 'location': 'set $x $y;'},
        {'server': 'location = /other { set $x $1; }'},
        {'location': 'set $x users;', 'if': 'set $x $1;'},
    ],
)
def test_a_variable_from_a_positional_capture(check, levels):
    access = 'wazo_auth on;\n wazo_auth_acl a.$x.b;'
    levels = {'location': ''} | levels
    refused(check(**levels | {'location': f"{levels['location']}\n{access}"}), f'"$x" {POSITIONAL}', at='wazo_auth_acl')


@pytest.mark.parametrize(
    'levels',
    [
        {'location': 'set $x users; set $y $1; wazo_auth_acl a.$x;'},
        {
            'location': 'set $x "$host/$uri"; rewrite ^/(.+)$ /$1 break; if ($host ~ (.+)) { set $y $1; } wazo_auth_acl a.$x;'
        },
        {'http': 'map $uri $x { ~^/(.)/ $1; }', 'location': 'wazo_auth_acl a.$x;'},
        {'server': 'set $x $1; location ~ ^/(?<x>.)/ { wazo_auth_acl a.$x; location ~ y { } }'},
        {'http': 'server { listen 127.0.0.1:1; set $x $1; }', 'location': 'set $x users; wazo_auth_acl a.$x;'},
        {'location': 'set $x $1; wazo_auth off; wazo_auth_acl a.$x;'},
    ],
)
def test_other_variables_may_be_in_an_access(check, levels):
    levels = {'location': ''} | levels
    if 'off;' not in levels['location']:
        levels['server'] = 'wazo_auth on;\n' + levels.get('server', '')
    checked = check(**levels)
    assert (checked.ok, checked.output) == (True, '')


# -- locations that aren't what they look like ---------------------------------------------------------------------------

NOT_GATED = "in a location that isn't gated"


@pytest.mark.parametrize(
    'line',
    [
        'wazo_auth_acl confd.users.read;',
        'wazo_auth_token_from bearer;',
        'wazo_auth_tenant header;',
        'wazo_auth_identity on;',
        'wazo_auth_denied 401;',
        'wazo_auth_preflight pass;',
        'wazo_auth_path loose;',
        'wazo_auth_watch on;',
        'wazo_auth_cache shared;',
    ],
)
def test_a_directive_of_the_gate_in_an_open_location(check, line):
    name = line.split(';')[-2].split()[0]
    refused(check(location=line), f'"{name}" {NOT_GATED}', at=line)
    for levels in (
        {'location': f'wazo_auth on; {line}'},
        {'location': f'{line} wazo_auth off;'},
        {'server': 'wazo_auth on;', 'location': line},
        {'http': 'wazo_auth on;', 'location': line},
    ):
        checked = check(**levels)
        assert (checked.ok, checked.output) == (True, '')
    for level in 'http', 'server':  # whoever switches all of it off for an hour gets away with a warning
        checked = check(**{level: 'wazo_auth off;', 'location': line})
        assert checked.ok
        assert f'[warn] "{name}" {NOT_GATED}'.partition('] ')[2] in checked.output and '[warn]' in checked.output
        assert f'in {checked.line(line)}' in checked.output
    nested = f'location /a/ {{\n{line}\nlocation /a/b/ {{ wazo_auth on; }} }}'
    refused(check(server=nested), NOT_GATED, at=line)


def test_a_directive_of_the_gate_in_an_api_that_is_open(check):
    line = 'wazo_auth_api; wazo_auth_acl a;'
    for levels in {}, {'server': 'wazo_auth on;'}, {'http': 'wazo_auth on;'}:
        refused(check(**levels | {'location': line}), f'"wazo_auth_acl" {NOT_GATED}', at=line)
    for gate in 'on', 'off':
        checked = check(location=f'wazo_auth {gate}; {line}')
        assert (checked.ok, checked.output) == (True, '')


@pytest.mark.parametrize('level', ['http', 'server'])
def test_defaults_need_no_gate(check, level):
    defaults = (
        'wazo_auth_token_from bearer; wazo_auth_tenant header; wazo_auth_identity on; wazo_auth_denied 401; '
        'wazo_auth_preflight pass; wazo_auth_path loose; wazo_auth_grace 1s;'
    )
    assert check(**{level: defaults}).output == ''
    assert check(**{level: defaults}, location='wazo_auth_grace 5s; wazo_auth_api;').output == ''
    assert check(**{level: defaults}, location='wazo_auth_identity off; wazo_auth_tenant off;').output == ''


ANSWERS = 'it answers before a token is asked for'


@pytest.mark.parametrize(
    'line, name',
    [
        ('return 200 "for members";', 'return'),
        ('return 204;', 'return'),
        ('return 302 https://internal.example/;', 'return'),
        ('return https://internal.example/;', 'return'),
        ('set $a "x$host"; return 200;', 'return'),
        ('rewrite ^ /elsewhere redirect;', 'rewrite'),
        ('rewrite ^/(.*) /elsewhere/$1 permanent;', 'rewrite'),
        ('rewrite ^ https://internal.example/;', 'rewrite'),
        ('if ($arg_a) { return 200 "for members"; }', 'return'),
        ('if ($arg_a) { set $b 1; } if ($http_x ~ (.)) { rewrite ^/(.) /b$1 break; } return 200;', 'return'),
        ('rewrite ^/a /b last; rewrite ^/c /d break; return 200 "for members";', 'return'),
    ],
)
def test_what_answers_before_the_gate_is_warned_of(check, line, name):
    for levels in {'location': f'\n wazo_auth on; {line}'}, {'server': 'wazo_auth on;', 'location': f'\n {line}'}:
        checked = check(**levels)
        assert checked.ok
        assert '[warn]' in checked.output and f'"{name}" in a gated location: {ANSWERS}' in checked.output
        assert f'in the block at {checked.line("location / {")}' in checked.output


def test_a_server_that_answers_before_the_gate_is_warned_of(check):
    checked = check(server='wazo_auth on; return 200 "for members";')
    assert checked.ok
    assert f'"return" in a gated server: {ANSWERS}' in checked.output
    assert f'in the block at {checked.line("server {")}' in checked.output


@pytest.mark.parametrize(
    'levels',
    [
        {'location': 'return 404;'},
        {'location': 'return 444;'},
        {'location': 'return 403 "no";'},
        {'location': 'if ($request_method = OPTIONS) { return 204; }'},
        {'location': 'if ($scheme = http) { return 301 https://$host$request_uri; }'},
        {'location': 'if ($scheme = http) { rewrite ^ https://$host$request_uri permanent; }'},
        {'location': 'rewrite ^/a/(.*) /b/$1 last; rewrite ^/c /d break; set $a $host; break;'},
        {'location': 'if (-f $request_filename) { break; } if ($args) { set $a "$args"; }'},
        {'location': 'wazo_auth off; return 200 "for all";'},
        {'server': 'if ($host = a.example) { return 301 https://b.example$request_uri; }'},
        {'server': 'rewrite ^/old/(.*) /new/$1 permanent;'},
        {'http': 'wazo_auth on; server { listen 127.0.0.1:1; return 301 https://$host$request_uri; }'},
    ],
)
def test_what_is_harmless_is_not_warned_of(check, levels):
    if 'http' not in levels:
        levels = levels | {'server': 'wazo_auth on; ' + levels.get('server', '')}
    checked = check(**levels)
    assert (checked.ok, checked.output) == (True, '')


# -- what is required --------------------------------------------------------------------------------------------------

USERS = [
    ('http', 'wazo_auth on;'),
    ('server', 'wazo_auth on;'),
    ('location', 'wazo_auth on;'),
    ('location', 'wazo_auth_api;'),
    ('location', 'wazo_auth_metrics;'),
    ('location', 'wazo_auth_oauth2;'),
    ('location', 'wazo_auth_ui;'),
]


@pytest.mark.parametrize('level, line', USERS)
def test_config_and_zone_are_required(check, folder, level, line):
    name = line.split()[0].strip(';')
    zone, config = 'wazo_auth_zone tokens:2m;', 'wazo_auth_config /dev/null;'
    refused(check(required=zone, **{level: line}), f'"{name}" needs "wazo_auth_config"', at=line)
    refused(check(required=config, **{level: line}), f'"{name}" needs "wazo_auth_zone"', at=line)
    assert check(required=f'{zone}\n{config}', **{level: line}).ok


def test_without_use_nothing_is_required(check):
    assert check(required='').ok
    assert check(required='', location='wazo_auth off; wazo_auth_acl a; wazo_auth_grace 1s;').ok


def test_the_line_of_an_included_file_is_named(check, folder):
    included = folder / f'{uuid.uuid4().hex}.conf'
    included.write_text('\n\nwazo_auth_grace x;\n')
    checked = check(server=f'include {included};')
    assert not checked.ok
    assert f'in {included}:3' in checked.output
    included.write_text('\nwazo_auth on;\n')
    checked = check(required='', server=f'include {included};')
    assert not checked.ok
    assert f'in {included}:2' in checked.output


@pytest.mark.parametrize(
    'other',
    [
        'limit_req_zone $remote_addr zone=tokens:2m rate=1r/s;',
        'proxy_cache_path /tmp/wazo-auth-no-such keys_zone=tokens:2m;',
    ],
)
def test_a_zone_belongs_to_one_module(check, other):
    checked = check(http=other)
    assert not checked.ok
    assert '"tokens"' in checked.output


# -- the YAML ----------------------------------------------------------------------------------------------------------


def config_of(checked):
    return checked.conf.parent / 'config.yml'


@pytest.mark.parametrize(
    'yaml, line, text',
    [
        ('a: [1, 2\nb: 3\n', None, ''),
        ('a: 1\n  b: 2\n', 3, ''),
        ('a: "x\n', None, 'a quotation mark is not closed'),
        ('a: &x [*x, *y]\n', 2, ''),
        ('a: 1\n---\nb: 2\n', None, 'second document'),
        ('a: \x01\n', 2, 'control character'),
        ('a: !!python/object:os.system x\n', 2, 'tag'),
    ],
)
def test_broken_yaml(check, yaml, line, text):
    checked = check(yaml)
    refused(checked, text, f'{config_of(checked)}:{line}' if line else f'{config_of(checked)}:', at='wazo_auth_config')


@pytest.mark.parametrize('text', ['- a\n- b\n', 'just a text\n', '5\n'])
def test_yaml_that_is_no_mapping(check, folder, text):
    config = folder / f'{uuid.uuid4().hex}.yml'
    config.write_text(text)
    checked = check(required=f'wazo_auth_config {config}; wazo_auth_zone tokens:2m;')
    refused(checked, 'a configuration file must hold a mapping', f'{config}:1', at='wazo_auth_config')


@pytest.mark.parametrize(
    'yaml, key, text',
    [
        ('max_user_concurrent_sessions: many\n', 'max_user_concurrent_sessions', 'must be an integer'),
        ('rest_api:\n  max_threads: 0\n', 'rest_api.max_threads', 'must be at least 1'),
        ('log_level: loud\n', 'log_level', 'must be one of'),
        ('rest_api: 5\n', 'rest_api', 'must be a mapping'),
        ('token_cleanup_interval: x\n', 'token_cleanup_interval', 'must be a number'),
        ('db_uri: 5\n', 'db_uri', 'must be a text'),
        ('default_policies: {x: {}}\n', 'default_policies.x', 'needs an "acl"'),
        ('default_policies:\n  x:\n    acl: a\n', 'default_policies.x.acl', 'must be a list'),
    ],
)
def test_wrong_values_in_yaml(check, yaml, key, text):
    checked = check('\n' + yaml)
    last = 2 + yaml.count('\n')
    refused(checked, f'"{key}" {text}', f'({config_of(checked)}:{last})', at='wazo_auth_config')


@pytest.mark.parametrize('uri', ['nonsense', 'postgresql://h/d?nonsense=1', 'mysql://u:secret-1@h/d'])
def test_an_address_of_the_database_that_is_none(check, uri):
    """Unless wazo_auth_database takes its place."""
    checked = check(f'db_uri: "{uri}"\n')
    assert not checked.ok
    assert f'db_uri of {config_of(checked)}' in checked.output and 'secret-1' not in checked.output
    assert check(f'db_uri: "{uri}"\n', http='wazo_auth_database dbname=d;').ok


def test_a_wrong_value_in_a_drop_in(check, folder):
    drop_ins = folder / uuid.uuid4().hex
    drop_ins.mkdir()
    config = drop_ins / 'config'
    config.write_text(f'extra_config_files: {drop_ins}\n')
    (drop_ins / '50-x.yml').write_text('\nmax_user_concurrent_sessions: many\n')
    required = f'wazo_auth_config {config}; wazo_auth_zone tokens:2m;'
    refused(
        check(required=required),
        '"max_user_concurrent_sessions" must be an integer',
        f'{drop_ins}/50-x.yml:2',
        at='wazo_auth_config',
    )
    (drop_ins / '50-x.yml').write_text('a: [\n')
    checked = check(required=required)
    assert checked.ok
    assert '[warn]' in checked.output and f'{drop_ins}/50-x.yml:' in checked.output and 'skipped' in checked.output
    (drop_ins / '50-x.yml').write_text('- a\n')
    refused(check(required=required), f'{drop_ins}/50-x.yml:1', at='wazo_auth_config')


@pytest.mark.parametrize('name', ['no-such-file.yml', ''])
def test_an_unreadable_file_is_an_empty_one(check, folder, name):
    checked = check(required=f'wazo_auth_config {folder}/{name}; wazo_auth_zone tokens:2m;', location='wazo_auth on;')
    assert checked.ok
    assert f'{folder}/{name}: ' in checked.output and 'treated as empty' in checked.output
    assert f'in {checked.line("wazo_auth_config")}' in checked.output


def test_a_relative_file_is_beside_nginx_conf(check):
    required = 'wazo_auth_config config.yml; wazo_auth_zone tokens:2m;'
    checked = check('max_user_concurrent_sessions: many\n', required=required)
    refused(checked, f'{config_of(checked)}:2', at='wazo_auth_config')


def test_no_xivo_uuid_is_warned_of_where_it_matters(folder, wait_until):
    """`nginx -t` has the environment of somebody's shell."""
    config = servers.write_settings(folder / 'uuid', {})
    nginx = servers.Nginx(
        folder / 'uuid',
        BUILD,
        CONF,
        values={
            **{level.upper(): '' for level in LEVELS},
            'PORT': servers.free_port(),
            'REQUIRED': f'wazo_auth_config {config}; wazo_auth_zone tokens:2m;',
        },
        environment={'XIVO_UUID': ''},
    )
    assert nginx.test() == (True, '')
    nginx.start()
    try:
        warning = re.compile(r'\[warn\].* XIVO_UUID is not in the environment')
        assert warning.search(nginx.error_log.read_text(errors='replace'))
        start = nginx.error_log.stat().st_size
        nginx.reload()
        wait_until(lambda: warning.search(nginx.error_log.read_text(errors='replace')[start:]))
    finally:
        nginx.stop()


DEFAULT_KEY = '/var/lib/wazo-auth/saml/server.key'


@pytest.mark.skipif(os.path.exists(DEFAULT_KEY), reason='this machine has a key')
def test_a_missing_key_of_saml_is_for_who_wants_saml(check, folder):
    """Without one where the defaults look, and without another name for it, nobody wants it."""

    def output(**saml):
        own = folder / uuid.uuid4().hex
        required = f'wazo_auth_config {servers.write_settings(own, {"saml": saml})}; wazo_auth_zone tokens:2m;'
        checked = check(required=required)
        assert checked.ok
        return checked.output

    nowhere, here = f'{folder}/no.key', f'{folder}/here.crt'
    Path(here).touch()
    assert output() == ''
    assert output(key_file=DEFAULT_KEY) == ''
    assert f'{nowhere}: No such file or directory; nobody can log in by SAML' in output(key_file=nowhere)
    assert f'{DEFAULT_KEY}: No such file or directory; nobody can log in by SAML' in output(cert_file=here)
    assert 'nobody can log in by SAML' in output(key_file=None)


# -- !exec -------------------------------------------------------------------------------------------------------------

EXEC = 'max_user_concurrent_sessions: !exec {command: "%s"}\n'


@pytest.fixture
def run_exec(check, folder):
    """run_exec(command, mode=, owner=) → (Checked, file) of a configuration with a value from that command."""

    def run(command, mode=0o644, owner=None):
        config = folder / f'{uuid.uuid4().hex}.yml'
        config.write_text('\n' + EXEC % command)
        config.chmod(mode)
        if owner is not None:
            os.chown(config, owner, owner)
        return check(required=f'wazo_auth_config {config}; wazo_auth_zone tokens:2m;'), config

    return run


def test_exec_gives_the_value(run_exec):
    assert run_exec('echo 7')[0].ok
    checked, config = run_exec('echo many')
    refused(checked, '"max_user_concurrent_sessions" must be an integer', f'{config}:2', at='wazo_auth_config')


@pytest.mark.parametrize('mode', [0o666, 0o646, 0o664, 0o660, 0o602])
def test_exec_in_a_file_that_others_may_write(run_exec, mode):
    checked, config = run_exec('echo 7', mode)
    refused(checked, '!exec refused', f'{config}:2', at='wazo_auth_config')


@pytest.mark.skipif(os.geteuid() != 0, reason='needs root')
def test_exec_in_somebody_elses_file(run_exec):
    checked, config = run_exec('echo 7', 0o644, owner=65534)
    refused(checked, '!exec refused', f'{config}:2', at='wazo_auth_config')


def test_a_refused_command_does_not_run(run_exec, folder):
    run_exec(f'touch {folder}/ran', 0o666)
    assert not (folder / 'ran').exists()
    run_exec(f'touch {folder}/ran')
    assert (folder / 'ran').exists()


def test_exec_that_fails(run_exec):
    checked, config = run_exec('false')
    refused(checked, '!exec: "false" ended with status 1', f'{config}:2', at='wazo_auth_config')


def test_exec_that_takes_too_long(run_exec):
    start = time.monotonic()
    checked, config = run_exec('sleep 60')
    assert 4.5 < time.monotonic() - start < 15
    refused(checked, '!exec: "sleep" took too long', f'{config}:2', at='wazo_auth_config')


def test_exec_of_nothing_empties_the_file(run_exec):
    checked, config = run_exec('/no/such/program')
    assert checked.ok
    assert f'{config}: ' in checked.output and '/no/such/program' in checked.output


def test_exec_needs_no_shell(run_exec, folder):
    checked, _ = run_exec(f'echo 7; touch {folder}/shell')
    assert not checked.ok
    assert not (folder / 'shell').exists()


# -- nginx -t asks nobody ----------------------------------------------------------------------------------------------


@pytest.fixture
def listeners():
    """Three ports that wait for whoever comes."""
    made = [socket.create_server(('127.0.0.1', 0)) for _ in range(3)]
    yield made
    for listener in made:
        listener.close()


def everything_at(database, redis, broker):
    uri = f'postgresql://a:b@127.0.0.1:{database}/x'
    return {
        'yaml': f'db_uri: {uri}\ndb_upgrade_on_startup: true\namqp: {{uri: "amqp://a:b@127.0.0.1:{broker}/"}}\n',
        'http': f'wazo_auth_database {uri}; wazo_auth_redis redis://127.0.0.1:{redis}/0;',
        'location': 'wazo_auth_api;',
    }


def test_no_server_is_asked(check, listeners):
    start = time.monotonic()
    checked = check(**everything_at(*(listener.getsockname()[1] for listener in listeners)))
    assert checked.ok, checked.output
    assert time.monotonic() - start < 5
    assert select.select(listeners, [], [], 0)[0] == []


def test_servers_may_be_away(check):
    start = time.monotonic()
    checked = check(**everything_at(1, 1, 1))
    assert checked.ok, checked.output
    assert time.monotonic() - start < 5


# -- documents -----------------------------------------------------------------------------------------------------------


def document(folder, text, name='api.yml'):
    file = folder / name
    file.write_text(text)
    return file


def test_a_wrong_document_is_named_with_its_line(check, folder):
    file = document(folder, 'swagger: "2.0"\nbasePath: /1.0\npaths:\n  /a:\n    get: [\n')
    line = f'wazo_auth_openapi {file} prefix=/api/a;'
    for level in EVERYWHERE:
        refused(check(**{level: line}), f'{file}:', 'by "wazo_auth_openapi"', at=line)
    missing = f'wazo_auth_openapi {folder}/missing/*.yml;'
    refused(check(http=missing), f'{folder}/missing/*.yml', at=missing)


def test_a_doubtful_document_is_warned_of(check, folder):
    file = document(folder, 'swagger: "2.0"\nbasePath: /1.0\npaths:\n  /a:\n    get: {responses: {}}\n')
    line = f'wazo_auth_openapi {file} prefix=/api/a;'
    checked = check(http=line)
    assert checked.ok and '[warn]' in checked.output and f'{file}:5' in checked.output
    checked = check(http=f'wazo_auth_openapi {folder}/missing.yml optional;')
    assert checked.ok and f'{folder}/missing.yml' in checked.output and '[warn]' in checked.output


def test_lines_of_one_level_are_read_once(check, folder):
    text = 'swagger: "2.0"\nbasePath: /1.0\npaths:\n  /a:\n    get: {responses: {}}\n'
    files = [document(folder, text, name) for name in ('a.yml', 'b.yml')]
    lines = '\n'.join(f'wazo_auth_openapi {file} prefix=/api/{file.stem};' for file in files)
    checked = check(http=lines, server='location /b { location /b/c { } }')
    assert checked.ok
    for file in files:
        assert checked.output.count(f'{file}:5') == 1


def test_one_of_both_decides(check):
    lines = f'wazo_auth on;\nwazo_auth_acl a.b;\nwazo_auth_openapi {DOCUMENT};'
    refused(check(location=lines), 'in one location', at='wazo_auth_acl')
    checked = check(http=f'wazo_auth_openapi {DOCUMENT};', location='wazo_auth_acl a.b;')
    refused(checked, NOT_GATED, at='wazo_auth_acl')
    for levels in {'location': 'wazo_auth on; wazo_auth_acl a.b;'}, {'location': 'wazo_auth_denied 401;'}:
        checked = check(http=f'wazo_auth_openapi {DOCUMENT};', **levels)
        assert (checked.ok, checked.output) == (True, '')


def test_documents_need_a_configuration(check):
    for line in f'wazo_auth_openapi {DOCUMENT};', 'wazo_auth on; wazo_auth_enforce shadow;':
        refused(check(http=line, required='wazo_auth_zone tokens:2m;'), 'wazo_auth_config', at=line)


@pytest.mark.parametrize('name', ['~ ^/ui', '@ui'])
def test_a_page_without_a_path(check, name):
    """Where the location says none, the directive has to."""
    refused(
        check(server=f'location {name} {{ wazo_auth_ui; }}'),
        '"wazo_auth_ui" directive needs prefix=, as its location has no path of its own',
        at='wazo_auth_ui;',
    )
    checked = check(server=f'location {name} {{ wazo_auth_ui prefix=/ui; }}')
    assert (checked.ok, checked.output) == (True, '')
