"""Making backups as they become due, where no timer of the system's does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from jimbot.appliance import Appliance, Home
from jimbot.operations import itself
from jimbot.operations.backup import record

LOOK_S = 60.0
# After a failure; a full disk or a repository that is away is not mended by haste.
AGAIN_S = 600.0


async def watch(
    appliance: Appliance,
    home: Home,
    stop: asyncio.Event,
    make: Callable[[str], Awaitable[int]] | None = None,
) -> None:
    """Make what is due, until `stop`.

    Args:
        make: makes a backup of a kind, and gives an exit code; a process of its own by default,
            whose memory goes when it has ended.
    """
    make = make or (lambda kind: itself.run(home, "backup", "run", "--kind", kind))
    while not stop.is_set():
        wait = LOOK_S
        if kind := record.due(appliance, home):
            wait = LOOK_S if await make(kind) == 0 else AGAIN_S
        try:
            await asyncio.wait_for(stop.wait(), wait)
        except TimeoutError:
            continue
