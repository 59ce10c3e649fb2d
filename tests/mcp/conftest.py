from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from jimbot.appliance import Home, load
from jimbot.events import Event, EventLog
from jimbot.events.sqlite import SQLiteEventLog
from jimbot.mcp.commit import Committer
from jimbot.mcp.metrics import Metrics
from jimbot.mcp.server import EventServer
from tests.conftest import table_on_free_ports


def heartbeat(event_id: str, **payload: Any) -> Event:
    return Event(
        type="HEARTBEAT",
        source="test",
        event_id=event_id,
        payload={"version": "1", "uptime": 0, **payload},
    )


class Running:
    """An `EventServer` in a thread of its own."""

    def __init__(self, log: EventLog, **options: Any) -> None:
        self.log = log
        self._options = options
        self.metrics = Metrics()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._started.wait(5)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with Committer(self.log, self.metrics) as committer:
            self.committer = committer
            async with EventServer(committer, self.metrics, 0, **self._options) as self.server:
                self.url = f"ws://127.0.0.1:{self.server.port}"
                self._started.set()
                await self._stop.wait()

    def stop(self) -> float:
        """Stop as the service does; the seconds that it took."""
        began = time.monotonic()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)
            assert not self._thread.is_alive()
        return time.monotonic() - began


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SQLiteEventLog]:
    log = SQLiteEventLog(tmp_path / "log.sqlite")
    yield log
    log.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Running]]:
    """Starts a server in front of a log."""
    running: list[Running] = []

    def start(log: EventLog, **options: Any) -> Running:
        running.append(Running(log, **options))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def server(serve: Callable[[EventLog], Running], log: EventLog) -> Running:
    return serve(log)


@contextmanager
def dial(url: str, **options: Any) -> Iterator[ClientConnection]:
    with connect(url, compression=None, proxy=None, close_timeout=1, **options) as socket:
        yield socket


def hear(socket: ClientConnection, timeout: float = 5) -> dict[str, Any]:
    """The next answer."""
    answer: dict[str, Any] = json.loads(socket.recv(timeout=timeout))
    return answer


class Service:
    """The real service in a process of its own, on free ports and its own home."""

    def __init__(self, directory: Path) -> None:
        self.home = Home(directory / "home")
        self.home.prepare()
        self.table = table_on_free_ports(directory)
        ports = load(self.table).service("mcp").ports
        self.websocket_port, self.http_port = ports["websocket"], ports["http"]
        self.url = f"ws://127.0.0.1:{self.websocket_port}"
        self.stderr = directory / "stderr.jsonl"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True, before: str = "") -> None:
        code = before + (
            "import asyncio, sys; from jimbot import appliance; from jimbot.errors import *\n"
            "from jimbot.mcp.service import run\n"
            "try: asyncio.run(run(appliance.load(), appliance.Home.default()))\n"
            "except JimbotError as error: sys.exit(f'error: {error}')"
        )
        with self.stderr.open("ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                cwd=Path(__file__).parents[2],
                env={
                    **os.environ,
                    "JIMBOT_HOME": str(self.home.path),
                    "JIMBOT_TABLE": str(self.table),
                },
                stderr=stderr,
            )
        if wait:
            self.wait_until(lambda: self.get("/health")[0] == 200)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.http_port}{path}", timeout=5
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_until(self, condition: Callable[[], bool], timeout: float = 20) -> None:
        end = time.monotonic() + timeout
        while not condition():
            assert self.process is None or self.process.poll() is None, self.stderr.read_text()
            assert time.monotonic() < end, self.stderr.read_text()
            time.sleep(0.02)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; the exit code, and the seconds until it came."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(15), time.monotonic() - began

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.close()
