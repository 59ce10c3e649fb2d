"""What the dashboard draws, and so every picture of it, shows no secret."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from jimbot.security import tokens
from tests.analytics.browsing import browser
from tests.security.test_exposure import CANARY, Appliances

__all__ = ["browser"]


def test_no_secret_is_drawn(browser: Browser, tmp_path: Path) -> None:
    services = Appliances(tmp_path)
    key = services.home.path / "secrets" / "claude" / "key"
    key.parent.mkdir(parents=True, mode=0o700)
    key.write_text(CANARY)
    key.chmod(0o600)
    token = tokens.create(services.home, services.appliance.security, "me", "admin").text
    own = tokens.own(services.home)
    assert own is not None
    hidden = [CANARY, *(part for text in (token, own) for part in (text, text.split("_", 2)[2]))]
    try:
        for name in ("claude", "analytics"):
            services.start(name)
        for name in ("claude", "analytics"):
            services.until_answers(name)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(services.appliance.url("analytics"))
        field = page.locator("input[name=token]")
        expect(field).to_have_attribute("type", "password")
        field.fill(token)
        page.keyboard.press("Enter")
        page.wait_for_url("**/")
        expect(page.get_by_role("heading", name="Services")).to_be_visible(timeout=30_000)
        page.wait_for_timeout(1500)  # figures, costs and services have come
        drawn = page.content() + page.inner_text("body") + page.evaluate("document.cookie")
        picture = page.screenshot(path=tmp_path / "page.png", full_page=True)
        page.close()
    finally:
        services.stop()
    assert "claude" in drawn
    for secret in hidden:
        assert secret not in drawn
        assert secret.encode() not in picture
