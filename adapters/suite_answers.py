"""What both engines say of an expectation, in Great Expectations' own form, and the plain result that is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from contracts.errors import SpecError
from contracts.expectation import EngineName, ExpectationResult, RowSeverity

_EXAMPLES = 3
_SUBJECTS = frozenset({"column", "column_A", "column_B", "column_list", "batch_id"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One expectation of a suite, as its JSON has it; positions count from 0."""

    position: int
    kind: str
    kwargs: dict[str, Any]
    meta: dict[str, Any]

    @property
    def columns(self) -> list[str]:
        """The columns that it names."""
        pair = [self.kwargs[name] for name in ("column", "column_A", "column_B") if name in self.kwargs]
        return [str(one) for one in [*pair, *(self.kwargs.get("column_list") or [])]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine said.

    Attributes:
        result: Great Expectations' dictionary of this expectation's result: `observed_value`, or `element_count`, `unexpected_count`,
            `partial_unexpected_list` and `unexpected_index_list`.
        error: why it could not be judged, or None.
    """

    asked: Asked
    success: bool
    result: dict[str, Any]
    engine: EngineName
    error: str | None = None


def read_suite(suite: dict[str, Any]) -> list[Asked]:
    """Return a suite's expectations in order.

    Raises:
        SpecError: a severity is none that is known.
    """
    found = []
    for position, one in enumerate(suite.get("expectations", [])):
        kind, meta = str(one.get("type", "")), one.get("meta") or {}
        severity = meta.get("severity")
        if severity is not None and severity not in set(RowSeverity):
            raise SpecError(f"Expectation {position + 1} of the suite ({kind}) has severity '{severity}'.", "Write row, batch or warn.")
        found.append(Asked(position, kind, dict(one.get("kwargs") or {}), meta))
    return found


def result_of(answer: Answer) -> ExpectationResult:
    """Return an answer as the rest of the product reads it."""
    asked, result = answer.asked, answer.result
    severity = asked.meta.get("severity")
    judges = "unexpected_count" in result
    return ExpectationResult(
        kind=asked.kind,
        subject=_subject(asked),
        severity=RowSeverity(severity) if severity else None,
        success=answer.success,
        judges_rows=judges and "unexpected_index_list" in result,
        rows=tuple(int(row) for row in result.get("unexpected_index_list") or ()),
        unexpected=int(result["unexpected_count"]) if judges else None,
        reason=_reason(answer),
        error=answer.error,
        limit=_told(asked.kwargs),
        observed="" if answer.error else _observed(result),
        examples=() if answer.success or answer.error else _examples(result),
        engine=answer.engine,
    )


def reason_of(asked: Asked) -> str:
    """Return the short reason that quarantined rows carry."""
    return f"{asked.kind}({_subject(asked)})"


def plain(value: Any) -> Any:
    """Turn NumPy scalars into Python's own: neither JSON nor Great Expectations' page can show them."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(one) for one in value)
    return value.item() if isinstance(value, np.generic) else value


def _subject(asked: Asked) -> str:
    return ", ".join(asked.columns) or "table"


def _reason(answer: Answer) -> str:
    asked, result = answer.asked, answer.result
    limit = _told(asked.kwargs)
    what = f"{_subject(asked)} {asked.kind.removeprefix('expect_').replace('_', ' ')}"
    told = f" ({limit})" if limit else ""
    if answer.error:
        return f"{what}{told} could not be judged: {answer.error.strip().splitlines()[0]}"
    if answer.success:
        return f"{what}{told} holds."
    if "unexpected_count" in result:
        shown = ", ".join(dict.fromkeys(_short(value) for value in result.get("partial_unexpected_list", [])[:_EXAMPLES]))
        return f"{what}{told} fails for {_observed(result)}" + (f", e.g. {shown}." if shown else ".")
    return f"{what}{told} fails: observed {_short(result.get('observed_value'))}."


def _told(kwargs: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in kwargs.items() if name not in _SUBJECTS)


def _observed(result: dict[str, Any]) -> str:
    """What was seen: the value, or how many rows failed."""
    if "unexpected_count" not in result:
        return _short(result["observed_value"]) if result.get("observed_value") is not None else ""
    return f"{result['unexpected_count']} of {result.get('element_count')} rows"


def _examples(result: dict[str, Any]) -> tuple[str, ...]:
    """Return the first three values that failed, with their rows where those are known; else three that differ."""
    values, rows = result.get("partial_unexpected_list") or [], result.get("unexpected_index_list") or []
    texts = [_short(value) for value in values]
    if len(rows) >= len(texts):
        texts = [f"{text} (row {row})" for text, row in zip(texts, rows, strict=False)]
    return tuple(dict.fromkeys(texts))[:_EXAMPLES]


def _short(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 80 else text[:77] + "…"
