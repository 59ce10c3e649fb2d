"""What scavenging leaves: summaries, numbers that go on, and no trace in the counts; on every
engine. Further down, what SQLite's file looks like then.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jimbot.events import Event, EventLog, LogError, packing
from jimbot.events.sqlite import _FIRST, KIND, SQLiteEventLog
from tests.events.conftest import Open

KEPT = ("GAME_FINISHED",)


def event(number: int, kind: str = "GAME_ACTION", *, at: int = 0) -> Event:
    return Event(
        type=kind, source="t", event_id=f"id-{number}", timestamp=at, payload={"n": number}
    )


def places(log: EventLog) -> list[tuple[int, str, int]]:
    return [(it.position, it.stream, it.revision) for it in log.read()]


def test_details_go_and_summaries_stay(log: EventLog) -> None:
    log.append([("g", event(n, at=n)) for n in range(10)])
    log.append([("g", event(10, "GAME_FINISHED", at=10)), ("h", event(11, at=99))])
    assert log.scavenge(50, KEPT) == 10
    assert [(r.position, r.revision, r.event.type) for r in log.read()] == [
        (11, 10, "GAME_FINISHED"),
        (12, 0, "GAME_ACTION"),
    ]
    assert (log.count(), log.count(["GAME_ACTION"])) == (2, 1)
    assert log.scavenge(50, KEPT) == 0


def test_positions_and_revisions_are_never_given_out_again(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
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


def test_a_stream_that_is_cut_in_its_middle_keeps_its_numbers(open_log: Open) -> None:
    """Also for who opens the log only then: on a server, with a mirror that is filled anew."""
    log = open_log()
    log.append([("g", event(n, at=n)) for n in range(10)])
    log.scavenge(6, KEPT)
    left = [(n + 1, "g", n) for n in range(6, 10)]
    assert places(log) == left
    later = open_log()
    assert places(later) == left
    later.append([("g", event(10, at=10))])
    assert places(later) == places(log) == [*left, (11, "g", 10)]


def test_a_stream_of_which_nothing_is_left_goes_on(open_log: Open) -> None:
    log = open_log()
    log.append([("g", event(n, at=n)) for n in range(3)])
    log.append([("h", event(3, KEPT[0], at=3)), ("h", event(4, at=4)), ("i", event(5, at=99))])
    assert log.scavenge(50, KEPT) == 4
    later = open_log()
    assert places(later) == [(4, "h", 0), (6, "i", 0)]
    later.append([(stream, event(6 + n, at=99)) for n, stream in enumerate("ghi")])
    assert places(later)[2:] == [(7, "g", 3), (8, "h", 2), (9, "i", 1)]
    # And once more: what is told of ends stands between what is kept.
    later.append([("h", event(9, KEPT[0], at=99)), ("i", event(10, at=200))])
    assert later.scavenge(150, KEPT) == 4
    last = open_log()
    assert places(last) == [(4, "h", 0), (10, "h", 3), (11, "i", 2)]
    last.append([("g", event(11))])
    assert places(last)[-1] == (12, "g", 4)


def test_an_event_that_is_sent_again_after_it_was_scavenged_is_stored_again(
    open_log: Open,
) -> None:
    log, other = open_log(), open_log()
    log.append([("g", event(n, at=n)) for n in range(4)])
    # What is behind a younger event goes too, though a server has it still.
    log.append([("g", event(4, at=99)), ("g", event(5, at=5)), ("g", event(6, at=99))])
    assert other.position() == 7
    assert log.scavenge(50, KEPT) == 5
    assert not log.contains(["id-1", "id-5"])
    again = log.append([("g", event(5, at=99)), ("g", event(1, at=99))])
    assert [(one.position, one.duplicate) for one in again] == [(8, False), (9, False)]
    left = [(5, "g", 4), (7, "g", 6), (8, "g", 7), (9, "g", 8)]
    assert places(log) == left
    for reader in (other, open_log()):
        assert reader.contains(["id-1", "id-5"]) == {"id-1", "id-5"}
        assert places(reader)[-4:] == left
        assert reader.count() == len(reader.read())


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
    new_log: Callable[[], Open], steps: list[list[tuple[str, bool, int]] | int]
) -> None:
    open_log = new_log()
    log = open_log()
    model: dict[int, tuple[str, int, str, int]] = {}
    given_out: dict[int, tuple[str, int]] = {}
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
            given_out[position] = stream, revisions[stream]
            items.append((stream, event(position, kind, at=at)))
        log.append(items)
    found = {
        r.position: (r.stream, r.revision, r.event.type, r.event.timestamp) for r in log.read()
    }
    assert found == model
    assert log.count() == len(model)
    assert log.count(KEPT) == sum(row[2] in KEPT for row in model.values())
    log.close()
    # Who opens it now may find a little more, which a server has not cut off yet, at its place.
    later = open_log()
    seen = {it.position: (it.stream, it.revision) for it in later.read()}
    assert model.keys() <= seen.keys()
    assert seen.items() <= given_out.items()
    later.append([(stream, event(position + n)) for n, stream in enumerate("ab", 1)])
    assert places(later)[-2:] == [
        (position + n, stream, revisions[stream] + 1) for n, stream in enumerate("ab", 1)
    ]
    later.close()


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


def test_a_copy_is_whole_while_the_log_is_written(log: EventLog, tmp_path: Path) -> None:
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
from jimbot.events.eventstore import EventStoreLog
from jimbot.events.sqlite import SQLiteEventLog
path, *server = sys.argv[1:]
if server:
    log = EventStoreLog(Path(path), server[0], stream=server[1])
else:
    log = SQLiteEventLog(Path(path))
for n in range(300):
    log.append([("live", Event(type="ERROR", source="x", event_id=f"live-{n}", timestamp=10**12))])
print(log.count(["ERROR"]))
"""


def test_another_process_appends_while_this_one_scavenges(
    open_log: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `jimbot db retain` does beside mcp; on a server they share the mirror."""
    monkeypatch.setattr("jimbot.events.sqlite._SCAVENGED_AT_A_TIME", 50)
    log = open_log()
    log.append([("g", event(n)) for n in range(5000)])
    if isinstance(log, SQLiteEventLog):
        where = [str(log.path)]
    else:
        where = [str(log._mirror.path), log.address, log._stream]  # type: ignore[attr-defined]
    child = subprocess.Popen(
        [sys.executable, "-c", _APPENDER, *where], stdout=subprocess.PIPE, text=True
    )
    removed = 0
    while child.poll() is None:
        removed += log.scavenge(1, KEPT)
    removed += log.scavenge(1, KEPT)
    assert child.communicate(timeout=30)[0] == "300\n"
    assert (removed, log.count()) == (5000, 300)
    assert places(log) == places(open_log()) == [(5001 + n, "live", n) for n in range(300)]
