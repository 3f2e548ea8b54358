"""Old snapshots are taken out; those that a registered version was fitted on stay."""

from __future__ import annotations

from adapters.data_repo import DataRepo
from adapters.data_repo_prune import Pruned, prune
from adapters.registry import Registry
from adapters.settings import Settings


def prune_snapshots(settings: Settings, pipeline: str, keep: int, *, dry_run: bool) -> Pruned:
    """Take out all snapshots but the newest ones and those that the lineage of a registered version names.

    Args:
        settings: where everything is.
        pipeline: whose snapshots.
        keep: how many of the newest stay.
        dry_run: only say what would go.

    Raises:
        OutsideError: MLflow could not be asked, and nothing was removed; or the remote could not remove something.
    """
    registry = Registry(settings)

    def needed() -> dict[str, str]:
        return {one.lineage.snapshot: f"version {one.model.version} was fitted on it" for one in registry.versions(pipeline)}

    return prune(DataRepo(settings), pipeline, keep, needed, dry_run=dry_run)
