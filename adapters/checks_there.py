"""Lets the workers of a cluster look at Parquet files for the columnar engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.cluster import Cluster
from adapters.columnar.engine import Failing, Told
from adapters.columnar.parts import in_parts, look, looks, teach
from adapters.columnar.plans import Plan
from adapters.columnar.table import Table
from contracts.errors import OutsideError

ROWS_PER_PART = 1_000_000


@dataclass(frozen=True, slots=True)
class There:
    """Files, and the cluster whose workers look at them.

    Attributes:
        paths: where the workers see them too.
        positions: whether the positions of failing rows are wanted.
    """

    cluster: Cluster
    paths: Sequence[Path]
    positions: bool

    def __call__(self, plans: Sequence[Plan], table: Table) -> Told:
        """Have all parts looked at, and teach the table what was seen.

        Raises:
            OutsideError: a worker saw other files, or the cluster failed.
        """
        apart = [plan for plan in plans if in_parts(plan)]
        if not apart:
            return Told()
        paths = [path.absolute() for path in self.paths]
        lists = list(looks(apart, paths, ROWS_PER_PART, self.cluster.slots, positions=self.positions))
        seen = dict(self.cluster.each(look, [one for those in lists for one in those]))
        failing: dict[int, Failing] = {}
        rows, first = table.rows, 0
        for those in lists:
            failing |= teach(table, [seen[place] for place in range(first, first + len(those))])
            first += len(those)
            if table.rows != rows:
                raise OutsideError(
                    f"The workers saw {table.rows} rows of {paths[0]}, and there are {rows}.", "Give them the same files; then try again."
                )
        return Told(frozenset(plan.asked.position for plan in apart), failing)
