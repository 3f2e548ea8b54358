"""Who waits for a run outlasts a server that is silent for a while, and not for ever."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from adapters.prefect_api import FlowRun, PrefectApi
from contracts.errors import OutsideError
from understudy import runs

RUN = FlowRun("r1", "http://somewhere/r1")


class Server:
    """Stands for Prefect's server, which cannot be made to fail at will: it answers 500 so many times, then that the run is over."""

    def __init__(self, broken: int) -> None:
        server = self
        self.asked = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked += 1
                self.send_response(500 if server.asked <= broken else 200)
                self.end_headers()
                self.wfile.write(json.dumps({"id": "r1", "state": {"type": "COMPLETED", "name": "Completed"}}).encode())

            def log_message(self, *_: object) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    one = Server(request.param)
    yield one
    one.http.shutdown()
    one.http.server_close()


def wait(server: Server) -> str:
    with PrefectApi(f"http://127.0.0.1:{server.http.server_port}/api") as api:
        return runs.wait(api, RUN).kind


@pytest.mark.parametrize("server", [2], indirect=True)
def test_a_server_that_fails_for_a_while_is_asked_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_PAUSE_SECONDS", 0.01)
    assert wait(server) == "COMPLETED"
    assert server.asked == 3


@pytest.mark.parametrize("server", [1000], indirect=True)
def test_one_that_fails_for_too_long_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(runs, "_SILENT_SECONDS", 0.1)
    with pytest.raises(OutsideError, match="answered 500"):
        wait(server)
    assert server.asked > 1
