"""Load that does not wait for answers: requests at a rate, over as many connections as it takes."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Opened:
    """What came back: status, seconds and whether Retry-After was there, of each request; status 0 where nothing did."""

    answers: list[tuple[int, float, bool]] = field(default_factory=list)

    def seconds(self, status: int) -> list[float]:
        return sorted(took for code, took, _ in self.answers if code == status)

    def p99(self, status: int) -> float:
        took = self.seconds(status)
        return took[min(len(took) - 1, int(len(took) * 0.99))]


def offer(port: int, path: str, body: dict[str, Any], rate: float, seconds: float) -> Opened:
    """Send requests at a rate for some seconds and wait for the last answer."""
    raw = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(raw)}\r\n\r\n"
    return asyncio.run(_offer(port, head.encode() + raw, rate, seconds))


async def _offer(port: int, request: bytes, rate: float, seconds: float) -> Opened:
    seen, free = Opened(), []  # type: ignore[var-annotated]  # of pairs of streams

    async def one() -> None:
        began = time.perf_counter()
        try:
            reader, writer = free.pop() if free else await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            seen.answers.append((0, time.perf_counter() - began, False))
            return
        free.append((reader, writer))
        seen.answers.append((int(head[9:12]), time.perf_counter() - began, b"retry-after:" in head))

    start, tasks = time.perf_counter(), []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
        tasks.append(asyncio.ensure_future(one()))
    await asyncio.gather(*tasks)
    for _, writer in free:
        writer.close()
    return seen
