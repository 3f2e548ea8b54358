"""What processes report to the ledger: gateways, shadows, findings, alerts and calls to the webhook receiver."""

from __future__ import annotations

import time as clock
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from adapters.ledger import tables
from adapters.ledger.rows import from_json, text, to_json
from contracts.events import Alert, Finding
from contracts.rollout import GatewayView, Measured, ShadowView


class Observations:
    """The part of the ledger that is told, not decided."""

    def _write(self) -> AbstractContextManager[Connection]:
        raise TypeError("Observations is a part of Ledger and is not used alone")

    def _read(self) -> Any:
        raise TypeError("Observations is a part of Ledger and is not used alone")

    def _replace(self, table: Table, keys: dict[str, str], values: dict[str, Any]) -> None:
        here = [table.c[name] == value for name, value in keys.items()]
        with self._write() as connection:
            if connection.execute(update(table).where(*here).values(values)).rowcount == 0:
                connection.execute(insert(table).values(keys | values))

    def report_gateway(self, pipeline: str, view: GatewayView) -> None:
        """Keep what a gateway says it serves."""
        self._replace(tables.gateways, {"pipeline": pipeline, "id": view.id}, {"view": to_json(view), "seen_at": text(view.seen_at)})

    def forget_gateway(self, gateway_id: str) -> None:
        """Remove a gateway that stopped in good order, so that nobody waits for it."""
        with self._write() as connection:
            connection.execute(delete(tables.gateways).where(tables.gateways.c.id == gateway_id))

    def gateways(self, pipeline: str, since: datetime) -> tuple[GatewayView, ...]:
        """Return the gateways heard of since a time."""
        table = tables.gateways
        query = select(table.c.view).where(table.c.pipeline == pipeline, table.c.seen_at >= text(since)).order_by(table.c.id)
        with self._read() as connection:
            return tuple(from_json(view, GatewayView) for view in connection.execute(query).scalars())

    def report_shadow(self, pipeline: str, view: ShadowView) -> None:
        """Keep where the shadow process is."""
        self._replace(tables.shadows, {"pipeline": pipeline}, {"view": to_json(view)})

    def shadow(self, pipeline: str) -> ShadowView | None:
        """Return where the shadow process was last."""
        with self._read() as connection:
            found = connection.execute(select(tables.shadows.c.view).where(tables.shadows.c.pipeline == pipeline)).scalar()
        return None if found is None else from_json(found, ShadowView)

    def report_evidence(self, pipeline: str, seen: Measured) -> None:
        """Keep what the newest tick measured, whether or not it led to a decision."""
        self._replace(tables.evidence, {"pipeline": pipeline}, {"seen": to_json(seen)})

    def evidence(self, pipeline: str) -> Measured | None:
        """Return what the newest tick measured."""
        with self._read() as connection:
            found = connection.execute(select(tables.evidence.c.seen).where(tables.evidence.c.pipeline == pipeline)).scalar()
        return None if found is None else from_json(found, Measured)

    def add_findings(self, pipeline: str, findings: tuple[Finding, ...], run: str, at: datetime) -> None:
        """Keep what one monitor run found."""
        rows = [{"pipeline": pipeline, "at": text(at), "run": run, "finding": to_json(one)} for one in findings]
        if rows:
            with self._write() as connection:
                connection.execute(insert(tables.findings), rows)

    def findings(self, pipeline: str) -> tuple[Finding, ...]:
        """Return what the newest monitor run that found anything found."""
        table = tables.findings
        newest = select(table.c.run).where(table.c.pipeline == pipeline).order_by(table.c.id.desc()).limit(1).scalar_subquery()
        query = select(table.c.finding).where(table.c.pipeline == pipeline, table.c.run == newest).order_by(table.c.id)
        with self._read() as connection:
            return tuple(from_json(one, Finding) for one in connection.execute(query).scalars())

    def open_alert(self, alert: Alert) -> None:
        """Keep an alert, or what changed about it."""
        values = {"pipeline": alert.pipeline, "alert": to_json(alert), "started_at": text(alert.started_at)}
        self._replace(tables.alerts, {"id": alert.id}, values)

    def resolve_alert(self, alert_id: str, at: datetime | None = None) -> None:
        """Close an alert."""
        table = tables.alerts
        with self._write() as connection:
            connection.execute(update(table).where(table.c.id == alert_id).values(resolved_at=text(at or datetime.now(UTC))))

    def alerts(self, pipeline: str, *, only_open: bool = True) -> tuple[Alert, ...]:
        """Return the alerts of a pipeline, oldest first."""
        table = tables.alerts
        query = select(table.c.alert).where(table.c.pipeline == pipeline).order_by(table.c.started_at)
        if only_open:
            query = query.where(table.c.resolved_at.is_(None))
        with self._read() as connection:
            return tuple(from_json(one, Alert) for one in connection.execute(query).scalars())

    def audit_call(self, *, pipeline: str | None, kind: str, cause: str | None, status: int, flow_run: str | None, detail: str) -> None:
        """Keep one call to the webhook receiver and what was answered."""
        row = {
            "at": clock.time(),
            "pipeline": pipeline,
            "kind": kind,
            "cause": cause,
            "status": status,
            "flow_run": flow_run,
            "detail": detail,
        }
        with self._write() as connection:
            connection.execute(insert(tables.calls).values(row))

    def newest_run(self, pipeline: str, cause: str) -> tuple[float, str] | None:
        """Return when the newest run for this pipeline and cause was first asked for (seconds since 1970), and its id.

        Asking again for the same run, as alerts do while they fire, does not make it newer.
        """
        table = tables.calls
        query = (
            select(func.min(table.c.at), table.c.flow_run)
            .where(table.c.pipeline == pipeline, table.c.cause == cause, table.c.status == 202, table.c.flow_run.is_not(None))
            .group_by(table.c.flow_run)
            .order_by(func.min(table.c.id).desc())
            .limit(1)
        )
        with self._read() as connection:
            row = connection.execute(query).first()
        return None if row is None else (float(row[0]), str(row[1]))
