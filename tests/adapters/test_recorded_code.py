"""The address of the code is recorded without secrets, and a commit comes back from a folder or an address."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from adapters.code_version import code_version
from adapters.recorded_code import check_out, code_text, own_code, safe_address
from contracts.errors import OutsideError
from tests.flows.stages.test_reproduce import git

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://me:secret@git.example.org/a/b.git", "https://git.example.org/a/b.git"),
        ("https://secret@git.example.org:8443/a/b.git?token=secret#secret", "https://git.example.org:8443/a/b.git"),
        ("ssh://git:secret@git.example.org/a/b.git", "ssh://git@git.example.org/a/b.git"),
        ("git@git.example.org:a/b.git", "git@git.example.org:a/b.git"),
        ("file:///srv/code.git", "file:///srv/code.git"),
    ],
)
def test_of_an_address_nothing_secret_is_kept(address: str, kept: str, tmp_path: Path) -> None:
    assert safe_address(address) == kept
    (tmp_path / "pipelines" / "sales").mkdir(parents=True)
    git(tmp_path, "init", "-q")
    git(tmp_path, "remote", "add", "origin", address)
    text = code_text(tmp_path / "pipelines" / "sales")
    assert text == f"origin=={kept}\nfolder==pipelines/sales\nunderstudy=={own_code()}\n"


def test_a_commit_that_no_branch_ends_at_comes_back_and_its_source_is_only_read(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    git(source, "init", "-q")
    for text in ("one", "two"):
        (source / "file").write_text(text)
        git(source, "add", "file")
        git(source, "commit", "-q", "-m", text)
    first = git(source, "rev-parse", "HEAD~")
    before = git(source, "for-each-ref")
    for number, address in enumerate((str(source), f"file://{source}")):
        check_out(address, first, tmp_path / str(number))
        assert (tmp_path / str(number) / "file").read_text() == "one"
        assert code_version(tmp_path / str(number)) == (first, True)
    assert (git(source, "for-each-ref"), git(source, "status", "--porcelain")) == (before, "")


def test_a_commit_that_cannot_be_had_is_said_without_the_secret_of_the_address(tmp_path: Path) -> None:
    with pytest.raises(OutsideError) as raised:
        check_out("http://me:secret@127.0.0.1:9/code.git", "a" * 40, tmp_path / "code")
    assert raised.value.message == "Commit aaaaaaaaaaaa could not be fetched from http://127.0.0.1:9/code.git."


def test_of_files_outside_any_repository_nothing_is_known_and_understudys_own_commit_is_recorded(tmp_path: Path) -> None:
    assert code_text(tmp_path).startswith("origin==none\nfolder==none\n")
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert own_code().split()[0] == (done.stdout.strip() if done.returncode == 0 else "none")
