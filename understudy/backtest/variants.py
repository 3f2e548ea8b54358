"""Variants of a spec: the same pipeline with another margin, window or stage, to stand beside it in the table."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml
from pydantic import ValidationError

from adapters.pipeline_files import Pipeline
from contracts.errors import UsageError
from contracts.spec import PipelineSpec

_MAY = ("train", "gates", "rollout", "monitors")  # the data stays what it is
_FORM = "Write --set rollout.stages.0.margin=5, or --variant wide:rollout.stages.0.margin=5,rollout.watch=3d."
_COMMA = re.compile(r",(?![^\[{]*[\]}])")  # not inside a list or a mapping


@dataclass(frozen=True, slots=True)
class Variant:
    """A name for the table, and the keys of pipeline.yaml that are other; a name may be empty."""

    name: str
    changes: tuple[tuple[str, Any], ...] = ()


def parse_change(text: str) -> tuple[str, Any]:
    """Read `KEY=VALUE`: a dotted path into pipeline.yaml, where numbers count a list's entries, and a value as YAML.

    Raises:
        UsageError: it is none.

    >>> parse_change("train.window=[90d, all]")
    ('train.window', ['90d', 'all'])
    """
    key, sign, value = text.partition("=")
    if not key.strip() or not sign:
        raise UsageError(f"'{text}' is no KEY=VALUE.", _FORM)
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UsageError(f"'{value}' of {key} is not YAML: {error}.", _FORM) from error


def parse_variant(text: str) -> Variant:
    """Read `NAME:KEY=VALUE,KEY=VALUE`.

    Raises:
        UsageError: it is none.
    """
    name, _, changes = text.partition(":")
    if not name.strip() or not changes:
        raise UsageError(f"'{text}' is no variant.", _FORM)
    return Variant(name.strip(), tuple(parse_change(one) for one in _COMMA.split(changes)))


def varied(pipeline: Pipeline, changes: Sequence[tuple[str, Any]]) -> Pipeline:
    """Return the pipeline with other values at some keys.

    Raises:
        UsageError: a key is not there or may not be changed here, or the value does not fit.
    """
    if not changes:
        return pipeline
    raw = pipeline.spec.model_dump(mode="json", by_alias=True)
    for key, value in changes:
        _put(raw, key, value)
    try:
        return replace(pipeline, spec=PipelineSpec.model_validate(raw))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        said = ", ".join(f"{key}={value}" for key, value in changes)
        raise UsageError(f"{said} makes no valid pipeline: {where}: {first['msg']}.", "See docs/reference/pipeline.md.") from error


def _put(raw: dict[str, Any], key: str, value: Any) -> None:
    """Set one key in place; all keys but new ones of a mapping must be there."""
    *path, last = key.split(".")
    if (path or [last])[0] not in _MAY:
        raise UsageError(f"'{key}' cannot be varied: a backtest varies {', '.join(_MAY)}.", "Change pipeline.yaml for the rest.")
    node: Any = raw
    for part in path:
        node = node[_place(node, part, key)]
    node[_place(node, last, key)] = value


def _place(node: Any, part: str, key: str) -> str | int:
    if isinstance(node, list) and part.isdigit() and int(part) < len(node):
        return int(part)
    if isinstance(node, dict) and part in node:
        return part
    known = [str(one) for one in (range(len(node)) if isinstance(node, list) else node if isinstance(node, dict) else ())]
    close = difflib.get_close_matches(part, known, 1)
    hint = f"Did you mean '{close[0]}'?" if close else f"There are: {', '.join(known)}." if known else "Nothing lies below it."
    raise UsageError(f"pipeline.yaml has no key '{key}': '{part}' is not there.", hint)
