"""The service `claude`: the gateway behind a small HTTP API on the loopback interface."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from jimbot.appliance import Appliance, Home
from jimbot.claude import keys, publish
from jimbot.claude.analysis import Analyst
from jimbot.claude.api import Api
from jimbot.claude.cache import Cache
from jimbot.claude.errors import StoreError
from jimbot.claude.gateway import Gateway
from jimbot.claude.graph import KnowledgeGraph
from jimbot.claude.http import app
from jimbot.claude.keys import KeyRing
from jimbot.claude.ledger import Ledger, ledger_path
from jimbot.claude.metrics import Metrics
from jimbot.errors import MissingExtra
from jimbot.security import tokens
from jimbot.security.bearer import Bearers
from jimbot.security.entrance import Entrance
from jimbot.security.roles import Scope
from jimbot.service import configure_logging, serving, stop_event

_log = logging.getLogger(__name__)

FLUSH_S = 5.0
# What needs a token, where tokens are on.
MANAGED: Final[dict[str, Scope]] = {"/api/v1/keys/reload": "keys:write"}


def cache_path(home: Home) -> Path:
    """What was answered; it can be thrown away."""
    return home.path / "claude" / "cache.sqlite"


async def run(appliance: Appliance, home: Home) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        PortTaken: the port of the table is in use.
        HomeError: the state directory cannot be used.
    """
    configure_logging("claude")
    stop = stop_event()
    home.prepare()
    port = appliance.service("claude").ports["http"]
    entrance = Entrance.of(appliance.security, home)
    async with (
        working(appliance, home) as (gateway, analyst),
        serving(Bearers(app(gateway, analyst), entrance, MANAGED), port),
    ):
        state = gateway.health().reason
        _log.info("ready", extra={"fields": {"port": port, "state": state}})
        await stop.wait()
        _log.info("stopping")


@asynccontextmanager
async def working(
    appliance: Appliance, home: Home
) -> AsyncIterator[tuple[Gateway, Analyst | None]]:
    """A gateway with its stores open and its background work going."""
    limits = appliance.claude
    ring = KeyRing(keys.locate(limits.keys, home.path))
    ledger = _open_ledger(home)
    graph = KnowledgeGraph(appliance.url("analytics"), headers=lambda: tokens.headers(home))
    gateway = Gateway(
        limits, api=Api(limits, ring), ring=ring, cache=_open_cache(appliance, home),
        ledger=ledger, metrics=Metrics(), graph=graph,
    )  # fmt: skip
    analyst = Analyst(gateway, ledger) if ledger else None
    work = [_load(gateway), _flush(gateway), graph.follow()]
    if analyst and ledger:
        log = appliance.url("mcp", "websocket", scheme="ws")
        work += [analyst.run(), publish.run(ledger, log)]
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield gateway, analyst
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await gateway.stop()


def _open_ledger(home: Home) -> Ledger | None:
    try:
        return Ledger(ledger_path(home))
    except StoreError as error:
        _log.error("nothing is paid for", extra={"fields": {"error": str(error)}})
        return None


def _open_cache(appliance: Appliance, home: Home) -> Cache:
    limits = appliance.claude

    def opened(path: Path) -> Cache:
        return Cache(
            path, entries=limits.cache_entries, days=limits.cache_days,
            agreement=limits.cache_agreement, evidence=limits.cache_evidence,
            trials=limits.contradiction_trials,
        )  # fmt: skip

    try:
        return opened(cache_path(home))
    except StoreError as error:
        _log.error("answers are kept in memory alone", extra={"fields": {"error": str(error)}})
        return opened(Path(":memory:"))


async def _load(gateway: Gateway) -> None:
    """Import the SDK as soon as there is a key, and not before: it takes 50 MB."""
    while not gateway.ring.keys:
        await asyncio.sleep(keys.LOOK_S)
    try:
        await gateway.api.load()
    except MissingExtra as error:
        gateway.problem = str(error)
        _log.error("Claude cannot be asked", extra={"fields": {"error": str(error)}})


async def _flush(gateway: Gateway) -> None:
    while True:
        await asyncio.sleep(FLUSH_S)
        try:
            gateway.flush()
        except Exception:
            _log.exception("cannot write down what the cache and the day have seen")
