"""The table of what consumables do; `tarots.py` and `spectrals.py` fill it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from jimbot.game.catalogue import CONSUMABLE_BY_KEY, CONSUMABLES

if TYPE_CHECKING:
    from jimbot.game.state import State

# What using does, with the places in the hand that it acts on, left to right.
UseHook: TypeAlias = "Callable[[State, list[int]], None]"
# Whether it can be used now; `freed` slots come free by using it.
AbleHook: TypeAlias = "Callable[[State, int], bool]"


class Use:
    """What one consumable does.

    Attributes:
        least, most: how many cards of the hand it acts on.
        able: whether it can be used besides, or None when always.
        run: what it does.
    """

    __slots__ = ("able", "least", "most", "run")

    def __init__(self) -> None:
        self.least = 0
        self.most = 0
        self.able: AbleHook | None = None
        self.run: UseHook | None = None


USES: Final[list[Use]] = [Use() for _ in CONSUMABLES]


def use(
    key: str, least: int = 0, most: int = 0, able: AbleHook | None = None
) -> Callable[[UseHook], UseHook]:
    """Registers what a consumable does."""

    def register(run: UseHook) -> UseHook:
        entry = USES[CONSUMABLE_BY_KEY[key]]
        entry.least = least
        entry.most = most
        entry.able = able
        entry.run = run
        return run

    return register
