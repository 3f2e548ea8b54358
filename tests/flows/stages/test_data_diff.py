"""What moved between two snapshots is found, ordered by how much, and drawn; what did not move is not said to have."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.flows.stages.test_ingest import table
from tests.flows.stages.test_ingest_late import Place
from understudy.main import main


def test_the_moved_column_comes_first_with_numbers_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place, world = Place(tmp_path, lateness="1d"), table(800)
    world = world.assign(x=[float(one * 37 % 101) for one in range(800)], kind=["a", "b", None, "c"] * 200)
    first = place.run(world.head(400)).snapshot
    world.loc[400:, "x"] += 80
    world.loc[399, "y"] = 6.0
    second = place.run(world.assign(z=1)).snapshot
    words = ["--home", str(place.settings.home), "--pipelines", str(place.settings.pipelines)]
    picture = tmp_path / "moved.png"
    main([*words, "--json", "diff", "sales", first.id, second.id, "--plot", str(picture)])
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["corrected"], told["columns_added"]) == (400, 24, ["z"]), "the new column corrects the window's rows"
    by_name = {one["column"]: one for one in told["distributions"]}
    assert by_name["x"]["effect"] > 1
    assert by_name["x"]["p_value"] < 1e-6
    assert (by_name["kind"]["effect"], by_name["kind"]["p_value"]) == (0.0, 1.0)
    assert by_name["kind"]["before"] == "mostly 'a', 25.0% missing"
    before = sum(world["x"].head(400)) / 400
    assert by_name["x"]["before"] == f"mean {before:.4g}"
    assert picture.read_bytes().startswith(b"\x89PNG")
    main([*words, "diff", "sales", first.id, second.id, "--plot", str(tmp_path / "moved.svg")])
    assert "x: mean" in capsys.readouterr().out
    assert "<svg" in (tmp_path / "moved.svg").read_text()
    with pytest.raises(SystemExit) as left:
        main([*words, "diff", "sales", first.id, second.id, "--plot", "moved.gif"])
    assert left.value.code == 2


def test_nothing_new_compares_the_whole(tmp_path: Path) -> None:
    from adapters.data_repo import DataRepo
    from flows.stages.data_diff import moved, sides

    place = Place(tmp_path)
    one = place.run(table(50)).snapshot
    found = sides(DataRepo(place.settings), one, one)
    assert found.names == (one.id, one.id)
    assert {said.effect for said in moved(found)} == {0.0}
    pd.testing.assert_frame_equal(found.before, found.after)
