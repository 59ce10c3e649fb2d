"""The clock: whether something keeps it right, and whether it went back since the last event."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from jimbot.errors import JimbotError
from jimbot.events import open_log
from jimbot.operations import vitals
from jimbot.operations.backup import record
from jimbot.operations.doctor.finding import Finding, Patient

_AHEAD_S = 60.0
_STA_UNSYNC = 0x40
_TIMEX_BYTES = 208
_STATUS_AT = 40  # of an int in the kernel's `struct timex` on 64-bit machines


def look(patient: Patient) -> Iterator[Finding]:
    yield _kept_right()
    yield _went_back(patient)


def _kept_right() -> Finding:
    """Ask the kernel whether NTP (or the host) steers the clock."""
    timex = (ctypes.c_char * _TIMEX_BYTES)()  # modes = 0: only asked
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
        return Finding(
            check="clock", severity="unknown", seen="the kernel does not tell whether it is right"
        )
    status = int.from_bytes(timex.raw[_STATUS_AT : _STATUS_AT + 4], "little")
    if status & _STA_UNSYNC:
        return Finding(
            check="clock",
            severity="warn",
            seen="nothing keeps the clock right",
            mend="timedatectl set-ntp true",
            disruptive=True,
        )
    return Finding(check="clock", severity="ok", seen="the clock is kept right")


def _went_back(patient: Patient) -> Finding:
    """Whether something that was written down lies in the future."""
    now = time.time()
    seen = {"a backup": max((t.timestamp() for t in record.read(patient.home).last.values()),
                            default=0.0)}  # fmt: skip
    looks = vitals.read(patient.home)
    seen["a look of the doctor"] = max((each.time for each in looks), default=0.0)
    try:
        log = open_log(patient.home, read_only=True)
        try:
            seen["the last event"] = max(
                (each.event.timestamp / 1000 for each in log.read(limit=100, newest_first=True)),
                default=0.0,
            )
        finally:
            log.close()
    except JimbotError:
        pass  # the check of the stores says so
    what, when = max(seen.items(), key=lambda item: item[1])
    if when - now > _AHEAD_S:
        at = datetime.fromtimestamp(when, UTC)
        return Finding(
            check="clock",
            severity="fail",
            seen=f"{what} is of {at:%Y-%m-%d %H:%M} UTC, {when - now:.0f} s in the future:"
            " the clock went back",
            mend="timedatectl set-ntp true",
            disruptive=True,
            hint="Set the clock right; events keep their order, since positions do not need it",
        )
    return Finding(check="clock", severity="ok", seen="nothing is of the future")
