"""What shadowing costs whoever asks: on against off, with a core free beside the gateway's and without; beside it two ways to mirror.

One gateway with everything on; the real shadow process follows its log with a candidate of the same kind as the champion. It is stopped
(SIGSTOP) for the rounds without shadow, and sent on before those with it, which begin when it has caught up; rounds take turns, so that the
machine's drift falls on both alike, and medians are compared. "A free core": the gateway has one to itself, and wrk has another,
which is also the shadow's where there are only two. "No free core": gateway, wrk and shadow share one.

The mirrors: a queue and a thread in the server's own process, on a bare ASGI application with the same two versions (dropping what the
queue cannot take); and nginx before the gateway that mirrors to a second gateway, against nginx that does not. The second gateway and
nginx are on wrk's core, where there are only two.

    python -m benchmarks.shadowing [--seconds 3] [--rounds 5] [--connections 64]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from sklearn.base import clone

from benchmarks.frame import Bench, Row
from benchmarks.served.forms import v2
from benchmarks.served.home import Home
from benchmarks.served.load import Seen, load, wrk_is_here
from benchmarks.served.mirrors import Shadow, nginx, nginx_is_here
from benchmarks.served.models import MAKERS, Model
from benchmarks.served.servers import Running, floor, ours, pin, running

_RATE, _TAIL = 0.9, 1.1  # what is promised with a free core: throughput and p99, on ÷ off
_SETTLE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where."""

    gateway: set[int]
    load: set[int]
    shadow: set[int]


@dataclass(frozen=True, slots=True)
class Ask:
    """How the load is: one body, so many connections, so many seconds a round, so many rounds of each kind."""

    body: bytes
    connections: int
    seconds: float
    rounds: int
    folder: Path

    def once(self, url: str) -> Seen:
        """Ask one address for one round."""
        return load(url, self.body, self.connections, self.seconds, self.folder)


@dataclass(frozen=True, slots=True)
class Side:
    """One of two that take turns: its address, what to do before its round, and after it."""

    url: str
    prepare: Callable[[], None] = lambda: None
    look: Callable[[], None] = lambda: None


def main(arguments: list[str] | None = None) -> int:
    """Measure everything; exit 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3, help="of load in each round")
    parser.add_argument("--rounds", type=int, default=5, help="of each kind")
    parser.add_argument("--connections", type=int, default=64, help="of the load generator")
    asked = parser.parse_args(arguments)
    if not wrk_is_here():
        print("left out: wrk is not installed (Debian package wrk)")
        return 0
    bench = Bench("shadowing", ("scikit-learn", "onnxruntime", "uvicorn", "uvloop", "httptools"))
    champion = MAKERS["boosting"]()
    candidate = replace(champion, ours=clone(champion.ours).fit(champion.rows, champion.ours.predict(champion.rows)))
    cores = sorted(os.sched_getaffinity(0))
    free = Cores({cores[0]}, {cores[min(1, len(cores) - 1)]}, {cores[min(2, len(cores) - 1)]})
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        home = Home(folder / "home")
        refs = home.put(champion, "1"), home.put(candidate, "2")
        home.route(champion.name, *refs)
        ask = Ask(v2(champion, 1), asked.connections, asked.seconds, asked.rounds, folder)
        os.sched_setaffinity(0, free.load)  # wrk and whatever else is started from here inherits it
        _shadowing(bench, home, champion, ask, free if len(cores) > 1 else None)
        os.sched_setaffinity(0, free.load)
        _queue(bench, champion, ask, free)
        _nginx(bench, champion, candidate, ask, free)
    return bench.finish(drawn=lambda row: row.peer is not None)


def _shadowing(bench: Bench, home: Home, model: Model, ask: Ask, free: Cores | None) -> None:
    first = min(os.sched_getaffinity(0) if free is None else free.gateway)
    with running(ours(), model, ask.folder) as gateway, Shadow(home, model.name) as shadow:
        shadow.seen()
        if free is None:
            print("left out: shadowing with a free core: this machine has one")
        else:
            _one_setting(bench, "a free core", (gateway, shadow), ask, free)
        _one_setting(bench, "no free core", (gateway, shadow), ask, Cores({first}, {first}, {first}))


def _one_setting(bench: Bench, where: str, both: tuple[Running, Shadow], ask: Ask, cores: Cores) -> None:
    gateway, shadow = both
    pin(gateway.process.pid, cores.gateway)
    pin(shadow.pid, cores.shadow)
    os.sched_setaffinity(0, cores.load)
    behind: list[int] = []
    off, on = _turns(ask, Side(gateway.url, shadow.stop), Side(gateway.url, shadow.go_on, lambda: behind.append(shadow.behind())))
    _tell(bench, f"shadowing, {where}", off, on, "off", promised=where == "a free core")
    bench.add(Row(f"shadowing, {where}: rows that the shadow was behind after a round with it", statistics.median(behind)))


def _queue(bench: Bench, model: Model, ask: Ask, cores: Cores) -> None:
    with running(floor(), model, ask.folder) as plain, running(floor("queue"), model, ask.folder) as mirroring:
        for one in (plain, mirroring):
            pin(one.process.pid, cores.gateway)
        off, on = _turns(ask, Side(plain.url), Side(mirroring.url))
    _tell(bench, "mirroring by a queue in the process, gateway's core alone", off, on, "bare, no mirror")


def _nginx(bench: Bench, champion: Model, candidate: Model, ask: Ask, cores: Cores) -> None:
    if nginx_is_here() is None:
        print("left out: mirroring by nginx: it is not installed (Debian package nginx-light)")
        return
    second = ask.folder / "second"
    home = Home(second / "home")
    home.route(champion.name, home.put(candidate, "2"))
    with running(ours(), champion, ask.folder) as one, running(ours(), champion, second) as other:
        pin(one.process.pid, cores.gateway)
        pin(other.process.pid, cores.shadow)
        parts = urlsplit(one.url)
        with nginx(ask.folder, parts.netloc, urlsplit(other.url).netloc) as (plain, mirroring):
            off, on = _turns(ask, *(Side(f"http://127.0.0.1:{port}{parts.path}") for port in (plain, mirroring)))
    _tell(bench, "mirroring by nginx to a second gateway, a free core", off, on, "nginx, no mirror")


def _turns(ask: Ask, off: Side, on: Side) -> tuple[list[Seen], list[Seen]]:
    """Load both in turns, ABBA…, after one round of each that is not counted."""
    seen: tuple[list[Seen], list[Seen]] = ([], [])
    for turn in range(ask.rounds + 1):
        for side, kept in ((off, seen[0]), (on, seen[1]))[:: -1 if turn % 2 else 1]:
            side.prepare()
            time.sleep(_SETTLE_SECONDS)
            found = ask.once(side.url)
            side.look()
            if turn:
                kept.append(found)
    return seen


def _tell(bench: Bench, what: str, off: list[Seen], on: list[Seen], peer: str, *, promised: bool = False) -> None:
    rates = [statistics.median(one.rate for one in some) for some in (on, off)]
    tails = [statistics.median(one.p99 for one in some) for some in (on, off)]
    bench.add(Row(f"{what}: requests a second", *rates, peer, _RATE if promised else None, "higher"))
    bench.add(Row(f"{what}: p99 (ms)", *tails, peer, _TAIL if promised else None))
    bench.add(Row(f"{what}: failed answers", sum(one.failed for one in on), bar=0))


if __name__ == "__main__":
    raise SystemExit(main())
