"""What the pages tell people to type is there, and the code they show runs."""

import re
from pathlib import Path

import pandas as pd
import pytest

from understudy.main import _COMMANDS, cli, main

_DOCS = Path(__file__).parents[2] / "docs"
_PAGES = sorted([*(_DOCS / "how-to").glob("*.md"), *(_DOCS / "tutorial").glob("*.md")])


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_every_command_and_option_on_the_page_exists(page: Path) -> None:
    text = page.read_text()
    typed = [line.split("#")[0] for line in re.findall(r"^(?:\$ )?understudy .*$", text, re.MULTILINE)] + re.findall(
        r"`(understudy [^`]+)`", text
    )
    assert typed
    for line in typed:
        words = line.removeprefix("$ ").split()[1:]
        assert words[0] in _COMMANDS, line
        command = cli.get_command(None, words[0])  # type: ignore[arg-type]  # the group needs no context
        assert command is not None
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert {word.strip("[]").split("=")[0] for word in words if re.match(r"\[?--", word)} <= options, line


def test_rows_without_times_get_some_as_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"x": [number % 7 for number in range(400)], "y": [number % 7 * 2.5 for number in range(400)], "z": range(400)}).sample(
        frac=1, random_state=0
    ).to_csv("rows.csv", index=False)
    (code,) = re.findall(r"```python\n(.*?)```", (_DOCS / "how-to" / "bring-your-own-data.md").read_text(), re.DOTALL)
    exec(compile(code, "page", "exec"), {})
    main(["init", "made_up", "--data", "rows_with_time.csv", "--target", "z"])
    assert "time: made_up_time" in Path("pipelines/made_up/pipeline.yaml").read_text()
