"""What a policy sees: the legal actions of the moment as rows, and the state around them.

Only what a player sees goes in: a face-down card is a back, the draw pile is counts. The cards
drawn face down count as undrawn, as a player must count them.
"""

from __future__ import annotations

from math import log2, log10
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from jimbot.game import Action, ActionKind
from jimbot.game.catalogue import FIRST_PLANET, FIRST_SPECTRAL
from jimbot.game.planets import PLANET_HANDS
from jimbot.game.state import (
    BLIND_SELECT,
    GAME_OVER,
    PACK,
    ROUND_EVAL,
    SELECTING_HAND,
    SHOP,
)
from jimbot.policy import layout as at
from jimbot.policy.candidates import Discard, Hand, Play, discards, plays, targets

if TYPE_CHECKING:
    from jimbot.game import Run
    from jimbot.game.cards import Card, Joker, Offer

# Amounts lie in [-1, 4]: a tenfold score adds 1/8, four is 10^32.
HIGH: Final = 4.0
LOW: Final = -1.0

_LEVELS: Final = [log2(1 + level) / 5 for level in range(64)]


def log_scaled(amount: float) -> float:
    """log10(1 + amount) / 8, at most `HIGH`."""
    return min(HIGH, log10(1.0 + amount) / 8.0) if amount < 1e32 else HIGH


def level_scaled(level: int) -> float:
    """log2(1 + level) / 5, at most `HIGH`."""
    return _LEVELS[level] if level < 64 else min(HIGH, log2(1 + level) / 5)


def money_scaled(dollars: float) -> float:
    """Dollars by 40, between `LOW` and `HIGH`."""
    return max(LOW, min(HIGH, dollars / 40.0))


class Observer:
    """Looks at a run and keeps what it saw in arrays that every look overwrites.

    It also holds what is not the game's: which cards are selected and which page is shown.

    Attributes:
        mask: int8 (ROWS,), 1 where a row is a legal action.
        rows: float32 (ROWS, WIDTH), what describes a legal row; zero elsewhere.
        items: int16 (ROWS,), the item (`layout`) that a row is about.
        owned: int16 (OWNED,), the items owned or in force.
        state: float32 (STATE_SIZE,).
        plays, discards: the proposals behind the first rows.
    """

    def __init__(self) -> None:
        self.mask: NDArray[np.int8] = np.zeros(at.ROWS, np.int8)
        self.rows: NDArray[np.float32] = np.zeros((at.ROWS, at.WIDTH), np.float32)
        self.items: NDArray[np.int16] = np.zeros(at.ROWS, np.int16)
        self.owned: NDArray[np.int16] = np.zeros(at.OWNED, np.int16)
        self.state: NDArray[np.float32] = np.zeros(at.STATE_SIZE, np.float32)
        # The same memory, written number by number: numpy is slow at that.
        self._mask = self.mask.data
        self._cells = self.rows.data.cast("B").cast("f")
        self._items = self.items.data
        self._actions: list[Action | None] = [None] * at.ROWS
        self.selected: set[int] = set()
        self.page = 0
        self._first_card = 0  # the place of the card that the first slot shows
        self.plays: list[Play] = []
        self.discards: list[Discard] = []

    def forget(self) -> None:
        """Clear the selection and go back to the first page, as after every action."""
        self.selected.clear()
        self.page = 0

    def take(self, row: int) -> Action | None:
        """The action of a row of the last look; None when it only selects a card or turns a page.

        Raises:
            ValueError: the row was not legal then.
        """
        if not 0 <= row < at.ROWS or not self._mask[row]:
            raise ValueError(f"row {row} is not legal now")
        if row == at.NEXT_PAGE:
            self.page += 1
            return None
        if at.TOGGLE_CARD <= row < at.TOGGLE_CARD + at.CARD_SLOTS:
            self.selected ^= {self._card_at(row - at.TOGGLE_CARD)}
            return None
        action = self._actions[row]
        assert action is not None
        self.forget()
        return action

    def path(self, run: Run, action: Action) -> list[int]:
        """The rows to take, one after the other from here, to perform a legal action.

        Leaves the selection and the page as they were; look again before taking a row.

        Raises:
            ValueError: the action is not legal, or moves a joker or card to elsewhere than the end
                or front: any order is reached by such moves, but by several of them.
        """
        kept = set(self.selected), self.page
        try:
            return self._search(run, action)
        finally:
            self.selected, self.page = kept

    def _search(self, run: Run, action: Action) -> list[int]:
        action = Action(action.kind, action.index, tuple(sorted(action.cards)))
        path: list[int] = []
        self.observe(run)
        wanted = set(action.cards)
        for _ in range(2 * self._pages(run) + 2):
            if action in self._actions:
                return [*path, self._actions.index(action)]
            for slot in range(at.CARD_SLOTS):
                row = at.TOGGLE_CARD + slot
                place = self._card_at(slot)
                if self._mask[row] and (place in wanted) != (place in self.selected):
                    self.take(row)
                    path.append(row)
                    self.observe(run)
            if action in self._actions:
                return [*path, self._actions.index(action)]
            if not self._mask[at.NEXT_PAGE]:
                break
            self.take(at.NEXT_PAGE)
            path.append(at.NEXT_PAGE)
            self.observe(run)
        raise ValueError(f"{action} is not legal now")

    def observe(self, run: Run) -> None:
        """Look at a run; afterwards the arrays and `take` are about this moment."""
        self.mask.fill(0)
        self.rows.fill(0.0)
        self.items.fill(0)
        self.owned.fill(0)
        self.state.fill(0.0)
        self._actions = [None] * at.ROWS
        self.plays = []
        self.discards = []
        phase = run.phase_now
        if phase == GAME_OVER:
            self._state(run, 0.0)
            self._owned(run)
            return
        hand = Hand(run) if run.hand else None
        best_share = 0.0
        if hand is not None:
            self._cards(run, phase)
            if phase == SELECTING_HAND:
                best_share = self._hand(run, hand)
        if phase == SHOP:
            self._shop(run)
        elif phase == BLIND_SELECT:
            self._blind(run)
        elif phase == ROUND_EVAL:
            self._put(at.CASH_OUT, Action(ActionKind.CASH_OUT))
        elif phase == PACK:
            self._pack(run, hand)
        self._jokers(run)
        self._consumables(run, hand)
        if self._pages(run) > 1:
            self._mask[at.NEXT_PAGE] = 1
            self._cells[at.NEXT_PAGE * at.WIDTH + at.PLACE] = self.page % self._pages(run) / 4
        self._state(run, best_share)
        self._owned(run)

    # Rows

    def _put(self, row: int, action: Action) -> int:
        """Make a row legal; returns where its cells begin."""
        self._mask[row] = 1
        self._actions[row] = action
        return row * at.WIDTH

    def _window(self, count: int, slots: int) -> range:
        """The places that a block of so many slots shows on this page."""
        if count <= slots:
            return range(count)
        pages = (count + slots - 1) // slots
        first = self.page % pages * slots
        return range(first, min(count, first + slots))

    def _card_at(self, slot: int) -> int:
        return self._first_card + slot

    def _pages(self, run: Run) -> int:
        """How many pages it takes to see everything."""
        pages = 1
        for count, slots in (
            (len(run.hand), at.CARD_SLOTS),
            (len(run.jokers), at.JOKER_SLOTS),
            (len(run.consumables), at.CONSUMABLE_SLOTS),
            (len(run.shop_cards) if run.phase_now == SHOP else 0, at.SHELF_SLOTS),
            (len(run.shop_vouchers) if run.phase_now == SHOP else 0, at.VOUCHER_SLOTS),
            (len(run.shop_packs) if run.phase_now == SHOP else 0, at.SHOP_PACK_SLOTS),
            (len(run.pack.cards) if run.pack is not None else 0, at.PACK_SLOTS),
        ):
            if count > slots:
                pages = max(pages, (count + slots - 1) // slots)
        return pages

    def _cards(self, run: Run, phase: int) -> None:
        """Selecting cards, and what may be done with those selected."""
        cells = self._cells
        selected = self.selected
        window = self._window(len(run.hand), at.CARD_SLOTS)
        self._first_card = window.start
        full = len(selected) >= 5
        for slot, place in enumerate(window):
            if full and place not in selected:
                continue
            card = run.hand[place]
            row = at.TOGGLE_CARD + slot
            self._mask[row] = 1
            cell = row * at.WIDTH
            cells[cell + at.PLACE] = min(HIGH, place / 8)
            cells[cell + at.SELECTED] = float(place in selected)
            self._items[row] = self._card(cell, card)
        if len(run.hand) > 1:
            self._put(at.SORT_HAND, Action(ActionKind.SORT_HAND, 0))
            self._put(at.SORT_HAND + 1, Action(ActionKind.SORT_HAND, 1))
        if not selected:
            return
        places = tuple(sorted(selected))
        if len(places) == 1 and places[0] > 0:
            self._put(at.CARD_TO_FRONT, Action(ActionKind.MOVE_CARD, places[0], (0,)))
        if phase != SELECTING_HAND:
            return
        action = Action(ActionKind.PLAY, 0, places)
        if run.is_legal(action):
            self._put(at.PLAY_SELECTED, action)
            self._play(at.PLAY_SELECTED, run, Play(places, run.preview(places)))
            if run.discards_left > 0:
                cell = self._put(at.DISCARD_SELECTED, Action(ActionKind.DISCARD, 0, places))
                self._thrown(cell, run, places)

    def _card(self, cell: int, card: Card) -> int:
        """A playing card's cells; returns its item."""
        cells = self._cells
        if card.face_down:
            cells[cell + at.FACE_DOWN] = 1.0
            return 0
        cells[cell + at.RANK] = card.rank / 14
        cells[cell + at.SPADES + card.suit] = 1.0
        if card.debuffed:
            cells[cell + at.DEBUFFED] = 1.0
        if card.edition:
            cells[cell + at.FOIL - 1 + card.edition] = 1.0
        if card.seal:
            cells[cell + at.SEALED] = card.seal / 4
        if card.bonus:
            cells[cell + at.GROWN] = log_scaled(card.bonus)
        if card.enhancement:
            cells[cell + at.ENHANCED] = 1.0
            return at.FIRST_ENHANCEMENT + card.enhancement
        return 0

    def _hand(self, run: Run, hand: Hand) -> float:
        """Plays and discards; returns the best play's share of what is still needed."""
        self.plays = plays(run, hand, at.PLAYS)
        for row, play in enumerate(self.plays):
            self._put(row, Action(ActionKind.PLAY, 0, play.cards))
            self._play(row, run, play)
        best = self.plays[0]
        if run.discards_left > 0:
            self.discards = discards(run, hand, best.cards, at.DISCARDS)
            for row, discard in enumerate(self.discards, at.DISCARD):
                cell = self._put(row, Action(ActionKind.DISCARD, 0, discard.cards))
                self._thrown(cell, run, discard.cards)
                self._cells[cell + at.CHANCE] = discard.chance
                self._items[row] = at.FIRST_KEEP + discard.keep
        return float(self._cells[at.PLAY * at.WIDTH + at.SHARE])

    def _play(self, row: int, run: Run, play: Play) -> None:
        cells = self._cells
        cell = row * at.WIDTH
        preview = play.preview
        needed = run.required - run.chips
        cells[cell + at.CHIPS] = log_scaled(preview.chips)
        cells[cell + at.MULT] = log_scaled(preview.mult)
        cells[cell + at.SCORE] = log_scaled(preview.score)
        share = 1.0 if preview.score >= needed else preview.score / needed
        cells[cell + at.SHARE] = share
        if share >= 1.0:
            cells[cell + at.WINS] = 1.0
        cells[cell + at.CARDS] = len(play.cards) / 5
        cells[cell + at.SCORING] = len(preview.scoring) / 5
        kind = int(preview.hand)
        cells[cell + at.LEVEL] = level_scaled(run.hand_levels[kind].level)
        self._items[row] = at.FIRST_HAND + kind
        self._summary(cell, run, play.cards)

    def _thrown(self, cell: int, run: Run, places: tuple[int, ...]) -> None:
        self._cells[cell + at.CARDS] = len(places) / 5
        self._summary(cell, run, places)

    def _summary(self, cell: int, run: Run, places: tuple[int, ...]) -> None:
        """What is special about a set of cards of the hand, on average."""
        cells = self._cells
        share = 1.0 / len(places)
        rank = enhanced = sealed = debuffed = hidden = 0.0
        suits = [0.0, 0.0, 0.0, 0.0]
        for place in places:
            card = run.hand[place]
            if card.face_down:
                hidden += share
                continue
            rank += card.rank * share
            suits[card.suit] += share
            if card.enhancement:
                enhanced += share
            if card.seal:
                sealed += share
            if card.debuffed:
                debuffed += share
        cells[cell + at.RANK] = rank / 14
        for suit in range(4):
            if suits[suit]:
                cells[cell + at.SPADES + suit] = min(1.0, suits[suit])
        if enhanced:
            cells[cell + at.ENHANCED] = min(1.0, enhanced)
        if sealed:
            cells[cell + at.SEALED] = min(1.0, sealed)
        if debuffed:
            cells[cell + at.DEBUFFED] = min(1.0, debuffed)
        if hidden:
            cells[cell + at.FACE_DOWN] = min(1.0, hidden)

    def _blind(self, run: Run) -> None:
        slot = run.on_deck
        cells = self._cells
        ahead = run.blinds_ahead
        cell = self._put(at.SELECT_BLIND, Action(ActionKind.SELECT_BLIND))
        cells[cell + at.SCORE] = log_scaled(ahead[slot].required)
        self._items[at.SELECT_BLIND] = at.FIRST_BLIND + ahead[slot].kind
        if slot < 2:
            self._put(at.SKIP_BLIND, Action(ActionKind.SKIP_BLIND))
            self._items[at.SKIP_BLIND] = at.FIRST_TAG + ahead[slot].tag
        action = Action(ActionKind.REROLL_BOSS)
        if run.is_legal(action):
            cell = self._put(at.REROLL_BOSS, action)
            self._price(cell, run, 10)
            self._items[at.REROLL_BOSS] = at.FIRST_BLIND + ahead[2].kind

    def _shop(self, run: Run) -> None:
        self._put(at.LEAVE_SHOP, Action(ActionKind.LEAVE_SHOP))
        if run.can_pay(run.reroll_cost):
            cell = self._put(at.REROLL, Action(ActionKind.REROLL))
            self._price(cell, run, run.reroll_cost)
        for slot, place in enumerate(self._window(len(run.shop_cards), at.SHELF_SLOTS)):
            offer = run.shop_cards[place]
            for first, kind in (
                (at.BUY, ActionKind.BUY_CARD),
                (at.BUY_AND_USE, ActionKind.BUY_AND_USE),
            ):
                self._offer_row(first + slot, run, Action(kind, place), offer)
        for slot, place in enumerate(self._window(len(run.shop_vouchers), at.VOUCHER_SLOTS)):
            action = Action(ActionKind.BUY_VOUCHER, place)
            self._offer_row(at.BUY_VOUCHER + slot, run, action, run.shop_vouchers[place])
        for slot, place in enumerate(self._window(len(run.shop_packs), at.SHOP_PACK_SLOTS)):
            action = Action(ActionKind.BUY_PACK, place)
            self._offer_row(at.BUY_PACK + slot, run, action, run.shop_packs[place])

    def _offer_row(self, row: int, run: Run, action: Action, offer: Offer) -> None:
        if run.is_legal(action):
            cell = self._put(row, action)
            self._price(cell, run, offer.cost)
            self._items[row] = self._offer(cell, run, offer)

    def _price(self, cell: int, run: Run, cost: int) -> None:
        cells = self._cells
        cells[cell + at.COST] = min(HIGH, cost / 20)
        left = run.money - cost
        cells[cell + at.MONEY_AFTER] = money_scaled(left)
        cells[cell + at.INTEREST_AFTER] = max(0, min(left, run.interest_cap)) // 5 / 5

    def _offer(self, cell: int, run: Run, offer: Offer) -> int:
        """The cells of something offered; returns its item."""
        if offer.joker is not None:
            return self._joker(cell, offer.joker)
        if offer.consumable is not None:
            return self._consumable(cell, run, offer.consumable.kind)
        if offer.card is not None:
            return self._card(cell, offer.card)
        if offer.voucher >= 0:
            return at.FIRST_VOUCHER + offer.voucher
        return at.FIRST_PACK + offer.pack

    def _joker(self, cell: int, joker: Joker) -> int:
        cells = self._cells
        if joker.face_down:
            cells[cell + at.FACE_DOWN] = 1.0
            return 0
        if joker.edition:
            cells[cell + at.FOIL - 1 + joker.edition] = 1.0
        if joker.eternal:
            cells[cell + at.ETERNAL] = 1.0
        if joker.perishable >= 0:
            cells[cell + at.PERISHABLE] = 1.0 - joker.perishable / 10
        if joker.rental:
            cells[cell + at.RENTAL] = 1.0
        if joker.debuffed:
            cells[cell + at.DEBUFFED] = 1.0
        if joker.value > 0:
            cells[cell + at.GROWN] = log_scaled(joker.value)
        return at.FIRST_JOKER + joker.kind

    def _consumable(self, cell: int, run: Run, kind: int) -> int:
        if FIRST_PLANET <= kind < FIRST_SPECTRAL:
            level = run.hand_levels[PLANET_HANDS[kind - FIRST_PLANET]]
            self._cells[cell + at.LEVEL] = level_scaled(level.level)
            self._cells[cell + at.GROWN] = min(HIGH, level.played / 20)
        return at.FIRST_CONSUMABLE + kind

    def _pack(self, run: Run, hand: Hand | None) -> None:
        self._put(at.SKIP_PACK, Action(ActionKind.SKIP_PACK))
        pack = run.pack
        if pack is None:
            return
        self._items[at.SKIP_PACK] = at.FIRST_PACK + pack.kind
        for slot, place in enumerate(self._window(len(pack.cards), at.PACK_SLOTS)):
            offer = pack.cards[place]
            kind = -1 if offer.consumable is None else offer.consumable.kind
            rows = at.PICK + slot * at.TARGET_CHOICES, at.PICK_ON_SELECTED + slot
            for row, action in self._uses(run, hand, rows, ActionKind.PICK_PACK, place, kind):
                cell = self._put(row, action)
                self._items[row] = self._offer(cell, run, offer)
                if action.cards:
                    self._thrown(cell, run, action.cards)

    def _consumables(self, run: Run, hand: Hand | None) -> None:
        if not run.consumables:
            return
        cells = self._cells
        for slot, place in enumerate(self._window(len(run.consumables), at.CONSUMABLE_SLOTS)):
            card = run.consumables[place]
            row = at.SELL_CONSUMABLE + slot
            cell = self._put(row, Action(ActionKind.SELL_CONSUMABLE, place))
            cells[cell + at.SELL_VALUE] = min(HIGH, card.sell_value / 20)
            self._items[row] = self._consumable(cell, run, card.kind)
            rows = at.USE + slot * at.TARGET_CHOICES, at.USE_ON_SELECTED + slot
            for row, action in self._uses(
                run, hand, rows, ActionKind.USE_CONSUMABLE, place, card.kind
            ):
                cell = self._put(row, action)
                self._items[row] = self._consumable(cell, run, card.kind)
                if action.cards:
                    self._thrown(cell, run, action.cards)

    def _uses(
        self,
        run: Run,
        hand: Hand | None,
        rows: tuple[int, int],
        kind: ActionKind,
        place: int,
        consumable: int,
    ) -> list[tuple[int, Action]]:
        """The legal ways to use or pick something: on proposed cards, and on those selected."""
        choices: list[tuple[int, ...]] = [()]
        if consumable >= 0 and hand is not None:
            choices = targets(hand, consumable)
        found = [(rows[0] + i, Action(kind, place, cards)) for i, cards in enumerate(choices)]
        if self.selected:
            found.append((rows[1], Action(kind, place, tuple(sorted(self.selected)))))
        return [(row, action) for row, action in found if run.is_legal(action)]

    def _jokers(self, run: Run) -> None:
        if not run.jokers:
            return
        cells = self._cells
        last = len(run.jokers) - 1
        for slot, place in enumerate(self._window(len(run.jokers), at.JOKER_SLOTS)):
            joker = run.jokers[place]
            if not joker.eternal:
                row = at.SELL_JOKER + slot
                cell = self._put(row, Action(ActionKind.SELL_JOKER, place))
                if not joker.face_down:
                    cells[cell + at.SELL_VALUE] = min(HIGH, joker.sell_value / 20)
                cells[cell + at.PLACE] = min(HIGH, place / 8)
                self._items[row] = self._joker(cell, joker)
            if place < last:
                row = at.JOKER_TO_END + slot
                cell = self._put(row, Action(ActionKind.MOVE_JOKER, place, (last,)))
                cells[cell + at.PLACE] = min(HIGH, place / 8)
                self._items[row] = self._joker(cell, joker)

    # The state around the rows

    def _owned(self, run: Run) -> None:
        owned = self.owned
        for slot, joker in enumerate(run.jokers[: at.JOKER_SLOTS]):
            if not joker.face_down:
                owned[slot] = at.FIRST_JOKER + joker.kind
        first = at.JOKER_SLOTS
        for slot, card in enumerate(run.consumables[: at.CONSUMABLE_SLOTS]):
            owned[first + slot] = at.FIRST_CONSUMABLE + card.kind
        first += at.CONSUMABLE_SLOTS
        for slot, tag in enumerate(run.tags[: at.TAG_SLOTS]):
            owned[first + slot] = at.FIRST_TAG + tag.kind
        kind = run.blind.kind if run.blind is not None else run.boss
        owned[first + at.TAG_SLOTS] = at.FIRST_BLIND + kind

    def _state(self, run: Run, best_share: float) -> None:
        phase = run.phase_now
        blind = run.blind
        values = [0.0] * 8
        if phase < GAME_OVER:
            values[phase] = 1.0
        values[5 + (blind.slot if blind is not None else run.on_deck)] = 1.0
        required = run.required
        ahead = run.blinds_ahead
        owned = run.draw_pile + run.discard_pile + run.in_play
        money = run.money
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
            log_scaled(max(0, money)),
            max(0, min(money, run.interest_cap)) // 5 / 5,
            run.reroll_cost / 20,
            run.pack.picks / 2 if run.pack is not None else 0.0,
            run.hand_size / 8,
            len(run.hand) / 8,
            len(run.draw_pile) / 52,
            (len(owned) + len(run.hand)) / 52,
            len(run.jokers) / 5,
            (run.joker_slots - len(run.jokers)) / 5,
            len(run.consumables) / 2,
            (run.consumable_slots - len(run.consumables)) / 2,
            len(self.selected) / 5,
            self.page / 4,
        ]
        values += self._counts(run, owned)
        levels = run.hand_levels
        values += [level_scaled(entry.level) for entry in levels]
        values += [entry.played / 20 for entry in levels]
        values += run.vouchers
        self.state[:] = values
        self.state.clip(LOW, HIGH, out=self.state)

    def _counts(self, run: Run, owned: list[Card]) -> list[float]:
        """Cards by suit and rank, in hand and not seen yet, and what is special among all."""
        suits = [0.0] * 8
        ranks = [0.0] * 30
        enhancements = [0.0] * 9
        seals = [0.0] * 5
        unseen = run.draw_pile
        for card in run.hand:
            if card.face_down:
                unseen = [*unseen, card]
            else:
                suits[card.suit] += 0.125
                ranks[card.rank] += 0.25
            enhancements[card.enhancement] += 0.125
            seals[card.seal] += 0.125
        for card in unseen:
            suits[4 + card.suit] += 1 / 13
            ranks[15 + card.rank] += 0.25
        for card in owned:
            if card.enhancement:
                enhancements[card.enhancement] += 0.125
            if card.seal:
                seals[card.seal] += 0.125
        return suits[:4] + ranks[2:15] + suits[4:] + ranks[17:] + enhancements[1:] + seals[1:]
