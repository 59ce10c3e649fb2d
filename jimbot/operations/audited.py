"""Leaving a record of a management action, whatever comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jimbot.appliance import Home


@contextmanager
def audited(home: Home, action: str, **before: Any) -> Iterator[dict[str, Any]]:
    """Record what the block does; what it puts into the dictionary is the record's `after`.

    Args:
        before: what was asked for.
    """
    after: dict[str, Any] = {}
    result = "failed"
    try:
        yield after
        result = after.pop("result", "ok")
    except BaseException as error:
        after["error"] = str(error) or type(error).__name__
        raise
    finally:
        from jimbot.security import audit

        audit.record(home, action=action, result=result, before=before, after=after)
