"""Services' logs: one file of JSON lines each, turned over, compressed, thrown away in time, read.

The supervisor hands every service a pipe (`Pipe`), whose other end writes to a `LogFile`. So one
process writes a file, which makes turning it over safe, and what is no JSON (a library's print, a
traceback from C) becomes a line like every other.
"""

from __future__ import annotations

import asyncio
import gzip
import heapq
import json
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

from jimbot.appliance import Home
from jimbot.appliance.logs import Logs
from jimbot.operations import journal

_log = logging.getLogger(__name__)

LEVELS = ("debug", "info", "warning", "error", "critical")

EVENT_LOG = "event-log"
"""Who says what the event log holds, among the lines of services."""

# Requests to Claude after a game's start that are looked through for it.
_REQUESTS = 10_000
# A line longer than this is cut: one runaway line must not fill the memory.
LONGEST = 256 * 1024
_READ = 64 * 1024
_STAMP = "%Y%m%dT%H%M%S%fZ"
_OLD = re.compile(r"(?P<service>.+)\.(?P<stamp>\d{8}T\d{12}Z)\.jsonl(\.gz)?")
_CORRELATION = re.compile(rb'"correlation_id": "([^"]*)"')
_LOUD = re.compile(r"\b(CRITICAL|FATAL|ERROR|WARNING|WARN)\b")
_LEVEL_OF = {"FATAL": "critical", "WARN": "warning"}

Sift = Callable[[bytes], bool]


class LogFile:
    """What one service said: `<home>/logs/<service>.jsonl`, and its older files beside it.

    Never raises for a full or broken disk: a service's output must not stop the supervisor. What
    could not be written is counted, and the count is written when writing works again.

    Args:
        limits: when to turn over and what to keep; nothing is ever turned over without.
    """

    def __init__(self, home: Home, service: str, limits: Logs | None = None) -> None:
        self.path = home.logs / f"{service}.jsonl"
        self._service = service
        self._limits = limits
        self._file: IO[bytes] | None = None
        self._size = 0
        self._part = b""
        self._lost = 0
        self._tidying: threading.Thread | None = None
        self._tidy_soon()

    def write(self, data: bytes) -> None:
        """Take some of the service's output; a line is written when it is whole."""
        *lines, self._part = (self._part + data).split(b"\n")
        if len(self._part) > LONGEST:
            lines.append(self._part)
            self._part = b""
        whole = [self._as_json(line) for line in lines if line.strip()]
        if whole:
            self._append(b"".join(whole), len(whole))

    def close(self) -> None:
        """Write what has no line end yet, and wait for a compression that runs."""
        if self._part:
            self.write(b"\n")
        if self._file:
            self._file.close()
            self._file = None
        if self._tidying:
            self._tidying.join()

    def _append(self, text: bytes, lines: int) -> None:
        try:
            if self._limits and self._size + len(text) > self._limits.rotate_mb * (1 << 20):
                self._turn_over()
            file = self._opened()
            if self._lost:
                said = f"{self._lost} lines before this one could not be written"
                text = _record(self._service, said, "error") + text
            file.write(text)
            file.flush()
            self._size += len(text)
            self._lost = 0
        except OSError as error:
            if not self._lost:
                _log.error("the log of %s cannot be written: %s", self._service, error)
            self._lost += lines
            self._drop_file()

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._file = self.path.open("ab")
            self._size = self._file.tell()
            if self._size and not _ends_a_line(self.path):
                self._file.write(b"\n")  # its writer was cut off in the middle of a line
        return self._file

    def _drop_file(self) -> None:
        if self._file:
            with suppress(OSError):
                self._file.close()
        self._file = None

    def _turn_over(self) -> None:
        self._opened().close()
        self._file = None
        stamp = datetime.now(UTC).strftime(_STAMP)
        if self.path.stat().st_size:
            self.path.rename(self.path.with_name(f"{self._service}.{stamp}.jsonl"))
        self._size = 0
        self._tidy_soon()

    def _tidy_soon(self) -> None:
        """Compress and throw away in a thread; one at a time, since files are few."""
        if self._limits is None or (self._tidying and self._tidying.is_alive()):
            return
        self._tidying = threading.Thread(
            target=tidy, args=(self.path.parent, self._service, self._limits), daemon=True
        )
        self._tidying.start()

    def _as_json(self, line: bytes) -> bytes:
        line = line.rstrip(b"\r")
        if line.startswith(b'{"time"') and line.endswith(b"}") and len(line) <= LONGEST:
            return line + b"\n"
        text = line[:LONGEST].decode("utf-8", errors="replace")
        loud = _LOUD.search(text)
        level = _LEVEL_OF.get(loud[1], loud[1].lower()) if loud else "info"
        return _record(self._service, text, level)


def _record(service: str, message: str, level: str) -> bytes:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"time": now, "level": level, "service": service, "message": message}
    return json.dumps(line).encode() + b"\n"


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def tidy(folder: Path, service: str, limits: Logs) -> None:
    """Compress a service's old files, and remove those that are too old or too many."""
    try:
        for path in _old_files(folder, service):
            if path.suffix != ".gz":
                _compress(path)
        oldest = time.time() - limits.days_kept * 86_400
        room = limits.most_mb * (1 << 20)
        for path in reversed(_old_files(folder, service)):  # the newest first
            room -= path.stat().st_size
            if room < 0 or _turned_over_at(path) < oldest:
                path.unlink()
    except OSError as error:
        _log.warning("the old logs of %s could not be tidied: %s", service, error)


def _compress(path: Path) -> None:
    """Beside it first, then in its place: a power cut leaves one or the other."""
    whole = path.with_name(path.name + ".gz")
    new = path.with_name(path.name + ".gz.new")
    with path.open("rb") as source, gzip.open(new, "wb", compresslevel=6) as target:
        shutil.copyfileobj(source, target)
    new.rename(whole)
    path.unlink()


def _old_files(folder: Path, service: str) -> list[Path]:
    """A service's files that were turned over, oldest first."""
    found = []
    for path in folder.glob(f"{service}.*.jsonl*"):
        match = _OLD.fullmatch(path.name)
        if match and match["service"] == service:
            found.append(path)
    return sorted(found)


def _turned_over_at(path: Path) -> float:
    match = _OLD.fullmatch(path.name)
    assert match
    return datetime.strptime(match["stamp"], _STAMP).replace(tzinfo=UTC).timestamp()


class Pipe:
    """From a process' output to its `LogFile`, read on the running event loop.

    Give `write_end` to the process as stdout and stderr, then call `started`. What it leaves
    behind (a grandchild that keeps the pipe open) delays nobody.
    """

    def __init__(self, sink: LogFile) -> None:
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._ended = asyncio.Event()
        self._loop.add_reader(self._read_end, self._read)

    def started(self) -> None:
        """The process has its end: let go of ours, so that the pipe ends with the process."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    async def drained(self, timeout_s: float = 1.0) -> bool:
        """Wait until all that was said is written; False if somebody still holds the pipe."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), timeout_s)
        return self._ended.is_set()

    def close(self) -> None:
        """Take what is there, and stop listening."""
        self.started()
        if not self._ended.is_set():
            self._read()
        self._end()

    def _read(self) -> None:
        try:
            while data := os.read(self._read_end, _READ):
                self._sink.write(data)
                if len(data) < _READ:
                    return
        except BlockingIOError:
            return
        self._end()

    def _end(self) -> None:
        if not self._ended.is_set():
            self._loop.remove_reader(self._read_end)
            os.close(self._read_end)
            self._ended.set()


class Line(NamedTuple):
    """One line of a log. `fields` is all that it holds; a line that is no JSON has a message."""

    time: datetime
    level: str
    service: str
    message: str
    fields: dict[str, Any]


class Wanted(NamedTuple):
    """Which lines are asked for; empty and None mean: all.

    `level` is the lowest; `related` are correlation ids that belong to the game as well.
    """

    services: Collection[str] = ()
    since: datetime | None = None
    level: str = ""
    game: str = ""
    related: frozenset[str] = frozenset()

    def takes(self, line: Line) -> bool:
        if self.since and line.time < self.since:
            return False
        if self.level and _rank(line.level) < _rank(self.level):
            return False
        if self.game:
            same = self.game in (line.fields.get("game"), *_listed(line.fields.get("games")))
            return same or line.fields.get("correlation_id") in self.related
        return True


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _rank(level: str) -> int:
    """A level that nobody knows is shown rather than hidden."""
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)


def services(home: Home) -> list[str]:
    """Whoever has a log: files that the supervisor wrote, else units in the journal."""
    return _with_files(home) or journal.services()


def _with_files(home: Home) -> list[str]:
    names = set()
    for path in home.logs.glob("*.jsonl*"):
        match = _OLD.fullmatch(path.name)
        if match or path.suffix == ".jsonl":
            names.add(match["service"] if match else path.stem)
    return sorted(names)


def read(home: Home, wanted: Wanted) -> Iterator[Line]:
    """The lines that are wanted, of all services together, in order of time."""
    if wanted.game and not wanted.related:
        wanted = wanted._replace(related=correlated(home, wanted))
    sift = _sift(wanted)
    each = [_lines(home, name, wanted.since, sift) for name in _asked(home, wanted)]
    for line in heapq.merge(*each, key=lambda line: line.time):
        if wanted.takes(line):
            yield line


def _asked(home: Home, wanted: Wanted) -> Collection[str]:
    return wanted.services or services(home)


def correlated(home: Home, wanted: Wanted) -> frozenset[str]:
    """The correlation ids of the lines that name the game."""
    found: set[str] = set()
    for name in services(home):
        for line in _lines(home, name, wanted.since, _sift(wanted)):
            if line.fields.get("game") == wanted.game and line.fields.get("correlation_id"):
                found.add(str(line.fields["correlation_id"]))
    return frozenset(found)


def _sift(wanted: Wanted) -> Sift:
    """Whether a line's text may be wanted: quicker than taking every line apart to see that one in
    a hundred thousand is of the game."""
    game = json.dumps(wanted.game).encode()
    related = {one.encode() for one in wanted.related}

    def sift(text: bytes) -> bool:
        if not wanted.game or game in text:
            return True
        found = _CORRELATION.search(text) if related else None
        return found is not None and found[1] in related

    return sift


def _lines(home: Home, service: str, since: datetime | None, sift: Sift) -> Iterator[Line]:
    if not _with_files(home):
        if service in journal.services():
            yield from _parsed(journal.read(service, since), service, sift)
        return
    for path in [*_old_files(home.logs, service), home.logs / f"{service}.jsonl"]:
        if since and _OLD.fullmatch(path.name) and _turned_over_at(path) < since.timestamp():
            continue
        yield from _parsed(_texts(path), service, sift)


def _parsed(texts: Iterable[bytes], service: str, sift: Sift) -> Iterator[Line]:
    before = datetime.fromtimestamp(0, UTC)
    for text in texts:
        if sift(text):
            line = parse(text, service, before)
            before = line.time
            yield line


def _texts(path: Path) -> Iterator[bytes]:
    """A file's lines; none of one that was removed meanwhile."""
    if path.suffix != ".gz" and not path.exists():
        path = path.with_name(path.name + ".gz")  # compressed since it was listed
    opened = gzip.open if path.suffix == ".gz" else open
    with suppress(FileNotFoundError), opened(path, "rb") as file:
        yield from file


def parse(text: bytes, service: str, before: datetime) -> Line:
    """One line; `before` is its time where it tells none."""
    try:
        fields = json.loads(text)
        when = datetime.fromisoformat(fields["time"])
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, TypeError, KeyError):
        message = text.decode("utf-8", errors="replace").rstrip()
        return Line(before, "info", service, message, {"service": service, "message": message})
    level, message = str(fields.get("level", "info")), str(fields.get("message", ""))
    return Line(when, level, str(fields.get("service", service)), message, fields)


def events_of(home: Home, game: str) -> list[Line]:
    """What the event log holds of a game, as lines of `event-log`: its own events, and the
    requests to Claude that were made for it.

    Raises:
        LogError: the log cannot be read.
    """
    from jimbot.events import LogMissing, open_log
    from jimbot.events.payloads import CLAUDE_REQUEST, game_stream

    try:
        log = open_log(home, read_only=True)
    except LogMissing:
        return []
    try:
        mine = log.read_stream(game_stream(game))
        if mine:
            asked = log.read(after=mine[0].position, limit=_REQUESTS, types=[CLAUDE_REQUEST])
            mine += [one for one in asked if game in one.event.payload.get("game_ids", ())]
    finally:
        log.close()
    lines = []
    for one in mine:
        event = one.event
        when = datetime.fromtimestamp(event.timestamp / 1000, UTC)
        fields = {
            "time": when.isoformat(timespec="milliseconds"),
            "level": "info",
            "service": EVENT_LOG,
            "message": event.type,
            "game": game,
            "source": event.source,
            "event_id": event.event_id,
            "position": one.position,
            "payload": event.payload,
        }
        lines.append(Line(when, "info", EVENT_LOG, event.type, fields))
    return lines


class Follower:
    """New lines as they come, of the services that are wanted, and of those that start later.

    Call `poll` again and again; it returns what is new. Files that are turned over are read to
    their end first.
    """

    def __init__(self, home: Home, wanted: Wanted) -> None:
        self._home = home
        self._wanted = wanted
        self._open: dict[str, IO[bytes]] = {}
        self._parts: dict[str, bytes] = {}
        files = _with_files(home)
        self._journal = journal.Tail() if not files and journal.services() else None
        for name in wanted.services or files:
            self._attach(name, at_end=True)

    def poll(self) -> list[Line]:
        found = self._from_journal()
        for name in self._wanted.services or _with_files(self._home):
            if name not in self._open and not self._attach(name, at_end=False):
                continue
            found += self._rest(name)
            if self._replaced(name):
                found += self._rest(name)  # written between the two looks
                self._open.pop(name).close()
                if self._attach(name, at_end=False):
                    found += self._rest(name)
        self._relate(found)
        return sorted((it for it in found if self._wanted.takes(it)), key=lambda it: it.time)

    def close(self) -> None:
        for file in self._open.values():
            file.close()
        if self._journal:
            self._journal.close()

    def _relate(self, lines: Iterable[Line]) -> None:
        """What has a correlation id in common with a line of the game belongs to it too."""
        if not self._wanted.game:
            return
        new = {
            str(line.fields["correlation_id"])
            for line in lines
            if line.fields.get("game") == self._wanted.game and "correlation_id" in line.fields
        }
        self._wanted = self._wanted._replace(related=self._wanted.related | new)

    def _from_journal(self) -> list[Line]:
        now = datetime.now(UTC)
        return [
            parse(entry.text, entry.service, now)
            for entry in (self._journal.poll() if self._journal else ())
            if not self._wanted.services or entry.service in self._wanted.services
        ]

    def _attach(self, name: str, *, at_end: bool) -> bool:
        try:
            file = (self._home.logs / f"{name}.jsonl").open("rb")
        except FileNotFoundError:
            return False
        if at_end:
            file.seek(0, os.SEEK_END)
        self._open[name], self._parts[name] = file, b""
        return True

    def _rest(self, name: str) -> Iterable[Line]:
        *lines, self._parts[name] = (self._parts[name] + self._open[name].read()).split(b"\n")
        now = datetime.now(UTC)
        return [parse(line, name, now) for line in lines if line.strip()]

    def _replaced(self, name: str) -> bool:
        try:
            there = (self._home.logs / f"{name}.jsonl").stat()
        except FileNotFoundError:
            return False
        return there.st_ino != os.fstat(self._open[name].fileno()).st_ino
