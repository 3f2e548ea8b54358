"""The reference names everything there is, and nothing that is not."""

import re
from pathlib import Path
from typing import Any

import pytest

from contracts.duration import format_duration, parse_duration
from contracts.spec import Params
from understudy.doctor.environment import KNOWN
from understudy.schema import pipeline_schema

_DOCS = Path(__file__).parents[2] / "docs"


def keys() -> set[str]:
    """Return every key of pipeline.yaml and params.yaml, at any depth."""
    found: set[str] = set()
    for schema in (pipeline_schema(), Params.model_json_schema()):
        for part in (schema, *schema.get("$defs", {}).values()):
            found |= set(part.get("properties", {}))
    return found


def quoted(page: str) -> set[str]:
    text = (_DOCS / "reference" / page).read_text()
    return {word for code in re.findall(r"`([^`]+)`", text) for word in re.findall(r"\w+", code)}


def rows() -> dict[str, list[str]]:
    """Return the cells behind each key's name in the tables, by name; a name may stand in several tables."""
    found: dict[str, list[str]] = {}
    for line in (_DOCS / "reference" / "pipeline.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        for name in re.findall(r"`(\w+)`", cells[0]) if line.startswith("| `") else ():
            found.setdefault(name, []).append(cells[1])
    return found


def test_every_key_of_a_pipeline_is_explained() -> None:
    assert keys() - quoted("pipeline.md") == set()


def test_no_key_is_explained_that_is_not_there() -> None:
    assert set(rows()) - keys() == set()


def defaults(part: dict[str, Any]) -> dict[str, Any]:
    known = {name: value.get("default") for name, value in part.get("properties", {}).items()}
    return {name: value for name, value in known.items() if value not in (None, [], {}) and not isinstance(value, dict)}


@pytest.mark.parametrize(("name", "default"), [pair for part in pipeline_schema()["$defs"].values() for pair in defaults(part).items()])
def test_every_default_is_the_one_that_is_told(name: str, default: object) -> None:
    told = {cell.strip("`") for cell in rows()[name]}
    if isinstance(default, str) and re.fullmatch(r"\d+[smhdw]", default):
        told = {format_duration(parse_duration(one)) for one in told if re.fullmatch(r"\d+[smhdw]", one)}
    assert told & {str(default), str(default).lower()}  # YAML writes false, Python False


def test_every_setting_is_explained() -> None:
    text = (_DOCS / "reference" / "environment.md").read_text()
    assert set(re.findall(r"`(UNDERSTUDY_[A-Z_]+)`", text)) == set(KNOWN)


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in [*_DOCS.rglob("*.md"), _DOCS.parent / "README.md", *(_DOCS.parent / "infra").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
