"""Who manages the appliance leaves a record of it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from jimbot.appliance import Home
from jimbot.cli import COMMANDS, main
from jimbot.security import audit

# What only tells, plays or measures, and what runs in the foreground. `up` and `serve` are told of
# in their own logs. Everything else manages the appliance.
NO_RECORD = {
    "up", "status", "health", "top", "logs", "play", "evaluate", "train", "export", "bundle",
    "edge", "seed", "game serve", "games list", "games show", "games replay", "costs", "db status",
    "render", "backup list", "preflight", "verify", "generations", "alerts list", "tokens list",
    "certs show", "audit list", "audit verify", "config check", "config show", "serve", "forward",
}  # fmt: skip


def commands() -> Iterator[tuple[str, Path]]:
    """Every command that does something, and the file that it is in."""
    for name, (module, _) in COMMANDS.items():
        found = importlib.import_module(f"jimbot.cli.{module}")
        file = Path(found.__file__ or "")
        if isinstance(found.command, click.Group):
            for sub in found.command.commands:
                yield f"{name} {sub}", file
        else:
            yield name, file


def test_every_command_either_leaves_a_record_or_is_known_to_leave_none() -> None:
    groups = {name.partition(" ")[0] for name, _ in commands()}
    assert groups | {name for name, _ in commands()} >= NO_RECORD, "it names what is no more"
    for name, file in commands():
        if name in NO_RECORD or name.partition(" ")[0] in NO_RECORD:
            continue
        source = file.read_text()
        if "import run" in source:  # undrain is drain the other way
            source += file.with_name("drain.py").read_text()
        assert "audited(" in source or "audit.record(" in source, f"{name} leaves no record"


@pytest.mark.parametrize(
    ("arguments", "action", "given"),
    [
        (["init-db"], "init-db", None),
        (["db", "migrate", "events"], "db migrate", None),
        (["db", "retain"], "db retain", None),
        (["db", "rebuild", "metrics"], "db rebuild", None),
        (
            ["claude", "rotate-key", "--from-file", "-"],
            "claude rotate-key",
            "sk-ant-canary-1234567",
        ),
    ],
)
def test_it_says_what_was_done(
    home: Home, arguments: list[str], action: str, given: str | None
) -> None:
    runner = CliRunner()
    assert runner.invoke(main, ["--home", str(home.path), "init-db"]).exit_code == 0
    done = runner.invoke(main, ["--home", str(home.path), *arguments], input=given)
    assert done.exit_code == 0, done.output
    entry = list(audit.entries(home))[-1]
    assert (entry["action"], entry["result"]) == (action, "ok")
    if given:
        for file in (home.path / "audit").rglob("*"):
            assert given not in file.read_text()


def test_what_failed_is_recorded_too(home: Home) -> None:
    done = CliRunner().invoke(main, ["--home", str(home.path), "db", "migrate", "metrics"])
    assert done.exit_code == 2
    entry = list(audit.entries(home))[-1]
    assert (entry["action"], entry["result"]) == ("db migrate", "failed")
