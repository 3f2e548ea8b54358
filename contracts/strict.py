"""The base of everything that is read from a pipeline's files: unknown keys are refused, and nothing changes once it is read."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A part of pipeline.yaml or params.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")
