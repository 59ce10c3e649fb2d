"""That the table's limits hold: a real process that takes too much, under the real kernel."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from jimbot.appliance import Home
from jimbot.operations import native
from jimbot.operations.cgroups import CannotLimit, cannot_write
from jimbot.operations.native import Native
from jimbot.operations.supervisor import Supervisor

Fakes = Callable[[dict[str, dict[str, Any]]], tuple[Any, Any]]

NO_MEMORY = cannot_write("memory")
NO_CPUSET = cannot_write("cpuset")


async def _until(condition: Callable[[], object], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.mark.skipif(bool(NO_MEMORY), reason=f"memory limits cannot be set here: {NO_MEMORY}")
def test_a_process_that_exceeds_its_memory_is_killed_and_started_again(
    fakes: Fakes, home: Home
) -> None:
    appliance, command = fakes({"greedy": {"how": "greedy", "memory_mb": 64}, "other": {}})
    names = ["greedy", "other"]

    async def main() -> None:
        runtime = Native(appliance, home, names, command=command)
        supervisor = Supervisor(appliance, home, names, runtime=runtime)
        supervisor.start()
        greedy = supervisor.services["greedy"]
        await asyncio.wait_for(supervisor.wait_healthy(), 15)
        assert greedy.process is not None
        groups = Path(f"/proc/{greedy.process.pid}/cgroup").read_text()
        assert "/system/api/greedy" in groups
        os.kill(greedy.process.pid, signal.SIGUSR2)  # takes 100 MB
        reasons = set()

        def again() -> bool:
            reasons.add(greedy.health.reason)
            return greedy.restarts == 1 and greedy.health.status == "ok"

        await _until(again)
        assert "killed for taking more than its 64 MB of memory" in reasons
        assert supervisor.services["other"].restarts == 0
        await supervisor.stop(3)

    asyncio.run(main())
    left = list(Path("/sys/fs/cgroup").glob("**/jimbot-*/system/api/greedy"))
    assert left == []


@pytest.mark.skipif(bool(NO_CPUSET), reason=f"cores cannot be set here: {NO_CPUSET}")
def test_a_process_stays_on_its_groups_cores(
    fakes: Fakes, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = max(os.sched_getaffinity(0))
    appliance, command = fakes({"base": {}})
    monkeypatch.setitem(appliance.placement.cpus, "api", str(core))

    async def main() -> None:
        runtime = Native(appliance, home, ["base"], command=command)
        assert runtime.warnings == []
        supervisor = Supervisor(appliance, home, ["base"], runtime=runtime)
        supervisor.start()
        base = supervisor.services["base"]
        await _until(base.healthy.is_set)
        assert base.process is not None
        assert psutil.Process(base.process.pid).cpu_affinity() == [core]
        if len(os.sched_getaffinity(0)) > 1:  # and it cannot leave them
            os.sched_setaffinity(base.process.pid, {core})
            with pytest.raises(OSError, match="Invalid argument"):
                os.sched_setaffinity(base.process.pid, os.sched_getaffinity(0) - {core})
        await supervisor.stop(3)

    asyncio.run(main())


def test_what_is_not_enforced_is_named(
    fakes: Fakes, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise CannotLimit("Read-only file system")

    monkeypatch.setattr(native, "Tree", refuse)
    core = max(os.sched_getaffinity(0))
    appliance, command = fakes({"base": {}})
    monkeypatch.setitem(appliance.placement.cpus, "api", str(core))

    async def main() -> None:
        runtime = Native(appliance, home, ["base"], command=command)
        assert runtime.warnings == [
            "memory limits are not enforced: Read-only file system",
            "cores are pinned by affinity alone, which a service may undo: Read-only file system",
        ]
        supervisor = Supervisor(appliance, home, ["base"], runtime=runtime)
        supervisor.start()
        base = supervisor.services["base"]
        await _until(base.healthy.is_set)
        assert base.process is not None
        assert psutil.Process(base.process.pid).cpu_affinity() == [core]
        await supervisor.stop(3)

    asyncio.run(main())
    monkeypatch.setitem(appliance.placement.cpus, "api", "4096")
    warnings = Native(appliance, home, ["base"], command=command).warnings
    assert warnings[0] == "not pinned, since this machine lacks the table's cores: api (4096)"


def test_rays_workers_share_is_the_heads_where_they_live_inside_it(appliance: Any) -> None:
    from jimbot.operations import shares

    own = appliance.service("ray-head").memory_mb
    workers = appliance.service("ray-worker").memory_mb
    assert shares.memory_mb(appliance, "ray-head", "native", 1.0) == own + workers
    assert shares.memory_mb(appliance, "ray-head", "containers", 0.5) == own // 2
    assert shares.group_path(appliance, "api") == "system/api"
