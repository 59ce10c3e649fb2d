"""What Prometheus reads at /metrics: the games' figures, the projections, this service itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from prometheus_client import CollectorRegistry, Gauge, Histogram, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from jimbot.analytics.models import Services, Summary
from jimbot.analytics.projections import Status
from jimbot.errors import JimbotError
from jimbot.events import now_ms

# What was found longer ago says nothing about now, so it is left out.
_SERVICES_FRESH_MS = 30_000


class Metrics(Collector):
    """Collects when it is asked; figures that cannot be had are left out, never 0."""

    def __init__(
        self,
        summary: Callable[[], Summary],
        projections: Callable[[], list[Status]],
        services: Callable[[], Services | None],
    ) -> None:
        self._summary = summary
        self._projections = projections
        self._services = services
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        ProcessCollector(namespace="jimbot_analytics", registry=self.registry)
        self.request_seconds = Histogram(
            "jimbot_analytics_http_request_duration_seconds",
            "Time from a request to its answer, by route.",
            ["route", "status"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
            registry=self.registry,
        )
        self.stream_clients = Gauge(
            "jimbot_analytics_stream_clients",
            "Clients that follow the event stream now.",
            registry=self.registry,
        )

    def collect(self) -> Iterator[Metric]:
        with suppress(JimbotError):  # the projections' metrics, next, tell that it fails
            yield from _of_games(self._summary())
        yield from _of_projections(self._projections())
        found = self._services()
        if found is not None and now_ms() - (found.checked_at or 0) < _SERVICES_FRESH_MS:
            yield from _of_services(found)

    def describe(self) -> Iterable[Metric]:
        return ()


def _of_games(summary: Summary) -> Iterator[Metric]:
    yield CounterMetricFamily(
        "jimbot_games_finished", "Games that ended.", value=summary.games_finished
    )
    yield CounterMetricFamily("jimbot_games_won", "Games that were won.", value=summary.games_won)
    yield CounterMetricFamily(
        "jimbot_training_iterations",
        "Training iterations done.",
        value=summary.training_iterations,
    )
    gauges = (
        ("games_per_hour", "Games per hour, over the last 10 minutes.", summary.games_per_hour),
        ("win_ratio", "Share of the last 24 hours' games won.", summary.win_rate),
        ("win_ratio_low", "Lower end of its 95 % interval.", summary.win_rate_low),
        ("win_ratio_high", "Upper end of its 95 % interval.", summary.win_rate_high),
        ("ante_reached_mean", "Mean ante of the last 24 hours' games.", summary.mean_ante),
        ("best_hand_chips", "Best single hand of all time.", summary.best_hand),
        ("training_loss", "Total loss of the last training iteration.", summary.loss),
        ("training_steps", "Environment steps of the run.", summary.training_steps),
        ("event_log_position_events", "Events in the log.", summary.events_in_log),
    )
    for name, text, value in gauges:
        if value is not None:
            yield GaugeMetricFamily(f"jimbot_{name}", text, value=value)


def _of_projections(statuses: Iterable[Status]) -> Iterator[Metric]:
    behind = GaugeMetricFamily(
        "jimbot_projection_behind_events", "Events not yet projected.", labels=["projection"]
    )
    up = GaugeMetricFamily(
        "jimbot_projection_up", "1 while the projection follows the log.", labels=["projection"]
    )
    events = CounterMetricFamily(
        "jimbot_projection_events", "Events projected since the start.", labels=["projection"]
    )
    errors = CounterMetricFamily(
        "jimbot_projection_errors", "Failures since the start.", labels=["projection"]
    )
    for status in statuses:
        behind.add_metric([status.name], status.behind)
        up.add_metric([status.name], float(status.state == "following"))
        events.add_metric([status.name], status.events)
        errors.add_metric([status.name], status.errors)
    yield from (behind, up, events, errors)


def _of_services(found: Services) -> Iterator[Metric]:
    healthy = GaugeMetricFamily(
        "jimbot_service_healthy", "1 for ok or warn, 0 otherwise.", labels=["service"]
    )
    for service in found.services:
        if service.expected and service.status != "unchecked":
            healthy.add_metric([service.name], float(service.status in ("ok", "warn")))
    yield healthy
