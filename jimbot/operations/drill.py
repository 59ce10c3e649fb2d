"""The proof that a backup is worth something: it is restored, started, and asked.

Nothing of the living home is touched, and no server: it runs on ports of its own, on files. What
servers keep is compared, and the series and the graph are made from the log.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel

from jimbot import usage
from jimbot.analytics.alerts import silences
from jimbot.appliance import Appliance, Home, TableError, load
from jimbot.appliance.stores import Stores
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
_SILENT_S = 86_400.0


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
    appliance: Appliance,
    home: Home,
    *,
    snapshot: str = "latest",
    wait_s: float = 0.0,
    say: Say = lambda text: None,
) -> DrillReport:
    """Restore a backup into a scratch home, start it, and compare.

    Args:
        wait_s: how long to wait for another drill to end, and then for a backup.

    Raises:
        BackupRunning: another drill or a backup is under way.
        BackupError: no backup holds.
    """
    drilling = lock.held(home, "drill", name="drill.lock", wait_s=wait_s)
    with drilling, _scratch(home) as directory:
        began = time.monotonic()
        copy = Home(directory / "home")
        restored = restore(
            appliance, home, target=copy.path, snapshot=snapshot, wait_s=wait_s, say=say
        )
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
        before = _load(table).stores
        own = _own_table(table, copy)
        left = _on_servers(own.stores)
        if left or appliance.stores.log.engine == "server":
            # Starting on it would start on the living server.
            found = f"not tried: a server keeps the {', '.join(left or ['log'])}"
            report.checks.append(Check(name="boot", ok=None, expected="a start", found=found))
            return report
        report.checks += [_count(copy, written), _history(home, copy)]
        made = _on_servers(before)
        say(f"starting it; made from the log: {', '.join(made)}" if made else "starting it")
        report.checks += _boot(own, copy, table, report)
        report.checks += _stores(copy, table)
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


def _stores(copy: Home, table: Path) -> list[Check]:
    """Whether each store opens and was made from the whole log."""
    deadline = time.monotonic() + 5
    found = _status(copy, table)
    while any(one.state == "in use" for one in found) and time.monotonic() < deadline:
        time.sleep(0.2)
        found = _status(copy, table)
    checks = []
    for one in found:
        text = one.state if not one.problem else f"{one.state}: {one.problem}"
        ok = None if one.state in ("in use", "missing") else one.state == "ok"
        checks.append(Check(name=f"store {one.name}", ok=ok, expected="ok", found=text))
    return checks


def _status(copy: Home, table: Path) -> list[stores.StoreStatus]:
    """How the copy's stores are by its own table: this process' names the living servers."""
    command = [sys.executable, "-m", "jimbot", "db", "status", "--json"]
    answer = subprocess.run(command, env=_environment(copy, table), capture_output=True, text=True)
    try:
        rows = json.loads(answer.stdout)
    except ValueError:
        said = answer.stderr.strip() or f"exit code {answer.returncode}"
        raise BackupError(f"the restored stores could not be looked at: {said}") from None
    return [stores.StoreStatus.model_validate(row) for row in rows.values()]


def _environment(copy: Home, table: Path) -> dict[str, str]:
    # Without the living home's secrets nobody is asked for a token, and Claude is not called.
    return {k: v for k, v in os.environ.items() if k != "CREDENTIALS_DIRECTORY"} | {
        "JIMBOT_HOME": str(copy.path),
        "JIMBOT_TABLE": str(table),
        usage.SERVICES: ",".join(SERVICES),
        process.SUPERVISOR_PID: str(os.getpid()),
    }


@contextmanager
def _running(copy: Home, table: Path) -> Iterator[None]:
    environment = _environment(copy, table)
    copy.prepare()
    # Nobody is told of what it sees: neither of its own alerts, nor of those of the backup's time.
    shutil.rmtree(copy.path / "alerts", ignore_errors=True)
    silences.add(copy, "", {}, _SILENT_S, "a drill")
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


def _own_table(table: Path, copy: Home) -> Appliance:
    """Write the table anew: with other ports, which nobody has, and without the servers of what
    the log makes again, which are the living ones."""
    before = _load(table).stores
    ports.replace(table)
    lines, store = table.read_text("utf-8").splitlines(), ""
    for number, line in enumerate(lines):
        if line.startswith("["):
            header = re.match(r"\[stores\.(series|graph)\]", line)
            store = header[1] if header else ""
        elif line.startswith("engine") and (store == "series" or (store and find_spec("ladybug"))):
            lines[number] = 'engine = "embedded"'
    table.write_text("\n".join(lines))
    own = _load(table)
    if before.series.engine == "server":
        # Beside a server lies what it lacks, and no series of its own.
        shutil.rmtree(copy.series.parent, ignore_errors=True)
    return own


def _on_servers(chosen: Stores) -> list[str]:
    """Which stores a server keeps."""
    return [name for name in ("log", "series", "graph") if getattr(chosen, name).engine == "server"]


def _load(table: Path) -> Appliance:
    try:
        return load(table)
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
