"""build/package-transcript.txt: what was done in the machine, what it said, and how long it took."""
import time


class Transcript:
    def __init__(self, machine, path):
        self.machine = machine
        self.file = open(path, 'w', encoding='utf-8')

    def close(self):
        self.file.close()

    def _write(self, text):
        print(text)
        self.file.write(f'{text}\n')
        self.file.flush()

    def title(self, text):
        self._write(f'\n== {text}')

    def note(self, text):
        self._write(f'   {text}')

    def run(self, script, **options):
        """What the script printed; it and its time are written down."""
        start = time.monotonic()
        said, status = self.machine.run(script, check=False, timeout=300, **options)
        seconds = time.monotonic() - start
        self._write(f'# {script}')
        for line in said.splitlines():
            self._write(f'   {line}')
        self._write(f'   ({seconds:.2f} s{f", ended with {status}" if status else ""})')
        assert status == 0, f'{script}: ended with {status}'
        return said

    def apt(self, words):
        return self.run(
            f'apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 {words}',
            environment={'DEBIAN_FRONTEND': 'noninteractive'},
        )
