"""The learned policy, run with numpy alone: the network of `training.module`, one moment at a time.

`Network.evaluate` reads like `RowsModule`; a test holds the two together.
"""

from __future__ import annotations

from math import exp
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jimbot.game.actions import ActionKind
from jimbot.policy import layout
from jimbot.policy.arrange import arranged
from jimbot.policy.features import Observer
from jimbot.policy.weights import Header, Weights, read

if TYPE_CHECKING:
    from jimbot.game import Action, Run

# Rows that only select a card or turn a page which one decision may take before it has to act.
PREPARATIONS: Final = 12
# Cards that are moved to the front of a hand before it is played, at most: see `arrange`.
MOVES: Final = 2
# Actions one after the other that only put jokers or cards elsewhere: more lead nowhere, and what
# goes to the end and back would do so for ever.
REARRANGED: Final = 8

_BLOCK_OF_ROW: Final = np.array(layout.BLOCK_OF_ROW)
# Rows that bring something about.
_ACTS: Final = np.array([name not in layout.PREPARING for name in layout.BLOCKS])[_BLOCK_OF_ROW]
_MOVING: Final = (ActionKind.MOVE_JOKER, ActionKind.MOVE_CARD, ActionKind.SORT_HAND)


class Judgement(NamedTuple):
    """What the network makes of a moment.

    Attributes:
        rows: the legal rows, ascending.
        scores: float32, the logit of each of them.
        value: what it expects of the rest of the game, in units of the reward.
    """

    rows: NDArray[np.intp]
    scores: NDArray[np.float32]
    value: float


class Network:
    """Scores the legal rows of what an observer has seen.

    Args:
        weights: by name, see `weights.shapes`.
    """

    def __init__(self, weights: Weights) -> None:
        self._tables = {
            name: weights[f"{name}.weight"]
            for name in ("items", "owned_items", "blocks", "block_bias")
        }
        self._layers = {
            name.removesuffix(".weight"): (
                np.ascontiguousarray(array.T),
                weights.get(name.replace(".weight", ".bias"), np.float32(0)),
            )
            for name, array in weights.items()
            if name.endswith(".weight") and name.removesuffix(".weight") not in self._tables
        }

    def evaluate(self, seen: Observer) -> Judgement:
        """Judge the moment of the observer's last look; something has to be legal."""
        tables, layer = self._tables, self._layer
        legal = seen.mask.nonzero()[0]
        block = _BLOCK_OF_ROW[legal]
        rows = np.concatenate(
            [seen.rows[legal], tables["items"][seen.items[legal]], tables["blocks"][block]], axis=1
        )
        encoded = _relu(layer("row_encoder", rows))
        pooled = encoded.sum(0) / len(legal)
        owned = tables["owned_items"][seen.owned].sum(0)
        context = _relu(layer("context_encoder", np.concatenate([seen.state, owned, pooled])))
        context = _relu(layer("context_hidden", context))
        hidden = _relu(layer("row_score", encoded) + layer("context_score", context))
        scores = (layer("score", hidden) + tables["block_bias"][block])[:, 0]
        return Judgement(legal, scores, float(layer("value", context)[0]))

    def _layer(self, name: str, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        weight, bias = self._layers[name]
        outputs: NDArray[np.float32] = inputs @ weight + bias
        return outputs


def _relu(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.maximum(values, 0, out=values)


class NetworkPolicy:
    """Takes the row that the network scores highest.

    `confidence` is the chance that the trained policy, drawing by its softmax, would have taken
    the same rows: of the row that acts, times those of the rows that prepared it. Where a play
    scores more with another card in front, that card is moved first.

    Args:
        file: what `jimbot export` has written.

    Raises:
        PolicyFileError: there is no such file, or it cannot be used.
    """

    def __init__(self, file: Path) -> None:
        weights, header = read(file)
        self._set_up(weights, header)

    @classmethod
    def of(cls, weights: Weights, header: Header) -> NetworkPolicy:
        """One that plays with these weights, which need not be in a file."""
        policy = cls.__new__(cls)
        policy._set_up(weights, header)
        return policy

    def twin(self) -> NetworkPolicy:
        """Another that plays the same, and remembers nothing of this one's games."""
        return NetworkPolicy.of(self._weights, self.header)

    def _set_up(self, weights: Weights, header: Header) -> None:
        self.header = header
        self.name = header.policy
        self.confidence = 0.0
        self._weights = weights
        self._network = Network(weights)
        self._observer = Observer(foresight=True)
        # The hand that cards were moved in last, and how often.
        self._hand: tuple[str, int, int, int] | None = None
        self._moves = 0
        self._rearranged = 0

    def act(self, run: Run) -> Action:
        action = (
            self._act_at_once(run) if self._rearranged >= REARRANGED else self._best_action(run)
        )
        self._rearranged = self._rearranged + 1 if action.kind in _MOVING else 0
        hand = (run.seed, run.round, run.hands_left, run.discards_left)
        if hand != self._hand:
            self._hand, self._moves = hand, 0
        if self._moves < MOVES:
            moved = arranged(run, action)
            self._moves += moved is not action
            return moved
        return action

    def options(self, run: Run, most: int) -> list[Action]:
        """What the network would soonest do now, the best first: of what one row does and what
        brings something about, at most so many."""
        observer = self._observer
        observer.forget()
        observer.observe(run)
        rows, scores, _ = self._network.evaluate(observer)
        order = rows[np.argsort(-scores, kind="stable")]
        wanted = order[_ACTS[order]][:most]
        taken = (observer.take(int(row)) for row in wanted)
        return [action for action in taken if action is not None]

    def _best_action(self, run: Run) -> Action:
        observer = self._observer
        observer.forget()
        chance = 1.0
        for prepared in range(PREPARATIONS + 1):
            observer.observe(run, unchanged=prepared > 0)
            row, share = self._choose()
            chance *= share
            action = observer.take(row)
            if action is not None:
                self.confidence = chance
                return action
        return self._act_at_once(run)

    def _act_at_once(self, run: Run) -> Action:
        """The best row that brings something about: left alone, the network would select and let
        go, or move to and fro, to no end."""
        observer = self._observer
        observer.forget()
        while True:
            observer.observe(run)
            if (observer.mask & _ACTS).any():
                row, self.confidence = self._choose(acting=True)
                action = observer.take(row)
                assert action is not None
                return action
            observer.take(layout.NEXT_PAGE)

    def _choose(self, *, acting: bool = False) -> tuple[int, float]:
        """The best row, of those that bring something about or of all, and the softmax's chance of
        it."""
        rows, scores, _ = self._network.evaluate(self._observer)
        open_to = np.where(_ACTS[rows], scores, -np.inf) if acting else scores
        best = int(open_to.argmax())
        top = float(scores.max())
        return int(rows[best]), exp(float(scores[best]) - top) / float(np.exp(scores - top).sum())
