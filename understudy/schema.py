"""The JSON Schema of pipeline.yaml, as editors want it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from contracts.duration import format_duration
from contracts.spec import PipelineSpec


class _Schema(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """Write durations as people write them, not as pydantic does (`P7D`), on their own and in groups."""
        if isinstance(dft, timedelta):
            return format_duration(dft)
        return dft.model_dump(mode="json", by_alias=True) if hasattr(dft, "model_dump") else super().encode_default(dft)


def pipeline_schema() -> dict[str, Any]:
    """Return the schema; every example and default in it is one that pipeline.yaml accepts."""
    return PipelineSpec.model_json_schema(schema_generator=_Schema)
