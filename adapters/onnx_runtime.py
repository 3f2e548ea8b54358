"""ONNX Runtime: opens a model that answers matrices, and says whether a package's own may be opened."""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.package import MODEL, ONNX, PARITY, Accepts, Parity

ONNX_RUNTIME, SCIKIT_LEARN = "onnxruntime", "scikit-learn"
_MUST_BE_SAME = (ONNX_RUNTIME, SCIKIT_LEARN)  # a proof made with another one says nothing about this one
_LIBRARIES = ("numpy", "onnx", *_MUST_BE_SAME)
_ERRORS_ONLY = 3


class OnnxModel:
    """A model of one input and one output, in one thread: a matrix is small, and another request waits for the other core.

    Args:
        content: the ONNX file.
        accepts: which numbers it may be asked about.
    """

    def __init__(self, content: bytes, accepts: Accepts) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._input, self._outputs = self._session.get_inputs()[0].name, [self._session.get_outputs()[0].name]
        self._accepts = accepts

    def takes(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Say which rows it may be asked about: (n, features) to (n,)."""
        largest, missing = self._accepts.largest, self._accepts.missing
        if largest is None:
            return np.asarray(missing | ~np.isnan(matrix).any(axis=1), dtype=np.bool_)
        fits = np.abs(matrix) <= largest
        if missing:
            fits |= np.isnan(matrix)
        return np.asarray(fits.all(axis=1), dtype=np.bool_)

    def takes_all(self, matrix: npt.NDArray[np.float64]) -> bool:
        """Say whether it may be asked about every row."""
        largest = self._accepts.largest
        if largest is None and self._accepts.missing:
            return True
        within = math.inf if largest is None else largest
        return bool(np.abs(matrix).max(initial=0.0) <= within) or bool(self.takes(matrix).all())  # NaN is not within: then row by row

    def answer(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Answer rows: (n, features) to (n,) or (n, k)."""
        found: npt.NDArray[np.float64] = self._session.run(self._outputs, {self._input: matrix})[0]
        return found


@dataclass(frozen=True, slots=True)
class Proved:
    """What may answer for a package beside scikit-learn, and why it may or may not, in one sentence.

    Attributes:
        content: the ONNX file, or None.
        accepts: the numbers that it is proved for.
    """

    content: bytes | None
    accepts: Accepts
    why: str

    @property
    def engine(self) -> str:
        """Who answers."""
        return SCIKIT_LEARN if self.content is None else ONNX_RUNTIME


def versions_here() -> dict[str, str]:
    """Return the installed versions of what a proof rests on."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def proved_model(files: Mapping[str, bytes]) -> Proved:
    """Return the ONNX model of a package whose bytes were checked, where its proof holds for these very files and these libraries."""
    if PARITY not in files:
        return UNPROVED
    parity = Parity.model_validate_json(files[PARITY])
    if not parity.holds:
        return _without(parity.reason)
    for name, expected in ((MODEL, parity.model), (ONNX, parity.onnx)):
        if name not in files or hashlib.sha256(files[name]).hexdigest() != expected:
            return _without(f"The proof was made for another {name}.")
    for name in _MUST_BE_SAME:
        here, then = importlib.metadata.version(name), parity.versions.get(name)
        if here != then:
            return _without(f"The proof was made with {name} {then}, and {here} is installed.")
    return Proved(files[ONNX], parity.accepts, parity.reason)


def _without(why: str) -> Proved:
    return Proved(None, Accepts(missing=False, largest=None), why)


UNPROVED = _without("The version was packaged before proofs were made.")
