"""Ray comes up where its helper processes need longer than it waits for them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from jimbot.training import patience

ROOT = Path(__file__).parents[2]
# A raylet that was not told its helpers' ports aborts after 15 s.
SLOW_S = 17
# Read by every Python that starts: Ray's helpers are slow to import.
SLOW = f"""
import time
command = open("/proc/self/cmdline").read()
if "dashboard/agent.py" in command or "agent/main.py" in command:
    time.sleep({SLOW_S})
"""
PROGRAM = """
import os, pathlib, sys, time
from jimbot.appliance import Home, load
from jimbot.training import cluster
home = Home(pathlib.Path(sys.argv[1]))
home.prepare()
cluster.environment(home)
cluster.environment(home)  # as often as one likes
import ray
began = time.monotonic()
share = load().profiles["ci"].training
cluster.local(home, share, stopped=lambda: False)
up = time.monotonic() - began
@ray.remote(runtime_env={"env_vars": {"TOLD": "yes"}})
def told(): return os.environ["TOLD"]
print("RESULT", ray.get(told.remote(), timeout=200), up)
ray.shutdown()
"""


def test_ports_are_free_and_apart_from_the_kernels() -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    for _ in range(20):
        port = patience._free_port()
        assert not first <= port <= last
        with socket.socket() as mine:
            mine.bind(("127.0.0.1", port))


def test_a_port_that_somebody_has_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", patience._free_port()))
        taken = other.getsockname()[1]
        monkeypatch.setattr(patience, "_PORTS", range(taken, taken + 1))
        with pytest.raises(OSError, match="no port"):
            patience._free_port()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_helpers_may_take_longer_than_ray_waits(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'jimbot[train]'")
    (tmp_path / "sitecustomize.py").write_text(SLOW)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "home")],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    [line] = [each for each in done.stdout.splitlines() if each.startswith("RESULT")]
    assert line.split()[1] == "yes"
