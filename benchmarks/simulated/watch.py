"""After a promotion the concept flips back: how many requests until the former champion is brought back, and how often without any change.

Simulated clicks with the rollout of `pipelines/ad_clicks`: the former champion was fitted before the concept shifted, the new one after.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from adapters.sources.simulator import simulate
from benchmarks.frame import Bench, Row
from benchmarks.simulated.coverage import Share, most
from benchmarks.simulated.looks import Floats, Looks, blocked, first, looks
from contracts.spec import RolloutSpec, SimulatorSource
from rollout.rules import Rules, watch_rules
from stats.losses import losses as loss_of
from training.threads import threads_for

_PIPELINE = Path(__file__).parents[2] / "pipelines" / "ad_clicks" / "pipeline.yaml"
_START, _ROWS = datetime(2026, 1, 19, tzinfo=UTC), 120  # an hour
_DAYS = 7


def measure(bench: Bench, rollouts: int) -> None:
    """Add the rows: the concept flips; nothing changes."""
    spec = RolloutSpec.model_validate(yaml.safe_load(_PIPELINE.read_text())["rollout"])
    given = watch_rules(spec)
    size = round(given.block / timedelta(hours=1) * _ROWS)
    random = np.random.default_rng(3)
    with threads_for(0):
        former, new, twin = _fit(shifted=False, seed=1), _fit(shifted=True, seed=2), _fit(shifted=True, seed=3)
        flipped, (even, truth) = _judged((former, new), shifted=False), _judged((twin, new), shifted=True)
    looked = spec.watch // given.block
    ends = first(_looks(flipped, given, (rollouts, looked), size, random).failed) * size
    seen = Share(int(np.isfinite(ends).sum()), rollouts)
    what = f"watch, the concept flips right after the promotion: median requests until roll-back ({seen.share:.0%} within {spec.watch})"
    bench.add(Row(what, float(np.median(ends))))
    calm = _looks((even - even.mean(), truth), given, (10 * rollouts, looked), size, random).failed.any(axis=1)
    share = Share(int(calm.sum()), len(calm))
    bench.add(Row(f"watch, nothing changes: share rolled back ({share})", share.share, bar=most(spec.alpha, share.of)))


def _rows(days: int, *, shifted: bool, seed: int) -> pd.DataFrame:
    shift = "2026-01-19" if shifted else None
    source = SimulatorSource(kind="simulator", world="ad_clicks", seed=seed, start="2026-01-19", rows_per_hour=_ROWS, shift_at=shift)
    return simulate(source, None, _START + timedelta(days=days))


def _known(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.get_dummies(rows[["hour", "price", "relevance", "age", "visits", "device", "slot", "topic"]])


def _fit(*, shifted: bool, seed: int) -> Any:
    """Fit on two days, as the pipeline does."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = _rows(2, shifted=shifted, seed=seed)
    return HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(_known(rows), rows["clicked"])


def _judged(models: tuple[Any, Any], *, shifted: bool) -> tuple[Floats, Floats]:
    """Return the loss of the former champion minus that of the new one, and which labels are positive, row by row."""
    rows = _rows(_DAYS, shifted=shifted, seed=99)
    truth = rows["clicked"].to_numpy(dtype=np.float64)
    former, new = (loss_of("log_loss", truth, model.predict_proba(_known(rows))[:, 1]) for model in models)
    return np.asarray(former - new), truth


def _looks(stream: tuple[Floats, Floats], given: Rules, shape: tuple[int, int], size: int, random: np.random.Generator) -> Looks:
    """Judge rollouts whose blocks are drawn with replacement."""
    means, positive = (blocked(part[np.newaxis], size)[0] for part in stream)
    drawn = random.integers(0, len(means), shape)
    seen = np.rint(size * positive[drawn].cumsum(axis=1)).astype(np.int64)
    return looks(means[drawn], given, np.minimum(seen, size * np.arange(1, shape[1] + 1) - seen))
