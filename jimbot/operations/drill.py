"""The proof that a backup is worth something: it is restored, started, and asked.

Nothing of the living home is touched, and no server: it runs on ports of its own, on files.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel

from jimbot.appliance import Appliance, Home, TableError, load
from jimbot.errors import JimbotError
from jimbot.events import open_log
from jimbot.events.payloads import GAME_FINISHED
from jimbot.operations import health, ports, process, stores
from jimbot.operations.backup import lock, runner
from jimbot.operations.backup.errors import BackupError
from jimbot.operations.backup.manifest import Manifest
from jimbot.operations.backup.record import folder
from jimbot.operations.restore import restore

Say = Callable[[str], None]

SERVICES = ("mcp", "analytics")
_BOOT_S, _CATCH_UP_S, _STOP_S = 90.0, 600.0, 15.0


class Check(BaseModel):
    """One comparison; `ok` is None where it could not be made, which is not well."""

    name: str
    ok: bool | None
    expected: str
    found: str


class DrillReport(BaseModel):
    """How long coming back takes, and whether all came back.

    `age_s`: what would be lost if the home were lost now; `restore_s` and `boot_s`: how long it
    would be away.
    """

    snapshot: str
    age_s: float
    restore_s: float
    boot_s: float | None = None
    checks: list[Check] = []

    @property
    def exit_code(self) -> int:
        """0: all is back; 1: something is not; 2: something could not be looked at."""
        if any(check.ok is False for check in self.checks):
            return 1
        return 2 if any(check.ok is None for check in self.checks) else 0


def drill(
    appliance: Appliance, home: Home, *, snapshot: str = "latest", say: Say = lambda text: None
) -> DrillReport:
    """Restore a backup into a scratch home, start it, and compare.

    Raises:
        BackupRunning: another drill is under way.
        BackupError: no backup holds.
    """
    with lock.held(home, "drill", name="drill.lock"), _scratch(home) as directory:
        began = time.monotonic()
        copy = Home(directory / "home")
        restored = restore(appliance, home, target=copy.path, snapshot=snapshot, say=say)
        there = runner.repository(appliance, home)
        chosen = runner.choose(there.snapshots(), [restored.snapshot])[0]
        written = runner.read_manifest(there, chosen)
        report = DrillReport(
            snapshot=chosen.short,
            age_s=round((datetime.now(UTC) - chosen.time).total_seconds(), 1),
            restore_s=round(time.monotonic() - began, 1),
        )
        files = f"{restored.files:,} files"
        report.checks.append(Check(name="hashes", ok=True, expected=files, found=files))
        table = copy.path / "configuration" / "appliance.toml"
        if appliance.stores.log.engine == "server":
            # Starting on it would start on the living server.
            report.checks.append(
                Check(name="boot", ok=None, expected="a start", found="[stores] names servers")
            )
            return report
        report.checks += [_count(copy, written), _history(home, copy)]
        _on_free_ports(table)
        say("starting it")
        report.checks += _boot(load(table), copy, table, report)
        report.checks += _stores(copy)
        return report


def _count(copy: Home, written: Manifest) -> Check:
    wanted = written.rows["events/log.sqlite"]["events"]
    log = open_log(copy, read_only=True)
    try:
        found = log.count()
    finally:
        log.close()
    return _same("events", f"{wanted:,}", f"{found:,}")


def _history(home: Home, copy: Home) -> Check:
    """Whether the backup's last event is in the living log, at the same place."""
    log = open_log(copy, read_only=True)
    try:
        last = log.read(limit=1, newest_first=True)
    finally:
        log.close()
    if not last:
        return Check(name="history", ok=True, expected="no event", found="no event")
    wanted = f"{last[0].position}: {last[0].event.event_id}"
    try:
        living = open_log(home, read_only=True)
    except JimbotError as error:
        return Check(name="history", ok=None, expected=wanted, found=error.message)
    try:
        same = living.read(after=last[0].position - 1, before=last[0].position + 1)
    finally:
        living.close()
    found = f"{same[0].position}: {same[0].event.event_id}" if same else "no such event"
    return _same("history", wanted, found)


def _boot(appliance: Appliance, copy: Home, table: Path, report: DrillReport) -> list[Check]:
    """Start the services on the copy, wait for the figures, and stop them."""
    began = time.monotonic()
    with _running(copy, table):
        answers = asyncio.run(health.wait(appliance, lambda: SERVICES, _BOOT_S))
        bad = [f"{name}: {one.reason}" for name, one in answers.services.items() if one.reason]
        well = answers.exit_code == 0
        checks = [
            Check(
                name="boot",
                ok=well,
                expected="healthy",
                found="healthy" if well else "; ".join(bad),
            )
        ]
        if not well:
            return checks
        report.boot_s = round(time.monotonic() - began, 1)
        log = open_log(copy, read_only=True)
        try:
            games = log.count([GAME_FINISHED])
        finally:
            log.close()
        summary = _caught_up(appliance)
        checks.append(_same("events not folded", "0", str(summary.get("events_behind"))))
        checks.append(_same("games", str(games), str(summary.get("games_finished"))))
    return checks


def _caught_up(appliance: Appliance) -> dict[str, Any]:
    """What analytics says of the games, once it has read the whole log."""
    deadline = time.monotonic() + _CATCH_UP_S
    answer: dict[str, Any] = {}
    with httpx.Client(base_url=appliance.url("analytics"), trust_env=False, timeout=10) as client:
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError, ValueError):
                response = client.get("/api/v1/summary")
                if response.status_code == 200:
                    answer = response.json()
                    if answer.get("events_behind") == 0:
                        break
            time.sleep(0.5)
    return answer


def _stores(copy: Home) -> list[Check]:
    """Whether each store opens and was made from the whole log."""
    checks = []
    deadline = time.monotonic() + 5
    for name in stores.NAMES:
        found = stores.status(copy, (name,))[0]
        while found.state == "in use" and time.monotonic() < deadline:
            time.sleep(0.2)
            found = stores.status(copy, (name,))[0]
        text = found.state if not found.problem else f"{found.state}: {found.problem}"
        ok = None if found.state in ("in use", "missing") else found.state == "ok"
        checks.append(Check(name=f"store {name}", ok=ok, expected="ok", found=text))
    return checks


@contextmanager
def _running(copy: Home, table: Path) -> Iterator[None]:
    # Without the living home's secrets nobody is asked for a token, and Claude is not called.
    environment = {k: v for k, v in os.environ.items() if k != "CREDENTIALS_DIRECTORY"} | {
        "JIMBOT_HOME": str(copy.path),
        "JIMBOT_TABLE": str(table),
        process.SUPERVISOR_PID: str(os.getpid()),
    }
    copy.prepare()
    started = []
    try:
        for name in SERVICES:
            with (copy.logs / f"{name}.drill").open("wb") as output:
                started.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "jimbot", "serve", name],
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=output,
                    )
                )
        yield
    finally:
        for each in started:
            each.terminate()
        for each in started:
            try:
                each.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait()


def _on_free_ports(table: Path) -> None:
    """Write the table anew with other ports, which nobody has."""
    ports.replace(table)
    try:
        load(table)
    except TableError as error:
        raise BackupError(
            f"the table in the backup does not hold here: {error.message}", hint=error.hint
        ) from error


@contextmanager
def _scratch(home: Home) -> Iterator[Path]:
    for left in folder(home).glob("drill-*"):
        shutil.rmtree(left, ignore_errors=True)
    directory = Path(tempfile.mkdtemp(prefix="drill-", dir=folder(home)))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _same(name: str, expected: str, found: str) -> Check:
    return Check(name=name, ok=expected == found, expected=expected, found=found)
