"""What is exported answers as the version does, where nothing of Understudy is, and refuses changed bytes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from adapters.model_cache import cached_package
from adapters.package_store import load_package
from adapters.settings import Settings
from contracts.rollout import ModelRef
from flows.stages.retrain import retrain_local
from tests.flows.stages.retrain_world import NAME, TRIGGER, build_world, pipeline_of, table
from understudy.export.source import source_of
from understudy.export.wheel import wheel_bytes
from understudy.main import main

ROOT = Path(__file__).parents[3]
CODE = "def build(frame):\n    return frame.assign(x=frame['x'] * 0.1)\n"
ASK = """
import json, sys, pandas as pd, sales_model
rows = pd.read_parquet(sys.argv[1])
found = sales_model.predict(rows).tolist()
ours = [name for name in sys.modules if name.split(".")[0] in ("adapters", "contracts", "understudy", "flows")]
print(json.dumps({"found": found, "ours": ours, "lineage": sales_model.LINEAGE, "columns": sales_model.columns()}))
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_database: Path) -> tuple[Settings, ModelRef]:
    """Return a place with a version that has feature code and a category."""
    changed = {"train": {"holdout": "3d", "estimator": "sklearn.linear_model.Ridge", "features": "features:build"}}
    settings = build_world(tmp_path_factory.mktemp("export"), mlflow_database, **changed)
    gaps = table()  # categories are missing in the rows that are fitted, and the truth is another there
    gaps.loc[gaps["id"] % 5 == 0, "shop"] = None
    gaps["y"] += 10.0 * gaps["shop"].isna()
    gaps.to_csv(settings.pipelines.parent / "rows.csv", index=False)
    (settings.pipelines / NAME / "params.yaml").write_text("seed: 1\nestimator: {alpha: 0.5}\n")
    (settings.pipelines / NAME / "features.py").write_text(CODE)
    return settings, retrain_local(settings, pipeline_of(settings), TRIGGER).model


def typed(settings: Settings, *words: str) -> list[str]:
    return ["--home", str(settings.home), "--pipelines", str(settings.pipelines), "--json", "export", NAME, *words]


@pytest.fixture(scope="module")
def installed(world: tuple[Settings, ModelRef], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which the wheel was installed, without what it needs."""
    folder = tmp_path_factory.mktemp("wheel")
    main(typed(world[0], "1", "--format", "wheel", "--output", str(folder)))
    (wheel,) = folder.glob("*.whl")
    install = ["pip", "install", "--quiet", "--offline", "--no-deps", "--target", str(folder / "site"), str(wheel)]
    subprocess.run([Path(sys.executable).with_name("uv"), *install], check=True, timeout=60)
    return folder / "site"


def run(installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin"}
    return subprocess.run([sys.executable, *words], cwd=installed.parent, env=env, capture_output=True, text=True, check=False, timeout=60)


def rows() -> pd.DataFrame:
    """Return rows with a gap in a category, and a category that no fitted row had."""
    frame = table(60).drop(columns="y")
    frame.loc[5, "shop"] = None
    frame.loc[7, "shop"] = "west"
    return frame


def test_an_installed_wheel_answers_as_the_version_does_without_understudy(world: tuple[Settings, ModelRef], installed: Path) -> None:
    settings, model = world
    wanted = load_package(cached_package(settings, model), model.digest).predict(rows())
    rows().to_parquet(installed.parent / "rows.parquet")
    done = run(installed, "-c", ASK, "rows.parquet")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["found"] == wanted.tolist()
    assert said["ours"] == []
    assert (said["lineage"]["digest"], said["lineage"]["snapshot"]) == (model.digest, model.snapshot)
    assert said["columns"] == {"x": "float", "shop": "str"}
    assert run(installed, "-m", "sales_model", "rows.parquet", "out.csv").returncode == 0
    assert pd.read_csv(installed.parent / "out.csv")["prediction"].tolist() == wanted.tolist()
    assert run(installed, "-m", "sales_model").returncode == 2


def test_a_wheel_whose_package_was_changed_is_not_loaded(installed: Path) -> None:
    changed = installed / "sales_model" / "package" / "features.py"
    before = changed.read_text()
    changed.write_text(before.replace("0.1", "0.2"))
    done = run(installed, "-c", ASK, "rows.parquet")
    changed.write_text(before)
    assert done.returncode == 1
    assert "DigestMismatch" in done.stderr
    assert "not the approved" in done.stderr


def test_the_wheel_names_what_it_needs_as_recorded_and_is_the_same_each_time(world: tuple[Settings, ModelRef], tmp_path: Path) -> None:
    source = source_of(world[0], NAME, "1")
    assert wheel_bytes(source) == wheel_bytes(source_of(world[0], NAME, "1"))
    (tmp_path / "a.whl").write_bytes(wheel_bytes(source))
    with zipfile.ZipFile(tmp_path / "a.whl") as archive:
        text = archive.read(f"sales_model-{source.version}.dist-info/METADATA").decode()
    assert re.search(r"^Requires-Dist: scikit-learn==\d", text, re.MULTILINE)
    assert f"\nVersion: 1+{world[1].digest[:12]}\n" in text


def test_an_image_is_a_build_context_with_everything_locked(world: tuple[Settings, ModelRef], tmp_path: Path) -> None:
    main(typed(world[0], "1", "--format", "image", "--output", str(tmp_path / "image")))
    (wheel,) = (tmp_path / "image").glob("*.whl")
    lines = (tmp_path / "image" / "Containerfile").read_text().splitlines()
    steps = [line.split()[0] for line in lines if re.match(r"[A-Z]+ ", line)]
    assert steps == ["FROM", "COPY", "RUN", "LABEL", "ENV", "USER", "ENTRYPOINT"]
    assert f"COPY requirements.lock {wheel.name} /tmp/build/" in lines
    locked = (tmp_path / "image" / "requirements.lock").read_text().splitlines()
    known = source_of(world[0], NAME, "1").environment
    assert all(line == f"{(name := line.partition('==')[0])}=={known[name]}" for line in locked)
    names = {line.partition("==")[0] for line in locked}
    assert {"scikit-learn", "skops", "numpy", "scipy", "joblib", "threadpoolctl", "pandas", "pyarrow", "python-dateutil", "six"} <= names
    assert not names & {"understudy", "prefect", "mlflow", "pytest"}
    with pytest.raises(SystemExit) as left:
        main(typed(world[0], "1", "--format", "image", "--output", str(tmp_path / "image")))
    assert left.value.code == 2


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) is installed")
def test_the_c_of_a_version_with_the_program_of_the_docs_answers_as_the_version_does(tmp_path: Path, mlflow_database: Path) -> None:
    settings = build_world(tmp_path / "world", mlflow_database)
    model = retrain_local(settings, pipeline_of(settings), TRIGGER).model
    main(typed(settings, "1", "--format", "c", "--output", str(tmp_path)))
    (program,) = re.findall(r"```c\n(.*?)```", (ROOT / "docs" / "how-to" / "export-a-version.md").read_text(), re.DOTALL)
    (tmp_path / "main.c").write_text(program)
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run(["cc", *strict, "-o", "ask", "main.c", "sales_model.c", "-lm"], cwd=tmp_path, check=True, timeout=60)
    said = subprocess.run([tmp_path / "ask"], capture_output=True, text=True, check=True, timeout=60).stdout
    rows = pd.DataFrame({"x": [1.5], "shop": ["north"]})
    (wanted,) = load_package(cached_package(settings, model), model.digest).predict(rows)
    assert abs(float(said) - wanted) <= 1e-12 * max(1.0, abs(wanted))
    assert f"Digest {model.digest}" in (tmp_path / "sales_model.h").read_text()
    assert not re.search(r"malloc|calloc|alloca", (tmp_path / "sales_model.c").read_text())


def test_what_cannot_be_exported_is_refused_in_words(
    world: tuple[Settings, ModelRef], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, message in (
        (("1", "--format", "c"), "Version 1 of 'sales' is not written as C. Its features are made by Python code (features:build)"),
        (("9", "--format", "wheel"), "has no version '9'"),
    ):
        with pytest.raises(SystemExit) as left:
            main(typed(world[0], *words, "--output", str(tmp_path)))
        assert left.value.code == 2
        assert message in capsys.readouterr().err
