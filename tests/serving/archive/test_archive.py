"""The archive: closed segments go to the object store, and only what is there, is past its time and nobody needs is deleted."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest

from adapters.process_log import configure_log
from adapters.settings import Settings
from adapters.traffic_closed import ClosedPart
from adapters.traffic_closing import close_segments
from adapters.traffic_keeping import SENT, Needed, forget, send
from adapters.traffic_log import TrafficLog, epoch_us
from adapters.traffic_rules import TrafficRules, read_traffic_rules
from adapters.traffic_sql import ask_traffic
from adapters.traffic_store import FolderStore, Store, open_store
from contracts.errors import OutsideError, UsageError
from contracts.rollout import Phase
from contracts.traffic import AnsweredBatch, FailedBatch, Position
from serving.archive.needed import needed_of
from serving.archive.once import archive, is_due
from serving.shadow.archivist import Archivist
from serving.shadow.place import Place, place_file, save_place
from tests.s3_server import point_at
from tests.serving.shadow.conftest import World, hour
from tests.serving.shadow.conftest import world as world  # a fixture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # botocore and moto call datetime.utcnow
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SMALL = TrafficRules(segment_bytes=1)  # a segment for each batch


def nobody(_part: ClosedPart) -> bool:
    return False


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store(str(tmp_path / "far away"))
    request.getfixturevalue("s3_server")
    boto3.client("s3").create_bucket(Bucket="logs")
    return open_store("s3://logs/traffic")


def logged(folder: Path, days: list[int]) -> Path:
    """A closed segment for each day ago, of answers that happened a year earlier and of failures."""
    log = TrafficLog(folder, SMALL)
    for day in days:
        at = epoch_us(NOW - day * DAY)
        log.append(
            AnsweredBatch("p", "1", 1, "champion", 1.0, at, 9, [f"r{day}"], [0], [epoch_us(NOW - (365 + day) * DAY)], [None], {}, [0.5])
        )
        log.append(FailedBatch("p", "1", 1, at, [f"r{day}"], "broke"))
    log.close()
    for stream in ("answers", "failures"):
        close_segments(folder / stream, print)
    return folder


def left(folder: Path) -> list[int]:
    """The days of which there are answers, and of which failures."""
    log = TrafficLog(folder)
    found = log.read(AnsweredBatch, "answers"), log.read(FailedBatch, "failures")
    return [sorted(int(one.request_ids[0][1:]) for one in batches) for batches in found]


def test_what_is_sent_can_be_fetched_and_what_is_past_its_time_is_deleted_here_only(store: Store, tmp_path: Path) -> None:
    folder = logged(tmp_path / "p", [40, 31, 29, 1])
    words: list[str] = []
    assert send(folder, "p", store, words.append) == 8
    assert send(folder, "p", store, words.append) == 0
    assert (len(store.names("p/answers/")), len(store.names("p/")), words) == (4, 8, [])
    assert forget(folder, "p", TrafficRules(), Needed(NOW, None, nobody), store, NOW) == 4
    assert left(folder) == [[1, 29], [1, 29]]
    if isinstance(store, FolderStore):
        asked = "SELECT count(*) FROM answers", "SELECT count(*) FROM failures JOIN answers USING (request_id)"
        assert [ask_traffic(folder, sql)[1] for sql in asked] == [[(2,)], [(2,)]]
        assert [ask_traffic(folder, sql, store=str(tmp_path / "far away"))[1] for sql in asked] == [[(4,)], [(4,)]]
    again = tmp_path / "again" / "answers"
    again.mkdir(parents=True)
    for name in store.names("p/answers/"):
        store.get(name, again / Path(name).name)
    assert left(again.parent)[0] == [1, 29, 31, 40]


def test_what_the_store_does_not_have_is_never_deleted(tmp_path: Path) -> None:
    folder, store = logged(tmp_path / "p", [50, 40]), FolderStore(tmp_path / "store")
    needed = Needed(NOW, None, nobody)
    assert forget(folder, "p", TrafficRules(), needed, None, NOW) == 0
    assert forget(folder, "p", TrafficRules(), needed, store, NOW) == 0
    send(folder, "p", store, print)
    lost, torn = sorted((tmp_path / "store" / "p" / "answers").glob("*"))
    lost.unlink()  # somebody cleared it away after it was sent
    torn.write_bytes(torn.read_bytes()[:-1])
    assert forget(folder, "p", TrafficRules(), needed, store, NOW) == 2
    assert left(folder) == [[40, 50], []]


@pytest.mark.parametrize(
    ("needed", "kept"),
    [
        (Needed(NOW, None, nobody), [[], []]),
        (Needed(NOW - 45 * DAY, None, nobody), [[40], [40]]),  # an open rollout, by the wall
        (Needed(NOW, NOW - (365 + 55) * DAY, nobody), [[40, 50], [40, 50]]),  # a rehearsal, by the rows' own times; its labels with it
        (
            Needed(NOW, None, lambda part: part.about.first == epoch_us(NOW - 50 * DAY)),
            [[40, 50], [40, 50]],
        ),  # the shadow's place, and all since
    ],
)
def test_what_a_reader_needs_stays_whatever_its_age(tmp_path: Path, needed: Needed, kept: list[list[int]]) -> None:
    folder, store = logged(tmp_path / "p", [60, 50, 40]), FolderStore(tmp_path / "store")
    send(folder, "p", store, print)
    forget(folder, "p", TrafficRules(), needed, store, NOW)
    assert left(folder) == kept


def test_where_room_is_short_the_oldest_go_first(tmp_path: Path) -> None:
    folder, store = logged(tmp_path / "p", [4, 3, 2]), FolderStore(tmp_path / "store")
    send(folder, "p", store, print)
    size = sum(path.stat().st_size for path in folder.rglob("*.parquet"))
    forget(folder, "p", TrafficRules(keep_bytes=size - 1), Needed(NOW, None, nobody), store, NOW)
    assert sum(map(len, left(folder))) == 5
    assert 4 not in left(folder)[0] or 4 not in left(folder)[1]


def test_a_store_that_is_away_is_said_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at("http://127.0.0.1:9", monkeypatch)
    monkeypatch.setattr("adapters.traffic_store._ATTEMPTS", 1)
    folder, words = logged(tmp_path / "p", [50]), []
    away = open_store("s3://logs/traffic")
    assert send(folder, "p", away, words.append) == 0
    assert "cannot be reached" in words[0]
    with pytest.raises(OutsideError):
        forget(folder, "p", TrafficRules(), Needed(NOW, None, nobody), away, NOW)
    assert send(folder, "p", FolderStore(tmp_path / "store"), words.append) == 2
    assert left(folder) == [[50], [50]]


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="ftp"):
        open_store("ftp://somewhere")


@pytest.mark.parametrize(
    ("name", "value"), [("FSYNC", "always"), ("SEGMENT_MB", "-1"), ("KEEP_MB", "much"), ("KEEP", "a month"), ("SEGMENT_AGE", "1y")]
)
def test_a_setting_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"UNDERSTUDY_TRAFFIC_{name}", value)
    with pytest.raises(UsageError, match=f"UNDERSTUDY_TRAFFIC_{name}"):
        read_traffic_rules()


def test_an_open_rollout_a_rehearsal_to_come_and_the_shadow_say_what_is_needed(world: World) -> None:
    log = TrafficLog(world.settings.traffic / "demand", SMALL)
    for number in range(4):
        at = epoch_us(hour(number))
        log.append(AnsweredBatch("demand", "1", number, "champion", 1.0, at, 9, ["r"], [0], [at], [None], {}, [0.5]))
    log.close()
    close_segments(world.settings.traffic / "demand" / "answers", print)
    parts = [part for part in log.parts("answers") if isinstance(part, ClosedPart)]
    now = datetime.now(UTC)
    idle = needed_of(world.settings, world.ledger, "demand", now)
    assert now - idle.logged == timedelta(days=14, hours=1) + timedelta()  # two windows of the monitors, and an hour between clocks
    champion = world.model("1", 100)
    world.route(2, champion, champion)
    began = world.ledger.decisions("demand")[0].at
    asked = needed_of(world.settings, world.ledger, "demand", now + 30 * DAY)
    assert began - asked.logged == timedelta(days=14, hours=1)
    assert [asked.unread(part) for part in parts] == [False] * 4
    for since, expected in ((None, [False, False, True, True]), (epoch_us(hour(1)), [False, True, True, True])):
        save_place(place_file(world.settings, "demand"), Place("1", 2, since))
        assert [needed_of(world.settings, world.ledger, "demand", now).unread(part) for part in parts] == expected
    save_place(place_file(world.settings, "demand"), Place("1", 2, None, log.follow(AnsweredBatch, "answers", Position())[1].offsets))
    assert [needed_of(world.settings, world.ledger, "demand", now).unread(part) for part in parts] == [False] * 4


def test_one_pass_closes_sends_and_deletes_and_a_ledger_that_is_away_costs_nothing(world: World, tmp_path: Path) -> None:
    log = TrafficLog(world.settings.traffic / "demand", SMALL)
    old, new = epoch_us(datetime.now(UTC) - 90 * DAY), epoch_us(datetime.now(UTC))
    for at in (old, new):
        log.append(AnsweredBatch("demand", "1", 1, "champion", 1.0, at, 9, ["r"], [0], [at], [None], {}, [0.5]))
    log.close()
    rules = TrafficRules(url=str(tmp_path / "store"))
    away = replace(world.settings, traffic_rules=rules, ledger_url="postgresql+psycopg://nobody@127.0.0.1:9/none")
    assert is_due(away)
    archive(away, configure_log("archive"))
    assert (len(log.read(AnsweredBatch, "answers")), is_due(away)) == (2, False)
    world.route(1, world.model("1", 100), None, Phase.IDLE)
    archive(replace(away, ledger_url=world.settings.ledger_url), configure_log("archive"))
    assert [one.logged_at for one in log.read(AnsweredBatch, "answers")] == [new]
    assert len(open_store(str(rules.url)).names("demand/answers/")) == 2
    assert not [
        path for path in (world.settings.traffic / "demand" / "answers").glob(f"*{SENT}") if not path.with_suffix(".parquet").exists()
    ]


def test_the_shadow_process_has_it_done_beside_itself(world: World) -> None:
    world.serve(range(3), "1", 1)  # by a log that nobody holds any more
    other = TrafficLog(world.settings.traffic / "demand", SMALL)
    other.append(FailedBatch("demand", "1", 1, 1, ["r"], "broke"))
    other.close()
    settings: Settings = replace(world.settings, traffic_rules=TrafficRules(close_every=timedelta(0)))
    one = Archivist(settings, configure_log("test"))
    deadline = time.monotonic() + 60
    try:
        while list((settings.traffic / "demand" / "failures").glob("*.seg")) and time.monotonic() < deadline:
            one.tend()
            time.sleep(0.05)
    finally:
        one.stop()
    assert len(list((settings.traffic / "demand" / "failures").glob("*.parquet"))) == 1
    assert other.read(FailedBatch, "failures")[0].request_ids == ["r"]
