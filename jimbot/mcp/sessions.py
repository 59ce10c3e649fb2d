"""Sessions: what the server remembers of a client across dropped connections."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import Final

from jimbot.mcp.balatrobot.mirror import Memory

_REMEMBERED: Final = 1024


class Session:
    """One client's, for as long as the server runs and remembers it.

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


class Sessions:
    """All of them; the one longest unused is forgotten first. A forgotten one is begun anew: its
    client sends again what it does not know to be stored, and the log knows events by their id."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()

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
