"""The knowledge graph as an adviser: only measured figures speak."""

from __future__ import annotations

from typing import Any

from jimbot.claude.graph import Figures, KnowledgeGraph
from jimbot.claude.question import Choice, State
from jimbot.claude.strategist import Opinion
from tests.claude.conftest import Make, question, run


def row(key: str, confidence: float, games: int = 100) -> dict[str, Any]:
    return {"key": key, "confidence": confidence, "games": games}


FIGURES = {
    "jokers": [row("j_a", 0.1), row("j_b", 0.3), row("j_c", 0.2), row("j_new", 0.9, games=3)],
    "pairs": [{"jokers": ["j_held", "j_c"], "confidence": 0.5, "games": 40}],
}


def offered(*keys: str, held: tuple[str, ...] = ()) -> Any:
    legal = tuple(Choice(key=key, label=key) for key in (*keys, "leave"))
    return question(legal=legal, probabilities=(), state=State(jokers=held))


async def suggested(asked: Any) -> str | None:
    graph = KnowledgeGraph("http://127.0.0.1:9")
    assert await graph.suggest(asked, 1) is None, "it has no figures yet"
    graph.figures = Figures(FIGURES)
    opinion = await graph.suggest(asked, 1)
    return asked.legal[opinion.choice].key if opinion else None


def test_suggests_the_joker_that_won_most_surely_with_those_held() -> None:
    async def main() -> None:
        assert await suggested(offered("buy:j_a", "buy:j_b")) == "buy:j_b"
        assert await suggested(offered("buy:j_b", "buy:j_c", held=("j_held",))) == "buy:j_c"
        assert await suggested(offered("buy:j_a")) is None, "less than usual"
        assert await suggested(offered("buy:j_new")) is None, "seen too rarely"
        assert await suggested(offered("buy:j_stranger")) is None
        assert await suggested(offered("reroll")) is None
        plays = offered("buy:j_b").model_copy(update={"kind": "play"})
        assert await suggested(plays) is None

    run(main())


def test_its_figures_without_pairs_are_read_too() -> None:
    assert Figures({"jokers": [row("j_a", 0.1)], "pairs": None}).pairs == {}


def test_it_answers_when_claude_is_not_heard(bench: Make) -> None:
    class Fixed:
        def __init__(self, choice: int) -> None:
            self.choice = choice

        async def suggest(self, asked: Any, timeout_s: float) -> Opinion | None:
            return Opinion(self.choice, "measured", 0.4)

    async def main() -> None:
        async with bench(graph=Fixed(0), least_value=1.0) as b:
            advice = await b.gateway.advise(question(1))
            assert (advice.source, advice.index, advice.declined) == ("graph", 0, "low value")
        async with bench(graph=Fixed(9), least_value=1.0) as b:
            advice = await b.gateway.advise(question(1))
            assert advice.source == "strategist"
            assert b.metric("answers_refused_total", reason="illegal") == 1

    run(main())
