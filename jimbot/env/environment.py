"""Balatro as a Gymnasium environment."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final, Protocol

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from jimbot.env.reward import progress
from jimbot.game import Action, Run, random_seed
from jimbot.policy import layout
from jimbot.policy.features import HIGH, LOW, Observer

Observation = dict[str, NDArray[Any]]

# A game this long is stuck: a won one takes a few hundred steps.
MAX_STEPS: Final = 2000


class Follower(Protocol):
    """What wants to know of a game's actions and end, such as a recorder."""

    def step(self, action: Action, run: Run) -> object: ...
    def finish(self, run: Run) -> object: ...


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
    `rows`         (120, 32)   float32    what describes each legal row, in [-1, 4]; else zeros
    `items`        (120,)      int16      the item each row is about, 0 for none, up to 330
    `owned`        (16,)       int16      the items owned or in force, 0 for an empty slot
    `state`        (138,)      float32    the state around the rows, in [-1, 4]
    =============  ==========  =========  =========================================================

    Reward: the growth of `jimbot.env.reward.progress`; a won game adds up to 12.
    Terminated: the game is won or lost. Truncated: after 2000 steps.

    Options of `reset`: `seed` (a game seed such as "ALEEB"), `deck` and `stake`, each for that
    game alone. `reset(seed=...)` makes the game seeds that follow reproducible.

    Args:
        deck, stake: for games whose reset does not say otherwise.
        follow: called with each new run; what it returns is told of the game's actions and end.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's form)

    def __init__(
        self,
        deck: str = "Red",
        stake: str = "White",
        *,
        follow: Callable[[Run], Follower] | None = None,
    ) -> None:
        self.action_space = spaces.Discrete(layout.ROWS)
        self.observation_space = spaces.Dict(
            {
                "action_mask": spaces.Box(0, 1, (layout.ROWS,), np.int8),
                "rows": spaces.Box(LOW, HIGH, (layout.ROWS, layout.WIDTH), np.float32),
                "items": spaces.Box(0, layout.ITEMS - 1, (layout.ROWS,), np.int16),
                "owned": spaces.Box(0, layout.ITEMS - 1, (layout.OWNED,), np.int16),
                "state": spaces.Box(LOW, HIGH, (layout.STATE_SIZE,), np.float32),
            }
        )
        self._deck = deck
        self._stake = stake
        self._follow = follow
        self._follower: Follower | None = None
        self._seeds = random.Random()
        self._observer = Observer()
        self._steps = 0
        self._progress = 0.0
        self.run = Run("1", deck, stake)  # refuses an unknown deck or stake at once

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a game.

        Raises:
            InvalidSeed: `options` name a seed, deck or stake that does not exist.
        """
        super().reset(seed=seed)
        if seed is not None:
            self._seeds.seed(seed)
        options = options or {}
        self.run = Run(
            options.get("seed") or random_seed(self._seeds),
            options.get("deck") or self._deck,
            options.get("stake") or self._stake,
        )
        self._observer.forget()
        self._steps = 0
        self._progress = progress(self.run)
        self._follower = self._follow(self.run) if self._follow else None
        info = {"seed": self.run.seed, "deck": self.run.deck, "stake": self.run.stake}
        self._observer.observe(self.run)
        return self._seen(), info

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Take a row; one that is not legal changes nothing, and `info["illegal"]` says so."""
        run = self.run
        before = self._progress
        observer = self._observer
        illegal = not observer.legal(int(action))
        if not illegal:
            performed = observer.take(int(action))
            if performed is not None:
                run.step(performed)
                self._progress = progress(run)
                if self._follower is not None:
                    self._follower.step(performed, run)
            observer.observe(run, unchanged=performed is None)
        self._steps += 1
        observation = self._seen()
        terminated = run.over
        truncated = not terminated and (self._steps >= MAX_STEPS or observer.stuck)
        if (terminated or truncated) and self._follower is not None:
            self._follower.finish(run)
            self._follower = None
        info: dict[str, Any] = {"illegal": True} if illegal else {}
        if terminated:
            info |= {"won": run.won, "ante": run.ante, "round": run.round}
        return observation, self._progress - before, terminated, truncated, info

    def _seen(self) -> Observation:
        """What the last look saw, to keep."""
        seen = self._observer
        return {
            "action_mask": seen.mask.copy(),
            "rows": seen.rows.copy(),
            "items": seen.items.copy(),
            "owned": seen.owned.copy(),
            "state": seen.state.copy(),
        }
