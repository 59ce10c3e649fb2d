"""The SQLite engine against bad files, bad disks and sudden death."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from jimbot.appliance import Home
from jimbot.events import LogError, LogMissing, init, open_log
from jimbot.events.sqlite import KIND, SQLiteEventLog
from tests.events.conftest import heartbeat

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


def filled(path: Path, events: int = 500) -> None:
    log = SQLiteEventLog(path)
    log.append([("s", heartbeat(f"id-{n}", uptime=n)) for n in range(events)])
    log.close()


def run_python(code: str, *arguments: object) -> subprocess.Popen[str]:
    prelude = "from tests.events.conftest import heartbeat\n"
    prelude += "from jimbot.events.sqlite import SQLiteEventLog\nimport sys, pathlib\n"
    return subprocess.Popen(
        [sys.executable, "-c", prelude + textwrap.dedent(code), *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_commit_is_synchronised_to_the_disk(path: Path) -> None:
    log = SQLiteEventLog(path)
    with log._file.transaction() as writer:
        assert writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    log.close()


def test_the_file_says_whose_it_is(path: Path) -> None:
    filled(path)
    with sqlite3.connect(path) as plain:
        assert plain.execute("PRAGMA application_id").fetchone() == (KIND.application_id,)
        assert plain.execute("PRAGMA user_version").fetchone() == (KIND.version,)


def newer(path: Path) -> None:
    filled(path)
    with sqlite3.connect(path) as plain:
        plain.execute(f"PRAGMA user_version = {KIND.version + 1}")
    plain.close()


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as plain:
        plain.execute("CREATE TABLE recipes (name TEXT)")
    plain.close()


def truncated(path: Path) -> None:
    filled(path)
    os.truncate(path, path.stat().st_size // 2)


def overwritten(path: Path) -> None:
    filled(path)
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(os.urandom(4096))


def text(path: Path) -> None:
    path.write_text("dear diary, this is no database at all")


BAD_FILES = {
    newer: rf"newer JimBot \(schema {KIND.version + 1}, this one knows {KIND.version}\).*left",
    foreign: "another program's SQLite file",
    truncated: "is damaged.*restore the log from a backup",
    overwritten: "is damaged.*restore the log from a backup",
    text: "no SQLite file.*Move it away",
}


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("spoil", BAD_FILES, ids=lambda spoil: spoil.__name__)
def test_a_bad_file_is_refused_in_one_line_and_left_as_it_is(
    path: Path, spoil: object, read_only: bool
) -> None:
    spoil(path)  # type: ignore[operator]
    before = path.read_bytes()
    with pytest.raises(LogError, match=BAD_FILES[spoil]) as caught:  # type: ignore[index]
        SQLiteEventLog(path, read_only=read_only)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, LogMissing)
    assert path.read_bytes() == before


def test_a_missing_log_is_told_apart_from_a_bad_one(path: Path) -> None:
    with pytest.raises(LogMissing, match="no event log at"):
        SQLiteEventLog(path, read_only=True)
    assert not path.exists()
    path.touch()  # made, but not laid out yet
    with pytest.raises(LogMissing):
        SQLiteEventLog(path, read_only=True)
    SQLiteEventLog(path).close()
    SQLiteEventLog(path, read_only=True).close()


def test_a_directory_in_the_way(path: Path) -> None:
    path.mkdir()
    with pytest.raises(LogError, match=r"Is a directory.*Make"):
        SQLiteEventLog(path)


def test_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match="directory that JimBot may write to"):
        SQLiteEventLog(tmp_path / "file" / "log.sqlite")


def test_damage_met_while_reading(path: Path) -> None:
    filled(path, 3)
    with sqlite3.connect(path) as plain:
        plain.execute("UPDATE events SET payload = '{\"cut' WHERE position = 2")
    plain.close()
    log = SQLiteEventLog(path)
    with pytest.raises(LogError, match="damaged: the event at position 2"):
        log.read()
    log.close()


def test_a_removed_file_is_noticed_before_anything_is_acknowledged(path: Path) -> None:
    log = SQLiteEventLog(path)
    log.append([("s", heartbeat("1"))])
    moved = path.rename(path.with_name("moved.sqlite"))
    with pytest.raises(LogError, match="removed or replaced"):
        log.append([("s", heartbeat("2"))])
    moved.rename(path)
    log.append([("s", heartbeat("2"))])
    log.close()


def test_a_replaced_file_is_noticed_by_those_who_read_it(path: Path) -> None:
    filled(path, 3)
    reader = SQLiteEventLog(path, read_only=True)
    assert reader.position() == 3
    other = path.with_name("restored.sqlite")
    filled(other, 5)
    other.replace(path)
    with pytest.raises(LogError, match="removed or replaced"):
        reader.position()
    reader.close()
    assert SQLiteEventLog(path, read_only=True).position() == 5


def test_a_locked_log(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jimbot.sqlite._BUSY_S", 0.05)
    log = SQLiteEventLog(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogError, match=r"locked.*Another process"):
        log.append([("s", heartbeat("1"))])
    other.execute("ROLLBACK")
    other.close()
    assert log.append([("s", heartbeat("1"))])[0].position == 1
    log.close()


def test_a_full_disk_stores_nothing_and_the_log_recovers(path: Path) -> None:
    child = run_python(
        """
        import resource
        path = pathlib.Path(sys.argv[1])
        log = SQLiteEventLog(path)
        log.append([("s", heartbeat("before"))])
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name("log.sqlite-wal").stat().st_size
            + 20_000, limits[1]))
        big = [("s", heartbeat(f"big-{n}")) for n in range(3000)]
        for _ in range(2):
            try:
                log.append(big)
            except Exception as error:
                print(type(error).__name__, "Free disk space" in str(error))
        print(log.count(), len(log.contains(event.event_id for _, event in big)))
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        print(log.append(big)[-1].position)
        """,
        path,
    )
    output, _ = child.communicate(timeout=30)
    assert output.split("\n") == ["LogError True", "LogError True", "1 0", "3001", ""]
    log = SQLiteEventLog(path)
    assert log.count() == 3001
    log.close()


@pytest.fixture
def read_only_directory() -> Iterator[Path]:
    """A directory that holds a log and takes nothing more; not below tmp_path, which is private."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        filled(directory / "log.sqlite", 5)
        (directory / "log.sqlite").chmod(0o444)
        directory.chmod(0o555)
        yield directory
        directory.chmod(0o755)


def test_a_read_only_directory(read_only_directory: Path) -> None:
    child = run_python(
        """
        import os
        if os.geteuid() == 0:
            os.setuid(65534)  # root may write anywhere
        # Readers of a WAL share memory through a file beside it, so they need the directory too.
        for name, read_only in ("log.sqlite", False), ("log.sqlite", True), ("new.sqlite", False):
            try:
                SQLiteEventLog(pathlib.Path(sys.argv[1]) / name, read_only=read_only)
            except Exception as error:
                print(type(error).__name__, "writable" in str(error))
        """,
        read_only_directory,
    )
    output, _ = child.communicate(timeout=30)
    assert output.split("\n") == ["LogError True", "LogError True", "LogError True", ""]
    assert not (read_only_directory / "new.sqlite").exists()


def test_killed_writers_lose_nothing_acknowledged(path: Path) -> None:
    """Eight writers, one after the other, each killed at a moment of its own while it appends."""
    acknowledged: list[str] = []
    for generation in range(8):
        child = run_python(
            """
            log = SQLiteEventLog(pathlib.Path(sys.argv[1]))
            for batch in range(1_000_000):
                ids = [f"{sys.argv[2]}-{batch}-{n}" for n in range(batch % 7 + 1)]
                log.append([("s", heartbeat(one)) for one in ids])
                print(*ids, flush=True)
            """,
            path,
            generation,
        )
        assert child.stdout is not None
        for _ in range(3 + 17 * generation):
            acknowledged += child.stdout.readline().split()
        child.send_signal(signal.SIGKILL)
        for line in child.communicate(timeout=10)[0].splitlines(keepends=True):
            if line.endswith("\n"):
                acknowledged += line.split()
        reader = SQLiteEventLog(path, read_only=True)
        assert reader.contains(acknowledged) == set(acknowledged)
        reader.close()
    log = SQLiteEventLog(path)
    entries = log.read(limit=1_000_000)
    stored = [r.event.event_id for r in entries]
    assert len(stored) == len(set(stored)) == log.count()
    assert [r.position for r in entries] == [r.revision + 1 for r in entries]
    known = set(acknowledged)
    assert [one for one in stored if one in known] == acknowledged
    log.close()


def test_another_process_follows_while_this_one_writes(path: Path) -> None:
    log = SQLiteEventLog(path)
    child = run_python(
        """
        import time
        log = SQLiteEventLog(pathlib.Path(sys.argv[1]), read_only=True)
        print("ready", flush=True)
        seen = []
        while len(seen) < 200:
            seen += [r.position for r in log.read(after=seen[-1] if seen else 0)]
            time.sleep(0.001)
        print(seen == list(range(1, 201)))
        """,
        path,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    for n in range(100):
        log.append([("s", heartbeat(f"{n}-a")), ("s", heartbeat(f"{n}-b"))])
    output, _ = child.communicate(timeout=30)
    assert output == "True\n"
    log.close()


def test_writers_that_come_and_go_are_followed_by_all_readers_of_a_process(path: Path) -> None:
    """A process may have the log open twice, as analytics has; opening and closing it once more
    must not take the locks from it that keep a leaving writer from removing the WAL."""
    filled(path, 1)
    readers = [SQLiteEventLog(path, read_only=True) for _ in range(2)]
    SQLiteEventLog(path, read_only=True).close()
    for comer in range(3):
        code = """
            log = SQLiteEventLog(pathlib.Path(sys.argv[1]))
            log.append([("s", heartbeat(f"comer-{sys.argv[2]}"))])
            log.close()
        """
        assert run_python(code, path, comer).wait() == 0
        assert [reader.position() for reader in readers] == [2 + comer, 2 + comer]
    for reader in readers:
        reader.close()


def test_open_log_and_init(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    assert init(home) == [f"event log {home.event_log}: created"]
    log = open_log(home)
    log.append([("s", heartbeat("1"))])
    log.close()
    assert init(home) == [f"event log {home.event_log}: 1 events"]


def test_a_half_written_commit_is_no_commit_and_harms_none_before(path: Path) -> None:
    """The power goes while the last append is on its way to the disk: any part of it is there."""
    log = SQLiteEventLog(path)
    wal = path.with_name("log.sqlite-wal")
    log.append([("s", heartbeat(f"a-{n}")) for n in range(40)])
    before = wal.stat().st_size
    log.append([("s", heartbeat(f"b-{n}")) for n in range(40)])
    database, frames = path.read_bytes(), wal.read_bytes()
    log.close()
    assert len(frames) > before
    for cut in {before, before + 1, before + 24, (before + len(frames)) // 2, len(frames) - 1}:
        # Cut off, or the disk's old content: anything but the bytes that belong there.
        for rest in (b"", bytes(byte ^ 0x5A for byte in frames[cut:])):
            for file in path.parent.iterdir():
                file.unlink()
            path.write_bytes(database)
            wal.write_bytes(frames[:cut] + rest)
            log = SQLiteEventLog(path)
            assert [r.event.event_id for r in log.read()] == [f"a-{n}" for n in range(40)]
            assert log.append([("s", heartbeat("c"))])[0].position == 41
            log.close()


def test_a_page_half_written_into_the_file_is_mended_from_the_wal(path: Path) -> None:
    """The power goes while SQLite folds its WAL into the file, which happens page by page."""
    log = SQLiteEventLog(path)
    wal = path.with_name("log.sqlite-wal")
    log.append([("s", heartbeat(f"a-{n}")) for n in range(200)])
    frames = wal.read_bytes()
    log.close()  # folds all of it in
    whole = path.read_bytes()
    for page in range(1, len(whole) // 4096):
        torn = bytearray(whole)
        torn[page * 4096 + 512 : (page + 1) * 4096] = bytes(4096 - 512)
        path.write_bytes(torn)
        wal.write_bytes(frames)
        log = SQLiteEventLog(path)
        assert [r.event.event_id for r in log.read()] == [f"a-{n}" for n in range(200)]
        log.close()
