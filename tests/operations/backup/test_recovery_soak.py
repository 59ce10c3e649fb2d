"""The whole appliance under load, its backups killed, then its restores: healthy without help."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jimbot.appliance import Home, load
from jimbot.events import Event, open_log
from jimbot.mcp.client import EventClient
from tests.conftest import table_on_free_ports
from tests.operations.backup.conftest import give_password

JIMBOT = [sys.executable, "-m", "jimbot"]
ROUNDS = 8

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def environment(tmp_path: Path, repository: Path, home: Home) -> dict[str, str]:
    give_password(home)
    return os.environ | {
        "JIMBOT_HOME": str(home.path),
        "JIMBOT_TABLE": str(table_on_free_ports(tmp_path)),
    }


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    started = []
    output = (tmp_path / "output").open("w")  # to be looked at when a run failed

    def go(*arguments: str) -> subprocess.Popen[bytes]:
        started.append(
            subprocess.Popen(
                [*JIMBOT, *arguments],
                env=environment,
                stdout=output,
                stderr=output,
            )
        )
        return started[-1]

    yield go
    for each in started:
        if each.poll() is None:
            each.send_signal(signal.SIGTERM)
            try:
                each.wait(30)
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait()
    output.close()


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_power_cuts_in_backups_and_restores(
    home: Home, environment: dict[str, str], start: Start
) -> None:
    chance = random.Random(1)

    def jimbot(*arguments: str) -> int:
        return start(*arguments).wait(300)

    def killed(*arguments: str) -> int:
        """How many of some runs were killed before they were done."""
        began = time.monotonic()
        assert jimbot(*arguments) == 0
        usual = time.monotonic() - began
        count = 0
        for _ in range(ROUNDS):
            one = start(*arguments)
            time.sleep(chance.uniform(0.2, 1.0) * usual)
            count += one.poll() is None
            one.kill()
            one.wait()
        return count

    up = start("up", "--no-train")
    assert jimbot("health", "--wait", "--timeout", "120") == 0
    appliance = load(Path(environment["JIMBOT_TABLE"]))
    client = EventClient(appliance.url("mcp", "websocket", scheme="ws"), journal=home.acknowledged)
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(0.01):
            money = {"old_value": 4, "new_value": 7, "difference": 3}
            client.send(Event(type="MONEY_CHANGED", source="soak", payload=money), timeout=10)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        assert killed("backup", "run", "--kind", "daily") > 0
        assert jimbot("health") == 0
        assert jimbot("backup", "run", "--kind", "daily") == 0
    finally:
        stop.set()
        sender.join()
    assert client.flush(30)
    acknowledged = client.acknowledged
    client.close()
    assert acknowledged > 0
    assert jimbot("backup", "run", "--kind", "hourly") == 0
    assert jimbot("backup", "verify", "--all") == 0
    assert jimbot("drill") == 0
    assert jimbot("verify") == 0
    up.send_signal(signal.SIGTERM)
    assert up.wait(60) == 0
    log = open_log(home, read_only=True)
    before = log.count()
    log.close()
    assert before >= acknowledged

    assert killed("restore", "--yes") > 0
    start("up", "--no-train")
    assert jimbot("health", "--wait", "--timeout", "120") == 0
    assert jimbot("verify") == 0
    log = open_log(home, read_only=True)
    # Nothing came after the last backup, so that nothing may be missing.
    assert log.count() == before
    log.close()
    assert jimbot("audit", "verify") == 0
