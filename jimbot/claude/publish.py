"""Costs into the event log, whose projections put them into the series store.

The ledger remembers what has been sent, so that a request is told once, also after a restart or
while mcp was away; the log knows an event by its id.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3

from jimbot.claude.ledger import Entry, Ledger
from jimbot.errors import JimbotError
from jimbot.events.event import Event
from jimbot.mcp.client import EventClient

_log = logging.getLogger(__name__)

CLAUDE_REQUEST = "CLAUDE_REQUEST"
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
        },
    )


async def run(ledger: Ledger, url: str) -> None:
    """Send what the log does not know, every few seconds, until cancelled."""
    client: EventClient | None = None
    said = ""
    try:
        while True:
            try:
                if entries := ledger.unsent():
                    client = client or EventClient(url)
                    if await asyncio.to_thread(_send, client, entries):
                        ledger.mark_sent(entry.id for entry in entries)
                said = ""
            except (JimbotError, sqlite3.Error) as error:
                # Kept in the ledger, and tried again: a cost is never lost, only late.
                if said != (said := str(error)):
                    _log.warning("costs wait for the log", extra={"fields": {"error": said}})
            await asyncio.sleep(EVERY_S)
    finally:
        if client is not None:
            client.close(timeout=0.5)


def _send(client: EventClient, entries: list[Entry]) -> bool:
    refused = client.rejected
    for entry in entries:
        client.send(event(entry), timeout=EVERY_S)
    return client.flush(EVERY_S) and client.rejected == refused
