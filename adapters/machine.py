"""What the numbers of a fit may depend on beside the software: processor, threads, and which builds of linear algebra were loaded."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_CORETYPE")
_CPUINFO = Path("/proc/cpuinfo")


def machine_text() -> str:
    """Return `name==value` lines: cpu, cores this process may use, libc, the environment's thread limits, each BLAS and OpenMP."""
    import sklearn.linear_model  # noqa: F401  # loads the libraries that any fit here uses
    from threadpoolctl import threadpool_info

    facts = {"cpu": _cpu(), "cores": str(cores()), "libc": " ".join(platform.libc_ver())}
    facts |= {name: os.environ[name] for name in _LIMITS if name in os.environ}
    libraries = sorted(_library(one) for one in threadpool_info())
    return "".join(f"{name}=={value}\n" for name, value in facts.items()) + "".join(libraries)


def _library(one: dict[str, Any]) -> str:
    said = [str(one[key]) for key in ("prefix", "version", "architecture") if one.get(key)]
    return f"library {' '.join(said)}=={one['num_threads']} threads\n"


def _cpu() -> str:
    lines = _CPUINFO.read_text().splitlines() if _CPUINFO.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
