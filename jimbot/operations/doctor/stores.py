"""Whether each store opens, and whether all that was acknowledged is stored."""

from __future__ import annotations

from collections.abc import Iterator

from jimbot.errors import JimbotError
from jimbot.events import open_log
from jimbot.mcp.journal import Auditor
from jimbot.operations import stores
from jimbot.operations.doctor.finding import Finding, Patient, Severity

_SEVERITY: dict[str, Severity] = {
    "ok": "ok",
    "in use": "ok",
    "old": "warn",
    "missing": "warn",
    "away": "fail",
    "broken": "fail",
}


def look(patient: Patient) -> Iterator[Finding]:
    for one in stores.status(patient.home):
        yield Finding(
            check="stores",
            severity=_SEVERITY[one.state],
            seen=f"{one.name}: {one.problem or one.state}",
            mend=_mend(one),
            disruptive=one.state == "broken",
            hint=one.hint,
        )
    yield acknowledged(patient)


def acknowledged(patient: Patient) -> Finding:
    """Whether the log has every event that a client was told is stored."""
    try:
        log = open_log(patient.home, read_only=True)
    except JimbotError as error:
        return Finding(
            check="stores",
            severity="unknown",
            seen=f"acknowledged events not checked: {error.message}",
        )
    try:
        audit = Auditor(patient.home.acknowledged, log).audit()
    finally:
        log.close()
    lost = len(audit.lost)
    return Finding(
        check="stores",
        severity="fail" if lost else "ok",
        seen=f"{audit.acknowledged:,} events were acknowledged, {lost} of them are not stored",
        hint="Restore the log from a backup, and keep what is there" if lost else "",
    )


def _mend(one: stores.StoreStatus) -> str:
    if one.state == "old":
        return f"jimbot db migrate {one.name}"
    if one.state == "missing":
        return "jimbot init-db"
    if one.state == "broken":
        if one.name == "events":
            return "jimbot restore --part events --yes"
        return f"jimbot db rebuild {one.name} --set-aside"
    return ""
