"""The legal actions of the moment as rows, and the state around them, as plain numbers.

`features.Observer` keeps them in arrays. This module and those it builds on are compiled together
with the game, so numpy and the classes of `actions` stay outside of the common path.
"""

from __future__ import annotations

from math import log, log2
from typing import Final

from jimbot.game.actions import Action, ActionKind
from jimbot.game.cards import Card, Consumable, Joker, Offer
from jimbot.game.catalogue import FIRST_PLANET, FIRST_SPECTRAL
from jimbot.game.planets import PLANET_HANDS
from jimbot.game.run import BOSS_REROLL_COST, Run
from jimbot.game.scoring import Preview
from jimbot.game.state import (
    BLIND_SELECT,
    GAME_OVER,
    PACK,
    ROUND_EVAL,
    SELECTING_HAND,
    SHOP,
)
from jimbot.policy import layout as at
from jimbot.policy.candidates import Discard, Hand, Play, Unseen, discards, plays, targets
from jimbot.policy.prospects import Prospects

# Amounts lie in [-1, 4]: a tenfold score adds 1/8, four is 10^32.
HIGH: Final = 4.0
LOW: Final = -1.0

# Kinds of action, see `ActionKind`.
_PLAY: Final = 0
_DISCARD: Final = 1
_SELECT_BLIND: Final = 2
_SKIP_BLIND: Final = 3
_REROLL_BOSS: Final = 4
_CASH_OUT: Final = 5
_BUY_CARD: Final = 6
_BUY_AND_USE: Final = 7
_BUY_VOUCHER: Final = 8
_BUY_PACK: Final = 9
_REROLL: Final = 10
_LEAVE_SHOP: Final = 11
_SELL_JOKER: Final = 12
_SELL_CONSUMABLE: Final = 13
_USE_CONSUMABLE: Final = 14
_PICK_PACK: Final = 15
_SKIP_PACK: Final = 16
_MOVE_JOKER: Final = 17
_MOVE_CARD: Final = 18
_SORT_HAND: Final = 19
_KINDS: Final = list(ActionKind)

_LEVELS: Final = [log2(1 + level) / 5 for level in range(64)]
_DECADES: Final = 8.0 * log(10.0)
_SELECTED: Final = at.STATE["selected"][0]
_PAGE: Final = at.STATE["page"][0]
# The rows before this one do not change with the selection and the page.
_FIRST_LOOSE: Final = at.TOGGLE_CARD
_NO_CARDS: Final[tuple[int, ...]] = ()
# Foresight offers no move of a joker that adds less than this (log).
_LEAST_GAIN: Final = 0.01

# By row, where the columns lie that `_play` and `_summary` write one after the other.
_COLUMNS_OF_PLAY: Final = [
    list(range(row * at.WIDTH + at.CHIPS, row * at.WIDTH + at.LEVEL + 1)) for row in range(at.ROWS)
]
_COLUMNS_OF_SET: Final = [
    list(range(row * at.WIDTH + at.CARDS, row * at.WIDTH + at.DIAMONDS + 1))
    for row in range(at.ROWS)
]


def log_scaled(amount: float) -> float:
    """log10(1 + amount) / 8, at most `HIGH`."""
    return log(1.0 + amount) / _DECADES if amount < 1e32 else HIGH


def level_scaled(level: int) -> float:
    """log2(1 + level) / 5, at most `HIGH`."""
    return _LEVELS[level] if level < 64 else min(HIGH, log2(1 + level) / 5)


def money_scaled(dollars: float) -> float:
    """Dollars by 40, between `LOW` and `HIGH`."""
    return max(LOW, min(HIGH, dollars / 40.0))


class Rows:
    """What there is to see at one moment.

    Attributes:
        mask: by row, 1 where it is a legal action.
        items: by row, then by slot of what is owned, the item.
        cells, places: the cells that are not zero, and where each lies, row after row.
        state: the state around the rows.
        plays, discards: the proposals behind the first rows.
        first_card: the place of the card that the first slot shows.

    Args:
        foresight: whether to work out what jokers and levels would add, see `prospects`; moves of
            jokers are then offered only where they add something.
    """

    __slots__ = (
        "_cards",
        "_indices",
        "_kept",
        "_kinds",
        "_page",
        "_prospects",
        "_seeing",
        "_selected",
        "cells",
        "discards",
        "first_card",
        "items",
        "mask",
        "places",
        "plays",
        "state",
    )

    def __init__(self, foresight: bool = False) -> None:
        self.mask = [0] * at.ROWS
        self.items = [0] * (at.ROWS + at.OWNED)
        self.cells: list[float] = []
        self.places: list[int] = []
        self.state: list[float] = []
        self.plays: list[Play] = []
        self.discards: list[Discard] = []
        self.first_card = 0
        # Of a legal row, its action.
        self._kinds = [0] * at.ROWS
        self._indices = [0] * at.ROWS
        self._cards: list[tuple[int, ...]] = [_NO_CARDS] * at.ROWS
        self._selected = _NO_CARDS
        self._page = 0
        self._kept = 0
        self._prospects = Prospects() if foresight else None
        # The same while there is something to buy or pick.
        self._seeing: Prospects | None = None

    def action(self, row: int) -> Action:
        """What a row does that is not a selection or a page."""
        return Action(_KINDS[self._kinds[row]], self._indices[row], self._cards[row])

    def find(self, action: Action) -> int:
        """The row that performs an action; -1 when there is none."""
        kind = int(action.kind)
        for row in range(at.ROWS):
            if (
                self.mask[row]
                and self._kinds[row] == kind
                and self._indices[row] == action.index
                and self._cards[row] == action.cards
                and row != at.NEXT_PAGE
                and not at.TOGGLE_CARD <= row < at.TOGGLE_CARD + at.CARD_SLOTS
            ):
                return row
        return -1

    def look(self, run: Run, selected: tuple[int, ...], page: int, unchanged: bool) -> None:
        """Look at a run.

        Args:
            selected: the places of the selected cards, ascending.
            page: how often the page was turned.
            unchanged: the run is as at the last look; only the selection or the page is not.
        """
        self._selected = selected
        self._page = page
        phase = run.phase_now
        self._seeing = self._prospects if phase in (SHOP, PACK) else None
        if self._seeing is not None:
            self._seeing.look(run)
        if unchanged:
            del self.places[self._kept :]
            del self.cells[self._kept :]
            loose = at.ROWS - _FIRST_LOOSE
            self.mask[_FIRST_LOOSE:] = [0] * loose
            self.items[_FIRST_LOOSE : at.ROWS] = [0] * loose
        else:
            self._look_anew(run, phase)
        self.state[_SELECTED] = len(selected) / 5
        self.state[_PAGE] = min(HIGH, page / 4)
        if phase == GAME_OVER:
            return
        if run.hand:
            self._hand_cards(run, phase)
        if phase == SHOP:
            self._shop(run)
        elif phase == BLIND_SELECT:
            self._blind(run)
        elif phase == ROUND_EVAL:
            self._put(at.CASH_OUT, _CASH_OUT, 0, _NO_CARDS)
        elif phase == PACK:
            self._pack(run)
        if run.jokers:
            self._jokers(run)
        if run.consumables:
            self._consumables(run)
        pages = self.pages(run)
        if pages > 1:
            self.mask[at.NEXT_PAGE] = 1
            self._set(at.NEXT_PAGE * at.WIDTH + at.PLACE, min(HIGH, page % pages / 4))

    def _look_anew(self, run: Run, phase: int) -> None:
        """What does not change with the selection and the page."""
        self.mask = [0] * at.ROWS
        self.items = [0] * (at.ROWS + at.OWNED)
        self.places = []
        self.cells = []
        self.plays = []
        self.discards = []
        best_share = 0.0
        deck = Unseen(run)
        if phase == SELECTING_HAND and run.hand:
            best_share = self._proposals(run, deck)
        self._kept = len(self.cells)
        self._state(run, best_share, deck)
        self._owned(run)

    # Rows

    def _put(self, row: int, kind: int, index: int, cards: tuple[int, ...]) -> int:
        """Make a row legal; returns where its cells begin."""
        self.mask[row] = 1
        self._kinds[row] = kind
        self._indices[row] = index
        self._cards[row] = cards
        return row * at.WIDTH

    def _set(self, place: int, value: float) -> None:
        self.places.append(place)
        self.cells.append(value)

    def _from(self, count: int, slots: int) -> int:
        """The first place that a block of so many slots shows on this page."""
        if count <= slots:
            return 0
        return self._page % ((count + slots - 1) // slots) * slots

    def pages(self, run: Run) -> int:
        """How many pages it takes to see everything."""
        pages = max(
            _pages(len(run.hand), at.CARD_SLOTS),
            _pages(len(run.jokers), at.JOKER_SLOTS),
            _pages(len(run.consumables), at.CONSUMABLE_SLOTS),
        )
        if run.phase_now == SHOP:
            pages = max(pages, _pages(len(run.shop_cards), at.SHELF_SLOTS))
            pages = max(pages, _pages(len(run.shop_vouchers), at.VOUCHER_SLOTS))
            pages = max(pages, _pages(len(run.shop_packs), at.SHOP_PACK_SLOTS))
        pack = run.pack
        if pack is not None:
            pages = max(pages, _pages(len(pack.cards), at.PACK_SLOTS))
        return pages

    def _hand_cards(self, run: Run, phase: int) -> None:
        """Selecting cards, and what may be done with those selected."""
        hand = run.hand
        selected = self._selected
        count = len(hand)
        first = self._from(count, at.CARD_SLOTS)
        self.first_card = first
        full = len(selected) >= 5
        row = at.TOGGLE_CARD
        for place in range(first, min(count, first + at.CARD_SLOTS)):
            chosen = place in selected if selected else False
            if chosen or not full:
                self.mask[row] = 1
                cell = row * at.WIDTH
                self._set(cell + at.PLACE, min(HIGH, place / 8))
                if chosen:
                    self._set(cell + at.SELECTED, 1.0)
                self.items[row] = self._card(cell, hand[place])
            row += 1
        if count > 1:
            self._put(at.SORT_HAND, _SORT_HAND, 0, _NO_CARDS)
            self._put(at.SORT_HAND + 1, _SORT_HAND, 1, _NO_CARDS)
        if not selected:
            return
        if len(selected) == 1 and selected[0] > 0:
            self._put(at.CARD_TO_FRONT, _MOVE_CARD, selected[0], (0,))
        if phase == SELECTING_HAND and run.is_legal(Action(_KINDS[_PLAY], 0, selected)):
            self._put(at.PLAY_SELECTED, _PLAY, 0, selected)
            self._play(at.PLAY_SELECTED, run, selected, run.preview(selected))
            if run.discards_left > 0:
                cell = self._put(at.DISCARD_SELECTED, _DISCARD, 0, selected)
                self._summary(cell, run, selected, 0.0, 0.0)

    def _card(self, cell: int, card: Card) -> int:
        """A playing card's cells; returns its item."""
        if card.face_down:
            self._set(cell + at.FACE_DOWN, 1.0)
            return 0
        self._set(cell + at.RANK, card.rank / 14)
        self._set(cell + at.SPADES + card.suit, 1.0)
        if card.debuffed:
            self._set(cell + at.DEBUFFED, 1.0)
        if card.edition:
            self._set(cell + at.FOIL - 1 + card.edition, 1.0)
        if card.seal:
            self._set(cell + at.SEALED, card.seal / 4)
        if card.bonus:
            self._set(cell + at.GROWN, log_scaled(float(card.bonus)))
        if card.enhancement:
            self._set(cell + at.ENHANCED, 1.0)
            return at.FIRST_ENHANCEMENT + card.enhancement
        return 0

    def _proposals(self, run: Run, deck: Unseen) -> float:
        """Plays and discards; returns the best play's share of what is still needed."""
        hand = Hand(run)
        self.plays = plays(run, hand, at.PLAYS)
        best_share = 0.0
        row = at.PLAY
        for play in self.plays:
            self._put(row, _PLAY, 0, play.cards)
            share = self._play(row, run, play.cards, play.preview)
            if row == at.PLAY:
                best_share = share
            row += 1
        if run.discards_left > 0:
            self.discards = discards(run, hand, self.plays[0].cards, at.DISCARDS, deck)
            row = at.DISCARD
            for discard in self.discards:
                cell = self._put(row, _DISCARD, 0, discard.cards)
                self._summary(cell, run, discard.cards, 0.0, discard.chance)
                self.items[row] = at.FIRST_KEEP + discard.keep
                row += 1
        return best_share

    def _play(self, row: int, run: Run, cards: tuple[int, ...], preview: Preview) -> float:
        """A play's cells; returns its share of what is still needed."""
        cell = row * at.WIDTH
        needed = run.required - run.chips
        share = 1.0 if preview.score >= needed else preview.score / needed
        self.places += _COLUMNS_OF_PLAY[row]
        self.cells += [
            log_scaled(preview.chips),
            log_scaled(preview.mult),
            log_scaled(preview.score),
            share,
            1.0 if share >= 1.0 else 0.0,
            level_scaled(run.hand_levels[preview.hand].level),
        ]
        self.items[row] = at.FIRST_HAND + preview.hand
        self._summary(cell, run, cards, len(preview.scoring) / 5, 0.0)
        return share

    def _summary(
        self, cell: int, run: Run, cards: tuple[int, ...], scoring: float, chance: float
    ) -> None:
        """How many cards of the hand a set has, and what is special about them on average."""
        count = len(cards)
        rank = enhanced = sealed = debuffed = hidden = 0
        spades = hearts = clubs = diamonds = 0
        hand = run.hand
        for place in cards:
            card = hand[place]
            if card.face_down:
                hidden += 1
                continue
            rank += card.rank
            suit = card.suit
            if suit == 0:
                spades += 1
            elif suit == 1:
                hearts += 1
            elif suit == 2:
                clubs += 1
            else:
                diamonds += 1
            if card.enhancement:
                enhanced += 1
            if card.seal:
                sealed += 1
            if card.debuffed:
                debuffed += 1
        self.places += _COLUMNS_OF_SET[cell // at.WIDTH]
        self.cells += [
            count / 5,
            scoring,
            chance,
            rank / (14 * count),
            spades / count,
            hearts / count,
            clubs / count,
            diamonds / count,
        ]
        if enhanced:
            self._set(cell + at.ENHANCED, enhanced / count)
        if sealed:
            self._set(cell + at.SEALED, sealed / count)
        if debuffed:
            self._set(cell + at.DEBUFFED, debuffed / count)
        if hidden:
            self._set(cell + at.FACE_DOWN, hidden / count)

    def _blind(self, run: Run) -> None:
        slot = run.on_deck
        ahead = run.blinds_ahead
        cell = self._put(at.SELECT_BLIND, _SELECT_BLIND, 0, _NO_CARDS)
        self._set(cell + at.SCORE, log_scaled(ahead[slot].required))
        self.items[at.SELECT_BLIND] = at.FIRST_BLIND + ahead[slot].kind
        if slot < 2:
            self._put(at.SKIP_BLIND, _SKIP_BLIND, 0, _NO_CARDS)
            self.items[at.SKIP_BLIND] = at.FIRST_TAG + ahead[slot].tag
        if run.is_legal(Action(_KINDS[_REROLL_BOSS])):
            cell = self._put(at.REROLL_BOSS, _REROLL_BOSS, 0, _NO_CARDS)
            self._price(cell, run, BOSS_REROLL_COST)
            self.items[at.REROLL_BOSS] = at.FIRST_BLIND + ahead[2].kind

    def _shop(self, run: Run) -> None:
        self._put(at.LEAVE_SHOP, _LEAVE_SHOP, 0, _NO_CARDS)
        if run.can_pay(run.reroll_cost):
            cell = self._put(at.REROLL, _REROLL, 0, _NO_CARDS)
            self._price(cell, run, run.reroll_cost)
        self._shelf(run, run.shop_cards, at.BUY, at.SHELF_SLOTS, _BUY_CARD)
        self._shelf(run, run.shop_cards, at.BUY_AND_USE, at.SHELF_SLOTS, _BUY_AND_USE)
        self._shelf(run, run.shop_vouchers, at.BUY_VOUCHER, at.VOUCHER_SLOTS, _BUY_VOUCHER)
        self._shelf(run, run.shop_packs, at.BUY_PACK, at.SHOP_PACK_SLOTS, _BUY_PACK)

    def _shelf(self, run: Run, offers: list[Offer], row: int, slots: int, kind: int) -> None:
        first = self._from(len(offers), slots)
        for place in range(first, min(len(offers), first + slots)):
            offer = offers[place]
            # Most of what is not legal costs too much, or is no consumable to use.
            if (
                run.can_pay(offer.cost)
                and (kind != _BUY_AND_USE or offer.consumable is not None)
                and run.is_legal(Action(_KINDS[kind], place))
            ):
                cell = self._put(row, kind, place, _NO_CARDS)
                self._price(cell, run, offer.cost)
                self.items[row] = self._offer(cell, run, offer)
                self._adds(cell, offer)
            row += 1

    def _adds(self, cell: int, offer: Offer) -> None:
        """What having something offered would add to the scores."""
        seeing = self._seeing
        if seeing is None:
            return
        if offer.joker is not None:
            if not offer.joker.face_down:
                self._set(cell + at.ADDS, _adding(seeing.with_joker(offer.joker)))
        elif offer.consumable is not None:
            kind = offer.consumable.kind
            if FIRST_PLANET <= kind < FIRST_SPECTRAL:
                self._set(
                    cell + at.ADDS, _adding(seeing.with_level(PLANET_HANDS[kind - FIRST_PLANET]))
                )

    def _price(self, cell: int, run: Run, cost: int) -> None:
        self._set(cell + at.COST, min(HIGH, cost / 20))
        left = run.money - cost
        self._set(cell + at.MONEY_AFTER, money_scaled(float(left)))
        self._set(cell + at.INTEREST_AFTER, _interest(left, run.interest_cap))

    def _offer(self, cell: int, run: Run, offer: Offer) -> int:
        """The cells of something offered; returns its item."""
        if offer.joker is not None:
            return self._joker(cell, offer.joker)
        if offer.consumable is not None:
            return self._consumable(cell, run, offer.consumable)
        if offer.card is not None:
            return self._card(cell, offer.card)
        if offer.voucher >= 0:
            return at.FIRST_VOUCHER + offer.voucher
        return at.FIRST_PACK + offer.pack

    def _joker(self, cell: int, joker: Joker) -> int:
        if joker.face_down:
            self._set(cell + at.FACE_DOWN, 1.0)
            return 0
        if joker.edition:
            self._set(cell + at.FOIL - 1 + joker.edition, 1.0)
        if joker.eternal:
            self._set(cell + at.ETERNAL, 1.0)
        if joker.perishable >= 0:
            self._set(cell + at.PERISHABLE, 1.0 - joker.perishable / 10)
        if joker.rental:
            self._set(cell + at.RENTAL, 1.0)
        if joker.debuffed:
            self._set(cell + at.DEBUFFED, 1.0)
        if joker.value > 0.0:
            self._set(cell + at.GROWN, log_scaled(joker.value))
        return at.FIRST_JOKER + joker.kind

    def _consumable(self, cell: int, run: Run, card: Consumable) -> int:
        kind = card.kind
        if FIRST_PLANET <= kind < FIRST_SPECTRAL:
            level = run.hand_levels[PLANET_HANDS[kind - FIRST_PLANET]]
            self._set(cell + at.LEVEL, level_scaled(level.level))
            self._set(cell + at.GROWN, min(HIGH, level.played / 20))
        return at.FIRST_CONSUMABLE + kind

    def _pack(self, run: Run) -> None:
        self._put(at.SKIP_PACK, _SKIP_PACK, 0, _NO_CARDS)
        pack = run.pack
        if pack is None:
            return
        self.items[at.SKIP_PACK] = at.FIRST_PACK + pack.kind
        hand = Hand(run) if run.hand else None
        first = self._from(len(pack.cards), at.PACK_SLOTS)
        for slot in range(min(len(pack.cards) - first, at.PACK_SLOTS)):
            place = first + slot
            offer = pack.cards[place]
            card = offer.consumable
            row = at.PICK + slot * at.TARGET_CHOICES
            for cards in _choices(hand, -1 if card is None else card.kind):
                self._use(run, row, _PICK_PACK, place, cards, offer)
                row += 1
            if self._selected:
                row = at.PICK_ON_SELECTED + slot
                self._use(run, row, _PICK_PACK, place, self._selected, offer)

    def _consumables(self, run: Run) -> None:
        hand = Hand(run) if run.hand else None
        first = self._from(len(run.consumables), at.CONSUMABLE_SLOTS)
        for slot in range(min(len(run.consumables) - first, at.CONSUMABLE_SLOTS)):
            place = first + slot
            card = run.consumables[place]
            row = at.SELL_CONSUMABLE + slot
            cell = self._put(row, _SELL_CONSUMABLE, place, _NO_CARDS)
            self._set(cell + at.SELL_VALUE, min(HIGH, card.sell_value / 20))
            self.items[row] = self._consumable(cell, run, card)
            row = at.USE + slot * at.TARGET_CHOICES
            for cards in _choices(hand, card.kind):
                self._use(run, row, _USE_CONSUMABLE, place, cards, Offer(consumable=card))
                row += 1
            if self._selected:
                row = at.USE_ON_SELECTED + slot
                self._use(run, row, _USE_CONSUMABLE, place, self._selected, Offer(consumable=card))

    def _use(
        self, run: Run, row: int, kind: int, place: int, cards: tuple[int, ...], offer: Offer
    ) -> None:
        """A way to use or pick something, if it is legal."""
        if run.is_legal(Action(_KINDS[kind], place, cards)):
            cell = self._put(row, kind, place, cards)
            self.items[row] = self._offer(cell, run, offer)
            self._adds(cell, offer)
            if cards:
                self._summary(cell, run, cards, 0.0, 0.0)

    def _jokers(self, run: Run) -> None:
        seeing = self._seeing
        last = len(run.jokers) - 1
        first = self._from(len(run.jokers), at.JOKER_SLOTS)
        for slot in range(min(len(run.jokers) - first, at.JOKER_SLOTS)):
            place = first + slot
            joker = run.jokers[place]
            if not joker.eternal:
                row = at.SELL_JOKER + slot
                cell = self._put(row, _SELL_JOKER, place, _NO_CARDS)
                if not joker.face_down:
                    self._set(cell + at.SELL_VALUE, min(HIGH, joker.sell_value / 20))
                self._set(cell + at.PLACE, min(HIGH, place / 8))
                self.items[row] = self._joker(cell, joker)
                if seeing is not None and not joker.face_down:
                    self._set(cell + at.ADDS, _adding(seeing.without_joker(joker)))
                    self._set(cell + at.SWAP, _adding(_swap(run, seeing, joker)))
            if place < last:
                gain = 0.0
                if self._prospects is not None:
                    # What brings nothing is not offered: nothing would end it.
                    if seeing is not None and not joker.face_down:
                        gain = _adding(seeing.with_joker_last(joker))
                    if gain < _LEAST_GAIN:
                        continue
                row = at.JOKER_TO_END + slot
                cell = self._put(row, _MOVE_JOKER, place, (last,))
                self._set(cell + at.PLACE, min(HIGH, place / 8))
                if gain > 0.0:
                    self._set(cell + at.ADDS, gain)
                self.items[row] = self._joker(cell, joker)

    # The state around the rows

    def _owned(self, run: Run) -> None:
        items = self.items
        first = at.ROWS
        for slot in range(min(len(run.jokers), at.JOKER_SLOTS)):
            joker = run.jokers[slot]
            if not joker.face_down:
                items[first + slot] = at.FIRST_JOKER + joker.kind
        first += at.JOKER_SLOTS
        for slot in range(min(len(run.consumables), at.CONSUMABLE_SLOTS)):
            items[first + slot] = at.FIRST_CONSUMABLE + run.consumables[slot].kind
        first += at.CONSUMABLE_SLOTS
        for slot in range(min(len(run.tags), at.TAG_SLOTS)):
            items[first + slot] = at.FIRST_TAG + run.tags[slot].kind
        blind = run.blind
        kind = blind.kind if blind is not None else run.boss
        items[first + at.TAG_SLOTS] = at.FIRST_BLIND + kind

    def _state(self, run: Run, best_share: float, deck: Unseen) -> None:
        phase = run.phase_now
        blind = run.blind
        pack = run.pack
        values = [0.0] * 8
        if phase < GAME_OVER:
            values[phase] = 1.0
        values[5 + (blind.slot if blind is not None else run.on_deck)] = 1.0
        required = run.required
        ahead = run.blinds_ahead
        money = run.money
        owned = len(run.draw_pile) + len(run.discard_pile) + len(run.in_play) + len(run.hand)
        values += [
            run.ante / 8,
            run.round / 24,
            log_scaled(required),
            log_scaled(run.chips),
            min(1.0, run.chips / required) if phase == SELECTING_HAND else 0.0,
            best_share,
            log_scaled(ahead[0].required),
            log_scaled(ahead[1].required),
            log_scaled(ahead[2].required),
            log_scaled(run.best_hand),
            1.0 if blind is not None and blind.disabled else 0.0,
            run.hands_left / 4,
            run.discards_left / 4,
            money / 40,
            log_scaled(float(max(0, money))),
            _interest(money, run.interest_cap),
            run.reroll_cost / 20,
            pack.picks / 2 if pack is not None else 0.0,
            run.hand_size / 8,
            len(run.hand) / 8,
            len(run.draw_pile) / 52,
            owned / 52,
            len(run.jokers) / 5,
            (run.joker_slots - len(run.jokers)) / 5,
            len(run.consumables) / 2,
            (run.consumable_slots - len(run.consumables)) / 2,
            0.0,  # selected
            0.0,  # page
            self._seeing.margin / 2 if self._seeing is not None else 0.0,
        ]
        _count_cards(run, deck, values)
        values += [level_scaled(entry.level) for entry in run.hand_levels]
        values += [entry.played / 20 for entry in run.hand_levels]
        values += [1.0 if redeemed else 0.0 for redeemed in run.vouchers]
        for i in range(len(values)):
            if not LOW <= values[i] <= HIGH:
                values[i] = max(LOW, min(HIGH, values[i]))
        self.state = values


def _pages(count: int, slots: int) -> int:
    return (count + slots - 1) // slots


def _adding(change: float) -> float:
    return max(LOW, min(HIGH, change))


def _swap(run: Run, seeing: Prospects, own: Joker) -> float:
    """What the best joker offered would add in the place of one's own; 0 while there is room.

    Both changes are judged alone. Worked out together, a fifth more work, the best place was
    another one in 4 of 100 shops, by next to nothing.
    """
    money = run.money + own.sell_value
    pack = run.pack
    offers = run.shop_cards if pack is None else pack.cards
    best = LOW
    for offer in offers:
        joker = offer.joker
        if joker is None or run.has_joker_room(joker.edition):
            continue
        if pack is not None or offer.cost <= money + run.debt_limit:
            best = max(best, seeing.with_joker(joker))
    return best + seeing.without_joker(own) if best > LOW else 0.0


def _interest(money: int, cap: int) -> float:
    return max(0, min(money, cap)) // 5 / 5


def _choices(hand: Hand | None, kind: int) -> list[tuple[int, ...]]:
    """The sets of cards proposed for a consumable; for anything else there is none to choose."""
    if kind < 0 or hand is None:
        return [_NO_CARDS]
    return targets(hand, kind)


def _count_cards(run: Run, deck: Unseen, values: list[float]) -> None:
    """Add cards by suit and rank, in hand and not seen yet, and what is special among all."""
    suits = [0, 0, 0, 0]
    ranks = [0] * 15
    enhancements = [0] * 9
    seals = [0] * 5
    for card in run.hand:
        if not card.face_down:
            suits[card.suit] += 1
            ranks[card.rank] += 1
        enhancements[card.enhancement] += 1
        seals[card.seal] += 1
    for pile in (run.draw_pile, run.discard_pile, run.in_play):
        for card in pile:
            if card.enhancement:
                enhancements[card.enhancement] += 1
            if card.seal:
                seals[card.seal] += 1
    values += [count / 8 for count in suits]
    values += [count / 4 for count in ranks[2:]]
    values += [count / 13 for count in deck.suits]
    values += [count / 4 for count in deck.ranks[2:]]
    values += [count / 8 for count in enhancements[1:]]
    values += [count / 8 for count in seals[1:]]
