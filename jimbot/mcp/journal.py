"""The proof that acknowledged means stored: clients write down what was acknowledged, an auditor
looks it up in the log.

A client's journal is a row of segments `<pid>-<token>-<n>.ids`, one event id a line.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jimbot.events.log import EventLog

SEGMENT_IDS = 4096
_NAME = re.compile(r"(?P<client>(?P<pid>\d+)-[0-9a-f]+)-(?P<number>\d+)\.ids")
# Read a segment in pieces: an auditor that starts late meets many.
_LOOKED_UP_AT_ONCE = 4096


class JournalWriter:
    """Writes one client's journal into `directory`, made when it is not there."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._client = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._number = -1
        self._file: int | None = None
        self._room = 0

    def write(self, event_ids: Sequence[str]) -> None:
        """Add ids, in one write a segment.

        Raises:
            OSError: some were not written.
        """
        while event_ids:
            if self._file is None or not self._room:
                self._begin_segment()
            assert self._file is not None
            now, event_ids = event_ids[: self._room], event_ids[self._room :]
            data = "".join(f"{event_id}\n" for event_id in now).encode()
            self._room -= len(now)
            try:
                if os.write(self._file, data) < len(data):
                    raise OSError("the journal's disk is full")
            except OSError:
                # What comes next must not go on in the middle of a line.
                self.close()
                raise

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _begin_segment(self) -> None:
        self.close()
        self._number += 1
        path = self._directory / f"{self._client}-{self._number}.ids"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        self._room = SEGMENT_IDS


class Audit(NamedTuple):
    """What an auditor has found since it began."""

    acknowledged: int
    stored: int
    lost: list[str]


class Auditor:
    """Looks up in `log` what the journals in `directory` say was acknowledged.

    Each `audit` goes on where the last one stopped. Segments that nobody will add to and whose ids
    are all stored are deleted; one with a lost id stays as evidence.
    """

    def __init__(self, directory: Path, log: EventLog) -> None:
        self._directory = directory
        self._log = log
        self._offsets: dict[str, int] = {}
        self._acknowledged = 0
        self._lost: list[str] = []
        self._evidence: set[str] = set()

    def audit(self) -> Audit:
        """Look up what is new.

        Raises:
            LogError: the log cannot be read; the next call goes on from the same place.
            OSError: a journal cannot be read.
        """
        segments = _segments(self._directory)
        newest: dict[str, int] = {}
        for client, number, _ in segments:
            newest[client] = max(newest.get(client, 0), number)
        for client, number, path in segments:
            # Asked before reading: whatever a writer still wrote is read below.
            closed = number < newest[client] or not _is_running(client)
            self._read(path)
            if closed and path.name not in self._evidence:
                path.unlink(missing_ok=True)
                self._offsets.pop(path.name, None)
        return Audit(self._acknowledged, self._acknowledged - len(self._lost), list(self._lost))

    def _read(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                file.seek(self._offsets.get(path.name, 0))
                data = file.read()
        except FileNotFoundError:
            return
        # A line without its end is still being written, or its writer died over it.
        lines = data[: data.rfind(b"\n") + 1].splitlines(keepends=True)
        for start in range(0, len(lines), _LOOKED_UP_AT_ONCE):
            some = lines[start : start + _LOOKED_UP_AT_ONCE]
            ids = [line.rstrip(b"\n").decode(errors="replace") for line in some]
            stored = self._log.contains(ids)
            lost = [event_id for event_id in ids if event_id not in stored]
            if lost:
                self._lost += lost
                self._evidence.add(path.name)
            self._acknowledged += len(ids)
            read = sum(len(line) for line in some)
            self._offsets[path.name] = self._offsets.get(path.name, 0) + read


def _segments(directory: Path) -> list[tuple[str, int, Path]]:
    return sorted(
        (match["client"], int(match["number"]), path)
        for path in directory.glob("*.ids")
        if (match := _NAME.fullmatch(path.name))
    )


def _is_running(client: str) -> bool:
    try:
        os.kill(int(client.split("-", 1)[0]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
