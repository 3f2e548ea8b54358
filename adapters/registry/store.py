"""MLflow as the registry; a version is logged whole before it exists, and exists once per lineage."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from adapters.file_lock import file_lock
from adapters.registry.connection import connect, is_server, told
from adapters.registry.mlflow_model import PACKAGE_PATH, write_mlflow_model
from adapters.registry.records import DATA_DOCS, Registered, Registration
from adapters.settings import Settings
from contracts.errors import NotReproducible, OutsideError, UsageError
from contracts.lineage import Lineage
from contracts.rollout import Aliases, ModelRef

_KEY = "lineage_key"
_MOST = 4000  # characters of a tag: MLflow takes up to 5,000
_PASSED = {True: "passed", False: "not met"}


class Registry:
    """Versions of all pipelines at `settings.mlflow_uri`: an MLflow server, or an SQLite file used in this process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._uri = settings.mlflow_uri
        self._client = connect(self._uri)

    def aliases(self, pipeline: str) -> Aliases:
        """Return which version is what; all None where nothing was registered yet."""
        with told(self._uri):
            found = self._registered_model(pipeline)
        here = {} if found is None else found.aliases
        return Aliases(*(None if here.get(name) is None else str(here[name]) for name in ("champion", "candidate", "previous")))

    def move_aliases(self, pipeline: str, wanted: Aliases) -> None:
        """Set what is named and take away what is None; only the rollout's actions call this."""
        now = asdict(self.aliases(pipeline))
        with told(self._uri):
            for name, version in asdict(wanted).items():
                if version is not None and version != now[name]:
                    self._client.set_registered_model_alias(pipeline, name, version)
                elif version is None and now[name] is not None:
                    self._client.delete_registered_model_alias(pipeline, name)

    def model(self, pipeline: str, version: str) -> ModelRef:
        """Return where a version's package is, and its digest.

        Raises:
            UsageError: there is no such version.
        """
        return self.registered(pipeline, version).model

    def lineage(self, pipeline: str, version: str) -> Lineage:
        """Return where a version comes from.

        Raises:
            UsageError: there is no such version.
        """
        return self.registered(pipeline, version).lineage

    def registered(self, pipeline: str, version: str) -> Registered:
        """Return all that is known of a version.

        Raises:
            UsageError: there is no such version.
        """
        from mlflow.exceptions import MlflowException

        with told(self._uri):
            try:
                return _read(self._client.get_model_version(pipeline, version))
            except MlflowException as error:
                if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    raise
        raise UsageError(f"Pipeline '{pipeline}' has no version '{version}'.", f"See: understudy status {pipeline}")

    def versions(self, pipeline: str) -> list[Registered]:
        """Return every version that Understudy registered, oldest first."""
        with told(self._uri):
            found, page = [], None
            while page is None or page:
                part = self._client.search_model_versions(f"name = '{pipeline}'", page_token=page)
                found += [one for one in part if _KEY in one.tags]
                page = part.token or ""
        return [_read(one) for one in sorted(found, key=lambda one: int(one.version))]

    def find(self, pipeline: str, lineage: Lineage) -> Registered | None:
        """Return the version with this lineage, or None."""
        with told(self._uri):
            found = self._client.search_model_versions(f"name = '{pipeline}' and tags.{_KEY} = '{lineage.key}'")
        return _read(found[0]) if found else None

    def fetch_report(self, one: Registered, path: str, destination: Path) -> Path:
        """Copy a file or folder of a version's report into a destination and return where it is.

        What was logged through a server that is down now is read from where `understudy up` has that server keep it.
        """
        with told(self._uri):
            at = urlsplit(self._client.get_run(one.run_id).info.artifact_uri)
            if at.scheme == "mlflow-artifacts" and not is_server(self._uri):
                return _copied(self._settings.mlflow_artifacts / at.path.strip("/") / path, destination / path)
            return Path(self._client.download_artifacts(one.run_id, path, str(destination)))

    def docs_page(self, one: Registered) -> str | None:
        """Return where MLflow's own pages show the Data Docs that a version keeps, from `#` on; None where it keeps none."""
        with told(self._uri):
            run = self._client.get_run(one.run_id)
        return _docs_page(run.info.experiment_id, one.run_id) if "data_docs" in run.data.tags else None

    def keep_report(self, pipeline: str, version: str, report: Path, path: str) -> None:
        """Put the files of a folder below a path of the version's run; files of the same names are replaced.

        Raises:
            UsageError: there is no such version.
            OutsideError: MLflow did not take them.
        """
        run = self.registered(pipeline, version).run_id
        with told(self._uri):
            self._client.log_artifacts(run, str(report), path)

    def register(self, given: Registration) -> Registered:
        """Log a model with its report and make it a version; of one lineage there is one version, however often it is registered.

        Raises:
            NotReproducible: there is a version of the same lineage with other bytes.
            OutsideError: MLflow did not take it; what was half logged is removed the next time.
        """
        with file_lock(self._settings.home / "locks" / f"register-{given.pipeline}"), told(self._uri):
            before = self.find(given.pipeline, given.lineage)
            if before is not None:
                return self._same(given, before)
            if self._registered_model(given.pipeline) is None:
                self._client.create_registered_model(given.pipeline)
            experiment = self._experiment(given.pipeline)
            self._remove_half_logged(experiment, given.lineage)
            return self._log(experiment, given)

    def withdraw(self, pipeline: str, version: str) -> None:
        """Remove a version that nobody has heard of yet; its run stays.

        Raises:
            OutsideError: MLflow could not remove it.
        """
        with told(self._uri):
            self._client.delete_model_version(pipeline, version)

    def _same(self, given: Registration, before: Registered) -> Registered:
        """Return the version that is there already; its gates may have been judged against another champion meanwhile."""
        if before.model.digest != given.digest:
            raise NotReproducible(
                f"Version {before.model.version} of '{given.pipeline}' has the same lineage and digest {before.model.digest[:12]}, "
                f"but this fit gave {given.digest[:12]}.",
                "Something undeclared decides the fit: look for randomness or the time in the feature code.",
            )
        if before.passed != given.passed:
            self._client.set_model_version_tag(given.pipeline, before.model.version, "gates", _PASSED[given.passed])
            self._client.log_artifacts(before.run_id, str(given.report))
        return replace(before, passed=given.passed)

    def _registered_model(self, pipeline: str) -> Any:
        found = self._client.search_registered_models(f"name = '{pipeline}'")
        return found[0] if found else None

    def _experiment(self, pipeline: str) -> str:
        """Return the id of the pipeline's experiment; without a server its files are below the home."""
        name = pipeline if is_server(self._uri) else f"{pipeline} (no server)"
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        location = None if is_server(self._uri) else (self._settings.mlflow_artifacts / pipeline).as_uri()
        return str(self._client.create_experiment(name, artifact_location=location))

    def _remove_half_logged(self, experiment: str, lineage: Lineage) -> None:
        """Remove what a killed registration left: its run and its model; no version refers to them."""
        for model in self._client.search_logged_models([experiment], f"tags.{_KEY} = '{lineage.key}'"):
            self._client.delete_logged_model(model.model_id)
        for run in self._client.search_runs([experiment], f"tags.{_KEY} = '{lineage.key}'"):
            self._client.delete_run(run.info.run_id)

    def _log(self, experiment: str, given: Registration) -> Registered:
        key = {_KEY: given.lineage.key}
        name, tags = f"{given.pipeline} {given.lineage.snapshot}", _tags(given) | _docs_tag(given.report)
        run = self._client.create_run(experiment, tags=tags, run_name=name).info.run_id
        model = self._client.create_logged_model(experiment, given.pipeline, source_run_id=run, tags=key, params=given.params)
        self._log_numbers(run, model.model_id, given)
        self._client.log_artifacts(run, str(given.report))
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / "model"
            write_mlflow_model(written, given.package, given.example, model_id=model.model_id, run_id=run, digest=given.digest)
            self._client.log_model_artifacts(model.model_id, str(written))
        self._client.finalize_logged_model(model.model_id, "READY")
        self._client.set_terminated(run)
        uri = f"{model.artifact_location.rstrip('/')}/{PACKAGE_PATH}"
        source = f"models:/{model.model_id}" if is_server(self._uri) else model.artifact_location
        version = self._client.create_model_version(
            given.pipeline,
            source,
            run,
            tags=tags | {"package_uri": uri},
            description=_described(experiment, run, given.report),
            model_id=model.model_id,
            await_creation_for=0,
        )
        return _read(version)

    def _log_numbers(self, run: str, model_id: str, given: Registration) -> None:
        from mlflow.entities import LoggedModelOutput, Metric, Param

        now = time.time_ns() // 1_000_000
        metrics = [Metric(name, value, now, 0, model_id=model_id, run_id=run) for name, value in given.metrics.items()]
        self._client.log_batch(run, metrics, [Param(name, value) for name, value in given.params.items()])
        self._client.log_outputs(run, [LoggedModelOutput(model_id, 0)])


def _docs_tag(report: Path) -> dict[str, str]:
    """Return the tag that names the page of the suite's results among the run's artifacts, where the report has one."""
    return {"data_docs": DATA_DOCS} if (report / DATA_DOCS).is_file() else {}


def _described(experiment: str, run: str, report: Path) -> str | None:
    """Return what MLflow's page of the version says: a link within MLflow's own pages, whatever address they are seen at."""
    if not (report / DATA_DOCS).is_file():
        return None
    return f"What the checks said of its newest rows: [Data Docs]({_docs_page(experiment, run)})"


def _docs_page(experiment: str, run: str) -> str:
    return f"#/experiments/{experiment}/runs/{run}/artifacts/{DATA_DOCS}"


def _copied(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        return Path(shutil.copytree(source, target, dirs_exist_ok=True) if source.is_dir() else shutil.copyfile(source, target))
    except OSError as error:
        raise OutsideError(f"{source} of the version's report could not be read: {error}.", "Start MLflow: understudy up.") from error


def _tags(given: Registration) -> dict[str, str]:
    lineage = given.lineage
    return {
        _KEY: lineage.key,
        "snapshot": lineage.snapshot,
        "data_digest": lineage.data_digest,
        "spec_digest": lineage.spec_digest,
        "git_commit": lineage.commit or "none",
        "git_tree": lineage.tree,
        "environment_digest": lineage.environment,
        "artefact_digest": given.digest,
        "cutoff": given.cutoff.isoformat(),
        "gates": _PASSED[given.passed],
        "cause": given.trigger.cause.value,
        "reason": given.trigger.reason[:_MOST],
        "actor": given.trigger.actor,
    }


def _read(version: Any) -> Registered:
    tags = version.tags
    if _KEY not in tags:
        raise UsageError(f"Version {version.version} of '{version.name}' was not registered by Understudy.", "It has no lineage.")
    commit = None if tags["git_commit"] == "none" else tags["git_commit"]
    clean = {"clean": True, "dirty": False, "none": None}[tags["git_tree"]]
    lineage = Lineage(tags["snapshot"], tags["data_digest"], tags["spec_digest"], commit, clean, tags["environment_digest"])
    cutoff = datetime.fromisoformat(tags["cutoff"])
    model = ModelRef(str(version.version), tags["artefact_digest"], tags["package_uri"], lineage.snapshot, cutoff)
    return Registered(model, lineage, str(version.run_id), tags["gates"] == _PASSED[True])
