"""The demonstration waits for whoever gets on, however slowly, and says who does not."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.errors import OutsideError
from understudy.demo.theatre import Theatre


@pytest.fixture
def stage() -> Theatre:
    nothing: Any = None
    return Theatre(SimpleNamespace(home=Path("home")), nothing, nothing, nothing, nothing, nothing, datetime.now(UTC))  # type: ignore[arg-type]  # only the home is looked at


def test_who_gets_on_is_waited_for_however_long_it_takes(stage: Theatre) -> None:
    began = time.monotonic()
    stage._await("it did not get on", 0.2, lambda: time.monotonic() > began + 0.6, lambda: int((time.monotonic() - began) / 0.1))
    assert time.monotonic() > began + 0.6, "three times as long as it may stand still"


def test_who_does_not_get_on_is_named_with_where_to_look(stage: Theatre) -> None:
    with pytest.raises(OutsideError, match=r"Within 0\.2 s it did not get on\.") as said:
        stage._await("it did not get on", 0.2, lambda: False, lambda: "the same place")
    assert "home/logs" in str(said.value)
