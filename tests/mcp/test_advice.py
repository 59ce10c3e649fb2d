from __future__ import annotations

import asyncio
import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from jimbot.claude.question import Question
from jimbot.game import Action, ActionKind, Run
from jimbot.mcp.advice import GatewayAdviser, considered
from jimbot.mcp.decide import Advised


class Gateway:
    """Answers questions as the gateway does, and keeps them."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.answer: dict[str, Any] = {"source": "claude"}
        self.status = 200
        self.delay_s = 0.0
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                question = Question.model_validate_json(body)
                owner.asked.append(question)
                time.sleep(owner.delay_s)
                last = len(question.legal) - 1
                advice = {
                    "advice_id": "a1",
                    "index": last,
                    "key": question.legal[last].key,
                    "reasoning": "because",
                    "confidence": 0.9,
                    **owner.answer,
                }
                text = json.dumps(advice).encode()
                self.send_response(owner.status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.close()


def a_hand() -> Run:
    run = Run("ADVICE", endless=True)
    run.step(Action(ActionKind.SELECT_BLIND))
    return run


def ask(adviser: GatewayAdviser, run: Run, action: Action, left_s: float = 2.0) -> Advised:
    async def once() -> Advised:
        try:
            return await adviser.advise(run, action, left_s)
        finally:
            await adviser.close()

    return asyncio.run(once())


PLAY = Action(ActionKind.PLAY, 0, (0,))


def test_the_gateway_is_asked_what_it_understands(gateway: Gateway) -> None:
    run = a_hand()
    adviser = GatewayAdviser(gateway.url, 0.5)
    for _ in range(4):
        adviser.wants(run, 1.0, 5.0)
    advised = ask(adviser, run, PLAY)
    legal = considered(run, PLAY)
    assert advised == Advised(legal[-1], True, "a1")
    assert run.is_legal(legal[-1])
    question = gateway.asked[0]
    assert (question.preferred, question.decisions, len(question.legal)) == (0, 4, len(legal))
    assert question.deadline_ms == 1950
    assert {action.kind for action in legal} == {ActionKind.PLAY, ActionKind.DISCARD}


def test_who_is_unsure_and_has_time_asks(gateway: Gateway) -> None:
    adviser = GatewayAdviser(gateway.url, 0.5)
    run = a_hand()
    assert adviser.wants(run, 0.4, 1.0)
    assert not adviser.wants(run, 0.9, 1.0)
    assert not adviser.wants(run, 0.4, 0.03)


@pytest.mark.parametrize(
    ("source", "used", "asked"),
    [
        ("claude", True, True),
        ("cache:exact", True, False),
        ("graph", False, False),
        ("strategist", False, False),
    ],
)
def test_only_claudes_opinion_counts(
    gateway: Gateway, source: str, used: bool, asked: bool
) -> None:
    gateway.answer = {"source": source}
    advised = ask(GatewayAdviser(gateway.url, 0.5), a_hand(), PLAY)
    assert (advised.action is not None, advised.asked_claude) == (used, asked)


@pytest.mark.parametrize("fault", ["status", "late", "nonsense", "away", "index"])
def test_a_gateway_with_a_fault_costs_no_decision(gateway: Gateway, fault: str) -> None:
    url = gateway.url
    match fault:
        case "status":
            gateway.status = 500
        case "late":
            gateway.delay_s = 0.5
        case "nonsense":
            gateway.answer = {"source": "oracle"}
        case "index":
            gateway.answer = {"index": 500, "source": "claude"}
        case "away":
            url = "http://127.0.0.1:9"
    adviser = GatewayAdviser(url, 0.0)
    assert ask(adviser, a_hand(), PLAY, 0.2).action is None
    if fault != "index":
        assert not adviser.wants(a_hand(), 0.1, 5.0)  # it is left alone for a while
