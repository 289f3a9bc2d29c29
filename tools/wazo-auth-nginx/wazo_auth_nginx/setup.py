"""A machine without Wazo: PostgreSQL and nginx are there, the rest is made here."""
import os
import re
import secrets
import uuid

from . import files
from .compare import Api, read_credentials
from .journal import Journal, write_whole
from .places import UNIT
from .runner import Runner, Step
from .screen import Failure
from .settings import RestApi
from .system import Nginx, Unit, holds, named_holders, port_is_taken, run, wait_until
from .takeover import Platform

DATABASE = OWNER = 'asterisk'


class Setup:
    def __init__(self, places, screen, options):
        self.places = places
        self.screen = screen
        self.options = options
        self.nginx = Nginx(places)
        self.journal = Journal(places.setup_journal)
        self.db_file = places.conf_d / '50-wazo-auth-nginx.yml'
        self.platform = Platform(places, screen, options)

    @property
    def made(self):
        return self.journal.before.setdefault('made', [])

    def make(self, file, text, mode=0o644):
        """Only where nothing is; it is written down first what will be ours."""
        if file.exists():
            return False
        file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if str(file) not in self.made:
            self.made.append(str(file))
            self.journal.write()
        write_whole(file, text, mode)
        return True

    # -- there ---------------------------------------------------------------------------------------------------------

    def steps(self):
        return [
            Step('config', 'configuration in /etc/wazo-auth', self.configure),
            Step('database', f'role and database "{DATABASE}" in PostgreSQL', self.make_database),
            Step('schema', 'schema', self.make_schema),
            Step('nginx', 'nginx\'s files', self.put_files, self.take_files),
            Step('serve', 'nginx serves', self.serve),
            Step('account', 'the first account', self.make_account),
        ]

    def check(self):
        if Unit(UNIT).show().get('LoadState') != 'not-found' or self.platform.journal.state:
            raise Failure(f'There is a unit {UNIT}: this machine has the daemon. Run "wazo-auth-nginx takeover".')
        self.screen.done(self.platform_nginx())

    def platform_nginx(self):
        self.platform.dump = self.nginx.dump()
        if not self.platform.modules():
            raise Failure('nginx doesn\'t load the module: install libnginx-mod-http-wazo-auth.')
        return 'nginx -t is content, and loads the module'

    def setup(self):
        self.check()
        if not self.journal.state:
            self.journal.open('setting-up', {'made': []})
        Runner(self.screen, self.journal).forward(self.steps())
        self.journal.settle('active')
        self.screen.say()
        self.screen.done(f'nginx is the authority at port {RestApi.read(self.places).port}')

    def configure(self):
        self.make(self.places.config, (self.places.share / 'config.yml').read_text())
        templates = self.places.share / 'templates'
        for file in sorted(templates.iterdir()) if templates.is_dir() else ():
            self.make(self.places.templates / file.name, file.read_text())
        os.makedirs(self.places.conf_d, exist_ok=True)

    def make_database(self):
        port = self.options.db_port
        self.make(
            self.db_file,
            '# Made by wazo-auth-nginx.\n'
            f'db_uri: postgresql://{OWNER}:{secrets.token_urlsafe(24)}@localhost:{port}/{DATABASE}?application_name=wazo-auth\n',
            0o640,
        )
        password = re.search(rf'{OWNER}:([^@]+)@', self.db_file.read_text())
        environment = {
            **os.environ,
            'PGPORT': str(port),
            'WAZO_AUTH_INIT_DB_PASSWORD': password[1] if password else '',
        }
        done = run(self.places.program('init-db'), '--user', 'postgres', environment=environment, timeout=120)
        if done.returncode:
            raise Failure(
                f'init-db says:\n{done.stderr.strip()}\nIs PostgreSQL installed, and does it run at port {port}?'
            )

    def make_schema(self):
        try:
            self.platform.upgrade_db()
        except Failure as error:
            raise Failure(f'{error}\nIf the role "{OWNER}" was there before, with another password, write that into '
                          f'{self.db_file}.') from None  # fmt: skip

    def identity(self):
        """Chosen once."""
        self.platform.dump = self.nginx.dump()
        return None if self.platform.configured_identity() else files.written_identity(self.places) or str(uuid.uuid4())

    def put_files(self):
        self.platform.check_settings()
        self.platform.dump = self.nginx.dump()
        self.platform.check_listen()
        identity = self.identity()
        if identity:
            self.make(self.places.identity, files.identity_file(self.places, identity).text)
        if (self.places.ours / 'own-log.conf').exists():
            files.log_link(self.places, 'own').put()
        files.conf_link(self.places).put()
        self.nginx.test()

    def take_files(self):
        files.conf_link(self.places).take()
        files.log_link(self.places, 'own').take()
        if str(self.places.identity) in self.made:
            self.places.identity.unlink(missing_ok=True)

    def serve(self):
        port = RestApi.read(self.places).port
        mark = self.nginx.mark()
        if self.nginx.master:
            if not self.nginx.holds(port) and port_is_taken(port):
                raise Failure(f'Port {port} is taken by {named_holders(port)}.')
            self.nginx.reload()
        else:
            Unit('nginx')('start')
        wait_until(lambda: holds(Nginx(self.places).master, port), 20)
        if not wait_until(lambda: Api(port).answers(5), 30, 0.1):
            raise Failure(f'nginx doesn\'t answer at port {port}:\n{self.nginx.complaints_since(mark)}')
        return f'nginx answers at port {port}'

    def make_account(self):
        """The default policies come with nginx's start, a moment later than its answers."""
        new = not self.places.credentials.exists()
        if new:
            self.made.append(str(self.places.credentials))
            self.journal.write()
        words = ['--config', self.places.config, '--credentials', self.places.credentials.parent, 'complete']
        tried = []
        wait_until(
            lambda: tried.append(run(self.places.program('bootstrap'), *words)) or not tried[-1].returncode, 20, 0.5
        )
        if tried[-1].returncode:
            raise Failure(f'bootstrap says:\n{tried[-1].stderr.strip()}')
        if not new:
            return f'the account of {self.places.credentials} is there'
        account = read_credentials(self.places.credentials)
        self.screen.say()
        self.screen.say(f'  first account, shown this once:  {account.username}  {account.password}', 'bold')
        self.screen.say(f'  kept for wazo-auth-cli in        {self.places.credentials}')
        self.screen.say()
        return 'the first account is made'

    # -- and back ------------------------------------------------------------------------------------------------------

    def teardown_steps(self):
        steps = [Step('quiet', 'nginx stops serving', self.stop_serving)]
        if self.options.drop_database:
            steps += [
                Step('drop', f'drop the database "{DATABASE}"', self.drop_database),
                Step('remove', 'remove what setup has written', self.remove_files),
            ]
        return steps

    def teardown(self):
        if not self.journal.state:
            self.screen.done('setup has not been here: nothing to undo')
            return
        Runner(self.screen, self.journal).forward(self.teardown_steps())
        if self.options.drop_database:
            self.journal.close()
        else:
            self.journal.settle('stopped')

    def stop(self):
        """What give-back does where there never was a daemon."""
        if self.journal.state in ('setting-up', 'active'):
            Runner(self.screen, self.journal).forward(self.teardown_steps()[:1])
            self.journal.settle('stopped')

    def stop_serving(self):
        self.take_files()
        if self.nginx.master:
            self.nginx.test()
            self.nginx.reload()
            port = RestApi.read(self.places).port
            if not wait_until(lambda: not self.nginx.holds(port), 20):
                raise Failure(f'nginx still listens at port {port}: see {self.nginx.error_log}.')

    def drop_database(self):
        environment = {**os.environ, 'PGPORT': str(self.options.db_port)}
        for words in ('dropdb', '--if-exists', '--force', DATABASE), ('dropuser', '--if-exists', OWNER):
            done = run('runuser', '-u', 'postgres', '--', *words, environment=environment)
            if done.returncode:
                raise Failure(f'{words[0]} says:\n{done.stderr.strip()}')

    def remove_files(self):
        for file in map(self.places.root.__class__, reversed(self.made)):
            file.unlink(missing_ok=True)
            for folder in file.parent, file.parent.parent:
                if (
                    folder.name in ('wazo-auth', 'conf.d', 'templates', 'wazo-auth-cli')
                    and folder != self.places.link.parent
                ):
                    try:
                        folder.rmdir()
                    except OSError:
                        break

    def dry_run(self, verb):
        for step in self.steps() if verb == 'setup' else self.teardown_steps():
            self.screen.say(f'  step:  {step.title}')
