"""The real service in a process of its own: killed, stopped, starved of disk."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import resource
import signal
import socket
import threading
import time
from pathlib import Path

import psutil

from jimbot.events import open_log
from jimbot.mcp.client import EventClient, OutboxError
from jimbot.mcp.journal import Audit, Auditor
from tests.mcp.conftest import Service, dial, heartbeat


def test_it_answers_for_people_and_for_programs(service: Service) -> None:
    service.start()
    client = EventClient(service.url)
    client.send(heartbeat("e1"))
    assert client.flush(10)
    client.close()
    with dial(service.url) as connection:
        connection.send("junk")
        connection.recv(timeout=5)
        status, body = service.get("/api/v1/status")
        assert status == 200
        shown = json.loads(body)
        assert shown["health"]["status"] == "ok"
        assert shown["websocket"] == service.url
        assert shown["connections"] == 1
        assert shown["log_position"] == 1
        assert shown["events"] == {
            "acknowledged": 1,
            "duplicates": 0,
            "rejected": {"not_json": 1},
        }
        _, metrics = service.get("/metrics")
    for line in (
        "jimbot_mcp_events_acknowledged_total 1.0",
        "jimbot_mcp_events_duplicate_total 0.0",
        'jimbot_mcp_events_rejected_total{code="not_json"} 1.0',
        "jimbot_mcp_append_seconds_count 1.0",
        "jimbot_mcp_connections 1.0",
        "jimbot_mcp_log_position 1.0",
    ):
        assert line in metrics.splitlines()
    names = {line.split()[2] for line in metrics.splitlines() if line.startswith("# TYPE")}
    assert all(name.startswith("jimbot_mcp_") for name in names)


def test_killed_again_and_again_under_load_it_loses_nothing_acknowledged(
    service: Service,
) -> None:
    """Stored ⊇ acknowledged, once each, each client's in the order it sent them."""
    service.start()
    clients = [EventClient(service.url, journal=service.home.acknowledged) for _ in range(4)]
    stop = threading.Event()
    sent: list[list[str]] = [[] for _ in clients]

    def load(number: int) -> None:
        while not stop.is_set():
            one = f"{number}-{len(sent[number])}"
            clients[number].send(heartbeat(one, game_id=f"g{number}"))
            sent[number].append(one)
            if len(sent[number]) % 50 == 0:
                time.sleep(0.01)

    threads = [threading.Thread(target=load, args=(n,)) for n in range(len(clients))]
    for thread in threads:
        thread.start()
    rng = random.Random(7)
    # Open all along, as analytics has it: a reader outlives many writers.
    log = open_log(service.home, read_only=True)
    auditor = Auditor(service.home.acknowledged, log)
    try:
        for _ in range(5):
            acknowledged = sum(client.acknowledged for client in clients)
            service.wait_until(
                lambda: sum(client.acknowledged for client in clients) > acknowledged + 500  # noqa: B023
            )
            time.sleep(rng.uniform(0, 0.1))
            assert service.end(signal.SIGKILL)[0] == -signal.SIGKILL
            audit = auditor.audit()
            assert audit.lost == []
            assert audit.acknowledged > acknowledged
            service.start()
    finally:
        stop.set()
        for thread in threads:
            thread.join(15)
    assert all(client.flush(20) for client in clients)
    assert all(client.close() for client in clients)
    code, seconds = service.end()
    assert code == 0
    assert seconds < 2
    entries = log.read(limit=10_000_000)
    ids = [entry.event.event_id for entry in entries]
    assert len(ids) == len(set(ids)) == log.position()
    for number, wanted in enumerate(sent):
        assert [r.event.event_id for r in log.read_stream(f"game-g{number}")] == wanted
    total = sum(len(one) for one in sent)
    assert sum(client.acknowledged for client in clients) == log.count() == total
    assert auditor.audit() == Audit(total, total, [])
    log.close()


def test_sigterm_under_load_acknowledges_what_it_committed(service: Service) -> None:
    service.start()
    client = EventClient(service.url)

    def load() -> None:
        with contextlib.suppress(OutboxError):
            for number in itertools.count():
                client.send(heartbeat(f"e{number}"))

    thread = threading.Thread(target=load)
    thread.start()
    service.wait_until(lambda: client.acknowledged > 500)
    code, seconds = service.end()
    client.close(0)
    thread.join(10)
    acknowledged = client.acknowledged
    assert code == 0
    assert seconds < 2
    # The last writer folded the WAL into the file.
    assert not service.home.event_log.with_name("log.sqlite-wal").exists()
    log = open_log(service.home, read_only=True)
    assert log.count() == acknowledged
    log.close()
    lines = [json.loads(line) for line in service.stderr.read_text().splitlines()]
    assert lines[-1]["message"] == "stopped"
    assert lines[-1]["log_position"] == acknowledged


def test_a_full_disk_fails_its_health_and_heals_by_itself(service: Service) -> None:
    service.start()
    assert service.process is not None
    process = psutil.Process(service.process.pid)
    client = EventClient(service.url)
    client.send(heartbeat("before"))
    assert client.flush(10)
    wal = service.home.event_log.with_name("log.sqlite-wal")
    unlimited = process.rlimit(psutil.RLIMIT_FSIZE)
    process.rlimit(psutil.RLIMIT_FSIZE, (wal.stat().st_size + 4096, resource.RLIM_INFINITY))
    for n in range(200):
        client.send(heartbeat(f"e{n}", filler="x" * 1000))
    service.wait_until(lambda: service.get("/health")[0] == 503)
    health = json.loads(service.get("/health")[1])
    assert health["status"] == "fail"
    assert "cannot write" in health["reason"]
    assert "Free disk space" in health["hint"]
    with dial(service.url) as connection:
        connection.send(json.dumps(heartbeat("other").model_dump(exclude_none=True)))
        assert json.loads(connection.recv(timeout=5))["code"] == "storage_unavailable"
    assert client.acknowledged == 1
    process.rlimit(psutil.RLIMIT_FSIZE, unlimited)
    assert client.flush(10)
    assert client.acknowledged == 201
    client.close()
    assert service.get("/health")[0] == 200
    log = open_log(service.home, read_only=True)
    assert log.contains(f"e{n}" for n in range(200)) == {f"e{n}" for n in range(200)}
    log.close()


def ends_with(service: Service, *words: str) -> None:
    service.start(wait=False)
    assert service.process is not None
    assert service.process.wait(15) != 0
    last = service.stderr.read_text().splitlines()[-1]
    assert last.startswith("error: ")
    for word in words:
        assert word in last


def test_a_taken_port_is_one_clear_line(service: Service) -> None:
    for port in (service.websocket_port, service.http_port):
        with socket.socket() as other:
            other.bind(("127.0.0.1", port))
            other.listen()
            ends_with(service, f"127.0.0.1:{port}", "Stop what uses it")


def test_a_spoilt_log_is_one_clear_line_and_left_as_it_is(service: Service) -> None:
    spoilt = b"this is no database" * 100
    Path(service.home.event_log).write_bytes(spoilt)
    ends_with(service, "is not an event log", "Move it away")
    assert service.home.event_log.read_bytes() == spoilt


def test_a_fault_of_ours_ends_it_so_that_it_is_started_again(service: Service) -> None:
    service.start(
        before="from jimbot.events.sqlite import SQLiteEventLog as L\nL.append = lambda *_: 1 / 0\n"
    )
    client = EventClient(service.url)
    client.send(heartbeat("e1"))
    assert service.process is not None
    assert service.process.wait(10) == 1
    assert "ZeroDivisionError" in service.stderr.read_text()
    assert client.acknowledged == 0
    service.start()
    assert client.flush(10)
    client.close()


def test_it_listens_on_loopback_only(service: Service) -> None:
    service.start()
    assert service.process is not None
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for connection in psutil.Process(service.process.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {
        ("127.0.0.1", service.websocket_port),
        ("127.0.0.1", service.http_port),
    }
