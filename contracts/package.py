"""The package of a model: what is approved by digest, loaded by the gateway, and shipped to users.

A package is a folder with `package.json` (this manifest), `model.skops` and, where the pipeline has feature code, `features.py`.
Its digest is sha256 over the sorted lines `<sha256 of the file>  <relative name>\\n`, so any changed byte changes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

MANIFEST = "package.json"
MODEL = "model.skops"
FEATURES = "features.py"

Task = Literal["regression", "binary", "multiclass"]
ColumnType = Literal["float", "int", "str", "bool"]


class Manifest(BaseModel):
    """What a reader must know before it loads a package; JSON in `package.json`.

    Attributes:
        columns: input columns in order with their type, as clients send them (before feature code).
        features: `module:function` of the feature code, or None.
        classes: class labels in the order of the model's probabilities, as JSON scalars; empty for regression.
        trusted: types that skops may construct.
        cutoff: greatest event time of a fitted row, RFC 3339. since: the least one; None in packages that do not say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline: str
    task: Task
    target: str
    columns: dict[str, ColumnType]
    features: str | None = None
    classes: tuple[str | int | float | bool, ...] = ()
    trusted: tuple[str, ...] = ()
    cutoff: str
    since: str | None = None


def package_digest(files: Mapping[str, bytes]) -> str:
    """Return the digest of a package given as file name → bytes."""
    lines = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()
