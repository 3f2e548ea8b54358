"""A pipeline's world whose stages expose users: A/B and bandit, with rewards by version."""

from __future__ import annotations

import numpy as np

from adapters.traffic_log import epoch_us
from contracts.traffic import AnsweredBatch, FeedbackBatch
from rollout.split import assign
from tests.flows.stages.rollout_world import HOUR, START, World

STAGES = [
    {"kind": "shadow", "loss": "absolute_error", "block": "1d", "rehearse": "28d", "min_blocks": 8},
    {"kind": "ab", "share": 0.25, "reward": "profit", "min_units": 50, "min_duration": "1d", "max_duration": "14d"},
    {
        "kind": "bandit", "share": 0.3, "reward": "profit", "min_units": 50, "floor": 0.1, "reallocate": "6h", "min_duration": "2d",
        "max_duration": "14d",
    },
]  # fmt: skip


class Split(World):
    """A world in which users of the arms are told apart, and earn what the version that answered them is worth."""

    def users(self, hours: int, profit: dict[str, float], every: int = 10) -> None:
        """Some users an hour; each is answered by its arm and its reward comes at once."""
        state, first = self.state, self.hours
        route = state.route
        self.hours += hours
        draw = np.random.default_rng([first, state.epoch])
        for number in range(first, self.hours):
            for one in range(every):
                name = f"u{number}{one}"
                arm = route.arms[assign(route.salt, name, [arm.share for arm in route.arms])]
                at = epoch_us(START + number * HOUR)
                version = arm.model.version
                self.log.append(
                    AnsweredBatch("sales", version, route.epoch, arm.name, arm.share, 0, 900, [name], [0], [at], [name], {}, [100.0])
                )
                earned = {"profit": profit[version] + float(draw.normal())}
                self.log.append(FeedbackBatch("sales", 1, [name], [0], [100.0], [earned], [1]))

    def rehearsed(self) -> Split:
        """Version 2 has passed its rehearsal and meets a quarter of the users."""
        self.spec["rollout"]["stages"] = STAGES
        self.submit("1", error=10.0)
        assert self.settle() == ["bootstrap"]
        self.serve(30 * 24)
        self.submit("2", error=5.0)
        assert self.settle() == ["start", "advance"]
        return self
