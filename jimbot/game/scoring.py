"""Scoring a hand, in the game's order.

The played cards from left to right with their retriggers, then the held cards, then the jokers
from left to right with their editions, then the deck.
"""

from __future__ import annotations

import math

from jimbot.game.bosses import bars, halves, lowers
from jimbot.game.cards import (
    BONUS,
    FOIL,
    GLASS,
    GOLD_SEAL,
    HOLOGRAPHIC,
    LUCKY,
    MULT,
    POLYCHROME,
    RED_SEAL,
    STEEL,
    STONE,
    Card,
)
from jimbot.game.catalogue import DECKS, FIRST_PLANET, VOUCHER_BY_KEY
from jimbot.game.hands import HAND_NAMES, Found, find
from jimbot.game.planets import PLANET_HANDS
from jimbot.game.rules import (
    AFTER,
    BARRED,
    BEFORE,
    BESIDE,
    DESTROYS,
    HELD,
    MAIN,
    RETRIGGER,
    RETRIGGER_HELD,
    RULES,
    SCORED,
)
from jimbot.game.state import State

_PLASMA = DECKS.index("Plasma")
_OBSERVATORY = VOUCHER_BY_KEY["v_observatory"]


class Play:
    """A hand while it scores.

    Attributes:
        state: the run.
        preview: nothing may change and nothing may be drawn; chances count with their likelihood.
        cards: the cards played, left to right, as they change.
        size: how many were played; a preview leaves out those it may not look at.
        scoring: bits of the cards that score.
        held: the cards held in hand.
        hand: the hand type.
        contains: bits of the hand types contained.
        chips, mult: the score so far.
        dollars: money earned so far.
        place: the place of the card that scores at the moment.
        lucky: the card that scores at the moment had luck.
    """

    __slots__ = (
        "cards",
        "chips",
        "contains",
        "dollars",
        "hand",
        "held",
        "lucky",
        "mult",
        "place",
        "preview",
        "scoring",
        "size",
        "state",
    )

    def __init__(
        self,
        state: State,
        cards: list[Card],
        held: list[Card],
        found: Found,
        size: int,
        preview: bool,
    ) -> None:
        self.state = state
        self.size = size
        self.preview = preview
        self.cards = cards
        self.held = held
        self.hand = found.hand
        self.contains = found.contains
        self.scoring = found.scoring
        self.chips = 0.0
        self.mult = 0.0
        self.dollars = 0.0
        self.place = 0
        self.lucky = 0.0

    def has(self, hand: int) -> bool:
        """Whether the played cards contain a hand type."""
        return (self.contains >> hand) & 1 != 0

    def scores(self, place: int) -> bool:
        return (self.scoring >> place) & 1 != 0

    def scoring_cards(self) -> list[Card]:
        return [self.cards[i] for i in range(len(self.cards)) if (self.scoring >> i) & 1]

    def roll(self, key: str, odds: int) -> float:
        """1.0 or 0.0 with a chance of 1 in odds; in a preview the likelihood itself."""
        if self.preview:
            return min(1.0, float(self.state.chance) / float(odds))
        return 1.0 if self.state.draws.random(key) < self.state.chance / odds else 0.0

    def money(self) -> float:
        """The money, with what this hand earned."""
        return float(self.state.money) + self.dollars


def find_hand(state: State, cards: list[Card]) -> Found:
    """Find the hand in the cards played, with the jokers' say, and all that scores."""
    found = find(cards, state.four_fingers, state.shortcut, state.smeared)
    if state.splash:
        found.scoring = (1 << len(cards)) - 1
    else:
        for i in range(len(cards)):
            if cards[i].enhancement == STONE:
                found.scoring |= 1 << i
    return found


def score(play: Play) -> bool:
    """Score a hand into `play.chips` and `play.mult`; False when the blind bars it."""
    state = play.state
    jokers = state.jokers
    acting = state.acting
    if bars(state, play.size, play.contains, play.hand, play.preview):
        for i in range(len(acting)):
            rule = RULES[acting[i].kind]
            barred = rule.barred
            if barred is not None and state.acts(i, rule.own & BARRED):
                barred(play, acting[i])
        return False

    for i in range(len(acting)):
        rule = RULES[acting[i].kind]
        before = rule.before
        if before is not None and state.acts(i, rule.own & BEFORE):
            before(play, acting[i])

    level = state.hand_levels[play.hand]
    play.chips += float(level.chips)
    play.mult += float(level.mult)
    if halves(state) and state.blind is not None:
        state.blind.triggered = True
        play.mult = max(math.floor(play.mult * 0.5 + 0.5), 1.0)
        play.chips = max(math.floor(play.chips * 0.5 + 0.5), 0.0)

    for place in range(len(play.cards)):
        if not play.scores(place):
            continue
        if not play.cards[place].debuffed:
            _score_card(play, place)
        elif state.blind is not None:
            state.blind.triggered = True
    for card in play.held:
        _score_held(play, card)
    for i in range(len(jokers)):
        _score_joker(play, i)
    _observatory(play)
    if state.deck_kind == _PLASMA:
        both = (
            math.floor((play.chips + play.mult) / 2.0)
            if play.chips + play.mult < 1e300
            else ((play.chips + play.mult) / 2.0)
        )
        play.chips = play.mult = float(both)
    return True


def _score_card(play: Play, place: int) -> None:
    """Score one played card as often as it triggers."""
    state = play.state
    acting = state.acting
    play.place = place
    card = play.cards[place]
    triggers = 1
    if card.seal == RED_SEAL:
        triggers += 1
    for i in range(len(acting)):
        rule = RULES[acting[i].kind]
        retrigger = rule.retrigger
        if retrigger is not None and state.acts(i, rule.own & RETRIGGER):
            triggers += retrigger(play, acting[i], card)
    while triggers > 0:
        triggers -= 1
        card = play.cards[place]
        play.lucky = 0.0
        _card_itself(play, card)
        for i in range(len(acting)):
            rule = RULES[acting[i].kind]
            scored = rule.scored
            if scored is not None and state.acts(i, rule.own & SCORED):
                scored(play, acting[i], card)


def _card_itself(play: Play, card: Card) -> None:
    """The chips, mult and money of a card, without its edition."""
    kind = card.enhancement
    if kind == STONE:
        play.chips += 50.0 + card.bonus
    else:
        nominal = card.rank if card.rank <= 10 else (11 if card.rank == 14 else 10)
        play.chips += nominal + card.bonus + (30 if kind == BONUS else 0)
    lucky = 0.0
    if kind == MULT:
        play.mult += 4.0
    elif kind == LUCKY:
        lucky = play.roll("lucky_mult", 5)
        play.mult += 20.0 * lucky
    dollars = 0.0
    if card.seal == GOLD_SEAL:
        dollars = 3.0
    if kind == LUCKY:
        won = play.roll("lucky_money", 15)
        dollars += 20.0 * won
        lucky = lucky + won - lucky * won
    play.lucky = lucky
    play.dollars += dollars
    if kind == GLASS:
        play.mult *= 2.0
    if card.edition == FOIL:
        play.chips += 50.0
    elif card.edition == HOLOGRAPHIC:
        play.mult += 10.0
    elif card.edition == POLYCHROME:
        play.mult *= 1.5


def _score_held(play: Play, card: Card) -> None:
    """Let one held card act as often as it triggers."""
    state = play.state
    acting = state.acting
    triggers = 1
    first = True
    while triggers > 0:
        triggers -= 1
        acted = False
        if card.enhancement == STEEL and not card.debuffed:
            play.mult *= 1.5
            acted = True
        for i in range(len(acting)):
            rule = RULES[acting[i].kind]
            held = rule.held
            if held is not None and state.acts(i, rule.own & HELD):
                acted = held(play, acting[i], card) or acted
        if first:
            first = False
            if acted:
                if card.seal == RED_SEAL and not card.debuffed:
                    triggers += 1
                for i in range(len(acting)):
                    rule = RULES[acting[i].kind]
                    again = rule.retrigger_held
                    if again is not None and state.acts(i, rule.own & RETRIGGER_HELD):
                        triggers += again(play, acting[i], card)


def _score_joker(play: Play, slot: int) -> None:
    """One joker's turn: its edition, its effect, what others add for it, its Polychrome."""
    state = play.state
    acting = state.acting
    owner = state.jokers[slot]
    if not owner.debuffed:
        if owner.edition == FOIL:
            play.chips += 50.0
        elif owner.edition == HOLOGRAPHIC:
            play.mult += 10.0
        rule = RULES[acting[slot].kind]
        main = rule.main
        if main is not None and state.acts(slot, rule.own & MAIN):
            main(play, acting[slot])
    for i in range(len(acting)):
        rule = RULES[acting[i].kind]
        beside = rule.beside
        if beside is not None and state.acts(i, rule.own & BESIDE):
            beside(play, acting[i], owner)
    if owner.edition == POLYCHROME and not owner.debuffed:
        play.mult *= 1.5


def _observatory(play: Play) -> None:
    """Held planets of the played hand, once the Observatory is bought."""
    if not play.state.vouchers[_OBSERVATORY]:
        return
    for card in play.state.consumables:
        planet = card.kind - FIRST_PLANET
        if 0 <= planet < len(PLANET_HANDS) and PLANET_HANDS[planet] == play.hand:
            play.mult *= 1.5


def destroyed_cards(play: Play) -> list[Card]:
    """Which scored cards the hand destroys: by a joker, or as glass that breaks."""
    state = play.state
    acting = state.acting
    gone: list[Card] = []
    for place in range(len(play.cards)):
        if not play.scores(place):
            continue
        card = play.cards[place]
        destroyed = False
        for i in range(len(acting)):
            rule = RULES[acting[i].kind]
            destroys = rule.destroys
            if destroys is not None and state.acts(i, rule.own & DESTROYS):
                destroyed = destroys(play, acting[i], card)
                if destroyed:
                    break
        if card.enhancement == GLASS and not card.debuffed and play.roll("glass", 4) > 0.0:
            destroyed = True
        if destroyed:
            gone.append(card)
    return gone


def after_hand(play: Play) -> None:
    """Let the jokers act once the hand has scored; some are used up by it."""
    state = play.state
    i = 0
    while i < len(state.jokers):
        owner = state.jokers[i]
        rule = RULES[state.acting[i].kind]
        after = rule.after
        if after is not None and state.acts(i, rule.own & AFTER):
            after(play, state.acting[i])
        if i < len(state.jokers) and state.jokers[i] is owner:
            i += 1


class Preview:
    """What a play would score.

    Attributes:
        hand: the hand type, as a number of `hands.HandType`.
        chips, mult: as they would stand at the end.
        score: chips times mult, rounded down; 0 when the blind bars the hand.
        scoring: places in the hand of the cards that would score.
    """

    __slots__ = ("chips", "hand", "mult", "score", "scoring")

    def __init__(
        self, hand: int, chips: float, mult: float, score: float, scoring: tuple[int, ...]
    ) -> None:
        self.hand = hand
        self.chips = chips
        self.mult = mult
        self.score = score
        self.scoring = scoring

    def __repr__(self) -> str:
        return f"<Preview {HAND_NAMES[self.hand]} {self.chips:.0f} x {self.mult:.1f}>"


def rounded_down(value: float) -> float:
    """A score without its fraction; infinities stay."""
    return float(math.floor(value)) if abs(value) < 1e15 else value


def preview(state: State, places: tuple[int, ...]) -> Preview:
    """What playing these places of the hand would score; changes nothing, draws nothing.

    Chances count with their likelihood. Of a card that lies face down the player knows nothing: it
    adds neither to the hand type nor to the score.
    """
    chosen = 0
    for place in places:
        chosen |= 1 << place
    cards: list[Card] = []
    where: list[int] = []
    held: list[Card] = []
    hand = state.hand
    for i in range(len(hand)):
        if hand[i].face_down:
            continue
        if (chosen >> i) & 1 == 0:
            held.append(hand[i])
        else:
            cards.append(hand[i])
            where.append(i)
    found = find_hand(state, cards)
    play = Play(state, cards, held, found, len(places), True)
    values = [joker.value for joker in state.jokers]
    counts = [joker.count for joker in state.jokers]
    level = state.hand_levels[found.hand]
    level.played += 1
    level.played_this_round += 1
    state.hands_left -= 1
    lowered = lowers(state, found.hand)
    blind = state.blind
    triggered = blind is not None and blind.triggered
    if lowered:
        level.level -= 1
    if not score(play):
        play.chips = play.mult = 0.0
    if blind is not None:
        blind.triggered = triggered
    if lowered:
        level.level += 1
    state.hands_left += 1
    level.played -= 1
    level.played_this_round -= 1
    for i in range(len(values)):
        state.jokers[i].value = values[i]
        state.jokers[i].count = counts[i]
    scoring = tuple([where[i] for i in range(len(where)) if (play.scoring >> i) & 1])
    return Preview(found.hand, play.chips, play.mult, rounded_down(play.chips * play.mult), scoring)
