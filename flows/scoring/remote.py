"""A package that answers on a Dask cluster: it comes there as bytes, is checked by digest, and answers as it does here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from adapters.cluster import Cluster
from adapters.package_store import LoadedPackage, load_files
from contracts.errors import DigestMismatch
from contracts.package import MANIFEST, Manifest, package_digest
from flows.scoring.answer import How, Part, answer_task
from flows.scoring.blocks import answer_block, blocks
from flows.scoring.plan import Task


@dataclass(frozen=True)
class Shipped:
    """A package on its way to a worker; two of one digest are one."""

    digest: str
    files: Mapping[str, bytes]

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def manifest(self) -> Manifest:
        """What the package says of itself."""
        return Manifest.model_validate_json(self.files[MANIFEST])


@lru_cache(maxsize=4)
def unpacked(shipped: Shipped) -> LoadedPackage:
    """Load a package once in a worker's process.

    Raises:
        DigestMismatch: these are not the bytes that were sent.
    """
    files = dict(shipped.files)
    if package_digest(files) != shipped.digest:
        raise DigestMismatch(
            f"The package that came has not the approved digest {shipped.digest[:12]}: it is not loaded.", "Send it again."
        )
    return load_files(files, shipped.digest)


def answer_there(task: Task, shipped: Shipped, how: How) -> list[Part]:
    """Answer a task on a worker, which reads and writes the same folders."""
    return answer_task(task, unpacked(shipped), how)


def predict_there(rows: pd.DataFrame, shipped: Shipped) -> np.ndarray:
    """Answer rows on a worker."""
    return answer_block(unpacked(shipped), rows)


class OnCluster:
    """A package whose rows are answered by a cluster, in the blocks in which they would be answered here."""

    def __init__(self, cluster: Cluster, shipped: Shipped) -> None:
        self._cluster, self._shipped = cluster, shipped
        self.manifest = shipped.manifest

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Answer rows, as `LoadedPackage.predict`."""
        return np.concatenate(self.predict_blocks(blocks(frame)))

    def predict_blocks(self, frames: Iterable[pd.DataFrame]) -> list[np.ndarray]:
        """Answer each of some blocks; they are taken as the workers have room for them, and few are held at once."""
        needed = (frame[[name for name in self.manifest.columns if name in frame]] for frame in frames)
        found = dict(self._cluster.each(predict_there, needed, self._shipped))
        return [found[place] for place in range(len(found))]
