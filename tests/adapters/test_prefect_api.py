"""What a server that is busy, strict, broken or away means to us; a real Prefect server answers in the receiver's tests."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from adapters.prefect_api import FlowRun, PrefectApi
from contracts.errors import OutsideError, UsageError
from tests.servers import free_port


@dataclass
class Scripted:
    """A server that gives the answers it was told to give, in order; the last one again and again."""

    answers: list[tuple[int, bytes]]
    url: str = ""
    silences: int = 0
    asked: list[tuple[str, str, str | None, bytes]] = field(default_factory=list)


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    script = Scripted([(200, b"{}")])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.asked.append((self.command, self.path, self.headers.get("Authorization"), body))
            if script.silences:
                script.silences -= 1
                time.sleep(0.6)
            status, content = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script.url = f"http://127.0.0.1:{server.server_address[1]}/api"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield script
        server.shutdown()
        thread.join()


def test_a_silent_server_is_asked_a_question_again_and_a_wish_only_once(scripted: Scripted) -> None:
    scripted.answers, scripted.silences = [(200, b'{"id": "d1"}')], 2
    with PrefectApi(scripted.url, seconds=0.3) as api:
        assert api.deployment("retrain", "demand") == "d1"
        assert len(scripted.asked) == 3
        scripted.silences = 1
        with pytest.raises(OutsideError, match="cannot be reached"):
            api.create_run("d1", {})
    assert len(scripted.asked) == 4


def test_a_busy_server_is_asked_again_and_a_run_says_where_people_see_it(scripted: Scripted) -> None:
    scripted.answers = [(503, b""), (503, b""), (201, b'{"id": "r1"}')]
    with PrefectApi(scripted.url) as api:
        run = api.create_run("d1", {"reason": "x"}, "key")
    assert run == FlowRun("r1", f"{scripted.url.removesuffix('/api')}/runs/flow-run/r1")
    assert [path for _, path, _, _ in scripted.asked] == ["/api/deployments/d1/create_flow_run"] * 3
    assert json.loads(scripted.asked[-1][3]) == {"parameters": {"reason": "x"}, "idempotency_key": "key"}


def test_the_name_of_a_deployment_stays_one_part_of_the_path(scripted: Scripted) -> None:
    scripted.answers = [(200, b'{"id": "d1"}')]
    with PrefectApi(scripted.url, "me:secret") as api:
        assert api.deployment("retrain", "../admin") == "d1"
    _, path, authorization, _ = scripted.asked[0]
    assert path == "/api/deployments/name/retrain/..%2Fadmin"
    assert authorization == "Basic " + base64.b64encode(b"me:secret").decode()


@pytest.mark.parametrize(
    ("status", "content", "kind", "says"),
    [
        (404, b"{}", UsageError, "There is no deployment 'retrain/demand'"),
        (409, b"Validation failed for field 'reason'", UsageError, "Validation failed for field 'reason'"),
        (401, b"{}", OutsideError, "Check PREFECT_API_AUTH_STRING"),
        (500, b"oops", OutsideError, "answered 500"),
        (503, b"", OutsideError, "answered 503"),
        (200, b"<html>a proxy</html>", OutsideError, "cannot be reached"),
    ],
)
def test_what_the_server_refuses_becomes_an_error_with_a_remedy(
    scripted: Scripted, status: int, content: bytes, kind: type[Exception], says: str
) -> None:
    scripted.answers = [(status, content)]
    with PrefectApi(scripted.url) as api, pytest.raises(kind, match=says):
        api.deployment("retrain", "demand")


def test_a_server_that_is_away_is_not_healthy_and_says_so() -> None:
    with PrefectApi(f"http://127.0.0.1:{free_port()}/api") as api:
        assert not api.healthy()
        with pytest.raises(OutsideError, match="cannot be reached"):
            api.find_run("retrain", "key")
