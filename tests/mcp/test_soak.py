"""Ten minutes of everything at once: run with `pytest -m soak --timeout 7200`, or `make soak`."""

from __future__ import annotations

import json
import threading
import time
import urllib.request

import psutil
import pytest

from jimbot.mcp.balatrobot.methods import Game
from jimbot.mcp.balatrobot.server import LocalFiles
from jimbot.mcp.protocol import encode_batch, encode_event
from tests.mcp.conftest import Service, dial, hear, heartbeat

pytestmark = pytest.mark.soak

SECONDS = 600
WARM_S = 60
# SQLite's page cache and the allocator settle within this; a leak of 20 bytes an event does not.
GROWTH_MB = 24


def test_memory_stays_flat(service: Service) -> None:
    service.start()
    assert service.process is not None
    process = psutil.Process(service.process.pid)
    end = time.monotonic() + SECONDS
    faults: list[BaseException] = []
    counts = {"events": 0, "decisions": 0, "posts": 0, "heard": 0}

    def loop(work: object) -> threading.Thread:
        def run() -> None:
            try:
                work()  # type: ignore[operator]
            except BaseException as error:
                faults.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def send() -> None:
        number = 0
        with dial(service.url) as socket:
            while time.monotonic() < end:
                batch = [encode_event(heartbeat(f"s{number + n}")) for n in range(100)]
                number += 100
                socket.send(encode_batch("b", batch))
                stored = 0
                while stored < 100:
                    stored += len(hear(socket, 30)["event_ids"])
                counts["events"] += 100
                time.sleep(0.1)

    def reconnect() -> None:
        while time.monotonic() < end:
            with dial(service.url) as socket:
                hello = {"type": "hello", "protocol": 1, "client": "soak"}
                socket.send(json.dumps(hello | {"capabilities": ["subscribe"]}))
                hear(socket)
                socket.send('{"type": "subscribe"}')
                for _ in range(20):
                    counts["heard"] += len(hear(socket, 30).get("events", ()))
                socket.send("not json")

    def decide() -> None:
        game = Game(LocalFiles())
        with dial(service.url) as socket:
            hello = {"type": "hello", "protocol": 1, "client": "soak"}
            socket.send(json.dumps(hello | {"capabilities": ["decisions"]}))
            while time.monotonic() < end:
                if game.run is None or game.run.over:
                    game.call("menu", {})
                    game.call("start", {"deck": "RED", "stake": "WHITE"})
                state = game.call("gamestate", {})
                asked = {"type": "decide", "request_id": "r", "state": state, "deadline_ms": 500}
                socket.send(json.dumps(asked))
                while (answer := hear(socket, 30))["type"] != "decision":
                    pass
                game.call(answer["action"]["method"], answer["action"]["params"])
                counts["decisions"] += 1
                time.sleep(0.05)

    def post() -> None:
        url = f"http://127.0.0.1:{service.http_port}/api/v1/events"
        while time.monotonic() < end:
            body = encode_event(heartbeat(f"p{counts['posts']}")).encode()
            with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as answer:
                assert answer.status == 200
            counts["posts"] += 1
            time.sleep(0.05)

    threads = [loop(work) for work in (send, reconnect, decide, post)]
    time.sleep(min(WARM_S, SECONDS / 4))
    warm = process.memory_info().rss
    files = process.num_fds()
    for thread in threads:
        thread.join()
    assert not faults
    grown = (process.memory_info().rss - warm) / 2**20
    print(f"\n{counts}, {warm / 2**20:.0f} MB warm, {grown:+.1f} MB after {SECONDS} s")
    assert min(counts.values()) > SECONDS
    assert grown < GROWTH_MB
    assert process.num_fds() <= files + 4
