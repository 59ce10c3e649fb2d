"""That the cache answers at once, and never with what is no longer so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ladybug", reason="ladybug is not installed: pip install 'jimbot[embedded]'")

from jimbot.knowledge import queries
from jimbot.knowledge.cache import CachedGraph
from jimbot.knowledge.ladybug import LadybugGraph
from jimbot.knowledge.projection import fold
from jimbot.knowledge.seeds import seed
from tests.metrics.events import game

COUNT = "MATCH (j:Joker) RETURN count(*) AS n"


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[CachedGraph]:
    graph = CachedGraph(LadybugGraph(tmp_path / "graph.ladybug"))
    yield graph
    graph.close()


def test_the_second_answer_is_not_asked_for(graph: CachedGraph) -> None:
    assert graph.run(COUNT) is graph.run(COUNT)
    assert (graph.hits, graph.misses) == (1, 1)
    graph.run("RETURN $a AS a", {"a": 1})
    assert graph.run("RETURN $a AS a", {"a": 2}) == [{"a": 2}]


def test_a_change_is_seen_at_once(graph: CachedGraph) -> None:
    assert graph.run(COUNT) == [{"n": 0}]
    with graph.transaction():
        graph.run("CREATE (:Joker {key: 'a'})")
        assert graph.run(COUNT) == [{"n": 1}]
    assert graph.run(COUNT) == [{"n": 1}]
    graph.clear()
    assert graph.run(COUNT) == [{"n": 0}]


def test_others_do_not_see_what_is_not_committed(graph: CachedGraph) -> None:
    seen = []
    with graph.transaction():
        graph.run("CREATE (:Joker {key: 'a'})")
        reader = threading.Thread(target=lambda: seen.append(graph.run(COUNT)))
        reader.start()
        reader.join(20)
    assert seen == [[{"n": 0}]]
    assert graph.run(COUNT) == [{"n": 1}]


def test_an_answer_from_before_a_change_is_not_kept(
    graph: CachedGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = graph.graph.run

    def change_meanwhile(cypher: str, parameters: object = None) -> object:
        rows = ask(cypher)
        monkeypatch.setattr(graph.graph, "run", ask)
        with graph.transaction():
            graph.run("CREATE (:Joker {key: 'a'})")
        return rows

    monkeypatch.setattr(graph.graph, "run", change_meanwhile)
    assert graph.run(COUNT) == [{"n": 0}]
    assert graph.run(COUNT) == [{"n": 1}]


def test_it_keeps_no_more_than_it_may(tmp_path: Path) -> None:
    graph = CachedGraph(LadybugGraph(tmp_path / "small.ladybug"), entries=2)
    for value in (1, 2, 1, 3, 1):
        graph.run("RETURN $a AS a", {"a": value})
    assert (graph.hits, graph.misses) == (2, 3)
    graph.run("RETURN $a AS a", {"a": 2})  # was used longest ago
    assert graph.misses == 4
    graph.close()


def test_questions_about_the_same_jokers_share_their_answers(graph: CachedGraph) -> None:
    seed(graph)
    fold(graph, [game(n, jokers=["j_joker", "j_mime", "j_jolly"]) for n in range(1, 9)])
    queries.synergies(graph, ["j_joker", "j_mime"])
    misses = graph.misses
    assert queries.next_jokers(graph, ["j_mime", "j_joker"])[0].key == "j_jolly"
    assert queries.synergies(graph, ["j_joker"])
    assert graph.misses == misses
    fold(graph, [game(9, won=True, jokers=["j_joker", "j_zany"])])
    assert queries.synergies(graph, ["j_joker"])[0].second == "j_zany"
