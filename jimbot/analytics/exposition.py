"""What Prometheus reads at /metrics of the games, the projections and the services.

What they use of the machine is in `jimbot.analytics.machine`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress

from prometheus_client import CollectorRegistry, Gauge, Histogram, ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from jimbot.analytics.families import Family, Page
from jimbot.analytics.models import Services, Summary
from jimbot.analytics.projections import Status
from jimbot.errors import JimbotError
from jimbot.events import now_ms
from jimbot.metrics import SeriesStore, queries

# What was found longer ago says nothing about now, so it is left out.
_SERVICES_FRESH_MS = 30_000

FAMILIES = (
    Family("jimbot_games_finished_total", "Games that ended."),
    Family("jimbot_games_won_total", "Games that were won."),
    Family("jimbot_games_per_hour", "Games per hour, over the last 10 minutes."),
    Family("jimbot_win_ratio", "Share of the last 24 hours' games won."),
    Family("jimbot_win_ratio_low", "Lower end of its 95 % interval."),
    Family("jimbot_win_ratio_high", "Upper end of its 95 % interval."),
    Family("jimbot_ante_reached_mean", "Mean ante of the last 24 hours' games."),
    Family("jimbot_best_hand_chips", "Best single hand of all time."),
    Family("jimbot_training_iterations_total", "Training iterations done."),
    Family("jimbot_training_loss", "Total loss of the last training iteration."),
    Family("jimbot_training_steps", "Environment steps of the run."),
    Family("jimbot_event_log_position_events", "Events in the log."),
    Family("jimbot_policy_games_total", "Games that a policy has played.", ("policy",)),
    Family("jimbot_policy_wins_total", "Games that a policy has won.", ("policy",)),
    Family("jimbot_hand_games_total", "Games in which a poker hand was played.", ("hand",)),
    Family("jimbot_hand_wins_total", "Games won in which a poker hand was played.", ("hand",)),
    Family("jimbot_joker_games_total", "Games that ended with a joker held.", ("joker",)),
    Family("jimbot_joker_wins_total", "Games won with a joker held.", ("joker",)),
    Family("jimbot_cost_per_game_dollars", "Claude's cost of the last 24 hours a game played."),
    Family("jimbot_cost_last_day_dollars", "Claude's cost of the last 24 hours."),
    Family("jimbot_projection_behind_events", "Events not yet projected.", ("projection",)),
    Family("jimbot_projection_up", "1 while the projection follows the log.", ("projection",)),
    Family("jimbot_projection_events_total", "Events projected since the start.", ("projection",)),
    Family("jimbot_projection_errors_total", "Failures since the start.", ("projection",)),
    Family("jimbot_store_up", "1 while a store that analytics uses can be used.", ("store",)),
    Family("jimbot_service_healthy", "1 for ok or warn, 0 otherwise.", ("service",)),
    Family("jimbot_training_wanted", "1 while a trainer is part of the run and does not pause."),
    Family("jimbot_service_expected", "1 for what is part of the run here now.", ("service",)),
)


class Metrics(Collector):
    """Collects when it is asked; figures that cannot be had are left out, never 0.

    Args:
        series: the open store of series, or None while there is none.
        log_up: whether the event log can be read; None before there is one.
        graph_query_seconds: the histogram that times questions to the graph.
        starting: services that have only just been started, and may be unwell for that.
    """

    def __init__(
        self,
        summary: Callable[[], Summary],
        projections: Callable[[], list[Status]],
        services: Callable[[], Services | None],
        *,
        series: Callable[[], SeriesStore | None] = lambda: None,
        log_up: Callable[[], bool | None] = lambda: None,
        graph_query_seconds: Histogram | None = None,
        starting: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._summary = summary
        self._projections = projections
        self._services = services
        self._series = series
        self._log_up = log_up
        self._starting = starting
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        if graph_query_seconds is not None:
            self.registry.register(graph_query_seconds)
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
        page = Page(FAMILIES)
        with suppress(JimbotError):  # the projections' metrics, next, tell that it fails
            summary = self._summary()
            _of_games(page, summary)
            _of_training(page, summary)
            if (store := self._series()) is not None:
                _of_strategies(page, store)
                _of_cost(page, store, summary)
        statuses = self._projections()
        _of_projections(page, statuses)
        _of_stores(page, statuses, self._log_up())
        found = self._services()
        if found is not None and now_ms() - (found.checked_at or 0) < _SERVICES_FRESH_MS:
            _of_services(page, found, self._starting())
        return iter(page)

    def describe(self) -> Iterable[Metric]:
        return [family.empty() for family in FAMILIES]


def _of_games(page: Page, summary: Summary) -> None:
    page.set("jimbot_games_finished_total", summary.games_finished)
    page.set("jimbot_games_won_total", summary.games_won)
    page.set("jimbot_games_per_hour", summary.games_per_hour)
    page.set("jimbot_win_ratio", summary.win_rate)
    page.set("jimbot_win_ratio_low", summary.win_rate_low)
    page.set("jimbot_win_ratio_high", summary.win_rate_high)
    page.set("jimbot_ante_reached_mean", summary.mean_ante)
    page.set("jimbot_best_hand_chips", summary.best_hand)


def _of_training(page: Page, summary: Summary) -> None:
    page.set("jimbot_training_iterations_total", summary.training_iterations)
    page.set("jimbot_training_loss", summary.loss)
    page.set("jimbot_training_steps", summary.training_steps)
    page.set("jimbot_event_log_position_events", summary.events_in_log)


def _of_strategies(page: Page, store: SeriesStore) -> None:
    for kind in ("policy", "hand", "joker"):
        for count in store.counts(kind):
            page.set(f"jimbot_{kind}_games_total", count.games, count.key)
            page.set(f"jimbot_{kind}_wins_total", count.wins, count.key)


def _of_cost(page: Page, store: SeriesStore, summary: Summary) -> None:
    dollars = queries.cost(store, summary.time - queries.DAY, summary.time + 1).dollars
    page.set("jimbot_cost_last_day_dollars", dollars)
    if summary.games_last_day:
        page.set("jimbot_cost_per_game_dollars", dollars / summary.games_last_day)


def _of_projections(page: Page, statuses: Iterable[Status]) -> None:
    for status in statuses:
        page.set("jimbot_projection_behind_events", status.behind, status.name)
        page.set("jimbot_projection_up", float(status.state == "following"), status.name)
        page.set("jimbot_projection_events_total", status.events, status.name)
        page.set("jimbot_projection_errors_total", status.errors, status.name)


def _of_stores(page: Page, statuses: Iterable[Status], log_up: bool | None) -> None:
    """A projection that waits for the log, or whose package is not installed, tells nothing."""
    page.set("jimbot_store_up", log_up, "events")
    for status in statuses:
        if status.state in ("following", "failing"):
            up = status.state == "following" and not status.warning
            page.set("jimbot_store_up", up, status.name)


def _of_services(page: Page, found: Services, starting: Collection[str]) -> None:
    """A service that is starting and not well yet is left out: it is neither well nor sick."""
    for service in found.services:
        page.set("jimbot_service_expected", service.expected, service.name)
        if service.name == "trainer":
            wanted = service.expected and not service.reason.startswith("paused")
            page.set("jimbot_training_wanted", wanted)
        if not service.expected or service.status == "unchecked":
            continue
        well = service.status in ("ok", "warn")
        if well or service.name not in starting:
            page.set("jimbot_service_healthy", well, service.name)
