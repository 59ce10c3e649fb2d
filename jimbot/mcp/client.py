"""The way into the log for everything that makes events: an outbox with a thread behind it."""

from __future__ import annotations

import logging
import random
import ssl
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from jimbot.appliance import Home
from jimbot.errors import JimbotError
from jimbot.events.event import Event, EventError
from jimbot.events.payloads import validate
from jimbot.mcp.journal import JournalWriter
from jimbot.mcp.messages import PROTOCOL, Hello, Welcome
from jimbot.mcp.protocol import (
    MAX_FRAME_BYTES,
    Ack,
    Error,
    decode_answer,
    encode_batch,
    encode_event,
)
from jimbot.mcp.secure import one_at_a_time
from jimbot.security import tokens

_log = logging.getLogger(__name__)

_BATCH_EVENTS = 500
_BATCH_BYTES = MAX_FRAME_BYTES // 2
_EVENT_BYTES = MAX_FRAME_BYTES - 1024  # leaves room for the batch around it
_BACKOFF_FIRST_S = 0.05
_BACKOFF_LIMIT_S = 2.0
# The server says something every few seconds while it has events of ours, even when its disk is
# full; a longer silence means that the connection is dead.
_SILENCE_S = 30.0


class OutboxError(JimbotError):
    """An event was not taken: the outbox is closed, or stayed full too long."""


class EventClient:
    """Sends events to mcp at `url` (`ws://…`), and keeps each until it is acknowledged.

    One thread sends a batch, waits until every event of it is acknowledged, and sends the next;
    so events arrive in order, and batches grow by themselves when the server is slow. A dropped
    connection is made again for ever, and what was not acknowledged is sent again; the server
    knows events by their id. Nothing here survives this process: what `close` did not get
    acknowledged, nobody was told is safe.

    Args:
        journal: a directory that gets the id of every acknowledged event (`jimbot.mcp.journal`).
        capacity: events that may wait; `send` blocks while there are that many.
        token: where mcp asks for one; that of JimBot's own programs in this process's home if none.
    """

    def __init__(
        self,
        url: str,
        *,
        journal: Path | None = None,
        capacity: int = 10_000,
        token: str | None = None,
    ) -> None:
        self._url = url
        self._token = token
        self._capacity = capacity
        self._journal = JournalWriter(journal) if journal else None
        self._outbox: OrderedDict[str, str] = OrderedDict()  # event id → its JSON
        self._changed = threading.Condition()
        self._closing = False
        self._connection: ClientConnection | None = None
        self._acknowledged = 0
        self._rejected = 0
        self._complained_of = ""
        self._thread = threading.Thread(target=self._work, name="event-client", daemon=True)
        self._thread.start()

    @property
    def acknowledged(self) -> int:
        """Events that the server has stored."""
        return self._acknowledged

    @property
    def rejected(self) -> int:
        """Events that the server refused; they are logged and dropped."""
        return self._rejected

    @property
    def pending(self) -> int:
        """Events that wait to be acknowledged."""
        return len(self._outbox)

    def send(self, event: Event, *, timeout: float | None = None) -> None:
        """Put an event into the outbox; waits while it is full.

        Raises:
            EventError: the server would refuse it.
            OutboxError: the client is closed, or the outbox was full for `timeout` seconds.
        """
        validate(event)
        text = encode_event(event)
        if len(text) > _EVENT_BYTES:
            raise EventError(f"event {event.event_id} has {len(text)} bytes, {_EVENT_BYTES} fit")
        with self._changed:
            room = self._changed.wait_for(
                lambda: self._closing or len(self._outbox) < self._capacity, timeout
            )
            if self._closing:
                raise OutboxError("this event client is closed")
            if not room:
                raise OutboxError(
                    f"{len(self._outbox)} events wait for {self._url}",
                    hint="Is mcp running? See: jimbot health",
                )
            self._outbox[event.event_id] = text
            self._changed.notify_all()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until nothing is pending; False when `timeout` seconds did not suffice."""
        with self._changed:
            self._changed.wait_for(lambda: not self._outbox or self._closing, timeout)
            return not self._outbox

    def close(self, timeout: float = 5.0) -> bool:
        """Flush, then stop for good; False when events were still pending. May be called again."""
        flushed = self.flush(timeout)
        with self._changed:
            self._closing = True
            connection = self._connection
            self._changed.notify_all()
        if connection is not None:
            connection.close()
        self._thread.join(timeout=1.0)
        if not flushed:
            _log.warning(
                "closed with %d events that %s has not acknowledged", self.pending, self._url
            )
        return flushed

    def _work(self) -> None:
        backoff = _BACKOFF_FIRST_S
        try:
            while self._wait_for_events():
                before = self._acknowledged
                try:
                    with self._connected() as connection:
                        self._deliver(connection)
                except (OSError, WebSocketException, ValueError) as error:
                    if self._acknowledged > before:
                        backoff = _BACKOFF_FIRST_S
                    self._complain(f"cannot deliver: {error or type(error).__name__}")
                    with self._changed:
                        self._changed.wait_for(
                            lambda: self._closing, backoff * random.uniform(0.5, 1.0)
                        )
                    backoff = min(backoff * 2, _BACKOFF_LIMIT_S)
        finally:
            if self._journal:
                self._journal.close()
            with self._changed:
                self._closing = True
                self._changed.notify_all()

    def _wait_for_events(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._outbox or self._closing)
            return not self._closing

    @contextmanager
    def _connected(self) -> Iterator[ClientConnection]:
        context = None
        if self._url.startswith("wss:"):
            context = one_at_a_time(ssl.create_default_context())
        with connect(
            self._url, ssl=context, open_timeout=5, close_timeout=1, compression=None, proxy=None
        ) as connection:
            if token := self._token or _own_token():
                self._greet(connection, token)
            self._connection = connection
            try:
                yield connection
            finally:
                self._connection = None

    def _greet(self, connection: ClientConnection, token: str) -> None:
        hello = Hello(protocol=PROTOCOL, client="jimbot", token=token)
        connection.send(hello.model_dump_json())
        answer = decode_answer(connection.recv(timeout=_SILENCE_S))
        if not isinstance(answer, Welcome):
            raise ValueError(answer.reason if isinstance(answer, Error) else "no welcome")

    def _deliver(self, connection: ClientConnection) -> None:
        """Send what waits, batch by batch, for as long as the connection lives."""
        while self._wait_for_events():
            batch = self._next_batch()
            connection.send(encode_batch(uuid.uuid4().hex, list(batch.values())))
            unanswered = set(batch)
            while unanswered:
                answer = decode_answer(connection.recv(timeout=_SILENCE_S))
                if isinstance(answer, Ack):
                    settled = [event_id for event_id in answer.event_ids if event_id in unanswered]
                    self._settle_acknowledged(settled)
                    unanswered.difference_update(settled)
                elif not isinstance(answer, Error):
                    continue
                elif answer.event_id in unanswered:
                    self._settle_refused(answer)
                    unanswered.remove(answer.event_id)
                elif answer.code == "storage_unavailable":
                    self._complain(f"has not stored events yet: {answer.reason}")
                else:
                    raise ValueError(f"refused a batch: {answer.reason}")

    def _next_batch(self) -> dict[str, str]:
        batch: dict[str, str] = {}
        size = 0
        with self._changed:
            for event_id, text in self._outbox.items():
                size += len(text) + 1
                if batch and (len(batch) == _BATCH_EVENTS or size > _BATCH_BYTES):
                    break
                batch[event_id] = text
        return batch

    def _settle_acknowledged(self, event_ids: list[str]) -> None:
        if self._journal:
            try:
                self._journal.write(event_ids)
            except OSError as error:
                _log.warning(
                    "%d acknowledged events are not in the journal: %s", len(event_ids), error
                )
        with self._changed:
            for event_id in event_ids:
                del self._outbox[event_id]
            self._acknowledged += len(event_ids)
            self._complained_of = ""
            self._changed.notify_all()

    def _settle_refused(self, answer: Error) -> None:
        _log.error("%s refused event %s: %s", self._url, answer.event_id, answer.reason)
        with self._changed:
            del self._outbox[answer.event_id or ""]
            self._rejected += 1
            self._changed.notify_all()

    def _complain(self, what: str) -> None:
        """Log trouble once, however often it is tried again."""
        if what != self._complained_of and not self._closing:
            self._complained_of = what
            _log.warning("%s %s; %d events wait", self._url, what, self.pending)


def _own_token() -> str | None:
    """Read at each connection, since tokens come and go while this process runs."""
    try:
        return tokens.own(Home.default())
    except JimbotError as error:
        _log.warning("going without a token: %s", error)
        return None
