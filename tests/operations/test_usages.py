"""What the supervisor says its services use, for those who cannot look into containers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
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


STAT = "anon {anon}\nfile 999000000\nkernel 5000\nshmem {shmem}\n"


def unit(root: Path, slice_: str, name: str, *, pids: str, anon: int, shmem: int = 0) -> Path:
    """A unit's control group, with the files that are read of it."""
    group = root / "jimbot.slice" / slice_ / f"jimbot-{name}.service"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text(pids)
    (group / "memory.stat").write_text(STAT.format(anon=anon, shmem=shmem))
    (group / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n")
    return group


def test_what_the_system_runs_is_measured_by_its_control_groups(
    appliance: Appliance,
    home: Home,
    by_system: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(usage, "_CGROUPS", tmp_path)
    by_system("mcp", "ray-head", "claude", "analytics")
    assert usage.of_services(home) == []
    own = os.getpid()
    began = unit(tmp_path, "jimbot-core.slice", "mcp", pids=f"{own}\n", anon=70).stat().st_ctime
    below = unit(tmp_path, "jimbot-training.slice", "ray-head", pids="7\n8\n", anon=500, shmem=40)
    (below / "raylet").mkdir()
    (below / "raylet" / "cgroup.procs").write_text("9\n")
    unit(tmp_path, "jimbot-core.slice", "claude", pids="", anon=0)  # it has just ended
    unit(tmp_path, "jimbot-core.slice", "backup-hourly", pids="11\n", anon=5)  # no service
    mcp, ray = usage.of_services(home, {8: 1000, 9: 300, 12: 5})
    assert mcp == usage.Usage("mcp", own, began, None, 1, 70, 2.5, 0)
    assert (ray.service, ray.processes, ray.memory, ray.gpu_memory) == ("ray-head", 3, 540, 1300)


def test_the_profile_is_the_one_that_runs_else_the_one_that_is_said(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert usage.profile(home) is None
    monkeypatch.setenv("JIMBOT_PROFILE", "laptop")
    assert usage.profile(home) == "laptop"
    run = usage.Running(os.getpid(), 0.0, "ci", {})
    monkeypatch.setattr(usage, "running", lambda _: run)
    assert usage.profile(home) == "ci"
