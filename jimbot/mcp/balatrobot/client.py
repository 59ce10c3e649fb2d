"""A client for BalatroBot's interface: calls, and what it is safe to repeat."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

import httpx

from jimbot.errors import JimbotError
from jimbot.mcp.balatrobot import PORT

_log = logging.getLogger(__name__)

# Asking again changes nothing; anything else may have happened although no answer came.
SAFE: Final = frozenset({"health", "gamestate", "rpc.discover"})
_RETRY_FIRST_S: Final = 0.1
_RETRY_LIMIT_S: Final = 2.0


class GameUnreachable(JimbotError):
    """No answer came; whether the request was carried out is not known."""


class GameRefused(JimbotError):
    """The game answered with an error; `name` is BalatroBot's, e.g. `NOT_ALLOWED`."""

    def __init__(self, name: str, message: str, code: int) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.code = code


class Client:
    """Calls the game at `host`:`port`, each call over a connection of its own.

    Args:
        timeout: seconds that an answer may take; the real game plays its animations first.
        patience: seconds for which a safe call is tried again while the game is away.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = PORT,
        *,
        timeout: float = 30.0,
        patience: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = f"http://{host}:{port}"
        self._patience = patience
        self._sleep = sleep
        self._id = 0
        # Never through a proxy, and never by a name from ~/.netrc.
        self._http = httpx.Client(timeout=timeout, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, **params: Any) -> Any:
        """The result of a method; a safe one is asked again until the game answers.

        Raises:
            GameRefused: the game's error.
            GameUnreachable: no answer came in time, or none that can be understood.
        """
        if method not in SAFE:
            return self._call(method, params)
        end = time.monotonic() + self._patience
        wait = _RETRY_FIRST_S
        while True:
            try:
                return self._call(method, params)
            except GameUnreachable as error:
                if time.monotonic() + wait > end:
                    raise
                if wait == _RETRY_FIRST_S:
                    _log.warning("%s; trying again", error.message)
            self._sleep(wait)
            wait = min(wait * 2, _RETRY_LIMIT_S)

    def _call(self, method: str, params: dict[str, Any]) -> Any:
        self._id += 1
        request = {"jsonrpc": "2.0", "method": method, "params": params, "id": self._id}
        hint = "Start Balatro with the BalatroBot mod, or: jimbot game serve"
        try:
            answer = self._http.post(self.url, json=request, headers={"Connection": "close"})
            body = answer.json()
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            raise GameUnreachable(
                f"no answer to {method} from {self.url}: {error or type(error).__name__}", hint=hint
            ) from error
        if isinstance(body, dict) and isinstance(body.get("error"), dict):
            refusal = body["error"]
            data, code = refusal.get("data"), refusal.get("code")
            raise GameRefused(
                str(data.get("name", "INTERNAL_ERROR"))[:200]
                if isinstance(data, dict)
                else "INTERNAL_ERROR",
                str(refusal.get("message", ""))[:1000],
                code if isinstance(code, int) else 0,
            )
        if not isinstance(body, dict) or "result" not in body or body.get("id") != self._id:
            raise GameUnreachable(f"{self.url} does not speak BalatroBot's interface", hint=hint)
        return body["result"]
