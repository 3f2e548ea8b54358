"""People are told what happened by Prefect's own blocks: in a chat that takes Slack's messages, and by e-mail."""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.flows.workers import ROOT, environment, run_understudy, until
from tests.http_recorder import answering
from tests.prefect_server import ask_prefect

pytestmark = pytest.mark.timeout(240)
SAY = """
import sys
from datetime import UTC, datetime, timedelta
from contracts.rollout import Act, DecisionRecord, Phase
from flows.notices import tell, tell_decisions

def decided(number, act, ago=timedelta(0)):
    at = datetime.now(UTC) - ago
    return DecisionRecord(number, "demand", number, at, at, act, f"reason {number}", "somebody", str(number), 3, Phase.IDLE)

tell("demand", "gate-failed", "demand: a candidate did not meet its offline gates", 'mae is "14 > 10"')
old = [decided(1, Act.PROMOTE, timedelta(hours=2))]
print(tell_decisions("demand", [*old, decided(2, Act.PROMOTE), decided(3, Act.REPAIR)]))
print(tell_decisions("demand", [*old, decided(2, Act.PROMOTE), decided(3, Act.REPAIR), decided(4, Act.ROLLBACK)]))
print(tell_decisions("demand", [decided(4, Act.ROLLBACK)]))
print(tell_decisions("quiet", old), tell_decisions("quiet", old))
"""


@dataclass
class Mails:
    """A mail server that takes everything, and what it took."""

    port: int
    taken: list[EmailMessage] = field(default_factory=list)


@contextmanager
def mail_server() -> Iterator[Mails]:
    """Speak as much SMTP (RFC 5321) as a client needs that logs in nowhere."""

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 ready\r\n")
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    mails.taken.append(message_from_bytes(self._content(), policy=policy.default))  # type: ignore[arg-type]  # by this policy
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n")
                if verb == b"QUIT":
                    return

        def _content(self) -> bytes:
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line)
            return b"".join(lines)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        mails = Mails(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield mails
        server.shutdown()
        thread.join()


@pytest.mark.slow
def test_gates_promotions_and_roll_backs_are_told_once_in_the_chat_and_by_mail(tmp_path: Path, prefect_server: str) -> None:
    (tmp_path / "pipelines").mkdir()
    plain = environment(tmp_path, prefect_server)
    with answering((200, "ok")) as chat, mail_server() as mails:
        address = tmp_path / "chat.url"
        address.write_text(f"{chat.url}/services/T0/B0/secret\n")
        mailto = f"mailto://127.0.0.1:{mails.port}/?from=understudy@example.org&to=oncall@example.org&mode=insecure"
        env = plain | {"UNDERSTUDY_NOTIFY_URL_FILE": str(address), "UNDERSTUDY_NOTIFY_EMAIL": mailto}
        for _ in range(2):  # the second changes nothing
            done = run_understudy(env, "deploy")
            assert done.returncode == 0, done.stderr
        said = subprocess.run([sys.executable, "-c", SAY], env=plain, cwd=ROOT, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stderr
        assert said.stdout.splitlines() == ["['promoted']", "['rolled-back']", "[]", "[] []"]
        until(lambda: len(chat.calls) >= 3 and len(mails.taken) >= 3, 60, "people are told")
        assert run_understudy(plain, "deploy").returncode == 0
    assert {path for path, _, _ in chat.calls} == {"/services/T0/B0/secret"}
    assert sorted(json.loads(body)["text"] for _, _, body in chat.calls) == [
        'demand: a candidate did not meet its offline gates\nmae is "14 > 10"',
        "demand: promoted version 2\nreason 2 (by somebody)",
        "demand: rolled-back version 4\nreason 4 (by somebody)",
    ]
    subjects = sorted(str(one["Subject"]) for one in mails.taken)
    assert subjects[1:] == ["demand: promoted version 2", "demand: rolled-back version 4"]
    assert {str(one["To"]) for one in mails.taken} == {"oncall@example.org"}
    names = [one["name"] for one in ask_prefect("POST", f"{prefect_server}/automations/filter", {}).json()]
    assert not [name for name in names if name in ("understudy: what happened", "understudy: runs that broke")]  # unset, and gone
    blocks = ask_prefect("POST", f"{prefect_server}/block_documents/filter", {}).json()
    assert not [one["name"] for one in blocks if str(one["name"]).startswith("understudy-")]
