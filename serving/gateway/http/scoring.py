"""MLflow's scoring protocol over HTTP: what `mlflow models serve` answers, from the champion."""

from __future__ import annotations

from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from serving.columns import BadRequest, Columns, shown
from serving.gateway.asks import Answer, Ask, Serving, make_ask
from serving.gateway.beside import beside
from serving.gateway.errors import NotReady
from serving.gateway.http.bodies import as_json, decode, read_body
from serving.gateway.http.deadline import deadline_of
from serving.gateway.http.edge import mark
from serving.gateway.plane import DataPlane
from serving.scoring import OUTPUTS, read_csv, read_output, read_scoring, write_predictions

VERSION_HEADER = "understudy-version"
ID_HEADER = "x-request-id"


class Scoring:
    """The protocol's answers from a data plane."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    def routes(self) -> list[Route]:
        """Return the protocol's paths."""
        return [
            Route("/invocations", self.invocations, methods=["POST"]),
            Route("/ping", self.ping),
            Route("/health", self.ping),
            Route("/version", self.version),
        ]

    async def invocations(self, request: Request) -> Response:
        """Answer a table; the request's id is taken from, and given in, the header X-Request-Id."""
        mark(request.scope)
        serving = self._serving(request.query_params.get("model"))
        mark(request.scope, serving.pipeline, serving.version)
        deadline = deadline_of(request.scope)
        body = await read_body(request.scope, request.receive, self._plane.limits.body_bytes)
        kind, request_id = request.headers.get("content-type", "application/json"), request.headers.get(ID_HEADER)
        ask, output = await beside(len(body), lambda: _read(serving, body, kind, request_id))
        ask.end_by(deadline)
        answer = await self._plane.answer(ask)
        mark(request.scope, serving.pipeline, answer.versions[0])
        return await beside(answer.predictions.size * 8, lambda: _written(answer, output))

    def _serving(self, named: str | None) -> Serving:
        if named is not None:
            return self._plane.serving(named)
        names = sorted(self._plane.servings().keys() | set(self._plane.missing()))
        if len(names) > 1:
            raise BadRequest("Several models are served here.", f"Name one: /invocations?model={names[0]} (there are: {', '.join(names)}).")
        if not names:
            raise NotReady("No model is served yet.", "Retrain a pipeline; its first champion is served as soon as it passes its gates.")
        return self._plane.serving(names[0])

    async def ping(self, _request: Request) -> Response:
        """Say whether a model can be answered."""
        able = bool(self._plane.servings()) and not self._plane.missing()
        return PlainTextResponse("\n", 200 if able else 503, None if able else {"retry-after": "1"})

    async def version(self, _request: Request) -> Response:
        """Return Understudy's version."""
        return PlainTextResponse(version("understudy"))


def _read(serving: Serving, raw: bytes, content_type: str, request_id: str | None) -> tuple[Ask, str]:
    columns, output = _columns(serving, raw, content_type)
    return make_ask(serving, columns, request_id), output


def _columns(serving: Serving, raw: bytes, content_type: str) -> tuple[Columns, str]:
    kind, *parameters = [part.strip().lower() for part in content_type.split(";")]
    charset = next((one.partition("=")[2].strip('"') for one in parameters if one.startswith("charset=")), "utf-8")
    if charset not in ("utf-8", "utf8"):
        raise BadRequest(f"The charset {shown(charset)} is not taken.", "Send UTF-8.")
    manifest, required = serving.champion.manifest, serving.champion.required
    if kind == "application/json":
        body = decode(raw)
        return read_scoring(body, manifest, required), read_output(body)
    if kind != "text/csv":
        raise BadRequest(f"The content type {shown(kind)} is not taken.", "Send application/json or text/csv.")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"The CSV is not UTF-8: byte {error.start} cannot be read.") from None
    return read_csv(text, manifest, required), OUTPUTS[0]


def _written(answer: Answer, output: str) -> Response:
    predictions = write_predictions(answer.predictions, answer.serving.champion.manifest, output)
    return as_json({"predictions": predictions}, headers={VERSION_HEADER: answer.version, ID_HEADER: answer.request_id})
