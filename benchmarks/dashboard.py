"""The dashboard on ten million games' history: how long its questions and its first paint take.

A home is made whose stores hold what a year of 10,000,000 games leaves when it was downsampled as
the table says: hours of a year, minutes of 30 days, points of 7 days, rows of 30 days' games, and
counts of all. (The log itself is short: of it the dashboard reads single streams and types by
their index; `benchmarks.events` measures that.) Then the service is started on it, and every
question of the page is asked over HTTP; where Chromium is there, the page is opened too. With
`--pictures DIRECTORY` only the two pictures of the docs are drawn, of a small home.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.training import table_on_free_ports
from jimbot.appliance import Home, load
from jimbot.events import Event, now_ms, open_log, stream_of
from jimbot.events.games import GameRecorder
from jimbot.game import Run
from jimbot.game.catalogue import JOKERS
from jimbot.metrics import open_series
from jimbot.metrics.wilson import wilson
from jimbot.policy import make

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
HANDS = ("High Card", "Pair", "Two Pair", "Three of a Kind", "Straight", "Flush", "Full House")
SERVE = """
import asyncio, pathlib, sys
from jimbot.analytics.service import run
from jimbot.appliance import Home, load

asyncio.run(run(load(pathlib.Path(sys.argv[1])), Home(pathlib.Path(sys.argv[2]))))
"""
QUESTIONS = {
    "summary": "summary",
    **{f"trends_{hours}h": f"trends?hours={hours}" for hours in (1, 24, 168, 720, 8760)},
    **{f"training_{hours}h": f"training?hours={hours}" for hours in (24, 8760)},
    "evaluations": "evaluations?hours=8760",
    "games": "games?limit=15",
    "games_won": "games?limit=15&won=true",
    "games_recorded": "games?limit=15&recorded=true",
    "live": "games/live",
    "knowledge": "knowledge?limit=8",
    "resources": "resources",
    "alerts": "alerts",
}


def replayable(log: Any, count: int) -> list[str]:
    """Play and keep some games; their ids."""
    policy, ids = make("heuristic"), []
    for n in range(count):
        run = Run(f"BENCH{n + 1}")
        recorder = GameRecorder(
            seed=run.seed,
            deck=run.deck,
            stake=run.stake,
            policy=policy.name,
            source="ray-worker-1",
            keep=True,
        )
        while not run.over:
            action = policy.act(run)
            run.step(action)
            recorder.step(action, run)
        log.append([(stream_of(event), event) for event in recorder.finish(run)])
        ids.append(recorder.game_id)
    return ids


def evaluations(count: int, every_ms: int) -> list[Event]:
    now, found = now_ms(), []
    for n in range(count):
        mean = 1.4 + 3.6 * (1 - 2.718 ** (-5 * n / count))
        wins = int(500 * max(0.0, (mean - 2.5) / 14))
        low, high = wilson(wins, 500)
        payload = {
            "run": "bench",
            "iteration": n,
            "steps": n * 8192,
            "games": 500,
            "stake": "White",
            "mean_ante": mean,
            "mean_ante_low": mean - 0.16,
            "mean_ante_high": mean + 0.16,
            "win_rate": wins / 500,
            "win_rate_low": low,
            "win_rate_high": high,
        }
        at = now - (count - n) * every_ms
        found.append(
            Event(type="TRAINING_EVALUATION", source="trainer", timestamp=at, payload=payload)
        )
    return found


def fill(home: Home, games: int) -> str:
    """Write what a year of `games` games leaves; the id of one that can be replayed."""
    home.prepare()
    log = open_log(home)
    ids = replayable(log, 30)
    events = evaluations(400, 20 * HOUR)
    log.append([(stream_of(event), event) for event in events])
    head = log.position()
    log.close()
    open_series(home).close()  # makes the file
    rng, now = random.Random(1), now_ms()
    per_minute = games / (365 * 24 * 60)
    with sqlite3.connect(home.series) as db:
        db.execute("PRAGMA synchronous = OFF")
        tags = json.dumps({"deck": "Red", "policy": "ppo", "stake": "White"}, sort_keys=True)
        run = json.dumps({"run": "bench"})
        kinds: list[tuple[str, str, Callable[[], float]]] = [
            ("game.finished", tags, lambda: 1.0),
            ("game.won", tags, lambda: float(rng.random() < 0.08)),
            ("game.ante", tags, lambda: float(rng.randint(1, 8))),
            ("game.best_hand", tags, lambda: rng.lognormvariate(8, 1.5)),
            ("training.loss", run, lambda: 0.5 + rng.random()),
            ("training.iteration", run, lambda: 1.0),
        ]
        for number, (name, tag, value) in enumerate(kinds, start=1):
            db.execute("INSERT INTO series (id, name, tags) VALUES (?, ?, ?)", (number, name, tag))
            rate = per_minute if name.startswith("game") else 0.5
            for table, unit, span in (("minutes", MINUTE, 30 * DAY), ("hours", HOUR, 365 * DAY)):
                first = (now - span) // unit * unit
                # A bucket's points are as if they were four: filling is quick.
                rows = []
                for time_ in range(first, now, unit):
                    some = [value() for _ in range(4)]
                    count = max(round(rate * unit / MINUTE), 1)
                    total = sum(some) * count / 4
                    rows.append(
                        (number, time_, count, total, min(some), max(some), time_, 1, some[-1])
                    )
                db.executemany(f"INSERT INTO {table} VALUES (?,?,?,?,?,?,?,?,?)", rows)
            step = max(int(MINUTE / rate), 1)
            db.executemany(
                "INSERT INTO points VALUES (?, ?, ?, ?)",
                ((number, at, n, value()) for n, at in enumerate(range(now - 7 * DAY, now, step))),
            )
        keys = [joker.key for joker in JOKERS]
        kept = int(games * 30 / 365)
        db.executemany(
            f"INSERT INTO games VALUES ({','.join('?' * 18)})",
            (
                (
                    n - kept,  # before all that the log holds
                    now - int((kept - n) * MINUTE / per_minute),
                    f"old{n}",
                    "ray-worker-1",
                    f"S{n % 10_000_000:07d}",
                    "Red",
                    "White",
                    "ppo",
                    int(rng.random() < 0.08),
                    rng.randint(1, 8),
                    9,
                    1e4,
                    12,
                    150,
                    40.0,
                    json.dumps(rng.sample(keys, 3)),
                    '{"Pair": 3}',
                    0,
                )
                for n in range(kept)
            ),
        )
        for kind, names in (("joker", keys), ("hand", HANDS), ("policy", ("ppo",))):
            share = games // len(names)
            db.executemany(
                "INSERT INTO counts VALUES (?, ?, ?, ?, ?)",
                [(kind, key, share, int(share * 0.16 * rng.random()), share) for key in names],
            )
        db.execute("INSERT OR REPLACE INTO positions VALUES ('metrics', ?)", (0,))
    print(f"  {games:,} games; series {home.series.stat().st_size >> 20} MB, log {head:,} events")
    return ids[-1]


@contextmanager
def serving(directory: Path, home: Home) -> Iterator[str]:
    table = table_on_free_ports(directory)
    url = load(table).url("analytics")
    with (directory / "analytics.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(table), str(home.path)], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                answer = httpx.get(f"{url}/api/v1/summary", trust_env=False, timeout=30)
                if answer.status_code == 200 and answer.json()["events_behind"] == 0:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.2)
        else:
            raise SystemExit(f"not up: {(directory / 'analytics.log').read_text()[-2000:]}")
        yield url
    finally:
        process.terminate()
        process.wait(20)


def ask(url: str, kept: str) -> dict[str, float]:
    """Each question's time, ms: the first time, when nothing is kept in memory, and the median."""
    figures = {}
    paths = {**QUESTIONS, "replay": f"games/{kept}/replay?from=100&count=50"}
    with httpx.Client(trust_env=False, timeout=60) as client:
        client.get(f"{url}/health")
        for name, path in paths.items():
            times = []
            for _ in range(7):
                began = time.perf_counter()
                client.get(f"{url}/api/v1/{path}").raise_for_status()
                times.append((time.perf_counter() - began) * 1000)
            figures[f"{name}_first_ms"] = times[0]
            figures[f"{name}_ms"] = statistics.median(times)
    return figures


def paint(url: str) -> dict[str, float]:
    """When the page is first painted, when its figures are there, and how much is on it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        found: list[dict[str, float]] = []
        for _ in range(3):
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(url)
            page.locator("#games .seed").nth(5).wait_for()
            page.locator("[data-chart=mean_ante] .line").first.wait_for(state="attached")
            found.append(
                page.evaluate(
                    """() => ({
                        first_paint_ms:
                            performance.getEntriesByName("first-contentful-paint")[0].startTime,
                        all_figures_ms: performance.now(),
                        elements: document.querySelectorAll("*").length,
                    })"""
                )
            )
            page.close()
        browser.close()
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


def pictures(directory: Path, home: Home, to: Path) -> None:
    """The page at desk width by day, and a game at phone width by night."""
    from playwright.sync_api import sync_playwright

    home.prepare()
    rng, now, log = random.Random(5), now_ms(), open_log(home)
    keys = [joker.key for joker in JOKERS[:40]]
    events = evaluations(24, 50 * MINUTE)
    for n in range(900):
        ante = min(9, max(1, int(rng.gauss(2.2 + 3.2 * n / 900, 1.6))))
        won = ante == 9
        payload = {
            "game_id": f"picture{n:04d}",
            "seed": "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ123456789", k=8)),
            "deck": "Red",
            "stake": "White",
            "policy": "heuristic" if n % 7 == 0 else "ppo",
            "won": won,
            "ante": ante,
            "round": 3 * ante,
            "best_hand": float(int(rng.lognormvariate(7 + 2 * n / 900, 1))),
            "money": 11,
            "actions": 120,
            "duration_ms": 40.5,
            "jokers": rng.sample(keys, 4),
            "hands": {hand: rng.randint(1, 9) for hand in rng.sample(HANDS, 3)},
        }
        at = now - (900 - n) * 80_000
        events.append(
            Event(type="GAME_FINISHED", source="ray-worker-1", timestamp=at, payload=payload)
        )
    for n in range(300):
        payload = {"run": "bench", "iteration": n, "steps": 4096 * n, "games": 12}
        payload |= {"loss": 2.4 * 0.99**n + rng.random() * 0.15}
        at = now - (300 - n) * 240_000
        events.append(
            Event(type="TRAINING_ITERATION", source="trainer", timestamp=at, payload=payload)
        )
    events.sort(key=lambda event: event.timestamp)
    log.append([(stream_of(event), event) for event in events])
    ids = replayable(log, 3)
    log.close()
    with serving(directory, home) as url, sync_playwright() as playwright:
        frames = httpx.get(f"{url}/api/v1/games/{ids[1]}/replay?count=200", trust_env=False).json()
        step = next(
            frame["number"]
            for frame in frames["frames"]
            if frame.get("play") and len(frame["table"]["jokers"]) > 2 and frame["table"]["hand"]
        )
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for name, scheme, width, height, path in (
            ("dashboard.png", "light", 1440, 1000, "/"),
            ("replay.png", "dark", 390, 844, f"/#game={ids[1]}&step={step}"),
        ):
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme=scheme,  # type: ignore[arg-type]
                locale="en-US",
            )
            page.goto(url + path)
            page.wait_for_selector("#games .seed")
            page.wait_for_selector("[data-chart=held_out_ante] .line", state="attached")
            page.wait_for_timeout(2500)
            page.screenshot(path=to / name)
            print(to / name, (to / name).stat().st_size >> 10, "kB")
        browser.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=10_000_000)
    parser.add_argument("--pictures", type=Path, metavar="DIRECTORY")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jimbot-dashboard-") as name:
        directory = Path(name)
        home = Home(directory / "home")
        if options.pictures:
            pictures(directory, home, options.pictures)
            return 0
        kept = fill(home, options.games)
        with serving(directory, home) as url:
            figures = ask(url, kept)
            show(figures)
            if not CHROMIUM:
                print("  the page was not opened: chromium is missing")
                return 0
            painted = paint(url)
            show(painted)
    return 0 if painted["first_paint_ms"] < 1000 else 1


def show(figures: dict[str, float]) -> None:
    for figure, value in figures.items():
        print(f"  {figure:<26} {value:10,.1f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
