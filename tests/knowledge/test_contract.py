"""What every graph must do, whichever engine keeps it."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jimbot.knowledge import GraphError, GraphMissing, GraphStore
from tests.knowledge.conftest import Opener

MAKE = "MERGE (j:Joker {key: $key}) SET j.games = $games"
KEYS = "MATCH (j:Joker) RETURN j.key AS key ORDER BY key"


def keys(graph: GraphStore) -> list[str]:
    return [row["key"] for row in graph.run(KEYS)]


def make(graph: GraphStore, key: str, games: int = 0) -> None:
    graph.run(MAKE, {"key": key, "games": games})


def test_starts_empty_with_a_schema(graph: GraphStore) -> None:
    assert graph.version() >= 1
    assert graph.position() == 0
    assert keys(graph) == []


def test_rows_come_by_name_as_plain_values(graph: GraphStore) -> None:
    with graph.transaction():
        make(graph, "a", 2)
        make(graph, "b", 3)
    rows = graph.run("MATCH (j:Joker) RETURN sum(j.games) AS games, count(*) AS jokers")
    assert rows == [{"games": 5, "jokers": 2}]
    assert all(type(value) is int for value in rows[0].values())
    assert graph.run("MATCH (j:Joker) WHERE j.key = 'nobody' RETURN j.key AS key") == []


def test_a_transaction_is_all_or_nothing(graph: GraphStore) -> None:
    def stop_half_way() -> None:
        with graph.transaction():
            make(graph, "a")
            graph.set_position(5)
            assert keys(graph) == ["a"]  # it sees its own changes
            assert graph.position() == 5
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        stop_half_way()
    assert keys(graph) == []
    assert graph.position() == 0
    with graph.transaction():
        make(graph, "b")
        graph.set_position(6)
    assert (keys(graph), graph.position()) == (["b"], 6)


@pytest.mark.parametrize("more", [True, False], ids=["and more", "at its end"])
def test_a_transaction_with_a_wrong_statement_is_nothing(graph: GraphStore, more: bool) -> None:
    def go_on_regardless() -> None:
        with graph.transaction():
            make(graph, "a")
            with pytest.raises(GraphError, match="refused"):
                graph.run("this is no Cypher")
            if more:
                make(graph, "b")

    with pytest.raises(GraphError, match="given up"):
        go_on_regardless()
    assert keys(graph) == []
    with graph.transaction():
        make(graph, "c")
    assert keys(graph) == ["c"]


def test_transactions_within_one_end_with_it(graph: GraphStore) -> None:
    def stop_after_the_inner_one() -> None:
        with graph.transaction():
            with graph.transaction():
                make(graph, "a")
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        stop_after_the_inner_one()
    assert keys(graph) == []


def test_changes_outside_of_a_transaction_are_refused(graph: GraphStore) -> None:
    with pytest.raises(GraphError, match=r"outside of a transaction.*graph.transaction"):
        make(graph, "a")
    with pytest.raises(GraphError):
        graph.set_position(4)
    assert keys(graph) == []


@pytest.mark.parametrize("cypher", ["MATCH (x", "not Cypher", "RETURN 1; RETURN 2"])
def test_a_wrong_statement_is_told_and_harms_nothing(graph: GraphStore, cypher: str) -> None:
    with pytest.raises(GraphError):
        graph.run(cypher)
    assert keys(graph) == []


def test_positions_are_kept_by_projection(graph: GraphStore) -> None:
    with graph.transaction():
        graph.set_position(3)
        graph.set_position(8, "other")
    assert (graph.position(), graph.position("other"), graph.position("third")) == (3, 8, 0)


def test_all_is_there_after_opening_again(reopen: Opener) -> None:
    graph = reopen()
    with graph.transaction():
        make(graph, "ä", 4)
        graph.set_position(9)
    version = graph.version()
    graph.close()
    again = reopen()
    assert (keys(again), again.position(), again.version()) == (["ä"], 9, version)


def test_opened_for_reading_it_changes_nothing_an_older_schema_included(reopen: Opener) -> None:
    writer = reopen()
    with writer.transaction():
        make(writer, "j_joker")
        writer.run("MATCH (m:Meta {key: 'schema'}) SET m.value = 1")
    writer.close()
    reader = reopen(read_only=True)
    assert reader.version() == 1
    assert reader.run("MATCH (j:Joker) RETURN count(j) AS n") == [{"n": 1}]
    with pytest.raises(GraphError, match="reading only"), reader.transaction():
        pass
    reader.close()
    again = reopen(read_only=True)
    assert again.version() == 1
    again.close()


def test_opened_for_reading_one_that_nobody_made_is_missing(reopen: Opener) -> None:
    writer = reopen()
    with writer.transaction():
        writer.run("MATCH (n) DETACH DELETE n")
    writer.close()
    for _ in range(2):
        with pytest.raises(GraphMissing, match="init-db"):
            reopen(read_only=True)


def test_clear_forgets_everything_but_the_schema(graph: GraphStore) -> None:
    with graph.transaction():
        make(graph, "a")
        make(graph, "b")
        graph.run(
            "MATCH (a:Joker {key: 'a'}), (b:Joker {key: 'b'}) MERGE (a)-[p:PAIRED]->(b)"
            " SET p.games = 1"
        )
        graph.set_position(9)
    version = graph.version()
    graph.clear()
    assert (keys(graph), graph.position(), graph.version()) == ([], 0, version)
    assert graph.run("MATCH (a:Joker)-[p:PAIRED]->(b:Joker) RETURN count(*) AS n") == [{"n": 0}]


def test_a_closed_graph_says_so(graph: GraphStore) -> None:
    graph.close()
    graph.close()
    with pytest.raises(GraphError, match="closed"):
        graph.position()
    with pytest.raises(GraphError, match="closed"), graph.transaction():
        pass


def test_readers_go_on_beside_a_writer_and_see_whole_transactions(
    graph: GraphStore, request: pytest.FixtureRequest
) -> None:
    if "bolt" in request.node.name and "JIMBOT_TEST_MEMGRAPH" not in os.environ:
        pytest.skip("ArcadeDB, the stand-in, reads what is committed, not one snapshot")
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                (row,) = graph.run(
                    "MATCH (m:Meta {key: 'position knowledge'}), (j:Joker)"
                    " RETURN max(m.value) AS position, count(j) AS jokers"
                )
                assert (row["position"] or 0) == row["jokers"]
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 41):
            with graph.transaction():
                make(graph, f"j{number}")
                graph.set_position(number)
    finally:
        done.set()
        for thread in threads:
            thread.join(30)
    assert not failures
    assert len(keys(graph)) == 40


def test_transactions_of_several_threads_take_turns(graph: GraphStore) -> None:
    with graph.transaction():
        make(graph, "shared")

    def count() -> None:
        for _ in range(10):
            with graph.transaction():
                (row,) = graph.run("MATCH (j:Joker {key: 'shared'}) RETURN j.games AS games")
                make(graph, "shared", row["games"] + 1)

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert graph.run("MATCH (j:Joker) RETURN j.games AS games") == [{"games": 30}]


ROW = "RETURN row.t AS t, row.n AS n, row.x AS x, row.b AS b, row.l AS l"
TEXT = st.text(
    max_size=4, alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "t": TEXT
                | st.sampled_from(["a'b", "\\", "\x1e", "\x1f", "\x1d", " ", "NULL", "x,y"]),
                "n": st.integers(-(1 << 62), 1 << 62),
                "x": st.floats(allow_nan=False, allow_infinity=False),
                "b": st.booleans(),
                "l": st.lists(TEXT, min_size=1, max_size=3),
            }
        ),
        max_size=6,
    )
)
def test_rows_arrive_as_they_were_given(graph: GraphStore, rows: list[dict[str, object]]) -> None:
    assert graph.run_rows(ROW, rows) == rows


def test_rows_change_the_graph_and_see_other_parameters(graph: GraphStore) -> None:
    with graph.transaction():
        graph.run_rows(
            "MERGE (j:Joker {key: row.key}) SET j.games = row.games * $times",
            [{"key": f"j{n}", "games": n} for n in range(500)],
            {"times": 2},
        )
    assert graph.run("MATCH (j:Joker) RETURN sum(j.games) AS games") == [{"games": 249_500}]
    with pytest.raises(GraphError):
        graph.run_rows("MERGE (j:Joker {key: row.key})", [{"key": "outside"}])
