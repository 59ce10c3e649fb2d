"""A home with games in its log, and analytics on it: in this process, or as the service it is."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from starlette.testclient import TestClient

from jimbot.analytics.api import create_app
from jimbot.analytics.around import Around
from jimbot.analytics.exposition import Metrics
from jimbot.analytics.figures import Figures
from jimbot.analytics.projections import Projections
from jimbot.analytics.services import ServiceChecks
from jimbot.appliance import Appliance, Home
from jimbot.events import Event, now_ms, open_log, stream_of
from jimbot.events.payloads import GAME_FINISHED, TRAINING_ITERATION, validate

# What `jimbot serve analytics TABLE HOME` does.
PROGRAM = """
import asyncio, pathlib, sys
from jimbot.analytics.service import run
from jimbot.appliance import Home, load

asyncio.run(run(load(pathlib.Path(sys.argv[1])), Home(pathlib.Path(sys.argv[2]))))
"""

_ids = itertools.count(1)


def game(*, ago_s: float = 0, won: bool = False, source: str = "worker-1", **fields: Any) -> Event:
    """A finished game of `ago_s` seconds ago."""
    number = next(_ids)
    payload = {
        "game_id": f"g{number:06d}",
        "seed": f"SEED{number:04d}",
        "deck": "Red",
        "stake": "White",
        "policy": "ppo",
        "won": won,
        "ante": 8 if won else 3,
        "round": 7,
        "best_hand": 1200.0,
        "money": 11,
        "actions": 90,
        "duration_ms": 40.5,
        "jokers": ["j_joker", "j_greedy_joker"],
        "hands": {"Pair": 3, "Flush": 2},
        **fields,
    }
    timestamp = now_ms() - int(ago_s * 1000)
    event = Event(type=GAME_FINISHED, source=source, timestamp=timestamp, payload=payload)
    validate(event)
    return event


def iteration(number: int, *, ago_s: float = 0, run: str = "r1", **fields: Any) -> Event:
    payload = {"run": run, "iteration": number, "steps": 4000 * number, "games": 12, **fields}
    timestamp = now_ms() - int(ago_s * 1000)
    return Event(type=TRAINING_ITERATION, source="trainer", timestamp=timestamp, payload=payload)


def add(home: Home, events: Sequence[Event]) -> None:
    log = open_log(home)
    try:
        log.append([(stream_of(event), event) for event in events])
    finally:
        log.close()


def until(condition: Callable[[], Any], timeout_s: float = 15) -> Any:
    """What the condition gives once it is true; fails when it is not in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("not in time")


class Analytics(NamedTuple):
    """The application in this process, its projections running."""

    client: TestClient
    projections: Projections
    figures: Figures

    def get(self, path: str, **parameters: Any) -> Any:
        response = self.client.get(path, params=parameters)
        assert response.status_code == 200, response.text
        return response.json()

    def caught_up(self, position: int) -> None:
        """Wait until both projections are there, and figures made before are forgotten."""
        until(
            lambda: all(
                it.position >= position and it.state != "starting"
                for it in self.projections.statuses()
            )
        )
        self.figures.forget()


@pytest.fixture
def analytics(appliance: Appliance, home: Home) -> Iterator[Analytics]:
    projections = Projections(home)
    figures = Figures(home, projections)
    checks = ServiceChecks(appliance, home, ("analytics", projections.health))
    metrics = Metrics(figures.summary, projections.statuses, checks.last)
    app, _ = create_app(
        figures, checks, metrics, projections.health, Around(appliance, home, checks.last)
    )
    projections.start()
    try:
        with TestClient(app, base_url="http://127.0.0.1:8090") as client:
            yield Analytics(client, projections, figures)
    finally:
        projections.stop()
        figures.close()


class Service(NamedTuple):
    """The service in a process of its own."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Send a signal; the seconds until the process was gone."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(10)
        return time.monotonic() - began


@contextmanager
def started(home: Home, table: Path, port: int, log: Path) -> Iterator[Service]:
    """The service, which may not answer yet."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(table), str(home.path)], stderr=file, stdout=file
        )
    try:
        yield Service(process, f"http://127.0.0.1:{port}", log)
    finally:
        process.kill()
        process.wait(10)


def answers(service: Service) -> bool:
    """Whether it answers, with its stores or with what is wrong with them."""
    assert service.process.poll() is None, service.log.read_text()
    try:
        health = httpx.get(f"{service.url}/health", trust_env=False).json()
    except httpx.HTTPError:
        return False
    return all(it["state"] != "starting" for it in health["details"].values())


@contextmanager
def running(home: Home, table: Path, port: int, log: Path) -> Iterator[Service]:
    with started(home, table, port, log) as service:
        until(lambda: answers(service), 30)
        yield service


@pytest.fixture
def service(appliance: Appliance, home: Home, tmp_path: Path) -> Iterator[Service]:
    port = appliance.service("analytics").ports["http"]
    with running(home, tmp_path / "appliance.toml", port, tmp_path / "analytics.log") as up:
        yield up
