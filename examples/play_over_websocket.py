"""A game that asks JimBot what to do: the smallest client of the WebSocket protocol.

Run mcp (`jimbot serve mcp`, or `jimbot up`), then:

    python examples/play_over_websocket.py ws://127.0.0.1:8765

The game here is JimBot's simulator; a mod's author puts the real one in its place, and follows
docs/mcp.md and docs/schema. Only `websockets` and the game are needed.
"""

from __future__ import annotations

import json
import sys
import time
import uuid

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from jimbot.mcp.balatrobot.methods import Game
from jimbot.mcp.balatrobot.server import LocalFiles

URL = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765"


class JimBot:
    """A session with mcp, which lives on when the connection drops."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: str | None = None
        self._socket: ClientConnection | None = None
        self._unacknowledged: dict[str, str] = {}  # event id → the event, until it is stored

    def report(self, kind: str, payload: dict[str, object]) -> None:
        """Tell what happened; it is kept until JimBot has it on the disk."""
        event_id = f"{time.time_ns():x}-{uuid.uuid4().hex[:8]}"
        event = {
            "type": kind,
            "source": "example",
            "event_id": event_id,
            "timestamp": time.time_ns() // 1_000_000,
            "version": 1,
            "payload": payload,
        }
        self._unacknowledged[event_id] = json.dumps(event)
        self._say(self._unacknowledged[event_id])

    def decide(self, state: dict[str, object]) -> dict[str, object]:
        """Ask what to do in a state (BalatroBot's GameState)."""
        request_id = uuid.uuid4().hex
        asked = {"type": "decide", "request_id": request_id, "state": state, "deadline_ms": 1000}
        while True:
            self._say(json.dumps(asked))
            try:
                while True:
                    message = self._hear()
                    if message.get("request_id") == request_id:
                        if message["type"] == "error":
                            raise SystemExit(f"no decision: {message['reason']}")
                        return message
            except ConnectionClosed:
                self._socket = None  # asking again does no harm: a decision changes nothing

    def finish(self) -> None:
        """Wait until all that was reported is stored."""
        while self._unacknowledged:
            try:
                self._hear()
            except ConnectionClosed:
                self._socket = None

    def _say(self, frame: str) -> None:
        while True:
            try:
                self._connected().send(frame)
                return
            except ConnectionClosed:
                self._socket = None

    def _hear(self) -> dict[str, object]:
        message: dict[str, object] = json.loads(self._connected().recv(timeout=30))
        if message["type"] == "ack":
            for event_id in message["event_ids"]:  # type: ignore[attr-defined]
                self._unacknowledged.pop(event_id, None)
        elif message["type"] == "error" and "event_id" in message:
            print("refused:", message["reason"], file=sys.stderr)
            self._unacknowledged.pop(str(message["event_id"]), None)
        return message

    def _connected(self) -> ClientConnection:
        wait = 0.1
        while self._socket is None:
            try:
                socket = connect(self._url, compression=None, proxy=None)
            except OSError as error:
                if wait > 5:
                    raise SystemExit(f"{self._url} does not answer: {error}") from error
                time.sleep(wait)
                wait *= 2
                continue
            hello = {
                "type": "hello",
                "protocol": 1,
                "client": "example",
                "capabilities": ["events", "decisions"],
            }
            if self._session is not None:
                hello["session"] = self._session
            socket.send(json.dumps(hello))
            welcome = json.loads(socket.recv(timeout=10))
            if welcome["type"] != "welcome":
                raise SystemExit(f"not welcome: {welcome['reason']}")
            self._session = welcome["session"]
            self._socket = socket
            for event in self._unacknowledged.values():
                socket.send(event)  # sent twice is stored once
        return self._socket


def main() -> None:
    game = Game(LocalFiles())
    state = game.call("start", {"deck": "RED", "stake": "WHITE"})
    jimbot = JimBot(URL)
    decisions = 0
    while state["state"] != "GAME_OVER" and not state["won"]:
        decision = jimbot.decide(state)
        decisions += 1
        action = decision["action"]
        print(f"{state['state']:<22} {json.dumps(action)}  sure: {decision['confidence']}")
        before = state
        state = game.call(action["method"], action["params"])  # type: ignore[index]
        if state["money"] != before["money"]:
            money = {"old_value": before["money"], "new_value": state["money"]}
            jimbot.report(
                "MONEY_CHANGED", {**money, "difference": state["money"] - before["money"]}
            )
    jimbot.finish()
    print(f"{decisions} decisions; the run ended in ante {state['ante_num']}")


if __name__ == "__main__":
    main()
