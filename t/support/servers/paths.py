"""Where things are."""
import hashlib
import os
import tempfile
from pathlib import Path

from .process import can_enter, user_of_servers

CHECKOUT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get('WAZO_AUTH_BUILD') or CHECKOUT / 'build')


def state_folder(checkout=CHECKOUT):
    """Where a checkout's private servers keep their data: .run, or outside when others can't reach it.

    The path is short enough for a Unix socket below it (107 bytes).
    """
    inside = checkout / '.run'
    name = hashlib.sha256(str(checkout).encode()).hexdigest()[:16]
    root = Path('/var/lib/wazo-auth-dev') if os.geteuid() == 0 else Path.home() / '.local/state/wazo-auth-dev'
    outside = root / name
    for known in (inside, outside):  # whoever may enter the checkout by now
        if (known / 'state.json').exists():
            return known
    return inside if len(str(inside)) < 70 and can_enter(user_of_servers(), checkout) else outside


def temporary_folder():
    """A folder that every server may enter, whatever user it runs as."""
    folder = Path(tempfile.mkdtemp(prefix='wazo-auth-test-'))
    folder.chmod(0o755)
    return folder
