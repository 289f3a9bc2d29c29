#!/usr/bin/python3
"""A stand-in for systemctl, as far as wazo-auth-nginx uses it: units in a folder (SYSTEMCTL_ROOT), no systemd.

A unit is a JSON file units/NAME.json: {"start": [words], "environment": {}, "masked": false}, and beside it a file of
systemd's. With a drop-in of etc/systemd/system/NAME.service.d it is a oneshot unit that starts nothing but ExecStart=.
Drop-ins count from the next daemon-reload on. Orders in the folder orders/ make it misbehave: VERB-fails, VERB-hangs,
VERB-does-nothing, and what is in VERB-then (a JSON list of words) is started after it.
"""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(os.environ['SYSTEMCTL_ROOT'])
UNITS = ROOT / 'units'


def lives(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] not in 'ZX'
    except OSError:
        return False


class Unit:
    def __init__(self, name):
        self.name = name.removesuffix('.service')
        self.file = UNITS / f'{self.name}.json'
        self.state_file = UNITS / f'{self.name}.state'
        self.known = json.loads(self.file.read_text()) if self.file.exists() else None
        try:
            self.state = json.loads(self.state_file.read_text())
        except OSError:
            self.state = {}

    def save(self, **state):
        self.state |= state
        fresh = self.state_file.with_suffix('.fresh')
        fresh.write_text(json.dumps(self.state))
        fresh.replace(self.state_file)

    @property
    def drop_ins(self):
        return sorted((ROOT / f'etc/systemd/system/{self.name}.service.d').glob('*.conf'))

    @property
    def pid(self):
        pid = self.state.get('pid', 0)
        return pid if pid and lives(pid) else 0

    @property
    def active(self):
        return bool(self.pid) or self.state.get('exited', False)

    def show(self):
        load = 'not-found' if not self.known else 'masked' if self.known.get('masked') else 'loaded'
        print(f'LoadState={load}')
        print(f'ActiveState={"active" if self.active else "inactive"}')
        print(f'SubState={"running" if self.pid else "exited" if self.active else "dead"}')
        print(f'MainPID={self.pid}')
        print(f'FragmentPath={self.file.with_suffix(".service") if self.known else ""}')
        print(f'DropInPaths={" ".join(map(str, self.drop_ins))}')

    def start(self):
        if self.known.get('masked'):
            sys.exit(f'Failed to start {self.name}.service: Unit is masked.')
        if self.active:
            return
        if self.state.get('oneshot'):
            words = [line.split('=', 1)[1].split() for line in self.state['oneshot'] if line.startswith('ExecStart=')]
            for each in filter(None, words):
                if subprocess.run(each, check=False).returncode:
                    sys.exit(f'Job for {self.name}.service failed.')
            self.save(exited=True)
            return
        with open(ROOT / f'{self.name}.out', 'ab') as out:
            started = subprocess.Popen(
                self.known['start'],
                env={**os.environ, **self.known.get('environment', {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                cwd='/',
            )
        self.save(pid=started.pid, exited=False)
        wait = self.known.get('wait')
        if wait and subprocess.run(wait, check=False).returncode:
            sys.exit(f'Job for {self.name}.service failed.')

    def stop(self):
        pid = self.pid
        if pid:
            os.kill(pid, signal.SIGTERM)
            end = time.monotonic() + 20
            while lives(pid):
                if time.monotonic() > end:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.005)
        self.save(pid=0, exited=False)


def main():
    verb, *words = sys.argv[1:]
    names = [word for word in words if not word.startswith('-') and ',' not in word]
    with open(ROOT / 'systemctl.log', 'a', encoding='utf-8') as log:
        log.write(' '.join(sys.argv[1:]) + '\n')
    order = ROOT / 'orders' / verb
    if Path(f'{order}-fails').exists():
        sys.exit(f'Failed to {verb} {" ".join(names)}: as ordered')
    if Path(f'{order}-hangs').exists():
        time.sleep(600)
    if Path(f'{order}-does-nothing').exists():
        return
    if verb == 'daemon-reload':
        for file in UNITS.glob('*.json'):
            unit = Unit(file.stem)
            unit.save(oneshot=[line for each in unit.drop_ins for line in each.read_text().splitlines()])
        return
    unit = Unit(names[0])
    carry_out(verb, names, unit)
    then = Path(f'{order}-then')
    if then.exists():
        subprocess.Popen(
            json.loads(then.read_text()), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )


def carry_out(verb, names, unit):
    if verb == 'show':
        unit.show()
    elif verb == 'is-active':
        print('active' if unit.active else 'inactive')
        sys.exit(0 if unit.active else 3)
    elif verb == 'reset-failed':
        pass
    elif not unit.known:
        sys.exit(f'Failed to {verb} {names[0]}: Unit {names[0]}.service not found.')
    elif verb in ('start', 'stop'):
        getattr(unit, verb)()
    elif verb == 'restart':
        unit.stop()
        unit.start()
    else:
        sys.exit(f'no verb {verb}')


if __name__ == '__main__':
    main()
