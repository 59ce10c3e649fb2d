"""Services' lines in systemd's journal, where systemd runs them and not `jimbot up`.

Each service is a unit `jimbot-SERVICE`, whose messages are the lines that it writes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

_PROGRAM = "journalctl"
_UNIT = re.compile(r"jimbot-(?P<service>[a-z-]+)\.service")
_FIELDS = "--output-fields=MESSAGE,_SYSTEMD_UNIT"
_ASK_S = 10.0


class Entry(NamedTuple):
    """One message of a service's unit, as it was written."""

    service: str
    text: bytes


def services() -> list[str]:
    """Whoever has a unit with messages; nobody where there is no journal."""
    if shutil.which(_PROGRAM) is None:
        return []
    command = [_PROGRAM, "--quiet", "--field=_SYSTEMD_UNIT"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_S)
    except (OSError, subprocess.SubprocessError):
        return []
    found = (_UNIT.fullmatch(line.strip()) for line in answer.stdout.splitlines())
    return sorted(match["service"] for match in found if match)


def read(service: str, since: datetime | None) -> Iterator[bytes]:
    """One service's messages, oldest first."""
    command = [_PROGRAM, "--quiet", "--no-pager", "--output=json", _FIELDS]
    command.append(f"--unit=jimbot-{service}.service")
    if since:
        command.append(f"--since=@{since.timestamp():.6f}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if entry := _entry(line):
                    yield entry.text
        finally:
            process.kill()


class Tail:
    """New messages of all our units; `poll` never waits."""

    def __init__(self) -> None:
        command = [_PROGRAM, "--quiet", "--follow", "--lines=0", "--output=json", _FIELDS]
        self._process = subprocess.Popen(
            [*command, "--unit=jimbot-*"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        self._out = self._process.stdout
        os.set_blocking(self._out.fileno(), False)
        self._part = b""

    def poll(self) -> list[Entry]:
        *lines, self._part = (self._part + (self._out.read() or b"")).split(b"\n")
        return [entry for line in lines if (entry := _entry(line))]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._out.close()


def _entry(line: bytes) -> Entry | None:
    """What journalctl's JSON says; None for what is no message of ours."""
    try:
        fields = json.loads(line)
        match = _UNIT.fullmatch(fields["_SYSTEMD_UNIT"])
        message = fields["MESSAGE"]
        # What is no UTF-8 comes as a list of bytes.
        text = bytes(message) if isinstance(message, list) else message.encode()
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Entry(match["service"], text) if match else None
