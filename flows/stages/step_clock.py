"""How long each step of a retrain took, and what of it was neither fitting nor evaluating."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

USEFUL = ("fit", "evaluate")


class StepClock:
    """Measures steps by name; a step that is entered twice is added up."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure what happens inside."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    @contextmanager
    def told(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Tell the report at the end of what happens inside, however it ends."""
        try:
            yield
        finally:
            tell(self.report())

    @property
    def overhead(self) -> float:
        """Seconds since the clock was made, without fitting and evaluating."""
        return time.perf_counter() - self._began - sum(self.seconds.get(name, 0.0) for name in USEFUL)

    def report(self) -> str:
        """Return one line with every step and the overhead."""
        steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())
        return f"Seconds by step: {steps}; beyond fitting and evaluating: {self.overhead:.1f} s."
