"""The gateway's HTTP API, in process: shapes, refusals, and who may not ask."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from jimbot.claude.analysis import Analyst
from jimbot.claude.http import LONGEST, app
from tests.claude.conftest import Bench, Make, question, run
from tests.claude.standin import Manner, choose


def client(b: Bench, *, analyst: bool = True) -> httpx.AsyncClient:
    api = app(b.gateway, Analyst(b.gateway, b.ledger) if analyst else None)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=api), base_url="http://127.0.0.1:8091"
    )


JSON = {"content-type": "application/json"}


def test_advice_and_what_came_of_it(bench: Make) -> None:
    async def main() -> None:
        async with bench() as b, client(b) as http:
            b.standin.otherwise = Manner(choose(3))
            asked = question(game_id="g1").model_dump_json()
            said = (await http.post("/api/v1/advice", content=asked, headers=JSON)).json()
            assert (said["index"], said["source"], said["declined"]) == (2, "claude", "")
            outcome = {"advice_id": said["advice_id"], "expected": 0.5, "observed": 0.2}
            answer = await http.post("/api/v1/outcomes", json=outcome)
            assert answer.json() == {"dropped": False}
            ended = {"game_id": "g1", "won": True, "ante": 8}
            assert (await http.post("/api/v1/games", json=ended)).status_code == 204
            money = (await http.get("/api/v1/costs?days=1")).json()
            assert money["per_won_game"] == money["dollars"] > 0
            metrics = (await http.get("/metrics")).text
            assert 'jimbot_claude_advices_total{source="claude"} 1.0' in metrics
            assert (await http.get("/health")).json()["status"] == "ok"

    run(main())


@pytest.mark.parametrize(
    "changes",
    [
        {"legal": []},
        {"kind": "gamble"},
        {"probabilities": [0.5]},
        {"probabilities": [0.5, 0.5, 7]},
        {"deadline_ms": 1},
        {"decisions": 0},
        {"game_id": "../../etc/passwd"},
        {"surprise": 1},
        {"state": {"money": "a lot"}},
        {"state": {"chips": 1e400}},
        {"legal": [{"key": "k", "label": "l", "features": {"score": None}}]},
    ],
)
def test_bad_questions_are_refused_with_a_reason(bench: Make, changes: dict[str, Any]) -> None:
    async def main() -> None:
        async with bench() as b, client(b) as http:
            body = json.dumps(question().model_dump(mode="json") | changes)
            answer = await http.post("/api/v1/advice", content=body, headers=JSON)
            assert answer.status_code == 422
            assert answer.json()["detail"][0]["msg"]
            assert b.standin.bodies == []

    run(main())


def test_strangers_are_turned_away(bench: Make) -> None:
    async def main() -> None:
        async with bench() as b, client(b) as http:
            body = question().model_dump_json()
            plain = {"content-type": "text/plain"}
            form = {"content-type": "application/x-www-form-urlencoded"}
            for headers, status in ((plain, 415), (form, 415), ({}, 415),
                                    (JSON | {"host": "evil.example"}, 400)):  # fmt: skip
                answer = await http.post("/api/v1/advice", content=body, headers=headers)
                assert answer.status_code == status
            for text in ("", "{", "[]", "null", '"x"'):
                answer = await http.post("/api/v1/advice", content=text, headers=JSON)
                assert answer.status_code == 422
            big = await http.post("/api/v1/advice", content=b" " * (LONGEST + 1), headers=JSON)
            assert big.status_code == 413
            assert b.standin.bodies == []

    run(main())


def test_analyses_are_queued_and_shown(bench: Make) -> None:
    async def main() -> None:
        async with bench(analysis_queue=1) as b, client(b) as http:
            game = {"game_id": "g1", "state": {"ante": 3}, "decisions": ["leave"]}
            answer = await http.post("/api/v1/analyses", json=game)
            assert (answer.status_code, answer.json()["status"]) == (202, "queued")
            full = await http.post("/api/v1/analyses", json=game | {"game_id": "g2"})
            assert full.status_code == 429
            assert (await http.get("/api/v1/analyses/g1")).json()["status"] == "queued"
            assert (await http.get("/api/v1/analyses/g9")).status_code == 404
            assert (await http.get("/api/v1/notes")).json() == []
        async with bench() as b, client(b, analyst=False) as http:
            assert (await http.get("/api/v1/notes")).status_code == 503

    run(main())


def test_the_schema_describes_the_hand_read_body(bench: Make) -> None:
    async def main() -> None:
        async with bench() as b, client(b) as http:
            schema = (await http.get("/openapi.json")).json()
            body = schema["paths"]["/api/v1/advice"]["post"]["requestBody"]["content"]
            assert body["application/json"]["schema"]["$ref"].endswith("/Question")
            assert "legal" in schema["components"]["schemas"]["Question"]["properties"]
            text = json.dumps(schema)
            names = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
            assert names <= schema["components"]["schemas"].keys()
            assert {"Choice", "State", "Advice"} <= names

    run(main())
