"""How fast training starts and plays: `python benchmarks/training.py [--json] [--for 60]`.

Starts mcp, ray-head and the trainer of a profile in a home of their own, on free ports, and
measures: seconds until the trainer is healthy, then games, steps and iterations, their memory, and
how long they take to stop.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import psutil

from jimbot.appliance import Home, load

SERVICES = ("mcp", "ray-head", "trainer")


def table_on_free_ports(directory: Path) -> Path:
    """A copy of the package's table that does not disturb an appliance which is running."""
    text = resources.files("jimbot.appliance").joinpath("appliance.toml").read_text("utf-8")
    sockets = [socket.socket() for _ in range(40)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = iter([each.getsockname()[1] for each in sockets])
    for each in sockets:
        each.close()
    lines = [
        re.sub(r"\d+", lambda _: str(next(ports)), line) if line.startswith("ports = ") else line
        for line in text.splitlines()
    ]
    path = directory / "appliance.toml"
    path.write_text("\n".join(lines))
    return path


def measure(profile: str, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        table = table_on_free_ports(Path(folder))
        home = Home(Path(folder) / "home")
        home.prepare()
        running: dict[str, subprocess.Popen[bytes]] = {}
        began = time.monotonic()
        try:
            for name in SERVICES:
                with (home.logs / f"{name}.jsonl").open("ab") as log:
                    running[name] = subprocess.Popen(
                        [
                            *(sys.executable, "-m", "jimbot", "--home", str(home.path)),
                            *("--table", str(table), "serve", name, "--profile", profile),
                        ],
                        stdout=log,
                        stderr=log,
                    )
            url = f"{load(table).url('trainer')}/health"
            first = wait_healthy(url, running["trainer"], home)
            healthy = time.monotonic()
            start_cpu_s = sum(cpu_s(process.pid) for process in running.values())
            time.sleep(seconds)
            last = httpx.get(url, trust_env=False).json()["details"]
            over = time.monotonic() - healthy
            memory = {name: resident_mb(process.pid) for name, process in running.items()}
            figures = {
                "profile": profile,
                "healthy_s": round(healthy - began, 1),
                "start_cpu_s": round(start_cpu_s, 1),
                "games_per_hour": round((last["games"] - first["games"]) / over * 3600),
                "steps_per_s": round((last["steps"] - first["steps"]) / over),
                "iterations": last["iteration"] - first["iteration"],
                "rss_mb": memory,
                "stop_s": {},
            }
            for name in reversed(SERVICES):
                ended = time.monotonic()
                running[name].send_signal(signal.SIGTERM)
                running[name].wait(timeout=20)
                figures["stop_s"][name] = round(time.monotonic() - ended, 1)
            return figures
        finally:
            for process in running.values():
                if process.poll() is None:
                    for member in psutil.Process(process.pid).children(recursive=True):
                        member.kill()
                    process.kill()


def wait_healthy(url: str, trainer: subprocess.Popen[bytes], home: Home) -> dict[str, Any]:
    while trainer.poll() is None:
        try:
            answer = httpx.get(url, timeout=2, trust_env=False)
            if answer.status_code == 200:
                details: dict[str, Any] = answer.json()["details"]
                return details
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise SystemExit((home.logs / "trainer.jsonl").read_text())


def family(pid: int) -> list[psutil.Process]:
    top = psutil.Process(pid)
    return [top, *top.children(recursive=True)]


def cpu_s(pid: int) -> float:
    """Processor seconds so far: what a start costs, however busy the machine is."""
    return sum(sum(process.cpu_times()[:2]) for process in family(pid))


def resident_mb(pid: int) -> int:
    return round(sum(process.memory_info().rss for process in family(pid)) / 2**20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--for", dest="seconds", type=float, default=60.0)
    parser.add_argument("--profile", default="ci")
    options = parser.parse_args()
    figures = measure(options.profile, options.seconds) | {"load": os.getloadavg()[0]}
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:>16}  {value}")


if __name__ == "__main__":
    main()
