"""A consistent picture of a home in a directory of its own, taken while services run.

- SQLite files by SQLite's own backup, in one step: a step-wise one begins again at every commit of
  another process, and would never end beside a busy writer.
- The graph of Ladybug is left out. Its file is open in analytics alone and cannot be copied
  beneath it; it is made from the log, and analytics makes it again.
- Checkpoints are whole and never change: a second name for each file will do.
- Everything else is copied. Logs of services, sockets, and secrets are not.

What is made from the log is copied before the log, so that nothing in a backup knows of an event
that the backup does not have.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path

from jimbot.appliance import Home
from jimbot.appliance.backup import Kind
from jimbot.operations.backup import manifest

NOT_OURS = frozenset(
    {"run", "logs", "secrets", "backup", "doctor", "knowledge", "data", "configuration"}
)
"""Folders of a home that no backup holds; `data` are the servers', copied by their means."""

SECRETS = ("*.key", "*key.pem", "*.age-key", "*-tokens", "tokens*", "*.secret", "password*")
"""Names of files that are never backed up, wherever they lie."""

MADE_FROM_LOG = frozenset({"metrics"})
"""Folders that the log makes again, so that an hourly backup does without."""

_LAST = "events"
_AUDIT = "audit"
_PASSED_OVER = ("-wal", "-shm", "-journal", ".partial", ".new")


def parts(home: Home, kind: Kind) -> list[str]:
    """What of a home a backup of that kind holds, in the order in which it is copied."""
    if not home.path.is_dir():
        return []
    found = sorted(
        entry.name
        for entry in home.path.iterdir()
        if entry.name not in NOT_OURS
        and not entry.name.startswith(".")
        and not (kind == "hourly" and entry.name in MADE_FROM_LOG)
        and not entry.is_symlink()
    )
    return sorted(found, key=lambda name: (name == _LAST, name not in MADE_FROM_LOG))


def size(home: Home, names: list[str]) -> int:
    """Bytes that `copy` will need, checkpoints not among them."""
    return sum(
        path.stat().st_size
        for name in names
        if name != home.checkpoints.name
        for path in _files(home.path / name)
        if path.exists()
    )


def copy(
    home: Home, names: list[str], to: Path, progress: Callable[[str], None] = lambda text: None
) -> None:
    """Copy parts of a home.

    Raises:
        OSError, sqlite3.Error: something could not be read or written.
    """
    for name in names:
        progress(f"copying {name}")
        with _still(home.path / name):
            for path in _files(home.path / name):
                target = to / path.relative_to(home.path)
                target.parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileNotFoundError):  # gone meanwhile: an old checkpoint
                    _copy_file(path, target, linked=name == home.checkpoints.name)


def copy_sqlite(path: Path, to: Path) -> None:
    """A copy of a SQLite file as it is at one moment, whoever writes to it meanwhile."""
    source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)
    with closing(source), closing(sqlite3.connect(to)) as target:
        target.execute("PRAGMA synchronous = OFF")  # a copy that is not finished is thrown away
        source.backup(target, pages=-1)
        # In one file: the copy is only read from now on.
        target.execute("PRAGMA journal_mode = DELETE")


@contextmanager
def _still(path: Path) -> Iterator[None]:
    """Keep the audit log from being appended to: its files and its head belong together."""
    if path.name != _AUDIT or not (path / ".lock").exists():
        yield
        return
    with (path / ".lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def _copy_file(path: Path, target: Path, *, linked: bool) -> None:
    if linked:
        with suppress(OSError):
            os.link(path, target)
            return
    if manifest.is_sqlite(path):
        copy_sqlite(path, target)
        return
    shutil.copy2(path, target)
    if path.suffix == ".jsonl":
        _cut_to_lines(target)


def _cut_to_lines(path: Path) -> None:
    """Take off a last line that was only half written when it was copied."""
    data = path.read_bytes()
    if not data.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)


def _files(path: Path) -> Iterator[Path]:
    if path.is_symlink():
        return
    if path.is_file():
        if not _is_left_out(path.name):
            yield path
    elif path.is_dir():
        for entry in sorted(path.iterdir()):
            if not entry.name.startswith("."):
                yield from _files(entry)


def _is_left_out(name: str) -> bool:
    return (
        name.startswith(".")
        or name.endswith(_PASSED_OVER)
        or ".aside-" in name
        or any(fnmatch(name, pattern) for pattern in SECRETS)
    )
