"""Sessions: what the server remembers of a client across dropped connections, and across its own
restarts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

from jimbot.events import EventLog, LogError
from jimbot.files import write_whole
from jimbot.mcp.balatrobot.mirror import Memory

_log = logging.getLogger(__name__)

_REMEMBERED: Final = 1024
# Of these so many outlive the server, those used last; a game that is played takes 10 KB or so.
_KEPT: Final = 64


class Session:
    """One client's, for as long as the server remembers it.

    Attributes:
        last_event_id: of the last event acknowledged.
        cursor: the position in the log up to which its subscription was sent.
        memory: what was seen of the game it plays.
        connection: counts its connections; only the newest one speaks for it.
    """

    def __init__(self, id: str, client: str, cursor: int) -> None:
        self.id = id
        self.client = client
        self.last_event_id: str | None = None
        self.cursor = cursor
        self.memory = Memory()
        self.connection = 0

    def state(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "client": self.client,
            "last_event_id": self.last_event_id,
            "cursor": self.cursor,
            "memory": self.memory.state(),
        }

    @classmethod
    def of(cls, state: dict[str, Any]) -> Session:
        session = cls(str(state["id"]), str(state["client"]), int(state["cursor"]))
        session.last_event_id = state["last_event_id"]
        session.memory = Memory.of(state["memory"])
        return session


class Sessions:
    """All of them; the one longest unused is forgotten first. A forgotten one is begun anew: its
    client sends again what it does not know to be stored, and the log knows events by their id.

    Args:
        file: where the newest are kept (`keep`) for a server that comes after this one. What it
            says may be a little old, which costs a client some events that it sends or gets twice.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._file = file
        self._written = ""
        self._writing = threading.Lock()

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, client: str, wanted: str | None, position: int) -> tuple[Session, bool]:
        """The session to go on with, or a new one; and whether it was known."""
        session = self._sessions.get(wanted) if wanted else None
        known = session is not None and session.client == client
        if session is None or not known:
            session = Session(secrets.token_urlsafe(12), client, position)
            self._sessions[session.id] = session
            while len(self._sessions) > _REMEMBERED:
                self._sessions.popitem(last=False)
        self._sessions.move_to_end(session.id)
        session.connection += 1
        return session, known

    def take_up(self, log: EventLog | None) -> None:
        """Remember those that an earlier server kept. What was acknowledged last is forgotten where
        it is not in the log, which may be another by now, or cannot be asked (None)."""
        if self._file is None:
            return
        try:
            kept = [Session.of(state) for state in json.loads(self._file.read_bytes())]
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("sessions are begun anew: %s cannot be used: %s", self._file, error)
            return
        stored: set[str] = set()
        if log is not None:
            with contextlib.suppress(LogError):
                stored = log.contains([it.last_event_id for it in kept if it.last_event_id])
        for session in kept:
            if session.last_event_id not in stored:
                session.last_event_id = None
            self._sessions[session.id] = session

    def bound(self, position: int) -> None:
        """Let no session be beyond the log's end."""
        for session in self._sessions.values():
            session.cursor = min(session.cursor, position)

    async def keep(self) -> None:
        """Write the newest down, if there is news of them."""
        if self._file is None:
            return
        newest = list(self._sessions.values())[-_KEPT:]
        text = json.dumps([session.state() for session in newest])
        if text == self._written:
            return
        try:
            await asyncio.to_thread(self._write, self._file, text)
            self._written = text
        except OSError as error:
            _log.warning("sessions would not outlive this server: %s", error)

    def _write(self, file: Path, text: str) -> None:
        with self._writing:  # a `keep` that was cancelled still writes
            write_whole(file, text.encode(), mode=0o600)
