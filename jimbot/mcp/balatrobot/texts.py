"""What the cards' texts say beyond their keys: how far a joker has grown, what it looks for.

The interface has no fields for this; a player reads it on the card, and so does `read_joker`.
"""

from __future__ import annotations

import re
from typing import Final

from jimbot.game import Card, Joker, Run
from jimbot.game.catalogue import ENHANCEMENTS, JOKER_BY_KEY, JOKERS, RANKS, SUITS
from jimbot.game.hands import HAND_NAMES

# Jokers with "(Currently …)" at the end of their text, and how that is written.
_CURRENTLY: Final = {
    JOKER_BY_KEY[key]: form
    for form, keys in {
        "+{:g} Mult": (
            "j_ceremonial",
            "j_ride_the_bus",
            "j_green_joker",
            "j_red_card",
            "j_flash",
            "j_trousers",
        ),
        "+{:g} Chips": ("j_runner", "j_square", "j_castle", "j_wee"),
        "X{:g} Mult": (
            "j_constellation",
            "j_madness",
            "j_vampire",
            "j_hologram",
            "j_obelisk",
            "j_lucky_cat",
            "j_campfire",
            "j_glass",
            "j_hit_the_road",
            "j_caino",
            "j_yorick",
        ),
    }.items()
    for key in keys
}
# Jokers whose first number is what they have grown or shrunk to.
_FIRST_NUMBER: Final = frozenset(
    JOKER_BY_KEY[key]
    for key in ("j_ice_cream", "j_popcorn", "j_ramen", "j_turtle_bean", "j_rocket")
)
_LOYALTY: Final = JOKER_BY_KEY["j_loyalty_card"]
_SELTZER: Final = JOKER_BY_KEY["j_selzer"]
_YORICK: Final = JOKER_BY_KEY["j_yorick"]
_INVISIBLE: Final = JOKER_BY_KEY["j_invisible"]
_TODO: Final = JOKER_BY_KEY["j_todo_list"]
_IDOL: Final = JOKER_BY_KEY["j_idol"]
_MAIL: Final = JOKER_BY_KEY["j_mail"]
_ANCIENT: Final = JOKER_BY_KEY["j_ancient"]
_CASTLE: Final = JOKER_BY_KEY["j_castle"]
_FORTUNE: Final = JOKER_BY_KEY["j_fortune_teller"]
_THROWBACK: Final = JOKER_BY_KEY["j_throwback"]

_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_NOW: Final = re.compile(r"Currently\s*[+X$]*\s*(\d+(?:\.\d+)?)", re.IGNORECASE)
_BRACKETED: Final = re.compile(r"\[(\d+)\]")
_SUIT: Final = re.compile(r"\b(Spade|Heart|Club|Diamond)s?\b", re.IGNORECASE)
_RANK: Final = re.compile(rf"\b({'|'.join(RANKS)})s?\b")
_FACE: Final = re.compile(rf"\b({'|'.join(RANKS)}) of ({'|'.join(SUITS)})\b")
_EXTRA: Final = re.compile(r"\+(\d+) extra chips", re.IGNORECASE)
_CHIPS: Final = (*range(2, 11), 10, 10, 10, 11)


def joker_text(run: Run, joker: Joker) -> str:
    """A joker's text as it stands now."""
    kind = joker.kind
    text = JOKERS[kind].text
    if kind in _FIRST_NUMBER:
        return _NUMBER.sub(f"{joker.value:g}", text, count=1)
    if kind == _LOYALTY:
        left = (5 - (run.stats.hands_played - joker.count)) % 6
        return f"{text}, {left} remaining" if left else f"{text}, Active!"
    if kind == _SELTZER:
        return f"Retriggers all played cards for the next {joker.count} hands"
    if kind == _INVISIBLE:
        return f"{text} (Currently {min(joker.count, 2)}/2)"
    if kind == _TODO:
        return f"Earn $4 if the poker hand is a {HAND_NAMES[joker.hand]}, changes every round"
    if kind == _IDOL:
        face = f"{RANKS[run.idol_rank - 2]} of {SUITS[run.idol_suit]}"
        return f"Each played {face} gives X2 Mult when scored, changes every round"
    if kind == _MAIL:
        return f"Earn $5 for each discarded {RANKS[run.mail_rank - 2]}, changes every round"
    if kind == _ANCIENT:
        suit = SUITS[max(run.ancient_suit, 0)]
        return f"Each played card of {suit} gives X1.5 Mult, changes every round"
    if kind == _CASTLE:
        suit = SUITS[run.castle_suit]
        return f"Gains +3 Chips per discarded {suit} card (Currently +{joker.value:g} Chips)"
    if kind == _FORTUNE:
        return f"{text} (Currently +{run.stats.tarots_used} Mult)"
    if kind == _THROWBACK:
        return f"{text} (Currently X{1 + 0.25 * run.stats.skips:g} Mult)"
    if kind == _YORICK:
        return f"{text} [{joker.count}] (Currently X{joker.value:g} Mult)"
    if kind in _CURRENTLY:
        return f"{text} (Currently {_CURRENTLY[kind].format(joker.value)})"
    return text


def read_joker(run: Run, joker: Joker, text: str) -> None:
    """Set what a joker's text tells, on the joker and on the run; a text without it sets nothing.

    Needs the run's `hand_levels`, for the hands played so far.
    """
    kind = joker.kind
    now = _NOW.search(text)
    if kind in _CURRENTLY:
        if now:
            joker.value = float(now[1])
        if kind == _YORICK and (left := _BRACKETED.search(text)):
            joker.count = int(left[1])
        if kind == _CASTLE and (suit := _SUIT.search(text)):
            run.castle_suit = _suit(suit[1])
    elif kind in _FIRST_NUMBER:
        if first := _NUMBER.search(text):
            joker.value = float(first[0])
    elif kind == _LOYALTY:
        numbers = re.findall(r"(\d+) remaining", text)
        left_hands = int(numbers[0]) if numbers else 0
        # The count is the number of hands played when the joker came; any with the same rest does.
        joker.count = run.stats.hands_played + left_hands - 5
    elif kind == _SELTZER:
        if numbers := _NUMBER.findall(text):
            joker.count = int(float(numbers[-1]))
    elif kind == _INVISIBLE:
        if now:
            joker.count = int(float(now[1]))
    elif kind == _TODO:
        joker.count = 1
        for hand in sorted(range(len(HAND_NAMES)), key=lambda one: -len(HAND_NAMES[one])):
            if HAND_NAMES[hand] in text:
                joker.hand = hand
                break
    elif kind == _IDOL:
        if face := _FACE.search(text):
            run.idol_rank = RANKS.index(face[1]) + 2
            run.idol_suit = SUITS.index(face[2])
    elif kind == _MAIL:
        # The first number is the money.
        if rank := _RANK.search(text.split("discarded", 1)[-1]):
            run.mail_rank = RANKS.index(rank[1]) + 2
    elif kind == _ANCIENT:
        if suit := _SUIT.search(text):
            run.ancient_suit = _suit(suit[1])
    elif kind == _FORTUNE and now:
        run.stats.tarots_used = int(float(now[1]))
    elif kind == _THROWBACK and now:
        run.stats.skips = round((float(now[1]) - 1) * 4)


def card_text(card: Card) -> str:
    """A playing card's text: its chips, and what makes it more than that."""
    parts = [] if ENHANCEMENTS[card.enhancement] == "Stone" else [f"+{_CHIPS[card.rank - 2]} chips"]
    if card.enhancement:
        parts.append(f"{ENHANCEMENTS[card.enhancement]} Card")
    if card.bonus:
        parts.append(f"+{card.bonus} extra chips")
    return ", ".join(parts)


def read_bonus(text: str) -> int:
    """The chips that a playing card has gained for good."""
    found = _EXTRA.search(text)
    return int(found[1]) if found else 0


def _suit(word: str) -> int:
    return next(i for i, suit in enumerate(SUITS) if suit.startswith(word.capitalize()))
