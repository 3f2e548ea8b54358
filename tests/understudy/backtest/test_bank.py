"""Bank marketing, from the file to the table: the column that leaks is flagged, and the base rate is told from the rest."""

import json
from pathlib import Path

import pytest

from understudy.main import main

_SNIPPET = (Path(__file__).parents[3] / "docs" / "how-to" / "bank-marketing.md").read_text().split("```python\n")[1].split("```")[0]


def run(place: Path, *words: str, as_json: bool = False) -> int:
    shown = ["--json"] if as_json else []
    try:
        main([*shown, "--home", str(place / "home"), "--pipelines", str(place / "pipelines"), *words])
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def test_duration_is_flagged_and_most_of_the_gain_is_said_to_be_the_base_rate(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bank-additional-full.csv").symlink_to(real_data / "bank_marketing" / "bank-additional-full.csv")
    exec(compile(_SNIPPET, "bank-marketing.md", "exec"), {})
    assert run(tmp_path, "init", "bank_marketing", "--data", "bank.csv", "--target", "y") == 0
    assert "Look at 'duration'" in capsys.readouterr().err
    spec = tmp_path / "pipelines" / "bank_marketing" / "pipeline.yaml"
    lines = spec.read_text().splitlines()
    spec.write_text("\n".join(one for one in lines if "- duration " not in one))
    walk = ("--from", "2009-02-01", "--until", "2009-09-30", "--step", "46d", "--policy", "every:46d", "--set", "train.window=184d")
    assert run(tmp_path, "backtest", "bank_marketing", *walk, as_json=True) == 0
    never, every, moved = json.loads(capsys.readouterr().out)["costs"]
    assert (every["policy"], moved["policy"]) == ("every:46d", "never, intercept moved")
    assert {"log_loss", "auc", "auc in step"} <= set(every["metrics"])
    assert every["loss"] < never["loss"]
    assert moved["loss"] < never["loss"]
    assert every["base_rate"] == pytest.approx((never["loss"] - moved["loss"]) / (never["loss"] - every["loss"]))
