"""A confidence sequence as it grew: what a decision by evidence can be seen in."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class ConfidenceSteps:
    """The confidence sequence as it grew: after each number of blocks the mean difference and its bounds, from the second block on.

    Attributes:
        version: which version is judged.
        margin: how much worse it may be: it passes while `lower` is above -margin and fails when `upper` is under it.
        counted, measured: what the numbers in `blocks` count, and what the mean is of; for people.
    """

    version: str
    margin: float
    blocks: list[int]
    mean: list[float]
    lower: list[float]
    upper: list[float]
    counted: str = "blocks of paired requests"
    measured: str = "loss(champion) − loss(candidate)"

    def thinned(self, most: int) -> ConfidenceSteps:
        """Return at most so many steps, evenly spread, the newest among them."""
        if len(self.blocks) <= most:
            return self
        kept = [round(place * (len(self.blocks) - 1) / (most - 1)) for place in range(most)]
        mean, lower, upper = ([values[place] for place in kept] for values in (self.mean, self.lower, self.upper))
        return replace(self, blocks=[self.blocks[place] for place in kept], mean=mean, lower=lower, upper=upper)
