"""How fast events become durable: `python -m benchmarks.events [--json] [--seconds N]`.

- embedded append: events/s in batches, and single appends/s, each synchronised to the disk;
- the whole service from 8 connections: durable events/s, with batches as `EventClient` makes them;
- acknowledgement latency at 1,000 events/s, one frame an event, over 8 connections.

Each figure uses a fresh directory under --directory (default: the system's temporary one); its
file system decides what a synchronisation costs, so that is measured and shown too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from websockets.asyncio.client import connect

from jimbot.appliance import Home, load
from jimbot.events import Event, open_log
from jimbot.events.sqlite import SQLiteEventLog
from jimbot.mcp.protocol import encode_batch, encode_event
from tests.conftest import table_on_free_ports

CONNECTIONS = 8


def action(number: int, game: int = 0) -> Event:
    """An event of the kind that there are most of."""
    return Event(
        type="GAME_ACTION",
        source="benchmark",
        payload={
            "game_id": f"bench{game}",
            "number": number,
            "action": [0, 0, [1, 2, 3, 4, 5]],
            "digest": "0123456789abcdef",
        },
    )


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def fsync_ms(directory: Path) -> float:
    """What this disk takes to keep 4 KiB."""
    times = []
    with (directory / "probe").open("wb") as file:
        for _ in range(100):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def embedded(directory: Path, seconds: float) -> dict[str, float]:
    figures = {}
    for name, size in (("batched", 500), ("single", 1)):
        log = SQLiteEventLog(directory / f"{name}.sqlite")
        count, number, spent = 0, 0, 0.0
        while spent < seconds:
            items = [(f"game-{number // 200}", action(number + n)) for n in range(size)]
            number += size
            began = time.perf_counter()
            log.append(items)
            spent += time.perf_counter() - began
            count += size
        log.close()
        figures[f"append_{name}_per_s"] = round(count / spent)
    log = SQLiteEventLog(directory / "batched.sqlite", read_only=True)
    began, after = time.perf_counter(), 0
    while page := log.read(after=after, limit=1000):
        after = page[-1].position
    figures["read_per_s"] = round(after / (time.perf_counter() - began))
    log.close()
    return figures


class Service:
    """mcp in a process of its own, on ports of its own."""

    def __init__(self, directory: Path) -> None:
        self.home = Home(directory / "home")
        table = table_on_free_ports(directory)
        self.url = load(table).url("mcp", "websocket", scheme="ws")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jimbot", "serve", "mcp"],
            env={**os.environ, "JIMBOT_HOME": str(self.home.path), "JIMBOT_TABLE": str(table)},
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def dial(url: str):  # type: ignore[no-untyped-def]
    for _ in range(200):
        try:
            return await connect(url, compression=None, proxy=None)
        except OSError:
            await asyncio.sleep(0.05)
    raise SystemExit("mcp did not start")


async def throughput(service: Service, seconds: float) -> dict[str, float]:
    """As many as go: each connection sends a batch of 500, awaits its events, sends the next."""
    # Encoded before the clock starts: the clients share the two cores with the service.
    frames = int(seconds * 25)
    prepared = [
        [
            encode_batch("b", [encode_event(action(f * 500 + n, game)) for n in range(500)])
            for f in range(frames)
        ]
        for game in range(CONNECTIONS)
    ]

    sockets = [await dial(service.url) for _ in prepared]
    end = time.perf_counter() + seconds

    async def talk(socket, batches: list[str]) -> int:  # type: ignore[no-untyped-def]
        done = 0
        for frame in batches:
            await socket.send(frame)
            left = 500
            while left:
                left -= len(json.loads(await socket.recv())["event_ids"])
            done += 500
            if time.perf_counter() > end:
                break
        return done

    cpu, began = service.cpu_s(), time.perf_counter()
    counts = await asyncio.gather(*(talk(s, b) for s, b in zip(sockets, prepared, strict=True)))
    spent, used = time.perf_counter() - began, service.cpu_s() - cpu
    for socket in sockets:
        await socket.close()
    log = open_log(service.home, read_only=True)
    assert log.count() == sum(counts), "acknowledged is not what is stored"
    log.close()
    return {
        "durable_events_per_s": round(sum(counts) / spent),
        "durable_events_per_cpu_s": round(sum(counts) / used),
    }


async def latency(service: Service, seconds: float, rate: int = 1000) -> dict[str, float]:
    """One frame an event at a steady rate; milliseconds from sending to its acknowledgement."""
    sent: dict[str, float] = {}
    took: list[float] = []

    async def hear(socket) -> None:  # type: ignore[no-untyped-def]
        async for frame in socket:
            now = time.perf_counter()
            took.extend((now - sent.pop(one)) * 1000 for one in json.loads(frame)["event_ids"])

    sockets = [await dial(service.url) for _ in range(CONNECTIONS)]
    tasks = [asyncio.create_task(hear(socket)) for socket in sockets]
    began = time.perf_counter()
    for number in range(int(seconds * rate)):
        event = action(number, number % CONNECTIONS)
        if (ahead := began + number / rate - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        sent[event.event_id] = time.perf_counter()
        await sockets[number % CONNECTIONS].send(encode_event(event))
    rated = int(seconds * rate) / (time.perf_counter() - began)
    while sent:
        await asyncio.sleep(0.01)
    for socket, task in zip(sockets, tasks, strict=True):
        await socket.close()
        await task
    return {
        "ack_rate_per_s": round(rated),
        "ack_p50_ms": round(percentile(took, 0.5), 2),
        "ack_p99_ms": round(percentile(took, 0.99), 2),
        "ack_max_ms": round(max(took), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each figure")
    parser.add_argument("--directory", type=Path, help="where the logs go for the time")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=options.directory) as name:
        directory = Path(name)
        figures["fsync_ms"] = round(fsync_ms(directory), 3)
        figures |= embedded(directory, options.seconds)
        for part in (throughput, latency):
            place = directory / part.__name__
            place.mkdir()
            with Service(place) as service:
                figures |= asyncio.run(part(service, options.seconds))
    if options.json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key:28} {value:>12,}")


if __name__ == "__main__":
    main()
