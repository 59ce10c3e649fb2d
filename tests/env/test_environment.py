from __future__ import annotations

import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import jimbot.env  # noqa: F401
from jimbot.env.environment import MAX_STEPS, BalatroEnv
from jimbot.env.reward import ANTES, WIN_BONUS, progress
from jimbot.events.games import GameRecorder, RecordedGame, replay
from jimbot.events.payloads import GameAction, GameFinished, GameStarted
from jimbot.game import Action, ActionKind, Phase, Run
from jimbot.game.errors import InvalidSeed
from jimbot.policy import layout, make
from jimbot.policy.features import Observer


@pytest.fixture
def env() -> BalatroEnv:
    env = gymnasium.make("jimbot/Balatro-v0").unwrapped
    assert isinstance(env, BalatroEnv)
    return env


def play(env: BalatroEnv, seed: int, *, limit: int = 500) -> tuple[list[int], list[float], Run]:
    """One game of random legal rows."""
    rng = np.random.default_rng(seed)
    seen, _ = env.reset(seed=seed)
    rows, rewards = [], []
    while len(rows) < limit:
        rows.append(int(rng.choice(np.flatnonzero(seen["action_mask"]))))
        seen, reward, terminated, truncated, _ = env.step(np.int64(rows[-1]))
        rewards.append(reward)
        if terminated or truncated:
            break
    return rows, rewards, env.run


def test_gymnasium_finds_nothing_wrong(env: BalatroEnv) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env, skip_render_check=True)


def test_the_spaces_are_as_documented(env: BalatroEnv) -> None:
    assert env.action_space == gymnasium.spaces.Discrete(120)
    seen, _ = env.reset(seed=1)
    assert {key: (value.shape, str(value.dtype)) for key, value in seen.items()} == {
        "action_mask": ((120,), "int8"),
        "rows": ((120, 34), "float32"),
        "items": ((120,), "int16"),
        "owned": ((16,), "int16"),
        "state": ((139,), "float32"),
    }
    assert layout.ITEMS == 331


@pytest.mark.parametrize("seed", range(8))
def test_observations_lie_in_the_space(env: BalatroEnv, seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen, _ = env.reset(seed=seed)
    for _ in range(60):
        assert env.observation_space.contains(seen)
        row = rng.choice(np.flatnonzero(seen["action_mask"]))
        seen, _, terminated, truncated, info = env.step(row)
        assert "illegal" not in info
        if terminated or truncated:
            seen, _ = env.reset()


def test_the_same_seed_gives_the_same_games(env: BalatroEnv) -> None:
    first = play(env, 4)
    again = play(env, 4)
    assert first[:2] == again[:2]
    assert first[2].digest() == again[2].digest()


def test_a_seed_makes_the_games_after_it_reproducible(env: BalatroEnv) -> None:
    def seeds() -> list[str]:
        env.reset(seed=9)
        return [env.run.seed, *(env.reset()[1]["seed"] for _ in range(3))]

    first = seeds()
    assert first == seeds()
    assert len(set(first)) == 4


def test_options_choose_the_game(env: BalatroEnv) -> None:
    _, info = env.reset(options={"seed": "ALEEB", "deck": "Blue", "stake": "Gold"})
    assert info == {"seed": "ALEEB", "deck": "Blue", "stake": "Gold"}
    _, info = env.reset(seed=1)
    assert (info["deck"], info["stake"]) == ("Red", "White")


@pytest.mark.parametrize(
    "options", [{"seed": "not a seed"}, {"deck": "Purple"}, {"stake": "Wooden"}]
)
def test_an_unknown_option_is_refused(env: BalatroEnv, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidSeed):
        env.reset(options=options)


def test_a_row_that_is_not_legal_changes_nothing(env: BalatroEnv) -> None:
    seen, _ = env.reset(seed=3)
    before = env.run.digest()
    for row in np.flatnonzero(seen["action_mask"] == 0):
        after, reward, terminated, truncated, info = env.step(row)
        assert info["illegal"]
        assert (reward, terminated, truncated) == (0.0, False, False)
        assert env.run.digest() == before
        assert all(np.array_equal(seen[key], after[key]) for key in seen)


def test_a_stuck_game_is_cut_off(env: BalatroEnv) -> None:
    env.reset(seed=3)
    for _ in range(MAX_STEPS - 1):
        _, _, terminated, truncated, _ = env.step(np.int64(layout.CASH_OUT))
        assert not terminated
        assert not truncated
    _, _, terminated, truncated, _ = env.step(np.int64(layout.CASH_OUT))
    assert (terminated, truncated) == (False, True)


class TestReward:
    @pytest.mark.parametrize("seed", range(6))
    def test_rewards_add_up_to_the_progress_made(self, env: BalatroEnv, seed: int) -> None:
        _, rewards, run = play(env, seed)
        assert sum(rewards) == pytest.approx(progress(run))

    def test_it_grows_with_every_blind_to_the_win(self) -> None:
        run = Run("ALEEB")
        straight_on = {
            Phase.BLIND_SELECT: Action(ActionKind.SELECT_BLIND),
            Phase.SELECTING_HAND: Action(ActionKind.PLAY, 0, (0, 1, 2, 3, 4)),
            Phase.ROUND_EVAL: Action(ActionKind.CASH_OUT),
            Phase.SHOP: Action(ActionKind.LEAVE_SHOP),
        }
        last = 0.0
        while not run.over:
            if run.phase == Phase.SELECTING_HAND:
                run.chips = run.required  # any play beats the blind
            run.step(straight_on[run.phase])
            assert progress(run) >= last
            last = progress(run)
        assert run.won
        assert last == ANTES + WIN_BONUS

    def test_selecting_cards_and_sorting_earn_nothing(self, env: BalatroEnv) -> None:
        env.reset(seed=1)
        env.step(np.int64(layout.SELECT_BLIND))
        for row in (layout.TOGGLE_CARD, layout.SORT_HAND, layout.SORT_HAND + 1):
            for _ in range(3):
                assert env.step(np.int64(row))[1] == 0.0


class TestFollowing:
    def test_a_followed_game_replays(self) -> None:
        """The actions that a follower is told are the whole game."""
        recorders: list[GameRecorder] = []

        def follow(run: Run) -> GameRecorder:
            recorder = GameRecorder(
                seed=run.seed,
                deck=run.deck,
                stake=run.stake,
                policy="random",
                source="test",
                keep=True,
            )
            recorders.append(recorder)
            finish = recorder.finish
            recorder.finish = lambda run: events.extend(finish(run))  # type: ignore[method-assign, assignment]
            return recorder

        events: list[Any] = []
        _, _, run = play(BalatroEnv(follow=follow), 5)
        payloads = [event.payload for event in events]
        game = RecordedGame(
            recorders[0].game_id,
            GameStarted(**payloads[0]),
            [GameAction(**payload) for payload in payloads[1:-1]],
            GameFinished(**payloads[-1]),
        )
        steps = list(replay(game))
        assert steps
        assert steps[-1].run.digest() == run.digest()

    def test_the_policys_path_plays_the_same_game(self, env: BalatroEnv) -> None:
        """A policy's actions, taken as rows, lead to the same states."""
        env.reset(options={"seed": "ALEEB"})
        twin = Run("ALEEB")
        policy = make("heuristic")
        observer = Observer()
        for _ in range(25):
            action = policy.act(twin)
            if action.kind.name.startswith("MOVE"):
                continue
            for row in observer.path(env.run, action):
                env.step(np.int64(row))
            twin.step(Action(action.kind, action.index, action.cards))
            assert env.run.digest() == twin.digest()
