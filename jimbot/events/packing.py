"""Payloads as they are stored: JSON, and beyond a size compressed with zstd."""

from __future__ import annotations

import json
import threading
from typing import Any

import zstandard

from jimbot.events.event import Event, EventError

COMPRESSED_FROM = 1024
"""Characters of JSON; below, what zstd saves is not worth its time."""

_LEVEL = 3
_LARGEST = 64 << 20  # decompressed: more than any frame that mcp takes
_own = threading.local()  # zstd's contexts are for one thread at a time


def encode(event: Event) -> tuple[str, bytes | None]:
    """A payload as `(JSON, None)`, or where that is large as `("", compressed JSON)`.

    Raises:
        EventError: it has no JSON form.
    """
    try:
        text = json.dumps(event.payload, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise EventError(f"event {event.event_id} cannot be written as JSON: {error}") from None
    if len(text) < COMPRESSED_FROM:
        return text, None
    return "", compress(text)


def decode(text: str | bytes, packed: bytes | None) -> dict[str, Any]:
    """The payload that `encode` stored.

    Raises:
        ValueError: it is damaged.
    """
    try:
        payload = json.loads(text if packed is None else decompress(packed))
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(payload, dict):
        raise ValueError("no object")
    return payload


def compress(text: str) -> bytes:
    if not hasattr(_own, "compressor"):
        _own.compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    return bytes(_own.compressor.compress(text.encode()))


def decompress(packed: bytes) -> str:
    if not hasattr(_own, "decompressor"):
        _own.decompressor = zstandard.ZstdDecompressor()
    try:
        # zstandard believes a size that the frame names, and asks for no limit then.
        if (named := zstandard.frame_content_size(packed)) > _LARGEST:
            raise ValueError(f"{named} bytes, at most {_LARGEST} are read")
        return bytes(_own.decompressor.decompress(packed, max_output_size=_LARGEST)).decode()
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
