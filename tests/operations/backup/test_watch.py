"""Backups become due and are made; one that fails is not tried in haste."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from jimbot.appliance import Appliance, Home
from jimbot.operations.backup import record, watch


def test_what_is_due_is_made_and_then_nothing(
    appliance: Appliance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.01)
    made: list[str] = []

    async def go() -> None:
        stop = asyncio.Event()

        async def make(kind: str) -> int:
            made.append(kind)
            record.update(home, last={kind: datetime.now(UTC)})
            asyncio.get_running_loop().call_later(0.2, stop.set)
            return 0

        await asyncio.wait_for(watch.watch(appliance, home, stop, make), 10)

    asyncio.run(go())
    assert made == ["weekly"]


def test_after_a_failure_it_waits(
    appliance: Appliance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.01)
    made: list[str] = []

    async def go() -> None:
        stop = asyncio.Event()

        async def fail(kind: str) -> int:
            made.append(kind)
            asyncio.get_running_loop().call_later(0.2, stop.set)
            return 1

        await asyncio.wait_for(watch.watch(appliance, home, stop, fail), 10)

    asyncio.run(go())
    assert made == ["weekly"]
