"""wazo-auth-nginx, and a signal that hits it before or after a step: TOOL STEP before|after NUMBER ARGUMENTS..."""
import os
import sys

tool, wanted, when, number, *arguments = sys.argv[1:]
sys.path.insert(0, tool)
sys.dont_write_bytecode = True

from wazo_auth_nginx import cli, runner  # noqa: E402


def between(*_):
    """After the daemon has stopped, before nginx listens: nobody answers."""
    os.kill(os.getpid(), int(number))


class Hit(runner.Runner):
    def one(self, step):
        if step.name != wanted:
            return super().one(step)
        if when == 'before':
            self.journal.begin(step.name)
            os.kill(os.getpid(), int(number))
        super().one(step)
        os.kill(os.getpid(), int(number))


from wazo_auth_nginx import setup, takeover  # noqa: E402

takeover.Runner = setup.Runner = Hit
if wanted == 'between':
    takeover.Platform.listen = between
sys.exit(cli.main(arguments))
