"""nginx into the daemon's place, and the daemon back."""
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from . import compare, files
from .compare import Api
from .journal import Journal
from .places import UNIT
from .probe import Probe
from .runner import NotUndone, Runner, Step
from .screen import Failure
from .settings import RestApi
from .system import (
    Nginx,
    Unit,
    daemon_reload,
    environment_of,
    has_connection,
    holders,
    holds,
    is_held,
    is_program,
    kill,
    listening_inodes,
    listens,
    lives,
    named_holders,
    port_is_taken,
    run,
    wait_until,
)
from .trial import Trial

SPACE = 64 << 20  # bytes that have to be free for the journal, logs and the database's changes
SILENCE = 3  # seconds that a daemon which is told to stop may keep its port without answering
PORT_TAKEN = re.compile('Address already in use|Errno 98')
COMING = 30  # seconds for a daemon that lives to answer, with nobody else at its port
STARTING = 5  # seconds for systemd to make its process


class Platform:
    """What this machine has, and the steps over it."""

    def __init__(self, places, screen, options):
        self.places = places
        self.screen = screen
        self.options = options
        self.journal = Journal(places.journal)
        self.runner = Runner(screen, self.journal)
        self.nginx = Nginx(places)
        self.unit = Unit(UNIT)
        self.rest_api = None  # RestApi
        self.credentials = []
        self.theirs = None  # what the daemon answered
        self.dump = {}
        self.api = None

    # -- checks --------------------------------------------------------------------------------------------------------

    def check_root(self):
        if os.geteuid() != 0:
            raise Failure('This needs root.')

    def check_settings(self):
        self.rest_api = RestApi.read(self.places)
        self.api = Api(self.rest_api.port, self.rest_api.tls, self.rest_api.reached_at)
        return f'{self.places.config}: the API is at {self.rest_api}'

    def check_nginx(self):
        self.dump = self.nginx.dump()
        if not self.nginx.master:
            raise Failure('nginx isn\'t running: start it ("systemctl start nginx", "journalctl -u nginx").')
        if not self.modules():
            raise Failure('nginx doesn\'t load the module: install libnginx-mod-http-wazo-auth, or link '
                          '50-mod-http-wazo-auth.conf into /etc/nginx/modules-enabled again.')  # fmt: skip
        return f'nginx -t is content, and nginx runs (process {self.nginx.master})'

    def modules(self):
        """The directive that loads the module, with the whole path: the trial has another prefix."""
        found = [
            line.strip()
            for text in self.dump.values()
            for line in re.findall(r'^\s*load_module\s+[^;]*ngx_wazo_auth_module\.so[^;]*;', text, re.M)
        ]
        return [re.sub(r'^(load_module\s+["\']?)(?!["\'/])', rf'\1{self.nginx.prefix}/', line) for line in found[:1]]

    def workers_user(self):
        for text in self.dump.values():
            found = re.search(r'^\s*user\s+([^;]+);', text, re.M)
            if found:
                return found[1]
        return 'www-data'

    def check_listen(self):
        """What is going to listen is where the daemon is, and nobody else of nginx's is there."""
        try:
            text = self.places.authority.read_text()
        except OSError as error:
            raise Failure(f'{self.places.authority} can\'t be read: {error.strerror}') from error
        text = re.sub(r'(^|\s)#.*', r'\1', text)
        wanted = self.rest_api
        if (wanted.address, wanted.port, wanted.tls) not in listens(text):
            raise Failure(f'{self.places.authority} doesn\'t listen where {self.places.config} has the API, {wanted}. In '
                          f'its server there should be:\n{wanted.directives()}')  # fmt: skip
        for file, content in self.dump.items():
            if Path(file) in (self.places.link, self.places.authority):
                continue
            if any(port == wanted.port for _, port, _ in listens(content)):
                raise Failure(f'{file} listens on port {wanted.port} already. Take that away first.')
            if re.search(r'^\s*wazo_auth_config\s', content, re.M):
                raise Failure(f'{file} has wazo_auth_config, and it can be there once only: {self.places.authority} brings '
                              'it. Take it away there (and wazo_auth_zone if its name is the same).')  # fmt: skip
        files.conf_link(self.places).check()
        return f'{self.places.authority} listens there, and no other file of nginx'

    def check_daemon(self):
        shown = self.unit.show()
        if shown.get('LoadState') == 'not-found':
            raise Failure(f'There is no unit {UNIT}: whose place is to be taken? On a machine without Wazo run '
                          '"wazo-auth-nginx setup".')  # fmt: skip
        files.drop_in(self.places).check()
        port = self.rest_api.port
        if shown.get('LoadState') == 'masked' or shown.get('ActiveState') not in ('active', 'reloading'):
            if port_is_taken(port):
                raise Failure(f'{UNIT} isn\'t active ({shown.get("ActiveState")}), and port {port} is taken by '
                              f'{named_holders(port)}. End that first.')  # fmt: skip
            self.screen.warn(f'{UNIT} is {shown.get("LoadState")} and {shown.get("ActiveState")}: nothing to compare with, and '
                             'give-back will leave it so')  # fmt: skip
            return 'the daemon doesn\'t run'
        if not self.of_the_unit(port):
            raise Failure(f'Port {port} is not the daemon\'s: {named_holders(port)} listens there, and {UNIT} is process '
                          f'{shown.get("MainPID")}.')  # fmt: skip
        if not wait_until(lambda: self.api.answers(5), 10, 0.2):
            raise Failure(f'The daemon doesn\'t answer at port {port} as it should (a question about an unknown token: no '
                          '404). Is its database there? See /var/log/wazo-auth.log.')  # fmt: skip
        return f'the daemon answers (process {shown.get("MainPID")})'

    def of_the_unit(self, port):
        """Is the port held by the daemon, or a child of it?"""
        pid = self.unit.pid
        if holds(pid, port):
            return True
        return bool(pid) and any(_is_child(holder, pid) for holder in holders(port))

    def daemon_runs(self):
        return self.journal.before.get('running', False)

    def check_database(self):
        """The command asks for the same things as the upgrade itself, and only writes down what it would do."""
        self.upgrade_db('--print')
        return 'the database is there, and its schema is known'

    def upgrade_db(self, *words):
        done = run(self.places.program('upgrade-db'), '--config-file', self.places.config, *words, timeout=1800)
        if done.returncode:
            raise Failure(
                f'upgrade-db {" ".join(words)} says:\n{done.stderr.strip()}'.replace('upgrade-db  ', 'upgrade-db ')
            )
        return done

    def check_space(self):
        for folder in self.places.state, self.places.run, self.places.link.parent:
            if files.free_space(folder) < SPACE:
                raise Failure(f'Less than {SPACE >> 20} MB are free at {folder}.')
        return None

    def check_identity(self):
        """XIVO_UUID as the daemon has it, for nginx, whose master may have been started without it. That can't be seen from
        outside (nginx overwrites its environment by its title), so it is always said in a file."""
        if self.configured_identity():
            return f'nginx is configured with XIVO_UUID, {self.configured_identity()}'
        if not self.identity():
            self.screen.warn('XIVO_UUID is nowhere: events and tokens won\'t name this installation')
            return None
        return f'XIVO_UUID is {self.identity()}'

    def identity(self):
        own = environment_of(self.unit.pid).get('XIVO_UUID') if self.unit.pid else None
        found = self.configured_identity() or own or files.written_identity(self.places)
        return found if found and files.IDENTITY.fullmatch(found) else None

    def configured_identity(self):
        for text in self.dump.values():
            found = re.search(r'^\s*env\s+XIVO_UUID=([^;\s]+);', text, re.M)
            if found:
                return found[1]
        return None

    def check_credentials(self):
        if self.unit.show().get('ActiveState') != 'active':
            return 'no daemon to log in at'
        if self.options.without_login:
            return 'no login, as asked'
        known = compare.all_credentials(self.places, self.options.credentials)
        if not known:
            raise Failure(f'No credentials for a login: neither {self.places.credentials} nor a key in {self.places.keys}. '
                          'Give a file like these by --credentials, or compare less by --without-login.')  # fmt: skip
        self.credentials, refused = compare.usable(self.api, known)
        if not self.credentials:
            raise Failure('The daemon accepts none of the credentials that there are:\n' + '\n'.join(refused) +
                          '\nGive a file with better ones by --credentials, or compare less by --without-login.')  # fmt: skip
        for each in refused:
            self.screen.warn(f'not accepted by the daemon: {each}')
        return 'logged in at the daemon as ' + ' and '.join(each.username for each in self.credentials)

    def checks(self):
        return [
            ('root', 'who runs this', self.check_root),
            ('settings', 'settings', self.check_settings),
            ('space', 'free space', self.check_space),
            ('nginx', 'nginx', self.check_nginx),
            ('listen', 'where nginx is going to listen', self.check_listen),
            ('daemon', 'the daemon', self.check_daemon),
            ('database', 'the database', self.check_database),
            ('identity', 'XIVO_UUID', self.check_identity),
            ('credentials', 'credentials', self.check_credentials),
        ]

    def check(self):
        """Everything that takeover checks first. Changes nothing."""
        for _, title, do in self.checks():
            self.screen.done(do() or title)

    # -- takeover ------------------------------------------------------------------------------------------------------

    def remember(self):
        shown = self.unit.show()
        return {
            'running': shown.get('ActiveState') == 'active',
            'load_state': shown.get('LoadState'),
            'log': files.owner_of(self.places.daemon_log),
            'identity': self.identity(),
            'write_identity': bool(self.identity()) and not self.configured_identity(),
            'port': self.rest_api.port,
        }

    def takeover_steps(self):
        return [
            Step('adopt', 'adopt the database (the daemon goes on)', self.adopt),
            Step('trial', 'try nginx out, and compare it with the daemon', self.try_out, self.end_trial),
            Step('files', 'put nginx\'s files and the unit\'s drop-in', self.put_files, self.take_files),
            Step('switch', 'stop the daemon, let nginx listen', self.switch, self.switch_back),
            Step('unit', f'let the unit {UNIT} stand for nginx', self.start_stand_in),
            Step('verify', 'compare again, at the daemon\'s port', self.verify),
        ]

    def takeover(self):
        if self.journal.state == 'active' and self.serves():
            self.screen.done('nginx is in the daemon\'s place already')
            return
        if self.journal.state:
            self.screen.warn(f'a run of before has not ended ({self.journal.state} since {self.journal.data["since"]}): undone '
                             'first')  # fmt: skip
            self.recover()
        self.check()
        self.journal.open('taking-over', self.remember())
        try:
            self.runner.forward(self.takeover_steps())
        except NotUndone:
            raise
        except Exception:
            self.journal.close()
            raise
        self.journal.settle('active')
        self.screen.say()
        self.screen.done('nginx is in the daemon\'s place; "wazo-auth-nginx give-back" undoes it')

    def serves(self):
        """Does the machine's nginx answer at the port?"""
        if not self.api:
            self.check_settings()
        return self.nginx.holds(self.rest_api.port) and self.api.answers(5)

    def recover(self):
        """After a run that was killed: the daemon is back in its place."""
        self.check_settings()
        steps = [step for step in self.takeover_steps() if step.name != 'adopt']
        self.runner.back(steps)
        self.journal.close()

    def adopt(self):
        self.places.adopted.touch()  # first: what may be there has to be removed some day
        self.upgrade_db()
        return 'the database has what nginx needs'

    def try_out(self):
        trial = Trial(self.places, self.options.trial_port)
        try:
            trial.start(self.modules(), self.workers_user(), self.identity())
            self.compare_with(trial.api)
        finally:
            trial.stop()
        return (
            f'nginx at port {trial.port} answered as the daemon does'
            if self.theirs
            else 'nginx answers at a trial port'
        )

    def compare_with(self, ours):
        if not self.journal.before['running']:
            return
        for attempts in 3, 2, 1:  # others write meanwhile: what is still different then is
            self.theirs = compare.examine(self.api, self.credentials, ours)
            found = compare.differences(self.theirs, compare.examine(ours, self.credentials, self.api))
            if not found or attempts == 1:
                break
        self.judge(found)

    def judge(self, found):
        if found and self.options.accept_differences:
            self.screen.warn('different from the daemon, accepted:\n' + '\n'.join(found))
        elif found:
            raise Failure(
                'nginx answers otherwise than the daemon (accept it by --accept-differences):\n' + '\n'.join(found)
            )

    def end_trial(self):
        Trial(self.places, self.options.trial_port).stop()
        return 'the trial is over'

    def our_files(self):
        before = self.journal.before
        ours = [files.conf_link(self.places)]
        if (self.places.ours / 'platform-log.conf').exists():
            ours.append(files.log_link(self.places, 'platform'))
        if before.get('write_identity'):
            ours.append(files.identity_file(self.places, before['identity']))
        if before.get('load_state') != 'masked':
            ours.append(files.drop_in(self.places))
        return ours

    def put_files(self):
        for each in self.our_files():
            each.put()
        self.nginx.test()
        return 'files are in place, nginx -t is content'

    def take_files(self):
        for each in self.our_files():
            each.take()
        files.log_link(self.places, 'platform').take()
        files.restore_owner(self.places.daemon_log, self.journal.before.get('log'))
        daemon_reload()
        return 'the files are gone'

    # -- the switch ----------------------------------------------------------------------------------------------------

    def switch(self):
        port = self.rest_api.port
        with Probe(self.api) as probe:
            if self.journal.before['running']:
                self.stop_daemon(port, probe)
            self.listen(port)
        return f'nginx answers at port {port}' + self.told_gap(probe)

    def told_gap(self, probe):
        return f'; without an answer: {probe.gap:.2f} s' if self.journal.before['running'] else ''

    def stop_daemon(self, port, probe):
        """Until its port is free; the rest of its end is awaited later. One that goes on answering has time; nobody is made
        to wait for one that doesn't."""
        sockets = listening_inodes(port) if self.of_the_unit(port) else set()
        stopping = self.unit.begin('stop')
        try:
            wait_until(
                lambda: not port_is_taken(port) or stopping.poll() not in (None, 0) or probe.silence > SILENCE,
                self.options.patience,
                0.002,
            )
            if port_is_taken(port) and probe.silence > min(SILENCE, self.options.patience):
                self.end_holders(port, sockets)
            if port_is_taken(port):
                raise Failure(f'{UNIT} was told to stop, and port {port} is still taken by {named_holders(port)}'
                              f'{_said(stopping)}. See "journalctl -u {UNIT}".')  # fmt: skip
            self.stopping = stopping
        except BaseException:
            stopping.kill()
            stopping.wait()
            raise

    def end_holders(self, port, sockets):
        """Those that have inherited one of these sockets of the daemon's, and nobody else."""
        if 1 in holders(port) or not listening_inodes(port) <= sockets:
            return
        self.screen.warn(f'port {port} is kept, and nobody answers there: {named_holders(port)} is killed')
        for pid in holders(port):
            kill(pid)
        wait_until(lambda: not port_is_taken(port), 5, 0.002)

    stopping = None

    def daemon_has_ended(self):
        if self.stopping:
            try:
                self.stopping.wait(self.options.patience)
            except subprocess.TimeoutExpired:
                self.stopping.kill()
                self.screen.warn(f'{UNIT} has given up its port and doesn\'t end: systemd will see to it')
            self.stopping = None

    def listen(self, port):
        """A reload that fails leaves the old configuration in force, and nothing says so: see who has the port."""
        self.refuse_stranger(port)
        mark = self.nginx.mark()
        self.nginx.reload()
        if not wait_until(lambda: self.nginx.holds(port) or self.nginx.complaints_since(mark), 15, 0.005) or not (
            wait_until(lambda: self.nginx.holds(port), 4, 0.01)
        ):
            why = self.nginx.complaints_since(mark) or f'(nothing in {self.nginx.error_log})'
            raise Failure(f'nginx was told to reload, and {named_holders(port)} has port {port}. Its log says:\n{why}')
        if not wait_until(lambda: self.api.answers(2), 20, 0.01):
            raise Failure(f'nginx listens at port {port} and doesn\'t answer:\n{self.nginx.complaints_since(mark)}')

    def start_stand_in(self):
        self.daemon_has_ended()
        daemon_reload()
        if self.journal.before.get('load_state') == 'masked':
            return f'{UNIT} is masked, and stays so'
        self.unit('start')
        return f'{UNIT} is active, and means nginx'

    def verify(self):
        if not self.serves():
            raise Failure(f'nginx doesn\'t answer at port {self.rest_api.port}.')
        if self.theirs:
            ours = compare.examine(self.api, self.credentials)
            theirs = {question: answer for question, answer in self.theirs.items() if question in ours}
            self.judge(compare.differences(theirs, ours))
        return f'nginx answers at port {self.rest_api.port} as the daemon did'

    # -- the way back --------------------------------------------------------------------------------------------------

    def switch_back(self):
        """The daemon has its port again. Right from any state in between."""
        port = self.rest_api.port
        if self.stopping:
            self.stopping.kill()
            self.stopping = None
        self.wake(port)
        if self.of_the_unit(port):  # it never stopped
            self.take_files()
            if self.journal.before['running'] and not self.stays():
                self.start_daemon(port)
            return 'the daemon has its port'
        failed = None
        with Probe(self.api) as probe:
            try:
                self.hand_over(port)
            except Failure as error:
                self.screen.bad(error)
                self.screen.warn('the daemon doesn\'t come: nginx is put in its place again')
                self.switch_again()
                failed = error
        if failed:
            raise Failure(f'The daemon doesn\'t come; nginx answers in its place{self.told_gap(probe)}.') from failed
        return (
            'the daemon answers' if self.journal.before['running'] else 'the port is free, as before'
        ) + self.told_gap(probe)

    def wake(self, port):
        """A run that was killed may have left it held, on its way to the port. It tries that once: where nginx still has
        it, the next process is the one to wait for."""
        pid = self.unit.pid
        if not pid:
            return
        held = is_held(pid)
        kill(pid, signal.SIGCONT)
        if held and self.nginx.holds(port):
            self.unit('stop')  # or systemd would try again

    def stays(self):
        """It may be on its way down since it was told to stop."""
        return self.unit.show().get('ActiveState') == 'active' and self.api.answers(5)

    def hand_over(self, port):
        self.refuse_missing_program()
        if self.unit.show().get('ActiveState') in ('active', 'activating', 'reloading') and not self.unit.pid:
            self.unit('stop')  # the stand-in, whose end ends nothing
        self.take_files()
        held = None
        if self.nginx.holds(port):
            self.nginx.test()
            held = self.start_early(port) if self.journal.before['running'] else None
            try:
                self.leave_port(port)
            finally:
                if held:
                    kill(held[0], signal.SIGCONT)
        self.start_daemon(port, held)

    def refuse_missing_program(self):
        """Before anything is changed: a unit without its program can't come."""
        if self.journal.before['running']:
            for program in self.unit.programs(without=self.places.drop_in):
                if not is_program(program):
                    raise Failure(f'{program}, which the unit {UNIT} starts, is missing or can\'t be executed. Install the '
                                  'package again.')  # fmt: skip

    def start_early(self, port):
        """Most of a start is reading the program. That happens while nginx still answers: at its first connection, to the
        database, the daemon is held until the port is free: (its process, the mark of its start). One that ends before
        that is a Failure, and nginx has never stopped answering, unless it was quicker than this and has found its port
        taken: None."""
        for _ in range(3):
            pid, mark = self.begin_daemon(port)
            if pid and wait_until(lambda: has_connection(pid) or not lives(pid), 30, 0.002) and lives(pid):
                kill(pid, signal.SIGSTOP)
                return pid, mark
            if not (pid and lives(pid)):
                why = wait_until(lambda: self.ended_by(mark), 2, 0.1)
                if why and not PORT_TAKEN.search(why):
                    raise Failure(f'{UNIT} was started and ended at once:\n{_last_lines(why)}')
            self.unit('stop')  # or systemd would try again
        return None

    def begin_daemon(self, port):
        """(its process, the mark of its start, for ended_by()). Now, and not when systemd tries again. One that was told to
        stop has given up its port long before it ends, and systemd starts the next one after that: until then the unit's
        process is the one of before, which is nobody to wait for."""
        ending = self.unit.ending
        run('systemctl', 'reset-failed', UNIT)
        mark = time.time(), files.size_of(self.places.daemon_log)
        self.unit.begin('start')
        in_time = ending is not None and port_is_taken(port)  # by the one that ends, or by nginx: somebody answers
        pid = self.await_process(ending, self.options.patience if in_time else STARTING)
        if not pid and self.unit.ending is not None and not self.of_the_unit(port):
            self.screen.warn(f'{UNIT} has given up its port, and doesn\'t end: it is killed')
            run('systemctl', 'kill', '--signal=KILL', UNIT)
            pid = self.await_process(ending, STARTING)
        return pid, mark

    def await_process(self, ending, seconds):
        """The unit's process that isn't the one that ends; 0 where systemd makes none."""
        found = wait_until(lambda: [pid for pid in [self.unit.pid] if pid not in (0, ending)], seconds, 0.01)
        return found[0] if found else 0

    def ended_by(self, mark):
        """What its log and systemd's say of its end; nothing where that can't be read."""
        since, size = mark
        said = self.unit.said(since) + files.text_since(self.places.daemon_log, size)
        return said if 'process exited' in said or PORT_TAKEN.search(said) else ''

    def leave_port(self, port):
        mark = self.nginx.mark()
        self.nginx.reload()
        if not wait_until(lambda: not self.nginx.holds(port) and not port_is_taken(port), 20, 0.002):
            raise Failure(f'nginx was told to reload without port {port}, and {named_holders(port)} still has it:\n'
                          f'{self.nginx.complaints_since(mark)}')  # fmt: skip

    def start_daemon(self, port, early=None):
        """`early`: what start_early() has begun."""
        if not self.journal.before['running']:
            return
        self.refuse_stranger(port)
        pid, mark = early or self.begin_daemon(port)
        came = self.await_daemon(port, pid)
        if not came and early and PORT_TAKEN.search(self.ended_by(mark)):  # it had tried before it was held
            self.unit('stop')
            came = self.await_daemon(port, self.begin_daemon(port)[0])
        if not came:
            raise Failure(f'{UNIT} was started and doesn\'t answer at port {port}, which {named_holders(port)} has. See '
                          f'"journalctl -u {UNIT}" and {self.places.daemon_log}.')  # fmt: skip
        self.unit('start', timeout=100)  # until systemd counts it as active

    def await_daemon(self, port, pid):
        """Until it answers, or has ended: nobody else answers meanwhile."""
        wait_until(lambda: self.daemon_came(port) or not (pid and lives(pid)), COMING, 0.02)
        return self.daemon_came(port)

    def daemon_came(self, port):
        self.refuse_stranger(port)
        return self.of_the_unit(port) and self.api.answers(5)

    def refuse_stranger(self, port):
        """Neither the daemon nor nginx can have a port that somebody else has: nothing to wait for."""
        if port_is_taken(port) and not self.nginx.holds(port) and not self.of_the_unit(port):
            found = named_holders(port)
            if found != 'nobody' and not self.of_the_unit(port):
                raise Failure(f'Port {port} is taken by {found}: end that, and run "wazo-auth-nginx give-back".')

    def give_back_steps(self):
        return [
            Step('warm', 'read the daemon\'s files, so that it starts fast', self.warm),
            Step('back', 'let the daemon have its port', self.switch_back, self.switch_again),
            Step('check', 'ask the daemon', self.check_given_back),
        ]

    def give_back(self):
        if not self.journal.state:
            self.screen.done('nginx isn\'t in the daemon\'s place: nothing to give back')
        elif self.journal.state == 'taking-over':
            self.screen.warn(f'a takeover of {self.journal.data["since"]} has not ended: it is undone')
            self.recover()
        else:
            self.check_settings()
            self.check_way_back()
            self.journal.open('giving-back', self.journal.before)
            try:
                self.runner.forward(self.give_back_steps())
            except NotUndone:
                raise
            except Exception:
                self.journal.settle('active')
                raise
            self.journal.close()
            self.screen.done('the daemon is in its place')
        if self.options.detach:
            self.detach()

    def check_way_back(self):
        self.nginx.test()
        shown = self.unit.show()
        if shown.get('LoadState') == 'not-found' and self.journal.before['running'] and not self.options.without_daemon:
            raise Failure(f'There is no unit {UNIT} any more: without nginx nobody would answer. Install the package again, or '
                          'say --without-daemon.')  # fmt: skip
        if self.options.without_daemon:
            self.journal.before['running'] = False
        self.refuse_missing_program()

    def warm(self):
        """Its program and what it imports, from the disk into memory. Nothing of it runs, nothing is written."""
        folders = [
            self.places / 'usr/lib/python3/dist-packages' / name
            for name in ('wazo_auth', 'xivo', 'wazo_bus', 'sqlalchemy')
        ]
        for folder in folders:
            for file in folder.rglob('*.py*') if folder.is_dir() else ():
                try:
                    file.read_bytes()
                except OSError:
                    pass
        return None

    def check_given_back(self):
        if self.journal.before['running'] and not (self.of_the_unit(self.rest_api.port) and self.api.answers(10)):
            raise Failure(f'The daemon doesn\'t answer at port {self.rest_api.port}.')
        return 'the daemon answers' if self.journal.before['running'] else 'the daemon is as it was: not running'

    def switch_again(self):
        """The daemon doesn't come: nginx goes on."""
        port = self.rest_api.port
        self.put_files()
        if self.nginx.holds(port):  # whether it answers or, without a database, can't
            self.stopping = self.unit.begin('stop')  # or systemd would try again
            self.nginx.reload()  # it may have been told to give up the port
        else:
            self.refuse_stranger(port)
            with Probe(self.api) as probe:
                self.stop_daemon(port, probe)
            self.listen(port)
        self.daemon_has_ended()
        run('systemctl', 'reset-failed', UNIT)
        self.start_stand_in()
        return 'nginx goes on answering'

    def detach(self):
        if not self.places.adopted.exists():
            self.screen.done('no database was adopted by takeover: nothing to remove there')
            return
        if self.nginx.holds(RestApi.read(self.places).port):
            raise Failure('nginx still answers: what it needs stays in the database.')
        self.screen.begin('remove from the database what nginx added')
        if not wait_until(self.detached, 30, 0.5):
            self.upgrade_db('--detach')
        self.places.adopted.unlink()
        self.screen.done('the database is as before')

    def detached(self):
        """Workers that end may be connected for a moment."""
        return (
            run(
                self.places.program('upgrade-db'), '--config-file', self.places.config, '--detach', timeout=300
            ).returncode
            == 0
        )

    # -- status --------------------------------------------------------------------------------------------------------

    def status(self):
        """Who answers, and whether that is what it should be."""
        self.check_settings()
        port = self.rest_api.port
        shown = self.unit.show()
        answers = self.api.answers(5)
        who = 'nginx' if self.nginx.holds(port) else 'the daemon' if self.of_the_unit(port) else named_holders(port)
        self.screen.say(f'port {port}: {who}{"" if answers else ", without a right answer"}')
        self.screen.say(f'unit {UNIT}: {shown.get("LoadState")}, {shown.get("ActiveState")} ({shown.get("SubState")})')
        self.screen.say(f'takeover: {self.journal.state or "none"}'
                        + (f' since {self.journal.data["since"]}' if self.journal.state else ''))  # fmt: skip
        ours = files.conf_link(self.places)
        self.screen.say(f'{self.places.link}: {"ours" if ours.there else "not there"}')
        if self.journal.state in ('taking-over', 'giving-back'):
            self.screen.warn(
                'it was interrupted: "wazo-auth-nginx give-back" puts the daemon back, "takeover" starts again'
            )
            return 5
        if self.journal.state == 'active' and not (answers and who == 'nginx'):
            self.screen.warn('nginx should answer and doesn\'t: see its error log; "give-back" puts the daemon back')
            return 1
        return 0 if answers else 1

    def dry_run(self, steps):
        for _, title, _ in self.checks() if steps == self.takeover_steps else ():
            self.screen.say(f'  check: {title}')
        for step in steps():
            self.screen.say(f'  step:  {step.title}')


def _is_child(pid, of):
    while pid and pid != 1:
        if pid == of:
            return True
        try:
            pid = int(Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[1])
        except (OSError, ValueError, IndexError):
            return False
    return False


def _last_lines(text):
    return '\n'.join(text.splitlines()[-5:])


def _said(process):
    if process.poll() in (None, 0):
        return ''
    return f' ("systemctl stop" said: {process.stderr.read().strip()})'
