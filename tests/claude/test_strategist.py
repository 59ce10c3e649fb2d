"""The local strategist: what a player would nod at, as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jimbot.claude import strategist
from jimbot.claude.question import Choice, Question, State


def choice(key: str, **features: float) -> Choice:
    return Choice(key=key, label=key, features=features)


PAIR, FLUSH = choice("play:Pair", score=60), choice("play:Flush", score=280)
DISCARD, KEEP_PAIR = choice("discard:flush", value=0.2), choice("discard:pair", value=0.1)
BLUEPRINT = choice("buy:j_blueprint", cost=10, value=16)
JOKER = choice("buy:j_joker", cost=2, value=1)
LEAVE = choice("leave")
SMALL = State(required=300, hands_left=4, discards_left=3)


@pytest.mark.parametrize(
    ("state", "legal", "probabilities", "expected"),
    [
        (SMALL, [LEAVE], (), "leave"),
        (SMALL.model_copy(update={"chips": 30}), [PAIR, FLUSH], (0.9, 0.1), "play:Flush"),
        (SMALL.model_copy(update={"hands_left": 1, "discards_left": 0}), [PAIR, FLUSH], (),
         "play:Flush"),
        (SMALL, [PAIR, DISCARD, KEEP_PAIR], (), "discard:flush"),
        (SMALL, [PAIR, DISCARD, KEEP_PAIR], (0.5, 0.1, 0.4), "discard:pair"),
        (SMALL.model_copy(update={"discards_left": 0}), [PAIR, FLUSH], (0.2, 0.8), "play:Flush"),
        (State(money=30), [JOKER, BLUEPRINT, LEAVE], (), "buy:j_blueprint"),
        (State(money=25), [JOKER, LEAVE], (0.1, 0.9), "leave"),
        (State(money=4), [choice("reroll"), LEAVE], (0.2, 0.8), "leave"),
    ],
)  # fmt: skip
def test_says_what_a_player_would(
    state: State, legal: list[Choice], probabilities: tuple[float, ...], expected: str
) -> None:
    question = Question(kind="play", state=state, legal=tuple(legal), probabilities=probabilities)
    assert legal[strategist.advise(question).choice].key == expected


@given(
    keys=st.lists(
        st.sampled_from(["play:Pair", "discard:x", "buy:j_a", "leave", "reroll"]), min_size=1,
        max_size=12,
    ),
    figures=st.lists(st.floats(-1e12, 1e12), min_size=12, max_size=12),
    weights=st.lists(st.floats(0, 1), min_size=12, max_size=12) | st.just([]),
    required=st.floats(0, 1e9),
    hands=st.integers(0, 5),
    discards=st.integers(0, 5),
    money=st.integers(-20, 200),
)  # fmt: skip
def test_is_always_legal(
    keys: list[str], figures: list[float], weights: list[float], required: float, hands: int,
    discards: int, money: int,
) -> None:  # fmt: skip
    legal = tuple(
        choice(key, score=x, cost=x, value=x) for key, x in zip(keys, figures, strict=False)
    )
    state = State(required=required, hands_left=hands, discards_left=discards, money=money)
    question = Question(
        kind="shop", state=state, legal=legal, probabilities=tuple(weights[: len(legal)])
    )
    opinion = strategist.advise(question)
    assert 0 <= opinion.choice < len(legal)
    assert 0 <= opinion.confidence <= 1
    assert opinion.alternative is None or 0 <= opinion.alternative < len(legal)
    assert opinion.alternative != opinion.choice
