"""The watch: looks at the figures every few seconds, remembers, tells, answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter
from pydantic import BaseModel, ValidationError

from jimbot.analytics.alerts import deliver, silences, words
from jimbot.analytics.alerts.evaluate import Evaluator, Instance, Told
from jimbot.analytics.alerts.models import Alert, Alerts, AlertState, RuleState
from jimbot.analytics.alerts.samples import Sample
from jimbot.analytics.alerts.silences import Silence, SilenceError
from jimbot.appliance import Appliance, Home
from jimbot.appliance.rules import Rule, rules

_log = logging.getLogger(__name__)

# After a longer break nobody knows whether what was out of bounds still was: begin anew.
_REMEMBERED_S = 3600.0
# Services may be starting beside us: what fired before is not over for want of figures.
_PATIENCE_S = 120.0
# After so many looks that did not come, what was found says nothing any more.
_MISSED_LOOKS = 8
_ORDER: tuple[AlertState, ...] = ("firing", "pending", "silenced", "resolved")

Gather = Callable[[], Awaitable[Iterable[Sample]]]
Channels = Callable[[], list[deliver.Channel]]


class _Kept(BaseModel):
    """What survives a restart."""

    at: float
    instances: list[Instance]


class Watch:
    """Evaluates the table's rules on what `gather` gives, and tells the table's channels.

    Args:
        channels: whom to tell, asked before each telling; the table's when None.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        appliance: Appliance,
        home: Home,
        gather: Gather,
        *,
        registry: CollectorRegistry | None = None,
        channels: Channels | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = appliance.alerts
        self._home = home
        self._gather = gather
        self._channels = channels or (lambda: deliver.channels(home, self._table.delivery))
        self._clock = clock
        self._path = home.path / "alerts" / "state.json"
        self._evaluator = Evaluator(
            rules(appliance),
            self._table.resolved_h * 3600,
            _read(self._path, clock()),
            clock() + _PATIENCE_S,
        )
        self._checked_at: float | None = None
        self._silences: list[Silence] = []
        self._problems: set[str] = set()
        self._deliveries = Counter(
            "jimbot_alerts_deliveries",
            "Messages about alerts, by channel and how it went.",
            ["channel", "result"],
            registry=registry,
        )

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:
                _log.exception("alerts could not be looked at")
            await asyncio.sleep(self._table.interval_s)

    async def look(self) -> None:
        """Take one look, tell whom it concerns, and remember."""
        samples = await self._gather()
        now = self._clock()
        before = {one.key: one.state for one in self._evaluator.instances}
        self._evaluator.look(now, samples)
        self._checked_at = now
        self._silences = self._read_silences(now)
        for one in self._evaluator.instances:
            if before.get(one.key) != one.state and one.state != "pending":
                fields = {"alert": one.rule, "state": one.state, "labels": one.labels}
                _log.warning("%s: %s", one.rule, one.state, extra={"fields": fields})
        await asyncio.to_thread(self._tell, now)
        await asyncio.to_thread(self._remember, now)

    def answer(self) -> Alerts:
        """What is, for people and the dashboard."""
        alerts = sorted(
            (self._alert(one) for one in self._evaluator.instances),
            key=lambda one: (_ORDER.index(one.state), one.severity, -one.since),
        )
        firing = {one.severity for one in alerts if one.state == "firing"}
        status: Literal["ok", "warn", "fail", "unchecked"] = "ok"
        oldest = self._clock() - _MISSED_LOOKS * self._table.interval_s
        if self._checked_at is None or self._checked_at < oldest:
            status = "unchecked"
        elif "critical" in firing:
            status = "fail"
        elif firing:
            status = "warn"
        return Alerts(
            status=status,
            checked_at=None if self._checked_at is None else int(self._checked_at * 1000),
            alerts=alerts,
            rules=[self._rule_state(rule) for rule in self._evaluator.rules.values()],
        )

    def _alert(self, one: Instance) -> Alert:
        rule = self._evaluator.rules[one.rule]
        until = self._silenced_until(one)
        state: AlertState = one.state
        if one.state == "firing" and until is not None:
            state = "silenced"
        return Alert(
            id=words.fingerprint(one),
            name=one.rule,
            severity=rule.severity,
            state=state,
            labels=one.labels,
            since=int(one.since * 1000),
            resolved_at=None if one.resolved_at is None else int(one.resolved_at * 1000),
            silenced_until=None if until is None else int(until * 1000),
            value=words.figure(one.value, rule.definition.unit),
            summary=words.summary(rule, one),
            what_to_do=words.what_to_do(rule, one),
            runbook=rule.runbook,
        )

    def _rule_state(self, rule: Rule) -> RuleState:
        states = {one.state for one in self._evaluator.instances if one.rule == rule.name}
        checked = self._evaluator.checked.get(rule.name)
        told = RuleState(name=rule.name, severity=rule.severity, state="ok")
        if "firing" in states:
            told.state = "firing"
        elif "pending" in states:
            told.state = "pending"
        elif checked is None:
            told.state, told.reason = "unchecked", "not looked at yet"
        elif checked.state != "checked":
            told.state, told.reason = checked.state, checked.reason
        return told

    def _silenced_until(self, one: Instance) -> float | None:
        ends = [it.until for it in self._silences if it.mutes(one.rule, one.labels)]
        return max(ends, default=None)

    def _read_silences(self, now: float) -> list[Silence]:
        try:
            return silences.read(self._home, now)
        except SilenceError as error:
            self._complain(str(error))
            return []

    def _tell(self, now: float) -> None:
        """Tell each channel what it has not been told, and what it was told long ago."""
        if not any(one.state != "pending" for one in self._evaluator.instances):
            return
        try:
            channels = self._channels()
        except deliver.NotDelivered as error:
            self._complain(str(error))
            return
        for channel in channels:
            due = [one for one in self._evaluator.instances if self._is_due(one, channel.name, now)]
            if not due:
                continue
            try:
                channel.send([self._notice(one) for one in due])
            except deliver.NotDelivered as error:
                self._deliveries.labels(channel.name, "failed").inc()
                self._complain(str(error))
                continue
            self._deliveries.labels(channel.name, "sent").inc()
            for one in due:
                assert one.state != "pending"
                one.told[channel.name] = Told(state=one.state, at=now)

    def _is_due(self, one: Instance, channel: str, now: float) -> bool:
        told = one.told.get(channel)
        if one.state == "firing" and self._silenced_until(one) is None:
            again_at = told.at + self._table.repeat_h * 3600 if told else now
            return told is None or told.state != "firing" or now >= again_at
        return one.state == "resolved" and told is not None and told.state == "firing"

    def _notice(self, one: Instance) -> deliver.Notice:
        rule = self._evaluator.rules[one.rule]
        assert one.state != "pending"
        return deliver.Notice(
            fingerprint=words.fingerprint(one),
            name=one.rule,
            severity=rule.severity,
            state=one.state,
            labels=one.labels,
            summary=words.summary(rule, one),
            what_to_do=words.what_to_do(rule, one),
            runbook=rule.runbook,
            since=one.since,
            resolved_at=one.resolved_at,
        )

    def _complain(self, problem: str) -> None:
        """Once for each problem: it may last for days."""
        if problem not in self._problems:
            self._problems.add(problem)
            _log.error("alerts: %s", problem)

    def _remember(self, now: float) -> None:
        kept = _Kept(at=now, instances=self._evaluator.instances)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = self._path.with_suffix(".new")
            new.write_text(kept.model_dump_json())
            new.replace(self._path)
        except OSError as error:
            self._complain(f"cannot write {self._path}: {error.strerror}")


def _read(path: Path, now: float) -> list[Instance]:
    """What was kept; of an old file only what fires, which is looked at anew before it is over."""
    try:
        kept = _Kept.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return []
    if now - kept.at > _REMEMBERED_S:
        return [one for one in kept.instances if one.state == "firing"]
    return kept.instances
