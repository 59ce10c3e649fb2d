"""Watching a game in headless Chromium: by mouse, by keyboard, by address, while it is played."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from jimbot.appliance import Home, load
from tests.analytics.browsing import CONTRAST, Open, browser, opened
from tests.analytics.conftest import Service, add, game, running, until
from tests.analytics.test_dashboard import ask
from tests.analytics.test_replay import played
from tests.conftest import table_on_free_ports

__all__ = ["browser", "opened"]  # fixtures


class Kept(NamedTuple):
    """A service with a game that ended, one that is being played, and one kept as a summary."""

    service: Service
    home: Home
    ended: str
    actions: int
    live: str
    summary: str


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    directory = tmp_path_factory.mktemp("kept")
    home = Home(directory / "home")
    home.prepare()
    events, _, done = played()
    begun, _, _ = played("LIVE1", actions=10)
    only = game(seed="ONLYSUM")
    add(home, [*events, *begun, only])
    table = table_on_free_ports(directory)
    port = load(table).service("analytics").ports["http"]
    with running(home, table, port, directory / "analytics.log") as service:
        until(lambda: ask(service, "summary")["games_finished"] == 2)
        ids = [each[0].payload["game_id"] for each in (events, begun, [only])]
        yield Kept(service, home, ids[0], len(done), ids[1], ids[2])


def at(page: Page, step: int, of: int) -> None:
    expect(page.locator("#replay-count")).to_have_text(f"{step} / {of}")


def test_a_game_is_opened_and_stepped_through_by_keyboard(opened: Open, kept: Kept) -> None:
    it = opened(kept.service)
    page = it.page
    link = page.get_by_role("link", name="Watch game REPLAY1")
    link.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    at(page, 0, kept.actions)
    expect(page.locator("#replay-told")).to_have_text("Red deck, White stake.")
    for key, step in (
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("PageDown", 11),
        ("PageUp", 1),
        ("End", kept.actions),
        ("ArrowRight", kept.actions),
        ("Home", 0),
        ("ArrowLeft", 0),
    ):
        page.keyboard.press(key)
        at(page, step, kept.actions)
        # What is on the page is the API's table.
        (frame,) = ask(kept.service, f"games/{kept.ended}/replay?from={step}&count=1")["frames"]
        expect(page.locator("#replay-told")).to_contain_text(frame["text"])
        table = frame["table"]
        expect(page.locator("#stage .hand li.card")).to_have_count(len(table["hand"]))
        expect(page.locator("#stage .numbers")).to_contain_text(f"${table['money']}")
    assert page.url.endswith(f"#game={kept.ended}")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page).to_have_url(re.compile("^[^#]*$"))
    expect(link).to_be_focused()
    assert it.complaints == []


def test_cards_say_what_they_are_and_plays_what_they_scored(opened: Open, kept: Kept) -> None:
    frames = ask(kept.service, f"games/{kept.ended}/replay?count=200")["frames"]
    frame = next(f for f in frames if f.get("play") and f["table"]["jokers"])
    page = opened(kept.service, f"/#game={kept.ended}&step={frame['number']}").page
    at(page, frame["number"], kept.actions)
    play = frame["play"]
    shown = page.get_by_role("region", name="Played")
    expect(shown.locator("li.card")).to_have_count(len(play["cards"]))
    expect(shown.locator("li.card.scores")).to_have_count(len(play["scoring"]))
    first = play["cards"][0]
    expect(shown.locator("li.card").first).to_contain_text(f"{first['rank']} of {first['suit']}")
    expect(shown).to_contain_text(play["hand"])
    expect(shown.locator("output")).to_have_text(f"= {play['score']:,.0f}")
    jokers = page.get_by_role("region", name="Jokers")
    for joker in frame["table"]["jokers"]:
        expect(jokers).to_contain_text(joker["name"])
        expect(jokers).to_contain_text(joker["text"])
    assert page.evaluate(CONTRAST) == []


def test_it_plays_by_itself_at_a_speed_and_stops_at_the_end(opened: Open, kept: Kept) -> None:
    page = opened(kept.service, f"/#game={kept.ended}&step={kept.actions - 3}").page
    at(page, kept.actions - 3, kept.actions)
    play = page.get_by_role("button", name="Play")
    expect(play).to_be_focused()
    page.get_by_label("Speed").select_option("5")
    play.click()
    at(page, kept.actions, kept.actions)
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    expect(page.locator("#replay-told")).to_contain_text(re.compile("The game is (won|lost)"))
    # And from the start again, until somebody pauses.
    page.get_by_label("Speed").select_option("0.5")
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    at(page, 0, kept.actions)
    page.get_by_role("button", name="One action on").click()
    page.get_by_role("slider", name="Action", exact=True).press("ArrowRight")
    at(page, 2, kept.actions)


@pytest.mark.parametrize("late_ms", [0, 200])
def test_a_game_opened_while_another_closes_is_shown(
    opened: Open, kept: Kept, late_ms: int
) -> None:
    """A dialog's `close` comes after what closed it: here after the next address was set, and
    after it was followed as well (0) or before (200)."""
    page = opened(kept.service, f"/#game={kept.ended}&step=7").page
    at(page, 7, kept.actions)
    page.evaluate(
        """([id, late]) => new Promise((done) => {
          const follow = () => { dispatchEvent(new HashChangeEvent("hashchange")); done(); };
          addEventListener("hashchange", () => {
            history.replaceState(null, "", `#game=${id}`);
            if (late) setTimeout(follow, late); else follow();
          }, { once: true });
          location.hash = "";
        })""",
        [kept.summary, late_ms],
    )
    expect(page.get_by_role("dialog")).to_contain_text("Kept as a summary only")
    assert page.url.endswith(f"#game={kept.summary}")


def test_the_address_opens_and_closes_it(opened: Open, kept: Kept) -> None:
    page = opened(kept.service, f"/#game={kept.ended}&step=7").page
    at(page, 7, kept.actions)
    page.evaluate("location.hash = ''")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.evaluate(f"location.hash = '#game={kept.summary}'")
    expect(page.get_by_role("dialog")).to_contain_text("Kept as a summary only")
    expect(page.locator("#replay")).to_be_hidden()
    page.evaluate("location.hash = '#game=../../x'")
    expect(page.locator("#replay-note")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_game_that_is_being_played_goes_on_by_itself(opened: Open, kept: Kept) -> None:
    it = opened(kept.service)
    page = it.page
    live = page.locator("#live")
    expect(live).to_contain_text("LIVE1")
    expect(live).to_contain_text("10 actions")
    live.get_by_role("link", name="Watch game LIVE1").click()
    at(page, 0, 10)
    expect(page.locator("#game-title")).to_have_text("LIVE1, being played")
    page.keyboard.press("End")
    at(page, 10, 10)
    more, _, _ = played("LIVE1", actions=14)
    add(
        kept.home,
        [
            event.model_copy(
                update={
                    "event_id": f"{kept.live}-{n:05d}",
                    "payload": {**event.payload, "game_id": kept.live},
                }
            )
            for n, event in enumerate(more[11:], start=10)
        ],
    )
    at(page, 14, 14)
    assert it.complaints == []


@pytest.mark.parametrize("size", ["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_table_fits_and_can_be_read(opened: Open, kept: Kept, size: str, scheme: str) -> None:
    frames = ask(kept.service, f"games/{kept.ended}/replay?count=200")["frames"]
    shop = next(f["number"] for f in frames if f["table"]["shop"])
    it = opened(kept.service, f"/#game={kept.ended}&step={shop}", size=size, color_scheme=scheme)
    at(it.page, shop, kept.actions)
    expect(it.page.get_by_role("region", name="Shop")).to_be_visible()
    outside = it.page.evaluate(
        """() => [...document.querySelectorAll("dialog *")].filter((it) => {
            const box = it.getBoundingClientRect();
            const out = box.right > innerWidth + 1 || box.left < -1;
            return box.width && out && !it.closest(".unseen, svg");
        }).map((it) => it.outerHTML.slice(0, 80))"""
    )
    assert outside == []
    assert it.page.evaluate(CONTRAST) == []
    # Everything that can be pressed has a name.
    nameless = it.page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a, summary")].filter((it) =>
            !(it.textContent.trim() || it.ariaLabel || it.labels?.length)).length"""
    )
    assert nameless == 0
    assert it.complaints == []
