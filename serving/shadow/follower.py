"""Follows the log of one pipeline and answers it, group by group, with the version in shadow.

Every row is answered once under an epoch. The place is saved after a group's answers are in the log, so a process that is killed between
the two repeats that one group when it comes back; readers keep the last answer for each (request id, row, epoch), as
`adapters.traffic_frames.shadow_answers` does.
"""

from __future__ import annotations

import time
from dataclasses import replace

from adapters.ledger import Ledger
from adapters.pipeline_files import load_pipeline
from adapters.settings import Settings
from adapters.traffic_log import TrafficLog, epoch_us
from adapters.usage import Busy, cpu_seconds, memory_bytes
from contracts.rollout import ModelRef, Phase, RolloutState
from contracts.traffic import AnsweredBatch, Position, ShadowBatch
from serving.shadow.answer import Rows, Stamp, answer, pick
from serving.shadow.backlog import Backlog
from serving.shadow.place import Place, load_place, place_file, save_place
from serving.shadow.progress import GiveUp, Progress
from serving.version import LoadedVersion, load_version

_LEAST, _MOST = 64, 4096  # logged micro-batches in a group
_FAST, _SLOW = 0.25, 1.0  # seconds for a group, between which its size stays


class Follower:
    """The shadow of one pipeline.

    Args:
        give_up: a group that killed the processes before this one, or None.
    """

    def __init__(self, settings: Settings, ledger: Ledger, pipeline: str, give_up: GiveUp | None = None) -> None:
        self._settings, self._ledger, self._pipeline, self._give_up = settings, ledger, pipeline, give_up
        self._log = TrafficLog(settings.traffic / pipeline, settings.traffic_rules)
        self._file = place_file(settings, pipeline)
        self._versions: dict[str, LoadedVersion] = {}
        self._size, self._busy = _LEAST, Busy()
        self._go_to(load_place(self._file))

    def _go_to(self, place: Place | None) -> None:
        self._place = place
        self._backlog = Backlog(self._log, Position(place.offsets if place else {}))

    def progress(self, trouble: str | None = None) -> Progress | None:
        """Say where the shadow is, or None where it never began."""
        place, now = self._place, time.time()
        if place is None:
            return None
        behind = self._backlog.rows()
        seconds = self._backlog.seconds(Position(place.offsets), now) if behind else 0.0
        used = cpu_seconds(), memory_bytes(), self._busy.processors()
        return Progress(place.version, place.epoch, place.depth, place.rows, behind, seconds, now, trouble, *used)

    def take_up(self) -> RolloutState:
        """Read the route; under another version or epoch than before, begin again where that one asks for."""
        state = self._ledger.state(self._pipeline)
        shadow, place = state.route.shadow, self._place
        if shadow is not None and (place is None or (place.version, place.epoch) != (shadow.version, state.epoch)):
            beginning = self._beginning(state, shadow)
            save_place(self._file, beginning)
            self._go_to(beginning)
        return state

    def _beginning(self, state: RolloutState, shadow: ModelRef) -> Place:
        if _rehearses(state):
            stage = load_pipeline(self._settings, self._pipeline).spec.rollout.shadow_at(state.stage or 0)
            newest = self._log.watermark()
            return Place(shadow.version, state.epoch, 0 if newest is None else epoch_us(newest - stage.rehearse))
        # nothing of this epoch was passed by before: a group with a newer epoch in it is read again under that one's route
        earlier = self._place if self._place is not None and self._place.epoch < state.epoch else None
        return Place(shadow.version, state.epoch, None, earlier.offsets if earlier else {})

    def step(self, state: RolloutState) -> bool:
        """Answer one group under the state that was just taken up; say whether there was one.

        Raises:
            UnderstudyError, OSError, SQLAlchemyError: the package, the log or the ledger is not to be had now; nothing was passed by.
        """
        place = self._place
        if state.route.shadow is None or place is None:
            return False
        began = time.monotonic()
        batches, ahead = self._log.follow(AnsweredBatch, "answers", Position(place.offsets), self._size)
        if not batches:
            return False
        if max(batch.epoch for batch in batches) > place.epoch and self._ledger.state(self._pipeline).epoch != state.epoch:
            return True  # the route changed after it was read: read it again before anything is answered
        self._answer(state, state.route.shadow, place, batches, ahead)
        self._adapt(time.monotonic() - began, len(batches))
        return True

    def _answer(self, state: RolloutState, shadow: ModelRef, place: Place, batches: list[AnsweredBatch], ahead: Position) -> None:
        seen = [batch for batch in batches if place.since is not None or batch.epoch == place.epoch]
        since = place.since or 0
        group = _picked(seen, shadow, since)
        gave_up = self._give_up
        if gave_up is not None and (gave_up.version, gave_up.epoch, gave_up.depth) == (place.version, place.epoch, place.depth):
            answers = [self._stamp(shadow, place).batch(group, [], 0, gave_up.reason)] if group else []
        else:
            answers = self._ask(shadow, place, group)
            champion = state.route.champion
            if champion is not None:  # what another version answered is answered by the champion too, so that each pair is whole
                answers += self._ask(champion, place, _picked([one for one in seen if one.version != champion.version], champion, since))
        self._give_up = None
        for one in answers:
            self._log.append(one)
        done = sum(len(one.rows) for one in answers if one.version == place.version and one.error is None)
        self._place = replace(place, offsets=ahead.offsets, rows=place.rows + done)
        save_place(self._file, self._place)
        self._backlog.took(sum(len(batch.rows) for batch in batches))

    def _ask(self, model: ModelRef, place: Place, group: list[Rows]) -> list[ShadowBatch]:
        return answer(self._version(model), group, self._stamp(model, place)) if group else []

    def _stamp(self, model: ModelRef, place: Place) -> Stamp:
        return Stamp(self._pipeline, model, place.epoch, _now_us)

    def _version(self, model: ModelRef) -> LoadedVersion:
        if model.digest not in self._versions:
            if len(self._versions) > 1:  # the two of the route before
                self._versions.clear()
            self._versions[model.digest] = load_version(self._settings, model)
        return self._versions[model.digest]

    def _adapt(self, seconds: float, batches: int) -> None:
        if seconds > _SLOW:
            self._size = max(1, self._size // 2)
        elif seconds < _FAST and batches == self._size:
            self._size = min(_MOST, self._size * 2)


def _rehearses(state: RolloutState) -> bool:
    phase = state.paused_from if state.phase is Phase.PAUSED else state.phase
    return phase is Phase.RUNNING


def _picked(batches: list[AnsweredBatch], model: ModelRef, since: int) -> list[Rows]:
    """Return the rows that count for a model: from `since` on, and newer than all it was fitted on."""
    least = max(since, epoch_us(model.cutoff) + 1)
    return [rows for rows in (pick(batch, least) for batch in batches) if rows is not None]


def _now_us() -> int:
    return time.time_ns() // 1000
