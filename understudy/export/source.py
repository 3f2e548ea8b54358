"""What every export starts from: a version's package, checked, with where it comes from."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from adapters.environment import FITTED_WITH
from adapters.model_cache import cached_package
from adapters.package_store import load_files, read_files
from adapters.registry import Registered, Registry
from adapters.settings import Settings
from adapters.whole_file import write_whole
from contracts.errors import OutsideError
from flows.stages.report import ENVIRONMENT


@dataclass(frozen=True, slots=True)
class Source:
    """A version that is to be exported.

    Attributes:
        files: of the package, by name. environment: `name==version` of what it was fitted with, as recorded.
    """

    pipeline: str
    registered: Registered
    files: dict[str, bytes]
    environment: dict[str, str]

    @property
    def module(self) -> str:
        """The name to import."""
        return f"{self.pipeline}_model"

    @property
    def version(self) -> str:
        """The version as PEP 440 has it: the registry's number, and the digest as its local part."""
        return f"{self.registered.model.version}+{self.registered.model.digest[:12]}"

    @property
    def needs(self) -> list[str]:
        """`name==version` of what the package needs to be loaded and to answer as it did."""
        return [f"{name}=={self.environment[name]}" for name in FITTED_WITH if name in self.environment]

    @property
    def python(self) -> str:
        """The minor version of the interpreter that it was fitted with, such as 3.11."""
        found = re.match(r"\d+\.\d+", self.environment["python"])
        return found[0] if found else "3.11"


def source_of(settings: Settings, pipeline: str, version: str) -> Source:
    """Return a version's package and lineage, every byte checked.

    Raises:
        UsageError: there is no such version.
        DigestMismatch: its bytes are not the ones registered.
        OutsideError: the registry could not be read.
    """
    registry = Registry(settings)
    one = registry.registered(pipeline, version)
    files = read_files(cached_package(settings, one.model))
    load_files(files, one.model.digest)  # an export that could not be loaded helps nobody
    with tempfile.TemporaryDirectory() as folder:
        text = registry.fetch_report(one, ENVIRONMENT, Path(folder)).read_text(encoding="utf-8")
    return Source(pipeline, one, files, dict(line.split("==", 1) for line in text.splitlines()))


def write_file(path: Path, content: bytes) -> Path:
    """Write a file beside its place and move it there.

    Raises:
        OutsideError: the disk could not take it.
    """
    try:
        return write_whole(path, content)
    except OSError as error:
        raise OutsideError(f"{path} could not be written: {error.strerror or error}.", "Look at the disk and its rights.") from error
