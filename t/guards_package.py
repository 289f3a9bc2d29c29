"""Guards of the packages, called by guards.py: what debian/ and the manual pages say against what is built.

* debian/changelog begins with the version of CMakeLists.txt;
* each verb and option that a command's --help names is in its manual page and in the completion, and they name no others;
* each --help has examples and the exit statuses, and each manual page has the same statuses;
* `nginx -t` accepts what the packages put into nginx's folders, linked in as the takeover and the set-up do, and the
  nginx.conf of the container.
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from support import servers, shipped

TOP = servers.CHECKOUT
PAGES = TOP / 'docs/man'
COMPLETION = TOP / 'conf/debian/completions/wazo-auth-nginx'
OPTION = re.compile(r'(?<![\w-])--[a-z][a-z_-]*[a-z]')
# Verbs of wazo-auth-nginx that are its own; the others have pages of their own.
VERBS = ('takeover', 'give-back', 'check', 'status', 'setup', 'teardown')


def check_version(complain):
    project = re.search(r'project\(\S+ VERSION (\S+)', (TOP / 'CMakeLists.txt').read_text())[1]
    package = re.match(r'wazo-auth-nginx \((\S+)\)', (TOP / 'debian/changelog').read_text())[1]
    if package != project:
        complain(f'debian/changelog is about version {package}, CMakeLists.txt about {project}')


def help_of(*words):
    said = subprocess.run([*map(str, words), '--help'], capture_output=True, text=True, check=False)
    if said.returncode:
        raise RuntimeError(f'{" ".join(map(str, words))} --help: {said.stderr.strip() or said.returncode}')
    return said.stdout


def helps(build):
    """page → what its command says by --help."""
    found = {f'wazo-auth-{name}': help_of(build / f'wazo-auth-{name}') for name in ('gate', 'lock')}
    for name in ('init-db', 'upgrade-db', 'bootstrap', 'wait'):
        found[f'wazo-auth-nginx-{name}'] = help_of(build / f'wazo-auth-{name}')
    command = TOP / 'tools/wazo-auth-nginx/wazo-auth-nginx'
    said = [help_of(sys.executable, command)]
    said += [help_of(sys.executable, command, verb) for verb in VERBS]
    found['wazo-auth-nginx'] = '\n'.join(said)
    return found


def check_manners(name, said, page, complain):
    if not re.search(r'^examples:\n +\S', said, re.M | re.I):
        complain(f'`--help` of docs/man/{name}.8\'s command has no examples')
    told = re.search(r'^exit status:(.*?)(?:\n\n|\Z)', said, re.M | re.I | re.S)
    section = re.search(r'^\.SH EXIT STATUS\n(.*?)^\.SH', page, re.M | re.S)
    told = set(re.findall(r'(?:^|[\s,])(\d)(?=[ ,])', told[1])) if told else set()
    documented = set(re.findall(r'^\.B (\d)$', section[1], re.M)) if section else set()
    if not told or told != documented:
        complain(f'docs/man/{name}.8 has the exit statuses {sorted(documented)}, `--help` has {sorted(told)}')


def check_pages(build, complain):
    completion = COMPLETION.read_text()
    found = helps(build)
    for name in sorted({page.stem for page in PAGES.glob('*.8')} ^ set(found)):
        complain(f'docs/man/{name}.8: the page or its command is missing')
    for name, said in found.items():
        page = re.sub(r'\\f[BIR]', '', (PAGES / f'{name}.8').read_text().replace('\\-', '-'))
        named, documented = set(OPTION.findall(said)) | {'--help'}, set(OPTION.findall(page))
        check_manners(name, said, page, complain)
        for option in sorted(named - documented):
            complain(f'docs/man/{name}.8 lacks {option}')
        for option in sorted(documented - named):
            complain(f'docs/man/{name}.8 has {option}, which `--help` of the command hasn\'t')
        # Options that have no effect are not worth completing.
        without_effect = set(OPTION.findall(said.partition('have no effect')[2]))
        for option in sorted(named - without_effect - set(OPTION.findall(completion))):
            complain(f'{COMPLETION.relative_to(TOP)} lacks {option} of {name}')
    for verb in VERBS:
        if f'.B {verb}\n' not in (PAGES / 'wazo-auth-nginx.8').read_text():
            complain(f'docs/man/wazo-auth-nginx.8 lacks the verb {verb}')
        if not re.search(rf'\b{verb}\b', completion):
            complain(f'{COMPLETION.relative_to(TOP)} lacks the verb {verb}')


class PackagedNginx(servers.Nginx):
    """nginx with a whole nginx.conf made of files that are shipped: its logs are in its folder, nothing else is changed."""

    PREAMBLE = ''

    def __init__(self, folder, build, text):
        pairs = [
            ('modules/ngx_wazo_auth_module.so', '@MODULE@'),
            ('/etc/wazo-auth/config.yml', shipped.shipped_settings(folder)),
        ]
        text, _ = shipped.with_free_ports(shipped.replaced(text, pairs))
        super().__init__(folder, build, re.sub(r'/var/log/(?:nginx/)?', f'{folder}/', text))


def shipped_confs():
    """what it is → nginx.conf"""
    module, authority = (
        (TOP / name).read_text() for name in ('debian/mod-http-wazo-auth.conf', 'conf/debian/authority.conf')
    )
    confs = {}
    for log in ('platform-log.conf', 'own-log.conf'):
        main = f'@USER@\npid @FOLDER@/nginx.pid;\n{module}{(TOP / "conf/debian" / log).read_text()}'
        confs[f'conf/debian with {log}'] = f'{main}events {{}}\nhttp {{\n@TEMPORARY@\n{authority}}}\n'
    container = (TOP / 'conf/container.conf').read_text()
    pairs = [
        ('include /etc/nginx/modules-enabled/*.conf;', module),
        ('/tmp/', '@FOLDER@/'),
        (' stderr', ' @FOLDER@/stderr.log'),
    ]
    confs['conf/container.conf'] = '@USER@\n' + shipped.replaced(container, pairs)
    return confs


def check_files_load(build, complain):
    for name, text in shipped_confs().items():
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            loaded, output = PackagedNginx(folder, build, text).test()
            if not loaded or output:
                complain(f'nginx -t of {name}: {output.strip()}')


def check(build, complain):
    check_version(complain)
    if (build / 'ngx_wazo_auth_module.so').exists():
        check_pages(build, complain)
        check_files_load(build, complain)
