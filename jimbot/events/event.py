"""One event, in the form that the game's mod sends and the log keeps."""

from __future__ import annotations

import os
import time
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jimbot.errors import JimbotError

VERSION = 1

# No control characters: identifiers end up in log lines, stream names and files of one id a line.
_IDENTIFIER = r"^[^\x00-\x1f\x7f]+$"


class EventError(JimbotError):
    """Something that is not a valid event; `code` is what the wire calls the reason."""

    code = "invalid_event"


class UnsupportedVersion(EventError):
    """The envelope has a version that this JimBot does not speak."""

    code = "unsupported_version"


class UnknownType(EventError):
    """No model describes this type's payload (`jimbot.events.payloads.PAYLOADS`)."""

    code = "unknown_type"


def now_ms() -> int:
    """Milliseconds since 1970, the unit of every timestamp in JimBot."""
    return time.time_ns() // 1_000_000


def new_event_id() -> str:
    """A unique id of 32 hex digits that begins with the time.

    Ids made one after the other sort beside each other, so the log's index of ids grows at its
    end instead of touching a random page per event.
    """
    return f"{now_ms():012x}{os.urandom(10).hex()}"


class Event(BaseModel):
    """What happened, who saw it, and when.

    The envelope is the one of BalatroMCP; what `payload` must hold depends on `type`
    (`jimbot.events.payloads`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
    source: Annotated[str, Field(min_length=1, max_length=128, pattern=_IDENTIFIER)]
    event_id: Annotated[str, Field(min_length=1, max_length=128, pattern=_IDENTIFIER)] = Field(
        default_factory=new_event_id
    )
    timestamp: Annotated[int, Field(ge=0, lt=1 << 53, description="milliseconds since 1970")] = (
        Field(default_factory=now_ms)
    )
    version: Annotated[int, Field(ge=VERSION, le=VERSION)] = VERSION
    priority: Annotated[str, Field(max_length=16)] | None = None
    payload: dict[str, Any] = Field(default_factory=dict)


def parse_event(value: object) -> Event:
    """The event that a decoded JSON value holds; its payload is not looked into.

    Raises:
        UnsupportedVersion: it has another version.
        EventError: it is not an event; the message names the field.
    """
    if not isinstance(value, dict):
        raise EventError(f"an event is a JSON object, this is {_kind(value)}")
    version = value.get("version", VERSION)
    if isinstance(version, int) and version != VERSION:
        raise UnsupportedVersion(f"version {version} is not spoken here, only {VERSION}")
    try:
        return Event.model_validate(value)
    except ValidationError as error:
        raise EventError(first_problem(error)) from None


def first_problem(error: ValidationError, *, within: str = "") -> str:
    """The first thing that a validation found wrong, as one short line `path: what`."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(
        str(part) for part in ((within, *problem["loc"]) if within else problem["loc"])
    )
    # A path holds the sender's own keys: escaped and cut, so that a reason stays one line.
    where = where.encode("unicode_escape").decode()[:120]
    return f"{where}: {problem['msg']}" if where else problem["msg"]


def _kind(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
