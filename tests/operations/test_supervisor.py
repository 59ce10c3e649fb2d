from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from jimbot.appliance import Home
from jimbot.operations import process
from jimbot.operations.errors import OperationError
from jimbot.operations.supervisor import Supervisor, last_line

Fakes = Callable[[dict[str, dict[str, Any]]], tuple[Any, Any]]
ReadLog = Callable[[str], str]


def _started_at(text: str) -> float:
    return float(text.split("up ")[1].split()[0])


async def _until(condition: Callable[[], object], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def test_services_start_in_order_and_stop_in_the_reverse(
    fakes: Fakes, home: Home, read_log: ReadLog
) -> None:
    appliance, command = fakes(
        {"base": {}, "middle": {"depends": ["base"]}, "top": {"after": ["middle"]}}
    )

    async def main() -> dict[str, int | None]:
        supervisor = Supervisor(appliance, home, ["base", "middle", "top"], command=command)
        supervisor.start()
        await asyncio.wait_for(supervisor.wait_healthy(), 15)
        assert [s.health.status for s in supervisor.services.values()] == ["ok"] * 3
        supervisor.measure()
        assert all(s.rss_mb > 1 for s in supervisor.services.values())
        assert await supervisor.stop(5) == []
        return {n: s.process and s.process.returncode for n, s in supervisor.services.items()}

    assert asyncio.run(main()) == {"base": 0, "middle": 0, "top": 0}
    assert _started_at(read_log("base")) < _started_at(read_log("middle"))
    assert all("bye" in read_log(name) for name in ("base", "middle", "top"))


def test_what_does_not_wait_starts_at_the_same_time(
    fakes: Fakes, home: Home, read_log: ReadLog
) -> None:
    # One that is never healthy would hold up the other if they were started in a row.
    appliance, command = fakes({"slow": {"how": "hangs"}, "quick": {}})

    async def main() -> None:
        supervisor = Supervisor(appliance, home, ["slow", "quick"], command=command)
        supervisor.start()
        await _until(supervisor.services["quick"].healthy.is_set)
        assert not supervisor.services["slow"].healthy.is_set()
        slow = supervisor.services["slow"]
        await _until(lambda: slow.health.reason.startswith("starting: no answer on port"))
        assert slow.health.status == "unknown"
        await _until(lambda: slow.health.status == "fail")  # once its time to start is over
        await supervisor.stop(3)

    asyncio.run(main())


def test_a_killed_service_is_started_again_with_growing_delay(fakes: Fakes, home: Home) -> None:
    appliance, command = fakes({"base": {}})

    async def main() -> None:
        supervisor = Supervisor(appliance, home, ["base"], command=command)
        supervisor.start()
        base = supervisor.services["base"]
        await _until(base.healthy.is_set)
        waits = []
        for kills in range(3):
            assert base.process is not None
            pid = base.process.pid
            os.kill(pid, signal.SIGKILL)
            killed = time.monotonic()
            await _until(lambda pid=pid: base.process is not None and base.process.pid != pid)
            waits.append(time.monotonic() - killed)
            assert base.restarts == kills + 1
        assert waits[0] >= 0.1
        assert waits[1] >= 0.2
        assert waits[2] >= 0.4
        await _until(lambda: base.health.status == "ok")
        await supervisor.stop(3)

    asyncio.run(main())


def test_orphans_of_a_killed_service_are_ended(fakes: Fakes, home: Home, read_log: ReadLog) -> None:
    appliance, command = fakes({"base": {"how": "forks"}})

    async def main() -> None:
        before = psutil.Process().children(recursive=True)  # other tests' servers
        supervisor = Supervisor(appliance, home, ["base"], command=command)
        supervisor.start()
        base = supervisor.services["base"]
        await _until(base.healthy.is_set)
        orphan = int(read_log("base").split("child ")[1].split()[0])
        assert psutil.pid_exists(orphan)
        assert base.process is not None
        os.kill(base.process.pid, signal.SIGKILL)
        await _until(lambda: not psutil.pid_exists(orphan))
        await _until(lambda: base.restarts == 1 and base.health.status == "ok")
        await supervisor.stop(3)
        assert set(psutil.Process().children(recursive=True)) <= set(before)

    asyncio.run(main())


def test_a_service_that_ignores_sigterm_is_killed_in_time(fakes: Fakes, home: Home) -> None:
    appliance, command = fakes({"base": {}, "top": {"how": "stubborn", "depends": ["base"]}})

    async def main() -> None:
        supervisor = Supervisor(appliance, home, ["base", "top"], command=command)
        supervisor.start()
        await asyncio.wait_for(supervisor.wait_healthy(), 15)
        began = time.monotonic()
        assert await supervisor.stop(3) == ["top"]
        assert time.monotonic() - began < 4
        base = supervisor.services["base"].process
        assert base is not None
        assert base.returncode == 0

    asyncio.run(main())


def test_a_service_that_cannot_start_ends_the_start_with_its_own_words(
    fakes: Fakes, home: Home
) -> None:
    appliance, command = fakes({"good": {}, "bad": {"how": "refuses-properly"}})

    async def main() -> None:
        supervisor = Supervisor(appliance, home, ["good", "bad"], command=command)
        supervisor.start()
        try:
            with pytest.raises(OperationError, match=r"bad cannot start: the dog ate it\. Buy"):
                await asyncio.wait_for(supervisor.wait_healthy(), 15)
        finally:
            await supervisor.stop(3)

    asyncio.run(main())


def test_a_crash_is_not_taken_for_a_refusal(fakes: Fakes, home: Home) -> None:
    appliance, command = fakes({"bad": {"how": "refuses"}})

    async def main() -> None:
        supervisor = Supervisor(appliance, home, ["bad"], command=command)
        supervisor.start()
        await _until(lambda: supervisor.services["bad"].restarts >= 2)
        assert not supervisor.failure.done()
        await supervisor.stop(3)

    asyncio.run(main())


def test_services_end_when_their_supervisor_is_killed(tmp_path: Any) -> None:
    """PDEATHSIG, as `jimbot serve` sets it: the child of a killed parent gets SIGTERM."""
    import subprocess
    import sys

    below = (
        "import os, signal, sys, time; from jimbot.operations import process;"
        "process.die_with_supervisor(); print(os.getpid(), flush=True); time.sleep(60)"
    )
    parent = (
        "import os, subprocess, sys, time;"
        f"os.environ['{process.SUPERVISOR_PID}'] = str(os.getpid());"
        f"subprocess.Popen([sys.executable, '-c', {below!r}]); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as top:
        assert top.stdout is not None
        child = psutil.Process(int(top.stdout.readline()))
        top.kill()
        top.wait()
        deadline = time.monotonic() + 5
        while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_the_last_line_of_a_log_is_read_whatever_it_is(tmp_path: Any) -> None:
    path = tmp_path / "log"
    assert last_line(path) == ""
    path.write_text('{"message": "one"}\n{"message": "two"}\n')
    assert last_line(path) == "two"
    path.write_text('{"message": "one"}\nplain words\n')
    assert last_line(path) == "plain words"
    path.write_text("[1]\n")
    assert last_line(path) == "[1]"
