"""The operator's hand: `understudy rollback`, measured from the command's decision to the first answer by the former champion."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

import httpx

from contracts.columns import EVENT_TIME
from contracts.errors import OutsideError
from contracts.rollout import Phase
from understudy.demo.theatre import Theatre
from understudy.replay import infer_request

_SECONDS = 30.0
_PAUSE_SECONDS = 0.002


class _Caller(threading.Thread):
    """Asks the gateway again and again, and keeps when which version answered."""

    def __init__(self, stage: Theatre) -> None:
        super().__init__(daemon=True)
        self._url = f"{stage.settings.gateway_url}/v2/models/{stage.name}/infer"
        self._headers = stage.settings.gateway_headers
        self._rows = stage.traffic[stage.traffic[EVENT_TIME] < stage.now].tail(1)
        self._spec = stage.pipeline.spec
        self.answers: list[tuple[float, str]] = []
        self.failed = 0
        self.enough = threading.Event()

    def run(self) -> None:
        with httpx.Client(timeout=_SECONDS, trust_env=False, headers=self._headers) as client:
            number = 0
            while not self.enough.is_set():
                number += 1
                answer = client.post(self._url, json=infer_request(self._spec, self._rows, f"hand-{id(self)}-{number}"))
                if answer.status_code == httpx.codes.OK:
                    self.answers.append((time.time(), answer.json()["model_version"]))
                else:
                    self.failed += 1
                time.sleep(_PAUSE_SECONDS)


def make_room(stage: Theatre) -> None:
    """Take out, by the command, a candidate that is still under judgement: a further one would wait behind it, or be taken for it."""
    candidate = stage.state.candidate
    if candidate is None or stage.state.phase is Phase.WATCHING:
        return
    reason = "the demonstration has no time for all of its stages"
    stage.story.tell(f"the operator takes out version {candidate.version}", reason, stage.now)
    _understudy(stage, "abort", stage.name, "--reason", reason)
    stage.await_idle()


def roll_back(stage: Theatre) -> None:
    """Bring the previous champion back by the command, while requests go on."""
    stage.story.chapter("The operator's hand")
    before = stage.state
    if before.champion is None or before.previous is None:
        raise OutsideError("There is no previous champion to bring back.", f"See: understudy history {stage.name}")
    caller = _Caller(stage)
    caller.start()
    command = ("rollback", stage.name, "--reason", "the operator wants the former version back")
    asked = time.time()
    document = _understudy(stage, *command)
    decided = stage.ledger.decision(stage.name, int(document["decision"]["id"])).at.timestamp()
    first = _first_answer(caller, before.previous.version, decided)
    stage.requests += len(caller.answers) + caller.failed
    stage.failed += caller.failed
    stage.story.numbers |= {"rollback_ms": round((first - decided) * 1000, 1), "rollback_command_ms": round((first - asked) * 1000, 1)}
    said = (
        f"version {before.previous.version} answered {(first - decided) * 1000:.0f} ms after the decision, "
        f"{(first - asked) * 1000:.0f} ms after the command was typed; {caller.failed} requests failed meanwhile"
    )
    stage.story.tell(f"rolled back from version {before.champion.version}", said, stage.now)
    stage.await_gateway(before.previous.version)


def _first_answer(caller: _Caller, version: str, since: float) -> float:
    deadline = time.monotonic() + _SECONDS
    try:
        while time.monotonic() < deadline:
            found = next((at for at, who in caller.answers if who == version and at >= since), None)
            if found is not None:
                return found
            time.sleep(_PAUSE_SECONDS)
    finally:
        caller.enough.set()
        caller.join()
    raise OutsideError(f"Version {version} did not answer within {_SECONDS:g} s of the roll-back.", "Look into the gateway's log.")


def _understudy(stage: Theatre, *arguments: str) -> dict[str, dict[str, str]]:
    where = ["--home", str(stage.settings.home), "--pipelines", str(stage.settings.pipelines), "--json"]
    command = [sys.executable, "-m", "understudy", *where, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own command
    if done.returncode:
        raise OutsideError(f"`understudy {' '.join(arguments)}` failed: {done.stderr.strip()}", "See its message.")
    document: dict[str, dict[str, str]] = json.loads(done.stdout)
    return document
