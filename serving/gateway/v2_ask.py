"""A request of the Open Inference Protocol, whichever way it came, becomes rows that wait for an answer; the answer becomes its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from serving.columns import BadRequest, Columns, shown
from serving.gateway.asks import Answer, Ask, Serving, make_ask
from serving.gateway.errors import NotServed
from serving.tensors import output_names, read_inputs, write_outputs
from serving.usual_tensors import read_usual


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the answer is to hold.

    Attributes:
        outputs: names of outputs; all where None.
        binary: outputs that are to follow the JSON as raw bytes (REST only).
    """

    outputs: tuple[str, ...] | None
    binary: frozenset[str] = frozenset()


def check_version(serving: Serving, version: str) -> None:
    """Let a request through that names a version only where that version answers.

    Raises:
        NotServed: another one does.
    """
    if version and version != serving.version:
        raise NotServed(
            f"Version {shown(version)} of '{serving.pipeline}' does not answer.",
            f"Version {serving.version} does; leave the version out to be answered by the champion, whichever it is.",
        )


def read_usual_ask(serving: Serving, raw: bytes) -> tuple[Ask, Wanted] | None:
    """Read a request as it came in one step, or return None where anything about it is unusual: then `read_ask` has the answer.

    Raises:
        BadRequest: names the output or the parameter.
    """
    usual = read_usual(raw, serving.champion.manifest)
    return None if usual is None else _asked(serving, usual.columns, usual.id, usual.parameters, usual.outputs)


def read_ask(serving: Serving, body: Any) -> tuple[Ask, Wanted]:
    """Read a request in the protocol's JSON form for the version that serves.

    Raises:
        BadRequest: names the column and the row, the output or the parameter.
    """
    columns = read_inputs(body, serving.champion.manifest, serving.champion.required)
    return _asked(serving, columns, body.get("id"), body.get("parameters"), body.get("outputs"))


def _asked(serving: Serving, columns: Columns, request_id: Any, parameters: Any, outputs: Any) -> tuple[Ask, Wanted]:
    return make_ask(serving, columns, request_id, parameters), _wanted(outputs, parameters, serving)


def _wanted(outputs: Any, parameters: Any, serving: Serving) -> Wanted:
    known = output_names(serving.champion.manifest)
    all_binary = _flag(parameters, "binary_data_output")
    if outputs is not None and not isinstance(outputs, list):
        raise BadRequest(f"'outputs' is {shown(outputs)}, not a list.", f"The model gives: {', '.join(known)}.")
    if not outputs:
        return Wanted(None, frozenset(known) if all_binary else frozenset())
    asked: list[dict[str, Any]] = [one if isinstance(one, dict) else {} for one in outputs]
    names = [one.get("name") for one in asked]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadRequest(f"Output {shown(unknown[0])} is unknown.", f"The model gives: {', '.join(known)}.")
    binary = {str(one["name"]) for one in asked if _flag(one.get("parameters"), "binary_data", all_binary)}
    return Wanted(tuple(map(str, names)), frozenset(binary))


def _flag(parameters: Any, name: str, otherwise: bool = False) -> bool:
    given = parameters.get(name, otherwise) if isinstance(parameters, dict) else otherwise
    if type(given) is not bool:
        raise BadRequest(f"Parameter {name} is {shown(given)}, not true or false.")
    return given


def answer_body(answer: Answer, wanted: Wanted) -> dict[str, Any]:
    """Return an answer in the protocol's JSON form."""
    serving = answer.serving
    outputs = write_outputs(answer.predictions, serving.champion.manifest, wanted.outputs)
    body: dict[str, Any] = {"model_name": serving.pipeline, "model_version": answer.version, "id": answer.request_id, "outputs": outputs}
    if len(set(answer.versions)) > 1:
        body["parameters"] = {"versions": list(answer.versions)}
    return body
