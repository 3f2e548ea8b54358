"""A version as the build context of a container image: Containerfile, wheel, and a lock of everything that is installed beside it."""

from __future__ import annotations

from pathlib import Path

from contracts.errors import UsageError
from understudy.export.source import Source, write_file
from understudy.export.wheel import write_wheel

_CONTAINERFILE = """\
# Version {version} of the model '{pipeline}', digest {digest}.
# Build and run, from this folder:
#   docker build -t {tag} .
#   docker run --rm --network none -v "$PWD/data:/data" {tag} /data/rows.csv /data/answers.csv
FROM python:{python}-slim
COPY requirements.lock {wheel} /tmp/build/
# everything is in the lock: pip resolves nothing
RUN python -m pip install --no-cache-dir --disable-pip-version-check --no-deps -r /tmp/build/requirements.lock /tmp/build/{wheel} \\
    && rm -r /tmp/build \\
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin model
LABEL understudy.pipeline="{pipeline}" understudy.version="{version}" understudy.digest="{digest}" understudy.snapshot="{snapshot}"
ENV PYTHONDONTWRITEBYTECODE=1
USER 10001
ENTRYPOINT ["python", "-m", "{module}"]
"""


def write_image(source: Source, folder: Path) -> Path:
    """Write the build context into a folder that is empty or not there, and return it.

    Raises:
        UsageError: the folder holds something.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"The folder {folder} is not empty.", "Name another --output.")
    wheel, model = write_wheel(source, folder), source.registered.model
    text = _CONTAINERFILE.format(
        version=model.version,
        pipeline=source.pipeline,
        digest=model.digest,
        snapshot=model.snapshot,
        tag=f"{source.pipeline.replace('_', '-')}-model:{model.version}",
        python=source.python,
        wheel=wheel.name,
        module=source.module,
    )
    write_file(folder / "Containerfile", text.encode())
    write_file(folder / "requirements.lock", ("\n".join(locked(source)) + "\n").encode())
    write_file(folder / ".dockerignore", f"*\n!requirements.lock\n!{wheel.name}\n".encode())
    return folder


def locked(source: Source) -> list[str]:
    """Return `name==version` of all that the wheel needs, and what that needs in turn, at the versions that were recorded.

    Raises:
        UsageError: something of it was not installed when the version was fitted.
    """
    from importlib.metadata import PackageNotFoundError, requires

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found: dict[str, str] = {}
    waiting = [*(one.partition("==")[0] for one in source.needs), "pyarrow"]  # reads Parquet; everything else reads with pandas
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        if name not in source.environment:
            raise UsageError(f"'{name}' was not installed when the version was fitted, so it cannot be locked.", "Export --format wheel.")
        found[name] = source.environment[name]
        try:
            needed = [Requirement(one) for one in requires(name) or ()]
        except PackageNotFoundError:
            continue  # what it needs is known only where it is installed
        here = {"extra": "", "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
        waiting += [one.name for one in needed if one.marker is None or one.marker.evaluate(here)]
    return [f"{name}=={version}" for name, version in sorted(found.items())]
