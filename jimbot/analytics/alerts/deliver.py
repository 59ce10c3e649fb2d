"""Telling people: webhooks, the desktop, mail. A message carries every alert that changed.

The webhook's JSON is Alertmanager's (version 4), so what understands that understands us.
"""

from __future__ import annotations

import os
import shutil
import smtplib
import ssl
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

import httpx

from jimbot.appliance import Home
from jimbot.appliance.alerts import Delivery, Mail
from jimbot.appliance.containers import WAY_OUT
from jimbot.errors import JimbotError
from jimbot.security import secrets
from jimbot.security.errors import SecretError

_TIMEOUT_S = 10.0
_PORTS = {"http": 80, "https": 443}
# What lies where notify-send finds the owner's session.
_SESSION = ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY")


class NotDelivered(JimbotError):
    """A channel did not take a message; its text holds no secret."""


class Notice(NamedTuple):
    """One alert as it is told. Times are seconds since 1970."""

    fingerprint: str
    name: str
    severity: str
    state: Literal["firing", "resolved"]
    labels: dict[str, str]
    summary: str
    what_to_do: str
    runbook: str
    since: float
    resolved_at: float | None


class Channel(Protocol):
    """A way to tell somebody. `send` blocks at most some seconds."""

    @property
    def name(self) -> str: ...

    def send(self, notices: Sequence[Notice]) -> None:
        """Tell of them all at once.

        Raises:
            NotDelivered: it was not taken; trying again is fine.
        """


def channels(home: Home, how: Delivery) -> list[Channel]:
    """Every way that the table and the machine give; files are read anew at each call.

    Raises:
        NotDelivered: a file that is there cannot be read.
    """
    found: list[Channel] = [
        Webhook(number, address)
        for number, address in enumerate(_lines(_under(home, how.webhook_file)), 1)
    ]
    if how.desktop and (program := shutil.which("notify-send")) and _has_session():
        found.append(Desktop(program))
    if how.mail:
        found.append(MailTo(how.mail, _under(home, how.mail.password_file)))
    return found


def servers(home: Home, how: Delivery) -> frozenset[str]:
    """Where webhooks lie, each `HOST:PORT` as a client names it; none where their file cannot be
    read or an address is none."""
    try:
        addresses = _lines(_under(home, how.webhook_file))
    except NotDelivered:
        return frozenset()
    found = set()
    for address in addresses:
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL:
            continue
        if url.host and url.scheme in _PORTS:
            found.add(f"{url.raw_host.decode('ascii')}:{url.port or _PORTS[url.scheme]}")
    return frozenset(found)


class Webhook:
    """Posts to an address, by $JIMBOT_WAY_OUT where the network is closed. Which address is not
    said anywhere: it may hold a secret."""

    def __init__(self, number: int, address: str) -> None:
        self._address = address
        self.name = f"webhook-{number}"

    def send(self, notices: Sequence[Notice]) -> None:
        try:
            answer = httpx.post(
                self._address,
                json=message(notices),
                timeout=_TIMEOUT_S,
                proxy=os.environ.get(WAY_OUT) or None,
            )
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise NotDelivered(
                f"the webhook at {_host(self._address)} was not reached: {type(error).__name__}",
                hint="Check the address in the file of webhooks",
            ) from None
        if not answer.is_success:
            raise NotDelivered(
                f"the webhook at {_host(self._address)} answered {answer.status_code}",
                hint="Check the address in the file of webhooks",
            )


class Desktop:
    """A notification on the owner's desktop."""

    name = "desktop"

    def __init__(self, program: str) -> None:
        self._program = program

    def send(self, notices: Sequence[Notice]) -> None:
        for one in notices:
            urgent = one.severity == "critical" and one.state == "firing"
            command = [
                self._program,
                "--app-name=JimBot",
                f"--urgency={'critical' if urgent else 'normal'}",
                "--",
                title(one),
                one.summary if one.state == "resolved" else f"{one.summary}\n{one.what_to_do}",
            ]
            try:
                subprocess.run(command, check=True, timeout=_TIMEOUT_S, capture_output=True)
            except (OSError, subprocess.SubprocessError) as error:
                raise NotDelivered(f"notify-send failed: {type(error).__name__}") from None


class MailTo:
    """Mail through a server that asks for a name and password, or for none."""

    name = "mail"

    def __init__(self, how: Mail, password_file: Path) -> None:
        self._how = how
        self._password_file = password_file

    def send(self, notices: Sequence[Notice]) -> None:
        how = self._how
        try:
            password = _secret(self._password_file) if how.user else ""
            with smtplib.SMTP(how.host, how.port, timeout=_TIMEOUT_S) as server:
                if how.starttls:
                    server.starttls(context=ssl.create_default_context())
                if how.user:
                    server.login(how.user, password)
                server.send_message(letter(how, notices))
        except (OSError, smtplib.SMTPException) as error:
            raise NotDelivered(
                f"mail through {how.host}:{how.port} failed: {type(error).__name__}",
                hint="Check [alerts.delivery.mail] and its password file",
            ) from None


def message(notices: Sequence[Notice]) -> dict[str, Any]:
    """Alertmanager's webhook message."""
    firing = any(one.state == "firing" for one in notices)
    return {
        "version": "4",
        "groupKey": "jimbot",
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": "jimbot",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "",
        "alerts": [
            {
                "status": one.state,
                "labels": {"alertname": one.name, "severity": one.severity, **one.labels},
                "annotations": {
                    "summary": one.summary,
                    "description": one.what_to_do,
                    "runbook_url": one.runbook,
                },
                "startsAt": _rfc3339(one.since),
                "endsAt": _rfc3339(one.resolved_at or 0),
                "generatorURL": "",
                "fingerprint": one.fingerprint,
            }
            for one in notices
        ],
    }


def letter(how: Mail, notices: Sequence[Notice]) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = how.sender, ", ".join(how.to)
    more = f" and {len(notices) - 1} more" if len(notices) > 1 else ""
    mail["Subject"] = f"{title(notices[0])}{more}"
    mail.set_content(
        "\n".join(
            f"{title(one)}\n  {one.summary}\n  since {_rfc3339(one.since)}\n"
            + ("" if one.state == "resolved" else f"  {one.what_to_do}\n  {one.runbook}\n")
            for one in notices
        )
    )
    return mail


def title(one: Notice) -> str:
    return f"JimBot: {one.name} {'is over' if one.state == 'resolved' else f'({one.severity})'}"


def _rfc3339(seconds: float) -> str:
    """As Alertmanager writes it, which writes the year 1 for never."""
    if not seconds:
        return "0001-01-01T00:00:00Z"
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _under(home: Home, file: str) -> Path:
    return home.path / file  # an absolute one stays as it is


def _secret(path: Path) -> str:
    try:
        return secrets.read(path)
    except SecretError as error:
        raise NotDelivered(error.message, hint=error.hint) from None


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    return [line.strip() for line in _secret(path).splitlines() if line.strip() and line[0] != "#"]


def _host(address: str) -> str:
    return urlsplit(address).hostname or "no host"


def _has_session() -> bool:
    return any(os.environ.get(name) for name in _SESSION)
