"""The thin way to the Messages API, through the SDK: which key, which URL, what may be repeated.

A request is only made again when the first one certainly was not billed: it never reached the
other side, or was turned away (429, 5xx). What may have been billed is not repeated.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from jimbot.appliance.claude import ClaudeLimits
from jimbot.claude.keys import Key, KeyRing
from jimbot.claude.prices import UNUSED, Usage
from jimbot.errors import MissingExtra

if TYPE_CHECKING:
    import anthropic

_log = logging.getLogger(__name__)
T = TypeVar("T")

BACKOFF_FIRST_S = 0.25
# How long a key rests when the API limits it without saying for how long.
REST_S = 5.0
# How long it rests when its account cannot pay.
UNPAID_S = 600.0


class Failed(Exception):
    """A request brought no answer.

    Args:
        reason: a word for metrics; never holds anything of the request.
        usage: what it was billed, as far as is known; None when it may have been billed in full.
        theirs: it speaks of the other side's health, and counts for the breaker.
    """

    def __init__(self, reason: str, usage: Usage | None = UNUSED, *, theirs: bool = True) -> None:
        super().__init__(reason)
        self.reason, self.usage, self.theirs = reason, usage, theirs


class Reply(NamedTuple):
    """The tool call that came, and what it was billed; `status` says whether it is whole."""

    tool_input: object
    usage: Usage
    status: str


class _Again(Exception):
    """Not billed; another key or URL, or this one later, may do."""

    def __init__(self, reason: str, *, other_url: bool, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.other_url, self.wait_s = reason, other_url, wait_s


class Api:
    """Requests of one gateway. Without a usable key every request fails with `no key`."""

    def __init__(self, limits: ClaudeLimits, ring: KeyRing) -> None:
        self._limits = limits
        self._ring = ring
        self._sdk: Any = None
        self._http: Any = None
        self._clients: dict[tuple[str, str], anthropic.AsyncAnthropic] = {}

    @property
    def loaded(self) -> bool:
        return self._sdk is not None

    async def load(self) -> None:
        """Import the SDK, which takes over a second, without holding up the loop.

        Raises:
            MissingExtra: it is not installed.
        """
        if self._sdk is not None:
            return
        try:
            sdk, self._http = await asyncio.to_thread(_import, self._limits.request_timeout_s)
        except ImportError:
            raise MissingExtra("anthropic", "claude") from None
        # Their debug lines hold requests.
        for name in ("anthropic", "httpx2", "httpcore2"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._sdk = sdk

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()

    async def ask(
        self, model: str, text: str, *, system: list[Any], tool: dict[str, Any], max_tokens: int
    ) -> Reply:
        """One message; its answer is a call of `tool`.

        Raises:
            Failed: there is no answer.
        """
        parameters = self.parameters(model, text, system=system, tool=tool, max_tokens=max_tokens)

        async def once(client: anthropic.AsyncAnthropic) -> Reply:
            return await self._stream(client, parameters)

        return await self._try(once)

    async def count_tokens(
        self, model: str, text: str, *, system: list[Any], tool: dict[str, Any]
    ) -> int:
        """Tokens of a prompt, as the API counts them; costs nothing.

        Raises:
            Failed: there is no answer.
        """

        async def once(client: anthropic.AsyncAnthropic) -> int:
            counted = await client.messages.count_tokens(
                model=model,
                system=system,
                messages=[{"role": "user", "content": text}],
                tools=[tool],  # type: ignore[list-item]
            )
            return counted.input_tokens

        return await self._try(once)

    async def create_batch(self, requests: list[dict[str, Any]]) -> str:
        """Submit a message batch of `{custom_id, params}`; returns its id.

        Raises:
            Failed: it was not taken, or nobody knows.
        """

        async def once(client: anthropic.AsyncAnthropic) -> str:
            batch = await client.messages.batches.create(requests=requests)  # type: ignore[arg-type]
            return batch.id

        return await self._try(once)

    async def batch_ended(self, batch: str) -> bool:
        """Whether a batch has been worked off.

        Raises:
            Failed: there is no answer.
        """

        async def once(client: anthropic.AsyncAnthropic) -> bool:
            found = await client.messages.batches.retrieve(batch)
            return found.processing_status == "ended"

        return await self._try(once)

    async def batch_results(self, batch: str) -> dict[str, Reply]:
        """What came of each `custom_id` of a batch that has ended.

        Raises:
            Failed: there is no answer.
        """

        async def once(client: anthropic.AsyncAnthropic) -> dict[str, Reply]:
            found: dict[str, Reply] = {}
            async for line in await client.messages.batches.results(batch):
                if line.result.type == "succeeded":
                    found[line.custom_id] = _reply(line.result.message)
                else:
                    found[line.custom_id] = Reply(None, Usage(), line.result.type)
            return found

        return await self._try(once)

    def parameters(
        self, model: str, text: str, *, system: list[Any], tool: dict[str, Any], max_tokens: int
    ) -> dict[str, Any]:
        """The body of a message. The tool is offered, not forced: newer models refuse a forced
        one, and what comes back is checked in any case."""
        row = self._limits.models[model]
        body: dict[str, Any] = {
            "model": model,
            "max_tokens": max_tokens,
            "system": system,
            "messages": [{"role": "user", "content": text}],
            "tools": [tool],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        }
        if row.thinking:
            body["thinking"] = {"type": row.thinking}
        if row.effort:
            body["output_config"] = {"effort": row.effort}
        return body

    async def _try(self, once: Callable[[anthropic.AsyncAnthropic], Awaitable[T]]) -> T:
        """Keys and URLs in order, then again after a growing, jittered wait."""
        until = time.monotonic() + self._limits.request_timeout_s
        reason = "no key"
        for attempt in range(self._limits.retries + 1):
            wait_s = 0.0
            skip = ""
            for url, key in self._ways():
                if url == skip:
                    continue
                try:
                    async with asyncio.timeout(max(until - time.monotonic(), 0.001)):
                        return await self._judged(once, url, key)
                except _Again as again:
                    reason, wait_s = again.reason, max(wait_s, again.wait_s)
                    skip = url if again.other_url else ""
                except TimeoutError:
                    raise Failed("timeout", None) from None
            backoff = BACKOFF_FIRST_S * 2**attempt
            wait_s = max(wait_s, random.uniform(backoff / 2, backoff))
            if not self._ring.keys or time.monotonic() + wait_s >= until:
                break
            if attempt < self._limits.retries:
                await asyncio.sleep(wait_s)
        raise Failed(reason)

    def _ways(self) -> Iterator[tuple[str, Key]]:
        for url in self._limits.base_urls:
            for key in self._ring.usable:
                yield url, key

    def _client(self, url: str, key: Key) -> anthropic.AsyncAnthropic:
        secret = key.secret.get_secret_value()
        if (url, secret) not in self._clients:
            self._clients[url, secret] = self._sdk.AsyncAnthropic(
                api_key=secret,
                base_url=url,
                max_retries=0,
                timeout=self._limits.request_timeout_s,
                http_client=self._http,
                open_telemetry=False,
            )
        return self._clients[url, secret]

    async def _judged(
        self, once: Callable[[anthropic.AsyncAnthropic], Awaitable[T]], url: str, key: Key
    ) -> T:
        """One try, its failure put into one of our two kinds."""
        await self.load()
        import httpx2

        sdk = self._sdk
        try:
            return await once(self._client(url, key))
        except sdk.APIStatusError as error:
            raise self._status(error, key) from None
        except sdk.APIConnectionError as error:
            if isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout):
                raise _Again("unreachable", other_url=True) from None
            reason = "timeout" if isinstance(error, sdk.APITimeoutError) else "cut off"
            raise Failed(reason, None) from None
        except sdk.APIError:
            raise Failed("malformed", None) from None
        except httpx2.TimeoutException:
            raise Failed("timeout", None) from None
        except httpx2.HTTPError:
            raise Failed("cut off", None) from None

    def _status(self, error: anthropic.APIStatusError, key: Key) -> Exception:
        status = error.status_code
        if status in (401, 403):
            self._ring.refused(key)
            _log.warning("the API refuses a key", extra={"fields": {"key": key.name}})
            return _Again("key refused", other_url=False)
        if status == 402:
            self._ring.cool(key, UNPAID_S)
            return _Again("unpaid", other_url=False)
        if status == 429:
            rest = _retry_after(error.response.headers.get("retry-after"))
            self._ring.cool(key, rest)
            return _Again("rate limited", other_url=False, wait_s=rest)
        if status >= 500:
            reason = "overloaded" if status == 529 else "server error"
            return _Again(reason, other_url=True)
        return Failed("rejected", theirs=False)

    async def _stream(self, client: anthropic.AsyncAnthropic, parameters: dict[str, Any]) -> Reply:
        """Streamed, so that a request that breaks off has said what it was billed."""
        parameters = dict(parameters)
        async with client.messages.stream(**parameters) as stream:
            snapshot: Any = None
            try:
                async for event in stream:
                    if event.type == "message_start":
                        snapshot = stream.current_message_snapshot
            except (TimeoutError, asyncio.CancelledError):
                raise
            except Exception as error:
                if snapshot is None and isinstance(error, self._sdk.APIStatusError):
                    raise _Again("overloaded", other_url=True) from None
                reason = "malformed" if isinstance(error, ValueError) else "cut off"
                billed = None if snapshot is None else _usage(snapshot.usage)
                raise Failed(reason, billed) from None
        if snapshot is None:
            raise Failed("cut off", None)
        return _reply(snapshot)


def _import(timeout_s: float) -> tuple[Any, Any]:
    """The SDK with the parts that it would import at the first request, and a connection pool."""
    sdk = importlib.import_module("anthropic")
    for part in ("resources.messages", "lib.streaming", "types.messages", "types.shared"):
        importlib.import_module(f"anthropic.{part}")
    return sdk, sdk.DefaultAsyncHttpxClient(timeout=timeout_s, follow_redirects=False)


def _reply(message: Any) -> Reply:
    status = {"tool_use": "ok", "refusal": "refusal", "max_tokens": "too long", None: "cut off"}
    calls = [block.input for block in message.content if block.type == "tool_use"]
    found = status.get(message.stop_reason, "no answer")
    if found == "ok" and len(calls) != 1:
        found = "no answer"
    return Reply(calls[0] if found == "ok" else None, _usage(message.usage), found)


def _usage(usage: Any) -> Usage:
    return Usage(
        usage.input_tokens or 0,
        usage.output_tokens or 0,
        usage.cache_creation_input_tokens or 0,
        usage.cache_read_input_tokens or 0,
    )


def _retry_after(header: str | None) -> float:
    try:
        return max(float(header or REST_S), 0.0)
    except ValueError:
        return REST_S
