"""Checks of the checkout that fail the build: what would otherwise drift apart unnoticed.

* every directive of the table has a place in the configuration, an initial value and, where it is inherited, a merge rule;
* conf/nginx/example.conf and the README's table have exactly the directives of the table;
* `nginx -t` accepts conf/nginx/example.conf;
* the module that was built asks nobody for symbols that are its own;
* sql/queries: every statement is used, every used statement is there.
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import servers  # noqa: E402

TOP = servers.CHECKOUT
problems = []


def complain(text):
    problems.append(text)


def directives():
    """name → {levels, setter, field}, from the table in ngx_wazo_auth_module.cpp."""
    text = (TOP / 'ngx_wazo_auth_module.cpp').read_text()
    table = text[text.index('ngx_command_t commands[]'):text.index('ngx_null_command')]
    found = {}
    for entry in re.findall(r'\{ngx_string\("(\w+)"\),(.*?)\},\n', table, re.S):
        levels, setter = re.search(r'(\w+_level)[^,]*,\s*(\w+)', entry[1]).groups()
        field = re.search(r'offsetof\(LocConf, (\w+)\)', entry[1])
        found[entry[0]] = {'levels': levels, 'setter': setter, 'field': field and field[1]}
    return found


def function(text, name):
    start = text.index(name)
    return text[start:text.index('\n}\n', start)]


def fields_set_by(setter):
    """Members of the configuration that a setter of directives.cpp writes."""
    body = function((TOP / 'src/directives.cpp').read_text(), f'char* {setter}(')
    return set(re.findall(r'conf->(\w+)', body))


def check_configuration(table):
    conf = (TOP / 'src/conf.cpp').read_text()
    header = (TOP / 'src/conf.h').read_text()
    location = re.search(r'struct LocConf \{(.*?)\n\};', header, re.S)[1]
    members = re.findall(r'(\w+);', re.sub(r'//.*', '', location))
    created, merged = function(conf, 'void* create_loc_conf'), function(conf, 'char* merge_loc_conf')
    for member in members:
        if member not in created:
            complain(f'LocConf::{member} has no initial value in create_loc_conf()')
        if member not in merged:
            complain(f'LocConf::{member} has no merge rule in merge_loc_conf()')
    written = set()
    for name, entry in table.items():
        if entry['field']:
            written.add(entry['field'])
        elif entry['setter'].startswith('set_'):
            written |= fields_set_by(entry['setter'])
        if entry['levels'] == 'every_level' and not entry['field'] and not fields_set_by(entry['setter']) & set(members):
            complain(f'{name} may be inherited, but sets no member of LocConf')
    for member in members:
        if member not in written:
            complain(f'LocConf::{member} is set by no directive')


def check_documents(table):
    reference = TOP / 'conf/nginx/example.conf'
    text = reference.read_text()
    shown = set(re.findall(r'^\s*#?\s*(wazo_auth(?:_\w+)?)\s*(?=[^=\s].*;|;)', text, re.M))
    readme = set(re.findall(r'^\| `(wazo_auth(?:_\w+)?)', (TOP / 'README.md').read_text(), re.M))
    for where, names in ((reference.name, shown), ('README.md', readme)):
        for name in sorted(set(table) - names):
            complain(f'{where} lacks {name}')
        for name in sorted(names - set(table)):
            complain(f'{where} has {name}, which is no directive')


def check_example_loads(build):
    """nginx reads it, with files and ports of our own."""
    text = (TOP / 'conf/nginx/example.conf').read_text()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        config = servers.write_settings(folder, {'db_uri': 'postgresql:///wazo-auth'})
        for old, new in ((r'modules/ngx_wazo_auth_module\.so', build / 'ngx_wazo_auth_module.so'),
                         (r'/etc/wazo-auth/config\.yml', config), (r'/var/log/nginx|/run(?=/nginx)', folder),
                         (r'user www-data;', ''), (r'http \{', 'http {\n' + servers.Nginx.TEMPORARY.replace('@FOLDER@', folder))):
            text = re.sub(old, str(new), text)
        text = re.sub(r'listen (127\.0\.0\.1:)?\d+;', lambda _: f'listen 127.0.0.1:{servers.free_port()};', text)
        conf = Path(folder) / 'nginx.conf'
        conf.write_text(text)
        done = subprocess.run([servers._nginx_program(), '-t', '-q', '-e', 'stderr', '-p', folder, '-c', conf],
                              env=servers.Nginx(folder, build, '').environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            complain('nginx -t of conf/nginx/example.conf: ' + done.stderr.strip())


def check_symbols(build):
    names = subprocess.run(['nm', '-DC', '--undefined-only', build / 'ngx_wazo_auth_module.so'], capture_output=True,
                           text=True, check=True).stdout
    for line in names.splitlines():
        if 'wazoauth::' in line:
            complain(f'the module lacks {line.split(maxsplit=1)[1]}')


def check_statements():
    there = set()
    for path in sorted((TOP / 'sql/queries').glob('*.sql')):
        for name in re.findall(r'^-- name: (\S+)', path.read_text(), re.M):
            if name in there:
                complain(f'{path.name}: {name} is there twice')
            there.add(name)
    sources = [*(TOP / 'lib').rglob('*.cpp'), *(TOP / 'src').glob('*.cpp'), *(TOP / 'tools').glob('*.cpp')]
    code = '\n'.join(path.read_text() for path in sources)
    literals = set(re.findall(r'"([a-z_]+(?:\.[a-z_]+)+)"', code))
    # What lib/wazoauth/rest/list_statement.cpp puts together: a list's statement, its search, and filters named like parameters.
    for family in re.findall(r'ListStatement \w+\("([a-z_]+)"', code) + ['sessions']:
        literals |= {name for name in there if re.fullmatch(rf'{family}\.(page|found|among_found|matching)', name)}
        literals |= {name for name in there if name.startswith(f'{family}.by.') and f'"{name.split(".")[2]}"' in code}
    families = {name.split('.')[0] for name in there}
    for name in sorted(there - literals):
        complain(f'statement {name} is used nowhere')
    for name in sorted(set(re.findall(r'run\(\s*"([a-z_]+\.[a-z_]+)"', code)) - there):
        complain(f'statement {name} is not in sql/queries')
    assert families


def main():
    table = directives()
    check_configuration(table)
    check_documents(table)
    check_statements()
    build = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else TOP / 'build'
    if (build / 'ngx_wazo_auth_module.so').exists():
        check_symbols(build)
        check_example_loads(build)
    for text in problems:
        print(f'guards: {text}', file=sys.stderr)
    print(f'guards: {len(table)} directives, {len(problems)} problems')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
