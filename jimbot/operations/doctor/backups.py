"""How old the last good backup is, whether the next one can be made, and whether it was tried."""

from __future__ import annotations

from collections.abc import Iterator

from jimbot.errors import JimbotError
from jimbot.operations.backup import record, runner
from jimbot.operations.doctor.finding import Finding, Patient


def look(patient: Patient) -> Iterator[Finding]:
    try:
        there = runner.repository(patient.appliance, patient.home)
        there.check_there()
    except JimbotError as error:
        yield Finding(
            check="backups",
            severity="fail",
            seen=error.message,
            mend="jimbot backup init" if "jimbot backup init" in error.hint else "",
            hint=error.hint,
        )
    else:
        yield Finding(check="backups", severity="ok", seen=f"{there.name} opens")
    status = record.status(patient.home, patient.appliance)
    if status.age_s is None:
        seen = "there is no good backup yet"
    else:
        seen = f"the last good backup is {status.age_s / 3600:.1f} h old"
    yield Finding(
        check="backups",
        severity="fail" if status.stale else "ok",
        seen=seen,
        mend="jimbot backup run" if status.stale else "",
    )
    if status.problem:
        yield Finding(
            check="backups",
            severity="fail",
            seen=f"the last try failed: {status.problem}",
            mend="jimbot backup run",
        )
