from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from jimbot.game import Action, ActionKind, Phase, Run
from jimbot.game.catalogue import JOKERS
from jimbot.game.create import new_joker
from jimbot.game.sampling import random_action
from jimbot.mcp.balatrobot.mirror import Memory, mirror
from jimbot.mcp.balatrobot.names import UnknownName
from jimbot.mcp.balatrobot.state import GameState, game_state
from jimbot.mcp.balatrobot.texts import joker_text, read_joker


def shown(state: GameState) -> GameState:
    """A state without what a mirror cannot and need not keep: the cards' own numbers."""
    state = copy.deepcopy(state)
    del state["seed"]
    for area in state.values():
        if isinstance(area, dict) and "cards" in area:
            for card in area["cards"]:
                del card["id"]
    state["cards"]["cards"].sort(key=lambda card: json.dumps(card, sort_keys=True))
    return state


@pytest.mark.parametrize("seed", range(8))
def test_a_mirror_shows_what_it_was_made_from(seed: int) -> None:
    rng = random.Random(seed)
    deck = rng.choice(["Red", "Magic", "Zodiac", "Painted", "Black", "Plasma", "Green"])
    run = Run(f"M{seed}", deck, rng.choice(["White", "Gold"]), endless=True)
    memory = Memory()
    while not run.over and run.round < 12:
        if rng.random() < 0.15:
            run.money += 30
            if run.phase == Phase.SELECTING_HAND:
                run.chips += 3000.0
        if rng.random() < 0.02 and run.has_joker_room(0):
            run.add_joker(new_joker(run, rng.randrange(len(JOKERS)), rng.randrange(5)))
        state = json.loads(json.dumps(game_state(run)))
        memory.see(state)
        twin = mirror(state, memory, random.Random(1))
        assert shown(game_state(twin)) == shown(state)
        if run.phase == Phase.SELECTING_HAND:
            assert len(twin.full_deck) >= len(run.full_deck)
            if run.blind is not None and not run.blind.disabled:
                assert twin.required == run.required
                for _ in range(3):
                    cards = tuple(sorted(rng.sample(range(len(run.hand)), min(3, len(run.hand)))))
                    mine, theirs = run.preview(cards), twin.preview(cards)
                    assert (mine.hand, mine.scoring) == (theirs.hand, theirs.scoring)
        if run.phase not in (Phase.BLIND_SELECT, Phase.PACK):
            assert twin.legal_actions() == run.legal_actions()
        action = random_action(run, rng)
        if action.kind == ActionKind.BUY_PACK:
            memory.pack = run.shop_packs[action.index].key
        run.step(action)


def test_a_mirror_does_not_know_what_is_to_come() -> None:
    run = Run("SECRET", endless=True)
    run.step(Action(ActionKind.SELECT_BLIND))
    state = game_state(run)
    memory = Memory()
    memory.see(state)
    piles = [
        [card.name for card in mirror(state, memory, random.Random(n)).draw_pile] for n in (1, 2)
    ]
    assert piles[0] != piles[1]
    assert sorted(piles[0]) == sorted(card.name for card in run.draw_pile)
    assert [card.name for card in run.draw_pile] not in piles
    twins = [mirror(state, memory, random.Random(n)) for n in (1, 2)]
    assert len({twin.draws.seed for twin in twins} | {"SECRET"}) == 3
    assert "SECRET" not in json.dumps(twins[0].save())


def test_it_remembers_discards_and_picks() -> None:
    run = Run("MEMORY", endless=True)
    memory = Memory()
    run.step(Action(ActionKind.SELECT_BLIND))
    memory.see(game_state(run))
    gone = {run.hand[0].name, run.hand[1].name}
    run.step(Action(ActionKind.DISCARD, 0, (0, 1)))
    memory.see(game_state(run))
    twin = mirror(game_state(run), memory, random.Random(0))
    assert {card.name for card in twin.discard_pile} == gone
    assert len(twin.full_deck) == 52
    run.chips = 300.0
    run.step(Action(ActionKind.PLAY, 0, (0,)))
    run.step(Action(ActionKind.CASH_OUT))
    run.money = 50
    run.shop_packs[0].pack = 8  # a Mega Standard Pack
    memory.pack = game_state(run)["packs"]["cards"][0]["key"]
    run.step(Action(ActionKind.BUY_PACK, 0))
    picks = []
    while run.pack is not None:
        memory.see(game_state(run))
        picks.append(mirror(game_state(run), memory, random.Random(0)).pack.picks)  # type: ignore[union-attr]
        run.step(Action(ActionKind.PICK_PACK, 0))
    assert picks == [2, 1]


@pytest.mark.parametrize("kind", range(len(JOKERS)))
def test_what_a_joker_has_grown_to_can_be_read(kind: int) -> None:
    run = Run("GROWN", endless=True)
    run.stats.hands_played = 9
    run.stats.tarots_used = 4
    run.stats.skips = 3
    joker = new_joker(run, kind, 0)
    joker.value = 7.25
    if joker.key in ("j_selzer", "j_yorick", "j_invisible"):
        joker.count = 2
    twin = Run("OTHER", endless=True)
    twin.stats.hands_played = 9
    copied = new_joker(twin, kind, 0)
    read_joker(twin, copied, joker_text(run, joker))
    assert joker_text(twin, copied) == joker_text(run, joker)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        (
            "j_runner",
            "Gains +15 Chips if played hand contains a Straight (Currently +45 Chips)",
            45,
        ),
        ("j_ice_cream", "+85 Chips -5 Chips for every hand played", 85),
        ("j_ramen", "X1.87 Mult, loses X0.01 Mult per card discarded", 1.87),
        ("j_campfire", "... resets when Boss Blind is defeated (Currently X1.5 Mult)", 1.5),
        ("j_popcorn", "+12 Mult -4 Mult per round played", 12),
        ("j_ride_the_bus", "(Currently +3 Mult)", 3),
    ],
)
def test_the_games_own_texts_are_read(key: str, text: str, value: float) -> None:
    run = Run("TEXT", endless=True)
    joker = new_joker(run, next(i for i, one in enumerate(JOKERS) if one.key == key), 0)
    read_joker(run, joker, text)
    assert joker.value == value


def test_the_games_own_targets_are_read() -> None:
    run = Run("TEXT", endless=True)
    for key, text in {
        "j_idol": "Each played 9 of Clubs gives X2 Mult when scored Card changes every round",
        "j_mail": "Earn $5 for each discarded Queen, rank changes every round",
        "j_ancient": "Each played card with Diamond suit gives X1.5 Mult when scored",
        "j_castle": "This Joker gains +3 Chips per discarded Heart card (Currently +9 Chips)",
    }.items():
        joker = new_joker(run, next(i for i, one in enumerate(JOKERS) if one.key == key), 0)
        read_joker(run, joker, text)
    assert (run.idol_rank, run.idol_suit, run.mail_rank) == (9, 2, 12)
    assert (run.ancient_suit, run.castle_suit, joker.value) == (3, 1, 9)


def test_version_2s_words_are_read() -> None:
    run = Run("V2", "Blue", "Black", endless=True)
    run.step(Action(ActionKind.SELECT_BLIND))
    state = game_state(run)
    state |= {"deck": "b_blue", "stake": "stake_black", "paused": False}
    for name in ("small", "big"):
        blind = state["blinds"][name]
        blind["tag"] = {"name": blind.pop("tag_name"), "effect": blind.pop("tag_effect")}
    card = state["hand"]["cards"][0]
    card["modifier"] = {"seal": "Gold", "edition": "e_holo", "enhancement": "m_steel"}
    memory = Memory()
    memory.see(state)
    twin = mirror(state, memory, random.Random(0))
    assert (twin.deck, twin.stake, twin.skip_tags) == ("Blue", "Black", run.skip_tags)
    first = twin.hand[0]
    assert (first.seal_name, first.edition_name, first.enhancement_name) == (
        "Gold Seal",
        "Holographic",
        "Steel",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"deck": "b_modded"},
        {"money": "much"},
        {"jokers": {"cards": [{"key": "j_modded"}]}},
        {"hand": {"cards": [{}]}},
        {"blinds": {"boss": {"name": "The Mod", "status": "SELECT"}}},
        {"used_vouchers": {"v_modded": ""}},
        {"hand": 5},
    ],
)
def test_what_it_does_not_know_is_one_error(change: dict[str, Any]) -> None:
    run = Run("ODD", endless=True)
    with pytest.raises(UnknownName):
        mirror(game_state(run) | change, Memory(), random.Random(0))
