"""What a backup says is in it, and the proof that what came back is that."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel

from jimbot.appliance.backup import Kind

NAME = "manifest.json"
SERVERS = "servers"
"""The folder of what servers keep, one folder each."""

_SQLITE = b"SQLite format 3\x00"


class File(NamedTuple):
    size: int
    sha256: str


class Manifest(BaseModel):
    """`rows`: of each table of each SQLite file. `left_out`: what is not in it, and why."""

    version: Literal[1] = 1
    kind: Kind
    created: datetime
    jimbot: str
    host: str
    home: str
    files: dict[str, File]
    rows: dict[str, dict[str, int]]
    left_out: list[str] = []

    @property
    def parts(self) -> set[str]:
        """The folders that it holds, and the files outside of any."""
        return {part_of(path) for path in self.files}


def part_of(path: str) -> str:
    """What of a home is restored together: `events`, `servers/questdb`, `policy.bin`."""
    names = path.split("/")
    return "/".join(names[: 2 if names[0] == SERVERS else 1])


def describe(directory: Path) -> tuple[dict[str, File], dict[str, dict[str, int]]]:
    """The files of a tree, and the rows of its SQLite files."""
    files, rows = {}, {}
    for path in _walk(directory):
        name = str(path.relative_to(directory))
        if name == NAME:
            continue
        files[name] = File(path.stat().st_size, digest(path))
        if is_sqlite(path):
            rows[name] = count_rows(path)
    return files, rows


def problems(directory: Path, manifest: Manifest, parts: set[str] | None = None) -> list[str]:
    """What in a tree is not as the manifest says, a line each. Rows and hashes are both looked at:
    a file that is the right one is also opened.
    """
    found = []
    for name, file in manifest.files.items():
        if parts is not None and part_of(name) not in parts:
            continue
        path = directory / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif path.stat().st_size != file.size or digest(path) != file.sha256:
            found.append(f"{name} is not what was written")
        elif name in manifest.rows:
            try:
                if count_rows(path) != manifest.rows[name]:
                    found.append(f"{name} has other rows than were written")
            except sqlite3.Error as error:
                found.append(f"{name} is damaged: {error}")
    return found


def is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == _SQLITE


def count_rows(path: Path) -> dict[str, int]:
    """The rows of each table of a file that nobody uses; it is checked, and left as it is.

    Raises:
        sqlite3.Error: it is damaged.
    """
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as database:
        (answer,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if answer != "ok":
            raise sqlite3.DatabaseError(answer)
        tables = [
            name
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return {
            name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
            for name in tables
        }


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _walk(directory: Path) -> Iterator[Path]:
    return (path for path in sorted(directory.rglob("*")) if path.is_file())
