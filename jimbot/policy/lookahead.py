"""The learned policy, which looks twice where a blind may be lost.

Whatever it would do with a hand is tried on determinised copies of the run (`Run.determinised`:
nothing of the future shows), each played to the end of the blind by the same policy. Where that
wins every time, it is done. Where it does not, what else the policy thinks of, and the best
proposals, are tried in the same imagined deals; what wins clearly more of them is done instead.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

from jimbot.game import bosses
from jimbot.game.actions import Action, ActionKind
from jimbot.game.state import SELECTING_HAND
from jimbot.policy.candidates import Hand, plays, proposals
from jimbot.policy.imagine import known_part

if TYPE_CHECKING:
    from jimbot.game import Run
    from jimbot.policy.network import NetworkPolicy

# Imagined deals. Where the usual choice wins the first so many, there is no doubt; else after each
# of these numbers only the better half of all choices goes on, and the usual one.
_ROUNDS: Final = (6, 12, 24, 48, 96)
_OPTIONS: Final = 10
_PROPOSALS: Final = 5
# A play that has so large a part of what is missing, with hands to spare, needs no second look.
_PART: Final = 0.6
# By how many imagined deals something else has to do better than the usual choice.
_CLEARLY: Final = 1.0
# What is left of a won blind is worth a little: hands are money.
_HAND_WORTH: Final = 0.02
_MOST_STEPS: Final = 60


class LookaheadPolicy:
    """Plays like the learned policy, but for hands where imagined play says otherwise.

    Args:
        base: the learned policy.
        seed: for what it imagines.
        budget_s: seconds for a decision; the last imagined play may go a few ms over. While it
            suffices the seed alone decides.
    """

    name = "lookahead"

    def __init__(self, base: NetworkPolicy, seed: int = 0, budget_s: float = 0.9) -> None:
        self.confidence = 1.0
        self._base = base
        # Another one to imagine with, which may not disturb what the first remembers of its game.
        self._dreamer = base.twin()
        self._random = random.Random(seed)
        self._budget_s = budget_s

    def act(self, run: Run) -> Action:
        until = time.monotonic() + self._budget_s
        action = self._base.act(run)
        self.confidence = self._base.confidence
        if run.phase_now != SELECTING_HAND or action.kind not in _DECIDING:
            return action
        if action.kind == ActionKind.PLAY and run.hands_left > 1:
            share = run.preview(action.cards).score / max(1.0, run.required - run.chips)
            if share >= 1.0 or (share >= _PART and run.hands_left > 2):
                return action
        return self._look_twice(run, action, until)

    def _look_twice(self, run: Run, usual: Action, until: float) -> Action:
        """The usual action, unless imagined deals say clearly that another does better."""
        known = known_part(run)
        deals: list[Run] = []
        outcomes: dict[Action, list[float]] = {usual: []}

        def play_on(actions: list[Action], wanted: int) -> bool:
            """Try each in so many deals, the same for all; False when time was up before."""
            for number in range(wanted):
                if number == len(deals):
                    deals.append(known.determinised(self._random))
                for action in actions:
                    if len(outcomes[action]) == number:
                        if time.monotonic() >= until:
                            return False
                        outcomes[action].append(self._outcome(deals[number], action))
            return True

        in_time = play_on([usual], _ROUNDS[0])
        if not in_time or min(outcomes[usual]) >= 1.0:
            return usual
        for other in self._others(run):
            outcomes.setdefault(other, [])
        actions = list(outcomes)
        tried, totals = 0, dict.fromkeys(actions, 0.0)
        for wanted in _ROUNDS:
            in_time = play_on(actions, wanted)
            tried = min(len(outcomes[action]) for action in actions)
            totals = {action: sum(outcomes[action][:tried]) for action in actions}
            actions.sort(key=totals.__getitem__, reverse=True)
            if not in_time or actions[0] == usual == actions[-1]:
                break
            half = actions[: (len(actions) + 1) // 2]
            actions = half if usual in half else [*half, usual]
        best = max(totals, key=totals.__getitem__)
        if totals[best] < totals[usual] + _CLEARLY:
            best = usual
        self.confidence = min(1.0, totals[best] / max(1, tried))
        return best

    def _others(self, run: Run) -> list[Action]:
        hand = Hand(run)
        actions = self._base.options(run, _OPTIONS)
        actions += proposals(run, hand, plays(run, hand, _PROPOSALS), _PROPOSALS)
        if bosses.active(run, bosses.LEAF):  # no card counts until a joker is sold
            sales = (Action(ActionKind.SELL_JOKER, place) for place in range(len(run.jokers)))
            actions += [sale for sale in sales if run.is_legal(sale)]
        return actions

    def _outcome(self, deal: Run, action: Action) -> float:
        """What comes of an action in an imagined deal: at least 1 for a blind beaten."""
        dream = deal.clone()
        required, number = dream.required, dream.round
        dream.step(action)
        for _ in range(_MOST_STEPS):
            if dream.over or dream.round != number or dream.phase_now != SELECTING_HAND:
                break
            dream.step(self._dreamer.act(dream))
        if (dream.over and not dream.won) or dream.phase_now == SELECTING_HAND:
            return 0.25 * min(1.0, dream.chips / required)
        return 1.0 + _HAND_WORTH * dream.hands_left


_DECIDING: Final = (
    ActionKind.PLAY,
    ActionKind.DISCARD,
    ActionKind.SELL_JOKER,
    ActionKind.USE_CONSUMABLE,
    ActionKind.SELL_CONSUMABLE,
)
