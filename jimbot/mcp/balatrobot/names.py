"""BalatroBot's words for things, and the numbers by which `jimbot.game` knows them.

What is written is version 1's (`RED`, `HOLO`, `BONUS`); what is read may be version 2's as well
(`b_red`, `e_holo`, `m_bonus`, `Red`).
"""

from __future__ import annotations

from typing import Final

from jimbot.errors import JimbotError
from jimbot.game.catalogue import DECKS, STAKES


class UnknownName(JimbotError):
    """The game shows something that JimBot does not know, from a mod perhaps."""


SUITS: Final = ("S", "H", "C", "D")
RANKS: Final = ("2", "3", "4", "5", "6", "7", "8", "9", "T", "J", "Q", "K", "A")
EDITIONS: Final = ("", "FOIL", "HOLO", "POLYCHROME", "NEGATIVE")
SEALS: Final = ("", "GOLD", "RED", "BLUE", "PURPLE")
ENHANCEMENTS: Final = ("", "BONUS", "MULT", "WILD", "GLASS", "STEEL", "STONE", "GOLD", "LUCKY")
DECK_NAMES: Final = tuple(deck.upper() for deck in DECKS)
STAKE_NAMES: Final = tuple(stake.upper() for stake in STAKES)
BLIND_STATUS: Final = ("UPCOMING", "SELECT", "CURRENT", "DEFEATED", "SKIPPED")
BLIND_SLOTS: Final = ("small", "big", "boss")
# The states of an open pack: what the mod says since Steamodded replaced the game's own.
PACK_OPEN: Final = "SMODS_BOOSTER_OPENED"
PACK_STATES: Final = frozenset(
    (PACK_OPEN, "TAROT_PACK", "PLANET_PACK", "SPECTRAL_PACK", "STANDARD_PACK", "BUFFOON_PACK")
)

_PREFIXES: Final = ("E_", "M_", "B_", "STAKE_")


def number(names: tuple[str, ...], word: object) -> int:
    """The place of a word in one of the lists above; 0 for None where 0 is "none".

    Raises:
        UnknownName: it is not in the list.
    """
    if word is None and names[0] == "":
        return 0
    text = str(word).upper().removesuffix(" SEAL")
    for prefix in _PREFIXES:
        text = text.removeprefix(prefix)
    if text == "HOLOGRAPHIC":
        text = "HOLO"
    if text == "10" and names is RANKS:
        text = "T"
    if text in names:
        return names.index(text)
    raise UnknownName(
        f"the game shows {word!r:.60}, which is none of {', '.join(filter(None, names))}",
        hint="JimBot plays the game without content mods",
    )


def card_key(suit: int, rank: int) -> str:
    """A playing card's key, e.g. `H_A`; `rank` is 2 to 14."""
    return f"{SUITS[suit]}_{RANKS[rank - 2]}"


def read_card_key(key: str) -> tuple[int, int] | None:
    """Suit and rank of a key like `H_A`; None when it is none."""
    if len(key) == 3 and key[1] == "_" and key[0] in SUITS and key[2] in RANKS:
        return SUITS.index(key[0]), RANKS.index(key[2]) + 2
    return None


def pack_key(key: str) -> str:
    """The catalogue's key of a pack: the game has several pictures of one, `…_normal_3`."""
    stem, _, variant = key.rpartition("_")
    return stem if variant.isdigit() else key
