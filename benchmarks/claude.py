"""What the gateway weighs and how fast it answers from its cache.

Prints one JSON object: `hits_per_s` and `hit_p99_ms` (exact hits in process, with 20,000 answers
kept), `similar_p99_ms`, `http_hits_per_s` (a CPU-second of the service) and `http_hit_p99_ms`
(through HTTP, one connection), `rss_mb` without a key, and `rss_mb_with_key` after requests
through the SDK to a server that does not answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from jimbot.appliance import load
from jimbot.appliance.claude import ClaudeLimits
from jimbot.claude import features
from jimbot.claude.api import Api
from jimbot.claude.cache import Cache
from jimbot.claude.gateway import Gateway
from jimbot.claude.keys import KeyRing
from jimbot.claude.metrics import Metrics
from jimbot.claude.question import Choice, Question, State
from jimbot.claude.service import cache_path
from jimbot.claude.strategist import Opinion
from tests.conftest import table_on_free_ports

ANSWERS = 20_000
ASKED = 10_000
HTTP_ASKED = 3_000
REASONING = "Blueprint next to Baron doubles what the build scores from here on. " * 3


def question(number: int) -> Question:
    """A shop with eight legal actions, as big as questions usually are."""
    legal = tuple(
        Choice(key=f"buy:j_{n}", label=f"Buy joker {n}", features={"cost": n, "value": n * 1.5})
        for n in range(7)
    )
    state = State(
        ante=number % 8 + 1, money=number, jokers=("j_joker", "j_blueprint", "j_baron"),
        consumables=("c_fool",), hand_levels={"Flush": 3, "Pair": 2}, joker_slots=5,
    )  # fmt: skip
    leave = Choice(key="leave", label="Leave the shop")
    return Question(kind="shop", state=state, legal=(*legal, leave), probabilities=(0.125,) * 8)


def cache(path: Path, limits: ClaudeLimits) -> Cache:
    return Cache(
        path, entries=limits.cache_entries, days=limits.cache_days,
        agreement=limits.cache_agreement, evidence=limits.cache_evidence,
        trials=limits.contradiction_trials,
    )  # fmt: skip


def p99(seconds: list[float]) -> float:
    return round(statistics.quantiles(seconds, n=100)[98] * 1000, 3)


async def in_process(limits: ClaudeLimits, kept: Cache) -> dict[str, float]:
    ring = KeyRing([])
    gateway = Gateway(
        limits, api=Api(limits, ring), ring=ring, cache=kept, ledger=None, metrics=Metrics()
    )
    taken = []
    began = time.process_time()
    for number in range(ASKED):
        start = time.perf_counter()
        advice = await gateway.advise(question(number))
        taken.append(time.perf_counter() - start)
        assert advice.source == "cache:exact"
    used = time.process_time() - began
    similar = []
    for number in range(1000):
        other = question(number)
        other = other.model_copy(update={"state": other.state.model_copy(update={"round": 2})})
        start = time.perf_counter()
        advice = await gateway.advise(other)
        similar.append(time.perf_counter() - start)
        assert advice.source == "cache:similar"
    return {
        "hits_per_s": round(ASKED / used), "hit_p99_ms": p99(taken), "similar_p99_ms": p99(similar),
    }  # fmt: skip


def ask(port: int, count: int, first: int = 0) -> tuple[list[float], list[str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    bodies = [question(first + number).model_dump_json() for number in range(count)]
    taken, sources = [], []
    for body in bodies:
        start = time.perf_counter()
        connection.request("POST", "/api/v1/advice", body, {"content-type": "application/json"})
        answer = connection.getresponse().read()
        taken.append(time.perf_counter() - start)
        sources.append(json.loads(answer)["source"])
    return taken, sources


def serve(environment: dict[str, str], port: int) -> psutil.Process:
    started = subprocess.Popen(
        [sys.executable, "-m", "jimbot", "serve", "claude"], env=environment,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for _ in range(200):
        time.sleep(0.1)
        with contextlib.suppress(OSError):
            ask(port, 1)
            return psutil.Process(started.pid)
    raise SystemExit("the service did not start")


def stop(process: psutil.Process) -> None:
    process.terminate()
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, 0)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory) / "home"
        table = table_on_free_ports(Path(directory))
        table.write_text(
            table.read_text().replace("https://api.anthropic.com", "http://127.0.0.1:9")
        )
        appliance = load(table)
        from jimbot.appliance import Home

        place = cache_path(Home(home))
        kept = cache(place, appliance.claude)
        kept._measure = lambda *_: None  # type: ignore[method-assign]  # 20,000 times 3 ms
        kept._db.execute("BEGIN")
        for number in range(ANSWERS):
            kept.store(question(number), Opinion(number % 2, REASONING, 0.7))
        kept._db.execute("COMMIT")
        kept.threshold = 0.999  # as if the neighbours had agreed
        assert len(features.exact_key(question(0))) == 16
        figures: dict[str, float] = asyncio.run(in_process(appliance.claude, kept))
        kept.close()

        environment = {k: v for k, v in os.environ.items() if not k.startswith("ANTHROPIC_")}
        environment |= {"JIMBOT_HOME": str(home), "JIMBOT_TABLE": str(table)}
        port = appliance.service("claude").ports["http"]
        service = serve(environment, port)
        before = sum(service.cpu_times()[:2])
        taken, sources = ask(port, HTTP_ASKED)
        used = sum(service.cpu_times()[:2]) - before
        assert set(sources) == {"cache:exact"}
        figures["http_hits_per_s"] = round(HTTP_ASKED / used)
        figures["http_hit_p99_ms"] = p99(taken)
        figures["rss_mb"] = round(service.memory_info().rss / 2**20)
        stop(service)

        key = home / "secrets" / "claude"
        key.parent.mkdir(exist_ok=True)
        key.write_text("sk-benchmark-no-real-key")
        key.chmod(0o600)
        service = serve(environment, port)
        time.sleep(3)  # the SDK is imported in the background
        ask(port, 300, first=ANSWERS)
        figures["rss_mb_with_key"] = round(service.memory_info().rss / 2**20)
        stop(service)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
