"""What `GET /api/v1/alerts` answers. Times are ms since 1970."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from jimbot.analytics.models import Milliseconds
from jimbot.appliance.alerts import Severity

AlertState = Literal["pending", "firing", "silenced", "resolved"]


class Alert(BaseModel):
    """One alert on one thing, e.g. `MemoryHigh` of mcp.

    `pending`: not yet for long enough; `silenced`: it fires, and nobody is told; `resolved`: over,
    and listed for a while.
    """

    id: Annotated[str, Field(description="the same as long as rule and labels are")]
    name: str
    severity: Severity
    state: AlertState
    labels: dict[str, str]
    since: Annotated[Milliseconds, Field(description="when its figure first was out of bounds")]
    resolved_at: Milliseconds | None = None
    silenced_until: Milliseconds | None = None
    value: Annotated[str, Field(description="the newest figure, with its unit")]
    summary: str
    what_to_do: str
    runbook: str


class RuleState(BaseModel):
    """How one rule is. `unchecked`: there is no figure for it, `reason` says which is missing;
    `off`: it does not count now."""

    name: str
    severity: Severity
    state: Literal["ok", "pending", "firing", "unchecked", "off"]
    reason: str = ""


class Alerts(BaseModel):
    """Alerts, worst first, and every rule. `status` is `fail` while something critical fires, and
    `unchecked` where nobody has looked lately, whatever the alerts then say."""

    status: Literal["ok", "warn", "fail", "unchecked"]
    checked_at: Milliseconds | None
    alerts: list[Alert]
    rules: list[RuleState]
