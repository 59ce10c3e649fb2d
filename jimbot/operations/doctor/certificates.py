"""How long certificates hold."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil
from cryptography import x509

from jimbot import usage
from jimbot.operations.doctor.finding import Finding, Patient

_DAYS = 30
_CONNECT_S = 3.0


def look(patient: Patient) -> Iterator[Finding]:
    security = patient.appliance.security
    path = security.certificate(patient.home)
    if security.exposed and patient.by_system and not (path and os.access(path, os.R_OK)):
        yield from _shown(patient)  # the system hands it to mcp alone
        return
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


def _shown(patient: Patient) -> Iterator[Finding]:
    """What is to be said of the certificate that mcp shows to other machines."""
    listen = patient.appliance.security.listen
    address = _own_address() if listen.is_unspecified else str(listen)
    if address is None:
        yield Finding(
            check="certificates", severity="unknown", seen="not checked: there is no network"
        )
        return
    port = patient.appliance.service("mcp").ports["websocket"]
    try:
        shown = ssl.get_server_certificate((address, port), timeout=_CONNECT_S)
    except ConnectionRefusedError:
        yield Finding(
            check="certificates",
            severity="unknown",
            seen="not checked: mcp does not run",
            hint=usage.how_to_start(patient.home),
        )
        return
    except OSError as error:
        yield Finding(
            check="certificates",
            severity="fail",
            seen=f"mcp shows no certificate at {address}:{port}: {error}",
            hint=usage.how_to_start(patient.home),
        )
        return
    yield from _judge(x509.load_pem_x509_certificates(shown.encode()), "mcp")


def _own_address() -> str | None:
    """An address at which other machines reach this one."""
    up = {name for name, one in psutil.net_if_stats().items() if one.isup}
    for name, addresses in psutil.net_if_addrs().items():
        for one in addresses:
            if name in up and one.family == socket.AF_INET and not one.address.startswith("127."):
                return str(one.address)
    return None


def judge(path: Path, now: datetime | None = None) -> Iterator[Finding]:
    """What is to be said of a file of certificates."""
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
    yield from _judge(chain, path.name, now)


def _judge(
    chain: Sequence[x509.Certificate], where: str, now: datetime | None = None
) -> Iterator[Finding]:
    now = now or datetime.now(UTC)
    for one in chain:
        days = (one.not_valid_after_utc - now).total_seconds() / 86_400
        name = one.subject.rfc4514_string() or "?"
        future = one.not_valid_before_utc > now
        bad = days < 0 or future
        yield Finding(
            check="certificates",
            severity="fail" if bad else "warn" if days < _DAYS else "ok",
            seen=f"{name} of {where} holds only from {one.not_valid_before_utc:%Y-%m-%d} on"
            if future
            else f"{name} of {where} holds for {days:.0f} more days"
            if days >= 0
            else f"{name} of {where} ended {-days:.0f} days ago",
            hint="Renew it: see `jimbot certs --help`; it is read again without a restart"
            if bad or days < _DAYS
            else "",
        )
