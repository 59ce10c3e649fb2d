"""Imitation: a network that has seen a teacher play, for reinforcement to start from.

`record` lets a teacher play and writes down what it does; `learn` fits the network to that, its
scores by cross-entropy, its value by regression to what the games went on to bring. What comes out
is an exported policy, which plays as it is and which PPO takes over.
"""

from __future__ import annotations

import logging
import multiprocessing
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jimbot.env.reward import progress
from jimbot.game import Run
from jimbot.policy import Policy, layout, make
from jimbot.policy.features import Observer
from jimbot.policy.seeds import training_seed
from jimbot.policy.weights import Header, Weights, pack, write

_log = logging.getLogger(__name__)

# A game is some 200 decisions, and what is bought early pays late.
GAMMA: Final = 0.998
# A game of so many actions goes nowhere; it is left as it stands.
MAX_ACTIONS: Final = 1500
_GAMES_A_TASK: Final = 10
_HELD_OUT: Final = 20  # one game in so many is not learned from
_VALUE_WEIGHT: Final = 0.1


class Lessons(NamedTuple):
    """Moments of games, and what the teacher did; n moments with m legal rows in all.

    Attributes:
        mask: uint8 (n, ROWS / 8), the legal rows, packed.
        cells: float16 (m, WIDTH), items: int16 (m,), of the legal rows alone.
        owned: int16 (n, OWNED).
        state: float16 (n, STATE_SIZE).
        row: int16 (n,), what the teacher took.
        worth: float32 (n,), the discounted reward that followed.
        game: int32 (n,), which game it was.
    """

    mask: NDArray[np.uint8]
    cells: NDArray[np.float16]
    items: NDArray[np.int16]
    owned: NDArray[np.int16]
    state: NDArray[np.float16]
    row: NDArray[np.int16]
    worth: NDArray[np.float32]
    game: NDArray[np.int32]


@dataclass
class Recorded:
    """How the recording went: moments kept, and actions that no single row performs."""

    games: int = 0
    lessons: int = 0
    unmapped: int = 0
    antes: int = 0
    wins: int = 0

    def __add__(self, other: Recorded) -> Recorded:
        return Recorded(*(getattr(self, name) + getattr(other, name) for name in asdict(self)))


@dataclass(frozen=True)
class Task:
    """Some games to record; picklable, so that processes share the work.

    Attributes:
        teacher: a policy's name; `search` thinks for `budget_s` about a decision.
    """

    first: int
    games: int
    seed: int
    teacher: str
    budget_s: float = 0.03
    deck: str = "Red"
    stake: str = "White"


def play(task: Task) -> tuple[Lessons, Recorded]:
    """Play a task's games and write down what the teacher does at each moment."""
    teacher = _teacher(task)
    observer = Observer(foresight=True)
    book = _Book()
    told = Recorded()
    for number in range(task.first, task.first + task.games):
        rng = random.Random(f"imitation-{task.seed}-{number}")
        run = Run(training_seed(rng), task.deck, task.stake)
        start = len(book.row)
        gains: list[float] = []
        taken: list[int] = []  # by lesson of this game, the action it came before
        before = progress(run)
        for _ in range(MAX_ACTIONS):
            if run.over:
                break
            action = teacher.act(run)
            observer.forget()
            row = _row(observer, run, action)
            if row < 0:
                told.unmapped += 1
            else:
                book.add(observer, row, number)
                taken.append(len(gains))
            run.step(action)
            now = progress(run)
            gains.append(now - before)
            before = now
        worth = 0.0
        worths = [0.0] * len(gains)
        for place in range(len(gains) - 1, -1, -1):
            worth = gains[place] + GAMMA * worth
            worths[place] = worth
        book.worth += [worths[place] for place in taken]
        told += Recorded(1, len(book.row) - start, 0, 9 if run.won else run.ante, int(run.won))
    return book.lessons(), told


def _teacher(task: Task) -> Policy:
    if task.teacher == "search":
        from jimbot.policy.search import SearchPolicy

        return SearchPolicy(task.seed + task.first, budget_s=task.budget_s)
    return make(task.teacher, seed=task.seed + task.first)


def _row(observer: Observer, run: Run, action: Any) -> int:
    """The one row that performs an action; -1 when it takes several, or none does."""
    try:
        path = observer.path(run, action)
    except ValueError:
        return -1
    if len(path) != 1:
        return -1
    observer.observe(run)
    return path[0]


class _Book:
    def __init__(self) -> None:
        self._mask: list[NDArray[np.uint8]] = []
        self._cells: list[NDArray[np.float16]] = []
        self._items: list[NDArray[np.int16]] = []
        self._owned: list[NDArray[np.int16]] = []
        self._state: list[NDArray[np.float16]] = []
        self._game: list[int] = []
        self.row: list[int] = []
        self.worth: list[float] = []

    def add(self, seen: Observer, row: int, game: int) -> None:
        legal = seen.mask.nonzero()[0]
        self._mask.append(np.packbits(seen.mask.astype(np.uint8)))
        self._cells.append(seen.rows[legal].astype(np.float16))
        self._items.append(seen.items[legal])
        self._owned.append(seen.owned.copy())
        self._state.append(seen.state.astype(np.float16))
        self._game.append(game)
        self.row.append(row)

    def lessons(self) -> Lessons:
        return Lessons(
            np.array(self._mask, np.uint8).reshape(-1, layout.ROWS // 8),
            np.concatenate([np.zeros((0, layout.WIDTH), np.float16), *self._cells]),
            np.concatenate([np.zeros(0, np.int16), *self._items]),
            np.array(self._owned, np.int16).reshape(-1, layout.OWNED),
            np.array(self._state, np.float16).reshape(-1, layout.STATE_SIZE),
            np.array(self.row, np.int16),
            np.array(self.worth, np.float32),
            np.array(self._game, np.int32),
        )


def record(
    task: Task, *, processes: int = 1, recorded: Callable[[Recorded], object] = lambda _: None
) -> tuple[Lessons, Recorded]:
    """Record a task's games in several processes; `recorded` is told how far it is."""
    parts = [
        Task(**{**asdict(task), "first": first, "games": min(_GAMES_A_TASK, end - first)})
        for end in [task.first + task.games]
        for first in range(task.first, end, _GAMES_A_TASK)
    ]
    books: list[Lessons] = []
    told = Recorded()
    # Spawned: a fork of a process in which torch has threads may hang.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        for lessons, part in pool.map(play, parts):
            books.append(lessons)
            told += part
            recorded(told)
    return joined(books), told


def joined(books: Sequence[Lessons]) -> Lessons:
    return Lessons(*(np.concatenate(arrays) for arrays in zip(*books, strict=True)))


@dataclass(frozen=True)
class Learned:
    """One epoch: loss on what was learned from, loss, accuracy and value error on what was not."""

    epoch: int
    loss: float
    held_out_loss: float
    accuracy: float
    value_error: float


def learn(
    module: Any,
    lessons: Lessons,
    *,
    epochs: int,
    batch: int = 512,
    rate: float = 1e-3,
    seed: int = 0,
    learned: Callable[[Learned], object] = lambda _: None,
) -> Learned:
    """Fit a `RowsModule` to lessons, the rate falling to zero along half a cosine."""
    import torch
    from torch.nn.functional import cross_entropy, smooth_l1_loss

    torch.set_num_threads(1)  # the network is too small for more, see `driver.configure`
    rng = np.random.default_rng(seed)
    held_out = lessons.game % _HELD_OUT == 0
    known, unknown = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    feed = _Feed(lessons)
    optimizer = torch.optim.Adam(module.parameters(), lr=rate)
    steps = epochs * (-(-len(known) // batch))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def losses(places: NDArray[np.intp]) -> tuple[Any, Any, Any]:
        observations, row, worth = feed.batch(places)
        logits, context = module._logits_and_context({"obs": observations})
        values = module.value(context).squeeze(-1)
        return cross_entropy(logits, row), smooth_l1_loss(values, worth), (logits.argmax(1) == row)

    last = Learned(0, 0.0, 0.0, 0.0, 0.0)
    for epoch in range(1, epochs + 1):
        rng.shuffle(known)
        total = 0.0
        for first in range(0, len(known), batch):
            places = known[first : first + batch]
            policy, value, _ = losses(places)
            optimizer.zero_grad()
            (policy + _VALUE_WEIGHT * value).backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += float(policy.detach()) * len(places)
        found = np.zeros(3)
        with torch.no_grad():
            for first in range(0, len(unknown), batch):
                places = unknown[first : first + batch]
                policy, value, right = losses(places)
                found += len(places) * np.array(
                    [float(policy), float(value), float(right.float().mean())]
                )
        loss, error, accuracy = (found / max(1, len(unknown))).tolist()
        last = Learned(epoch, total / max(1, len(known)), loss, accuracy, error)
        learned(last)
    return last


class _Feed:
    """Gives lessons back as the observations that a module takes."""

    def __init__(self, lessons: Lessons) -> None:
        self._lessons = lessons
        self._legal = np.unpackbits(lessons.mask, axis=1).astype(np.int8)
        self._counts = self._legal.sum(1, dtype=np.int64)
        self._first = np.concatenate([[0], self._counts.cumsum()])

    def batch(self, places: NDArray[np.intp]) -> tuple[dict[str, Any], Any, Any]:
        import torch

        lessons = self._lessons
        mask = self._legal[places]
        counts = self._counts[places]
        starts = np.repeat(self._first[places] - (counts.cumsum() - counts), counts)
        source = starts + np.arange(counts.sum())
        game, row = mask.nonzero()
        rows = np.zeros((len(places), layout.ROWS, layout.WIDTH), np.float32)
        items = np.zeros((len(places), layout.ROWS), np.int16)
        rows[game, row] = lessons.cells[source]
        items[game, row] = lessons.items[source]
        return (
            {
                "action_mask": torch.from_numpy(mask),
                "rows": torch.from_numpy(rows),
                "items": torch.from_numpy(items),
                "owned": torch.from_numpy(lessons.owned[places]),
                "state": torch.from_numpy(lessons.state[places].astype(np.float32)),
            },
            torch.from_numpy(lessons.row[places].astype(np.int64)),
            torch.from_numpy(lessons.worth[places]),
        )


def export(module: Any, file: Path, told: Recorded, learned: Learned) -> None:
    """Write an imitation as a policy that plays, and that PPO can start from."""
    weights: Weights = {name: value.cpu().numpy() for name, value in module.state_dict().items()}
    progress = {"steps": 0, "games": told.games, "imitation": asdict(told) | asdict(learned)}
    write(file, pack(weights, Header(policy="imitation", progress=progress)))
