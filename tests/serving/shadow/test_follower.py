"""Every row that counts is answered once under each epoch, by whom it must be, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from contracts.errors import OutsideError
from contracts.rollout import Act, Decision, Phase
from contracts.traffic import AnsweredBatch, ShadowBatch
from serving.shadow import follower as follower_module
from serving.shadow.follower import Follower
from serving.shadow.place import Place, load_place, place_file
from serving.shadow.progress import GiveUp
from tests.serving.shadow.conftest import World, hour

HOURS = 30 * 24  # of history that was served before the rehearsal begins


def go_on(follower: Follower) -> None:
    while follower.step(follower.take_up()):
        pass


def follower_of(world: World, give_up: GiveUp | None = None) -> Follower:
    return Follower(world.settings, world.ledger, "demand", give_up)


def test_a_rehearsal_answers_exactly_the_rows_after_the_cutoff_and_within_its_span(world: World) -> None:
    champion, candidate = world.model("1", 100), world.model("2", 22 * 24)
    world.serve(range(HOURS), "1", 1)
    world.route(2, champion, candidate)
    follower = follower_of(world)
    go_on(follower)
    assert world.hours("2", 2) == list(range(22 * 24, HOURS))  # the cutoff is later than ten days before the newest
    frame = world.answered("2", 2).sort_values("request_id", key=lambda ids: ids.str[1:].astype(int))
    assert frame["prediction"].tolist() == pytest.approx(world.truth(candidate, list(range(22 * 24, HOURS))))
    assert world.answered("1", 2).empty  # the champion answered all of them itself
    progress = follower.progress()
    assert progress is not None
    assert (progress.rows, progress.lag_rows, progress.lag_seconds) == (HOURS - 22 * 24, 0, 0.0)


def test_a_candidate_with_an_early_cutoff_rehearses_the_span_of_its_stage(world: World) -> None:
    world.serve(range(HOURS), "1", 1)
    world.route(2, world.model("1", 100), world.model("2", 100))
    follower = follower_of(world)
    go_on(follower)
    assert world.hours("2", 2) == list(range(HOURS - 1 - 10 * 24, HOURS))
    world.serve(range(HOURS, HOURS + 5), "1", 2)
    go_on(follower)
    assert world.hours("2", 2)[-5:] == list(range(HOURS, HOURS + 5))


def test_rows_of_one_request_are_judged_one_by_one(world: World) -> None:
    candidate = world.model("2", 22 * 24)
    times = [round(hour(number).timestamp() * 1e6) for number in range(22 * 24 - 2, 22 * 24 + 2)]
    draw = {"a": [1.0, None, 3.0, 4.0], "b": [1, 2, 3, 4], "kind": ["x", "y", None, "never seen"]}
    world.log.append(AnsweredBatch("demand", "1", 2, "champion", 1.0, 0, 900, ["r"] * 4, [0, 1, 2, 3], times, [None] * 4, draw, [0.0] * 4))
    world.route(2, world.model("1", 100), candidate)
    go_on(follower_of(world))
    frame = world.answered("2", 2)
    assert (frame["row"].tolist(), frame["error"].isna().tolist()) == ([2, 3], [True, True])


def test_what_another_version_answered_is_answered_by_the_champion_too(world: World) -> None:
    former, champion, candidate = world.model("1", 100), world.model("2", 500), world.model("3", 480)
    world.serve(range(470, 600), "1", 1)
    world.serve(range(600, 650), "2", 2)
    world.route(3, champion, candidate)
    go_on(follower_of(world))
    assert world.hours("3", 3) == list(range(480, 650))
    assert world.hours("2", 3) == list(range(500, 600))
    assert world.answered("2", 3)["prediction"].tolist() == pytest.approx(world.truth(champion, list(range(500, 600))))
    assert world.answered(former.version, 3).empty


def test_the_watch_rehearses_nothing_and_answers_what_the_new_champion_answered(world: World) -> None:
    former, champion = world.model("1", 100), world.model("2", 200)
    world.serve(range(300, 400), "1", 1)
    world.route(2, former, champion)
    follower = follower_of(world)
    go_on(follower)
    world.route(3, champion, former, Phase.PROMOTING)
    world.serve(range(400, 410), "1", 2)  # the gateway had not heard of the new route yet
    world.serve(range(410, 420), "2", 3)
    go_on(follower)
    world.route(3, champion, former, Phase.WATCHING)
    world.serve(range(420, 430), "2", 3)
    go_on(follower)
    assert world.hours("1", 3) == list(range(410, 430))
    assert world.hours("1", 2) == []
    assert world.hours("2", 3) == []


@pytest.mark.parametrize("known", [True, False])
def test_a_shadow_that_starts_in_the_watch_finds_what_it_missed(world: World, known: bool) -> None:
    former, champion = world.model("1", 100), world.model("2", 200)
    if known:
        world.serve(range(300, 400), "1", 1)
        world.route(2, former, champion)
        go_on(follower_of(world))
    world.route(3, champion, former, Phase.WATCHING)
    world.serve(range(400, 450), "1", 2)
    world.serve(range(450, 500), "2", 3)
    go_on(follower_of(world))
    assert world.hours("1", 3) == list(range(450, 500))


def test_traffic_of_a_route_that_was_not_read_yet_is_read_again_under_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    former, champion = world.model("1", 100), world.model("2", 200)
    world.route(2, former, champion)
    follower = follower_of(world)
    stale = follower.take_up()
    world.route(3, champion, former, Phase.PROMOTING)  # between the look at the route and the look at the log
    world.serve(range(300, 310), "2", 3)
    assert follower.step(stale)
    assert world.hours("2", 2) == []
    go_on(follower)
    assert world.hours("1", 3) == list(range(300, 310))


def test_another_epoch_begins_again_and_no_row_is_answered_twice_under_one(world: World) -> None:
    champion, candidate = world.model("1", 100), world.model("2", 200)
    world.serve(range(300, 500), "1", 1)
    world.route(2, champion, candidate)
    go_on(follower_of(world))
    go_on(follower_of(world))
    world.route(3, champion, candidate)
    go_on(follower_of(world))
    assert sum(len(batch.rows) for batch in world.log.read(ShadowBatch, "shadow-2")) == 2 * 200
    assert world.hours("2", 2) == world.hours("2", 3) == list(range(300, 500))


def test_a_pause_changes_nothing_and_a_restart_within_it_goes_on_with_the_rehearsal(world: World) -> None:
    champion, candidate = world.model("1", 100), world.model("2", 200)
    world.serve(range(300, 500), "1", 1)
    state = replace(world.ledger.state("demand"), revision=1, phase=Phase.PAUSED, paused_from=Phase.RUNNING, stage=0)
    route = replace(state.route, epoch=2, champion=champion, shadow=candidate)
    world.ledger.save(Decision(Act.PAUSE, replace(state, route=route), "a test"), hour(0))
    go_on(follower_of(world))
    assert world.hours("2", 2) == list(range(300, 500))


def test_where_a_process_died_twice_the_group_becomes_errors_and_the_next_is_answered(world: World) -> None:
    champion, candidate = world.model("1", 100), world.model("2", 200)
    world.serve(range(300, 500), "1", 1)
    world.route(2, champion, candidate)
    follower = follower_of(world, GiveUp("2", 2, 0, "the shadow process exited with code 7"))
    go_on(follower)
    assert world.failed("2", 2) == dict.fromkeys(range(300, 364), "the shadow process exited with code 7")
    assert world.hours("2", 2) == list(range(364, 500))
    world.route(3, champion, candidate)  # elsewhere nothing is given up
    go_on(follower_of(world, GiveUp("2", 2, 0, "the shadow process exited with code 7")))
    assert world.hours("2", 3) == list(range(300, 500))


def test_a_package_that_cannot_be_fetched_passes_nothing_by(world: World) -> None:
    candidate = world.model("2", 200)
    world.serve(range(300, 310), "1", 1)
    world.route(2, world.model("1", 100), replace(candidate, uri=f"{candidate.uri}-not-there"))
    follower = follower_of(world)
    with pytest.raises(OutsideError, match="There is no file below"):
        follower.step(follower.take_up())
    progress = follower.progress("trouble")
    assert progress is not None
    assert (progress.rows, progress.lag_rows, progress.trouble) == (0, 10, "trouble")
    assert progress.lag_seconds > 0


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 2}'])
def test_a_place_that_cannot_be_read_begins_again(world: World, content: bytes) -> None:
    world.serve(range(300, 310), "1", 1)
    world.route(2, world.model("1", 100), world.model("2", 200))
    go_on(follower_of(world))
    place_file(world.settings, "demand").write_bytes(content)
    assert load_place(place_file(world.settings, "demand")) is None
    go_on(follower_of(world))
    assert world.hours("2", 2) == list(range(300, 310))


def test_the_place_is_one_small_file_that_people_can_read(world: World) -> None:
    world.serve(range(300, 310), "1", 1)
    world.route(2, world.model("1", 100), world.model("2", 200))
    go_on(follower_of(world))
    found = json.loads((world.settings.home / "shadow" / "demand.json").read_text())
    assert (found["version"], found["epoch"], found["rows"], len(found["offsets"])) == ("2", 2, 10, 1)
    assert load_place(place_file(world.settings, "demand")) == Place(**found)


def test_a_long_log_is_followed_in_groups_that_grow(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_module, "_FAST", 60.0)  # whatever else the machine does
    world.serve(range(300, 540), "1", 1)
    world.route(2, world.model("1", 100), world.model("2", 200))
    follower = follower_of(world)
    go_on(follower)
    sizes = [len(batch.rows) for batch in world.log.read(ShadowBatch, "shadow-2")]
    assert sizes == [64, 128, 48]
