"""Asking for a token over HTTP, where a service's own API is concerned."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Request

from jimbot.security.entrance import Entrance, Refusal
from jimbot.security.roles import Scope


def token_of(request: Request) -> str | None:
    """The token that a request shows as `Authorization: Bearer`."""
    found = Headers(scope=request).getlist("authorization")
    kind, _, token = (found[0] if len(found) == 1 else "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def address_of(request: Request) -> str:
    client = request.get("client")
    return str(client[0]) if client else ""


def answer(refusal: Refusal) -> JSONResponse:
    """A refusal as an answer over HTTP."""
    headers = {}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refusal.retry_after_s:
        headers["Retry-After"] = str(int(refusal.retry_after_s) + 1)
    detail = {"detail": refusal.reason, "hint": "See: jimbot tokens list"}
    return JSONResponse(detail, refusal.status, headers)


class Bearers:
    """Middleware: lets only those on to some paths whose token has a scope.

    Args:
        rules: path → the scope that it needs; others are open to the internal network.
    """

    def __init__(self, app: ASGIApp, entrance: Entrance, rules: Mapping[str, Scope]) -> None:
        self._app = app
        self._entrance = entrance
        self._rules = dict(rules)

    async def __call__(self, scope: Request, receive: Receive, send: Send) -> None:
        needed = self._rules.get(scope["path"].rstrip("/")) if scope["type"] == "http" else None
        if needed is not None:
            found = self._entrance.enter(token_of(scope), address_of(scope), needed)
            if isinstance(found, Refusal):
                await answer(found)(scope, receive, send)
                return
        await self._app(scope, receive, send)
