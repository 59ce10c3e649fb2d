"""The messages of a session besides events: what each holds, and the schemas made from them.

Version 1 of the protocol. A field is only ever added, with a default; anything else is another
version. `python -m jimbot.mcp.messages DIRECTORY` writes the JSON Schemas of docs/schema.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from jimbot.events.event import Event
from jimbot.events.payloads import GameId

PROTOCOL: Final = 1

Capability = Literal["events", "subscribe", "decisions"]
Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
Code = Literal[
    "not_json",
    "invalid_frame",
    "invalid_event",
    "unsupported_version",
    "unknown_type",
    "too_large",
    "storage_unavailable",
    "invalid_message",
    "out_of_order",
    "unauthorised",
    "no_decision",
]

CODES: Final[tuple[str, ...]] = get_args(Code)


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


# What a client says.


class Hello(_Message):
    """Begins a session, or goes on with one after a dropped connection. The first message."""

    type: Literal["hello"] = "hello"
    protocol: Annotated[int, Field(description="the version of this protocol: 1")]
    client: Annotated[Name, Field(description="who this is, for people")]
    capabilities: Annotated[
        list[Capability], Field(max_length=8, description="what the client will use")
    ] = ["events"]
    session: Annotated[Name, Field(description="of the welcome, to go on with it")] | None = None
    token: Annotated[str, Field(max_length=512, description="where tokens are on")] | None = None


class Subscribe(_Message):
    """Asks for the log's events as they are stored; a second one replaces the first."""

    type: Literal["subscribe"] = "subscribe"
    types: Annotated[
        list[Annotated[str, Field(max_length=64)]] | None,
        Field(max_length=64, description="only these types of event; all when null"),
    ] = None
    after: Annotated[
        int | None,
        Field(ge=0, description="begin after this position; where the session was when null"),
    ] = None


class Unsubscribe(_Message):
    type: Literal["unsubscribe"] = "unsubscribe"


class Decide(_Message):
    """Asks for a decision."""

    type: Literal["decide"] = "decide"
    request_id: Name
    state: Annotated[
        dict[str, Any], Field(description="GameState of the OpenRPC document of BalatroBot")
    ]
    deadline_ms: Annotated[int, Field(ge=5, le=60_000)] = 40
    alternatives: Annotated[
        int, Field(ge=0, le=1000, description="how many other legal actions to list at most")
    ] = 16
    pack: Annotated[
        str, Field(max_length=64, description="key of the pack that was opened last")
    ] = ""
    game_id: Annotated[
        GameId | None,
        Field(description="the game's, as in its events; told apart by the seed when null"),
    ] = None


class Heartbeat(_Message):
    """Says that the sender lives; from either side, whenever it likes."""

    type: Literal["heartbeat"] = "heartbeat"


# What the server says.


class Welcome(_Message):
    """Answers a hello."""

    type: Literal["welcome"] = "welcome"
    protocol: int = PROTOCOL
    session: str
    resumed: Annotated[bool, Field(description="the session was known; false is a new one")]
    last_event_id: Annotated[
        str | None,
        Field(description="the last event acknowledged in it: send again what came after"),
    ] = None
    capabilities: Annotated[list[Capability], Field(description="what the server grants")]
    heartbeat_s: Annotated[float, Field(description="the server says something at least so often")]
    flush_ms: Annotated[int, Field(description="events of a subscription come this often")]
    max_frame_bytes: int


class Ack(_Message):
    """These events are stored durably; the order is the one in which they came."""

    type: Literal["ack"] = "ack"
    event_ids: list[str]


class Error(_Message):
    """Something was refused; with an `event_id` that event, with a `request_id` that request.

    `storage_unavailable` refuses nothing: the server keeps what it was sent, goes on trying, and
    acknowledges when it succeeds.
    """

    type: Literal["error"] = "error"
    code: Annotated[
        str, Field(description="further ones may come", json_schema_extra={"examples": [*CODES]})
    ]
    reason: str
    event_id: str | None = None
    request_id: str | None = None


class Stored(_Message):
    """An event and its place in the log."""

    position: int
    event: Event


class Events(_Message):
    """What a subscription's last `flush_ms` brought, in order; nothing between is left out."""

    type: Literal["events"] = "events"
    last: Annotated[int, Field(description="subscribe after this to go on")]
    events: list[Stored]


class Move(_Message):
    """One action, as BalatroBot's interface names it."""

    method: str
    params: dict[str, Any]


class Decision(_Message):
    """What to do in the state of a `decide`."""

    type: Literal["decision"] = "decision"
    request_id: str
    action: Move
    source: Annotated[
        Literal["policy", "claude", "fallback"],
        Field(
            description="claude: its advice, fresh or remembered; fallback: the policy failed, or"
            " did not answer in time"
        ),
    ]
    policy: str
    confidence: Annotated[float, Field(ge=0, le=1)]
    asked_claude: bool
    alternatives: Annotated[list[Move], Field(description="other legal actions, the first of them")]
    alternatives_total: int
    took_ms: float


SAID_BY_CLIENT: Final[dict[str, type[BaseModel]]] = {
    "hello": Hello,
    "subscribe": Subscribe,
    "unsubscribe": Unsubscribe,
    "decide": Decide,
    "heartbeat": Heartbeat,
}
SAID_BY_SERVER: Final[dict[str, type[BaseModel]]] = {
    "welcome": Welcome,
    "ack": Ack,
    "error": Error,
    "events": Events,
    "decision": Decision,
    "heartbeat": Heartbeat,
}


def schemas() -> dict[str, dict[str, Any]]:
    """A JSON Schema a message, by the file that holds it."""
    models: dict[str, type[BaseModel]] = {**SAID_BY_CLIENT, **SAID_BY_SERVER, "event": Event}
    found = {}
    for name, model in sorted(models.items()):
        schema = model.model_json_schema()
        found[f"{name}.v{PROTOCOL}.json"] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$comment": "Made from jimbot/mcp/messages.py; do not change it here.",
            **schema,
        }
    return found


def write_schemas(directory: Path) -> None:
    for name, schema in schemas().items():
        (directory / name).write_text(json.dumps(schema, indent=1) + "\n")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
