"""Space on the disk, what takes it, and how many days are left at the pace of the last ones."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from jimbot import usage
from jimbot.operations import vitals
from jimbot.operations.doctor.finding import Finding, Patient

_MB = 1 << 20
_WINDOW_S = 14 * 86_400
_AT_LEAST_S = 3600.0
_DAYS_LEFT = 14.0
_INODES = 0.95


def look(patient: Patient) -> Iterator[Finding]:
    home = patient.home
    if not home.path.is_dir():
        yield Finding(
            check="disk",
            severity="unknown",
            seen=f"not checked: there is no {home.path} yet",
            mend="jimbot init-db",
        )
        return
    used, size = usage.disk(home)
    free, needed = (size - used) // _MB, patient.appliance.machine.disk_free_mb
    full = used / size > (patient.appliance.alerts.rules["DiskFilling"].above or 1.0)
    parts = sorted(usage.storage(home).items(), key=lambda part: -part[1])[:3]
    largest = ", ".join(f"{name} {taken // _MB} MB" for name, taken in parts)
    yield Finding(
        check="disk",
        severity="fail" if free < needed else "warn" if full else "ok",
        seen=f"{free} MB of {size // _MB} MB are free; largest in the home: {largest or 'nothing'}",
        mend="jimbot db retain" if free < needed or full else "",
    )
    inodes = os.statvfs(home.path)
    if inodes.f_files:
        taken = 1 - inodes.f_favail / inodes.f_files
        if taken > _INODES:
            yield Finding(
                check="disk",
                severity="fail",
                seen=f"{taken:.0%} of the disk's inodes are taken",
                hint="Remove small files, or use another file system",
            )
    yield _growth(patient)
    for left in sorted(home.path.parent.glob(f"{home.path.name}.before-restore-*")):
        yield Finding(
            check="disk",
            severity="warn",
            seen=f"{left} is what was there before a restore: {usage.folder_bytes(left) // _MB} MB",
            mend=f"rm -rf {shlex.quote(str(left))}",
            disruptive=True,
        )


def _growth(patient: Patient) -> Finding:
    known = vitals.read(patient.home)
    known = [each for each in known if known[-1].time - each.time < _WINDOW_S]
    if len(known) < 3 or known[-1].time - known[0].time < _AT_LEAST_S:
        return Finding(
            check="disk",
            severity="ok",
            seen="growth is not known yet: it takes an hour of looks",
            hint="Backups and `jimbot doctor` write sizes down",
        )
    growth = vitals.slope([(each.time, -float(each.free)) for each in known]) or 0.0
    if growth <= 0:
        return Finding(check="disk", severity="ok", seen="the disk does not fill up")
    days = known[-1].free / growth / 86_400
    return Finding(
        check="disk",
        severity="ok" if days > _DAYS_LEFT else "warn",
        seen=f"the disk fills by {growth * 86_400 / _MB:,.0f} MB a day: {days:,.0f} days left",
        mend="" if days > _DAYS_LEFT else "jimbot db retain",
    )
