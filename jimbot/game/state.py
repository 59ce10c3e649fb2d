"""The whole state of a run, and the small changes that every rule is made of."""

from __future__ import annotations

from typing import Final

from jimbot.game.cards import (
    EDITION_COST,
    NEGATIVE,
    STONE,
    WILD,
    Blind,
    Card,
    Consumable,
    Joker,
    Offer,
    Tag,
)
from jimbot.game.catalogue import CONSUMABLES, JOKER_BY_KEY, JOKERS, PACKS, VOUCHERS
from jimbot.game.hands import HANDS, HASH_ORDER, HandLevel
from jimbot.game.rng import Streams
from jimbot.game.rules import CARDS_ADDED, RULES

BLIND_SELECT: Final = 0
SELECTING_HAND: Final = 1
ROUND_EVAL: Final = 2
SHOP: Final = 3
PACK: Final = 4
GAME_OVER: Final = 5

SMALL: Final = 0
BIG: Final = 1
BOSS: Final = 2

UPCOMING: Final = 0
SELECT: Final = 1
CURRENT: Final = 2
DEFEATED: Final = 3
SKIPPED: Final = 4

JOKER_COSTS: Final = [entry.cost for entry in JOKERS]
JOKER_RARITIES: Final = [entry.rarity for entry in JOKERS]
CONSUMABLE_COSTS: Final = [entry.cost for entry in CONSUMABLES]
VOUCHER_COSTS: Final = [entry.cost for entry in VOUCHERS]
PACK_COSTS: Final = [entry.cost for entry in PACKS]
IS_PLANET: Final = [entry.kind == "Planet" for entry in CONSUMABLES]
IS_CELESTIAL: Final = [entry.kind == "Celestial" for entry in PACKS]

_BLUEPRINT: Final = JOKER_BY_KEY["j_blueprint"]
_BRAINSTORM: Final = JOKER_BY_KEY["j_brainstorm"]
_FOUR_FINGERS: Final = JOKER_BY_KEY["j_four_fingers"]
_SHORTCUT: Final = JOKER_BY_KEY["j_shortcut"]
_SMEARED: Final = JOKER_BY_KEY["j_smeared"]
_PAREIDOLIA: Final = JOKER_BY_KEY["j_pareidolia"]
_SPLASH: Final = JOKER_BY_KEY["j_splash"]
_SHOWMAN: Final = JOKER_BY_KEY["j_ring_master"]
_ASTRONOMER: Final = JOKER_BY_KEY["j_astronomer"]


class OpenPack:
    """A pack that lies open.

    Attributes:
        kind: its place in `catalogue.PACKS`.
        cards: what can still be picked.
        picks: how many more may be picked.
        back_to: the phase to return to.
    """

    __slots__ = ("back_to", "cards", "kind", "picks")

    def __init__(self, kind: int, cards: list[Offer], picks: int, back_to: int) -> None:
        self.kind = kind
        self.cards = cards
        self.picks = picks
        self.back_to = back_to

    def copy(self) -> OpenPack:
        return OpenPack(self.kind, [o.copy() for o in self.cards], self.picks, self.back_to)

    @property
    def name(self) -> str:
        return PACKS[self.kind].name

    @property
    def kind_name(self) -> str:
        """Arcana, Celestial, Spectral, Standard or Buffoon."""
        return PACKS[self.kind].kind

    def __repr__(self) -> str:
        return f"<OpenPack {self.name}>"


class Stats:
    """Counts over the run."""

    __slots__ = (
        "cards_discarded",
        "cards_played",
        "hands_played",
        "jokers_bought",
        "rerolls",
        "skips",
        "tarots_used",
        "unused_discards",
    )

    def __init__(self) -> None:
        self.hands_played = 0
        self.cards_played = 0
        self.cards_discarded = 0
        self.unused_discards = 0
        self.skips = 0
        self.rerolls = 0
        self.tarots_used = 0
        self.jokers_bought = 0

    def copy(self) -> Stats:
        twin = Stats()
        twin.hands_played = self.hands_played
        twin.cards_played = self.cards_played
        twin.cards_discarded = self.cards_discarded
        twin.unused_discards = self.unused_discards
        twin.skips = self.skips
        twin.rerolls = self.rerolls
        twin.tarots_used = self.tarots_used
        twin.jokers_bought = self.jokers_bought
        return twin


class State:
    """A run between two actions."""

    def __init__(self, seed: str, deck: int, stake: int, draws: Streams) -> None:
        self.seed = seed
        self.deck_kind = deck
        self.stake_kind = stake
        self.draws = draws
        self.endless = False
        self.phase_now = BLIND_SELECT
        self.won = False
        self.next_id = 0

        # What the deck and stake set.
        self.ante_scaling = 1.0
        self.blind_scaling = 1
        self.small_blind_pays = True
        self.eternals = False
        self.perishables = False
        self.rentals = False
        self.money_per_hand = 1
        self.money_per_discard = 0
        self.interest = True

        # Cards. The draw pile deals from its end.
        self.draw_pile: list[Card] = []
        self.hand: list[Card] = []
        self.discard_pile: list[Card] = []
        self.in_play: list[Card] = []
        self.starting_size = 52
        self.hand_size = 8
        self.cards_owed = 0
        self.sort_by_suit = False
        self.shuffle_key = ""

        # Money.
        self.money = 4
        self.debt_limit = 0
        self.interest_amount = 1
        self.interest_cap = 25

        # The ante and its blinds.
        self.ante = 1
        self.blind_ante = 1
        self.round = 0
        self.blind: Blind | None = None
        self.on_deck = SMALL
        self.blind_status: list[int] = [SELECT, UPCOMING, UPCOMING]
        self.boss = 0
        self.boss_rerolled = False
        self.bosses_used: list[int] = []
        self.skip_tags: list[int] = [0, 0]
        self.orbital_hands: dict[int, list[int]] = {}
        self.last_blind_was_boss = False
        self.favourite = 0

        # The round.
        self.hands_per_round = 4
        self.discards_per_round = 3
        self.hands_left = 4
        self.discards_left = 3
        self.hands_this_round = 0
        self.discards_this_round = 0
        self.hooking = False  # The Hook is discarding
        self.chips = 0.0
        self.hand_levels: list[HandLevel] = [HandLevel(hand, 1, 0, 0) for hand in range(HANDS)]
        self.last_hand = -1
        self.round_hand_size = 0
        self.reward = 0
        self.idol_rank = 14
        self.idol_suit = 0
        self.mail_rank = 14
        self.ancient_suit = -1
        self.castle_suit = 0

        # Jokers and consumables.
        self.jokers: list[Joker] = []
        self.acting: list[Joker] = []
        self.joker_slots = 5
        self.consumables: list[Consumable] = []
        self.consumable_slots = 2
        self.chance = 1
        self.used_jokers: list[bool] = [False] * len(JOKERS)
        self.used_consumables: list[bool] = [False] * len(CONSUMABLES)
        self.gros_michel_gone = False
        self.ectoplasm_cost = 1
        self.last_tarot_planet = -1
        self.planets_used = 0

        # Jokers that bend the rules, kept by `refresh_jokers`.
        self.four_fingers = False
        self.shortcut = False
        self.smeared = False
        self.pareidolia = False
        self.splash = False
        self.showman = False
        self.astronomer = False

        # The shop.
        self.shop_slots = 2
        self.shop_cards: list[Offer] = []
        self.shop_vouchers: list[Offer] = []
        self.shop_packs: list[Offer] = []
        self.voucher = -1
        self.voucher_seen = False
        self.vouchers: list[bool] = [False] * len(VOUCHERS)
        self.joker_rate = 20.0
        self.tarot_rate = 4.0
        self.planet_rate = 4.0
        self.card_rate = 0.0
        self.spectral_rate = 0.0
        self.edition_rate = 1.0
        self.discount = 0
        self.reroll_base = 5
        self.reroll_increase = 0
        self.reroll_cost = 5
        self.reroll_from_zero = False
        self.free_rerolls = 0
        self.first_buffoon = False
        self.pack: OpenPack | None = None

        self.tags: list[Tag] = []
        self.best_hand = 0.0
        self.stats = Stats()

    # Money

    def earn(self, dollars: int) -> None:
        """Gain dollars, or lose them when negative."""
        self.money += dollars

    def can_pay(self, cost: int) -> bool:
        return cost <= 0 or cost <= self.money + self.debt_limit

    def price(self, base: int) -> int:
        """A base price after the discount, rounded as the game does."""
        return max(1, int((float(base) + 0.5) * float(100 - self.discount) / 100.0))

    def joker_cost(self, joker: Joker) -> int:
        if joker.rental:
            return 1
        return self.price(JOKER_COSTS[joker.kind] + EDITION_COST[joker.edition])

    def consumable_cost(self, card: Consumable) -> int:
        if self.astronomer and IS_PLANET[card.kind]:
            return 0
        return self.price(CONSUMABLE_COSTS[card.kind] + EDITION_COST[card.edition])

    def offer_cost(self, offer: Offer) -> int:
        if offer.free:
            return 0
        if offer.joker is not None:
            return self.joker_cost(offer.joker)
        if offer.consumable is not None:
            return self.consumable_cost(offer.consumable)
        if offer.card is not None:
            return self.price(1 + EDITION_COST[offer.card.edition])
        if offer.voucher >= 0:
            return self.price(VOUCHER_COSTS[offer.voucher])
        if self.astronomer and IS_CELESTIAL[offer.pack]:
            return 0
        return self.price(PACK_COSTS[offer.pack])

    def refresh_costs(self) -> None:
        """Set every price and sell value anew."""
        for joker in self.jokers:
            joker.sell_value = max(1, self.joker_cost(joker) // 2) + joker.extra_value
        for card in self.consumables:
            card.sell_value = max(1, self.consumable_cost(card) // 2) + card.extra_value
        for offer in self.shop_cards:
            offer.cost = self.offer_cost(offer)
        for offer in self.shop_vouchers:
            offer.cost = self.offer_cost(offer)
        for offer in self.shop_packs:
            offer.cost = self.offer_cost(offer)

    # Cards

    def new_id(self) -> int:
        self.next_id += 1
        return self.next_id

    def all_cards(self) -> list[Card]:
        """Every playing card of the run."""
        return self.draw_pile + self.hand + self.discard_pile + self.in_play

    def is_face(self, card: Card) -> bool:
        if card.debuffed:
            return False
        return self.pareidolia or (11 <= card.rank <= 13 and card.enhancement != STONE)

    def is_suit(self, card: Card, suit: int) -> bool:
        """Whether a card counts as a suit for an effect."""
        if card.debuffed or card.enhancement == STONE:
            return False
        if card.enhancement == WILD:
            return True
        if self.smeared:
            return (card.suit & 1) == (suit & 1)
        return card.suit == suit

    def sort_hand(self) -> None:
        """Sort the hand in the chosen order; it is nearly sorted, so by insertion."""
        hand = self.hand
        by_suit = self.sort_by_suit
        for i in range(1, len(hand)):
            card = hand[i]
            order = card.suit_order if by_suit else card.order
            j = i - 1
            while j >= 0 and (hand[j].suit_order if by_suit else hand[j].order) < order:
                hand[j + 1] = hand[j]
                j -= 1
            hand[j + 1] = card

    def shuffle_deck(self, key: str) -> None:
        """Shuffle the draw pile: by order of creation, then swapped from the end."""
        pile = self.draw_pile
        pile.sort(key=card_id)
        i = len(pile) - 1
        for j in self.draws.swaps(key, len(pile)):
            card = pile[i]
            pile[i] = pile[j]
            pile[j] = card
            i -= 1

    def settle_deck(self) -> None:
        """Do the shuffle that was put off; most visits to the shop never look at the deck."""
        if self.shuffle_key:
            key = self.shuffle_key
            self.shuffle_key = ""
            self.shuffle_deck(key)

    def drop_shuffle(self) -> None:
        """Leave out a shuffle that nobody looked at; its draw counts all the same."""
        if self.shuffle_key:
            self.draws.advance(self.shuffle_key)
            self.shuffle_key = ""

    def add_to_deck(self, card: Card) -> None:
        """Put a card at the bottom of the draw pile."""
        self.settle_deck()
        self.draw_pile.insert(0, card)

    def cards_added(self, count: int) -> None:
        """Tell the jokers that playing cards were added."""
        for i in range(len(self.acting)):
            joker = self.acting[i]
            rule = RULES[joker.kind]
            hook = rule.cards_added
            if hook is not None and self.acts(i, rule.own & CARDS_ADDED):
                hook(self, joker, count)

    def destroy_card(self, card: Card) -> None:
        """Take a card out of the run, wherever it lies."""
        for pile in (self.hand, self.draw_pile, self.discard_pile, self.in_play):
            for i in range(len(pile)):
                if pile[i].id == card.id:
                    del pile[i]
                    return

    def change_hand_size(self, by: int) -> None:
        """Change the hand size; what is gained in the middle of a hand is dealt at once."""
        self.hand_size += by
        if by > 0 and self.phase_now == SELECTING_HAND:
            self.cards_owed += by

    def change_discards(self, by: int) -> None:
        """Change this round's discards, not below zero."""
        self.discards_left = max(0, self.discards_left + by)

    # Hands

    def level_up(self, hand: int, by: int) -> None:
        entry = self.hand_levels[hand]
        entry.level = max(0, entry.level + by)

    def most_played(self) -> int:
        """The favourite hand: most played, of equals the last that the game comes upon."""
        best = HASH_ORDER[0]
        for hand in HASH_ORDER:
            if self.hand_levels[hand].played >= self.hand_levels[best].played:
                best = hand
        return best

    def shown_hands(self) -> list[int]:
        """The hand types that are not secret any more, in the order in which draws count them."""
        return [hand for hand in HASH_ORDER if self.hand_levels[hand].visible]

    # Jokers

    def acts(self, i: int, own: int) -> bool:
        """Whether the joker in a slot runs a rule: it works, and if it copies, the rule allows."""
        joker = self.jokers[i]
        if joker.debuffed:
            return False
        return self.acting[i] is joker or not own

    def refresh_jokers(self) -> None:
        """Find out anew which joker each slot acts as, and which rules are bent."""
        jokers = self.jokers
        n = len(jokers)
        self.four_fingers = self.shortcut = self.smeared = self.pareidolia = False
        self.splash = self.showman = self.astronomer = False
        acting: list[Joker] = []
        for i in range(n):
            joker = jokers[i]
            kind = joker.kind
            if kind in (_BLUEPRINT, _BRAINSTORM):
                joker = self._copied(i)
            elif not joker.debuffed:
                if kind == _FOUR_FINGERS:
                    self.four_fingers = True
                elif kind == _SHORTCUT:
                    self.shortcut = True
                elif kind == _SMEARED:
                    self.smeared = True
                elif kind == _PAREIDOLIA:
                    self.pareidolia = True
                elif kind == _SPLASH:
                    self.splash = True
                elif kind == _SHOWMAN:
                    self.showman = True
                elif kind == _ASTRONOMER:
                    self.astronomer = True
            acting.append(joker)
        self.acting = acting

    def _copied(self, slot: int) -> Joker:
        """The joker that Blueprint or Brainstorm in a slot acts as; itself when there is none."""
        jokers = self.jokers
        i = slot
        for _ in range(len(jokers) + 1):
            joker = jokers[i]
            if joker.debuffed:
                break
            if joker.kind == _BLUEPRINT:
                i += 1
                if i >= len(jokers):
                    break
            elif joker.kind == _BRAINSTORM:
                if i == 0:
                    break
                i = 0
            else:
                return joker
        return jokers[slot]

    def has_joker_room(self, edition: int) -> bool:
        return len(self.jokers) < self.joker_slots + (1 if edition == NEGATIVE else 0)

    def has_consumable_room(self, edition: int) -> bool:
        return len(self.consumables) < self.consumable_slots + (1 if edition == NEGATIVE else 0)

    def add_joker(self, joker: Joker) -> None:
        """Put a joker at the right end, and let it start to work."""
        if joker.edition == NEGATIVE:
            self.joker_slots += 1
        self.used_jokers[joker.kind] = True
        self.jokers.append(joker)
        self.refresh_jokers()
        if not joker.debuffed:
            hook = RULES[joker.kind].added
            if hook is not None:
                hook(self, joker)
        self.refresh_costs()

    def remove_joker(self, joker: Joker) -> None:
        """Take a joker away, and end what it did."""
        for i in range(len(self.jokers)):
            if self.jokers[i] is joker:
                del self.jokers[i]
                break
        self.refresh_jokers()
        if not joker.debuffed:
            hook = RULES[joker.kind].removed
            if hook is not None:
                hook(self, joker)
        if joker.edition == NEGATIVE:
            self.joker_slots -= 1
        self.release_joker(joker.kind)
        self.refresh_costs()

    def set_joker_debuff(self, joker: Joker, debuffed: bool) -> None:
        """Switch a joker off or on; a perished one stays off."""
        if joker.perishable == 0:
            debuffed = True
        if joker.debuffed == debuffed:
            return
        joker.debuffed = debuffed
        self.refresh_jokers()
        rule = RULES[joker.kind]
        hook = rule.removed if debuffed else rule.added
        if hook is not None:
            hook(self, joker)

    def release_joker(self, kind: int) -> None:
        """A joker is gone: it may be dealt again unless another one is owned."""
        for joker in self.jokers:
            if joker.kind == kind:
                return
        self.used_jokers[kind] = False

    def release_consumable(self, kind: int) -> None:
        for card in self.consumables:
            if card.kind == kind:
                return
        self.used_consumables[kind] = False

    def release_offer(self, offer: Offer) -> None:
        """An offer is gone without having been taken."""
        if offer.joker is not None:
            self.release_joker(offer.joker.kind)
        elif offer.consumable is not None:
            self.release_consumable(offer.consumable.kind)

    def add_consumable(self, card: Consumable) -> None:
        if card.edition == NEGATIVE:
            self.consumable_slots += 1
        self.used_consumables[card.kind] = True
        self.consumables.append(card)
        card.sell_value = max(1, self.consumable_cost(card) // 2) + card.extra_value

    def take_consumable(self, card: Consumable) -> None:
        """Take a consumable out of its slot; `release_consumable` follows once it is gone."""
        for i in range(len(self.consumables)):
            if self.consumables[i] is card:
                del self.consumables[i]
                break
        if card.edition == NEGATIVE:
            self.consumable_slots -= 1

    # The reroll

    def set_reroll_cost(self, raise_it: bool) -> None:
        if self.free_rerolls < 0:
            self.free_rerolls = 0
        if self.free_rerolls > 0:
            self.reroll_cost = 0
            return
        if raise_it:
            self.reroll_increase += 1
        base = 0 if self.reroll_from_zero else self.reroll_base
        self.reroll_cost = base + self.reroll_increase


def card_id(card: Card) -> int:
    return card.id


def joker_id(joker: Joker) -> int:
    return joker.id


def consumable_id(card: Consumable) -> int:
    return card.id
