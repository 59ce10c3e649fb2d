"""How other commands speak with a running `jimbot up`: a socket in the home, JSON lines.

A request is one line, `{"command": "restart", "service": "mcp"}`; so is the answer, with `ok`
and what the command tells, or `error` and `hint`. The socket is its owner's alone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from jimbot import usage
from jimbot.appliance import Home
from jimbot.errors import JimbotError
from jimbot.operations.errors import NotRunning, OperationError
from jimbot.operations.forward import short

_log = logging.getLogger(__name__)

Handler = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]

_NAME = "control.sock"
_LONGEST = 1 << 20


def path(home: Home) -> Path:
    return home.run / _NAME


@asynccontextmanager
async def serving(home: Home, handlers: Mapping[str, Handler]) -> AsyncIterator[None]:
    """Answer requests by `handlers`, one a command, while the block runs."""

    async def answer(line: bytes) -> Mapping[str, Any]:
        try:
            request = json.loads(line)
            handler = handlers[request["command"]]
        except (ValueError, KeyError, TypeError):
            return {"error": "no such command", "hint": f"There are: {', '.join(handlers)}"}
        try:
            return {"ok": True, **await handler(request)}
        except JimbotError as error:
            return {"error": error.message, "hint": error.hint}
        except Exception as error:  # a request must not end the supervisor
            _log.exception("%s failed", request["command"])
            return {"error": f"{type(error).__name__}: {error}", "hint": ""}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ValueError):
            while line := await reader.readline():
                writer.write(json.dumps(await answer(line)).encode() + b"\n")
                await writer.drain()
        writer.close()

    path(home).unlink(missing_ok=True)  # of a run that was killed; the lock says there is no other
    before = os.umask(0o177)
    try:
        with short(home.run) as folder:
            server = await asyncio.start_unix_server(talk, f"{folder}/{_NAME}", limit=_LONGEST)
    finally:
        os.umask(before)
    try:
        yield
    finally:
        server.close()
        path(home).unlink(missing_ok=True)


def running(home: Home) -> bool:
    """Whether a `jimbot up` answers on this home."""
    try:
        call(home, "status", timeout_s=10.0)
    except NotRunning:
        return False
    return True


def call(home: Home, command: str, *, timeout_s: float, **arguments: Any) -> dict[str, Any]:
    """Have the running appliance do something, and wait until it is done.

    Raises:
        NotRunning: none runs on this home.
        OperationError: it could not be done, or took longer than `timeout_s`.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection, short(home.run) as folder:
            connection.settimeout(timeout_s)
            connection.connect(f"{folder}/{_NAME}")
            connection.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
            with connection.makefile("rb") as file:
                line = file.readline()
    except TimeoutError:
        raise OperationError(
            f"the appliance did not finish `{command}` within {timeout_s:g} s",
            hint="See it with `jimbot health`",
        ) from None
    except (FileNotFoundError, ConnectionError):
        raise NotRunning(
            f"no `jimbot up` runs on {home.path}", hint=usage.how_to_start(home)
        ) from None
    if not line:
        raise NotRunning(f"the appliance on {home.path} stopped meanwhile", hint="jimbot up")
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise OperationError(answer["error"], hint=answer.get("hint") or "")
    return answer
