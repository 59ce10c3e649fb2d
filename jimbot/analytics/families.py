"""Metric families that are declared once and filled when Prometheus asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric


class Family(NamedTuple):
    """One metric: its name as it is exposed, what it says, its labels."""

    name: str
    text: str
    labels: tuple[str, ...] = ()

    @property
    def kind(self) -> Literal["counter", "gauge"]:
        return "counter" if self.name.endswith("_total") else "gauge"

    def empty(self) -> GaugeMetricFamily | CounterMetricFamily:
        if self.kind == "counter":
            return CounterMetricFamily(self.name, self.text, labels=self.labels)
        return GaugeMetricFamily(self.name, self.text, labels=self.labels)


class Page:
    """Families with what was found for them; one for which nothing was is left out."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = {family.name: family for family in families}
        self._filled: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}

    def set(self, name: str, value: float | None, *labels: str) -> None:
        """Give a family's value for labels; None, which nobody measured, is left out."""
        if value is None:
            return
        if name not in self._filled:
            self._filled[name] = self._families[name].empty()
        self._filled[name].add_metric(labels, value)

    def __iter__(self) -> Iterator[Metric]:
        return iter(self._filled.values())
