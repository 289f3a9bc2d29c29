"""Ports on loopback."""
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


def free_port(wanted=None):
    """`wanted` or the next free one above it; any free one below the ephemeral range without it."""
    port = wanted or 20000 + secrets.randbelow(10000)
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
