"""usage: bench_instructions.py     (through ./dev bench instructions)

What the gate's decision about a known token with 100 accesses costs, in instructions (t/support/instructions.py). The counts of
each function stay in build/instructions, for callgrind_annotate.
"""
import shutil
import sys

import load
from support import instructions, servers


def main():
    with load.own_postgres() as (folder, postgres, _):
        counts = servers.BUILD / 'instructions'
        shutil.rmtree(counts, ignore_errors=True)
        spent = instructions.count(folder / 'counted', servers.BUILD, postgres)
        counts.mkdir()
        for file in (folder / 'counted').glob('counts.*-01'):
            shutil.copy(file, counts)
    print(f"{'plain':<58} {spent['plain']:,.0f} instructions")
    missed = False
    for kind, bar in instructions.BARS.items():
        more = spent[kind] - spent['plain']
        missed |= more > bar
        print(f"{kind:<58} +{more:,.0f}  bar +{bar:,}  {'MISSED' if more > bar else 'met'}")
    return 1 if missed else 0


if __name__ == '__main__':
    sys.exit(main())
