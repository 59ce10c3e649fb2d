"""Silences: what nobody wants to hear of for a while. A file in the home, safe to write from any
process; analytics reads it at every look."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from jimbot.appliance import Home
from jimbot.errors import JimbotError
from jimbot.files import write_whole


class SilenceError(JimbotError):
    """The silences cannot be read or written."""


class Silence(BaseModel):
    """Mutes alerts of `rule` (empty: of any) that have at least these labels. Times are seconds
    since 1970."""

    id: str
    rule: str
    labels: dict[str, str] = {}
    until: float
    created: float
    reason: str = ""

    def mutes(self, rule: str, labels: Mapping[str, str]) -> bool:
        same_rule = not self.rule or self.rule == rule
        return same_rule and self.labels.items() <= labels.items()


_LIST = TypeAdapter(list[Silence])


def read(home: Home, now: float) -> list[Silence]:
    """Those that have not ended.

    Raises:
        SilenceError: the file is damaged; as long as it is, nothing is muted.
    """
    path = _path(home)
    try:
        found = _LIST.validate_json(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValidationError) as error:
        raise SilenceError(f"cannot read {path}: {error}", hint="Mend it or remove it") from error
    return [one for one in found if one.until > now]


def add(
    home: Home,
    rule: str,
    labels: Mapping[str, str],
    seconds: float,
    reason: str = "",
    *,
    now: float | None = None,
) -> Silence:
    """Mute from now on, for so many seconds."""
    now = time.time() if now is None else now
    new = Silence(
        id=os.urandom(4).hex(),
        rule=rule,
        labels=dict(labels),
        until=now + seconds,
        created=now,
        reason=reason,
    )
    with _changing(home):
        _write(home, [*read(home, now), new])
    return new


def remove(home: Home, silence_id: str, *, now: float | None = None) -> Silence:
    """End a silence.

    Raises:
        SilenceError: there is none of that id.
    """
    now = time.time() if now is None else now
    with _changing(home):
        there = read(home, now)
        for one in there:
            if one.id == silence_id:
                _write(home, [other for other in there if other is not one])
                return one
    raise SilenceError(f"no silence {silence_id!r}", hint="See: jimbot alerts list")


def _path(home: Home) -> Path:
    return home.path / "alerts" / "silences.json"


def _write(home: Home, silences: list[Silence]) -> None:
    text = json.dumps([one.model_dump() for one in silences], indent=1)
    write_whole(_path(home), text.encode())


@contextmanager
def _changing(home: Home) -> Iterator[None]:
    try:
        _path(home).parent.mkdir(parents=True, exist_ok=True)
        with _path(home).with_suffix(".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise SilenceError(
            f"cannot write {_path(home)}: {error.strerror}", hint="Is the disk full, or not yours?"
        ) from error
