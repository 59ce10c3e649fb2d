"""`open_graph` and `init`: where a home keeps its graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from jimbot.appliance import Home
from jimbot.knowledge import GraphMissing, init, open_graph

pytest.importorskip("ladybug", reason="ladybug is not installed: pip install 'jimbot[embedded]'")


def test_init_twice_says_what_was_there(tmp_path: Path) -> None:
    home = Home(tmp_path)
    made, known = init(home)
    assert made.startswith(f"graph {home.graph}: created, schema ")
    assert known.startswith("game knowledge: 150 jokers, 12 hands, 15 decks, 8 stakes, ")
    graph = open_graph(home)
    with graph.transaction():
        graph.set_position(12)
    graph.close()
    again, same = init(home)
    assert again.startswith(
        f"graph {home.graph}: already there, at position 12 of the log, schema "
    )
    assert same == known


def test_an_opened_graph_knows_the_game(tmp_path: Path) -> None:
    graph = open_graph(Home(tmp_path))
    assert graph.run("MATCH (j:Joker) RETURN count(*) AS n") == [{"n": 150}]
    graph.close()


def test_reading_only_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(GraphMissing):
        open_graph(Home(tmp_path), read_only=True)
    assert list(tmp_path.iterdir()) == []
