from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jimbot.appliance import Home
from jimbot.env.environment import BalatroEnv
from jimbot.events.event import Event
from jimbot.events.payloads import GAME_FINISHED, GAME_STARTED, validate
from jimbot.security import tokens
from jimbot.training import games


class Outbox:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False

    def send(self, event: Event) -> None:
        validate(event)
        self.events.append(event)

    def close(self, timeout: float) -> bool:
        self.closed = True
        return not timeout


@pytest.fixture
def outbox(monkeypatch: pytest.MonkeyPatch) -> Outbox:
    outbox = Outbox()
    monkeypatch.setattr(games, "EventClient", lambda *_, **__: outbox)
    monkeypatch.setattr(games, "_outboxes", {})
    monkeypatch.setattr(games, "_gatherers", {})
    return outbox


CONTEXT = {
    "decks": ("Red",),
    "stake": "White",
    "events": "ws://127.0.0.1:1",
    "journal": "journal",
    "record_one_in": 4,
}


def finish_games(env: BalatroEnv, count: int) -> None:
    for _ in range(count):
        seen, _ = env.reset()
        over = False
        while not over:
            row = seen["action_mask"].nonzero()[0][0]
            seen, _, terminated, truncated, _ = env.step(row)
            over = terminated or truncated


def test_each_game_leaves_its_summary_and_one_in_so_many_its_actions(outbox: Outbox) -> None:
    # Two environments of one process count together.
    for env in (games.make_env(CONTEXT), games.make_env(CONTEXT)):
        finish_games(env, 4)
    summaries = [event.payload for event in outbox.events if event.type == GAME_FINISHED]
    assert len(summaries) == 8
    assert len({payload["game_id"] for payload in summaries}) == 8
    assert [payload["recorded"] for payload in summaries] == [True, False, False, False] * 2
    assert sum(event.type == GAME_STARTED for event in outbox.events) == 2
    assert all(payload["policy"] == "ppo" for payload in summaries)


def test_an_environment_alone_sends_nothing(outbox: Outbox) -> None:
    context: dict[str, Any] = {"decks": ("Blue",), "stake": "Red"}
    env = games.make_env(context)
    finish_games(env, 1)
    assert (env.run.deck, env.run.stake) == ("Blue", "Red")
    assert outbox.events == []


def test_environments_of_a_process_take_the_decks_in_turn() -> None:
    envs = [games.make_env({"decks": ("Red", "Blue"), "stake": "White"}) for _ in range(4)]
    for env in envs:
        env.reset()
    assert sorted(env.run.deck for env in envs) == ["Blue", "Blue", "Red", "Red"]
    assert envs[0].run.deck != envs[1].run.deck


def test_on_another_machine_it_goes_where_it_is_told_and_may(
    outbox: Outbox, home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[tuple[str, Path]] = []

    def client(url: str, journal: Path) -> Outbox:
        asked.append((url, journal))
        return outbox

    monkeypatch.setattr(games, "EventClient", client)
    monkeypatch.setenv("JIMBOT_HOME", str(home.path))
    monkeypatch.setenv("JIMBOT_EVENTS", "wss://mcp:8765")
    context: dict[str, Any] = {"decks": ("Red",), "stake": "White"}
    finish_games(games.make_env(context), 1)
    assert asked == []
    assert "there is no token for wss://mcp:8765" in caplog.text
    token = home.path / "token"
    token.touch(mode=0o600)
    token.write_text("jbt_x_y\n")
    monkeypatch.setattr(tokens, "_GIVEN", token)
    finish_games(games.make_env(context), 2)
    assert asked == [("wss://mcp:8765", home.acknowledged)]
    finished = [event.payload for event in outbox.events if event.type == GAME_FINISHED]
    assert [payload["recorded"] for payload in finished] == [True, False]
    # A driver that says where has the last word.
    games.make_env(CONTEXT)
    assert asked[-1][0] == CONTEXT["events"]


def test_closing_delivers_what_waits(outbox: Outbox) -> None:
    games.make_env(CONTEXT)
    assert games.close_outboxes(0) is True
    assert outbox.closed
    assert games.close_outboxes(0) is True  # there is nothing left to close


def test_games_that_are_kept_are_told_of_in_the_log(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    from jimbot.training import driver

    class Group:
        def foreach_env_runner(self, work: Any) -> list[Any]:
            return [work(None)]

    class Algorithm:
        env_runner_group = Group()

    games.take_kept()
    games.take_tally()
    finish_games(games.make_env(CONTEXT), 5)
    kept = {event.payload["game_id"] for event in outbox.events if event.type == GAME_STARTED}
    with caplog.at_level("INFO", "jimbot.training.driver"):
        assert driver._won(Algorithm(), 7) == (5, 0)
    told = [record.fields for record in caplog.records]  # type: ignore[attr-defined]
    assert {one["game"] for one in told} == kept
    assert {one["iteration"] for one in told} == {7}
    assert games.take_kept() == []
