"""A run of Balatro: what a player sees, may do and does."""

from __future__ import annotations

import random
from itertools import combinations
from typing import Any

import jimbot.game.jokers as _jokers
from jimbot.game import bosses, consumables, rounds, scoring, shop
from jimbot.game.actions import Action, ActionKind, Phase
from jimbot.game.cards import Card, Consumable, Joker
from jimbot.game.catalogue import BLINDS, DECKS, STAKES, TAGS, VOUCHER_BY_KEY, VOUCHERS
from jimbot.game.copying import copy_into, digest_state, read_state, write_state
from jimbot.game.create import next_voucher
from jimbot.game.errors import CorruptSave, IllegalAction, InvalidSeed
from jimbot.game.events import tell_jokers
from jimbot.game.rng import streams
from jimbot.game.rules import PACK_SKIPPED, RULES, SALE, SOLD
from jimbot.game.scoring import Preview
from jimbot.game.state import (
    BLIND_SELECT,
    BOSS,
    GAME_OVER,
    PACK,
    ROUND_EVAL,
    SELECTING_HAND,
    SHOP,
    State,
)

# Importing the jokers filled the table of rules.
FILLED_BY = _jokers.__name__

SEED_CHARACTERS = "123456789ABCDEFGHIJKLMNPQRSTUVWXYZ"
_DIRECTORS_CUT = VOUCHER_BY_KEY["v_directors_cut"]
_RETCON = VOUCHER_BY_KEY["v_retcon"]
BOSS_REROLL_COST = 10
SAVE_FORMAT = 1

_PLAY = 0
_DISCARD = 1
_SELECT_BLIND = 2
_SKIP_BLIND = 3
_REROLL_BOSS = 4
_CASH_OUT = 5
_BUY_CARD = 6
_BUY_AND_USE = 7
_BUY_VOUCHER = 8
_BUY_PACK = 9
_REROLL = 10
_LEAVE_SHOP = 11
_SELL_JOKER = 12
_SELL_CONSUMABLE = 13
_USE_CONSUMABLE = 14
_PICK_PACK = 15
_SKIP_PACK = 16
_MOVE_JOKER = 17
_MOVE_CARD = 18
_SORT_HAND = 19


def random_seed(rng: random.Random) -> str:
    """A seed of eight characters, as the game makes them."""
    return "".join(rng.choice(SEED_CHARACTERS) for _ in range(8))


def check_seed(seed: str) -> None:
    """Raise InvalidSeed unless a seed can be entered in the game."""
    if not 1 <= len(seed) <= 8:
        raise InvalidSeed(f"seed {seed!r:.40} has {len(seed)} characters", hint="It has 1 to 8")
    for character in seed:
        if character not in SEED_CHARACTERS and character not in "0O":
            raise InvalidSeed(
                f"seed {seed!r} has the character {character!r}",
                hint="A seed is made of the letters A to Z and digits",
            )


class BlindAhead:
    """One of the ante's three blinds.

    Attributes:
        key, name: the blind's.
        kind: its place in `catalogue.BLINDS`.
        slot: 0 small, 1 big, 2 boss.
        status: 0 upcoming, 1 on deck, 2 being played, 3 beaten, 4 skipped.
        required: the score that beats it.
        reward: dollars for beating it.
        tag: the place in `catalogue.TAGS` of the tag for skipping it; -1 for the boss.
        tag_hand: the hand type that an Orbital Tag would name.
    """

    __slots__ = ("kind", "required", "reward", "slot", "status", "tag", "tag_hand")

    def __init__(
        self,
        kind: int,
        slot: int,
        status: int,
        required: float,
        reward: int,
        tag: int,
        tag_hand: int,
    ) -> None:
        self.kind = kind
        self.slot = slot
        self.status = status
        self.required = required
        self.reward = reward
        self.tag = tag
        self.tag_hand = tag_hand

    @property
    def key(self) -> str:
        return BLINDS[self.kind].key

    @property
    def name(self) -> str:
        return BLINDS[self.kind].name

    @property
    def tag_name(self) -> str:
        return TAGS[self.tag].name if self.tag >= 0 else ""

    def __repr__(self) -> str:
        return f"<BlindAhead {self.name}>"


class Run(State):
    """One run, from the first blind to its end.

    Args:
        seed: one to eight characters.
        deck: a name in `DECKS`.
        stake: a name in `STAKES`.
        endless: go on after the boss of ante 8.
        start: False leaves the run blank, for a copy to fill.

    Raises:
        InvalidSeed: the seed, deck or stake does not exist.
    """

    def __init__(
        self,
        seed: str,
        deck: str = "Red",
        stake: str = "White",
        endless: bool = False,
        start: bool = True,
    ) -> None:
        check_seed(seed)
        if deck not in DECKS:
            raise InvalidSeed(f"there is no deck {deck!r}", hint=f"Decks: {', '.join(DECKS)}")
        if stake not in STAKES:
            raise InvalidSeed(f"there is no stake {stake!r}", hint=f"Stakes: {', '.join(STAKES)}")
        super().__init__(seed, DECKS.index(deck), STAKES.index(stake), streams(seed))
        self.endless = endless
        if start:
            rounds.start_run(self)

    # What a player sees

    @property
    def phase(self) -> Phase:
        return Phase(self.phase_now)

    @property
    def deck(self) -> str:
        return DECKS[self.deck_kind]

    @property
    def stake(self) -> str:
        return STAKES[self.stake_kind]

    @property
    def over(self) -> bool:
        return self.phase_now == GAME_OVER

    @property
    def deck_count(self) -> int:
        return len(self.draw_pile)

    def deck_view(self) -> list[Card]:
        """What remains in the draw pile, in no telling order."""
        return sorted(self.draw_pile, key=lambda card: -card.order)

    @property
    def full_deck(self) -> list[Card]:
        """All playing cards owned, by age."""
        return sorted(self.all_cards(), key=lambda card: card.id)

    @property
    def required(self) -> float:
        """The score that beats the blind being played, or else the one on deck."""
        if self.blind is not None:
            return self.blind.chips
        return bosses.required_chips(self, bosses.slot_kind(self, self.on_deck), self.blind_ante)

    @property
    def blinds_ahead(self) -> list[BlindAhead]:
        """This ante's blinds: small, big, boss."""
        ahead: list[BlindAhead] = []
        orbital = self.orbital_hands.get(self.ante)
        for slot in range(3):
            kind = bosses.slot_kind(self, slot)
            reward = BLINDS[kind].reward
            if slot == 0 and not self.small_blind_pays:
                reward = 0
            ahead.append(
                BlindAhead(
                    kind,
                    slot,
                    self.blind_status[slot],
                    bosses.required_chips(self, kind, self.blind_ante),
                    reward,
                    self.skip_tags[slot] if slot < BOSS else -1,
                    orbital[slot] if orbital is not None else -1,
                )
            )
        return ahead

    @property
    def voucher_keys(self) -> list[str]:
        """The redeemed vouchers' keys."""
        return [VOUCHERS[kind].key for kind in range(len(VOUCHERS)) if self.vouchers[kind]]

    def preview(self, cards: tuple[int, ...]) -> Preview:
        """What playing these places of the hand would score.

        Nothing changes and nothing is drawn; chances count with their likelihood.
        """
        return scoring.preview(self, cards)

    # What a player may do

    def is_legal(self, action: Action) -> bool:
        return not self.why_not(action)

    def why_not(self, action: Action) -> str:
        """Why an action is not allowed now; empty when it is."""
        kind = int(action.kind)
        index = action.index
        cards = action.cards
        phase = self.phase_now
        if phase == GAME_OVER:
            return "the game is over"
        if kind in (_PLAY, _DISCARD):
            if phase != SELECTING_HAND:
                return "no hand is being played"
            if kind == _DISCARD and self.discards_left < 1:
                return "no discards are left"
            return self._bad_selection(cards)
        if kind == _SELECT_BLIND:
            return "" if phase == BLIND_SELECT else "there is no blind to select"
        if kind == _SKIP_BLIND:
            if phase != BLIND_SELECT:
                return "there is no blind to skip"
            return "" if self.on_deck != BOSS else "a boss cannot be skipped"
        if kind == _REROLL_BOSS:
            if phase != BLIND_SELECT:
                return "there is no boss to reroll now"
            if not self.vouchers[_RETCON] and not (
                self.vouchers[_DIRECTORS_CUT] and not self.boss_rerolled
            ):
                return "it takes Director's Cut, once an ante, or Retcon"
            return "" if self.can_pay(BOSS_REROLL_COST) else "it costs $10"
        if kind == _CASH_OUT:
            return "" if phase == ROUND_EVAL else "there is nothing to cash out"
        if _BUY_CARD <= kind <= _LEAVE_SHOP:
            if phase != SHOP:
                return "the shop is not open"
            return self._bad_purchase(kind, index)
        if kind == _SELL_JOKER:
            if not 0 <= index < len(self.jokers):
                return f"there is no joker {index}"
            return "it is eternal" if self.jokers[index].eternal else ""
        if kind == _SELL_CONSUMABLE:
            if not 0 <= index < len(self.consumables):
                return f"there is no consumable {index}"
            return ""
        if kind == _USE_CONSUMABLE:
            if not 0 <= index < len(self.consumables):
                return f"there is no consumable {index}"
            card = self.consumables[index]
            return consumables.why_not(self, card.kind, list(cards), 0 if card.edition else 1)
        if kind == _PICK_PACK:
            return self._bad_pick(index, list(cards))
        if kind == _SKIP_PACK:
            return "" if phase == PACK else "no pack is open"
        if kind == _MOVE_JOKER:
            return self._bad_move(index, cards, len(self.jokers))
        if kind == _MOVE_CARD:
            return self._bad_move(index, cards, len(self.hand))
        if kind == _SORT_HAND:
            return "" if index in (0, 1) else "it sorts by rank (0) or suit (1)"
        return "there is no such kind of action"

    def _bad_selection(self, cards: tuple[int, ...]) -> str:
        count = len(cards)
        if not 1 <= count <= 5:
            return f"{count} cards were chosen, not 1 to 5"
        size = len(self.hand)
        chosen = 0
        for place in cards:
            if not 0 <= place < size:
                return f"there is no card {place} in the hand of {size}"
            if (chosen >> place) & 1:
                return f"card {place} was chosen twice"
            chosen |= 1 << place
        for place in range(size):
            if self.hand[place].forced and not (chosen >> place) & 1:
                return f"card {place} must be among those chosen"
        return ""

    def _bad_purchase(self, kind: int, index: int) -> str:
        if kind == _LEAVE_SHOP:
            return ""
        if kind == _REROLL:
            return "" if self.can_pay(self.reroll_cost) else f"it costs ${self.reroll_cost}"
        if kind == _BUY_VOUCHER:
            shelf = self.shop_vouchers
        elif kind == _BUY_PACK:
            shelf = self.shop_packs
        else:
            shelf = self.shop_cards
        if not 0 <= index < len(shelf):
            return f"there is nothing at place {index}"
        offer = shelf[index]
        if not self.can_pay(offer.cost):
            return f"it costs ${offer.cost}"
        if kind == _BUY_CARD:
            if offer.joker is not None and not self.has_joker_room(offer.joker.edition):
                return "there is no room for a joker"
            if offer.consumable is not None and not self.has_consumable_room(
                offer.consumable.edition
            ):
                return "there is no room for a consumable"
        elif kind == _BUY_AND_USE:
            if offer.consumable is None:
                return "only a consumable can be used at once"
            return consumables.why_not(self, offer.consumable.kind, [], 0)
        return ""

    def _bad_pick(self, index: int, cards: list[int]) -> str:
        pack = self.pack
        if pack is None:
            return "no pack is open"
        if not 0 <= index < len(pack.cards):
            return f"there is no card {index} in the pack"
        offer = pack.cards[index]
        if offer.consumable is not None:
            return consumables.why_not(self, offer.consumable.kind, cards, 0)
        if cards:
            return "it takes no cards"
        if offer.joker is not None and not self.has_joker_room(offer.joker.edition):
            return "there is no room for a joker"
        return ""

    def _bad_move(self, index: int, cards: tuple[int, ...], count: int) -> str:
        if len(cards) != 1 or not 0 <= index < count or not 0 <= cards[0] < count:
            return f"a move goes from one of {count} places to another"
        return ""

    def legal_actions(self, moves: bool = False) -> list[Action]:
        """All legal actions, with every choice of cards.

        Args:
            moves: include MOVE_JOKER, MOVE_CARD and SORT_HAND.
        """
        actions: list[Action] = []
        phase = self.phase_now
        if phase == GAME_OVER:
            return actions
        kinds: list[ActionKind] = []
        if phase == SELECTING_HAND:
            forced = [place for place in range(len(self.hand)) if self.hand[place].forced]
            for cards in selections(len(self.hand), 1, 5):
                if forced and not set(forced) <= set(cards):
                    continue
                actions.append(Action(ActionKind.PLAY, 0, cards))
                if self.discards_left > 0:
                    actions.append(Action(ActionKind.DISCARD, 0, cards))
        elif phase == BLIND_SELECT:
            kinds = [ActionKind.SELECT_BLIND, ActionKind.SKIP_BLIND, ActionKind.REROLL_BOSS]
        elif phase == ROUND_EVAL:
            kinds = [ActionKind.CASH_OUT]
        elif phase == SHOP:
            kinds = [ActionKind.REROLL, ActionKind.LEAVE_SHOP]
            for place in range(len(self.shop_cards)):
                self._offer_actions(actions, ActionKind.BUY_CARD, place)
                self._offer_actions(actions, ActionKind.BUY_AND_USE, place)
            for place in range(len(self.shop_vouchers)):
                self._offer_actions(actions, ActionKind.BUY_VOUCHER, place)
            for place in range(len(self.shop_packs)):
                self._offer_actions(actions, ActionKind.BUY_PACK, place)
        elif self.pack is not None:
            kinds = [ActionKind.SKIP_PACK]
            for place in range(len(self.pack.cards)):
                card = self.pack.cards[place].consumable
                kind = -1 if card is None else card.kind
                self._target_actions(actions, ActionKind.PICK_PACK, place, kind)
        for simple in kinds:
            self._offer_actions(actions, simple, 0)
        for place in range(len(self.consumables)):
            actions.append(Action(ActionKind.SELL_CONSUMABLE, place))
            kind = self.consumables[place].kind
            self._target_actions(actions, ActionKind.USE_CONSUMABLE, place, kind)
        for place in range(len(self.jokers)):
            self._offer_actions(actions, ActionKind.SELL_JOKER, place)
        if moves:
            actions += self._move_actions()
        return actions

    def _offer_actions(self, actions: list[Action], kind: ActionKind, place: int) -> None:
        action = Action(kind, place)
        if not self.why_not(action):
            actions.append(action)

    def _target_actions(
        self, actions: list[Action], kind: ActionKind, place: int, consumable: int
    ) -> None:
        least, most = (0, 0) if consumable < 0 else consumables.targets(consumable)
        for cards in selections(len(self.hand), least, most):
            action = Action(kind, place, cards)
            if not self.why_not(action):
                actions.append(action)

    def _move_actions(self) -> list[Action]:
        actions: list[Action] = []
        for kind, count in (
            (ActionKind.MOVE_JOKER, len(self.jokers)),
            (ActionKind.MOVE_CARD, len(self.hand)),
        ):
            for start in range(count):
                actions += [Action(kind, start, (end,)) for end in range(count) if start != end]
        actions.append(Action(ActionKind.SORT_HAND, 0))
        actions.append(Action(ActionKind.SORT_HAND, 1))
        return actions

    # What a player does

    def step(self, action: Action) -> None:
        """Perform an action.

        Raises:
            IllegalAction: it is not allowed now; nothing changed.
        """
        reason = self.why_not(action)
        if reason:
            raise IllegalAction(f"{ActionKind(action.kind).name} is not allowed: {reason}")
        kind = int(action.kind)
        index = action.index
        if kind == _PLAY:
            rounds.play_hand(self, sorted(action.cards))
        elif kind == _DISCARD:
            rounds.discard_hand(self, sorted(action.cards))
        elif kind == _SELECT_BLIND:
            rounds.select_blind(self)
        elif kind == _SKIP_BLIND:
            rounds.skip_blind(self)
        elif kind == _REROLL_BOSS:
            self.earn(-BOSS_REROLL_COST)
            self.boss_rerolled = True
            self.boss = bosses.new_boss(self)
        elif kind == _CASH_OUT:
            rounds.cash_out(self)
        elif kind == _BUY_CARD:
            shop.buy_card(self, index)
        elif kind == _BUY_AND_USE:
            self._buy_and_use(index)
        elif kind == _BUY_VOUCHER:
            shop.buy_voucher(self, index)
        elif kind == _BUY_PACK:
            offer = self.shop_packs.pop(index)
            self.earn(-offer.cost)
            rounds.open_any_pack(self, offer.pack, SHOP)
        elif kind == _REROLL:
            shop.reroll(self)
        elif kind == _LEAVE_SHOP:
            shop.leave_shop(self)
            rounds.choose_blind(self)
        elif kind == _SELL_JOKER:
            self._sell_joker(self.jokers[index])
            self._settle_hand()
        elif kind == _SELL_CONSUMABLE:
            self._sell_consumable(self.consumables[index])
        elif kind == _USE_CONSUMABLE:
            card = self.consumables[index]
            self.take_consumable(card)
            consumables.use_consumable(self, card, list(action.cards))
            self._settle_hand()
        elif kind == _PICK_PACK:
            self._pick(index, list(action.cards))
        elif kind == _SKIP_PACK:
            tell_jokers(self, PACK_SKIPPED)
            rounds.close_pack(self)
        elif kind == _MOVE_JOKER:
            self.jokers.insert(action.cards[0], self.jokers.pop(index))
            self.refresh_jokers()
        elif kind == _MOVE_CARD:
            self.hand.insert(action.cards[0], self.hand.pop(index))
        elif kind == _SORT_HAND:
            self.sort_by_suit = index == 1
            self.sort_hand()

    def _buy_and_use(self, index: int) -> None:
        offer = self.shop_cards.pop(index)
        self.earn(-offer.cost)
        if offer.consumable is not None:
            consumables.use_consumable(self, offer.consumable, [])

    def _sell_joker(self, joker: Joker) -> None:
        for i in range(len(self.jokers)):
            if self.jokers[i] is joker:
                rule = RULES[self.acting[i].kind]
                hook = rule.sold
                if hook is not None and self.acts(i, rule.own & SOLD):
                    hook(self, self.acting[i])
                break
        self.earn(joker.sell_value)
        self.remove_joker(joker)
        tell_jokers(self, SALE)
        if bosses.active(self, bosses.LEAF):
            bosses.disable(self)

    def _sell_consumable(self, card: Consumable) -> None:
        self.earn(card.sell_value)
        self.take_consumable(card)
        self.release_consumable(card.kind)
        tell_jokers(self, SALE)

    def _pick(self, index: int, cards: list[int]) -> None:
        pack = self.pack
        assert pack is not None
        offer = pack.cards.pop(index)
        pack.picks -= 1
        if offer.consumable is not None:
            consumables.use_consumable(self, offer.consumable, cards)
        elif offer.joker is not None:
            self.add_joker(offer.joker)
        elif offer.card is not None:
            self.add_to_deck(offer.card)
            self.cards_added(1)
        if pack.picks < 1 or not pack.cards:
            rounds.close_pack(self)

    def _settle_hand(self) -> None:
        """Deal for hand size gained in the middle of a hand; a hand that was emptied, anew."""
        owed = self.cards_owed
        self.cards_owed = 0
        if self.phase_now == SELECTING_HAND:
            if not self.hand:
                rounds.draw_hand(self)
            elif owed > 0:
                rounds.deal(self, owed)

    # Copies

    def clone(self) -> Run:
        """An independent copy."""
        twin = Run(self.seed, start=False)
        copy_into(twin, self)
        return twin

    def determinised(self, rng: random.Random) -> Run:
        """A copy whose hidden part is dealt afresh.

        Hidden are the deck's order, the faces of cards and jokers that lie face down, the ante's
        voucher before its first shop, and all coming draws.
        """
        twin = self.clone()
        twin.settle_deck()
        self._shuffle_hidden(twin, rng)
        twin.draws = streams(random_seed(rng))
        if not twin.voucher_seen and twin.voucher >= 0:
            twin.voucher = next_voucher(twin)
        return twin

    def _shuffle_hidden(self, twin: Run, rng: random.Random) -> None:
        """Deal a copy's draw pile and face-down cards anew; The Mark hides nothing but faces."""
        marked = bosses.active(twin, bosses.MARK)
        hidden = [place for place in range(len(twin.hand)) if twin.hand[place].face_down]
        pile = twin.draw_pile
        rng.shuffle(pile)
        for place in hidden:
            fits = [i for i in range(len(pile)) if not marked or bosses.hides(twin, pile[i])]
            j = rng.randrange(len(fits) + 1)
            if j < len(fits):
                card, other = twin.hand[place], pile[fits[j]]
                pile[fits[j]] = card.with_state(card.debuffed, False, card.played, False)
                twin.hand[place] = other.with_state(other.debuffed, True, other.played, card.forced)
        if any(joker.face_down for joker in twin.jokers):
            rng.shuffle(twin.jokers)
            twin.refresh_jokers()

    def save(self) -> dict[str, Any]:
        """The run as plain data that JSON can hold."""
        return {"format": SAVE_FORMAT, "run": write_state(self), "digest": self.digest()}

    @staticmethod
    def load(data: object) -> Run:
        """Restore a run from what `save` returned.

        Raises:
            CorruptSave: the data is damaged, or of another version.
        """
        if not isinstance(data, dict) or data.get("format") != SAVE_FORMAT:
            raise CorruptSave(
                f"it is not a save of format {SAVE_FORMAT}",
                hint="Load it with the version of JimBot that wrote it",
            )
        fields = data.get("run")
        if not isinstance(fields, dict):
            raise CorruptSave("the save holds no run", hint="Use another save")
        try:
            run = Run(
                str(fields["seed"]), DECKS[fields["deck"]], STAKES[fields["stake"]], start=False
            )
        except (KeyError, TypeError, IndexError, InvalidSeed) as error:
            raise CorruptSave(
                f"the save has no valid seed, deck and stake: {error}", hint="Use another save"
            ) from error
        read_state(run, fields)
        if run.digest() != data.get("digest"):
            raise CorruptSave("the save was changed after it was written", hint="Use another save")
        return run

    def digest(self) -> str:
        """Sixteen hex digits that two runs share only if their whole states are equal."""
        return digest_state(self)


_SELECTIONS: dict[tuple[int, int, int], list[tuple[int, ...]]] = {}


def selections(size: int, least: int, most: int) -> list[tuple[int, ...]]:
    """All choices of least to most places among so many."""
    key = (size, least, most)
    if key not in _SELECTIONS:
        _SELECTIONS[key] = [
            cards for count in range(least, most + 1) for cards in combinations(range(size), count)
        ]
    return _SELECTIONS[key]
