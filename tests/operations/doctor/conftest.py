"""An appliance to look at."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from jimbot.appliance import Appliance, Home
from jimbot.files import write_whole
from jimbot.operations import vitals
from jimbot.operations.doctor import Patient
from tests.operations.backup.conftest import empty_repository, filled, repository

__all__ = ["empty_repository", "filled", "repository"]


@pytest.fixture
def patient(appliance: Appliance, home: Home) -> Patient:
    return Patient(appliance, home)


@pytest.fixture
def runs(home: Home) -> Callable[..., None]:
    """Says that services run: `runs(mcp=pid)`, each with the process' own start."""

    def write(**services: int) -> None:
        me = psutil.Process()
        rows = {
            name: {"pid": pid, "started": psutil.Process(pid).create_time(), "restarts": 0}
            for name, pid in services.items()
        }
        state: dict[str, Any] = {
            "pid": os.getpid(),
            "started": me.create_time(),
            "profile": "workstation",
            "services": rows,
        }
        (home.run / "up.json").write_text(json.dumps(state))

    return write


@pytest.fixture
def looked(home: Home) -> Callable[..., None]:
    """Writes looks of the past: one an hour, `free` and `memory` bytes by the hour."""

    def write(
        free: list[int],
        memory: dict[str, list[int]] | None = None,
        started: float = 0.0,
    ) -> None:
        now = time.time()
        looks = [
            vitals.Vitals(
                time=now - 3600 * (len(free) - number),
                free=each,
                home={},
                memory={
                    name: vitals.Memory(started=started, bytes=sizes[number])
                    for name, sizes in (memory or {}).items()
                },
            )
            for number, each in enumerate(free)
        ]
        text = "".join(f"{each.model_dump_json()}\n" for each in looks)
        write_whole(vitals.file(home), text.encode())

    return write
