"""The peers: every package is pinned, a list that did not change is not installed again, and without data nothing is claimed."""

import hashlib
from pathlib import Path

import pytest

from benchmarks import alarms, monitors
from benchmarks.peers import environments
from benchmarks.peers.environments import environment, index_answers, quiet, versions

_LISTS = sorted(Path(environments.__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("listed", _LISTS, ids=lambda path: path.stem)
def test_every_package_of_a_peer_is_pinned_and_no_index_is_named(listed: Path) -> None:
    lines = [line for line in listed.read_text().splitlines() if line and not line.startswith("#")]
    assert all("==" in line and "://" not in line and not line.startswith("-") for line in lines)


def test_each_drift_library_is_in_its_own_list() -> None:
    assert all(name in versions(name) for name in monitors.PEERS)


def test_an_unchanged_list_is_not_installed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "_PLACE", tmp_path)
    monkeypatch.setattr(environments.subprocess, "run", lambda *_, **__: pytest.fail("nothing is to be installed"))
    listed = next(one for one in _LISTS if one.stem == "river")
    (tmp_path / "river").mkdir()
    (tmp_path / "river" / "installed").write_text(hashlib.sha256(listed.read_bytes()).hexdigest())
    assert environment("river") == tmp_path / "river" / "bin" / "python"


def test_without_a_network_the_index_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert not index_answers()


def test_peers_send_no_telemetry_from_here_and_see_none_of_our_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert quiet()["NML_DISABLE_USAGE_LOGGING"] == quiet()["DO_NOT_TRACK"] == "1"
    assert "PYTHONPATH" not in quiet()


def test_without_the_real_data_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("UNDERSTUDY_REAL_DATA", raising=False)
    assert alarms.main([]) == 0
    assert "left out" in capsys.readouterr().out
