"""Tests wait for a condition with a limit."""
import time


def wait_until(condition, timeout=10.0, what='the condition', interval=0.01):
    """The first true value of condition(); TimeoutError after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f'{what}: not within {timeout} s')
        time.sleep(interval)
