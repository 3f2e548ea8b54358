"""The heart holds in 5,000 random worlds: never two champions, never a promotion without a fresh PASS of its epoch, and it always ends."""

from __future__ import annotations

from collections import Counter

import pytest

from contracts.rollout import Act
from tests.rollout.worlds import Event, World, draw, smallest

_WORLDS, _PARTS = 5000, 10


def breaks(events: list[Event]) -> bool:
    try:
        World().survive(events)
    except Exception:  # noqa: BLE001  # whatever it is, the smallest world that has it is shown, and raises it again
        return True
    return False


@pytest.mark.parametrize("part", range(_PARTS))
def test_no_world_breaks_a_promise_and_every_rollout_comes_to_rest(part: int) -> None:
    acts: Counter[Act] = Counter()
    lost = 0
    for seed in range(part, _WORLDS, _PARTS):
        world = World()
        try:
            world.survive(draw(seed))
        except Exception as error:
            events = smallest(draw(seed), breaks)
            error.add_note(f"world {seed}, made smaller: World().survive({events!r})")
            raise
        acts.update(world.acts)
        lost += world.lost_swaps
    assert set(Act) - set(acts) == {Act.HOLD}, "these worlds are too tame: some act never came up"
    assert acts[Act.PROMOTE] > 50
    assert lost > 20, "two reconcilers at once were hardly tried"
