"""What init writes is retrained at once, without editing a line, on real data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest


def understudy(folder: Path, *args: str) -> dict:
    """Run the command as a user would, in an empty folder, and return what --json printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("UNDERSTUDY_", "MLFLOW_", "PREFECT_"))}
    command = [sys.executable, "-m", "understudy", "--json", *args]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said: dict = json.loads(done.stdout)
    return said


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    return tmp_path


def test_bike_sharing(empty: Path, real_data: Path) -> None:
    data = str(real_data / "bike_sharing" / "hour.csv")
    understudy(empty, "init", "mymodel", "--data", data, "--target", "cnt", "--time", "dteday")
    done = understudy(empty, "retrain", "mymodel", "--local")
    assert (done["new_rows"], done["submitted"], done["model"]["version"]) == (17379, True, "1")
    (absolute,) = [one for one in done["verdicts"] if one["limit"] is not None]
    assert absolute["observed"] < 0.6 * absolute["limit"]  # well under the error of knowing nothing


@pytest.mark.slow
def test_bank_marketing_with_a_made_up_time(empty: Path, real_data: Path) -> None:
    frame = pd.read_csv(real_data / "bank_marketing" / "bank-additional-full.csv", sep=";").tail(6000)
    frame.insert(0, "called_at", pd.date_range("2010-01-01", "2010-11-30", periods=len(frame)).strftime("%Y-%m-%d %H:%M"))
    frame.to_csv(empty / "bank.csv", sep=";", index=False)
    understudy(empty, "init", "bank", "--data", "bank.csv", "--target", "y")
    done = understudy(empty, "retrain", "bank", "--local")
    assert (done["new_rows"], done["submitted"]) == (6000, True)
    assert all(one["outcome"] == "PASS" for one in done["verdicts"])
