"""Which engine keeps what, and where it is: `[stores]` of the appliance table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Engine(_Row):
    """`embedded`: a file in the home; `server`: what is at `address`.

    `user` and the file `password` (with $VARIABLES; may be absent) are for servers that ask.
    """

    engine: Literal["embedded", "server"] = "embedded"
    address: str = ""
    user: str = ""
    password: str = ""


class Stores(_Row):
    """The three stores, and how long one waits for a server before it counts as away."""

    timeout_s: Seconds = 5
    breaker_failures: Annotated[int, Field(ge=1)] = 3
    breaker_open_s: Seconds = 10
    log: Engine = Engine()
    series: Engine = Engine()
    graph: Engine = Engine()


def stores() -> Stores:
    """The table's `[stores]`; all embedded where it has none."""
    from jimbot.appliance.model import load

    found: Stores = getattr(load(), "stores", Stores())
    return found
