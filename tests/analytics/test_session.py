"""Logging in to the dashboard where tokens are on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from starlette.testclient import TestClient

from jimbot.analytics import session
from jimbot.analytics.guard import Guard
from jimbot.appliance import Home
from jimbot.security import audit, tokens
from jimbot.security.entrance import Entrance
from jimbot.service import Health, http_app, serving
from tests.security.guarded import Guarded, security

ORIGIN = {"Origin": "http://127.0.0.1:8090"}


def application(entrance: Entrance, home: Home, **changes: object) -> FastAPI:
    app = http_app("test", lambda: Health(status="ok"))

    @app.get("/")
    def page() -> str:
        return "figures"

    @app.get("/api/v1/summary")
    def summary() -> dict[str, int]:
        return {"games": 1}

    @app.post("/api/v1/alerts/silences")
    def silence() -> dict[str, bool]:
        return {"silenced": True}

    @app.delete("/api/v1/unheard-of")
    def unheard_of() -> dict[str, bool]:
        return {"done": True}

    session.guard(app, security(**changes), home, entrance)
    app.add_middleware(Guard)
    return app


def browser(guarded: Guarded, base: str = "http://127.0.0.1:8090", **changes: object) -> TestClient:
    app = application(guarded.entrance, guarded.home, **changes)
    client = TestClient(app, base_url=base, follow_redirects=False)
    client.headers["Accept"] = "text/html"
    return client


@pytest.fixture
def client(guarded: Guarded) -> Iterator[TestClient]:
    with browser(guarded) as client:
        yield client


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    return Guarded(tmp_path / "guarded")


def log_in(client: TestClient, token: str) -> httpx.Response:
    return client.post("/login", data={"token": token}, headers=ORIGIN)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept": "application/json"}


def test_without_tokens_everything_is_open_as_before(tmp_path: Path) -> None:
    home = Home(tmp_path)
    app = application(Entrance.of(security(), home), home)
    with TestClient(app, base_url="http://127.0.0.1:8090", follow_redirects=False) as client:
        assert client.get("/api/v1/summary").status_code == 200
        assert client.post("/api/v1/alerts/silences").status_code == 200
        assert client.get("/login").headers["location"] == "/"
        assert client.get("/api/v1/session").json()["role"] == "admin"
        tokens.create(home, security(), "first", "viewer")
        assert client.get("/api/v1/summary").status_code == 401


def test_nobody_sees_figures_before_logging_in(client: TestClient) -> None:
    page = client.get("/")
    assert (page.status_code, page.headers["location"]) == (303, "/login")
    answer = client.get("/api/v1/summary", headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert client.get("/openapi.json", headers={"Accept": "*/*"}).status_code == 401
    for path in ("/health", "/login"):
        assert client.get(path).status_code == 200


def test_a_login_gives_a_cookie_done_right(client: TestClient, guarded: Guarded) -> None:
    answer = log_in(client, guarded.tokens["viewer"])
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("jimbot=")
    for part in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"):
        assert part in cookie
    assert "Secure" not in cookie
    assert guarded.tokens["viewer"] not in cookie
    assert client.get("/api/v1/summary").json() == {"games": 1}


def test_under_tls_the_cookie_goes_nowhere_without_it(guarded: Guarded) -> None:
    with browser(guarded, "https://127.0.0.1:8090") as client:
        answer = client.post(
            "/login",
            data={"token": guarded.tokens["viewer"]},
            headers={"Origin": "https://127.0.0.1:8090"},
        )
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-jimbot=")
        assert "Secure" in cookie
        assert client.get("/api/v1/summary").status_code == 200


def test_each_login_is_another_session_and_ends_the_one_before(
    client: TestClient, guarded: Guarded
) -> None:
    log_in(client, guarded.tokens["viewer"])
    first = client.cookies["jimbot"]
    log_in(client, guarded.tokens["viewer"])
    assert client.cookies["jimbot"] != first
    client.cookies.clear()
    assert client.get("/api/v1/summary", headers={"Cookie": f"jimbot={first}"}).status_code == 303


def test_a_cookie_that_somebody_planted_is_not_taken(client: TestClient, guarded: Guarded) -> None:
    planted = {**ORIGIN, "Cookie": "jimbot=planted"}
    form = {"token": guarded.tokens["viewer"]}
    answer = client.post("/login", data=form, headers=planted)
    assert "planted" not in answer.headers["set-cookie"]
    client.cookies.clear()
    assert client.get("/api/v1/summary", headers=planted).status_code == 303


def test_a_session_ends_at_its_time(guarded: Guarded) -> None:
    now = [1000.0]
    sessions = session.Sessions(guarded.entrance, 1, lambda: now[0])
    grant = guarded.entrance.tokens.check(guarded.tokens["viewer"])
    assert grant is not None
    secret = sessions.begin(grant)
    now[0] += 3599
    assert sessions.find(secret) is not None
    now[0] += 2
    assert sessions.find(secret) is None


def test_a_session_ends_with_its_token(client: TestClient, guarded: Guarded) -> None:
    log_in(client, guarded.tokens["viewer"])
    guarded.revoke("viewer")
    assert client.get("/api/v1/summary", headers={"Accept": "*/*"}).status_code == 401


def test_sessions_are_bounded(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_SESSIONS", 3)
    sessions = session.Sessions(guarded.entrance, 1)
    grant = guarded.entrance.tokens.check(guarded.tokens["viewer"])
    assert grant is not None
    made = [sessions.begin(grant) for _ in range(5)]
    assert [sessions.find(secret) is not None for secret in made] == [
        False,
        False,
        True,
        True,
        True,
    ]


def test_logging_out_ends_the_session_and_needs_our_form(
    client: TestClient, guarded: Guarded
) -> None:
    log_in(client, guarded.tokens["viewer"])
    secret = client.cookies["jimbot"]
    assert client.post("/logout", data={"csrf": "guessed"}, headers=ORIGIN).status_code == 403
    assert client.get("/api/v1/summary").status_code == 200
    csrf = client.get("/api/v1/session").json()["csrf"]
    assert csrf in client.get("/login").text
    answer = client.post("/logout", data={"csrf": csrf}, headers=ORIGIN)
    assert answer.status_code == 303
    assert 'jimbot=""' in answer.headers["set-cookie"]
    client.cookies.clear()
    assert client.get("/api/v1/summary", headers={"Cookie": f"jimbot={secret}"}).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_can_neither_log_in_nor_change_anything(
    client: TestClient, guarded: Guarded, headers: dict[str, str]
) -> None:
    form = {"token": guarded.tokens["admin"]}
    assert client.post("/login", data=form, headers=headers).status_code == 403
    log_in(client, guarded.tokens["admin"])
    csrf = client.get("/api/v1/session").json()["csrf"]
    answer = client.post("/api/v1/alerts/silences", headers={**headers, "X-CSRF-Token": csrf})
    assert answer.status_code == 403


def test_the_same_is_so_where_tokens_are_off(tmp_path: Path) -> None:
    home = Home(tmp_path)
    app = application(Entrance.of(security(), home), home)
    with TestClient(app, base_url="http://127.0.0.1:8090") as client:
        answer = client.post("/api/v1/alerts/silences", headers={"Origin": "http://evil.example"})
        assert answer.status_code == 403


def test_a_change_needs_the_header_and_the_role(client: TestClient, guarded: Guarded) -> None:
    log_in(client, guarded.tokens["operator"])
    csrf = {"X-CSRF-Token": client.get("/api/v1/session").json()["csrf"], **ORIGIN}
    silence = "/api/v1/alerts/silences"
    assert client.post(silence, headers=ORIGIN).status_code == 403
    assert client.post(silence, headers=csrf | {"X-CSRF-Token": "x"}).status_code == 403
    assert client.post(silence, headers=csrf).status_code == 200
    # What nobody gave a scope is for admins alone.
    assert client.delete("/api/v1/unheard-of", headers=csrf).status_code == 403
    log_in(client, guarded.tokens["viewer"])
    csrf = {"X-CSRF-Token": client.get("/api/v1/session").json()["csrf"], **ORIGIN}
    assert client.post(silence, headers=csrf).status_code == 403


@pytest.mark.parametrize(
    ("role", "reads", "silences", "rest"),
    [
        ("viewer", 200, 403, 403),
        ("player", 403, 403, 403),
        ("operator", 200, 200, 403),
        ("admin", 200, 200, 200),
    ],
)
def test_programs_show_their_token_and_get_what_their_role_may(
    client: TestClient, guarded: Guarded, role: str, reads: int, silences: int, rest: int
) -> None:
    headers = bearer(guarded.tokens[role])
    assert client.get("/api/v1/summary", headers=headers).status_code == reads
    assert client.post("/api/v1/alerts/silences", headers=headers).status_code == silences
    assert client.delete("/api/v1/unheard-of", headers=headers).status_code == rest


def test_a_player_cannot_log_in(client: TestClient, guarded: Guarded) -> None:
    assert log_in(client, guarded.tokens["player"]).status_code == 403


def test_guessing_has_to_wait(guarded: Guarded) -> None:
    with browser(guarded) as client:
        statuses = [log_in(client, "wrong").status_code for _ in range(7)]
        assert statuses == [401, 401, 401, 401, 429, 429, 429]
    entries = [one for one in audit.entries(guarded.home) if one["action"] == "session.login"]
    assert [one["result"] for one in entries] == ["refused"] * 4


def test_logins_are_in_the_audit_log_without_the_token(
    client: TestClient, guarded: Guarded
) -> None:
    log_in(client, guarded.tokens["viewer"])
    (entry,) = audit.entries(guarded.home)
    assert (entry["action"], entry["result"]) == ("session.login", "ok")
    assert entry["subject"].endswith("(viewer)")
    text = (guarded.home.path / "audit" / audit.CURRENT).read_text()
    assert guarded.tokens["viewer"].split("_", 2)[2] not in text


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"token", "application/x-www-form-urlencoded"),
        (b"token=%ff%fe", "application/x-www-form-urlencoded"),
        (b"\xff", "application/x-www-form-urlencoded"),
        (b"a=1&" * 100, "application/x-www-form-urlencoded"),
        (b"token=" + b"x" * 100_000, "application/x-www-form-urlencoded"),
        (b'{"token":"x"}', "application/json"),
    ],
)
def test_rubbish_is_no_login(client: TestClient, body: bytes, kind: str) -> None:
    answer = client.post("/login", content=body, headers={"Content-Type": kind, **ORIGIN})
    assert answer.status_code in (400, 401)
    assert "set-cookie" not in answer.headers


def test_every_page_keeps_the_security_headers(client: TestClient) -> None:
    for path in ("/login", "/", "/api/v1/summary"):
        headers = client.get(path).headers
        assert "form-action 'self'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"


async def _endless() -> object:
    import asyncio

    while True:
        yield b"data: x\n\n"
        await asyncio.sleep(0.05)


def test_a_stream_ends_with_its_token(guarded: Guarded) -> None:
    import asyncio

    app = application(guarded.entrance, guarded.home)
    app.add_api_route(
        "/api/v1/stream",
        lambda: StreamingResponse(_endless()),
        methods=["GET"],  # type: ignore[arg-type]
    )

    async def main() -> int:
        pieces = 0
        async with serving(app, 0) as port, httpx.AsyncClient(trust_env=False) as http:
            url = f"http://127.0.0.1:{port}/api/v1/stream"
            headers = bearer(guarded.tokens["viewer"])
            async with asyncio.timeout(20), http.stream("GET", url, headers=headers) as answer:
                async for _ in answer.aiter_bytes():
                    if (pieces := pieces + 1) == 3:
                        await asyncio.to_thread(guarded.revoke, "viewer")
        return pieces

    assert asyncio.run(main()) >= 3
