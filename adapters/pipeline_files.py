"""Reads pipelines/NAME; every mistake in it becomes one sentence with file, line and key."""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from adapters.settings import Settings
from contracts import spec as spec_types
from contracts.duration import parse_duration
from contracts.errors import SpecError, UsageError
from contracts.spec import ModuleSource, Params, PipelineSpec

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One pipeline's files, read and checked.

    Attributes:
        suite: the Great Expectations suite as JSON, or None where the file is absent.
        spec_digest: sha256 over pipeline.yaml, params.yaml and the feature code: everything that decides a fit beside the data.
        feature_code: text of the feature module, or None.
        window: the training window that somebody asked for instead of the spec's, or None; it is in the digest.
    """

    spec: PipelineSpec
    params: Params
    folder: Path
    suite: dict[str, Any] | None
    spec_digest: str
    feature_code: str | None
    window: str | None = None

    @property
    def expectations(self) -> Path | None:
        """The module with the pipeline's own expectations, where it has one."""
        module = self.spec.checks.expectations
        return None if module is None else self.folder / f"{module}.py"


def with_window(pipeline: Pipeline, window: str | None) -> Pipeline:
    """Return the pipeline with another training window, `all` or a duration; unchanged for None.

    Raises:
        UsageError: it is neither.
    """
    if window is None:
        return pipeline
    try:
        value = "all" if window == "all" else parse_duration(window)
    except ValueError as error:
        raise UsageError(f"The window {error}.", "Or write `all`.") from error
    train = pipeline.spec.train.model_copy(update={"window": value})
    digest = hashlib.sha256(f"{pipeline.spec_digest} train.window={window}".encode()).hexdigest()
    return replace(pipeline, spec=pipeline.spec.model_copy(update={"train": train}), spec_digest=digest, window=window)


def list_pipelines(settings: Settings) -> list[str]:
    """Return the names of all folders with a pipeline.yaml."""
    if not settings.pipelines.is_dir():
        return []
    return sorted(path.parent.name for path in settings.pipelines.glob("*/pipeline.yaml"))


def load_pipeline(settings: Settings, name: str) -> Pipeline:
    """Read pipelines/NAME.

    Raises:
        UsageError: there is no such pipeline.
        SpecError: a file is not YAML or JSON, or not as the schema wants it.
    """
    folder = settings.pipelines / name
    if not (folder / "pipeline.yaml").is_file():
        raise UsageError(f"There is no pipeline '{name}' in {settings.pipelines}.", _known(name, list_pipelines(settings)))
    spec = read_model(folder / "pipeline.yaml", PipelineSpec)
    if spec.name != name:
        raise SpecError(f"{folder / 'pipeline.yaml'}: name is '{spec.name}' but the folder is '{name}'.", "Give both the same name.")
    if isinstance(spec.source, ModuleSource):
        spec = spec.model_copy(update={"source": spec.source.beside(folder)})
    params = read_model(folder / "params.yaml", Params)
    code = _feature_code(folder, spec)
    decided = json.dumps(
        [spec.model_dump(mode="json", by_alias=True, exclude={"compute"}), params.model_dump(mode="json"), code], sort_keys=True
    )
    return Pipeline(spec, params, folder, _suite(folder / spec.checks.suite), hashlib.sha256(decided.encode()).hexdigest(), code)


def _known(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, 1)
    if close:
        return f"Did you mean '{close[0]}'?"
    return f"There are: {', '.join(names)}." if names else "Make one with: understudy init NAME --data FILE --target COL."


def _suite(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise SpecError(f"{path}:{error.lineno}: not JSON: {error.msg}.", "Mend the file.") from error
    if not isinstance(content, dict):
        raise SpecError(f"{path}:1: a suite is a JSON object.", "Mend the file.")
    return content


def _feature_code(folder: Path, spec: PipelineSpec) -> str | None:
    if spec.train.features is None:
        return None
    module, _, function = spec.train.features.partition(":")
    path = folder / f"{module}.py"
    if not function or not path.is_file():
        raise SpecError(
            f"{folder / 'pipeline.yaml'}: train.features '{spec.train.features}' names no function in {path.name}.",
            "Write it as module:function of a file beside pipeline.yaml.",
        )
    return path.read_text(encoding="utf-8")


def read_model(path: Path, model: type[_Model]) -> _Model:
    """Read a YAML file into a pydantic model.

    Raises:
        SpecError: names file, line, key and what is wrong with it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError(f"{path} does not exist.", "Create it, or run: understudy init.") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(f"{path}:{line}: not YAML: {error.problem}.", "Mend the indentation or the quotes there.") from error
    try:
        return model.model_validate(content if content is not None else {})
    except ValidationError as error:
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")  # a typo explains what is then missing
        where = _path_in_file(first["loc"], content)
        line = _line_of(node, where)
        raise SpecError(
            f"{path}:{line}: {'.'.join(map(str, where)) or 'file'}: {_say(dict(first))}", _suggest(dict(first), model)
        ) from error


def _path_in_file(loc: tuple[int | str, ...], content: Any) -> list[int | str]:
    """Drop what pydantic adds to a location (the tags of unions) and keep what stands in the file."""
    kept: list[int | str] = []
    here = content
    for part in loc:
        inside = (isinstance(here, dict) and part in here) or (isinstance(here, list) and isinstance(part, int) and part < len(here))
        if inside:
            here = here[part]
            kept.append(part)
        elif isinstance(here, dict) and part is loc[-1]:
            kept.append(part)
    return kept


def _line_of(node: yaml.Node | None, where: list[int | str]) -> int:
    line = 1
    for part in where:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _say(error: dict[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown key."
    if error["type"] == "missing":
        return "this key is required."
    message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{message}." if error["type"] == "value_error" else f"{message}, got {error.get('input')!r}."


def _known_keys() -> set[str]:
    models = [value for value in vars(spec_types).values() if isinstance(value, type) and issubclass(value, BaseModel)]
    return {field.alias or key for model in models for key, field in model.model_fields.items()}


def _suggest(error: dict[str, Any], model: type[BaseModel]) -> str:
    if error["type"] != "extra_forbidden":
        return ""
    close = difflib.get_close_matches(str(error["loc"][-1]), sorted(_known_keys() | set(model.model_fields)), 1)
    return f"Did you mean '{close[0]}'?" if close else "Remove it; `understudy schema` lists what is known."
