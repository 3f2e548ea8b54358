"""Every kind of model, as C without a warning, says what scikit-learn says: on held-out rows and next to thresholds."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adapters.package_store import LoadedPackage, coerce, load_files
from contracts.package import package_digest
from tests.training.parity.world import MODELS, package_of
from training.parity.c_code import Exported, write_c
from training.parity.encoders import Category, read_encoders
from training.parity.formula import Ensemble, Floats, read_formula
from training.parity.proof import accepted, difference
from training.parity.rows import at_splits, awkward

CC = shutil.which("cc")
needs_compiler = pytest.mark.skipif(CC is None, reason="no C compiler (cc) is installed")
NAMES = [f"{estimator.rpartition('.')[2]}, {task}{', one-hot' if train else ''}" for estimator, task, _, train in MODELS]
SLOW = (1, 5, 7, 8, 10)  # of each of them there is a like one
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1"]


def exported(at: int) -> tuple[LoadedPackage, pd.DataFrame, Exported]:
    files, held_out = package_of(at)
    loaded = load_files(files, package_digest(files))
    estimator = loaded.model.steps[-1][1]
    formula = read_formula(estimator)
    told = (loaded.manifest.columns, loaded.manifest.classes, read_encoders(loaded.model, list(loaded.manifest.columns)), formula)
    return loaded, held_out, Exported("m", ("a test",), *told, accepted(estimator, formula))


class Compiled:
    """A model's C, compiled and loaded into this process."""

    def __init__(self, model: Exported, folder: Path) -> None:
        self.model = model
        for name, text in write_c(model).items():
            (folder / name).write_text(text)
        command = [str(CC), *STRICT, "-shared", "-fPIC", "-o", str(folder / "m.so"), str(folder / "m.c"), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr[:2000]
        self.library = ctypes.CDLL(str(folder / "m.so"))
        for name, kind in (("m_code", ctypes.c_char_p), ("m_code_of_number", ctypes.c_double)):
            if hasattr(self.library, name):
                getattr(self.library, name).argtypes = [ctypes.c_int, kind]

    def _ask(self, function: str, rows: Floats) -> tuple[Floats, np.ndarray]:
        answers, done = np.zeros((len(rows), self.model.answers)), np.zeros(len(rows), dtype=int)
        for place, row in enumerate(np.ascontiguousarray(rows, dtype=np.float64)):
            pointers = [one.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for one in (row, answers[place])]
            done[place] = getattr(self.library, function)(*pointers)
        return answers[:, 0] if self.model.answers == 1 else answers, done

    def encoded(self, matrix: Floats) -> tuple[Floats, np.ndarray]:
        return self._ask("m_predict_encoded", matrix)

    def rows(self, frame: pd.DataFrame) -> tuple[Floats, np.ndarray]:
        """Answer rows as they are sent, each category by its code."""
        kinds = {one.column: self.model.kind(one) for one in self.model.encoders if isinstance(one, Category)}
        inputs = np.zeros(frame.shape)
        for place, name in enumerate(frame.columns):
            if place not in kinds:
                inputs[:, place] = frame[name].to_numpy(dtype=np.float64)
            elif kinds[place] == "str":
                texts = [one.encode() if isinstance(one, str) else None for one in frame[name]]
                inputs[:, place] = [self.library.m_code(place, one) for one in texts]
            else:
                inputs[:, place] = [self.library.m_code_of_number(place, float(one)) for one in frame[name]]
        return self._ask("m_predict", inputs)

    def classes(self, answers: Floats) -> list[int]:
        rows = np.ascontiguousarray(answers.reshape(len(answers), -1))
        return [self.library.m_class(row.ctypes.data_as(ctypes.POINTER(ctypes.c_double))) for row in rows]


def theirs(loaded: LoadedPackage, matrix: Floats) -> Floats:
    estimator = loaded.model.steps[-1][1]
    if loaded.manifest.task == "regression":
        return np.asarray(estimator.predict(matrix))
    chances = np.asarray(estimator.predict_proba(matrix))
    return chances[:, 1] if loaded.manifest.task == "binary" else chances


@needs_compiler
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("at", [pytest.param(at, id=name, marks=[pytest.mark.slow] * (at in SLOW)) for at, name in enumerate(NAMES)])
def test_c_says_what_scikit_learn_says(at: int, tmp_path: Path) -> None:
    loaded, held_out, model = exported(at)
    made = Compiled(model, tmp_path)
    inputs = coerce(held_out, loaded.manifest)
    for kind, frame in awkward(inputs, loaded.manifest.columns):
        if kind == "extreme" or (kind == "missing" and not model.accepts.missing):
            continue
        said, done = made.rows(frame)
        wanted = loaded.predict(frame)
        assert not done.any()
        assert difference(said, wanted) <= 1e-12, kind
        if loaded.manifest.task != "regression":
            likeliest = wanted > 0.5 if wanted.ndim == 1 else wanted.argmax(axis=1)
            assert made.classes(said) == likeliest.tolist(), "no class flips"
    if isinstance(model.formula, Ensemble):
        beside = np.concatenate([at_splits(tree, model.formula.features, model.formula.single) for tree in model.formula.trees])
        beside = beside[:: max(1, len(beside) // 4000)]
        taken = ~np.isnan(beside).any(axis=1) if not model.accepts.missing else np.full(len(beside), fill_value=True)
        if model.accepts.largest is not None:
            taken &= ~(np.abs(beside) > model.accepts.largest).any(axis=1)
        said, done = made.encoded(beside)
        assert (done == ~taken).all()
        assert difference(said[taken], theirs(loaded, beside[taken])) <= 1e-12, "next to thresholds"
        assert np.isnan(said[~taken]).all()


@needs_compiler
def test_what_the_model_does_not_take_is_refused_and_a_threshold_moved_by_one_bit_is_seen(tmp_path: Path) -> None:
    loaded, held_out, model = exported(NAMES.index("Ridge, regression"))
    made = Compiled(model, tmp_path)
    matrix = loaded.model[:-1].transform(coerce(held_out, loaded.manifest))[:2].copy()
    matrix[0, 0], matrix[1, 0] = np.nan, np.inf
    answers, done = made.encoded(matrix)
    assert done.tolist() == [1, 1]
    assert np.isnan(answers).all()

    loaded, _, model = exported(0)
    assert isinstance(model.formula, Ensemble)
    tree = model.formula.trees[0]
    rows = at_splits(tree, model.formula.features, single=False)
    moved = replace(tree, threshold=np.nextafter(tree.threshold, -np.inf))
    (tmp_path / "moved").mkdir()
    wrong = Compiled(replace(model, formula=replace(model.formula, trees=(moved, *model.formula.trees[1:]))), tmp_path / "moved")
    assert difference(wrong.encoded(rows)[0], theirs(loaded, rows)) > 1e-12


@needs_compiler
def test_names_and_categories_of_any_letters_come_through(tmp_path: Path) -> None:
    _, _, model = exported(NAMES.index("Ridge, regression"))
    odd = ('a "b"\\', "??/", "größe\n", "*/ 0", "")
    place = next(one.column for one in model.encoders if isinstance(one, Category) and model.kind(one) == "str")
    encoders = tuple(replace(one, values=odd) if one.column == place and isinstance(one, Category) else one for one in model.encoders)
    made = Compiled(replace(model, encoders=encoders, about=("*/ int x; /*",)), tmp_path)
    assert [made.library.m_code(place, one.encode()) for one in odd] == list(range(len(odd)))
    assert made.library.m_code(place, b"none of these") == -1
    assert made.library.m_code(place, None) == -2
