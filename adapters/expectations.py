"""Great Expectations' own engine on pandas, and the page that shows a suite's results."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adapters.custom_expectations import known_expectation, load_expectations
from adapters.suite_answers import Answer, Asked, plain
from contracts.errors import SpecError

_REMOTE = re.compile(r"<script[^>]*\ssrc=[^>]*>\s*</script>|<link[^>]*>|<img[^>]*>", re.IGNORECASE)
_FORMAT = {"result_format": "COMPLETE", "return_unexpected_index_query": False, "include_unexpected_rows": False}
_POSITION = "understudy_position"  # in an expectation's meta: Great Expectations answers in an order of its own
_STYLE = """<style>
body{font-family:system-ui,sans-serif;margin:1.5rem auto;max-width:75rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}td,th{border:1px solid #ddd;padding:.35rem .6rem;text-align:left;vertical-align:top}
.navbar,.modal,.cooltip,#ge-cta-footer,.ge-cta-footer{display:none}
</style></head>"""


def ask_great_expectations(asked: Iterable[Asked], frame: pd.DataFrame, code: Path | None = None) -> list[Answer]:
    """Let Great Expectations judge a table; its index is ignored: positions count from 0. Nothing is sent anywhere.

    `code` is a module with further expectations, which may be asked for.

    Raises:
        SpecError: there is an expectation that Great Expectations does not know or accept, or `code` does not run.
    """
    gx = _great_expectations()
    if code is not None:
        load_expectations(code)
    by_position = {one.position: one for one in asked}
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    suite = gx.ExpectationSuite(name="suite", expectations=[_expectation(gx, one) for one in by_position.values()])
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame.reset_index(drop=True)})
    with warnings.catch_warnings(), np.errstate(over="ignore"):  # huge numbers: infinity is the answer, however the caller takes warnings
        warnings.filterwarnings(
            "ignore", "Series.values returning|This pattern is interpreted"
        )  # how it uses pandas, nothing a user could mend
        said = batch.validate(suite, result_format=_FORMAT).results
    return [_answer(one, by_position) for one in said]


def write_page(name: str, answers: Iterable[Answer], folder: Path) -> Path:
    """Write Great Expectations' page of these answers to index.html in a folder; it loads nothing from anywhere."""
    _great_expectations()
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.render import renderer, view

    renderers: Any = renderer  # the library does not say which of its names are exported
    views: Any = view
    results = [
        ExpectationValidationResult(
            success=one.success,
            expectation_config=ExpectationConfiguration(type=one.asked.kind, kwargs=one.asked.kwargs, meta=one.asked.meta),
            result={name: value for name, value in one.result.items() if name not in {"unexpected_list", "unexpected_index_list"}},
            exception_info={"raised_exception": one.error is not None, "exception_message": one.error, "exception_traceback": None},
            meta={},
        )
        for one in answers
    ]
    met = sum(1 for one in results if one.success)
    counts = {"evaluated_expectations": len(results), "successful_expectations": met, "unsuccessful_expectations": len(results) - met}
    share = {"success_percent": 100 * met / len(results) if results else None}
    whole = ExpectationSuiteValidationResult(
        success=met == len(results), results=results, suite_name=name, statistics={**counts, **share}, meta={}
    )
    page: str = views.DefaultJinjaPageView().render(renderers.ValidationResultsPageRenderer().render(whole))
    page = _REMOTE.sub("", page).replace("</head>", _STYLE, 1)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


def _great_expectations() -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read once, when the library is imported
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "module 'sre_", DeprecationWarning)  # its own imports, nothing a user could mend
        import great_expectations
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    return great_expectations


def _expectation(gx: Any, one: Asked) -> Any:
    known = known_expectation(gx, one.kind)
    if known is None:
        raise SpecError(
            f"Expectation {one.position + 1} of the suite has the type '{one.kind}', which Great Expectations does not know.",
            "Mend it, or name the module that defines it as checks.expectations in pipeline.yaml.",
        )
    try:
        return known(**one.kwargs, meta={**one.meta, _POSITION: one.position})
    except ValueError as error:  # pydantic's error is one
        why = "; ".join(line.strip() for line in str(error).splitlines()[1:]) or str(error)
        message = f"Expectation {one.position + 1} of the suite ({one.kind}) is not accepted: {why}."
        raise SpecError(message, "Mend its kwargs.") from error


def _answer(said: Any, by_position: dict[int, Asked]) -> Answer:
    config = said.expectation_config
    asked = by_position[config.meta[_POSITION]]
    kwargs = {name: value for name, value in config.kwargs.items() if name != "batch_id"}
    asked = Asked(asked.position, asked.kind, kwargs, asked.meta)
    return Answer(asked, bool(said.success), plain(said.result), "great_expectations", _error(said.exception_info))


def _error(info: dict[str, Any]) -> str | None:
    if "raised_exception" in info:
        return str(info["exception_message"]) if info["raised_exception"] else None
    for one in info.values():
        if isinstance(one, dict) and one.get("raised_exception"):
            return str(one.get("exception_message"))
    return None
