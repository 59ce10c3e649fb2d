"""Alerts over HTTP."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from jimbot.analytics.alerts.models import Alerts
from jimbot.analytics.models import Problem


def nobody_looks() -> Alerts:
    """The answer where no watch runs: nothing was checked, which is not well."""
    return Alerts(status="unchecked", checked_at=None, alerts=[], rules=[])


def router(answer: Callable[[], Alerts]) -> APIRouter:
    """`GET /api/v1/alerts`; silences are set on the machine itself: `jimbot alerts silence`."""
    api = APIRouter(
        prefix="/api/v1",
        responses={422: {"model": Problem, "description": "A parameter does not hold"}},
    )

    @api.get("/alerts", tags=["alerts"])
    def alerts() -> Alerts:
        """What fires, is about to, is silenced or lately over, and how every rule is."""
        return answer()

    return api
