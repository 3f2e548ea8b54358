"""The digest of a table's rows, independent of file format, compression and library versions."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd


def row_digest(frame: pd.DataFrame) -> str:
    """Return sha256 (hex) over the columns in order of their names: name, kind, which cells are null, and the values in row order."""
    whole = hashlib.sha256(f"{len(frame)}\n".encode())
    for name in sorted(map(str, frame.columns)):
        column = frame[name]
        kind, parts = _canonical(column)
        whole.update(f"{name}\x00{kind}\x00".encode())
        whole.update(np.packbits(column.isna().to_numpy()).tobytes())
        for part in parts:
            whole.update(part)
    return whole.hexdigest()


def _canonical(column: pd.Series) -> tuple[str, list[bytes]]:
    dtype = column.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        micros = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
        return "time", [micros.astype("<i8").tobytes()]
    if pd.api.types.is_bool_dtype(dtype):
        return "bool", [column.fillna(value=False).to_numpy(dtype="u1").tobytes()]
    if pd.api.types.is_integer_dtype(dtype):
        return "int", [column.fillna(0).to_numpy(dtype="<i8").tobytes()]
    if pd.api.types.is_float_dtype(dtype):
        values = column.to_numpy(dtype="<f8", na_value=np.nan)
        return "float", [np.where(np.isnan(values), 0.0, values).tobytes()]
    texts = [text.encode() for text in column.astype("string").fillna("")]
    return "text", [np.array([len(text) for text in texts], dtype="<i8").tobytes(), b"".join(texts)]
