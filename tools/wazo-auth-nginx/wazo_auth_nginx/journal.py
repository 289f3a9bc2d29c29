"""What has begun and what was there before: on the disk before it happens, so that a run that is killed can be undone."""
import fcntl
import json
import os
import time

from .screen import Failure


class Journal:
    def __init__(self, file):
        self.file = file
        self.data = None
        self.read()

    def read(self):
        try:
            self.data = json.loads(self.file.read_text())
        except FileNotFoundError:
            self.data = None
        except OSError as error:
            raise Failure(f'{self.file} can\'t be read: {error.strerror}. Mend that first.') from None
        except ValueError as error:
            raise Failure(f'{self.file} is damaged ({error}). "wazo-auth-nginx status" tells who answers; remove the file '
                          'and run "wazo-auth-nginx give-back" or "takeover" again.') from None  # fmt: skip

    @property
    def state(self):
        """None (nothing of ours is in place), taking-over, active, giving-back."""
        return self.data and self.data['state']

    @property
    def steps(self):
        return self.data['steps'] if self.data else []

    @property
    def before(self):
        return self.data['before'] if self.data else {}

    def open(self, state, before=None):
        self.data = {
            'version': 1,
            'state': state,
            'since': time.strftime('%Y-%m-%dT%H:%M:%S%z'),
            'pid': os.getpid(),
            'steps': [] if before is not None else self.steps,
            'before': before if before is not None else self.before,
        }
        self.write()

    def begin(self, step):
        if step not in self.data['steps']:
            self.data['steps'].append(step)
        self.write()

    def settle(self, state):
        self.data['state'] = state
        self.write()

    def write(self):
        try:
            self.file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_whole(self.file, json.dumps(self.data, indent=2) + '\n', 0o600)
        except OSError as error:
            raise Failure(f'{self.file} can\'t be written ({error.strerror}): without it nothing can be undone later. '
                          'Make room, or mend the folder.') from error  # fmt: skip

    def close(self):
        self.file.unlink(missing_ok=True)
        sync_folder(self.file.parent)
        self.data = None


def sync_folder(folder):
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_whole(file, text, mode=0o644, group=None):
    """All or nothing, and on the disk."""
    fresh = file.with_name(f'.{file.name}.new')
    fresh.unlink(missing_ok=True)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(fd, 'w') as stream:
            os.fchmod(stream.fileno(), mode)
            if group is not None:
                os.fchown(stream.fileno(), -1, group)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(file)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


class Busy(Failure):
    """Another run is at work."""


class Lock:
    """One at a time; the kernel opens it when the process ends, however it ends."""

    def __init__(self, file):
        file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.stream = open(file, 'a+', encoding='utf-8')  # pylint: disable=consider-using-with
        try:
            fcntl.flock(self.stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.stream.seek(0)
            raise Busy(f'Another wazo-auth-nginx is at work (process {self.stream.read().strip() or "?"}). '
                       'Wait until it has ended.') from None  # fmt: skip
        self.stream.truncate(0)
        self.stream.write(f'{os.getpid()}\n')
        self.stream.flush()
