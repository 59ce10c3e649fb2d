from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from jimbot.events import Event, EventLog, LogError, stream_of, validate
from jimbot.events.games import (
    GameNotFound,
    GameRecorder,
    RecordedGame,
    ReplayDiverged,
    list_games,
    new_game_id,
    read_game,
    replay,
)
from jimbot.game import Phase, Run, random_seed


def play(
    number: int, *, keep: bool = True, policy: str = "random", **identity: Any
) -> tuple[GameRecorder, Run]:
    """A whole game of random legal actions, recorded."""
    rng = random.Random(number)
    identity = {"seed": random_seed(rng), "deck": "Red", "stake": "White"} | identity
    run = Run(identity["seed"], deck=identity["deck"], stake=identity["stake"])
    recorder = GameRecorder(**identity, policy=policy, source="test", keep=keep)
    while run.phase != Phase.GAME_OVER:
        action = rng.choice(run.legal_actions())
        run.step(action)
        recorder.step(action, run)
    return recorder, run


def store(log: EventLog, events: list[Event]) -> None:
    for event in events:
        validate(event)
    log.append([(stream_of(event), event) for event in events])


@pytest.fixture
def kept(log: EventLog) -> tuple[str, Run]:
    recorder, run = play(1)
    store(log, recorder.finish(run))
    return recorder.game_id, run


def test_a_game_leaves_its_summary(log: EventLog) -> None:
    recorder, run = play(1, keep=False)
    (event,) = recorder.finish(run)
    store(log, [event])
    game = read_game(log, recorder.game_id)
    assert (game.started, game.actions) == (None, [])
    end = game.finished
    assert end is not None
    assert (end.won, end.ante, end.round, end.money) == (run.won, run.ante, run.round, run.money)
    assert end.best_hand == run.best_hand
    assert end.jokers == [joker.key for joker in run.jokers]
    assert sum(end.hands.values()) == run.stats.hands_played
    assert set(end.hands) <= {
        "High Card",
        "Pair",
        "Two Pair",
        "Flush",
        "Straight",
        "Full House",
    } | {"Three of a Kind", "Four of a Kind", "Straight Flush"}
    assert end.actions > 0
    assert end.duration_ms > 0
    assert not end.recorded
    with pytest.raises(LogError, match=r"kept as a summary only.*record_one_in"):
        next(replay(game))


def test_a_kept_game_leaves_every_action(log: EventLog, kept: tuple[str, Run]) -> None:
    game_id, run = kept
    game = read_game(log, game_id)
    assert game.started is not None
    assert game.finished is not None
    assert game.finished.recorded
    assert [action.number for action in game.actions] == list(range(game.finished.actions))
    assert game.actions[-1].digest == run.digest()
    kinds = [entry.event.type for entry in log.read_stream(f"game-{game_id}")]
    assert kinds[0] == "GAME_STARTED"
    assert kinds[-1] == "GAME_FINISHED"
    assert set(kinds[1:-1]) == {"GAME_ACTION"}


def test_the_same_game_sent_twice_is_stored_once(log: EventLog) -> None:
    recorder, run = play(1)
    store(log, recorder.finish(run))
    count = log.count()
    store(log, recorder.finish(run))
    assert log.count() == count


@pytest.mark.parametrize("number", range(5))
def test_replay_gives_the_same_game(log: EventLog, number: int) -> None:
    recorder, run = play(number)
    store(log, recorder.finish(run))
    steps = list(replay(read_game(log, recorder.game_id)))
    assert [step.number for step in steps] == list(range(len(steps)))
    assert steps[-1].run.digest() == run.digest()


@pytest.mark.parametrize(("deck", "stake"), [("Blue", "White"), ("Abandoned", "Red")])
def test_replay_deals_the_recorded_deck_and_stake(log: EventLog, deck: str, stake: str) -> None:
    recorder, run = play(3, deck=deck, stake=stake)
    store(log, recorder.finish(run))
    assert list(replay(read_game(log, recorder.game_id)))[-1].run.digest() == run.digest()


def spoil_digest(game: RecordedGame) -> None:
    game.actions[4] = game.actions[4].model_copy(update={"digest": "0" * 16})


def spoil_action(game: RecordedGame) -> None:
    game.actions[4] = game.actions[4].model_copy(update={"action": [11, 0, []]})


def spoil_form(game: RecordedGame) -> None:
    game.actions[4] = game.actions[4].model_copy(update={"action": ["PLAY"]})


@pytest.mark.parametrize("spoil", [spoil_digest, spoil_action, spoil_form])
def test_replay_names_the_first_action_that_differs(
    log: EventLog, kept: tuple[str, Run], spoil: Callable[[RecordedGame], None]
) -> None:
    game = read_game(log, kept[0])
    spoil(game)
    steps = replay(game)
    assert [next(steps).number for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(ReplayDiverged, match=f"game {game.game_id} diverged at action 4 "):
        next(steps)


def test_replay_notices_another_seed(log: EventLog, kept: tuple[str, Run]) -> None:
    game = read_game(log, kept[0])
    assert game.started is not None
    other = RecordedGame(
        game.game_id,
        game.started.model_copy(update={"seed": "AAAAAAAA"}),
        game.actions,
        game.finished,
    )
    with pytest.raises(ReplayDiverged, match="diverged at action 0"):
        list(replay(other))


def test_replay_notices_another_end(log: EventLog, kept: tuple[str, Run]) -> None:
    game = read_game(log, kept[0])
    assert game.finished is not None
    finished = game.finished.model_copy(update={"money": game.finished.money + 1})
    with pytest.raises(ReplayDiverged, match="diverged at its end"):
        list(replay(RecordedGame(game.game_id, game.started, game.actions, finished)))


def test_a_game_with_a_missing_action_is_not_played(log: EventLog, kept: tuple[str, Run]) -> None:
    game = read_game(log, kept[0])
    middle = game.actions[:2] + game.actions[3:]
    for actions, message in (middle, "action 2 of game"), (game.actions[:-1], "actions"):
        with pytest.raises(LogError, match=message):
            next(replay(RecordedGame(game.game_id, game.started, actions, game.finished)))


def test_no_such_game(log: EventLog) -> None:
    with pytest.raises(GameNotFound, match="no game 'nobody' in the log"):
        read_game(log, "nobody")


def test_list_games_newest_first_in_pages(log: EventLog) -> None:
    ids = []
    for number in range(12):
        recorder, run = play(
            number, keep=number % 4 == 0, policy="greedy" if number % 3 == 0 else "random"
        )
        store(log, recorder.finish(run))
        ids.append(recorder.game_id)
    newest = [summary.game.game_id for summary in list_games(log, 5)]
    assert newest == ids[:-6:-1]
    seen: list[str] = []
    before = None
    while page := list_games(log, 5, before=before):
        seen += [summary.game.game_id for summary in page]
        before = page[-1].position
    assert seen == ids[::-1]
    assert [s.game.game_id for s in list_games(log, 99, recorded=True)] == [ids[8], ids[4], ids[0]]
    assert [s.game.game_id for s in list_games(log, 2, policy="greedy")] == [ids[9], ids[6]]
    assert list_games(log, 99, policy="greedy", recorded=True)[-1].source == "test"
    assert list_games(log, 99, won=True) == [s for s in list_games(log, 99) if s.game.won]
    assert list_games(log, 0) == []


def test_a_filter_looks_past_the_first_page(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jimbot.events.games._PAGE", 2)
    first, run = play(0, policy="rare")
    store(log, first.finish(run))
    for number in range(1, 6):
        recorder, run = play(number, keep=False)
        store(log, recorder.finish(run))
    assert [s.game.game_id for s in list_games(log, 1, policy="rare")] == [first.game_id]


def test_a_damaged_summary_is_named(log: EventLog) -> None:
    log.append([("game-x", Event(type="GAME_FINISHED", source="s", payload={"game_id": "x"}))])
    with pytest.raises(LogError, match=r"GAME_FINISHED at position 1 .*: seed"):
        list_games(log)
    with pytest.raises(LogError, match="position 1"):
        read_game(log, "x")


def test_a_score_beyond_floats_is_recorded() -> None:
    recorder, run = play(1, keep=False)

    class Infinite:
        won, ante, round, money = run.won, run.ante, run.round, run.money
        jokers, hand_levels = run.jokers, run.hand_levels
        best_hand = float("inf")

    (event,) = recorder.finish(Infinite())
    validate(event)
    assert event.payload["best_hand"] > 1e308


def test_game_ids_sort_by_age() -> None:
    ids = [new_game_id() for _ in range(200)]
    assert len(set(ids)) == 200
    assert [one[:12] for one in ids] == sorted(one[:12] for one in ids)


def test_the_events_room_starts_without_the_game() -> None:
    code = "import sys, jimbot.events, jimbot.events.games\nsys.exit('jimbot.game' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)
