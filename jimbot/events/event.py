"""One event, in the form that the game's mod sends and the log keeps."""

from __future__ import annotations

import time
import uuid
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


def now_ms() -> int:
    """Milliseconds since 1970, the unit of every timestamp in JimBot."""
    return time.time_ns() // 1_000_000


def new_event_id() -> str:
    return uuid.uuid4().hex


class Event(BaseModel):
    """What happened, who saw it, and when.

    The envelope is the one of BalatroMCP; what `payload` must hold depends on `type`
    (`jimbot.events.payloads`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
    source: Annotated[str, Field(min_length=1, max_length=128)]
    event_id: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        default_factory=new_event_id
    )
    timestamp: Annotated[int, Field(ge=0, lt=1 << 53, description="milliseconds since 1970")] = (
        Field(default_factory=now_ms)
    )
    version: Annotated[int, Field(ge=1, le=1)] = 1
    priority: Annotated[str, Field(max_length=16)] | None = None
    payload: dict[str, Any] = Field(default_factory=dict)
