"""How old the last good backup is, whether the next one can be made, and whether it was tried."""

from __future__ import annotations

from collections.abc import Iterator

from jimbot.errors import JimbotError
from jimbot.operations.backup import record, runner
from jimbot.operations.backup.errors import NoPassword
from jimbot.operations.doctor.finding import Finding, Patient


def look(patient: Patient) -> Iterator[Finding]:
    mend = "jimbot backup run"
    try:
        there = runner.repository(patient.appliance, patient.home)
        there.check_there()
    except JimbotError as error:
        if patient.by_system and isinstance(error, NoPassword):
            # Its units alone get it, as a credential; the record tells how they fared.
            mend = "systemctl start jimbot-backup-hourly"
            yield Finding(
                check="backups",
                severity="warn",
                seen=f"not checked here: whether the repository opens; {error.message}",
                hint="What follows is as the last backup wrote it down; see: systemctl status"
                " 'jimbot-backup-*'",
            )
        else:
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
        mend=mend if status.stale else "",
    )
    if status.problem:
        yield Finding(
            check="backups",
            severity="fail",
            seen=f"the last try failed: {status.problem}",
            mend=mend,
        )
