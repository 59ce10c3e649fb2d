"""A hand-written policy: what a sensible player does, with a look at what cards would score.

It never looks at what is hidden: hands to come are imagined from the cards that are left, in an
order of its own.
"""

from __future__ import annotations

import random
from math import log
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from jimbot.game.actions import Action, ActionKind
from jimbot.game.catalogue import (
    CONSUMABLE_BY_KEY,
    FIRST_PLANET,
    FIRST_SPECTRAL,
    JOKER_BY_KEY,
    JOKERS,
    PACKS,
    VOUCHER_BY_KEY,
)
from jimbot.game.planets import PLANET_HANDS
from jimbot.game.state import BLIND_SELECT, PACK, ROUND_EVAL, SELECTING_HAND
from jimbot.policy.candidates import Discard, Hand, Play, discards, plays, targets, unseen
from jimbot.policy.imagine import power

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jimbot.game import Run
    from jimbot.game.cards import Card, Consumable, Joker

# What a joker is worth besides the score it adds at once, in the unit of `_strength`: 0.7 is a
# doubled score. It earns money, or grows.
_LASTING: Final = {
    JOKER_BY_KEY[key]: worth
    for key, worth in {
        "j_golden": 0.4,
        "j_to_the_moon": 0.35,
        "j_rocket": 0.45,
        "j_egg": 0.1,
        "j_delayed_grat": 0.1,
        "j_cloud_9": 0.3,
        "j_business": 0.2,
        "j_faceless": 0.2,
        "j_reserved_parking": 0.15,
        "j_mail": 0.25,
        "j_satellite": 0.25,
        "j_gift": 0.15,
        "j_space": 0.3,
        "j_burnt": 0.3,
        "j_ride_the_bus": 0.3,
        "j_green_joker": 0.35,
        "j_supernova": 0.3,
        "j_constellation": 0.4,
        "j_red_card": 0.1,
        "j_flash": 0.15,
        "j_fortune_teller": 0.25,
        "j_runner": 0.3,
        "j_square": 0.2,
        "j_trousers": 0.4,
        "j_wee": 0.3,
        "j_castle": 0.25,
        "j_hiker": 0.2,
        "j_lucky_cat": 0.2,
        "j_obelisk": 0.1,
        "j_hologram": 0.2,
        "j_vampire": 0.2,
        "j_campfire": 0.4,
        "j_hit_the_road": 0.1,
        "j_glass": 0.1,
        "j_caino": 0.5,
        "j_yorick": 0.5,
        "j_perkeo": 0.5,
        "j_chicot": 0.5,
        "j_burglar": 0.2,
        "j_drunkard": 0.15,
        "j_merry_andy": 0.1,
        "j_juggler": 0.15,
        "j_troubadour": 0.1,
        "j_turtle_bean": 0.2,
        "j_four_fingers": 0.2,
        "j_smeared": 0.15,
        "j_shortcut": 0.1,
        "j_oops": 0.05,
        "j_dna": 0.15,
        "j_certificate": 0.15,
        "j_cartomancer": 0.2,
        "j_8_ball": 0.1,
        "j_hallucination": 0.1,
        "j_riff_raff": 0.2,
        "j_blueprint": 0.5,
        "j_brainstorm": 0.5,
        "j_mr_bones": 0.2,
        "j_invisible": 0.1,
        "j_luchador": 0.05,
        "j_diet_cola": 0.05,
    }.items()
}
# What an imagined round does not show yet: jokers that eat others, or wear off.
_HARMFUL: Final = {
    JOKER_BY_KEY[key]: harm
    for key, harm in {
        "j_madness": 1.0,
        "j_ceremonial": 0.3,
        "j_popcorn": 0.35,
        "j_selzer": 0.35,
        "j_ice_cream": 0.2,
        "j_gros_michel": 0.15,
        "j_ramen": 0.1,
        "j_turtle_bean": 0.1,
    }.items()
}
_DANGEROUS: Final = frozenset(
    CONSUMABLE_BY_KEY[key]
    for key in ("c_ouija", "c_ankh", "c_hex", "c_immolate", "c_wraith", "c_ectoplasm", "c_tower")
)
# How welcome a consumable is in a pack, where not worked out otherwise.
_WELCOME: Final = {
    CONSUMABLE_BY_KEY[key]: worth
    for key, worth in {
        "c_soul": 2.0,
        "c_black_hole": 1.5,
        "c_judgement": 0.7,
        "c_hermit": 0.6,
        "c_temperance": 0.5,
        "c_high_priestess": 0.5,
        "c_emperor": 0.4,
        "c_justice": 0.6,
        "c_chariot": 0.4,
        "c_empress": 0.45,
        "c_heirophant": 0.4,
        "c_magician": 0.4,
        "c_hanged_man": 0.4,
        "c_death": 0.5,
        "c_strength": 0.3,
        "c_wheel_of_fortune": 0.35,
        "c_lovers": 0.3,
        "c_devil": 0.35,
        "c_star": 0.35,
        "c_moon": 0.35,
        "c_sun": 0.35,
        "c_world": 0.35,
        "c_fool": 0.2,
        "c_deja_vu": 0.6,
        "c_trance": 0.4,
        "c_cryptid": 0.7,
        "c_aura": 0.6,
        "c_talisman": 0.3,
        "c_medium": 0.3,
        "c_grim": 0.3,
        "c_familiar": 0.2,
        "c_incantation": 0.2,
        "c_sigil": 0.3,
    }.items()
}
# What vouchers bring besides higher scores, over a whole run.
_VOUCHERS: Final = {
    VOUCHER_BY_KEY[key]: worth
    for key, worth in {
        "v_overstock_norm": 0.3,
        "v_overstock_plus": 0.3,
        "v_clearance_sale": 0.35,
        "v_liquidation": 0.35,
        "v_seed_money": 0.2,
        "v_money_tree": 0.2,
        "v_reroll_surplus": 0.2,
        "v_reroll_glut": 0.2,
        "v_blank": 0.1,
        "v_antimatter": 1.0,
        "v_hone": 0.15,
        "v_glow_up": 0.2,
        "v_telescope": 0.3,
        "v_planet_merchant": 0.15,
        "v_planet_tycoon": 0.15,
        "v_crystal_ball": 0.1,
        "v_grabber": 0.1,
        "v_nacho_tong": 0.1,
        "v_wasteful": 0.05,
        "v_recyclomancy": 0.05,
        "v_paint_brush": 0.1,
        "v_palette": 0.1,
    }.items()
}
_IMAGINED_HANDS: Final = 4  # for the order of jokers
_IMAGINED_DRAWS: Final = 6  # for what a discard brings


# How many imagined rounds a build is judged by; the same deals for whatever is compared.
_DEALS: Final = 10


class Tuning(NamedTuple):
    """What was tuned by play on seeds that are not the held-out ones.

    Margins and gains are logarithms of scores: 0.7 is a doubled one.

    Attributes:
        strong, fair, poor: margins above which all, some and little money is kept for interest.
        kept_fair, kept_poor: what is kept then; nothing below.
        weak: below this margin money goes to jokers before it goes to packs of cards.
        last_ante: in ante 8 nothing is kept below this margin.
        least: a joker that gains less is not bought.
        breaking: a joker that gains so much is bought with money kept for interest.
        swap, swap_breaking: the same for a joker that takes another's place.
        planet, planet_breaking: the same for planets.
        voucher, voucher_breaking: the same for vouchers.
        reroll_reserve: dollars that must be left after a reroll.
        horizon: from this ante on it is too late for what pays in the long run.
    """

    strong: float = 0.5
    fair: float = 0.2
    poor: float = -0.1
    kept_fair: int = 15
    kept_poor: int = 5
    weak: float = 0.5
    last_ante: float = 1.0
    least: float = 0.08
    breaking: float = 0.3
    swap: float = 0.15
    swap_breaking: float = 0.4
    planet: float = 0.03
    planet_breaking: float = 0.12
    voucher: float = 0.12
    voucher_breaking: float = 0.3
    reroll_reserve: int = 5
    horizon: float = 8.0


_TUNED: Final = Tuning()


class HeuristicPolicy:
    """Plays the best-scoring cards, discards towards better ones, buys what raises the score.

    Args:
        seed: for the hands that it imagines.
        tuning: how it weighs things.
        deals: how many imagined rounds a build is judged by.
    """

    name = "heuristic"

    def __init__(self, seed: int = 0, tuning: Tuning = _TUNED, deals: int = _DEALS) -> None:
        self.confidence = 1.0
        self._random = random.Random(seed)
        self._tuning = tuning
        self._deals = [f"DEAL{number}" for number in range(1, deals + 1)]
        self._ordered: list[int] = []
        self._judged: object = None
        self._promised = -1
        self._power = 0.0

    def act(self, run: Run) -> Action:
        phase = run.phase_now
        self.confidence = 0.9
        if run.consumables and (action := self._use(run)):
            return action
        if phase == SELECTING_HAND:
            return self._hand(run)
        if phase == BLIND_SELECT:
            return Action(ActionKind.SELECT_BLIND)
        if phase == ROUND_EVAL:
            return Action(ActionKind.CASH_OUT)
        if phase == PACK:
            return self._pack(run)
        return self._shop(run)

    # Hands

    def _hand(self, run: Run) -> Action:
        hand = Hand(run)
        found = plays(run, hand, 16)
        best = found[0]
        needed = run.required - run.chips
        if best.preview.score >= needed:
            # The least that wins keeps the good cards in the deck's flow; it matters little.
            enough = [play for play in found if play.preview.score >= needed]
            return _play(min(enough, key=lambda play: (len(play.cards), play.preview.score)))
        if run.discards_left > 0 and (discard := self._discard(run, hand, best)):
            return Action(ActionKind.DISCARD, 0, discard.cards)
        # The best score, thrown together with as much as nobody needs.
        near = [play for play in found if play.preview.score >= 0.98 * best.preview.score]
        return _play(max(near, key=lambda play: len(play.cards)))

    def _discard(self, run: Run, hand: Hand, best: Play) -> Discard | None:
        """The discard that promises most, if it promises more than playing now."""
        deck = unseen(run)
        if not deck:
            return None
        needed = run.required - run.chips
        dream = run.clone()
        now = _usefulness(best.preview.score, needed, run.hands_left)
        chosen: Discard | None = None
        most = now * 1.03
        for discard in discards(run, hand, best.cards, 8):
            kept = [card for place, card in enumerate(run.hand) if place not in discard.cards]
            draw = min(len(discard.cards), len(deck))
            total = 0.0
            for _ in range(_IMAGINED_DRAWS):
                dream.hand = kept + self._random.sample(deck, draw)
                score = plays(dream, Hand(dream), 1)[0].preview.score
                total += _usefulness(score, needed, run.hands_left)
            if total / _IMAGINED_DRAWS > most:
                most = total / _IMAGINED_DRAWS
                chosen = discard
        self.confidence = min(1.0, 0.5 + abs(most - now))
        return chosen

    # Consumables

    def _use(self, run: Run) -> Action | None:
        hand = Hand(run) if run.hand else None
        for place, card in enumerate(run.consumables):
            if (action := self._use_of(run, hand, ActionKind.USE_CONSUMABLE, place, card)) and (
                run.is_legal(action)
            ):
                return action
        return None

    def _use_of(
        self, run: Run, hand: Hand | None, kind: ActionKind, place: int, card: Consumable
    ) -> Action | None:
        """How to use a consumable now, or None when it is better not to."""
        if card.kind in _DANGEROUS:
            return None
        if card.key == "c_hermit" and run.money < 10 and run.ante > 1:
            return None
        if hand is None:
            return Action(kind, place)
        choices = targets(hand, card.kind)
        return Action(kind, place, choices[0]) if choices else None

    # The shop

    def _shop(self, run: Run) -> Action:
        if action := self._order_jokers(run):
            return action
        tuning = self._tuning
        margin = self._margin(run)
        savings = self._savings(run, margin)
        spare = run.money - savings
        if action := self._buy_joker(run, savings):
            return action
        for place, offer in enumerate(run.shop_vouchers):
            least = tuning.voucher if offer.cost <= spare else tuning.voucher_breaking
            if run.can_pay(offer.cost) and self._voucher_gain(run, place) > least:
                return Action(ActionKind.BUY_VOUCHER, place)
        for place, offer in enumerate(run.shop_cards):
            if offer.consumable is not None and run.can_pay(offer.cost):
                action = self._buy_consumable(run, place, offer.consumable, offer.cost <= spare)
                if action is not None and run.is_legal(action):
                    return action
        weak = margin < tuning.weak
        if (action := self._buy_pack(run, spare, weak)) is not None:
            return action
        if self._rerolls(run, spare):
            return Action(ActionKind.REROLL)
        if weak and run.ante < 8 and (action := self._buy_pack(run, spare, False)) is not None:
            return action
        return Action(ActionKind.LEAVE_SHOP)

    def _buy_pack(self, run: Run, spare: int, weak: bool) -> Action | None:
        for place, offer in enumerate(run.shop_packs):
            kind = PACKS[offer.pack].kind
            wanted = kind in ("Buffoon", "Celestial") or (
                not weak and kind in ("Arcana", "Spectral")
            )
            if wanted and offer.cost <= spare and run.can_pay(offer.cost):
                return Action(ActionKind.BUY_PACK, place)
        return None

    def _voucher_gain(self, run: Run, place: int) -> float:
        bonus = _VOUCHERS.get(run.shop_vouchers[place].voucher, 0.0)
        dream = run.clone()
        dream.money += 100
        dream.step(Action(ActionKind.BUY_VOUCHER, place))
        dream.money = run.money
        return self._worth(dream) - self._margin(run) + bonus * max(0.0, 1.0 - run.ante / 8)

    def _margin(self, run: Run) -> float:
        """How far (log) the build is above what this ante's boss asks for; below 0 it will lose."""
        key = (
            run.round,
            run.money,
            tuple([joker.id for joker in run.jokers]),
            sum([entry.level for entry in run.hand_levels]),
            len(run.draw_pile) + len(run.hand),
        )
        if key != self._judged:
            self._judged = key
            self._power = self._worth(run)
        return self._power

    def _worth(self, run: Run) -> float:
        return sum(power(run, self._deals)) / len(self._deals)

    def _savings(self, run: Run, margin: float) -> int:
        """What is kept for interest: as much as pays while the build is strong, else nothing."""
        tuning = self._tuning
        if run.ante >= 8:
            return 0 if margin < tuning.last_ante else 10
        cap = min(run.interest_cap, 25)
        if margin > tuning.strong:
            return cap
        if margin > tuning.fair:
            return min(cap, tuning.kept_fair)
        if margin > tuning.poor:
            return tuning.kept_poor
        return 0

    def _rerolls(self, run: Run, spare: int) -> bool:
        if not run.can_pay(run.reroll_cost):
            return False
        if run.reroll_cost == 0:
            return True
        return spare - run.reroll_cost >= self._tuning.reroll_reserve

    def _buy_joker(self, run: Run, savings: int) -> Action | None:
        tuning = self._tuning
        for place, offer in enumerate(run.shop_cards):
            if offer.joker is not None and offer.joker.id == self._promised:
                self._promised = -1
                action = Action(ActionKind.BUY_CARD, place)
                if run.is_legal(action):
                    return action
        offers = [
            (self._gain(run, offer.joker), place, offer)
            for place, offer in enumerate(run.shop_cards)
            if offer.joker is not None and not offer.joker.rental
        ]
        offers.sort(key=itemgetter(0), reverse=True)
        for gain, place, offer in offers:
            joker = offer.joker
            if gain < tuning.least or joker is None:
                continue
            if run.has_joker_room(joker.edition):
                left = run.money - offer.cost
                if run.can_pay(offer.cost) and (
                    left >= savings or gain > tuning.breaking or len(run.jokers) < 3
                ):
                    return Action(ActionKind.BUY_CARD, place)
                continue
            if gain < tuning.least + 0.1:
                continue
            weakest = self._weakest_for(run, joker)
            if weakest is None:
                continue
            better, worst = weakest
            money = run.money + run.jokers[worst].sell_value - offer.cost
            if (
                better > tuning.swap
                and money >= 0
                and (money >= savings or better > tuning.swap_breaking)
            ):
                self._promised = joker.id
                return Action(ActionKind.SELL_JOKER, worst)
        return None

    def _weakest_for(self, run: Run, joker: Joker) -> tuple[float, int] | None:
        """Which joker to replace by another, and by how much that is better."""
        base = self._margin(run)
        horizon = self._tuning.horizon
        found: tuple[float, int] | None = None
        for place, old in enumerate(run.jokers):
            if old.eternal:
                continue
            dream = run.clone()
            dream.remove_joker(dream.jokers[place])
            dream.add_joker(joker.copy())
            better = self._worth(dream) - base
            better += _lasting(joker, run, horizon) - _lasting(old, run, horizon)
            if found is None or better > found[0]:
                found = better, place
        return found

    def _buy_consumable(self, run: Run, place: int, card: Consumable, cheap: bool) -> Action | None:
        if FIRST_PLANET <= card.kind < FIRST_SPECTRAL:
            gain = self._planet_gain(run, card.kind)
            if gain < (self._tuning.planet if cheap else self._tuning.planet_breaking):
                return None
            return Action(ActionKind.BUY_AND_USE, place)
        if not cheap or card.kind in _DANGEROUS or _WELCOME.get(card.kind, 0.0) < 0.35:
            return None
        return Action(ActionKind.BUY_CARD, place)

    def _planet_gain(self, run: Run, kind: int) -> float:
        """By how much a level of a planet's hand raises the scores (log)."""
        base = self._margin(run)
        dream = run.clone()
        dream.level_up(PLANET_HANDS[kind - FIRST_PLANET], 1)
        return self._worth(dream) - base

    # Packs

    def _pack(self, run: Run) -> Action:
        pack = run.pack
        assert pack is not None
        hand = Hand(run) if run.hand else None
        best = 0.05
        chosen = Action(ActionKind.SKIP_PACK)
        for place, offer in enumerate(pack.cards):
            action: Action | None = Action(ActionKind.PICK_PACK, place)
            if offer.joker is not None:
                if run.has_joker_room(offer.joker.edition):
                    worth = self._gain(run, offer.joker)
                else:
                    weakest = self._weakest_for(run, offer.joker)
                    if weakest is None or weakest[0] < self._tuning.swap:
                        continue
                    worth, worst = weakest
                    action = Action(ActionKind.SELL_JOKER, worst)
            elif offer.consumable is not None:
                kind = offer.consumable.kind
                if FIRST_PLANET <= kind < FIRST_SPECTRAL:
                    worth = 0.1 + 2 * self._planet_gain(run, kind)
                else:
                    worth = _WELCOME.get(kind, 0.1)
                action = self._use_of(run, hand, ActionKind.PICK_PACK, place, offer.consumable)
            else:
                card = offer.card
                worth = _card_worth(card) if card is not None else 0.0
            if action is not None and worth > best and run.is_legal(action):
                best, chosen = worth, action
        return chosen

    # What jokers are worth

    def _gain(self, run: Run, joker: Joker) -> float:
        """By how much a joker would raise the scores (log), and what it is worth besides."""
        base = self._margin(run)
        dream = run.clone()
        dream.add_joker(joker.copy())
        return self._worth(dream) - base + _lasting(joker, run, self._tuning.horizon)

    def _imagined(self, run: Run) -> list[list[Card]]:
        deck = run.full_deck
        size = min(run.hand_size, len(deck))
        return [self._random.sample(deck, size) for _ in range(_IMAGINED_HANDS)]

    def _strength(self, run: Run, jokers: Iterable[Joker], hands: list[list[Card]]) -> float:
        """The mean log of the best score over hands."""
        dream = run.clone()
        dream.jokers = [joker.copy() for joker in jokers]
        dream.refresh_jokers()
        total = 0.0
        for cards in hands:
            dream.hand = cards
            total += log(1.0 + plays(dream, Hand(dream), 1)[0].preview.score)
        return total / len(hands)

    def _order_jokers(self, run: Run) -> Action | None:
        """One move towards the order that scores most, looked at once for each set of jokers."""
        ids = sorted(joker.id for joker in run.jokers)
        if len(ids) < 2 or ids == self._ordered:
            return None
        hands = self._imagined(run)
        best = self._strength(run, run.jokers, hands) + 0.01
        chosen: Action | None = None
        last = len(ids) - 1
        for start in range(last):
            moved = run.jokers[:start] + run.jokers[start + 1 :] + [run.jokers[start]]
            strength = self._strength(run, moved, hands)
            if strength > best:
                best = strength
                chosen = Action(ActionKind.MOVE_JOKER, start, (last,))
        if chosen is None:
            self._ordered = ids
        return chosen


def _play(play: Play) -> Action:
    return Action(ActionKind.PLAY, 0, play.cards)


def _usefulness(score: float, needed: float, hands_left: int) -> float:
    """A score's use: what counts is to get there with the hands that are left."""
    if score >= needed:
        return 1.5
    share = score / needed
    return min(1.0, share * hands_left) * 0.5 + share * 0.5


def _lasting(joker: Joker, run: Run, horizon: float) -> float:
    worth = _LASTING.get(joker.kind, 0.0)
    if worth:
        worth *= max(0.0, 1.0 - run.ante / horizon)
    if joker.edition == 4:
        worth += 0.3
    if joker.perishable >= 0:
        worth -= 0.1
    return worth + 0.01 * JOKERS[joker.kind].rarity - _HARMFUL.get(joker.kind, 0.0)


def _card_worth(card: Card) -> float:
    worth = 0.0
    if card.enhancement:
        worth += 0.15
    if card.edition:
        worth += 0.3
    if card.seal:
        worth += 0.2
    return worth
