"""Services of the training room as real processes on a small table, for a few iterations."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from jimbot.appliance import Appliance, Home, load
from jimbot.training import cluster
from tests.conftest import table_on_free_ports

SMALL = (
    "env_runners = 1, envs_per_runner = 4, object_store_mb = 80, batch = 256, minibatch = 128, "
    "epochs = 1"
)


def shrink(table: Path) -> None:
    """Have the smallest profile train and save in steps of a second, and keep every game whole."""
    head, tail = table.read_text().split("[profiles.ci]", 1)
    tail = re.sub(r"training = \{.*\}", f"training = {{ {SMALL} }}", tail, count=1)
    tail = re.sub(r"record_one_in = \d+", "record_one_in = 1", tail, count=1)
    tail = re.sub(r"checkpoint_minutes = \d+", "checkpoint_minutes = 0.02", tail, count=1)
    table.write_text(f"{head}[profiles.ci]{tail}")


@pytest.fixture
def small_table(tmp_path: Path) -> Path:
    """The package's table on free ports, its smallest profile shrunk further."""
    path = table_on_free_ports(tmp_path)
    shrink(path)
    return path


@dataclass
class Services:
    """Starts services of one home and knows how to ask them."""

    home: Home
    table: Path
    appliance: Appliance
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, *names: str) -> None:
        for name in names:
            log = (self.home.logs / f"{name}.jsonl").open("ab")
            self.running[name] = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jimbot", "--home", str(self.home.path)),
                    *("--table", str(self.table), "serve", name, "--profile", "ci"),
                ],
                stdout=log,
                stderr=log,
            )
            log.close()

    def log(self, name: str) -> str:
        return (self.home.logs / f"{name}.jsonl").read_text()

    def health(self) -> dict[str, Any]:
        url = f"{self.appliance.url('trainer')}/health"
        try:
            answer: dict[str, Any] = httpx.get(url, timeout=2, trust_env=False).json()
        except httpx.TransportError:
            return {"status": "none", "details": {}}
        return answer

    def wait(
        self, what: Callable[[dict[str, Any]], bool], timeout_s: float = 120
    ) -> dict[str, Any]:
        """Until the trainer's health is as wanted, or it hangs: its start alone may take half."""
        health = self.appliance.service("trainer").health
        assert health is not None
        deadline = time.monotonic() + 2 * health.start_s
        while time.monotonic() < deadline:
            answer = self.health()
            if what(answer):
                return answer
            assert self.running["trainer"].poll() is None, self.log("trainer")[-2000:]
            time.sleep(0.1)
        raise AssertionError(f"{self.health()}\n{self.log('trainer')[-2000:]}")

    def start_head(self) -> Path:
        """Start Ray's head; the file that says that it is there, once it is."""
        self.start("ray-head")
        announcement = self.home.run / "ray-head.json"
        deadline = time.monotonic() + 120
        while not announcement.exists():
            assert self.running["ray-head"].poll() is None, self.log("ray-head")[-2000:]
            assert time.monotonic() < deadline, self.log("ray-head")[-2000:]
            time.sleep(0.1)
        return announcement

    def stop(self, name: str, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit code."""
        process = self.running.pop(name)
        process.send_signal(number)
        return process.wait(timeout=20)


@pytest.fixture
def services(home: Home, small_table: Path) -> Iterator[Services]:
    services = Services(home, small_table, load(small_table))
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    try:
        yield services
    finally:
        family = [
            process
            for process in psutil.Process().children(recursive=True)
            if process.pid not in before
        ]
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=5)
        shutil.rmtree(cluster.scratch(home), ignore_errors=True)


def export_command(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`jimbot export`, as a process that must not need torch or Ray."""
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('torch', 'ray', 'gymnasium')))\n"
        "from jimbot.cli import COMMANDS, main\n"
        "COMMANDS.setdefault('export', ('export', ''))\n"
        "main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code, "--home", str(home.path), "export", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )
