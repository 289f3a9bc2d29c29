"""usage: coverage.py BUILD     (through ./dev coverage)

Which lines ran, folder by folder, of what a build with WAZO_AUTH_COVERAGE counted. BUILD/lines.html shows each file.
"""
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]


def percent(covered, total):
    return f'{100 * covered / total:5.1f} %' if total else '    - %'


def main():
    build = Path(sys.argv[1]).absolute()
    summary = build / 'coverage.json'
    wanted = [f'--filter={TOP}/{name}' for name in ('lib/', 'src/', 'tools/', 'ngx_wazo_auth_module.cpp')]
    subprocess.run(
        [
            'gcovr',
            '--root',
            TOP,
            '--object-directory',
            build,
            '--gcov-ignore-parse-errors',
            '-j',
            '2',
            *wanted,
            '--exclude-unreachable-branches',
            '--json-summary',
            summary,
            '--html-details',
            build / 'lines.html',
            build,
        ],
        cwd=build,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    folders = defaultdict(lambda: [0, 0, 0])
    for file in json.loads(summary.read_text())['files']:
        folder = str(Path(file['filename']).parent)
        for name in (folder, 'all'):
            for place, number in enumerate((1, file['line_covered'], file['line_total'])):
                folders[name][place] += number
    print(f'{"folder":28} files  lines    run')
    for name in sorted(folders, key=lambda name: (name == 'all', name)):
        files, covered, total = folders[name]
        print(f'{name:28} {files:5} {total:6}  {percent(covered, total)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
