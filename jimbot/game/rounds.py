"""The course of a run: blinds chosen, hands drawn, played and discarded, rounds won and paid."""

from __future__ import annotations

from typing import Final

from jimbot.game import bosses
from jimbot.game.bosses import FISH, HEART, HOOK, SERPENT, TOOTH, WIN_ANTE
from jimbot.game.cards import (
    BLUE_SEAL,
    GOLD,
    PURPLE_SEAL,
    RED_SEAL,
    STONE,
    Card,
    Tag,
)
from jimbot.game.catalogue import DECKS, JOKER_BY_KEY
from jimbot.game.create import TAROT, create_consumable, new_consumable, next_tag, next_voucher
from jimbot.game.decks import set_up_deck
from jimbot.game.events import cards_destroyed, tell_jokers
from jimbot.game.packs import open_pack, uses_hand
from jimbot.game.planets import planet_of
from jimbot.game.rules import (
    BLIND_SET,
    DISCARD,
    DISCARDING,
    DOLLARS,
    FIRST_DRAW,
    ROUND_END,
    RULES,
)
from jimbot.game.scoring import Play, after_hand, destroyed_cards, find_hand, rounded_down, score
from jimbot.game.shop import enter_shop
from jimbot.game.stakes import set_up_stake
from jimbot.game.state import (
    BIG,
    BLIND_SELECT,
    BOSS,
    CURRENT,
    DEFEATED,
    GAME_OVER,
    ROUND_EVAL,
    SELECT,
    SELECTING_HAND,
    SKIPPED,
    SMALL,
    UPCOMING,
    State,
    card_id,
)
from jimbot.game.tags import (
    DOUBLE,
    add_tag,
    investment,
    next_tag_pack,
    use_immediate_tags,
    use_juggle_tags,
)

_CHAOS: Final = JOKER_BY_KEY["j_chaos"]
_MIME: Final = JOKER_BY_KEY["j_mime"]
_MR_BONES: Final = JOKER_BY_KEY["j_mr_bones"]
_ANAGLYPH: Final = DECKS.index("Anaglyph")
RENT: Final = 3


def start_run(state: State) -> None:
    """Set up deck and stake, and make the draws that a run starts with."""
    set_up_stake(state)
    set_up_deck(state)
    state.boss = bosses.new_boss(state)
    state.voucher = next_voucher(state)
    state.skip_tags = [next_tag(state), next_tag(state)]
    state.hands_left = state.hands_per_round
    state.discards_left = state.discards_per_round
    state.shuffle_key = "shuffle"
    name_targets(state)
    choose_blind(state)


def name_targets(state: State) -> None:
    """Draw the cards that The Idol, Mail-In Rebate, Ancient Joker and Castle look for."""
    ante = state.ante
    cards = [card for card in state.all_cards() if card.enhancement != STONE]
    cards.sort(key=card_id)
    state.idol_rank = 14
    state.idol_suit = 0
    state.mail_rank = 14
    state.castle_suit = 0
    if cards:
        idol = cards[state.draws.below(f"idol{ante}", len(cards))]
        state.idol_rank = idol.rank
        state.idol_suit = idol.suit
        state.mail_rank = cards[state.draws.below(f"mail{ante}", len(cards))].rank
    suits = [suit for suit in range(4) if suit != state.ancient_suit]
    state.ancient_suit = suits[state.draws.below(f"anc{ante}", len(suits))]
    if cards:
        state.castle_suit = cards[state.draws.below(f"cas{ante}", len(cards))].suit


# Blinds


def choose_blind(state: State) -> None:
    """Come to the choice of the next blind."""
    state.phase_now = BLIND_SELECT
    if state.blind_status[SMALL] not in (DEFEATED, SKIPPED):
        state.on_deck = SMALL
    elif state.blind_status[BIG] not in (DEFEATED, SKIPPED):
        state.on_deck = BIG
    else:
        state.on_deck = BOSS
    state.blind_status[state.on_deck] = SELECT
    if state.ante not in state.orbital_hands:
        shown = state.shown_hands()
        state.orbital_hands[state.ante] = [
            shown[state.draws.below("orbital", len(shown))] for _ in range(3)
        ]
    use_blind_tags(state)


def use_blind_tags(state: State) -> None:
    """Use up tags at the choice of a blind; a tag's pack opens at once."""
    if not state.tags:
        return
    use_immediate_tags(state)
    pack = next_tag_pack(state)
    if pack >= 0:
        open_any_pack(state, pack, BLIND_SELECT)


def open_any_pack(state: State, kind: int, back_to: int) -> None:
    """Open a pack, with a hand dealt where it needs one."""
    open_pack(state, kind, back_to)
    if uses_hand(kind):
        state.settle_deck()
        draw_cards(state)


def close_pack(state: State) -> None:
    """Put the pack and its hand away, and go back to where it was opened."""
    pack = state.pack
    if pack is None:
        return
    state.pack = None
    for offer in pack.cards:
        state.release_offer(offer)
    for card in state.hand:
        state.draw_pile.insert(0, card)
    state.hand = []
    state.phase_now = pack.back_to
    if pack.back_to == BLIND_SELECT:
        use_blind_tags(state)


def skip_blind(state: State) -> None:
    """Skip the small or big blind for its tag."""
    slot = state.on_deck
    state.stats.skips += 1
    add_tag(state, Tag(state.skip_tags[slot], state.orbital_hands[state.ante][slot]))
    state.blind_status[slot] = SKIPPED
    state.on_deck = slot + 1
    state.blind_status[state.on_deck] = SELECT
    use_blind_tags(state)


def select_blind(state: State) -> None:
    """Start the round of the blind on deck."""
    slot = state.on_deck
    state.round += 1
    state.blind_status[slot] = CURRENT
    state.chips = 0.0
    state.discards_left = max(0, state.discards_per_round)
    state.hands_left = max(1, state.hands_per_round)
    state.hands_this_round = 0
    state.discards_this_round = 0
    state.reroll_increase = 0
    for entry in state.hand_levels:
        entry.played_this_round = 0
    state.free_rerolls = 0
    for joker in state.jokers:
        if joker.kind == _CHAOS and not joker.debuffed:
            state.free_rerolls += 1
    state.set_reroll_cost(False)
    bosses.set_blind(state, slot)
    tell_jokers(state, BLIND_SET)
    state.round_hand_size = use_juggle_tags(state)
    state.hand_size += state.round_hand_size
    state.drop_shuffle()
    state.shuffle_deck(f"nr{state.ante}")
    state.phase_now = SELECTING_HAND
    state.cards_owed = 0
    draw_hand(state)


# Hands


def draw_cards(state: State) -> None:
    """Draw up to the hand size; face down where the boss wants it."""
    count = min(len(state.draw_pile), state.hand_size - len(state.hand))
    if (
        bosses.active(state, SERPENT)
        and state.phase_now == SELECTING_HAND
        and (state.hands_this_round or state.discards_this_round)
    ):
        count = min(len(state.draw_pile), 3)
    deal(state, count)


def deal(state: State, count: int) -> None:
    """Deal cards from the top of the draw pile into the hand."""
    watch = state.phase_now == SELECTING_HAND
    for _ in range(count):
        if not state.draw_pile:
            break
        card = state.draw_pile.pop()
        if watch and bosses.hides(state, card):
            card = card.with_state(card.debuffed, True, card.played, card.forced)
        state.hand.append(card)
    state.sort_hand()


def draw_hand(state: State) -> None:
    """Draw for the next play, with what happens on a draw; without any card the round is lost."""
    draw_cards(state)
    if state.hands_this_round == 0 and state.discards_this_round == 0:
        tell_jokers(state, FIRST_DRAW)
    bosses.drawn(state)
    if not state.hand:
        end_round(state)


def play_hand(state: State, places: list[int]) -> None:
    """Play cards of the hand; places ascend."""
    blind = state.blind
    assert blind is not None
    blind.triggered = False
    chosen = 0
    for place in places:
        chosen |= 1 << place
    hand = state.hand
    held: list[Card] = []
    for i in range(len(hand)):
        card = hand[i]
        if (chosen >> i) & 1:
            state.in_play.append(card.with_state(card.debuffed, False, True, False))
        elif card.forced:
            held.append(card.with_state(card.debuffed, card.face_down, card.played, False))
        else:
            held.append(card)
    state.hand = held
    state.hands_left -= 1
    state.stats.cards_played += len(places)
    _press_play(state, len(places))

    cards = state.in_play
    found = find_hand(state, cards)
    level = state.hand_levels[found.hand]
    level.played += 1
    level.played_this_round += 1
    state.last_hand = found.hand
    play = Play(state, cards, state.hand, found, len(cards), False)
    scored = score(play)
    state.earn(int(play.dollars))
    destroyed: list[Card] = []
    if scored:
        total = rounded_down(play.chips * play.mult)
        state.chips += total
        if total > state.best_hand:
            state.best_hand = total
        destroyed = destroyed_cards(play)
        if destroyed:
            cards_destroyed(state, destroyed, True)
    after_hand(play)
    gone = {card.id for card in destroyed}
    for card in state.in_play:
        if card.id not in gone:
            state.discard_pile.append(card)
    state.in_play = []
    state.stats.hands_played += 1
    state.hands_this_round += 1
    if state.chips >= blind.chips or state.hands_left < 1:
        end_round(state)
    else:
        draw_hand(state)


def _press_play(state: State, played: int) -> None:
    """What the boss does when cards are played, before they score."""
    blind = state.blind
    if blind is None or blind.disabled or blind.kind < 2:
        return
    kind = blind.kind
    if kind == HOOK:
        candidates = sorted(state.hand, key=card_id)
        taken: list[int] = []
        for _ in range(min(2, len(state.hand))):
            card = candidates.pop(state.draws.below("hook", len(candidates)))
            taken.append(card.id)
        places = [i for i in range(len(state.hand)) if state.hand[i].id in taken]
        if places:
            state.hooking = True
            discard_cards(state, places)
            state.hooking = False
        blind.triggered = True
    elif kind == HEART:
        if state.jokers:
            blind.triggered = True
            blind.prepped = True
    elif kind == FISH:
        blind.prepped = True
    elif kind == TOOTH:
        state.earn(-played)
        blind.triggered = True


def discard_cards(state: State, places: list[int]) -> None:
    """Move cards of the hand to the discard pile, as the jokers and seals see it."""
    cards = [state.hand[place] for place in places]
    for i in range(len(state.acting)):
        rule = RULES[state.acting[i].kind]
        discarding = rule.discarding
        if discarding is not None and state.acts(i, rule.own & DISCARDING):
            discarding(state, state.acting[i], cards)
    gone = {card.id for card in cards}
    state.hand = [card for card in state.hand if card.id not in gone]
    destroyed: list[Card] = []
    for card in cards:
        if card.seal == PURPLE_SEAL and not card.debuffed and state.has_consumable_room(0):
            state.add_consumable(create_consumable(state, TAROT, "8ba"))
        removed = False
        i = 0
        while i < len(state.jokers):
            owner = state.jokers[i]
            rule = RULES[state.acting[i].kind]
            discard = rule.discard
            if discard is not None and state.acts(i, rule.own & DISCARD):
                removed = discard(state, state.acting[i], card, cards) or removed
            if i < len(state.jokers) and state.jokers[i] is owner:  # Ramen may be eaten up
                i += 1
        if removed:
            destroyed.append(card)
        else:
            state.discard_pile.append(
                card.with_state(card.debuffed, False, card.played, False)
                if card.face_down or card.forced
                else card
            )
    if destroyed:
        cards_destroyed(state, destroyed, True)
    state.stats.cards_discarded += len(cards)


def discard_hand(state: State, places: list[int]) -> None:
    """Discard cards of the hand and draw others; places ascend."""
    discard_cards(state, places)
    state.change_discards(-1)
    state.discards_this_round += 1
    state.hand = [
        card.with_state(card.debuffed, card.face_down, card.played, False) if card.forced else card
        for card in state.hand
    ]
    draw_hand(state)


# The end of a round


def end_round(state: State) -> None:
    """The round is over: won, saved or lost."""
    blind = state.blind
    assert blind is not None
    won = state.chips >= blind.chips
    saved = False
    if not won:
        for joker in state.jokers:
            if (
                joker.kind == _MR_BONES
                and not joker.debuffed
                and (state.chips / blind.chips >= 0.25)
            ):
                saved = True
                state.remove_joker(joker)
                break
        if not saved:
            state.phase_now = GAME_OVER
            return
    end_jokers(state)
    is_boss = blind.slot == BOSS
    if is_boss and state.ante == WIN_ANTE:
        state.won = True
    state.stats.unused_discards += state.discards_left
    if is_boss:
        state.favourite = state.most_played()
    end_held_cards(state)

    hand = state.hand
    state.hand = []
    state.discard_pile += hand
    if is_boss:
        state.ante += 1
        state.blind_ante = state.ante
    for card in reversed(state.discard_pile):
        state.draw_pile.insert(0, card)
    state.discard_pile = []
    pile = state.draw_pile
    for i in range(len(pile)):
        card = pile[i]
        played = card.played and not is_boss
        if card.face_down or card.forced or card.played != played:
            pile[i] = card.with_state(card.debuffed, False, played, False)
    state.blind_status[blind.slot] = DEFEATED
    if is_boss:
        state.voucher = next_voucher(state)
        state.voucher_seen = False
    state.hand_size -= state.round_hand_size
    state.round_hand_size = 0
    if state.reroll_from_zero:
        state.reroll_from_zero = False
        state.set_reroll_cost(False)
    name_targets(state)
    evaluate_round(state, blind.reward if won else 0)
    state.phase_now = ROUND_EVAL
    if state.won and not state.endless:
        state.phase_now = GAME_OVER


def end_jokers(state: State) -> None:
    """Let the jokers act at the round's end, pay their rent, and perish."""
    tell_jokers(state, ROUND_END)
    for joker in list(state.jokers):
        if joker.rental:
            state.earn(-RENT)
        if joker.perishable > 0:
            joker.perishable -= 1
            if joker.perishable == 0:
                state.set_joker_debuff(joker, True)


def end_held_cards(state: State) -> None:
    """Gold cards and Blue Seals held at the round's end, with their retriggers."""
    mimes = 0
    for i in range(len(state.acting)):
        if state.acting[i].kind == _MIME and state.acts(i, 0):
            mimes += 1
    for card in state.hand:
        if card.debuffed:
            continue
        times = 1 + mimes + (1 if card.seal == RED_SEAL else 0)
        if card.enhancement == GOLD:
            state.earn(3 * times)
        if card.seal == BLUE_SEAL and state.last_hand >= 0:
            for _ in range(times):
                if state.has_consumable_room(0):
                    state.add_consumable(new_consumable(state, planet_of(state.last_hand)))


def evaluate_round(state: State, reward: int) -> None:
    """Add up what the round pays, and lift the blind."""
    bosses.lift(state)
    dollars = reward
    if state.last_blind_was_boss and state.deck_kind == _ANAGLYPH:
        add_tag(state, Tag(DOUBLE, 0))
    if state.hands_left > 0:
        dollars += state.hands_left * state.money_per_hand
    dollars += state.discards_left * state.money_per_discard
    for i in range(len(state.acting)):
        rule = RULES[state.acting[i].kind]
        hook = rule.dollars
        if hook is not None and state.acts(i, rule.own & DOLLARS):
            dollars += hook(state, state.acting[i])
    if state.last_blind_was_boss:
        dollars += investment(state)
    if state.interest and state.money >= 5:
        dollars += state.interest_amount * min(state.money // 5, state.interest_cap // 5)
    state.reward = dollars


def cash_out(state: State) -> None:
    """Take the round's pay, prepare the next ante if it was the boss, and enter the shop."""
    state.shuffle_key = f"cashout{state.ante}"
    state.blind = None
    state.chips = 0.0
    state.discards_left = max(0, state.discards_per_round)
    state.hands_left = max(1, state.hands_per_round)
    state.earn(state.reward)
    state.reward = 0
    if state.blind_status[BOSS] == DEFEATED:
        state.skip_tags = [next_tag(state), next_tag(state)]
        state.blind_status = [UPCOMING, UPCOMING, UPCOMING]
        state.boss = bosses.new_boss(state)
        state.boss_rerolled = False
    enter_shop(state)
