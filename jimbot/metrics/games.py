"""A finished game as the dashboard lists it, and games counted by what was in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from jimbot.events.payloads import GameFinished

Kind = Literal["joker", "hand", "policy", "deck", "stake"]

_LARGEST = 1 << 53  # the whole numbers that JSON's readers and every engine agree on


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


def parse_game(payload: Mapping[str, Any]) -> GameFinished:
    """A finished game out of an event, such that every store can hold it.

    Raises:
        ValueError: a field is missing or wrong, or is a number or a text that no store holds. The
            log may have it nevertheless: JSON knows larger numbers, and halves of characters.
    """
    game = GameFinished.model_validate(payload)
    whole = (game.ante, game.round, game.money, game.actions, *game.hands.values())
    if any(abs(number) > _LARGEST for number in whole):
        raise ValueError("a number that no store holds")
    texts = (game.game_id, game.seed, game.deck, game.stake, game.policy)
    "".join((*texts, *game.jokers, *game.hands)).encode()  # UnicodeEncodeError is a ValueError
    return game
