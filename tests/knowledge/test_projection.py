"""Which games leave what in the graph, and that each leaves it once."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jimbot.events import Recorded
from jimbot.knowledge import GraphError, GraphStore
from jimbot.knowledge.projection import fold
from jimbot.knowledge.prune import Ceiling
from jimbot.metrics.wilson import wilson
from tests.knowledge.conftest import Opener
from tests.metrics.events import anything, game, iteration, other

Tally = tuple[int, int]


def nodes(graph: GraphStore, label: str) -> dict[str, Tally]:
    rows = graph.run(
        f"MATCH (n:{label}) WHERE n.games > 0"
        " RETURN n.key AS key, n.games AS games, n.wins AS wins, n.confidence AS confidence"
    )
    return {row["key"]: _checked(row) for row in rows}


def edges(graph: GraphStore, label: str) -> dict[tuple[str, str], Tally]:
    rows = graph.run(
        f"MATCH (a)-[n:{label}]->(b) RETURN a.key AS a, b.key AS b,"
        " n.games AS games, n.wins AS wins, n.confidence AS confidence"
    )
    return {(row["a"], row["b"]): _checked(row) for row in rows}


def combinations(graph: GraphStore) -> dict[tuple[str, ...], dict[str, Any]]:
    rows = graph.run(
        "MATCH (c:Combination) OPTIONAL MATCH (j:Joker)-[:PART_OF]->(c)"
        " WITH c, count(j) AS parts RETURN c.jokers AS jokers, c.wins AS wins, c.game AS game,"
        " c.last AS last, parts AS parts"
    )
    assert all(row["parts"] == len(row["jokers"]) for row in rows)
    return {
        tuple(row["jokers"]): {name: row[name] for name in ("wins", "game", "last")} for row in rows
    }


def _checked(row: dict[str, Any]) -> Tally:
    """Games and wins; the confidence is what they say, never a number of its own."""
    assert row["confidence"] == pytest.approx(wilson(row["wins"], row["games"])[0], abs=1e-12)
    return row["games"], row["wins"]


def contents(graph: GraphStore) -> tuple[object, ...]:
    return (
        graph.position(),
        [nodes(graph, label) for label in ("Joker", "Hand", "Record")],
        edges(graph, "PAIRED"),
        edges(graph, "SUPPORTS"),
        combinations(graph),
    )


def test_one_won_game(graph: GraphStore) -> None:
    won = game(
        5, won=True, ante=8, jokers=["j_b", "j_a", "j_c", "j_a"], hands={"Flush": 5, "Pair": 2}
    )
    assert fold(graph, [won]) == 1
    once = (1, 1)
    assert graph.position() == 5
    assert nodes(graph, "Joker") == {"j_a": once, "j_b": once, "j_c": once}
    assert nodes(graph, "Hand") == {"Flush": once}
    assert nodes(graph, "Record") == {
        "deck Red": once,
        "stake White": once,
        "policy heuristic": once,
        "ante 8": once,
    }
    assert edges(graph, "PAIRED") == {
        ("j_a", "j_b"): once,
        ("j_a", "j_c"): once,
        ("j_b", "j_c"): once,
    }
    assert edges(graph, "SUPPORTS") == {
        ("j_a", "Flush"): once,
        ("j_b", "Flush"): once,
        ("j_c", "Flush"): once,
    }
    assert combinations(graph) == {("j_a", "j_b", "j_c"): {"wins": 1, "game": "g5", "last": 5}}


def test_counts_add_up_over_games_and_batches(graph: GraphStore) -> None:
    fold(graph, [game(1, won=True, jokers=["j_a", "j_b"]), game(2, jokers=["j_a", "j_b"])])
    fold(graph, [game(3, won=True, jokers=["j_b", "j_a"]), game(4, jokers=["j_a"])])
    assert edges(graph, "PAIRED") == {("j_a", "j_b"): (3, 2)}
    assert nodes(graph, "Joker") == {"j_a": (4, 2), "j_b": (3, 2)}
    assert combinations(graph) == {("j_a", "j_b"): {"wins": 2, "game": "g3", "last": 3}}


@pytest.mark.parametrize(
    ("event", "left"),
    {
        "no jokers and no hands": (game(1, jokers=[], hands={}, won=True), {"Record": 4}),
        "one joker, equal hands": (
            game(1, jokers=["j_a"], hands={"Pair": 2, "Flush": 2, "High Card": 0}),
            {"Record": 4, "Joker": 1, "Hand": 1, "SUPPORTS": 1},
        ),
        "an unreadable game": (other(1, "GAME_FINISHED", won=1), {}),
        "a game with half a character": (game(1, jokers=["\ud800"]), {}),
        "a game with a number that no store holds": (game(1, ante=1 << 70), {}),
        "an iteration": (iteration(1), {}),
        "an action": (other(1, "GAME_ACTION", game_id="g"), {}),
        "a joker of a mod": (
            game(1, jokers=["j_mod_quote'\"}", "j_b"], hands={}),
            {"Record": 4, "Joker": 2, "PAIRED": 1},
        ),
        "more jokers than pairs are kept of": (
            game(1, jokers=[f"j_{n:04d}" for n in range(500)], hands={}),
            {"Record": 4, "Joker": 40, "PAIRED": 40 * 39 // 2},
        ),
    }.values(),
)
def test_what_an_event_leaves(graph: GraphStore, event: Recorded, left: dict[str, int]) -> None:
    assert fold(graph, [event]) == 1
    assert graph.position() == 1
    found = {label: len(nodes(graph, label)) for label in ("Joker", "Hand", "Record")}
    found |= {label: len(edges(graph, label)) for label in ("PAIRED", "SUPPORTS")}
    assert {label: count for label, count in found.items() if count} == left


def test_of_equal_hands_the_first_by_name_counts(graph: GraphStore) -> None:
    fold(graph, [game(1, hands={"Pair": 2, "Flush": 2})])
    assert list(nodes(graph, "Hand")) == ["Flush"]


def test_fold_goes_as_far_as_the_log_was_read(graph: GraphStore) -> None:
    assert fold(graph, [game(3)], position=10) == 1
    assert fold(graph, [game(7)], position=8) == 0
    assert (graph.position(), nodes(graph, "Joker")["j_joker"]) == (10, (1, 0))
    assert fold(graph, [], position=20) == 0
    assert graph.position() == 20


def test_a_batch_that_failed_may_be_given_again(
    graph: GraphStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = [game(1, won=True), game(2)]
    with monkeypatch.context() as patched:

        def fail(*_: object) -> None:
            raise GraphError("no disk")

        patched.setattr(type(graph), "set_position", fail)
        with pytest.raises(GraphError, match="no disk"):
            fold(graph, log)
    assert contents(graph) == (0, [{}, {}, {}], {}, {}, {})
    assert fold(graph, log) == 2
    assert nodes(graph, "Joker")["j_joker"] == (2, 1)


def _log(rng: random.Random, length: int) -> list[Recorded]:
    def one(position: int) -> Recorded:
        if rng.random() < 0.1:
            return other(position, rng.choice(["GAME_ACTION", "GAME_FINISHED"]), game_id="x")
        return game(
            position,
            won=rng.random() < 0.4,
            ante=rng.randrange(1, 9),
            jokers=[f"j_{rng.randrange(6)}" for _ in range(rng.randrange(5))],
            hands={hand: rng.randrange(3) for hand in ("Pair", "Flush", "Straight")},
            deck=rng.choice(["Red", "Blue"]),
            policy=rng.choice(["ppo", "heuristic"]),
        )

    return [one(position) for position in range(1, length + 1)]


@pytest.mark.parametrize("seed", range(3))
def test_any_batching_with_repeats_gives_the_same_graph(
    tmp_path: Path, reopen: Opener, seed: int
) -> None:
    rng = random.Random(seed)
    log = _log(rng, 80)
    graph = reopen()
    fold(graph, log)
    whole = contents(graph)
    graph.clear()
    done = 0
    while done < len(log):
        begin = max(0, done - rng.randrange(10))
        done = max(done, begin + rng.randrange(1, 40))
        fold(graph, log[begin:done])
        if rng.random() < 0.3:
            graph.close()
            graph = reopen()
    assert contents(graph) == whole


def test_of_too_many_combinations_the_best_and_newest_stay(graph: GraphStore) -> None:
    jokers = ["j_a", "j_b", "j_c", "j_d", "j_e"]
    log = [game(1, won=True, jokers=["j_a"]), game(2, won=True, jokers=["j_a"])]
    log += [game(n, won=True, jokers=[jokers[n - 2]]) for n in range(3, 7)]
    fold(graph, log, ceiling=Ceiling(combinations=3))
    assert set(combinations(graph)) == {("j_a",), ("j_d",), ("j_e",)}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(anything(), min_size=1, max_size=4))
def test_no_event_stops_the_projection(graph: GraphStore, events: list[Recorded]) -> None:
    position = graph.position()
    log = [entry._replace(position=position + at) for at, entry in enumerate(events, 1)]
    assert fold(graph, log) == len(log)
    assert graph.position() == position + len(log)


def test_a_graph_that_was_emptied_meanwhile_gets_no_hole(graph: GraphStore) -> None:
    fold(graph, [game(1), game(2)])
    graph.clear()
    with pytest.raises(GraphError, match="at position 0 of the log, not at 2: it was emptied"):
        fold(graph, [game(3)], after=2)
    assert graph.position() == 0
    assert nodes(graph, "Joker") == {}
