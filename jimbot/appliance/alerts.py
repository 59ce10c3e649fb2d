"""When the owner is told, and how: `[alerts]` of the appliance table.

A threshold is a row here; what is compared with it, in what words, is `jimbot.appliance.rules`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Severity = Literal["critical", "warning"]
Seconds = Annotated[float, Field(ge=0)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Threshold(_Row):
    """Fires when its figure was `above` or `below` the number for `for_s` seconds on end."""

    severity: Severity
    above: float | None = None
    below: float | None = None
    for_s: Seconds

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("an alert is `above` a number or `below` one")
        return self


class Mail(_Row):
    """Where mail goes through; the password is in a file, never in the table."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    starttls: bool = True
    user: str = ""
    password_file: str = "secrets/alert-mail"
    sender: str
    to: Annotated[tuple[str, ...], Field(min_length=1)]


class Delivery(_Row):
    """Whom to tell. Files are under the home unless they begin with `/`."""

    webhook_file: Annotated[str, Field(description="addresses, one a line; they may hold secrets")]
    desktop: Annotated[bool, Field(description="a notification where notify-send is installed")]
    mail: Mail | None = None


class Alerts(_Row):
    """Thresholds by the name of their rule, and how alerts are looked at and told."""

    interval_s: Annotated[float, Field(gt=0, description="between two looks")]
    repeat_h: Annotated[float, Field(gt=0, description="what still fires is told again")]
    resolved_h: Annotated[float, Field(gt=0, description="how long what is over is still listed")]
    runbooks: Annotated[str, Field(description="the page that has a section a rule")]
    rules: dict[str, Threshold]
    delivery: Delivery
