"""What is told to the registry about a new version, and what it knows of a registered one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pandas as pd

from contracts.events import Trigger
from contracts.lineage import Lineage
from contracts.rollout import ModelRef

DATA_DOCS = "data-docs/index.html"  # where a version's report has the page of the suite's results


@dataclass(frozen=True, slots=True)
class Registration:
    """A fitted, judged model on its way into the registry.

    Attributes:
        package: folder of the package; its digest is `digest`.
        report: folder whose files are kept with the version (gates, plots, pipeline files, data docs).
        example: a few rows as clients send them.
        metrics: finite numbers by name.
        passed: whether every offline gate was met.
    """

    pipeline: str
    lineage: Lineage
    package: Path
    digest: str
    cutoff: datetime
    report: Path
    example: pd.DataFrame
    passed: bool
    trigger: Trigger
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered version.

    Attributes:
        run_id: MLflow's run that holds its report.
        passed: whether it met its offline gates.
    """

    model: ModelRef
    lineage: Lineage
    run_id: str
    passed: bool
