"""Old snapshots go, with their bytes in the remote; never one that a version in MLflow was fitted on, and the rest still reads."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from adapters.data_repo import DataRepo
from adapters.registry import Registry
from adapters.settings import Settings
from contracts.errors import OutsideError
from flows.stages.retention import prune_snapshots
from tests.adapters.test_registry import LINEAGE, registration
from tests.flows.stages.test_ingest import table
from tests.flows.stages.test_ingest_late import Place
from understudy.main import main


@pytest.fixture
def place(tmp_path: Path, mlflow_database: Path) -> Place:
    place = Place(tmp_path, retention="20h")  # so that a newer snapshot does not have an older one's partitions
    (place.settings.home).mkdir(parents=True)
    (place.settings.home / "mlflow.db").write_bytes(mlflow_database.read_bytes())
    return place


def remote(settings: Settings) -> int:
    return sum(path.is_file() for path in Path(settings.dvc_remote).rglob("*"))


def made(place: Place, count: int) -> list[str]:
    return [place.run(table(10 * number)).snapshot.id for number in range(1, count + 1)]


def register(place: Place, folder: Path, snapshot: str) -> None:
    Registry(place.settings).register(registration(folder, "sales", lineage=replace(LINEAGE, snapshot=snapshot)))


def test_what_a_version_needs_stays_and_the_rest_goes_with_its_bytes(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = made(place, 6)
    repo = DataRepo(place.settings)
    assert [len(one.partitions) for one in repo.snapshots("sales")] == [1, 2, 3, 3, 3, 3], "retention leaves the oldest out"
    register(place, tmp_path, ids[1])
    words = ["--home", str(place.settings.home), "--pipelines", str(place.settings.pipelines), "--json", "snapshots", "sales", "--prune"]
    main([*words, "--keep", "2", "--dry-run"])
    told = json.loads(capsys.readouterr().out)
    assert (told["removed"], told["objects"], remote(place.settings)) == ([ids[0], *ids[2:4]], 0, 6)
    main([*words, "--keep", "1"])
    done = json.loads(capsys.readouterr().out)
    assert done["removed"] == [ids[0], *ids[2:5]]
    assert done["kept"] == {ids[1]: "version 1 was fitted on it"}
    assert (done["objects"], remote(place.settings)) == (1, 5), "partition 3 is in no snapshot any more"
    left = DataRepo(place.settings).snapshots("sales")
    assert [one.id for one in left] == [ids[1], ids[5]]
    for one, first, last in zip(left, (0, 30), (20, 60), strict=True):
        assert place.rows(one)["id"].tolist() == list(range(first, last))
    assert place.run(table(70)).new_rows == 10, "and it goes on"
    again = prune_snapshots(place.settings, "sales", 10, dry_run=False)
    assert (again.removed, again.objects) == ((), 0)


def test_bytes_that_were_removed_are_stored_again_when_the_same_rows_come_again(place: Place) -> None:
    made(place, 5)
    assert prune_snapshots(place.settings, "sales", 1, dry_run=False).objects == 2
    repo = DataRepo(place.settings)
    first = table(10)
    rows = first.assign(event_time=pd.to_datetime(first["at"], utc=True).astype("datetime64[us, UTC]"))
    one = repo.add("other", rows, rows.iloc[:0], ["id"])
    assert one.partitions[0].digest, "the first partition of before, of another pipeline"
    (repo.root / "other" / one.partitions[0].name).unlink()
    subprocess.run(["rm", "-rf", str(repo.root / ".dvc" / "cache")], check=True)
    assert len(DataRepo(place.settings).frame(one)) == 10


def test_nothing_goes_while_mlflow_cannot_be_asked(place: Place) -> None:
    made(place, 3)
    silent = replace(place.settings, mlflow_uri="http://127.0.0.1:9")
    with pytest.raises(OutsideError, match="MLflow"):
        prune_snapshots(silent, "sales", 1, dry_run=False)
    assert len(DataRepo(place.settings).snapshots("sales")) == 3


def test_killed_after_the_tags_went_the_next_run_removes_the_bytes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    made(place, 5)
    with monkeypatch.context() as patched:
        patched.setattr("adapters.dvc_files.remove", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prune_snapshots(place.settings, "sales", 1, dry_run=False)
    assert (len(DataRepo(place.settings).snapshots("sales")), remote(place.settings)) == (1, 5)
    assert prune_snapshots(place.settings, "sales", 1, dry_run=False).objects == 2
    assert remote(place.settings) == 3
