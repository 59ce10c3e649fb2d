"""The local strategy cache answers as the gateway's tiers do, and never otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from jimbot.claude import cache as room
from jimbot.claude import features, strategies
from jimbot.claude.cache import Cache
from jimbot.claude.errors import StoreError
from jimbot.claude.question import Choice
from jimbot.claude.strategist import Opinion
from tests.claude.conftest import question


def remembered(tmp_path: Path, count: int = 1, action: int = 1) -> strategies.Strategies:
    path = tmp_path / "cache.sqlite"
    cache = Cache(path, entries=100, days=30, agreement=0.9, evidence=30, trials=8)
    for number in range(count):
        cache.store(question(number), Opinion(action, "because", 0.8))
    cache.close()
    return strategies.gather(room.answers(path, days=30), 0.9)


def test_the_same_question_has_its_answer(tmp_path: Path) -> None:
    known = remembered(tmp_path)
    assert known.index(question(0)) == (1, 0.8)
    assert known.index(question(7)) is None, "another question, and one answer is no pattern"
    again = strategies.parse(known.model_dump_json().encode())
    assert again == known


def test_a_pattern_answers_when_nearly_all_agreed(tmp_path: Path) -> None:
    known = remembered(tmp_path, 30)
    found = known.index(question(99))
    assert found is not None
    assert found[0] == 1
    assert found[1] >= 0.9
    elsewhere = question(99, legal=tuple(Choice(key=k, label=k) for k in ("buy:z", "leave")),
                         probabilities=())  # fmt: skip
    assert known.index(elsewhere) is None


def test_it_agrees_with_the_gateways_own_cache(tmp_path: Path) -> None:
    known = remembered(tmp_path, 30)
    cache = Cache(
        tmp_path / "cache.sqlite", entries=100, days=30, agreement=0.9, evidence=30, trials=8
    )
    for number in (*range(30), 40, 50):
        asked = question(number)
        hit = cache.exact(asked, features.exact_key(asked)) or cache.pattern(asked)
        found = known.index(asked)
        assert (hit.opinion.choice if hit else None) == (found[0] if found else None)
    cache.close()


def test_what_has_expired_is_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    old = Cache(path, entries=9, days=30, agreement=0.9, evidence=30, trials=8, clock=lambda: 1.0)
    old.store(question(0), Opinion(1, "because", 0.8))
    old.close()
    assert room.answers(path, days=30) == []
    assert room.answers(tmp_path / "none", days=30) == []


@pytest.mark.parametrize("data", [b"", b"{}", b'{"agreement": 0.9, "exact": {"zz": {}}}'])
def test_damaged_ones_are_refused(data: bytes) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        strategies.parse(data)


def test_newer_ones_are_refused() -> None:
    with pytest.raises(StoreError, match="format 2"):
        strategies.parse(b'{"agreement": 0.9, "format": 2}')
