"""What fires, when, and whether Prometheus would say the same."""

from __future__ import annotations

import math
import random
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from jimbot.analytics.alerts.evaluate import Evaluator, Instance, histogram_quantile
from jimbot.analytics.alerts.samples import Sample, parse, sample
from jimbot.analytics.alerts.watch import Watch
from jimbot.appliance import Appliance, load
from jimbot.appliance.render import prometheus
from jimbot.appliance.rules import DEFINITIONS, Rule, rules

STEP = 15.0


@pytest.fixture(scope="module")
def table() -> Appliance:
    return load()


def _rule(table: Appliance, name: str) -> Rule:
    return next(rule for rule in rules(table) if rule.name == name)


def _memory(service: str, share: float) -> list[Sample]:
    return [
        sample("jimbot_service_memory_bytes", share * 1000, {"service": service}),
        sample("jimbot_service_memory_limit_bytes", 1000, {"service": service}),
    ]


def _states(evaluator: Evaluator) -> dict[str, str]:
    return {one.labels.get("service", one.rule): one.state for one in evaluator.instances}


def test_pending_then_firing_then_resolved_then_forgotten(table: Appliance) -> None:
    rule = _rule(table, "MemoryCritical")
    evaluator = Evaluator([rule], resolved_s=600)
    evaluator.look(0, _memory("mcp", 0.95))
    assert _states(evaluator) == {"mcp": "pending"}
    evaluator.look(rule.for_s - 1, _memory("mcp", 0.99))
    assert _states(evaluator) == {"mcp": "pending"}
    evaluator.look(rule.for_s, _memory("mcp", 0.91) + _memory("claude", 0.91))
    assert _states(evaluator) == {"mcp": "firing", "claude": "pending"}
    evaluator.look(400, _memory("mcp", 0.9) + _memory("claude", 0.5))  # not above any more
    assert _states(evaluator) == {"mcp": "resolved"}
    [one] = evaluator.instances
    assert (one.since, one.resolved_at) == (0, 400)
    evaluator.look(1001, _memory("mcp", 0.5))
    assert _states(evaluator) == {}


def test_a_moment_within_bounds_begins_the_time_anew(table: Appliance) -> None:
    rule = _rule(table, "MemoryCritical")
    evaluator = Evaluator([rule], resolved_s=600)
    for now, share in ((0, 0.95), (290, 0.5), (300, 0.95), (599, 0.95)):
        evaluator.look(now, _memory("mcp", share))
        assert "firing" not in _states(evaluator).values()
    evaluator.look(600, _memory("mcp", 0.95))
    assert _states(evaluator) == {"mcp": "firing"}


def test_without_figures_a_rule_is_unchecked_and_not_well(table: Appliance) -> None:
    evaluator = Evaluator(rules(table), resolved_s=600)
    evaluator.look(0, _memory("mcp", 0.5))
    states = {name: found.state for name, found in evaluator.checked.items()}
    assert states.pop("MemoryCritical") == states.pop("MemoryHigh") == "checked"
    assert set(states.values()) == {"unchecked"}
    assert evaluator.checked["BackupStale"].reason == "no figures: jimbot_backup_age_seconds"


def test_throughput_counts_only_while_there_is_a_trainer(table: Appliance) -> None:
    evaluator = Evaluator([_rule(table, "ThroughputLow")], resolved_s=600)
    games = sample("jimbot_games_per_hour", 100)

    def expected(number: float) -> Sample:
        return sample("jimbot_training_wanted", number)

    evaluator.look(0, [games, expected(0)])
    assert evaluator.checked["ThroughputLow"] == (
        "off",
        "no trainer is part of this run, or it pauses",
    )
    assert evaluator.instances == []
    for now in (1, 1000):
        evaluator.look(now, [games, expected(1)])
    assert _states(evaluator) == {"ThroughputLow": "firing"}


def test_what_fired_before_a_restart_is_not_over_for_want_of_figures(table: Appliance) -> None:
    rule = _rule(table, "MemoryCritical")
    before = Instance(
        rule=rule.name, labels={"service": "mcp"}, state="firing", since=-900, value=0.95
    )
    evaluator = Evaluator([rule], 600, [before], patient_until=120)
    evaluator.look(0, [])
    assert _states(evaluator) == {"mcp": "firing"}
    evaluator.look(60, _memory("mcp", 0.5))
    assert _states(evaluator) == {"mcp": "resolved"}
    again = Evaluator([rule], 600, [before.model_copy(update={"state": "firing"})], 120)
    again.look(121, [])
    assert _states(again) == {"mcp": "resolved"}


def test_nothing_is_no_share_of_nothing(table: Appliance) -> None:
    evaluator = Evaluator([_rule(table, "MemoryCritical")], 600)
    zero = {"service": "mcp"}
    evaluator.look(
        0,
        [
            sample("jimbot_service_memory_bytes", 5, zero),
            sample("jimbot_service_memory_limit_bytes", 0, zero),
        ],
    )
    assert evaluator.instances == []
    assert evaluator.checked["MemoryCritical"].state == "unchecked"


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((10, 10, 10, 10), 0.00475),  # all in the first bucket, spread evenly over it
        ((0, 100, 100, 100), 0.00975),
        ((0, 0, 0, 10), 0.02),  # above the last finite bound: that bound
        ((90, 90, 100, 100), 0.015),
        ((0, 0, 0, 0), math.nan),
    ],
)
def test_quantiles_are_those_of_prometheus(counts: tuple[int, ...], expected: float) -> None:
    bounds = (0.005, 0.01, 0.02, math.inf)
    found = histogram_quantile(0.95, dict(zip(bounds, map(float, counts), strict=True)))
    assert found == pytest.approx(expected, nan_ok=True)


def test_a_histogram_that_begins_anew_counts_what_came_since(table: Appliance) -> None:
    rule = _rule(table, "GraphQuerySlow")
    evaluator = Evaluator([rule], 600)
    for look in range(40):
        count = float(look if look < 20 else look - 20)  # restarted in the middle
        evaluator.look(look * STEP, _buckets({0.05: 0.0, 0.5: count, math.inf: count}))
    [one] = evaluator.instances
    assert one.state == "firing"
    assert one.value == pytest.approx(0.05 + 0.45 * 0.95)


def _buckets(counts: dict[float, float]) -> list[Sample]:
    return [
        sample("jimbot_graph_query_seconds_bucket", count, {"le": _bound(bound)})
        for bound, count in counts.items()
    ]


def _bound(bound: float) -> str:
    return "+Inf" if math.isinf(bound) else f"{bound:g}"


def test_metrics_of_a_service_are_read_as_they_are_exposed() -> None:
    found = list(
        parse(
            "# TYPE jimbot_x_seconds histogram\n"
            'jimbot_x_seconds_bucket{le="0.1"} 3\njimbot_x_seconds_bucket{le="+Inf"} 4\n'
            "jimbot_x_seconds_sum 1.5\njimbot_x_seconds_count 4\n"
            '# TYPE jimbot_y gauge\njimbot_y{a="b\\"c"} 1e3\n'
        )
    )
    assert sample("jimbot_x_seconds_bucket", 4, {"le": "+Inf"}) in found
    assert sample("jimbot_y", 1000, {"a": 'b"c'}) in found


# --- the same samples by Prometheus' own tool -------------------------------------------------


def _walk(rng: random.Random, threshold: float, looks: int) -> list[float | None]:
    """A figure that stays on one side of a threshold for a random while, is gone at times."""
    found: list[float | None] = []
    while len(found) < looks:
        side = rng.choice((0.7, 0.9, 1.1, 1.4, None))
        found += [
            None if side is None else threshold * side * rng.uniform(0.97, 1.03)
            for _ in range(rng.choice((1, 3, 10, 30, 70)))
        ]
    return found[:looks]


def _histories(rng: random.Random, rule: Rule, looks: int) -> dict[str, list[float | None]]:
    """Series (in Prometheus' notation) that together move the rule's figure about its threshold."""
    expression = rule.definition.expression
    figures = _walk(rng, rule.threshold, looks)
    labels = '{service="mcp"}' if "service" in expression.metric else ""
    if expression.metric == "up":
        labels = '{job="jimbot-analytics"}'
    match type(expression).__name__:
        case "Ratio":
            return {
                expression.metric + labels: [None if f is None else f * 4096 for f in figures],
                f"{expression.of}{labels}": [4096.0] * looks,  # type: ignore[union-attr]
            }
        case "Quantile":
            quick = slow = 0.0
            series: dict[str, list[float | None]] = {"0.05": [], "0.5": [], "+Inf": []}
            for figure in figures:
                # Far from the threshold on both sides: there the two must agree.
                late = figure is not None and figure > rule.threshold
                quick, slow = quick + (0 if late else 20), slow + (20 if late else 0)
                for bound, count in zip(series, (quick, quick + slow, quick + slow), strict=True):
                    series[bound].append(count)
            return {
                f'{expression.metric}_bucket{{le="{bound}"}}': counts
                for bound, counts in series.items()
            }
        case _:
            found = {expression.metric + labels: figures}
            if rule.definition.only_if:
                on = [0.0 if 200 <= look < 260 else 1.0 for look in range(looks)]
                found[rule.definition.only_if.metric] = list(on)
            return found


def _written(history: Iterable[float | None]) -> str:
    """As promtool reads it: what is gone is `stale` at once, as after a scrape without it."""
    return " ".join("stale" if value is None else repr(value) for value in history)


def _samples_at(histories: dict[str, list[float | None]], look: int) -> list[Sample]:
    lines = [
        f"{name} {history[look]!r}"
        for name, history in histories.items()
        if history[look] is not None
    ]
    return list(parse("\n".join(lines) + "\n"))


def _firing(evaluator: Evaluator) -> list[dict[str, Any]]:
    return [
        {"labels": f'ALERTS{{alertname="{one.rule}",alertstate="firing",{_pairs(one, rule)}}}'}
        | {"value": 1}
        for one in evaluator.instances
        if one.state == "firing"
        for rule in [evaluator.rules[one.rule]]
    ]


def _pairs(one: Instance, rule: Rule) -> str:
    pairs = {"severity": rule.severity, **one.labels}
    return ",".join(f'{name}="{value}"' for name, value in sorted(pairs.items()))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_fires_on_the_same_samples_at_the_same_times(
    table: Appliance, tmp_path: Path
) -> None:
    looks, every = 320, 4  # 80 minutes, compared each minute
    for name, text in prometheus.render(table, "production").items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    fired: set[str] = set()
    tests = []
    for seed in range(3):
        histories: dict[str, list[float | None]] = {}
        for definition in DEFINITIONS:
            rng = random.Random(f"{seed} {definition.expression}")  # rules on one figure share it
            histories |= _histories(rng, _rule(table, definition.name), looks)
        evaluator = Evaluator(rules(table), resolved_s=3600)
        expected = []
        for look in range(looks):
            evaluator.look(look * STEP, _samples_at(histories, look))
            fired |= {one.rule for one in evaluator.instances if one.state == "firing"}
            if look % every == 0:
                expected.append(
                    {
                        "expr": 'ALERTS{alertstate="firing"}',
                        "eval_time": f"{int(look * STEP)}s",
                        "exp_samples": _firing(evaluator),
                    }
                )
        tests.append(
            {
                "name": f"seed {seed}",
                "interval": f"{int(STEP)}s",
                "input_series": [
                    {"series": name, "values": _written(history)}
                    for name, history in histories.items()
                ],
                "promql_expr_test": expected,
            }
        )
    assert fired == {definition.name for definition in DEFINITIONS}  # nothing goes untested
    _promtool(tmp_path, tests)


def _promtool(directory: Path, tests: list[dict[str, Any]]) -> None:
    document = {
        "rule_files": ["rules/jimbot.yml"],
        "evaluation_interval": f"{int(STEP)}s",
        "tests": tests,
    }
    (directory / "test.yml").write_text(yaml.safe_dump(document, width=10_000))
    found = subprocess.run(
        ["promtool", "test", "rules", "test.yml"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.returncode == 0, (found.stdout + found.stderr)[:3000]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_says_it_in_the_same_words(
    table: Appliance, tmp_path: Path, watch: Callable[..., Watch]
) -> None:
    for name, text in prometheus.render(table, "production").items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    series = {
        'jimbot_service_healthy{service="claude"}': 0,
        'jimbot_store_up{store="knowledge"}': 0,
        'jimbot_service_memory_bytes{service="mcp"}': 95,
        'jimbot_service_memory_limit_bytes{service="mcp"}': 100,
    }
    alerts = {
        "ServiceUnhealthy": {
            "exp_labels": {"severity": "critical", "service": "claude"},
            "exp_annotations": {
                "summary": "claude is not well",
                "description": "Run `jimbot health claude`, then `jimbot logs claude --since 10m`.",
                "runbook_url": "docs/alerts.md#serviceunhealthy",
            },
        },
        "DatabaseDown": {
            "exp_labels": {"severity": "critical", "store": "knowledge"},
            "exp_annotations": {
                "summary": "the knowledge store cannot be used",
                "description": "Run `jimbot db status`; start its server,"
                " or see `jimbot logs mcp analytics`.",
                "runbook_url": "docs/alerts.md#databasedown",
            },
        },
        "MemoryHigh": {
            "exp_labels": {"severity": "warning", "service": "mcp"},
            "exp_annotations": {
                "summary": "mcp uses 95% of its memory",
                "description": "Watch it with `jimbot top`; if it only grows, see `jimbot doctor`.",
                "runbook_url": "docs/alerts.md#memoryhigh",
            },
        },
    }
    test = {
        "interval": "15s",
        "input_series": [
            {"series": name, "values": f"{value}x80"} for name, value in series.items()
        ],
        "alert_rule_test": [
            {"eval_time": "20m", "alertname": name, "exp_alerts": [exp]}
            for name, exp in alerts.items()
        ],
    }
    _promtool(tmp_path, [test])
    lines = "".join(f"{name} {value}\n" for name, value in series.items())
    native = watch(lines)
    found = {one.name: one for one in native.answer().alerts}
    for name, expected in alerts.items():
        told, annotations = found[name], expected["exp_annotations"]
        assert told.state == "firing"
        assert told.summary.replace(" %", "%") == annotations["summary"]
        assert (told.what_to_do, told.runbook) == (
            annotations["description"],
            annotations["runbook_url"],
        )
