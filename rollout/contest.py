"""Who is judged against whom, and whether the one in shadow does its work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.rollout import ModelRef, Phase, RolloutState, ShadowView
from contracts.verdict import Outcome, Verdict

FOLLOWS = "shadow"  # the gate's name
_SILENT = timedelta(seconds=30)  # a shadow process reports every second
_TAKES_UP = timedelta(seconds=60)  # to see a new route, fetch and load the version


@dataclass(frozen=True, slots=True)
class Contest:
    """Who is judged, against whom, and under which epoch.

    Attributes:
        judged: the candidate; while watching, the new champion.
        against: the champion; while watching, the former one.
        watching: the judged version answers users and the other follows the log; else it is the other way round.
    """

    judged: ModelRef
    against: ModelRef
    epoch: int
    watching: bool = False

    @property
    def cutoff(self) -> datetime:
        """Only rows after this event time can count: either version may have been fitted on those before."""
        return max(self.judged.cutoff, self.against.cutoff)

    @property
    def follower(self) -> ModelRef:
        """The version in shadow."""
        return self.against if self.watching else self.judged


def contest_of(state: RolloutState) -> Contest | None:
    """Return who is judged on paired answers in this state, or None where nobody is."""
    if state.champion is None or state.route.arms:
        return None
    if state.phase is Phase.RUNNING and state.candidate is not None:
        return Contest(state.candidate, state.champion, state.epoch)
    if state.phase is Phase.WATCHING and state.previous is not None:
        return Contest(state.champion, state.previous, state.epoch, watching=True)
    return None


def follows(contest: Contest, view: ShadowView | None, rows_before: int | None, began: datetime, at: datetime) -> Verdict:
    """Judge whether the version in shadow is at work; that it is behind is no fault, that it stands still is an ERROR.

    Args:
        view: what the shadow process said last.
        rows_before: how many rows it had answered at the tick before, under this epoch; None where that is not known.
        began: when this epoch began. at: now. Both on the wall clock.
    """
    who, epoch = contest.follower.version, contest.epoch
    if view is None or (view.version, view.epoch) != (who, epoch):
        outcome = Outcome.INCONCLUSIVE if at - began < _TAKES_UP else Outcome.ERROR
        return Verdict(FOLLOWS, outcome, None, None, 0, f"the shadow process has not taken up version {who} (epoch {epoch})")
    trouble = _trouble(view, at)
    if trouble is None:
        said = f"version {who} follows the log: {view.rows} rows answered, {view.lag_rows} behind"
        return Verdict(FOLLOWS, Outcome.PASS, float(view.lag_rows), None, view.rows, said)
    moved = rows_before is not None and view.rows > rows_before
    outcome = Outcome.INCONCLUSIVE if moved else Outcome.ERROR
    return Verdict(FOLLOWS, outcome, float(view.lag_rows), None, view.rows, f"version {who} in shadow {trouble}")


def _trouble(view: ShadowView, at: datetime) -> str | None:
    if at - view.seen_at > _SILENT:
        return f"was last heard of {(at - view.seen_at).total_seconds():.0f} s ago, {view.lag_rows} rows behind"
    if view.error is not None and view.lag_rows:
        return f"is {view.lag_rows} rows behind: {view.error}"
    return None
