"""Sizes from one look to the next, so that growth is seen: of memory by service, of the disk."""

from __future__ import annotations

import time
from pathlib import Path

from pydantic import BaseModel, ValidationError

from jimbot import usage
from jimbot.appliance import Home
from jimbot.files import write_whole

_KEPT = 2000
_APART_S = 60.0


class Memory(BaseModel):
    """A service's memory in bytes; `started` tells one process from the next."""

    started: float
    bytes: int


class Vitals(BaseModel):
    """One look: seconds since 1970, bytes."""

    time: float
    free: int
    home: dict[str, int]
    memory: dict[str, Memory]


def file(home: Home) -> Path:
    return home.path / "doctor" / "vitals.jsonl"


def read(home: Home) -> list[Vitals]:
    """What was seen, oldest first; lines that cannot be read are passed over."""
    try:
        lines = file(home).read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(Vitals.model_validate_json(line))
        except ValidationError:
            continue
    return found


def look(home: Home) -> Vitals:
    used, size = usage.disk(home)
    return Vitals(
        time=time.time(),
        free=size - used,
        home=usage.storage(home),
        memory={
            one.service: Memory(started=one.started, bytes=one.memory)
            for one in usage.of_services(home)
        },
    )


def remember(home: Home) -> None:
    """Write down how it is, where there is a home to write to; once a minute at most."""
    if not home.path.is_dir():
        return
    known = read(home)
    if known and 0 <= time.time() - known[-1].time < _APART_S:
        return
    known = [*known, look(home)][-_KEPT:]
    text = "".join(f"{each.model_dump_json()}\n" for each in known)
    try:
        write_whole(file(home), text.encode())
    except OSError:
        return  # a full disk is for the check of the disk to say


def slope(points: list[tuple[float, float]]) -> float | None:
    """Growth a second, by least squares; None with fewer than three points."""
    if len(points) < 3:
        return None
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if not spread:
        return None
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
