"""Which engine keeps what, and where it is: `[stores]` of the appliance table."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from jimbot.appliance.home import Home
from jimbot.errors import JimbotError


class SecretError(JimbotError):
    """A password that the table names cannot be read."""


Seconds = Annotated[float, Field(gt=0)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Engine(_Row):
    """`embedded`: a file in the home; `server`: what is at `address`.

    `user` and the file `password` ($VARIABLES; relative ones lie in the home) are for servers
    that ask.
    """

    engine: Literal["embedded", "server"] = "embedded"
    address: str = ""
    user: str = ""
    password: str = ""

    def secret(self, home: Home) -> str:
        """What the file `password` holds; empty where none is named.

        Raises:
            SecretError: it cannot be read.
        """
        if not self.password:
            return ""
        path = home.path / os.path.expandvars(self.password)
        try:
            return path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SecretError(
                f"cannot read the password of {self.user or self.address}: {error}",
                hint="Mend [stores] in the table, or put the secret there",
            ) from error


class Stores(_Row):
    """The three stores, and how long one waits for a server before it counts as away."""

    timeout_s: Seconds = 5
    breaker_failures: Annotated[int, Field(ge=1)] = 3
    breaker_open_s: Seconds = 10
    log: Engine = Engine()
    series: Engine = Engine()
    graph: Engine = Engine()


def stores() -> Stores:
    """The table's `[stores]`."""
    from jimbot.appliance.model import load

    return load().stores
