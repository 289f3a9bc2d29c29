"""Packages of our own making with the names and files of the platform's, which are built here with dpkg-deb.

wazo-uuid and wazo-nginx are files only. wazo-auth makes the daemon's schema with our commands, takes away again what is
ours in it, and has daemon.py as its daemon. With REF, a folder with checkouts of the daemon and its libraries, it has the
Python daemon itself, its commands and its schema; and with those of wazo-auth-keys and wazo-auth-cli beside them, these.
"""
import os
import shutil
import stat
from pathlib import Path

from machine import MachineError, run

HERE = Path(__file__).resolve().parent
LOCATIONS = ('http-available', 'http-enabled', 'https-available', 'https-enabled')
DAEMON = ('wazo-auth', 'wazo-auth-client', 'wazo-bus', 'xivo-lib-python', 'wazo-lib-rest-client')
KEYS = ('wazo-auth-keys', 'wazo-auth-cli')
DAEMON_NEEDS = """adduser, alembic, openssl, python3-alembic, python3-cheroot, python3-consul, python3-flask,
 python3-flask-cors, python3-flask-httpauth, python3-flask-restful, python3-jinja2, python3-jsonpatch, python3-kombu,
 python3-ldap, python3-marshmallow, python3-netifaces, python3-psycopg2, python3-pysaml2, python3-requests,
 python3-requests-oauthlib, python3-sqlalchemy, python3-stevedore, python3-tenacity, python3-unidecode, python3-websocket,
 python3-cliff, python3-pkg-resources, rabbitmq-server, xmlsec1"""
PRIVATE_COMMANDS = ('wazo-auth-init-db', 'wazo-auth-upgrade-db', 'wazo-auth-bootstrap')


def _fill(tree, **values):
    path = tree / 'DEBIAN/control'
    text = path.read_text()
    for name, value in values.items():
        text = text.replace(f'@{name.upper()}@', value)
    path.write_text(text)


def _executable(path):
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def _packed(tree, into):
    """The .deb of a tree."""
    for path in tree.rglob('*'):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
    configuration = sorted(f'/{path.relative_to(tree)}' for path in tree.glob('etc/**/*') if path.is_file())
    (tree / 'DEBIAN/conffiles').write_text(''.join(f'{path}\n' for path in configuration))
    said = run('dpkg-deb', '--root-owner-group', '-Zgzip', '-z1', '--build', tree, into)
    return Path(said.split(" in '")[1].rstrip().rstrip(".'"))


def build(into, packages):
    """The three packages. `packages`: ours, for their commands and the libraries that they need."""
    into.mkdir(parents=True, exist_ok=True)
    return [_plain('wazo-uuid', into), _plain('wazo-nginx', into), wazo_auth(into, '1.0', packages)]


def libraries(packages):
    """The libraries among what our packages depend on: with them there already, only we make a difference."""
    words = ', '.join(run('dpkg-deb', '-f', package, 'Depends') for package in (packages.module, packages.tools)).split(
        ', '
    )
    return sorted({word.strip() for word in words if word.startswith('lib') and not word.startswith('libnginx-mod')})


def _copied(name, into):
    tree = into / f'{name}.tree'
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(HERE / 'stand_ins' / name, tree)
    return tree


def _plain(name, into):
    tree = _copied(name, into)
    if name == 'wazo-nginx':
        for folder in LOCATIONS:
            (tree / 'etc/nginx/locations' / folder).mkdir(parents=True, exist_ok=True)
    return _done(tree, into)


def _done(tree, into):
    package = _packed(tree, into)
    shutil.rmtree(tree)
    return package


def reference():
    """The folder of checkouts to take the daemon from, or None."""
    folder = os.environ.get('REF')
    if not folder:
        return None
    lacking = [name for name in DAEMON if not (Path(folder) / name).is_dir()]
    if lacking:
        raise MachineError(f'REF is {folder}, which lacks {", ".join(lacking)}')
    return Path(folder)


def wazo_auth(into, version, packages, migration=''):
    """The daemon's package. `migration`: SQL that its postinst runs in the database."""
    tree = _copied('wazo-auth', into)
    checkouts = reference()
    needs = libraries(packages) + ([DAEMON_NEEDS] if checkouts else [])
    _fill(tree, version=version, libraries=', '.join(needs))
    if checkouts:
        _with_reference(tree, checkouts, into)
    else:
        _with_stand_in(tree, version, packages.tools, into)
    for folder in ('var/lib/wazo-auth-keys', 'usr/share/wazo-auth'):
        (tree / folder).mkdir(parents=True, exist_ok=True)
    (tree / 'usr/share/wazo-auth/version').write_text(f'{version}\n')
    if migration:
        (tree / 'usr/share/wazo-auth/migration.sql').write_text(migration)
    return _done(tree, into)


def _with_stand_in(tree, version, tools, into):
    ours = into / 'ours'
    run('dpkg-deb', '--extract', tools, ours)
    for name in PRIVATE_COMMANDS:
        shutil.copy(ours / 'usr/libexec/wazo-auth-nginx' / name, tree / 'usr/libexec/wazo-auth')
    shutil.rmtree(ours)
    (tree / 'usr/bin/wazo-auth').write_text((HERE / 'daemon.py').read_text().replace('@VERSION@', version))
    _executable(tree / 'usr/bin/wazo-auth')


def _with_reference(tree, checkouts, into):
    """As the daemon's own debian/rules does it, with setuptools."""
    source = into / 'source'
    names = [*DAEMON, *(name for name in KEYS if all((checkouts / each).is_dir() for each in KEYS))]
    for name in names:
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(checkouts / name, source, symlinks=True, ignore=shutil.ignore_patterns('.git'))
        run('/usr/bin/python3', 'setup.py', '-q', 'install', f'--root={tree}', '--install-layout=deb', cwd=source)
        if name in ('wazo-auth', *KEYS) and (source / 'etc').is_dir():
            shutil.copytree(source / 'etc', tree / 'etc', dirs_exist_ok=True)
        if name == 'wazo-auth':
            shutil.copytree(source / 'templates', tree / 'var/lib/wazo-auth/templates')
    shutil.rmtree(source)


def again(package, into, version, was, breaks=''):
    """The same package, packed again with another version; so are those of its source that it depends on. `breaks`: what it
    names in this field."""
    tree = into / 'again.tree'
    shutil.rmtree(tree, ignore_errors=True)
    run('dpkg-deb', '--raw-extract', package, tree)
    control = tree / 'DEBIAN/control'
    text = control.read_text()
    for said in (f'Version: {was}\n', f'(= {was})'):
        text = text.replace(said, said.replace(was, version))
    control.write_text(text + (f'Breaks: {breaks}\n' if breaks else ''))
    return _done(tree, into)
