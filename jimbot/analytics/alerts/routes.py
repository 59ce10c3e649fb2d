"""Alerts over HTTP."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from jimbot.analytics.alerts.models import Alerts
from jimbot.analytics.routes import PREFIX, RESPONSES


def nobody_looks() -> Alerts:
    """The answer where no watch runs: nothing was checked, which is not well."""
    return Alerts(status="unchecked", checked_at=None, alerts=[], rules=[])


def router(answer: Callable[[], Alerts]) -> APIRouter:
    """`GET /api/v1/alerts`; silences are set on the machine itself: `jimbot alerts silence`."""
    api = APIRouter(prefix=PREFIX, responses={422: RESPONSES[422]})

    @api.get("/alerts", tags=["alerts"])
    def alerts() -> Alerts:
        """What fires, is about to, is silenced or lately over, and how every rule is."""
        return answer()

    return api
