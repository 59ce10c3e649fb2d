"""What the supervisor says its services use, for those who cannot look into containers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from jimbot import usage
from jimbot.appliance import Home
from jimbot.operations.supervisor import Supervisor


def test_the_supervisor_tells_what_each_running_service_uses(
    fakes: Callable[[dict[str, dict[str, Any]]], tuple[Any, Any]], home: Home
) -> None:
    appliance, command = fakes({"base": {}, "never": {"depends": ["ill"]}, "ill": {"how": "sick"}})

    async def main() -> list[usage.Usage]:
        supervisor = Supervisor(appliance, home, ["base", "never", "ill"], command=command)
        supervisor.start()
        async with asyncio.timeout(15):
            await supervisor.services["base"].healthy.wait()
        found = supervisor.usages()
        await supervisor.stop(5)
        return found

    found = asyncio.run(main())
    assert {one.service for one in found} == {"base", "ill"}  # the third waits for a sick one
    assert all(one.memory > 1 << 20 and one.processes == 1 for one in found)
    usage.publish(home, found)
    assert usage.published(home) == found
