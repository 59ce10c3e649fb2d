"""What is sent, and that nothing that comes back is believed unread."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jimbot.claude import prompt
from jimbot.claude.analysis import LOST, LostGame, _text
from jimbot.claude.question import State
from jimbot.claude.strategist import Opinion
from tests.claude.conftest import question

QUESTIONS = [question(1), question(2)]
GOOD = {"action": 2, "reasoning": " so ", "confidence": 0.5, "alternative": 3}


def test_questions_are_lines_of_what_the_player_sees() -> None:
    first, second = (json.loads(line) for line in prompt.ask(QUESTIONS).splitlines())
    assert (first["question"], second["question"]) == (1, 2)
    assert first["state"] == {"ante": 2, "money": 1, "jokers": ["j_joker"]}
    assert first["legal"][1] == {"action": 2, "key": "buy:b", "label": "buy:b", "policy": 0.4}


def test_reads_an_answer_to_each_question() -> None:
    answers = [{"question": 2, **GOOD}, {"question": 1, **GOOD, "alternative": 2}]
    assert prompt.read({"answers": answers}, QUESTIONS) == [
        Opinion(1, "so", 0.5, None),  # an alternative equal to the action is none
        Opinion(1, "so", 0.5, 2),
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"action": 4}, "illegal"),
        ({"action": 0}, "illegal"),
        ({"action": -1}, "illegal"),
        ({"action": "2"}, "malformed"),
        ({"action": True}, "malformed"),
        ({"action": 2.0}, "malformed"),
        ({"confidence": 1.5}, "malformed"),
        ({"confidence": float("nan")}, "malformed"),
        ({"reasoning": None}, "malformed"),
        ({"question": 3}, "missing"),
        ({"question": None}, "missing"),
    ],
)
def test_refuses_what_is_not_an_answer(changes: dict[str, Any], expected: str) -> None:
    answer = {"question": 1, **GOOD, **changes}
    assert prompt.read({"answers": [answer]}, [question(1)]) == [expected]


def test_two_answers_to_one_question_are_none() -> None:
    answers = [{"question": 1, **GOOD}, {"question": 1, **GOOD, "action": 1}]
    assert prompt.read({"answers": answers}, [question(1)]) == ["malformed"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["answers", "question", "action", "reasoning", "confidence", "x",
                         "alternative"]), inner, max_size=6,
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_whatever_comes_back_is_an_answer_or_none(tool_input: object) -> None:
    for each in prompt.read(tool_input, QUESTIONS):
        assert isinstance(each, str) or 0 <= each.choice < 3
    prompt.read_analysis(tool_input)


def test_tools_are_strict_all_the_way_down() -> None:
    def check(schema: dict[str, Any]) -> None:
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False
            assert set(schema["required"]) == set(schema["properties"])
            for inner in schema["properties"].values():
                check(inner)
        if schema.get("type") == "array":
            check(schema["items"])

    for tool in (prompt.ADVISE_TOOL, prompt.ANALYSE_TOOL):
        assert tool["strict"] is True
        check(tool["input_schema"])


def test_a_long_game_keeps_its_end() -> None:
    game = LostGame(
        game_id="g", state=State(ante=4), decisions=tuple(f"decision {n}" for n in range(1000))
    )
    text = _text(game, 5000)
    assert len(text) <= 5000
    assert text.startswith(LOST)
    assert text.endswith('"decision 999"')
    assert "earlier decisions left out" in text
