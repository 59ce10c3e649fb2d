"""What services use, told from real processes, and from an nvidia-smi that is a script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from jimbot import usage
from jimbot.appliance import Appliance, Home
from jimbot.usage import Rates, Usage

# Holds 40 MB and a child with 20 MB, and computes for a while at its start.
PROGRAM = r"""
import subprocess, sys, time
held = bytearray(b"x") * (40 << 20)
below = 'held = bytearray(b"x") * (20 << 20); print("up", flush=True); input()'
child = subprocess.Popen([sys.executable, "-c", below], stdin=subprocess.PIPE)
end = time.process_time() + 0.3
while time.process_time() < end: pass
print("ready", flush=True)
input()
"""


def write_state(home: Home, services: dict[str, psutil.Process | None], **changes: Any) -> None:
    me = psutil.Process()
    rows = {
        name: it and {"pid": it.pid, "started": it.create_time(), "restarts": 2}
        for name, it in services.items()
    }
    state = {
        "pid": me.pid,
        "started": me.create_time(),
        "profile": "ci",
        "services": rows,
        **changes,
    }
    (home.run / "up.json").write_text(json.dumps(state))


@contextmanager
def _service() -> Iterator[psutil.Process]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        said = {process.stdout.readline(), process.stdout.readline()}
        assert said == {b"up\n", b"ready\n"}
        top = psutil.Process(process.pid)
        try:
            yield top
        finally:
            for member in [*top.children(recursive=True), top]:
                member.kill()


def test_a_service_is_counted_with_the_processes_below_it(home: Home) -> None:
    with _service() as process:
        write_state(home, {"mcp": process, "claude": None})
        [one] = usage.of_services(home)
    assert (one.service, one.pid, one.processes, one.restarts) == ("mcp", process.pid, 2, 2)
    assert 60 << 20 < one.memory < 120 << 20
    assert one.cpu_s >= 0.3
    assert one.gpu_memory is None


def test_a_pid_that_somebody_else_has_now_is_not_the_service(home: Home) -> None:
    write_state(home, {"mcp": psutil.Process()})
    state = json.loads((home.run / "up.json").read_text())
    state["services"]["mcp"]["started"] -= 1000
    (home.run / "up.json").write_text(json.dumps(state))
    assert usage.of_services(home) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_without_a_readable_state_nothing_runs(home: Home, text: str) -> None:
    assert usage.running(home) is None
    (home.run / "up.json").write_text(text)
    assert usage.running(home) is None
    assert usage.of_services(home) == []


def test_a_run_that_is_over_does_not_run(home: Home) -> None:
    write_state(home, {"mcp": psutil.Process()}, started=1.0)
    assert usage.running(home) is None


def test_what_containers_use_is_what_was_published_lately(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_state(home, {"mcp": psutil.Process()}, runtime="containers")
    assert usage.of_services(home) == []  # the process here is the engine's
    one = usage.of_process("mcp", os.getpid(), 3, None)
    assert one is not None
    usage.publish(home, [one])
    assert usage.of_services(home) == [one]
    assert (one.restarts, one.memory > 1 << 20) == (3, True)
    # From inside a container the pid of the run is another's, or nobody's.
    write_state(home, {"mcp": psutil.Process()}, runtime="containers", pid=1 << 22)
    run = usage.running(home)
    assert run is not None
    assert list(run.services) == ["mcp"]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 31)
    assert usage.running(home) is None
    assert usage.of_services(home) == []


def test_a_process_that_has_ended_uses_nothing() -> None:
    assert usage.of_process("mcp", 1 << 22, 0, None) is None


def test_limits_are_the_tables(appliance: Appliance) -> None:
    mb = 1 << 20
    assert usage.limit_bytes(appliance, "mcp", ["mcp"]) == appliance.service("mcp").memory_mb * mb
    head = appliance.service("ray-head").memory_mb
    workers = appliance.service("ray-worker").memory_mb
    assert usage.limit_bytes(appliance, "ray-head", ["ray-head"]) == (head + workers) * mb
    assert usage.limit_bytes(appliance, "ray-head", ["ray-head", "ray-worker"]) == head * mb


def test_a_first_start_is_starting_and_a_restart_is_not(home: Home, appliance: Appliance) -> None:
    write_state(home, {"mcp": psutil.Process(), "claude": None, "analytics": psutil.Process()})
    state = json.loads((home.run / "up.json").read_text())
    me = psutil.Process().create_time()
    state["services"]["mcp"]["restarts"] = 0
    state["drained"] = ["analytics"]
    (home.run / "up.json").write_text(json.dumps(state))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: me + 1)
        assert usage.starting(appliance, home) == {"mcp", "claude"}
        state["services"]["mcp"]["restarts"] = 1  # a crash loop must not hide behind its starts
        (home.run / "up.json").write_text(json.dumps(state))
        assert usage.starting(appliance, home) == {"claude"}
        state["services"]["mcp"]["restarts"] = 0
        (home.run / "up.json").write_text(json.dumps(state))
        patch.setattr(time, "time", lambda: me + 3600)
        assert usage.starting(appliance, home) == {"claude"}
    run = usage.running(home)
    assert run is not None
    assert set(run.services) == {"mcp", "claude"}  # what is drained is not expected


def test_a_profile_takes_its_part(appliance: Appliance) -> None:
    assert appliance.profiles["ci"].memory_scale == 0.5
    whole = usage.limit_bytes(appliance, "mcp", ["mcp"])
    assert usage.limit_bytes(appliance, "mcp", ["mcp"], "ci") == whole / 2
    assert usage.limit_bytes(appliance, "mcp", ["mcp"], "unheard of") == whole


def test_limits_are_those_that_are_enforced(appliance: Appliance) -> None:
    from jimbot.operations import shares

    for profile, row in appliance.profiles.items():
        for name, service in appliance.services.items():
            if service.command and "native" in service.runtimes:
                enforced = shares.memory_mb(appliance, name, "native", row.memory_scale)
                assert usage.limit_bytes(appliance, name, [], profile) == enforced << 20


def test_cores_are_counted_from_look_to_look() -> None:
    rates = Rates()
    one = Usage("mcp", 10, 0.0, 0, 1, 0, 5.0, None)
    assert rates.cores([one]) == {"mcp": None}
    time.sleep(0.1)
    [cores] = rates.cores([one._replace(cpu_s=5.05)]).values()
    assert cores is not None
    assert 0 < cores <= 0.5
    assert rates.cores([one._replace(pid=11, cpu_s=0.1)]) == {"mcp": None}  # another process


def test_storage_is_counted_by_part(home: Home) -> None:
    (home.event_log.parent / "log.sqlite").write_bytes(os.urandom(300_000))
    deep = home.checkpoints / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "weights").write_bytes(os.urandom(100_000))
    (deep / "again").symlink_to(home.event_log.parent / "log.sqlite")
    found = usage.storage(home)
    assert 300_000 <= found["events"] < 320_000
    assert 100_000 <= found["checkpoints"] < 120_000
    assert found["logs"] == 0
    used, size = usage.disk(home)
    assert 0 < used <= size


NVIDIA = """#!/bin/sh
case "$1" in
*query-gpu*) echo "0, NVIDIA RTX 4090, 20480, 24564, 87, 71"
             echo "1, NVIDIA H100 80GB HBM3, 0, 81559, [N/A], 33";;
*) echo "%s, 2048"; echo "%s, 100"; echo "4999999, [N/A]";;
esac
"""


@pytest.fixture
def nvidia(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(NVIDIA % (os.getpid(), os.getpid()))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program


def test_gpus_are_asked_by_nvidia_smi(nvidia: Path, home: Home) -> None:
    gpus = usage.gpus()
    assert gpus is not None
    first, second = gpus
    assert first == ("0", "NVIDIA RTX 4090", 20480 << 20, 24564 << 20, 0.87, 71)
    assert (second.busy, second.temperature) == (None, 33)
    on_gpu = usage.gpu_processes()
    assert on_gpu == {os.getpid(): 2148 << 20, 4999999: 0}
    write_state(home, {"trainer": psutil.Process()})
    [one] = usage.of_services(home, on_gpu)
    assert one.gpu_memory == 2148 << 20


def test_a_gpu_that_cannot_be_asked_is_unknown_not_idle(nvidia: Path) -> None:
    nvidia.write_text("#!/bin/sh\necho 'No devices were found'; exit 6\n")
    assert usage.gpus() is None
    assert usage.gpu_processes() is None
