"""Logging in to the dashboard: only where tokens are on; loopback without tokens stays open.

A browser shows its token once, at `/login`, and gets a cookie for a random session, which says
nothing by itself and ends with the token. Programs show the token at each request instead.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import html
import logging
import secrets
import time
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import parse_qs

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jimbot.appliance import Home
from jimbot.appliance.security import Security
from jimbot.errors import JimbotError
from jimbot.security import audit, roles
from jimbot.security.bearer import address_of, answer, token_of
from jimbot.security.entrance import OWNER, Entrance, Refusal
from jimbot.security.tokens import Grant

_log = logging.getLogger(__name__)

CSRF_HEADER: Final = "X-CSRF-Token"
# Open to everybody: they hold no figures of games, and say nothing of tokens.
_OPEN: Final = frozenset({"/login", "/health", "/metrics"})
_OPEN_FOLDER: Final = "/static/"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# What changes something, by path; what is not here only an admin may.
_WRITES: Final[dict[str, roles.Scope]] = {
    "/logout": "figures:read",
    "/api/v1/alerts/silences": "alerts:write",
}
_SESSIONS: Final = 1000
_FORM_BYTES: Final = 4096
_WATCH_S: Final = 0.5


class Who(BaseModel):
    """Who one is, what one may, until when (ms since 1970), and what a change has to carry in
    the header `X-CSRF-Token`. Without tokens everybody is the owner, for ever."""

    name: str
    role: str
    scopes: list[str]
    expires: int | None
    csrf: str | None


class _Session(NamedTuple):
    token_id: str
    csrf: str
    expires: float


class Sessions:
    """The sessions of browsers, in memory: they end with this process."""

    def __init__(
        self, entrance: Entrance, hours: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.entrance = entrance
        self.seconds = hours * 3600
        self._clock = clock
        self._known: dict[str, _Session] = {}  # by digest: who reads memory cannot use them

    def begin(self, grant: Grant) -> str:
        """A new session's secret, for the cookie."""
        now = self._clock()
        self._known = {k: one for k, one in self._known.items() if one.expires > now}
        while len(self._known) >= _SESSIONS:
            del self._known[next(iter(self._known))]
        secret = secrets.token_urlsafe(32)
        self._known[_digest(secret)] = _Session(
            grant.id, secrets.token_urlsafe(32), now + self.seconds
        )
        return secret

    def end(self, secret: str | None) -> None:
        self._known.pop(_digest(secret or ""), None)

    def find(self, secret: str | None) -> tuple[_Session, Grant] | None:
        """The session and what its token may do now; None when it ended, or its token did."""
        session = self._known.get(_digest(secret)) if secret else None
        if session is None:
            return None
        grant = self.entrance.tokens.grant(session.token_id)
        if grant is None or session.expires <= self._clock():
            self.end(secret)
            return None
        return session, grant


class Gate:
    """Middleware: lets through who is logged in or shows a token, with the right it needs."""

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        judged = self._judge(scope)
        if isinstance(judged, Response):
            await judged(scope, receive, send)
            return
        scope.setdefault("state", {})["grant"] = judged
        await self._while_it_holds(judged, scope, receive, send)

    def _is_open(self, path: str) -> bool:
        return path in _OPEN or path.startswith(_OPEN_FOLDER)

    def _judge(self, scope: Scope) -> Grant | Response:
        entrance, path = self._sessions.entrance, scope["path"]
        needed: roles.Scope = "figures:read"
        if changes := scope["method"] not in _SAFE:
            needed = _WRITES.get(path, "keys:write")
            if not _same_origin(scope):
                return JSONResponse({"detail": "a page of another site asks for this"}, 403)
        if entrance.open:
            return OWNER
        token = token_of(scope)
        if token is None and (found := self._sessions.find(cookie_of(scope))):
            session, grant = found
            if needed not in grant.scopes:
                reason = f"a {grant.role} may not do that ({needed})"
                return answer(Refusal(403, reason))
            if changes and path != "/logout" and not _carries(scope, session.csrf):
                return JSONResponse({"detail": f"the header {CSRF_HEADER} is missing"}, 403)
            return grant
        judged = entrance.enter(token, address_of(scope), needed)
        if not isinstance(judged, Refusal):
            return judged
        if judged.status == 401 and "text/html" in Headers(scope=scope).get("accept", ""):
            return RedirectResponse("/login", 303)
        return answer(judged)

    async def _while_it_holds(
        self, grant: Grant, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Streams go on for hours; one ends when what it was let in by does."""
        ended = started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            if message["type"] == "http.response.body" and ended:
                return
            await send(message)

        answering = asyncio.ensure_future(self._app(scope, receive, sending))
        try:
            while not (await asyncio.wait({answering}, timeout=_WATCH_S))[0]:
                if not self._holds(grant, scope):
                    ended = True
                    answering.cancel()
                    await asyncio.wait({answering})
                    if started:
                        await send({"type": "http.response.body", "body": b"", "more_body": False})
                    else:
                        await answer(Refusal(401, "the token ended"))(scope, receive, send)
                    return
        except asyncio.CancelledError:
            answering.cancel()
            raise
        answering.result()

    def _holds(self, grant: Grant, scope: Scope) -> bool:
        if grant is OWNER:
            return self._sessions.entrance.open
        if token_of(scope) is None and self._sessions.find(cookie_of(scope)) is None:
            return False
        return self._sessions.entrance.tokens.grant(grant.id) == grant


def guard(app: FastAPI, security: Security, home: Home, entrance: Entrance) -> None:
    """Have an application ask who one is, and answer `/login`, `/logout`, `/api/v1/session`."""
    sessions = Sessions(entrance, security.session_hours)
    app.include_router(_router(sessions, home))
    app.add_middleware(Gate, sessions=sessions)


def cookie_name(scope: Scope) -> str:
    # The prefix has browsers refuse it from other hosts and without TLS; loopback has no TLS.
    return "__Host-jimbot" if scope["scheme"] == "https" else "jimbot"


def cookie_of(scope: Scope) -> str | None:
    """The session's secret, if a browser shows one, and one alone."""
    found = []
    for header in Headers(scope=scope).getlist("cookie"):
        for part in header.split(";"):
            name, _, value = part.strip().partition("=")
            if name == cookie_name(scope):
                found.append(value)
    return found[0] if len(found) == 1 and len(found[0]) <= 128 else None


def _router(sessions: Sessions, home: Home) -> APIRouter:
    router = APIRouter()
    entrance = sessions.entrance

    @router.get("/login", include_in_schema=False)
    def page(request: Request) -> Response:
        if entrance.open:
            return RedirectResponse("/", 303)
        if found := sessions.find(cookie_of(request.scope)):
            session, grant = found
            return _page(
                f"<p>You are in as {html.escape(grant.name)}, {grant.role}.</p>"
                '<p><a href="/">The dashboard</a></p>'
                '<form method="post" action="/logout">'
                f'<input type="hidden" name="csrf" value="{session.csrf}">'
                "<button>Log out</button></form>"
            )
        return _page(_FORM)

    @router.post("/login", include_in_schema=False)
    async def login(request: Request) -> Response:
        if entrance.open:
            return RedirectResponse("/", 303)
        if not _same_origin(request.scope):
            return _page("<p>That came from a page of another site.</p>", 403)
        form = await _form(request)
        if form is None:
            return _page("<p>That was no token.</p>" + _FORM, 400)
        address = address_of(request.scope)
        judged = entrance.enter(form.get("token", ""), address, "figures:read")
        await _record(home, judged, address)
        if isinstance(judged, Refusal):
            reason = f"<p>No: {html.escape(judged.reason)}.</p>"
            refused = _page(reason + _FORM, judged.status)
            if judged.retry_after_s:
                refused.headers["Retry-After"] = str(int(judged.retry_after_s) + 1)
            return refused
        sessions.end(cookie_of(request.scope))  # a session that somebody planted gains nothing
        response = RedirectResponse("/", 303)
        _give_cookie(response, request.scope, sessions.begin(judged), int(sessions.seconds))
        return response

    @router.post("/logout", include_in_schema=False)
    async def logout(request: Request) -> Response:
        secret = cookie_of(request.scope)
        found = sessions.find(secret)
        form = await _form(request)
        if found and not hmac.compare_digest((form or {}).get("csrf", ""), found[0].csrf):
            return _page("<p>That form is not ours.</p>", 403)
        sessions.end(secret)
        response = RedirectResponse("/login", 303)
        _give_cookie(response, request.scope, "", 0)
        return response

    @router.get("/api/v1/session", tags=["service"])
    def who(request: Request) -> Who:
        """Who one is, and what one may."""
        grant: Grant = getattr(request.state, "grant", OWNER)
        found = sessions.find(cookie_of(request.scope)) if grant is not OWNER else None
        return Who(
            name=grant.name,
            role=grant.role,
            scopes=sorted(grant.scopes),
            expires=int(found[0].expires * 1000) if found else None,
            csrf=found[0].csrf if found else None,
        )

    return router


def _give_cookie(response: Response, scope: Scope, value: str, seconds: int) -> None:
    response.set_cookie(
        cookie_name(scope),
        value,
        max_age=seconds,
        path="/",
        secure=scope["scheme"] == "https",
        httponly=True,
        samesite="strict",
    )


def _same_origin(scope: Scope) -> bool:
    """Whether a browser says that a page of ours asks; programs, which say nothing, are let be."""
    headers = Headers(scope=scope)
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None or (origin == "null" and site == "same-origin"):
        return True
    return origin == f"{scope['scheme']}://{headers.get('host', '')}"


def _carries(scope: Scope, csrf: str) -> bool:
    given = Headers(scope=scope).get(CSRF_HEADER, "")
    return hmac.compare_digest(given.encode("utf-8", "replace"), csrf.encode())


async def _form(request: Request) -> dict[str, str] | None:
    """The fields of a short form; None when it is none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_BYTES:
            return None
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=8, strict_parsing=True)
    except (UnicodeDecodeError, ValueError):
        return None
    return {name: values[0] for name, values in fields.items()}


async def _record(home: Home, judged: Grant | Refusal, address: str) -> None:
    if isinstance(judged, Refusal) and judged.status == 429:
        return  # or guessing would fill the disk
    refused = isinstance(judged, Refusal)
    subject = "nobody" if isinstance(judged, Refusal) else judged.subject
    result = "refused" if refused else "ok"
    try:
        await asyncio.to_thread(
            audit.record,
            home,
            action="session.login",
            result=result,
            subject=subject,
            source=address,
        )
    except JimbotError as error:
        _log.error("%s", error)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


_FORM: Final = (
    '<form method="post" action="/login"><p><label for="token">Your token</label></p>'
    '<p><input id="token" name="token" type="password" required autofocus maxlength="256"'
    ' autocomplete="current-password"></p><p><button>Log in</button></p></form>'
    "<p>Whoever runs this machine makes one: <code>jimbot tokens create NAME --role viewer</code>"
    "</p>"
)


def _page(content: str, status: int = 200) -> Response:
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>JimBot: log in</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="/static/jimbot.css"></head>'
        f"<body><main><h1>JimBot</h1>{content}</main></body></html>",
        status,
    )
