"""A `Run` that shows what a BalatroBot game shows, so that any policy can play that game.

What the game does not show is filled in: the deck's order and every draw to come are shuffled,
whatever the game gives away about them, and what only a player with a memory knows (the discard
pile, the picks left in a pack) comes from a `Memory` of the states before.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from jimbot.game import Blind, Card, Consumable, Joker, Offer, OpenPack, Run, Tag, random_seed
from jimbot.game.bosses import slot_kind
from jimbot.game.cards import NO_PERISH
from jimbot.game.catalogue import (
    BLINDS,
    CONSUMABLE_BY_KEY,
    DECKS,
    FIRST_SPECTRAL,
    JOKER_BY_KEY,
    PACK_BY_KEY,
    PACKS,
    STAKES,
    TAGS,
    VOUCHER_BY_KEY,
)
from jimbot.game.create import new_joker
from jimbot.game.hands import HAND_NAMES, HANDS
from jimbot.game.rng import streams
from jimbot.game.state import (
    BLIND_SELECT,
    BOSS,
    CURRENT,
    GAME_OVER,
    PACK,
    ROUND_EVAL,
    SELECT,
    SELECTING_HAND,
    SHOP,
    SMALL,
)
from jimbot.game.vouchers import redeem
from jimbot.mcp.balatrobot import names
from jimbot.mcp.balatrobot.names import UnknownName
from jimbot.mcp.balatrobot.state import GameState
from jimbot.mcp.balatrobot.texts import read_bonus, read_joker

_PHASES: Final = {
    "BLIND_SELECT": BLIND_SELECT,
    "SELECTING_HAND": SELECTING_HAND,
    "ROUND_EVAL": ROUND_EVAL,
    "SHOP": SHOP,
    "GAME_OVER": GAME_OVER,
    **dict.fromkeys(names.PACK_STATES, PACK),
}
_CHICOT: Final = JOKER_BY_KEY["j_chicot"]
_FAMILIES: Final = {
    "TAROT": "arcana",
    "PLANET": "celestial",
    "SPECTRAL": "spectral",
    "JOKER": "buffoon",
    "DEFAULT": "standard",
    "ENHANCED": "standard",
}


class Memory:
    """What a player remembers of a run; `see` it every state, in order.

    Attributes:
        pack: the key of the pack bought last.
        picks: how many more cards may be taken from the open pack; 0 when none is open.
        best_hand: the most chips that one hand brought.
        last_used: the key of the Tarot or Planet used last, which The Fool copies.
        game: which game it is, for whoever keeps count of games.
    """

    def __init__(self) -> None:
        self.game = ""
        self.pack = ""
        self.picks = 0
        self.best_hand = 0.0
        self.last_used = ""
        self._cards: dict[int, dict[str, Any]] = {}
        self._shown: set[int] = set()
        self._chips = 0
        self._in_pack = 0

    def see(self, state: GameState) -> None:
        """Take in what a state shows.

        Raises:
            UnknownName: it is a state of another form.
        """
        with _readable():
            self._see(state)

    def _see(self, state: GameState) -> None:
        shown = {
            card["id"]: card
            for area in ("cards", "hand")
            for card in state.get(area, {}).get("cards", ())
        }
        if state["state"] == "SELECTING_HAND":
            self._cards |= shown
        elif state["state"] in _PHASES and state["state"] != "GAME_OVER":
            self._cards = shown  # between rounds every card is in the deck or in hand
        self._shown = set(shown)
        chips = state.get("round", {}).get("chips", 0)
        self.best_hand = max(self.best_hand, float(chips - self._chips))
        self._chips = chips
        in_pack = len(state.get("pack", {}).get("cards", ()))
        if state["state"] not in names.PACK_STATES:
            self.picks = 0
        elif not self.picks:
            entry = PACK_BY_KEY.get(names.pack_key(self.pack))
            self.picks = PACKS[entry].picks if entry is not None else 1
        elif in_pack < self._in_pack:
            self.picks = max(1, self.picks - 1)
        self._in_pack = in_pack

    def state(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        cards = list(self._cards.items())
        return vars(self) | {"_cards": cards, "_shown": sorted(self._shown)}

    @classmethod
    def of(cls, state: dict[str, Any]) -> Memory:
        """The one whose `state` this is.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        memory = cls()
        for name, value in vars(memory).items():
            setattr(memory, name, type(value)(state[name]))
        return memory

    def discarded(self) -> list[dict[str, Any]]:
        """The cards of this round that are neither in the deck nor in hand."""
        return [card for id, card in self._cards.items() if id not in self._shown]


def is_settled(state: GameState) -> bool:
    """Whether the game waits for the player, with the run that a policy can look at."""
    return state.get("state") in _PHASES


def mirror(state: GameState, memory: Memory, rng: random.Random) -> Run:
    """The run that shows `state`, which must be settled; nothing of it tells what is to come.

    Raises:
        UnknownName: something that the unmodded game does not have, or a state of another form.
    """
    with _readable():
        return _mirror(state, memory, rng)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, OverflowError) as error:
        raise UnknownName(
            f"the game's state cannot be read: {type(error).__name__}: {error!s:.200}",
            hint="JimBot reads the states of BalatroBot 1.4 and later",
        ) from error


def _mirror(state: GameState, memory: Memory, rng: random.Random) -> Run:
    deck = DECKS[names.number(names.DECK_NAMES, state.get("deck", "RED"))]
    stake = STAKES[names.number(names.STAKE_NAMES, state.get("stake", "WHITE"))]
    run = Run("MIRROR", deck, stake, endless=True)
    run.draws = streams(random_seed(rng))
    run.phase_now = _PHASES[state["state"]]
    run.jokers = []
    run.consumables = []
    run.used_jokers = [False] * len(run.used_jokers)
    run.used_consumables = [False] * len(run.used_consumables)
    run.shuffle_key = ""
    _read_hands(run, state)
    _read_vouchers(run, state)
    _read_rack(run, state)
    _read_table(run, state, memory, rng)
    _read_blinds(run, state)
    _read_shop(run, state)
    _read_numbers(run, state, memory)
    run.refresh_jokers()
    return run


def _cards(state: GameState, area: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = state.get(area, {}).get("cards", []) or []
    return found


def _limit(state: GameState, area: str, otherwise: int) -> int:
    return int(state.get(area, {}).get("limit", otherwise))


def _read_hands(run: Run, state: GameState) -> None:
    for hand in range(HANDS):
        shown = state.get("hands", {}).get(HAND_NAMES[hand], {})
        entry = run.hand_levels[hand]
        entry.level = int(shown.get("level", 1))
        entry.played = int(shown.get("played", 0))
        entry.played_this_round = int(shown.get("played_this_round", 0))
    run.stats.hands_played = sum(entry.played for entry in run.hand_levels)
    run.favourite = run.most_played()
    shown = state.get("round", {}).get("most_played_hand")
    if shown in HAND_NAMES:
        run.favourite = HAND_NAMES.index(shown)


def _read_vouchers(run: Run, state: GameState) -> None:
    for key in state.get("used_vouchers", {}):
        kind = VOUCHER_BY_KEY.get(key)
        if kind is None:
            raise _unknown("voucher", key)
        if not run.vouchers[kind]:
            redeem(run, kind)


def _read_rack(run: Run, state: GameState) -> None:
    """Jokers and consumables, with what owning them changes."""
    for shown in _cards(state, "jokers"):
        joker = _joker(run, shown)
        debuffed = bool(shown.get("state", {}).get("debuff"))
        joker.debuffed = debuffed
        run.add_joker(joker)
    for shown in _cards(state, "consumables"):
        run.add_consumable(_consumable(run, shown))
    owned: list[Joker | Consumable] = [*run.jokers, *run.consumables]
    texts = [*_cards(state, "jokers"), *_cards(state, "consumables")]
    for thing, shown in zip(owned, texts, strict=True):
        worth = int(shown["cost"]["sell"])
        thing.extra_value += worth - thing.sell_value
        thing.sell_value = worth
    run.joker_slots = _limit(state, "jokers", run.joker_slots)
    run.consumable_slots = _limit(state, "consumables", run.consumable_slots)


def _read_table(run: Run, state: GameState, memory: Memory, rng: random.Random) -> None:
    """The playing cards, numbered anew in the order of their ids."""
    piles = [_cards(state, "cards"), _cards(state, "hand"), memory.discarded()]
    if run.phase_now not in (SELECTING_HAND, GAME_OVER):
        piles[2] = []
    order = {
        id: place + 1 for place, id in enumerate(sorted(c["id"] for pile in piles for c in pile))
    }
    forced = _boss_name(state) == "Cerulean Bell" and run.phase_now == SELECTING_HAND
    run.draw_pile = [_card(shown, order[shown["id"]], deck=True) for shown in piles[0]]
    rng.shuffle(run.draw_pile)
    run.hand = [_card(shown, order[shown["id"]], forced=forced) for shown in piles[1]]
    run.discard_pile = [_card(shown, order[shown["id"]], deck=True) for shown in piles[2]]
    run.next_id = len(order) + 1000
    run.hand_size = _limit(state, "hand", run.hand_size)


def _read_blinds(run: Run, state: GameState) -> None:
    blinds = state.get("blinds", {})
    run.ante = int(state["ante_num"])
    run.blind_ante = run.ante
    run.round = int(state["round_num"])
    for slot, name in enumerate(names.BLIND_SLOTS):
        shown = blinds.get(name)
        if not shown:
            continue
        run.blind_status[slot] = names.number(names.BLIND_STATUS, shown["status"])
        if slot == BOSS:
            run.boss = _boss(shown)
        elif (tag := _tag(shown)) is not None:
            run.skip_tags[slot] = tag
    run.orbital_hands.setdefault(run.ante, [run.favourite] * 3)
    run.on_deck = next(
        (slot for slot in range(3) if run.blind_status[slot] in (SELECT, CURRENT)),
        next((slot for slot in range(3) if run.blind_status[slot] == 0), SMALL),
    )
    run.blind = None
    if run.phase_now not in (SELECTING_HAND, GAME_OVER) or CURRENT not in run.blind_status:
        return
    slot = run.blind_status.index(CURRENT)
    kind = slot_kind(run, slot)
    score = float(blinds[names.BLIND_SLOTS[slot]]["score"])
    reward = 0 if slot == SMALL and not run.small_blind_pays else BLINDS[kind].reward
    run.blind = blind = Blind(kind, slot, reward, score)
    run.last_blind_was_boss = slot == BOSS
    played = [entry.hand for entry in run.hand_levels if entry.played_this_round]
    blind.hands_seen = sum(1 << hand for hand in played)
    blind.only_hand = played[0] if played else -1
    blind.disabled = any(joker.kind == _CHICOT and not joker.debuffed for joker in run.jokers)


def _read_shop(run: Run, state: GameState) -> None:
    run.shop_cards = [_offer(run, shown) for shown in _cards(state, "shop")]
    run.shop_vouchers = [_offer(run, shown) for shown in _cards(state, "vouchers")]
    run.shop_packs = [_offer(run, shown) for shown in _cards(state, "packs")]
    run.shop_slots = _limit(state, "shop", run.shop_slots)
    run.voucher = run.shop_vouchers[0].voucher if run.shop_vouchers else -1


def _read_numbers(run: Run, state: GameState, memory: Memory) -> None:
    """What is shown as a number, over what the cards above have changed."""
    run.money = int(state["money"])
    run.won = bool(state.get("won", False))
    run.best_hand = memory.best_hand
    shown = state.get("round", {})
    run.hands_left = int(shown.get("hands_left", run.hands_left))
    run.hands_this_round = int(shown.get("hands_played", 0))
    run.discards_left = int(shown.get("discards_left", run.discards_left))
    run.discards_this_round = int(shown.get("discards_used", 0))
    run.chips = float(shown.get("chips", 0))
    run.reroll_cost = int(shown.get("reroll_cost", run.reroll_cost))
    run.reroll_increase = max(0, run.reroll_cost - run.reroll_base)
    run.free_rerolls = 1 if run.reroll_cost == 0 else 0
    run.starting_size = int(state.get("starting_deck_size", run.starting_size))
    last_used = CONSUMABLE_BY_KEY.get(str(state.get("last_tarot_planet") or memory.last_used), -1)
    run.last_tarot_planet = last_used if last_used < FIRST_SPECTRAL else -1
    run.tags = [Tag(kind, run.favourite) for kind in map(_tag_kind, state.get("tags", ()))]
    if run.phase_now == PACK:
        run.pack = _pack(run, state, memory)


def _pack(run: Run, state: GameState, memory: Memory) -> OpenPack:
    offers = [_offer(run, shown) for shown in _cards(state, "pack")]
    kind = PACK_BY_KEY.get(names.pack_key(memory.pack), -1)
    families = [_FAMILIES.get(str(shown["set"]), "") for shown in _cards(state, "pack")]
    if kind < 0 or (families and PACKS[kind].kind.lower() not in families):
        family = families[0] if families else "standard"
        kind = PACK_BY_KEY[f"p_{family}_normal"]
    back_to = SHOP if "shop" in state else BLIND_SELECT
    return OpenPack(kind, offers, max(1, memory.picks), back_to)


def _offer(run: Run, shown: dict[str, Any]) -> Offer:
    kind = str(shown["set"]).upper()
    key = str(shown["key"])
    if kind == "JOKER":
        offer = Offer(joker=_joker(run, shown))
    elif kind in ("TAROT", "PLANET", "SPECTRAL"):
        offer = Offer(consumable=_consumable(run, shown))
    elif kind == "VOUCHER":
        if key not in VOUCHER_BY_KEY:
            raise _unknown("voucher", key)
        offer = Offer(voucher=VOUCHER_BY_KEY[key])
    elif kind == "BOOSTER":
        if names.pack_key(key) not in PACK_BY_KEY:
            raise _unknown("pack", key)
        offer = Offer(pack=PACK_BY_KEY[names.pack_key(key)])
    else:
        offer = Offer(card=_card(shown, run.new_id()))
    offer.cost = int(shown["cost"]["buy"])
    offer.free = offer.cost == 0
    return offer


def _joker(run: Run, shown: dict[str, Any]) -> Joker:
    kind = JOKER_BY_KEY.get(str(shown["key"]))
    if kind is None:
        raise _unknown("joker", shown["key"])
    modifier = shown.get("modifier") or {}
    joker = new_joker(run, kind, names.number(names.EDITIONS, modifier.get("edition")))
    joker.eternal = bool(modifier.get("eternal"))
    joker.rental = bool(modifier.get("rental"))
    joker.perishable = int(modifier.get("perishable") or NO_PERISH)
    joker.face_down = bool((shown.get("state") or {}).get("hidden"))
    read_joker(run, joker, str(shown["value"].get("effect", "")))
    return joker


def _consumable(run: Run, shown: dict[str, Any]) -> Consumable:
    kind = CONSUMABLE_BY_KEY.get(str(shown["key"]))
    if kind is None:
        raise _unknown("consumable", shown["key"])
    run.used_consumables[kind] = True
    edition = names.number(names.EDITIONS, (shown.get("modifier") or {}).get("edition"))
    return Consumable(kind, run.new_id(), edition)


def _card(shown: dict[str, Any], id: int, *, deck: bool = False, forced: bool = False) -> Card:
    value = shown["value"]
    face = names.read_card_key(str(shown["key"]))
    if face is None:
        face = (
            names.number(names.SUITS, value.get("suit")),
            names.number(names.RANKS, value.get("rank")) + 2,
        )
    modifier = shown.get("modifier") or {}
    condition = shown.get("state") or {}
    return Card(
        id,
        *face,
        names.number(names.ENHANCEMENTS, modifier.get("enhancement")),
        names.number(names.EDITIONS, modifier.get("edition")),
        names.number(names.SEALS, modifier.get("seal")),
        read_bonus(str(value.get("effect", ""))),
        bool(condition.get("debuff")),
        bool(condition.get("hidden")) and not deck,
        False,
        forced and bool(condition.get("highlight")),
    )


def _boss_name(state: GameState) -> str:
    return str(state.get("blinds", {}).get("boss", {}).get("name", ""))


def _boss(shown: dict[str, Any]) -> int:
    for kind in range(2, len(BLINDS)):
        if shown.get("key") == BLINDS[kind].key or shown["name"] == BLINDS[kind].name:
            return kind
    raise _unknown("boss blind", shown["name"])


def _tag(shown: dict[str, Any]) -> int | None:
    """The tag for skipping a blind, by its name (version 1) or as an object (version 2)."""
    if isinstance(shown.get("tag"), dict):
        return _tag_kind(shown["tag"])
    return _tag_kind({"name": shown["tag_name"]}) if shown.get("tag_name") else None


def _tag_kind(shown: dict[str, Any]) -> int:
    for kind, entry in enumerate(TAGS):
        if shown.get("key") == entry.key or shown.get("name") == entry.name:
            return kind
    raise _unknown("tag", shown.get("key") or shown.get("name"))


def _unknown(what: str, key: object) -> UnknownName:
    return UnknownName(
        f"the game shows the {what} {key!r:.60}, which JimBot does not know",
        hint="JimBot plays the game without content mods",
    )
