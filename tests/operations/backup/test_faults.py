"""Power cuts and full disks in the middle: the next run is fine, and the data are equal."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jimbot.appliance import Appliance, Home
from jimbot.operations import backup
from jimbot.operations.backup import record, runner
from jimbot.operations.restore import restore
from tests.operations.backup.conftest import fill

Contents = Callable[[Home], dict[str, object]]


def in_child(work: Callable[[], object], kill_after: float | None = None) -> int | None:
    """Run in a process of its own; its exit code, or None when it was killed first."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


def duration(work: Callable[[], object]) -> float:
    began = time.monotonic()
    assert in_child(work) == 0
    return time.monotonic() - began


@pytest.mark.parametrize(
    "rounds", [4, pytest.param(40, marks=[pytest.mark.soak, pytest.mark.timeout(1200)])]
)
def test_a_backup_killed_anywhere_is_followed_by_a_good_one(
    appliance: Appliance, filled: Home, contents: Contents, tmp_path: Path, rounds: int
) -> None:
    usual = duration(lambda: backup.run(appliance, filled, "daily"))
    chance = random.Random(rounds)
    killed = 0
    for number in range(rounds):
        fill(filled, range(20 + number, 21 + number))
        at = chance.uniform(0, usual)
        killed += in_child(lambda: backup.run(appliance, filled, "daily"), at) is None
    assert killed > 0
    backup.run(appliance, filled, "daily")
    assert not backup.status(filled, appliance).stale
    assert list(record.folder(filled).glob("scratch-*")) == []
    restore(appliance, filled, target=tmp_path / "other")
    assert contents(Home(tmp_path / "other")) == contents(filled)
    assert all(proof.ok for proof in backup.verify(appliance, filled))


@pytest.mark.parametrize(
    "rounds", [5, pytest.param(60, marks=[pytest.mark.soak, pytest.mark.timeout(1200)])]
)
def test_a_restore_killed_anywhere_leaves_the_old_home_or_the_new(
    appliance: Appliance, filled: Home, contents: Contents, rounds: int
) -> None:
    backup.run(appliance, filled, "daily")
    new = contents(filled)
    fill(filled, range(20, 30))
    old = contents(filled)
    usual = duration(lambda: restore(appliance, filled, yes=True))
    chance = random.Random(rounds)
    seen = set()
    for _ in range(rounds):
        for each in filled.path.parent.glob("home.before-restore-*"):
            # The old one comes back, so that each round can go either way.
            if contents(Home(each)) == old:
                shutil.rmtree(filled.path)
                each.rename(filled.path)
            else:
                shutil.rmtree(each)
        in_child(lambda: restore(appliance, filled, yes=True), chance.uniform(0, 1.1 * usual))
        now = contents(filled)
        assert now in (old, new)
        seen.add(now == new)
    assert rounds < 20 or seen == {True, False}
    restore(appliance, filled, yes=True)
    assert contents(filled) == new
    assert list(filled.path.parent.glob(".home.restoring-*")) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with little space on it."""
    path = tmp_path / "small"
    path.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1200k", "none", path], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("mount is not allowed here")
    yield path
    subprocess.run(["umount", path], check=True)


def test_a_repository_on_a_full_disk_keeps_what_it_has(
    appliance: Appliance,
    filled: Home,
    repository: Path,
    small_disk: Path,
    contents: Contents,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    shutil.copytree(repository, small_disk / "repository")
    monkeypatch.setenv("JIMBOT_BACKUP", str(small_disk / "repository"))
    backup.run(appliance, filled, "hourly")
    (filled.checkpoints / "000000000099").mkdir()
    big = filled.checkpoints / "000000000099" / "weights"
    big.write_bytes(random.Random(1).randbytes(3 << 20))
    with pytest.raises(backup.BackupError, match=r"(?i)no space left.*Free disk space"):
        backup.run(appliance, filled, "hourly")
    assert "no space left" in backup.status(filled, appliance).problem
    # Somebody frees some: what was there is whole, and the next run is fine.
    big.write_bytes(b"small")
    backup.run(appliance, filled, "daily")
    assert backup.status(filled, appliance).problem == ""
    restore(appliance, filled, target=tmp_path / "other")
    assert contents(Home(tmp_path / "other")) == contents(filled)


def test_a_home_on_a_full_disk_says_so_and_is_as_it_was(
    appliance: Appliance, filled: Home, contents: Contents
) -> None:
    before = contents(filled)

    def with_a_limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
        with pytest.raises(backup.BackupError):
            backup.run(appliance, filled, "hourly")

    assert in_child(with_a_limit) == 0
    assert backup.status(filled, appliance).problem != ""
    assert contents(filled) == before
    backup.run(appliance, filled, "hourly")
    assert backup.status(filled, appliance).problem == ""


def test_a_restore_onto_a_full_disk_leaves_nothing(
    appliance: Appliance, filled: Home, small_disk: Path
) -> None:
    (filled.checkpoints / "000000000099").mkdir()
    big = filled.checkpoints / "000000000099" / "weights"
    big.write_bytes(random.Random(1).randbytes(3 << 20))
    backup.run(appliance, filled, "hourly")
    with pytest.raises(backup.BackupError):
        restore(appliance, filled, target=small_disk / "home")
    assert list(small_disk.iterdir()) == []


def test_a_lock_of_a_restic_that_was_killed_is_no_hindrance(
    appliance: Appliance, filled: Home
) -> None:
    there = runner.repository(appliance, filled)
    with there._start("backup", "--stdin", "--stdin-filename", "x") as running:
        time.sleep(0.5)
        running.kill()
    backup.run(appliance, filled, "daily")
    assert not backup.status(filled, appliance).stale
