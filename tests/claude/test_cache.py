"""The cache's tiers, what they keep, when they generalise, and what makes them forget."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jimbot.claude import features
from jimbot.claude.agreement import Difference, threshold, wilson_lower
from jimbot.claude.cache import DAY_S, Cache
from jimbot.claude.errors import StoreError
from jimbot.claude.question import Choice, Outcome, Question, State
from jimbot.claude.strategist import Opinion
from tests.claude.conftest import Make, question, run
from tests.claude.standin import Manner, choose

Open = Callable[..., Cache]


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(tmp_path: Path, clock: Clock) -> Open:
    def open_it(**changes: float) -> Cache:
        fields = {"entries": 100, "days": 30, "agreement": 0.9, "evidence": 30, "trials": 8}
        return Cache(tmp_path / "cache.sqlite", clock=clock, **(fields | changes))  # type: ignore[arg-type]

    return open_it


def exact(cache: Cache, q: Question) -> Opinion | None:
    hit = cache.exact(q, features.exact_key(q))
    return hit.opinion if hit else None


SAID = Opinion(2, "leave it", 0.8, 0)


def test_an_equal_question_is_answered_also_after_a_restart(opened: Open) -> None:
    cache = opened()
    cache.store(question(1), SAID)
    other = question(1, deadline_ms=50, game_id="another", probabilities=(), decisions=3)
    assert exact(cache, other) == SAID
    assert exact(cache, question(2)) is None
    cache.close()
    cache = opened()
    assert exact(cache, question(1)) == SAID
    cache.close()


def test_everything_that_is_asked_about_tells_questions_apart() -> None:
    base = question(1)
    changed = [
        question(1, kind="pack"),
        question(1, state=base.state.model_copy(update={"ante": 3})),
        question(1, state=base.state.model_copy(update={"jokers": ("j_joker", "j_a")})),
        question(1, legal=base.legal[::-1]),
        question(1, legal=(*base.legal[:2], Choice(key="leave", label="go"))),
        question(1, legal=(*base.legal[:2], Choice(key="leave", label="leave", features={"x": 1}))),
    ]
    keys = {features.exact_key(q) for q in [base, *changed]}
    assert len(keys) == len(changed) + 1


def test_answers_expire(opened: Open, clock: Clock) -> None:
    cache = opened(days=1)
    cache.store(question(1), SAID)
    clock.now += DAY_S - 1
    assert exact(cache, question(1)) == SAID
    clock.now += 2
    assert exact(cache, question(1)) is None
    assert len(cache) == 0
    cache.close()


def test_the_least_lately_used_give_way(opened: Open, clock: Clock) -> None:
    cache = opened(entries=3)
    for n in range(3):
        clock.now += 1
        cache.store(question(n), SAID)
    clock.now += 1
    assert exact(cache, question(0)) == SAID
    cache.store(question(3), SAID)
    assert [exact(cache, question(n)) is not None for n in range(4)] == [True, False, True, True]
    cache.close()
    cache = opened(entries=3)
    cache.store(question(4), SAID)
    kept = [exact(cache, question(n)) is not None for n in range(5)]
    assert sum(kept) == 3
    assert kept[4]
    cache.close()


def test_similar_answers_only_with_evidence_that_neighbours_agree(opened: Open) -> None:
    cache = opened(evidence=30)
    for n in range(30):
        cache.store(question(n), SAID)
        assert cache.similar(question(1000), features.vector(question(1000))) is None
    for n in range(30, 40):
        cache.store(question(n), SAID)
    assert cache.threshold is not None
    state = question(12).state.model_copy(update={"round": 2})
    near = question(12, state=state)
    assert exact(cache, near) is None
    hit = cache.similar(near, features.vector(near))
    assert hit is not None
    assert (hit.opinion.choice, hit.source) == (2, "cache:similar")
    far = question(kind="voucher")
    assert cache.similar(far, features.vector(far)) is None
    without = near.model_copy(update={"legal": near.legal[:2], "probabilities": ()})
    assert cache.similar(without, features.vector(without)) is None, "not legal here"
    cache.close()
    cache = opened(evidence=30)
    assert cache.threshold is not None, "the measurement is kept"
    cache.close()


def test_similar_stays_off_while_neighbours_disagree(opened: Open) -> None:
    cache = opened(evidence=10)
    for n in range(60):
        cache.store(question(n), Opinion(n % 3, "", 0.5))
    assert cache.threshold is None
    cache.close()


def test_a_pattern_answers_when_claude_nearly_always_said_the_same(opened: Open) -> None:
    cache = opened(evidence=10_000)
    for n in range(24):
        cache.store(question(n), SAID)
    assert cache.pattern(question(500)) is None  # 24 of 24 is not yet 90 % for sure
    cache.store(question(24), SAID)
    hit = cache.pattern(question(500))
    assert hit is not None
    assert (hit.opinion.choice, hit.source) == (2, "cache:pattern")
    assert hit.opinion.confidence == pytest.approx(wilson_lower(25, 25))
    late = question(500, state=State(ante=7))
    assert cache.pattern(late) is None, "another stretch of the run"
    for n in range(25, 28):
        cache.store(question(n), Opinion(0, "", 0.5))
    assert cache.pattern(question(500)) is None
    cache.close()


def test_an_answer_that_play_contradicts_is_dropped(opened: Open) -> None:
    cache = opened(trials=8)
    key = features.exact_key(question(1))
    cache.store(question(1), SAID)

    def learn(n: int, observed: float, *, followed: bool = True) -> bool:
        cache.advised(f"a{n}", key)
        return cache.learn(
            Outcome(advice_id=f"a{n}", expected=0.5, observed=observed, followed=followed)
        )

    assert not any(learn(n, 0.0, followed=False) for n in range(20)), "it was not played"
    assert not any(learn(n, 0.6 if n % 2 else 0.4) for n in range(20)), "as good as expected"
    dropped = [learn(n, 0.1) for n in range(60)]
    assert dropped.count(True) == 1
    assert exact(cache, question(1)) is None
    cache.store(question(2), SAID)
    cache.close()
    cache = opened()
    assert exact(cache, question(1)) is None
    assert not cache.learn(Outcome(advice_id="unknown", expected=1, observed=0))
    cache.close()


@given(st.integers(0, 200), st.integers(0, 200))
def test_wilson_is_below_the_share_it_bounds(agreed: int, more: int) -> None:
    of = agreed + more
    assert 0 <= wilson_lower(agreed, of) <= (agreed / of if of else 0) + 1e-12


def test_the_threshold_is_the_lowest_that_the_evidence_bears() -> None:
    close = [(0.99, True)] * 40
    middle = [(0.9, True)] * 20 + [(0.9, False)] * 20
    assert threshold(close, agreement=0.9, evidence=30) == 0.99
    assert threshold(close + middle, agreement=0.9, evidence=30) == 0.99
    assert threshold(close + middle, agreement=0.6, evidence=30) == 0.9
    assert threshold(close[:20], agreement=0.8, evidence=30) is None
    assert threshold([], agreement=0.0, evidence=1) is None


def test_a_difference_is_behind_only_when_it_is_sure() -> None:
    noisy, plain = Difference(), Difference()
    for n in range(10):
        noisy.add(0.9 if n % 2 else -0.92)
        plain.add(-0.1)
    assert not noisy.behind(8)
    assert plain.behind(8)
    assert not plain.behind(11)


@given(st.integers(0, 10**6), st.integers(-5, 400), st.lists(st.text(max_size=20), max_size=8))
def test_vectors_are_of_length_one(chips: int, money: int, jokers: list[str]) -> None:
    q = question(state=State(required=chips, money=money, jokers=tuple(jokers)))
    assert features.vector(q).shape == (features.SIZE,)
    assert float(features.vector(q) @ features.vector(q)) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("content", [b"no database, " * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_reported_and_left_alone(
    tmp_path: Path, opened: Open, content: bytes
) -> None:
    path = tmp_path / "cache.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"cache\.sqlite"):
        opened()
    assert path.read_bytes() == content


def test_a_newer_file_is_left_alone(tmp_path: Path, opened: Open) -> None:
    with sqlite3.connect(tmp_path / "cache.sqlite") as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="version 99"):
        opened()


def test_equal_questions_share_one_request(bench: Make) -> None:
    async def main() -> None:
        async with bench() as b:
            b.standin.otherwise = Manner(wait_s=0.1)
            answers = await asyncio.gather(*(b.gateway.advise(question(1)) for _ in range(20)))
            assert {a.source for a in answers} == {"claude"}
            assert len(b.standin.bodies) == 1
            assert b.metric("shared_total", how="single_flight") == 19
            assert (await b.gateway.advise(question(1))).source == "cache:exact"
            assert b.metric("cache_lookups_total", tier="exact", result="hit") == 1

    run(main())


def test_like_questions_within_the_window_share_one_request(bench: Make) -> None:
    async def main() -> None:
        async with bench(batch_window_ms=100, batch_size=4) as b:

            def answer(body: dict[str, object]) -> object:
                said = choose(1)(body)
                for each in said["answers"]:  # type: ignore[index]
                    each["action"] = each["question"] % 3 + 1
                return said

            b.standin.otherwise = Manner(answer)
            kinds = ["shop"] * 6 + ["pack"]
            answers = await asyncio.gather(
                *(b.gateway.advise(question(n, kind=kind)) for n, kind in enumerate(kinds))
            )
            assert {a.source for a in answers} == {"claude"}
            assert [len(body["messages"][0]["content"].splitlines())
                    for body in b.standin.bodies] == [4, 2, 1]  # fmt: skip
            # Each got its own answer, not its neighbour's.
            assert [a.index for a in answers] == [1, 2, 0, 1, 1, 2, 1]
            assert b.metric("shared_total", how="batch") == 4

    run(main())


def test_one_bad_answer_of_a_batch_spoils_no_other(bench: Make) -> None:
    async def main() -> None:
        async with bench(batch_window_ms=50, batch_size=3) as b:

            def answer(body: dict[str, object]) -> object:
                said = choose(2)(body)
                said["answers"][1]["action"] = 99  # type: ignore[index]
                return said

            b.standin.otherwise = Manner(answer)
            answers = await asyncio.gather(*(b.gateway.advise(question(n)) for n in range(3)))
            assert [a.source for a in answers] == ["claude", "strategist", "claude"]
            assert answers[1].declined == "illegal"
            assert len(b.gateway.cache) == 2

    run(main())


def test_a_cached_answer_that_is_not_legal_is_not_given(bench: Make) -> None:
    async def main() -> None:
        async with bench() as b:
            b.standin.otherwise = Manner(choose(3))
            await b.gateway.advise(question(1))
            entry = next(iter(b.gateway.cache._entries.values()))
            entry.position = 7
            b.ring.reload()
            advice = await b.gateway.advise(question(1))
            assert advice.index in range(3)
            assert advice.source == "claude"

    run(main())
