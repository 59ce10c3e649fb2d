"""What goes when the graph is over its ceiling, and what stays."""

from __future__ import annotations

import itertools

from jimbot.knowledge import GraphStore
from jimbot.knowledge.projection import fold
from jimbot.knowledge.prune import Ceiling, prune
from jimbot.knowledge.seeds import seed
from tests.metrics.events import game


def pairs(graph: GraphStore) -> set[tuple[str, str]]:
    rows = graph.run("MATCH (a:Joker)-[p:PAIRED]->(b:Joker) RETURN a.key AS a, b.key AS b")
    return {(row["a"], row["b"]) for row in rows}


def test_below_its_ceiling_nothing_goes(graph: GraphStore) -> None:
    seed(graph)
    fold(graph, [game(1, jokers=["j_a", "j_b", "j_c"])])
    with graph.transaction():
        assert prune(graph, Ceiling()) == 0
    assert len(pairs(graph)) == 3


def test_the_pairs_of_least_evidence_go(graph: GraphStore) -> None:
    often = [game(n, jokers=["j_a", "j_b"]) for n in range(1, 4)]
    twice = [game(n, jokers=["j_a", "j_c"]) for n in range(4, 6)]
    once = [game(n, jokers=["j_x", f"j_{n}"]) for n in range(6, 12)]
    fold(graph, [*often, *twice, *once], ceiling=Ceiling(pairs=3))
    assert pairs(graph) == {("j_a", "j_b"), ("j_a", "j_c"), ("j_10", "j_x")}


def test_within_the_slack_nothing_goes_yet(graph: GraphStore) -> None:
    fold(graph, [game(n, jokers=["j_x", f"j_{n}"]) for n in range(1, 5)], ceiling=Ceiling(pairs=3))
    assert len(pairs(graph)) == 4


def test_the_games_own_jokers_stay_and_mods_go(graph: GraphStore) -> None:
    jokers = seed(graph)["jokers"]
    mods = [game(n, jokers=[f"j_mod_{n}"]) for n in range(1, 10)]
    fold(graph, [*mods, game(10, jokers=["j_mod_4", "j_joker"])], ceiling=Ceiling(mod_jokers=2))
    assert graph.run("MATCH (j:Joker) WHERE j.cost IS NULL RETURN j.key AS key ORDER BY key") == [
        {"key": "j_mod_1"},
        {"key": "j_mod_4"},
    ]
    assert graph.run("MATCH (j:Joker) RETURN count(*) AS n") == [{"n": jokers + 2}]


def test_a_flood_of_mods_stays_under_the_ceiling(graph: GraphStore) -> None:
    ceiling = Ceiling(pairs=50, supports=20, combinations=10, records=10, mod_jokers=30)
    numbers = itertools.count(1)
    for batch in range(5):
        fold(
            graph,
            [
                game(
                    next(numbers),
                    won=True,
                    policy=f"p{batch}-{n}",
                    jokers=[f"j_{batch}_{n}_{k}" for k in range(4)],
                )
                for n in range(20)
            ],
            ceiling=ceiling,
        )
    for pattern, most in (
        ("()-[n:PAIRED]->()", 50),
        ("()-[n:SUPPORTS]->()", 20),
        ("(n:Combination)", 10),
        ("(n:Record)", 10),
        ("(n:Joker)", 30),
    ):
        (row,) = graph.run(f"MATCH {pattern} RETURN count(n) AS n")
        assert 0 < row["n"] <= most * 1.5
