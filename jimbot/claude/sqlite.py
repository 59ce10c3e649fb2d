"""Opening the gateway's SQLite files: one writer, versions, and what to say when one is bad."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from jimbot.claude.errors import StoreError


def connect(path: Path, migrations: Sequence[str], *, durable: bool) -> sqlite3.Connection:
    """Open or make a file. `durable` makes each commit wait for the disk.

    Args:
        migrations: what each version of the schema adds to the one before; never edited once
            released.

    Raises:
        StoreError: it is damaged, of a newer version, or cannot be opened; nothing was changed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = sqlite3.connect(path, timeout=5, check_same_thread=False, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"cannot open {path}: {error}", hint="Make its directory writable"
        ) from error
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        version = len(migrations)
        if found > version:
            raise StoreError(
                f"{path} is of version {found}, this JimBot knows {version}",
                hint="Update JimBot, or move the file away",
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        if found < version:
            steps = " ".join(migrations[found:])
            connection.executescript(f"BEGIN; {steps} PRAGMA user_version = {version}; COMMIT;")
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(
            f"{path} cannot be used: {error}", hint="Move it away; a backup has an older one"
        ) from error
    except StoreError:
        connection.close()
        raise
    return connection
