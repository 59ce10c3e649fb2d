"""Finding poker hands."""

from __future__ import annotations

import itertools

import pytest

from jimbot.game.hands import HAND_NAMES, HASH_ORDER, find
from tests.game.situations import at_blind, cards

RUN = at_blind()


def look(text, four_fingers=False, shortcut=False, smeared=False):
    played = cards(RUN, text)
    found = find(played, four_fingers, shortcut, smeared)
    scoring = [word for i, word in enumerate(text.split()) if (found.scoring >> i) & 1]
    contains = {HAND_NAMES[hand] for hand in range(12) if (found.contains >> hand) & 1}
    return HAND_NAMES[found.hand], " ".join(scoring), contains


@pytest.mark.parametrize(
    ("text", "hand", "scoring"),
    [
        ("2S 9D 5C", "High Card", "9D"),
        ("AS KD", "High Card", "AS"),
        ("2S 2D 9C", "Pair", "2S 2D"),
        ("2S 2D 9C 9H AS", "Two Pair", "2S 2D 9C 9H"),
        ("2S 2D 2C 9H AS", "Three of a Kind", "2S 2D 2C"),
        ("2S 3D 4C 5H 6S", "Straight", "2S 3D 4C 5H 6S"),
        ("AS 2D 3C 4H 5S", "Straight", "AS 2D 3C 4H 5S"),
        ("TS JD QC KH AS", "Straight", "TS JD QC KH AS"),
        ("QS KD AC 2H 3S", "High Card", "AC"),
        ("2S 5S 7S 9S KS", "Flush", "2S 5S 7S 9S KS"),
        ("2S 2D 2C 9H 9S", "Full House", "2S 2D 2C 9H 9S"),
        ("2S 2D 2C 2H 9S", "Four of a Kind", "2S 2D 2C 2H"),
        ("2S 3S 4S 5S 6S", "Straight Flush", "2S 3S 4S 5S 6S"),
        ("2S 2D 2C 2H 2S", "Five of a Kind", "2S 2D 2C 2H 2S"),
        ("2S 2S 2S 9S 9S", "Flush House", "2S 2S 2S 9S 9S"),
        ("2S 2S 2S 2S 2S", "Flush Five", "2S 2S 2S 2S 2S"),
        ("2S 5S 7H:wild 9S KS", "Flush", "2S 5S 7H:wild 9S KS"),
        ("2S 5S 7H:wild,debuffed 9S KS", "High Card", "KS"),
        ("2S 5S 7S:debuffed 9S KS", "Flush", "2S 5S 7S:debuffed 9S KS"),
        ("2S 2D:stone 9C", "High Card", "9C"),
        ("2S 5S 7S 9S KS:stone", "High Card", "9S"),
    ],
)
def test_hands(text, hand, scoring):
    for words in itertools.islice(itertools.permutations(text.split()), 30):
        shuffled = " ".join(words)
        name, members, _ = look(shuffled)
        assert name == hand
        assert sorted(members.split()) == sorted(scoring.split())


@pytest.mark.parametrize(
    ("text", "options", "hand", "scoring"),
    [
        ("2S 3D 4C 5H 9S", {"four_fingers": True}, "Straight", "2S 3D 4C 5H"),
        ("2S 5S 7S 9S KD", {"four_fingers": True}, "Flush", "2S 5S 7S 9S"),
        ("2S 3S 4S 5H 9S", {"four_fingers": True}, "Straight Flush", "2S 3S 4S 5H 9S"),
        ("2S 4D 6C 8H TS", {"shortcut": True}, "Straight", "2S 4D 6C 8H TS"),
        ("2S 5D 6C 8H TS", {"shortcut": True}, "High Card", "TS"),
        ("AS 3D 5C 7H 9S", {"shortcut": True}, "Straight", "AS 3D 5C 7H 9S"),
        ("TS JD QC KH 2S", {"shortcut": True}, "High Card", "KH"),
        ("2S 5C 7S 9C KS", {"smeared": True}, "Flush", "2S 5C 7S 9C KS"),
        ("2S 5H 7S 9C KS", {"smeared": True}, "High Card", "KS"),
    ],
)
def test_jokers_that_bend_hands(text, options, hand, scoring):
    name, members, _ = look(text, **options)
    assert (name, members) == (hand, scoring)


@pytest.mark.parametrize(
    ("text", "contains"),
    [
        ("2S 2D 2C 9H 9S", {"High Card", "Pair", "Two Pair", "Three of a Kind", "Full House"}),
        ("2S 2D 2C 2H 9S", {"High Card", "Pair", "Three of a Kind", "Four of a Kind"}),
        ("2S 3S 4S 5S 6S", {"High Card", "Straight", "Flush", "Straight Flush"}),
        (
            "2S 2S 2S 2S 2S",
            {
                "High Card",
                "Pair",
                "Three of a Kind",
                "Four of a Kind",
                "Five of a Kind",
                "Flush",
                "Flush Five",
            },
        ),
    ],
)
def test_what_hands_contain(text, contains):
    assert look(text)[2] == contains


def test_stone_cards_always_score():
    run = at_blind()
    run.hand = cards(run, "2S 2D 9C:stone")
    assert run.preview((0, 1, 2)).scoring == (0, 1, 2)
    run.hand = cards(run, "2S:stone 3D:stone")
    assert run.preview((0, 1)).score == 5 + 100


def test_hands_are_counted_in_the_games_hash_order():
    """LuaJIT 2.0 hashes strings as the 2.1.0-beta3 that the game ships does; later ones do not."""
    luajit = pytest.importorskip("lupa.luajit20")
    names = [f'["{HAND_NAMES[hand]}"] = {{}}' for hand in range(11, -1, -1)]
    walk = luajit.LuaRuntime().eval(
        "function() local found = {}"
        f" for name in pairs({{{', '.join(names)}}}) do found[#found + 1] = name end"
        " return table.concat(found, ',') end"
    )
    assert walk().split(",") == [HAND_NAMES[hand] for hand in HASH_ORDER]
