"""The composition root of the flows' process: settings, pipeline, ledger and registry are opened here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from adapters.pipeline_files import Pipeline, load_pipeline, with_window
from adapters.settings import Settings, read_settings

if TYPE_CHECKING:
    from adapters.ledger import Ledger
    from adapters.registry import Registry


@dataclass(frozen=True, slots=True)
class World:
    """What a flow works with."""

    settings: Settings
    pipeline: Pipeline
    ledger: Ledger
    registry: Registry


@cache
def open_world(pipeline: str, window: str = "") -> World:
    """Open everything a flow of one pipeline needs; once in a process, which does one flow run.

    Args:
        window: the training window that was asked for instead of the spec's.
    """
    from adapters.ledger import Ledger
    from adapters.registry import Registry

    settings = read_settings()
    loaded = with_window(load_pipeline(settings, pipeline), window or None)
    return World(settings, loaded, Ledger(settings.ledger_url), Registry(settings))
