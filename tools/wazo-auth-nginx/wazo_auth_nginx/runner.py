"""Steps: each is told, written down before it happens, and undone when a later one fails."""
import signal
from dataclasses import dataclass
from typing import Callable, Optional

from .screen import Failure


class Interrupted(Failure):
    """Somebody wants it to end."""


@dataclass
class Step:
    """`do` may return a text that says what came of it. `undo` is right whether `do` has happened or not."""

    name: str
    title: str
    do: Callable[[], Optional[str]]
    undo: Optional[Callable[[], Optional[str]]] = None


class Signals:
    """SIGINT, SIGTERM and SIGHUP end what is going on, and not its undoing."""

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self, screen):
        self.screen = screen
        self.undoing = False

    def __enter__(self):
        for number in self.NUMBERS:
            signal.signal(number, self._heard)
        return self

    def __exit__(self, *_):
        for number in self.NUMBERS:
            signal.signal(number, signal.SIG_DFL)

    def _heard(self, number, _):
        if self.undoing:
            self.screen.warn('Undoing: this can\'t be interrupted, wait.')
            return
        self.undoing = True
        raise Interrupted(f'Interrupted by {signal.Signals(number).name}.')


class NotUndone(Failure):
    """The undoing failed as well: somebody has to look."""


class Runner:
    def __init__(self, screen, journal):
        self.screen = screen
        self.journal = journal

    def forward(self, steps):
        """All of them; when one fails, those that have begun are undone, the last one first."""
        with Signals(self.screen) as signals:
            begun = []
            try:
                for step in steps:
                    begun.append(step)
                    self.one(step)
            except Exception as error:
                signals.undoing = True
                self.screen.bad(error if isinstance(error, Failure) else f'{type(error).__name__}: {error}')
                self.back(begun)
                raise

    def one(self, step):
        self.journal.begin(step.name)
        self.screen.begin(step.title)
        said = step.do()
        self.screen.done(said or step.title)

    def back(self, steps):
        """Stops where it fails: what is left is what still has to be undone, by the next run."""
        for step in reversed(steps):
            if not step.undo:
                continue
            try:
                said = step.undo()
            except Exception as error:
                self.screen.bad(f'not undone: {step.title}')
                raise NotUndone(f'{step.title}: this could not be undone.\n{error}') from error
            self.screen.undone(said or f'undone: {step.title}')
