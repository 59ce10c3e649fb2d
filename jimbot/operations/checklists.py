"""The two checklists: before a deployment, and after it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from jimbot import usage
from jimbot.appliance import Appliance, Home
from jimbot.appliance.render.containers import unpinned
from jimbot.errors import JimbotError
from jimbot.operations import doctor, journal
from jimbot.operations import preflight as start
from jimbot.operations.doctor.finding import Finding, Patient
from jimbot.operations.machine import choose_profile

_LOOK_BACK = timedelta(minutes=10)
_TAIL = 256 << 10

# Programs that an operation needs, and what for.
_PROGRAMS = {"restic": "backups"}


def preflight(
    appliance: Appliance, home: Home, *, environment: str | None = None, train: bool = True
) -> list[Finding]:
    """What must hold before: table, packages, programs, disk, ports, stores, secrets, backup."""
    name = environment or appliance.logs.environment
    wants = getattr(appliance.environments, name)
    patient = Patient(appliance, home)
    services = start.plan(appliance, train=train)
    if patient.by_system:
        rows = {name: appliance.service(name) for name in patient.expected or ()}
        services = [
            name for name, row in rows.items() if row.command and (train or row.group != "training")
        ]
    found = [
        Finding(check="table", severity="ok", seen=f"the table holds; environment {name}"),
        _refused("packages", lambda: start.check_packages(appliance, services)),
        _refused("profile", lambda: choose_profile(appliance, usage.profile(home) or "auto")),
        *_programs(),
        *_digests(appliance, required=wants.require_digests),
    ]
    if home.path.is_dir():
        found.append(_refused("disk", lambda: start.check_disk(appliance, home)))
    if patient.running is None:
        # What answers as the table says has its own ports.
        here = patient.answers if patient.by_system else {}
        free = [name for name in services if name not in here or not here[name].answered]
        found.append(_refused("ports", lambda: start.check_ports(appliance, free)))
    else:
        found.append(
            Finding(check="ports", severity="ok", seen="JimBot runs here, and has its ports")
        )
    names = ["stores", "secrets", "clock"]
    names += ["backups"] if wants.backups else []
    if appliance.security.exposed:
        names.append("certificates")
    found += doctor.examine(appliance, home, names, remember=False)
    return [_softened(finding) for finding in found]


def verify(appliance: Appliance, home: Home) -> list[Finding]:
    """What must hold after: every service, every store, what listens, what the logs say."""
    found = doctor.examine(
        appliance, home, ["services", "memory", "network", "stores", "certificates", "backups"]
    )
    return [*found, *_errors(Patient(appliance, home))]


def _softened(finding: Finding) -> Finding:
    """Stores that are not there yet are made by the start."""
    if finding.check == "stores" and (
        finding.mend == "jimbot init-db" or "there is no event log" in finding.seen
    ):
        return finding.model_copy(
            update={"severity": "ok", "seen": f"{finding.seen}: made at start"}
        )
    return finding


def _refused(check: str, attempt: Callable[[], object]) -> Finding:
    try:
        attempt()
    except JimbotError as error:
        return Finding(check=check, severity="fail", seen=error.message, hint=error.hint)
    return Finding(check=check, severity="ok", seen="as the table asks")


def _programs() -> Iterator[Finding]:
    for program, purpose in _PROGRAMS.items():
        there = shutil.which(program)
        yield Finding(
            check="programs",
            severity="ok" if there else "fail",
            seen=f"{program} ({purpose}): {there or 'not installed'}",
            mend="" if there else f"apt-get install {program}",
            disruptive=True,
        )


def _digests(appliance: Appliance, *, required: bool) -> Iterable[Finding]:
    open_ = [service.image for service in unpinned(appliance)]
    if not open_:
        return [Finding(check="images", severity="ok", seen="every image that is used is pinned")]
    return [
        Finding(
            check="images",
            severity="fail" if required else "warn",
            seen=f"not pinned by a digest: {', '.join(open_)}",
            hint="Fill it into [images] of the table: skopeo inspect docker://NAME:TAG",
        )
    ]


def _errors(patient: Patient) -> Iterator[Finding]:
    """What services said of errors in the last minutes."""
    since = datetime.now(UTC) - _LOOK_BACK
    said, unseen = _journal(patient, since) if patient.by_system else (_files(patient), [])
    looked = False
    for name, lines in said:
        looked = True
        last, count = "", 0
        for line in lines:
            try:
                entry = json.loads(line)
                fresh = datetime.fromisoformat(entry["time"]).astimezone(UTC) > since
            except (ValueError, KeyError, TypeError):
                continue
            if entry.get("level") in ("error", "critical") and fresh:
                last, count = str(entry.get("message", "")), count + 1
        if count:
            yield Finding(
                check="logs",
                severity="fail",
                seen=f"{name} told of {count} errors in the last ten minutes, the last: {last}",
                hint=f"See: jimbot logs {name} --level error",
            )
    if unseen:
        yield Finding(
            check="logs",
            severity="warn",
            seen=f"not checked here: the journal does not show this user {', '.join(unseen)}",
            hint="As root: journalctl -u '*jimbot-*' --since -10min"
            """ --grep '"level": "(error|critical)"'""",
        )
    elif not looked:
        home = patient.home
        yield Finding(check="logs", severity="unknown", seen=f"there is no log in {home.logs}")
    else:
        yield Finding(check="logs", severity="ok", seen="the services' logs were read")


Said = Iterable[tuple[str, Iterable[bytes]]]
"""Services with the lines that they wrote last."""


def _files(patient: Patient) -> Said:
    for name in patient.appliance.services:
        path = patient.home.logs / f"{name}.jsonl"
        if path.exists():
            with path.open("rb") as file:
                file.seek(max(os.fstat(file.fileno()).st_size - _TAIL, 0))
                yield name, file.read().splitlines()


def _journal(patient: Patient, since: datetime) -> tuple[Said, list[str]]:
    """What the journal has, and whose it does not show."""
    names = [name for name in patient.expected or () if patient.appliance.service(name).command]
    shown = set(journal.services())
    unseen = [name for name in names if name not in shown]
    return [(name, journal.read(name, since)) for name in names if name in shown], unseen
