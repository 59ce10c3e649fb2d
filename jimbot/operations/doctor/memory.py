"""Memory against the table, memory that only grows, and how to get some back at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import psutil

from jimbot import usage
from jimbot.operations import vitals
from jimbot.operations.doctor.finding import Finding, Patient
from jimbot.operations.doctor.services import restart

_SCARCE = 0.05  # of the machine's memory
_LEAK_WINDOW_S = 24 * 3600
_LEAK_AFTER_S = 3 * 3600  # younger processes are still filling their caches
_LEAK_SAMPLES = 4
_MB = 1 << 20

# What is given up first when memory is short: what can be made again, before what answers games.
RELEASE_ORDER = ("ray-worker", "trainer", "ray-head", "claude", "analytics")


def look(patient: Patient) -> Iterator[Finding]:
    yield from _machine(patient)
    found = usage.of_services(patient.home)
    if patient.by_system and not found:
        yield Finding(
            check="memory",
            severity="warn",
            seen="not checked here: no unit of the system runs, or they are containers",
            hint="See: systemd-cgtop jimbot.slice",
        )
        return
    if patient.running is None and not found:
        yield Finding(
            check="memory", severity="unknown", seen="services not checked: none runs here"
        )
        return
    rules = patient.appliance.alerts.rules
    high, critical = rules["MemoryHigh"].above or 1.0, rules["MemoryCritical"].above or 1.0
    names, profile = [one.service for one in found], usage.profile(patient.home)
    for one in found:
        limit = usage.limit_bytes(patient.appliance, one.service, names, profile)
        share = one.memory / limit if limit else 0.0
        well = share <= high
        yield Finding(
            check="memory",
            severity="ok" if well else "fail" if share > critical else "warn",
            seen=f"{one.service} takes {one.memory // _MB} of its {limit // _MB} MB",
            mend="" if well else restart(patient, one.service),
            disruptive=True,
        )
    yield from _leaks(patient)


def _machine(patient: Patient) -> Iterator[Finding]:
    memory = psutil.virtual_memory()
    free = memory.available / memory.total
    seen = f"{memory.available // _MB} of the machine's {memory.total // _MB} MB are available"
    if free > _SCARCE:
        yield Finding(check="memory", severity="ok", seen=seen)
        return
    yield Finding(
        check="memory",
        severity="fail",
        seen=seen,
        mend="sh -c 'sync; echo 3 > /proc/sys/vm/drop_caches'",
        disruptive=True,
        hint="Emergency release: this gives caches back, the next commands restart workers",
    )
    for name in RELEASE_ORDER:
        if command := restart(patient, name):
            yield Finding(
                check="memory",
                severity="warn",
                seen=f"{name} can be restarted to give memory back",
                mend=command,
                disruptive=True,
            )


def _leaks(patient: Patient) -> Iterator[Finding]:
    """A service whose memory grew from nearly every look to the next, and reaches its limit."""
    now = time.time()
    known = [each for each in vitals.read(patient.home) if now - each.time < _LEAK_WINDOW_S]
    for name, one in (patient.running.services if patient.running else {}).items():
        if one is None or now - one[1] < _LEAK_AFTER_S:
            continue
        points = [
            (each.time, float(each.memory[name].bytes))
            for each in known
            if name in each.memory
            and abs(each.memory[name].started - one[1]) < 1
            and each.time - one[1] > _LEAK_AFTER_S / 3
        ]
        growth = vitals.slope(points)
        if growth is None or len(points) < _LEAK_SAMPLES:
            continue
        steps = [later >= earlier for (_, earlier), (_, later) in pairwise(points)]
        run = patient.running
        assert run is not None
        limit = usage.limit_bytes(patient.appliance, name, run.services, run.profile)
        a_day = growth * 86_400
        if sum(steps) < 0.9 * len(steps) or a_day < 0.1 * limit:
            continue
        hours = max(limit - points[-1][1], 0) / growth / 3600
        yield Finding(
            check="memory",
            severity="warn",
            seen=f"{name} grows by {a_day / _MB:.0f} MB a day, and reaches its limit in"
            f" {hours:.0f} h",
            mend=restart(patient, name),
            disruptive=True,
            hint="Restarting helps for a while; report it with: jimbot logs",
        )
