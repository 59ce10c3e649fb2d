"""Small real processes in the place of the services, so that supervision is tested alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jimbot.appliance import Appliance, Home
from jimbot.operations.ports import free as free_ports

# A service that answers /health on the port it is given. Its second argument says how it behaves.
FAKE = r"""
import http.server, json, os, signal, subprocess, sys, time
port, how = int(sys.argv[1]), sys.argv[2]
if how == "refuses":
    sys.exit("jimbot: the dog ate it. Buy another")
if how == "refuses-properly":
    print("jimbot: the dog ate it. Buy another", file=sys.stderr)
    sys.exit(2)
if how == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), os._exit(0)))
if how == "ends":
    time.sleep(0.2)
    sys.exit(3)
if how == "works":
    def finish(*_):
        time.sleep(0.3)
        print("done", flush=True)
        os._exit(0)
    signal.signal(signal.SIGUSR1, finish)
if how == "greedy":
    heap = []
    signal.signal(signal.SIGUSR2, lambda *_: heap.append(b"x" * (100 << 20)))
if how == "forks":
    child = subprocess.Popen(["sleep", "300"], start_new_session=True)
    print("child", child.pid, flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if how == "hangs":
            time.sleep(300)
        answer = {"status": "fail", "reason": "sick"} if how == "sick" else {"status": "ok"}
        body = b"hello" if how == "stranger" else json.dumps(answer).encode()
        self.send_response(503 if how == "sick" else 200)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer.allow_reuse_address = True
print("up", time.time(), flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def fakes(
    raw_table: Callable[[], dict[str, Any]],
) -> Callable[[dict[str, dict[str, Any]]], tuple[Appliance, Callable[[str], list[str]]]]:
    """Makes a table of fake services, `{name: {"how": …, "depends": …, "after": …}}`."""

    def make(
        services: dict[str, dict[str, Any]],
    ) -> tuple[Appliance, Callable[[str], list[str]]]:
        table = raw_table()
        table["supervision"] |= {"stop_s": 5, "backoff_first_s": 0.1, "backoff_limit_s": 0.4}
        table["supervision"] |= {"hang_checks": 2, "crashes": 4, "crash_retry_s": 60}
        table["deploy"] |= {"settle_s": 0.3, "drain_s": 5}
        table["placement"]["oom_score"] = dict.fromkeys(table["placement"]["oom_score"], 0)
        table["services"] = {}
        hows = {}
        for (name, row), port in zip(services.items(), free_ports(len(services)), strict=True):
            hows[name] = (port, row.get("how", "well"))
            table["services"][name] = {
                "title": name,
                "group": "api",
                "memory_mb": row.get("memory_mb", 10),
                "image": "jimbot-mcp",
                "command": ["serve", name],
                "ports": {"http": port},
                "health": {"port": "http", "start_s": 5, "interval_s": 0.2, "timeout_s": 0.5},
                "drains": row.get("how") == "works",
                "depends": row.get("depends", ()),
                "after": row.get("after", ()),
            }
        appliance = Appliance.model_validate(table)

        def command(name: str) -> list[str]:
            port, how = hows[name]
            return [sys.executable, "-S", "-c", FAKE, str(port), how]

        return appliance, command

    return make


@pytest.fixture
def read_log(home: Any) -> Callable[[str], str]:
    """What a service said, without what the log adds to each line."""

    def read(name: str) -> str:
        path: Path = home.logs / f"{name}.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return "\n".join(json.loads(line)["message"] for line in lines)

    return read


@pytest.fixture
def by_system(home: Home, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Says that the system runs these services of the home, as NixOS' module does."""

    def say(*names: str) -> None:
        monkeypatch.setenv("JIMBOT_HOME", str(home.path))
        monkeypatch.setenv("JIMBOT_SERVICES", ",".join(names))

    return say
