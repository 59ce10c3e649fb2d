"""From an unsure decision to money in the series and notes in the graph, over real processes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from jimbot.appliance import Appliance, Home, load
from jimbot.events import open_log
from jimbot.events.event import now_ms
from jimbot.events.payloads import CLAUDE_REQUEST, STRATEGY_NOTE
from jimbot.game import Run
from jimbot.knowledge.ladybug import LadybugGraph
from jimbot.knowledge.projection import fold as fold_graph
from jimbot.knowledge.queries import notes
from jimbot.knowledge.seeds import seed
from jimbot.mcp.balatrobot.state import game_state
from jimbot.metrics import projection, queries
from jimbot.metrics.sqlite import SQLiteSeries
from tests.claude.conftest import CANARY
from tests.claude.standin import standing_in

pytest.importorskip("anthropic", reason="pip install 'jimbot[claude]'")
pytest.importorskip("ladybug", reason="pip install 'jimbot[embedded]'")

NOTE = {
    "subject": "Blueprint",
    "relation": "works_with",
    "object": "Baron",
    "claim": "Copies it.",
    "confidence": 0.8,
}
ANALYSIS = {
    "cause": "No mult.",
    "turning_point": "Ante 1.",
    "lessons": ["Buy it."],
    "notes": [NOTE],
}


@contextmanager
def services(home: Home, table: Path, *names: str) -> Iterator[None]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ANTHROPIC_")}
    environment |= {"JIMBOT_HOME": str(home.path), "JIMBOT_TABLE": str(table)}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "jimbot", "serve", name],
            env=environment,
            stderr=(table.parent / f"{name}.log").open("w"),
        )
        for name in names
    ]
    try:
        yield
    finally:
        for each in running:
            each.send_signal(signal.SIGTERM)
        for each in running:
            each.wait(20)


@pytest.fixture
def table(tmp_path: Path, appliance: Appliance) -> Path:
    return tmp_path / "appliance.toml"


def pointed_at(table: Path, url: str) -> Appliance:
    text = table.read_text().replace("https://api.anthropic.com", url)
    text = text.replace('policy = "latest"', 'policy = "random"')
    for name, value in (
        ("analysis_every_s", "0.2"),
        ("least_value", "0.0"),
        ("least_deadline_ms", "100"),
    ):
        text, found = re.subn(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
        assert found == 1
    table.write_text(text)
    return load(table)


async def until_heard(url: str) -> dict[str, Any]:
    """Ask for decisions until Claude's is among them, then show that the game was lost."""
    shown = game_state(Run("ALEEB"))
    deadline = time.monotonic() + 60
    while True:
        try:
            socket = await connect(url, proxy=None)
            break
        except OSError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
    async with socket:
        hello = {"type": "hello", "protocol": 1, "client": "t", "capabilities": ["decisions"]}
        await socket.send(json.dumps(hello))
        await socket.recv()

        async def ask(state: dict[str, Any]) -> dict[str, Any]:
            message = {
                "type": "decide",
                "request_id": "r",
                "state": state,
                "deadline_ms": 10_000,
                "game_id": "live-1",
            }
            await socket.send(json.dumps(message))
            answer: dict[str, Any] = json.loads(await socket.recv())
            return answer

        while (decision := await ask(shown))["source"] != "claude":
            assert time.monotonic() < deadline, decision
            await asyncio.sleep(0.05)
        over = await ask({**shown, "state": "GAME_OVER", "won": False, "ante_num": 1})
        assert over["code"] == "no_decision"
    return decision


@pytest.mark.slow
def test_an_unsure_decision_becomes_money_in_the_series_and_notes_in_the_graph(
    home: Home, table: Path, tmp_path: Path
) -> None:
    key = home.path / "secrets" / "claude" / "key"
    key.parent.mkdir(parents=True, mode=0o700)
    key.write_text(CANARY)
    key.chmod(0o600)

    async def main() -> None:
        async with standing_in() as standin:
            standin.analysis = ANALYSIS
            appliance = pointed_at(table, standin.url)
            with services(home, table, "mcp", "claude"):
                url = appliance.url("mcp", "websocket", scheme="ws")
                decision = await until_heard(url)
                assert decision["asked_claude"]
                log = open_log(home, read_only=True)
                deadline = time.monotonic() + 60
                while not log.count([STRATEGY_NOTE]) or log.count([CLAUDE_REQUEST]) < 2:
                    assert time.monotonic() < deadline, (tmp_path / "claude.log").read_text()
                    await asyncio.sleep(0.2)
                log.close()

    asyncio.run(main())
    log = open_log(home, read_only=True)
    series = SQLiteSeries(tmp_path / "series.sqlite")
    graph = LadybugGraph(tmp_path / "graph.ladybug")
    seed(graph)
    everything = log.read(limit=10_000)
    projection.fold(series, everything)
    fold_graph(graph, everything)
    now = now_ms() + 1
    spent = {
        purpose: queries.cost(series, now - queries.HOUR, now, tags={"purpose": purpose})
        for purpose in ("decision", "analysis")
    }
    for cost in spent.values():
        assert cost.requests >= 1
        assert cost.dollars > 0
        assert cost.tokens > 0
    asked = [it.event.payload["game_ids"] for it in everything if it.event.type == CLAUDE_REQUEST]
    assert asked == [["live-1"]] * len(asked)
    assert [note.claim for note in notes(graph, ["j_blueprint"])] == ["Copies it."]
    assert CANARY not in json.dumps([it.event.model_dump() for it in everything])
    for each in (log, series, graph):
        each.close()
