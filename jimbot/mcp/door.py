"""The HTTP door of the mod BalatroMCP: events in, durably, and commands out when it asks.

It takes what the WebSocket takes, and answers 200 once it is stored; the mod keeps what it was not
answered for, and sends it again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from typing import Annotated, Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, Field

from jimbot.errors import JimbotError
from jimbot.events.event import Event
from jimbot.events.log import Appended, LogError
from jimbot.mcp import balatromcp
from jimbot.mcp.balatrobot.mirror import Memory, is_settled, mirror
from jimbot.mcp.commit import Committer, Submission
from jimbot.mcp.decide import Decider
from jimbot.mcp.messages import Error
from jimbot.mcp.metrics import Metrics
from jimbot.mcp.protocol import MAX_FRAME_BYTES, receive
from jimbot.mcp.server import EventServer
from jimbot.security.bearer import address_of, token_of
from jimbot.security.entrance import Refusal
from jimbot.security.roles import Scope

_log = logging.getLogger(__name__)

# The mod gives up on a request after some seconds and sends it again.
_STORED_S: Final = 10.0
# Requests that are read or wait for the disk at a time; each holds a frame at most.
_REQUESTS: Final = 16
_COMMANDS: Final = 256
_REFUSED: Final = {"too_large": 413, "unauthorised": 401}


class Taken(BaseModel):
    """What became of a request's events."""

    acknowledged: list[str]
    errors: list[Error]


class Commands(BaseModel):
    commands: Annotated[list[str], Field(max_length=_COMMANDS)]


class Autopilot(BaseModel):
    enabled: bool


class Door:
    """The mod's side of mcp: one game that reports by HTTP."""

    def __init__(
        self,
        committer: Committer,
        metrics: Metrics,
        server: EventServer,
        decider: Decider | None = None,
    ) -> None:
        self._committer = committer
        self._metrics = metrics
        self._server = server
        self._decider = decider
        self._room = asyncio.Semaphore(_REQUESTS)
        self._commands: deque[str] = deque(maxlen=_COMMANDS)
        self._memory = Memory()
        self._random = random.Random()
        self._autopilot = False
        self._decided_on: Any = None
        self._thinking: asyncio.Task[None] | None = None

    def add_to(self, app: FastAPI) -> None:
        """Add the door's routes to mcp's application."""

        @app.post("/api/v1/events", tags=["mod"], response_model=Taken)
        @app.post("/api/v1/events/batch", tags=["mod"], response_model=Taken)
        @app.post("/api/v1/batch", tags=["mod"], response_model=Taken)
        async def events(request: Request) -> Response:
            """Store an event or a batch; 200 means that it is on the disk."""
            return await self._events(request)

        @app.get("/api/v1/commands/poll", tags=["mod"], response_class=PlainTextResponse)
        async def poll(request: Request) -> Response:
            """The commands that wait, a line each, and none twice."""
            if refusal := self._turned_away(request, "commands:read"):
                return refusal
            lines = list(self._commands)
            self._commands.clear()
            self._metrics.commands.inc(len(lines))
            return PlainTextResponse("".join(f"{line}\n" for line in lines))

        @app.post("/api/v1/commands", tags=["mod"])
        async def command(request: Request, wish: Commands) -> Response:
            """Queue commands for the mod."""
            if refusal := self._turned_away(request, "commands:write"):
                return refusal
            wrong = [line for line in wish.commands if not balatromcp.is_command(line)]
            if wrong:
                return _refusal(
                    Error(code="invalid_message", reason=f"not a command: {wrong[0]!r:.80}"), 400
                )
            if len(self._commands) + len(wish.commands) > _COMMANDS:
                return _refusal(
                    Error(code="invalid_message", reason=f"more than {_COMMANDS} wait"), 429
                )
            self._commands.extend(wish.commands)
            return JSONResponse({"waiting": len(self._commands)})

        @app.put("/api/v1/autopilot", tags=["mod"])
        async def autopilot(request: Request, wish: Autopilot) -> Response:
            """Let the policy answer the mod's states with commands, or stop it."""
            if refusal := self._turned_away(request, "commands:write"):
                return refusal
            self._autopilot = wish.enabled and self._decider is not None
            self._decided_on = None
            return JSONResponse({"enabled": self._autopilot})

    def _turned_away(self, request: Request, scope: Scope) -> Response | None:
        if "origin" in request.headers:
            # A page in a browser can reach loopback, but always says its Origin.
            error = Error(code="unauthorised", reason="requests from web pages are refused")
            self._metrics.rejected.labels(error.code).inc()
            return _refusal(error, 403)
        entrance = self._server.entrance
        if entrance is None:
            return None
        found = entrance.enter(token_of(request.scope), address_of(request.scope), scope)
        if not isinstance(found, Refusal):
            return None
        error = Error(code="unauthorised", reason=found.reason)
        self._metrics.rejected.labels(error.code).inc()
        answer = _refusal(error, found.status)
        if found.retry_after_s:
            answer.headers["Retry-After"] = str(int(found.retry_after_s) + 1)
        return answer

    async def _events(self, request: Request) -> Response:
        if refusal := self._turned_away(request, "events:write"):
            return refusal
        async with self._room:
            body = bytearray()
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_FRAME_BYTES:
                    break
            try:
                text = body.decode()
            except UnicodeDecodeError:
                text = ""  # which is not JSON either
            received = receive(text)
            for error in received.errors:
                self._metrics.rejected.labels(error.code).inc()
            if received.message is not None:
                error = Error(code="out_of_order", reason="sessions are for the WebSocket")
                self._metrics.rejected.labels(error.code).inc()
                return _refusal(error, 400)
            if not received.events and received.errors and received.errors[0].event_id is None:
                first = received.errors[0]
                return _refusal(first, _REFUSED.get(first.code, 400))
            failure = await self._store(received.events)
        if failure is not None:
            answer = _refusal(Error(code="storage_unavailable", reason=failure), 503)
            answer.headers["Retry-After"] = "1"
            return answer
        self._notice(received.events)
        taken = Taken(
            acknowledged=[event.event_id for event in received.events], errors=received.errors
        )
        return JSONResponse(taken.model_dump(exclude_none=True))

    async def _store(self, events: list[Event]) -> str | None:
        """Wait until events are durable; why they are not, or None."""
        if not events:
            return None
        done: asyncio.Future[list[Appended]] = asyncio.get_running_loop().create_future()
        reason = "the log has not answered"

        def stored(results: list[Appended]) -> None:
            if not done.done():
                done.set_result(results)

        def unavailable(failure: LogError) -> None:
            nonlocal reason
            reason = failure.message

        self._committer.submit(Submission(events, stored, unavailable))
        try:
            async with asyncio.timeout(_STORED_S):
                await done
        except TimeoutError:
            return reason
        return None

    # The autopilot

    def _notice(self, events: list[Event]) -> None:
        states = [event.payload for event in events if event.type == "GAME_STATE"]
        busy = self._thinking is not None and not self._thinking.done()
        if not (states and self._autopilot) or busy or self._commands:
            return
        payload = {k: v for k, v in states[-1].items() if k not in ("timestamp", "frame_count")}
        if payload == self._decided_on:
            return
        self._decided_on = payload
        self._thinking = asyncio.create_task(self._decide(payload))

    async def _decide(self, payload: dict[str, Any]) -> None:
        assert self._decider is not None
        try:
            state = balatromcp.read_state(payload)
            if not is_settled(state) or state["state"] == "GAME_OVER":
                return
            self._memory.see(state)
            run = mirror(state, self._memory, self._random)
            action = await self._decider.choose(run)
            lines = balatromcp.commands(action, run)
        except (JimbotError, KeyError, TypeError, ValueError) as error:
            _log.warning("no command for the mod's state: %s", error)
            return
        if self._autopilot:
            self._commands.extend(lines)
            self._metrics.decisions.labels("policy").inc()


def _refusal(error: Error, status: int) -> JSONResponse:
    return JSONResponse(error.model_dump(exclude_none=True), status)
