"""What every benchmark shares: rows with a peer and a bar, a table, a JSON file and a plot."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

RESULTS = Path(__file__).with_name("results")
_OURS, _PEER = "#1f6f8b", "#b8b8b8"


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement.

    Attributes:
        what: what was measured, with its unit.
        ours: Understudy's number.
        peer: the peer's number in the same unit, measured in the same run; None where there is none.
        bar: the limit on ours ÷ peer, or on ours where there is no peer; None where nothing is promised.
        better: which side of the bar is good.
        bar_on: what the bar limits where there is a peer.
    """

    what: str
    ours: float
    peer: float | None = None
    peer_name: str | None = None
    bar: float | None = None
    better: Literal["lower", "higher"] = "lower"
    bar_on: Literal["ratio", "ours"] = "ratio"

    @property
    def ratio(self) -> float | None:
        """Ours ÷ peer."""
        return self.ours / self.peer if self.peer else None

    @property
    def holds(self) -> bool | None:
        """Whether the bar is met; None where there is none."""
        if self.bar is None:
            return None
        judged = self.ours if self.peer is None or self.bar_on == "ours" else self.ratio
        if judged is None:
            return False  # a peer that measured nothing proves nothing
        return judged <= self.bar if self.better == "lower" else judged >= self.bar

    def as_json(self) -> dict[str, Any]:
        """Return the row as the result file has it."""
        return {**asdict(self), "ratio": self.ratio, "holds": self.holds}


@dataclass
class Bench:
    """One run of one benchmark.

    Args:
        name: of the result's files.
        packages: distributions whose versions matter.
        peers: versions of what runs in an environment of its own.
    """

    name: str
    packages: Iterable[str] = ()
    rows: list[Row] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=lambda: machine())
    peers: dict[str, str] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Take a measurement and say it at once."""
        self.rows.append(row)
        print(_line(row), flush=True)

    def finish(self, folder: Path = RESULTS, drawn: Callable[[Row], bool] = lambda _row: True) -> int:
        """Print the table, write NAME.json and NAME.svg, and return the exit code: 1 where a bar is not met.

        Args:
            drawn: which rows the plot shows, of many.
        """
        folder.mkdir(parents=True, exist_ok=True)
        versions = {"python": platform.python_version(), **{name: metadata.version(name) for name in self.packages}} | self.peers
        content = {"machine": self.machine, "versions": versions, "rows": [row.as_json() for row in self.rows]}
        (folder / f"{self.name}.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        _plot(self.name, [row for row in self.rows if drawn(row)], folder / f"{self.name}.svg")
        print("\n" + table(self.rows))
        print(f"\nWritten: {folder / self.name}.json and .svg")
        return 1 if any(row.holds is False for row in self.rows) else 0


def machine() -> dict[str, Any]:
    """Return what the numbers were measured on, and how busy it was."""
    cpu = next((line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    memory = next((int(line.split()[1]) // 1024 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), None)
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": memory,
        "system": platform.platform(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def versus(ours: Callable[[], object], peer: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the median seconds of both, run in turns after one unmeasured run each, so that a busy machine treats them alike."""
    ours(), peer()
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats):
        for index in (0, 1) if turn % 2 == 0 else (1, 0):
            began = time.perf_counter()
            (ours, peer)[index]()
            taken[index].append(time.perf_counter() - began)
    return statistics.median(taken[0]), statistics.median(taken[1])


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a Markdown table."""
    head = ["| What | Ours | Peer | | Ratio | Bar | |", "|---|---:|---:|---|---:|---:|---|"]
    said = {None: "", True: "holds", False: "**does not hold**"}
    body = [
        f"| {row.what} | {_number(row.ours)} | {_number(row.peer)} | {row.peer_name or ''} | {_number(row.ratio)} | "
        f"{'' if row.bar is None else ('≤ ' if row.better == 'lower' else '≥ ') + _number(row.bar)} | {said[row.holds]} |"
        for row in rows
    ]
    return "\n".join([*head, *body])


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _line(row: Row) -> str:
    beside = "" if row.peer is None else f", {row.peer_name} {_number(row.peer)}"
    return f"{row.what}: {_number(row.ours)}{beside}"


def _plot(name: str, rows: list[Row], path: Path) -> None:
    """Draw what can be compared: rows with a peer or a bar, all of them where there is none such; the bar is a dashed line."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = name  # the same numbers give the same file
    rows = [row for row in rows if row.peer is not None or row.bar is not None] or rows
    figure = Figure(figsize=(8, 0.9 + 0.55 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for axis, row in zip(axes, rows, strict=True):
        shown = [(row.ours, _OURS, "ours")] + ([] if row.peer is None else [(row.peer, _PEER, row.peer_name or "peer")])
        axis.barh([one[2] for one in shown], [one[0] for one in shown], color=[one[1] for one in shown])
        axis.invert_yaxis()
        if row.bar is not None:
            axis.axvline(row.bar * ((row.peer or 1.0) if row.bar_on == "ratio" else 1.0), color="#b03a2e", linestyle="--", linewidth=1)
        axis.set_title(row.what, fontsize=8, loc="left", pad=2)
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(name, fontsize=10)
    figure.savefig(path, metadata={"Date": None})
