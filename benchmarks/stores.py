"""How fast the projections follow and answer: `python -m benchmarks.stores [--json] [--games N]`.

- projection: finished games a second from the log's form into the series and into the graph, in
  batches as a follower that is far behind reads them;
- follow: a log read from its file and folded: games as training leaves them, one in
  `training.record_one_in` kept action by action. `_log_events_per_s` counts every event of the log,
  most of which no projection reads; `_folded_events_per_s`, those that were folded;
- series: how long questions of the dashboard take over the last quarter of a day and over
  everything, with a million points of one name;
- history: the same over a year of ten million points, raw ones kept for a week;
- graph: the advisor's questions with all games folded in (100,000 games are a million pairs),
  median and 95th percentile: `_new` right after the graph has changed, the others as they come;
- edges: the same once mods' jokers have brought it to a million edges;
- memory: what each store adds to the process, in MiB.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from jimbot.appliance import load
from jimbot.events import Event, EventLog, Recorded
from jimbot.events.sqlite import SQLiteEventLog
from jimbot.game import catalogue
from jimbot.game.hands import HAND_NAMES
from jimbot.knowledge import projection as knowledge
from jimbot.knowledge import queries as graph_queries
from jimbot.knowledge.cache import CachedGraph
from jimbot.knowledge.ladybug import LadybugGraph
from jimbot.knowledge.seeds import seed
from jimbot.metrics import Keep, Point, queries
from jimbot.metrics import projection as metrics
from jimbot.metrics.sqlite import SQLiteSeries

BATCH, GRAPH_BATCH = 1000, 10_000
MINUTE, HOUR, DAY = queries.MINUTE, queries.HOUR, queries.DAY
# 20,000 games an hour, the appliance's aim on two cores.
EVERY_MS = HOUR // 20_000
END = 1_800_000_000_000 // DAY * DAY


def games(count: int, size: int = BATCH) -> Iterator[list[Recorded]]:
    """Batches of finished games: jokers drawn as a shop deals them, commons more than rares."""
    rng = random.Random(1)
    keys = [joker.key for joker in catalogue.JOKERS]
    weights = [(70, 25, 5, 1)[joker.rarity - 1] for joker in catalogue.JOKERS]
    for begin in range(0, count, size):
        batch = []
        for number in range(begin + 1, min(begin + size, count) + 1):
            won = rng.random() < 0.2
            payload = {
                "game_id": f"g{number}",
                "seed": f"{number:08d}",
                "deck": catalogue.DECKS[number % 15],
                "stake": "White",
                "policy": "ppo",
                "won": won,
                "ante": 8 if won else rng.randrange(1, 8),
                "round": rng.randrange(1, 24),
                "best_hand": rng.lognormvariate(8, 2),
                "money": rng.randrange(100),
                "actions": rng.randrange(40, 300),
                "duration_ms": rng.uniform(20, 80),
                "jokers": rng.choices(keys, weights, k=5),
                "hands": {hand: rng.randrange(6) for hand in rng.sample(HAND_NAMES[:9], 4)},
            }
            at = END - (count - number) * EVERY_MS
            event = Event(type="GAME_FINISHED", source="bench", timestamp=at, payload=payload)
            batch.append(Recorded(number, f"game-g{number}", 0, event))
        yield batch


def folded(
    fold: Callable[[list[Recorded]], object], count: int, size: int = BATCH
) -> tuple[float, float]:
    """Games a second, and the slowest batch in ms."""
    spent = slowest = 0.0
    for batch in games(count, size):
        began = time.perf_counter()
        fold(batch)
        took = time.perf_counter() - began
        spent, slowest = spent + took, max(slowest, took)
    return count / spent, slowest * 1000


def write_log(log: EventLog, count: int, one_in: int) -> int:
    """A log of so many games, one in `one_in` with its actions; how many events it has."""
    actions = 200
    for batch in games(count):
        items = []
        for entry in batch:
            game = entry.event.payload["game_id"]
            if entry.position % one_in == 0:
                items += [(f"game-{game}", action(n, game)) for n in range(actions)]
            items.append((f"game-{game}", entry.event))
        log.append(items)
    return log.position()


def action(number: int, game: str) -> Event:
    payload = {"game_id": game, "number": number, "action": [0, 0, [1, 2, 3]], "digest": "0" * 16}
    return Event(type="GAME_ACTION", source="bench", payload=payload)


def measure_follow(directory: Path, count: int) -> dict[str, float]:
    """What a projection that begins anew does with a log, as `Follower` reads it."""
    log = SQLiteEventLog(directory / "log.sqlite")
    events = write_log(log, count, load().training.record_one_in)
    figures: dict[str, float] = {"follow_log_events": events}
    series = SQLiteSeries(directory / "followed.sqlite")
    graph = CachedGraph(LadybugGraph(directory / "followed.ladybug"))
    seed(graph)
    for name, store, room, size in (
        ("series", series, metrics, BATCH),
        ("graph", graph, knowledge, GRAPH_BATCH),
    ):
        began = time.perf_counter()
        reached, head, done = 0, log.position(), 0
        while reached < head:
            batch = log.read(after=reached, limit=size, types=room.TYPES)
            reached = batch[-1].position if len(batch) == size else head
            done += room.fold(store, batch, position=reached)
        took = time.perf_counter() - began
        figures[f"follow_{name}_log_events_per_s"] = events / took
        figures[f"follow_{name}_folded_events_per_s"] = done / took
        store.close()
    log.close()
    return figures


def timed(ask: Callable[[], object], times: int) -> tuple[float, float]:
    """Median and 95th percentile, ms."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), statistics.quantiles(took, n=20)[-1]


def memory_mb() -> float:
    return float(psutil.Process().memory_info().rss) / (1 << 20)


def measure_series(path: Path, count: int, points: int) -> dict[str, float]:
    before = memory_mb()
    store = SQLiteSeries(path)
    rate, slowest = folded(lambda batch: metrics.fold(store, batch), count)
    figures = {"series_projection_games_per_s": rate, "series_slowest_batch_ms": slowest}
    rng = random.Random(2)
    began = time.perf_counter()
    for begin in range(0, points, 10_000):
        store.write(
            [
                Point("wide", END - (points - number) * EVERY_MS, rng.random())
                for number in range(begin, begin + 10_000)
            ]
        )
    figures["series_points_per_s"] = points / (time.perf_counter() - began)
    start = END - points * EVERY_MS
    for name, ask in {
        "mean_by_hour_all": lambda: store.range(
            "wide", start=start, end=END, step=HOUR, how="mean"
        ),
        "last_by_10min_all": lambda: store.range(
            "wide", start=start, end=END, step=10 * MINUTE, how="last"
        ),
        "mean_total_all": lambda: store.total("wide", start + 1, END - 1, "mean"),
        "mean_by_second_1h": lambda: store.range(
            "wide", start=END - HOUR, end=END, step=1000, how="mean"
        ),
        "p95_by_minute_6h": lambda: store.range(
            "wide", start=END - 6 * HOUR, end=END, step=MINUTE, how="p95"
        ),
        "p95_by_hour_all": lambda: store.range("wide", start=start, end=END, step=HOUR, how="p95"),
        "games_per_hour": lambda: queries.games_per_hour(store, END),
        "win_rate_day": lambda: queries.win_rate(store, END - DAY, END),
        "recent_games": lambda: store.recent_games(50),
    }.items():
        figures[f"series_{name}_ms"] = timed(ask, 5 if name == "p95_by_hour_all" else 20)[0]
    figures["series_memory_mb"] = memory_mb() - before
    figures["series_file_mb"] = path.stat().st_size / (1 << 20)
    store.close()
    return figures


def measure_history(path: Path, points: int) -> dict[str, float]:
    """A year of points, written hour by hour, forgotten as the table says."""
    store = SQLiteSeries(path)
    keep = Keep(raw=7 * DAY, minutes=30 * DAY, hours=365 * DAY, games=30 * DAY)
    rng = random.Random(4)
    start, hours = END - 365 * DAY, 365 * 24
    began = time.perf_counter()
    for hour in range(hours):
        at = start + hour * HOUR
        count = points // hours
        batch = [
            Point("wide", at + n * HOUR // count, rng.lognormvariate(3, 1), {"policy": "ab"[n % 2]})
            for n in range(count)
        ]
        store.write(batch)
        if hour % 720 == 719:
            store.retain(at, keep)
    store.retain(END, keep)
    figures = {"history_points_per_s": points / (time.perf_counter() - began)}
    for name, ask in {
        "mean_by_day_year": lambda: store.range("wide", start=start, end=END, step=DAY, how="mean"),
        "p95_by_day_year": lambda: store.range("wide", start=start, end=END, step=DAY, how="p95"),
        "mean_by_hour_month": lambda: store.range(
            "wide", start=END - 30 * DAY, end=END, step=HOUR, how="mean"
        ),
        "count_by_5min_day": lambda: store.range(
            "wide", start=END - DAY, end=END, step=5 * MINUTE, how="count"
        ),
        "p95_by_hour_week": lambda: store.range(
            "wide", start=END - 7 * DAY, end=END, step=HOUR, how="p95"
        ),
        "sum_year": lambda: store.total("wide", start + 1, END, "sum"),
        "latest": lambda: store.latest("wide"),
    }.items():
        median, p95 = timed(ask, 20)
        figures[f"history_{name}_ms"], figures[f"history_{name}_p95_ms"] = median, p95
    figures["history_file_mb"] = path.stat().st_size / (1 << 20)
    store.close()
    return figures


def measure_graph(path: Path, count: int, edges: int) -> dict[str, float]:
    before = memory_mb()
    graph = CachedGraph(LadybugGraph(path))
    seed(graph)
    rate, slowest = folded(lambda batch: knowledge.fold(graph, batch), count, GRAPH_BATCH)
    figures = {"graph_projection_games_per_s": rate, "graph_slowest_batch_ms": slowest}
    figures |= ask_graph(graph, "graph")
    figures["graph_memory_mb"] = memory_mb() - before
    if edges:
        figures["edges"] = grow(graph, edges)
        figures |= ask_graph(graph, "edges")
        figures["edges_memory_mb"] = memory_mb() - before
    graph.close()
    figures["graph_file_mb"] = path.stat().st_size / (1 << 20)
    return figures


def ask_graph(graph: CachedGraph, prefix: str) -> dict[str, float]:
    figures = {}
    rng = random.Random(3)
    keys = [joker.key for joker in catalogue.JOKERS]

    def held() -> list[str]:
        return rng.sample(keys, 4)

    for name, ask in {
        "synergies": lambda: graph_queries.synergies(graph, held()),
        "next_jokers": lambda: graph_queries.next_jokers(graph, held(), money=6),
        "next_of_shop": lambda: graph_queries.next_jokers(graph, held(), among=held()),
        "hands_for": lambda: graph_queries.hands_for(graph, held()),
        "combinations": lambda: graph_queries.combinations_that_won(graph, held()),
        "top_pairs": lambda: graph_queries.top_pairs(graph),
    }.items():
        took = []
        for _ in range(60):
            graph._forget()
            began = time.perf_counter()
            ask()
            took.append((time.perf_counter() - began) * 1000)
        figures[f"{prefix}_{name}_new_p50_ms"] = statistics.median(took)
        figures[f"{prefix}_{name}_new_p95_ms"] = statistics.quantiles(took, n=20)[-1]
        figures[f"{prefix}_{name}_p50_ms"], figures[f"{prefix}_{name}_p95_ms"] = timed(ask, 500)
    return figures


def grow(graph: CachedGraph, edges: int) -> int:
    """Pair jokers of mods with all others until there are so many edges; how many there are."""
    count = "MATCH ()-[e]->() RETURN count(e) AS count"
    missing = edges - graph.run(count)[0]["count"]
    rng = random.Random(5)
    known = [joker.key for joker in catalogue.JOKERS]
    while missing > 0:
        modded = f"j_mod_{len(known)}"
        rows = [
            {"a": key, "b": modded, "games": (games := rng.randrange(1, 1000)), "wins": games // 5}
            for key in known[:missing]
        ]
        with graph.transaction():
            graph.run("CREATE (:Joker {key: $key, name: $key})", {"key": modded})
            graph.run_rows(
                "MATCH (a:Joker {key: row.a}), (b:Joker {key: row.b}) CREATE (a)-[:PAIRED"
                " {games: row.games, wins: row.wins, confidence: 0.8 * row.wins / row.games}]->(b)",
                rows,
            )
        known.append(modded)
        missing -= len(rows)
    return int(graph.run(count)[0]["count"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--games", type=int, default=100_000)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--history", type=int, default=10_000_000)
    parser.add_argument("--edges", type=int, default=1_000_000)
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as directory:
        print("series ...", file=sys.stderr)
        figures |= measure_series(Path(directory) / "series.sqlite", options.games, options.points)
        print("history ...", file=sys.stderr)
        if options.history:
            figures |= measure_history(Path(directory) / "history.sqlite", options.history)
        print("follow ...", file=sys.stderr)
        figures |= measure_follow(Path(directory), options.games)
        print("graph ...", file=sys.stderr)
        figures |= measure_graph(Path(directory) / "graph.ladybug", options.games, options.edges)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:36} {value:12,.1f}")


if __name__ == "__main__":
    main()
