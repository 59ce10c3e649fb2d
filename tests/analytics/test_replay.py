"""Recorded games over HTTP: their table after every action."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from jimbot.analytics import replay as replaying
from jimbot.appliance import Home
from jimbot.events import Event
from jimbot.events.games import GameRecorder
from jimbot.game import ActionKind, Run
from jimbot.policy import make
from tests.analytics.conftest import Analytics, add, game

SEED = "REPLAY1"


@cache
def played(
    seed: str = SEED,
    *,
    actions: int | None = None,
    played_on: str = "simulator",
    policy: str = "heuristic",
) -> tuple[list[Event], Run, list[Any]]:
    """A game's events, all or those of its first actions; the run, and what was done."""
    run, player, done = Run(seed), make(policy, seed=1), []
    recorder = GameRecorder(
        seed=seed,
        deck="Red",
        stake="White",
        policy=policy,
        source="worker-1",
        keep=True,
        played_on=played_on,
    )
    while not run.over and (actions is None or len(done) < actions):
        action = player.act(run)
        run.step(action)
        recorder.step(action, run)
        done.append(action)
    return (recorder.finish(run) if run.over else recorder.drain()), run, done


def keep(home: Home, events: list[Event]) -> str:
    add(home, events)
    return str(events[0].payload["game_id"])


def frames(analytics: Analytics, game_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    start: int | None = 0
    while start is not None:
        path = f"/api/v1/games/{game_id}/replay"
        page = analytics.get(path, **{"from": start, "count": 40})
        assert page["start"] == start
        found += page["frames"]
        start = page.get("next")
    return found


def test_every_frame_is_the_table_after_its_action(analytics: Analytics, home: Home) -> None:
    events, last, done = played()
    game_id = keep(home, events)
    shown = frames(analytics, game_id)
    assert [frame["number"] for frame in shown] == list(range(len(done) + 1))
    run = Run(SEED)
    for frame, action in zip(shown, [None, *done], strict=True):
        if action is not None:
            run.step(action)
            assert frame["action"] == [int(action.kind), action.index, list(action.cards)]
        table = frame["table"]
        assert [f"{card['rank']} of {card['suit']}" for card in table["hand"]] == [
            card.name for card in run.hand
        ]
        assert [card.get("enhancement", "") for card in table["hand"]] == [
            card.enhancement_name for card in run.hand
        ]
        assert [joker["name"] for joker in table["jokers"]] == [it.name for it in run.jokers]
        assert all(joker["text"] for joker in table["jokers"])
        assert (table["money"], table["ante"], table["chips"]) == (run.money, run.ante, run.chips)
        assert (table["hands"], table["discards"]) == (run.hands_left, run.discards_left)
        assert table["deck"] == run.deck_count
        assert [blind["name"] for blind in table["blinds"]] == [b.name for b in run.blinds_ahead]
        assert frame["text"]
    assert shown[-1]["table"]["phase"] == "game_over"
    assert (run.ante, run.won) == (last.ante, last.won)


def test_a_play_tells_its_score_and_which_cards_scored(analytics: Analytics, home: Home) -> None:
    events, _, done = played()
    shown = frames(analytics, keep(home, events))
    plays = [frame for frame in shown if frame.get("play")]
    assert len(plays) == sum(action.kind == ActionKind.PLAY for action in done) > 5
    for frame in plays:
        play = frame["play"]
        before = shown[frame["number"] - 1]["table"]
        assert play["score"] == frame["table"]["chips"] - before["chips"]
        if play["chips"] is not None:
            assert int(play["chips"] * play["mult"]) == pytest.approx(play["score"], abs=1)
        assert all(place < len(play["cards"]) for place in play["scoring"])
        assert f"{play['hand']} for {play['score']:,.0f}" in frame["text"]
    discards = [frame for frame in shown if frame.get("kind") == "discard"]
    assert discards
    assert all(frame["discarded"] for frame in discards)


def test_shop_and_packs_are_shown_with_prices(analytics: Analytics, home: Home) -> None:
    events, _, _ = played()
    shown = frames(analytics, keep(home, events))
    shops = [f["table"]["shop"] for f in shown if f["table"]["phase"] == "shop"]
    assert any(offer["thing"]["kind"] == "Voucher" for shop in shops for offer in shop)
    assert all(offer.get("cost", 0) >= 0 for shop in shops for offer in shop)
    assert not any(f["table"]["shop"] for f in shown if f["table"]["phase"] != "shop")


def test_a_game_that_is_being_played_is_shown_as_far_as_it_is(
    analytics: Analytics, home: Home
) -> None:
    events, run, _done = played(actions=12)
    game_id = keep(home, events)
    analytics.caught_up(len(events))
    (live,) = analytics.get("/api/v1/games/live")
    assert (live["game_id"], live["seed"], live["actions"]) == (game_id, SEED, 12)
    answer = analytics.get(f"/api/v1/games/{game_id}/replay")
    assert (answer["total"], answer["finished"], answer["won"]) == (13, False, None)
    assert answer["frames"][-1]["table"]["money"] == run.money
    ended, _, _ = played()
    # What comes afterwards ends it; it is no longer live.
    finish = ended[-1].model_copy(
        update={
            "payload": {**ended[-1].payload, "game_id": game_id},
            "event_id": f"{game_id}-finished",
        }
    )
    add(home, [finish])
    analytics.caught_up(len(events) + 1)
    assert analytics.get("/api/v1/games/live") == []


def test_what_cannot_be_replayed_says_why(analytics: Analytics, home: Home) -> None:
    summary = game()
    game_id = keep(home, [summary])
    answer = analytics.client.get(f"/api/v1/games/{game_id}/replay")
    assert answer.status_code == 409
    assert "summary only" in answer.json()["detail"]
    assert analytics.client.get("/api/v1/games/nothing/replay").status_code == 404
    for wrong in ({"from": -1}, {"count": 0}, {"count": 201}, {"until": 3}):
        path = f"/api/v1/games/{game_id}/replay"
        assert analytics.client.get(path, params=wrong).status_code == 422, wrong


def test_a_real_game_lists_what_was_done(analytics: Analytics, home: Home) -> None:
    events, _, done = played(played_on="balatrobot")
    answer = analytics.get(f"/api/v1/games/{keep(home, events)}/replay", count=10)
    assert "balatrobot" in answer["problem"]
    assert answer["total"] == len(done) + 1
    assert all("table" not in frame and frame["text"] for frame in answer["frames"])


def test_a_game_that_comes_out_differently_ends_where_it_does(
    analytics: Analytics, home: Home
) -> None:
    events = list(played()[0])
    game_id = events[0].payload["game_id"]
    at = 9
    false = events[at + 1]
    assert false.payload["number"] == at
    events[at + 1] = false.model_copy(update={"payload": {**false.payload, "digest": "0" * 16}})
    keep(home, events)
    answer = analytics.get(f"/api/v1/games/{game_id}/replay")
    assert "diverged at action 9" in answer["problem"]
    assert [frame["number"] for frame in answer["frames"]] == list(range(at + 1))
    assert (answer["total"], answer["next"]) == (at + 1, None)
    beyond = analytics.get(f"/api/v1/games/{game_id}/replay", **{"from": 50})
    assert (beyond["frames"], beyond["next"]) == ([], None)


def test_records_without_end_are_refused(
    analytics: Analytics, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, _, _ = played(actions=12)
    game_id = keep(home, events)
    monkeypatch.setattr(replaying, "ACTIONS_LIMIT", 10)
    answer = analytics.client.get(f"/api/v1/games/{game_id}/replay")
    assert answer.status_code == 409
    assert "too many" in answer.json()["detail"]


def test_a_replay_stops_when_its_time_is_up(
    analytics: Analytics, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, _, _ = played(actions=12)
    game_id = keep(home, events)
    monkeypatch.setattr(replaying, "_TIME_LIMIT_S", -1.0)
    answer = analytics.get(f"/api/v1/games/{game_id}/replay")
    assert "too long" in answer["problem"]
    assert len(answer["frames"]) == 2


def test_only_games_with_a_replay_paged(analytics: Analytics, home: Home) -> None:
    events: list[Event] = []
    kept = []
    for n in range(5):
        events.append(game(policy="ppo"))
        more, _, _ = played(f"MANY{n + 1}", policy="random")
        kept.append(more[0].payload["game_id"])
        events += more
    add(home, events)
    analytics.caught_up(len(events))
    seen: list[str] = []
    before: int | None = None
    while True:
        question = {"limit": 2, "recorded": True} | ({"before": before} if before else {})
        page = analytics.get("/api/v1/games", **question)
        seen += [it["game_id"] for it in page["games"]]
        before = page["next"]
        if before is None:
            break
    assert seen == list(reversed(kept))
    assert analytics.get("/api/v1/games", recorded=True, policy="ppo")["games"] == []
