"""Who gets in, and how: `[security]` of the appliance table."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress, model_validator

from jimbot.appliance.home import Home, expand

Seconds = Annotated[float, Field(gt=0)]
Files = Annotated[tuple[str, ...], Field(description="$VARIABLES; relative ones lie in the home")]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tls(_Row):
    """The certificate, with its chain, and its key, as PEM: of each the first file that exists."""

    certificates: Files
    keys: Files
    minimum: Literal["1.2", "1.3"]
    look_s: Annotated[Seconds, Field(description="between two looks for a renewed certificate")]


class Security(_Row):
    """`listen` is the address of mcp's WebSocket for games on other machines: one of this
    machine's, or 0.0.0.0 for all. It always speaks TLS and asks for tokens; loopback, which is
    there in any case, does not speak TLS, and asks for tokens once there are some.
    """

    listen: IPvAnyAddress
    origins: Annotated[tuple[str, ...], Field(description="of pages that may open the WebSocket")]
    tokens: Annotated[Files, Field(min_length=1, description="all that exist count")]
    failures: Annotated[int, Field(ge=1, description="of an address, until it has to wait")]
    lockout_first_s: Seconds
    lockout_limit_s: Seconds
    session_hours: Annotated[float, Field(gt=0, description="that a login to the dashboard holds")]
    tls: Tls

    @model_validator(mode="after")
    def _is_closed(self) -> Self:
        if self.exposed and not (self.tls.certificates and self.tls.keys):
            raise ValueError(
                f"mcp would listen on {self.listen} without TLS: name certificates and keys in"
                " [security.tls], or listen on 127.0.0.1"
            )
        return self

    @property
    def exposed(self) -> bool:
        """Whether other machines reach mcp."""
        return not ipaddress.ip_address(str(self.listen)).is_loopback

    def token_files(self, home: Home) -> list[Path]:
        """Where tokens are kept; the last is the one that commands write."""
        return _paths(self.tokens, home)

    def certificate(self, home: Home) -> Path | None:
        """The certificate's file; where it would have to be if there is none."""
        return _first(_paths(self.tls.certificates, home))

    def key(self, home: Home) -> Path | None:
        """The key's file, likewise."""
        return _first(_paths(self.tls.keys, home))


def _first(paths: list[Path]) -> Path | None:
    return next((path for path in paths if path.exists()), paths[-1] if paths else None)


def _paths(files: tuple[str, ...], home: Home) -> list[Path]:
    return [home.path / found for file in files if (found := expand(file))]
