"""How the appliance is now: services, and the stream of all that changes."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from jimbot.analytics.models import Services
from jimbot.analytics.routes import PREFIX, RESPONSES
from jimbot.analytics.services import ServiceChecks
from jimbot.analytics.stream import EventStream, Hub


def router(checks: ServiceChecks, hub: Hub) -> APIRouter:
    api = APIRouter(prefix=PREFIX, responses=RESPONSES)

    @api.get("/services", tags=["service"])
    async def services() -> Services:
        """The state of every service of the appliance; asked at most every two seconds."""
        return await checks.now()

    @api.get(
        "/stream",
        tags=["figures"],
        status_code=200,
        response_class=EventStream,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def stream() -> Any:
        """Server-sent events: `summary` and `services` every second, as their answers here.

        While the figures cannot be had `problem` comes in the summary's place. A slow client
        misses seconds, it is never sent old ones.
        """
        if hub.full:
            return JSONResponse({"detail": "too many streams", "hint": "Close a page"}, 503)
        return EventStream(hub)

    return api
