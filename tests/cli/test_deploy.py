"""The commands that deploy, roll back and drain, as scripts call them, where nothing runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from jimbot.appliance import Home
from jimbot.cli import main
from jimbot.security import audit
from tests.conftest import table_on_free_ports


class Shell:
    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.home.prepare()
        self.table = table_on_free_ports(folder)

    def __call__(self, *arguments: str) -> Result:
        top = ["--home", str(self.home.path), "--table", str(self.table)]
        return CliRunner().invoke(main, [*top, *arguments])

    def json(self, *arguments: str) -> Any:
        result = self(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("JIMBOT_TABLE", "")  # which `--table` sets for the services
    return Shell(tmp_path)


def test_deploy_list_and_roll_back(shell: Shell) -> None:
    assert shell.json("generations") == {"current": None, "under_way": None, "generations": []}
    planned = shell.json("deploy", "--dry-run")
    assert planned["generation"]["number"] == 1
    assert shell.json("generations")["generations"] == []

    result = shell("deploy")
    assert result.exit_code == 0
    assert "nothing runs: it is what the next `jimbot up` starts" in result.stdout
    shell.table.write_text(shell.table.read_text().replace("flush_ms = 100", "flush_ms = 120"))
    assert shell.json("deploy")["changes"] == ["table"]
    assert "nothing to do" in shell("deploy").stdout
    told = shell.json("generations")
    assert (told["current"], len(told["generations"])) == (2, 2)

    assert shell.json("rollback", "--dry-run")["generation"]["number"] == 1
    assert shell.json("generations")["current"] == 2
    assert shell.json("rollback")["generation"]["number"] == 1
    assert "*    1" in shell("generations").stdout
    refused = shell("rollback", "7")
    assert refused.exit_code == 2
    assert "there is no generation 7" in refused.stderr

    verification = audit.verify(shell.home)
    assert verification.ok
    lines = (shell.home.path / "audit" / "audit.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [(it["action"], it["result"]) for it in records] == [
        ("deploy", "ok"),
        ("deploy", "ok"),
        ("deploy", "nothing to do"),
        ("rollback", "ok"),
        ("rollback", "failed"),
    ]


def test_draining_needs_a_running_appliance(shell: Shell) -> None:
    for command in ("drain", "undrain"):
        result = shell(command, "trainer")
        assert result.exit_code == 2
        assert "no `jimbot up` runs on" in result.stderr
        assert "jimbot up" in result.stderr
