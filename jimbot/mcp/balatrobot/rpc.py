"""JSON-RPC 2.0 as BalatroBot speaks it, without a socket: a request's body in, an answer's out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, Literal

from jimbot.errors import JimbotError

ErrorName = Literal["INTERNAL_ERROR", "BAD_REQUEST", "INVALID_STATE", "NOT_ALLOWED"]

CODES: Final[dict[ErrorName, int]] = {
    "INTERNAL_ERROR": -32000,
    "BAD_REQUEST": -32001,
    "INVALID_STATE": -32002,
    "NOT_ALLOWED": -32003,
}


class Refused(JimbotError):
    """A request that is answered with an error, by its BalatroBot name."""

    def __init__(self, name: ErrorName, message: str) -> None:
        super().__init__(message)
        self.name = name


def answer(body: bytes, call: Callable[[str, Any], Any]) -> bytes:
    """Answer one request; `call` performs a method with its params, or raises Refused."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, (dict, list)):
        return error("BAD_REQUEST", "Invalid JSON in request body")
    if isinstance(request, list) or request.get("jsonrpc") != "2.0":
        echo = request.get("id") if isinstance(request, dict) else None
        return error("BAD_REQUEST", "Invalid JSON-RPC version: expected '2.0'", echo)
    id = request.get("id")
    if id is None:
        return error("BAD_REQUEST", "Invalid Request: 'id' field is required")
    if isinstance(id, bool) or not isinstance(id, (int, float, str)):
        return error("BAD_REQUEST", "Invalid Request: 'id' must be an integer or string")
    if isinstance(id, float) and not id.is_integer():
        return error("BAD_REQUEST", "Invalid Request: 'id' must be an integer, not a float")
    method = request.get("method")
    if not isinstance(method, str):
        return error("BAD_REQUEST", "Request missing 'method' field", id)
    try:
        result = call(method, request.get("params"))
    except Refused as refusal:
        return error(refusal.name, refusal.message, id)
    except Exception as fault:  # the interface's word for a fault of the game
        return error("INTERNAL_ERROR", f"{type(fault).__name__}: {fault}", id)
    return _encode({"jsonrpc": "2.0", "result": result, "id": id})


def error(name: ErrorName, message: str, id: object = None) -> bytes:
    """The body of an error."""
    return _encode(
        {
            "jsonrpc": "2.0",
            "error": {"code": CODES[name], "message": message, "data": {"name": name}},
            "id": id if isinstance(id, (int, float, str)) else None,
        }
    )


def _encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
