"""A gateway on a stand-in, with limits that do not get in the way of what is tested."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jimbot.appliance import load
from jimbot.appliance.claude import ClaudeLimits
from jimbot.claude.api import Api
from jimbot.claude.cache import Cache
from jimbot.claude.gateway import Gateway, Graph
from jimbot.claude.keys import KeyRing
from jimbot.claude.ledger import Ledger
from jimbot.claude.metrics import Metrics
from jimbot.claude.question import Choice, Question, State
from tests.claude.standin import Standin, standing_in

# No key that anybody ever had.
CANARY = "sk-ant-canary-0123456789abcdef"


@pytest.fixture(autouse=True)
def _without_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the environment steers the SDK."""
    for name in list(os.environ):
        if name.upper().startswith("ANTHROPIC_") or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def table() -> ClaudeLimits:
    return load().claude


@pytest.fixture
def roomy(table: ClaudeLimits) -> ClaudeLimits:
    """The table with nothing that declines: tests tighten what they are about."""
    return table.model_copy(
        update={
            "decision_share": 1.0, "least_value": 0.0, "least_deadline_ms": 0,
            "requests_per_hour": 1000, "burst": 1000, "concurrency": 50, "batch_window_ms": 0,
            "batch_size": 1, "retries": 0, "request_timeout_s": 5.0,
        }
    )  # fmt: skip


def question(number: int = 0, **changes: Any) -> Question:
    """A question that differs by its number; three legal actions, the second preferred."""
    fields: dict[str, Any] = {
        "kind": "shop",
        "state": State(ante=2, money=number, jokers=("j_joker",)),
        "legal": tuple(Choice(key=key, label=key) for key in ("buy:a", "buy:b", "leave")),
        "probabilities": (0.3, 0.4, 0.3),
        "deadline_ms": 4000,
        "decisions": 100,
    }
    return Question(**(fields | changes))


class Bench:
    """A gateway with everything around it, and the stand-in that it asks."""

    def __init__(self, gateway: Gateway, standin: Standin, ledger: Ledger, ring: KeyRing) -> None:
        self.gateway, self.standin, self.ledger, self.ring = gateway, standin, ledger, ring

    def metric(self, name: str, **labels: str) -> float:
        return self.gateway.metrics.registry.get_sample_value(f"jimbot_claude_{name}", labels) or 0


Make = Callable[..., Any]


@pytest.fixture
def bench(tmp_path: Path, roomy: ClaudeLimits) -> Make:
    """`async with bench(limits changes, keys=…) as b`: a `Bench`."""

    @asynccontextmanager
    async def make(
        *, keys: tuple[str, ...] = (CANARY,), graph: Graph | None = None, ledger: bool = True,
        urls: tuple[str, ...] = (), clock: Callable[[], float] | None = None, **changes: Any,
    ) -> AsyncIterator[Bench]:  # fmt: skip
        folder = tmp_path / "keys"
        folder.mkdir(exist_ok=True)
        for number, key in enumerate(keys):
            path = folder / f"key-{number}"
            path.write_text(key)
            path.chmod(0o600)
            os.utime(path, (1000 - number, 1000 - number))  # the first is the newest
        async with standing_in() as standin:
            limits = roomy.model_copy(update={"base_urls": urls or (standin.url,)} | changes)
            ring = KeyRing([folder])
            api = Api(limits, ring)
            await api.load()
            times = {"clock": clock} if clock else {}
            kept = Ledger(tmp_path / "ledger.sqlite", **times)
            cache = Cache(
                tmp_path / "cache.sqlite", entries=limits.cache_entries, days=limits.cache_days,
                agreement=limits.cache_agreement, evidence=limits.cache_evidence,
                trials=limits.contradiction_trials, **times,
            )  # fmt: skip
            gateway = Gateway(
                limits, api=api, ring=ring, cache=cache, ledger=kept if ledger else None,
                metrics=Metrics(), graph=graph, **times,
            )  # fmt: skip
            try:
                yield Bench(gateway, standin, kept, ring)
            finally:
                await gateway.stop()

    return make


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run one test's coroutine, for at most half a minute."""
    asyncio.run(asyncio.wait_for(coroutine, 30))
