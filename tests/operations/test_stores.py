"""What an operator sees and does: status, migrate, rebuild, retain."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from typing import Any

import pytest
from click.testing import CliRunner

from jimbot.analytics.projections import Projections
from jimbot.appliance import Home
from jimbot.appliance.retention import GraphRetention, LogRetention, Retention, SeriesRetention
from jimbot.cli import Options
from jimbot.cli.db import command
from jimbot.errors import JimbotError
from jimbot.events import Event, open_log
from jimbot.metrics import SeriesError, SeriesStore, open_series, projection
from jimbot.metrics.projection import fold
from jimbot.operations import stores
from tests.metrics.events import START, game

pytest.importorskip("ladybug", reason="ladybug is not installed: pip install 'jimbot[embedded]'")


@pytest.fixture
def filled(home: Home) -> Home:
    """A log of 20 games and 30 other events, all of it in the series, nothing in the graph."""
    stores.initialise(home)
    log = open_log(home)
    log.append([("s", Event(type="HEARTBEAT", source="x", timestamp=START)) for _ in range(30)])
    log.append([(r.stream, r.event) for r in (game(n, won=n % 4 == 0) for n in range(20))])
    series = open_series(home)
    fold(series, log.read(types=["GAME_FINISHED"]))
    series.close()
    log.close()
    return home


def by_name(home: Home) -> dict[str, stores.StoreStatus]:
    return {each.name: each for each in stores.status(home)}


def test_before_anything_is_made_all_is_missing(home: Home) -> None:
    assert {each.state for each in stores.status(home)} == {"missing"}
    assert not home.series.exists()


def test_status_tells_how_far_each_is(filled: Home) -> None:
    found = by_name(filled)
    assert {name: each.state for name, each in found.items()} == dict.fromkeys(stores.NAMES, "ok")
    assert [found[name].position for name in stores.NAMES] == [50, 50, 0]
    assert [found[name].behind for name in stores.NAMES] == [0, 0, 50]
    assert all(each.schema_version == each.schema_wanted for each in found.values())


def test_a_broken_store_is_told_and_the_others_too(filled: Home) -> None:
    filled.series.write_bytes(b"no database at all, really")
    found = by_name(filled)
    assert (found["metrics"].state, found["events"].state) == ("broken", "ok")
    assert "no SQLite file" in found["metrics"].problem
    assert found["metrics"].position is None


def older(home: Home) -> None:
    with sqlite3.connect(home.event_log) as plain:
        plain.execute("ALTER TABLE events DROP COLUMN packed")
        plain.execute("DROP TABLE trimmed")
        plain.execute("DROP TABLE snapshots")
        plain.execute("PRAGMA user_version = 1")
    plain.close()


def test_migrate_brings_an_old_schema_up_to_date(filled: Home) -> None:
    assert stores.migrate(filled, "events") == "events: already at schema 2"
    older(filled)
    assert by_name(filled)["events"].state == "old"
    assert stores.migrate(filled, "events") == "events: from schema 1 to 2"
    found = by_name(filled)["events"]
    assert (found.state, found.position) == ("ok", 50)


def test_migrate_makes_nothing(home: Home) -> None:
    with pytest.raises(JimbotError, match="init-db"):
        stores.migrate(home, "metrics")
    assert not home.series.exists()


@pytest.mark.parametrize("name", ["metrics", "knowledge"])
def test_rebuild_gives_what_the_log_says(
    filled: Home, name: stores.Name, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_BATCH", 7)
    told: list[tuple[int, int]] = []
    done = stores.rebuild(filled, name, progress=lambda *at: told.append(at))
    assert done == f"{name}: 20 events folded, at position 50"
    assert told[-1] == (50, 50)
    assert by_name(filled)[name].behind == 0
    store = stores._open(filled, name, read_only=True)
    if name == "metrics":
        assert store.counts("deck")[0].games == 20
    else:
        assert store.run("MATCH (n:Record {kind: 'deck'}) RETURN sum(n.games) AS n") == [{"n": 20}]
    store.close()


def test_rebuild_goes_on_from_where_analytics_folds_beside_it(
    filled: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_BATCH", 4)
    analytics, log = open_series(filled), open_log(filled)
    plain = projection.fold

    def fold_next() -> None:
        at = analytics.position()
        plain(analytics, log.read(after=at, limit=3, types=["GAME_FINISHED"]))

    def beaten(store: SeriesStore, *args: Any, **options: Any) -> int:
        """Analytics folds between this process's look at the position and its writing."""
        fold_next()
        return plain(store, *args, **options)

    monkeypatch.setattr(projection, "fold", beaten)
    done = stores.rebuild(filled, "metrics", progress=lambda *_: fold_next())
    assert done.endswith("at position 50; analytics, which runs, folded the rest")
    assert analytics.counts("deck")[0].games == 20
    log.close()
    analytics.close()


def test_rebuild_beside_analytics_that_runs_leaves_no_hole(filled: Home) -> None:
    log = open_log(filled)
    follower = Projections(filled).metrics
    follower.start()
    try:
        for number in range(20, 60):
            log.append([("s", game(number).event)])
            if number == 40:
                stores.rebuild(filled, "metrics")
        deadline = time.monotonic() + 20
        while follower.status().position < 90 and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.5)
        log.append([("s", game(60).event)])
        while follower.status().position < 91 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert follower.status().errors == 0
    finally:
        follower.ask_to_stop()
        follower.join(5)
        log.close()
    series = open_series(filled, read_only=True)
    assert series.counts("deck")[0].games == 61
    series.close()


def test_the_log_is_never_rebuilt(filled: Home) -> None:
    with pytest.raises(JimbotError, match=r"everything else is made from it.*backup"):
        stores.rebuild(filled, "events")


def test_a_damaged_store_is_set_aside_only_when_asked(filled: Home) -> None:
    damaged = b"no database at all, really"
    filled.series.write_bytes(damaged)
    with pytest.raises(SeriesError):
        stores.rebuild(filled, "metrics")
    assert filled.series.read_bytes() == damaged
    done = stores.rebuild(filled, "metrics", set_aside=True)
    (aside,) = filled.series.parent.glob("*.aside-*")
    assert done.endswith(str(aside))
    assert aside.read_bytes() == damaged
    assert by_name(filled)["metrics"].position == 50


_HOLDER = """
import sys
from pathlib import Path
from jimbot.knowledge.ladybug import LadybugGraph
graph = LadybugGraph(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


def test_a_graph_that_its_owner_has_is_not_set_aside(filled: Home) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(filled.graph)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        assert by_name(filled)["knowledge"].state in ("ok", "in use")  # reading may be allowed
        with pytest.raises(JimbotError, match="in use by process"):
            stores.rebuild(filled, "knowledge", set_aside=True)
    finally:
        holder.communicate("", timeout=20)
    assert by_name(filled)["knowledge"].state == "ok"


def test_retain_forgets_what_the_table_does_not_keep(filled: Home) -> None:
    retention = Retention(
        log=LogRetention(days=1, keep=("GAME_FINISHED",)),
        series=SeriesRetention(raw_days=1, minute_days=2, hour_days=400, game_days=1),
        graph=GraphRetention(edges=1000, combinations=100),
    )
    now = START + 3 * stores.DAY_MS
    removed = stores.retain(filled, retention, now)
    assert removed["events"] == 30
    assert removed["metrics"] > 0
    assert stores.retain(filled, retention, now) == {"events": 0, "metrics": 0}
    stores.rebuild(filled, "metrics")
    series = open_series(filled, read_only=True)
    assert series.total("game.finished", 0, now, "count") == 20
    series.close()


def test_the_command_line(filled: Home) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(command, arguments, obj=Options(filled.path, None))
        return result.exit_code, result.stdout

    code, out = run("status")
    assert (code, len(out.splitlines())) == (0, 3)
    assert "knowledge: ok, position 0, 50 behind" in out
    code, out = run("rebuild", "knowledge", "--json")
    assert (code, json.loads(out)["done"]) == (0, "knowledge: 20 events folded, at position 50")
    older(filled)
    code, out = run("status", "events", "--json")
    assert (code, json.loads(out)["events"]["state"]) == (1, "old")
    assert run("migrate", "events")[0] == 0
    assert run("status", "events")[0] == 0


def test_servers_that_are_away_are_told(filled: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from jimbot.appliance.stores import Engine, Stores

    chosen = Stores(
        timeout_s=0.5,
        log=Engine(engine="server", address="esdb://127.0.0.1:1?tls=false"),
        series=Engine(engine="server", address="http://127.0.0.1:1"),
        graph=Engine(engine="server", address="bolt://127.0.0.1:1"),
    )
    monkeypatch.setattr("jimbot.appliance.stores.stores", lambda: chosen)
    found = by_name(filled)
    assert {each.state for each in found.values()} == {"away"}
    assert found["metrics"].where == "http://127.0.0.1:1"
    assert all(each.hint.startswith("Start ") for each in found.values())
