"""The package of a model: what is approved by digest, loaded by the gateway, and shipped to users.

A package is a folder with `package.json` (this manifest), `model.skops` and, where the pipeline has feature code, `features.py`. A version
also has `parity.json`, what was proved about ONNX Runtime answering for it, and, where that holds, `model.onnx`.
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
ONNX = "model.onnx"
PARITY = "parity.json"

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


class Accepts(BaseModel):
    """Which numbers of a matrix ONNX Runtime is asked about; rows with others are left to scikit-learn, which may refuse them.

    Attributes:
        missing: whether NaN is one of them.
        largest: greatest absolute value; None where infinities are taken too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    missing: bool
    largest: float | None


class Parity(BaseModel):
    """What was tried to see whether ONNX Runtime says what scikit-learn says, and whether it does; JSON in `parity.json`.

    Attributes:
        holds: whether ONNX Runtime may answer for the version.
        reason: one sentence.
        model, onnx: sha256 of `model.skops` and of `model.onnx`; the latter None where there is none.
        rows: how many were tried, by kind. refused: how many of them the model leaves to scikit-learn, by kind.
        max_difference: no answer differs by more, relative to the answer where that is above 1; one of few steps, so that it is the same
            on every machine.
        class_flips: rows with another class. wrong_splits: rows next to a threshold that took another way through a tree.
        versions: of the libraries it was tried with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    holds: bool
    reason: str
    model: str
    onnx: str | None = None
    rows: dict[str, int] = {}
    refused: dict[str, int] = {}
    max_difference: float | None = None
    class_flips: int = 0
    wrong_splits: int = 0
    accepts: Accepts = Accepts(missing=False, largest=None)
    versions: dict[str, str] = {}


def package_digest(files: Mapping[str, bytes]) -> str:
    """Return the digest of a package given as file name → bytes."""
    lines = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()
