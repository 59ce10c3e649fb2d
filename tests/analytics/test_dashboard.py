"""The page in headless Chromium, on the real service with real events in its log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from jimbot.appliance import Appliance, Home, load
from tests.analytics.browsing import CONTRAST, WIDTHS, Open, browser, opened
from tests.analytics.conftest import Service, add, game, iteration, running, until
from tests.conftest import table_on_free_ports

__all__ = ["browser", "opened"]  # fixtures


def fill(home: Home) -> None:
    games = [
        game(
            ago_s=1500 - 10 * n,
            won=n % 5 == 0,
            ante=8 if n % 5 == 0 else 1 + n % 4,
            best_hand=1000.0 * n + 7,
            deck="Checkered" if n % 2 else "Red",
            policy="heuristic" if n % 7 == 0 else "ppo",
            jokers=["j_blueprint", "j_joker"] if n % 5 == 0 else ["j_joker"],
        )
        for n in range(150)
    ]
    curve = [iteration(n, ago_s=1500 - 50 * n, loss=3 / (n + 1)) for n in range(30)]
    add(home, [*games, *curve])


def ask(service: Service, path: str) -> Any:
    return httpx.get(f"{service.url}/api/v1/{path}", trust_env=False).json()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service on a home with games, for tests that change nothing in it."""
    directory = tmp_path_factory.mktemp("filled")
    home = Home(directory / "home")
    home.prepare()
    fill(home)
    table = table_on_free_ports(directory)
    port = load(table).service("analytics").ports["http"]
    with running(home, table, port, directory / "analytics.log") as service:
        until(lambda: ask(service, "summary")["games_finished"] == 150)
        until(lambda: ask(service, "knowledge")["pairs"])
        yield service


def test_shows_the_figures_of_the_api(opened: Open, filled: Service) -> None:
    page = opened(filled).page
    expect(page.locator("#games_finished")).to_have_text("150")
    summary = ask(filled, "summary")
    for name, text in {
        "win_rate": f"{summary['win_rate']:.1%}",
        "mean_ante": f"{summary['mean_ante']:.2f}",
        "best_hand": f"{summary['best_hand']:,.0f}",
        "loss": f"{summary['loss']:.4g}",
    }.items():
        expect(page.locator(f"#{name}")).to_have_text(text)
    expect(page.locator("#win_rate_note")).to_have_text(
        f"{summary['win_rate_low']:.1%} to {summary['win_rate_high']:.1%}"
    )
    expect(page.locator("#loss_note")).to_have_text("30 iterations")
    shown = float(page.locator("#games_per_hour").inner_text().replace(",", ""))
    assert shown == pytest.approx(ask(filled, "summary")["games_per_hour"], rel=0.05)

    rows = page.locator("#games tr")
    games = ask(filled, "games?limit=15")["games"]
    expect(rows).to_have_count(len(games))
    for n, expected in enumerate(games):
        seed, deck, stake, policy, ante, result, best, age = (
            text.strip() for text in rows.nth(n).locator("th, td").all_inner_texts()
        )
        assert (seed, deck, stake) == (expected["seed"], expected["deck"], expected["stake"])
        assert (policy, int(ante)) == (expected["policy"], expected["ante"])
        assert result == ("won" if expected["won"] else "lost")
        assert best == f"{expected['best_hand']:,.0f}"
        assert re.fullmatch(r"\d+ (s|min|h|d)", age)

    best_joker = ask(filled, "knowledge")["jokers"][0]
    name, counts, least = page.locator("#jokers tr").first.locator("th, td").all_inner_texts()
    assert name.strip() == best_joker["name"] == "Blueprint"
    assert counts == f"{best_joker['wins']} of {best_joker['games']}"
    assert least == f"{best_joker['confidence']:.1%}"
    expect(page.locator("#pairs tr").first).to_contain_text("Blueprint + Joker")


def test_shows_every_service_with_reason_and_hint(opened: Open, filled: Service) -> None:
    page = opened(filled).page
    items = page.locator("#services li")
    expect(items).to_have_count(5)
    expect(page.locator("#verdict")).to_have_text("mcp, claude, ray-head, trainer are down")
    expect(items.first).to_contain_text("down")
    expect(items.first).to_contain_text("Nothing listens on port")
    expect(items.first).to_contain_text("Start it: jimbot up.")
    expect(items.last).to_contain_text("analytics")
    expect(items.last.locator(".state")).to_have_text("ok")
    expect(page.locator("#services-aside")).to_contain_text("Not checked")
    expect(page.locator("#services-aside")).to_contain_text("memgraph")


def test_charts_have_readable_axes_and_tell_the_values(opened: Open, filled: Service) -> None:
    page = opened(filled).page
    # The time shown is the shortest that holds all there is.
    expect(page.locator("#spans input:checked")).to_have_value("1")
    for key in ("games_per_hour", "win_rate", "mean_ante", "loss"):
        chart = page.locator(f"[data-chart={key}]")
        expect(chart.locator(".line").first).to_be_attached()
        texts = chart.locator("svg text").all_text_contents()
        assert len([text for text in texts if re.fullmatch(r"\d\d:\d\d", text)]) >= 2, texts
        assert len([text for text in texts if re.fullmatch(r"[\d.]+[%KM]?", text)]) >= 3, texts
    expect(page.locator("[data-chart=win_rate] .band")).to_be_attached()
    loss = ask(filled, "training?hours=1")["points"]
    slider = page.get_by_role("slider", name="Loss")
    slider.focus()
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(f": {loss[0]['loss']:.4g}$"))
    page.locator("#spans").get_by_text("6 h", exact=True).click()
    expect(slider).to_have_attribute("aria-valuemax", re.compile(r"^\d$|^1\d$"))


def test_new_games_appear_by_themselves(opened: Open, service: Service, home: Home) -> None:
    fill(home)
    it = opened(service)
    expect(it.page.locator("#games_finished")).to_have_text("150")
    add(home, [game(won=True, seed="NEWSEED1", best_hand=2e12)])
    expect(it.page.locator("#games_finished")).to_have_text("151")
    expect(it.page.locator("#games tr").first).to_contain_text("NEWSEED1")
    expect(it.page.locator("#games tr").first).to_contain_text("2.000e12")
    assert it.complaints == []


def test_games_by_policy_paged_and_one_in_full(opened: Open, filled: Service) -> None:
    it = opened(filled)
    page = it.page
    page.get_by_label("Policy").select_option("heuristic")
    expect(page.locator("#games tr")).to_have_count(15)
    expect(page.locator("#games tr td:nth-child(4)").first).to_have_text("heuristic")
    page.get_by_role("button", name="Older games").click()
    expect(page.locator("#games tr")).to_have_count(7)
    page.get_by_role("button", name="Newest games").click()
    expect(page.locator("#games tr")).to_have_count(15)
    seed = page.locator("#games .seed").first
    seed.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(seed.inner_text())
    expect(dialog).to_contain_text("Pair 3, Flush 2")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(seed).to_be_focused()
    assert it.complaints == []


def test_text_from_a_game_is_only_ever_text(opened: Open, service: Service, home: Home) -> None:
    evil = "<img src=x onerror=alert(1)>"
    add(home, [game(won=True, seed=evil, policy=evil, jokers=[evil], hands={evil: 1}, source=evil)])
    until(lambda: ask(service, "summary")["games_finished"] == 1)
    it = opened(service)
    expect(it.page.locator("#games .seed")).to_have_text(evil)
    expect(it.page.locator("#jokers")).to_contain_text("onerror", ignore_case=True)
    it.page.locator("#games .seed").click()
    expect(it.page.get_by_role("dialog")).to_contain_text(evil)
    assert it.page.locator("img").count() == 0
    assert it.complaints == []


def test_an_empty_home_says_what_to_do(opened: Open, service: Service, home: Home) -> None:
    it = opened(service)  # there is not even a log
    expect(it.page.get_by_role("heading", name="No game has been played yet")).to_be_visible()
    expect(it.page.locator("#empty")).to_contain_text("jimbot up")
    expect(it.page.locator("#games")).to_have_text("No game yet.")
    expect(it.page.locator("[data-chart=games_per_hour]")).to_contain_text("No game in this time")
    expect(it.page.locator("[data-chart=loss]")).to_contain_text("No training in this time")
    assert it.complaints == []
    add(home, [game()])
    expect(it.page.locator("#games_finished")).to_have_text("1")
    expect(it.page.locator("#empty")).to_be_hidden()


def test_says_since_when_it_is_stale_and_comes_back(
    browser: Browser, appliance: Appliance, home: Home, tmp_path: Path
) -> None:
    port = appliance.service("analytics").ports["http"]
    table, log = tmp_path / "appliance.toml", tmp_path / "analytics.log"
    add(home, [game()])
    page = browser.new_page(locale="en-US")
    page.set_default_timeout(20_000)
    with running(home, table, port, log) as service:
        page.goto(service.url)
        expect(page.locator("#link")).to_have_text("Live")
        expect(page.locator("#games_finished")).to_have_text("1")
        service.stop()
    stale = page.locator("#link")
    expect(stale).to_have_text(re.compile(r"^Stale since \d\d:\d\d:\d\d, connecting again$"))
    expect(page.locator("body")).to_have_class("stale")
    # What cannot be asked does not look healthy.
    verdict = page.locator("#verdict")
    expect(verdict).to_have_attribute("data-status", "unknown")
    expect(verdict).to_contain_text("cannot be reached")
    expect(page.locator("#games_finished")).to_have_text("1")
    add(home, [game(), game()])
    with running(home, table, port, log):
        expect(stale).to_have_text("Live", timeout=20_000)
        expect(verdict).to_have_text("mcp, claude, ray-head, trainer are down")
        expect(page.locator("#games_finished")).to_have_text("3")
        expect(page.locator("#games tr")).to_have_count(3)
    page.close()


def test_a_damaged_store_is_said_on_the_page(
    browser: Browser, appliance: Appliance, home: Home, tmp_path: Path
) -> None:
    home.series.write_bytes(b"this is no series store" * 100)
    port = appliance.service("analytics").ports["http"]
    page = browser.new_page()
    with running(home, tmp_path / "appliance.toml", port, tmp_path / "bad.log") as service:
        page.goto(service.url)
        expect(page.locator("#problem")).to_contain_text("not a series store", timeout=15_000)
        expect(page.locator("#verdict")).to_contain_text("analytics")
    page.close()


@pytest.mark.parametrize("size", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_every_width_in_both_schemes(
    opened: Open, filled: Service, size: str, scheme: str
) -> None:
    it = opened(filled, size=size, color_scheme=scheme)
    expect(it.page.locator("#games tr")).to_have_count(15)
    width = it.page.evaluate("innerWidth")
    assert it.page.evaluate("document.documentElement.scrollWidth") <= width
    outside = it.page.evaluate(
        """() => [...document.querySelectorAll("main *, header *, footer *")].filter((it) => {
            const box = it.getBoundingClientRect();
            const out = box.right > innerWidth + 1 || box.left < -1;
            return box.width && out && !it.closest(".unseen, svg");
        }).map((it) => it.outerHTML.slice(0, 80))"""
    )
    assert outside == []
    assert it.page.evaluate(CONTRAST) == []
    assert it.complaints == []


def test_the_theme_can_be_chosen_and_is_remembered(
    opened: Open, service: Service, home: Home
) -> None:
    add(home, [])
    page = opened(service, color_scheme="light").page
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    button = page.locator("#theme")
    button.click()
    button.click()
    expect(button).to_have_text("Theme: dark")
    dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert dark != paper
    page.reload()
    expect(button).to_have_text("Theme: dark")


def test_everything_is_reached_by_keyboard_in_order_and_focus_is_seen(
    opened: Open, filled: Service
) -> None:
    page = opened(filled).page
    expect(page.locator("#games tr")).to_have_count(15)
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => {
                const it = document.activeElement;
                const seen = it.matches("input[type=radio]") ? it.parentElement : it;
                const style = getComputedStyle(seen);
                return [it.id || it.className || it.textContent, it === document.body,
                        style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
            }"""
        )
        if focused[1]:
            break
        reached.append(focused[0])
        assert focused[2] or focused[0] == "skip", f"focus on {focused[0]} cannot be seen"
    assert reached[:2] == ["skip", "theme"]
    assert [it.strip() for it in reached if "plot" in it] == ["plot", "plot", "plot", "plot cool"]
    assert {"recorded", "won", "policy", "older", "seed"} <= set(reached)
    assert reached[-3:] == ["API", "Metrics", "Health"]


def test_landmarks_headings_and_live_regions(opened: Open, filled: Service) -> None:
    page = opened(filled).page
    expect(page.locator("#games tr")).to_have_count(15)
    assert page.evaluate("document.documentElement.lang") == "en"
    for role in ("banner", "main", "contentinfo", "navigation"):
        expect(page.get_by_role(role)).to_have_count(1)  # type: ignore[arg-type]
    expect(page.get_by_role("heading", level=1)).to_have_text("JimBot")
    for name in (
        "Figures",
        "Alerts",
        "Services",
        "Progress",
        "Games",
        "What works",
        "Memory against budget",
        "Costs of Claude",
        "Backups",
    ):
        expect(page.get_by_role("region", name=name, exact=True)).to_have_count(1)
    for name, columns in (
        ("Games", 8),
        ("Jokers held at the end", 3),
        ("Pairs of jokers", 3),
        ("Hands played", 3),
        ("Strategies", 3),
        ("Memory against budget", 2),
    ):
        table = page.get_by_role("table", name=name, exact=True)
        expect(table.get_by_role("columnheader")).to_have_count(columns)
    expect(page.get_by_role("slider")).to_have_count(4)
    # Told politely, and only where something changes seldom.
    live = page.locator("[role=status], [aria-live]")
    assert sorted(live.evaluate_all("all => all.map((it) => it.id)")) == [
        "link",
        "replay-told",
        "verdict",
    ]


def test_nothing_moves_for_those_who_want_it_still(
    opened: Open, service: Service, home: Home
) -> None:
    add(home, [])
    page = opened(service, reduced_motion="reduce").page
    moving = """() => [...document.querySelectorAll("*")].filter((it) => {
        const style = getComputedStyle(it);
        return parseFloat(style.transitionDuration) > 0 || parseFloat(style.animationDuration) > 0;
    }).length"""
    assert page.evaluate(moving) == 0


def test_the_api_s_page_describes_and_tries_every_get(opened: Open, filled: Service) -> None:
    it = opened(filled, "/docs", size="phone")
    page = it.page
    paths = httpx.get(f"{filled.url}/openapi.json", trust_env=False).json()["paths"]
    expect(page.locator("details")).to_have_count(len(paths))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    games = page.locator("details", has=page.get_by_text("/api/v1/games", exact=True)).first
    games.locator("summary").click()
    games.get_by_label("limit").fill("2")
    games.get_by_role("button", name="Try it").click()
    expect(games.get_by_label("Answer")).to_contain_text('"game_id"')
    expect(games.get_by_role("status")).to_contain_text("GET /api/v1/games?limit=2: 200 in")
    stream = page.locator("details", has=page.get_by_text("/api/v1/stream", exact=True)).first
    stream.locator("summary").click()
    stream.get_by_role("button", name="Try it").click()
    expect(stream.get_by_label("Answer")).to_contain_text("event: summary")
    assert it.complaints == []
