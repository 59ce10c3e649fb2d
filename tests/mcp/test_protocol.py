from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jimbot.events import Event, EventError
from jimbot.mcp.protocol import (
    MAX_FRAME_BYTES,
    Ack,
    Error,
    decode_answer,
    encode_answer,
    encode_batch,
    encode_event,
    receive,
)

GOOD: dict[str, Any] = {
    "type": "MONEY_CHANGED",
    "source": "BalatroMCP",
    "event_id": "e1",
    "timestamp": 1700000000000,
    "version": 1,
    "payload": {"old_value": 4, "new_value": 7, "difference": 3},
}


def test_a_frame_is_one_event() -> None:
    received = receive(json.dumps(GOOD))
    assert received.events == [Event(**GOOD)]
    assert received.errors == []


def test_a_frame_is_a_batch() -> None:
    batch = {
        "batch_id": "b1",
        "events": [GOOD, GOOD | {"event_id": "e2"}],
        "source": "BalatroMCP",
        "timestamp": 1700000000000,
    }
    assert [e.event_id for e in receive(json.dumps(batch)).events] == ["e1", "e2"]
    assert receive('{"batch_id": "b", "events": []}') == ([], [], None)


def test_the_good_events_of_a_batch_survive_the_bad_ones() -> None:
    bad = [
        GOOD | {"event_id": "bad1", "type": "DANCE"},
        GOOD | {"event_id": "bad2", "version": 2},
        GOOD | {"event_id": "bad3", "payload": {}},
        "not even an object",
    ]
    received = receive(json.dumps({"batch_id": "b", "events": [GOOD, *bad]}))
    assert [e.event_id for e in received.events] == ["e1"]
    assert [(e.code, e.event_id) for e in received.errors] == [
        ("unknown_type", "bad1"),
        ("unsupported_version", "bad2"),
        ("invalid_event", "bad3"),
        ("invalid_event", None),
    ]
    assert received.errors[2].reason == "payload.old_value: Field required"


def test_the_mods_connection_test_calls_its_payload_data() -> None:
    frame = {"type": "connection_test", "source": "BalatroMCP", "data": {"hello": 1}}
    assert receive(json.dumps(frame)).events[0].payload == {"hello": 1}


REFUSED = {
    "nothing": ("", "not_json"),
    "prose": ("hello there", "not_json"),
    "cut off": (json.dumps(GOOD)[:-5], "not_json"),
    "two values": ("{}{}", "not_json"),
    "NaN": ('{"a": NaN}', "not_json"),
    "infinite": (json.dumps(GOOD).replace("1700000000000", "1e999"), "not_json"),
    "infinite payload": (json.dumps(GOOD).replace(": 7", ": 1e999"), "not_json"),
    "lone surrogate": ('{"a": "\\ud800"}', "not_json"),
    "too deep": ("[" * 5000 + "]" * 5000, "not_json"),
    "number without end": ('{"a": ' + "9" * 9000 + "}", "not_json"),
    "array": ("[]", "invalid_frame"),
    "string": ('"event"', "invalid_frame"),
    "null": ("null", "invalid_frame"),
    "binary": (json.dumps(GOOD).encode(), "invalid_frame"),
    "batch without id": ('{"events": []}', "invalid_frame"),
    "batch of an object": ('{"batch_id": "b", "events": {}}', "invalid_frame"),
    "batch and more": ('{"batch_id": "b", "events": [], "x": 1}', "invalid_frame"),
    "empty object": ("{}", "invalid_event"),
    "no type": (json.dumps({k: v for k, v in GOOD.items() if k != "type"}), "invalid_event"),
    "payload of a list": (json.dumps(GOOD | {"payload": []}), "invalid_event"),
    "unknown type": (json.dumps(GOOD | {"type": "DANCE"}), "unknown_type"),
    "version 2": (json.dumps(GOOD | {"version": 2}), "unsupported_version"),
    "too large": (json.dumps(GOOD | {"source": "x" * MAX_FRAME_BYTES}), "too_large"),
    "too large in bytes": ('"' + "\u20ac" * (MAX_FRAME_BYTES // 2) + '"', "too_large"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_and_under_which_code(name: str) -> None:
    frame, code = REFUSED[name]
    received = receive(frame)
    assert received.events == []
    (error,) = received.errors
    assert error.code == code
    assert error.reason
    assert "\n" not in error.reason


def test_a_frame_of_exactly_the_limit_is_read() -> None:
    frame = json.dumps(GOOD)
    assert receive(frame + " " * (MAX_FRAME_BYTES - len(frame))).errors == []
    assert receive(frame + " " * (MAX_FRAME_BYTES - len(frame) + 1)).errors[0].code == "too_large"


def test_answers_are_the_documented_frames() -> None:
    assert encode_answer(Ack(event_ids=["a", "b"])) == '{"type":"ack","event_ids":["a","b"]}'
    assert json.loads(encode_answer(Error(code="not_json", reason="r"))) == {
        "type": "error",
        "code": "not_json",
        "reason": "r",
    }
    assert json.loads(encode_answer(Error(code="c", reason="r", event_id="e")))["event_id"] == "e"
    for answer in Ack(event_ids=["a"]), Error(code="c", reason="r", event_id="e"):
        assert decode_answer(encode_answer(answer)) == answer


@pytest.mark.parametrize("frame", ["", "{}", "[]", '{"type":"hello"}', '{"type":"ack"}'])
def test_a_client_refuses_what_is_no_answer(frame: str) -> None:
    with pytest.raises(ValueError, match="validation error"):
        decode_answer(frame)


def test_a_payload_without_a_json_form_is_refused_before_it_is_sent() -> None:
    for value in float("nan"), float("inf"), object():
        with pytest.raises(EventError, match="cannot be written as JSON"):
            encode_event(Event(type="DIAGNOSTIC", source="x", payload={"a": value}))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)  # the machine is shared
@given(st.lists(st.dictionaries(st.text(), json_values, max_size=5), max_size=5))
def test_what_a_client_encodes_the_server_receives(payloads: list[dict[str, Any]]) -> None:
    events = [Event(type="DIAGNOSTIC", source="x", payload=payload) for payload in payloads]
    received = receive(encode_batch('b"1', [encode_event(event) for event in events]))
    assert received == (events, [], None)


@settings(deadline=None)  # the machine is shared
@given(st.text() | st.binary() | json_values.map(json.dumps))
def test_no_frame_breaks_the_parser(frame: str | bytes) -> None:
    received = receive(frame)
    assert received.events == [] or not received.errors
    for error in received.errors:
        decode_answer(encode_answer(error))


keys = st.sampled_from([*GOOD, "batch_id", "events", "data", "priority"])


@settings(deadline=None)  # the machine is shared
@given(st.dictionaries(keys, json_values | st.just("HEARTBEAT") | st.just([GOOD])))
def test_no_almost_right_frame_breaks_the_parser(frame: dict[str, Any]) -> None:
    received = receive(json.dumps(frame))
    assert received.events or received.errors or frame.get("events") == []
