from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from typing import Any

import httpx
import pytest

from jimbot.appliance import Appliance, Home
from jimbot.errors import PortTaken
from jimbot.events.payloads import TrainingIteration
from jimbot.training import service
from jimbot.training.driver import Progress, Status
from jimbot.training.errors import TrainingError
from jimbot.training.service import STALLED_S, health


def test_it_fails_until_it_trains() -> None:
    answer = health(Status(stage="waiting for Ray"))
    assert answer.status == "fail"
    assert answer.reason == "starting: waiting for Ray"


@pytest.mark.parametrize("stage", ["finishing the games", "stopping"])
def test_it_is_well_while_it_ends_as_it_was_told(stage: str) -> None:
    answer = health(Status(stage=stage))
    assert (answer.status, answer.reason) == ("ok", stage)


def test_it_tells_how_far_it_is() -> None:
    status = Status(
        stage="training",
        progress=Progress(run="r", iteration=3, steps=900, games=12),
        resumed_from="000000000500",
        last_iteration=time.monotonic() - 2,
    )
    answer = health(status)
    assert answer.status == "ok"
    assert answer.details["iteration"] == 3
    assert answer.details["resumed_from"] == "000000000500"
    assert 2 <= answer.details["last_iteration_age_s"] < 3


def test_a_stall_is_a_warning() -> None:
    status = Status(stage="training", last_iteration=time.monotonic() - STALLED_S - 1)
    answer = health(status)
    assert answer.status == "warn"
    assert answer.hint


Train = Any


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts something else in the driver's place."""

    def put(train: Train) -> None:
        monkeypatch.setattr(service, "train", train)

    return put


def test_it_serves_health_and_metrics_and_stops_on_sigterm(
    appliance: Appliance, home: Home, trained: Any
) -> None:
    seen: dict[str, str] = {}

    def train(*_: object, stop: threading.Event, status: Status, **calls: Any) -> None:
        status.stage = "training"
        status.last_iteration = time.monotonic()
        calls["connected"]()
        calls["iterated"](TrainingIteration(run="r", iteration=1, steps=512, games=7, loss=0.5))
        url = appliance.url("trainer")
        seen["health"] = httpx.get(f"{url}/health", trust_env=False).json()["status"]
        seen["metrics"] = httpx.get(f"{url}/metrics", trust_env=False).text
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)

    trained(train)
    asyncio.run(asyncio.wait_for(service.run(appliance, home, "ci"), 10))
    assert seen["health"] == "ok"
    for line in ("steps 512.0", "games_total 7.0", "loss 0.5", "iterations_total 1.0"):
        assert f"jimbot_trainer_{line}" in seen["metrics"]


def test_what_the_driver_raises_ends_the_service(
    appliance: Appliance, home: Home, trained: Any
) -> None:
    def train(*_: object, **__: object) -> None:
        raise TrainingError("no such thing")

    trained(train)
    with pytest.raises(TrainingError, match="no such thing"):
        asyncio.run(asyncio.wait_for(service.run(appliance, home, "ci"), 10))


def test_a_taken_port_is_named(appliance: Appliance, home: Home) -> None:
    port = appliance.service("trainer").ports["http"]
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(PortTaken, match=str(port)):
            asyncio.run(service.run(appliance, home, "ci"))
