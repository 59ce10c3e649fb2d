"""DNS rebinding is refused, and every answer carries the security headers."""

from __future__ import annotations

import pytest

from jimbot.appliance import Home
from tests.analytics.conftest import Analytics, add


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8090", "localhost", "LocalHost:1", "[::1]", "[::1]:8090"]
)
def test_loopback_names_are_served(analytics: Analytics, host: str) -> None:
    assert analytics.client.get("/health", headers={"Host": host}).status_code in (200, 503)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8090",
        "evil.example:8090",
        "192.168.1.5",
        "127.0.0.1@evil.example",
        "127.0.0.1:8090:1",
        "127.0.0.1:99999999",
        "[::1",
        "",
    ],
)
def test_other_names_are_not(analytics: Analytics, host: str) -> None:
    for path in ("/", "/api/v1/summary", "/api/v1/stream", "/metrics", "/health"):
        response = analytics.client.get(path, headers={"Host": host})
        assert response.status_code == 421, path
        assert "not served" in response.json()["detail"]
        assert response.headers["x-content-type-options"] == "nosniff"


def test_security_headers_are_on_every_answer(analytics: Analytics, home: Home) -> None:
    add(home, [])
    for path in ("/", "/docs", "/static/jimbot.css", "/api/v1/summary", "/metrics", "/nothing"):
        headers = analytics.client.get(path).headers
        policy = dict(
            part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'none'", path
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers


def test_figures_are_not_cached_and_files_are_checked_again(
    analytics: Analytics, home: Home
) -> None:
    add(home, [])
    analytics.caught_up(0)
    assert analytics.client.get("/api/v1/summary").headers["cache-control"] == "no-store"
    page = analytics.client.get("/static/jimbot.css")
    assert page.headers["cache-control"] == "no-cache"
    again = analytics.client.get(
        "/static/jimbot.css", headers={"If-None-Match": page.headers["etag"]}
    )
    assert again.status_code == 304


def test_nothing_can_be_changed_over_http(analytics: Analytics) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert analytics.client.request(method, "/api/v1/games").status_code == 405


def test_files_outside_the_page_are_out_of_reach(analytics: Analytics) -> None:
    for path in ("/static/../api.py", "/static/%2e%2e/api.py", "/static//etc/passwd"):
        assert analytics.client.get(path).status_code == 404
