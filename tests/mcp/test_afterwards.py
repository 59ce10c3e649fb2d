"""What the gateway is told of the games that it advised on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from jimbot.claude.analysis import LostGame
from jimbot.claude.question import GameResult, Outcome
from jimbot.game import Action, ActionKind, Run
from jimbot.mcp.advice import GatewayAdviser
from jimbot.mcp.afterwards import Afterwards
from jimbot.mcp.balatrobot.mirror import Memory
from jimbot.mcp.balatrobot.state import game_state
from jimbot.mcp.decide import Advised, Decider, NoDecision
from jimbot.mcp.messages import Decide
from jimbot.policy import make

SELECT = Action(ActionKind.SELECT_BLIND)
Told = list[tuple[str, dict[str, Any]]]


def tell(what: Callable[[Afterwards], None], status: int = 200) -> Told:
    """What is told while `what` happens, in order."""
    told: Told = []

    def answer(request: httpx.Request) -> httpx.Response:
        told.append((request.url.path.rpartition("/")[2], json.loads(request.content)))
        return httpx.Response(status, json={})

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            afterwards = Afterwards("http://gateway", http)
            what(afterwards)
            await afterwards.close()

    asyncio.run(main())
    return told


def test_a_lost_game_is_told_with_its_outcomes_and_its_decisions() -> None:
    def play(afterwards: Afterwards) -> None:
        afterwards.decided("g1", Run("ALEEB"), SELECT, "a1", followed=True)
        afterwards.decided("g1", Run("ALEEB"), SELECT)
        afterwards.decided("g1", Run("ALEEB"), SELECT, "a2")
        afterwards.over("g1", won=False, ante=3)

    told = tell(play)
    assert [path for path, _ in told] == ["outcomes", "outcomes", "games", "analyses"]
    outcomes = [Outcome.model_validate(body) for _, body in told[:2]]
    assert [(one.advice_id, one.followed, one.observed) for one in outcomes] == [
        ("a1", True, 1.0),
        ("a2", False, 1.0),
    ]
    assert GameResult.model_validate(told[2][1]) == GameResult(game_id="g1", won=False, ante=3)
    lost = LostGame.model_validate(told[3][1])
    assert lost.decisions == ("ante 1: Select blind",) * 3


def test_an_advice_of_the_ante_that_ended_a_game_brought_nothing() -> None:
    def play(afterwards: Afterwards) -> None:
        afterwards.decided("g1", Run("ALEEB"), SELECT, "a1", followed=True)
        afterwards.over("g1", won=False, ante=1)

    assert tell(play)[0][1]["observed"] == 0.0


def test_a_won_game_is_not_analysed() -> None:
    def play(afterwards: Afterwards) -> None:
        afterwards.decided("g1", Run("ALEEB"), SELECT, "a1")
        afterwards.over("g1", won=True, ante=8)

    told = tell(play)
    assert [path for path, _ in told] == ["outcomes", "games"]
    assert told[0][1]["observed"] == 1.0


def test_games_that_asked_nobody_are_only_counted() -> None:
    afterwards: list[Afterwards] = []

    def play(one: Afterwards) -> None:
        afterwards.append(one)
        for number, ante in enumerate((1, 1, 1, 2, 2, 5)):
            one.decided(f"g{number}", Run("ALEEB"), SELECT)
            one.over(f"g{number}", won=False, ante=ante)
        one.over("never seen", won=True)

    assert tell(play) == []
    usual = afterwards[0].usual
    assert usual(1) == pytest.approx((3 + 1) / (6 + 2))
    assert usual(2) == pytest.approx((1 + 1) / (3 + 2))
    assert usual(8) == 0.5


def test_a_gateway_that_refuses_costs_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    def play(afterwards: Afterwards) -> None:
        afterwards.decided("g1", Run("ALEEB"), SELECT, "a1")
        afterwards.over("g1", won=True)

    assert len(tell(play, status=503)) == 1
    assert "does not know how a game ended" in caplog.text


class Recording(GatewayAdviser):
    """An adviser that keeps what it is told of games."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9", 1e9)
        self.heard: list[tuple[Any, ...]] = []

    def decided(self, game: str, run: Run, action: Action, advised: Advised) -> None:
        self.heard.append(("decided", game))

    def over(self, game: str, *, won: bool | None = None, ante: int | None = None) -> None:
        self.heard.append(("over", game, won, ante))


def test_the_end_of_a_game_is_seen_in_what_the_session_shows() -> None:
    adviser = Recording()
    memory = Memory()
    shown = game_state(Run("ALEEB"))
    other = game_state(Run("OTHER"))

    async def main() -> None:
        decider = Decider(lambda: make("heuristic"), adviser)
        try:
            for state, game_id in (
                (shown, None),
                (other, None),
                (other, "mine"),
                ({**other, "state": "GAME_OVER", "won": True, "ante_num": 9}, "mine"),
                ({**other, "state": "GAME_OVER", "seed": ["?"], "ante_num": "x"}, None),
            ):
                asked = Decide(request_id="r", state=state, deadline_ms=5000, game_id=game_id)
                try:
                    await decider.decide(asked, memory)
                except NoDecision:
                    adviser.heard.append(("nothing",))
        finally:
            decider.close()
            await adviser.close()

    asyncio.run(main())
    assert adviser.heard == [
        ("decided", "seed-ALEEB"),
        ("over", "seed-ALEEB", None, None),
        ("decided", "seed-OTHER"),
        ("over", "seed-OTHER", None, None),
        ("decided", "mine"),
        ("over", "mine", True, 9),
        ("nothing",),
        ("over", "mine", None, None),
        ("over", "seed-unknown", False, None),
        ("nothing",),
    ]
