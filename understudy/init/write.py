"""Writes a proposal as pipelines/NAME: pipeline.yaml for people, params.yaml, and the suite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from contracts.errors import UsageError

if TYPE_CHECKING:
    from understudy.init.proposal import Proposal

FILES = ("pipeline.yaml", "params.yaml", "suite.json")
_PARAMS = """\
# The pinned hyperparameters and the seed; nothing else decides a fit beside the data.
seed: 0
estimator:
  max_iter: 200
  learning_rate: 0.1
  early_stopping: false
"""


def refuse_existing(folder: Path, *, force: bool) -> None:
    """Refuse to overwrite a pipeline.

    Raises:
        UsageError: one of its files is there already and `force` is not given.
    """
    there = [folder / name for name in FILES if (folder / name).exists()]
    if there and not force:
        raise UsageError(f"{there[0]} exists already; nothing was written.", "Choose another name, or overwrite it with --force.")


def write_pipeline(folder: Path, one: Proposal, suite: dict[str, Any]) -> list[Path]:
    """Write the three files, over those that are there, and return their paths.

    Raises:
        UsageError: the folder cannot be written.
    """
    paths = [folder / name for name in FILES]
    texts = (pipeline_yaml(one), _PARAMS, json.dumps(suite, indent=2, ensure_ascii=False) + "\n")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}.", "Choose another place with --pipelines.") from error
    return paths


def pipeline_yaml(one: Proposal) -> str:
    """Return the commented pipeline.yaml; it says exactly what the proposal's spec says."""
    import jinja2

    template = Path(__file__).with_name("pipeline.yaml.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)  # noqa: S701  # YAML, quoted by `y`
    environment.filters.update(y=_yaml, line=_one_line)
    why = {each.key: _one_line(each.why) for each in one.decided}
    return environment.from_string(template).render(one=one, spec=one.spec, why=why, source=_one_line(one.spec["source"]["path"]))


def _yaml(value: Any) -> str:
    """One value in YAML's flow form, on one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True).removesuffix("...\n").strip()


def _one_line(text: str) -> str:
    return " ".join(str(text).split())
