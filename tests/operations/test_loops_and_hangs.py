"""Services that fail again and again, that hang, that are drained and restarted by command."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from jimbot.appliance import Home
from jimbot.operations.errors import OperationError
from jimbot.operations.supervisor import Supervisor

Fakes = Callable[[dict[str, dict[str, Any]]], tuple[Any, Any]]
ReadLog = Callable[[str], str]


async def _until(condition: Callable[[], object], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def test_a_service_that_fails_too_often_is_in_a_crash_loop(fakes: Fakes, home: Home) -> None:
    appliance, command = fakes({"bad": {"how": "ends"}, "good": {}})

    async def main() -> None:
        supervisor = Supervisor(appliance, home, ["bad", "good"], command=command)
        supervisor.start()
        bad = supervisor.services["bad"]
        await _until(lambda: bad.looping)
        assert bad.health.status == "fail"
        assert bad.health.reason.startswith(
            "crash loop: 4 failures, the last one ended with code 3"
        )
        assert "undrain bad" in bad.health.hint
        spawns = bad.spawns
        await asyncio.sleep(0.6)  # longer than any delay that is not the loop's
        assert bad.spawns == spawns == 4
        assert supervisor.services["good"].health.status == "ok"
        supervisor.undrain("bad")  # at once, instead of in a minute
        await _until(lambda: bad.spawns == spawns + 1)
        await supervisor.stop(3)

    asyncio.run(main())


def test_failures_that_are_far_apart_are_no_loop(
    fakes: Fakes, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    appliance, command = fakes({"bad": {"how": "ends"}})
    limits = appliance.supervision.model_copy(update={"crash_window_s": 0.3})
    monkeypatch.setitem(appliance.__dict__, "supervision", limits)

    async def main() -> None:
        supervisor = Supervisor(appliance, home, ["bad"], command=command)
        supervisor.start()
        bad = supervisor.services["bad"]
        await _until(lambda: bad.spawns >= 6)
        assert not bad.looping
        await supervisor.stop(3)

    asyncio.run(main())


def test_a_service_that_hangs_is_killed_and_started_again(fakes: Fakes, home: Home) -> None:
    appliance, command = fakes({"base": {}})

    async def main() -> None:
        supervisor = Supervisor(appliance, home, ["base"], command=command)
        supervisor.start()
        base = supervisor.services["base"]
        await _until(base.healthy.is_set)
        assert base.process is not None
        hung = base.process.pid
        os.kill(hung, signal.SIGSTOP)  # it lives, and says nothing
        reasons = set()

        def again() -> bool:
            reasons.add(base.health.reason)
            return base.restarts == 1 and base.health.status == "ok"

        await _until(again)
        assert any(reason.startswith("hung: 2 health checks") for reason in reasons)
        assert base.process.pid != hung
        await supervisor.stop(3)

    asyncio.run(main())


def test_a_drained_service_finishes_its_work_and_stays_down(
    fakes: Fakes, home: Home, read_log: ReadLog
) -> None:
    appliance, command = fakes({"worker": {"how": "works"}})

    async def main() -> None:
        supervisor = Supervisor(appliance, home, ["worker"], command=command)
        supervisor.start()
        worker = supervisor.services["worker"]
        await _until(worker.healthy.is_set)
        await supervisor.drain("worker")
        assert worker.drained
        assert not worker.running
        assert worker.health.reason == "drained"
        assert read_log("worker").endswith("done")
        await asyncio.sleep(0.5)
        assert worker.spawns == 1
        supervisor.undrain("worker")
        await _until(lambda: worker.spawns == 2 and worker.health.status == "ok")
        assert (worker.restarts, len(worker.failures)) == (0, 0)  # nothing had failed
        await supervisor.stop(3)

    asyncio.run(main())


def test_a_restart_by_command_is_no_failure(fakes: Fakes, home: Home) -> None:
    appliance, command = fakes({"base": {}})

    async def main() -> None:
        supervisor = Supervisor(appliance, home, ["base"], command=command)
        supervisor.start()
        base = supervisor.services["base"]
        await _until(base.healthy.is_set)
        for number in (2, 3):
            began = time.monotonic()
            await supervisor.restart("base")
            await _until(lambda number=number: base.spawns == number and base.health.status == "ok")
            assert time.monotonic() - began < 10
        assert base.restarts == 0
        with pytest.raises(OperationError, match="other is not among the running services"):
            await supervisor.restart("other")
        await supervisor.stop(3)

    asyncio.run(main())


def test_a_refusal_for_want_of_another_is_no_end(fakes: Fakes, home: Home) -> None:
    """The trainer says by exit code 2 that Ray did not come up: Ray may still come."""
    appliance, command = fakes({"ray": {"how": "sick"}, "bad": {"how": "refuses-properly"}})
    rows = dict(appliance.services)
    rows["bad"] = rows["bad"].model_copy(update={"after": ("ray",)})
    appliance = appliance.model_copy(update={"services": rows})

    async def main() -> None:
        supervisor = Supervisor(appliance, home, ["ray", "bad"], command=command)
        supervisor.start()
        bad = supervisor.services["bad"]
        await _until(lambda: bad.restarts >= 1)
        assert not supervisor.failure.done()
        await supervisor.stop(3)

    asyncio.run(main())
