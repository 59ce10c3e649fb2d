"""Bringing a home back from a backup: whole, or one store of it.

What comes back is made and proved in a directory beside the home, which then changes places with
the home in one step: whoever pulls the plug finds the old home or the new one. The old one stays,
under another name.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
from pydantic import BaseModel

from jimbot.appliance import Appliance, Home
from jimbot.files import sync
from jimbot.operations import state, swap
from jimbot.operations.backup import lock, manifest, runner
from jimbot.operations.backup.dumps import MADE_FROM_LOG
from jimbot.operations.backup.errors import BackupError
from jimbot.operations.backup.manifest import SERVERS, Manifest
from jimbot.operations.backup.record import folder
from jimbot.operations.backup.restic import Repository, Snapshot

Say = Callable[[str], None]

_UNFINISHED = ".restoring"
"""In a directory that is not a home yet."""

# What is in a home before anything was done with it, and what a restore takes over. The record
# of what was done does not go back in time.
_KEPT = ("secrets", "backup", "audit")
_SCRATCH = ("run", "logs", "doctor")
_NOT_KEPT = ("cache", "*lock", "scratch-*", "drill-*", "set-aside")


class RestoreResult(BaseModel):
    """What was, or with `dry_run` would be, brought back.

    `sources`: the backup of each part; one that the newest backup does not hold comes from an
    older one. `passed_over`: backups that did not hold, and why. `safety_copy`: where what was
    there before is now. `notes`: what else a person has to know.
    """

    dry_run: bool
    target: str
    snapshot: str
    files: int
    bytes: int
    sources: dict[str, str]
    passed_over: list[str] = []
    safety_copy: str = ""
    notes: list[str] = []


def restore(
    appliance: Appliance,
    home: Home,
    *,
    target: Path | None = None,
    snapshot: str = "latest",
    part: str | None = None,
    yes: bool = False,
    dry_run: bool = False,
    wait_s: float = 0.0,
    say: Say = lambda text: None,
) -> RestoreResult:
    """Bring back a home, or one part of it; by default from the newest backup that holds.

    Args:
        home: whose repository and password are used.
        target: the home that is written; `home` by default.
        snapshot: a backup's id; only that one will do then.
        part: a folder of the home, as `events`.
        yes: write over what is there, which is kept under another name.
        wait_s: how long to wait for a backup that is under way.

    Raises:
        BackupRunning: a backup is under way.
        BackupError: JimBot runs there, something is there and `yes` is not given, or no backup
            holds. What was there is as it was.
    """
    to = Home((target or home.path).resolve())  # a link stays where it is
    with ExitStack() as stack:
        stack.enter_context(lock.held(home, "restore", wait_s=wait_s))
        stack.enter_context(_at_rest(to))
        there = runner.repository(appliance, home)
        candidates = there.snapshots()
        if not candidates:
            raise BackupError(
                f"there is no backup in {there.name}", hint="Make one: jimbot backup run"
            )
        wanted = candidates if snapshot == "latest" else runner.choose(candidates, [snapshot])
        occupied = _occupied(to.path, _where(appliance, to, part))
        if dry_run:
            return _plan(there, wanted[0], candidates, to, part, occupied)
        if occupied and not yes:
            raise BackupError(
                f"there is something in {occupied} already",
                hint="With --yes it is set aside and replaced; --dry-run tells what would be done",
            )
        _sweep(to)
        passed_over: list[str] = []
        for each in wanted:
            say(f"reading back {each.short} ({each.kind}, {each.time:%Y-%m-%d %H:%M} UTC)")
            with _beside(to) as made:
                try:
                    result = _read_back(there, each, candidates, made, part)
                except BackupError as error:
                    passed_over.append(f"{each.short}: {error.message}")
                    say(f"{each.short} does not hold: {error.message}")
                    continue
                result.target, result.passed_over = str(to.path), passed_over
                places = _place_servers(appliance, to, made, result)
                if part is None:
                    result.safety_copy = _put_home_in_place(to, made, occupied is not None)
                else:
                    where = places.get(part, part)
                    result.safety_copy = _put_part_in_place(to, made, part, where, result)
                return result
        raise BackupError(
            f"no backup holds: {'; '.join(passed_over)}",
            hint="See the repository's disk, and: jimbot backup verify",
        )


def _plan(
    there: Repository,
    snapshot: Snapshot,
    candidates: Sequence[Snapshot],
    to: Home,
    part: str | None,
    occupied: Path | None,
) -> RestoreResult:
    sources = _sources(there, snapshot, candidates, part)
    files = [
        file
        for each, parts in sources
        for name, file in runner.read_manifest(there, each).files.items()
        if manifest.part_of(name) in parts
    ]
    return RestoreResult(
        dry_run=True,
        target=str(to.path),
        snapshot=snapshot.short,
        files=len(files),
        bytes=sum(file.size for file in files),
        sources={name: each.short for each, parts in sources for name in sorted(parts)},
        safety_copy=str(_aside(to) if part is None else _part_aside(to, part)) if occupied else "",
        notes=[f"{occupied} would be set aside; that needs --yes"] if occupied else [],
    )


def _sources(
    there: Repository, snapshot: Snapshot, candidates: Sequence[Snapshot], part: str | None
) -> list[tuple[Snapshot, set[str]]]:
    """Which parts come from which backup: what an hourly one lacks, from the last that has it.

    A store that is made from the log may be older than the log: it goes on from where it was.
    """
    has = runner.read_manifest(there, snapshot).parts
    if part is not None:
        if part in has:
            return [(snapshot, {part})]
        has = set()
    found = [(snapshot, has)] if has else []
    older = [each for each in candidates if each.time < snapshot.time and each.kind != "hourly"]
    for each in older:
        parts = runner.read_manifest(there, each).parts
        lacking = {
            name
            for name in parts - has
            if (name == part if part else name in MADE_FROM_LOG or name.startswith(f"{SERVERS}/"))
        }
        if lacking:
            found.append((each, lacking))
        break
    if not found:
        raise BackupError(
            f"backup {snapshot.short} holds no {part}",
            hint="Choose another with --snapshot; see: jimbot backup list",
        )
    return found


def _read_back(
    there: Repository,
    snapshot: Snapshot,
    candidates: Sequence[Snapshot],
    made: Path,
    part: str | None,
) -> RestoreResult:
    result = RestoreResult(
        dry_run=False, target="", snapshot=snapshot.short, files=0, bytes=0, sources={}
    )
    for each, parts in _sources(there, snapshot, candidates, part):
        written: Manifest = runner.read_manifest(there, each)
        there.restore(each.id, made, sorted(parts))
        if found := manifest.problems(made, written, parts):
            raise BackupError("; ".join(found[:3]))
        sizes = [f.size for name, f in written.files.items() if manifest.part_of(name) in parts]
        result.files += len(sizes)
        result.bytes += sum(sizes)
        result.sources |= dict.fromkeys(sorted(parts), each.short)
        result.notes += [f"not in the backup: {line}" for line in written.left_out]
    return result


def _put_home_in_place(to: Home, made: Path, occupied: bool) -> str:
    """Let the new home take the old one's place; where the old one is then, if it was one."""
    for name in _KEPT:
        if (to.path / name).is_dir():
            shutil.rmtree(made / name, ignore_errors=True)
            shutil.copytree(
                to.path / name,
                made / name,
                ignore=shutil.ignore_patterns(*_NOT_KEPT),
            )
    made.chmod(0o700)
    _sync_tree(made)
    if not to.path.exists():
        made.rename(to.path)
        sync(to.path.parent)
        (to.path / _UNFINISHED).unlink()
        return ""
    swap.exchange(made, to.path)
    # From here on `made` is the old home, and without the mark that lets a sweep remove it.
    (to.path / _UNFINISHED).unlink()
    if not occupied:
        shutil.rmtree(made)
        return ""
    aside = _aside(to)
    made.rename(aside)
    return str(aside)


def _put_part_in_place(to: Home, made: Path, part: str, where: str, result: RestoreResult) -> str:
    """The same for one part, which lies at `where` of the home. A log that is older than what was
    made from it sets that aside.
    """
    to.prepare()
    aside = _part_aside(to, part)
    aside.parent.mkdir(parents=True, exist_ok=True)
    new, old = made / where, to.path / where
    _sync_tree(made)
    had = old.exists()
    if had:
        swap.exchange(new, old)
        new.rename(aside)
    else:
        old.parent.mkdir(parents=True, exist_ok=True)
        new.rename(old)
    if part == "events":
        for name in _ahead_of_log(to):
            (to.path / name).rename(aside.with_name(name))
            result.notes.append(f"{name} knew later events, and is made again from the log")
        to.prepare()
    return str(aside) if had else ""


def _ahead_of_log(to: Home) -> list[str]:
    from jimbot.operations import stores

    found = {each.name: each for each in stores.status(to)}
    head = found["events"].position
    ahead = []
    for name, where in (("metrics", to.series.parent.name), ("knowledge", to.graph.parent.name)):
        store = found[name]  # type: ignore[index]
        if store.state == "missing" or store.engine == "server":
            continue
        if store.position is None or head is None or store.position > head:
            ahead.append(where)
    return ahead


def _place_servers(
    appliance: Appliance, to: Home, made: Path, result: RestoreResult
) -> dict[str, str]:
    """Put servers' data where the table has them, if that is in the home; which went where."""
    data = appliance.backup.servers
    places = {}
    for name, where in (
        ("eventstore", data.eventstore),
        ("questdb", data.questdb),
        ("memgraph", data.memgraph),
    ):
        source = made / SERVERS / name
        if not source.is_dir():
            continue
        final = to.path / where
        if final.is_relative_to(to.path):
            place = made / final.relative_to(to.path)
            place.parent.mkdir(parents=True, exist_ok=True)
            source.rename(place)
            places[f"{SERVERS}/{name}"] = str(final.relative_to(to.path))
        else:
            result.notes.append(
                f"stop {name}, empty {final}, and copy {to.path / SERVERS / name} there"
            )
    return places


def _where(appliance: Appliance, to: Home, part: str | None) -> str | None:
    """Where a part lies in the home."""
    if part is None or not part.startswith(f"{SERVERS}/"):
        return part
    data = getattr(appliance.backup.servers, part.removeprefix(f"{SERVERS}/"), None)
    place = to.path / data if data else to.path / part
    return str(place.relative_to(to.path)) if place.is_relative_to(to.path) else part


def _occupied(path: Path, part: str | None) -> Path | None:
    """What a restore would replace; None where there is nothing of worth."""
    if part is not None:
        return path / part if (path / part).exists() else None
    if not path.exists():
        return None
    if not path.is_dir():
        raise BackupError(f"{path} is no directory", hint="Choose another --target")
    ours = (*_KEPT, *_SCRATCH)
    for entry in sorted(path.iterdir()):
        if entry.name in ours:
            continue
        if not entry.is_dir() or any(each.is_file() for each in entry.rglob("*")):
            return path
    return None


@contextmanager
def _at_rest(to: Home) -> Iterator[None]:
    """Keep JimBot from starting there meanwhile.

    Raises:
        BackupError: it runs there.
    """
    if to.run.is_dir():
        with state.lock(to):
            _check_unused(to)
            yield
    else:
        _check_unused(to)
        yield


def _check_unused(to: Home) -> None:
    stores = [to.event_log.parent, to.series.parent, to.graph.parent, to.path / "claude"]
    inside = tuple(f"{store.resolve()}{os.sep}" for store in stores)
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid == os.getpid():
                continue
            for file in process.open_files():
                if file.path.startswith(inside):
                    raise BackupError(
                        f"{process.name()} (pid {process.pid}) uses {file.path}",
                        hint="Stop JimBot first",
                    )


@contextmanager
def _beside(to: Home) -> Iterator[Path]:
    """A new directory beside the home, which goes again where it has not become the home."""
    made = to.path.with_name(f".{to.path.name}.restoring-{os.getpid()}")
    try:
        made.mkdir(parents=True, mode=0o700)
        (made / _UNFINISHED).touch()
    except OSError as error:
        raise BackupError(
            f"cannot write beside {to.path}: {error.strerror}",
            hint=f"Make {to.path.parent} writable",
        ) from error
    try:
        yield made
    except OSError as error:
        raise BackupError(
            f"the restore was not made: {error.strerror}", hint="Free disk space and try again"
        ) from error
    finally:
        if (made / _UNFINISHED).exists():
            shutil.rmtree(made, ignore_errors=True)


def _sweep(to: Home) -> None:
    """Clean up after restores that were killed: half a new home goes, an old home stays."""
    (to.path / _UNFINISHED).unlink(missing_ok=True)
    for left in to.path.parent.glob(f".{to.path.name}.restoring-*"):
        if (left / _UNFINISHED).exists():
            shutil.rmtree(left, ignore_errors=True)
        elif left.is_dir():
            left.rename(_aside(to))


def _aside(to: Home) -> Path:
    return _free(to.path.with_name(f"{to.path.name}.before-restore-{_stamp()}"))


def _part_aside(to: Home, part: str) -> Path:
    return _free(folder(to) / "set-aside" / _stamp()) / part.replace("/", "-")


def _free(path: Path) -> Path:
    """The path, or one with a number where something is there."""
    found, number = path, 2
    while found.exists():
        found, number = path.with_name(f"{path.name}-{number}"), number + 1
    return found


def _stamp() -> str:
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime())


def _sync_tree(directory: Path) -> None:
    for path in directory.rglob("*"):
        if not path.is_symlink():
            sync(path)
    sync(directory)
