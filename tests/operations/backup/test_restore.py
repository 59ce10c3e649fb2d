"""A home comes back as it was, or stays as it is; nothing in between."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jimbot.appliance import Appliance, Home
from jimbot.errors import JimbotError
from jimbot.events import open_log
from jimbot.operations import backup, state, stores
from jimbot.operations.restore import restore
from jimbot.security import audit
from tests.operations.backup.conftest import fill, give_password

Contents = Callable[[Home], dict[str, object]]


def test_an_empty_machine_with_the_repository_and_the_password_has_it_all_again(
    appliance: Appliance, filled: Home, contents: Contents
) -> None:
    backup.run(appliance, filled, "daily")
    before = contents(filled)
    shutil.rmtree(filled.path)
    give_password(filled)
    result = restore(appliance, filled)
    assert contents(filled) == before
    assert result.safety_copy == ""
    assert (filled.path / "secrets" / "backup").stat().st_mode & 0o777 == 0o600
    assert filled.path.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in filled.path.parent.iterdir() if "restor" in path.name] == []
    # And it goes on from there.
    fill(filled, range(20, 22))
    assert backup.run(appliance, filled, "hourly").files > 0


def test_over_a_home_it_needs_yes_and_keeps_what_was_there(
    appliance: Appliance, filled: Home, contents: Contents
) -> None:
    backup.run(appliance, filled, "daily")
    before = contents(filled)
    fill(filled, range(20, 30))
    later = contents(filled)
    with pytest.raises(backup.BackupError, match=r"something in .* already.*--yes"):
        restore(appliance, filled)
    plan = restore(appliance, filled, dry_run=True)
    assert plan.dry_run
    assert plan.files > 0
    assert contents(filled) == later
    result = restore(appliance, filled, yes=True)
    assert contents(filled) == before
    assert contents(Home(Path(result.safety_copy))) == later
    assert ".before-restore-" in plan.safety_copy


def test_into_another_home(
    appliance: Appliance, filled: Home, contents: Contents, tmp_path: Path
) -> None:
    backup.run(appliance, filled, "daily")
    target = tmp_path / "elsewhere" / "home"
    restore(appliance, filled, target=target)
    assert contents(Home(target)) == contents(filled)
    assert not (target / "secrets").exists()


def test_what_an_hourly_one_lacks_comes_from_the_last_daily_one(
    appliance: Appliance, filled: Home, tmp_path: Path
) -> None:
    daily = backup.run(appliance, filled, "daily").snapshot
    fill(filled, range(20, 30))
    hourly = backup.run(appliance, filled, "hourly").snapshot
    result = restore(appliance, filled, target=tmp_path / "other")
    assert result.sources["events"] == hourly
    assert result.sources["metrics"] == daily
    found = {each.name: each for each in stores.status(Home(tmp_path / "other"))}
    # The series know less than the log, and go on from there; never more.
    assert (found["metrics"].position, found["events"].position) == (40, 60)


def test_one_that_does_not_hold_is_passed_over(
    appliance: Appliance, filled: Home, repository: Path, contents: Contents, tmp_path: Path
) -> None:
    good = backup.run(appliance, filled, "daily").snapshot
    before = contents(filled)
    packs = set(repository.glob("data/*/*"))
    fill(filled, range(20, 60))
    bad = backup.run(appliance, filled, "hourly").snapshot
    for pack in set(repository.glob("data/*/*")) - packs:
        pack.chmod(0o600)
        pack.write_bytes(bytes(pack.stat().st_size))
    shutil.rmtree(filled.path / "backup" / "cache")
    result = restore(appliance, filled, target=tmp_path / "other")
    assert result.snapshot == good
    assert [line.split(":")[0] for line in result.passed_over] == [bad]
    assert contents(Home(tmp_path / "other")) == before
    with pytest.raises(backup.BackupError, match="no backup holds"):
        restore(appliance, filled, target=tmp_path / "third", snapshot=bad)
    assert not (tmp_path / "third").exists()


def test_one_store_comes_back_alone(appliance: Appliance, filled: Home) -> None:
    backup.run(appliance, filled, "daily")
    filled.series.write_bytes(b"not a database")
    (filled.path / "policy.npz").write_bytes(b"newer")
    result = restore(appliance, filled, part="metrics", yes=True)
    assert {each.name: each.state for each in stores.status(filled, ("metrics",))} == {
        "metrics": "ok"
    }
    assert (filled.path / "policy.npz").read_bytes() == b"newer"
    assert (Path(result.safety_copy) / "series.sqlite").read_bytes() == b"not a database"


def test_an_older_log_sets_aside_what_knew_more(appliance: Appliance, filled: Home) -> None:
    backup.run(appliance, filled, "daily")
    fill(filled, range(20, 30))
    result = restore(appliance, filled, part="events", yes=True)
    log = open_log(filled, read_only=True)
    assert log.position() == 40
    log.close()
    assert not filled.series.exists()
    assert "metrics knew later events" in result.notes[0]
    assert (Path(result.safety_copy).with_name("metrics") / "series.sqlite").exists()


def test_not_while_jimbot_runs_there(appliance: Appliance, filled: Home) -> None:
    backup.run(appliance, filled, "hourly")
    with state.lock(filled), pytest.raises(JimbotError, match="runs already"):
        restore(appliance, filled, yes=True)


def test_without_any_backup(appliance: Appliance, filled: Home) -> None:
    with pytest.raises(backup.BackupError, match=r"there is no backup in .*jimbot backup run"):
        restore(appliance, filled, yes=True)


def test_what_a_killed_restore_left_is_cleared_and_an_old_home_is_kept(
    appliance: Appliance, filled: Home, contents: Contents
) -> None:
    backup.run(appliance, filled, "daily")
    before = contents(filled)
    half = filled.path.with_name(f".{filled.path.name}.restoring-1")
    half.mkdir()
    (half / ".restoring").touch()
    # Killed between the swap and the old home's new name.
    old = filled.path.with_name(f".{filled.path.name}.restoring-2")
    old.mkdir()
    (old / "policy.npz").write_bytes(b"old")
    (filled.path / ".restoring").touch()
    restore(appliance, filled, yes=True)
    assert contents(filled) == before
    assert not half.exists()
    assert not (filled.path / ".restoring").exists()
    kept = list(filled.path.parent.glob("home.before-restore-*"))
    assert sorted((path / "policy.npz").read_bytes() for path in kept) == [b"old", b"weights"]


def test_the_audit_log_does_not_go_back_in_time(appliance: Appliance, filled: Home) -> None:
    audit.record(filled, action="deploy", result="ok")
    backup.run(appliance, filled, "daily")
    audit.record(filled, action="rollback", result="ok")
    restore(appliance, filled, yes=True)
    assert [each["action"] for each in audit.entries(filled)] == ["deploy", "rollback"]
    shutil.rmtree(filled.path)
    give_password(filled)
    restore(appliance, filled)
    assert [each["action"] for each in audit.entries(filled)] == ["deploy"]
    assert audit.verify(filled).ok
