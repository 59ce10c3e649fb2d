from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jimbot.appliance import Home
from jimbot.cli import main


def _init(home: Home, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home.path), "init-db", *arguments])


def test_the_three_stores_are_made_with_the_game_s_knowledge(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    done = _init(home)
    assert done.exit_code == 0, done.output
    assert home.event_log.exists()
    assert home.series.exists()
    assert home.graph.exists()
    from jimbot.knowledge import open_graph

    graph = open_graph(home)
    try:
        assert graph.run("MATCH (j:Joker) RETURN count(j) AS n")[0]["n"] == 150
    finally:
        graph.close()


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    _init(home)
    before = {path: path.read_bytes() for path in (home.event_log, home.series)}
    again = _init(home, "--json")
    assert again.exit_code == 0
    assert set(json.loads(again.stdout)) == {"events", "metrics", "knowledge"}
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("store", ["event_log", "series", "graph"])
def test_a_damaged_store_is_named_and_left_as_it_is(tmp_path: Path, store: str) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    path: Path = getattr(home, store)
    path.write_bytes(b"not a database " * 400)
    done = _init(home)
    assert done.exit_code == 2
    assert str(path) in done.stderr
    assert done.stderr.count("\n") == 1
    assert path.read_bytes() == b"not a database " * 400
