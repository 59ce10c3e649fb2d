"""A server that refuses, hangs or answers late, and what is there once it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from jimbot.appliance import Home
from jimbot.knowledge import GraphError, open_graph
from jimbot.knowledge.projection import fold
from tests.metrics.events import game
from tests.proxy import Proxy

pytest.importorskip("neo4j", reason="neo4j is not installed: pip install 'jimbot[databases]'")

from jimbot.knowledge.memgraph import MIGRATIONS, MemgraphGraph

COUNT = "MATCH (n:Record {kind: 'deck'}) RETURN coalesce(sum(n.games), 0) AS games"


@pytest.fixture
def proxied(bolt: Callable[[], MemgraphGraph]) -> Iterator[tuple[MemgraphGraph, Proxy]]:
    direct = bolt()
    direct.clear()
    proxy = Proxy(int(direct.address.rsplit(":", 1)[1]))
    graph = MemgraphGraph(
        f"bolt://127.0.0.1:{proxy.port}",
        user="root",
        password="only-for-tests",
        timeout_s=1,
        breaker_failures=2,
        breaker_open_s=0.5,
        migrations=direct._migrations,
    )
    direct.close()
    yield graph, proxy
    proxy.mode = "refuse"
    graph.close()


def test_a_server_that_is_not_there_is_named_with_the_way_out() -> None:
    began = time.monotonic()
    with pytest.raises(GraphError, match=r"127.0.0.1:1 is away.*Start Memgraph"):
        MemgraphGraph("bolt://127.0.0.1:1", timeout_s=1)
    assert time.monotonic() - began < 5


def test_the_breaker_answers_for_a_server_that_is_away(
    proxied: tuple[MemgraphGraph, Proxy],
) -> None:
    graph, proxy = proxied
    proxy.mode = "refuse"
    for _ in range(2):
        with pytest.raises(GraphError, match="away"):
            graph.position()
    began = time.monotonic()
    with pytest.raises(GraphError, match="asked again in"):
        graph.position()
    assert time.monotonic() - began < 0.5


def test_what_was_folded_while_it_was_away_is_there_once(
    proxied: tuple[MemgraphGraph, Proxy],
) -> None:
    graph, proxy = proxied
    log = [game(n) for n in range(1, 61)]
    fold(graph, log[:20])
    failures = 0

    def disturb() -> None:
        for _ in range(4):
            time.sleep(0.15)
            proxy.mode = "refuse"
            time.sleep(0.1)
            proxy.mode = "open"

    disturber = threading.Thread(target=disturb)
    disturber.start()
    deadline = time.monotonic() + 30
    while (reached := _position(graph)) < 60 or disturber.is_alive():
        assert time.monotonic() < deadline
        try:
            fold(graph, log[max(reached, 0) : max(reached, 0) + 3])
        except GraphError:
            failures += 1
            time.sleep(0.1)
    disturber.join(10)
    assert failures > 0
    proxy.mode = "open"
    assert graph.run(COUNT) == [{"games": 60}]


def _position(graph: MemgraphGraph) -> int:
    try:
        return graph.position()
    except GraphError:
        return -1


def test_a_late_answer_is_an_answer(proxied: tuple[MemgraphGraph, Proxy]) -> None:
    graph, proxy = proxied
    fold(graph, [game(1)])
    proxy.mode = "late"
    assert graph.run(COUNT) == [{"games": 1}]


@pytest.mark.parametrize("write", [False, True])
def test_a_server_that_hangs_is_given_up(proxied: tuple[MemgraphGraph, Proxy], write: bool) -> None:
    graph, proxy = proxied
    fold(graph, [game(1)])
    proxy.mode = "hang"
    began = time.monotonic()
    ask = (lambda: fold(graph, [game(2)])) if write else (lambda: graph.run(COUNT))
    with pytest.raises(GraphError, match="away"):
        ask()
    assert time.monotonic() - began < 8
    proxy.mode = "refuse"
    proxy.mode = "open"
    time.sleep(0.6)
    fold(graph, [game(2)])
    assert graph.run(COUNT) == [{"games": 2}]


def test_a_newer_graph_is_left_as_it_is(bolt: Callable[[], MemgraphGraph]) -> None:
    graph = bolt()
    with graph.transaction():
        graph._set_number("schema", len(MIGRATIONS) + 1)
    with pytest.raises(GraphError, match="newer JimBot"):
        bolt()
    with graph.transaction():
        graph._set_number("schema", len(MIGRATIONS))
    graph.close()


def test_the_table_chooses_the_engine(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from jimbot.appliance.stores import Engine, Stores

    chosen = Stores(graph=Engine(engine="server", address="bolt://127.0.0.1:1"), timeout_s=1)
    monkeypatch.setattr("jimbot.appliance.stores.stores", lambda: chosen)
    with pytest.raises(GraphError, match=r"127.0.0.1:1 is away"):
        open_graph(home)
    assert not home.graph.exists()
