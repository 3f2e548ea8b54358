"""The command line: quick to help, one JSON document, honest exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from understudy.main import _COMMANDS, main

_HEAVY = {"prefect", "mlflow", "great_expectations", "dvc", "sklearn", "pandas"}


def test_help_of_every_command_imports_nothing_heavy_and_stays_under_half_a_second_of_cpu() -> None:
    code = (
        "import sys, time\nfrom understudy.main import main\nfrom understudy.main import _COMMANDS\n"
        "for args in [['--help'], *([name, '--help'] for name in _COMMANDS)]:\n"
        "    main(args)\n"
        f"print('HEAVY', sorted({_HEAVY!r} & set(sys.modules)), time.process_time())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = done.stdout.splitlines()[-1]
    assert heavy.startswith("HEAVY []")
    assert float(heavy.split()[-1]) < 0.5


def test_an_unknown_pipeline_exits_2_with_a_remedy_and_no_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--home", str(tmp_path / "h"), "--pipelines", str(tmp_path), "snapshots", "nobody"])
    assert left.value.code == 2
    said = capsys.readouterr()
    assert "There is no pipeline 'nobody'" in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


def test_an_unknown_command_exits_2() -> None:
    with pytest.raises(SystemExit) as left:
        main(["dance"])
    assert left.value.code == 2


def test_schema_is_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    main(["schema"])
    assert json.loads(capsys.readouterr().out)["title"] == "PipelineSpec"


def test_every_named_command_exists() -> None:
    from understudy.main import cli

    assert all(cli.get_command(None, name) is not None for name in _COMMANDS)  # type: ignore[arg-type]  # the group needs no context
