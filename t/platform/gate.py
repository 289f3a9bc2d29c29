"""What lib/wazoauth makes of a daemon's documents."""
import json
import subprocess

from flask_daemon import AUTH_ID, SESSION_ID

from support import servers


def routes(files, overlays, prefix):
    """The table of wazo-auth-gate routes, and its warnings."""
    options = [f'--overlay={overlay}' for overlay in overlays]
    done = subprocess.run(
        [servers.BUILD / 'wazo-auth-gate', 'routes', '--json', f'--prefix={prefix}', *options, *files],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr.splitlines()


def decide(files, overlays, prefix, questions):
    """What platform_decide says to each (method, public path, access lists)."""
    asked = {
        'files': [str(file) for file in files],
        'overlays': [str(overlay) for overlay in overlays],
        'prefix': prefix,
        'auth_id': AUTH_ID,
        'session_id': SESSION_ID,
        'ask': list(questions),
    }
    done = subprocess.run(
        [servers.BUILD / 'platform_decide'],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
