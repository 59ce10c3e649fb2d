"""Which engine keeps what, and where it is: `[stores]` of the appliance table."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from jimbot.appliance.home import Home
from jimbot.errors import JimbotError
from jimbot.security import errors as security
from jimbot.security import secrets


class SecretError(JimbotError):
    """A password that the table names cannot be read."""


Seconds = Annotated[float, Field(gt=0)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Engine(_Row):
    """`embedded`: a file in the home; `server`: what is at `address`.

    `user` and the file `password` ($VARIABLES; relative ones lie in the home) are for servers
    that ask. Whoever only reads goes by `reader` and `reader_password`, where those are set.
    """

    engine: Literal["embedded", "server"] = "embedded"
    address: str = ""
    user: str = ""
    password: str = ""
    reader: str = ""
    reader_password: str = ""

    def login(self, home: Home, *, read_only: bool) -> tuple[str, str]:
        """The user and the password to go by.

        Raises:
            SecretError: the password cannot be read.
        """
        if read_only and self.reader:
            return self.reader, self._secret(home, self.reader_password)
        return self.user, self.secret(home)

    def secret(self, home: Home) -> str:
        """What the file `password` holds; empty where none is named.

        Raises:
            SecretError: it cannot be read.
        """
        return self._secret(home, self.password)

    def _secret(self, home: Home, file: str) -> str:
        if not file:
            return ""
        path = home.path / os.path.expandvars(file)
        try:
            return secrets.read(path)
        except security.SecretError as error:
            raise SecretError(
                f"cannot read the password of {self.user or self.address}: {error.message}",
                hint=error.hint or "Mend [stores] in the table, or put the secret there",
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
