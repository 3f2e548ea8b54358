"""When to refit: policies by the names that people type."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.duration import format_duration, parse_duration
from contracts.errors import UsageError

DEFAULT = ("never", "every:28d", "drift", "drift+every:28d")
_FORMS = "never, every:7d, drift, drift+every:28d or oracle"
_EVERY = "28d"  # where `drift+every` names no age


@dataclass(frozen=True, slots=True)
class Policy:
    """When to refit.

    Attributes:
        every: refit by the calendar; with `drift` when the newest fit is that old.
        drift: refit when the pipeline's monitors ask for it: the error has risen, or the champion is older than `monitors.max_age`.
        oracle: refit at each step and promote at once, without gates or rehearsal.
        planned: refit at these times.
        budget_of: the drift policy whose number of fits this one has.
    """

    name: str
    every: timedelta | None = None
    drift: bool = False
    oracle: bool = False
    planned: frozenset[datetime] = frozenset()
    budget_of: str | None = None

    def is_due(self, now: datetime, start: datetime, step: timedelta, newest_fit: datetime) -> bool:
        """Return whether the calendar asks for a refit now.

        Args:
            start: when the walk began; calendars count from there.
            newest_fit: when this policy fitted last.
        """
        if self.oracle or now in self.planned:
            return True
        if self.every is None:
            return False
        if self.drift:
            return now - newest_fit >= self.every
        return (now - start) // self.every > (now - step - start) // self.every


def parse_policy(text: str, step: timedelta) -> Policy:
    """Read a policy's name.

    Raises:
        UsageError: it is none, or its cadence is shorter than a step.
    """
    name = text.strip()
    kind, _, cadence = name.partition(":")
    if name in ("never", "drift", "oracle"):
        return Policy(name, drift=name == "drift", oracle=name == "oracle")
    if kind not in ("every", "drift+every") or (kind == "every" and not cadence):
        raise UsageError(f"'{text}' is no policy.", f"Write {_FORMS}.")
    try:
        every = parse_duration(cadence or _EVERY)
    except ValueError as error:
        raise UsageError(f"Policy '{text}': {error}.", f"Write {_FORMS}.") from error
    if every < step:
        raise UsageError(
            f"Policy '{text}' refits more often than the walk looks (every {format_duration(step)}).",
            f"Give --step {format_duration(every) if every else '1d'}, or a longer cadence.",
        )
    return Policy(f"{kind}:{cadence or _EVERY}", every, drift=kind == "drift+every")


def same_budget(policy: Policy, fits: int, steps: list[datetime]) -> Policy:
    """Return the calendar with as many fits as a drift policy had, at equal distances.

    Args:
        fits: all of them, the first one too.
        steps: when the walk looks, the start first.
    """
    places = sorted({round(number * len(steps) / fits) for number in range(1, fits)})
    times = frozenset(steps[place] for place in places if place < len(steps))
    return Policy(f"calendar, {fits} fits", planned=times, budget_of=policy.name)
