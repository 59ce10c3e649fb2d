"""What the 150 jokers do, in the catalogue's order."""

from __future__ import annotations

import math

from jimbot.game.cards import (
    ACE,
    CLUBS,
    DIAMONDS,
    FRONTS,
    HEARTS,
    KING,
    SPADES,
    STEEL,
    STONE,
    WILD,
    Card,
    Joker,
    plain_card,
)
from jimbot.game.catalogue import FIRST_PLANET, FIRST_SPECTRAL
from jimbot.game.create import (
    TAROT,
    create_consumable,
)
from jimbot.game.hands import (
    FLUSH,
    FOUR_OF_A_KIND,
    PAIR,
    STRAIGHT,
    THREE_OF_A_KIND,
    TWO_PAIR,
)
from jimbot.game.rules import (
    added,
    after,
    before,
    beside,
    blind_set,
    discarding,
    dollars,
    held,
    main,
    removed,
    retrigger,
    retrigger_held,
    round_end,
    scored,
    used,
)
from jimbot.game.scoring import Play
from jimbot.game.state import JOKER_RARITIES, State


@main("j_joker")
def joker_(play: Play, joker: Joker) -> None:
    play.mult += 4.0


def _suit_mult(play: Play, card: Card, suit: int, mult: float) -> None:
    if play.state.is_suit(card, suit):
        play.mult += mult


@scored("j_greedy_joker")
def greedy_joker(play: Play, joker: Joker, card: Card) -> None:
    _suit_mult(play, card, DIAMONDS, 3.0)


@scored("j_lusty_joker")
def lusty_joker(play: Play, joker: Joker, card: Card) -> None:
    _suit_mult(play, card, HEARTS, 3.0)


@scored("j_wrathful_joker")
def wrathful_joker(play: Play, joker: Joker, card: Card) -> None:
    _suit_mult(play, card, SPADES, 3.0)


@scored("j_gluttenous_joker")
def gluttonous_joker(play: Play, joker: Joker, card: Card) -> None:
    _suit_mult(play, card, CLUBS, 3.0)


@main("j_jolly")
def jolly(play: Play, joker: Joker) -> None:
    if play.has(PAIR):
        play.mult += 8.0


@main("j_zany")
def zany(play: Play, joker: Joker) -> None:
    if play.has(THREE_OF_A_KIND):
        play.mult += 12.0


@main("j_mad")
def mad(play: Play, joker: Joker) -> None:
    if play.has(TWO_PAIR):
        play.mult += 10.0


@main("j_crazy")
def crazy(play: Play, joker: Joker) -> None:
    if play.has(STRAIGHT):
        play.mult += 12.0


@main("j_droll")
def droll(play: Play, joker: Joker) -> None:
    if play.has(FLUSH):
        play.mult += 10.0


@main("j_sly")
def sly(play: Play, joker: Joker) -> None:
    if play.has(PAIR):
        play.chips += 50.0


@main("j_wily")
def wily(play: Play, joker: Joker) -> None:
    if play.has(THREE_OF_A_KIND):
        play.chips += 100.0


@main("j_clever")
def clever(play: Play, joker: Joker) -> None:
    if play.has(TWO_PAIR):
        play.chips += 80.0


@main("j_devious")
def devious(play: Play, joker: Joker) -> None:
    if play.has(STRAIGHT):
        play.chips += 100.0


@main("j_crafty")
def crafty(play: Play, joker: Joker) -> None:
    if play.has(FLUSH):
        play.chips += 80.0


@main("j_half")
def half(play: Play, joker: Joker) -> None:
    if play.size <= 3:
        play.mult += 20.0


@main("j_stencil")
def stencil(play: Play, joker: Joker) -> None:
    state = play.state
    free = state.joker_slots - len(state.jokers)
    for other in state.jokers:
        if other.kind == joker.kind:
            free += 1
    if free > 0:
        play.mult *= free


@retrigger_held("j_mime")
def mime(play: Play, joker: Joker, card: Card) -> int:
    return 1


@added("j_credit_card")
def credit_card(state: State, joker: Joker) -> None:
    state.debt_limit += 20


@removed("j_credit_card")
def credit_card_gone(state: State, joker: Joker) -> None:
    state.debt_limit -= 20


@blind_set("j_ceremonial", own=True)
def ceremonial_dagger(state: State, joker: Joker) -> None:
    for i in range(len(state.jokers) - 1):
        if state.jokers[i] is joker:
            victim = state.jokers[i + 1]
            if not victim.eternal:
                joker.value += victim.sell_value * 2
                state.remove_joker(victim)
            return


@main("j_ceremonial")
def ceremonial_dagger_mult(play: Play, joker: Joker) -> None:
    play.mult += joker.value


@main("j_banner")
def banner(play: Play, joker: Joker) -> None:
    play.chips += 30.0 * play.state.discards_left


@main("j_mystic_summit")
def mystic_summit(play: Play, joker: Joker) -> None:
    if play.state.discards_left == 0:
        play.mult += 15.0


@blind_set("j_marble")
def marble(state: State, joker: Joker) -> None:
    suit, rank = FRONTS[state.draws.below("marb_fr", len(FRONTS))]
    state.add_to_deck(plain_card(state.new_id(), suit, rank).with_enhancement(STONE))
    state.cards_added(1)


@main("j_loyalty_card")
def loyalty_card(play: Play, joker: Joker) -> None:
    if (5 - (play.state.stats.hands_played - joker.count)) % 6 == 0:
        play.mult *= 4.0


def _promise(play: Play, kinds: int, append: str) -> None:
    """Create a consumable for a hand, if there is room."""
    state = play.state
    if not play.preview and state.has_consumable_room(0):
        state.add_consumable(create_consumable(state, kinds, append))


@scored("j_8_ball")
def eight_ball(play: Play, joker: Joker, card: Card) -> None:
    if play.preview or not play.state.has_consumable_room(0):
        return
    if card.rank == 8 and card.enhancement != STONE and play.roll("8ball", 4) > 0.0:
        _promise(play, TAROT, "8ba")


@main("j_misprint")
def misprint(play: Play, joker: Joker) -> None:
    play.mult += 11.5 if play.preview else play.state.draws.between("misprint", 0, 23)


@retrigger("j_dusk")
def dusk(play: Play, joker: Joker, card: Card) -> int:
    return 1 if play.state.hands_left == 0 else 0


@held("j_raised_fist")
def raised_fist(play: Play, joker: Joker, card: Card) -> bool:
    lowest: Card | None = None
    for other in play.held:
        if other.enhancement != STONE and (lowest is None or other.rank <= lowest.rank):
            lowest = other
    if lowest is None or lowest.id != card.id:
        return False
    if not card.debuffed:
        play.mult += 2 * (card.rank if card.rank <= 10 else 11 if card.rank == ACE else 10)
    return True


@added("j_chaos")
def chaos_the_clown(state: State, joker: Joker) -> None:
    state.free_rerolls += 1
    state.set_reroll_cost(False)


@removed("j_chaos")
def chaos_the_clown_gone(state: State, joker: Joker) -> None:
    state.free_rerolls -= 1
    state.set_reroll_cost(False)


@scored("j_fibonacci")
def fibonacci(play: Play, joker: Joker, card: Card) -> None:
    if card.enhancement != STONE and card.rank in (2, 3, 5, 8, ACE):
        play.mult += 8.0


def _owned(state: State, enhancement: int) -> int:
    count = 0
    for pile in (state.draw_pile, state.hand, state.discard_pile, state.in_play):
        for card in pile:
            if card.enhancement == enhancement:
                count += 1
    return count


@main("j_steel_joker")
def steel_joker(play: Play, joker: Joker) -> None:
    play.mult *= 1.0 + 0.2 * _owned(play.state, STEEL)


@scored("j_scary_face")
def scary_face(play: Play, joker: Joker, card: Card) -> None:
    if play.state.is_face(card):
        play.chips += 30.0


@main("j_abstract")
def abstract(play: Play, joker: Joker) -> None:
    play.mult += 3.0 * len(play.state.jokers)


@dollars("j_delayed_grat", own=True)
def delayed_gratification(state: State, joker: Joker) -> int:
    return 2 * state.discards_left if state.discards_this_round == 0 else 0


@retrigger("j_hack")
def hack(play: Play, joker: Joker, card: Card) -> int:
    return 1 if card.rank <= 5 and card.enhancement != STONE else 0


@main("j_gros_michel")
def gros_michel(play: Play, joker: Joker) -> None:
    play.mult += 15.0


@round_end("j_gros_michel", own=True)
def gros_michel_rots(state: State, joker: Joker) -> None:
    if state.draws.random("gros_michel") < state.chance / 6:
        state.gros_michel_gone = True
        state.remove_joker(joker)


@scored("j_even_steven")
def even_steven(play: Play, joker: Joker, card: Card) -> None:
    if card.rank <= 10 and card.rank % 2 == 0 and card.enhancement != STONE:
        play.mult += 4.0


@scored("j_odd_todd")
def odd_todd(play: Play, joker: Joker, card: Card) -> None:
    if card.enhancement != STONE and (card.rank == ACE or (card.rank <= 10 and card.rank % 2)):
        play.chips += 31.0


@scored("j_scholar")
def scholar(play: Play, joker: Joker, card: Card) -> None:
    if card.rank == ACE and card.enhancement != STONE:
        play.chips += 20.0
        play.mult += 4.0


@scored("j_business")
def business_card(play: Play, joker: Joker, card: Card) -> None:
    if play.state.is_face(card):
        play.dollars += 2.0 * play.roll("business", 2)


@main("j_supernova")
def supernova(play: Play, joker: Joker) -> None:
    play.mult += play.state.hand_levels[play.hand].played


@before("j_ride_the_bus", own=True)
def ride_the_bus(play: Play, joker: Joker) -> None:
    for card in play.scoring_cards():
        if play.state.is_face(card):
            joker.value = 0.0
            return
    joker.value += 1.0


@main("j_ride_the_bus")
def ride_the_bus_mult(play: Play, joker: Joker) -> None:
    play.mult += joker.value


@before("j_space")
def space(play: Play, joker: Joker) -> None:
    if play.preview:
        return
    if play.roll("space", 4) > 0.0:
        play.state.level_up(play.hand, 1)


@round_end("j_egg", own=True)
def egg(state: State, joker: Joker) -> None:
    joker.extra_value += 3
    state.refresh_costs()


@blind_set("j_burglar")
def burglar(state: State, joker: Joker) -> None:
    state.discards_left = 0
    state.hands_left += 3


@main("j_blackboard")
def blackboard(play: Play, joker: Joker) -> None:
    for card in play.held:
        if play.preview and card.face_down:
            continue
        if card.enhancement == STONE or not (
            card.suit in (SPADES, CLUBS) or (card.enhancement == WILD and not card.debuffed)
        ):
            return
    play.mult *= 3.0


@before("j_runner", own=True)
def runner(play: Play, joker: Joker) -> None:
    if play.has(STRAIGHT):
        joker.value += 15.0


@main("j_runner")
def runner_chips(play: Play, joker: Joker) -> None:
    play.chips += joker.value


@main("j_ice_cream")
def ice_cream(play: Play, joker: Joker) -> None:
    play.chips += joker.value


@after("j_ice_cream", own=True)
def ice_cream_melts(play: Play, joker: Joker) -> None:
    joker.value -= 5.0
    if joker.value <= 0.0:
        play.state.remove_joker(joker)


@main("j_blue_joker")
def blue_joker(play: Play, joker: Joker) -> None:
    play.chips += 2.0 * len(play.state.draw_pile)


@main("j_constellation")
def constellation(play: Play, joker: Joker) -> None:
    play.mult *= joker.value


@used("j_constellation", own=True)
def constellation_grows(state: State, joker: Joker, kind: int) -> None:
    if FIRST_PLANET <= kind < FIRST_SPECTRAL:
        joker.value += 0.1


@before("j_green_joker", own=True)
def green_joker(play: Play, joker: Joker) -> None:
    joker.value += 1.0


@main("j_green_joker")
def green_joker_mult(play: Play, joker: Joker) -> None:
    play.mult += joker.value


@discarding("j_green_joker", own=True)
def green_joker_shrinks(state: State, joker: Joker, cards: list[Card]) -> None:
    joker.value = max(0.0, joker.value - 1.0)


@main("j_cavendish")
def cavendish(play: Play, joker: Joker) -> None:
    play.mult *= 3.0


@main("j_card_sharp")
def card_sharp(play: Play, joker: Joker) -> None:
    if play.state.hand_levels[play.hand].played_this_round > 1:
        play.mult *= 3.0


@main("j_square")
def square(play: Play, joker: Joker) -> None:
    play.chips += joker.value


@before("j_square", own=True)
def square_grows(play: Play, joker: Joker) -> None:
    if play.size == 4:
        joker.value += 4.0


@held("j_baron")
def baron(play: Play, joker: Joker, card: Card) -> bool:
    if card.rank != KING or card.enhancement == STONE:
        return False
    if not card.debuffed:
        play.mult *= 1.5
    return True


@scored("j_photograph")
def photograph(play: Play, joker: Joker, card: Card) -> None:
    for i in range(play.place):
        if play.scores(i) and play.state.is_face(play.cards[i]):
            return
    if play.state.is_face(card):
        play.mult *= 2.0


@added("j_juggler")
def juggler(state: State, joker: Joker) -> None:
    state.change_hand_size(1)


@removed("j_juggler")
def juggler_gone(state: State, joker: Joker) -> None:
    state.change_hand_size(-1)


@added("j_drunkard")
def drunkard(state: State, joker: Joker) -> None:
    state.discards_per_round += 1
    state.change_discards(1)


@removed("j_drunkard")
def drunkard_gone(state: State, joker: Joker) -> None:
    state.discards_per_round -= 1
    state.change_discards(-1)


@dollars("j_golden", own=True)
def golden(state: State, joker: Joker) -> int:
    return 4


@beside("j_baseball")
def baseball_card(play: Play, joker: Joker, other: Joker) -> None:
    if JOKER_RARITIES[other.kind] == 2:
        play.mult *= 1.5


@main("j_bull")
def bull(play: Play, joker: Joker) -> None:
    play.chips += 2.0 * max(0.0, play.money())


@main("j_popcorn")
def popcorn(play: Play, joker: Joker) -> None:
    play.mult += joker.value


@round_end("j_popcorn", own=True)
def popcorn_eaten(state: State, joker: Joker) -> None:
    joker.value -= 4.0
    if joker.value <= 0.0:
        state.remove_joker(joker)


@scored("j_walkie_talkie")
def walkie_talkie(play: Play, joker: Joker, card: Card) -> None:
    if card.rank in (4, 10) and card.enhancement != STONE:
        play.chips += 10.0
        play.mult += 4.0


@scored("j_smiley")
def smiley_face(play: Play, joker: Joker, card: Card) -> None:
    if play.state.is_face(card):
        play.mult += 5.0


@main("j_acrobat")
def acrobat(play: Play, joker: Joker) -> None:
    if play.state.hands_left == 0:
        play.mult *= 3.0


@retrigger("j_sock_and_buskin")
def sock_and_buskin(play: Play, joker: Joker, card: Card) -> int:
    return 1 if play.state.is_face(card) else 0


@main("j_swashbuckler")
def swashbuckler(play: Play, joker: Joker) -> None:
    for other in play.state.jokers:
        if other is not joker:
            play.mult += other.sell_value


@retrigger("j_hanging_chad")
def hanging_chad(play: Play, joker: Joker, card: Card) -> int:
    for i in range(play.place):
        if play.scores(i):
            return 0
    return 2


@main("j_duo")
def duo(play: Play, joker: Joker) -> None:
    if play.has(PAIR):
        play.mult *= 2.0


@main("j_trio")
def trio(play: Play, joker: Joker) -> None:
    if play.has(THREE_OF_A_KIND):
        play.mult *= 3.0


@main("j_family")
def family(play: Play, joker: Joker) -> None:
    if play.has(FOUR_OF_A_KIND):
        play.mult *= 4.0


@main("j_order")
def order(play: Play, joker: Joker) -> None:
    if play.has(STRAIGHT):
        play.mult *= 3.0


@main("j_tribe")
def tribe(play: Play, joker: Joker) -> None:
    if play.has(FLUSH):
        play.mult *= 2.0


@main("j_bootstraps")
def bootstraps(play: Play, joker: Joker) -> None:
    play.mult += 2.0 * math.floor(max(0.0, play.money()) / 5.0)
