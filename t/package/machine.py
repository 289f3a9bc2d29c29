"""A Debian 12 with systemd as its first process, in namespaces of its own: what `apt install` does to a real server.

A machine is layers of folders below build/package-machine, which are made once, and an empty one on top (overlayfs). It has a
network of its own, with nothing but loopback, so its ports are nobody else's. apt finds Debian's packages in /srv/debian,
fetched when the layers are made, and those of a test in /srv/wazo. Everything is mounted inside the machine's own
namespace: whatever ends it, even the death of the tests, leaves no mount behind.
"""
import concurrent.futures
import contextlib
import ctypes
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support import servers

MIRROR = 'http://deb.debian.org/debian'
SECURITY = 'http://deb.debian.org/debian-security'
PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
BASE_PACKAGES = ('systemd', 'systemd-sysv', 'dbus', 'ca-certificates', 'iproute2', 'procps')
PR_SET_PDEATHSIG = 1
CLONE_NEWNET = 0x40000000
BOOT_SECONDS = 300  # where others keep the processors busy

# $1 the new root, $2 its layers, $3 and $4 overlayfs' folders to write to, $5 Debian's packages, $6 those of the test.
INIT = r'''
set -eu
root=$1
mount -t overlay overlay -o "lowerdir=$2,upperdir=$3,workdir=$4,volatile" "$root"
mkdir -p "$root/srv/debian" "$root/srv/wazo"
mount --bind -o ro "$5" "$root/srv/debian"
mount --bind "$6" "$root/srv/wazo"
cd "$root"
hostname wazo
ip link set lo up
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
  : >"dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t cgroup2 cgroup2 sys/fs/cgroup
mkdir -p .host
pivot_root . .host
umount -l /.host
rmdir /.host
exec env -i container=wazo-auth-test PATH="$7" LANG=C.UTF-8 /sbin/init --log-target=console --show-status=false
'''


# apt of the base, with this machine's network. $1 the base, $2 a scratch folder, $3 where packages go, $4 packages that will
# be offered, $5 sources.list, and the names of packages.
FETCH = r'''
set -eu
mount -t tmpfs tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
cd "$2/root"
mount --bind /dev dev
mount -t proc proc proc
mkdir -p srv/debian srv/offered
mount --bind "$3" srv/debian
mount --bind "$4" srv/offered
cp -L /etc/resolv.conf etc/resolv.conf
cp -L /etc/hosts etc/hosts
printf %s "$5" >etc/apt/sources.list
shift 5
chroot . apt-get -qq update
set -- "$@" $(chroot . sh -c 'echo /srv/offered/*.deb')
chroot . apt-get -qq -y --no-install-recommends -d -o Dir::Cache::Archives=/srv/debian -o APT::Sandbox::User=root install "$@"
'''


class MachineError(Exception):
    pass


def why_not():
    """Why no machine can be had here: a sentence, '' where one can."""
    if os.geteuid() != 0:
        return 'test-package needs root: it mounts file systems and starts a systemd in namespaces of its own'
    tried = subprocess.run(
        ['unshare', '--mount', '--pid', '--net', '--uts', '--ipc', '--cgroup', '--fork', 'sh', '-c', MOUNTS_HERE],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        return (
            f'test-package may not make namespaces and mount in them here (no CAP_SYS_ADMIN?): {tried.stderr.strip()}'
        )
    return ''


MOUNTS_HERE = r'''
set -eu
folder=$(mktemp -d)
mount -t tmpfs tmpfs "$folder"
mkdir "$folder/cgroup" "$folder/lower" "$folder/upper" "$folder/work" "$folder/root"
mount -t cgroup2 cgroup2 "$folder/cgroup"
mount -t overlay -o "lowerdir=$folder/lower,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/root"
ip link set lo up
'''


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(*argv, **options):
    """Output of a command of this machine; MachineError with what it said when it fails."""
    done = subprocess.run(
        [str(word) for word in argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )
    if done.returncode:
        raise MachineError(
            f'{" ".join(str(word) for word in argv)} ended with {done.returncode}:\n{done.stdout[-4000:]}'
        )
    return done.stdout


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():  # overlayfs' own folder "work" is mode 000
        run('rm', '-rf', folder)


def remove_cgroup(path):
    for folder, _, _ in os.walk(path, topdown=False):
        with contextlib.suppress(OSError):  # processes that are still dying
            os.rmdir(folder)


class Workshop:
    """The layers, and the folder in which machines run. `key` of a layer: what it was made of; another one makes it anew."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.archive = self.folder / 'debian'
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.folder / 'lock', 'w', encoding='ascii')
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MachineError(f'another run of these tests has {self.folder}') from None
        for left in self.folder.glob('running-*'):  # by tests that were killed; their machines died with them
            remove_cgroup(_cgroup_root() / f'wazo-auth-{left.name}')
            remove(left)

    def layer(self, name):
        return self.folder / 'layers' / name

    def made(self, name, key):
        """Is the layer there, made of the same? Else its place is empty."""
        done = self.folder / 'layers' / f'{name}.key'
        key = hashlib.sha256(repr(key).encode()).hexdigest()
        if done.is_file() and done.read_text() == key:
            return True
        done.unlink(missing_ok=True)
        remove(self.layer(name))
        self.layer(name).parent.mkdir(parents=True, exist_ok=True)
        return False

    def key(self, name):
        """What names the layer's contents, to be a part of another's key."""
        return (self.folder / 'layers' / f'{name}.key').read_text()

    def mark(self, name, key):
        (self.folder / 'layers' / f'{name}.key').write_text(hashlib.sha256(repr(key).encode()).hexdigest())

    def base(self, tell):
        """Debian 12 as debootstrap makes it, that knows Debian's mirror."""
        key = (BASE_PACKAGES, MIRROR)
        if not self.made('base', key):
            tell('making a Debian 12 with debootstrap')
            run(
                'debootstrap',
                '--variant=minbase',
                f'--include={",".join(BASE_PACKAGES)}',
                'bookworm',
                self.layer('base'),
                MIRROR,
            )
            (self.layer('base') / 'etc/apt/sources.list').write_text(
                'deb [trusted=yes] file:/srv/debian ./\ndeb [trusted=yes] file:/srv/wazo ./\n'
            )
            (self.layer('base') / 'etc/hostname').write_text('wazo\n')
            (self.layer('base') / 'etc/hosts').write_text('127.0.0.1 localhost wazo\n')
            for package in (self.layer('base') / 'var/cache/apt/archives').glob('*.deb'):
                package.unlink()
            self.mark('base', key)

    def fetch(self, packages, offered, tell):
        """Debian's packages that these are and that those in the folder `offered` need, as a repository in /srv/debian."""
        needs = [run('dpkg-deb', '-f', package, 'Depends') for package in sorted(offered.glob('*.deb'))]
        key = (tuple(sorted(packages)), tuple(needs), self.key('base'))
        if self.made('../debian', key):
            return
        tell("fetching Debian's packages for the machine")
        (self.archive / 'partial').mkdir(parents=True)
        sources = ''.join(
            f'deb {where} {suite} main\n'
            for where, suite in ((MIRROR, 'bookworm'), (MIRROR, 'bookworm-updates'), (SECURITY, 'bookworm-security'))
        )
        with tempfile.TemporaryDirectory() as scratch:
            run(
                'unshare', '--mount', '--pid', '--fork', '--propagation', 'private', 'sh', '-c', FETCH, 'sh',
                self.layer('base'), scratch, self.archive, offered, sources, *packages,
                env={**os.environ, 'PATH': PATH, 'DEBIAN_FRONTEND': 'noninteractive'},
            )  # fmt: skip
        index(self.archive)
        self.mark('../debian', key)


def index(folder):
    """Makes a folder of packages a repository of apt's."""
    said = subprocess.run(
        ['dpkg-scanpackages', '--multiversion', '.'], cwd=folder, capture_output=True, text=True, check=True
    )
    (folder / 'Packages').write_text(said.stdout)


def _cgroup_root():
    found = run('findmnt', '-n', '-o', 'TARGET', '-t', 'cgroup2').split()
    if not found:
        raise MachineError('this machine has no cgroup2 mounted, which systemd needs')
    return Path(found[0])


class Machine:
    """`layers`: names, the lowest first. `wazo`: the folder that the machine finds as /srv/wazo."""

    def __init__(self, workshop, layers):
        self.workshop = workshop
        self.layers = layers
        self.folder = Path(tempfile.mkdtemp(prefix='running-', dir=workshop.folder))
        self.wazo = self.folder / 'wazo'
        self.console = self.folder / 'console.log'
        self.cgroup = None
        self.pid = None
        self._outer = None
        for name in ('root', 'upper', 'work', 'wazo'):
            (self.folder / name).mkdir()
        index(self.wazo)

    def start(self):
        self.cgroup = _cgroup_root() / f'wazo-auth-{self.folder.name}'
        self.cgroup.mkdir()

        def enter():
            _die_with_parent()
            (self.cgroup / 'cgroup.procs').write_text(str(os.getpid()))

        lower = ':'.join(str(self.workshop.layer(name)) for name in reversed(self.layers))
        with open(self.console, 'ab') as console:
            self._outer = subprocess.Popen(
                [
                    'unshare', '--mount', '--pid', '--net', '--uts', '--ipc', '--cgroup', '--fork', '--kill-child',
                    '--propagation', 'private', 'sh', '-c', INIT, 'sh', self.folder / 'root', lower,
                    self.folder / 'upper', self.folder / 'work', self.workshop.archive, self.wazo, PATH,
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                preexec_fn=enter,
                start_new_session=True,
            )  # fmt: skip
        try:
            servers.wait_until(self._has_init, 20, 'its first process')
            (self.cgroup.parent / 'cgroup.procs').write_text(str(self._outer.pid))  # or systemd may not divide its own
            servers.wait_until(self._is_up, BOOT_SECONDS, 'systemd is up', 0.1)
            self('systemctl log-target journal')  # as elsewhere: "journalctl -u" has systemd's own words
        except Exception as error:
            said = self.console.read_text(errors='replace')[-3000:]
            self.stop()
            raise MachineError(f'the machine does not boot: {error}\n{said}') from error
        return self

    def _has_init(self):
        if self._outer.poll() is not None:
            raise MachineError(f'ended with {self._outer.returncode}')
        children = Path(f'/proc/{self._outer.pid}/task/{self._outer.pid}/children').read_text().split()
        if children and Path(f'/proc/{children[0]}/exe').resolve().name == 'systemd':
            self.pid = int(children[0])
        return self.pid

    def _is_up(self):
        state = self.run('systemctl is-system-running', check=False, timeout=20)[0].strip()
        return state in ('running', 'degraded')

    def _entering(self):
        visitors = self.cgroup / 'visitors'
        visitors.mkdir(exist_ok=True)

        def enter():
            _die_with_parent()
            (visitors / 'cgroup.procs').write_text(str(os.getpid()))

        return enter

    def open(self, argv, environment=None, **options):
        """A process in the machine, as root."""
        environment = {'PATH': PATH, 'LANG': 'C.UTF-8', 'HOME': '/root', **(environment or {})}
        words = [
            'nsenter',
            f'--target={self.pid}',
            '--mount',
            '--uts',
            '--ipc',
            '--net',
            '--pid',
            '--cgroup',
            '--root',
            '--wd',
        ]
        words += ['env', '-i', *(f'{name}={value}' for name, value in environment.items())]
        options.setdefault('stdin', subprocess.DEVNULL)
        return subprocess.Popen(
            [*words, *(str(word) for word in argv)], text=True, preexec_fn=self._entering(), **options
        )

    def run(self, script, check=True, timeout=120, environment=None, argv=None):
        """(what it printed, exit code) of a script of bash's, or of `argv`. `check`: fails unless it ends with 0."""
        argv = argv or ['bash', '-o', 'pipefail', '-c', script]
        process = self.open(argv, environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            said = process.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            said = process.communicate()[0]
            raise MachineError(f'{script}: not done after {timeout} s:\n{said[-4000:]}') from None
        if check and process.returncode:
            raise MachineError(f'{script}: ended with {process.returncode}:\n{said[-6000:]}')
        return said, process.returncode

    def __call__(self, script, **options):
        """What a script prints, which has to end with 0."""
        return self.run(script, **options)[0]

    def threads(self, number=1):
        """An executor whose threads are in the machine's network: what connects there runs in it."""

        def move():
            with open(f'/proc/{self.pid}/ns/net', encoding='ascii') as network:
                if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), CLONE_NEWNET):
                    raise MachineError(f'setns: {os.strerror(ctypes.get_errno())}')

        return concurrent.futures.ThreadPoolExecutor(number, initializer=move)

    def path(self, path):
        """Where this machine sees the other's path."""
        return Path(f'/proc/{self.pid}/root') / str(path).lstrip('/')

    def offer(self, *packages):
        """Puts packages into /srv/wazo and tells apt."""
        for package in packages:
            shutil.copy(package, self.wazo)
        index(self.wazo)
        self('apt-get -qq update')

    def apt(self, verb, *packages, answers='', timeout=300, check=True):
        """What apt-get said. `answers`: for debconf-set-selections."""
        if answers:
            self(f'debconf-set-selections <<"END"\n{answers}\nEND')
        words = ' '.join(packages)
        return self.run(
            f'apt-get -y --no-install-recommends -o Dpkg::Use-Pty=0 {verb} {words}',
            check=check,
            timeout=timeout,
            environment={'DEBIAN_FRONTEND': 'noninteractive'},
        )[0]

    def power_off(self):
        """Ends it in good order, so that what it wrote can be a layer."""
        self.run('systemctl poweroff', check=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._outer.wait(60)
        self.stop(keep=True)

    def stop(self, keep=False):
        if self._outer:
            for pid in (self.pid, self._outer.pid):
                with contextlib.suppress(ProcessLookupError, TypeError):
                    os.kill(pid, signal.SIGKILL)
            self._outer.wait(30)
        if self.cgroup:
            limit = time.monotonic() + 20
            while self.cgroup.exists() and time.monotonic() < limit:
                remove_cgroup(self.cgroup)
                time.sleep(0.05)
        self._outer = self.pid = None
        if not keep:
            remove(self.folder)

    def become(self, name, key):
        """What this machine wrote is a layer from now on; the machine ends."""
        self.power_off()
        shutil.move(self.folder / 'upper', self.workshop.layer(name))
        remove(self.folder)
        self.workshop.mark(name, key)


if __name__ == '__main__':
    sys.exit(why_not() or 0)
