"""The WebSocket server: sockets around `jimbot.mcp.protocol`, in front of `jimbot.mcp.commit`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket as sockets
import ssl
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from pydantic import BaseModel
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Origin

from jimbot.errors import JimbotError
from jimbot.events.log import Appended, LogError, Recorded
from jimbot.mcp.commit import Committer, Submission
from jimbot.mcp.decide import Decider, NoDecision
from jimbot.mcp.listening import Sockets, plain
from jimbot.mcp.messages import (
    PROTOCOL,
    Capability,
    Decide,
    Heartbeat,
    Hello,
    Subscribe,
    Unsubscribe,
    Welcome,
)
from jimbot.mcp.metrics import Metrics
from jimbot.mcp.protocol import MAX_FRAME_BYTES, Ack, Error, Received, encode_answer, receive
from jimbot.mcp.sessions import Session, Sessions
from jimbot.security.entrance import OWNER, Entrance, Refusal
from jimbot.security.lockout import is_loopback
from jimbot.security.pace import Pace
from jimbot.security.roles import Scope
from jimbot.security.tokens import Grant
from jimbot.service import new_correlation_id, note

_log = logging.getLogger(__name__)
_socket_log = logging.getLogger(f"{__name__}.socket")
# Every connection that comes and goes, and every port scanner's handshake, is no news; what goes
# wrong in a conversation is logged in `_talk`.
_socket_log.setLevel(logging.CRITICAL)

# A frame up to this size is read in order to be refused politely; a larger one ends its connection.
_READ_BYTES = 4 * MAX_FRAME_BYTES
_CONNECTIONS = 256
# What one connection, and all together, may have in flight. Beyond it their sockets are not read,
# which slows the senders. In bytes of memory: an event takes its text and about 1 KiB of objects.
_CONNECTION_BYTES = 4 << 20
_TOTAL_BYTES = 48 << 20
_OBJECT_BYTES = 1024
_SEND_ANSWERS_S = 0.5
_PAGE_EVENTS = 500
_PAGE_BYTES = 256 << 10
# Decisions that one connection may wait for; its next frame is not read until one is given.
_DECIDING = 4
_CLOSE_S = 0.5
# Sockets, whether they have said something or not; and how long they may take to speak WebSocket,
# and then, where tokens are on, to say hello with one.
_SOCKETS = 2 * _CONNECTIONS
_OPEN_S = 5.0
_HELLO_S = 10.0
# Frames that are refused before a hello with a token, until the connection ends.
_STRANGE_FRAMES = 8
# One address of another machine gets no more of the connections than this.
_EACH_ADDRESS = 32
# Nor is a connection of another machine read faster than this, in frames; a frame may be a batch.
_FRAMES_PER_S = 100.0
_FRAME_BURST = 200
# How often it is asked whether those who are in may stay.
_SWEEP_S = 0.5
# So often it is written down which sessions there are.
_KEEP_S = 1.0
_NEEDS: dict[Capability, Scope] = {
    "events": "events:write",
    "subscribe": "events:read",
    "decisions": "decisions",
}
# Of a decision, what its line in the log says.
_TOLD = {"request_id", "source", "policy", "confidence", "took_ms"}


class _Budget:
    """Bytes in flight; `room` waits until they are below the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._has_room = asyncio.Event()
        self._has_room.set()
        self.taken = 0

    def take(self, amount: int) -> None:
        self.taken += amount
        if self.taken >= self._limit:
            self._has_room.clear()

    def give(self, amount: int) -> None:
        self.taken -= amount
        if self.taken < self._limit:
            self._has_room.set()

    async def room(self) -> None:
        await self._has_room.wait()


class Outside(NamedTuple):
    """Where other machines reach the server: an address of this one, and TLS."""

    address: str
    context: ssl.SSLContext


class EventServer:
    """Takes events from WebSocket clients to a committer: on loopback, and outside where asked to.

    Use as an async context manager; leaving it stops reading, has committed and acknowledges what
    was read, and closes. Port 0 picks a free one.

    Args:
        decider: answers `decide`; without one such a message is refused.
        flush_ms: how often subscribers get what was stored.
        entrance: judges the tokens of hellos; None where everybody on this machine is trusted.
        outside: where to listen besides, on the same port; only who has a token speaks there.
        kept: a file where sessions outlive the server; None where they end with it.
        origins: of the web pages that may connect; no other may.

    Raises:
        OSError: on entering, when the port is taken.
    """

    def __init__(
        self,
        committer: Committer,
        metrics: Metrics,
        port: int,
        *,
        decider: Decider | None = None,
        flush_ms: int = 100,
        heartbeat_s: float = 5.0,
        entrance: Entrance | None = None,
        outside: Outside | None = None,
        origins: Sequence[str] = (),
        kept: Path | None = None,
    ) -> None:
        self._committer = committer
        self._metrics = metrics
        self._port = port
        self.decider = decider
        self.flush_ms = flush_ms
        self.heartbeat_s = heartbeat_s
        self.entrance = entrance
        self._outside = outside
        self._origins = [Origin(origin) for origin in origins]
        self.sessions = Sessions(kept)
        self._speaking: dict[str, _Connection] = {}
        self._total = _Budget(_TOTAL_BYTES)
        self._connections: set[_Connection] = set()
        self._servers: list[Server] = []
        # What an address may have open, and as many that shake hands.
        self._sockets = Sockets(_SOCKETS, 2 * _EACH_ADDRESS)
        self._background: list[asyncio.Task[None]] = []
        self._stopping = False

    @property
    def port(self) -> int:
        """Where it listens."""
        if not self._servers:
            return self._port
        return int(next(iter(self._servers[0].sockets)).getsockname()[1])

    def enter_as(self, token: str | None, address: str) -> Grant | Refusal:
        """Who a client is that shows this token, or why it may not speak."""
        if self.entrance is None:
            return OWNER
        if self.entrance.open and not is_loopback(address):
            return Refusal(401, "other machines need a token, and there are none yet")
        return self.entrance.enter(token, address)

    def enter(self, connection: _Connection, hello: Hello) -> tuple[Session, bool]:
        """Open a session on a connection; an older connection of the session is closed."""
        session, known = self.sessions.open(hello.client, hello.session, self._committer.bound)
        older = self._speaking.get(session.id)
        if older is not None and older is not connection:
            older.end()
        self._speaking[session.id] = connection
        self._metrics.sessions.set(len(self.sessions))
        return session, known

    def leave(self, connection: _Connection, session: Session) -> None:
        if self._speaking.get(session.id) is connection:
            del self._speaking[session.id]

    @property
    def connections(self) -> int:
        return len(self._connections)

    @property
    def in_flight_bytes(self) -> int:
        return self._total.taken

    async def __aenter__(self) -> Self:
        log = self._committer.log if self._committer.reached else None
        await asyncio.to_thread(self.sessions.take_up, log)
        self._committer.when_reached(self.sessions.bound)
        shared = self._outside is not None and self._outside.address in ("0.0.0.0", "::")
        inside = self._sockets.listen("127.0.0.1", self._port, shared=shared)
        self._servers.append(await self._serve(inside))
        if self._outside is not None:
            try:
                listener = self._sockets.listen(self._outside.address, self.port, shared=shared)
            except OSError:
                self._servers.pop().close()
                raise
            context = self._outside.context
            self._servers.append(await self._serve(listener, context))
        self._background = [
            asyncio.create_task(self._sweep()),
            asyncio.create_task(self._keep_sessions()),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping = True
        for task in self._background:
            task.cancel()
        connections = list(self._connections)
        for connection in connections:
            connection.stop_reading()
        if not await self._committer.drain():
            _log.warning("stopping with events that are not stored; their clients keep them")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SEND_ANSWERS_S):
                await asyncio.gather(
                    *(one.send_answers() for one in connections),
                    # What was sent after the sessions were written down would be sent again.
                    *(one.stop_publishing() for one in connections),
                    return_exceptions=True,
                )
        await self.sessions.keep()
        for server in self._servers:
            server.close()
        for server in self._servers:
            await server.wait_closed()

    async def _serve(
        self, listener: sockets.socket, context: ssl.SSLContext | None = None
    ) -> Server:
        secure: dict[str, Any] = {}
        if context is not None:
            secure = {"ssl": context, "ssl_handshake_timeout": _OPEN_S}
        return await serve(
            self._talk,
            sock=listener,
            # A page in a browser can reach loopback, but always says its Origin.
            origins=[None, *self._origins],
            process_request=self._admit,
            compression=None,
            open_timeout=_OPEN_S,
            max_size=_READ_BYTES,
            max_queue=2,
            close_timeout=_CLOSE_S,
            server_header=None,
            logger=_socket_log,
            **secure,
        )

    async def _sweep(self) -> None:
        """End the connections whose token is revoked, expired or may do something else now."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            for connection in list(self._connections):
                if not connection.may_stay():
                    connection.dismiss("the token of this connection does not hold any more")

    async def _keep_sessions(self) -> None:
        """Also who is killed is followed by a server that knows the sessions."""
        while True:
            await asyncio.sleep(_KEEP_S)
            await self.sessions.keep()

    async def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        if self._stopping:
            return socket.respond(503, "mcp is stopping\n")
        address = _address(socket)
        if not is_loopback(address):
            if self.entrance is not None and (wait := self.entrance.wait_s(address)):
                return socket.respond(429, f"too many wrong tokens; wait {wait:.0f} s\n")
            if sum(one.address == address for one in self._connections) >= _EACH_ADDRESS:
                return socket.respond(429, f"{_EACH_ADDRESS} connections are open already\n")
        if len(self._connections) < _CONNECTIONS:
            return None
        return socket.respond(503, f"{_CONNECTIONS} connections are open already\n")

    async def _talk(self, socket: ServerConnection) -> None:
        connection = _Connection(self, socket, self._committer, self._metrics, self._total)
        self._connections.add(connection)
        self._metrics.connections.inc()
        try:
            await connection.run()
        except Exception:
            _log.exception("a connection failed")
            raise
        finally:
            self._connections.discard(connection)
            self._metrics.connections.dec()


class _Connection:
    """One client: a task that reads frames, one that sends the answers as they get ready, and one
    that sends what is stored to a subscriber."""

    def __init__(
        self,
        server: EventServer,
        socket: ServerConnection,
        committer: Committer,
        metrics: Metrics,
        total: _Budget,
    ) -> None:
        self._server = server
        self._socket = socket
        self._committer = committer
        self._metrics = metrics
        self._total = total
        self._own = _Budget(_CONNECTION_BYTES)
        self._reading = True
        self._acknowledged: list[str] = []
        self._messages: list[BaseModel] = []
        self._answered_bytes = 0
        self._answers_ready = asyncio.Event()
        self.address = _address(socket)
        known = server.enter_as(None, self.address)
        self._grant = known if isinstance(known, Grant) else None
        self._strange_frames = 0
        self._farewell = ""
        self._session: Session | None = None
        self._granted: frozenset[Capability] = frozenset()
        self._subscription: Subscribe | None = None
        self._publishing: asyncio.Task[None] | None = None
        self._quiet = asyncio.Event()
        self._deciding = asyncio.Semaphore(_DECIDING)
        self._decisions: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._pace = None if is_loopback(self.address) else Pace(_FRAMES_PER_S, _FRAME_BURST)

    async def run(self) -> None:
        """Talk until either side closes."""
        tasks = [
            asyncio.create_task(self._read()),
            asyncio.create_task(self._write()),
            asyncio.create_task(self._ended.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._unsubscribe()
            for task in (*tasks, *self._decisions):
                task.cancel()
            if self._session is not None:
                self._server.leave(self, self._session)
        if self._farewell:
            await self.send_answers()
            await self._socket.close(1008, self._farewell)
        for task in done:
            with contextlib.suppress(ConnectionClosed):
                task.result()

    def end(self) -> None:
        """Close: another connection speaks for this session now."""
        self._ended.set()

    def dismiss(self, why: str) -> None:
        """Close, and say why."""
        self._farewell = why
        self._ended.set()

    def may_stay(self) -> bool:
        """Whether who was let in would be let in as much now."""
        entrance = self._server.entrance
        if entrance is None or self._grant is None:
            return True
        if self._grant is OWNER:
            return entrance.open
        return entrance.tokens.grant(self._grant.id) == self._grant

    def stop_reading(self) -> None:
        """Leave unread what comes from now on; what was read is still answered."""
        self._reading = False

    async def stop_publishing(self) -> None:
        """Send a subscriber no more, once what is on its way to it is sent."""
        self._quiet.set()
        if self._publishing is not None:
            await asyncio.wait([self._publishing])

    async def send_answers(self) -> None:
        """Send what is ready: the messages, and one acknowledgement for all that was stored."""
        messages, self._messages = self._messages, []
        event_ids, self._acknowledged = self._acknowledged, []
        answered, self._answered_bytes = self._answered_bytes, 0
        for message in messages:
            await self._socket.send(encode_answer(message))
        if event_ids:
            await self._socket.send(encode_answer(Ack(event_ids=event_ids)))
        self._own.give(answered)

    async def _write(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._server.heartbeat_s if self._session else None):
                    await self._answers_ready.wait()
            except TimeoutError:
                self._say(Heartbeat())
            self._answers_ready.clear()
            await self.send_answers()

    async def _read(self) -> None:
        if self._grant is None:
            patience = asyncio.get_running_loop().call_later(_HELLO_S, self._ask_for_hello)
            try:
                await self._read_on()
            finally:
                patience.cancel()
        else:
            await self._read_on()

    def _ask_for_hello(self) -> None:
        if self._grant is None:
            self.dismiss("no hello with a token came in time")

    async def _read_on(self) -> None:
        async for frame in self._socket:
            if self._reading:
                received = self._take(frame)
                if received.message is not None:
                    await self._hear(received.message)
                await self._own.room()
                await self._total.room()
                if self._pace is not None and (wait := self._pace.take()):
                    await asyncio.sleep(wait)

    def _take(self, frame: str | bytes) -> Received:
        received = receive(frame)
        if self._grant is None and not isinstance(received.message, Hello):
            self._refuse_stranger("say hello with a token first")
            return Received([], [])
        for error in received.errors:
            self._refuse(error)
        if received.events and not self._can("events:write"):
            self._refuse(Error(code="unauthorised", reason="this token may not write events"))
            return Received([], [])
        if received.events:
            size = len(frame) + _OBJECT_BYTES * len(received.events)
            self._own.take(size)
            self._total.take(size)

            def stored(results: list[Appended]) -> None:
                self._total.give(size)
                if self._session is not None:
                    self._session.last_event_id = received.events[-1].event_id
                self._answer(size, event_ids=[event.event_id for event in received.events])

            self._committer.submit(Submission(received.events, stored, self._unavailable))
        return received

    # Messages of the session

    async def _hear(self, message: BaseModel) -> None:
        match message:
            case Hello():
                self._greet(message)
            case Heartbeat():
                self._say(Heartbeat())
            case Subscribe():
                if self._may("subscribe"):
                    self._subscribe(message)
            case Unsubscribe():
                self._unsubscribe()
            case Decide():
                if self._may("decisions", message.request_id):
                    await self._deciding.acquire()
                    task = asyncio.create_task(self._decide(message))
                    self._decisions.add(task)
                    task.add_done_callback(self._decisions.discard)

    def _greet(self, hello: Hello) -> None:
        if self._session is not None:
            self._refuse(Error(code="out_of_order", reason="this session has begun already"))
            return
        if hello.protocol != PROTOCOL:
            self._refuse(
                Error(
                    code="unsupported_version",
                    reason=f"protocol {hello.protocol} is not spoken here, only {PROTOCOL}",
                )
            )
            return
        judged = self._server.enter_as(hello.token, self.address)
        if isinstance(judged, Refusal):
            self._refuse_stranger(judged.reason)
            if judged.status == 429 and not is_loopback(self.address):
                self.dismiss(judged.reason)
            return
        self._grant = judged
        offered: set[Capability] = {"events", "subscribe"}
        if self._server.decider is not None:
            offered.add("decisions")
        self._granted = frozenset(
            one for one in hello.capabilities if one in offered and self._can(_NEEDS[one])
        )
        self._session, known = self._server.enter(self, hello)
        self._say(
            Welcome(
                session=self._session.id,
                resumed=known,
                last_event_id=self._session.last_event_id,
                capabilities=sorted(self._granted),
                heartbeat_s=self._server.heartbeat_s,
                flush_ms=self._server.flush_ms,
                max_frame_bytes=MAX_FRAME_BYTES,
            )
        )

    def _may(self, capability: Capability, request_id: str | None = None) -> bool:
        if capability in self._granted:
            return True
        reason = f"say hello with the capability {capability!r} first"
        if self._session is not None:
            reason = f"the capability {capability!r} was not granted to this session"
        self._refuse(Error(code="out_of_order", reason=reason, request_id=request_id))
        return False

    def _subscribe(self, wish: Subscribe) -> None:
        assert self._session is not None
        self._unsubscribe()
        if wish.after is not None:
            self._session.cursor = min(wish.after, self._committer.bound)
        self._metrics.subscriptions.inc()
        self._publishing = asyncio.create_task(self._publish(self._session, wish.types))

    def _unsubscribe(self) -> None:
        if self._publishing is not None:
            self._publishing.cancel()
            self._publishing = None
            self._metrics.subscriptions.dec()

    async def _publish(self, session: Session, types: Collection[str] | None) -> None:
        """Send what is stored after the session's cursor. A subscriber that reads slowly gets
        later what the log keeps for it: nothing waits in memory, and nothing is left out."""
        log, quiet = self._committer.log, self._quiet
        while not quiet.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(quiet.wait(), self._server.flush_ms / 1000)
            while not quiet.is_set() and session.cursor < (position := self._committer.position):
                try:
                    page = await asyncio.to_thread(
                        log.read, after=session.cursor, limit=_PAGE_EVENTS, types=types
                    )
                except LogError as error:
                    _log.warning("a subscriber waits: %s", error)
                    break
                if not page:
                    session.cursor = position
                for frame, last in _frames(page):
                    if quiet.is_set():
                        return
                    try:
                        await self._socket.send(frame)
                    except ConnectionClosed:
                        return
                    session.cursor = last

    async def _decide(self, asked: Decide) -> None:
        decider, session = self._server.decider, self._session
        assert decider is not None
        assert session is not None
        note(session=session.id, correlation_id=new_correlation_id())
        try:
            decision = await decider.decide(asked, session.memory)
        except NoDecision as error:
            self._refuse(_no_decision(asked, error.message))
        except JimbotError as error:
            self._refuse(_no_decision(asked, str(error)))
        except Exception:
            _log.exception("a decision failed")
            self._refuse(_no_decision(asked, "a fault of JimBot's, which is in its log"))
        else:
            self._metrics.decisions.labels(decision.source).inc()
            self._metrics.decision_seconds.observe(decision.took_ms / 1000)
            self._say(decision)
            _log.info(
                "decided: %s",
                decision.action.method,
                extra={"fields": decision.model_dump(include=_TOLD)},
            )
        finally:
            self._deciding.release()

    # Answers

    def _can(self, scope: Scope) -> bool:
        return self._grant is not None and scope in self._grant.scopes

    def _refuse_stranger(self, reason: str) -> None:
        self._refuse(Error(code="unauthorised", reason=reason))
        self._strange_frames += 1
        if self._grant is None and self._strange_frames >= _STRANGE_FRAMES:
            self.dismiss("too many frames without a token")

    def _refuse(self, error: Error) -> None:
        self._metrics.rejected.labels(error.code).inc()
        self._say(error)

    def _say(self, message: BaseModel) -> None:
        self._own.take(_OBJECT_BYTES)
        self._answer(_OBJECT_BYTES, message=message)

    def _unavailable(self, failure: LogError) -> None:
        # Said again at each try, so that a client knows its connection is alive.
        if not any(
            isinstance(message, Error) and message.code == "storage_unavailable"
            for message in self._messages
        ):
            self._answer(0, message=Error(code="storage_unavailable", reason=failure.message))

    def _answer(
        self, size: int, *, message: BaseModel | None = None, event_ids: Sequence[str] = ()
    ) -> None:
        if message is not None:
            self._messages.append(message)
        self._acknowledged += event_ids
        self._answered_bytes += size
        self._answers_ready.set()


def _address(socket: ServerConnection) -> str:
    """The address of the other side; of IPv4 also where it came over IPv6's socket."""
    found = socket.remote_address
    return plain(str(found[0])) if found else ""


def _no_decision(asked: Decide, reason: str) -> Error:
    return Error(code="no_decision", reason=reason, request_id=asked.request_id)


def _frames(page: Sequence[Recorded]) -> Iterator[tuple[str, int]]:
    """A page of the log as `events` frames, each with the position of its last event."""
    texts: list[str] = []
    size = 0
    for place, entry in enumerate(page):
        event = json.dumps(entry.event.model_dump(exclude_none=True), separators=(",", ":"))
        texts.append(f'{{"position":{entry.position},"event":{event}}}')
        size += len(texts[-1])
        if size >= _PAGE_BYTES or place == len(page) - 1:
            head = f'{{"type":"events","last":{entry.position},"events":['
            yield head + ",".join(texts) + "]}", entry.position
            texts = []
            size = 0
