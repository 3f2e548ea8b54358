"""Old snapshots go, with their bytes in the remote; never one that a version in MLflow was fitted on, and the rest still reads."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from adapters import data_repo_prune
from adapters.data_repo import DataRepo
from adapters.package_store import folder_digest, write_package
from adapters.pipeline_files import load_pipeline
from adapters.registry import Registered, Registry
from adapters.settings import Settings
from contracts.errors import Conflict, OutsideError
from flows.stages import register as register_module
from flows.stages.fit import FitResult
from flows.stages.retention import prune_snapshots
from tests.adapters.test_registry import LINEAGE, registration
from tests.flows.stages.retrain_world import TRIGGER
from tests.flows.stages.test_ingest import table
from tests.flows.stages.test_ingest_late import Place
from training.compare import Evaluation, Measures
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


@pytest.fixture
def shared(place: Place, tmp_path: Path, s3_server: str) -> Place:
    """Return the place with a data repository behind a git URL, and an S3 API for its bytes."""
    import boto3

    boto3.client("s3").create_bucket(Bucket="data")
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "data.git"], check=True)
    told = {"data_repo_url": f"file://{tmp_path / 'data.git'}", "dvc_remote": "s3://data/store"}
    place.settings = replace(place.settings, **told)
    return place


def stored() -> int:
    import boto3

    return int(boto3.client("s3").list_objects_v2(Bucket="data", Prefix="store/files/md5/")["KeyCount"])


def another_machine(place: Place, folder: Path) -> Settings:
    return replace(place.settings, home=folder, data_repo=folder / "data-repo")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # botocore and moto call datetime.utcnow
def test_over_a_git_url_and_s3_all_machines_see_what_went_and_what_a_version_needs_is_read_by_each(shared: Place, tmp_path: Path) -> None:
    ids = made(shared, 6)
    register(shared, tmp_path, ids[1])
    other = another_machine(shared, tmp_path / "other")
    assert [one.id for one in DataRepo(other).snapshots("sales")] == ids
    before = stored()
    done = prune_snapshots(shared.settings, "sales", 1, dry_run=False)
    assert (done.removed, done.objects, before - stored()) == ((ids[0], *ids[2:5]), 1, 1)
    tags = subprocess.run(["git", "tag"], cwd=tmp_path / "data.git", capture_output=True, text=True, check=True).stdout.split()
    assert tags == sorted([f"sales/{ids[1]}", f"sales/{ids[5]}"])
    for settings in (other, another_machine(shared, tmp_path / "third")):
        left = DataRepo(settings).snapshots("sales")
        assert [one.id for one in left] == [ids[1], ids[5]]
        assert [DataRepo(settings).frame(one)["id"].tolist()[0] for one in left] == [0, 30]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # botocore and moto call datetime.utcnow
def test_a_version_that_another_machine_registers_in_the_meantime_keeps_its_snapshot(
    shared: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = made(shared, 5)
    before, forget = stored(), data_repo_prune._forget

    def meanwhile(*arguments: Any) -> None:
        register(shared, tmp_path, ids[0])  # the lock of this machine does not hold another one back
        forget(*arguments)

    monkeypatch.setattr(data_repo_prune, "_forget", meanwhile)
    done = prune_snapshots(shared.settings, "sales", 1, dry_run=False)
    assert (done.removed, done.kept) == (tuple(ids[1:4]), {ids[0]: "version 1 was fitted on it"})
    assert before - stored() == 1, "partition 2 is in no snapshot any more, partition 1 is"
    third = DataRepo(another_machine(shared, tmp_path / "third"))
    assert [one.id for one in third.snapshots("sales")] == [ids[0], ids[4]]
    assert third.frame(third.get("sales", ids[0]))["id"].tolist() == list(range(10))
    assert shared.run(table(70)).new_rows == 20, "and it goes on"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # botocore and moto call datetime.utcnow
def test_a_version_whose_snapshot_another_machine_took_out_in_the_meantime_is_withdrawn(
    shared: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = made(shared, 5)
    other = another_machine(shared, tmp_path / "other")

    def slowly(*_: Any) -> Registered:
        assert ids[0] in prune_snapshots(other, "sales", 1, dry_run=False).removed
        return Registry(shared.settings).register(registration(tmp_path, "sales", lineage=replace(LINEAGE, snapshot=ids[0])))

    monkeypatch.setattr(register_module, "_registered", slowly)
    digest = folder_digest(write_package(tmp_path / "work" / "package", {"a": b"1"}))
    fitted = FitResult(ids[0], datetime(2026, 1, 1, tzinfo=UTC), 1, 1, digest, "all")
    pipeline = load_pipeline(shared.settings, "sales")
    with pytest.raises(Conflict, match="was taken out on another machine while version 1 of 'sales' came"):
        register_module.register_stage(shared.settings, pipeline, fitted, Evaluation(Measures(0, {})), (), TRIGGER, tmp_path / "work")
    assert Registry(shared.settings).versions("sales") == []
