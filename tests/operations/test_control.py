"""The socket by which other commands speak with the running appliance."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jimbot.appliance import Home
from jimbot.operations import control
from jimbot.operations.errors import NotRunning, OperationError


async def _echo(request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"heard": request["word"]}


async def _refuse(_: Mapping[str, Any]) -> Mapping[str, Any]:
    raise OperationError("not today", hint="Try tomorrow")


async def _break(_: Mapping[str, Any]) -> Mapping[str, Any]:
    raise ZeroDivisionError("oh")


HANDLERS = {"echo": _echo, "refuse": _refuse, "break": _break}


def test_commands_are_answered_and_refused(home: Home) -> None:
    async def main() -> None:
        async with control.serving(home, HANDLERS):
            mode = control.path(home).stat().st_mode
            assert stat.S_IMODE(mode) == 0o600
            answer = await asyncio.to_thread(control.call, home, "echo", timeout_s=5.0, word="mcp")
            assert answer["heard"] == "mcp"
            with pytest.raises(OperationError, match="not today") as refused:
                await asyncio.to_thread(control.call, home, "refuse", timeout_s=5.0)
            assert refused.value.hint == "Try tomorrow"
            with pytest.raises(OperationError, match="ZeroDivisionError: oh"):
                await asyncio.to_thread(control.call, home, "break", timeout_s=5.0)
            with pytest.raises(OperationError, match="no such command"):
                await asyncio.to_thread(control.call, home, "dance", timeout_s=5.0)
        assert not control.path(home).exists()

    asyncio.run(main())


def test_nonsense_does_not_end_the_server(home: Home) -> None:
    async def main() -> None:
        async with control.serving(home, HANDLERS):
            for nonsense in (b"\x00\xff\n", b"[]\n", b"{}\n", b'"echo"\n', b"x" * (2 << 20)):
                with socket.socket(socket.AF_UNIX) as stranger:
                    stranger.setblocking(False)
                    loop = asyncio.get_running_loop()
                    await loop.sock_connect(stranger, str(control.path(home)))
                    try:
                        await loop.sock_sendall(stranger, nonsense)
                    except ConnectionError:
                        continue  # hung up on, for saying too much without an end
            answer = await asyncio.to_thread(control.call, home, "echo", timeout_s=5.0, word="a")
            assert answer["ok"] is True

    asyncio.run(main())


def test_nobody_there_is_said_so(home: Home, tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="no `jimbot up` runs on"):
        control.call(home, "status", timeout_s=1.0)
    # What a killed run left behind is nobody, too, and the next run takes its place.
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(control.path(home)))
    with pytest.raises(NotRunning):
        control.call(home, "status", timeout_s=1.0)
    assert not control.running(home)
    assert not control.running(Home(tmp_path / "never made"))


def test_a_home_deeper_than_a_sockets_path_may_be(tmp_path: Path) -> None:
    deep = Home(tmp_path / ("d" * 100) / ("e" * 100))
    deep.prepare()

    async def main() -> str:
        async with control.serving(deep, HANDLERS):
            answer = await asyncio.to_thread(control.call, deep, "echo", timeout_s=5.0, word="b")
        return str(answer["heard"])

    assert asyncio.run(main()) == "b"
