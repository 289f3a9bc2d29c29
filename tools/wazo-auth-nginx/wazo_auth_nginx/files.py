"""The files that put nginx into the daemon's place. All of them are ours: they come and go as a whole."""
import os
import re
import shutil

from .journal import sync_folder, write_whole
from .screen import Failure


class OurLink:
    """A link to a file beside it: made where nothing is, removed only while it still is this link."""

    def __init__(self, link, target):
        self.link = link
        self.target = target
        self.text = os.path.relpath(target, link.parent)

    @property
    def there(self):
        return self.link.is_symlink() and os.readlink(self.link) in (self.text, str(self.target))

    def check(self):
        if os.path.lexists(self.link) and not self.there:
            raise Failure(f'{self.link} is there and isn\'t ours. Move it away, it would be overwritten.')

    def put(self):
        self.check()
        if not self.there:
            self.link.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(self.text, self.link)
            sync_folder(self.link.parent)

    def take(self):
        if self.there:
            self.link.unlink()
            sync_folder(self.link.parent)


class OurFile:
    """A file with this text. `folder`: it goes with the file when it is empty."""

    def __init__(self, file, text, folder=False):
        self.file = file
        self.text = text
        self.folder = folder

    @property
    def there(self):
        return self.file.is_file() and not self.file.is_symlink()

    def check(self):
        if os.path.lexists(self.file) and not (self.there and self.file.read_text() == self.text):
            raise Failure(f'{self.file} is there and isn\'t ours. Move it away, it would be overwritten.')

    def put(self):
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.file, self.text)

    def take(self):
        if self.there:
            self.file.unlink()
            sync_folder(self.file.parent)
        self.file.with_name(f'.{self.file.name}.new').unlink(missing_ok=True)
        if self.folder:
            try:
                self.file.parent.rmdir()
            except OSError:
                pass


def conf_link(places):
    return OurLink(places.link, places.authority)


def log_link(places, name):
    """The main context's error_log, where the package has one."""
    target = places.ours / f'{name}-log.conf'
    return OurLink(places.log_link, target)


def identity_file(places, uuid):
    text = (
        '# The identity of the installation, which the daemon has from systemd. Made by wazo-auth-nginx.\n'
        f'env XIVO_UUID={uuid};\n'
    )
    return OurFile(places.identity, text)


def drop_in(places):
    try:
        text = places.shipped_drop_in.read_text()
    except OSError as error:
        raise Failure(
            f'{places.shipped_drop_in} can\'t be read ({error.strerror}): install the package again.'
        ) from error
    return OurFile(places.drop_in, text, folder=True)


# -- the identity of the installation ----------------------------------------------------------------------------------

IDENTITY = re.compile(r'[A-Za-z0-9._-]{1,64}')


def written_identity(places):
    """XIVO_UUID as wazo-uuid has written it down, or we have; None."""
    for path in (
        places.identity,
        places / 'etc/default/xivo',
        places / 'etc/profile.d/xivo_uuid.sh',
        places / ('etc/systemd/system.conf'),
    ):
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            found = re.search(r'XIVO_UUID=["\']?([A-Za-z0-9._-]{1,64})', line)
            if found and not line.lstrip().startswith('#'):
                return found[1]
    return None


# -- the log that both write -------------------------------------------------------------------------------------------


def owner_of(file):
    try:
        found = file.stat()
    except OSError:
        return None
    return [found.st_uid, found.st_gid, found.st_mode & 0o7777]


def restore_owner(file, owner):
    """nginx gives its logs to its workers' user when they are reopened; the daemon couldn't write there any more."""
    if owner and owner_of(file) not in (None, owner):
        os.chown(file, owner[0], owner[1])
        os.chmod(file, owner[2])


def free_space(folder):
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def size_of(file):
    try:
        return file.stat().st_size
    except OSError:
        return 0


def text_since(file, size):
    """What has been written to a log since it had this size."""
    try:
        with open(file, 'rb') as stream:
            stream.seek(size)
            return stream.read(1 << 20).decode(errors='replace')
    except OSError:
        return ''
