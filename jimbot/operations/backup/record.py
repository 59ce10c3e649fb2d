"""How the backups of a home are, as the last runs have written it down: no repository is asked.

So that the dashboard and the alerts may ask every few seconds, and while the repository is away.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from jimbot.appliance import Appliance, Home, load
from jimbot.appliance.backup import KINDS, Kind
from jimbot.files import write_whole


class BackupStatus(BaseModel):
    """`last_ok` is the end of the newest backup that was proved after it was written.

    `stale`: there is none, or it is older than the table allows. `problem`: why the last try
    failed, empty when it did not. `last` is by kind; a more complete kind counts for the lesser.
    """

    last_ok: datetime | None = None
    age_s: float | None = None
    stale: bool = True
    snapshots: int | None = None
    last_try: datetime | None = None
    problem: str = ""
    last: dict[Kind, datetime] = {}


class Record(BaseModel):
    """What is written down after each run."""

    last: dict[Kind, datetime] = {}
    snapshots: int | None = None
    last_try: datetime | None = None
    problem: str = ""


def folder(home: Home) -> Path:
    """What backing up keeps in the home; never part of a backup itself."""
    return home.path / "backup"


def status(
    home: Home, appliance: Appliance | None = None, *, now: datetime | None = None
) -> BackupStatus:
    """How the backups are; never raises for a home that has none."""
    allowed = (appliance or load()).backup.stale_after_hours * 3600
    record = read(home)
    found = BackupStatus(**record.model_dump())
    if record.last:
        found.last_ok = max(record.last.values())
        # A clock that was set back makes no backup fresh.
        found.age_s = abs(((now or datetime.now(UTC)) - found.last_ok).total_seconds())
        found.stale = found.age_s > allowed
    return found


def backup_age(home: Home) -> float | None:
    """Seconds since the last good backup; None where there is none."""
    return status(home).age_s


def due(appliance: Appliance, home: Home, now: datetime | None = None) -> Kind | None:
    """The most complete kind whose time has come; None while all are fresh."""
    now = now or datetime.now(UTC)
    last = read(home).last
    for at in reversed(range(len(KINDS))):
        done = [last[kind] for kind in KINDS[at:] if kind in last]
        wait = getattr(appliance.backup.every_hours, KINDS[at]) * 3600
        # A timer that fires each hour is never exactly an hour apart.
        if not done or abs((now - max(done)).total_seconds()) > wait - min(300, wait / 10):
            return KINDS[at]
    return None


def read(home: Home) -> Record:
    try:
        return Record.model_validate_json((folder(home) / "status.json").read_bytes())
    except (OSError, ValidationError):
        return Record()


def update(home: Home, **changes: Any) -> None:
    record = read(home).model_copy(update=changes)
    write_whole(folder(home) / "status.json", record.model_dump_json(indent=1).encode(), mode=0o600)
