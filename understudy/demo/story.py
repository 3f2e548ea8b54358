"""What happened in a demonstration: told on the terminal as it happens and kept for the report."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd
from rich.console import Console

from contracts.confidence import ConfidenceSteps
from contracts.events import Finding
from contracts.rollout import DecisionRecord
from contracts.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the time line: seconds since the start, the pipeline's clock, and what happened."""

    seconds: float
    clock: str
    title: str
    detail: str


@dataclass
class Story:
    """Collects what the report shows; `tell` also prints."""

    pipeline: str
    console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))
    started: float = field(default_factory=time.monotonic)
    moments: list[Moment] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    gates: dict[str, tuple[Verdict, ...]] = field(default_factory=dict)
    paths: list[ConfidenceSteps] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    alarmed: bool = False
    decisions: list[DecisionRecord] = field(default_factory=list)
    served: list[pd.DataFrame] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Seconds since the demonstration began."""
        return time.monotonic() - self.started

    def keep_findings(self, found: Iterable[Finding], *, alarm: bool) -> None:
        """Keep what the monitor saw for the report: the newest alarm's findings, and as long as there was none, the newest."""
        if alarm or not self.alarmed:
            self.findings = [asdict(one) | {"severity": one.severity.value} for one in found]
        self.alarmed = self.alarmed or alarm

    def chapter(self, title: str) -> None:
        """Print a heading."""
        self.console.print(f"\n[bold]{title}[/bold]")

    def tell(self, title: str, detail: str = "", clock: object = "") -> None:
        """Print a line and keep it for the time line."""
        moment = Moment(round(self.seconds, 1), str(clock)[:16], title, detail)
        self.moments.append(moment)
        self.console.print(f"[dim]{moment.seconds:6.1f} s[/dim]  {title}" + (f"  [dim]{detail}[/dim]" if detail else ""))
