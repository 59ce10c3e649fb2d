"""Many games of Balatro at once, in one process, observed into one set of arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from jimbot.env.environment import Observation, observation_space
from jimbot.env.episode import Episode, Follower
from jimbot.game import Run
from jimbot.policy import layout
from jimbot.policy.features import Arrays

Flags = NDArray[np.bool_]


class BalatroVectorEnv(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):  # type: ignore[misc]
    """`num_envs` environments as `BalatroEnv`; `gymnasium.make_vec("jimbot/Balatro-v0")` makes it.

    Actions are (num_envs,) rows; observations are those of `BalatroEnv` with an axis of `num_envs`
    in front; rewards float64, terminations and truncations bool. A game that ended is followed by
    a new one at the next step, whose action is not looked at (`AutoresetMode.NEXT_STEP`).

    `reset(seed=7)` seeds the environments with 7, 8, 9 …; each then plays the games that a single
    one of that seed plays. Options of `reset` go to all of them.

    Args:
        num_envs: how many.
        deck, stake, follow, foresight: as for `BalatroEnv`.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium's form)
        "render_modes": [],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        deck: str = "Red",
        stake: str = "White",
        *,
        follow: Callable[[Run], Follower] | None = None,
        foresight: bool = False,
    ) -> None:
        self.num_envs = num_envs
        self.single_action_space = spaces.Discrete(layout.ROWS)
        self.single_observation_space = observation_space()
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._arrays = Arrays.zeros(num_envs)
        self._episodes = [
            Episode(deck, stake, follow, self._arrays.of(number), foresight=foresight)
            for number in range(num_envs)
        ]
        self._ended: Flags = np.zeros(num_envs, np.bool_)

    @property
    def runs(self) -> list[Run]:
        """The games being played."""
        return [episode.run for episode in self._episodes]

    def reset(
        self,
        *,
        seed: int | Iterable[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a game in each.

        Raises:
            InvalidSeed: `options` name a seed, deck or stake that does not exist.
        """
        seeds: list[int | None]
        if seed is None:
            seeds = [None] * self.num_envs
        elif isinstance(seed, int):
            seeds = [seed + number for number in range(self.num_envs)]
        else:
            seeds = list(seed)
        infos: dict[str, Any] = {}
        for number, (episode, one) in enumerate(zip(self._episodes, seeds, strict=True)):
            infos = self._add_info(infos, episode.start(one, options), number)
        self._ended = np.zeros(self.num_envs, np.bool_)
        return self._arrays.copies(), infos

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Observation, NDArray[np.float64], Flags, Flags, dict[str, Any]]:
        """Take a row in each; where the game had ended, start the next one instead."""
        rewards = np.zeros(self.num_envs)
        terminations = np.zeros(self.num_envs, np.bool_)
        truncations = np.zeros(self.num_envs, np.bool_)
        infos: dict[str, Any] = {}
        ended = self._ended.tolist()
        for number, row in enumerate(np.asarray(actions).tolist()):
            episode = self._episodes[number]
            if ended[number]:
                info = episode.start(None, None)
            else:
                reward, terminated, truncated, info = episode.step(row)
                if reward:
                    rewards[number] = reward
                if terminated or truncated:
                    terminations[number] = terminated
                    truncations[number] = truncated
            if info:
                infos = self._add_info(infos, info, number)
        self._ended = terminations | truncations
        return self._arrays.copies(), rewards, terminations, truncations, infos
