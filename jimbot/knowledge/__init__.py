"""The knowledge graph: what exists in Balatro, and what the games have shown about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jimbot.knowledge.graph import GraphError, GraphMissing, GraphStore

if TYPE_CHECKING:
    from jimbot.appliance import Home

__all__ = ["GraphError", "GraphMissing", "GraphStore", "init", "open_graph"]


def open_graph(home: Home, *, read_only: bool = False) -> GraphStore:
    """The graph of one home, which knows the game; the place that chooses its engine.

    Raises:
        MissingExtra: the engine is not installed.
        GraphMissing: to be read only, and nobody has made it yet.
        GraphError: it cannot be used; says why and what to do.
    """
    from jimbot.knowledge.cache import CachedGraph
    from jimbot.knowledge.seeds import seed

    graph = CachedGraph(_open_engine(home, read_only))
    if not read_only:
        try:
            seed(graph)
        except BaseException:
            graph.close()
            raise
    return graph


def _open_engine(home: Home, read_only: bool) -> GraphStore:
    from jimbot.appliance import stores

    chosen = stores.stores()
    if chosen.graph.engine == "server":
        from jimbot.knowledge.memgraph import MemgraphGraph

        user, password = chosen.graph.login(home, read_only=read_only)
        return MemgraphGraph(
            chosen.graph.address,
            user=user,
            password=password,
            read_only=read_only,
            timeout_s=chosen.timeout_s,
            breaker_failures=chosen.breaker_failures,
            breaker_open_s=chosen.breaker_open_s,
        )
    from jimbot.knowledge.ladybug import LadybugGraph

    return LadybugGraph(home.graph, read_only=read_only)


def init(home: Home) -> list[str]:
    """Make the graph if there is none and bring its knowledge of the game up to date.

    Returns lines for people on what was done.

    Raises:
        MissingExtra: the engine is not installed.
        GraphError: it cannot be made, or is there and cannot be used.
    """
    from jimbot.knowledge.seeds import seed

    existed = home.graph.exists()
    graph = open_graph(home)
    try:
        known = ", ".join(f"{count} {what}" for what, count in seed(graph).items())
        version, position = graph.version(), graph.position()
    finally:
        graph.close()
    state = f"already there, at position {position} of the log" if existed else "created"
    return [f"graph {home.graph}: {state}, schema {version}", f"game knowledge: {known}"]
