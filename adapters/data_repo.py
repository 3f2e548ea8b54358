"""The data repository: snapshots as DVC-tracked Parquet partitions, one git commit and tag each.

Order of an addition: partition written, `dvc add`, `dvc push`, manifest committed, tagged. A tag is therefore proof that every byte is in
the remote. Whatever a process left that was killed while it wrote is taken back, or finished, the next time somebody takes the lock.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd

from adapters import dvc_files
from adapters.batch import Batch
from adapters.data_repo_recover import MARKS, PRUNED, recover, writing
from adapters.file_lock import file_lock
from adapters.git import git, git_blob, git_blobs, tagged
from adapters.joined import joined
from adapters.manifest import MANIFEST, read_manifest, write_manifest
from adapters.parquet_files import write_parquet
from adapters.partitions import ended, kinds, left_out, read_partition, snapshot_after
from adapters.row_digest import row_digest
from adapters.settings import Settings
from adapters.shared_repo import SharedRepo
from contracts.columns import EVENT_TIME
from contracts.errors import Conflict, UsageError
from contracts.snapshot import Partition, Snapshot


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

    @property
    def root(self) -> Path:
        """Where the git and DVC repository is."""
        return self._root

    @property
    def remote(self) -> str:
        """The DVC remote."""
        return self._remote

    def snapshots(self, pipeline: str) -> list[Snapshot]:
        """Return a pipeline's snapshots, oldest first."""
        if not self._is_here():
            return []
        commits = git(self._root, "for-each-ref", "--format=%(objectname)", f"refs/tags/{pipeline}/").splitlines()
        texts = git_blobs(self._root, [f"{commit}:{pipeline}/{MANIFEST}" for commit in commits])
        found = [read_manifest(text, commit) for text, commit in zip(texts, commits, strict=True)]
        return sorted(found, key=lambda one: (one.created_at, len(one.partitions)))

    def newest(self, pipeline: str) -> Snapshot | None:
        """Return a pipeline's newest snapshot, or None; takes as long however many there are."""
        told = git_blob(self._root, f"HEAD:{pipeline}/{MANIFEST}") if self._is_here() else None
        if told is None:
            return None
        last = read_manifest(told, "")
        commit = tagged(self._root, f"{pipeline}/{last.id}")
        if commit is not None:
            return replace(last, commit=commit)
        found = self.snapshots(pipeline)  # its writer has not come to the tag yet, or was killed: it does not count
        return found[-1] if found else None

    def get(self, pipeline: str, snapshot_id: str) -> Snapshot:
        """Return one snapshot.

        Raises:
            UsageError: there is none of this id.
        """
        commit = tagged(self._root, f"{pipeline}/{snapshot_id}") if self._is_here() else None
        if commit is not None:
            return read_manifest(git_blobs(self._root, [f"{commit}:{pipeline}/{MANIFEST}"])[0], commit)
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
            DigestMismatch: the remote gives other bytes than were stored.
        """
        for name in columns or ():
            if name not in snapshot.columns:
                raise UsageError(
                    f"Snapshot {snapshot.id} of '{snapshot.pipeline}' has no column '{name}'.", "Mend columns in pipeline.yaml."
                )
        first = min(ended(snapshot.partitions, since), len(snapshot.partitions) - 1)  # one is always read: it has the columns
        paths = self._files(snapshot, snapshot.partitions[first:])
        read = None if columns is None else list(dict.fromkeys([*columns, EVENT_TIME, *snapshot.key]))
        rows = joined([read_partition(path, read) for path in paths])
        if snapshot.key:
            rows = rows.drop_duplicates(list(snapshot.key), keep="last")
        if since is not None:
            rows = rows[rows[EVENT_TIME] >= since]
        rows = rows.sort_values(EVENT_TIME, kind="stable", ignore_index=True)
        return rows if columns is None else rows[list(columns)]

    def files(self, snapshot: Snapshot) -> list[Path]:
        """Return a snapshot's Parquet files, brought here, in the order in which they came.

        Raises:
            OutsideError: bytes are not here and the remote cannot give them.
        """
        return self._files(snapshot, snapshot.partitions)

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
                raise _conflict(pipeline, before)
            until = None if quarantined.empty else quarantined[EVENT_TIME].max().to_pydatetime()
            with writing(self._root, pipeline):
                return self._add(pipeline, Batch([frame], key, before, quarantined=len(quarantined), aside_until=until), before)

    def add_batch(self, pipeline: str, batch: Batch) -> Snapshot:
        """Make a snapshot of the newest one and a batch, late rows and corrections included; else as `add`.

        Raises:
            Conflict: the newest snapshot is not the one that the batch was held against.
            OutsideError: the remote could not take the bytes; nothing was added.
        """
        with self.exclusive():
            before = self.newest(pipeline)
            if before is not None and (batch.onto is None or batch.onto.id != before.id):
                raise _conflict(pipeline, before)
            with writing(self._root, pipeline):
                return self._add(pipeline, batch, before)

    def _add(self, pipeline: str, batch: Batch, before: Snapshot | None) -> Snapshot:
        added: list[Partition] = []
        columns: dict[str, str] = {}
        if batch.late is not None and not batch.late.empty:
            added.append(self._store(pipeline, batch.late, len(batch.late) - batch.corrected, batch.corrected))
            columns |= kinds(batch.late)
        for frame in batch.parts:
            added.append(self._store(pipeline, frame))
            columns |= kinds(frame)
        snapshot = snapshot_after(before, pipeline, tuple(added), columns, batch)
        marks = {mark: at for mark, at in batch.marks.items() if at > snapshot.watermark - batch.lateness}
        return self._record(snapshot, added, left_out(before, snapshot), marks)

    def marks(self, snapshot: Snapshot) -> dict[str, datetime]:
        """Return the fingerprints of rows behind its watermark that were set aside, with their event times."""
        path = f"{snapshot.pipeline}/{MARKS}"
        if not git(self._root, "ls-tree", "--name-only", snapshot.commit, "--", path):
            return {}
        known = json.loads(git(self._root, "show", f"{snapshot.commit}:{path}"))
        return {mark: datetime.fromisoformat(at) for mark, at in known.items()}

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the repository against all other writers; what one left that was killed while it wrote is put right first. May be nested."""
        if self._held:
            yield
            return
        with file_lock(self._root.with_name(f"{self._root.name}.lock")):
            self._held = True
            try:
                self._create()
                recover(self._root)
                if self._shared is not None:
                    self._shared.bring()
                    self._brought = True
                self.forget_pruned()
                yield
            finally:
                self._held = False

    def forget_pruned(self) -> None:
        """Remove the tags of snapshots that were taken out, here and where the repository is shared; the caller holds the lock."""
        gone = [f"{path.parent.name}/{one}" for path in self._root.glob(f"*/{PRUNED}") for one in json.loads(path.read_text())]
        gone = git(self._root, "tag", "--list", *gone).split() if gone else []
        if gone:
            with writing(self._root):
                git(self._root, "tag", "-d", *gone)
                if self._shared is not None:
                    self._shared.forget(gone)

    def publish(self) -> None:
        """Push what was committed and tagged here, where the repository is shared; the caller holds the lock."""
        if self._shared is not None:
            self._shared.publish()

    def _is_here(self) -> bool:
        """Return whether there is a repository to read; the shared one is brought first."""
        if not self._brought:
            with self.exclusive():
                pass
        return (self._root / ".git").is_dir()

    def _files(self, snapshot: Snapshot, partitions: Sequence[Partition]) -> list[Path]:
        """Return local files of partitions, each with exactly the bytes that were stored."""
        names = [f"{snapshot.pipeline}/{one.name}" for one in partitions]
        here = [name for name in names if (self._root / f"{name}.dvc").is_file()]
        missing = [name for name in here if not dvc_files.is_whole(self._root, name)]
        gone = [name for name in names if name not in here]  # newer snapshots left them out
        if not missing and not gone:
            return [self._root / name for name in names]
        with self.exclusive(), writing(self._root, snapshot.pipeline):
            told = git_blobs(self._root, [f"{snapshot.commit}:{name}.dvc" for name in gone])
            dvc_files.fetch(self._root, self._remote, missing, f"snapshot {snapshot.id} of '{snapshot.pipeline}'")
            kept = dvc_files.fetch_cached(self._root, self._remote, told, f"snapshot {snapshot.id} of '{snapshot.pipeline}'")
        cached = dict(zip(gone, kept, strict=True))
        return [cached.get(name, self._root / name) for name in names]

    def _store(self, pipeline: str, frame: pd.DataFrame, late: int = 0, corrected: int = 0) -> Partition:
        digest = row_digest(frame)
        first, last = frame[EVENT_TIME].min(), frame[EVENT_TIME].max()
        name = f"{first:%Y%m%dT%H%M%S}-{digest[:12]}.parquet"
        write_parquet(frame, self._root / pipeline / name)
        dvc_files.add_and_push(self._root, self._remote, f"{pipeline}/{name}")
        return Partition(name, digest, len(frame), first.to_pydatetime(), last.to_pydatetime(), late, corrected)

    def _record(self, snapshot: Snapshot, added: Sequence[Partition], without: Sequence[str], marks: Mapping[str, datetime]) -> Snapshot:
        pipeline, folder = snapshot.pipeline, self._root / snapshot.pipeline
        write_manifest(snapshot, folder / MANIFEST)
        changed = [f"{pipeline}/{MANIFEST}", *(f"{pipeline}/{one.name}.dvc" for one in added)]
        if marks or (folder / MARKS).is_file():
            (folder / MARKS).write_text(json.dumps({mark: at.isoformat() for mark, at in sorted(marks.items())}, indent=0) + "\n")
            changed.append(f"{pipeline}/{MARKS}")
        staged = git(self._root, "diff", "--cached", "--name-only")  # by somebody who works here by hand
        git(self._root, "add", "--", *changed)
        gone = [f"{pipeline}/{name}.dvc" for name in without]
        if gone:  # of the working tree only: the tags of older snapshots still have them
            git(self._root, "rm", "-q", "--", *gone)
        rows = sum(one.rows for one in added)
        said = f"{pipeline}: snapshot {snapshot.id}, {rows} rows more, {snapshot.rows} in all"
        git(self._root, "commit", "-q", "-m", said, *(("--", *changed, *gone) if staged else ()))
        git(self._root, "tag", f"{pipeline}/{snapshot.id}")
        self.publish()
        return replace(snapshot, commit=git(self._root, "rev-parse", f"{pipeline}/{snapshot.id}^{{commit}}"))

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


def _conflict(pipeline: str, before: Snapshot) -> Conflict:
    return Conflict(f"Rows of '{pipeline}' up to {before.watermark.isoformat()} are in snapshot {before.id} already.", "Read again.")
