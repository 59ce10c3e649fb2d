from __future__ import annotations

from typing import Any

import pytest

from jimbot.events import Event, EventError, stream_of, validate
from jimbot.events.event import UnknownType, UnsupportedVersion, new_event_id, parse_event
from jimbot.events.payloads import PAYLOADS

FINISHED = {
    "game_id": "g1",
    "seed": "ALEEB",
    "deck": "Red",
    "stake": "White",
    "policy": "random",
    "won": False,
    "ante": 2,
    "round": 4,
    "best_hand": 1200.0,
    "money": -3,
    "actions": 31,
    "duration_ms": 4.5,
}

# One payload that each type of event takes.
GOOD: dict[str, dict[str, Any]] = {
    "GAME_STARTED": {k: FINISHED[k] for k in ("game_id", "seed", "deck", "stake", "policy")}
    | {"rules": "0.1.0"},
    "GAME_ACTION": {"game_id": "g1", "number": 0, "action": [0, 0, [1, 2]], "digest": "ab"},
    "GAME_FINISHED": FINISHED,
    "GAME_ABANDONED": {"game_id": "g1", "reason": "restarted", "actions": 3},
    "TRAINING_ITERATION": {"run": "r", "iteration": 1, "steps": 10, "games": 2, "loss": None},
    "TRAINING_EVALUATION": {
        "run": "r",
        "iteration": 20,
        "steps": 9000,
        "games": 40,
        "stake": "White",
        "mean_ante": 4.5,
        "mean_ante_low": 4.0,
        "mean_ante_high": 5.0,
        "win_rate": 0.1,
        "win_rate_low": 0.05,
        "win_rate_high": 0.2,
    },
    "CLAUDE_REQUEST": {
        "request_id": "r1",
        "model": "m",
        "purpose": "decision",
        "status": "ok",
        "questions": 2,
        "dollars": 0.01,
        "elapsed_ms": 700.0,
    },
    "STRATEGY_NOTE": {
        "note_id": "g1-0",
        "game_id": "g1",
        "subject": "Blueprint",
        "relation": "works_with",
        "object": "Baron",
        "claim": "It copies him.",
        "confidence": 0.5,
    },
    "connection_test": {"anything": "goes"},
    "HEARTBEAT": {"version": "1.2", "uptime": 5, "headless": True, "game_state": 7},
    "GAME_STATE": {
        "in_game": True,
        "game_id": "ALEEB",
        "ante": 1.0,
        "jokers": {},  # Lua's empty table
        "shop_items": [],
        "blind": {"name": "Small Blind"},
        "frame_count": 99,
    },
    "MONEY_CHANGED": {"old_value": 4, "new_value": 7, "difference": 3},
    "SCORE_CHANGED": {"old_chips": 0, "new_chips": 1e200, "old_mult": 1, "new_mult": 2.5},
    "HAND_PLAYED": {"hands_remaining": 3, "hand_number": 1},
    "CARDS_DISCARDED": {"discards_remaining": 2},
    "JOKERS_CHANGED": {"old_count": 0, "new_count": 1, "jokers": [{"name": "Joker"}]},
    "ROUND_CHANGED": {"ante": 1, "round": 2},
    "PHASE_CHANGED": {"old_phase": 5, "new_phase": "SHOP"},
    "ROUND_COMPLETE": {},
    "JOKER_TRIGGER": {"joker_name": "Joker", "context_type": "joker_main", "timestamp": 1},
    "DIAGNOSTIC": {"text": "hi"},
    "ERROR": {"message": "no"},
    "LEARNING_DECISION": {"action": "play_hand"},
}


def event(kind: str, payload: dict[str, Any]) -> Event:
    return Event(type=kind, source="test", payload=payload)


def test_every_type_has_an_example_here() -> None:
    assert GOOD.keys() == PAYLOADS.keys()


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_payload_passes(kind: str) -> None:
    validate(event(kind, GOOD[kind]))


@pytest.mark.parametrize("kind", GOOD)
def test_each_required_field_is_missed_by_its_path(kind: str) -> None:
    required = [name for name, f in PAYLOADS[kind].model_fields.items() if f.is_required()]
    for name in required:
        with pytest.raises(EventError, match=rf"^payload\.{name}: Field required$"):
            validate(event(kind, {k: v for k, v in GOOD[kind].items() if k != name}))


@pytest.mark.parametrize(
    ("kind", "change", "reason"),
    [
        ("GAME_FINISHED", {"game_id": "a b"}, "payload.game_id: "),
        ("GAME_FINISHED", {"ante": -1}, "payload.ante: "),
        ("GAME_FINISHED", {"best_hand": float("inf")}, "payload.best_hand: "),
        ("GAME_FINISHED", {"hands": {"Pair": "x"}}, "payload.hands.Pair: "),
        ("GAME_FINISHED", {"cheated": 1}, "payload.cheated: Extra inputs"),
        ("GAME_STATE", {"jokers": {"a": 1}}, "payload.jokers: "),
        ("GAME_STATE", {"shop_items": [1]}, "payload.shop_items: "),
        ("PHASE_CHANGED", {"new_phase": None}, "payload.new_phase"),
    ],
)
def test_wrong_fields_are_named(kind: str, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(EventError) as caught:
        validate(event(kind, GOOD[kind] | change))
    assert str(caught.value).startswith(reason)


def test_the_game_may_send_more_than_it_is_known_to() -> None:
    validate(event("HAND_PLAYED", GOOD["HAND_PLAYED"] | {"new_in_2_0": [1]}))


def test_an_unknown_type() -> None:
    with pytest.raises(UnknownType, match="unknown event type 'DANCE'"):
        validate(event("DANCE", {}))


def test_a_reason_is_one_short_line_whatever_the_sender_wrote() -> None:
    with pytest.raises(EventError) as caught:
        validate(event("GAME_FINISHED", FINISHED | {"x\nlevel=error" + "y" * 5000: 1}))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("payload", "stream"),
    [
        ({"game_id": "g-1_A"}, "game-g-1_A"),
        ({"game_id": "with space"}, "source-test"),
        ({"game_id": "g\n"}, "source-test"),
        ({"game_id": ""}, "source-test"),
        ({"game_id": 7}, "source-test"),
        ({}, "source-test"),
    ],
)
def test_stream_of(payload: dict[str, Any], stream: str) -> None:
    assert stream_of(event("DIAGNOSTIC", payload)) == stream


def test_the_envelope() -> None:
    value = {"type": "HEARTBEAT", "source": "mod", "event_id": "e", "timestamp": 5, "version": 1}
    parsed = parse_event({**value, "payload": {"a": 1}, "priority": "high"})
    assert (parsed.event_id, parsed.payload, parsed.priority) == ("e", {"a": 1}, "high")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "an event is a JSON object, this is an array"),
        (None, "an event is a JSON object, this is null"),
        (7, "an event is a JSON object, this is a number"),
        ({"source": "x"}, "type: Field required"),
        ({"type": "A B", "source": "x"}, "type: String should match"),
        ({"type": "A", "source": ""}, "source: String should have at least 1"),
        ({"type": "A", "source": "x\ny"}, "source: String should match"),
        ({"type": "A", "source": "x", "event_id": "a\nb"}, "event_id: String should match"),
        ({"type": "A", "source": "x", "event_id": "e" * 129}, "event_id: String should have at"),
        ({"type": "A", "source": "x", "timestamp": -1}, "timestamp: "),
        ({"type": "A", "source": "x", "timestamp": 1 << 53}, "timestamp: "),
        ({"type": "A", "source": "x", "version": "one"}, "version: "),
        ({"type": "A", "source": "x", "payload": []}, "payload: "),
        ({"type": "A", "source": "x", "extra": 1}, "extra: Extra inputs"),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason(value: object, reason: str) -> None:
    with pytest.raises(EventError) as caught:
        parse_event(value)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize("version", [0, 2, -1])
def test_another_version(version: int) -> None:
    with pytest.raises(UnsupportedVersion, match=f"version {version} is not spoken"):
        parse_event({"type": "A", "source": "x", "version": version})


def test_event_ids_are_unique_and_sort_by_time() -> None:
    ids = [new_event_id() for _ in range(5000)]
    assert len(set(ids)) == 5000
    assert [one[:12] for one in ids] == sorted(one[:12] for one in ids)
    Event.model_validate({"type": "A", "source": "x", "event_id": ids[0]})
