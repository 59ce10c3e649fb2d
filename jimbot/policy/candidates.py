"""Proposals: the plays, discards and targets that are worth a look among the thousands possible.

A hand of eight has 218 subsets; the few that make each poker hand best, bare and filled up with
cards that nobody misses, are found here from ranks and suits directly. What is not proposed stays
reachable by selecting cards one by one.
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING, Final, NamedTuple

from jimbot.game.cards import ACE, STONE, WILD, Card
from jimbot.game.catalogue import CONSUMABLE_BY_KEY
from jimbot.game.uses import USES

if TYPE_CHECKING:
    from jimbot.game import Preview, Run

# Places in `layout.KEEP`.
KEEP_FLUSH: Final = 0
KEEP_STRAIGHT: Final = 1
KEEP_GROUPS: Final = 2
KEEP_BEST: Final = 3
KEEP_HIGH: Final = 4
KEEP_MOST: Final = 5

_NOMINAL: Final = (0, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10, 11)
# Straights from the strongest: the ranks of each window of five, the Ace low in the last.
_STRAIGHTS: Final = tuple(
    tuple(ACE if rank == 1 else rank for rank in range(top, top - 5, -1))
    for top in range(14, 4, -1)
)


class Play(NamedTuple):
    """Cards to play, by place, and what they would score."""

    cards: tuple[int, ...]
    preview: Preview


class Discard(NamedTuple):
    """Cards to throw away, what is kept them for, and the chance that the kept cards become it."""

    cards: tuple[int, ...]
    keep: int
    chance: float


def worth(card: Card) -> float:
    """How much a card is worth keeping for itself, in chips or so."""
    if card.debuffed:
        return 0.0
    value = 50.0 if card.enhancement == STONE else float(_NOMINAL[card.rank])
    if card.enhancement:
        value += 15.0
    if card.edition:
        value += 25.0
    if card.seal:
        value += 10.0
    return value + card.bonus


class Hand:
    """The cards in hand as the player knows them, sorted into ranks and suits.

    Attributes:
        worths: by place, see `worth`; a face-down card is worth little.
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
        self.cards = cards
        self.need = 4 if run.four_fingers else 5
        self.shortcut = run.shortcut
        self.worths = [1.0 if card.face_down else worth(card) for card in cards]
        worths = self.worths
        self.by_worth = sorted(range(len(cards)), key=worths.__getitem__, reverse=True)
        self.ranks: list[list[int]] = [[] for _ in range(15)]
        self.suits: list[list[int]] = [[], [], [], []]
        self.rank_of = [0] * len(cards)
        self.stones: list[int] = []
        self.forced: list[int] = []
        smeared = run.smeared
        for place in self.by_worth:
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

    def groups(self, places: list[int] | None = None) -> list[list[int]]:
        """Places of equal rank, the largest groups first, then the higher rank."""
        if places is None:
            found = [group for group in self.ranks if group]
        else:
            by_rank: dict[int, list[int]] = {}
            for place in places:
                by_rank.setdefault(self.rank_of[place], []).append(place)
            found = list(by_rank.values())
        found.sort(key=lambda group: (len(group), self.rank_of[group[0]]), reverse=True)
        return found

    def straights(self, places: list[int] | None, missing: int) -> list[list[int]]:
        """Places, one a rank, that lack at most `missing` cards of a straight; strongest first."""
        best: dict[int, int] = {}
        if places is None:
            for rank, group in enumerate(self.ranks):
                if group:
                    best[rank] = group[0]
        else:
            for place in reversed(places):
                best[self.rank_of[place]] = place
        if len(best) < self.need - missing:
            return []
        found = []
        if self.shortcut:
            found = [chain for chain in _chains(best) if len(chain) >= self.need - missing]
        else:
            for window in _STRAIGHTS:
                chain = [best[rank] for rank in window if rank in best]
                if len(chain) >= self.need - missing and (
                    len(chain) == 5 or missing or self.need == 5 or _unbroken(window, best)
                ):
                    found.append(chain)
        found.sort(key=len, reverse=True)
        return found


def _unbroken(window: tuple[int, ...], best: dict[int, int]) -> bool:
    """Whether four neighbours of a window of five are there."""
    return all(rank in best for rank in window[:4]) or all(rank in best for rank in window[1:])


def _chains(best: dict[int, int]) -> list[list[int]]:
    """Runs of ranks with gaps of one (Shortcut), at most five places each, strongest first."""
    ranks = sorted(best, reverse=True)
    if ranks and ranks[0] == ACE:
        ranks.append(1)
    found = []
    for start in range(len(ranks)):
        chain = [ranks[start]]
        for rank in ranks[start + 1 :]:
            if chain[-1] - rank > 2 or len(chain) == 5:
                break
            chain.append(rank)
        found.append([best[ACE if rank == 1 else rank] for rank in chain])
    return found


def plays(run: Run, hand: Hand, limit: int) -> list[Play]:
    """The plays worth a look, best score first; legal ones, at least one when one can be played."""
    cores = _cores(hand)
    seen: set[tuple[int, ...]] = set()
    found: list[Play] = []
    for core in cores:
        for cards in (_with_forced(core, hand), _filled(core, hand)):
            places = tuple(sorted(cards))
            if places and places not in seen:
                seen.add(places)
                found.append(Play(places, run.preview(places)))
    found.sort(key=_score, reverse=True)
    return _varied(found, limit)


def _score(play: Play) -> float:
    return play.preview.score


def _varied(found: list[Play], limit: int) -> list[Play]:
    """The best `limit` plays, but no poker hand crowds out the others' best two."""
    if len(found) <= limit:
        return found
    first: list[Play] = []
    rest: list[Play] = []
    seen: dict[int, int] = {}
    for play in found:
        kind = int(play.preview.hand)
        seen[kind] = seen.get(kind, 0) + 1
        (first if seen[kind] <= 2 else rest).append(play)
    chosen = first[:limit] + rest[: max(0, limit - len(first))]
    chosen.sort(key=_score, reverse=True)
    return chosen


def _cores(hand: Hand) -> list[list[int]]:
    """The cards that make poker hands, without what only fills up."""
    cores: list[list[int]] = []
    groups = hand.groups()
    if groups:
        cores += _of_a_kind(groups)
    cores += hand.straights(None, 0)[:2]
    for suit in hand.suits:
        if len(suit) < hand.need:
            continue
        cores.append(suit[:5])
        inside = hand.groups(suit)
        if len(inside[0]) >= 3 and len(suit) >= 5:
            cores += [core for core in _of_a_kind(inside) if len(core) == 5]
        cores += hand.straights(suit, 0)[:1]
        if len(suit) > 5:
            # A flush of the least worthy cards that still keeps what is good in hand.
            cores.append(suit[-5:])
    # Single cards: the most worthy, and the highest rank, which alone scores as High Card.
    if hand.by_worth:
        cores.append(hand.by_worth[:1])
    singles = [group[0] for group in groups]
    if singles:
        cores.append([max(singles, key=hand.rank_of.__getitem__)])
    if hand.stones:
        cores.append(hand.stones[:4])
    # Five cards at once, whatever they are: what has to be played blindly (face down, Splash).
    cores.append(hand.by_worth[:5])
    return cores


def _of_a_kind(groups: list[list[int]]) -> list[list[int]]:
    """Pairs, threes, fours, fives and what is made of two groups; groups are largest first."""
    large = groups[0]
    cores = [large[:size] for size in (5, 4, 3, 2) if len(large) >= size]
    pairs = [group for group in groups if len(group) >= 2]
    if len(pairs) >= 2:
        other = pairs[1]
        if len(large) >= 3:
            cores.append(large[:3] + other[:2])
            if len(other) >= 3:
                cores.append(other[:3] + large[:2])
            elif len(pairs) > 2:
                cores.append(large[:3] + pairs[2][:2])
        cores.append(large[:2] + other[:2])
        cores.append(other[:2])
        if len(pairs) > 2:
            cores.append(other[:2] + pairs[2][:2])
    return cores


def _with_forced(core: list[int], hand: Hand) -> list[int]:
    """The core with the cards that must be among them."""
    missing = [place for place in hand.forced if place not in core]
    return core if not missing else core[: 5 - len(missing)] + missing


def _filled(core: list[int], hand: Hand) -> list[int]:
    """The core, filled up to five with the cards that are missed least."""
    cards = list(_with_forced(core, hand))
    if len(cards) < 5:
        for place in reversed(hand.by_worth):
            if place not in cards and len(hand.ranks[hand.rank_of[place]]) < 2:
                cards.append(place)
                if len(cards) == 5:
                    return cards
        for place in reversed(hand.by_worth):
            if place not in cards:
                cards.append(place)
                if len(cards) == 5:
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


def discards(run: Run, hand: Hand, best: tuple[int, ...], limit: int) -> list[Discard]:
    """The discards worth a look; `best` are the cards of the best play."""
    rank_of = hand.rank_of
    n = len(rank_of)
    found: list[Discard] = []
    seen: set[tuple[int, ...]] = set()

    def propose(keep: list[int] | tuple[int, ...], plan: int, chance: float) -> None:
        kept = set(keep)
        thrown = [place for place in reversed(hand.by_worth) if place not in kept][:5]
        missing = [place for place in hand.forced if place not in thrown]
        thrown = thrown[: 5 - len(missing)] + missing
        places = tuple(sorted(thrown))
        if places and places not in seen:
            seen.add(places)
            found.append(Discard(places, plan, chance))

    deck = unseen(run)
    left = max(1, len(deck))
    suits_by_size = sorted(range(4), key=lambda suit: len(hand.suits[suit]), reverse=True)
    for suit in suits_by_size[:2]:
        held = hand.suits[suit]
        if len(held) >= 3:
            draws = min(5, n - len(held[:5]))
            rest = sum(1 for card in deck if card.suit == suit)
            chance = at_least(max(0, hand.need - len(held)), draws, rest, left)
            propose(held[:5], KEEP_FLUSH, chance)
    for chain in hand.straights(None, 1)[:2]:
        draws = min(5, n - len(chain))
        outs = _straight_outs(hand, chain, deck)
        chance = at_least(1, draws, outs, left) if len(chain) < hand.need else 1.0
        propose(chain, KEEP_STRAIGHT, chance)
    groups = hand.groups()
    paired = [place for group in groups if len(group) >= 2 for place in group]
    if paired:
        kept_ranks = {rank_of[place] for place in paired}
        outs = sum(1 for card in deck if card.rank in kept_ranks)
        propose(paired, KEEP_GROUPS, at_least(1, min(5, n - len(paired)), outs, left))
        largest = groups[0]
        outs = sum(1 for card in deck if card.rank == rank_of[largest[0]])
        propose(largest, KEEP_GROUPS, at_least(1, min(5, n - len(largest)), outs, left))
    propose(best, KEEP_BEST, 0.0)
    propose([place for place in range(n) if rank_of[place] >= 11], KEEP_HIGH, 0.0)
    for count in (1, 2, 3, 4, 5):
        propose(hand.by_worth[: max(0, n - count)], KEEP_MOST, 0.0)
    return found[:limit]


def _straight_outs(hand: Hand, chain: list[int], deck: list[Card]) -> int:
    """How many cards of the deck would complete a straight that lacks one."""
    held = {hand.rank_of[place] for place in chain}
    wanted: set[int] = set()
    for window in _STRAIGHTS:
        missing = [rank for rank in window if rank not in held]
        if len(missing) <= 1 + 5 - hand.need:
            wanted.update(missing)
    return sum(1 for card in deck if card.rank in wanted)


def at_least(wanted: int, draws: int, hits: int, size: int) -> float:
    """The chance of `wanted` or more among `draws` cards out of `size` that hold `hits`."""
    draws = min(draws, size)
    if wanted <= 0:
        return 1.0
    if wanted > min(draws, hits):
        return 0.0
    total = comb(size, draws)
    miss = sum(comb(hits, k) * comb(size - hits, draws - k) for k in range(wanted))
    return 1.0 - miss / total


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
