"""A disk that is really full: users are answered as before; what is not logged is counted, alerted, and marked as a hole."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.traffic_holes import read_holes
from contracts.traffic import AnsweredBatch
from tests.serving.gateway.world import Load, World


@pytest.fixture
def small_disk(world: World) -> Iterator[Path]:
    """Mount a disk of 512 kB where the traffic log is."""
    world.settings.traffic.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(world.settings.traffic)], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"only root may mount a small disk; tests/adapters/test_traffic_holes.py has a full one without: {mounted.stderr}")
    yield world.settings.traffic
    world.close()
    subprocess.run(["umount", str(world.settings.traffic)], check=True)


def test_on_a_full_disk_answers_go_on_and_what_is_lost_is_counted_and_marked(world: World, small_disk: Path) -> None:
    world.route("p", world.make("p", "1"))
    one = world.start()
    one.wait_until(lambda: one.version("p") == "1", "serve it")
    (small_disk / "other").write_bytes(b"x" * 380_000)  # what else is on that disk
    with Load(one.port, "p", connections=4) as load:
        one.wait_until(lambda: one.metric("understudy_traffic_log_lost_rows_total") > 50, "fill the disk")
        (small_disk / "other").unlink()
        lost = one.metric("understudy_traffic_log_lost_rows_total")
        one.wait_until(lambda: "is written again" in one.said(), "log again")
    assert {answer.status for answer in load.answers} == {200}
    logged = [request for batch in world.log("p").read(AnsweredBatch, "answers") for request in batch.request_ids]
    missing = {answer.id for answer in load.answers} - set(logged)
    assert 50 < lost <= len(missing) == one.metric("understudy_traffic_log_lost_rows_total")
    assert sum(hole.rows for hole in read_holes(small_disk / "p")) == len(missing)
    assert one.said().count("cannot be written; answers go on") >= 1
