"""The windows that every monitor sees: pairs of reference and window from one made population, without a change and with known ones.

The same pairs are shifted by every kind and size, so that a difference between two monitors is theirs and not the draw's.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

NUMERIC = ("temperature", "margin", "price", "wait", "visits", "hour", "return", "discount")
CATEGORICAL = ("device", "channel", "weekday", "region")
_SHARES = {"device": (0.55, 0.3, 0.15), "channel": (0.4, 0.25, 0.15, 0.1, 0.06, 0.04), "weekday": (1 / 7,) * 7}
_REGIONS = 20
_FULL = tuple(name for name in NUMERIC if name not in ("hour", "visits"))  # those that may move by parts of a standard deviation
_MISSING = {"wait": 0.02, "price": 0.01}  # shares that are missing in any case
SIZES: dict[str, tuple[float, ...]] = {
    "mean": (0.1, 0.15, 0.2, 0.3),  # standard deviations
    "spread": (0.05, 0.1, 0.2, 0.3),  # of the standard deviation more
    "shares": (0.03, 0.06, 0.09, 0.12),  # of the rows go from the most frequent category to the second
    "missing": (0.005, 0.01, 0.02, 0.04),  # of the rows more
    "unseen": (0.0025, 0.005, 0.01, 0.04),  # of the rows have a category that the reference has not
    "correlation": (0.15, 0.3, 0.5, 0.7),  # between two columns that had none; each looks as before
}


@dataclass(frozen=True, slots=True)
class Pair:
    """One reference and one window, by the number of the draw; `kind` is "none" where nothing changed."""

    draw: int
    kind: str
    size: float


def population(random: np.random.Generator, rows: int, rho: float = 0.0) -> pd.DataFrame:
    """Return rows that are independent: eight columns of numbers of different shapes, four of categories.

    Args:
        rho: correlation between temperature and margin, both normal.
    """
    first, second, third = random.normal(size=(3, rows))
    numbers = {
        "temperature": 15 + 8 * first,
        "margin": rho * first + np.sqrt(1 - rho**2) * second,
        "price": np.exp(0.5 * (0.6 * third + 0.8 * random.normal(size=rows))),
        "wait": random.gamma(2.0, 3.0, rows),
        "visits": random.poisson(3.0, rows).astype(float),
        "hour": random.integers(0, 24, rows).astype(float),
        "return": random.standard_t(4, rows),
        "discount": random.beta(2.0, 5.0, rows),
    }
    regions = 1 / np.arange(2.0, _REGIONS + 2)
    shares = {**_SHARES, "region": regions / regions.sum()}
    words = {name: [f"{name}{number}" for number in range(len(share))] for name, share in shares.items()}
    texts = {name: pd.Categorical.from_codes(random.choice(len(share), rows, p=share), words[name]) for name, share in shares.items()}
    frame = pd.DataFrame({**numbers, **{name: pd.Series(one).astype("str") for name, one in texts.items()}})
    for name, share in _MISSING.items():
        frame.loc[random.random(rows) < share, name] = np.nan
    return frame


def shifted(seed: int, pair: Pair, rows: int) -> pd.DataFrame:
    """Return the window of a pair."""
    random = np.random.default_rng([seed, pair.draw, 1])
    window = population(random, rows, pair.size if pair.kind == "correlation" else 0.0)
    column = _FULL[pair.draw % len(_FULL)]
    values, hit = window[column], random.random(rows) < pair.size
    if pair.kind == "mean":
        window[column] = values + pair.size * values.std()
    elif pair.kind == "spread":
        window[column] = values.mean() + (values - values.mean()) * (1 + pair.size)
    elif pair.kind == "missing":
        window.loc[hit, column] = np.nan
    elif pair.kind in ("shares", "unseen"):
        word = CATEGORICAL[pair.draw % len(CATEGORICAL)]
        old, new = f"{word}0", f"{word}1" if pair.kind == "shares" else "brand new"
        part = window[word] == old if pair.kind == "shares" else np.ones(rows, dtype=bool)
        window.loc[part & (random.random(rows) < pair.size / part.mean()), word] = new
    return window


def plan(nulls: int, draws: int) -> list[Pair]:
    """Return all pairs, in an order of which every beginning has about the same shares, so that a slow monitor may stop anywhere."""
    cases = [(kind, size) for kind, sizes in SIZES.items() for size in sizes]
    shares = [((draw + number / len(cases)) / draws, Pair(draw, *case)) for number, case in enumerate(cases) for draw in range(draws)]
    shares += [(draw / nulls, Pair(draw, "none", 0.0)) for draw in range(nulls)]
    return [pair for _, pair in sorted(shares, key=lambda one: one[0])]


def write(folder: Path, pairs: list[Pair], seed: int, rows: tuple[int, int]) -> None:
    """Write pairs.csv, and one row group for each draw's reference and each pair's window; groups are read one at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def keep(name: str, frames: object) -> None:
        writer = None
        for frame in frames:  # type: ignore[attr-defined]  # any iterable of frames
            table = pa.Table.from_pandas(frame, preserve_index=False)
            writer = writer or pq.ParquetWriter(folder / name, table.schema, compression="zstd")
            writer.write_table(table)
        if writer is not None:
            writer.close()

    draws = 1 + max(pair.draw for pair in pairs)
    keep("references.parquet", (population(np.random.default_rng([seed, draw, 0]), rows[0]) for draw in range(draws)))
    keep("windows.parquet", (shifted(seed, pair, rows[1]) for pair in pairs))
    pd.DataFrame([asdict(pair) for pair in pairs]).to_csv(folder / "pairs.csv", index=False)
