"""Proposals: the plays, discards and targets that are worth a look among the thousands possible.

A hand of eight has 218 subsets; the few that make each poker hand best, bare and filled up with
cards that nobody misses, are found here from ranks and suits directly. What is not proposed stays
reachable by selecting cards one by one.

Sets of cards are numbers here, with a bit for each place in the hand, until they are proposed.
"""

from __future__ import annotations

from math import comb
from typing import Final

from jimbot.game.actions import Action, ActionKind
from jimbot.game.cards import ACE, STONE, WILD, Card
from jimbot.game.catalogue import CONSUMABLE_BY_KEY
from jimbot.game.run import Run
from jimbot.game.scoring import Preview
from jimbot.game.uses import USES

# Places in `layout.KEEP`.
KEEP_FLUSH: Final = 0
KEEP_STRAIGHT: Final = 1
KEEP_GROUPS: Final = 2
KEEP_BEST: Final = 3
KEEP_HIGH: Final = 4
KEEP_MOST: Final = 5

_NOMINAL: Final = [0, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10, 11]
# Straights from the strongest: the ranks of each window of five, the Ace low in the last.
_STRAIGHTS: Final = [
    [ACE if rank == 1 else rank for rank in range(top, top - 5, -1)] for top in range(14, 4, -1)
]
_STRAIGHT_BITS: Final = [sum(1 << rank for rank in window) for window in _STRAIGHTS]


class Play:
    """Cards to play, by place from the left, and what they would score."""

    __slots__ = ("cards", "preview")

    def __init__(self, cards: tuple[int, ...], preview: Preview) -> None:
        self.cards = cards
        self.preview = preview


class Discard:
    """Cards to throw away, what is kept them for, and the chance that the kept cards become it."""

    __slots__ = ("cards", "chance", "keep")

    def __init__(self, cards: tuple[int, ...], keep: int, chance: float) -> None:
        self.cards = cards
        self.keep = keep
        self.chance = chance


def worth(card: Card) -> int:
    """How much a card is worth keeping for itself, in chips or so."""
    if card.debuffed:
        return 0
    value = 50 if card.enhancement == STONE else _NOMINAL[card.rank]
    if card.enhancement:
        value += 15
    if card.edition:
        value += 25
    if card.seal:
        value += 10
    return value + card.bonus


class Hand:
    """The cards in hand as the player knows them, sorted into ranks and suits.

    Attributes:
        worths: by place, see `worth`; a face-down card is worth little.
        by_worth: the places, the most worthy first.
        rank_of: by place, the rank; 0 for a face-down or Stone card.
        ranks: by rank, the places of its cards, the most worthy first.
        suits: by suit, the same; wild cards are in each.
        stones: the places of Stone cards.
        forced: places that every play must hold.
    """

    __slots__ = (
        "by_worth",
        "cards",
        "forced",
        "need",
        "rank_of",
        "ranks",
        "shortcut",
        "stones",
        "suits",
        "worths",
    )

    def __init__(self, run: Run) -> None:
        cards = run.hand
        size = len(cards)
        self.cards = cards
        self.need = 4 if run.four_fingers else 5
        self.shortcut = run.shortcut
        worths: list[int] = []
        order: list[int] = []
        for place in range(size):
            card = cards[place]
            value = 1 if card.face_down else worth(card)
            worths.append(value)
            order.append(value * 4096 - place)
        order.sort(reverse=True)
        self.worths = worths
        self.by_worth: list[int] = []
        self.ranks: list[list[int]] = [[] for _ in range(15)]
        self.suits: list[list[int]] = [[], [], [], []]
        self.rank_of = [0] * size
        self.stones: list[int] = []
        self.forced: list[int] = []
        smeared = run.smeared
        for key in order:
            place = -key & 4095
            self.by_worth.append(place)
            card = cards[place]
            if card.forced:
                self.forced.append(place)
            if card.face_down:
                continue
            if card.enhancement == STONE:
                self.stones.append(place)
                continue
            self.rank_of[place] = card.rank
            self.ranks[card.rank].append(place)
            if card.enhancement == WILD and not card.debuffed:
                for suit in self.suits:
                    suit.append(place)
            elif smeared:
                self.suits[card.suit & 1].append(place)
                self.suits[(card.suit & 1) + 2].append(place)
            else:
                self.suits[card.suit].append(place)

    def groups(self) -> list[list[int]]:
        """Places of equal rank, the largest groups first, then the higher rank."""
        return _largest_first(self.ranks)

    def groups_of(self, places: list[int]) -> list[list[int]]:
        """The same among some of the places."""
        ranks: list[list[int]] = [[] for _ in range(15)]
        for place in places:
            ranks[self.rank_of[place]].append(place)
        return _largest_first(ranks)

    def straights(self, missing: int) -> list[list[int]]:
        """Places, one a rank, that lack at most `missing` cards of a straight.

        The longest come first, of equals the strongest.
        """
        best = [group[0] if group else -1 for group in self.ranks]
        return self._straights(best, missing)

    def straights_of(self, places: list[int]) -> list[list[int]]:
        """Whole straights among some of the places."""
        best = [-1] * 15
        for place in places:
            if best[self.rank_of[place]] < 0:
                best[self.rank_of[place]] = place
        return self._straights(best, 0)

    def _straights(self, best: list[int], missing: int) -> list[list[int]]:
        least = self.need - missing
        ranks = 0
        for rank in range(15):
            if best[rank] >= 0:
                ranks += 1
        if ranks < least:
            return []
        found: list[list[int]] = []
        if self.shortcut:
            found = [chain for chain in _chains(best) if len(chain) >= least]
        else:
            for window in _STRAIGHTS:
                count = 0
                for rank in window:
                    if best[rank] >= 0:
                        count += 1
                if count >= least and (
                    count == 5 or missing or self.need == 5 or _unbroken(window, best)
                ):
                    found.append([best[rank] for rank in window if best[rank] >= 0])
        if len(found) > 1:
            found.sort(key=len, reverse=True)
        return found


def _largest_first(ranks: list[list[int]]) -> list[list[int]]:
    """The groups that hold something: by size, then by rank."""
    found: list[list[int]] = []
    largest = 0
    for group in ranks:
        largest = max(largest, len(group))
    for size in range(largest, 0, -1):
        found += [ranks[rank] for rank in range(14, -1, -1) if len(ranks[rank]) == size]
    return found


def _unbroken(window: list[int], best: list[int]) -> bool:
    """Whether four neighbours of a window of five are there."""
    if best[window[1]] < 0 or best[window[2]] < 0 or best[window[3]] < 0:
        return False
    return best[window[0]] >= 0 or best[window[4]] >= 0


def _chains(best: list[int]) -> list[list[int]]:
    """Runs of ranks with gaps of one (Shortcut), at most five places each, strongest first."""
    ranks = [rank for rank in range(14, -1, -1) if best[rank] >= 0]
    if ranks and ranks[0] == ACE:
        ranks.append(1)
    found: list[list[int]] = []
    for start in range(len(ranks)):
        last = ranks[start]
        chain = [best[ACE if last == 1 else last]]
        for i in range(start + 1, len(ranks)):
            if last - ranks[i] > 2 or len(chain) == 5:
                break
            last = ranks[i]
            chain.append(best[ACE if last == 1 else last])
        found.append(chain)
    return found


# The places of a set of cards, for hands of an ordinary size.
_PLACES: Final[dict[int, tuple[int, ...]]] = {}


def _places_of(cards: int) -> tuple[int, ...]:
    """The places in a set, from the left."""
    places = _PLACES.get(cards)
    if places is None:
        places = tuple([place for place in range(cards.bit_length()) if (cards >> place) & 1])
        if cards < 4096:
            _PLACES[cards] = places
    return places


def plays(run: Run, hand: Hand, limit: int) -> list[Play]:
    """The plays worth a look, best score first; legal ones, at least one when one can be played."""
    seen: set[int] = set()
    found: list[Play] = []
    for core in _cores(hand):
        bare = _with_forced(core, hand)
        filled = _filled(bare, hand)
        if bare and bare not in seen:
            seen.add(bare)
            places = _places_of(bare)
            found.append(Play(places, run.preview(places)))
        if filled != bare and filled not in seen:
            seen.add(filled)
            places = _places_of(filled)
            found.append(Play(places, run.preview(places)))
    _best_first(found)
    return _varied(found, limit)


def best_play(run: Run, hand: Hand) -> Play:
    """A play that scores most or nearly so, with less looking around than `plays`.

    It is filled up with cards that nobody misses where that costs next to nothing.
    """
    best: Play | None = None
    second: Play | None = None
    seen: set[int] = set()
    for core in _cores(hand):
        bare = _with_forced(core, hand)
        if not bare or bare in seen:
            continue
        seen.add(bare)
        places = _places_of(bare)
        play = Play(places, run.preview(places))
        if best is None or play.preview.score > best.preview.score:
            second = best
            best = play
        elif second is None or play.preview.score > second.preview.score:
            second = play
    if best is None or best.preview.score <= 0.0:
        return plays(run, hand, 1)[0]
    chosen = best
    for other in (best, second):
        if other is None or len(other.cards) >= 5:
            continue
        bare = 0
        for place in other.cards:
            bare |= 1 << place
        places = _places_of(_filled(bare, hand))
        filled = Play(places, run.preview(places))
        if filled.preview.score >= 0.99 * chosen.preview.score:
            chosen = filled
    return chosen


def _best_first(found: list[Play]) -> None:
    """Sort by score; there are few, and equals keep their order."""
    for i in range(1, len(found)):
        play = found[i]
        score = play.preview.score
        j = i - 1
        while j >= 0 and found[j].preview.score < score:
            found[j + 1] = found[j]
            j -= 1
        found[j + 1] = play


def _varied(found: list[Play], limit: int) -> list[Play]:
    """The best `limit` plays, but no poker hand crowds out the others' best two."""
    if len(found) <= limit:
        return found
    first: list[Play] = []
    rest: list[Play] = []
    seen = [0] * 12
    for play in found:
        kind = play.preview.hand
        seen[kind] += 1
        (first if seen[kind] <= 2 else rest).append(play)
    chosen = first[:limit] + rest[: max(0, limit - len(first))]
    _best_first(chosen)
    return chosen


def _cores(hand: Hand) -> list[list[int]]:
    """The cards that make poker hands, without what only fills up."""
    cores: list[list[int]] = []
    groups = hand.groups()
    if groups:
        _of_a_kind(cores, groups, 0)
    cores += hand.straights(0)[:2]
    for suit in hand.suits:
        if len(suit) < hand.need:
            continue
        cores.append(suit[:5])
        inside = hand.groups_of(suit)
        if len(inside[0]) >= 3 and len(suit) >= 5:
            _of_a_kind(cores, inside, 5)
        cores += hand.straights_of(suit)[:1]
        if len(suit) > 5:
            # A flush of the least worthy cards that still keeps what is good in hand.
            cores.append(suit[-5:])
    # Single cards: the most worthy, and the highest rank, which alone scores as High Card.
    if hand.by_worth:
        cores.append(hand.by_worth[:1])
    for rank in range(ACE, 1, -1):
        if hand.ranks[rank]:
            cores.append(hand.ranks[rank][:1])
            break
    if hand.stones:
        cores.append(hand.stones[:4])
    # Five cards at once, whatever they are: what has to be played blindly (face down, Splash).
    cores.append(hand.by_worth[:5])
    return cores


def _of_a_kind(cores: list[list[int]], groups: list[list[int]], least: int) -> None:
    """Add pairs, threes, fours, fives and what is made of two groups; the largest come first.

    Args:
        least: only what has so many cards.
    """
    large = groups[0]
    cores += [large[:size] for size in range(min(5, len(large)), max(2, least) - 1, -1)]
    if len(groups) < 2 or len(groups[1]) < 2:
        return
    other = groups[1]
    third = groups[2] if len(groups) > 2 and len(groups[2]) >= 2 else None
    if len(large) >= 3:
        cores.append(large[:3] + other[:2])
        if len(other) >= 3:
            cores.append(other[:3] + large[:2])
        elif third is not None:
            cores.append(large[:3] + third[:2])
    if least > 4:
        return
    cores.append(large[:2] + other[:2])
    cores.append(other[:2])
    if third is not None:
        cores.append(other[:2] + third[:2])


def _with_forced(core: list[int], hand: Hand) -> int:
    """The core with the cards that must be among them."""
    cards = 0
    for place in core:
        cards |= 1 << place
    if hand.forced:
        missing = [place for place in hand.forced if not (cards >> place) & 1]
        if missing:
            cards = 0
            for place in core[: 5 - len(missing)]:
                cards |= 1 << place
            for place in missing:
                cards |= 1 << place
    return cards


def _filled(cards: int, hand: Hand) -> int:
    """A set of cards filled up to five with those that are missed least."""
    room = 5
    rest = cards
    while rest:
        rest &= rest - 1
        room -= 1
    if room <= 0:
        return cards
    by_worth = hand.by_worth
    last = len(by_worth) - 1
    for i in range(last, -1, -1):
        place = by_worth[i]
        if not (cards >> place) & 1 and len(hand.ranks[hand.rank_of[place]]) < 2:
            cards |= 1 << place
            room -= 1
            if not room:
                return cards
    for i in range(last, -1, -1):
        place = by_worth[i]
        if not (cards >> place) & 1:
            cards |= 1 << place
            room -= 1
            if not room:
                break
    return cards


def unseen(run: Run) -> list[Card]:
    """The cards that may yet be drawn, as far as the player knows: what lies face down too."""
    hidden = [
        card.with_state(False, False, card.played, False) for card in run.hand if card.face_down
    ]
    if not hidden:
        return run.deck_view()
    return sorted([*run.draw_pile, *hidden], key=_order)


def _order(card: Card) -> int:
    return -card.order


class Unseen:
    """How many cards may yet be drawn, as far as the player knows, by rank and by suit."""

    __slots__ = ("count", "ranks", "suits")

    def __init__(self, run: Run) -> None:
        ranks = [0] * 15
        suits = [0, 0, 0, 0]
        count = len(run.draw_pile)
        for card in run.draw_pile:
            ranks[card.rank] += 1
            suits[card.suit] += 1
        for card in run.hand:
            if card.face_down:
                ranks[card.rank] += 1
                suits[card.suit] += 1
                count += 1
        self.ranks = ranks
        self.suits = suits
        self.count = count


class _Discards:
    """Collects different discards."""

    __slots__ = ("found", "hand", "seen")

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.found: list[Discard] = []
        self.seen: set[int] = set()

    def keep(self, kept: int, plan: int, chance: float) -> None:
        """Propose to throw the five least worthy of the cards that are not kept."""
        hand = self.hand
        thrown = 0
        room = 5
        by_worth = hand.by_worth
        if hand.forced:
            cards = [place for place in reversed(by_worth) if not (kept >> place) & 1][:5]
            missing = [place for place in hand.forced if place not in cards]
            for place in cards[: 5 - len(missing)] + missing:
                thrown |= 1 << place
        else:
            for i in range(len(by_worth) - 1, -1, -1):
                bit = 1 << by_worth[i]
                if not kept & bit:
                    thrown |= bit
                    room -= 1
                    if not room:
                        break
        if thrown and thrown not in self.seen:
            self.seen.add(thrown)
            self.found.append(Discard(_places_of(thrown), plan, chance))


def _bits(places: list[int]) -> int:
    bits = 0
    for place in places:
        bits |= 1 << place
    return bits


def discards(
    run: Run, hand: Hand, best: tuple[int, ...], limit: int, deck: Unseen | None = None
) -> list[Discard]:
    """The discards worth a look.

    Args:
        best: the cards of the best play.
        deck: what may be drawn, where it was counted already.
    """
    rank_of = hand.rank_of
    n = len(rank_of)
    proposed = _Discards(hand)
    if deck is None:
        deck = Unseen(run)
    left = max(1, deck.count)
    for suit in _two_longest(hand.suits):
        held = hand.suits[suit]
        if len(held) >= 3:
            draws = min(5, n - min(5, len(held)))
            chance = at_least(max(0, hand.need - len(held)), draws, deck.suits[suit], left)
            proposed.keep(_bits(held[:5]), KEEP_FLUSH, chance)
    for chain in hand.straights(1)[:2]:
        draws = min(5, n - len(chain))
        chance = 1.0
        if len(chain) < hand.need:
            chance = at_least(1, draws, _straight_outs(hand, chain, deck), left)
        proposed.keep(_bits(chain), KEEP_STRAIGHT, chance)
    groups = hand.groups()
    paired = 0
    outs = 0
    for group in groups:
        if len(group) >= 2:
            paired |= _bits(group)
            outs += deck.ranks[rank_of[group[0]]]
    if paired:
        chance = at_least(1, min(5, n - paired.bit_count()), outs, left)
        proposed.keep(paired, KEEP_GROUPS, chance)
        largest = groups[0]
        chance = at_least(1, min(5, n - len(largest)), deck.ranks[rank_of[largest[0]]], left)
        proposed.keep(_bits(largest), KEEP_GROUPS, chance)
    kept = 0
    for place in best:
        kept |= 1 << place
    proposed.keep(kept, KEEP_BEST, 0.0)
    kept = 0
    for place in range(n):
        if rank_of[place] >= 11:
            kept |= 1 << place
    proposed.keep(kept, KEEP_HIGH, 0.0)
    for count in range(1, 6):
        proposed.keep(_bits(hand.by_worth[: max(0, n - count)]), KEEP_MOST, 0.0)
    return proposed.found[:limit]


def _two_longest(suits: list[list[int]]) -> list[int]:
    """The two suits with the most cards; of equals the first."""
    first = 0
    for suit in range(1, 4):
        if len(suits[suit]) > len(suits[first]):
            first = suit
    second = 1 if first == 0 else 0
    for suit in range(second + 1, 4):
        if suit != first and len(suits[suit]) > len(suits[second]):
            second = suit
    return [first, second]


def _straight_outs(hand: Hand, chain: list[int], deck: Unseen) -> int:
    """How many cards of the deck would complete a straight that lacks one."""
    held = 0
    for place in chain:
        held |= 1 << hand.rank_of[place]
    wanted = 0
    for window in _STRAIGHT_BITS:
        missing = window & ~held
        if missing.bit_count() <= 6 - hand.need:
            wanted |= missing
    outs = 0
    for rank in range(2, 15):
        if (wanted >> rank) & 1:
            outs += deck.ranks[rank]
    return outs


# Chances asked for before: the numbers of cards repeat from hand to hand.
_CHANCES: Final[dict[int, float]] = {}


def at_least(wanted: int, draws: int, hits: int, size: int) -> float:
    """The chance of `wanted` or more among `draws` cards out of `size` that hold `hits`."""
    draws = min(draws, size)
    if wanted <= 0:
        return 1.0
    if wanted > min(draws, hits):
        return 0.0
    key = ((size * 1024 + hits) * 1024 + draws) * 8 + wanted
    chance = _CHANCES.get(key, -1.0)
    if chance < 0.0:
        miss = sum([comb(hits, k) * comb(size - hits, draws - k) for k in range(wanted)])
        chance = 1.0 - miss / comb(size, draws)
        if size < 128 and wanted < 8:
            _CHANCES[key] = chance
    return chance


_SUIT_OF: Final = {
    CONSUMABLE_BY_KEY["c_world"]: 0,
    CONSUMABLE_BY_KEY["c_sun"]: 1,
    CONSUMABLE_BY_KEY["c_moon"]: 2,
    CONSUMABLE_BY_KEY["c_star"]: 3,
}
_DEATH: Final = CONSUMABLE_BY_KEY["c_death"]
_WASTEFUL: Final = frozenset(
    CONSUMABLE_BY_KEY[key] for key in ("c_hanged_man", "c_tower", "c_strength")
)


def targets(hand: Hand, kind: int) -> list[tuple[int, ...]]:
    """Two sets of cards that a consumable (its number in the catalogue) might well act on.

    The first is the usual choice, the second another one; `[()]` when it needs no cards.
    """
    use = USES[kind]
    if use.most == 0:
        return [()]
    shown = [place for place in hand.by_worth if not hand.cards[place].face_down]
    if len(shown) < use.least or not shown:
        return []
    count = use.most
    cards = hand.cards
    if kind in _SUIT_OF:
        suit = _SUIT_OF[kind]
        others = [place for place in shown if cards[place].suit != suit]
        choices = [others[:count], others[-count:]]
    elif kind == _DEATH:
        choices = _death(hand, shown)
    elif kind in _WASTEFUL:
        plain = [p for p in reversed(shown) if not cards[p].enhancement and not cards[p].seal]
        choices = [plain[:count], shown[:count]]
    else:
        plain = [place for place in shown if not cards[place].enhancement]
        common = max(hand.ranks, key=len)
        choices = [plain[:count], [place for place in common if place in plain][:count]]
    found: list[tuple[int, ...]] = []
    for choice in choices:
        places = tuple(sorted(choice))
        if len(places) >= use.least and places not in found:
            found.append(places)
    return found


def _death(hand: Hand, shown: list[int]) -> list[list[int]]:
    """Pairs of a poor card left of a good one, the widest difference first."""
    pairs = [
        (hand.worths[right] - hand.worths[left], left, right)
        for left in shown
        for right in shown
        if left < right
    ]
    pairs.sort(reverse=True)
    return [[left, right] for _, left, right in pairs[:2]]


def proposals(run: Run, hand: Hand, found: list[Play], most_discards: int) -> list[Action]:
    """Plays that were found, the best first, and the best discards beside it, as actions."""
    actions = [Action(ActionKind.PLAY, 0, play.cards) for play in found]
    if run.discards_left > 0:
        thrown = discards(run, hand, found[0].cards, most_discards)
        actions += [Action(ActionKind.DISCARD, 0, discard.cards) for discard in thrown]
    return actions
