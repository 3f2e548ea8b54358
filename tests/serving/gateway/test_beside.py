"""Little is decoded on the event loop, much in a thread, and either way its answer or its error comes back."""

from __future__ import annotations

import asyncio
import threading

import pytest

from serving.gateway.beside import beside


@pytest.mark.parametrize(("size", "on_the_loop"), [(0, True), (32 * 1024 - 1, True), (32 * 1024, False), (10**7, False)])
def test_work_on_many_bytes_is_done_in_a_thread_and_on_few_at_once(size: int, on_the_loop: bool) -> None:
    async def asked() -> tuple[threading.Thread, threading.Thread]:
        return threading.current_thread(), await beside(size, threading.current_thread)

    loop, worked = asyncio.run(asked())
    assert (worked is loop) is on_the_loop


@pytest.mark.parametrize("size", [0, 10**7])
def test_an_error_of_the_work_is_the_callers(size: int) -> None:
    def breaks() -> None:
        raise ValueError("not these bytes")

    with pytest.raises(ValueError, match="not these bytes"):
        asyncio.run(beside(size, breaks))
