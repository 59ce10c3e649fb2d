"""The record of every management action: who, what, from where, before and after, and the result.

One JSON object a line under `audit/` of the home. Each holds the digest of the one before it, so
that a record changed, removed or put in between is seen (`verify`). Files are only appended to; a
full one is renamed and the chain goes on in the next. `head` says how far the chain went, which
shows an end that was cut off; against somebody who rewrites all of it, keep it elsewhere, too.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from jimbot.appliance.home import Home
from jimbot.files import write_whole
from jimbot.security import redact
from jimbot.security.errors import AuditError

CURRENT: Final = "audit.jsonl"
ROTATE_BYTES: Final = 4 << 20
# Of one side, before or after; a larger one leaves its digest.
_SIDE_BYTES: Final = 16 << 10
_TAIL_BYTES: Final = 128 << 10
_START: Final = "0" * 64


class Head(NamedTuple):
    """The last record of a chain: its number, from 1, and its digest; (0, zeros) when empty."""

    number: int
    digest: str

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


@dataclass(frozen=True)
class Verification:
    """Whether a chain is whole. `problems` say what is wrong, and in which file and line."""

    records: int
    head: Head
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def record(
    home: Home,
    *,
    action: str,
    result: str,
    subject: str | None = None,
    source: str | None = None,
    before: Any = None,
    after: Any = None,
) -> Head:
    """Append a record, durably. Safe among threads and processes.

    Args:
        action: what was done, e.g. `backup.run` or `tokens.revoke`.
        result: what came of it: `ok`, `failed`, `refused`, …
        subject: who: `token:ID`, `service:NAME`; the user of this process if none.
        source: from where: an address; `local` or the SSH client's address if none.
        before: what held before, as JSON; secrets in it are hidden.
        after: what holds now, likewise.

    Raises:
        AuditError: it could not be written. What it was about may have been done.
    """
    folder = home.path / "audit"
    entry: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "action": redact.text(action),
        "result": redact.text(result),
        "subject": redact.text(subject or _user()),
        "source": redact.text(source or _source()),
        "before": _side(before),
        "after": _side(after),
        "pid": os.getpid(),
    }
    try:
        with _locked(folder):
            return _append(folder, entry)
    except OSError as error:
        raise AuditError(
            f"{action} ({result}) is not in the audit log: {error.strerror or error}",
            hint=f"Make {folder} writable, with space on its disk",
        ) from error


def entries(home: Home) -> Iterator[dict[str, Any]]:
    """Every record that can be read, oldest first; whether they hold is for `verify` to say."""
    for path in _files(home.path / "audit"):
        for line in _lines(path):
            if (entry := _parse(line)) is not None:
                yield entry


def verify(home: Home, expected: Head | None = None) -> Verification:
    """Follow the whole chain.

    Args:
        expected: a head seen earlier, which the chain must have gone through.

    Raises:
        AuditError: it cannot be read.
    """
    folder = home.path / "audit"
    problems: list[str] = []
    head, torn, seen = Head(0, _START), "", expected is None or expected.number == 0
    try:
        # A record that is being written would look like an end that was cut off.
        with _locked(folder, write=False):
            for path in _files(folder):
                for number, line in enumerate(_lines(path), 1):
                    where = f"{path.name} line {number}"
                    entry = _parse(line)
                    if entry is None:
                        torn = hashlib.sha256(line).hexdigest()
                        pending = f"{where} is no record"
                        continue
                    if torn and entry.get("torn") != torn:
                        problems.append(pending)
                    torn = ""
                    problems += [f"{where}: {one}" for one in _wrong(entry, head)]
                    head = Head(_number(entry, head), str(entry.get("digest")))
                    seen = seen or head == expected
            if torn:
                problems.append(pending)
            if (known := _read_head(folder)).number > head.number:
                problems.append(f"the end is missing: record {known.number} was written")
            elif known.number == head.number and known != head:
                problems.append(f"record {head.number} is not the one that was written")
    except OSError as error:
        raise AuditError(
            f"cannot read the audit log in {folder}: {error.strerror}", hint=f"ls -l {folder}"
        ) from error
    if not seen:
        problems.append(f"the chain does not go through {expected}")
    return Verification(head.number, head, tuple(problems))


def _append(folder: Path, entry: dict[str, Any]) -> Head:
    path = folder / CURRENT
    last, torn = _last(folder)
    if torn:
        entry["torn"] = hashlib.sha256(torn).hexdigest()
    elif path.exists() and path.stat().st_size >= ROTATE_BYTES:
        path.rename(folder / f"audit-{last.number:012d}.jsonl")
    entry |= {"number": last.number + 1, "previous": last.digest}
    entry["digest"] = _digest(entry)
    line = (b"\n" if torn else b"") + _canonical(entry) + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        if os.write(descriptor, line) != len(line):
            raise OSError("the disk is full")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    head = Head(entry["number"], entry["digest"])
    write_whole(folder / "head", f"{head}\n".encode(), mode=0o600)
    return head


def _last(folder: Path) -> tuple[Head, bytes]:
    """The last record's head, and what a process that was killed left after it."""
    torn = b""
    for path in reversed(_files(folder)):
        with path.open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - _TAIL_BYTES, 0))
            tail = file.read()
        if path.name == CURRENT and tail and not tail.endswith(b"\n"):
            torn = tail.rpartition(b"\n")[2]
        for line in reversed(tail.split(b"\n")):
            entry = _parse(line) if line else None
            if entry is not None and isinstance(entry.get("number"), int):
                return Head(entry["number"], str(entry.get("digest"))), torn
    return Head(0, _START), torn


def _wrong(entry: Mapping[str, Any], before: Head) -> list[str]:
    wrong = []
    if entry.get("number") != before.number + 1:
        wrong.append(f"record {before.number + 1} is missing")
    elif entry.get("previous") != before.digest:
        wrong.append("it does not follow the record before it")
    bare = {key: value for key, value in entry.items() if key != "digest"}
    if entry.get("digest") != _digest(bare):
        wrong.append("it was changed")
    return wrong


def _number(entry: Mapping[str, Any], before: Head) -> int:
    number = entry.get("number")
    return number if isinstance(number, int) else before.number + 1


def _side(value: Any) -> Any:
    plain = redact.tree(value)
    data = _canonical(plain)
    if len(data) <= _SIDE_BYTES:
        return plain
    return {"left_out_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _digest(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(entry)).hexdigest()


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _files(folder: Path) -> list[Path]:
    """All files of the chain, oldest first."""
    current = folder / CURRENT
    return [*sorted(folder.glob("audit-*.jsonl")), *([current] if current.exists() else [])]


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for line in file:
            yield line.rstrip(b"\n")


def _read_head(folder: Path) -> Head:
    try:
        return parse_head((folder / "head").read_text("ascii").strip())
    except (FileNotFoundError, UnicodeDecodeError, AuditError):
        return Head(0, _START)


def parse_head(text: str) -> Head:
    """What `str(Head)` wrote, e.g. `12:9f86…`.

    Raises:
        AuditError: it is something else.
    """
    number, _, digest = text.partition(":")
    if not (number.isdecimal() and number.isascii() and len(digest) == 64):
        raise AuditError(f"{text!r:.80} is no head of an audit log", hint="It reads NUMBER:DIGEST")
    return Head(int(number), digest)


@contextmanager
def _locked(folder: Path, *, write: bool = True) -> Iterator[None]:
    if write:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
    elif not folder.exists():
        yield
        return
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if write else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _user() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    behind = os.environ.get("SUDO_USER")
    return f"user:{name}" + (f" for {behind}" if behind else "")


def _source() -> str:
    return os.environ.get("SSH_CONNECTION", "").partition(" ")[0] or "local"
