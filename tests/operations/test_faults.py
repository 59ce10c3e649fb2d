"""Faults on the real appliance, under load: afterwards it is healthy without help, and every
acknowledged event is there. The long ones run with `make soak`.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jimbot.events import Event, open_log
from jimbot.operations import generations, state
from tests.processes import until
from tests.test_up import JIMBOT, Up

_WELL_S = "240"  # on a busy machine


class Load:
    """A client that sends numbered events without end, and keeps count."""

    def __init__(self, run: Up) -> None:
        self._run = run
        self.client = run.client()
        self.sent = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        while not self._stop.is_set():
            payload: dict[str, Any] = {
                "old_value": self.sent,
                "new_value": self.sent + 1,
                "difference": 1,
            }
            self.client.send(Event(type="MONEY_CHANGED", source="load", payload=payload))
            self.sent += 1
            time.sleep(0.002)

    def goes_on(self) -> None:
        """Wait until more is acknowledged than now."""
        before = self.client.acknowledged
        until(lambda: self.client.acknowledged > before + 20, 90)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def all_there(self) -> None:
        """Every event that was sent is acknowledged, and in the log, in order, once."""
        assert self.client.flush(90)
        assert self.client.acknowledged == self.sent
        log = open_log(self._run.home, read_only=True)
        try:
            found: list[int] = []
            after = 0
            while page := log.read(after=after, types=["MONEY_CHANGED"], limit=1000):
                found += [entry.event.payload["old_value"] for entry in page]
                after = page[-1].position
        finally:
            log.close()
        assert found == list(range(self.sent))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Up]:
    run = Up(tmp_path)
    yield run
    if run.process and run.process.poll() is None:
        run.process.send_signal(signal.SIGTERM)
        try:
            run.process.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            run.process.kill()
            run.process.communicate()
    for left in run.processes():
        left.kill()


@pytest.fixture
def loaded(run: Up) -> Iterator[Callable[[], Load]]:
    made: list[Load] = []

    def make() -> Load:
        made.append(Load(run))
        return made[-1]

    yield make
    for load in made:
        load.stop()
        load.client.close(5)


def _well(run: Up) -> None:
    answer = subprocess.run(
        [*JIMBOT, "health", "--wait", "--timeout", _WELL_S],
        env=run.environment,
        capture_output=True,
        text=True,
        timeout=float(_WELL_S) + 60,
        check=False,
    )
    if run.process is not None and run.process.poll() is not None:
        raise AssertionError(f"jimbot up ended: {run.finish(10)}")
    assert answer.returncode == 0, answer.stdout


def _hit(run: Up, name: str, number: signal.Signals) -> None:
    """Do something to a service's process, and wait until another one is in its place."""
    pid = run.pid(name)
    os.kill(pid, number)

    def another() -> bool:
        running = state.read(run.home)
        service = running.services[name] if running else None
        return service is not None and service.pid != pid

    until(another, 180)


@pytest.mark.timeout(400)
def test_killed_and_hung_services_come_back_under_load(run: Up, loaded: Callable[[], Load]) -> None:
    run.start("--no-train", "--json")
    _well(run)
    load = loaded()
    load.goes_on()
    _hit(run, "analytics", signal.SIGKILL)
    _hit(run, "claude", signal.SIGKILL)
    _hit(run, "mcp", signal.SIGSTOP)  # it lives, takes connections, and says nothing
    load.goes_on()
    _well(run)
    assert run.jimbot("drain", "analytics").returncode == 0
    assert run.jimbot("health").returncode == 0  # nobody expects it now
    assert run.jimbot("undrain").returncode == 0
    _well(run)
    load.stop()
    load.all_there()
    assert run.process is not None
    run.process.send_signal(signal.SIGTERM)
    code, out, err = run.finish(40)
    assert code == 0, err
    summary = json.loads(out)
    assert summary["events_lost"] == 0
    assert summary["restarts"] == {"mcp": 1, "analytics": 1, "claude": 1}


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_deployment_that_is_killed_loses_nothing(run: Up, loaded: Callable[[], Load]) -> None:
    run.start("--no-train")
    _well(run)
    load = loaded()
    load.goes_on()
    deploy = subprocess.Popen(
        [*JIMBOT, "deploy"], env=run.environment, stderr=subprocess.PIPE, text=True
    )
    assert deploy.stderr is not None
    for line in deploy.stderr:
        if line.startswith("analytics: restarting"):
            break  # mcp is of the new generation, the others are not
    deploy.kill()
    deploy.communicate()
    assert generations.journal(run.home) is not None
    again = run.jimbot("deploy", "--json")
    assert again.returncode == 0, again.stderr
    assert "was cut off: taking it back" in again.stderr
    assert json.loads(again.stdout)["rolls"] == ["mcp", "analytics", "claude"]
    load.goes_on()
    _well(run)
    load.stop()
    load.all_there()
    now = generations.current(run.home)
    assert now is not None
    assert now.number == 1
    told = json.loads(run.jimbot("test-integration", "--json").stdout)
    assert [check["name"] for check in told["checks"] if not check["ok"]] == []
    assert told["scratch"] is False


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_every_service_in_turn_is_killed_and_hangs_under_load(
    run: Up, loaded: Callable[[], Load]
) -> None:
    run.start("--json", "--profile", "ci")
    _well(run)
    load = loaded()
    for name in ("mcp", "analytics", "claude", "ray-head", "trainer"):
        for number in (signal.SIGKILL, signal.SIGSTOP):
            if name == "ray-head" and number == signal.SIGSTOP:
                continue  # it has no answer of its own that could be missing: Ray's store has
            load.goes_on()
            _hit(run, name, number)
            _well(run)
            load.goes_on()
    drained = run.jimbot("drain")
    assert drained.returncode == 0, drained.stderr
    running = state.read(run.home)
    assert running is not None
    assert set(running.drained) == {"trainer", "ray-head"}
    _well(run)  # without them, whom nobody expects now
    assert '"message": "drained"' in (run.home.logs / "trainer.jsonl").read_text()
    assert run.jimbot("undrain").returncode == 0
    _well(run)
    load.stop()
    load.all_there()
    assert run.process is not None
    run.process.send_signal(signal.SIGTERM)
    code, out, err = run.finish(60)
    assert code == 0, err
    summary = json.loads(out)
    print(summary)
    assert summary["events_lost"] == 0
    assert summary["games_finished"] > 0
    assert run.processes() == []


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_power_fails_in_the_middle_of_deployments(run: Up, loaded: Callable[[], Load]) -> None:
    """Everything dies at once, `jimbot up` too, at any moment; the next start is a whole one."""
    draw = random.Random(8)
    run.start("--no-train")
    _well(run)
    load = loaded()
    for number in range(6):
        text = run.table.read_text()
        run.table.write_text(text + f"\n# {number}\n")
        deploy = subprocess.Popen(
            [*JIMBOT, "deploy"], env=run.environment, stderr=subprocess.DEVNULL
        )
        time.sleep(draw.uniform(0.5, 20))
        for each in [run.process, deploy]:
            assert each is not None
            each.kill()
        for left in run.processes():
            left.kill()
        run.finish(20)
        deploy.wait()
        run.start("--no-train")
        until(lambda: (s := state.read(run.home)) is not None and s.alive(), 60)
        _well(run)
        assert generations.journal(run.home) is None
        load.goes_on()
    load.stop()
    load.all_there()
    assert run.jimbot("deploy").returncode == 0
    _well(run)


CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long offset(void) {
    long by = 0;
    FILE *file = fopen(getenv("CLOCK_OFFSET"), "re");
    if (file) { if (fscanf(file, "%ld", &by) != 1) by = 0; fclose(file); }
    return by;
}
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(id, at);
    if (id == CLOCK_REALTIME) at->tv_sec += offset();
    return code;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.skipif(shutil.which("cc") is None, reason="a wrong clock needs a C compiler: no cc")
def test_the_clock_jumps(run: Up, loaded: Callable[[], Load], tmp_path: Path) -> None:
    """The services' clock, not the machine's: a library in between adds what a file says."""
    source, library, offset = (tmp_path / name for name in ("clock.c", "clock.so", "offset"))
    source.write_text(CLOCK)
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True, timeout=60
    )
    offset.write_text("0")
    run.environment |= {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}
    run.start("--no-train", "--json")
    _well(run)
    load = loaded()
    year = 365 * 86_400
    for jump in (-86_400, year, -10 * year, 3600, 0):
        load.goes_on()
        offset.write_text(str(jump))
        load.goes_on()
        _hit(run, "mcp", signal.SIGKILL)
        _well(run)
    load.stop()
    load.all_there()
    assert run.process is not None
    run.process.send_signal(signal.SIGTERM)
    code, out, err = run.finish(60)
    assert code == 0, err
    assert json.loads(out)["events_lost"] == 0
