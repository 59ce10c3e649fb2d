"""How the appliance is now: services, memory, costs, backups, and the stream of what changes."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from jimbot.analytics.around import Around
from jimbot.analytics.models import Backups, Costs, Resources, Services
from jimbot.analytics.routes import PREFIX, RESPONSES
from jimbot.analytics.services import ServiceChecks
from jimbot.analytics.stream import EventStream, Hub


def router(checks: ServiceChecks, around: Around, hub: Hub) -> APIRouter:
    api = APIRouter(prefix=PREFIX, responses=RESPONSES)

    @api.get("/services", tags=["service"])
    async def services() -> Services:
        """The state of every service of the appliance; asked at most every two seconds."""
        return await checks.now()

    @api.get("/resources", tags=["service"])
    async def resources() -> Resources:
        """Memory, processor, GPU and disk against their budgets; measured every five seconds."""
        return await around.resources()

    @api.get("/costs", tags=["service"])
    async def costs() -> Costs:
        """What the gateway to Claude says it spent in 30 days, and the month's forecast."""
        return await around.costs()

    @api.get("/backups", tags=["service"])
    async def backups() -> Backups:
        """How old the newest proved backup is."""
        return await around.backups()

    @api.get(
        "/stream",
        tags=["figures"],
        status_code=200,
        response_class=EventStream,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def stream() -> Any:
        """Server-sent events every second, as their answers here: `summary`, `services`,
        `resources`, `alerts` and `live` (games).

        While the figures cannot be had `problem` comes in the summary's place. A slow client
        misses seconds, it is never sent old ones.
        """
        if hub.full:
            return JSONResponse({"detail": "too many streams", "hint": "Close a page"}, 503)
        return EventStream(hub)

    return api
