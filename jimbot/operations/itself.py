"""Commands of ours that another one runs, in processes of their own."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from functools import partial
from typing import IO

from jimbot.appliance import Home


async def run(
    home: Home,
    *arguments: str,
    output: IO[bytes] | None = None,
    nice: int = 0,
    end_s: float | None = None,
    running: set[int] | None = None,
) -> int:
    """Run a command of ours in a process of its own; its exit code. Cancelled, it is ended.

    Args:
        output: where it writes instead of here.
        end_s: how long it may take to end when it is told to; without a limit when None.
        running: holds its pid while it runs.
    """
    known = running if running is not None else set()
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jimbot", "--home", str(home.path), *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        preexec_fn=partial(os.nice, nice),
    )
    known.add(started.pid)
    try:
        return await started.wait()
    finally:
        if started.returncode is None:
            with suppress(ProcessLookupError):
                started.terminate()
                try:
                    await asyncio.wait_for(started.wait(), end_s)
                except TimeoutError:
                    started.kill()
                    await started.wait()
        known.discard(started.pid)
