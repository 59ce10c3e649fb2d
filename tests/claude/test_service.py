"""The service as `jimbot serve claude` runs it, and the commands that speak to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jimbot.appliance import Appliance, Home
from jimbot.claude.ledger import ledger_path
from jimbot.claude.service import cache_path
from jimbot.cli import Options
from jimbot.cli.claude import command as claude_command
from jimbot.cli.costs import command as costs_command
from tests.claude.conftest import CANARY, question


class Service:
    def __init__(self, home: Home, table: Path, log: Path) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ANTHROPIC_")}
        environment |= {"JIMBOT_HOME": str(home.path), "JIMBOT_TABLE": str(table)}
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jimbot", "serve", "claude"], env=environment, stderr=file
            )

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@pytest.fixture
def table(tmp_path: Path, appliance: Appliance) -> Path:
    """The appliance's table, with Claude where nobody listens."""
    path = tmp_path / "appliance.toml"
    path.write_text(path.read_text().replace("https://api.anthropic.com", "http://127.0.0.1:9"))
    return path


@pytest.fixture
def service(home: Home, table: Path, tmp_path: Path) -> Iterator[Service]:
    running = Service(home, table, tmp_path / "log")
    yield running
    running.process.kill()
    running.process.wait(10)


def call(url: str, body: str | None = None, wait_s: float = 15) -> Any:
    deadline = time.monotonic() + wait_s
    request = urllib.request.Request(
        url, body.encode() if body else None, {"content-type": "application/json"}
    )
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.load(response)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def options(home: Home, table: Path) -> Options:
    return Options(home.path, table)


def test_without_a_key_the_strategist_answers_and_says_so(
    service: Service, appliance: Appliance
) -> None:
    url = appliance.url("claude")
    health = call(f"{url}/health")
    assert (health["status"], health["reason"]) == (
        "ok", "no key: the local strategist answers",
    )  # fmt: skip
    said = call(f"{url}/api/v1/advice", question().model_dump_json())
    assert (said["source"], said["declined"], said["index"]) == ("strategist", "no key", 1)
    began = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - began < 2
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert {line["service"] for line in lines} == {"claude"}


def test_it_listens_on_loopback_alone(service: Service, appliance: Appliance) -> None:
    call(f"{appliance.url('claude')}/health")
    port = appliance.service("claude").ports["http"]
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = [row.split()[1] for row in rows if row.split()[3] == "0A"]
    assert [each for each in listening if each.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


def test_a_taken_port_is_one_clear_line(home: Home, table: Path, appliance: Appliance,
                                        tmp_path: Path) -> None:  # fmt: skip
    port = appliance.service("claude").ports["http"]
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        running = Service(home, table, tmp_path / "log")
        assert running.process.wait(15) == 2
    assert f"cannot listen on 127.0.0.1:{port}" in running.log.read_text().splitlines()[-1]


@pytest.mark.parametrize("which", ["ledger", "cache"])
def test_a_damaged_store_degrades_and_is_left_alone(
    which: str, home: Home, table: Path, appliance: Appliance, tmp_path: Path
) -> None:
    path = {"ledger": ledger_path, "cache": cache_path}[which](home)
    path.parent.mkdir()
    path.write_bytes(b"no database " * 200)
    put_key(home)
    running = Service(home, table, tmp_path / "log")
    try:
        url = appliance.url("claude")
        health = call(f"{url}/health")
        said = call(f"{url}/api/v1/advice", question().model_dump_json())
        assert said["source"] == "strategist"
        if which == "ledger":
            assert health["status"] == "warn"
            assert said["declined"] == "no ledger"
        assert path.read_bytes() == b"no database " * 200
    finally:
        running.process.kill()
        running.process.wait(10)


def put_key(home: Home, text: str = CANARY) -> None:
    folder = home.path / "secrets" / "claude"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "first").write_text(text)
    (folder / "first").chmod(0o600)


def test_rotate_key_reaches_the_running_gateway_and_shows_no_key(
    service: Service, appliance: Appliance, home: Home, table: Path
) -> None:
    url = appliance.url("claude")
    assert call(f"{url}/health")["details"]["keys"] == []
    put_key(home)
    done = CliRunner().invoke(
        claude_command, ["rotate-key", "--from-file", "-", "--json"],
        input="sk-new-new-new\n", obj=options(home, table),
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert said["running"] == [Path(said["file"]).name, "first"]
    retired = CliRunner().invoke(
        claude_command, ["rotate-key", "--from-file", "-", "--retire"],
        input="sk-newer-newer\n", obj=options(home, table),
    )  # fmt: skip
    assert retired.exit_code == 0, retired.output
    assert "Removed first." in retired.output
    assert len(call(f"{url}/health")["details"]["keys"]) == 1
    assert not any(key in done.output + retired.output for key in ("sk-new", CANARY))


def test_a_key_is_never_an_argument(home: Home, table: Path) -> None:
    done = CliRunner().invoke(
        claude_command, ["rotate-key", "sk-on-the-command-line"], obj=options(home, table)
    )
    assert done.exit_code == 2
    done = CliRunner().invoke(claude_command, ["rotate-key"], obj=options(home, table))
    assert done.exit_code == 2
    assert "--from-file" in done.output


def test_costs_with_and_without_the_gateway(
    home: Home, table: Path, appliance: Appliance, tmp_path: Path
) -> None:
    def costs(*arguments: str) -> str:
        done = CliRunner().invoke(costs_command, arguments, obj=options(home, table))
        assert done.exit_code == 0, done.output
        return done.output

    assert json.loads(costs("--json"))["dollars"] == 0
    assert "forecast $0.00" in costs()
    running = Service(home, table, tmp_path / "log")
    try:
        call(f"{appliance.url('claude')}/health")
        assert json.loads(costs("--json", "--days", "3"))["requests"] == 0
        running.stop()
    finally:
        running.process.kill()
        running.process.wait(10)
    assert ledger_path(home).exists()
    assert "this month" in costs("--by", "model")
