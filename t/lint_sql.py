"""Has PostgreSQL prepare every statement of sql/queries, on an empty database with our schema (through `./dev lint`).

A statement that is run with words in braces says in its comment what they may be, and is prepared with each:

    -- {table} {owner}: auth_user_policy user_uuid | auth_group_policy group_uuid
    -- {direction}: ASC | DESC

Lists are put together as lib/wazoauth/rest/list_statement.cpp does it: with each kind of scope, each kind of search and
all filters.
What ends up in no statement at all is an error, too. And sql/schema/relied_on.sql has to be what they use (relied_on.py);
--write makes it so.
"""
import itertools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg2

from relied_on import FILE, ReliedOn
from support import servers

TOP = servers.CHECKOUT
SCOPES = ['scope.tenant', 'scope.tenant_in_order', 'scope.tenant_of_found', 'scope.subtree']


class Lint:
    def __init__(self, build, cursor):
        listed = json.loads(output_of(build / 'print_statements'))
        self.texts = {each['name']: each['text'] for each in listed}
        self.files = {each['name']: TOP / 'sql' / each['file'] for each in listed}
        self.cursor = cursor
        self.used = set()
        self.forms = []  # (name, text) of what could be prepared
        self.problems = []

    def complain(self, name, text):
        line = self.files[name].read_text().split(f'-- name: {name}\n')[0].count('\n') + 1
        self.problems.append(f'{self.files[name].relative_to(TOP)}:{line}: {name}: {text}')

    def prepare(self, name, text, form=''):
        left = re.findall(r'\{[a-z_]+\}', re.sub(r'--.*', '', text))
        if left:
            return self.complain(name, f'{form}nothing says what {", ".join(sorted(set(left)))} may be')
        before = 'PREPARE linted AS '
        try:
            self.cursor.execute(before + text)
            self.cursor.execute('DEALLOCATE linted')
            self.forms.append((name, text))
        except psycopg2.Error as error:
            at = max(int(error.diag.statement_position or 1) - 1 - len(before), 0)
            near = ' '.join(text[max(at - 40, 0) : at + 60].split())
            self.complain(name, f'{form}{error.diag.message_primary}\n    ... {near} ...')

    def lone_statements(self):
        for name, text in self.texts.items():
            if re.match(r'(--.*\n)*(SELECT|INSERT|UPDATE|DELETE|WITH)\b', text) and not name.endswith('.found'):
                self.used.add(name)
                for words in variants(text):
                    form = f"with {', '.join(words.values())}: " if words else ''
                    self.prepare(name, put(text, words), form)

    def lists(self):
        code = '\n'.join(path.read_text() for path in (TOP / 'lib').rglob('*.cpp'))
        pages = {name.rpartition('.')[0] for name in self.texts if name.endswith('.page')}
        made = re.findall(r'(?:\bListStatement \w+\(|return \{)"(\w+)", "(\w+)", "([\w.]+)", query[)}]', code)
        for resource, alias, tenant in sorted(set(made)):
            pages.discard(resource)
            before = len(self.problems)
            for scope, search in itertools.product(SCOPES, ('', 'among_found', 'matching')):
                self.prepare(
                    f'{resource}.page',
                    self.page(resource, alias, tenant, scope, search),
                    f'in {scope} with all filters and {search or "no search"}: ',
                )
            del self.problems[before + 1 :]  # one tells enough
        for resource in pages:
            self.complain(f'{resource}.page', 'no code that makes this list was found')

    def page(self, resource, alias, tenant, scope, search):
        numbers = itertools.count(2)

        def part(name, number=None):
            self.used.add(name)
            return (
                self.texts[name].replace('?', f'${number or next(numbers)}')
                if '?' in self.texts[name]
                else self.texts[name]
            )

        seen = part(scope, 1).replace('{tenant}', tenant)
        words = {'with': '', 'where': seen, 'scope': seen}
        if f'{resource}.visible_to' in self.texts:
            wider = part(f'{resource}.visible_to')
            words |= {'where': wider, 'scope': wider, 'in_scope': f'({seen})', 'asking': '$1::text'}
        ours = [name for name in self.texts if name.startswith(f'{resource}.')]
        parts = [name for name in ours if name.startswith(f'{resource}.by.') or re.search(r'\.(of|with)_\w+$', name)]
        words['where'] += ''.join(f' AND {part(name)}' for name in parts)
        if search and f'{resource}.{search}' in self.texts:
            words['where'] += ' AND ' + part(f'{resource}.{search}')
            words['with'] = part(f'{resource}.found') if search == 'among_found' else ''
        self.used.add(f'{resource}.page')
        words |= {
            'narrowed': 'true',
            'sort': f'{alias}.uuid ASC',
            'ahead': 'LIMIT 128',
            'limit': f'${next(numbers)}::bigint',
            'offset': f'${next(numbers)}::bigint',
        }
        return put(self.texts[f'{resource}.page'], words)

    def run(self):
        self.lone_statements()
        self.lists()
        for name in sorted(set(self.texts) - self.used):
            self.complain(name, 'is in no statement that could be prepared')


def variants(text):
    """[{word: what stands there}], by the comments of a statement."""
    kinds = []
    for words, choices in re.findall(r'^-- ((?:\{\w+\} ?)+): (.*)$', text, re.M):
        names = re.findall(r'\w+', words)
        kinds.append([dict(zip(names, choice.split(), strict=True)) for choice in choices.split('|')])
    return [{word: by for each in choice for word, by in each.items()} for choice in itertools.product(*kinds)]


def put(text, words):
    for word, by in words.items():
        text = text.replace(f'{{{word}}}', by)
    return text


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f'lint_sql: {done.stderr.strip()}')
    return done.stdout


def check_relied_on(cursor, lint):
    relied_on = ReliedOn(cursor, lint.forms)
    if '--write' in sys.argv:
        FILE.write_text(relied_on.text() + '\n')
    relied_on.compare()
    relied_on.prove()
    lint.problems += relied_on.problems
    return len(relied_on.used)


def main():
    words = [word for word in sys.argv[1:] if word != '--write']
    build = Path(words[0]).absolute() if words else TOP / 'build'
    folder = servers.temporary_folder()
    postgres = servers.Postgres(folder / 'postgres', servers.free_port(), durable=False)
    try:
        postgres.start()
        uri = postgres.create_database('lint', 'wazo-auth')
        config = servers.write_settings(folder, {'db_uri': uri})
        output_of(build / 'wazo-auth-upgrade-db', '--config-file', config)
        connection = psycopg2.connect(uri)
        connection.autocommit = True
        lint = Lint(build, connection.cursor())
        lint.run()
        columns = check_relied_on(connection.cursor(), lint)
        connection.close()
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
    for text in lint.problems:
        print(f'lint_sql: {text}', file=sys.stderr)
    print(
        f'lint_sql: {len(lint.texts)} statements and parts, prepared in {len(lint.forms)} forms, '
        f'{columns} columns relied on, {len(lint.problems)} problems'
    )
    return 1 if lint.problems else 0


if __name__ == '__main__':
    sys.exit(main())
