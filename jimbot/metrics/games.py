"""A finished game as the dashboard lists it, and games counted by what was in them."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["joker", "hand", "policy", "deck", "stake"]


class GameRow(NamedTuple):
    """The summary of one game; fields as in `jimbot.events.payloads.GameFinished`.

    `position` is its event's in the log, `time` when it ended (ms since 1970).
    """

    position: int
    time: int
    game_id: str
    source: str
    seed: str
    deck: str
    stake: str
    policy: str
    won: bool
    ante: int
    round: int
    best_hand: float
    money: int
    actions: int
    duration_ms: float
    jokers: tuple[str, ...]
    hands: dict[str, int]
    recorded: bool


class GameCount(NamedTuple):
    """Of the `games` with `key` in them (held at the end, or played), `wins` were won.

    `times` counts copies of a joker and plays of a hand; elsewhere it equals `games`.
    """

    key: str
    games: int
    wins: int
    times: int
