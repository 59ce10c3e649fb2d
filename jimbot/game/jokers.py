"""What the 150 jokers do, in the catalogue's order.

Jokers that only bend a rule (Four Fingers, Splash, Showman …) are asked for where the rule is;
`State.refresh_jokers` keeps track of them.
"""

from __future__ import annotations

import math

from jimbot.game import bosses
from jimbot.game.bosses import debuffed_as_due
from jimbot.game.cards import (
    ACE,
    CLUBS,
    DIAMONDS,
    FRONTS,
    GLASS,
    GOLD,
    HEARTS,
    JACK,
    KING,
    NEGATIVE,
    QUEEN,
    SPADES,
    STEEL,
    STONE,
    WILD,
    Card,
    Joker,
    Tag,
    plain_card,
)
from jimbot.game.catalogue import FIRST_PLANET, FIRST_SPECTRAL
from jimbot.game.create import SPECTRAL, TAROT, create_consumable, create_joker
from jimbot.game.hands import (
    FLUSH,
    FOUR_OF_A_KIND,
    FULL_HOUSE,
    LEVEL_CHIPS,
    LEVEL_MULT,
    PAIR,
    STRAIGHT,
    STRAIGHT_FLUSH,
    THREE_OF_A_KIND,
    TWO_PAIR,
    in_suit_for_flush,
)
from jimbot.game.packs import random_seal
from jimbot.game.rules import (
    added,
    after,
    barred,
    before,
    beside,
    blind_set,
    cards_added,
    cards_destroyed,
    destroys,
    discard,
    discarding,
    dollars,
    first_draw,
    held,
    main,
    pack_opened,
    pack_skipped,
    removed,
    rerolled,
    retrigger,
    retrigger_held,
    round_end,
    sale,
    scored,
    shop_left,
    sold,
    used,
)
from jimbot.game.scoring import Play, find_hand
from jimbot.game.spectrals import copied_joker
from jimbot.game.state import BOSS, JOKER_RARITIES, State, consumable_id, joker_id
from jimbot.game.tags import DOUBLE, add_tag


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
    card = plain_card(state.new_id(), suit, rank).with_enhancement(STONE)
    state.add_to_deck(debuffed_as_due(state, card))
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
    luck = play.roll("space", 4)
    if play.preview:
        play.chips += LEVEL_CHIPS[play.hand] * luck
        play.mult += LEVEL_MULT[play.hand] * luck
    elif luck > 0.0:
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
        smeared = play.state.smeared
        if not (
            in_suit_for_flush(card, SPADES, smeared) or in_suit_for_flush(card, CLUBS, smeared)
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


@before("j_dna")
def dna(play: Play, joker: Joker) -> None:
    state = play.state
    if play.size == 1 and len(play.cards) == 1 and state.hands_this_round == 0:
        copy = play.cards[0].copied(0 if play.preview else state.new_id())
        play.held.append(copy)
        state.cards_added(1)


@main("j_blue_joker")
def blue_joker(play: Play, joker: Joker) -> None:
    play.chips += 2.0 * len(play.state.draw_pile)


@destroys("j_sixth_sense", own=True)
def sixth_sense(play: Play, joker: Joker, card: Card) -> bool:
    if (
        play.size == 1
        and card.rank == 6
        and card.enhancement != STONE
        and play.state.hands_this_round == 0
    ):
        _promise(play, SPECTRAL, "sixth")
        return True
    return False


@main("j_constellation")
def constellation(play: Play, joker: Joker) -> None:
    play.mult *= joker.value


@used("j_constellation", own=True)
def constellation_grows(state: State, joker: Joker, kind: int) -> None:
    if FIRST_PLANET <= kind < FIRST_SPECTRAL:
        joker.value += 0.1


@scored("j_hiker")
def hiker(play: Play, joker: Joker, card: Card) -> None:
    card = play.cards[play.place]
    play.cards[play.place] = card.with_bonus(card.bonus + 5)


@discarding("j_faceless")
def faceless_joker(state: State, joker: Joker, cards: list[Card]) -> None:
    if sum([state.is_face(card) for card in cards]) >= 3:
        state.earn(5)


@before("j_green_joker", own=True)
def green_joker(play: Play, joker: Joker) -> None:
    joker.value += 1.0


@main("j_green_joker")
def green_joker_mult(play: Play, joker: Joker) -> None:
    play.mult += joker.value


@discarding("j_green_joker", own=True)
def green_joker_shrinks(state: State, joker: Joker, cards: list[Card]) -> None:
    joker.value = max(0.0, joker.value - 1.0)


@main("j_superposition")
def superposition(play: Play, joker: Joker) -> None:
    if play.has(STRAIGHT):
        for card in play.scoring_cards():
            if card.rank == ACE and card.enhancement != STONE:
                _promise(play, TAROT, "sup")
                return


@before("j_todo_list")
def todo_list(play: Play, joker: Joker) -> None:
    if play.hand == joker.hand:
        play.dollars += 4.0


@round_end("j_todo_list", own=True)
def todo_list_renews(state: State, joker: Joker) -> None:
    hands = [hand for hand in state.shown_hands() if hand != joker.hand]
    joker.hand = hands[state.draws.below("to_do", len(hands))]


@main("j_cavendish")
def cavendish(play: Play, joker: Joker) -> None:
    play.mult *= 3.0


@round_end("j_cavendish", own=True)
def cavendish_rots(state: State, joker: Joker) -> None:
    if state.draws.random("cavendish") < state.chance / 1000:
        state.remove_joker(joker)


@main("j_card_sharp")
def card_sharp(play: Play, joker: Joker) -> None:
    if play.state.hand_levels[play.hand].played_this_round > 1:
        play.mult *= 3.0


@pack_skipped("j_red_card", own=True)
def red_card(state: State, joker: Joker) -> None:
    joker.value += 3.0


@main("j_red_card")
def red_card_mult(play: Play, joker: Joker) -> None:
    play.mult += joker.value


@blind_set("j_madness", own=True)
def madness(state: State, joker: Joker) -> None:
    if state.last_blind_was_boss:
        return
    joker.value += 0.5
    victims = [other for other in state.jokers if other is not joker and not other.eternal]
    if victims:
        victims.sort(key=joker_id)
        state.remove_joker(victims[state.draws.below("madness", len(victims))])


@main("j_madness")
def madness_mult(play: Play, joker: Joker) -> None:
    play.mult *= joker.value


@main("j_square")
def square(play: Play, joker: Joker) -> None:
    play.chips += joker.value


@before("j_square", own=True)
def square_grows(play: Play, joker: Joker) -> None:
    if play.size == 4:
        joker.value += 4.0


@main("j_seance")
def seance(play: Play, joker: Joker) -> None:
    if play.has(STRAIGHT_FLUSH):
        _promise(play, SPECTRAL, "sea")


@blind_set("j_riff_raff")
def riff_raff(state: State, joker: Joker) -> None:
    for _ in range(min(2, state.joker_slots - len(state.jokers))):
        state.add_joker(create_joker(state, "rif", rarity=0.0))


@before("j_vampire", own=True)
def vampire(play: Play, joker: Joker) -> None:
    for i in range(len(play.cards)):
        card = play.cards[i]
        if play.scores(i) and card.enhancement and not card.debuffed:
            play.cards[i] = debuffed_as_due(play.state, card.with_enhancement(0))
            joker.value += 0.1


@main("j_vampire")
def vampire_mult(play: Play, joker: Joker) -> None:
    play.mult *= joker.value


@cards_added("j_hologram", own=True)
def hologram(state: State, joker: Joker, count: int) -> None:
    joker.value += 0.25 * count


@main("j_hologram")
def hologram_mult(play: Play, joker: Joker) -> None:
    play.mult *= joker.value


@main("j_vagabond")
def vagabond(play: Play, joker: Joker) -> None:
    if play.state.money <= 4:
        _promise(play, TAROT, "vag")


@held("j_baron")
def baron(play: Play, joker: Joker, card: Card) -> bool:
    if card.rank != KING or card.enhancement == STONE:
        return False
    if not card.debuffed:
        play.mult *= 1.5
    return True


@dollars("j_cloud_9", own=True)
def cloud_9(state: State, joker: Joker) -> int:
    return sum([card.rank == 9 and card.enhancement != STONE for card in state.all_cards()])


@dollars("j_rocket", own=True)
def rocket(state: State, joker: Joker) -> int:
    return int(joker.value)


@round_end("j_rocket", own=True)
def rocket_climbs(state: State, joker: Joker) -> None:
    if state.last_blind_was_boss:
        joker.value += 2.0


@before("j_obelisk", own=True)
def obelisk(play: Play, joker: Joker) -> None:
    levels = play.state.hand_levels
    for level in levels:
        if level.hand != play.hand and level.visible and level.played >= levels[play.hand].played:
            joker.value += 0.2
            return
    joker.value = 1.0


@main("j_obelisk")
def obelisk_mult(play: Play, joker: Joker) -> None:
    play.mult *= joker.value


@before("j_midas_mask", own=True)
def midas_mask(play: Play, joker: Joker) -> None:
    for i in range(len(play.cards)):
        if play.scores(i) and play.state.is_face(play.cards[i]):
            play.cards[i] = debuffed_as_due(play.state, play.cards[i].with_enhancement(GOLD))


@sold("j_luchador")
def luchador(state: State, joker: Joker) -> None:
    if state.blind is not None and state.blind.slot == BOSS:
        bosses.disable(state)


@scored("j_photograph")
def photograph(play: Play, joker: Joker, card: Card) -> None:
    for i in range(play.place):
        if play.scores(i) and play.state.is_face(play.cards[i]):
            return
    if play.state.is_face(card):
        play.mult *= 2.0


@round_end("j_gift", own=True)
def gift_card(state: State, joker: Joker) -> None:
    for other in state.jokers:
        other.extra_value += 1
    for card in state.consumables:
        card.extra_value += 1
    state.refresh_costs()


@added("j_turtle_bean")
def turtle_bean(state: State, joker: Joker) -> None:
    state.change_hand_size(int(joker.value))


@removed("j_turtle_bean")
def turtle_bean_gone(state: State, joker: Joker) -> None:
    state.change_hand_size(-int(joker.value))


@round_end("j_turtle_bean", own=True)
def turtle_bean_eaten(state: State, joker: Joker) -> None:
    if joker.value <= 1.0:
        state.remove_joker(joker)
    else:
        joker.value -= 1.0
        state.change_hand_size(-1)


@main("j_erosion")
def erosion(play: Play, joker: Joker) -> None:
    state = play.state
    owned = len(state.draw_pile) + len(state.hand) + len(state.discard_pile) + len(state.in_play)
    play.mult += 4.0 * max(0, state.starting_size - owned)


@held("j_reserved_parking")
def reserved_parking(play: Play, joker: Joker, card: Card) -> bool:
    if not play.state.is_face(card):
        return False
    luck = play.roll("parking", 2)
    play.dollars += luck
    return luck > 0.0


@discard("j_mail")
def mail_in_rebate(state: State, joker: Joker, card: Card, cards: list[Card]) -> bool:
    if card.rank == state.mail_rank and card.enhancement != STONE and not card.debuffed:
        state.earn(5)
    return False


@added("j_to_the_moon")
def to_the_moon(state: State, joker: Joker) -> None:
    state.interest_amount += 1


@removed("j_to_the_moon")
def to_the_moon_gone(state: State, joker: Joker) -> None:
    state.interest_amount -= 1


@pack_opened("j_hallucination")
def hallucination(state: State, joker: Joker) -> None:
    if state.has_consumable_room(0) and state.draws.random(f"halu{state.ante}") < state.chance / 2:
        state.add_consumable(create_consumable(state, TAROT, "hal"))


@main("j_fortune_teller")
def fortune_teller(play: Play, joker: Joker) -> None:
    play.mult += play.state.stats.tarots_used


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


@main("j_stone")
def stone_joker(play: Play, joker: Joker) -> None:
    play.chips += 25.0 * _owned(play.state, STONE)


@dollars("j_golden", own=True)
def golden(state: State, joker: Joker) -> int:
    return 4


@scored("j_lucky_cat", own=True)
def lucky_cat(play: Play, joker: Joker, card: Card) -> None:
    joker.value += 0.25 * play.lucky


@main("j_lucky_cat")
def lucky_cat_mult(play: Play, joker: Joker) -> None:
    play.mult *= joker.value


@beside("j_baseball")
def baseball_card(play: Play, joker: Joker, other: Joker) -> None:
    if other is not joker and JOKER_RARITIES[other.kind] == 2:
        play.mult *= 1.5


@main("j_bull")
def bull(play: Play, joker: Joker) -> None:
    play.chips += 2.0 * max(0.0, play.money())


@sold("j_diet_cola")
def diet_cola(state: State, joker: Joker) -> None:
    add_tag(state, Tag(DOUBLE, 0))


@discard("j_trading", own=True)
def trading_card(state: State, joker: Joker, card: Card, cards: list[Card]) -> bool:
    if state.discards_this_round == 0 and len(cards) == 1:
        state.earn(3)
        return True
    return False


@rerolled("j_flash", own=True)
def flash_card(state: State, joker: Joker) -> None:
    joker.value += 2.0


@main("j_flash")
def flash_card_mult(play: Play, joker: Joker) -> None:
    play.mult += joker.value


@main("j_popcorn")
def popcorn(play: Play, joker: Joker) -> None:
    play.mult += joker.value


@round_end("j_popcorn", own=True)
def popcorn_eaten(state: State, joker: Joker) -> None:
    joker.value -= 4.0
    if joker.value <= 0.0:
        state.remove_joker(joker)


@before("j_trousers", own=True)
def spare_trousers(play: Play, joker: Joker) -> None:
    if play.has(TWO_PAIR) or play.has(FULL_HOUSE):
        joker.value += 2.0


@main("j_trousers")
def spare_trousers_mult(play: Play, joker: Joker) -> None:
    play.mult += joker.value


@scored("j_ancient")
def ancient_joker(play: Play, joker: Joker, card: Card) -> None:
    if play.state.is_suit(card, play.state.ancient_suit):
        play.mult *= 1.5


@discard("j_ramen", own=True)
def ramen(state: State, joker: Joker, card: Card, cards: list[Card]) -> bool:
    if joker.value - 0.01 <= 1.0:
        state.remove_joker(joker)
    else:
        joker.value -= 0.01
    return False


@main("j_ramen")
def ramen_mult(play: Play, joker: Joker) -> None:
    play.mult *= joker.value


@scored("j_walkie_talkie")
def walkie_talkie(play: Play, joker: Joker, card: Card) -> None:
    if card.rank in (4, 10) and card.enhancement != STONE:
        play.chips += 10.0
        play.mult += 4.0


@retrigger("j_selzer")
def seltzer(play: Play, joker: Joker, card: Card) -> int:
    return 1


@after("j_selzer", own=True)
def seltzer_drunk(play: Play, joker: Joker) -> None:
    joker.count -= 1
    if joker.count <= 0:
        play.state.remove_joker(joker)


@discard("j_castle", own=True)
def castle(state: State, joker: Joker, card: Card, cards: list[Card]) -> bool:
    if state.is_suit(card, state.castle_suit):
        joker.value += 3.0
    return False


@main("j_castle")
def castle_chips(play: Play, joker: Joker) -> None:
    play.chips += joker.value


@scored("j_smiley")
def smiley_face(play: Play, joker: Joker, card: Card) -> None:
    if play.state.is_face(card):
        play.mult += 5.0


@sale("j_campfire", own=True)
def campfire(state: State, joker: Joker) -> None:
    joker.value += 0.25


@round_end("j_campfire", own=True)
def campfire_dies(state: State, joker: Joker) -> None:
    if state.last_blind_was_boss:
        joker.value = 1.0


@main("j_campfire")
def campfire_mult(play: Play, joker: Joker) -> None:
    play.mult *= joker.value


@scored("j_ticket")
def golden_ticket(play: Play, joker: Joker, card: Card) -> None:
    if card.enhancement == GOLD:
        play.dollars += 4.0


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


@added("j_troubadour")
def troubadour(state: State, joker: Joker) -> None:
    state.change_hand_size(2)
    state.hands_per_round -= 1


@removed("j_troubadour")
def troubadour_gone(state: State, joker: Joker) -> None:
    state.change_hand_size(-2)
    state.hands_per_round += 1


@first_draw("j_certificate")
def certificate(state: State, joker: Joker) -> None:
    suit, rank = FRONTS[state.draws.below("cert_fr", len(FRONTS))]
    card = plain_card(state.new_id(), suit, rank).with_seal(random_seal(state, "certsl"))
    state.hand.append(debuffed_as_due(state, card))
    state.sort_hand()
    state.cards_added(1)


@main("j_throwback")
def throwback(play: Play, joker: Joker) -> None:
    play.mult *= 1.0 + 0.25 * play.state.stats.skips


@retrigger("j_hanging_chad")
def hanging_chad(play: Play, joker: Joker, card: Card) -> int:
    for i in range(play.place):
        if play.scores(i):
            return 0
    return 2


@scored("j_rough_gem")
def rough_gem(play: Play, joker: Joker, card: Card) -> None:
    if play.state.is_suit(card, DIAMONDS):
        play.dollars += 1.0


@scored("j_bloodstone")
def bloodstone(play: Play, joker: Joker, card: Card) -> None:
    if play.state.is_suit(card, HEARTS):
        play.mult *= 1.0 + 0.5 * play.roll("bloodstone", 2)


@scored("j_arrowhead")
def arrowhead(play: Play, joker: Joker, card: Card) -> None:
    if play.state.is_suit(card, SPADES):
        play.chips += 50.0


@scored("j_onyx_agate")
def onyx_agate(play: Play, joker: Joker, card: Card) -> None:
    _suit_mult(play, card, CLUBS, 7.0)


@cards_destroyed("j_glass", own=True)
def glass_joker(state: State, joker: Joker, cards: list[Card], shattered: bool) -> None:
    if shattered:
        joker.value += 0.75 * sum([card.enhancement == GLASS for card in cards])


@main("j_glass")
def glass_joker_mult(play: Play, joker: Joker) -> None:
    play.mult *= joker.value


@main("j_flower_pot")
def flower_pot(play: Play, joker: Joker) -> None:
    # Each card fills the first suit that it counts as and that is still missing; wild ones last.
    found = 0
    cards = play.scoring_cards()
    for card in cards:
        if card.enhancement not in (WILD, STONE):
            for suit in (HEARTS, DIAMONDS, SPADES, CLUBS):
                fits = card.suit == suit or (play.state.smeared and (card.suit & 1) == (suit & 1))
                if fits and not (found >> suit) & 1:
                    found |= 1 << suit
                    break
    for card in cards:
        if card.enhancement == WILD and not card.debuffed:
            for suit in (HEARTS, DIAMONDS, SPADES, CLUBS):
                if not (found >> suit) & 1:
                    found |= 1 << suit
                    break
    if found == 15:
        play.mult *= 3.0


@scored("j_wee", own=True)
def wee_joker(play: Play, joker: Joker, card: Card) -> None:
    if card.rank == 2 and card.enhancement != STONE:
        joker.value += 8.0


@main("j_wee")
def wee_joker_chips(play: Play, joker: Joker) -> None:
    play.chips += joker.value


@added("j_merry_andy")
def merry_andy(state: State, joker: Joker) -> None:
    state.discards_per_round += 3
    state.change_discards(3)
    state.change_hand_size(-1)


@removed("j_merry_andy")
def merry_andy_gone(state: State, joker: Joker) -> None:
    state.discards_per_round -= 3
    state.change_discards(-3)
    state.change_hand_size(1)


@added("j_oops")
def oops_all_6s(state: State, joker: Joker) -> None:
    state.chance *= 2


@removed("j_oops")
def oops_all_6s_gone(state: State, joker: Joker) -> None:
    state.chance //= 2


@scored("j_idol")
def idol(play: Play, joker: Joker, card: Card) -> None:
    state = play.state
    if card.rank == state.idol_rank and state.is_suit(card, state.idol_suit):
        play.mult *= 2.0


@main("j_seeing_double")
def seeing_double(play: Play, joker: Joker) -> None:
    state = play.state
    found = 0
    cards = play.scoring_cards()
    for card in cards:
        if card.enhancement != WILD:
            for suit in range(4):
                if state.is_suit(card, suit):
                    found |= 1 << suit
    for card in cards:
        if card.enhancement == WILD and not card.debuffed:
            for suit in (CLUBS, DIAMONDS, SPADES, HEARTS):
                if not (found >> suit) & 1:
                    found |= 1 << suit
                    break
    if (found >> CLUBS) & 1 and found & ~(1 << CLUBS):
        play.mult *= 2.0


@main("j_matador")
@barred("j_matador")
def matador(play: Play, joker: Joker) -> None:
    blind = play.state.blind
    if blind is not None and blind.triggered:
        play.dollars += 8.0


@discard("j_hit_the_road", own=True)
def hit_the_road(state: State, joker: Joker, card: Card, cards: list[Card]) -> bool:
    if card.rank == JACK and card.enhancement != STONE and not card.debuffed:
        joker.value += 0.5
    return False


@round_end("j_hit_the_road", own=True)
def hit_the_road_ends(state: State, joker: Joker) -> None:
    joker.value = 1.0


@main("j_hit_the_road")
def hit_the_road_mult(play: Play, joker: Joker) -> None:
    play.mult *= joker.value


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


@main("j_stuntman")
def stuntman(play: Play, joker: Joker) -> None:
    play.chips += 250.0


@added("j_stuntman")
def stuntman_comes(state: State, joker: Joker) -> None:
    state.change_hand_size(-2)


@removed("j_stuntman")
def stuntman_gone(state: State, joker: Joker) -> None:
    state.change_hand_size(2)


@round_end("j_invisible", own=True)
def invisible_waits(state: State, joker: Joker) -> None:
    joker.count += 1


@sold("j_invisible", own=True)
def invisible(state: State, joker: Joker) -> None:
    others = [other for other in state.jokers if other is not joker]
    if joker.count < 2 or not others or len(state.jokers) > state.joker_slots:
        return
    others.sort(key=joker_id)
    model = others[state.draws.below("invisible", len(others))]
    twin = copied_joker(state, model, 0 if model.edition == NEGATIVE else model.edition)
    if twin.kind == joker.kind:
        twin.count = 0
    state.add_joker(twin)


@dollars("j_satellite", own=True)
def satellite(state: State, joker: Joker) -> int:
    return bin(state.planets_used).count("1")


@held("j_shoot_the_moon")
def shoot_the_moon(play: Play, joker: Joker, card: Card) -> bool:
    if card.rank != QUEEN or card.enhancement == STONE:
        return False
    if not card.debuffed:
        play.mult += 13.0
    return True


@main("j_drivers_license")
def drivers_license(play: Play, joker: Joker) -> None:
    state = play.state
    enhanced = 0
    for pile in (state.draw_pile, state.hand, state.discard_pile, play.cards):
        for card in pile:
            if card.enhancement:
                enhanced += 1
    if enhanced >= 16:
        play.mult *= 3.0


@blind_set("j_cartomancer")
def cartomancer(state: State, joker: Joker) -> None:
    if state.has_consumable_room(0):
        state.add_consumable(create_consumable(state, TAROT, "car"))


@added("j_astronomer")
def astronomer(state: State, joker: Joker) -> None:
    state.refresh_costs()


@removed("j_astronomer")
def astronomer_gone(state: State, joker: Joker) -> None:
    state.refresh_costs()


@discarding("j_burnt")
def burnt(state: State, joker: Joker, cards: list[Card]) -> None:
    if state.discards_this_round == 0 and not state.hooking:
        state.level_up(find_hand(state, cards).hand, 1)


@main("j_bootstraps")
def bootstraps(play: Play, joker: Joker) -> None:
    play.mult += 2.0 * math.floor(max(0.0, play.money()) / 5.0)


@cards_destroyed("j_caino", own=True)
def canio(state: State, joker: Joker, cards: list[Card], shattered: bool) -> None:
    joker.value += sum([state.is_face(card) for card in cards])


@main("j_caino")
def canio_mult(play: Play, joker: Joker) -> None:
    play.mult *= joker.value


@scored("j_triboulet")
def triboulet(play: Play, joker: Joker, card: Card) -> None:
    if card.rank in (QUEEN, KING) and card.enhancement != STONE:
        play.mult *= 2.0


@discard("j_yorick", own=True)
def yorick(state: State, joker: Joker, card: Card, cards: list[Card]) -> bool:
    if joker.count <= 1:
        joker.count = 23
        joker.value += 1.0
    else:
        joker.count -= 1
    return False


@main("j_yorick")
def yorick_mult(play: Play, joker: Joker) -> None:
    play.mult *= joker.value


@blind_set("j_chicot", own=True)
@added("j_chicot")
def chicot(state: State, joker: Joker) -> None:
    if state.blind is not None and state.blind.slot == BOSS:
        bosses.disable(state)


@shop_left("j_perkeo")
def perkeo(state: State, joker: Joker) -> None:
    if state.consumables:
        cards = sorted(state.consumables, key=consumable_id)
        model = cards[state.draws.below("perkeo", len(cards))]
        twin = model.copy()
        twin.id = state.new_id()
        twin.edition = NEGATIVE
        state.add_consumable(twin)
