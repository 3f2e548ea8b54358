"""What the ledger knows, as metrics: open alerts, what the monitors found, the rollout, its evidence and the shadow's lag.

They are what the ledger said when it was asked last: while it is away they stay as they are, and `understudy_ledger_up` is 0. Several
gateways say the same, so a query takes the `max by (pipeline, …)`. The series are bounded: pipelines, the columns and gates of their specs,
a few words.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from contracts.events import Severity

_MOST_FINDINGS = 200  # of one pipeline
_BOUNDS = ("observed", "lower", "upper", "limit")


class LedgerMetrics(Collector):
    """Makes the series anew at each scrape, so that what is gone from the ledger is gone here.

    Args:
        overviews: returns the newest overview of each pipeline (adapters.ledger.overview).
    """

    def __init__(self, overviews: Callable[[], Mapping[str, Mapping[str, Any]]]) -> None:
        self._overviews = overviews

    def collect(self) -> Iterable[Metric]:
        """Return the families."""
        known = sorted(self._overviews().items())
        return (*_alerts(known), *_findings(known), *_fired(known), *_shadow(known), *_rollout(known))


_Known = list[tuple[str, Mapping[str, Any]]]


def _alerts(known: _Known) -> tuple[GaugeMetricFamily, ...]:
    alerts = GaugeMetricFamily("understudy_alerts", "Open alerts of the monitor.", labels=("pipeline", "severity"))
    unanswered = GaugeMetricFamily(
        "understudy_alerts_unanswered", "Open alerts of severity retrain that no run stands for yet.", labels=("pipeline",)
    )
    for pipeline, one in known:
        severities = [alert["severity"] for alert in one["alerts"]]
        for severity in Severity:
            alerts.add_metric((pipeline, severity.value), severities.count(severity))
        asked = [alert for alert in one["alerts"] if alert["severity"] == Severity.RETRAIN and alert["flow_run"] is None]
        unanswered.add_metric((pipeline,), len(asked))
    return alerts, unanswered


def _findings(known: _Known) -> tuple[GaugeMetricFamily, ...]:
    effect = GaugeMetricFamily(
        "understudy_drift_effect", "What the newest monitor run observed.", labels=("pipeline", "monitor", "subject")
    )
    limit = GaugeMetricFamily("understudy_drift_limit", "What that is held against.", labels=("pipeline", "monitor", "subject"))
    for pipeline, one in known:
        found = {(seen["monitor"], seen["subject"]): seen for seen in one["findings"][:_MOST_FINDINGS]}
        for who, seen in found.items():
            for family, value in ((effect, seen["observed"]), (limit, seen["limit"])):
                if value is not None:
                    family.add_metric((pipeline, *who), value)
    return effect, limit


def _fired(known: _Known) -> tuple[GaugeMetricFamily, ...]:
    fired = GaugeMetricFamily(
        "understudy_findings", "Findings of the newest monitor run by how loud they are.", labels=("pipeline", "monitor", "severity")
    )
    for pipeline, one in known:
        newest = {(seen["monitor"], seen["subject"]): seen["severity"] for seen in one["findings"]}
        counts = Counts((monitor, severity) for (monitor, _), severity in newest.items())
        for monitor in sorted({monitor for monitor, _ in counts}):
            for severity in Severity:
                fired.add_metric((pipeline, monitor, severity.value), counts[monitor, severity.value])
    return (fired,)


def _shadow(known: _Known) -> tuple[Metric, ...]:
    seconds = GaugeMetricFamily("understudy_shadow_lag_seconds", "How long the shadow is behind the traffic log.", labels=("pipeline",))
    rows = GaugeMetricFamily("understudy_shadow_lag_rows", "Rows that the shadow has not answered yet.", labels=("pipeline",))
    seen = GaugeMetricFamily("understudy_shadow_seen_timestamp_seconds", "When the shadow reported last.", labels=("pipeline",))
    cpu = CounterMetricFamily("understudy_shadow_cpu_seconds", "Processor time of the shadow's process.", labels=("pipeline",))
    memory = GaugeMetricFamily("understudy_shadow_memory_bytes", "Resident memory of the shadow's process.", labels=("pipeline",))
    for pipeline, one in known:
        if one["route"]["shadow"] is None or one["shadow"] is None:
            continue
        for family, value in ((cpu, one["shadow"]["cpu_seconds"]), (memory, one["shadow"]["memory_bytes"])):
            if value is not None:
                family.add_metric((pipeline,), value)
        seconds.add_metric((pipeline,), one["shadow"]["lag_seconds"])
        rows.add_metric((pipeline,), one["shadow"]["lag_rows"])
        seen.add_metric((pipeline,), datetime.fromisoformat(one["shadow"]["seen_at"]).timestamp())
    return seconds, rows, seen, cpu, memory


def _rollout(known: _Known) -> tuple[GaugeMetricFamily, ...]:
    rollout = GaugeMetricFamily("understudy_rollout_info", "Where the rollout stands.", labels=("pipeline", "phase", "candidate"))
    evidence = GaugeMetricFamily("understudy_evidence", "What the newest tick measured.", labels=("pipeline", "gate", "bound"))
    for pipeline, one in known:
        rollout.add_metric((pipeline, one["phase"], (one["candidate"] or {}).get("version", "")), 1)
        for gate, verdict in {verdict["gate"]: verdict for verdict in one["evidence"]}.items():
            for bound in _BOUNDS:
                if verdict[bound] is not None:
                    evidence.add_metric((pipeline, gate, bound), verdict[bound])
    return rollout, evidence
