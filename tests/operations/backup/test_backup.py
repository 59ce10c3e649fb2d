"""What a backup holds, when it counts, and when it is refused."""

from __future__ import annotations

import fcntl
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jimbot.appliance import Appliance, Home
from jimbot.errors import JimbotError
from jimbot.events import Event, open_log
from jimbot.operations import backup
from jimbot.operations.backup import dumps, lock, record, runner
from jimbot.operations.backup.manifest import count_rows
from tests.metrics.events import START
from tests.operations.backup.conftest import fill, give_password


def test_it_holds_what_cannot_be_made_again_and_no_secret(
    appliance: Appliance, filled: Home
) -> None:
    result = backup.run(appliance, filled, "hourly")
    there = runner.repository(appliance, filled)
    (snapshot,) = there.snapshots()
    files = there.files(snapshot.id)
    assert {name.split("/")[0] for name in files} == {
        "certs",
        "checkpoints",
        "configuration",
        "events",
        "manifest.json",
        "notes",
        "policy.npz",
    }
    assert "certs/mcp.crt" in files
    assert "certs/mcp.key" not in files
    assert result.files == len(files) - 1
    # A line that was half written when it was copied is no line.
    assert there.read(snapshot.id, "notes/notes.jsonl") == b'{"whole": 1}\n'
    # Nothing is left of the copy, nor of anything else that would grow.
    assert sorted(path.name for path in record.folder(filled).iterdir()) == [
        "cache",
        "lock",
        "status.json",
    ]


def test_a_daily_one_holds_all_stores_and_a_weekly_one_the_images(
    appliance: Appliance, filled: Home
) -> None:
    backup.run(appliance, filled, "weekly")
    there = runner.repository(appliance, filled)
    files = there.files(there.snapshots()[0].id)
    assert "metrics/series.sqlite" in files
    images = json.loads(there.read(there.snapshots()[0].id, "configuration/images.json"))
    assert set(images) == set(appliance.images)
    assert dumps.parts(filled, "daily")[0] == "metrics"  # before the log that it is made from
    assert dumps.parts(filled, "daily")[-1] == "events"


def test_a_busy_log_is_copied_whole_at_one_moment(filled: Home, tmp_path: Path) -> None:
    stop = threading.Event()
    log = open_log(filled)

    def write() -> None:
        number = 0
        while not stop.is_set():
            log.append([("busy", Event(type="HEARTBEAT", source="x", timestamp=START))] * 2)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            to = tmp_path / f"{number}.sqlite"
            dumps.copy_sqlite(filled.event_log, to)
            with sqlite3.connect(to) as copy:
                count, last = copy.execute("SELECT count(*), max(position) FROM events").fetchone()
            assert count == last
            assert count_rows(to)["events"] == count
    finally:
        stop.set()
        writer.join()
        log.close()


def test_a_second_run_is_refused_with_the_holder(appliance: Appliance, filled: Home) -> None:
    record.folder(filled).mkdir()
    with (record.folder(filled) / "lock").open("a+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write('{"pid": 4711, "what": "daily backup", "since": "2026-01-01T03:00:00+00:00"}')
        held.flush()
        with pytest.raises(backup.BackupRunning, match=r"daily backup, pid 4711, since 2026-01-01"):
            backup.run(appliance, filled, "hourly")


@contextmanager
def held_for(
    home: Home, seconds: float, meanwhile: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Somebody else has the backups for so long."""
    taken = threading.Event()

    def hold() -> None:
        with lock.held(home, "weekly backup"):
            taken.set()
            time.sleep(seconds)
            meanwhile()

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    try:
        yield
    finally:
        thread.join()


def test_a_second_run_waits_for_the_first_when_it_is_told_to(
    appliance: Appliance, filled: Home
) -> None:
    with held_for(filled, 0.5):
        assert backup.run(appliance, filled, "hourly", wait_s=30).kind == "hourly"


def test_a_second_run_waits_no_longer_than_it_is_told_to(
    appliance: Appliance, filled: Home
) -> None:
    with held_for(filled, 2):
        began = time.monotonic()
        with pytest.raises(backup.BackupRunning, match="weekly backup, pid"):
            backup.run(appliance, filled, "hourly", wait_s=0.5)
        assert 0.5 <= time.monotonic() - began < 1.5


def test_what_is_due_is_looked_up_after_waiting(appliance: Appliance, filled: Home) -> None:
    """Else two timers of one hour would make the same backup twice."""

    def made() -> None:
        record.update(filled, last={"weekly": datetime.now(UTC)})

    with held_for(filled, 0.5, made):
        assert backup.run_due(appliance, filled, wait_s=30) is None
    record.update(filled, last={})
    found = backup.run_due(appliance, filled)
    assert found is not None
    assert found.kind == "weekly"


def test_it_counts_only_when_it_was_proved(
    appliance: Appliance, filled: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner.Repository, "digest", lambda *_: "another")
    with pytest.raises(backup.BackupError, match=r"does not hold: .* is not what was written"):
        backup.run(appliance, filled, "hourly")
    found = backup.status(filled, appliance)
    assert (found.last_ok, found.stale, found.age_s) == (None, True, None)
    assert "does not hold" in found.problem
    assert found.last_try is not None


def test_old_ones_are_forgotten_by_kind(appliance: Appliance, filled: Home) -> None:
    keep = appliance.backup.keep.model_copy(update={"hourly": 1})
    fewer = appliance.model_copy(
        update={"backup": appliance.backup.model_copy(update={"keep": keep})}
    )
    backup.run(fewer, filled, "daily")
    backup.run(fewer, filled, "hourly")
    fill(filled, range(20, 25))
    result = backup.run(fewer, filled, "hourly")
    assert result.forgotten == 1
    kinds = [each.kind for each in runner.repository(fewer, filled).snapshots()]
    assert kinds == ["hourly", "daily"]
    assert backup.status(filled, fewer).snapshots == 2


@pytest.mark.parametrize(
    ("ages", "wanted"),
    [
        ({}, "weekly"),
        ({"weekly": 2.0}, "hourly"),
        ({"weekly": 0.2}, None),
        ({"weekly": 30.0, "hourly": 0.1}, "daily"),
        ({"weekly": 30.0, "daily": 2.0, "hourly": 1.0}, "hourly"),
        ({"weekly": 169.0, "daily": 2.0}, "weekly"),
    ],
)
def test_the_most_complete_kind_that_is_due_is_next(
    appliance: Appliance, home: Home, ages: dict[str, float], wanted: str | None
) -> None:
    now = datetime(2026, 1, 8, tzinfo=UTC)
    record.update(home, last={kind: now - timedelta(hours=h) for kind, h in ages.items()})
    assert backup.due(appliance, home, now) == wanted


def test_it_is_stale_when_the_table_says_so_and_fresh_by_no_clock_set_back(
    appliance: Appliance, home: Home
) -> None:
    at = datetime(2026, 1, 8, tzinfo=UTC)
    record.update(home, last={"hourly": at})
    limit = timedelta(hours=appliance.backup.stale_after_hours)
    assert not backup.status(home, appliance, now=at + limit).stale
    assert backup.status(home, appliance, now=at + limit + timedelta(seconds=1)).stale
    assert backup.status(home, appliance, now=at - 2 * limit).stale


def test_what_is_missing_is_named_with_what_to_do(
    appliance: Appliance, home: Home, repository: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    fill(home)
    with pytest.raises(backup.NotSetUp, match=r"no password .*jimbot backup init"):
        backup.run(appliance, home, "hourly")
    give_password(home).chmod(0o644)
    with pytest.raises(backup.NotSetUp, match=r"may read the secret.*chmod 600"):
        backup.run(appliance, home, "hourly")
    give_password(home, "another")
    with pytest.raises(JimbotError, match="is not the password of"):
        backup.run(appliance, home, "hourly")
    give_password(home)
    monkeypatch.setenv("JIMBOT_BACKUP", str(tmp_path / "nowhere"))
    with pytest.raises(JimbotError, match=r"there is no repository at .*jimbot backup init"):
        backup.run(appliance, home, "hourly")


def test_an_address_with_a_password_is_not_shown(
    appliance: Appliance, home: Home, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_password(home)
    monkeypatch.setenv("JIMBOT_BACKUP", "rest:http://me:hush@127.0.0.1:1/repo")
    assert runner.repository(appliance, home).name == "rest:http://…@127.0.0.1:1/repo"


def test_verify_reads_all_back_and_sees_damage(
    appliance: Appliance, filled: Home, repository: Path
) -> None:
    backup.run(appliance, filled, "daily")
    (proof,) = backup.verify(appliance, filled)
    assert proof.ok
    assert proof.problems == []
    pack = max(repository.glob("data/*/*"), key=lambda path: path.stat().st_size)
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(data)
    with pytest.raises(backup.BackupError, match="restic check failed"):
        backup.verify(appliance, filled)


def test_a_copy_that_would_not_fit_is_refused_before_it_begins(
    appliance: Appliance, filled: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_RESERVE", 1 << 60)
    with pytest.raises(backup.BackupError, match=r"needs \d+ MB .* MB are free"):
        backup.run(appliance, filled, "hourly")


def test_what_comes_back_is_equal(
    appliance: Appliance, filled: Home, contents: Callable[[Home], object]
) -> None:
    backup.run(appliance, filled, "daily")
    there = runner.repository(appliance, filled)
    with runner.scratch(filled) as directory:
        there.restore(there.snapshots()[0].id, directory)
        assert contents(Home(directory)) == contents(filled)
