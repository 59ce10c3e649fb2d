"""Costs and strategy notes into the event log, whose projections put them into the series and the
graph.

The ledger remembers what has been sent, so that each is told once, also after a restart or while
mcp was away; the log knows an event by its id.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3

from jimbot.claude.ledger import Entry, Ledger
from jimbot.claude.prompt import Analysis
from jimbot.errors import JimbotError
from jimbot.events.event import Event
from jimbot.events.payloads import CLAUDE_REQUEST, STRATEGY_NOTE
from jimbot.mcp.client import EventClient

_log = logging.getLogger(__name__)

SOURCE = "claude"
EVERY_S = 5.0


def event(entry: Entry) -> Event:
    """A request of the ledger as the log's event; its id is the request's."""
    return Event(
        type=CLAUDE_REQUEST,
        source=SOURCE,
        event_id=f"claude-{entry.id}",
        timestamp=int(entry.time * 1000),
        payload={
            "request_id": entry.id,
            "model": entry.model,
            "purpose": entry.purpose,
            "status": entry.status,
            "questions": entry.questions,
            "input_tokens": entry.tokens.input,
            "output_tokens": entry.tokens.output,
            "cache_write_tokens": entry.tokens.cache_write,
            "cache_read_tokens": entry.tokens.cache_read,
            "dollars": entry.dollars,
            "batch": entry.batch,
            "elapsed_ms": entry.elapsed_ms,
            "game_ids": entry.games,
        },
    )


def notes(game: str, at: float, analysis: Analysis) -> list[Event]:
    """The notes of a game's analysis as events; their ids are the game's, numbered."""
    return [
        Event(
            type=STRATEGY_NOTE,
            source=SOURCE,
            event_id=f"note-{game}-{number}",
            timestamp=int(at * 1000),
            payload={"note_id": f"{game}-{number}", "game_id": game, **note.model_dump()},
        )
        for number, note in enumerate(analysis.notes)
    ]


async def run(ledger: Ledger, url: str) -> None:
    """Send what the log does not know, every few seconds, until cancelled."""
    client: EventClient | None = None
    said = ""
    try:
        while True:
            try:
                entries, analyses = ledger.unsent(), ledger.untold_analyses()
                if entries or analyses:
                    client = client or EventClient(url)
                    events = [event(entry) for entry in entries]
                    for game, time, result in analyses:
                        events += notes(game, time, Analysis.model_validate_json(result))
                    if await asyncio.to_thread(_send, client, events):
                        ledger.mark_sent(entry.id for entry in entries)
                        ledger.mark_told(game for game, _, _ in analyses)
                said = ""
            except (JimbotError, sqlite3.Error) as error:
                # Kept in the ledger, and tried again: a cost is never lost, only late.
                if said != (said := str(error)):
                    _log.warning("costs and notes wait", extra={"fields": {"error": said}})
            await asyncio.sleep(EVERY_S)
    finally:
        if client is not None:
            client.close(timeout=0.5)


def _send(client: EventClient, events: list[Event]) -> bool:
    refused = client.rejected
    for each in events:
        client.send(each, timeout=EVERY_S)
    return client.flush(EVERY_S) and client.rejected == refused
