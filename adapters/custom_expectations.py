"""Loads the expectations that a pipeline brings itself: Python classes beside its suite."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import Any

from contracts.errors import SpecError


def known_expectation(gx: Any, kind: str) -> Any | None:
    """Return the class of an expectation by its name in a suite; None where nobody defined it."""
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import get_expectation_impl

    own = getattr(gx.expectations, "".join(part.capitalize() for part in kind.split("_")), None)
    if own is not None:
        return own
    try:
        return get_expectation_impl(kind)
    except ExpectationNotFoundError:
        return None


def load_expectations(path: Path) -> None:
    """Run a pipeline's module: Great Expectations notes each class of it by its name, `ExpectSoAndSo` as `expect_so_and_so`.

    The module runs again at each call, so that of two pipelines with a class of one name each has its own.

    Raises:
        SpecError: the module is not there, or does not run.
    """
    spec = importlib.util.spec_from_file_location(f"understudy_expectations_{path.parent.name}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SpecError(f"{path} does not exist.", "Mend checks.expectations in pipeline.yaml: the name of a module beside it.")
    registry = logging.getLogger("great_expectations.expectations.registry")
    before, registry.level = registry.level, logging.ERROR  # it would warn of each class that it sees again
    try:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except Exception as error:
        raise SpecError(f"{path} does not run: {type(error).__name__}: {error}.", "Mend it.") from error
    finally:
        registry.level = before
