"""Regret of the bandit stage against an A/B split and against MABWiser, on the same simulated streams.

A table of rewards (unit by arm) is drawn once for each stream; every policy sees the reward of the arm it chose, in the same batches and
equally late. Regret is what was lost in expectation against the best arm from the first unit on. MABWiser keeps no floor, so it is held
against ours without one; with it, as the stage runs, ours stands beside the splits. The A/B split halves the units until its
anytime-valid interval decides, then gives all to the winner; the even split never decides. Beside regret: how often the bandit's
off-policy interval ever missed the true difference while its shares moved.

    python -m benchmarks.bandit [--streams N]      a few minutes on two quiet cores; MABWiser gets an environment of its own
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.frame import Bench, Row
from benchmarks.peers.environments import environment, quiet, versions
from stats.arm_difference import Rewards, arm_difference_path
from stats.thompson import Seen, best_shares, draw_beta, draw_gaussian

_UNITS, _BATCH, _DELAY = 10_000, 250, 500
_FLOOR, _ALPHA = 0.05, 0.05
_STREAMS = 40


@dataclass(frozen=True, slots=True)
class World:
    """A kind of stream: the arms' mean rewards, binary or normal with standard deviation 1; the peer's policy for such rewards."""

    name: str
    means: tuple[float, ...]
    binary: bool
    peer: str


_WORLDS = (
    World("click 10 % against 12 %", (0.10, 0.12), binary=True, peer="thompson"),
    World("click 10, 11 and 13 %", (0.10, 0.11, 0.13), binary=True, peer="thompson"),
    World("revenue 1.0 against 1.1", (1.0, 1.1), binary=False, peer="ucb1"),
    World("no difference, click 10 %", (0.10, 0.10), binary=True, peer="thompson"),
)


def main() -> int:
    """Measure every world."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--streams", type=int, default=_STREAMS, help="simulated streams of each kind")
    streams = parser.parse_args().streams
    python = environment("mabwiser")
    bench = Bench("bandit", ("numpy", "scipy"))
    bench.machine["peers"] = {"mabwiser": versions("mabwiser")["mabwiser"]}
    for world in _WORLDS:
        _measure(bench, world, streams, python)
    return bench.finish()


def _measure(bench: Bench, world: World, streams: int, python: Path) -> None:
    tables = np.stack([_table(world, seed) for seed in range(streams)])
    ours = [_bandit(world, table, seed) for seed, table in enumerate(tables)]
    split = float(np.mean([_split(world, table, seed) for seed, table in enumerate(tables)]))
    peer = _mabwiser(world, tables, python)
    regret = float(np.mean([one for one, _ in ours]))
    best = max(world.means) > min(world.means)
    what = f"regret after {_UNITS:,} units: {world.name}"
    if best:
        fixed = float((max(world.means) - np.mean(world.means)) * _UNITS)
        bench.add(Row(what, regret, fixed, "an even split that never decides", bar=0.8))
        bench.add(Row(what, regret, split, "A/B, then all to the winner", bar=1.0))
        free = float(np.mean([_bandit(world, table, seed, floor=0.0)[0] for seed, table in enumerate(tables)]))
        bench.add(Row(f"{what}, without a floor", free, peer, f"MABWiser, {world.peer}", bar=1.25))
    missed = float(np.mean([wrong for _, wrong in ours]))
    bench.add(Row(f"share of streams whose off-policy interval ever missed: {world.name}", missed, bar=_ALPHA + _error(streams)))


def _error(streams: int) -> float:
    return 2 * float(np.sqrt(_ALPHA * (1 - _ALPHA) / streams))  # of a simulation of so many streams


def _table(world: World, seed: int) -> np.ndarray:
    draw = np.random.default_rng([2026, seed])
    means = np.array(world.means)
    return (draw.random((_UNITS, len(means))) < means).astype(float) if world.binary else draw.normal(means, 1.0, (_UNITS, len(means)))


def _bandit(world: World, table: np.ndarray, seed: int, floor: float = _FLOOR) -> tuple[float, bool]:
    """Our shares, drawn and kept as a bandit stage does; the regret, and whether the interval of arm 1 less arm 0 ever missed."""
    draw = np.random.default_rng([7, seed])
    arms = table.shape[1]
    shares = [1 / arms] * arms
    chosen, propensity = np.zeros(_UNITS, dtype=int), np.zeros(_UNITS)
    for start in range(0, _UNITS, _BATCH):
        known = np.arange(max(0, start - _DELAY))
        if len(known):
            mine = chosen[known]
            earned = table[known, mine]
            seen = [_seen(earned[mine == arm]) for arm in range(arms)]
            drawn = draw_beta(seen, draw, 2000) if world.binary else draw_gaussian(seen, draw, 2000)
            shares = best_shares(drawn, floor)
        here = slice(start, start + _BATCH)
        chosen[here] = draw.choice(arms, _BATCH, p=np.array(shares) / sum(shares))
        propensity[here] = np.array(shares)[chosen[here]]
    return float((max(world.means) - np.array(world.means)[chosen]).sum()), _missed(world, table, chosen, propensity)


def _seen(earned: np.ndarray) -> Seen:
    return Seen(len(earned), float(earned.sum()), float((earned**2).sum()))


def _missed(world: World, table: np.ndarray, chosen: np.ndarray, propensity: np.ndarray) -> bool:
    two = chosen < 2
    total = table[np.arange(_UNITS), chosen][two]
    path = arm_difference_path(Rewards(chosen[two] == 1, propensity[two], total, np.ones(len(total))), _ALPHA, tightest_at=2000)
    smaller = np.minimum(np.cumsum(chosen[two] == 1), np.cumsum(chosen[two] == 0))
    truth = world.means[1] - world.means[0]
    return bool(((path.lower > truth) | (path.upper < truth))[smaller >= 100].any())


def _split(world: World, table: np.ndarray, seed: int) -> float:
    """An even split of all arms until one is shown to be better than every other, then all to it; looked at after each batch."""
    draw = np.random.default_rng([8, seed])
    arms = table.shape[1]
    chosen = draw.integers(0, arms, _UNITS)
    for known in range(_BATCH, _UNITS - _DELAY, _BATCH):
        winner = next((arm for arm in range(arms) if _wins(table, chosen[:known], arm)), None)
        if winner is not None:
            chosen[known + _DELAY :] = winner
            break
    return float((max(world.means) - np.array(world.means)[chosen]).sum())


def _wins(table: np.ndarray, chosen: np.ndarray, arm: int) -> bool:
    others = [other for other in range(table.shape[1]) if other != arm]
    for other in others:
        two = (chosen == arm) | (chosen == other)
        total = table[np.arange(len(chosen)), chosen][two]
        rewards = Rewards(chosen[two] == arm, np.full(len(total), 0.5), total, np.ones(len(total)))
        if not arm_difference_path(rewards, _ALPHA / (table.shape[1] * len(others)), 2000).lower[-1] > 0:
            return False
    return True


def _mabwiser(world: World, tables: np.ndarray, python: Path) -> float:
    script = Path(__file__).with_name("peers") / "bandit_mabwiser.py"
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez(file, rewards=tables, means=np.array(world.means))
        file.flush()
        command = [str(python), str(script), file.name, world.peer, str(_BATCH), str(_DELAY)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=quiet())
    return float(np.mean(json.loads(done.stdout)))


if __name__ == "__main__":
    raise SystemExit(main())
