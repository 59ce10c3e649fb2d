"""The catalogue of metrics in the docs, and the conventions of their names."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from jimbot.analytics import exposition, machine
from jimbot.analytics.families import Page
from jimbot.appliance.rules import DEFINITIONS, Quantile, Ratio
from jimbot.cli import COMMANDS
from scripts.metrics_catalogue import PAGE, Entry, _registries, entries, page

ENTRIES = entries()


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python scripts/metrics_catalogue.py"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_names_and_units_are_by_prometheus_convention(entry: Entry) -> None:
    assert re.fullmatch(r"jimbot_[a-z0-9]+(_[a-z0-9]+)*", entry.name)
    assert (entry.kind == "counter") == entry.name.endswith("_total")
    if entry.kind == "histogram":
        assert re.search(r"_(seconds|bytes)$", entry.name)
    assert not re.search(r"_(ms|msec|milliseconds|mb|kb|minutes|hours|percent)(_|$)", entry.name)
    assert len(entry.text) > 5
    assert not set(entry.labels) & {"le", "quantile", "job", "instance", "game", "session"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("service", ["analytics", "claude", "mcp", "trainer"])
def test_prometheus_has_nothing_against_what_is_exposed(service: str) -> None:
    registry = CollectorRegistry(auto_describe=False)
    if service == "analytics":
        registry.register(_Everything())
    else:
        registry = _registries()[service]
        for collector in list(registry._collector_to_names):
            if labels := getattr(collector, "_labelnames", ()):
                collector.labels(*labels)  # type: ignore[attr-defined]
    text = generate_latest(registry)
    assert text.count(b"# HELP") > 5
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60
    )
    assert (checked.returncode, checked.stderr) == (0, b"")


class _Everything(Collector):
    """Every family of analytics with a figure."""

    def collect(self) -> Iterator[Metric]:
        page = Page([*exposition.FAMILIES, *machine.FAMILIES])
        for family in (*exposition.FAMILIES, *machine.FAMILIES):
            page.set(family.name, 1.0, *family.labels)
        return iter(page)


def test_no_two_services_expose_one_metric() -> None:
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names)


def test_every_alert_watches_metrics_that_there_are() -> None:
    known = {entry.name: entry for entry in ENTRIES}
    known["up"] = Entry("prometheus", "up", "gauge", ("job", "instance"), "Of every scrape.")
    for definition in DEFINITIONS:
        expression = definition.expression
        entry = known[expression.metric]
        assert (entry.kind == "histogram") == isinstance(expression, Quantile)
        places = set(re.findall(r"\{(\w+)\}", definition.summary + definition.do)) - {"value"}
        assert places <= set(entry.labels), definition.name
        if isinstance(expression, Ratio):
            assert known[expression.of].labels == entry.labels
        if definition.only_if:
            assert definition.only_if.metric in known


def test_every_command_that_an_alert_or_its_runbook_names_is_there() -> None:
    texts = [definition.do for definition in DEFINITIONS]
    texts += [(PAGE.parent / name).read_text("utf-8") for name in ("alerts.md", "logs.md")]
    named = {found for text in texts for found in re.findall(r"\bjimbot ([a-z-]+)", text)}
    assert len(named) > 8
    assert named <= set(COMMANDS), named - set(COMMANDS)
