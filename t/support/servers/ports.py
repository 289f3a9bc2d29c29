"""Ports on loopback."""
import os
import secrets
import socket

ADDRESS = '127.0.0.1'


def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            return False
        return True


_given = set()


def _own_range():
    """Below the ephemeral range. Of several processes of pytest each has its own: what one restarts is away for a moment."""
    first, size = 20000, 10000 // int(os.environ.get('PYTEST_XDIST_WORKER_COUNT', 1))
    return first + size * int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0')[2:]), size


def free_port(wanted=None):
    """`wanted` or the next free one above it; any free one without it."""
    first, size = _own_range()
    port = wanted or first + secrets.randbelow(size)
    while port in _given or not port_is_free(port):
        port += 1
    _given.add(port)
    return port


def port_answers(port):
    try:
        socket.create_connection((ADDRESS, port), 1).close()
    except OSError:
        return False
    return True
