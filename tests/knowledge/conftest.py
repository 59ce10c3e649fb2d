from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jimbot.knowledge import GraphStore
from jimbot.operations.ports import free as free_ports

Opener = Callable[..., GraphStore]


@pytest.fixture(scope="session")
def bolt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opener]:
    """Opens the graph on a server: the one at JIMBOT_TEST_MEMGRAPH, which is emptied, else ours."""
    pytest.importorskip("neo4j", reason="neo4j is not installed: pip install 'jimbot[databases]'")
    from jimbot.knowledge.memgraph import MIGRATIONS, MemgraphGraph

    if address := os.environ.get("JIMBOT_TEST_MEMGRAPH"):
        yield lambda **options: MemgraphGraph(address, **options)
        return
    pytest.importorskip("arcadedb_embedded", reason="pip install arcadedb-embedded")
    port, http_port = free_ports(2)
    directory = tmp_path_factory.mktemp("bolt")
    with (directory / "stderr").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.knowledge.bolt", directory, str(port), str(http_port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=directory,  # where it writes a log of its own
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
    assert server.stdout is not None
    for line in server.stdout:
        if line == "ready\n":
            break
    # ArcadeDB lays out schemas in words of its own.
    words = tuple(
        tuple(
            statement.replace(" ON (", " IF NOT EXISTS FOR (").replace("ASSERT", "REQUIRE")
            for statement in step
            if "CONSTRAINT" in statement
        )
        for step in MIGRATIONS
    )
    login = {"user": "root", "password": "only-for-tests"}
    yield lambda **options: MemgraphGraph(
        f"bolt://127.0.0.1:{port}", **login, **{"migrations": words, **options}
    )
    server.kill()
    server.wait(20)


@pytest.fixture(params=["ladybug", "ladybug cached", "bolt"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens the same graph again and again; an engine is one more parameter."""
    opened: list[GraphStore] = []
    if request.param == "bolt":
        on_server = request.getfixturevalue("bolt")
        emptied = on_server()
        emptied.clear()
        emptied.close()
        engine: Opener = on_server
    else:
        pytest.importorskip(
            "ladybug", reason="ladybug is not installed: pip install 'jimbot[embedded]'"
        )
        from jimbot.knowledge.cache import CachedGraph
        from jimbot.knowledge.ladybug import LadybugGraph

        def engine(**options: Any) -> GraphStore:
            graph = LadybugGraph(tmp_path / "knowledge" / "graph.ladybug", **options)
            return CachedGraph(graph) if "cached" in request.param else graph

    def open_it(**options: Any) -> GraphStore:
        opened.append(engine(**options))
        return opened[-1]

    yield open_it
    for graph in opened:
        with contextlib.suppress(Exception):
            graph.close()


@pytest.fixture
def graph(reopen: Opener) -> GraphStore:
    return reopen()
