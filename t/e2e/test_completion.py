"""What bash proposes behind a TAB, by the file that the package wazo-auth-nginx installs."""
import shlex
import subprocess

import pytest

from support import servers

# What bash-completion itself has; of files it is enough to know that they are proposed.
SHELL = """\
_init_completion() {
  words=("${COMP_WORDS[@]}") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
}
_filedir() { COMPREPLY=("files$1"); }
. conf/debian/completions/wazo-auth-nginx
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"$(complete -p "$1" | sed 's/complete -F \\([^ ]*\\) .*/\\1/')" "$1"
echo "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    'typed, proposed',
    [
        ('wazo-auth-nginx ta', 'takeover'),
        ('wazo-auth-nginx give-back --d', '--dry-run --detach'),
        ('wazo-auth-nginx lock add ""', 'user tenant client session address'),
        ('wazo-auth-nginx gate who-can --', '--tenant --json --config --help'),
        ('wazo-auth-nginx bootstrap ""', 'complete initial-user setup'),
        ('wazo-auth-nginx bootstrap --credentials ""', 'files-d'),
        ('wazo-auth-nginx takeover --credentials ""', 'files'),
        ('wazo-auth-nginx init-db --user roo', 'root'),
        ('wazo-auth-lock --reason x a', 'add'),
        ('wazo-auth-lock add user ""', ''),
        ('wazo-auth-gate routes ""', 'files'),
        ('wazo-auth-gate check document --user ""', ''),
    ],
)
def test_bash_proposes(typed, proposed):
    words = shlex.split(typed)
    said = subprocess.run(
        ['bash', '-c', SHELL, 'bash', *words], cwd=servers.CHECKOUT, capture_output=True, text=True, check=False
    )
    assert said.stderr == ''
    assert said.stdout.strip() == proposed
