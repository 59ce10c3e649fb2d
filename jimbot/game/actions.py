"""What a player can do, and when."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from jimbot.game.errors import IllegalAction


class Phase(IntEnum):
    """What the game waits for."""

    BLIND_SELECT = 0
    SELECTING_HAND = 1
    ROUND_EVAL = 2
    SHOP = 3
    PACK = 4
    GAME_OVER = 5


class ActionKind(IntEnum):
    """The kinds of action; `Action` says what index and cards mean for each."""

    PLAY = 0
    DISCARD = 1
    SELECT_BLIND = 2
    SKIP_BLIND = 3
    REROLL_BOSS = 4
    CASH_OUT = 5
    BUY_CARD = 6
    BUY_AND_USE = 7
    BUY_VOUCHER = 8
    BUY_PACK = 9
    REROLL = 10
    LEAVE_SHOP = 11
    SELL_JOKER = 12
    SELL_CONSUMABLE = 13
    USE_CONSUMABLE = 14
    PICK_PACK = 15
    SKIP_PACK = 16
    MOVE_JOKER = 17
    MOVE_CARD = 18
    SORT_HAND = 19


class Action(NamedTuple):
    """One action.

    PLAY and DISCARD take `cards`, places in the hand. BUY_* take `index`, a place on the shelf;
    SELL_*, USE_CONSUMABLE and PICK_PACK a place among jokers, consumables or the pack's cards, the
    last two with the `cards` of the hand that they act on. MOVE_JOKER and MOVE_CARD take a thing
    from `index` to `cards[0]`. SORT_HAND sorts by rank (index 0) or by suit (index 1).
    """

    kind: ActionKind
    index: int = 0  # type: ignore[assignment]  # shadows tuple.index on purpose
    cards: tuple[int, ...] = ()

    def to_json(self) -> list[object]:
        return [int(self.kind), self.index, list(self.cards)]

    @staticmethod
    def from_json(data: object) -> Action:
        if (
            isinstance(data, (list, tuple))
            and len(data) == 3
            and type(data[0]) is int
            and 0 <= data[0] < len(ActionKind)
            and type(data[1]) is int
            and isinstance(data[2], (list, tuple))
            and all(type(card) is int for card in data[2])
        ):
            return Action(ActionKind(data[0]), data[1], tuple(data[2]))
        raise IllegalAction(f"{data!r:.80} is not an action", hint="It is [kind, index, [cards]]")
