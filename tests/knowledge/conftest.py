from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jimbot.knowledge import GraphStore

Opener = Callable[[], GraphStore]


@pytest.fixture(params=["ladybug", "ladybug cached"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens the same graph again and again; an engine is one more parameter."""
    pytest.importorskip(
        "ladybug", reason="ladybug is not installed: pip install 'jimbot[embedded]'"
    )
    from jimbot.knowledge.cache import CachedGraph
    from jimbot.knowledge.ladybug import LadybugGraph

    opened: list[GraphStore] = []

    def open_it() -> GraphStore:
        engine: GraphStore = LadybugGraph(tmp_path / "knowledge" / "graph.ladybug")
        opened.append(CachedGraph(engine) if "cached" in request.param else engine)
        return opened[-1]

    yield open_it
    for graph in opened:
        graph.close()


@pytest.fixture
def graph(reopen: Opener) -> GraphStore:
    return reopen()
