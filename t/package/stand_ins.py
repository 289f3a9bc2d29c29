"""Packages of our own making with the names and files of the platform's, which are built here with dpkg-deb.

wazo-uuid and wazo-nginx are files only. wazo-auth makes the daemon's schema with our commands, takes away again what is
ours in it, and has daemon.py as its daemon.
"""
import shutil
import stat
from pathlib import Path

from machine import run

HERE = Path(__file__).resolve().parent
LOCATIONS = ('http-available', 'http-enabled', 'https-available', 'https-enabled')
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
    said = run('dpkg-deb', '--root-owner-group', '-Zgzip', '-z1', '--build', tree, into)
    return Path(said.split(" in '")[1].rstrip().rstrip(".'"))


def build(into, tools):
    """The three packages. `tools`: our package, for its commands and the libraries that they need."""
    into.mkdir(parents=True, exist_ok=True)
    return [_plain('wazo-uuid', into), _plain('wazo-nginx', into), wazo_auth(into, '1.0', tools)]


def libraries(package):
    """The libraries among what a package depends on."""
    words = run('dpkg-deb', '-f', package, 'Depends').split(', ')
    return sorted(word.strip() for word in words if word.startswith('lib') and not word.startswith('libnginx-mod'))


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


def wazo_auth(into, version, tools, migration=''):
    """The daemon's package. `migration`: SQL that its postinst runs in the database."""
    tree = _copied('wazo-auth', into)
    _fill(tree, version=version, libraries=', '.join(libraries(tools)))
    private = tree / 'usr/libexec/wazo-auth'
    private.mkdir(parents=True, exist_ok=True)
    ours = into / 'ours'
    run('dpkg-deb', '--extract', tools, ours)
    for name in PRIVATE_COMMANDS:
        shutil.copy(ours / 'usr/libexec/wazo-auth-nginx' / name, private)
    shutil.rmtree(ours)
    (tree / 'usr/bin/wazo-auth').write_text((HERE / 'daemon.py').read_text().replace('@VERSION@', version))
    _executable(tree / 'usr/bin/wazo-auth')
    (tree / 'var/lib/wazo-auth-keys').mkdir(parents=True, exist_ok=True)
    (tree / 'usr/share/wazo-auth').mkdir(parents=True, exist_ok=True)
    (tree / 'usr/share/wazo-auth/version').write_text(f'{version}\n')
    if migration:
        (tree / 'usr/share/wazo-auth/migration.sql').write_text(migration)
    return _done(tree, into)


def again(package, into, version, was):
    """The same package, packed again with another version; so are those of its source that it depends on."""
    tree = into / 'again.tree'
    shutil.rmtree(tree, ignore_errors=True)
    run('dpkg-deb', '--raw-extract', package, tree)
    control = tree / 'DEBIAN/control'
    text = control.read_text()
    for said in (f'Version: {was}\n', f'(= {was})'):
        text = text.replace(said, said.replace(was, version))
    control.write_text(text)
    return _done(tree, into)
