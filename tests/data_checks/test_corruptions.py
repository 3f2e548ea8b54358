"""The page's table of damages to the bike data is what a proposed pipeline says of them, and the months as they are pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data_checks.corruptions import DAMAGES, table, unharmed, world

_PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "checks.md"
# a suite that a person would not call strict enough if one of these went through without a word
_MUST_BE_SEEN = [
    *(
        "a column is dropped (`temp`)",
        "a feature in another unit (`temp` × 10)",
        "5 % of a feature is empty (`hum`)",
        "a day is there twice",
    ),
    *("a common category is renamed (`weathersit` 1, 65 % of rows)", "the target is shuffled", "five days are missing"),
    "the file is stale: last month's again",
]


@pytest.fixture(scope="module")
def shown(real_data: Path) -> dict[str, list[str]]:
    rows = [line.strip("|").split("|") for line in table(world(real_data))[2:]]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in rows}


def test_the_pages_table_is_what_the_checks_say(shown: dict[str, list[str]]) -> None:
    told = [f"| {name} | {' | '.join(cells)} |" for name, cells in shown.items()]
    page = [line for line in _PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    assert page == told, "the page shows another table; it is now:\n" + "\n".join(told)


def test_every_damage_that_a_proposed_suite_must_see_is_seen_and_nothing_is_not(shown: dict[str, list[str]]) -> None:
    assert {name for name in _MUST_BE_SEEN if shown[name][0] == "not seen"} == set()
    assert shown["nothing"] == ["not seen", ""]
    assert set(_MUST_BE_SEEN) <= set(DAMAGES)


def test_of_the_nine_months_after_the_sample_none_is_refused_and_only_the_hurricane_is_said(real_data: Path) -> None:
    found = {start: (what, by) for start, what, by in unharmed(world(real_data))}
    assert {start: one for start, one in found.items() if one != ("not seen", "")} == {"2012-10-28": ("said", "volume")}
    assert len(found) == 9


def test_the_proposed_pipeline_passes_on_the_sample_it_came_from(real_data: Path) -> None:
    known = world(real_data)
    sample = known.frame[known.frame["dteday"] < "2012-04-01"]
    found, aside = known.judge(sample, sample["event_time"].min())
    assert ([one.reason for one in found if one.outcome.name == "FAIL" or one.reason.startswith("Warning")], aside) == ([], 0)
