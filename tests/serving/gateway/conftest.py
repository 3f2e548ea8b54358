"""One home with one gateway for the tests that only ask; each test has pipelines of its own in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import free_port
from tests.serving.gateway.world import Gateway, World

SLOW = "import time\n\ndef build(frame):\n    time.sleep(0.4)\n    return frame\n"
BREAKS = "def build(frame):\n    if (frame['a'] == 666).any():\n        raise RuntimeError('the devil is in it')\n    return frame\n"


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return a world with champions of several kinds."""
    world = World(tmp_path_factory.mktemp("gateway"))
    gradient = {"max_iter": 5}
    boosting = "sklearn.ensemble.HistGradientBoostingRegressor"
    world.route("demand", world.make("demand", "7", estimator=boosting, params=gradient, proved=True))
    world.route(
        "clicks", world.make("clicks", "1", task="binary", estimator="sklearn.ensemble.HistGradientBoostingClassifier", params=gradient)
    )
    world.route("linear", world.make("linear", "1", estimator="sklearn.linear_model.Ridge"))
    world.route("slow", world.make("slow", "1", code=SLOW))
    world.route("breaks", world.make("breaks", "1", code=BREAKS))
    yield world
    world.close()


@pytest.fixture(scope="session")
def gateway(shared: World) -> Gateway:
    """Return a gateway over the shared world, in both protocols, with small limits."""
    limits = {"UNDERSTUDY_MAX_ROWS": "2000", "UNDERSTUDY_MAX_BODY_BYTES": "200000", "UNDERSTUDY_MAX_WAITING_ROWS": "2500"}
    limits |= {"UNDERSTUDY_MAX_WAIT_SECONDS": "20"}  # on a busy machine as well it is the rows that are too many
    return shared.start(UNDERSTUDY_GRPC_PORT=str(free_port()), **limits)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return an empty world of the test's own."""
    one = World(tmp_path)
    yield one
    one.close()
