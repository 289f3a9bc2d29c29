"""Checks of the checkout that fail the build: what would otherwise drift apart unnoticed.

* every directive of the table has a place in the configuration, an initial value and, where it is inherited, a merge rule;
* conf/nginx/example.conf has exactly the directives of the table, other files beside it no more;
* the documentation agrees with the code (guards_docs.py), and the packages with what is built (guards_package.py);
* `nginx -t` accepts each file of conf/nginx, and has nothing to warn of;
* the module that was built asks nobody for symbols that are its own;
* sql/queries: every statement is used, every used statement is there, and one file walks along the tree of tenants;
* nothing but lib/wazoauth/base/clock.cpp reads the wall clock or waits until it shows some time (what expires by it asks
  unix_seconds() or ngx_time());
* nothing but lib/wazoauth/base/start_thread.cpp makes a thread.
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import guards_docs  # noqa: E402
import guards_package  # noqa: E402

from support import servers, shipped

TOP = servers.CHECKOUT
problems = []


def complain(text):
    problems.append(text)


def directives():
    """name → {levels, setter, field}, from the table in ngx_wazo_auth_module.cpp."""
    text = (TOP / 'ngx_wazo_auth_module.cpp').read_text()
    table = text[text.index('ngx_command_t commands[]') : text.index('ngx_null_command')]
    found = {}
    for entry in re.findall(r'\{ngx_string\("(\w+)"\),(.*?)\},\n', table, re.S):
        levels, setter = re.search(r'(\w+_level)[^,]*,\s*(\w+)', entry[1]).groups()
        field = re.search(r'offsetof\(LocConf, (\w+)\)', entry[1])
        found[entry[0]] = {'levels': levels, 'setter': setter, 'field': field and field[1]}
    return found


def function(text, name):
    start = text.index(name)
    return text[start : text.index('\n}\n', start)]


def fields_set_by(setter):
    """Members of the configuration that a setter of directives.cpp writes."""
    body = function((TOP / 'src/directives.cpp').read_text(), f'char* {setter}(')
    return set(re.findall(r'conf->(\w+)', body))


def check_configuration(table):
    conf = (TOP / 'src/conf.cpp').read_text()
    header = (TOP / 'src/conf.h').read_text()
    location = re.search(r'struct LocConf \{(.*?)\n\};', header, re.S)[1]
    said, mark, _ = location.partition('// What no directive says')
    assert mark
    members = re.findall(r'(\w+);', re.sub(r'//.*', '', location))
    created = function(conf, 'void* create_loc_conf')
    merged = '\n'.join(function(conf, start) for start in re.findall(r'^\S+ merge_\w+\(', conf, re.M))
    for member in members:
        if member not in created:
            complain(f'LocConf::{member} has no initial value in create_loc_conf()')
        if member not in merged:
            complain(f'LocConf::{member} has no merge rule in merge_loc_conf()')
    written = set()
    for name, entry in table.items():
        if entry['field']:
            written.add(entry['field'])
        if entry['setter'].startswith('set_'):
            written |= fields_set_by(entry['setter'])
        if (
            entry['levels'] == 'every_level'
            and not entry['field']
            and not fields_set_by(entry['setter']) & set(members)
        ):
            complain(f'{name} may be inherited, but sets no member of LocConf')
    for member in re.findall(r'(\w+);', re.sub(r'//.*', '', said)):
        if member not in written:
            complain(f'LocConf::{member} is set by no directive')


def check_examples(table):
    used = {}
    for file in shipped.FILES:
        text = (shipped.NGINX / file).read_text()
        used[file] = set(re.findall(r'^\s*#?\s*(wazo_auth(?:_\w+)?)\s*(?=[^=\s].*;|;)', text, re.M))
    for name in sorted(set(table) - used['example.conf']):
        complain(f'example.conf lacks {name}')
    for file, names in used.items():
        for name in sorted(names - set(table)):
            complain(f'{file} has {name}, which is no directive')


def check_files_load(build):
    """nginx reads them, with files and ports of our own."""
    for file in shipped.FILES:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            certificate = servers.Authority(Path(folder) / 'authority').certificate('IP:127.0.0.1')
            nginx = shipped.ShippedNginx(folder, build, file, shipped.shipped_settings(folder), certificate)
            loaded, output = nginx.test()
            if not loaded or output:
                complain(f'nginx -t of conf/nginx/{file}: {output.strip()}')


def check_symbols(build):
    names = subprocess.run(
        ['nm', '-DC', '--undefined-only', build / 'ngx_wazo_auth_module.so'], capture_output=True, text=True, check=True
    ).stdout
    for line in names.splitlines():
        if 'wazoauth::' in line:
            complain(f'the module lacks {line.split(maxsplit=1)[1]}')


def check_statements():
    there, included = set(), set()
    for path in sorted((TOP / 'sql/queries').glob('*.sql')):
        text = path.read_text()
        included |= set(re.findall(r'\{([a-z_.]+)\(', text))
        if path.name != 'tree.sql' and re.search(r'RECURSIVE (?!\{tree\.)', text):
            complain(f'{path.name} walks along the tree of tenants by itself: tree.sql has parts for that')
        for name in re.findall(r'^-- name: ([^\s(]+)', text, re.M):
            if name in there:
                complain(f'{path.name}: {name} is there twice')
            there.add(name)
    sources = [*(TOP / 'lib').rglob('*.cpp'), *(TOP / 'src').glob('*.cpp'), *(TOP / 'tools').glob('*.cpp')]
    code = '\n'.join(path.read_text() for path in sources)
    literals = set(re.findall(r'"([a-z_]+(?:\.[a-z_]+)+)"', code)) | included
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


def check_clocks():
    wall_clock = re.compile(
        r'system_clock::now|CLOCK_REALTIME|\bgettimeofday\(|\btime\((?:nullptr|NULL|0|&)|ngx_timeofday|'
        r'ngx_cached_time|pthread_(?:mutex_timed|rwlock_timed|cond_timed)\w+|sem_timedwait'
    )
    for folder in ('lib', 'src', 'tools'):
        for path in sorted((TOP / folder).rglob('*')):
            if path.suffix not in ('.c', '.cpp', '.h') or path.name == 'clock.cpp':
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if wall_clock.search(line):
                    complain(f'{path.relative_to(TOP)}:{number}: the wall clock may be set at any moment, see clock.h')


def check_threads():
    own_way = re.compile(r'std::thread\(|std::thread \w+[({]|std::jthread|std::async|pthread_create')
    for folder in ('lib', 'src'):
        for path in sorted((TOP / folder).rglob('*')):
            if path.suffix not in ('.c', '.cpp', '.h') or path.stem == 'start_thread':
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if own_way.search(line):
                    complain(f'{path.relative_to(TOP)}:{number}: the system may refuse a thread, see start_thread.h')


def main():
    table = directives()
    check_configuration(table)
    check_examples(table)
    guards_docs.check(table, complain)
    check_statements()
    check_clocks()
    check_threads()
    build = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else TOP / 'build'
    if (build / 'ngx_wazo_auth_module.so').exists():
        check_symbols(build)
        check_files_load(build)
    guards_package.check(build, complain)
    for text in problems:
        print(f'guards: {text}', file=sys.stderr)
    print(f'guards: {len(table)} directives, {len(problems)} problems')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
