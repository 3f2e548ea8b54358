"""What is written in one turn of the loop leaves together; nothing is lost, doubled or put into another order."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable

import pytest

from serving.gateway.http.one_write import OneWrite

Story = Callable[[OneWrite, socket.socket], Awaitable[None]]


def told(story: Story) -> None:
    """Tell a story of a connection and of its other end, over a real pair of sockets."""

    async def tell() -> None:
        here, there = socket.socketpair()
        there.setblocking(False)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=here)
        try:
            await story(OneWrite(transport, loop), there)
        finally:
            transport.abort()
            await asyncio.sleep(0)  # it closes its socket in the next turn
            there.close()

    asyncio.run(tell())


def came(there: socket.socket) -> bytes | None:
    """Return what the other end can read now; None where it would have to wait."""
    try:
        return there.recv(65536)
    except BlockingIOError:
        return None


def test_a_head_waits_for_its_body_and_they_leave_together() -> None:
    async def story(one: OneWrite, there: socket.socket) -> None:
        one.write(b"head ")
        assert came(there) is None
        one.write(b"body")
        assert came(there) == b"head body"

    told(story)


def test_a_head_without_a_body_leaves_at_the_end_of_the_turn() -> None:
    async def story(one: OneWrite, there: socket.socket) -> None:
        one.write(b"head ")
        await asyncio.sleep(0)
        assert came(there) == b"head "
        one.write(b"")
        await asyncio.sleep(0)
        assert came(there) is None

    told(story)


def test_closing_sends_what_is_held_and_aborting_does_not() -> None:
    async def closed(one: OneWrite, there: socket.socket) -> None:
        one.write(b"the last word")
        one.close()
        assert one.is_closing()
        assert came(there) == b"the last word"

    async def aborted(one: OneWrite, there: socket.socket) -> None:
        one.write(b"the last word")
        one.abort()
        for _ in range(3):
            await asyncio.sleep(0)
        assert came(there) == b""  # the end, and nothing before it

    told(closed)
    told(aborted)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_written_in_whatever_turns_arrives_once_and_in_order(seed: int) -> None:
    draw = random.Random(seed)
    written = [bytes([number % 256]) * draw.choice((0, 1, 3, 2000)) for number in range(60)]

    async def story(one: OneWrite, there: socket.socket) -> None:
        seen = b""
        for part in written:
            one.write(part)
            for _ in range(draw.choice((0, 0, 1, 2))):
                await asyncio.sleep(0)
            seen += came(there) or b""
        one.close()
        for _ in range(3):
            await asyncio.sleep(0)
            seen += came(there) or b""
        assert seen == b"".join(written)

    told(story)
