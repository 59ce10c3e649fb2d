"""Prometheus: where to scrape, and the alerts as its rules."""

from __future__ import annotations

import re
from typing import Any

from jimbot.appliance.model import Appliance
from jimbot.appliance.render import containers
from jimbot.appliance.rules import Expression, Quantile, Ratio, Rule, Unit, Value, rules

_PLACE = re.compile(r"\{(\w+)\}")
_FIGURE: dict[Unit, str] = {
    "ratio": "{{ $value | humanizePercentage }}",
    "seconds": '{{ printf "%.3g" $value }} s',
    "number": '{{ printf "%.3g" $value }}',
}
_HEAD = "# Written from the appliance table: jimbot render prometheus\n"


def render(appliance: Appliance, environment: str) -> dict[str, str]:
    """`prometheus.yml`, and `rules/jimbot.yml` that it reads."""
    return {
        "prometheus.yml": _HEAD + containers.dump(scrape_config(appliance, environment)),
        "rules/jimbot.yml": _HEAD + containers.dump(rule_groups(appliance)),
    }


def scrape_config(appliance: Appliance, environment: str) -> dict[str, Any]:
    interval = duration(appliance.alerts.interval_s)
    return {
        "global": {
            "scrape_interval": interval,
            "scrape_timeout": "5s",
            "evaluation_interval": interval,
            "external_labels": {"environment": environment},
        },
        "rule_files": ["rules/*.yml"],
        "scrape_configs": [
            {
                "job_name": f"jimbot-{name}",
                "static_configs": [{"targets": [f"127.0.0.1:{service.ports['http']}"]}],
            }
            for name, service in appliance.services.items()
            if service.command and "http" in service.ports
        ],
    }


def rule_groups(appliance: Appliance) -> dict[str, Any]:
    return {
        "groups": [
            {
                "name": "jimbot",
                "interval": duration(appliance.alerts.interval_s),
                "rules": [_rule(rule) for rule in rules(appliance)],
            }
        ]
    }


def _rule(rule: Rule) -> dict[str, Any]:
    definition = rule.definition
    return {
        "alert": rule.name,
        "expr": expression(rule),
        "for": duration(rule.for_s),
        "labels": {"severity": rule.severity},
        "annotations": {
            "summary": _template(definition.summary, definition.unit),
            "description": _template(definition.do, definition.unit),
            "runbook_url": rule.runbook,
        },
    }


def expression(rule: Rule) -> str:
    """When a rule is out of bounds, in PromQL."""
    sign = ">" if rule.above else "<"
    compared = f"{_promql(rule.definition.expression)} {sign} {rule.threshold:g}"
    only_if = rule.definition.only_if
    return f"{compared} and on () ({_promql(only_if)} == 1)" if only_if else compared


def _promql(expression: Expression) -> str:
    match expression:
        case Value(metric, where):
            matchers = ",".join(f'{name}="{value}"' for name, value in where)
            return f"{metric}{{{matchers}}}" if matchers else metric
        case Ratio(metric, of):
            return f"{metric} / ({of} > 0)"
        case Quantile(quantile, metric, over_s):
            window = duration(over_s)
            return (
                f"histogram_quantile({quantile:g}, sum by (le) (rate({metric}_bucket[{window}])))"
            )


def _template(text: str, unit: Unit) -> str:
    def fill(match: re.Match[str]) -> str:
        name = match[1]
        return _FIGURE[unit] if name == "value" else f"{{{{ $labels.{name} }}}}"

    return _PLACE.sub(fill, text)


def duration(seconds: float) -> str:
    """As Prometheus writes it: `15s`, `10m`, `1h`."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{seconds * 1000:.0f}ms"
