"""Costs and notes reach the event log once, also when it was away or refused them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from jimbot.claude import publish
from jimbot.claude.budget import Amount
from jimbot.claude.ledger import Ledger
from jimbot.claude.prices import Usage
from jimbot.claude.prompt import Analysis
from jimbot.errors import JimbotError
from jimbot.events.event import Event
from jimbot.events.payloads import ClaudeRequest, validate
from tests.claude.conftest import run


class Outbox:
    """An event client that fails as it is told."""

    def __init__(self, url: str) -> None:
        self.sent: list[str] = []
        self.rejected = 0
        self.trouble = ["refused", "away", "rejected"]
        Outbox.made = self

    made: Outbox

    def send(self, event: Event, *, timeout: float | None = None) -> None:
        if self.trouble[:1] == ["refused"]:
            self.trouble.pop(0)
            raise JimbotError("unknown event type")
        self.sent.append(event.event_id)

    def flush(self, timeout: float | None = None) -> bool:
        trouble = self.trouble.pop(0) if self.trouble else ""
        self.rejected += trouble == "rejected"
        return trouble != "away"

    def close(self, timeout: float = 5.0) -> bool:
        return True


def test_a_cost_is_kept_until_the_log_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "EventClient", Outbox)
    monkeypatch.setattr(publish, "EVERY_S", 0.01)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.open("a", "m", "decision", Amount(1, 1), [None])
    ledger.settle("a", "ok", Amount(0.1, 2), Usage(1, 1), 5)

    async def main() -> None:
        task: asyncio.Task[Any] = asyncio.create_task(publish.run(ledger, "ws://127.0.0.1:9"))
        while ledger.unsent():
            await asyncio.sleep(0.01)
        sent = list(Outbox.made.sent)
        await asyncio.sleep(0.1)
        assert Outbox.made.sent == sent == ["claude-a"] * 3, "the log knows it by its id"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(main())
    ledger.close()


def test_what_is_told_is_what_the_log_takes(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.open("a", "m", "decision", Amount(1, 1), ["g1", "g1", None, "g2"])
    ledger.settle("a", "ok", Amount(0.1, 10), Usage(1, 2, 3, 4), 5)
    (entry,) = ledger.unsent()
    told = publish.event(entry)
    validate(told)
    assert ClaudeRequest.model_validate(told.payload).tokens == 10
    assert sorted(told.payload["game_ids"]) == ["g1", "g2"]
    ledger.close()


def test_notes_of_an_analysis_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "EventClient", Outbox)
    monkeypatch.setattr(publish, "EVERY_S", 0.01)
    note = {
        "subject": "Blueprint",
        "relation": "works_with",
        "object": "Baron",
        "claim": "Copies it.",
        "confidence": 0.8,
    }
    said = Analysis.model_validate(
        {"cause": "c", "turning_point": "t", "lessons": [], "notes": [note, note]}
    )
    for event in publish.notes("g1", 5.0, said):
        validate(event)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.queue_analysis("g1", "text")
    assert ledger.untold_analyses() == []
    ledger.update_analysis("g1", "done", result=said.model_dump_json())

    async def main() -> None:
        task: asyncio.Task[Any] = asyncio.create_task(publish.run(ledger, "ws://127.0.0.1:9"))
        while ledger.untold_analyses():
            await asyncio.sleep(0.01)
        sent = list(Outbox.made.sent)
        await asyncio.sleep(0.1)
        assert Outbox.made.sent == sent
        assert set(sent) == {"note-g1-0", "note-g1-1"}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(main())
    ledger.close()
