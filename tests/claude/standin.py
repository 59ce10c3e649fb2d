"""A stand-in for the Messages API: what it speaks on the wire, with every way to fail.

Its manners are a list, one a request, then `otherwise` for ever. The real SDK is pointed at it by
base URL; nothing of it is part of JimBot.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from jimbot.service import serving

Answer = Callable[[dict[str, Any]], object]

ERRORS = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error",
    403: "permission_error", 404: "not_found_error", 413: "request_too_large",
    429: "rate_limit_error", 500: "api_error", 529: "overloaded_error",
}  # fmt: skip
USAGE = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 1200,
    "output_tokens": 60,
}


def questions(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The questions of an `advise` request, as they were sent."""
    return [json.loads(line) for line in body["messages"][0]["content"].splitlines()]


def choose(action: int, confidence: float = 0.7) -> Answer:
    """Answers every question with this action."""

    def answer(body: dict[str, Any]) -> object:
        return {
            "answers": [
                {
                    "question": asked["question"], "action": action, "reasoning": "because",
                    "confidence": confidence, "alternative": None,
                }
                for asked in questions(body)
            ]
        }  # fmt: skip

    return answer


@dataclass
class Manner:
    """How one request is treated.

    status: an error's HTTP status; 200 streams a message.
    wait_s: before the first byte. headers: of an error.
    cut: break the connection off `before` any event, or `after` some of the tool's input.
    raw: the tool input's JSON text as it is. stop: the stop reason.
    midway: an error event in the middle of the stream, after its start.
    """

    answer: Answer = field(default_factory=lambda: choose(1))
    status: int = 200
    wait_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    cut: str = ""
    raw: str | None = None
    stop: str = "tool_use"
    midway: str = ""


class Standin:
    """The server's side, and what it has seen."""

    def __init__(self) -> None:
        self.manners: list[Manner] = []
        self.otherwise = Manner()
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.batches: dict[str, list[dict[str, Any]]] = {}
        self.analysis: object = None
        self.port = 0
        self.running = 0
        self.most_running = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def app(self) -> FastAPI:
        api = FastAPI()
        api.post("/v1/messages")(self._messages)
        api.post("/v1/messages/count_tokens")(self._count)
        api.post("/v1/messages/batches")(self._create)
        api.get("/v1/messages/batches/{batch}")(self._retrieve)
        api.get("/v1/messages/batches/{batch}/results")(self._results)
        return api

    async def _messages(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        self.keys.append(_key(request))
        _like_the_real_one(body)
        manner = self.manners.pop(0) if self.manners else self.otherwise
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(manner.wait_s)
        finally:
            self.running -= 1
        if manner.status != 200:
            return _error(manner.status, manner.headers)
        return StreamingResponse(self._events(manner, body), media_type="text/event-stream")

    async def _events(self, manner: Manner, body: dict[str, Any]) -> AsyncIterator[str]:
        if manner.cut == "before":
            raise ConnectionAbortedError
        for event in _stream(manner, body):
            yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
            if manner.midway and event["type"] == "message_start":
                error = {"type": "error", "error": {"type": manner.midway, "message": "sorry"}}
                yield f"event: error\ndata: {json.dumps(error)}\n\n"
                return
            if manner.cut == "after" and event["type"] == "content_block_delta":
                await asyncio.sleep(0.02)  # let it out before the connection goes
                raise ConnectionAbortedError

    async def _count(self, request: Request) -> dict[str, int]:
        body = await request.json()
        return {"input_tokens": len(json.dumps(body)) // 3}

    async def _create(self, request: Request) -> Response:
        body = await request.json()
        self.keys.append(_key(request))
        manner = self.manners.pop(0) if self.manners else self.otherwise
        if manner.status != 200:
            return _error(manner.status, manner.headers)
        batch = f"msgbatch_{len(self.batches) + 1}"
        self.batches[batch] = body["requests"]
        return JSONResponse(self._batch(batch))

    async def _retrieve(self, batch: str) -> dict[str, Any]:
        return self._batch(batch)

    async def _results(self, batch: str) -> Response:
        lines = []
        for request in self.batches[batch]:
            result: dict[str, Any] = {
                "type": "succeeded", "message": _message(self.analysis, "tool_use", "analyse")
            }  # fmt: skip
            if self.analysis is None:
                result = {"type": "expired"}
            lines.append(json.dumps({"custom_id": request["custom_id"], "result": result}))
        return Response("\n".join(lines) + "\n", media_type="application/x-jsonl")

    def _batch(self, batch: str) -> dict[str, Any]:
        return {
            "id": batch, "type": "message_batch", "processing_status": "ended",
            "created_at": "2026-11-24T00:00:00Z", "expires_at": "2026-11-25T00:00:00Z",
            "ended_at": "2026-11-24T00:01:00Z", "archived_at": None, "cancel_initiated_at": None,
            "results_url": f"{self.url}/v1/messages/batches/{batch}/results",
            "request_counts": {
                "processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0
            },
        }  # fmt: skip


@asynccontextmanager
async def standing_in() -> AsyncIterator[Standin]:
    """A stand-in on a free port of the loopback interface."""
    standin = Standin()
    async with serving(standin.app(), 0) as port:
        standin.port = port
        yield standin


def _key(request: Request) -> str:
    """The key as the SDK sends it; version 2 as a bearer token, older ones in their own header."""
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    return bearer or request.headers["x-api-key"]


def _like_the_real_one(body: dict[str, Any]) -> None:
    """The requests that the real API would refuse, as assertions."""
    assert re.fullmatch(r"claude-[a-z0-9-]+", body["model"])
    assert body["stream"] is True
    assert body["max_tokens"] >= 1
    assert body["tool_choice"]["type"] == "auto", "newer models refuse a forced tool"
    assert not {"temperature", "top_p", "top_k"} & body.keys(), "newer models refuse sampling"
    assert body["messages"][-1]["role"] == "user", "newer models refuse a prefilled answer"
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert len(body["system"][0]["text"]) > 512 * 4, "shorter ones are not cached"


def _error(status: int, headers: dict[str, str]) -> Response:
    error = {"type": ERRORS[status], "message": "sorry"}
    return JSONResponse(
        {"type": "error", "error": error, "request_id": "req_1"}, status, headers=headers
    )


def _message(tool_input: object, stop: str, tool: str) -> dict[str, Any]:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-standin",
        "content": [{"type": "tool_use", "id": "toolu_1", "name": tool, "input": tool_input}],
        "stop_reason": stop, "stop_sequence": None, "usage": dict(USAGE),
    }  # fmt: skip


def _stream(manner: Manner, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    message = _message({}, manner.stop, "advise") | {"content": [], "stop_reason": None}
    message["usage"] = USAGE | {"output_tokens": 1}
    yield {"type": "message_start", "message": message}
    if manner.stop == "tool_use":
        text = json.dumps(manner.answer(body)) if manner.raw is None else manner.raw
        block = {"type": "tool_use", "id": "toolu_1", "name": "advise", "input": {}}
        yield {"type": "content_block_start", "index": 0, "content_block": block}
        middle = len(text) // 2
        for part in (text[:middle], text[middle:]):
            delta = {"type": "input_json_delta", "partial_json": part}
            yield {"type": "content_block_delta", "index": 0, "delta": delta}
        yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": manner.stop, "stop_sequence": None},
        "usage": {"output_tokens": USAGE["output_tokens"]},
    }
    yield {"type": "message_stop"}
