"""The gateway beside MLServer, BentoML, MLflow's server and FastAPI: the same models, the same rows, the same load generator (wrk).

Each peer runs in an environment of its own, which the first run builds below .venv/peers; MLServer and BentoML batch adaptively.
Ours has everything on: validation, traffic log, metrics; one worker process. The floor is a bare ASGI application on the same server
that decodes, asks the same loaded version and encodes. Before any load each server's answers are held against scikit-learn's own.
All of a model's servers stand at once and are asked in turn, those that a bar is about in nine rounds, the others in two; each number
is the best that its server did in any of them, so that the stalls of a machine shared with others fall on nobody. It takes about twenty
minutes.

    python -m benchmarks.gateway [--seconds 2] [--rounds 9] [--full] [--models boosting,mixed,...] [--peers mlserver,bentoml,...]

`--full`: every model at every point, which takes some minutes more.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.frame import Bench, Row
from benchmarks.served.home import Home
from benchmarks.served.load import Seen, load, wrk_is_here
from benchmarks.served.models import MAKERS, Model
from benchmarks.served.picture import draw
from benchmarks.served.servers import PEERS, Running, Server, floor, ours, running, version_of

_JUDGED = ((1, 1), (1, 64))  # rows of a request, connections
_BESIDE = ((1, 16), (1, 256), (100, 16))
_FEW = ((100, 16),)
_WORKERS = (2, 4)
_RATE, _TAIL, _ALONE, _FLOOR = 5.0, 0.2, 0.05, 0.6  # what the gateway promises beside MLServer and beside the floor
_CLOSE = 1e-5
_SELDOM_ROUNDS, _WORKERS_ROUNDS = 2, 5
_SELDOM = {"bare ASGI, constant", "BentoML", "mlflow models serve", "FastAPI + pyfunc"}  # no bar is about them
Found = dict[tuple[int, int], Seen]


def main(arguments: list[str] | None = None) -> int:
    """Measure everything; exit 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=2, help="of load at each point")
    parser.add_argument("--rounds", type=int, default=9, help="of the servers that a bar is about")
    parser.add_argument("--full", action="store_true", help="every model at every point")
    parser.add_argument("--models", default=",".join(MAKERS), help="which of them")
    parser.add_argument("--peers", default=",".join(PEERS), help="which of them")
    parser.add_argument("--no-workers", action="store_true", help="leave out several workers on one port")
    asked = parser.parse_args(arguments)
    if not wrk_is_here():
        print("left out: wrk is not installed (Debian package wrk)")
        return 0
    bench = Bench("gateway", ("scikit-learn", "uvicorn", "uvloop", "httptools", "msgspec"))
    rates: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as place:
        for name in filter(None, asked.models.split(",")):
            model, folder = MAKERS[name](), Path(place) / name
            beside = _BESIDE if asked.full or name == "boosting" else _FEW
            asking = Asking(model, folder, asked.seconds, asked.rounds, beside)
            found = _one_model(bench, asking, [PEERS[one] for one in asked.peers.split(",") if one])
            rates[name] = {server: seen[1, 64].rate for server, seen in found.items()}
            if name == "boosting" and not asked.no_workers:
                _workers(bench, asking)
    bench.peers |= {PEERS[name].name: version_of(name) for name in asked.peers.split(",") if name}
    draw(rates)
    return bench.finish(drawn=lambda row: row.bar is not None)


@dataclass(frozen=True, slots=True)
class Asking:
    """How one model's servers are asked."""

    model: Model
    folder: Path
    seconds: int
    rounds: int
    beside: tuple[tuple[int, int], ...]

    def ask(self, servers: dict[Server, Running]) -> dict[str, Found]:
        """Ask all in turn, round for round; return the best that each did at each point."""
        found: dict[str, Found] = {server.name: {} for server in servers}
        for turn in range(self.rounds):
            for server, one in servers.items():
                if turn >= _SELDOM_ROUNDS and server.name in _SELDOM:
                    continue
                for point in (*_JUDGED, *(() if turn else self.beside)):
                    seen, before = self._seen(server, one, *point), found[server.name].get(point)
                    found[server.name][point] = seen if before is None else seen.best(before)
        return found

    def _seen(self, server: Server, one: Running, rows: int, many: int) -> Seen:
        body = server.body(self.model, rows)
        load(one.url, body, many, 1, self.folder)  # not counted; wrk knows whole seconds
        seen = load(one.url, body, many, self.seconds, self.folder)
        failed = f", {seen.failed} failed" if seen.failed else ""
        what = f"{self.model.name}, {server.name}, {rows} rows, {many} connections"
        print(f"  {what}: {seen.rate:,.0f}/s, p50 {seen.p50:.2f}, p99 {seen.p99:.2f} ms{failed}", flush=True)
        return seen


def _one_model(bench: Bench, asking: Asking, peers: list[Server]) -> dict[str, Found]:
    model, folder = asking.model, asking.folder
    _home(model, folder)
    model.write(folder)
    with ExitStack() as stack:
        servers = {}
        for server in (ours(), floor(), *((floor("constant"),) if model.name == "boosting" else ()), *peers):
            try:
                servers[server] = _started(stack, server, model, folder)
            except (RuntimeError, subprocess.CalledProcessError) as error:
                if server.name == "gateway":
                    raise
                print(f"{model.name}: {server.name} is left out: {error}", flush=True)
        found = asking.ask(servers)
        weights = {server.name: (one.startup, one.megabytes()) for server, one in servers.items()}
    _tell(bench, model.name, found)
    _weigh(bench, model.name, weights)
    return found


def _home(model: Model, folder: Path) -> None:
    home = Home(folder / "home")
    home.route(model.name, home.put(model))


def _started(stack: ExitStack, server: Server, model: Model, folder: Path) -> Running:
    """Start a server that stands until the stack ends; refuse to time one that answers something else."""
    one = stack.enter_context(running(server, model, folder))
    if "constant" not in server.name and not np.allclose(one.said, model.truth(2), rtol=0, atol=_CLOSE):
        raise RuntimeError(f"it answers {one.said} and not {model.truth(2)}")
    return one


def _tell(bench: Bench, model: str, found: dict[str, Found]) -> None:
    mine = found.pop("gateway")
    for name, theirs in found.items():
        against = name == "MLServer"
        for point in mine:
            rows, many = point
            what = f"{model}, {rows} row{'s' * (rows > 1)}, {many} connection{'s' * (many > 1)}"
            bar = None
            if point == (1, 64):
                bar = _RATE if against else _FLOOR if name == "bare ASGI" else None
            bench.add(Row(f"{what}: requests a second", mine[point].rate, theirs[point].rate, name, bar, "higher"))
            if point == (1, 64):
                bench.add(Row(f"{what}: p99 (ms)", mine[point].p99, theirs[point].p99, name, _TAIL if against else None))
            if point == (1, 1):
                bench.add(Row(f"{what}: p50 (ms)", mine[point].p50, theirs[point].p50, name, _ALONE if against else None))
    found["gateway"] = mine


def _weigh(bench: Bench, model: str, weights: dict[str, tuple[float, float]]) -> None:
    startup, megabytes = weights.pop("gateway")
    for name, (their_startup, their_megabytes) in weights.items():
        bench.add(Row(f"{model}: start to first answer (s)", startup, their_startup, name))
        bench.add(Row(f"{model}: memory after the load (MB)", megabytes, their_megabytes, name))


def _workers(bench: Bench, asking: Asking) -> None:
    """Several workers beside one, in turn."""
    with ExitStack() as stack:
        servers = {}
        for count in (1, *_WORKERS):
            server = replace(ours("--workers", str(count)), name=f"{count} worker{'s' * (count > 1)}")
            place = asking.folder / server.name
            _home(asking.model, place)
            servers[server] = _started(stack, server, asking.model, place)
        found = replace(asking, beside=(), rounds=_WORKERS_ROUNDS).ask(servers)
    for count in _WORKERS:
        what = f"{asking.model.name}, 1 row, 64 connections, {count} workers: requests a second"
        bench.add(Row(what, found[f"{count} workers"][1, 64].rate, found["1 worker"][1, 64].rate, "one worker", better="higher"))


if __name__ == "__main__":
    raise SystemExit(main())
