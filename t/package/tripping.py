"""Wrappers of systemctl and nginx, found before the real ones, that count the calls of a takeover and trip it at one of them."""
WRAPPER = r'''#!/bin/bash
# Each call is a line of /run/calls. /run/trip: a line with a number or a pattern, and one with what is done once, before that
# call or instead of it.
name=${0##*/}
[ -e /run/tripping ] || exec "$(PATH=${PATH#/usr/local/sbin:} command -v "$name")" "$@"
real=$(PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v "$name")
exec 9>>/run/calls.lock
flock 9
echo "$name $*" >>/run/calls
number=$(wc -l </run/calls)
exec 9>&-
if { read -r which && read -r action; } </run/trip && { [ "$which" = "$number" ] || [[ "$name $*" == $which ]]; }; then
  : >/run/trip
  case $action in
    kill) kill -KILL "$(cat /run/takeover.pid)"; sleep 0.2; exit 1 ;;
    kill-after) "$real" "$@"; kill -KILL "$(cat /run/takeover.pid)"; sleep 0.2; exit 1 ;;
    fail) echo "$name: tripped by the test" >&2; exit 1 ;;
    *) eval "$action" ;;
  esac
fi
exec "$real" "$@"
'''
PROGRAMS = ('systemctl', 'nginx')


class Tripping:
    """`with tripping(...)`: the wrappers are in the way, for the verbs of `run`."""

    def __init__(self, machine):
        self.machine = machine

    def __enter__(self):
        for name in PROGRAMS:
            path = self.machine.path(f'/usr/local/sbin/{name}')
            path.write_text(WRAPPER)
            path.chmod(0o755)
        self.machine('touch /run/tripping /run/trip; : >/run/calls')
        return self

    def __exit__(self, *_):
        self.machine('rm -f /run/tripping /run/trip /run/calls /run/calls.lock /run/takeover.pid')
        for name in PROGRAMS:
            self.machine.path(f'/usr/local/sbin/{name}').unlink()

    def run(self, verb, at='', action='', timeout=120):
        """(what `wazo-auth-nginx VERB` said, exit code, its calls). `at`: the number of the call to trip it at, or a pattern of
        bash's, which some call has to match."""
        self.machine.path('/run/trip').write_text(f'{at}\n{action}\n' if at else '')
        self.machine.path('/run/calls').write_text('')
        said, status = self.machine.run(
            f'(echo $BASHPID >/run/takeover.pid; exec wazo-auth-nginx {verb})', check=False, timeout=timeout
        )
        calls = self.machine.path('/run/calls').read_text().splitlines()
        tripped = self.machine.path('/run/trip').read_text() == ''
        self.machine.path('/run/trip').write_text('')
        assert tripped or isinstance(at, int), f'no call is like {at}: {calls}'
        return said, status, calls
