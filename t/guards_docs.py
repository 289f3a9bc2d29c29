"""Guards of the documentation, called by guards.py: what the pages say of the code, and what the code says of the pages.

* docs/directives.md has a heading for every directive of the table and mentions every variable; neither has more;
* docs/configuration.md has a table row for every key of the built-in defaults, with its default, and for every key that
  the code reads; other pages may repeat keys, with the same default;
* the lanes of docs/operations.md and docs/ARCHITECTURE.md, with their sizes, are those of lanes.h;
* every file and section that a text or a comment points to is there, also across two lines of a comment;
* relative links lead to a file, and to a heading of it;
* the README stays short, lines stay readable, and nothing points outside of the repository.
"""
import re
from pathlib import Path

import yaml

TOP = Path(__file__).resolve().parent.parent
SKIPPED = {'.git', '__pycache__', 'node_modules', 'LICENSE', 'acl-vectors.json', 'package-lock.json'}
README_LINES, README_COLUMNS, PAGE_COLUMNS = 120, 100, 120
OUTSIDE = '..' + '/shared'

# A blank, or a line's end within a comment and what begins the next line of it.
GAP = r'(?:[ \t]*\n[ \t]*(?://|--|#|\*)?[ \t]*|[ \t]+)'
NUMBER = r'\d+(?:\.\d+)*'
POINTER = re.compile(
    rf'(?<![\w./-])(?P<path>(?:\.?[\w-]+/|\.\./)*[\w-]+\.md)\b(?! import)`?'
    rf'(?:,?{GAP}(?:(?:sections?{GAP}|§{GAP}?)(?P<list>{NUMBER}(?:(?:,|,?{GAP}(?:and|to|or)){GAP}§?{NUMBER}(?![\w.-]*\.md))*)'
    rf'|(?P<dotted>\d+(?:\.\d+)+(?:{GAP}(?:and|to|or){GAP}{NUMBER})*)))?'
    rf'(?:,?{GAP}"(?P<title>[^"]{{1,80}})")?'
)
FENCE = re.compile(r'^ *(```|~~~).*?^ *\1 *$', re.M | re.S)
CODE_SPAN = re.compile(r'`[^`\n]+`')
LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)')


def without_fences(text):
    """The text with as many lines, those of code blocks empty."""
    return FENCE.sub(lambda block: '\n' * block[0].count('\n'), text)


def line_of(text, position):
    return text.count('\n', 0, position) + 1


def name_of(path):
    return path.relative_to(TOP)


def texts():
    """Every text of the repository, without what was built: path → content."""
    tops = [path for path in sorted(TOP.iterdir()) if not path.name.startswith('build')]
    found = {}
    for path in [each for top in tops for each in (sorted(top.rglob('*')) if top.is_dir() else [top])]:
        if SKIPPED.intersection(path.relative_to(TOP).parts) or not path.is_file():
            continue
        try:
            found[path] = path.read_text()
        except UnicodeDecodeError:
            pass
    return found


class Headings:
    """What a page can be pointed at: numbers of sections, titles, anchors."""

    def __init__(self, text):
        self.numbers, self.titles, self.anchors = set(), set(), set()
        for line in re.findall(r'^#{1,6} +(.+?) *#*$', without_fences(text), re.M):
            self.anchors.add(self.anchor(line))
            number = re.match(rf'({NUMBER})\.? +', line)
            if number:
                self.numbers.add(number[1])
                line = line[number.end() :]
            self.titles.add(self.plain(line))

    @staticmethod
    def plain(text):
        return re.sub(r'\s+', ' ', text.replace('`', '')).strip().lower()

    def anchor(self, line):
        """As GitHub makes it; of equal ones the later ones get a number."""
        line = LINK.sub(lambda link: link[0][1 : link[0].index(']')], line)
        base = re.sub(r'[^\w\- ]', '', line.lower()).replace(' ', '-')
        count = sum(1 for known in self.anchors if re.fullmatch(rf'{re.escape(base)}(-\d+)?', known))
        return f'{base}-{count}' if count else base


class Checker:
    def __init__(self, complain):
        self.complain = complain
        self.texts = texts()
        self.headings = {path: Headings(text) for path, text in self.texts.items() if path.suffix == '.md'}

    def page(self, name):
        """The text of a page; None, with a complaint, when it isn't there."""
        text = self.texts.get(TOP / name)
        if text is None:
            self.complain(f'{name} is missing')
        return text

    # -- directives and variables ------------------------------------------------------------------------------------

    def check_directives(self, names):
        page = 'docs/directives.md'
        text = self.page(page)
        if text is None:
            return
        shown = re.findall(r'^#{2,6} +`?(wazo_auth(?:_\w+)?)`? *$', without_fences(text), re.M)
        self.compare(page, 'heading', set(names), shown)
        source = self.texts[TOP / 'src/variables.cpp']
        variables = set(re.findall(r'^ *\{"(wazo_auth_\w+)",', source, re.M))
        self.compare(page, 'variable', variables, set(re.findall(r'\$\{?(wazo_auth_\w+)', text)))

    def compare(self, page, kind, wanted, shown):
        for name in sorted(wanted - set(shown)):
            self.complain(f'{page} lacks the {kind} {name}')
        for name in sorted(set(shown) - wanted):
            self.complain(f'{page} has the {kind} {name}, which the code lacks')
        for name in sorted({name for name in shown if list(shown).count(name) > 1}):
            self.complain(f'{page} has the {kind} {name} twice')

    # -- keys of the YAML --------------------------------------------------------------------------------------------

    def configuration_sources(self):
        return '\n'.join(t for path, t in self.texts.items() if path.parent == TOP / 'lib/wazoauth/config')

    def check_settings(self):
        page = 'docs/configuration.md'
        sources = self.configuration_sources()
        defaults = flat(yaml.safe_load(re.search(r'R"yaml\((.*?)\)yaml"', sources, re.S)[1]))
        readers = (
            'flag|integer|number|text|optional_text|text_or_texts|texts|members|value|seconds|header_text|certificates'
        )
        read = set(re.findall(rf'\b(?:{readers})\((?:config, )?"([a-z]\w*(?:\.\w+)*)"', sources))
        words = set(re.findall(r'"\.?(\w+)"', sources)) | {key.split('.')[-1] for key in read}
        for path in self.texts:
            if path.suffix == '.md' and TOP / 'docs' in path.parents and path.parent.name != 'spec':
                self.check_rows(path, defaults, words)
        if self.page(page) is None:
            return
        keys = [key for _, key, _ in rows_of_keys(self.texts[TOP / page])]
        for key in sorted({key for key in keys if keys.count(key) > 1}):
            self.complain(f'{page} has {key} twice')
        for key in sorted(set(defaults) - set(keys)):
            self.complain(f'{page} lacks {key}, which has a default')
        for key in sorted(read - set(keys)):
            if not any(known.startswith(key + '.') for known in keys):
                self.complain(f'{page} lacks {key}, which the code reads')

    def check_rows(self, path, defaults, words):
        for line, key, default in rows_of_keys(self.texts[path]):
            where = f'{name_of(path)}:{line}: {key}'
            if key in defaults:
                if not means(default, defaults[key]):
                    self.complain(f'{where} has the default {yaml_text(defaults[key])}, not {default}')
            elif default != '-':
                self.complain(f'{where} has no default in the code: that is written as "-"')
            elif '<' not in key and key.split('.')[-1] not in words:
                self.complain(f'{where}: the code knows no such key')

    # -- pointers and links ------------------------------------------------------------------------------------------

    def resolve(self, path, name):
        folders = [path.parent, TOP, TOP / 'docs', TOP / 'docs/spec']
        for folder in folders if not name.startswith('docs/') else [TOP]:
            if (folder / name).resolve() in self.texts:
                return (folder / name).resolve()
        return None

    def check_pointers(self):
        for path, text in self.texts.items():
            for found in POINTER.finditer(text):
                where = f'{name_of(path)}:{line_of(text, found.start())}'
                target = self.resolve(path, found['path'])
                if target is None:
                    self.complain(f'{where}: {found["path"]} is not there')
                    continue
                headings = self.headings[target]
                for number in re.findall(NUMBER, found['list'] or found['dotted'] or ''):
                    if number not in headings.numbers:
                        self.complain(f'{where}: {found["path"]} has no section {number}')
                title = re.sub(GAP, ' ', found['title'] or '')
                if title and Headings.plain(title) not in headings.titles:
                    self.complain(f'{where}: {found["path"]} has no heading "{title}"')

    def check_links(self):
        for path, headings in self.headings.items():
            text = CODE_SPAN.sub(lambda span: '`' + ' ' * (len(span[0]) - 2) + '`', without_fences(self.texts[path]))
            for link in LINK.finditer(text):
                where = f'{name_of(path)}:{line_of(text, link.start())}'
                name, _, anchor = link[1].partition('#')
                if re.match(r'[a-z]+:', name):
                    continue
                target = (path.parent / name).resolve() if name else path
                if not target.exists() or TOP not in (target, *target.parents):
                    self.complain(f'{where}: the link to {link[1]} leads nowhere')
                elif anchor and anchor not in (self.headings[target] if target in self.headings else headings).anchors:
                    self.complain(f'{where}: {link[1]}: there is no such heading')

    # -- shape -------------------------------------------------------------------------------------------------------

    def check_shape(self):
        readme = (self.page('README.md') or '').splitlines()
        if len(readme) > README_LINES:
            self.complain(f'README.md has {len(readme)} lines, more than {README_LINES}')
        for number, line in enumerate(readme, 1):
            if len(line) > README_COLUMNS:
                self.complain(f'README.md:{number} has {len(line)} columns, more than {README_COLUMNS}')
        pages = [path for path in self.headings if path.parent == TOP / 'docs']
        pages += [path for path in (TOP / 'CONTRIBUTING.md', TOP / 'SECURITY.md') if path in self.headings]
        for path in pages:
            for number, line in enumerate(without_fences(self.texts[path]).splitlines(), 1):
                width = len(re.sub(r'https?://\S+', '', line))
                if width > PAGE_COLUMNS and not line.lstrip().startswith('|'):
                    self.complain(f'{name_of(path)}:{number} has {width} columns, more than {PAGE_COLUMNS}')
        for path, text in self.texts.items():
            for found in re.finditer(re.escape(OUTSIDE), text):
                self.complain(f'{name_of(path)}:{line_of(text, found.start())} points to {OUTSIDE}')


def check_lanes(complain):
    lines = (TOP / 'lib/wazoauth/rest/lanes.h').read_text()
    lanes = re.findall(r'^ +lane\((\w+), +(\S.*?), +(\d+)\)', lines, re.M)
    assert lanes
    names = [name for name, threads, queue in lanes]
    operations = (TOP / 'docs/operations.md').read_text()
    table = re.search(r'^\| lane \| threads.*?\n\n', operations, re.M | re.S)
    rows = re.findall(r'^\| `(\w+)` \|[^|]*\| ([^|]*) \| (\d+) \|$', table[0] if table else '', re.M)
    if [row[0] for row in rows] != names:
        complain('docs/operations.md: the table of threads has other lanes than lanes.h')
    for (name, threads, queue), (_, number, waiting) in zip(lanes, rows):
        if queue != waiting or (threads.isdigit() and threads != number):
            complain(f'docs/operations.md: {name} has {threads} threads, {queue} may wait')
    check_sums(complain, operations, 2 + sum(int(threads) for _, threads, _ in lanes if threads.isdigit()))
    metric = re.search(r'^\| `wazo_auth_worker_jobs_waiting.*', operations, re.M)
    if not metric or re.findall(r'`(\w+)`', metric[0]) != names:
        complain('docs/operations.md: wazo_auth_worker_jobs_waiting has other lanes than lanes.h')
    architecture = (TOP / 'docs/ARCHITECTURE.md').read_text()
    table = re.search(r'^\| lane \| work.*?\n\n', architecture, re.M | re.S)
    if not table or re.findall(r'^\| (\w+) \|', table[0], re.M)[1:] != names:
        complain('docs/ARCHITECTURE.md: the table of lanes has others than lanes.h')


def check_sums(complain, operations, each):
    """`each`: threads of a worker at most, but for those of its lanes `database`, `hashing` and `cpu`."""
    source = (TOP / 'src/connections.cpp').read_text()
    of_worker, of_house, by_default = (
        int(re.search(rf'constexpr int {name} = (\d+);', source)[1])
        for name in ('of_each_worker', 'of_housekeeper', 'by_default')
    )
    for formula in (f'W × (max(2, c) + 2 × p + {each})', f'W × (c + {of_worker}) + {of_house}.'):
        if formula not in operations:
            complain(f'docs/operations.md: lacks "{formula}"')
    table = re.search(r'^\| W = C \|.*?\n\n', operations, re.M | re.S)
    rows = re.findall(r'^\| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$', table[0] if table else '', re.M)
    background = re.search(r'threads = W \+ (\d+)', operations)
    if not rows or not background:
        complain('docs/operations.md: lacks the sums of threads and connections')
    for workers, idle, threads, connections in (map(int, row) for row in rows):
        requests, spare = max(1, by_default // workers), max(1, workers - 1)
        cpu = min(spare, -(-2 * spare // workers))
        house = int(background[1])
        expected = (
            workers + house,
            workers * (max(2, requests) + 2 * cpu + each) + house - 1,
            workers * (requests + of_worker) + of_house,
        )
        if (idle, threads, connections) != expected:
            complain(f'docs/operations.md: the sums for {workers} workers are {expected}')


def flat(tree, prefix=''):
    """Leaves of a tree of mappings, an empty mapping being one: path → value."""
    leaves = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            leaves |= flat(value, f'{prefix}{key}.')
        else:
            leaves[prefix + key] = value
    return leaves


def yaml_text(value):
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix('\n...\n').strip()


def means(cell, value):
    """Whether a table's cell, `in code style`, is the value as YAML has it."""
    try:
        return cell.startswith('`') and yaml.safe_load(cell.strip('`')) == value
    except yaml.YAMLError:
        return False


def rows_of_keys(text):
    """(line, key, default) of each table whose header has these two columns."""
    columns = None
    for number, line in enumerate(without_fences(text).splitlines(), 1):
        if not line.startswith('|'):
            columns = None
            continue
        cells = [cell.strip() for cell in re.split(r'(?<!\\)\|', line)[1:-1]]
        if columns is None:
            columns = {name: index for index, name in enumerate(cells)}
        elif {'key', 'default'} <= set(columns) and not set(cells[0]) <= set('-: '):
            yield number, cells[columns['key']].strip('`'), cells[columns['default']]


def check(directives, complain):
    checker = Checker(complain)
    checker.check_directives(directives)
    checker.check_settings()
    checker.check_pointers()
    checker.check_links()
    checker.check_shape()
    check_lanes(complain)
