"""What mcp counts, under the names that Prometheus sees."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from pydantic import BaseModel


class Counts(BaseModel):
    """Events since this process started; `rejected` by the code of the answer."""

    acknowledged: int
    duplicates: int
    rejected: dict[str, int]


class Metrics:
    """mcp's metrics in a registry of their own; every name begins with `jimbot_mcp_`."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.acknowledged = Counter(
            "jimbot_mcp_events_acknowledged_total",
            "Events acknowledged to their clients, those stored before included",
            registry=registry,
        )
        self.duplicates = Counter(
            "jimbot_mcp_events_duplicate_total",
            "Acknowledged events that the log had already",
            registry=registry,
        )
        self.rejected = Counter(
            "jimbot_mcp_events_rejected_total",
            "Events and frames refused, by the code of the answer",
            ["code"],
            registry=registry,
        )
        self.append_seconds = Histogram(
            "jimbot_mcp_append_seconds",
            "Time to make one group of events durable",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
            registry=registry,
        )
        self.event_seconds = Histogram(
            "jimbot_mcp_event_seconds",
            "Time from a frame of events' arrival until all of it is durable",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
            registry=registry,
        )
        self.append_failures = Counter(
            "jimbot_mcp_append_failures_total",
            "Tries to store a group of events that the log refused",
            registry=registry,
        )
        self.connections = Gauge(
            "jimbot_mcp_connections", "WebSocket connections open now", registry=registry
        )
        self.sessions = Gauge(
            "jimbot_mcp_sessions", "Sessions that are remembered", registry=registry
        )
        self.subscriptions = Gauge(
            "jimbot_mcp_subscriptions", "Connections that follow the log", registry=registry
        )
        self.decisions = Counter(
            "jimbot_mcp_decisions_total",
            "Decisions given to games, by where they came from",
            ["source"],
            registry=registry,
        )
        self.decision_seconds = Histogram(
            "jimbot_mcp_decision_seconds",
            "Time from a state's arrival to its decision",
            buckets=(0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 5),
            registry=registry,
        )
        self.commands = Counter(
            "jimbot_mcp_commands_total", "Commands that the mod has fetched", registry=registry
        )
        self.log_position = Gauge(
            "jimbot_mcp_log_position", "Position of the last event stored", registry=registry
        )

    def counts(self) -> Counts:
        """The same figures that Prometheus reads, for people."""
        return Counts(
            acknowledged=int(_value(self.acknowledged)),
            duplicates=int(_value(self.duplicates)),
            rejected={
                sample.labels["code"]: int(sample.value)
                for sample in next(iter(self.rejected.collect())).samples
                if sample.name.endswith("_total")
            },
        )


def _value(counter: Counter) -> float:
    return next(iter(counter.collect())).samples[0].value
