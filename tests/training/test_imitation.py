from __future__ import annotations

import numpy as np
import pytest
import torch

from jimbot.env.environment import BalatroEnv
from jimbot.game import Action, ActionKind, Run
from jimbot.policy import layout
from jimbot.policy.features import Observer
from jimbot.training import imitation
from jimbot.training.imitation import GAMMA, Lessons, Recorded, Task
from jimbot.training.module import RowsModule

GAMES = 3


@pytest.fixture(scope="module")
def recorded() -> tuple[Lessons, Recorded]:
    return imitation.play(Task(0, GAMES, 5, "random"))


def rows_module() -> RowsModule:
    torch.manual_seed(0)
    env = BalatroEnv()
    return RowsModule(
        observation_space=env.observation_space,
        action_space=env.action_space,
        model_config={"width": 16, "embedding": 4},
        catalog_class=None,
    )


def test_lessons_are_what_was_seen_and_done(recorded: tuple[Lessons, Recorded]) -> None:
    lessons, told = recorded
    assert told.games == GAMES
    assert told.lessons == len(lessons.row) > 0
    assert set(lessons.game) <= set(range(GAMES))
    legal = np.unpackbits(lessons.mask, axis=1)
    assert (legal[np.arange(len(lessons.row)), lessons.row] == 1).all()
    assert legal.sum() == len(lessons.cells) == len(lessons.items)


def test_whole_plays_are_their_rows_and_selections_are_counted_out() -> None:
    run = Run("ALEEB")
    run.step(Action(ActionKind.SELECT_BLIND))
    observer = Observer(foresight=True)
    observer.observe(run)
    for row in (layout.PLAY, layout.PLAY + 3, layout.DISCARD, layout.DISCARD + 1):
        action = observer.take(row)
        assert action is not None
        assert imitation._row(observer, run, action) == row
    proposed = {play.cards for play in observer.plays}
    odd = next((a, b) for a in range(8) for b in range(a + 1, 8) if (a, b) not in proposed)
    assert imitation._row(observer, run, Action(ActionKind.PLAY, 0, odd)) == -1


def test_a_batch_gives_back_what_the_environment_showed() -> None:
    run = Run("ALEEB")
    run.step(Action(ActionKind.SELECT_BLIND))
    observer = Observer(foresight=True)
    book = imitation._Book()
    observer.observe(run)
    book.add(observer, layout.PLAY, 0)
    book.worth.append(1.5)
    run.step(Action(ActionKind.PLAY, 0, observer.plays[0].cards))
    observer.observe(run)
    book.add(observer, layout.PLAY, 0)
    book.worth.append(0.5)
    seen = observer.arrays.copies()
    observations, row, worth = imitation._Feed(book.lessons()).batch(np.array([1, 0]))
    for name, array in seen.items():
        assert np.abs(observations[name][0].numpy() - array).max() < 2e-3, name
    assert row.tolist() == [layout.PLAY, layout.PLAY]
    assert worth.tolist() == [0.5, 1.5]


def test_worth_is_what_followed_discounted() -> None:
    task = Task(0, 1, 4, "heuristic")
    lessons, told = imitation.play(task)
    assert told.unmapped == 0  # so that a lesson is an action
    assert lessons.worth[-1] >= -1
    gains = lessons.worth[:-1] - GAMMA * lessons.worth[1:]
    assert gains.min() > -0.1  # progress hardly ever falls
    total = sum(gain for gain in gains) + lessons.worth[-1]
    assert 0 < total < 13


@pytest.mark.parametrize("teacher", ["heuristic", "search"])
def test_whoever_teaches_its_own_decisions_are_the_lessons(teacher: str) -> None:
    lessons, told = imitation.play(Task(0, 1, 5, teacher, budget_s=0.001))
    assert told.lessons == len(lessons.row) > told.unmapped
    assert told.antes >= 1


def test_processes_record_what_one_does() -> None:
    one = imitation.joined(
        [imitation.play(Task(first, games, 5, "random"))[0] for first, games in ((0, 10), (10, 2))]
    )
    many, told = imitation.record(Task(0, 12, 5, "random"), processes=2)
    assert told.games == 12
    assert all((a == b).all() for a, b in zip(one, many, strict=True))


def test_it_learns_what_the_teacher_does() -> None:
    """A teacher with a simple rule: the network takes it up, on games it has not learned from."""
    lessons, _ = imitation.play(Task(0, 61, 5, "random"))
    legal = np.unpackbits(lessons.mask, axis=1)
    simple = lessons._replace(row=legal.argmax(1).astype(np.int16))  # the first legal row
    before = imitation.learn(rows_module(), simple, epochs=1, rate=0.0)
    after = imitation.learn(rows_module(), simple, epochs=15, batch=32, rate=3e-3)
    assert after.held_out_loss < before.held_out_loss
    assert before.accuracy < 0.5
    assert after.accuracy > 0.8
    assert after.value_error < before.value_error
