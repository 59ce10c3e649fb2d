"""The catalogue of metrics in the docs, and the conventions of their names."""

from __future__ import annotations

import re

import pytest

from jimbot.appliance.rules import DEFINITIONS, Quantile, Ratio
from jimbot.cli import COMMANDS
from scripts.metrics_catalogue import PAGE, Entry, entries, page

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
