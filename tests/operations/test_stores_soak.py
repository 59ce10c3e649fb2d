"""Two hundred writers a store, each killed at a moment of its own: `make soak`.

What was acknowledged is all there, in order, once. A few rounds run with every test.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

_PRELUDE = """
import sys
from pathlib import Path
from tests.metrics.events import game, START
path = Path(sys.argv[1])
"""

# Each writes numbered games in batches of its own size, and says how far it has come.
_WRITERS = {
    "events": """
from jimbot.events.sqlite import SQLiteEventLog
log = SQLiteEventLog(path)
at = log.position()
while True:
    batch = 1 + at % 7
    log.append([(r.stream, r.event) for r in (
        game(n, time=n, seed="x" * (n * 37 % 3000)) for n in range(at + 1, at + batch + 1))])
    at += batch
    print(at, flush=True)
""",
    "metrics": """
from jimbot.metrics.projection import fold
from jimbot.metrics.sqlite import SQLiteSeries
store = SQLiteSeries(path)
at = store.position()
while True:
    batch = 1 + at % 23
    fold(store, [game(n, time=START + n * 977) for n in range(at + 1, at + batch + 1)])
    at += batch
    print(at, flush=True)
""",
    "knowledge": """
from jimbot.knowledge.projection import fold
from jimbot.knowledge.ladybug import LadybugGraph
graph = LadybugGraph(path)
at = graph.position()
while True:
    batch = 1 + at % 23
    games = range(at + 1, at + batch + 1)
    fold(graph, [game(n, jokers=[f"j_{n % 5}", f"j_{n % 7}_x"]) for n in games])
    at += batch
    print(at, flush=True)
""",
}


def check_events(path: Path) -> int:
    from jimbot.events.sqlite import SQLiteEventLog

    log = SQLiteEventLog(path)
    at, entries = 0, []
    while page := log.read(after=at, limit=5000):
        entries += [(r.position, r.stream, r.event.timestamp) for r in page]
        at = page[-1].position
    assert entries == [(n, f"game-g{n}", n) for n in range(1, at + 1)]
    assert log.count() == at
    log.close()
    return at


def check_metrics(path: Path) -> int:
    from jimbot.metrics.sqlite import SQLiteSeries
    from tests.metrics.events import START

    store = SQLiteSeries(path)
    at = store.position()
    for step in (1000, 60_000, 3_600_000):
        found = store.range("game.finished", start=0, end=START * 2, step=step, how="count")
        assert sum(count for _, count in found) == at
    games = store.counts("deck")
    assert (games[0].games if games else 0) == at
    store.close()
    return at


def check_knowledge(path: Path) -> int:
    from jimbot.knowledge.ladybug import LadybugGraph

    graph = LadybugGraph(path)
    at = graph.position()
    for query in (
        "MATCH (n:Record {kind: 'deck'}) RETURN coalesce(sum(n.games), 0) AS games",
        "MATCH ()-[n:PAIRED]->() RETURN coalesce(sum(n.games), 0) AS games",
    ):
        assert graph.run(query) == [{"games": at}]
    graph.close()
    return at


CHECKS = {"events": check_events, "metrics": check_metrics, "knowledge": check_knowledge}


def kill_writers(name: str, path: Path, rounds: int, seed: int) -> None:
    if name == "knowledge":
        pytest.importorskip("ladybug", reason="pip install 'jimbot[embedded]'")
    rng = random.Random(seed)
    for _ in range(rounds):
        writer = subprocess.Popen(
            [sys.executable, "-c", _PRELUDE + _WRITERS[name], str(path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert writer.stdout is not None
        # Some die while they open, most while they write.
        if rng.random() < 0.9:
            writer.stdout.readline()
        time.sleep(rng.expovariate(10))
        writer.send_signal(signal.SIGKILL)
        lines = writer.communicate(timeout=20)[0].splitlines(keepends=True)
        told = [int(line) for line in lines if line.endswith("\n")]
        assert CHECKS[name](path) >= max(told, default=0)


@pytest.mark.parametrize("name", CHECKS)
def test_some_killed_writers(tmp_path: Path, name: str) -> None:
    kill_writers(name, tmp_path / "store", 4, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", CHECKS)
def test_200_killed_writers(tmp_path: Path, name: str) -> None:
    kill_writers(name, tmp_path / "store", 200, seed=2)
