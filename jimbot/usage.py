"""What running services use: memory, processor time, GPU; and what the home takes on the disk.

Read from the state that `jimbot up` leaves (`run/up.json`), so that any process may ask. Where the
system runs services, as NixOS does, `$JIMBOT_SERVICES` names them.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil

from jimbot.appliance import Appliance, Home

SERVICES: Final = "JIMBOT_SERVICES"
"""Names of the table's services, with commas between, that the system runs without `jimbot up` on
the home that $JIMBOT_HOME names."""

_MB = 1 << 20
_NVIDIA_TIMEOUT_S = 5.0
# What was published longer ago says nothing about now.
_PUBLISHED_S = 30.0
# systemd's control groups (version 2), and in which of them the NixOS module puts our units.
_CGROUPS = Path("/sys/fs/cgroup")
_SLICE = "jimbot.slice"


class Usage(NamedTuple):
    """One service with the processes below it. `memory` counts a page that they share once.

    `cpu_s` is processor time since its start; `gpu_memory` is None where no GPU can be asked, and
    `restarts` where only the system counts them.
    """

    service: str
    pid: int
    started: float  # seconds since 1970
    restarts: int | None
    processes: int
    memory: int  # bytes
    cpu_s: float
    gpu_memory: int | None  # bytes


class Gpu(NamedTuple):
    """One GPU; bytes, a share of 0 to 1, degrees Celsius. What it does not tell is None."""

    number: str
    name: str
    memory_used: int
    memory_size: int
    busy: float | None
    temperature: float | None


class Process(NamedTuple):
    pid: int
    started: float  # which tells a reused pid apart
    restarts: int


class Running(NamedTuple):
    """The `jimbot up` that runs on a home; a service that was not started yet is None."""

    pid: int
    started: float
    profile: str
    services: dict[str, Process | None]
    runtime: str = "native"


def running(home: Home) -> Running | None:
    """Who runs on a home now; None without anybody.

    Inside a container its pid says nothing: there it runs as long as it says what is used.
    """
    try:
        run: dict[str, Any] = json.loads((home.run / "up.json").read_bytes())
        contained = run.get("runtime", "native") != "native"
        if not (is_same(run["pid"], run["started"]) or (contained and published(home))):
            return None
        services = {
            name: Process(row["pid"], row["started"], row.get("restarts", 0)) if row else None
            for name, row in run["services"].items()
            if name not in run.get("drained", ())  # taken out of work: nobody expects it
        }
        runtime = str(run.get("runtime", "native"))
        return Running(run["pid"], run["started"], run["profile"], services, runtime)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def by_system(home: Home) -> list[str]:
    """The services that the system runs on a home, without `jimbot up`; none where it runs none."""
    names = [name.strip() for name in os.environ.get(SERVICES, "").split(",")]
    # Another home than the system's is nothing that it runs.
    return list(filter(None, names)) if home.path == Home.default().path else []


def expected(home: Home) -> list[str] | None:
    """The services that should be up on a home: those of the `jimbot up` that runs, else those
    that the system runs; None where neither says."""
    run = running(home)
    return list(run.services) if run else by_system(home) or None


def profile(home: Home) -> str | None:
    """The profile that what runs on a home was started with, else the one that $JIMBOT_PROFILE
    names, as NixOS' module does; None where nobody says."""
    run = running(home)
    return run.profile if run else os.environ.get("JIMBOT_PROFILE") or None


def how_to_start(home: Home | None = None) -> str:
    """What to do about a service that does not run on a home."""
    if by_system(home or Home.default()):
        return "The system runs it, see: systemctl status '*jimbot-*'"
    return "Start it: jimbot up"


def starting(appliance: Appliance, home: Home) -> set[str]:
    """Services in their first start of this run, as long as the table gives them for it.

    The system starts them all together, this one among them.
    """
    run, now = running(home), time.time()
    found = set()
    services: dict[str, Process | None] = {}
    if run:
        services = run.services
    elif names := by_system(home):
        services = dict.fromkeys(names, Process(os.getpid(), psutil.Process().create_time(), 0))
    for name, one in services.items():
        row = appliance.services.get(name)
        start_s = row.health.start_s if row and row.health else 0.0
        if one is None or (one.restarts == 0 and now - one.started < start_s):
            found.add(name)
    return found


def of_services(home: Home, on_gpu: dict[int, int] | None = None) -> list[Usage]:
    """What each running service uses; of containers what `jimbot up` has published last. Of the
    system's containers nothing is known.

    Args:
        on_gpu: GPU memory (bytes) by pid, as `gpu_processes` tells it.
    """
    run = running(home)
    if run is None:
        return [it for name in by_system(home) if (it := _of_unit(name, on_gpu))]
    if run.runtime != "native":
        return published(home)
    found = []
    for name, one in run.services.items():
        if one is not None and (usage := _of_tree(name, one, on_gpu)):
            found.append(usage)
    return found


def of_process(
    service: str, pid: int, restarts: int, on_gpu: dict[int, int] | None
) -> Usage | None:
    """What the service uses whose first process this is; None when it has ended."""
    try:
        started = psutil.Process(pid).create_time()
    except psutil.Error:
        return None
    return _of_tree(service, Process(pid, started, restarts), on_gpu)


def publish(home: Home, usages: Iterable[Usage]) -> None:
    """Tell others what services use that they cannot look into: containers.

    Raises:
        OSError: it cannot be written.
    """
    said = {"at": time.time(), "services": [one._asdict() for one in usages]}
    new = home.run / "usage.json.new"
    new.write_text(json.dumps(said))
    new.replace(home.run / "usage.json")


def published(home: Home) -> list[Usage]:
    """What was published lately; nothing when it is old."""
    try:
        said = json.loads((home.run / "usage.json").read_bytes())
        if abs(time.time() - said["at"]) > _PUBLISHED_S:
            return []
        return [Usage(**one) for one in said["services"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def limit_bytes(
    appliance: Appliance, service: str, together: Iterable[str], profile: str | None = None
) -> int:
    """A service's memory by the table, as far as the profile takes it. Ray's workers live below
    the head where they have no process of their own (`together`: the services that have)."""
    share = appliance.service(service).memory_mb
    if service == "ray-head" and "ray-worker" not in together:
        share += appliance.service("ray-worker").memory_mb
    scale = appliance.profiles[profile].memory_scale if profile in appliance.profiles else 1.0
    return int(share * scale) * _MB


def gpus() -> list[Gpu] | None:
    """Every NVIDIA GPU; None where there is no way to ask."""
    fields = "index,name,memory.used,memory.total,utilization.gpu,temperature.gpu"
    rows = _nvidia(f"--query-gpu={fields}")
    if rows is None:
        return None
    found = []
    for index, name, used, size, busy, temperature in rows:
        share = _number(busy)
        found.append(
            Gpu(
                index,
                name,
                int((_number(used) or 0) * _MB),
                int((_number(size) or 0) * _MB),
                None if share is None else share / 100,
                _number(temperature),
            )
        )
    return found


def gpu_processes() -> dict[int, int] | None:
    """GPU memory (bytes) by pid; None where there is no way to ask."""
    rows = _nvidia("--query-compute-apps=pid,used_memory")
    if rows is None:
        return None
    found: dict[int, int] = {}
    for pid, used in rows:
        if pid.isdigit():
            found[int(pid)] = found.get(int(pid), 0) + int((_number(used) or 0) * _MB)
    return found


def folder_bytes(path: Path) -> int:
    """What a file or a folder takes on the disk, holes and links not counted."""
    total = 0
    try:
        if path.is_file():
            return _on_disk(path.stat())
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                total += folder_bytes(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                total += _on_disk(entry.stat())
    except OSError:  # gone meanwhile
        pass
    return total


def storage(home: Home) -> dict[str, int]:
    """Bytes by part of the home: events, metrics, knowledge, checkpoints, logs, …"""
    try:
        parts = [entry for entry in os.scandir(home.path) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return {}
    return {entry.name: folder_bytes(Path(entry.path)) for entry in parts}


def disk(home: Home) -> tuple[int, int]:
    """Used and all bytes of the file system that holds the home.

    Raises:
        OSError: there is no such directory.
    """
    usage = shutil.disk_usage(home.path)
    return usage.total - usage.free, usage.total


def _of_tree(name: str, one: Process, on_gpu: dict[int, int] | None) -> Usage | None:
    try:
        if not is_same(one.pid, one.started):
            return None
        top = psutil.Process(one.pid)
        members = [top, *top.children(recursive=True)]
    except psutil.Error:
        return None
    memory, cpu_s = 0, 0.0
    for member in members:
        try:
            memory += _memory(member, alone=len(members) == 1)
            cpu_s += sum(member.cpu_times()[:4])
        except psutil.Error:
            continue
    on_our_gpu = None
    if on_gpu is not None:
        on_our_gpu = sum(on_gpu.get(member.pid, 0) for member in members)
    return Usage(name, *one, len(members), memory, cpu_s, on_our_gpu)


def _of_unit(name: str, on_gpu: dict[int, int] | None) -> Usage | None:
    """A service by the control group of its unit, which counts whatever it has begun.

    Its memory is what cannot be taken back at once: files that the kernel keeps at hand are not
    counted, though they are below the unit's limit.
    """
    group = next((_CGROUPS / _SLICE).glob(f"**/jimbot-{name}.service"), None)
    if group is None:
        return None
    try:
        pids = [int(line) for each in group.glob("**/cgroup.procs") for line in each.open()]
        memory, cpu = _fields(group / "memory.stat"), _fields(group / "cpu.stat")
        began = group.stat().st_ctime  # systemd makes it at each start
    except (OSError, ValueError):  # it ends just now
        return None
    if not pids:
        return None
    return Usage(
        service=name,
        pid=pids[0],
        started=began,
        restarts=None,
        processes=len(pids),
        memory=memory["anon"] + memory["shmem"],
        cpu_s=cpu["usage_usec"] / 1e6,
        gpu_memory=None if on_gpu is None else sum(on_gpu.get(pid, 0) for pid in pids),
    )


def _fields(file: Path) -> dict[str, int]:
    pairs = (line.split() for line in file.read_text().splitlines())
    return {name: int(value) for name, value in pairs}


def _memory(process: psutil.Process, *, alone: bool) -> int:
    """Proportional where pages may be shared with its siblings: reading that takes milliseconds."""
    if alone:
        return int(process.memory_info().rss)
    try:
        return int(process.memory_full_info().pss)
    except (psutil.AccessDenied, AttributeError):
        return int(process.memory_info().rss)


def is_same(pid: int, started: float) -> bool:
    """Whether the process of that pid is the one that started then."""
    try:
        return abs(psutil.Process(pid).create_time() - started) < 1
    except psutil.Error:
        return False


def _on_disk(stat: os.stat_result) -> int:
    return stat.st_blocks * 512


def _nvidia(query: str) -> list[list[str]] | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        answer = subprocess.run(
            [program, query, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=_NVIDIA_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    rows = csv.reader(answer.stdout.splitlines(), skipinitialspace=True)
    return [[cell.strip() for cell in row] for row in rows if row]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # "[N/A]"
        return None


class Rates:
    """Processor cores in use, from two readings of the time that was used."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[int, float, float]] = {}

    def cores(self, usages: Iterable[Usage]) -> dict[str, float | None]:
        """Cores by service since the reading before; None at a service's first."""
        now = time.monotonic()
        found: dict[str, float | None] = {}
        for one in usages:
            before = self._before.get(one.service)
            found[one.service] = None
            if before and before[0] == one.pid and now > before[2]:
                found[one.service] = max(one.cpu_s - before[1], 0.0) / (now - before[2])
            self._before[one.service] = (one.pid, one.cpu_s, now)
        return found
