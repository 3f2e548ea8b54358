"""What one monitor run saw, as files for people: findings.json, two pictures and a page that shows them."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from contracts.events import Finding, Severity
from contracts.spec import Features
from monitoring.column import present

_COLOURS = {Severity.INFO: "#9aa5b1", Severity.WARN: "#c2410c", Severity.RETRAIN: "#b91c1c"}
_THEN, _NOW = "#9aa5b1", "#0b7285"
_MOST_BARS, _MOST_COLUMNS, _MOST_WORDS = 24, 6, 10
_SLOTS = 48


def slot(now: datetime) -> str:
    """Return where a version keeps a run's report: one of 48 places by the hour, so that an hourly monitor leaves two days of them."""
    return f"monitor/{int(now.timestamp() // 3600) % _SLOTS:02d}"


def write_monitor_report(
    folder: Path,
    about: dict[str, Any],
    findings: Sequence[Finding],
    features: Features,
    frames: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    """Write the report of one run into a folder.

    Args:
        about: what is said of the run as a whole: pipeline, champion, window, detail.
        frames: the feature columns of the champion's training rows, and of the window.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told = {**about, "findings": [_plain(one) for one in findings]}
    (folder / "findings.json").write_text(json.dumps(told, indent=1, ensure_ascii=False, default=str))
    measured = sorted((one for one in findings if math.isfinite(_ratio(one))), key=_ratio, reverse=True)
    shown = [one.subject for one in measured if one.monitor == "data_drift"][:_MOST_COLUMNS]
    pictures = []
    if measured:
        pictures.append(_save(folder / "effects.svg", 1, lambda axes: _bars(axes[0], measured[:_MOST_BARS]), 0.24 * len(measured) + 1))
    if shown:
        pictures.append(_save(folder / "columns.svg", len(shown), lambda axes: _columns(axes, shown, features, frames), 2.0))
    (folder / "index.html").write_text(_page(about, findings, pictures))


def _plain(one: Finding) -> dict[str, Any]:
    fields = ("monitor", "subject", "severity", "observed", "limit", "p_value", "samples", "reason")
    values = {name: getattr(one, name) for name in fields}
    return {name: None if isinstance(value, float) and not np.isfinite(value) else value for name, value in values.items()}


def _ratio(one: Finding) -> float:
    """Return how many times its limit a finding is; NaN where one of both is not known."""
    return math.nan if one.observed is None or not one.limit else one.observed / one.limit


def _save(path: Path, count: int, draw: Callable[[Any], None], inches: float) -> str:
    from matplotlib.figure import Figure

    rows = -(-count // 3)
    figure = Figure(figsize=(8, max(inches * rows, 1.5)), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, min(count, 3), squeeze=False)).ravel()
    draw(axes)
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    return path.name


def _bars(axes: Any, measured: Sequence[Finding]) -> None:
    names = [f"{one.monitor} of {one.subject}" for one in measured][::-1]
    axes.barh(names, [_ratio(one) for one in measured][::-1], color=[_COLOURS[one.severity] for one in measured][::-1])
    axes.axvline(1, color="#44505c", lw=0.8, ls="--")
    axes.set_xlabel("times its limit")
    axes.tick_params(labelsize=7)


def _columns(axes: Any, names: Sequence[str], features: Features, frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    for one, name in zip(axes, names, strict=False):
        numeric = name in features.numeric
        then, now = (present(frame, name, numeric=numeric).dropna() for frame in frames)
        one.set_title(name, fontsize=8)
        one.tick_params(labelsize=6)
        if then.empty or now.empty:
            continue
        if numeric:
            edges = np.histogram_bin_edges(np.concatenate([then, now]), bins=30)
            for values, colour in ((then, _THEN), (now, _NOW)):
                one.hist(values, bins=edges, density=True, histtype="stepfilled", alpha=0.5, color=colour)
            continue
        words = then.value_counts().index.union(now.value_counts().index, sort=False)[:_MOST_WORDS]
        places = np.arange(len(words))
        for values, colour, shift in ((then, _THEN, -0.2), (now, _NOW, 0.2)):
            one.bar(places + shift, values.value_counts(normalize=True).reindex(words, fill_value=0), 0.4, color=colour)
        one.set_xticks(places, [str(word)[:12] for word in words], rotation=45, ha="right")
    for unused in axes[len(names) :]:
        unused.set_visible(False)


def _page(about: dict[str, Any], findings: Sequence[Finding], pictures: Sequence[str]) -> str:
    order = sorted(findings, key=lambda one: list(Severity).index(one.severity), reverse=True)
    rows = "".join(
        f'<tr><td style="color:{_COLOURS[one.severity]}">{one.severity.value}</td><td>{html.escape(one.monitor)}</td>'
        f"<td>{html.escape(one.subject)}</td><td>{html.escape(one.reason)}</td></tr>"
        for one in order
    )
    facts = "".join(f"<li>{html.escape(name)}: {html.escape(str(value))}</li>" for name, value in about.items())
    images = "".join(f'<p><img src="{name}" alt="{name}"></p>' for name in pictures)
    legend = (
        f'<p><span style="color:{_THEN}">■</span> training rows <span style="color:{_NOW}">■</span> this window</p>' if pictures else ""
    )
    return (
        '<!doctype html><meta charset="utf-8"><title>What the monitors saw</title>'
        "<style>body{font:14px system-ui;max-width:60rem;margin:2rem auto}td{padding:.2rem .6rem;vertical-align:top}</style>"
        f"<h1>What the monitors saw</h1><ul>{facts}</ul>{images}{legend}<table>{rows}</table>\n"
    )
