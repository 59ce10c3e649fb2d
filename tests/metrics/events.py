"""Recorded events as the log gives them, for tests."""

from __future__ import annotations

from typing import Any

from jimbot.events import Event, Recorded
from jimbot.events.payloads import GAME_FINISHED, TRAINING_ITERATION, stream_of, validate

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


def other(position: int, kind: str, *, time: int = START, **payload: Any) -> Recorded:
    return recorded(position, Event(type=kind, source="x", timestamp=time, payload=payload))
