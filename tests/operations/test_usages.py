"""What the supervisor says its services use, for those who cannot look into containers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from jimbot import usage
from jimbot.appliance import Appliance, Home
from jimbot.operations.supervisor import Supervisor


def test_the_supervisor_tells_what_each_running_service_uses(
    fakes: Callable[[dict[str, dict[str, Any]]], tuple[Any, Any]], home: Home
) -> None:
    appliance, command = fakes({"base": {}, "never": {"depends": ["ill"]}, "ill": {"how": "sick"}})

    async def main() -> list[usage.Usage]:
        supervisor = Supervisor(appliance, home, ["base", "never", "ill"], command=command)
        supervisor.start()
        async with asyncio.timeout(15):
            await supervisor.services["base"].healthy.wait()
        found = supervisor.usages()
        await supervisor.stop(5)
        return found

    found = asyncio.run(main())
    assert {one.service for one in found} == {"base", "ill"}  # the third waits for a sick one
    assert all(one.memory > 1 << 20 and one.processes == 1 for one in found)
    usage.publish(home, found)
    assert usage.published(home) == found


def test_what_the_system_runs_gets_its_time_to_start_from_when_the_asking_service_did(
    appliance: Appliance,
    home: Home,
    by_system: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_system("mcp", "trainer", "no such one")  # 20 s, 120 s
    began = psutil.Process().create_time()
    for after_s, starting in ((5, {"mcp", "trainer"}), (60, {"trainer"}), (200, set())):
        monkeypatch.setattr(usage.time, "time", lambda now=began + after_s: now)
        assert usage.starting(appliance, home) == starting
