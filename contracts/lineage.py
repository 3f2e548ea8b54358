"""Lineage: everything that decides a fit, so that it can be told apart and done again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a version comes from.

    Attributes:
        snapshot: id of the snapshot it was fitted on.
        data_digest: digest of that snapshot's rows.
        spec_digest: digest of pipeline.yaml, params.yaml and the feature code.
        commit: git commit of the code, or None outside a repository.
        clean: whether the tree was as committed; None outside a repository.
        environment: digest of the interpreter and every installed distribution.
    """

    snapshot: str
    data_digest: str
    spec_digest: str
    commit: str | None
    clean: bool | None
    environment: str

    @property
    def key(self) -> str:
        """Return the digest of the whole lineage: two fits with one key are one fit."""
        parts = [self.data_digest, self.spec_digest, self.commit, self.clean, self.environment]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def tree(self) -> str:
        """Return `clean`, `dirty` or `none` (no repository)."""
        return {True: "clean", False: "dirty", None: "none"}[self.clean]
