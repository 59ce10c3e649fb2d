"""A page in headless Chromium, which must ask the service alone."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.analytics.conftest import Service

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    text = "THE DASHBOARD IS NOT TESTED: chromium is missing (apt-get install -y chromium)"
    warnings.warn(text, stacklevel=1)
    pytest.skip(text, allow_module_level=True)

# A machine that does other work takes longer than Playwright's five seconds.
TIMEOUT_MS = 20_000
expect.set_options(timeout=TIMEOUT_MS)
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = {"phone": (360, 780), "tablet": (820, 1100), "desk": (1440, 900), "wide": (2560, 1300)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Opened(NamedTuple):
    """A page, and what it complained about on its console."""

    page: Page
    complaints: list[str]


Open = Callable[..., Opened]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens a page of a service; every page must have asked that service alone."""
    pages: list[Page] = []
    strangers: list[str] = []

    def open_page(service: Service, path: str = "/", size: str = "desk", **options: Any) -> Opened:
        width, height = WIDTHS[size]
        page = browser.new_page(
            viewport={"width": width, "height": height}, locale="en-US", **options
        )
        page.set_default_timeout(TIMEOUT_MS)
        pages.append(page)
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda asked: asked.url.startswith(service.url + "/") or strangers.append(asked.url),
        )
        page.goto(service.url + path)
        return Opened(page, complaints)

    yield open_page
    for page in pages:
        page.close()
    assert strangers == []


# Text whose contrast with what is behind it is below WCAG AA (4.5, large text 3).
CONTRAST = """() => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    context.clearRect(0, 0, 1, 1); context.fillStyle = colour; context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = (it) => {
    for (; it; it = it.parentElement) {
      const colour = rgba(getComputedStyle(it).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return [255, 255, 255, 255];
  };
  const bad = [];
  const apart = ".unseen, .skip, noscript, option, dialog:not([open])";
  for (const it of document.querySelectorAll("body *")) {
    const own = [...it.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !it.checkVisibility() || it.closest(apart)) continue;
    const style = getComputedStyle(it);
    const [a, b] = [light(rgba(it.closest("svg") ? style.fill : style.color)), light(behind(it))];
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (contrast < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5))
      bad.push(`${contrast.toFixed(2)} ${it.outerHTML.slice(0, 90)}`);
  }
  return bad;
}"""
