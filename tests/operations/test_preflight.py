from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from typing import Any

import psutil
import pytest

from jimbot.appliance import Appliance, Home, load
from jimbot.errors import MissingExtra
from jimbot.operations import preflight, process, state
from jimbot.operations.errors import AlreadyRunning, OperationError


def test_the_plan_leaves_out_what_runs_elsewhere_and_training_when_unwanted() -> None:
    table = load()
    assert preflight.plan(table, train=False) == ["mcp", "analytics", "claude"]
    assert preflight.plan(table, train=True) == [
        "mcp",
        "analytics",
        "claude",
        "ray-head",
        "trainer",
    ]


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "ray" else real(name, *a)
    )
    preflight.check_packages(load(), ["mcp"])
    with pytest.raises(MissingExtra, match=r"ray is not installed.*jimbot\[train\]"):
        preflight.check_packages(load(), ["mcp", "trainer"])


def test_a_full_disk_is_refused_with_both_figures(appliance: Appliance, home: Home) -> None:
    preflight.check_disk(appliance, home)
    machine = appliance.machine.model_copy(update={"disk_free_mb": 1 << 40})
    with pytest.raises(OperationError, match=r"has \d+ MB free.*needs 1099511627776 MB"):
        preflight.check_disk(appliance.model_copy(update={"machine": machine}), home)


def test_a_taken_port_is_named_with_its_holder_and_a_way_out(appliance: Appliance) -> None:
    preflight.check_ports(appliance, ["mcp"])
    port = appliance.services["mcp"].ports["websocket"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(OperationError) as caught:
            preflight.check_ports(appliance, ["mcp"])
    assert f"port {port} (mcp, websocket) is taken" in str(caught.value)
    assert f"pid {os.getpid()}" in str(caught.value)
    assert "services.mcp.ports.websocket" in caught.value.hint


def test_only_one_run_holds_the_state(home: Home) -> None:
    again = pytest.raises(AlreadyRunning, match=str(home.path))
    with state.lock(home), again, state.lock(home):
        pass
    with state.lock(home):
        pass


def test_the_lock_of_a_killed_run_is_free(home: Home) -> None:
    code = (
        "import pathlib, sys, time; from jimbot.appliance import Home;"
        "from jimbot.operations import state;"
        f"\nwith state.lock(Home(pathlib.Path({str(home.path)!r}))):"
        "\n print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(AlreadyRunning), state.lock(home):
            pass
        other.kill()
        other.wait()
    with state.lock(home):
        pass


def test_services_left_by_a_killed_run_are_stopped_and_strangers_are_not(home: Home) -> None:
    left = subprocess.Popen(["sleep", "60"])
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        mine: dict[str, Any] = {
            "left": state.RunningService(
                pid=left.pid, started=psutil.Process(left.pid).create_time()
            ),
            # A pid that another process got after ours ended: its start time tells.
            "reused": state.RunningService(pid=stranger.pid, started=1.0),
        }
        state.write(home, state.Running(pid=1, started=1.0, profile="ci", services=mine))
        preflight.stop_leftovers(home)
        left.wait(5)
        assert not psutil.pid_exists(left.pid)
        assert stranger.poll() is None
    finally:
        for each in (left, stranger):
            each.kill()
            each.wait()


def test_memory_counts_a_tree_of_processes() -> None:
    with subprocess.Popen([sys.executable, "-c", "x = b'1' * (50 << 20); input()"], stdin=-1) as p:
        import time

        time.sleep(0.5)
        assert process.memory_mb(process.tree(p.pid)) > 50
        assert p.stdin is not None
        p.stdin.close()
    assert process.tree(p.pid) == []
