"""The WebSocket protocol, without a socket: frames of text in, events and answers out.

A client's frame is one event, or a batch `{batch_id, events, source?, timestamp?}`. The server
answers `{"type": "ack", "event_ids": [...]}` once events are durable, and `{"type": "error",
"code", "reason", "event_id"?}` for what it refuses; neither ends the connection. docs/mcp.md has
the whole of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from jimbot.events.event import Event, EventError, first_problem, parse_event
from jimbot.events.payloads import validate
from jimbot.mcp.messages import SAID_BY_CLIENT, Ack, Code, Error, Heartbeat, Welcome

__all__ = ["MAX_FRAME_BYTES", "Ack", "Error", "Received", "receive"]

MAX_FRAME_BYTES = 1 << 20

Answer = Ack | Error | Heartbeat | Welcome
_ANSWER: TypeAdapter[Answer] = TypeAdapter(Annotated[Answer, Field(discriminator="type")])


class Received(NamedTuple):
    """What one frame held: events to store in order, an error for each refused one, or a message
    of the session (`jimbot.mcp.messages`)."""

    events: list[Event]
    errors: list[Error]
    message: BaseModel | None = None


class _Batch(BaseModel):
    model_config = ConfigDict(extra="forbid")

    batch_id: Annotated[str, Field(min_length=1, max_length=128)]
    events: list[Any]
    source: Annotated[str, Field(max_length=128)] | None = None
    timestamp: Annotated[int, Field(ge=0)] | None = None


def receive(frame: str | bytes) -> Received:
    """What a client's frame holds. Never raises: whatever is wrong is in `errors`."""
    if isinstance(frame, bytes):
        return _refused("invalid_frame", "send text frames: this one is binary")
    size = len(frame.encode())
    if size > MAX_FRAME_BYTES:
        return _refused("too_large", f"a frame holds {MAX_FRAME_BYTES} bytes, this one {size}")
    try:
        value = from_json(frame, allow_inf_nan=False, cache_strings="keys")
        # Some text is read as what cannot be written again (1e999): better refused than kept.
        json.dumps(value, allow_nan=False)
    except ValueError as error:
        return _refused("not_json", str(error))
    if not isinstance(value, dict):
        return _refused("invalid_frame", "a frame is a JSON object: an event or a batch")
    if "events" not in value:
        kind = value.get("type")
        if isinstance(kind, str) and kind in SAID_BY_CLIENT:
            return _receive_message(kind, value)
        return _receive_events([value])
    try:
        batch = _Batch.model_validate(value)
    except ValidationError as error:
        return _refused("invalid_frame", first_problem(error))
    return _receive_events(batch.events)


def _receive_message(kind: str, value: dict[str, Any]) -> Received:
    try:
        return Received([], [], SAID_BY_CLIENT[kind].model_validate(value))
    except ValidationError as error:
        request_id = value.get("request_id")
        refused = Error(
            code="invalid_message",
            reason=first_problem(error, within=kind),
            request_id=request_id[:128] if isinstance(request_id, str) else None,
        )
        return Received([], [refused])


def encode_event(event: Event) -> str:
    """The event as JSON text, for a frame of its own or for `encode_batch`.

    Raises:
        EventError: its payload has no JSON form.
    """
    try:
        return json.dumps(
            event.model_dump(exclude_none=True), separators=(",", ":"), allow_nan=False
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise EventError(f"event {event.event_id} cannot be written as JSON: {error}") from None


def encode_batch(batch_id: str, events: Sequence[str]) -> str:
    """A batch's frame from events that `encode_event` encoded."""
    return f'{{"batch_id":{json.dumps(batch_id)},"events":[{",".join(events)}]}}'


def encode_answer(answer: BaseModel) -> str:
    return answer.model_dump_json(exclude_none=True)


def decode_answer(frame: str | bytes) -> Answer:
    """What the server said.

    Raises:
        ValueError: this is no answer of ours.
    """
    return _ANSWER.validate_json(frame)


def _receive_events(values: Sequence[object]) -> Received:
    events: list[Event] = []
    errors: list[Error] = []
    for value in values:
        try:
            event = parse_event(_with_payload(value))
            validate(event)
        except EventError as error:
            errors.append(
                Error(
                    code=error.code,
                    reason=error.message,
                    event_id=_event_id_of(value),
                )
            )
        else:
            events.append(event)
    return Received(events, errors)


def _with_payload(value: object) -> object:
    # The mod's connection_test calls its payload `data`.
    if isinstance(value, dict) and value.get("type") == "connection_test" and "data" in value:
        return {"payload": value["data"] or {}} | {k: v for k, v in value.items() if k != "data"}
    return value


def _event_id_of(value: object) -> str | None:
    event_id = value.get("event_id") if isinstance(value, dict) else None
    return event_id if isinstance(event_id, str) and len(event_id) <= 128 else None


def _refused(code: Code, reason: str) -> Received:
    return Received([], [Error(code=code, reason=reason)])
