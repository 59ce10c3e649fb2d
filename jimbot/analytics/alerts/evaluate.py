"""What fires: rules on samples, look after look. No I/O and no clock of its own.

It decides as Prometheus does: an alert is pending from the first look at which its figure is out
of bounds, fires once that has held at every look for the rule's time, and is over at the first
look at which it is not, or its figure is gone. (Quantiles come without Prometheus' extrapolation
of rates, which moves them by less than a bucket.)
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple

from pydantic import BaseModel

from jimbot.analytics.alerts.samples import Labels, Sample
from jimbot.appliance.rules import Expression, Quantile, Ratio, Rule, Value

Figures = dict[Labels, float]


class Told(BaseModel):
    """What a channel was told last of an alert, and when."""

    state: Literal["firing", "resolved"]
    at: float


class Instance(BaseModel):
    """One rule on one thing. Times are seconds since 1970; `told` is by channel."""

    rule: str
    labels: dict[str, str]
    state: Literal["pending", "firing", "resolved"]
    since: float
    value: float
    resolved_at: float | None = None
    told: dict[str, Told] = {}

    @property
    def key(self) -> tuple[str, Labels]:
        return self.rule, frozenset(self.labels.items())


class Checked(NamedTuple):
    """Whether a rule had anything to look at, and what was missing."""

    state: Literal["checked", "unchecked", "off"]
    reason: str = ""


class Evaluator:
    """Holds what is pending, firing or lately over.

    Args:
        resolved_s: how long an alert that is over is kept.
        instances: what an earlier evaluator held.
        patient_until: until then what has no figure stays as it is: services are starting.
    """

    def __init__(
        self,
        rules: Collection[Rule],
        resolved_s: float,
        instances: Iterable[Instance] = (),
        patient_until: float = 0.0,
    ) -> None:
        self.rules = {rule.name: rule for rule in rules}
        self._resolved_s = resolved_s
        self._patient_until = patient_until
        self._instances = {one.key: one for one in instances if one.rule in self.rules}
        self.checked: dict[str, Checked] = {}
        histograms = [
            rule.definition.expression
            for rule in rules
            if isinstance(rule.definition.expression, Quantile)
        ]
        self._window = _Window(histograms)

    @property
    def instances(self) -> list[Instance]:
        return list(self._instances.values())

    def look(self, now: float, samples: Iterable[Sample]) -> None:
        """Take one look; `now` only grows from look to look."""
        figures: dict[str, Figures] = defaultdict(dict)
        for one in samples:
            figures[one.name][one.labels] = one.value
        self._window.add(now, figures)
        for rule in self.rules.values():
            found = self._evaluate(rule, now, figures)
            self.checked[rule.name] = _checked(rule, found, figures)
            self._advance(rule, now, found)

    def _evaluate(self, rule: Rule, now: float, figures: dict[str, Figures]) -> Figures:
        definition = rule.definition
        if definition.only_if and not _holds(definition.only_if, figures):
            return {}
        return values(definition.expression, now, figures, self._window)

    def _advance(self, rule: Rule, now: float, found: Figures) -> None:
        out = {labels: value for labels, value in found.items() if _is_out(rule, value)}
        for labels, value in out.items():
            key = (rule.name, labels)
            one = self._instances.get(key)
            if one is None or one.state == "resolved":
                told = one.told if one else {}
                one = Instance(
                    rule=rule.name,
                    labels=dict(sorted(labels)),
                    state="pending",
                    since=now,
                    value=value,
                    told=told,
                )
                self._instances[key] = one
            one.value = value
            if one.state == "pending" and now - one.since >= rule.for_s:
                one.state = "firing"
        for key, one in list(self._instances.items()):
            if key[0] != rule.name or key[1] in out:
                continue
            if key[1] not in found and now < self._patient_until:
                continue
            if one.state == "pending":
                del self._instances[key]
            elif one.state == "firing":
                one.state, one.resolved_at = "resolved", now
                one.value = found.get(key[1], one.value)
            elif one.resolved_at is not None and now - one.resolved_at > self._resolved_s:
                del self._instances[key]


def _is_out(rule: Rule, value: float) -> bool:
    return value > rule.threshold if rule.above else value < rule.threshold


def _holds(value: Value, figures: dict[str, Figures]) -> bool:
    return any(figure == 1 for figure in _value(value, figures).values())


def _checked(rule: Rule, found: Figures, figures: dict[str, Figures]) -> Checked:
    only_if = rule.definition.only_if
    if only_if and _value(only_if, figures) and not _holds(only_if, figures):
        return Checked("off", rule.definition.off)
    if any(not math.isnan(value) for value in found.values()):
        return Checked("checked")
    return Checked("unchecked", f"no figures: {rule.definition.expression.metric}")


def values(
    expression: Expression, now: float, figures: dict[str, Figures], window: _Window
) -> Figures:
    """An expression's figures at one look, by their labels."""
    match expression:
        case Value():
            return _value(expression, figures)
        case Ratio(metric, of):
            parts, wholes = figures.get(metric, {}), figures.get(of, {})
            return {
                labels: part / wholes[labels]
                for labels, part in parts.items()
                if wholes.get(labels)  # nothing is no share of nothing
            }
        case Quantile(quantile, metric, over_s):
            increases = window.increases(metric, now, over_s)
            return {frozenset(): histogram_quantile(quantile, increases)} if increases else {}


def _value(value: Value, figures: dict[str, Figures]) -> Figures:
    wanted = frozenset(value.where)
    return {
        labels: figure
        for labels, figure in figures.get(value.metric, {}).items()
        if labels >= wanted
    }


class _Window:
    """Histograms' buckets over the time that the quantiles look back."""

    def __init__(self, histograms: Collection[Quantile]) -> None:
        self._longest_s = max((one.over_s for one in histograms), default=0)
        self._names = {f"{one.metric}_bucket" for one in histograms}
        self._looks: deque[tuple[float, dict[str, Figures]]] = deque()

    def add(self, now: float, figures: dict[str, Figures]) -> None:
        kept = {name: figures[name] for name in self._names if name in figures}
        self._looks.append((now, kept))
        while self._looks and self._looks[0][0] < now - self._longest_s:
            self._looks.popleft()

    def increases(self, metric: str, now: float, over_s: float) -> dict[float, float]:
        """By upper bound, how much the buckets grew in the last `over_s` seconds."""
        grown: dict[float, float] = defaultdict(float)
        before: dict[Labels, float] = {}
        for time, figures in self._looks:
            if time < now - over_s:
                continue
            for labels, count in figures.get(f"{metric}_bucket", {}).items():
                bound = next((value for name, value in labels if name == "le"), None)
                if bound is None:
                    continue
                last = before.get(labels)
                if last is not None:  # a count that fell was begun anew
                    grown[float(bound)] += count - last if count >= last else count
                before[labels] = count
        return dict(grown)


def histogram_quantile(quantile: float, buckets: dict[float, float]) -> float:
    """The quantile of cumulative `buckets` (upper bound → count), as Prometheus estimates it:
    evenly spread within a bucket; the last finite bound when it lies above. NaN without counts."""
    bounds = sorted(buckets)
    if len(bounds) < 2 or not math.isinf(bounds[-1]) or not buckets[bounds[-1]] > 0:
        return math.nan
    rank = quantile * buckets[bounds[-1]]
    below, lower = 0.0, 0.0
    for bound in bounds[:-1]:
        count = max(buckets[bound], below)
        if count >= rank:
            if bound <= 0 or count == below:
                return bound
            return lower + (bound - lower) * (rank - below) / (count - below)
        below, lower = count, bound
    return bounds[-2]
