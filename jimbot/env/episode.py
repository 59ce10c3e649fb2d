"""One game after the other, taken row by row: what the environments are made of."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final, Protocol

from jimbot.env.reward import ANTES, progress, reached
from jimbot.game import Action, Run
from jimbot.policy.features import Arrays, Observer
from jimbot.policy.seeds import training_seed

# A game this long is stuck: a won one takes a few hundred steps.
MAX_STEPS: Final = 2000


class Follower(Protocol):
    """What wants to know of a game's actions and end, such as a recorder."""

    def step(self, action: Action, run: Run) -> object: ...
    def finish(self, run: Run) -> object: ...


class Episode:
    """A seat at the table: plays games on the deck and stake that it was given.

    Attributes:
        run: the game being played.
        observer: what the player sees of it.

    Args:
        deck, stake: for games whose start does not say otherwise.
        follow: called with each new run; what it returns is told of the game's actions and end.
        arrays: where to keep what is seen; its own by default.
        level: asked at each start for a stake, and for the ante whose boss wins the game.
        foresight: see `Observer`.
    """

    def __init__(
        self,
        deck: str,
        stake: str,
        follow: Callable[[Run], Follower] | None = None,
        arrays: Arrays | None = None,
        level: Callable[[], tuple[str, int]] | None = None,
        *,
        foresight: bool = False,
    ) -> None:
        self.run = Run("1", deck, stake)  # refuses an unknown deck or stake at once
        self.observer = Observer(arrays, foresight=foresight)
        self._deck = deck
        self._stake = stake
        self._goal = ANTES
        self._level = level
        self._follow = follow
        self._follower: Follower | None = None
        self._seeds = random.Random()
        self._steps = 0
        self._progress = 0.0

    def start(self, seed: int | None, options: dict[str, Any] | None) -> dict[str, Any]:
        """Start a game; returns its seed, deck and stake.

        Args:
            seed: makes the game seeds from here on reproducible; none of them is held out.
            options: `seed`, `deck`, `stake` and `goal` of this game alone.

        Raises:
            InvalidSeed: a seed, deck or stake does not exist.
        """
        if seed is not None:
            self._seeds.seed(seed)
        options = options or {}
        stake, goal = self._level() if self._level else (self._stake, ANTES)
        self._goal = options.get("goal") or goal
        self.run = run = Run(
            options.get("seed") or training_seed(self._seeds),
            options.get("deck") or self._deck,
            options.get("stake") or stake,
        )
        self._steps = 0
        self._progress = progress(run, self._goal)
        self._follower = self._follow(run) if self._follow else None
        self.observer.forget()
        self.observer.observe(run)
        return {"seed": run.seed, "deck": run.deck, "stake": run.stake}

    def step(self, row: int) -> tuple[float, bool, bool, dict[str, Any]]:
        """Take a row: the reward, whether terminated, whether truncated, and what else to know.

        One that is not legal changes nothing, and the last says so as `illegal`.
        """
        run = self.run
        observer = self.observer
        before = self._progress
        illegal = not observer.legal(row)
        if not illegal:
            performed = observer.take(row)
            if performed is not None:
                run.step(performed)
                self._progress = progress(run, self._goal)
                if self._follower is not None:
                    self._follower.step(performed, run)
            observer.observe(run, unchanged=performed is None)
        self._steps += 1
        won = reached(run, self._goal)
        terminated = run.over or won
        truncated = not terminated and (self._steps >= MAX_STEPS or observer.stuck)
        if (terminated or truncated) and self._follower is not None:
            self._follower.finish(run)
            self._follower = None
        info: dict[str, Any] = {"illegal": True} if illegal else {}
        if terminated:
            info |= {"won": won, "ante": run.ante, "round": run.round}
        return self._progress - before, terminated, truncated, info
