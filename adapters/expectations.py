"""Runs a Great Expectations suite on a table, in memory, and writes the page that shows its results."""

from __future__ import annotations

import logging
import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adapters.custom_expectations import known_expectation, load_expectations
from contracts.errors import SpecError
from contracts.expectation import ExpectationResult, RowSeverity, SuiteResult

_REMOTE = re.compile(r"<script[^>]*\ssrc=[^>]*>\s*</script>|<link[^>]*>|<img[^>]*>", re.IGNORECASE)
_FORMAT = {"result_format": "COMPLETE", "return_unexpected_index_query": False, "include_unexpected_rows": False}
_STYLE = """<style>
body{font-family:system-ui,sans-serif;margin:1.5rem auto;max-width:75rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}td,th{border:1px solid #ddd;padding:.35rem .6rem;text-align:left;vertical-align:top}
.navbar,.modal,.cooltip,#ge-cta-footer,.ge-cta-footer{display:none}
</style></head>"""


def run_suite(suite: dict[str, Any], frame: pd.DataFrame, docs_dir: Path | None = None, code: Path | None = None) -> SuiteResult:
    """Run a suite in Great Expectations' JSON form on a table; with `docs_dir`, write its page there as index.html.

    `code` is a module with further expectations, which the suite may name.

    The table's index is ignored: positions in the result count from 0. Nothing is sent anywhere, and the page loads nothing.

    Raises:
        SpecError: the suite holds an expectation that Great Expectations does not know or accept, or `code` does not run.
    """
    gx = _great_expectations()
    if code is not None:
        load_expectations(code)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    expectations = [_expectation(gx, one, position) for position, one in enumerate(suite.get("expectations", []))]
    built = gx.ExpectationSuite(name=str(suite.get("name", "suite")), expectations=expectations)
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame.reset_index(drop=True)})
    answer = batch.validate(built, result_format=_FORMAT)
    for one in answer.results:
        one.result = _plain(one.result)
    docs = None if docs_dir is None else str(_write_page(answer, docs_dir))
    return SuiteResult(len(frame), tuple(_result(one) for one in answer.results), docs)


def _great_expectations() -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read once, when the library is imported
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "module 'sre_", DeprecationWarning)  # its own imports, nothing a user could mend
        import great_expectations
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    return great_expectations


def _expectation(gx: Any, given: dict[str, Any], position: int) -> Any:
    kind = str(given.get("type", ""))
    meta = given.get("meta") or {}
    severity = meta.get("severity")
    if severity is not None and severity not in set(RowSeverity):
        raise SpecError(f"Expectation {position + 1} of the suite ({kind}) has severity '{severity}'.", "Write row, batch or warn.")
    known = known_expectation(gx, kind)
    if known is None:
        raise SpecError(
            f"Expectation {position + 1} of the suite has the type '{kind}', which Great Expectations does not know.",
            "Mend it, or name the module that defines it as checks.expectations in pipeline.yaml.",
        )
    try:
        return known(**given.get("kwargs", {}), meta=meta)
    except ValueError as error:  # pydantic's error is one
        why = "; ".join(line.strip() for line in str(error).splitlines()[1:]) or str(error)
        raise SpecError(f"Expectation {position + 1} of the suite ({kind}) is not accepted: {why}.", "Mend its kwargs.") from error


def _result(answer: Any) -> ExpectationResult:
    config, result = answer.expectation_config, answer.result
    severity = (config.meta or {}).get("severity")
    error = _error(answer.exception_info)
    judges = "unexpected_count" in result
    unexpected = int(result["unexpected_count"]) if judges else None
    subject = _subject(config.kwargs)
    return ExpectationResult(
        kind=config.type,
        subject=subject,
        severity=RowSeverity(severity) if severity else None,
        success=bool(answer.success),
        judges_rows=judges and "unexpected_index_list" in result,
        rows=tuple(int(row) for row in result.get("unexpected_index_list") or ()),
        unexpected=unexpected,
        reason=_reason(config, subject, result, error, success=bool(answer.success)),
        error=error,
        limit=_told(config.kwargs),
        observed="" if error else _observed(result),
    )


def _plain(value: Any) -> Any:
    """Turn NumPy scalars into Python's own: Great Expectations' page cannot show them."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def _subject(kwargs: dict[str, Any]) -> str:
    if "column" in kwargs:
        return str(kwargs["column"])
    pair = [kwargs[name] for name in ("column_A", "column_B") if name in kwargs]
    names = kwargs.get("column_list") or pair
    return ", ".join(map(str, names)) or "table"


def _error(info: dict[str, Any]) -> str | None:
    if "raised_exception" in info:
        return str(info["exception_message"]) if info["raised_exception"] else None
    for one in info.values():
        if isinstance(one, dict) and one.get("raised_exception"):
            return str(one.get("exception_message"))
    return None


def _reason(config: Any, subject: str, result: dict[str, Any], error: str | None, *, success: bool) -> str:
    what = f"{subject} {config.type.removeprefix('expect_').replace('_', ' ')}"
    told = f" ({_told(config.kwargs)})" if _told(config.kwargs) else ""
    if error:
        return f"{what}{told} could not be judged: {error.strip().splitlines()[0]}"
    if success:
        return f"{what}{told} holds."
    if "unexpected_count" in result:
        shown = ", ".join(dict.fromkeys(_short(value) for value in result.get("partial_unexpected_list", [])[:3]))
        return f"{what}{told} fails for {result['unexpected_count']} of {result.get('element_count')} rows" + (
            f", e.g. {shown}." if shown else "."
        )
    return f"{what}{told} fails: observed {_short(result.get('observed_value'))}."


def _told(kwargs: dict[str, Any]) -> str:
    about = {"column", "column_A", "column_B", "column_list", "batch_id"}
    return ", ".join(f"{name}={_short(value)}" for name, value in kwargs.items() if name not in about)


def _observed(result: dict[str, Any]) -> str:
    """What was seen: the value, or how many rows failed and some of what they hold."""
    if "unexpected_count" not in result:
        return _short(result["observed_value"]) if result.get("observed_value") is not None else ""
    shown = ", ".join(dict.fromkeys(_short(value) for value in result.get("partial_unexpected_list", [])[:3]))
    return f"{result['unexpected_count']} of {result.get('element_count')} rows" + (f", e.g. {shown}" if shown else "")


def _short(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 80 else text[:77] + "…"


def _write_page(answer: Any, folder: Path) -> Path:
    from great_expectations.render import renderer, view

    renderers: Any = renderer  # the library does not say which of its names are exported
    views: Any = view
    page: str = views.DefaultJinjaPageView().render(renderers.ValidationResultsPageRenderer().render(answer))
    page = _REMOTE.sub("", page).replace("</head>", _STYLE, 1)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    return path
