"""What every engine of the event log must do; conftest.py opens them."""

from __future__ import annotations

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jimbot.events import (
    NO_STREAM,
    Appended,
    Event,
    EventError,
    EventLog,
    LogError,
    Snapshot,
    WrongRevision,
)
from tests.events.conftest import Open, heartbeat


def test_an_empty_log(log: EventLog) -> None:
    assert log.position() == 0
    assert log.count() == 0
    assert log.read() == []
    assert log.read_stream("nobody") == []
    assert log.contains(["x"]) == set()
    assert log.append([]) == []


def test_append_gives_positions_and_revisions(log: EventLog) -> None:
    results = log.append([("a", heartbeat("1")), ("b", heartbeat("2")), ("a", heartbeat("3"))])
    assert results == [Appended(1, False), Appended(2, False), Appended(3, False)]
    assert [(r.position, r.stream, r.revision) for r in log.read()] == [
        (1, "a", 0),
        (2, "b", 0),
        (3, "a", 1),
    ]
    assert log.append([("b", heartbeat("4"))]) == [Appended(4, False)]
    assert [(r.event.event_id, r.revision) for r in log.read_stream("b")] == [("2", 0), ("4", 1)]


def test_events_come_back_as_they_went_in(log: EventLog) -> None:
    event = Event(
        type="DIAGNOSTIC",
        source="Gerät 7",
        event_id="ключ/1",
        timestamp=(1 << 53) - 1,
        priority="high",
        payload={
            "text": "a\u0000b\ud800\n\U0001f0a1",
            "n": [1, 2.5, None, True, {"deep": {}}],
            "": -0.0,
        },
    )
    log.append([("s", event), ("s", heartbeat("plain"))])
    assert [r.event for r in log.read()] == [event, heartbeat("plain")]


def test_a_duplicate_is_answered_with_the_first_position_and_not_stored(log: EventLog) -> None:
    log.append([("a", heartbeat("1")), ("a", heartbeat("2"))])
    again = log.append([("b", heartbeat("2")), ("a", heartbeat("3")), ("a", heartbeat("3"))])
    assert again == [Appended(2, True), Appended(3, False), Appended(3, True)]
    assert log.count() == log.position() == 3
    assert log.read_stream("b") == []
    assert [r.revision for r in log.read_stream("a")] == [0, 1, 2]


def test_a_batch_is_stored_whole_or_not_at_all(log: EventLog) -> None:
    bad = Event(type="DIAGNOSTIC", source="x", payload={"score": float("inf")})
    with pytest.raises(EventError, match="cannot be written as JSON"):
        log.append([("a", heartbeat("1")), ("a", bad)])
    assert log.count() == 0
    assert log.append([("a", heartbeat("1"))]) == [Appended(1, False)]


def test_read_pages_through_the_log(log: EventLog) -> None:
    log.append([("a", heartbeat(str(n))) for n in range(1, 11)])

    def positions(**arguments: object) -> list[int]:
        return [r.position for r in log.read(**arguments)]  # type: ignore[arg-type]

    assert positions(limit=3) == [1, 2, 3]
    assert positions(after=3, limit=3) == [4, 5, 6]
    assert positions(after=9) == [10]
    assert positions(after=10) == []
    assert positions(before=3) == [1, 2]
    assert positions(newest_first=True, limit=2) == [10, 9]
    assert positions(newest_first=True, before=9, limit=2) == [8, 7]
    assert positions(newest_first=True, after=8) == [10, 9]
    assert positions(limit=0) == []


def test_read_and_count_by_type(log: EventLog) -> None:
    kinds = ["DIAGNOSTIC", "ROUND_COMPLETE", "ERROR"]
    log.append([("a", Event(type=kinds[n % 3], source="x", event_id=str(n))) for n in range(30)])
    log.append([("a", Event(type="ERROR", source="x", event_id="29"))])  # a duplicate
    picked = log.read(types=["ERROR", "DIAGNOSTIC"], after=5, limit=4)
    assert [(r.position, r.event.type) for r in picked] == [
        (6, "ERROR"),
        (7, "DIAGNOSTIC"),
        (9, "ERROR"),
        (10, "DIAGNOSTIC"),
    ]
    newest = log.read(types={"ERROR", "DIAGNOSTIC"}, newest_first=True, before=30, limit=2)
    assert [r.position for r in newest] == [28, 27]
    assert log.read(types=[]) == []
    assert log.read(types=["NOBODY"]) == []
    assert log.count() == 30
    assert log.count(["ERROR"]) == 10
    assert log.count(["ERROR", "DIAGNOSTIC"]) == 20
    assert log.count(["NOBODY"]) == log.count([]) == 0


def test_read_stream_takes_a_limit(log: EventLog) -> None:
    log.append([("a", heartbeat(str(n))) for n in range(5)])
    assert [r.event.event_id for r in log.read_stream("a", limit=2)] == ["0", "1"]


def test_contains(log: EventLog) -> None:
    log.append([("a", heartbeat("1")), ("a", heartbeat("2"))])
    assert log.contains(iter(["2", "3", "1", "1"])) == {"1", "2"}
    assert log.contains(str(n) for n in range(5000)) == {"1", "2"}


def test_a_reader_sees_what_the_writer_appends(open_log: Open) -> None:
    writer = open_log()
    reader = open_log(read_only=True)
    for n in range(3):
        writer.append([("a", heartbeat(str(n)))])
        assert reader.position() == reader.count() == n + 1
        assert reader.contains([str(n)]) == {str(n)}


def test_a_reader_cannot_append(open_log: Open) -> None:
    open_log()
    reader = open_log(read_only=True)
    with pytest.raises(LogError, match="reading only"):
        reader.append([("a", heartbeat("1"))])


def test_everything_is_there_after_reopening(open_log: Open) -> None:
    first = open_log()
    first.append([("a", heartbeat("1")), ("b", heartbeat("2"))])
    first.close()
    second = open_log()
    assert second.append([("a", heartbeat("1")), ("a", heartbeat("3"))]) == [
        Appended(1, True),
        Appended(3, False),
    ]
    assert [(r.stream, r.revision) for r in second.read()] == [("a", 0), ("b", 0), ("a", 1)]


def test_a_closed_log_says_so(log: EventLog) -> None:
    log.close()
    log.close()
    with pytest.raises(LogError, match="closed"):
        log.append([("a", heartbeat("1"))])
    with pytest.raises(LogError, match="closed"):
        log.position()


def test_threads_and_two_writers_share_one_log(open_log: Open) -> None:
    """Positions stay gap-free, revisions too, and a following reader sees each event once."""
    logs = [open_log(), open_log()]
    reader = open_log(read_only=True)
    threads = [
        threading.Thread(
            target=lambda who=who: [
                logs[who % 2].append([(f"s{who}", heartbeat(f"{who}-{n}")) for n in (k, k + 1)])
                for k in range(0, 40, 2)
            ]
        )
        for who in range(4)
    ]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    while len(seen) < 160 and (any(t.is_alive() for t in threads) or reader.count() > len(seen)):
        seen += [r.position for r in reader.read(after=seen[-1] if seen else 0, limit=7)]
    for thread in threads:
        thread.join()
    assert seen == list(range(1, 161))
    for who in range(4):
        entries = reader.read_stream(f"s{who}")
        assert [r.revision for r in entries] == list(range(40))
        assert [r.event.event_id for r in entries] == [f"{who}-{n}" for n in range(40)]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    batches=st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 15)), max_size=6), max_size=8
    )
)
def test_any_batches_give_what_a_dictionary_would(
    open_log: Open, batches: list[list[tuple[str, int]]]
) -> None:
    log = open_log()
    base = log.position()  # one log serves all examples: ids are made unique by it
    model: dict[str, tuple[int, str, int]] = {}
    revisions = {stream: len(log.read_stream(stream)) for stream in "abc"}
    for batch in batches:
        items = [(stream, heartbeat(f"{base}:{number}")) for stream, number in batch]
        results = log.append(items)
        for (stream, event), result in zip(items, results, strict=True):
            known = event.event_id in model
            if not known:
                model[event.event_id] = (base + len(model) + 1, stream, revisions[stream])
                revisions[stream] += 1
            assert result == Appended(model[event.event_id][0], known)
    stored = {r.event.event_id: (r.position, r.stream, r.revision) for r in log.read(after=base)}
    assert stored == model
    log.close()


def test_a_writer_that_expects_another_revision_is_refused(log: EventLog) -> None:
    log.append([("a", heartbeat("1"))], expected={"a": NO_STREAM})
    with pytest.raises(WrongRevision, match="at revision 0, not at -1"):
        log.append([("b", heartbeat("2")), ("a", heartbeat("3"))], expected={"a": NO_STREAM})
    assert log.count() == 1  # nothing of the batch
    assert log.append([("a", heartbeat("3"))], expected={"a": 0, "b": 7}) == [Appended(2, False)]


def test_the_same_append_may_be_tried_again(log: EventLog) -> None:
    items = [("a", heartbeat("1")), ("a", heartbeat("2"))]
    first = log.append(items, expected={"a": NO_STREAM})
    again = log.append(items, expected={"a": NO_STREAM})
    assert [(one.position, one.duplicate) for one in again] == [
        (one.position, True) for one in first
    ]


def test_of_two_writers_with_one_expectation_one_wins(open_log: Open) -> None:
    logs = [open_log(), open_log()]
    won: list[int] = []

    def write(who: int) -> None:
        for n in range(20):
            try:
                logs[who].append([("a", heartbeat(f"{who}-{n}"))], expected={"a": n - 1})
            except WrongRevision:
                continue
            won.append(n)

    threads = [threading.Thread(target=write, args=(who,)) for who in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == sorted(set(won))
    assert logs[0].count() == len(won)


def test_large_payloads_come_back_as_they_went_in(log: EventLog) -> None:
    events = [
        Event(type="DIAGNOSTIC", source="x", event_id=str(n), payload={"text": "ключ\ud800" * n})
        for n in (1, 100, 1000, 50_000)
    ]
    log.append([("s", event) for event in events])
    assert [r.event for r in log.read()] == events


def test_read_stream_goes_on_from_a_revision(log: EventLog) -> None:
    log.append([("a", heartbeat(str(n))) for n in range(5)])
    assert [r.revision for r in log.read_stream("a", after=2)] == [3, 4]
    assert [r.revision for r in log.read_stream("a", after=0, limit=2)] == [1, 2]


def test_the_newest_snapshot_of_a_stream_is_kept(log: EventLog) -> None:
    assert log.snapshot("a") is None
    log.save_snapshot(Snapshot("a", 4, {"money": 7}))
    log.save_snapshot(Snapshot("a", 2, {"money": 1}))
    log.save_snapshot(Snapshot("b", 1, {}))
    assert log.snapshot("a") == Snapshot("a", 4, {"money": 7})
    log.save_snapshot(Snapshot("a", 5, {"money": 8}))
    assert log.snapshot("a") == Snapshot("a", 5, {"money": 8})
