"""The command line."""
import argparse
import os
import sys
from pathlib import Path

from .journal import Busy, Lock
from .places import Places
from .runner import Interrupted, NotUndone
from .screen import Failure, Screen
from .setup import Setup
from .takeover import Platform
from .trial import PORT

COMMANDS = ('init-db', 'upgrade-db', 'bootstrap', 'wait', 'gate', 'lock')

DESCRIPTION = """\
Puts nginx, with its module, into the place of Wazo's daemon wazo-auth, and the daemon back.

  takeover    check everything, adopt the database, compare with the daemon, take its port over
  give-back   the daemon answers again
  status      who answers, and what is in place
  check       what takeover checks first; changes nothing
  setup       a machine without Wazo: database, schema, first account
  teardown    undo setup; the database stays

  init-db upgrade-db bootstrap wait gate lock
              run the command wazo-auth-NAME with the arguments that follow
"""

STATUSES = """\
exit status:
  0  done, or there was nothing to do
  1  failed; what answered before answers still, and the reason is printed
  2  wrong usage
  3  failed, and not everything could be undone: somebody has to look
  4  another wazo-auth-nginx is at work
  5  status: a run was interrupted; "give-back" or "takeover" sees to it
"""

EXAMPLES = {
    '': 'wazo-auth-nginx check\n  wazo-auth-nginx takeover\n  wazo-auth-nginx status',
    'takeover': 'wazo-auth-nginx takeover --dry-run\n  wazo-auth-nginx takeover\n'
    '  wazo-auth-nginx takeover --yes --credentials /root/service-key.yml',
    'give-back': 'wazo-auth-nginx give-back\n  wazo-auth-nginx give-back --detach',
    'status': 'wazo-auth-nginx status',
    'check': 'wazo-auth-nginx check',
    'setup': 'wazo-auth-nginx setup',
    'teardown': 'wazo-auth-nginx teardown\n  wazo-auth-nginx teardown --drop-database --yes',
}


def parser():
    top = argparse.ArgumentParser(
        'wazo-auth-nginx',
        description=DESCRIPTION,
        epilog=f'examples:\n  {EXAMPLES[""]}\n\n{STATUSES}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument('--root', default='/', help=argparse.SUPPRESS)
    verbs = top.add_subparsers(dest='verb', metavar='VERB', required=True)

    def verb(name, text):
        return verbs.add_parser(
            name,
            help=text,
            description=text,
            epilog=f'examples:\n  {EXAMPLES[name]}\n\n{STATUSES}',
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def dry(made):
        made.add_argument('--dry-run', action='store_true', help='print the steps, change nothing')

    takeover = verb('takeover', 'Take the daemon\'s place. Anything that fails is undone, and the daemon answers.')
    check = verb('check', 'Check what takeover checks first. Changes nothing, but for a login whose token is deleted.')
    for each in takeover, check:
        each.add_argument(
            '--credentials', type=Path, metavar='FILE', help='a login: YAML with username and password, or a key'
        )
        each.add_argument('--without-login', action='store_true', help='compare only what needs no login')
        each.add_argument(
            '--trial-port', type=int, default=PORT, metavar='PORT', help='of the trial nginx (default: %(default)s)'
        )
    takeover.add_argument('--accept-differences', action='store_true', help='go on where nginx answers otherwise')
    takeover.add_argument('--yes', action='store_true', help='ask nothing')
    takeover.add_argument(
        '--patience',
        type=float,
        default=30,
        help='seconds for a daemon that is told to stop, and answers, to give up its port (default: 30)',
    )
    dry(takeover)

    give_back = verb('give-back', 'Let the daemon answer again. If it doesn\'t come, nginx goes on.')
    give_back.add_argument('--detach', action='store_true', help='also remove from the database what nginx added')
    give_back.add_argument(
        '--without-daemon', action='store_true', help='there is no daemon any more: nobody will answer'
    )
    give_back.add_argument('--yes', action='store_true', help='ask nothing')
    dry(give_back)

    verb('status', 'Say who answers, and what is in place.')
    setup = verb('setup', 'Make database, schema and a first account on a machine without Wazo. May be repeated.')
    setup.add_argument(
        '--db-port', type=int, default=5432, metavar='PORT', help='of the local PostgreSQL (default: 5432)'
    )
    dry(setup)
    teardown = verb('teardown', 'Undo setup. The database stays, unless you say otherwise.')
    teardown.add_argument('--drop-database', action='store_true', help='drop the database, too, with all that is in it')
    teardown.add_argument(
        '--db-port', type=int, default=5432, metavar='PORT', help='of the local PostgreSQL (default: 5432)'
    )
    teardown.add_argument('--yes', action='store_true', help='ask nothing')
    dry(teardown)
    for name in COMMANDS:
        verbs.add_parser(name, help=f'run wazo-auth-{name}', add_help=False)
    top.set_defaults(
        credentials=None, without_login=False, trial_port=PORT, accept_differences=False, patience=30, detach=False,
        without_daemon=False, dry_run=False, yes=False, drop_database=False, db_port=5432,
    )  # fmt: skip
    return top


def confirmed(question, options):
    """Asked of people only: a script that runs this means it."""
    if options.yes or options.dry_run or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return True
    return input(f'{question} [Y/n] ').strip().lower() in ('', 'y', 'yes')


def work(places, screen, options):
    if options.verb == 'status':
        return Platform(places, screen, options).status()
    if os.geteuid() != 0 and not options.dry_run:
        raise Failure('This needs root.')
    if options.verb == 'check':
        Platform(places, screen, options).check()
        return 0
    if options.dry_run:
        return plan(places, screen, options)
    with_lock = Lock(places.lock)  # held until the process ends
    if options.verb in ('setup', 'teardown'):
        made = Setup(places, screen, options)
        made.setup() if options.verb == 'setup' else made.teardown()
        return 0
    platform = Platform(places, screen, options)
    if options.verb == 'takeover' and confirmed('Take the place of the daemon wazo-auth?', options):
        platform.takeover()
    elif options.verb == 'give-back' and confirmed('Give the place back to the daemon wazo-auth?', options):
        platform.give_back()
        Setup(places, screen, options).stop()  # for who removes the package: nobody can serve without it
    del with_lock
    return 0


def plan(places, screen, options):
    screen.say(f'{options.verb} would do this, in this order (nothing is changed now):')
    if options.verb in ('setup', 'teardown'):
        Setup(places, screen, options).dry_run(options.verb)
        return 0
    platform = Platform(places, screen, options)
    platform.dry_run(platform.takeover_steps if options.verb == 'takeover' else platform.give_back_steps)
    if options.detach:
        screen.say('  step:  remove from the database what nginx added')
    return 0


def main(argv=None):
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and argv[0] in COMMANDS:
        program = Places().program(argv[0])
        try:
            os.execvp(program, [program, *argv[1:]])
        except OSError as error:
            print(f'wazo-auth-nginx: {program}: {error.strerror}', file=sys.stderr)
            return 1
    options = parser().parse_args(argv)
    screen = Screen()
    try:
        return work(Places(options.root), screen, options)
    except Busy as error:
        return ended(error, 4)
    except NotUndone as error:
        return ended(f'{error}\n"wazo-auth-nginx status" tells who answers. Run "wazo-auth-nginx give-back" again once the '
                     'cause is gone.', 3)  # fmt: skip
    except Interrupted as error:
        return ended(error, 1)
    except Failure as error:
        return ended(error, 1)
    except KeyboardInterrupt:
        return ended('Interrupted; nothing was changed.', 1)
    except OSError as error:
        return ended(error, 1)


def ended(error, status):
    print(f'wazo-auth-nginx: {error}', file=sys.stderr)
    return status
