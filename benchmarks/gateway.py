"""The gateway beside MLServer, BentoML, MLflow's server and FastAPI: the same models, the same rows, the same load generator (wrk).

Each peer runs in an environment of its own, which the first run builds below .venv/peers; MLServer and BentoML batch adaptively.
Ours has everything on: validation, traffic log, metrics; one worker process. The floor is a bare ASGI application on the same server
that decodes, asks the same loaded version and encodes. Before any load each server's answers are held against scikit-learn's own.

    python -m benchmarks.gateway [--seconds 3] [--full] [--models boosting,mixed,logistic,forest] [--peers mlserver,bentoml,mlflow,fastapi]

`--full`: every model at every point, which takes about a quarter of an hour.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.frame import Bench, Row
from benchmarks.served.home import Home
from benchmarks.served.load import Seen, load, wrk_is_here
from benchmarks.served.models import MAKERS, Model
from benchmarks.served.picture import draw
from benchmarks.served.servers import PEERS, Running, Server, floor, ours, running

_POINTS = ((1, 1), (1, 16), (1, 64), (1, 256), (100, 16))  # rows of a request, connections
_FEW = ((1, 1), (1, 64), (100, 16))
_WORKERS = (2, 4)
_RATE, _TAIL, _ALONE, _FLOOR = 5.0, 0.2, 0.05, 0.6  # what the gateway promises beside MLServer and beside the floor
_CLOSE = 1e-5
Found = dict[tuple[int, int], Seen]


def main(arguments: list[str] | None = None) -> int:
    """Measure everything; exit 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3, help="of load at each point")
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
            points = _POINTS if asked.full or name == "boosting" else _FEW
            found = _one_model(bench, model, folder, points, asked.seconds, [PEERS[one] for one in asked.peers.split(",") if one])
            rates[name] = {server: seen[1, 64].rate for server, seen in found.items()}
            if name == "boosting" and not asked.no_workers:
                _workers(bench, model, folder, asked.seconds, found["gateway"][1, 64])
    draw(rates)
    return bench.finish(drawn=lambda row: row.bar is not None)


def _one_model(
    bench: Bench, model: Model, folder: Path, points: tuple[tuple[int, int], ...], seconds: float, peers: list[Server]
) -> dict[str, Found]:
    home = Home(folder / "home")
    home.route(model.name, home.put(model))
    model.write(folder)
    found, weights = {}, {}
    for server in (ours(), floor(), *((floor("constant"),) if model.name == "boosting" else ()), *peers):
        try:
            with running(server, model, folder) as one:
                _check(server, model, one)
                found[server.name] = {(rows, many): _seen(server, model, one, rows, many, seconds, folder) for rows, many in points}
                weights[server.name] = (one.startup, one.megabytes())
        except (RuntimeError, subprocess.CalledProcessError) as error:
            if server.name == "gateway":
                raise
            print(f"{model.name}: {server.name} is left out: {error}", flush=True)
    _tell(bench, model.name, found)
    _weigh(bench, model.name, weights)
    return found


def _check(server: Server, model: Model, one: Running) -> None:
    """Refuse to time a server that answers something else."""
    if "constant" not in server.name and not np.allclose(one.said, model.truth(2), rtol=0, atol=_CLOSE):
        raise RuntimeError(f"it answers {one.said} and not {model.truth(2)}")


def _seen(server: Server, model: Model, one: Running, rows: int, many: int, seconds: float, folder: Path) -> Seen:
    body = server.body(model, rows)
    load(one.url, body, many, min(1.0, seconds), folder)  # not counted
    seen = load(one.url, body, many, seconds, folder)
    failed = f", {seen.failed} failed" if seen.failed else ""
    what = f"{model.name}, {server.name}, {rows} rows, {many} connections"
    print(f"  {what}: {seen.rate:,.0f}/s, p50 {seen.p50:.2f}, p99 {seen.p99:.2f} ms{failed}", flush=True)
    return seen


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


def _workers(bench: Bench, model: Model, folder: Path, seconds: float, alone: Seen) -> None:
    for count in _WORKERS:
        server = ours("--workers", str(count))
        with running(server, model, folder) as one:
            _check(server, model, one)
            seen = _seen(server, model, one, 1, 64, seconds, folder)
        bench.add(Row(f"{model.name}, 1 row, 64 connections, {count} workers: requests a second", seen.rate, alone.rate, "one worker"))


if __name__ == "__main__":
    raise SystemExit(main())
