"""What a change to a build would do to its scores, seen in a few imagined rounds.

The rounds are played once for a build (`imagine`), and each hand in them is kept as it was before
it was played. A change is judged by what those same hands would then have scored, which costs a
twentieth of playing the rounds anew. What comes of the change in other ways, money or a larger
hand, is not seen here.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final

from jimbot.game import rounds
from jimbot.game.cards import Joker
from jimbot.game.catalogue import JOKER_BY_KEY, VOUCHER_BY_KEY
from jimbot.game.run import Run
from jimbot.policy.candidates import Hand, best_play, plays
from jimbot.policy.imagine import MOST_STEPS, dealt_afresh, goes_on, quick_discard, start_round

if TYPE_CHECKING:
    from collections.abc import Hashable

# The even ones are against the boss, the others against a plain blind, as in `imagine.power`.
# Four of them take twice as long and are little better: against sixteen, what jokers add correlates
# with 0.988 instead of 0.981, the margin with 0.966 instead of 0.946 (100 shops).
_DEALS: Final = ("DEAL1", "DEAL2")
# A change may make another play the best one: of each hand so many are kept.
_PLAYS: Final = 3
# What scores by what one has or did: only with these do money, consumables and tarots count.
_BULL: Final = JOKER_BY_KEY["j_bull"]
_BOOTSTRAPS: Final = JOKER_BY_KEY["j_bootstraps"]
_FORTUNE_TELLER: Final = JOKER_BY_KEY["j_fortune_teller"]
_OBSERVATORY: Final = VOUCHER_BY_KEY["v_observatory"]


class _Moment:
    """A hand of an imagined round, as it was before it was played, and its best plays."""

    __slots__ = ("deal", "plays", "run")

    def __init__(self, run: Run, plays: list[tuple[int, ...]], deal: int) -> None:
        self.run = run
        self.plays = plays
        self.deal = deal

    def best(self, jokers: list[Joker]) -> float:
        """What the best of the plays scores with these jokers; the run is left as it was."""
        run = self.run
        kept = run.jokers
        if jokers is not kept:
            run.jokers = jokers
            run.refresh_jokers()
        best = 0.0
        for cards in self.plays:
            best = max(best, run.preview(cards).score)
        if jokers is not kept:
            run.jokers = kept
            run.refresh_jokers()
        return best


class Prospects:
    """Imagined rounds of one build after another; changes are logarithms, 0.7 doubles the scores.

    Attributes:
        margin: how far the build is above what this ante's boss asks for, as a logarithm: below 0
            it will hardly beat it.
    """

    def __init__(self) -> None:
        self.margin = 0.0
        self._build: object = None
        self._moments: list[_Moment] = []
        self._base: list[float] = []
        self._known: dict[tuple[int, int, int], float] = {}
        self._ordered: bool | None = None

    def look(self, run: Run) -> None:
        """Imagine this run's rounds, unless they are those of the last look."""
        build = _build(run)
        if build == self._build:
            return
        self._build = build
        self._known = {}
        self._ordered = None
        self._moments = []
        self._base = [0.0] * len(_DEALS)
        margin = 0.0
        for deal in range(len(_DEALS)):
            dream = dealt_afresh(run, _DEALS[deal])
            required = start_round(dream, deal % 2 == 0)
            if required > 0.0:
                self._play(dream, deal)
                margin += log(max(1.0, dream.chips) / required)
        self.margin = margin / len(_DEALS)

    def with_joker(self, joker: Joker) -> float:
        """What a joker more would add."""
        return self._change(None, -1, joker)

    def without_joker(self, joker: Joker) -> float:
        """What giving a joker away would add: below 0 for one that scores."""
        return self._change(joker, -1, None)

    def with_level(self, hand: int) -> float:
        """What a level more of a poker hand would add."""
        return self._change(None, hand, None)

    def with_joker_last(self, joker: Joker) -> float:
        """What moving a joker behind the others would add."""
        return self._change(joker, -1, joker) if self._order_counts() else 0.0

    def _order_counts(self) -> bool:
        """Whether these jokers in the opposite order would score otherwise."""
        if self._ordered is None:
            scores = [0.0] * len(_DEALS)
            for moment in self._moments:
                scores[moment.deal] += moment.best([*reversed(moment.run.jokers)])
            self._ordered = scores != self._base
        return self._ordered

    def _play(self, dream: Run, deal: int) -> None:
        """Play an imagined round to its end, and keep its hands."""
        number = dream.round
        for _ in range(MOST_STEPS):
            if not goes_on(dream, number):
                break
            hand = Hand(dream)
            if dream.discards_left > 0:
                thrown = quick_discard(dream, hand, best_play(dream, hand))
                if thrown is not None:
                    rounds.discard_hand(dream, list(thrown.cards))
                    continue
            found = plays(dream, hand, _PLAYS)
            self._moments.append(_Moment(dream.clone(), [play.cards for play in found], deal))
            self._base[deal] += found[0].preview.score
            rounds.play_hand(dream, list(found[0].cards))

    def _change(self, leaves: Joker | None, level: int, comes: Joker | None) -> float:
        """What a change would add.

        Args:
            leaves: the joker to take away.
            level: the poker hand to raise, or -1.
            comes: the joker to add last; the one that leaves, to move it there.
        """
        key = (
            -1 if leaves is None else leaves.id,
            level,
            -1 if comes is None else comes.id,
        )
        known = self._known.get(key)
        if known is None:
            known = 0.0
            scores = self._scores(leaves, level, comes)
            for deal in range(len(_DEALS)):
                known += log(max(1.0, scores[deal]) / max(1.0, self._base[deal]))
            known /= len(_DEALS)
            self._known[key] = known
        return known

    def _scores(self, leaves: Joker | None, level: int, comes: Joker | None) -> list[float]:
        """By deal, what its hands score after a change, see `_change`."""
        scores = [0.0] * len(_DEALS)
        for moment in self._moments:
            run = moment.run
            jokers = run.jokers
            if leaves is not None:
                # As the round has made it by then; one that the round has eaten is not there.
                gone = [joker for joker in jokers if joker.id == leaves.id]
                jokers = [joker for joker in jokers if joker.id != leaves.id]
                if comes is leaves:
                    jokers += gone
            if comes is not None and comes is not leaves:
                jokers = [*jokers, comes]
            if level >= 0:
                run.level_up(level, 1)
            scores[moment.deal] += moment.best(jokers)
            if level >= 0:
                run.level_up(level, -1)
        return scores


def _build(run: Run) -> Hashable:
    """All that the imagined rounds depend on; cards are never changed, only replaced."""
    stats = run.stats
    offers = run.shop_cards if run.pack is None else run.pack.cards
    kinds = [joker.kind for joker in run.jokers]
    kinds += [offer.joker.kind for offer in offers if offer.joker is not None]
    held: list[tuple[int, int]] = []
    if run.vouchers[_OBSERVATORY]:
        held = [(card.kind, card.edition) for card in run.consumables]
    return (
        run.seed,
        run.deck_kind,
        run.stake_kind,
        run.round,
        run.ante,
        run.boss,
        run.money if _BULL in kinds or _BOOTSTRAPS in kinds else 0,
        run.hand_size,
        run.hands_per_round,
        run.discards_per_round,
        run.joker_slots,
        run.chance,
        stats.tarots_used if _FORTUNE_TELLER in kinds else 0,
        stats.hands_played,
        stats.skips,
        tuple(run.vouchers),
        tuple([(entry.level, entry.played) for entry in run.hand_levels]),
        tuple(
            [
                (
                    joker.id,
                    joker.edition,
                    joker.debuffed,
                    joker.perishable,
                    joker.value,
                    joker.count,
                    joker.hand,
                    joker.sell_value,
                )
                for joker in run.jokers
            ]
        ),
        tuple(held),
        tuple(run.full_deck),
    )
