from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jimbot.events.sqlite import SQLiteEventLog
from jimbot.mcp.journal import SEGMENT_IDS, Audit, Auditor, JournalWriter
from tests.mcp.conftest import heartbeat


@pytest.fixture
def journals(tmp_path: Path) -> Path:
    return tmp_path / "acknowledged"


def store(log: SQLiteEventLog, *ids: str) -> list[str]:
    log.append([("s", heartbeat(one)) for one in ids])
    return list(ids)


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    child.wait()
    return child.pid


def test_a_journal_is_one_id_a_line(journals: Path) -> None:
    writer = JournalWriter(journals)
    writer.write(["a", "b"])
    writer.write(["c"])
    (segment,) = journals.iterdir()
    assert segment.read_text() == "a\nb\nc\n"
    assert segment.name.startswith(f"{os.getpid()}-")
    assert segment.name.endswith("-0.ids")
    writer.close()


def test_segments_are_bounded(journals: Path) -> None:
    writer = JournalWriter(journals)
    ids = [f"e{n}" for n in range(2 * SEGMENT_IDS + 1)]
    writer.write(ids[:3])
    writer.write(ids[3:])
    writer.close()
    segments = sorted(journals.iterdir())
    assert [len(s.read_text().split()) for s in segments] == [SEGMENT_IDS, SEGMENT_IDS, 1]
    assert [one for s in segments for one in s.read_text().split()] == ids


def test_an_audit_finds_what_is_stored_and_what_is_lost(
    journals: Path, log: SQLiteEventLog
) -> None:
    writer = JournalWriter(journals)
    auditor = Auditor(journals, log)
    assert auditor.audit() == Audit(0, 0, [])
    writer.write(store(log, "a", "b"))
    assert auditor.audit() == Audit(2, 2, [])
    writer.write(["ghost", *store(log, "c")])
    assert auditor.audit() == Audit(4, 3, ["ghost"])
    assert auditor.audit() == Audit(4, 3, ["ghost"])
    writer.close()


def test_no_journals_at_all(tmp_path: Path, log: SQLiteEventLog) -> None:
    assert Auditor(tmp_path / "nowhere", log).audit() == Audit(0, 0, [])


def test_proven_segments_go_once_nobody_writes_to_them(journals: Path, log: SQLiteEventLog) -> None:
    writer = JournalWriter(journals)
    auditor = Auditor(journals, log)
    ids = [f"e{n}" for n in range(SEGMENT_IDS + 2)]
    store(log, *ids)
    writer.write(ids[:-1])
    assert auditor.audit() == Audit(SEGMENT_IDS + 1, SEGMENT_IDS + 1, [])
    assert [path.name[-6:] for path in journals.iterdir()] == ["-1.ids"]  # 0 went, 1 is open
    writer.write(ids[-1:])
    assert auditor.audit() == Audit(SEGMENT_IDS + 2, SEGMENT_IDS + 2, [])
    (left,) = journals.iterdir()
    left.rename(journals / f"{dead_pid()}-00ff-1.ids")
    Auditor(journals, log).audit()
    assert list(journals.iterdir()) == []
    writer.close()


def test_a_segment_with_a_lost_id_stays_as_evidence(journals: Path, log: SQLiteEventLog) -> None:
    journals.mkdir()
    segment = journals / f"{dead_pid()}-00ff-0.ids"
    segment.write_text("ghost\n")
    auditor = Auditor(journals, log)
    assert auditor.audit() == auditor.audit() == Audit(1, 0, ["ghost"])
    assert segment.exists()
    assert Auditor(journals, log).audit() == Audit(1, 0, ["ghost"])


def test_a_writer_that_died_within_a_line(journals: Path, log: SQLiteEventLog) -> None:
    journals.mkdir()
    store(log, "a", "b")
    (journals / f"{dead_pid()}-00ff-0.ids").write_bytes(b"a\nb\nhalf-an-i")
    assert Auditor(journals, log).audit() == Audit(2, 2, [])
    assert list(journals.iterdir()) == []


def test_a_line_that_is_still_being_written_is_read_later(
    journals: Path, log: SQLiteEventLog
) -> None:
    journals.mkdir()
    store(log, "abc", "def")
    segment = journals / f"{os.getpid()}-00ff-0.ids"
    auditor = Auditor(journals, log)
    segment.write_bytes(b"abc\nd")
    assert auditor.audit() == Audit(1, 1, [])
    segment.write_bytes(b"abc\ndef\n")
    assert auditor.audit() == Audit(2, 2, [])


def test_other_files_are_left_alone(journals: Path, log: SQLiteEventLog) -> None:
    journals.mkdir()
    for name in ("notes.txt", "x-y-z.ids", "1-0.ids"):
        (journals / name).write_text("ghost\n")
    assert Auditor(journals, log).audit() == Audit(0, 0, [])
    assert len(list(journals.iterdir())) == 3


def test_after_a_failed_write_the_next_begins_a_new_segment(
    journals: Path, monkeypatch: pytest.MonkeyPatch, log: SQLiteEventLog
) -> None:
    store(log, "a", "b", "c")
    writer = JournalWriter(journals)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[:3]))
        with pytest.raises(OSError, match="full"):
            writer.write(["a", "b"])
    writer.write(["c"])
    writer.close()
    assert sorted(p.read_text() for p in journals.iterdir()) == ["a\nb", "c\n"]
    assert Auditor(journals, log).audit() == Audit(2, 2, [])
