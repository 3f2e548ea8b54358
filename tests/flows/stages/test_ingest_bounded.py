"""A batch many times larger than a part comes in with the memory of some parts, says how far it is, and is the same rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from adapters.data_repo import DataRepo
from adapters.sources import read_rows
from contracts.source import FileSource
from contracts.spec import Columns
from tests.flows.stages.test_ingest import SPEC, table
from tests.flows.stages.test_ingest_late import Place

_PART, _PARTS = 20_000, 20
_MEASURE = """
import json, resource, sys
from pathlib import Path
import pandas as pd
from adapters.sources import read_parts
from contracts.spec import PipelineSpec
path, part, warm = sys.argv[1], int(sys.argv[2]), sys.argv[3]
def peak(path):
    spec = PipelineSpec.model_validate({**json.loads(sys.argv[4]), "source": {"kind": "file", "path": path, "part_rows": part}})
    rows = sum(len(one) for one in read_parts(spec, None, None, Path("."), lambda *_: None))
    return rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
_, before = peak(warm)
rows, after = peak(path)
print(json.dumps({"rows": rows, "grew": after - before}))
"""


def test_memory_grows_by_less_than_a_quarter_of_the_file(tmp_path: Path) -> None:
    count = _PART * _PARTS
    times = pd.date_range("2026-01-01", periods=count, freq="1s").strftime("%Y-%m-%dT%H:%M:%S")
    rows = pd.DataFrame({"at": times, "id": range(count), "x": np.arange(count) / 7, "y": 1.0, "note": "n" * 150})
    rows.to_csv(tmp_path / "large.csv", index=False)
    rows.head(2 * _PART).to_csv(tmp_path / "warm.csv", index=False)
    words = [sys.executable, "-c", _MEASURE, "large.csv", str(_PART), "warm.csv", json.dumps(SPEC)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=True, timeout=120)
    told = json.loads(done.stdout)
    megabytes = (tmp_path / "large.csv").stat().st_size / 1e6
    assert (told["rows"], megabytes > 70) == (count, True)
    assert told["grew"] < megabytes / 4, f"{told['grew']:.0f} MB more for a file of {megabytes:.0f} MB"


def test_parts_become_partitions_of_one_snapshot_and_progress_is_told(tmp_path: Path) -> None:
    place = Place(tmp_path, part_rows=100, lateness="1d")
    seen: list[int] = []
    world = table(250)
    first = place.run(world.drop(index=[249]).sample(frac=1, random_state=1), seen=lambda count, _: seen.append(count))
    assert [one.rows for one in first.snapshot.partitions] == [100, 100, 49]
    assert seen == [100, 200, 249]
    assert place.rows(first.snapshot)["id"].tolist() == list(range(249))
    world.loc[240, "y"] = 6.0
    second = place.run(world)
    assert (second.new_rows, second.corrected, second.known) == (2, 1, 23)
    assert len(DataRepo(place.settings).snapshots("sales")) == 2
    assert not list((place.settings.home / "staging").rglob("*.parquet"))


def test_a_column_that_is_text_in_one_piece_is_text_in_all(tmp_path: Path) -> None:
    codes = [f"{number:03}" for number in range(90)] + ["A1"] * 10
    pd.DataFrame({"at": "2026-01-01", "x": range(100), "y": 1, "code": codes}).to_csv(tmp_path / "rows.csv", index=False)
    columns = Columns.model_validate({"time": "at", "target": "y", "features": {"numeric": ["x"]}})
    whole, pieces = (read_rows(FileSource(kind="file", path=str(tmp_path / "rows.csv"), part_rows=size), columns) for size in (1000, 7))
    pd.testing.assert_frame_equal(whole, pieces)
    assert pieces["code"].tolist() == codes
