from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import jimbot.env  # noqa: F401
from jimbot.env.environment import BalatroEnv
from jimbot.env.vector import BalatroVectorEnv
from jimbot.game.errors import InvalidSeed
from jimbot.policy import layout


def legal_rows(rng: np.random.Generator, masks: np.ndarray) -> np.ndarray:
    return np.array([rng.choice(np.flatnonzero(mask)) if mask.any() else 0 for mask in masks])


def test_make_vec_makes_it() -> None:
    envs = gymnasium.make_vec("jimbot/Balatro-v0", num_envs=3, stake="Red")
    assert isinstance(envs.unwrapped, BalatroVectorEnv)
    seen, infos = envs.reset(seed=1)
    assert envs.observation_space.contains(seen)
    assert seen["rows"].shape == (3, layout.ROWS, layout.WIDTH)
    assert envs.action_space.shape == (3,)
    assert list(infos["stake"]) == ["Red"] * 3
    seen, rewards, *_ = envs.step(legal_rows(np.random.default_rng(1), seen["action_mask"]))
    assert envs.observation_space.contains(seen)
    assert rewards.shape == (3,)


def test_each_plays_what_a_single_one_of_its_seed_plays() -> None:
    """Observations, rewards and ends are equal over several games each."""
    rng = np.random.default_rng(5)
    count = 3
    envs = BalatroVectorEnv(count)
    singles = [BalatroEnv() for _ in range(count)]
    seen, infos = envs.reset(seed=11)
    for number, single in enumerate(singles):
        alone, info = single.reset(seed=11 + number)
        assert infos["seed"][number] == info["seed"]
        for key in alone:
            assert np.array_equal(seen[key][number], alone[key]), key
    ended = [False] * count
    games = 0
    for _ in range(120):
        rows = legal_rows(rng, seen["action_mask"])
        seen, rewards, terminations, truncations, infos = envs.step(rows)
        for number, single in enumerate(singles):
            if ended[number]:
                alone, info = single.reset()
                expected: tuple[float, bool, bool] = (0.0, False, False)
            else:
                alone, reward, terminated, truncated, info = single.step(rows[number])
                expected = (float(reward), terminated, truncated)
            assert (rewards[number], terminations[number], truncations[number]) == expected
            for key in alone:
                assert np.array_equal(seen[key][number], alone[key]), key
            for key, value in info.items():
                assert infos[key][number] == value
                assert infos[f"_{key}"][number]
            ended[number] = expected[1] or expected[2]
            games += ended[number]
    assert games >= 3


def test_what_was_returned_is_not_overwritten() -> None:
    envs = BalatroVectorEnv(2)
    first, _ = envs.reset(seed=3)
    kept = {key: value.copy() for key, value in first.items()}
    envs.step(np.array([layout.SELECT_BLIND] * 2))
    for key, value in kept.items():
        assert np.array_equal(first[key], value), key


def test_a_row_that_is_not_legal_is_told() -> None:
    envs = BalatroVectorEnv(2)
    envs.reset(seed=3)
    *_, infos = envs.step(np.array([layout.SELECT_BLIND, layout.CASH_OUT]))
    assert list(infos["illegal"]) == [False, True]


def test_options_and_seeds() -> None:
    envs = BalatroVectorEnv(2)
    _, infos = envs.reset(options={"seed": "ALEEB", "deck": "Blue"})
    assert list(infos["seed"]) == ["ALEEB", "ALEEB"]
    assert [run.deck for run in envs.runs] == ["Blue", "Blue"]
    _, infos = envs.reset(seed=[4, 4])
    assert infos["seed"][0] == infos["seed"][1]
    with pytest.raises(InvalidSeed):
        envs.reset(options={"deck": "Purple"})
    with pytest.raises(ValueError, match="zip"):
        envs.reset(seed=[1])
