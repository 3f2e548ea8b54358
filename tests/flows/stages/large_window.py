"""Fits and evaluates a pipeline in a process of its own and says how much memory that took beyond what its libraries take.

python -m tests.flows.stages.large_window HOME PIPELINES WORK whole|sampled
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path


def peak_mb() -> float:
    """Return the greatest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Fit, evaluate, and print what was found as JSON."""
    import duckdb
    import sklearn.linear_model
    import skops.io  # noqa: F401  # its memory is not what is measured

    from adapters.data_repo import DataRepo
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from flows.stages.evaluate import evaluate_stage
    from flows.stages.fit import fit_stage

    home, pipelines, work = map(Path, sys.argv[1:4])
    settings = read_settings(home, pipelines)
    pipeline = load_pipeline(settings, "wide")
    newest = DataRepo(settings).newest("wide")
    if newest is None:
        raise SystemExit("there is no snapshot")
    duckdb.connect().execute("SELECT 1").fetchall()
    sklearn.linear_model.Ridge().fit([[0.0], [1.0]], [0, 1])
    before = peak_mb()
    fitted = fit_stage(settings, pipeline, newest.id, work)
    found = evaluate_stage(settings, pipeline, fitted, None, work)
    said = {"mb": peak_mb() - before, "fitted": fitted.fitted_rows, "held_out": fitted.held_out_rows, "digest": fitted.digest}
    print(json.dumps(said | {"mae": found.overall.candidate["mae"], "rows": found.overall.rows}))


if __name__ == "__main__":
    main()
