"""The schema for editors accepts what the command accepts."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from contracts.duration import parse_duration
from understudy.schema import pipeline_schema

_PIPELINES = sorted((Path(__file__).parents[2] / "pipelines").glob("*/pipeline.yaml"))


@pytest.mark.parametrize("path", _PIPELINES, ids=lambda path: path.parent.name)
def test_every_pipeline_here_is_as_the_schema_wants_it(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), pipeline_schema())


def test_durations_in_the_schema_are_as_people_write_them() -> None:
    stage = pipeline_schema()["$defs"]["ShadowStage"]["properties"]
    assert parse_duration(stage["max_duration"]["default"]).days == 14
    jsonschema.validate("36h", stage["block"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate("P7D", stage["block"])
