"""Where backups go, how often, and how long they are kept: `[backup]` of the appliance table."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from jimbot.appliance.home import Home, expand

Kind = Literal["hourly", "daily", "weekly"]
KINDS: tuple[Kind, ...] = ("hourly", "daily", "weekly")
"""From the least to the most complete."""

Hours = Annotated[float, Field(gt=0)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Every(_Row):
    """Hours between two backups of a kind."""

    hourly: Hours
    daily: Hours
    weekly: Hours


class Keep(_Row):
    """How many backups of a kind are kept."""

    hourly: Annotated[int, Field(ge=1)]
    daily: Annotated[int, Field(ge=1)]
    weekly: Annotated[int, Field(ge=1)]


class ServerData(_Row):
    """Where the servers' data directories are on this machine; relative ones lie in the home."""

    eventstore: str
    eventstore_index: str
    questdb: str
    memgraph: str


class Place(NamedTuple):
    """Where this home's backups go. `password` is a file, which may not be there yet."""

    repository: str
    password: Path


class Backup(_Row):
    """`repositories` and `passwords` are tried in order; one that names an unset $VARIABLE is
    passed over. A relative repository or password lies in the home.
    """

    repositories: Annotated[tuple[str, ...], Field(min_length=1)]
    passwords: Annotated[tuple[str, ...], Field(min_length=1)]
    every_hours: Every
    keep: Keep
    stale_after_hours: Hours
    sample_percent: Annotated[
        float, Field(gt=0, le=100, description="of the repository read after each backup")
    ]
    servers: ServerData

    def place(self, home: Home) -> Place | None:
        """The repository and the password that hold here; None where the table names none."""
        repository = next(filter(None, (expand(each) for each in self.repositories)), None)
        found = [home.path / expanded for each in self.passwords if (expanded := expand(each))]
        if repository is None or not found:
            return None
        if not re.match(r"[a-z0-9]+:", repository):  # rest:, s3:, sftp:, …: restic's own
            repository = os.path.normpath(home.path / repository)
        return Place(repository, next((path for path in found if path.is_file()), found[-1]))
