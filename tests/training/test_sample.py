"""The sample of a window: the same rows in whatever order and pieces they come, as many as were asked for, spread evenly."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from training.sample import Sampler, key_hashes

_RANDOM = np.random.default_rng(3)


def _rows(count: int) -> pa.Table:
    return pa.table({"id": np.arange(count), "name": [f"n{one}" for one in range(count)], "place": np.arange(count)})


def _taken(table: pa.Table, piece: int, rows: int = 100, seed: int = 1) -> list[int]:
    sampler = Sampler(rows, ["id", "name"], seed, ["place"])
    for start in range(0, len(table), piece):
        sampler.add(table.slice(start, piece))
    return sorted(sampler.taken()["id"].to_pylist())


def test_the_sample_does_not_depend_on_order_or_pieces_but_on_the_seed() -> None:
    rows = _rows(5000)
    mixed = rows.take(_RANDOM.permutation(5000))
    assert len(_taken(rows, 5000)) == 100
    assert _taken(rows, 5000) == _taken(mixed, 37) == _taken(mixed, 1000)
    assert _taken(rows, 5000) != _taken(rows, 5000, seed=2)


def test_a_window_that_is_smaller_is_taken_whole() -> None:
    assert _taken(_rows(60), 7) == list(range(60))


def test_rows_of_one_hash_are_told_apart_by_their_place() -> None:
    same = pa.table({"id": [5] * 40, "name": ["a"] * 40, "place": np.arange(40)})
    sampler = Sampler(3, ["id", "name"], 0, ["place"])
    for start in (30, 10, 0, 20):
        sampler.add(same.slice(start, 10))
    assert sorted(sampler.taken()["place"].to_pylist()) == [0, 1, 2]


def test_every_part_of_a_window_has_its_share() -> None:
    taken = np.array(_taken(_rows(20_000), 4000, rows=2000))
    counts = np.histogram(taken, bins=10, range=(0, 20_000))[0]
    assert np.all(np.abs(counts - 200) < 5 * np.sqrt(200 * 0.9))  # five standard deviations of a fair draw


def test_a_hash_does_not_depend_on_what_else_is_in_the_column() -> None:
    alone = key_hashes(pa.table({"k": pa.array([7], pa.int32()), "t": ["é"]}), ["k", "t"], 1)
    among = key_hashes(pa.table({"k": pa.array([None, 7], pa.int64()), "t": pa.array([None, "é"], pa.large_string())}), ["k", "t"], 1)
    assert alone[0] == among[1] != among[0]
