"""Rows that a pipeline's own code brings: a Python file beside pipeline.yaml, with one generator."""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from adapters.sources.rows import Tables
from adapters.sources.variables import expanded
from contracts.errors import OutsideError, SpecError, UnderstudyError
from contracts.source import ModuleSource

_FUNCTION = "tables"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the generator is told; it may give more rows than are asked for: known and later ones are left out.

    Attributes:
        options: of pipeline.yaml, with the environment's values.
        kept: a folder of the source's own, for what need not be fetched again.
        after, until: only rows with after < time <= until are new; None: no such end.
    """

    options: dict[str, Any]
    kept: Path
    after: datetime | None
    until: datetime | None


def tables(source: ModuleSource, kept: Path, after: datetime | None, until: datetime | None) -> Tables:
    """Yield what the file's `tables(asked)` yields: where rows are from, and a pandas frame of them.

    Raises:
        SpecError: the file is not there, does not run, or yields something else.
        OutsideError: what it reads from did not answer (it raised an OSError).
    """
    function = _function(source)
    kept.mkdir(parents=True, exist_ok=True)
    options = {name: expanded(one, f"source.options.{name}") if isinstance(one, str) else one for name, one in source.options.items()}
    try:
        for one in function(Asked(options, kept, after, until)):
            yield _checked(one, source.file)
    except UnderstudyError:
        raise
    except OSError as error:
        raise OutsideError(_said(error, source.file), "Trying again may help.") from error
    except Exception as error:
        raise SpecError(_said(error, source.file), "Mend it; --debug shows the traceback.") from error


def look(source: ModuleSource) -> str:
    """Say where the code is; it is not asked for rows.

    Raises:
        SpecError: it is not there, or does not run.
    """
    _function(source)
    return f"{source.file} gives {_FUNCTION}(asked)"


def _function(source: ModuleSource) -> Callable[[Asked], Iterable[object]]:
    path = source.file
    spec = importlib.util.spec_from_file_location(f"understudy_source_{path.parent.name}_{source.module}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SpecError(f"{path} does not exist.", "Write it, or mend source.module in pipeline.yaml: the name of a file beside it.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SpecError(f"{path} does not run: {type(error).__name__}: {error}.", "Mend it.") from error
    found: Callable[[Asked], Iterable[object]] | None = getattr(module, _FUNCTION, None)
    if not callable(found):
        raise SpecError(f"{path} has no function {_FUNCTION}(asked).", "See docs/how-to/write-a-source.md.")
    return found


def _checked(one: object, path: Path) -> tuple[str, pd.DataFrame]:
    match one:
        case (str() as where, pd.DataFrame() as frame):
            return where, frame
    raise SpecError(f"{path} yielded {type(one).__name__}.", "Yield pairs: where the rows are from, as text, and a pandas frame of them.")


def _said(error: Exception, path: Path) -> str:
    """Return file and line of the pipeline's own code from which an error came, and its words."""
    lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == str(path)]
    where = f"{path}:{lines[-1]}" if lines else str(path)
    return f"{where}: {type(error).__name__}: {error}."
