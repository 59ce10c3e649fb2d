"""The HTTP API on real stores that were filled from a real log."""

from __future__ import annotations

from typing import Any

import pytest

from jimbot.appliance import Home
from jimbot.events import Event, now_ms
from jimbot.metrics.wilson import wilson
from tests.analytics.conftest import Analytics, add, game, iteration, until


def test_summary_of_an_empty_home_says_that_nothing_was_measured(
    analytics: Analytics, home: Home
) -> None:
    add(home, [])
    analytics.caught_up(0)
    summary = analytics.get("/api/v1/summary")
    assert summary["games_finished"] == summary["training_iterations"] == 0
    nothing = ("games_per_hour", "win_rate", "win_rate_low", "mean_ante", "best_hand", "loss")
    assert {name: summary[name] for name in nothing} == dict.fromkeys(nothing)


def test_summary_before_there_is_a_log(analytics: Analytics) -> None:
    until(lambda: analytics.projections.metrics.store)
    assert analytics.get("/api/v1/summary")["games_finished"] == 0


def test_summary_does_not_say_that_all_is_folded_which_it_has_not_counted(
    analytics: Analytics, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A projection that catches up while the figures are made."""
    add(home, [game()])
    analytics.caught_up(1)
    metrics = analytics.projections.metrics
    status, behind = metrics.status, [1]
    store = metrics.store
    assert store is not None
    counts = store.counts

    def counted(kind: Any) -> Any:
        behind[0] = 0
        return counts(kind)

    monkeypatch.setattr(metrics, "status", lambda: status()._replace(behind=behind[0]))
    monkeypatch.setattr(store, "counts", counted)
    analytics.figures.forget()
    assert analytics.get("/api/v1/summary")["events_behind"] == 1


def test_summary(analytics: Analytics, home: Home) -> None:
    games = [game(ago_s=300, won=n < 3, ante=8 if n < 3 else 2) for n in range(10)]
    long_ago = game(ago_s=30 * 3600, best_hand=9e9)
    loss = [iteration(1, ago_s=60, loss=2.5), iteration(2, loss=1.25)]
    add(home, [long_ago, *games, *loss])
    analytics.caught_up(13)
    summary = analytics.get("/api/v1/summary")
    low, high = wilson(3, 10)
    assert summary["games_finished"] == 11
    assert summary["games_won"] == 3
    assert summary["games_last_hour"] == summary["games_last_day"] == 10
    # Ten games in the five minutes since the first of them.
    assert summary["games_per_hour"] == pytest.approx(120, rel=0.05)
    assert summary["win_rate"] == pytest.approx(0.3)
    assert summary["win_rate_low"] == pytest.approx(low)
    assert summary["win_rate_high"] == pytest.approx(high)
    assert summary["mean_ante"] == pytest.approx((3 * 8 + 7 * 2) / 10)
    assert (summary["best_hand"], summary["best_hand_last_day"]) == (9e9, 1200)
    assert (summary["loss"], summary["training_iterations"]) == (1.25, 2)
    assert summary["training_steps"] == 8000
    assert (summary["events_in_log"], summary["events_behind"]) == (13, 0)
    assert summary["first_game_at"] == long_ago.timestamp


def test_games_are_paged_without_gaps_or_repeats(analytics: Analytics, home: Home) -> None:
    events = [game(ago_s=60 - n) for n in range(25)]
    add(home, events)
    analytics.caught_up(25)
    seen: list[str] = []
    before = None
    while True:
        page = analytics.get("/api/v1/games", limit=10, **({"before": before} if before else {}))
        seen += [it["game_id"] for it in page["games"]]
        before = page["next"]
        if before is None:
            break
    assert seen == [event.payload["game_id"] for event in reversed(events)]


def test_games_by_policy_and_result(analytics: Analytics, home: Home) -> None:
    add(home, [game(policy="ppo"), game(policy="search", won=True), game(policy="ppo", won=True)])
    analytics.caught_up(3)
    answer = analytics.get("/api/v1/games", policy="ppo", won=True)
    assert [(it["policy"], it["won"]) for it in answer["games"]] == [("ppo", True)]
    assert answer["policies"] == ["ppo", "search"]
    assert len(analytics.get("/api/v1/games", won=False)["games"]) == 1


def test_a_game_kept_as_a_summary(analytics: Analytics, home: Home) -> None:
    event = game(won=True, jokers=["j_joker", "j_some_mods_joker"])
    add(home, [event])
    analytics.caught_up(1)
    found = analytics.get(f"/api/v1/games/{event.payload['game_id']}")
    assert found["jokers"] == ["Joker", "Some Mods Joker"]
    assert found["hands"] == {"Pair": 3, "Flush": 2}
    assert (found["recorded"], found["record"], found["rules"]) == (False, None, None)


def test_a_recorded_game_with_its_actions(analytics: Analytics, home: Home) -> None:
    summary = game(recorded=True, actions=2)
    name = {field: summary.payload[field] for field in ("game_id", "seed", "deck", "stake")}
    started = {**name, "policy": "ppo", "rules": "0.1.0"}
    events = [Event(type="GAME_STARTED", source="worker-1", payload=started)]
    for number in range(2):
        payload = {
            "game_id": name["game_id"],
            "number": number,
            "action": [2, 0, []],
            "digest": f"{number:016x}",
        }
        events.append(Event(type="GAME_ACTION", source="worker-1", payload=payload))
    add(home, [*events, summary])
    analytics.caught_up(4)
    found = analytics.get(f"/api/v1/games/{name['game_id']}")
    assert found["rules"] == "0.1.0"
    assert found["record"] == [
        {"number": 0, "action": [2, 0, []], "digest": "0" * 16},
        {"number": 1, "action": [2, 0, []], "digest": "0" * 15 + "1"},
    ]


def test_a_game_that_is_not_there(analytics: Analytics, home: Home) -> None:
    add(home, [])
    analytics.caught_up(0)
    response = analytics.client.get("/api/v1/games/nothing")
    assert response.status_code == 404
    assert response.json() == {"detail": "no finished game 'nothing'", "hint": "See /api/v1/games"}


def test_trends_count_every_game_once_and_show_idle_time_as_zero(
    analytics: Analytics, home: Home
) -> None:
    add(home, [game(ago_s=1800, won=True), game(ago_s=1800), game(ago_s=5)])
    analytics.caught_up(3)
    trends = analytics.get("/api/v1/trends", hours=1)
    points = trends["points"]
    assert trends["step_ms"] == 60_000
    assert sum(point["games"] for point in points) == 3
    times = [point["time"] for point in points]
    assert times == list(range(times[0], times[-1] + 1, 60_000))
    first, idle = points[0], points[10]
    assert first["win_rate"] == 0.5
    assert (first["win_rate_low"], first["win_rate_high"]) == pytest.approx(wilson(1, 2))
    assert (idle["games_per_hour"], idle["win_rate"], idle["mean_ante"]) == (0, None, None)


def test_trends_hold_games_that_came_late(analytics: Analytics, home: Home) -> None:
    add(home, [game(ago_s=10), game(ago_s=1200), game(ago_s=600)])
    analytics.caught_up(3)
    points = analytics.get("/api/v1/trends", hours=1)["points"]
    assert sum(point["games"] for point in points) == 3


def test_training_shows_the_last_run_or_the_one_asked_for(analytics: Analytics, home: Home) -> None:
    old = [iteration(1, ago_s=600, run="old", loss=9.0, kl=0.5)]
    new = [iteration(n, ago_s=300 - 60 * n, run="new", loss=4.0 / n) for n in (1, 2, 4)]
    add(home, [*old, *new])
    analytics.caught_up(4)
    training = analytics.get("/api/v1/training", hours=1)
    assert training["run"] == "new"
    assert [point["loss"] for point in training["points"]] == [4.0, 2.0, 1.0]
    assert training["iterations"] == 4
    (point,) = analytics.get("/api/v1/training", hours=1, run="old")["points"]
    assert (point["loss"], point["kl"], point["entropy"]) == (9.0, 0.5, None)


def test_series(analytics: Analytics, home: Home) -> None:
    now = now_ms()
    add(home, [game(ago_s=60, ante=2), game(ago_s=60, ante=4)])
    analytics.caught_up(2)
    assert "game.ante" in analytics.get("/api/v1/series")
    whole = {"start": now - 3_600_000, "end": now, "step": 86_400_000}
    for how, expected in (("mean", 3), ("count", 2), ("max", 4), ("p50", 2), ("sum", 6)):
        answer = analytics.get("/api/v1/series/game.ante", **whole, how=how)
        assert sum(value for _, value in answer["points"]) == expected
    assert analytics.get("/api/v1/series/no.such")["points"] == []


def test_knowledge_counts_and_confidence(analytics: Analytics, home: Home) -> None:
    won = [game(won=True, jokers=["j_blueprint", "j_joker"]) for _ in range(4)]
    lost = [game(jokers=["j_joker"]) for _ in range(6)]
    add(home, [*won, *lost])
    analytics.caught_up(10)
    answer = analytics.get("/api/v1/knowledge")
    best, other = answer["jokers"]
    assert (best["name"], best["games"], best["wins"], best["win_rate"]) == ("Blueprint", 4, 4, 1)
    assert best["confidence"] == pytest.approx(wilson(4, 4)[0])
    assert (other["name"], other["games"], other["wins"]) == ("Joker", 10, 4)
    (pair,) = answer["pairs"]
    assert (set(pair["names"]), pair["games"], pair["wins"]) == ({"Blueprint", "Joker"}, 4, 4)
    assert pair["confidence"] == pytest.approx(wilson(4, 4)[0])


def test_jokers_are_known_without_the_graph(analytics: Analytics, home: Home) -> None:
    add(home, [game(won=True)])
    analytics.caught_up(1)
    analytics.projections.knowledge.store = None
    answer = analytics.get("/api/v1/knowledge")
    assert len(answer["jokers"]) == 2
    assert answer["pairs"] is None
    assert "knowledge is not ready" in answer["pairs_reason"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/api/v1/games?limit=0", "limit: Input should be greater than or equal to 1"),
        ("/api/v1/games?limit=201", "limit: Input should be less than or equal to 200"),
        ("/api/v1/games?limit=ten", "limit: Input should be a valid integer"),
        ("/api/v1/games?won=perhaps", "won: Input should be a valid boolean"),
        ("/api/v1/games?winner=true", "winner: Extra inputs are not permitted"),
        ("/api/v1/games/a%20b", "game_id: String should match pattern"),
        ("/api/v1/trends?hours=0", "hours: Input should be greater than 0"),
        ("/api/v1/trends?hours=nan", "hours: Input should be"),
        ("/api/v1/trends?hours=1e9", "hours: Input should be less than or equal to"),
        ("/api/v1/series/x?how=median", "how: Input should be 'sum', 'count'"),
        ("/api/v1/series/x?step=1", "step: Input should be greater than or equal to 1000"),
        ("/api/v1/series/x?start=5&end=5", "start must lie before end"),
        ("/api/v1/series/x?start=0&step=1000", "step must be larger"),
        ("/api/v1/knowledge?limit=-1", "limit: Input should be greater than or equal to 1"),
    ],
)
def test_bad_parameters_are_refused_with_the_reason(
    analytics: Analytics, path: str, reason: str
) -> None:
    response = analytics.client.get(path)
    assert response.status_code == 422
    assert reason in response.json()["detail"]


def test_a_store_that_cannot_be_used_is_said_to_be_so(analytics: Analytics, home: Home) -> None:
    add(home, [])
    analytics.caught_up(0)
    analytics.projections.stop()
    response = analytics.client.get("/api/v1/games")
    assert response.status_code == 503
    assert "metrics is not ready" in response.json()["detail"]


def test_every_answer_is_typed_and_described(analytics: Analytics) -> None:
    schema = analytics.get("/openapi.json")
    for path, methods in schema["paths"].items():
        for about in methods.values():
            assert about.get("description"), path
            content = about["responses"]["200"].get("content", {})
            if path.startswith("/api/") and not path.endswith("/stream"):
                assert content["application/json"]["schema"], path
                problem = about["responses"]["422"]["content"]["application/json"]["schema"]
                assert problem == {"$ref": "#/components/schemas/Problem"}, path
            for parameter in about.get("parameters", []):
                assert parameter["schema"], (path, parameter)


def test_health_and_prometheus_metrics(analytics: Analytics, home: Home) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    add(home, [game(won=True), game(), iteration(1, loss=0.5)])
    analytics.caught_up(3)
    assert analytics.get("/health")["status"] == "ok"
    analytics.get("/api/v1/services")
    text = analytics.client.get("/metrics").text
    families = list(text_string_to_metric_families(text))
    assert all(family.name.startswith("jimbot_") for family in families)

    samples = [sample for family in families for sample in family.samples]

    def value(name: str, **labels: str) -> float:
        return next(
            it.value for it in samples if it.name == name and labels.items() <= it.labels.items()
        )

    assert value("jimbot_games_finished_total") == 2
    assert value("jimbot_games_won_total") == 1
    assert value("jimbot_win_ratio") == 0.5
    assert value("jimbot_training_loss") == 0.5
    assert value("jimbot_training_iterations_total") == 1
    assert value("jimbot_projection_behind_events", projection="metrics") == 0
    assert value("jimbot_projection_up", projection="knowledge") == 1
    assert value("jimbot_service_healthy", service="analytics") == 1
    assert value("jimbot_service_healthy", service="mcp") == 0
    routes = "jimbot_analytics_http_request_duration_seconds_count"
    assert value(routes, route="/api/v1/services", status="200") == 1


def test_paths_that_strangers_make_up_do_not_become_labels(analytics: Analytics) -> None:
    for path in ("/wp-login.php", "/api/v1/nothing", "/static/nothing.js"):
        assert analytics.client.get(path).status_code == 404
    text = analytics.client.get("/metrics").text
    assert "wp-login" not in text
    assert "nothing" not in text


def test_mean_ante_has_an_interval_that_holds_any_such_games(
    analytics: Analytics, home: Home
) -> None:
    """It must be at least as wide as the one that the games themselves would give."""
    antes = [1, 2, 2, 3, 3, 4, 5, 8, 2, 3]
    # In one bucket of five minutes or longer, whenever this runs.
    add(home, [game(ante=ante, ago_s=0.01 * n) for n, ante in enumerate(antes)])
    analytics.caught_up(10)
    points = analytics.get("/api/v1/trends", hours=24 * 30)["points"]
    known = [point for point in points if point["games"]]
    assert sum(point["games"] for point in known) == 10
    (point,) = [point for point in known if point["games"] >= 5]
    half = (point["mean_ante_high"] - point["mean_ante_low"]) / 2
    if point["games"] == 10:
        mean = sum(antes) / 10
        deviation = (sum((ante - mean) ** 2 for ante in antes) / 10) ** 0.5
        assert point["mean_ante"] == pytest.approx(mean)
        assert half >= 1.96 * deviation / 10**0.5
        assert half == pytest.approx(1.96 * ((8 - mean) * (mean - 1) / 10) ** 0.5, rel=1e-3)


def test_few_games_have_no_interval_of_the_ante(analytics: Analytics, home: Home) -> None:
    add(home, [game(), game()])
    analytics.caught_up(2)
    points = analytics.get("/api/v1/trends", hours=24)["points"]
    assert all(point["mean_ante_low"] is None for point in points)


def evaluation(number: int, *, run: str = "r1", ago_s: float = 0.0) -> Event:
    payload = {
        "run": run,
        "iteration": number,
        "steps": 1000 * number,
        "games": 50,
        "stake": "White",
        "mean_ante": 2.0 + number / 10,
        "mean_ante_low": 1.5,
        "mean_ante_high": 5.0,
        "win_rate": 0.1,
        "win_rate_low": 0.05,
        "win_rate_high": 0.2,
    }
    timestamp = now_ms() - int(ago_s * 1000)
    return Event(type="TRAINING_EVALUATION", source="trainer", timestamp=timestamp, payload=payload)


def test_evaluations_of_the_last_run_within_the_time(analytics: Analytics, home: Home) -> None:
    assert analytics.get("/api/v1/evaluations")["points"] == []
    old = [evaluation(n, run="r0", ago_s=600) for n in range(3)]
    add(home, [*old, evaluation(1, ago_s=7200), evaluation(2, ago_s=60), evaluation(3)])
    analytics.figures.forget()
    found = analytics.get("/api/v1/evaluations", hours=1)
    assert found["run"] == "r1"
    assert [point["iteration"] for point in found["points"]] == [2, 3]
    assert found["points"][1]["mean_ante"] == pytest.approx(2.3)
    assert len(analytics.get("/api/v1/evaluations", run="r0")["points"]) == 3


def test_evaluations_are_thinned_and_the_newest_stays(analytics: Analytics, home: Home) -> None:
    add(home, [evaluation(n, ago_s=1000 - n) for n in range(450)])
    points = analytics.get("/api/v1/evaluations")["points"]
    assert 100 <= len(points) <= 200
    assert points[-1]["iteration"] == 449


def test_knowledge_tells_of_strategies_and_sets_of_jokers(analytics: Analytics, home: Home) -> None:
    lucky = game(policy="lucky", won=True, jokers=["j_blueprint"])
    steady = [game(policy="steady", won=n < 3, jokers=["j_joker", "j_droll"]) for n in range(6)]
    add(home, [lucky, *steady])
    analytics.caught_up(7)
    found = analytics.get("/api/v1/knowledge")
    # One lucky game leads no list.
    assert [it["key"] for it in found["policies"]] == ["steady", "lucky"]
    assert found["jokers"][0]["games"] == 6
    if found["combinations"] is not None:
        best = found["combinations"][0]
        assert (sorted(best["names"]), best["wins"]) == (["Droll Joker", "Joker"], 3)
        assert found["opinions"] == []
