"""A policy that looks ahead: it tries what it might do on copies of the run, within a time budget.

The copies are determinised (`Run.determinised`): the deck's order and all coming draws are other
ones in each, so that nothing looks into the future. With a hand to play, every proposed play and
discard is followed by quick play to the end of the blind, in the same imagined deals for each; what
is ahead by most is kept and imagined more often, until the budget is spent or there is no doubt.
Elsewhere the heuristic decides, by more imagined rounds than it takes when it plays alone.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

from jimbot.game.actions import Action, ActionKind
from jimbot.game.state import SELECTING_HAND
from jimbot.policy.candidates import Hand, plays, proposals
from jimbot.policy.heuristic import HeuristicPolicy
from jimbot.policy.imagine import finish_round, known_part

if TYPE_CHECKING:
    from jimbot.game import Run
    from jimbot.policy.protocol import Policy

# Imagined rounds that a build is judged by in the shop.
_DEALS: Final = 40
# Imagined deals: after each of these numbers only the better half goes on.
_ROUNDS: Final = (4, 8, 16, 32, 64)
_SURE: Final = 8
_PLAYS: Final = 10
_DISCARDS: Final = 12
# What is left of a won blind is worth a little: hands are money, discards are chances.
_HAND_WORTH: Final = 0.02


class SearchPolicy:
    """Chooses by imagined play.

    Args:
        seed: for what it imagines.
        budget_s: seconds for a decision; the last imagined play may go a few ms over. While it
            suffices, which it does unless the machine is very slow, the seed alone decides.
        guide: decides elsewhere, and what to do with a hand when nothing seems better; by default
            the heuristic.
    """

    name = "search"

    def __init__(self, seed: int = 0, budget_s: float = 0.9, guide: Policy | None = None) -> None:
        self.confidence = 1.0
        self._random = random.Random(seed)
        self._guide = guide or HeuristicPolicy(
            seed, deals=min(_DEALS, max(10, int(100 * budget_s)))
        )
        self._budget_s = budget_s

    def act(self, run: Run) -> Action:
        until = time.monotonic() + self._budget_s
        action = self._guide.act(run)
        self.confidence = self._guide.confidence
        if run.phase_now != SELECTING_HAND or action.kind not in _HANDS:
            return action
        return self._search(run, action, until)

    def _search(self, run: Run, usual: Action, until: float) -> Action:
        """The action that does best over imagined deals; the usual one when none does better."""
        hand = Hand(run)
        found = plays(run, hand, _PLAYS)
        if found[0].preview.score >= run.required - run.chips:
            return usual  # it wins now
        actions = list(dict.fromkeys([usual, *proposals(run, hand, found, _DISCARDS)]))
        totals = dict.fromkeys(actions, 0.0)
        known = known_part(run)
        deals = 0
        for wanted in _ROUNDS:
            while deals < wanted:
                if time.monotonic() >= until and deals:
                    break
                imagined = known.determinised(self._random)
                values = []
                for action in actions:
                    if time.monotonic() >= until and deals:
                        break
                    values.append(_outcome(imagined.clone(), action))
                if len(values) < len(actions):
                    break
                for action, value in zip(actions, values, strict=True):
                    totals[action] += value
                deals += 1
            actions.sort(key=totals.__getitem__, reverse=True)
            if deals < wanted or len(actions) == 1 or totals[actions[0]] >= deals >= _SURE:
                break  # out of time, of choices, or of doubts: the best won each of these deals
            actions = actions[: (len(actions) + 1) // 2]
        best = actions[0]
        self.confidence = min(1.0, max(0.0, totals[best] / max(1, deals)))
        return best


_HANDS: Final = (ActionKind.PLAY, ActionKind.DISCARD)


def _outcome(dream: Run, action: Action) -> float:
    """What comes of an action in one imagined deal: about 1 for a blind beaten, less otherwise."""
    required = dream.required
    before = dream.round
    dream.step(action)
    if dream.round == before:
        finish_round(dream)
    if dream.over and not dream.won:
        return 0.5 * min(1.0, dream.chips / required)
    return 1.0 + _HAND_WORTH * dream.hands_left
