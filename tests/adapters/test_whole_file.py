"""A file is at its place whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.whole_file import whole_file, write_whole

_KILLED = """
import os, signal, sys
from pathlib import Path
from adapters.whole_file import whole_file
with whole_file(Path(sys.argv[1])) as stream:
    stream.write(b"half of the new")
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "made" / "one.json"
    assert write_whole(path, b"old") == path
    with whole_file(path) as stream:
        stream.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [*path.parent.iterdir()] == [path]


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "one.json", b"old")
    with pytest.raises(TypeError, match="bytes-like"), whole_file(path) as stream:
        stream.write("no bytes")  # type: ignore[arg-type]  # the error in the middle
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]


def test_a_kill_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "one.json", b"old")
    assert subprocess.run([sys.executable, "-c", _KILLED, str(path)]).returncode == -9
    assert path.read_bytes() == b"old"
