"""Who answers: a version as everybody names it, and the route that says which versions answer whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A registered version and all that is needed to fetch, check and judge it.

    Attributes:
        version: the registry's version number as text.
        digest: digest of its package; nothing else is loaded under this name.
        uri: where the package's folder is (`file://`, `mlflow-artifacts:/` or `s3://`).
        snapshot: the snapshot it was fitted on.
        cutoff: greatest event time of a fitted row; evidence from rows at or before it never counts.
    """

    version: str
    digest: str
    uri: str
    snapshot: str
    cutoff: datetime


@dataclass(frozen=True, slots=True)
class Arm:
    """A version that answers a share of the units; `name` is its role: champion, candidate or previous."""

    name: str
    model: ModelRef
    share: float


@dataclass(frozen=True, slots=True)
class Route:
    """Who answers users, and who follows the log; whole and self-contained.

    The epoch rises whenever exposure changes; evidence from another epoch counts for nothing.

    Attributes:
        arms: who answers which share of the units, in an A/B or bandit stage; the champion among them. Empty: the champion answers all.
        salt: by which units are assigned to arms; the same salt assigns a unit the same way everywhere.
        arms_since: the epoch under which this stage's exposure began.
    """

    epoch: int
    champion: ModelRef | None
    shadow: ModelRef | None
    arms: tuple[Arm, ...] = ()
    salt: str = ""
    arms_since: int = 0

    @property
    def share(self) -> float:
        """The share of units that somebody else than the champion answers."""
        return round(sum(arm.share for arm in self.arms if arm.model != self.champion), 9)
