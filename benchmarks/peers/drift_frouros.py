"""Frouros: its tests column by column, and its kernel test (MMD) on all numbers at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from drift_runner import main, surprise
from frouros.detectors.data_drift import EMD, MMD, AndersonDarlingTest, ChiSquareTest, CVMTest, KSTest

Columns = dict[str, np.ndarray]


def _prepare(table: Any) -> tuple[Columns, Columns]:
    columns = {name: table[name].to_numpy() for name in table.column_names}
    numbers = {name: values for name, values in columns.items() if values.dtype == np.float64}
    return numbers, {name: values.astype(object) for name, values in columns.items() if name not in numbers}


def _test(kind: type) -> Any:
    def compare(reference: tuple[Columns, Columns], window: tuple[Columns, Columns]) -> dict[str, float]:
        return {**_numbers(kind, "statistic", reference, window), **_chi2(reference, window)}

    return compare


def _numbers(kind: type, field: str, reference: Any, window: Any) -> dict[str, float]:
    found = {}
    for name, before in reference[0].items():
        detector = kind()
        detector.fit(X=before[~np.isnan(before)])
        values = window[0][name]
        found[name] = float(getattr(detector.compare(X=values[~np.isnan(values)])[0], field))
    return found


def _chi2(reference: Any, window: Any) -> dict[str, float]:
    found = {}
    for name, before in reference[1].items():
        detector = ChiSquareTest()
        detector.fit(X=before)
        found[name] = surprise(detector.compare(X=window[1][name])[0].p_value)
    return found


def _emd(reference: Any, window: Any) -> dict[str, float]:
    return {**_numbers(EMD, "distance", reference, window), **_chi2(reference, window)}


def _mmd(reference: Any, window: Any) -> dict[str, float]:
    before, after = (np.column_stack(list(one[0].values())) for one in (reference, window))
    centre, width = np.nanmean(before, axis=0), np.nanstd(before, axis=0)
    detector = MMD(chunk_size=500)
    detector.fit(X=np.nan_to_num((before - centre) / width))
    return {"all": float(detector.compare(X=np.nan_to_num((after - centre) / width))[0].distance)}


if __name__ == "__main__":
    main(
        _prepare,
        {
            "KS and chi²": _test(KSTest),
            "Anderson-Darling": _test(AndersonDarlingTest),
            "Cramér-von Mises": _test(CVMTest),
            "EMD": _emd,
            "MMD": _mmd,
        },
        ("KS and chi²",),
    )
