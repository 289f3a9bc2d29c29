"""How long nobody answers."""
import threading
import time


class Probe:
    """Asks the port again and again in a thread of its own, between `with` and its end: at both it answers."""

    INTERVAL = 0.01

    def __init__(self, api):
        self.api = api
        self.times = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def _ask(self):
        while not self._over.is_set():
            if self.api.answers(timeout=1):
                self.times.append(time.monotonic())
            self._over.wait(self.INTERVAL)

    def __enter__(self):
        self.times.append(time.monotonic())
        self._thread.start()
        return self

    def __exit__(self, *_):
        end = time.monotonic()
        self._over.set()
        self._thread.join(5)
        self.times.append(max(end, *self.times))

    @property
    def silence(self):
        """Seconds since the last answer."""
        return time.monotonic() - self.times[-1]

    @property
    def gap(self):
        """The longest time between two answers, in seconds."""
        times = list(self.times)
        return max((later - earlier for earlier, later in zip(times, times[1:])), default=0.0)
