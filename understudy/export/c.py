"""A version as portable C99: a source and a header, with no library but the standard one, and no memory but the stack."""

from __future__ import annotations

from pathlib import Path

from adapters.package_store import load_files
from contracts.errors import UsageError
from contracts.package import PARITY, Parity
from training.parity.c_code import Exported, write_c
from training.parity.encoders import read_encoders
from training.parity.formula import NotWritten, read_formula
from understudy.export.source import Source, write_file


def write_c_files(source: Source, folder: Path) -> Path:
    """Write NAME_model.h and NAME_model.c into a folder and return the latter.

    Raises:
        UsageError: no C is known that answers as this model does; it says why.
    """
    try:
        files = write_c(_exported(source))
    except NotWritten as why:
        raise UsageError(
            f"Version {source.registered.model.version} of '{source.pipeline}' is not written as C. {why}", "Take --format wheel."
        ) from why
    for name, text in files.items():
        write_file(folder / name, text.encode())
    return folder / f"{source.module}.c"


def _exported(source: Source) -> Exported:
    model, lineage = source.registered.model, source.registered.lineage
    loaded = load_files(source.files, model.digest)
    manifest = loaded.manifest
    if manifest.features is not None:
        raise NotWritten(f"Its features are made by Python code ({manifest.features}), which is not translated.")
    if PARITY not in source.files:
        raise NotWritten("It was packaged before models were proved to be what is read out of them.")
    parity = Parity.model_validate_json(source.files[PARITY])
    if not parity.holds:
        raise NotWritten(f"What it computes is not proved to be known: {parity.reason}")
    about = (
        f"Version {model.version} of the model '{source.pipeline}', made by Understudy.",
        f"Digest {model.digest}",
        f"Snapshot {lineage.snapshot}, commit {lineage.commit or 'none'}",
    )
    encoders = read_encoders(loaded.model, list(manifest.columns))
    formula = read_formula(loaded.model.steps[-1][1])
    return Exported(source.module, about, dict(manifest.columns), manifest.classes, encoders, formula, parity.accepts)
