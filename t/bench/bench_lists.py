"""usage: bench_lists.py     (through ./dev bench lists)

What a worker's memory grows by while it answers with all of 50,000 users, to 1, 2 and 5 clients at once, and what of it is left
a second later: RssAnon, and the peak of VmRSS, which the kernel counts from a moment on.
"""
import re
import subprocess
import sys
import time
from pathlib import Path

import bench
import load
from bench_scale import Platform

CLIENTS = (1, 2, 5)
LIST = '/users?recurse=true'
BAR_PEAK_MB, BAR_LEFT_MB = 6, 8


class Memory:
    def __init__(self, nginx):
        (self.worker,) = nginx.workers()
        self.folder = Path(f'/proc/{self.worker}')

    def mb(self, name):
        return int(re.search(rf'{name}:\s+(\d+) kB', (self.folder / 'status').read_text())[1]) / 1024

    def forget_peak(self):
        (self.folder / 'clear_refs').write_text('5')


def read(platform, clients):
    """By curl: this program would need as much memory and time. Returns the bytes of one answer."""
    header = f"X-Auth-Token: {platform.headers['X-Auth-Token']}"
    command = ['curl', '-s', '-f', '-o', '/dev/null', '-w', '%{size_download}', '-H', header]
    command.append(f'http://127.0.0.1:{platform.port}/0.1{LIST}')
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(clients)]
    sizes = [int(each.communicate()[0]) for each in running]
    assert all(each.returncode == 0 for each in running)
    return sizes[0]


def main():
    report = bench.Report()
    with load.own_postgres(durable=False) as (folder, postgres, at_end):
        platform = Platform(folder / 'large', postgres, 'large', workers=1)
        at_end(platform.nginx)
        memory = Memory(platform.nginx)
        report.note('idle', f"{memory.mb('RssAnon'):.1f} MB")
        size = read(platform, 1) / 2**20
        report.note('an answer', f'{size:.1f} MB')
        idle = memory.mb('RssAnon')
        report.note('after the first one', f'{idle:.1f} MB')
        for clients in CLIENTS:
            memory.forget_peak()
            before = memory.mb('VmRSS')
            start = time.perf_counter()
            read(platform, clients)
            took = time.perf_counter() - start
            peak = memory.mb('VmHWM') - before
            time.sleep(1)
            left = memory.mb('RssAnon')
            report.note(f'{clients} at once', f'{peak:.1f} MB more at most, {took:.1f} s')
            report.line(f'{clients} at once: memory for each', [peak / clients], BAR_PEAK_MB, False, ' MB')
            report.line(
                f'{clients} at once: memory afterwards, more than idle', [left - idle], BAR_LEFT_MB, False, ' MB'
            )
    return 1 if report.missed else 0


if __name__ == '__main__':
    sys.exit(main())
