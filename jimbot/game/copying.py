"""Copying a run, and writing it to plain data and back.

`copy_into` is written out field by field because search clones at every node; saving names the
fields in tables. tests/game/test_copying.py holds the two against the fields that State has.
"""

from __future__ import annotations

import hashlib
from array import array
from typing import Any, Final

from jimbot.game.cards import Blind, Card, Consumable, Joker, Offer, Tag
from jimbot.game.errors import CorruptSave
from jimbot.game.hands import HandLevel
from jimbot.game.rng import Streams
from jimbot.game.state import OpenPack, State, Stats


def copy_into(twin: State, source: State) -> None:
    """Make twin an independent copy of source."""
    twin.seed = source.seed
    twin.deck_kind = source.deck_kind
    twin.stake_kind = source.stake_kind
    twin.draws = source.draws.copy()
    twin.endless = source.endless
    twin.phase_now = source.phase_now
    twin.won = source.won
    twin.next_id = source.next_id
    twin.ante_scaling = source.ante_scaling
    twin.blind_scaling = source.blind_scaling
    twin.small_blind_pays = source.small_blind_pays
    twin.eternals = source.eternals
    twin.perishables = source.perishables
    twin.rentals = source.rentals
    twin.money_per_hand = source.money_per_hand
    twin.money_per_discard = source.money_per_discard
    twin.interest = source.interest
    twin.draw_pile = source.draw_pile[:]
    twin.hand = source.hand[:]
    twin.discard_pile = source.discard_pile[:]
    twin.in_play = source.in_play[:]
    twin.starting_size = source.starting_size
    twin.hand_size = source.hand_size
    twin.cards_owed = source.cards_owed
    twin.sort_by_suit = source.sort_by_suit
    twin.shuffle_key = source.shuffle_key
    twin.money = source.money
    twin.debt_limit = source.debt_limit
    twin.interest_amount = source.interest_amount
    twin.interest_cap = source.interest_cap
    twin.ante = source.ante
    twin.blind_ante = source.blind_ante
    twin.round = source.round
    blind = source.blind
    twin.blind = None if blind is None else blind.copy()
    twin.on_deck = source.on_deck
    twin.blind_status = source.blind_status[:]
    twin.boss = source.boss
    twin.boss_rerolled = source.boss_rerolled
    twin.bosses_used = source.bosses_used[:]
    twin.skip_tags = source.skip_tags[:]
    twin.orbital_hands = source.orbital_hands.copy()
    twin.last_blind_was_boss = source.last_blind_was_boss
    twin.favourite = source.favourite
    twin.hands_per_round = source.hands_per_round
    twin.discards_per_round = source.discards_per_round
    twin.hands_left = source.hands_left
    twin.discards_left = source.discards_left
    twin.hands_this_round = source.hands_this_round
    twin.discards_this_round = source.discards_this_round
    twin.hooking = source.hooking
    twin.chips = source.chips
    twin.hand_levels = [entry.copy() for entry in source.hand_levels]
    twin.last_hand = source.last_hand
    twin.round_hand_size = source.round_hand_size
    twin.reward = source.reward
    twin.idol_rank = source.idol_rank
    twin.idol_suit = source.idol_suit
    twin.mail_rank = source.mail_rank
    twin.ancient_suit = source.ancient_suit
    twin.castle_suit = source.castle_suit
    twin.jokers = [joker.copy() for joker in source.jokers]
    twin.joker_slots = source.joker_slots
    twin.consumables = [card.copy() for card in source.consumables]
    twin.consumable_slots = source.consumable_slots
    twin.chance = source.chance
    twin.used_jokers = source.used_jokers[:]
    twin.used_consumables = source.used_consumables[:]
    twin.gros_michel_gone = source.gros_michel_gone
    twin.ectoplasm_cost = source.ectoplasm_cost
    twin.last_tarot_planet = source.last_tarot_planet
    twin.planets_used = source.planets_used
    twin.shop_slots = source.shop_slots
    twin.shop_cards = [offer.copy() for offer in source.shop_cards]
    twin.shop_vouchers = [offer.copy() for offer in source.shop_vouchers]
    twin.shop_packs = [offer.copy() for offer in source.shop_packs]
    twin.voucher = source.voucher
    twin.voucher_seen = source.voucher_seen
    twin.vouchers = source.vouchers[:]
    twin.joker_rate = source.joker_rate
    twin.tarot_rate = source.tarot_rate
    twin.planet_rate = source.planet_rate
    twin.card_rate = source.card_rate
    twin.spectral_rate = source.spectral_rate
    twin.edition_rate = source.edition_rate
    twin.discount = source.discount
    twin.reroll_base = source.reroll_base
    twin.reroll_increase = source.reroll_increase
    twin.reroll_cost = source.reroll_cost
    twin.reroll_from_zero = source.reroll_from_zero
    twin.free_rerolls = source.free_rerolls
    twin.first_buffoon = source.first_buffoon
    pack = source.pack
    twin.pack = None if pack is None else pack.copy()
    twin.tags = source.tags[:]
    twin.best_hand = source.best_hand
    twin.stats = source.stats.copy()
    twin.refresh_jokers()


# The fields that are numbers and truth values.
PLAIN: Final = (
    "endless",
    "phase_now",
    "won",
    "next_id",
    "ante_scaling",
    "blind_scaling",
    "small_blind_pays",
    "eternals",
    "perishables",
    "rentals",
    "money_per_hand",
    "money_per_discard",
    "interest",
    "starting_size",
    "hand_size",
    "cards_owed",
    "sort_by_suit",
    "money",
    "debt_limit",
    "interest_amount",
    "interest_cap",
    "ante",
    "blind_ante",
    "round",
    "on_deck",
    "boss",
    "boss_rerolled",
    "last_blind_was_boss",
    "favourite",
    "hands_per_round",
    "discards_per_round",
    "hands_left",
    "discards_left",
    "hands_this_round",
    "discards_this_round",
    "hooking",
    "chips",
    "last_hand",
    "round_hand_size",
    "reward",
    "idol_rank",
    "idol_suit",
    "mail_rank",
    "ancient_suit",
    "castle_suit",
    "joker_slots",
    "consumable_slots",
    "chance",
    "gros_michel_gone",
    "ectoplasm_cost",
    "last_tarot_planet",
    "planets_used",
    "shop_slots",
    "voucher",
    "voucher_seen",
    "joker_rate",
    "tarot_rate",
    "planet_rate",
    "card_rate",
    "spectral_rate",
    "edition_rate",
    "discount",
    "reroll_base",
    "reroll_increase",
    "reroll_cost",
    "reroll_from_zero",
    "free_rerolls",
    "first_buffoon",
    "best_hand",
)
NUMBER_LISTS: Final = ("blind_status", "bosses_used", "skip_tags")
TRUTH_LISTS: Final = ("used_jokers", "used_consumables", "vouchers")
CARD_LISTS: Final = ("draw_pile", "hand", "discard_pile", "in_play")
OFFER_LISTS: Final = ("shop_cards", "shop_vouchers", "shop_packs")
JOKER_FIELDS: Final = (
    "kind",
    "id",
    "edition",
    "eternal",
    "perishable",
    "rental",
    "debuffed",
    "face_down",
    "extra_value",
    "value",
    "count",
    "hand",
    "sell_value",
)
CONSUMABLE_FIELDS: Final = ("kind", "id", "edition", "extra_value", "sell_value")
BLIND_FIELDS: Final = (
    "kind",
    "slot",
    "reward",
    "chips",
    "disabled",
    "triggered",
    "prepped",
    "hands_seen",
    "only_hand",
    "taken",
)
STATS_FIELDS: Final = (
    "hands_played",
    "cards_played",
    "cards_discarded",
    "unused_discards",
    "skips",
    "rerolls",
    "tarots_used",
    "jokers_bought",
)


def _write(thing: object, fields: tuple[str, ...]) -> list[Any]:
    return [getattr(thing, field) for field in fields]


def _read(thing: object, fields: tuple[str, ...], values: list[Any]) -> None:
    if len(values) != len(fields):
        raise ValueError("a list has the wrong length")
    for field, value in zip(fields, values, strict=True):
        if type(value) is int and type(getattr(thing, field)) is float:
            value = float(value)
        setattr(thing, field, value)


def write_card(card: Card) -> list[Any]:
    return [
        card.id,
        card.suit,
        card.rank,
        card.enhancement,
        card.edition,
        card.seal,
        card.bonus,
        card.debuffed,
        card.face_down,
        card.played,
        card.forced,
    ]


def _read_card(data: list[Any]) -> Card:
    card = Card(*data)
    if not (0 <= card.suit < 4 and 2 <= card.rank <= 14):
        raise ValueError("a card has no such face")
    return card


def _write_offer(offer: Offer) -> list[Any]:
    return [
        None if offer.joker is None else _write(offer.joker, JOKER_FIELDS),
        None if offer.consumable is None else _write(offer.consumable, CONSUMABLE_FIELDS),
        None if offer.card is None else write_card(offer.card),
        offer.voucher,
        offer.pack,
        offer.free,
        offer.from_tag,
        offer.cost,
    ]


def _read_offer(data: list[Any]) -> Offer:
    joker, consumable, card, voucher, pack, free, from_tag, cost = data
    offer = Offer(
        None if joker is None else _read_joker(joker),
        None if consumable is None else _read_consumable(consumable),
        None if card is None else _read_card(card),
        voucher,
        pack,
    )
    offer.free = free
    offer.from_tag = from_tag
    offer.cost = cost
    return offer


def _read_joker(data: list[Any]) -> Joker:
    joker = Joker(0, 0, 0)
    _read(joker, JOKER_FIELDS, data)
    return joker


def _read_consumable(data: list[Any]) -> Consumable:
    card = Consumable(0, 0, 0)
    _read(card, CONSUMABLE_FIELDS, data)
    return card


def write_state(state: State) -> dict[str, Any]:
    """A run as plain data that JSON can hold."""
    data: dict[str, Any] = {name: getattr(state, name) for name in PLAIN}
    for name in NUMBER_LISTS:
        data[name] = list(getattr(state, name))
    for name in TRUTH_LISTS:
        data[name] = [i for i, there in enumerate(getattr(state, name)) if there]
    for name in CARD_LISTS:
        data[name] = [write_card(card) for card in getattr(state, name)]
    for name in OFFER_LISTS:
        data[name] = [_write_offer(offer) for offer in getattr(state, name)]
    data["seed"] = state.seed
    data["shuffle_key"] = state.shuffle_key
    data["deck"] = state.deck_kind
    data["stake"] = state.stake_kind
    data["draws"] = [state.draws.seed, state.draws.hashed_seed, dict(state.draws.states)]
    data["orbital_hands"] = [[ante, *hands] for ante, hands in state.orbital_hands.items()]
    data["hand_levels"] = [
        [entry.level, entry.played, entry.played_this_round] for entry in state.hand_levels
    ]
    data["jokers"] = [_write(joker, JOKER_FIELDS) for joker in state.jokers]
    data["consumables"] = [_write(card, CONSUMABLE_FIELDS) for card in state.consumables]
    data["tags"] = [[tag.kind, tag.hand] for tag in state.tags]
    data["stats"] = _write(state.stats, STATS_FIELDS)
    blind = state.blind
    data["blind"] = None if blind is None else _write(blind, BLIND_FIELDS)
    pack = state.pack
    data["pack"] = (
        None
        if pack is None
        else [pack.kind, [_write_offer(o) for o in pack.cards], pack.picks, pack.back_to]
    )
    return data


def _card_code(card: Card) -> int:
    """All of a card in one number."""
    flags = (
        (1 if card.debuffed else 0)
        + (2 if card.face_down else 0)
        + (4 if card.played else 0)
        + (8 if card.forced else 0)
    )
    looks = (
        ((card.enhancement * 8 + card.edition) * 8 + card.seal) * 64 + card.suit * 16 + card.rank
    )
    return ((card.id * 4096 + card.bonus) * 16 + flags) * 65536 + looks


def _offer_numbers(numbers: list[Any], offers: list[Offer]) -> None:
    numbers.append(len(offers))
    for offer in offers:
        numbers += [offer.voucher, offer.pack, offer.free, offer.from_tag, offer.cost]
        if offer.joker is not None:
            numbers += _write(offer.joker, JOKER_FIELDS)
        if offer.consumable is not None:
            numbers += _write(offer.consumable, CONSUMABLE_FIELDS)
        if offer.card is not None:
            numbers.append(_card_code(offer.card))


def digest_state(state: State) -> str:
    """Sixteen hex digits over all that `write_state` writes, without writing it."""
    numbers: list[Any] = [getattr(state, name) for name in PLAIN]
    numbers += [state.deck_kind, state.stake_kind]
    for name in NUMBER_LISTS:
        numbers += getattr(state, name)
    for pile in (state.draw_pile, state.hand, state.discard_pile, state.in_play):
        numbers.append(len(pile))
        for card in pile:
            numbers.append(_card_code(card))
    for offers in (state.shop_cards, state.shop_vouchers, state.shop_packs):
        _offer_numbers(numbers, offers)
    for ante, hands in state.orbital_hands.items():
        numbers.append(ante)
        numbers += hands
    for entry in state.hand_levels:
        numbers += [entry.level, entry.played, entry.played_this_round]
    numbers.append(len(state.jokers))
    for joker in state.jokers:
        numbers += _write(joker, JOKER_FIELDS)
    numbers.append(len(state.consumables))
    for consumable in state.consumables:
        numbers += _write(consumable, CONSUMABLE_FIELDS)
    for tag in state.tags:
        numbers += [tag.kind, tag.hand]
    numbers += _write(state.stats, STATS_FIELDS)
    if state.blind is not None:
        numbers += _write(state.blind, BLIND_FIELDS)
    pack = state.pack
    if pack is not None:
        numbers += [pack.kind, pack.picks, pack.back_to]
        _offer_numbers(numbers, pack.cards)
    draws = state.draws
    text = " ".join([state.seed, state.shuffle_key, draws.seed, *draws.states])
    numbers += draws.states.values()
    hashed = hashlib.blake2b(text.encode(), digest_size=8)
    hashed.update(array("d", numbers).tobytes())
    hashed.update(bytes(state.used_jokers + state.used_consumables + state.vouchers))
    return hashed.hexdigest()


def read_state(state: State, data: dict[str, Any]) -> None:
    """Restore a run that was just made with the data's seed, deck and stake.

    Raises:
        CorruptSave: the data is not what `write_state` wrote.
    """
    try:
        for name in PLAIN:
            value = data[name]
            old = getattr(state, name)
            if type(old) is float and type(value) is int:
                value = float(value)
            if type(value) is not type(old):
                raise TypeError(f"{name} is {value!r:.40}")
            setattr(state, name, value)
        for name in NUMBER_LISTS:
            setattr(state, name, [int(value) for value in data[name]])
        for name in TRUTH_LISTS:
            there = set(data[name])
            setattr(state, name, [i in there for i in range(len(getattr(state, name)))])
        for name in CARD_LISTS:
            setattr(state, name, [_read_card(card) for card in data[name]])
        for name in OFFER_LISTS:
            setattr(state, name, [_read_offer(offer) for offer in data[name]])
        state.shuffle_key = str(data["shuffle_key"])
        seed, hashed, states = data["draws"]
        state.draws = Streams(seed, hashed, {str(k): float(v) for k, v in states.items()})
        state.orbital_hands = {int(row[0]): list(row[1:]) for row in data["orbital_hands"]}
        state.hand_levels = [
            HandLevel(hand, level, played, this_round)
            for hand, (level, played, this_round) in enumerate(data["hand_levels"])
        ]
        state.jokers = [_read_joker(joker) for joker in data["jokers"]]
        state.consumables = [_read_consumable(card) for card in data["consumables"]]
        state.tags = [Tag(kind, hand) for kind, hand in data["tags"]]
        state.stats = Stats()
        _read(state.stats, STATS_FIELDS, data["stats"])
        state.blind = None
        if data["blind"] is not None:
            state.blind = Blind(0, 0, 0, 0.0)
            _read(state.blind, BLIND_FIELDS, data["blind"])
        state.pack = None
        if data["pack"] is not None:
            kind, cards, picks, back_to = data["pack"]
            state.pack = OpenPack(kind, [_read_offer(offer) for offer in cards], picks, back_to)
        state.refresh_jokers()
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise CorruptSave(
            f"the save cannot be restored: {type(error).__name__}: {error}",
            hint="Start a new run, or use another save",
        ) from error
