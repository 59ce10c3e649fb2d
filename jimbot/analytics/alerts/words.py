"""What an alert says, in words."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from jimbot.analytics.alerts.evaluate import Instance
from jimbot.appliance.rules import Rule, Unit


class _Labels(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"({key})"


def figure(value: float, unit: Unit) -> str:
    """A figure as people read it: `91 %`, `0.25 s`, `1,234`."""
    match unit:
        case "ratio":
            return f"{value * 100:.3g} %"
        case "seconds":
            return f"{value:.3g} s"
        case "number":
            return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def filled(template: str, labels: Mapping[str, str], value: str) -> str:
    return template.format_map(_Labels(labels, value=value))


def summary(rule: Rule, one: Instance) -> str:
    definition = rule.definition
    return filled(definition.summary, one.labels, figure(one.value, definition.unit))


def what_to_do(rule: Rule, one: Instance) -> str:
    definition = rule.definition
    return filled(definition.do, one.labels, figure(one.value, definition.unit))


def fingerprint(one: Instance) -> str:
    """An id that stays the same as long as rule and labels are."""
    text = "\x00".join([one.rule, *(f"{name}={one.labels[name]}" for name in sorted(one.labels))])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
