"""What whoever looks on sees: a line a step, as it happens."""
import os
import sys
import time

COLOURS = {'green': '32', 'red': '31', 'yellow': '33', 'grey': '90', 'bold': '1'}


class Failure(Exception):
    """Something was found that stops the work: the text says what, and what to do."""


class Screen:
    def __init__(self, out=None):
        self.out = out or sys.stdout
        # https://no-color.org
        self.colours = self.out.isatty() and not os.environ.get('NO_COLOR') and os.environ.get('TERM') != 'dumb'
        self.started = time.monotonic()

    def paint(self, colour, text):
        return f'\x1b[{COLOURS[colour]}m{text}\x1b[0m' if self.colours else text

    def say(self, text='', colour=None):
        try:
            print(self.paint(colour, text) if colour else text, file=self.out, flush=True)
        except OSError:  # nobody looks on any more: the work has to be finished, or undone, all the same
            pass

    def line(self, mark, colour, text):
        seconds = self.paint('grey', f'{time.monotonic() - self.started:6.2f} s')
        first, *more = str(text).splitlines() or ['']
        self.say(f'{seconds}  {self.paint(colour, mark)} {first}')
        for each in more:
            self.say(f'            {each}')

    def begin(self, text):
        self.line('...', 'grey', text)

    def done(self, text):
        self.line(' ok', 'green', text)

    def undone(self, text):
        self.line('<--', 'yellow', text)

    def warn(self, text):
        self.line('  !', 'yellow', text)

    def bad(self, text):
        self.line('BAD', 'red', text)
