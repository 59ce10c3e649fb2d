"""What scavenging leaves: summaries, numbers that go on, and no trace in the counts."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jimbot.events import Event, LogError, packing
from jimbot.events.sqlite import _FIRST, KIND, SQLiteEventLog

KEPT = ("GAME_FINISHED",)


def event(number: int, kind: str = "GAME_ACTION", *, at: int = 0) -> Event:
    return Event(
        type=kind, source="t", event_id=f"id-{number}", timestamp=at, payload={"n": number}
    )


@pytest.fixture
def log(tmp_path: Path) -> SQLiteEventLog:
    return SQLiteEventLog(tmp_path / "log.sqlite")


def test_details_go_and_summaries_stay(log: SQLiteEventLog) -> None:
    log.append([("g", event(n, at=n)) for n in range(10)])
    log.append([("g", event(10, "GAME_FINISHED", at=10)), ("h", event(11, at=99))])
    assert log.scavenge(50, KEPT) == 10
    assert [(r.position, r.revision, r.event.type) for r in log.read()] == [
        (11, 10, "GAME_FINISHED"),
        (12, 0, "GAME_ACTION"),
    ]
    assert (log.count(), log.count(["GAME_ACTION"])) == (2, 1)
    assert log.scavenge(50, KEPT) == 0
    log.close()


def test_positions_and_revisions_are_never_given_out_again(
    log: SQLiteEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jimbot.events.sqlite._SCAVENGED_AT_A_TIME", 2)
    log.append([("g", event(n)) for n in range(5)])
    log.append([("h", event(5))])
    assert log.scavenge(1, KEPT) == 5  # the last event stays, however old it is
    assert log.position() == 6
    appended = log.append([("g", event(6)), ("h", event(7)), ("g", event(8))])
    assert [one.position for one in appended] == [7, 8, 9]
    assert [r.revision for r in log.read_stream("g")] == [5, 6]
    assert log.scavenge(1, KEPT) == 3
    assert log.append([("g", event(9)), ("h", event(10))])[0].position == 10
    assert [r.revision for r in log.read_stream("g")] == [6, 7]
    assert [r.revision for r in log.read_stream("h")] == [2]
    log.close()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.one_of(
            st.lists(
                st.tuples(st.sampled_from("ab"), st.booleans(), st.integers(0, 9)), max_size=5
            ),
            st.integers(0, 10),
        ),
        max_size=10,
    )
)
def test_any_order_of_appending_and_scavenging(
    tmp_path: Path, steps: list[list[tuple[str, bool, int]] | int]
) -> None:
    path = tmp_path / "any.sqlite"
    path.unlink(missing_ok=True)
    log = SQLiteEventLog(path)
    model: dict[int, tuple[str, int, str, int]] = {}
    position, revisions = 0, {"a": -1, "b": -1}
    for step in steps:
        if isinstance(step, int):
            log.scavenge(step, KEPT)
            model = {
                at: row
                for at, row in model.items()
                if at == position or row[3] >= step or row[2] in KEPT
            }
            continue
        items = []
        for stream, summary, at in step:
            position += 1
            revisions[stream] += 1
            kind = KEPT[0] if summary else "GAME_ACTION"
            model[position] = stream, revisions[stream], kind, at
            items.append((stream, event(position, kind, at=at)))
        log.append(items)
    found = {
        r.position: (r.stream, r.revision, r.event.type, r.event.timestamp) for r in log.read()
    }
    assert found == model
    assert log.count() == len(model)
    assert log.count(KEPT) == sum(row[2] in KEPT for row in model.values())
    log.close()


def test_only_large_payloads_are_compressed_and_take_less(tmp_path: Path) -> None:
    small, large = {"x": "y" * 10}, {"x": "balatro " * 1000}
    log = SQLiteEventLog(tmp_path / "log.sqlite")
    log.append([("s", Event(type="ERROR", source="x", payload=each)) for each in (small, large)])
    log.close()
    with sqlite3.connect(tmp_path / "log.sqlite") as plain:
        rows = plain.execute("SELECT payload, packed FROM events ORDER BY position").fetchall()
    plain.close()
    assert rows[0] == ('{"x":"yyyyyyyyyy"}', None)
    assert rows[1][0] == ""
    assert len(rows[1][1]) < packing.COMPRESSED_FROM / 4


def test_a_compressed_payload_that_is_damaged_is_named(tmp_path: Path) -> None:
    log = SQLiteEventLog(tmp_path / "log.sqlite")
    log.append([("s", Event(type="ERROR", source="x", payload={"x": "balatro " * 1000}))])
    with sqlite3.connect(tmp_path / "log.sqlite") as plain:
        (packed,) = plain.execute("SELECT packed FROM events").fetchone()
        plain.execute("UPDATE events SET packed = ?", (packed[:-3] + b"abc",))
    plain.close()
    with pytest.raises(LogError, match="damaged: the event at position 1"):
        log.read()
    log.close()


def test_a_log_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    with sqlite3.connect(path) as plain:
        plain.executescript(_FIRST)
        plain.execute(
            "INSERT INTO events VALUES (1, 's', 0, 'old', 'ERROR', 'x', 5, 1, NULL, '{\"a\":1}')"
        )
        plain.execute("INSERT INTO counts VALUES ('ERROR', 1)")
        plain.execute(f"PRAGMA application_id = {KIND.application_id}")
        plain.execute("PRAGMA user_version = 1")
    plain.close()
    with pytest.raises(LogError, match=r"older JimBot.*db migrate"):
        SQLiteEventLog(path, read_only=True)
    log = SQLiteEventLog(path)
    log.append([("s", Event(type="ERROR", source="x", payload={"x": "balatro " * 1000}))])
    assert [(r.revision, len(r.event.payload)) for r in log.read()] == [(0, 1), (1, 1)]
    log.close()
    SQLiteEventLog(path, read_only=True).close()


def test_a_copy_is_whole_while_the_log_is_written(log: SQLiteEventLog, tmp_path: Path) -> None:
    log.append([("s", event(n)) for n in range(100)])
    log.copy(tmp_path / "copy.sqlite")
    log.append([("s", event(100))])
    copy = SQLiteEventLog(tmp_path / "copy.sqlite")
    assert copy.read(limit=200) == log.read(limit=100)
    copy.close()
    with pytest.raises(LogError, match="there already"):
        log.copy(tmp_path / "copy.sqlite")
    log.close()


_APPENDER = """
import sys
from pathlib import Path
from jimbot.events import Event
from jimbot.events.sqlite import SQLiteEventLog
log = SQLiteEventLog(Path(sys.argv[1]))
for n in range(300):
    log.append([("live", Event(type="ERROR", source="x", event_id=f"live-{n}", timestamp=10**12))])
print(log.count(["ERROR"]))
"""


def test_another_process_appends_while_this_one_scavenges(
    log: SQLiteEventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jimbot.events.sqlite._SCAVENGED_AT_A_TIME", 50)
    log.append([("g", event(n)) for n in range(5000)])
    child = subprocess.Popen(
        [sys.executable, "-c", _APPENDER, str(log.path)], stdout=subprocess.PIPE, text=True
    )
    removed = 0
    while child.poll() is None:
        removed += log.scavenge(1, KEPT)
    removed += log.scavenge(1, KEPT)
    assert child.communicate(timeout=30)[0] == "300\n"
    assert (removed, log.count()) == (5000, 300)
    log.close()
