"""`jimbot backup` and `jimbot restore` as an operator and a timer use them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jimbot.appliance import Home
from jimbot.cli import main
from jimbot.operations.backup import lock
from jimbot.security import audit
from tests.operations.backup.conftest import empty_repository, fill, give_password, repository

__all__ = ["empty_repository", "repository"]


def jimbot(home: Home, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home.path), *arguments])


def test_init_makes_password_and_repository_once(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JIMBOT_BACKUP", str(tmp_path / "repository"))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert jimbot(home, "backup", "list").exit_code == 2
    made = jimbot(home, "backup", "init")
    assert made.exit_code == 0, made.output
    assert "keep a copy elsewhere" in made.output
    password = home.path / "secrets" / "backup"
    assert password.stat().st_mode & 0o777 == 0o600
    before = password.read_text()
    assert before.strip() not in made.output
    assert "is there" in jimbot(home, "backup", "init").output
    assert password.read_text() == before


def test_from_the_first_backup_to_a_restored_home(home: Home, repository: Path) -> None:
    fill(home)
    give_password(home)
    stale = jimbot(home, "backup", "list", "--json")
    assert stale.exit_code == 1
    assert json.loads(stale.stdout)["status"]["stale"] is True
    plan = json.loads(jimbot(home, "backup", "run", "--dry-run", "--json").stdout)
    assert plan["kind"] == "weekly"
    assert "events" in plan["parts"]

    done = jimbot(home, "backup", "run", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["kind"] == "weekly"
    assert "no backup is due" in jimbot(home, "backup", "run").output
    listed = jimbot(home, "backup", "list", "--json")
    assert listed.exit_code == 0
    (one,) = json.loads(listed.stdout)["backups"]

    held = jimbot(home, "backup", "verify", "--json")
    assert held.exit_code == 0, held.output
    assert json.loads(held.stdout)[0]["ok"] is True

    refused = jimbot(home, "restore")
    assert refused.exit_code == 1
    assert "--yes" in refused.output
    restored = jimbot(home, "restore", "--yes", "--json")
    assert restored.exit_code == 0, restored.output
    assert json.loads(restored.stdout)["snapshot"] == one["id"]
    trail = [(each["action"], each["result"]) for each in audit.entries(home)]
    assert trail == [
        ("backup", "ok"),
        ("backup verify", "ok"),
        ("restore", "failed"),
        ("restore", "ok"),
    ]


@pytest.mark.parametrize(
    "command", [("backup", "run", "--kind", "hourly"), ("backup", "run"), ("drill",), ("restore",)]
)
def test_what_a_timer_starts_waits_for_another(home: Home, command: tuple[str, ...]) -> None:
    fill(home)
    with lock.held(home, "weekly backup"):
        began = time.monotonic()
        assert "backups are in use (weekly backup" in jimbot(home, *command).output
        assert time.monotonic() - began < 1
        assert "backups are in use (weekly backup" in jimbot(home, *command, "--wait", "1").output
        assert time.monotonic() - began > 1
    # There is no password here, which is another error.
    assert "no password" in jimbot(home, *command, "--wait", "1").output


def test_an_unknown_backup_is_refused(home: Home, repository: Path) -> None:
    fill(home)
    give_password(home)
    assert jimbot(home, "backup", "run", "--kind", "hourly").exit_code == 0
    unknown = jimbot(home, "restore", "--snapshot", "ffff", "--yes")
    assert unknown.exit_code == 1
    assert "there is no backup ffff" in unknown.output
