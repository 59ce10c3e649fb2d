"""Recorded events as the log gives them, for tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from jimbot.events import Event, Recorded
from jimbot.events.payloads import (
    CLAUDE_REQUEST,
    GAME_FINISHED,
    STRATEGY_NOTE,
    TRAINING_ITERATION,
    stream_of,
    validate,
)

START = 1_700_000_000_000 - 1_700_000_000_000 % 3_600_000


def recorded(position: int, event: Event) -> Recorded:
    return Recorded(position, stream_of(event), 0, event)


def game(position: int, *, time: int = START, **fields: Any) -> Recorded:
    payload = {
        "game_id": f"g{position}",
        "seed": "ABCD1234",
        "deck": "Red",
        "stake": "White",
        "policy": "heuristic",
        "won": False,
        "ante": 3,
        "round": 7,
        "best_hand": 1200.0,
        "money": 11,
        "actions": 90,
        "duration_ms": 40.5,
        "jokers": ["j_joker", "j_greedy_joker"],
        "hands": {"Pair": 3, "Flush": 2},
        **fields,
    }
    event = Event(type=GAME_FINISHED, source="worker-1", timestamp=time, payload=payload)
    validate(event)
    return recorded(position, event)


def iteration(position: int, *, time: int = START, **fields: Any) -> Recorded:
    payload = {"run": "r1", "iteration": position, "steps": 4000, "games": 12, **fields}
    event = Event(type=TRAINING_ITERATION, source="trainer", timestamp=time, payload=payload)
    validate(event)
    return recorded(position, event)


def request(position: int, *, time: int = START, **fields: Any) -> Recorded:
    payload = {
        "request_id": f"r{position}",
        "model": "claude-sonnet-5-5",
        "purpose": "decision",
        "status": "ok",
        "questions": 1,
        "input_tokens": 1000,
        "output_tokens": 100,
        "cache_read_tokens": 500,
        "dollars": 0.003,
        "elapsed_ms": 900.0,
        **fields,
    }
    event = Event(type=CLAUDE_REQUEST, source="claude", timestamp=time, payload=payload)
    validate(event)
    return recorded(position, event)


def note(position: int, *, time: int = START, **fields: Any) -> Recorded:
    payload = {
        "note_id": f"n{position}",
        "game_id": "g1",
        "subject": "Blueprint",
        "relation": "works_with",
        "object": "Baron",
        "claim": "Copying Baron beats a third additive joker.",
        "confidence": 0.7,
        **fields,
    }
    event = Event(type=STRATEGY_NOTE, source="claude", timestamp=time, payload=payload)
    validate(event)
    return recorded(position, event)


def other(position: int, kind: str, *, time: int = START, **payload: Any) -> Recorded:
    return recorded(position, Event(type=kind, source="x", timestamp=time, payload=payload))


def anything() -> SearchStrategy[Recorded]:
    """Events whose payloads nobody checked: nearly right, or not at all."""
    whole = st.integers() | st.integers(-3, 9)
    text = st.text(max_size=5) | st.sampled_from(["\x00", "\ud800", "a'b\"{}", "j_joker", ""])
    field = st.one_of(
        st.none(), st.booleans(), whole, st.floats(), text, st.lists(text, max_size=4)
    )
    finished = st.fixed_dictionaries(
        {
            **dict.fromkeys(("seed", "deck", "stake", "policy"), text),
            **dict.fromkeys(("ante", "round", "money", "actions"), whole),
            "game_id": st.just("g1") | text,
            "won": st.booleans(),
            "best_hand": st.floats() | st.floats(0, 1e300),
            "duration_ms": st.floats(0, 1e300),
            "jokers": st.lists(text, max_size=4),
            "hands": st.dictionaries(text, whole, max_size=3),
        }
    )
    iteration = st.fixed_dictionaries(
        {"run": text, "iteration": whole, "steps": whole, "games": whole, "loss": st.floats()}
    )
    broken = st.dictionaries(st.sampled_from(["game_id", "won", "run", "jokers"]), field)
    payload = st.one_of(finished, iteration, broken)
    event = st.builds(
        Event.model_construct,
        type=st.sampled_from([GAME_FINISHED, TRAINING_ITERATION]),
        source=st.just("x"),
        event_id=st.just("x"),
        timestamp=st.integers(0, (1 << 53) - 1),
        version=st.just(1),
        priority=st.none(),
        payload=payload,
    )
    return st.builds(Recorded, st.just(0), st.just("s"), st.just(0), event)
