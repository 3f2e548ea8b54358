"""What Prometheus reads: every label is a pipeline, a version that is loaded, or one of a few words, so there is a bound to them."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    Summary,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.registry import Collector

from contracts.rollout import Route

_SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MOST_REWARDS = 8
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)


class Meters:
    """The gateway's own registry and what it counts."""

    def __init__(self) -> None:
        # a series of birth times beside each counter, which nobody asks for
        disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client does not annotate it
        self._registry = one = CollectorRegistry()
        who = ("pipeline", "version")
        self.requests = Counter("understudy_requests", "Inference requests by what was answered.", (*who, "code"), registry=one)
        self.rows = Counter("understudy_rows", "Rows answered.", who, registry=one)
        self.seconds = Histogram(
            "understudy_request_duration_seconds", "From a request's head to its answer.", who, buckets=_SECONDS, registry=one
        )
        self.batch_rows = Histogram(
            "understudy_batch_rows", "Rows answered by one call of the model.", ("pipeline",), buckets=_ROWS, registry=one
        )
        self.predict_seconds = Histogram(
            "understudy_predict_duration_seconds", "One call of the model.", who, buckets=_SECONDS, registry=one
        )
        self.waiting_rows = Gauge("understudy_queue_rows", "Rows that wait or are being answered.", ("pipeline",), registry=one)
        self.failed = Counter("understudy_failed_requests", "Requests in order that got no answer.", who, registry=one)
        self.unseen = Counter(
            "understudy_deadline_missed_requests",
            "Requests that no model saw because their callers would not wait: refused at once, or dropped from the line.",
            ("pipeline", "what"),
            registry=one,
        )
        self.lost_rows = Counter("understudy_traffic_log_lost_rows", "Rows answered but not logged.", ("pipeline",), registry=one)
        self.feedback_rows = Counter("understudy_feedback_rows", "Labels and rewards taken.", ("pipeline",), registry=one)
        self.rewards = Summary("understudy_reward", "Rewards taken: how many, and their sum.", ("pipeline", "reward"), registry=one)
        self._rewards_known: set[tuple[str, str]] = set()
        self.epoch = Gauge("understudy_route_epoch", "Epoch of the route in force here.", ("pipeline",), registry=one)
        self.route = Gauge(
            "understudy_route_info", "Who answers and who follows the log.", ("pipeline", "champion", "shadow"), registry=one
        )
        self.share = Gauge("understudy_route_share", "Share of units that an arm answers.", ("pipeline", "arm", "version"), registry=one)
        self.failovers = Counter(
            "understudy_failovers", "Requests that the champion answered because a version under judgement could not.", who, registry=one
        )
        self.load_failures = Counter(
            "understudy_model_load_failures", "Versions that could not be loaded.", ("pipeline", "reason"), registry=one
        )
        self.ledger_up = Gauge("understudy_ledger_up", "1 where the ledger answered the newest question.", registry=one)
        ProcessCollector(registry=one)
        self._answered: dict[tuple[str, str, int], tuple[Counter, Histogram | None]] = {}
        self._batches: dict[tuple[str, str], tuple[Counter, Histogram, Histogram]] = {}

    def add(self, collector: Collector) -> None:
        """Show what a collector finds at each scrape, too."""
        self._registry.register(collector)

    def page(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def tell_route(self, pipeline: str, route: Route) -> None:
        """Say which route is in force; what stood there before goes."""
        self.route.remove_by_labels({"pipeline": pipeline})
        names = [model.version if model else "" for model in (route.champion, route.shadow)]
        self.route.labels(pipeline, *names).set(1)
        self.epoch.labels(pipeline).set(route.epoch)
        self.share.remove_by_labels({"pipeline": pipeline})
        for arm in route.arms:
            self.share.labels(pipeline, arm.name, arm.model.version).set(arm.share)
        self.lost_rows.labels(pipeline)  # present at 0, so that a rate over it sees the first loss

    def count_request(self, pipeline: str, version: str, code: int, seconds: float) -> None:
        """Count a request of inference, and how long its answer took where it got one."""
        key = (pipeline, version, code)
        known = self._answered.get(key)
        if known is None:
            timed = self.seconds.labels(pipeline, version) if code == 200 else None
            known = self._answered[key] = (self.requests.labels(pipeline, version, str(code)), timed)
        known[0].inc()
        if known[1] is not None:
            known[1].observe(seconds)

    def count_batch(self, pipeline: str, version: str, rows: int, seconds: float) -> None:
        """Count a call of a version, its rows and its time."""
        key = (pipeline, version)
        known = self._batches.get(key)
        if known is None:
            sizes, times = self.batch_rows.labels(pipeline), self.predict_seconds.labels(pipeline, version)
            known = self._batches[key] = (self.rows.labels(pipeline, version), sizes, times)
        known[0].inc(rows)
        known[1].observe(rows)
        known[2].observe(seconds)

    def count_reward(self, pipeline: str, reward: float | Mapping[str, float]) -> None:
        """Count a reward under its name; names come from callers, so those beyond the eighth of a pipeline share one."""
        for name, value in reward.items() if isinstance(reward, Mapping) else (("reward", reward),):
            if sum(known == pipeline for known, _ in self._rewards_known) < _MOST_REWARDS:
                self._rewards_known.add((pipeline, name))
            self.rewards.labels(pipeline, name if (pipeline, name) in self._rewards_known else "other").observe(value)

    def forget(self, pipeline: str, version: str) -> None:
        """Drop the series of a version that is no longer loaded."""
        for metric in (self.requests, self.rows, self.seconds, self.predict_seconds, self.failed, self.failovers):
            metric.remove_by_labels({"pipeline": pipeline, "version": version})
        self._batches.pop((pipeline, version), None)
        self._answered = {key: known for key, known in self._answered.items() if key[:2] != (pipeline, version)}
