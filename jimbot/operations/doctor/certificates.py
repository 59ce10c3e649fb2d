"""How long certificates hold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from jimbot.operations.doctor.finding import Finding, Patient

_DAYS = 30


def look(patient: Patient) -> Iterator[Finding]:
    security = patient.appliance.security
    path = security.certificate(patient.home)
    if path is None or not path.exists():
        yield Finding(
            check="certificates",
            severity="fail" if security.exposed else "ok",
            seen="there is no certificate"
            + (
                ", and mcp is to be reached from outside" if security.exposed else ": loopback only"
            ),
            mend="jimbot certs init" if security.exposed else "",
        )
        return
    yield from judge(path)


def judge(path: Path, now: datetime | None = None) -> Iterator[Finding]:
    """What is to be said of a file of certificates."""
    now = now or datetime.now(UTC)
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        yield Finding(
            check="certificates",
            severity="fail",
            seen=f"{path} cannot be read: {error}",
            mend="jimbot certs init",
            disruptive=True,
        )
        return
    for one in chain:
        days = (one.not_valid_after_utc - now).total_seconds() / 86_400
        name = one.subject.rfc4514_string() or "?"
        future = one.not_valid_before_utc > now
        bad = days < 0 or future
        yield Finding(
            check="certificates",
            severity="fail" if bad else "warn" if days < _DAYS else "ok",
            seen=f"{name} of {path.name} holds only from {one.not_valid_before_utc:%Y-%m-%d} on"
            if future
            else f"{name} of {path.name} holds for {days:.0f} more days"
            if days >= 0
            else f"{name} of {path.name} ended {-days:.0f} days ago",
            hint="Renew it: see `jimbot certs --help`; it is read again without a restart"
            if bad or days < _DAYS
            else "",
        )
