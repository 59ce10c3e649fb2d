"""mcp's figures: durable events a second, acknowledgement and decision latency, with their targets.

    python -m benchmarks.mcp [--seconds N]

The service runs in a process of its own, on the disk at hand; the clients run in this one. What
"a core" means is taken from the service's CPU time, so that the clients' own work does not count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psutil
from websockets.asyncio.client import ClientConnection, connect

from jimbot.events import new_event_id
from jimbot.game import Run
from jimbot.mcp.balatrobot.methods import Game
from jimbot.mcp.balatrobot.server import LocalFiles
from tests.conftest import table_on_free_ports

CONNECTIONS = 8
BATCH = 250
RATE = 1000
GAMES = 50
THINK_S = 1.0  # what a game's animations take between two decisions, at the least


@contextmanager
def service() -> Iterator[tuple[str, psutil.Process]]:
    """The real service on free ports; its address and process."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
        from jimbot.appliance import load

        table = table_on_free_ports(Path(directory))
        ports = load(table).service("mcp").ports
        process = subprocess.Popen(
            [sys.executable, "-m", "jimbot", "serve", "mcp"],
            env={**os.environ, "JIMBOT_HOME": f"{directory}/home", "JIMBOT_TABLE": str(table)},
            stderr=subprocess.DEVNULL,
        )
        try:
            url = f"ws://127.0.0.1:{ports['websocket']}"
            asyncio.run(_until_up(url))
            yield url, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(10)


async def _until_up(url: str) -> None:
    for _ in range(200):
        try:
            async with connect(url, proxy=None):
                return
        except OSError:
            await asyncio.sleep(0.1)
    raise SystemExit("mcp did not start")


def _event() -> tuple[str, str]:
    event_id = new_event_id()
    event = {
        "type": "MONEY_CHANGED",
        "source": "bench",
        "event_id": event_id,
        "timestamp": time.time_ns() // 1_000_000,
        "payload": {"old_value": 4, "new_value": 7, "difference": 3},
    }
    return event_id, json.dumps(event)


async def throughput(url: str, seconds: float) -> int:
    """Events acknowledged over eight connections that send batches as fast as they are taken."""
    end = time.monotonic() + seconds
    total = 0

    async def talk() -> None:
        nonlocal total
        async with connect(url, compression=None, proxy=None) as socket:
            flying = 0
            while time.monotonic() < end or flying:
                while flying < 4 * BATCH and time.monotonic() < end:
                    events = ",".join(_event()[1] for _ in range(BATCH))
                    await socket.send(f'{{"batch_id":"b","events":[{events}]}}')
                    flying += BATCH
                answer = json.loads(await socket.recv())
                flying -= len(answer["event_ids"])
                total += len(answer["event_ids"])

    await asyncio.gather(*(talk() for _ in range(CONNECTIONS)))
    return total


async def acknowledgements(url: str, seconds: float) -> list[float]:
    """Seconds from an event's sending to its acknowledgement, at 1,000 events a second."""
    took: list[float] = []

    async def talk(socket: ClientConnection) -> None:
        sent: dict[str, float] = {}
        gap = CONNECTIONS / RATE

        async def listen() -> None:
            async for frame in socket:
                now = time.perf_counter()
                took.extend(now - sent.pop(one) for one in json.loads(frame)["event_ids"])

        listener = asyncio.create_task(listen())
        begin = time.perf_counter() + random.random() * gap
        for number in range(int(seconds / gap)):
            await asyncio.sleep(max(0.0, begin + number * gap - time.perf_counter()))
            event_id, text = _event()
            sent[event_id] = time.perf_counter()
            await socket.send(text)
        while sent:
            await asyncio.sleep(0.01)
        listener.cancel()

    async with connections(url, CONNECTIONS) as sockets:
        await asyncio.gather(*(talk(socket) for socket in sockets))
    return took


async def decisions(url: str, seconds: float) -> tuple[list[float], dict[str, int]]:
    """Seconds from a state's sending to its decision, in 50 games that go on at their own pace."""
    took: list[float] = []
    sources: dict[str, int] = {}
    end = time.monotonic() + seconds

    async def play(socket: ClientConnection, number: int) -> None:
        hello = {"type": "hello", "protocol": 1, "client": "b", "capabilities": ["decisions"]}
        await socket.send(json.dumps(hello))
        await socket.recv()
        game = Game(LocalFiles())
        state = game.call("start", {"deck": "RED", "stake": "WHITE", "seed": f"B{number}"})
        await asyncio.sleep(random.random() * THINK_S)
        while time.monotonic() < end:
            asked = {"type": "decide", "request_id": "r", "state": state}
            text = json.dumps(asked)
            began = time.perf_counter()
            await socket.send(text)
            answer: dict[str, Any] = {"type": ""}
            while answer["type"] != "decision":
                answer = json.loads(await socket.recv())
            took.append(time.perf_counter() - began)
            sources[answer["source"]] = sources.get(answer["source"], 0) + 1
            state = game.call(answer["action"]["method"], answer["action"]["params"])
            if state["state"] == "GAME_OVER":
                game.call("menu", {})
                state = game.call("start", {"deck": "RED", "stake": "WHITE"})
            await asyncio.sleep(THINK_S * random.uniform(0.5, 1.5))

    async with connections(url, GAMES) as sockets:
        await asyncio.gather(*(play(socket, n) for n, socket in enumerate(sockets)))
    return took, sources


@asynccontextmanager
async def connections(url: str, count: int) -> AsyncIterator[list[ClientConnection]]:
    """So many at once."""
    opened = [await connect(url, compression=None, proxy=None) for _ in range(count)]
    yield opened
    await asyncio.gather(*(socket.close() for socket in opened))


def quantile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each measurement")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    results: list[tuple[str, str, bool]] = []
    Run("WARM")
    with service() as (url, process):
        asyncio.run(throughput(url, 1.0))
        before, began = process.cpu_times(), time.monotonic()
        count = asyncio.run(throughput(url, options.seconds))
        wall = time.monotonic() - began
        after = process.cpu_times()
        cpu = after.user + after.system - before.user - before.system
        per_core = count / cpu
        results.append(
            (
                "durable events a second",
                f"{count / wall:,.0f} (a core: {per_core:,.0f}; target 20,000)",
                per_core >= 20_000,
            )
        )
        took = asyncio.run(acknowledgements(url, options.seconds))
        p99 = quantile(took, 0.99) * 1000
        results.append(
            (
                f"acknowledgement at {RATE:,} events/s",
                f"p50 {quantile(took, 0.5) * 1000:.1f} ms, p99 {p99:.1f} ms (target 20)",
                p99 < 20,
            )
        )
        took, sources = asyncio.run(decisions(url, options.seconds))
        p99 = quantile(took, 0.99) * 1000
        by = ", ".join(f"{name} {number}" for name, number in sorted(sources.items()))
        results.append(
            (
                f"decision at {GAMES} live games",
                f"p50 {quantile(took, 0.5) * 1000:.1f} ms, p99 {p99:.1f} ms (target 50); {by}",
                p99 < 50,
            )
        )
        results.append(("memory", f"{process.memory_info().rss / 2**20:.0f} MB", True))
    for name, figure, _ in results:
        print(f"{name:<34} {figure}")
    print(f"{'load of the machine before':<34} {load:.1f} on {os.cpu_count()} cores")
    return 0 if all(good for _, _, good in results) else 1


if __name__ == "__main__":
    sys.exit(main())
