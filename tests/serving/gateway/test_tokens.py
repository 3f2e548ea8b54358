"""Who holds a token for what he asks is answered; nobody else is, the file rules at once, and no token is ever told to anyone."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from adapters.pipeline_files import Pipeline
from adapters.process_log import configure_log
from adapters.settings import read_settings
from contracts.errors import OutsideError, UsageError
from contracts.spec import Params
from serving.gateway.tokens import Tokens, read_tokens
from tests.serving.gateway.world import ROOT, Gateway, World, rows, spec, tensors
from understudy.replay import replay_frame

SHOP, LABELS, LOOKER, BOSS = (f"{name}-token-nobody-guesses" for name in ("shop", "labels", "looker", "boss"))
INFER, FEEDBACK = ("POST", "/v2/models/p/infer"), ("POST", "/v2/models/p/feedback")
OPEN = ("/", "/docs", "/ping", "/health", "/v2/health/live", "/v2/health/ready", "/metrics")
READ = ("/status", "/openapi.json", "/no/such/path")


def lines(**more: str) -> str:
    hashed = hashlib.sha256(SHOP.encode()).hexdigest()
    known = {"shop": f"infer sha256:{hashed}", "labels": f"feedback {LABELS}", "looker": f"read {LOOKER}", "boss": f"operate {BOSS}"}
    return "# who may call\n\n" + "".join(f"{name}\t{rest}\n" for name, rest in (known | more).items())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokens")


@pytest.fixture(scope="module")
def guarded(home: Path) -> Iterator[Gateway]:
    world = World(home)
    world.route("p", world.make("p", "1"))
    (home / "tokens").write_text(lines())
    yield world.start(UNDERSTUDY_TOKENS_FILE=str(home / "tokens"))
    world.close()


def ask(gateway: Gateway, what: tuple[str, str], token: str | None = None, **headers: str) -> httpx.Response:
    body = {"inputs": tensors(), "feedback": [{"id": "x", "label": 1.0}]} if what[0] == "POST" else None
    sent = headers if token is None else headers | {"Authorization": f"Bearer {token}"}
    return gateway.client.request(*what, json=body, headers=sent)


LOOKS = {("GET", path) for path in READ}


@pytest.mark.parametrize(("token", "allowed"), [(SHOP, {INFER}), (LABELS, {FEEDBACK}), (LOOKER, LOOKS), (BOSS, {INFER, FEEDBACK, *LOOKS})])
def test_a_token_opens_what_its_scopes_cover_and_nothing_else(guarded: Gateway, token: str, allowed: set[tuple[str, str]]) -> None:
    for what in (INFER, FEEDBACK, *LOOKS):
        answer = ask(guarded, what, token)
        assert (answer.status_code == 403) == (what not in allowed), (what, answer.text)
        assert answer.status_code in (200, 202, 403, 404)
    for path in ("/v2", "/version"):
        assert ask(guarded, ("GET", path), token).status_code == 200


DIGEST = hashlib.sha256(SHOP.encode()).hexdigest()
CLOSED = (INFER, FEEDBACK, ("POST", "/invocations"), ("GET", "/v2/models/p"), ("GET", "/v2"), *LOOKS)


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", f"Bearer {SHOP}x", f"Basic {SHOP}", SHOP, f"Bearer {DIGEST}", "Bearer sha256:" + DIGEST, "Bearer \xff\xfe"],
)
def test_without_a_known_token_everything_but_health_metrics_and_empty_pages_is_401(guarded: Gateway, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    for method, path in (
        INFER,
        FEEDBACK,
        ("POST", "/invocations"),
        ("GET", "/v2/models/p"),
        ("GET", "/v2"),
        *(("GET", one) for one in READ),
    ):
        answer = guarded.client.request(method, path, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), path
        assert answer.json().keys() == {"error"}
    for path in OPEN:
        assert guarded.client.get(path, headers=headers).status_code == 200, path


def test_metrics_that_are_asked_for_through_a_proxy_need_a_token(guarded: Gateway) -> None:
    for name in ("X-Forwarded-For", "Forwarded", "Via"):
        assert ask(guarded, ("GET", "/metrics"), **{name: "127.0.0.1"}).status_code == 401
    assert ask(guarded, ("GET", "/metrics"), LOOKER, Via="1.1 front").status_code == 200


def test_refused_inference_is_counted_and_no_token_is_in_the_log(guarded: Gateway) -> None:
    before = guarded.metric('understudy_requests_total{code="401"'), guarded.metric('understudy_requests_total{code="403"')
    ask(guarded, INFER, "somebody-else-entirely")
    ask(guarded, INFER, LOOKER)
    after = guarded.metric('understudy_requests_total{code="401"'), guarded.metric('understudy_requests_total{code="403"')
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)
    said = guarded.said()
    assert "caller=looker" in said or '"caller": "looker"' in said
    assert "token-nobody-guesses" not in said
    assert "somebody-else-entirely" not in said


def test_a_changed_file_rules_within_a_second_and_a_broken_one_changes_nothing(guarded: Gateway, home: Path) -> None:
    fresh = "fresh-token-nobody-guesses"
    (home / "tokens").write_text(lines(shop=f"infer {fresh}"))
    guarded.wait_until(lambda: ask(guarded, INFER, fresh).status_code == 200, "take the new token")
    assert ask(guarded, INFER, SHOP).status_code == 401
    (home / "tokens").write_text(f"shop infer,everything {fresh}\n")
    guarded.wait_until(lambda: ask(guarded, INFER, fresh).status_code == 200 and "scope is unknown" in guarded.said(), "say what is wrong")
    (home / "tokens").unlink()
    guarded.wait_until(lambda: ask(guarded, INFER, fresh).status_code == 200 and "No such file" in guarded.said(), "say that it is gone")
    (home / "tokens").write_text(lines())
    guarded.wait_until(lambda: ask(guarded, INFER, SHOP).status_code == 200, "take the old token again")
    assert fresh not in guarded.said()


def test_replay_sends_the_token_of_the_environment(guarded: Gateway, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipeline = Pipeline(spec("p", "regression", "x.y", None), Params(), home, None, "", None)
    frame = rows(0.0).head(5)
    (tmp_path / "token").write_text(f"{BOSS}\n")
    monkeypatch.setenv("UNDERSTUDY_TOKEN_FILE", str(tmp_path / "token"))
    settings = replace(read_settings(home), gateway_url=guarded.url)
    assert BOSS not in repr(settings)
    assert replay_frame(settings, pipeline, frame).failed == 0
    monkeypatch.setenv("UNDERSTUDY_TOKEN", SHOP)  # may infer, and give no feedback
    with pytest.raises(OutsideError, match="403"):
        replay_frame(replace(read_settings(home), gateway_url=guarded.url), pipeline, frame)
    assert "401" in str(replay_frame(replace(settings, gateway_token=None), pipeline, frame, feedback=False).error)


def test_the_page_says_that_it_wants_a_token_and_shows_everything_with_one_behind_the_hash(guarded: Gateway) -> None:
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("Chromium is not installed (Debian package chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(guarded.url)
        page.get_by_text("it wants a token with the scope read").wait_for(timeout=10_000)
        page = browser.new_page()
        page.goto(f"{guarded.url}/#token={LOOKER}")
        page.locator("[data-pipeline=p]").wait_for(timeout=10_000)
        page = browser.new_page()
        page.goto(f"{guarded.url}/docs#token={LOOKER}")
        page.locator("details").first.wait_for(timeout=10_000)
        browser.close()
    assert LOOKER not in guarded.said()


def start(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "serving.gateway", "--port", "0", *options]
    return subprocess.run(command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gateway.example"])
def test_it_does_not_listen_beyond_loopback_without_tokens(host: str, tmp_path: Path) -> None:
    done = start("--host", host, UNDERSTUDY_HOME=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith(f"The gateway does not listen on {host} without tokens: whoever reaches it could call it.")
    assert list(tmp_path.iterdir()) == []


def test_told_to_be_insecure_it_listens_beyond_loopback_and_beyond_it_metrics_need_a_token(home: Path, guarded: Gateway) -> None:
    env = {"UNDERSTUDY_HOME": str(home)}
    for options, tokens, code in ((("--insecure",), None, 200), ((), str(home / "tokens"), 401)):
        with socket.socket() as free:
            free.bind(("0.0.0.0", 0))
            port = free.getsockname()[1]
        url = f"http://{own_address()}:{port}"
        command = [sys.executable, "-m", "serving.gateway", "--host", "0.0.0.0", "--port", str(port), *options]
        known = os.environ | env | ({} if tokens is None else {"UNDERSTUDY_TOKENS_FILE": tokens})
        with subprocess.Popen(command, cwd=ROOT, env=known, stderr=subprocess.DEVNULL) as process:
            try:
                with httpx.Client(base_url=url, trust_env=False, transport=httpx.HTTPTransport(retries=6)) as client:
                    assert client.get("/v2/health/live").status_code == 200
                    assert client.get("/metrics").status_code == code
            finally:
                process.terminate()


def own_address() -> str:
    """Return an address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect(("192.0.2.1", 9))  # sends nothing: only asks which way it would go
        except OSError:
            pytest.skip("this machine has no address beyond loopback")
        return str(one.getsockname()[0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no token: nobody could call"),
        ("# only words\n", "holds no token"),
        ("shop infer", "line 1: there are 2 words"),
        ("shop infer a b", "line 1: there are 4 words"),
        ("# x\nsh/op infer secret-secret-secret", "line 2: the name is not"),
        ("shop infer,secret-scope secret-secret-secret", "line 1: a scope is unknown. Scopes are: infer, feedback, read, operate."),
        ("shop infer secret", "too short or no digest. Take at least 16"),
        ("shop infer sha256:secretsecret", "too short or no digest"),
        ("shop infer secret-secret-secret\nlabels feedback secret-secret-secret", "line 2: this token stands on a line before it"),
        ("shop infer \udcff", "it is not UTF-8"),
    ],
)
def test_a_wrong_tokens_file_is_refused_by_line_and_never_quoted(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(UsageError) as refused:
        read_tokens(path)
    assert message in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_tokens_file_that_is_not_there_or_wrong_stops_the_start(tmp_path: Path) -> None:
    done = start(UNDERSTUDY_HOME=str(tmp_path), UNDERSTUDY_TOKENS_FILE=str(tmp_path / "none"))
    assert (done.returncode, "does not exist" in done.stderr) == (2, True)
    (tmp_path / "some").write_text("shop infer")
    done = start(UNDERSTUDY_HOME=str(tmp_path), UNDERSTUDY_TOKENS_FILE=str(tmp_path / "some"))
    assert (done.returncode, "line 1: there are 2 words" in done.stderr) == (2, True)
    assert "Traceback" not in done.stderr


def test_the_file_is_looked_at_again_only_after_a_while(tmp_path: Path) -> None:
    path, now = tmp_path / "file", [0.0]
    path.write_text(lines())
    tokens = Tokens(path, configure_log("test"), lambda: now[0])
    path.write_text(lines(late="read late-token-nobody-guesses"))
    assert tokens.caller(b"late-token-nobody-guesses") is None
    now[0] = 0.6
    late = tokens.caller(b"late-token-nobody-guesses")
    assert late is not None
    assert (late.name, "digest" in repr(late)) == ("late", False)
