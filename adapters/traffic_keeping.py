"""Which closed segments may be deleted here: those that are in the object store, are past their time or room, and nobody needs any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from adapters.traffic_closed import ClosedPart
from adapters.traffic_log import LivePart, TrafficLog, epoch_us
from adapters.traffic_rules import TrafficRules
from adapters.traffic_store import Store
from contracts.errors import OutsideError

SENT = ".sent"  # beside a Parquet file: how large it was when the store had it


@dataclass(frozen=True, slots=True)
class Needed:
    """What readers still need of a pipeline's log.

    Attributes:
        logged: all that was logged from then on, on the wall clock.
        happened: answers to rows that happened from then on, by their own times; None where times are the wall's.
        unread: whether the shadow has still to read a closed segment of `answers`.

    Of the other streams all that was logged since the first answer that is needed is needed too: its labels, and who answered it in shadow.
    """

    logged: datetime
    happened: datetime | None
    unread: Callable[[ClosedPart], bool]


def send(folder: Path, pipeline: str, store: Store, said: Callable[[str], None]) -> int:
    """Put closed segments of one pipeline into the store; what fails is said and tried again at the next call.

    Returns:
        How many were sent.
    """
    done = 0
    for path in sorted(folder.glob("*/*.parquet")):
        mark, size = path.with_suffix(SENT), path.stat().st_size
        if mark.exists() and mark.read_text() == str(size):
            continue
        name = f"{pipeline}/{path.parent.name}/{path.name}"
        try:
            store.put(path, name)
            arrived = store.size(name)
        except OutsideError as error:
            said(str(error))
            return done
        if arrived != size:
            said(f"{name} has {arrived} bytes in the object store and {size} here; it is sent again")
            return done
        mark.write_text(str(size))
        done += 1
    return done


def forget(folder: Path, pipeline: str, rules: TrafficRules, needed: Needed, store: Store | None, now: datetime) -> int:
    """Delete closed segments that may go, oldest first; return how many.

    Args:
        store: asked once more for each; None: nothing is deleted.

    Raises:
        OutsideError: the store does not answer; nothing more was deleted.
    """
    if store is None:
        return 0
    done = 0
    for part in _may_go(folder, rules, needed, now):
        if store.size(f"{pipeline}/{part.path.parent.name}/{part.path.name}") != part.path.stat().st_size:
            continue  # it was not uploaded, or is gone from there
        part.path.with_suffix(SENT).unlink(missing_ok=True)
        part.path.unlink()
        done += 1
    return done


def _may_go(folder: Path, rules: TrafficRules, needed: Needed, now: datetime) -> list[ClosedPart]:
    log = TrafficLog(folder)
    parts = {stream: [*log.parts(stream)] for stream in log.streams()}
    closed = {stream: [part for part in found if isinstance(part, ClosedPart)] for stream, found in parts.items()}
    kept = {part.path for part in closed.get("answers", []) if _is_needed(part, needed)}
    floor = min(
        [epoch_us(needed.logged), *(_began(part) for part in parts.get("answers", []) if isinstance(part, LivePart) or part.path in kept)]
    )
    free = [part for found in closed.values() for part in found if part.path not in kept and part.about.last < floor]
    return _past(free, rules, sum(part.path.stat().st_size for found in closed.values() for part in found), now)


def _past(free: list[ClosedPart], rules: TrafficRules, size: int, now: datetime) -> list[ClosedPart]:
    """Return those that are past their time, and the oldest where all together have too little room."""
    gone = []
    for part in sorted(free, key=lambda one: one.about.last):
        if part.about.last < epoch_us(now - rules.keep) or (rules.keep_bytes is not None and size > rules.keep_bytes):
            gone.append(part)
            size -= part.path.stat().st_size
    return gone


def _is_needed(part: ClosedPart, needed: Needed) -> bool:
    """Whether a closed segment of `answers` is needed."""
    about = part.about
    recent = about.last >= epoch_us(needed.logged)
    happened = needed.happened is not None and about.happened is not None and about.happened[1] >= epoch_us(needed.happened)
    return recent or happened or needed.unread(part)


def _began(part: ClosedPart | LivePart) -> int:
    """Return when a segment was begun, in microseconds: a live one has it in its name."""
    return part.about.first if isinstance(part, ClosedPart) else int(part.path.stem.split("-")[0]) // 1000
