"""Balatro as a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from jimbot.env.episode import MAX_STEPS, Episode, Follower
from jimbot.game import Run
from jimbot.policy import layout
from jimbot.policy.features import HIGH, LOW

__all__ = ["MAX_STEPS", "BalatroEnv", "Follower", "Observation", "observation_space"]

Observation = dict[str, NDArray[Any]]


def observation_space() -> spaces.Dict:
    """Of one environment; `BalatroEnv` tells what is what."""
    return spaces.Dict(
        {
            "action_mask": spaces.Box(0, 1, (layout.ROWS,), np.int8),
            "rows": spaces.Box(LOW, HIGH, (layout.ROWS, layout.WIDTH), np.float32),
            "items": spaces.Box(0, layout.ITEMS - 1, (layout.ROWS,), np.int16),
            "owned": spaces.Box(0, layout.ITEMS - 1, (layout.OWNED,), np.int16),
            "state": spaces.Box(LOW, HIGH, (layout.STATE_SIZE,), np.float32),
        }
    )


class BalatroEnv(gym.Env[Observation, np.int64]):  # type: ignore[misc]
    """One game of Balatro after the other; registered as `jimbot/Balatro-v0`.

    Action space: `Discrete(120)`, the number of a row. What each row is, `docs/environment.md`
    tells; in an observation `action_mask` says which rows are legal. Taking another one changes
    nothing, costs a step and is told in `info["illegal"]`.

    Observation space: a `Dict` of

    =============  ==========  =========  =========================================================
    key            shape       type       what
    =============  ==========  =========  =========================================================
    `action_mask`  (120,)      int8       1 where a row is a legal action
    `rows`         (120, 34)   float32    what describes each legal row, in [-1, 4]; else zeros
    `items`        (120,)      int16      the item each row is about, 0 for none, up to 330
    `owned`        (16,)       int16      the items owned or in force, 0 for an empty slot
    `state`        (139,)      float32    the state around the rows, in [-1, 4]
    =============  ==========  =========  =========================================================

    Reward: the growth of `jimbot.env.reward.progress`; a won game adds up to 12.
    Terminated: the game is won or lost. Truncated: after 2000 steps.

    Options of `reset`: `seed` (a game seed such as "ALEEB"), `deck`, `stake` and `goal` (the ante
    whose boss wins the game, 8 by default), each for that game alone. `reset(seed=...)` makes the
    game seeds that follow reproducible.

    Args:
        deck, stake: for games whose reset does not say otherwise.
        follow: called with each new run; what it returns is told of the game's actions and end.
        level: asked at each reset for the stake and the goal, where its options do not say.
        foresight: show in shops and packs what jokers and levels would add, worked out by imagined
            rounds (`Observer`); such looks then take some milliseconds.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's form)

    def __init__(
        self,
        deck: str = "Red",
        stake: str = "White",
        *,
        follow: Callable[[Run], Follower] | None = None,
        level: Callable[[], tuple[str, int]] | None = None,
        foresight: bool = False,
    ) -> None:
        self.action_space = spaces.Discrete(layout.ROWS)
        self.observation_space = observation_space()
        self._episode = Episode(deck, stake, follow, level=level, foresight=foresight)

    @property
    def run(self) -> Run:
        """The game being played."""
        return self._episode.run

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a game.

        Raises:
            InvalidSeed: `options` name a seed, deck or stake that does not exist.
        """
        super().reset(seed=seed)
        info = self._episode.start(seed, options)
        return self._episode.observer.arrays.copies(), info

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Take a row; one that is not legal changes nothing, and `info["illegal"]` says so."""
        episode = self._episode
        reward, terminated, truncated, info = episode.step(int(action))
        return episode.observer.arrays.copies(), reward, terminated, truncated, info
