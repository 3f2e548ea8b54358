"""Variants: other values at keys of pipeline.yaml, each a row beside the policies."""

from pathlib import Path

import pytest

from contracts.errors import UsageError
from tests.understudy.backtest.tiny import DAY, SHIFT, STEP, pipeline_of, rows, world_of
from understudy.backtest.compare import compare_policies
from understudy.backtest.variants import Variant, parse_change, parse_variant, varied
from understudy.backtest.walk import Calendar


def test_a_variant_is_read_with_lists_and_mappings() -> None:
    text = "short:train.window=[3d, all],rollout.stages.0.margin=5,rollout.guardrails={error_rate: 0.1, latency_p99_ratio: 2}"
    guardrails = {"error_rate": 0.1, "latency_p99_ratio": 2}
    assert parse_variant(text) == Variant(
        "short", (("train.window", ["3d", "all"]), ("rollout.stages.0.margin", 5), ("rollout.guardrails", guardrails))
    )


def test_a_change_is_made_where_it_points_and_nowhere_else(tmp_path: Path) -> None:
    before = pipeline_of(tmp_path)
    after = varied(before, [parse_change("rollout.stages.0.margin=5"), parse_change("train.window=3d")])
    expected = before.spec.model_dump()
    expected["rollout"]["stages"][0]["margin"] = 5.0
    expected["train"]["window"] = "3d"
    assert after.spec.model_dump() == expected
    assert after.spec.train.windows[0] is not None
    assert after.spec.train.windows[0].days == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("rollout.stages.0.margn=5", "Did you mean 'margin'"),
        ("rollout.stages.3.margin=5", "There are: 0"),
        ("rollout.stages.0.margin=wide", "makes no valid pipeline: rollout"),
        ("source.path=other.csv", "cannot be varied"),
        ("margin", "no KEY=VALUE"),
        ("train.window=[3d", "not YAML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, change: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        varied(pipeline_of(tmp_path), [parse_change(change)])
    assert said in str(refused.value)


@pytest.mark.parametrize("text", ["wide", "wide:", ":rollout.watch=3d"])
def test_what_is_no_variant_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no variant"):
        parse_variant(text)


def test_each_variant_is_a_row_beside_its_policy_and_shares_the_fits_it_does_not_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(tmp_path, rows(), monkeypatch)
    calendar = Calendar(SHIFT - 4 * DAY, SHIFT + 8 * DAY, 2 * STEP)
    wide, short = parse_variant("wide:rollout.stages.0.margin=5"), parse_variant("short:train.window=[2d, 12d]")
    found = compare_policies(world, ("every:4d", "drift"), calendar, variants=(wide, short))
    names = [one.policy for one in found.costs if one.budget_of is None]
    assert names == ["never", "every:4d", "drift", "every:4d [wide]", "drift [wide]", "every:4d [short]", "drift [short]"]
    by_name = {one.policy: one for one in found.costs}
    usual, other = by_name["every:4d"], by_name["every:4d [wide]"]
    assert [one.version for one in other.refits] == [one.version for one in usual.refits]
    assert other.decided != usual.decided  # the margin is in every verdict
    assert {one.budget_of for one in found.costs if one.budget_of} == {one for one in names if "drift" in one and by_name[one].fits > 1}
    assert found.fits <= 2 * len(calendar.looks)  # the margin fits nothing anew; the windows do
    tried = [one.window for one in by_name["every:4d [short]"].refits]
    assert sum(by_name["every:4d [short]"].windows.values()) == len(tried)
    assert (tried[0], tried[-1]) == ("12d", "2d")  # before the world turned, and after
    assert usual.windows == {}
