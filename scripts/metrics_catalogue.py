"""Write docs/metrics.md: every metric that JimBot's services expose, from the code that does.

python scripts/metrics_catalogue.py          # write it
python scripts/metrics_catalogue.py --check  # exit 1 when it is not what the code says
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "metrics.md"
sys.path.insert(0, str(ROOT))  # when it is run as a program

_HEAD = """\
# Metrics

Every service of JimBot's with an HTTP port answers `/metrics` in Prometheus' text format; analytics
exposes what concerns the appliance as a whole. What nobody could measure is left out, never 0.
`jimbot render prometheus` writes the scrape configuration and the alert rules, `jimbot render
grafana` the dashboards ([alerts](alerts.md)).

Written from the code: `python scripts/metrics_catalogue.py`.
"""


class Entry(NamedTuple):
    """One metric, named as it is exposed; a histogram has `_bucket`, `_sum` and `_count` too."""

    service: str
    name: str
    kind: str
    labels: tuple[str, ...]
    text: str


def entries() -> list[Entry]:
    """Every metric, by service and name."""
    return sorted(
        _entry(service, metric, labels)
        for service, registry in _registries().items()
        for metric, labels in _metrics(registry)
    )


def _registries() -> dict[str, CollectorRegistry]:
    from jimbot.analytics.alerts.watch import Watch
    from jimbot.analytics.exposition import Metrics as AnalyticsMetrics
    from jimbot.analytics.machine import Machine
    from jimbot.analytics.timed import graph_query_seconds
    from jimbot.appliance import Home, load
    from jimbot.claude.metrics import Metrics as ClaudeMetrics
    from jimbot.mcp.metrics import Metrics as McpMetrics
    from jimbot.training.service import _Metrics as TrainerMetrics

    def unused() -> None:
        raise AssertionError("only descriptions are asked for")

    appliance, home = load(), Home(Path("/nonexistent"))
    analytics = AnalyticsMetrics(
        unused,  # type: ignore[arg-type]
        unused,  # type: ignore[arg-type]
        unused,
        graph_query_seconds=graph_query_seconds(),
    )
    analytics.registry.register(Machine(appliance, home))
    Watch(appliance, home, unused, registry=analytics.registry)  # type: ignore[arg-type]
    return {
        "analytics": analytics.registry,
        "claude": ClaudeMetrics().registry,
        "mcp": McpMetrics().registry,
        "trainer": TrainerMetrics().registry,
    }


def _metrics(registry: CollectorRegistry) -> Iterator[tuple[Metric, tuple[str, ...]]]:
    for collector in list(registry._collector_to_names):
        describe = getattr(collector, "describe", collector.collect)
        for metric in describe():
            for one in (collector, metric):
                if labels := getattr(one, "_labelnames", ()):
                    break
            yield metric, tuple(labels)


def _entry(service: str, metric: Metric, labels: tuple[str, ...]) -> Entry:
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    return Entry(service, name, metric.type, labels, metric.documentation.rstrip("."))


def page() -> str:
    """docs/metrics.md as the code says it."""
    parts = [_HEAD]
    found = entries()
    for service in sorted({entry.service for entry in found}):
        parts.append(f"\n## {service}\n\n| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n")
        parts += [
            f"| `{entry.name}` | {entry.kind} | {', '.join(entry.labels)} | {entry.text} |\n"
            for entry in found
            if entry.service == service
        ]
    return "".join(parts)


def main() -> int:
    text = page()
    if "--check" not in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print("docs/metrics.md is old. Run: python scripts/metrics_catalogue.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
