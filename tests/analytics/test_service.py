"""The service as a process: streams, clients that do not read, a clean stop."""

from __future__ import annotations

import itertools
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from jimbot.analytics.stream import CLIENTS_LIMIT
from jimbot.appliance import Appliance, Home
from tests.analytics.conftest import PROGRAM, Service, add, game, running, until


def events(response: httpx.Response) -> Iterator[tuple[str, dict[str, object]]]:
    """The messages of an event stream, as they come."""
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def follow(service: Service) -> httpx.Client:
    return httpx.Client(base_url=service.url, trust_env=False, timeout=10)


def test_a_stream_gives_the_summary_every_second_and_new_games(
    service: Service, home: Home
) -> None:
    add(home, [game(won=True)])
    with follow(service) as client, client.stream("GET", "/api/v1/stream") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        times = []
        for name, data in events(response):
            if name == "services":
                assert {it["name"] for it in data["services"]} >= {"mcp", "analytics"}  # type: ignore[attr-defined]
            if name != "summary":
                continue
            times.append(time.monotonic())
            if len(times) == 3:
                add(home, [game(), game()])
            if data["games_finished"] == 3:
                break
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert 0.7 < sum(gaps) / len(gaps) < 1.6


def test_a_client_that_does_not_read_holds_nobody_up(service: Service, home: Home) -> None:
    add(home, [])
    port = int(service.url.rsplit(":", 1)[1])
    slow = []
    for _ in range(8):
        client = socket.create_connection(("127.0.0.1", port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        slow.append(client)
    with follow(service) as client, client.stream("GET", "/api/v1/stream") as response:
        summaries = (data for name, data in events(response) if name == "summary")
        first, second = next(summaries), next(summaries)
        assert 500 < second["time"] - first["time"] < 3000  # type: ignore[operator]
    for client in slow:
        client.close()
    with follow(service) as client:
        until(lambda: stream_clients(client) == 0)


def stream_clients(client: httpx.Client) -> float:
    found = re.search(r"^jimbot_analytics_stream_clients (\S+)", client.get("/metrics").text, re.M)
    assert found
    return float(found[1])


def test_streams_are_limited(service: Service, home: Home) -> None:
    add(home, [])
    port = int(service.url.rsplit(":", 1)[1])
    request = b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
    taken = [socket.create_connection(("127.0.0.1", port)) for _ in range(CLIENTS_LIMIT)]
    try:
        for each in taken:
            each.sendall(request)
            assert b"200 OK" in each.recv(4096)
        with follow(service) as client:
            response = client.get("/api/v1/stream")
            assert response.status_code == 503
            assert "too many" in response.json()["detail"]
            assert client.get("/api/v1/summary").status_code == 200
    finally:
        for each in taken:
            each.close()
    with follow(service) as client:
        until(lambda: stream_clients(client) == 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_in_time_with_streams_open(service: Service, home: Home, number: int) -> None:
    add(home, [game()])
    with follow(service) as client, client.stream("GET", "/api/v1/stream") as response:
        next(events(response))
        # Its threads are waited for that long; a busy machine takes as long again to end it.
        assert service.stop(number) < 4
        assert service.process.returncode == 0
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert [line["message"] for line in lines] == ["ready", "stopping", "stopped"]
    assert {line["service"] for line in lines} == {"analytics"}


def test_goes_on_after_kill_9_with_every_game_once(
    appliance: Appliance, home: Home, tmp_path: Path
) -> None:
    port = appliance.service("analytics").ports["http"]
    table, log = tmp_path / "appliance.toml", tmp_path / "analytics.log"
    total = 0
    for _ in range(2):
        with running(home, table, port, log) as service, follow(service) as client:
            add(home, [game(won=True, jokers=["j_joker", "j_mime"]) for _ in range(400)])
            total += 400
            until(lambda client=client: client.get("/api/v1/summary").json()["games_finished"])
            service.process.kill()
    with running(home, table, port, log) as service, follow(service) as client:

        def counted() -> bool:
            summary = client.get("/api/v1/summary").json()
            pairs = client.get("/api/v1/knowledge").json()["pairs"]
            return bool(summary["games_finished"] == total and pairs and pairs[0]["games"] == total)

        until(counted)


def test_follows_writers_that_come_and_go(service: Service, home: Home) -> None:
    """As mcp does when it is restarted, deployed or drained."""
    with follow(service) as client:

        def finished() -> int:
            return int(client.get("/api/v1/summary").json()["games_finished"])

        for life in range(1, 4):
            add(home, [game()])
            until(lambda life=life: finished() == life)


def test_a_taken_port_is_named_and_nothing_is_left_running(
    appliance: Appliance, home: Home, tmp_path: Path
) -> None:
    port = appliance.service("analytics").ports["http"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                PROGRAM,
                str(tmp_path / "appliance.toml"),
                str(home.path),
            ],
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert f"cannot listen on 127.0.0.1:{port}" in last
    assert "or change the port in the table" in last


def test_listens_on_loopback_alone_and_within_its_memory(
    service: Service, home: Home, appliance: Appliance
) -> None:
    add(home, [game() for _ in range(500)])
    with follow(service) as client:
        until(lambda: client.get("/api/v1/summary").json()["games_finished"] == 500)
        for path in ("summary", "trends", "training", "games", "knowledge", "services"):
            assert client.get(f"/api/v1/{path}").status_code == 200
        client.get("/openapi.json")
    process = psutil.Process(service.process.pid)
    listening = {it.laddr.ip for it in process.net_connections() if it.status == "LISTEN"}
    assert listening == {"127.0.0.1"}
    # What the profile that gives least gives it; the kernel would kill it above.
    scale = min(profile.memory_scale for profile in appliance.profiles.values())
    assert process.memory_info().rss < scale * appliance.memory_mb("analytics", "native") * 2**20
