"""Lets callers in who come together."""

from __future__ import annotations

import socket

_AT_ONCE = 16


def doors(listening: socket.socket, workers: int) -> list[socket.socket]:
    """Return a listening socket and duplicates of it, for a server to accept on all of them.

    libuv accepts one connection of a socket in a turn of its loop. Where a hundred come together, as after a restart, the last of them
    would wait for a hundred turns, in each of which all who are in are answered: its wait would grow with the square of their number.

    Args:
        workers: who accept on the same socket; of several each takes one at a time, so that none takes the others' share.
    """
    return [listening, *(listening.dup() for _ in range(_AT_ONCE - 1 if workers == 1 else 0))]
