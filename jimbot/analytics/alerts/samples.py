"""Figures at one moment, as services expose them in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]


class Sample(NamedTuple):
    """One figure: a metric's name, with the suffix that its kind gives it, and its labels."""

    name: str
    labels: Labels
    value: float


def sample(name: str, value: float, labels: Mapping[str, str] | None = None) -> Sample:
    return Sample(name, frozenset((labels or {}).items()), value)


def parse(text: str) -> Iterator[Sample]:
    """The samples of a `/metrics` answer.

    Raises:
        ValueError: it is none.
    """
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            yield sample(one.name, float(one.value), one.labels)
