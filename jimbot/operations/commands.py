"""What a running `jimbot up` does for other commands, over `jimbot.operations.control`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jimbot.appliance import load
from jimbot.operations import generations
from jimbot.operations.control import Handler
from jimbot.operations.supervisor import Supervised

if TYPE_CHECKING:
    from jimbot.operations.up import _Run

Answer = Mapping[str, Any]


class Commands:
    """The commands of one run, by their names; a request's `service` names whom."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self.handlers: dict[str, Handler] = {
            "status": self._status,
            "restart": self._restart,
            "drain": self._drain,
            "undrain": self._undrain,
            "roll": self._roll,
            "switched": self._switched,
        }

    async def _status(self, _: Answer) -> Answer:
        """How everything is; programs read it, and `jimbot deploy` waits by it."""
        run = self._run
        return {
            "runtime": run.wish.runtime,
            "engine": run.wish.engine,
            "profile": run.summary.profile,
            "generation": run.generation,
            "not_enforced": run.supervisor.runtime.warnings,
            "services": {
                name: self._one(service) for name, service in run.supervisor.services.items()
            },
        }

    def _one(self, service: Supervised) -> dict[str, Any]:
        return {
            "pid": service.process.pid if service.process and service.running else None,
            "address": self._run.supervisor.runtime.address(service.name),
            "health": service.health.model_dump(),
            "restarts": service.restarts,
            "failures": len(service.failures),
            "drained": service.drained,
            "crash_loop": service.looping,
            "generation": service.generation,
            "rss_mb": round(service.rss_mb, 1),
        }

    async def _restart(self, request: Answer) -> Answer:
        await self._run.supervisor.restart(str(request.get("service")))
        return {}

    async def _drain(self, request: Answer) -> Answer:
        await self._run.supervisor.drain(str(request.get("service")))
        return {}

    async def _undrain(self, request: Answer) -> Answer:
        self._run.supervisor.undrain(str(request.get("service")))
        return {}

    async def _roll(self, request: Answer) -> Answer:
        """Restart a service as another generation; None is what the supervisor itself runs."""
        run, name = self._run, str(request.get("service"))
        run.supervisor.row(name)
        number = request.get("generation")
        release = generations.release(run.home, int(number)) if number is not None else None
        appliance = load(release.table) if release else run.appliance
        run.supervisor.runtime.use(name, release)
        await run.supervisor.restart(name, generation=number, appliance=appliance)
        return {}

    async def _switched(self, request: Answer) -> Answer:
        """A deployment has happened."""
        self._run.generation = request.get("generation")
        self._run.write_state()
        return {}
