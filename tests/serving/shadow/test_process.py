"""The shadow process with everything real: it rehearses, follows, reports, and whatever a candidate does costs only evidence."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.process_log import configure_log
from adapters.shadow_limits import read_shadow_limits
from contracts.errors import UsageError
from contracts.traffic import ShadowBatch
from serving.shadow.wiring import Supervisor
from tests.processes import command
from tests.serving.shadow.conftest import World, copy_of


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_it_rehearses_follows_what_comes_and_stops_at_once(world: World) -> None:
    champion, candidate = world.model("1", 100), world.model("2", 310)
    world.serve(range(300, 500), "1", 1)
    with world.shadow() as process:
        world.route(2, champion, candidate)
        view = world.await_caught_up(2, rows=190)
        assert (view.version, view.rows, view.lag_seconds, view.error) == ("2", 190, 0.0, None)
        (child,) = children(process.pid)
        assert os.getpriority(os.PRIO_PROCESS, child) == os.getpriority(os.PRIO_PROCESS, 0)  # these tests ask for no more
        assert "4294967296" in Path(f"/proc/{child}/limits").read_text()
        for number in range(500, 520):
            world.serve(range(number, number + 1), "1", 2)
        world.await_caught_up(2, rows=210)
        world.route(3, candidate, champion)  # promoted: the same process follows with the former champion, at once
        world.serve(range(520, 530), "2", 3)
        world.await_caught_up(3)
        assert children(process.pid) == [child]
        world.route(4, candidate, None)
        world.await_childless(process.pid)
        process.terminate()
        assert process.wait(5) == 0
    assert world.hours("2", 2) == list(range(310, 520))
    assert world.answered("2", 2)["prediction"].tolist() == pytest.approx(world.truth(candidate, list(range(310, 520))))


SLOW = "import time\ndef build(frame):\n    time.sleep(0.4)\n    return frame\n"


@pytest.mark.slow
def test_killed_with_dash_nine_it_goes_on_where_it_was(world: World) -> None:
    world.serve(range(300, 540), "1", 1)
    world.route(2, world.model("1", 100), world.model("2", 200, SLOW))
    with world.shadow() as process:
        world.await_view(lambda view: 0 < view.rows < 240)
        (child,) = children(process.pid)
        os.kill(child, signal.SIGKILL)
        view = world.await_view(lambda view: view.error is not None)
        assert view.error == "the shadow process was killed by signal 9"
        rows = view.rows
        assert world.await_view(lambda view: view.rows > rows).error is None
        (child,) = children(process.pid)
        process.kill()
        process.wait()
        world.await_dead(child)  # nobody keeps it: it leaves by itself
    with world.shadow():
        world.await_caught_up(2)
    assert world.hours("2", 2) == list(range(300, 540))
    assert world.failed("2", 2) == {}
    seen = Counter(name for batch in world.log.read(ShadowBatch, "shadow-2") for name in batch.request_ids)
    assert max(seen.values()) <= 3
    assert sum(count - 1 for count in seen.values()) <= 2 * 64  # the last group of each that was killed, at most


@pytest.mark.slow
def test_two_pipelines_have_a_process_each_within_its_limits_and_one_that_dies_costs_the_other_nothing(world: World) -> None:
    other = copy_of(world, "supply")
    world.serve(range(300, 400), "1", 1)
    other.serve(range(300, 400), "1", 1)
    deadly = world.model("2", 200, CODE.format("os._exit(7)"))
    other.route(2, other.model("1", 100), other.model("3", 200))
    world.route(2, world.model("1", 100), deadly)
    cpu = min(os.sched_getaffinity(0))
    limits = {"MEMORY_MB": "2048", "NICE": "3", "CPUS": str(cpu)}
    with world.shadow(**{f"UNDERSTUDY_SHADOW_{name}": value for name, value in limits.items()}) as process:
        other.await_caught_up(2, rows=100)
        view = world.await_view(lambda view: view.error is not None)
        assert (view.error, view.rows) == ("the shadow process exited with code 7", 0)
        (child,) = [one for one in children(process.pid) if "supply" in command(one)]
        assert os.sched_getaffinity(child) == {cpu}
        assert str(2048 * 1024**2) in Path(f"/proc/{child}/limits").read_text()
        assert os.getpriority(os.PRIO_PROCESS, child) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 3)
        assert os.getsid(child) == child  # where the kernel shares processors among sessions, only a session's own niceness counts
        session = Path(f"/proc/{child}/autogroup")
        assert not session.exists() or session.read_text().endswith(" nice 3\n")
    assert other.hours("3", 2) == list(range(300, 400))
    assert other.failed("3", 2) == {}


def test_the_shadow_is_as_nice_as_can_be_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERSTUDY_SHADOW_NICE", raising=False)
    assert read_shadow_limits().niceness == 19


@pytest.mark.parametrize(("name", "value"), [("MEMORY_MB", "1"), ("NICE", "-5"), ("CPUS", "4096"), ("CPUS", "all")])
def test_a_limit_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"UNDERSTUDY_SHADOW_{name}", value)
    with pytest.raises(UsageError, match=f"UNDERSTUDY_SHADOW_{name}"):
        read_shadow_limits()


CODE = """
import os
import time
import numpy
HELD = []
def build(frame):
    while (frame["a"] == 3.2).any():
        {}
    return frame
"""


@contextmanager
def supervised(world: World, deed: str) -> Iterator[None]:
    """Follow a log with a candidate that does something at hour 320, under a supervisor that is less patient than usual."""
    world.serve(range(300, 540), "1", 1)
    world.route(2, world.model("1", 100), world.model("2", 200, CODE.format(deed)))
    stopping = threading.Event()
    supervisor = Supervisor(world.settings, world.ledger, configure_log("shadow"), hang_seconds=8.0)
    running = threading.Thread(target=supervisor.run, args=(stopping,))
    running.start()
    try:
        yield
    finally:
        stopping.set()
        running.join(10)
        assert not running.is_alive()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("deed", "says"),
    [
        ("HELD.append(numpy.zeros(2**28))", "the shadow process ran out of its 4 GiB of memory"),
        ("time.sleep(60)", "the shadow process gave no sign of life for 8 s"),
    ],
)
def test_a_candidate_that_hoards_or_hangs_is_stopped_and_named(world: World, deed: str, says: str) -> None:
    with supervised(world, deed):
        view = world.await_view(lambda view: view.error is not None)
        assert (view.error, view.lag_rows, view.rows) == (says, 240, 0)


def test_a_candidate_that_ends_its_process_costs_only_evidence(world: World) -> None:
    with supervised(world, "os._exit(7)"):
        view = world.await_view(lambda view: view.error is not None)
        assert (view.error, view.lag_rows) == ("the shadow process exited with code 7", 240)
        assert world.await_caught_up(2).error is None
    assert world.failed("2", 2) == dict.fromkeys(range(300, 364), "the shadow process exited with code 7")
    assert world.hours("2", 2) == list(range(364, 540))
