"""The data repository: snapshots as DVC-tracked Parquet partitions, one git commit and tag each.

Order of an addition: partition written, `dvc add`, `dvc push`, manifest committed, tagged. A tag is therefore proof that every byte is in
the remote. Whatever a killed process left is taken back, or finished, the next time somebody takes the lock.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from adapters import dvc_files
from adapters.file_lock import file_lock
from adapters.git import git
from adapters.manifest import read_manifest, write_manifest
from adapters.parquet_files import write_parquet
from adapters.row_digest import row_digest
from adapters.settings import Settings
from adapters.shared_repo import SharedRepo
from contracts.columns import EVENT_TIME
from contracts.errors import Conflict, UsageError
from contracts.snapshot import Partition, Snapshot

MANIFEST = "manifest.json"


class DataRepo:
    """Snapshots of all pipelines, in the git and DVC repository at `settings.data_repo`; one instance belongs to one thread.

    Where `settings.data_repo_url` is set, that folder is a working copy: an instance looks once for what others pushed, and `add` pushes.
    """

    def __init__(self, settings: Settings) -> None:
        self._root = settings.data_repo
        self._remote = settings.dvc_remote
        self._held = False
        self._shared = None if settings.data_repo_url is None else SharedRepo(self._root, settings.data_repo_url)
        self._brought = self._shared is None  # a reader looks once at what is shared

    def snapshots(self, pipeline: str) -> list[Snapshot]:
        """Return a pipeline's snapshots, oldest first."""
        if not self._is_here():
            return []
        tags = git(self._root, "tag", "--list", f"{pipeline}/*").split()
        return sorted((self._at(pipeline, tag) for tag in tags), key=lambda one: len(one.partitions))

    def newest(self, pipeline: str) -> Snapshot | None:
        """Return a pipeline's newest snapshot, or None; takes as long however many there are."""
        manifest = f"{pipeline}/{MANIFEST}"
        if not self._is_here() or not git(self._root, "ls-tree", "--name-only", "HEAD", "--", manifest):
            return None
        last = read_manifest(git(self._root, "show", f"HEAD:{manifest}"), "")
        tag = f"{pipeline}/{last.id}"
        if git(self._root, "tag", "--list", tag):
            return self._at(pipeline, tag)
        found = self.snapshots(pipeline)  # its writer has not come to the tag yet, or was killed: it does not count
        return found[-1] if found else None

    def get(self, pipeline: str, snapshot_id: str) -> Snapshot:
        """Return one snapshot.

        Raises:
            UsageError: there is none of this id.
        """
        tag = f"{pipeline}/{snapshot_id}"
        if self._is_here() and git(self._root, "tag", "--list", tag):
            return self._at(pipeline, tag)
        raise UsageError(f"Pipeline '{pipeline}' has no snapshot '{snapshot_id}'.", f"See: understudy snapshots {pipeline}")

    def frame(self, snapshot: Snapshot, columns: Sequence[str] | None = None, since: datetime | None = None) -> pd.DataFrame:
        """Return a snapshot's rows in order of event time; of rows with one key the one that came last counts.

        Args:
            snapshot: one of this repository's.
            columns: what to read; all when None.
            since: only rows with event_time >= since.

        Raises:
            UsageError: the snapshot has no such column.
            OutsideError: bytes are not here and the remote cannot give them.
        """
        for name in columns or ():
            if name not in snapshot.columns:
                raise UsageError(
                    f"Snapshot {snapshot.id} of '{snapshot.pipeline}' has no column '{name}'.", "Mend columns in pipeline.yaml."
                )
        wanted = _from(snapshot.partitions, since)
        paths = [f"{snapshot.pipeline}/{one.name}" for one in wanted]
        self._bring(paths)
        read = None if columns is None else list(dict.fromkeys([*columns, EVENT_TIME, *snapshot.key]))
        frames = [_read(self._root / path, read) for path in paths]
        rows = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
        if snapshot.key:
            rows = rows.drop_duplicates(list(snapshot.key), keep="last")
        if since is not None:
            rows = rows[rows[EVENT_TIME] >= since]
        rows = rows.sort_values(EVENT_TIME, kind="stable", ignore_index=True)
        return rows if columns is None else rows[list(columns)]

    def add(self, pipeline: str, frame: pd.DataFrame, quarantined: pd.DataFrame, key: Sequence[str]) -> Snapshot:
        """Make a snapshot of the newest one and these further rows; when it returns, its bytes are in the remote and its tag exists.

        Args:
            pipeline: whose rows.
            frame: rows that passed, with `event_time`, all after the newest snapshot's watermark.
            quarantined: rows of the same batch that were set aside; counted, and part of the watermark.
            key: columns that identify a row.

        Raises:
            Conflict: somebody else added these rows first.
            OutsideError: the remote could not take the bytes; nothing was added.
        """
        with self.exclusive():
            before = self.newest(pipeline)
            if frame.empty:
                raise ValueError("a snapshot needs at least one row")
            if before is not None and frame[EVENT_TIME].min() <= before.watermark:
                raise Conflict(
                    f"Rows of '{pipeline}' up to {before.watermark.isoformat()} are in snapshot {before.id} already.", "Read again."
                )
            partition = self._store(pipeline, frame)
            snapshot = _after(before, pipeline, frame, partition, quarantined, tuple(key))
            return self._record(snapshot)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the repository against all other writers; what a killed one left is put right first. May be nested."""
        if self._held:
            yield
            return
        with file_lock(self._root.with_name(f"{self._root.name}.lock")):
            self._held = True
            try:
                self._create()
                self._recover()
                if self._shared is not None:
                    self._shared.bring()
                    self._brought = True
                yield
            finally:
                self._held = False

    def _is_here(self) -> bool:
        """Return whether there is a repository to read; the shared one is brought first."""
        if not self._brought:
            with self.exclusive():
                pass
        return (self._root / ".git").is_dir()

    def _at(self, pipeline: str, tag: str) -> Snapshot:
        commit = git(self._root, "rev-parse", f"{tag}^{{commit}}")
        return read_manifest(git(self._root, "show", f"{tag}:{pipeline}/{MANIFEST}"), commit)

    def _bring(self, paths: list[str]) -> None:
        missing = [path for path in paths if not dvc_files.is_whole(self._root, path)]
        if missing:
            with self.exclusive():
                dvc_files.fetch(self._root, self._remote, missing)

    def _store(self, pipeline: str, frame: pd.DataFrame) -> Partition:
        digest = row_digest(frame)
        first, last = frame[EVENT_TIME].min(), frame[EVENT_TIME].max()
        name = f"{first:%Y%m%dT%H%M%S}-{digest[:12]}.parquet"
        write_parquet(frame, self._root / pipeline / name)
        dvc_files.add_and_push(self._root, self._remote, f"{pipeline}/{name}")
        return Partition(name, digest, len(frame), first.to_pydatetime(), last.to_pydatetime())

    def _record(self, snapshot: Snapshot) -> Snapshot:
        folder = self._root / snapshot.pipeline
        write_manifest(snapshot, folder / MANIFEST)
        git(self._root, "add", "--", f"{snapshot.pipeline}/{MANIFEST}", f"{snapshot.pipeline}/{snapshot.partitions[-1].name}.dvc")
        added = snapshot.partitions[-1].rows
        git(self._root, "commit", "-q", "-m", f"{snapshot.pipeline}: snapshot {snapshot.id}, {added} rows more, {snapshot.rows} in all")
        git(self._root, "tag", f"{snapshot.pipeline}/{snapshot.id}")
        if self._shared is not None:
            self._shared.publish()
        return self.get(snapshot.pipeline, snapshot.id)

    def _create(self) -> None:
        """Build the repository beside its place and move it there, so that it is whole or absent."""
        if (self._root / ".git").is_dir():
            return
        if self._shared is not None and self._shared.clone():
            return
        building = self._root.with_name(f"{self._root.name}.building")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        git(building, "init", "-q")
        dvc_files.lay_out(building, self._remote)
        git(building, "add", "--all")
        git(building, "commit", "-q", "-m", "An empty data repository")
        if self._shared is not None:
            self._shared.adopt(building)
        building.rename(self._root)

    def _recover(self) -> None:
        """Remove what a killed writer left, and tag a committed snapshot that has no tag yet: its bytes were pushed before."""
        for left in [*(self._root / ".git").rglob("*.lock"), self._root / ".dvc" / "tmp" / "rwlock"]:
            left.unlink(missing_ok=True)
        git(self._root, "reset", "-q", "--hard")
        git(self._root, "clean", "-fdq")
        for manifest in sorted(self._root.glob(f"*/{MANIFEST}")):
            snapshot = read_manifest(manifest.read_text(encoding="utf-8"), "")
            tag = f"{snapshot.pipeline}/{snapshot.id}"
            if not git(self._root, "tag", "--list", tag):
                git(self._root, "tag", tag, git(self._root, "log", "-1", "--format=%H", "--", f"{snapshot.pipeline}/{MANIFEST}"))
        for path in [*self._root.glob("*/*.parquet"), *self._root.glob("*/.*.tmp")]:
            if not Path(f"{path}.dvc").is_file():
                path.unlink()


def _read(path: Path, columns: list[str] | None) -> pd.DataFrame:
    if columns is None:
        return pd.read_parquet(path)
    try:
        return pd.read_parquet(path, columns=columns)
    except ValueError:  # the partition is older than one of the columns
        return pd.read_parquet(path).reindex(columns=columns)


def _from(partitions: tuple[Partition, ...], since: datetime | None) -> tuple[Partition, ...]:
    """Drop leading partitions that end before `since`; later ones may correct earlier rows and are kept, and so is at least one."""
    start = 0
    while since is not None and start < len(partitions) - 1 and partitions[start].last < since:
        start += 1
    return partitions[start:]


def _after(
    before: Snapshot | None, pipeline: str, frame: pd.DataFrame, partition: Partition, quarantined: pd.DataFrame, key: tuple[str, ...]
) -> Snapshot:
    partitions = (*(before.partitions if before else ()), partition)
    digest = hashlib.sha256("".join(f"{one.digest}\n" for one in partitions).encode()).hexdigest()
    aside = [] if quarantined.empty else [quarantined[EVENT_TIME].max().to_pydatetime()]
    return Snapshot(
        id=f"s{digest[:12]}",
        pipeline=pipeline,
        digest=digest,
        partitions=partitions,
        columns={str(name): str(dtype) for name, dtype in frame.dtypes.items()},
        rows=sum(one.rows for one in partitions),
        quarantined=len(quarantined) + (before.quarantined if before else 0),
        watermark=max([partition.last, *aside]),
        created_at=datetime.now(UTC),
        key=key,
    )
