"""What a check finds, and what mends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Literal, NamedTuple

from pydantic import BaseModel

from jimbot import usage
from jimbot.appliance import Appliance, Home
from jimbot.operations import health
from jimbot.operations.health import ServiceHealth
from jimbot.usage import Running

Severity = Literal["ok", "warn", "fail", "unknown"]


class Finding(BaseModel):
    """One thing that was looked at.

    `unknown`: it could not be, which is never well; what can never be looked at from here, and
    somebody else looks at, is a `warn` that says who. `mend` is a command; `disruptive` ones stop
    something for a moment or give something up, so that nothing runs them unasked. An empty `mend`
    with a `hint`: a person has to do it.
    """

    check: str
    severity: Severity
    seen: str
    mend: str = ""
    disruptive: bool = False
    hint: str = ""


class Patient:
    """The appliance that is looked at, and what several checks ask of it."""

    def __init__(self, appliance: Appliance, home: Home) -> None:
        self.appliance = appliance
        self.home = home

    @cached_property
    def running(self) -> Running | None:
        return usage.running(self.home)

    @cached_property
    def expected(self) -> list[str] | None:
        """The services that should be up; None where nobody says."""
        return usage.expected(self.home)

    @property
    def by_system(self) -> bool:
        """Whether the system runs the services, as on NixOS, and not `jimbot up`."""
        return self.running is None and self.expected is not None

    @cached_property
    def answers(self) -> dict[str, ServiceHealth]:
        """What those that should be up say."""
        where = health.addresses(self.home)
        return asyncio.run(health.report(self.appliance, self.expected or (), where)).services


class Check(NamedTuple):
    """A group of findings; `look` raises nothing on purpose."""

    name: str
    look: Callable[[Patient], Iterable[Finding]]
