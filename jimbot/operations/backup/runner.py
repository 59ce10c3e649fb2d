"""Making a backup, from the lock to the proof, and proving those there are."""

from __future__ import annotations

import json
import random
import secrets
import shutil
import socket
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from os import R_OK, access, environ
from pathlib import Path

from pydantic import BaseModel, ValidationError

from jimbot import __version__
from jimbot.appliance import Appliance, Home
from jimbot.appliance.backup import Kind, Place
from jimbot.appliance.images import reference
from jimbot.errors import JimbotError
from jimbot.operations import vitals
from jimbot.operations.backup import dumps, lock, manifest, record, servers
from jimbot.operations.backup.errors import BackupError, NoPassword, NotSetUp
from jimbot.operations.backup.manifest import Manifest
from jimbot.operations.backup.restic import Repository, Snapshot
from jimbot.security.errors import SecretError
from jimbot.security.secrets import check as check_secret

Say = Callable[[str], None]
CONFIGURATION = "configuration"

_SAMPLE = 3  # files that are read back after each backup
_RESERVE = 32 << 20  # bytes that a copy leaves free


class BackupResult(BaseModel):
    """What a run did. `bytes` are those in the backup, `added` those that were new to the
    repository; `left_out` could not be copied and can be made again.
    """

    kind: Kind
    snapshot: str
    seconds: float
    files: int
    bytes: int
    added: int
    forgotten: int
    left_out: list[str] = []


class Proof(BaseModel):
    """Whether one backup came back as it was written."""

    snapshot: str
    kind: Kind
    time: datetime
    ok: bool
    problems: list[str] = []


def set_up(appliance: Appliance, home: Home) -> str:
    """Make the password, if there is none, and the repository; a line on what was done.

    Raises:
        BackupError: the table names no place, or the repository cannot be made.
    """
    place = _place(appliance, home)
    done = []
    if not place.password.exists():
        place.password.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.password.touch(mode=0o600)
        place.password.write_text(secrets.token_urlsafe(32) + "\n")
        done.append(f"wrote a new password to {place.password}: keep a copy elsewhere")
    repository = Repository(place, record.folder(home) / "cache")
    try:
        repository.check_there()
        done.append(f"{repository.name} is there")
    except NotSetUp as error:
        if "there is no repository" not in error.message:
            raise
        repository.create()
        done.append(f"made {repository.name}")
    return "; ".join(done)


def repository(appliance: Appliance, home: Home) -> Repository:
    """The repository of a home.

    Raises:
        NoPassword: there is none yet, or it is not for this user.
        NotSetUp: others can read it, or restic is not installed.
    """
    place = _place(appliance, home)
    if not place.password.is_file():
        raise NoPassword(
            f"there is no password for the backups at {place.password}",
            hint="Make one: jimbot backup init; or put that of an older repository there",
        )
    try:
        check_secret(place.password)
    except SecretError as error:
        kind = NotSetUp if access(place.password, R_OK) else NoPassword
        raise kind(error.message, hint=error.hint) from None
    return Repository(place, record.folder(home) / "cache")


def run(
    appliance: Appliance,
    home: Home,
    kind: Kind,
    say: Say = lambda text: None,
    *,
    wait_s: float = 0.0,
) -> BackupResult:
    """Make a backup and prove it; the run counts only when it is proved.

    Args:
        wait_s: how long to wait for another to end.

    Raises:
        BackupRunning: another one is under way.
        BackupError: there is no new backup; older ones are as they were. It is written down, so
            that `status` tells.
    """
    with lock.held(home, f"{kind} backup", wait_s=wait_s):
        return _recorded(appliance, home, kind, say)


def run_due(
    appliance: Appliance, home: Home, say: Say = lambda text: None, *, wait_s: float = 0.0
) -> BackupResult | None:
    """`run` of the most complete kind whose time has come once nobody else makes one; None where
    none has."""
    with lock.held(home, "backup", wait_s=wait_s):
        kind = record.due(appliance, home)
        return _recorded(appliance, home, kind, say) if kind else None


def verify(
    appliance: Appliance,
    home: Home,
    snapshots: Sequence[str] = (),
    say: Say = lambda text: None,
) -> list[Proof]:
    """Bring backups back into a scratch directory, whole, and compare; by default the newest.

    The repository's own structure is proved first.

    Raises:
        BackupError: the repository itself is damaged, or there is no such backup.
    """
    with lock.held(home, "verification"):
        there = repository(appliance, home)
        there.unlock()
        say(f"checking {there.name}")
        there.check(100)
        proofs = []
        for snapshot in choose(there.snapshots(), snapshots or ("latest",)):
            say(f"reading back {snapshot.short} ({snapshot.kind})")
            with scratch(home) as directory:
                there.restore(snapshot.id, directory)
                try:
                    problems = manifest.problems(directory, read_manifest(there, snapshot))
                except BackupError as error:
                    problems = [str(error)]
            proofs.append(
                Proof(
                    snapshot=snapshot.short,
                    kind=snapshot.kind,
                    time=snapshot.time,
                    ok=not problems,
                    problems=problems,
                )
            )
        return proofs


def choose(there: Sequence[Snapshot], names: Sequence[str]) -> list[Snapshot]:
    """The backups of those names: the beginning of an id, or `latest`.

    Raises:
        BackupError: there is no such backup.
    """
    found = []
    for name in names:
        fits = there[:1] if name == "latest" else [s for s in there if s.id.startswith(name)]
        if len(fits) != 1:
            raise BackupError(
                f"there is no backup {name}" if not fits else f"{name} fits several backups",
                hint="See them with: jimbot backup list",
            )
        found.append(fits[0])
    return found


def read_manifest(there: Repository, snapshot: Snapshot) -> Manifest:
    """What a backup says is in it.

    Raises:
        BackupError: it says nothing that can be read.
    """
    try:
        return Manifest.model_validate_json(there.read(snapshot.id, manifest.NAME))
    except ValidationError as error:
        raise BackupError(
            f"backup {snapshot.short} has no manifest that this JimBot reads",
            hint="It is of a newer JimBot, or damaged; choose another",
        ) from error


@contextmanager
def scratch(home: Home) -> Iterator[Path]:
    """A directory on the home's disk for what is copied or read back; gone afterwards.

    What a killed run left there goes first. Called under the lock.
    """
    sweep(home)
    directory = Path(tempfile.mkdtemp(prefix="scratch-", dir=record.folder(home)))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def sweep(home: Home) -> int:
    """Remove what killed runs left behind; how many. Called under the lock."""
    left = list(record.folder(home).glob("scratch-*"))
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return len(left)


def _recorded(appliance: Appliance, home: Home, kind: Kind, say: Say) -> BackupResult:
    """Make a backup, and write down that it was tried and how it ended. Called under the lock."""
    began = time.monotonic()
    record.update(home, last_try=datetime.now(UTC))
    try:
        result = _run(appliance, home, kind, say)
    except (JimbotError, OSError, sqlite3.Error) as error:
        failed = _explained(error)
        _remember_failure(home, failed.message)
        raise failed from error
    result.seconds = round(time.monotonic() - began, 1)
    return result


def _run(appliance: Appliance, home: Home, kind: Kind, say: Say) -> BackupResult:
    there = repository(appliance, home)
    there.unlock()
    with scratch(home) as directory:
        written = _copy(appliance, home, kind, directory, say)
        say(f"writing to {there.name}")
        summary = there.backup(
            directory, kind, lambda done: say(f"writing to {there.name}: {done:.0%}")
        )
        say("reading back")
        _prove(appliance, there, kind, summary.snapshot, directory, written)
    say("forgetting what the table no longer keeps")
    gone = there.forget(kind, getattr(appliance.backup.keep, kind), prune=kind != "hourly")
    vitals.remember(home)
    now = datetime.now(UTC)
    last = record.read(home)
    record.update(home, last=last.last | {kind: now}, problem="", snapshots=len(there.snapshots()))
    return BackupResult(
        kind=kind,
        snapshot=summary.snapshot[:8],
        seconds=0,
        files=len(written.files),
        bytes=summary.bytes,
        added=summary.added,
        forgotten=gone,
        left_out=written.left_out,
    )


def _copy(appliance: Appliance, home: Home, kind: Kind, to: Path, say: Say) -> Manifest:
    names = dumps.parts(home, kind)
    if not names:
        raise BackupError(f"there is nothing to back up in {home.path}", hint="Start JimBot first")
    needed, free = dumps.size(home, names) + _RESERVE, shutil.disk_usage(to).free
    if needed > free:
        raise BackupError(
            f"copying {home.path} needs {needed >> 20} MB beside it, {free >> 20} MB are free",
            hint="Free some; `jimbot db retain` forgets what the table no longer keeps",
        )
    left_out = []
    made_from_log = [name for name in names if name in dumps.MADE_FROM_LOG]
    dumps.copy(home, made_from_log, to, say)
    if kind != "hourly":
        left_out = servers.copy_made_from_log(appliance, home, to, say)
    dumps.copy(home, [name for name in names if name not in made_from_log], to, say)
    servers.copy_log(appliance, home, to, say)
    _write_configuration(appliance, to / CONFIGURATION, images=kind == "weekly")
    say("counting")
    files, rows = manifest.describe(to)
    written = Manifest(
        kind=kind,
        created=datetime.now(UTC),
        jimbot=__version__,
        host=socket.gethostname(),
        home=str(home.path),
        files=files,
        rows=rows,
        left_out=left_out,
    )
    (to / manifest.NAME).write_text(written.model_dump_json(indent=1))
    return written


def _write_configuration(appliance: Appliance, to: Path, *, images: bool) -> None:
    """The table that holds here, as its author wrote it, and what it runs."""
    to.mkdir(parents=True)
    if given := environ.get("JIMBOT_TABLE"):
        text = Path(given).read_text("utf-8")
    else:
        text = resources.files("jimbot.appliance").joinpath("appliance.toml").read_text("utf-8")
    (to / "appliance.toml").write_text(text)
    (to / "environment.json").write_text(
        json.dumps(
            {
                name: environ[name]
                for name in ("JIMBOT_ENVIRONMENT", "JIMBOT_PROFILE")
                if name in environ
            }
        )
    )
    if images:
        found = {name: reference(appliance.images, name, __version__) for name in appliance.images}
        (to / "images.json").write_text(json.dumps(found, indent=1))


def _prove(
    appliance: Appliance,
    there: Repository,
    kind: Kind,
    snapshot: str,
    directory: Path,
    written: Manifest,
) -> None:
    """Read back what was written, from the repository: the list, the manifest, some files."""
    problems = []
    if json.loads(there.read(snapshot, manifest.NAME)) != json.loads(
        (directory / manifest.NAME).read_text()
    ):
        problems.append("its manifest is another")
    stored = there.files(snapshot)
    stored.pop(manifest.NAME, None)
    wanted = {name: file.size for name, file in written.files.items()}
    if stored != wanted:
        odd = sorted(set(stored.items()) ^ set(wanted.items()))[0][0]
        problems.append(f"its files are others than were written, {odd} among them")
    problems += [
        f"{name} is not what was written"
        for name in random.sample(sorted(wanted), min(_SAMPLE, len(wanted)))
        if there.digest(snapshot, name) != written.files[name].sha256
    ]
    there.check(100 if kind == "weekly" else appliance.backup.sample_percent)
    if problems:
        raise BackupError(
            f"backup {snapshot[:8]} does not hold: {'; '.join(problems)}",
            hint="See the repository's disk; then run: jimbot backup run",
        )


def _place(appliance: Appliance, home: Home) -> Place:
    place = appliance.backup.place(home)
    if place is None:
        raise NotSetUp("the table names no place for backups", hint="Mend [backup] in the table")
    return place


def _remember_failure(home: Home, problem: str) -> None:
    try:
        record.update(home, problem=problem)
    except OSError:
        return  # the disk is full: the age tells


def _explained(error: Exception) -> BackupError:
    if isinstance(error, BackupError):
        return error
    if isinstance(error, JimbotError):
        return BackupError(error.message, hint=error.hint)
    if isinstance(error, OSError):
        what = f"{error.filename}: " if error.filename else ""
        return BackupError(
            f"the backup was not made: {what}{error.strerror or error}",
            hint="Free disk space and run it again; nothing was half-written",
        )
    return BackupError(
        f"a store could not be copied: {error}",
        hint="See `jimbot db status`; a damaged store comes back with: jimbot restore",
    )
