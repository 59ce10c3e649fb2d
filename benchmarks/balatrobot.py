"""How fast the simulator plays through BalatroBot's interface: `python -m benchmarks.balatrobot`.

The mod answers an action when the game's animations are over, so a hand takes seconds there. Here
every request takes a new connection over loopback, as the mod's client makes them.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import threading
import time

from jimbot.game.sampling import random_action
from jimbot.mcp.balatrobot import rpc
from jimbot.mcp.balatrobot.client import Client
from jimbot.mcp.balatrobot.methods import METHODS, Game
from jimbot.mcp.balatrobot.requests import request_of
from jimbot.mcp.balatrobot.server import GameServer, LocalFiles

SECONDS = 5.0


def play(call: object, seconds: float) -> int:
    """Random play through `call(method, params)`; how many actions were performed."""
    game, perform = call  # type: ignore[misc]
    rng = random.Random(0)
    end = time.perf_counter() + seconds
    done = 0
    while time.perf_counter() < end:
        if game.run is None or game.run.over:
            perform("menu", {})
            perform("start", {"deck": "RED", "stake": "WHITE"})
        request = request_of(random_action(game.run, rng), game.run, METHODS)
        if request is not None:
            perform(*request)
            done += 1
    return done


def in_process() -> float:
    game = Game(LocalFiles())

    def perform(method: str, params: dict[str, object]) -> None:
        body = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
        rpc.answer(json.dumps(body).encode(), game.call)

    return play((game, perform), SECONDS) / SECONDS


def over_http() -> float:
    ready = threading.Event()
    found: list[GameServer] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        async with GameServer(0) as server:
            found.append(server)
            loops.append(asyncio.get_running_loop())
            stop.append(asyncio.Event())
            ready.set()
            await stop[0].wait()

    stop: list[asyncio.Event] = []
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    server = found[0]
    with Client(port=server.port) as client:
        rate = (
            play(
                (server.game, lambda method, params: client.call(method, **params)),
                SECONDS,
            )
            / SECONDS
        )
    loops[0].call_soon_threadsafe(stop[0].set)
    thread.join()
    return rate


def main() -> int:
    direct, http = in_process(), over_http()
    print(f"{'requests a second, without HTTP':<34} {direct:,.0f}")
    print(f"{'actions a second over HTTP':<34} {http:,.0f}  (client in the same process)")
    print(f"{'load of the machine':<34} {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
