"""Webhooks, the desktop and mail, as their other ends see them."""

from __future__ import annotations

import http.server
import json
import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from jimbot.analytics.alerts.deliver import (
    Desktop,
    MailTo,
    NotDelivered,
    Notice,
    Webhook,
    channels,
)
from jimbot.appliance import Home
from jimbot.appliance.alerts import Delivery, Mail

FIRING = Notice(
    fingerprint="f1",
    name="MemoryHigh",
    severity="warning",
    state="firing",
    labels={"service": "mcp"},
    summary="mcp uses 80 % of its memory",
    what_to_do="See `jimbot top`.",
    runbook="docs/alerts.md#memoryhigh",
    since=1_800_000_000.0,
    resolved_at=None,
)
OVER = FIRING._replace(fingerprint="f2", state="resolved", resolved_at=1_800_000_060.5)


@contextmanager
def _webhook(status: int) -> Iterator[tuple[str, list[Any]]]:
    got: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/T0KEN", got
        finally:
            server.shutdown()


def test_a_webhook_gets_what_alertmanager_would_send() -> None:
    with _webhook(200) as (address, got):
        Webhook(1, address).send([FIRING, OVER])
    [message] = got
    assert (message["version"], message["status"]) == ("4", "firing")
    first, second = message["alerts"]
    assert first["labels"] == {
        "alertname": "MemoryHigh",
        "severity": "warning",
        "service": "mcp",
    }
    assert first["annotations"] == {
        "summary": "mcp uses 80 % of its memory",
        "description": "See `jimbot top`.",
        "runbook_url": "docs/alerts.md#memoryhigh",
    }
    assert first["startsAt"] == "2027-01-15T08:00:00.000+00:00"
    assert first["endsAt"] == "0001-01-01T00:00:00Z"
    assert (second["status"], second["endsAt"]) == ("resolved", "2027-01-15T08:01:00.500+00:00")


def test_a_webhook_that_refuses_or_is_away_is_told_without_its_secret() -> None:
    with _webhook(500) as (address, _), pytest.raises(NotDelivered, match="answered 500") as error:
        Webhook(1, address).send([FIRING])
    assert "T0KEN" not in str(error.value)
    with pytest.raises(NotDelivered, match="not reached") as error:
        Webhook(1, "http://127.0.0.1:9/T0KEN").send([FIRING])  # nothing listens there any more
    assert "T0KEN" not in str(error.value)
    with pytest.raises(NotDelivered, match="not reached"):
        Webhook(1, "T0KEN is no address").send([FIRING])


def test_the_desktop_is_notified(tmp_path: Path) -> None:
    program = tmp_path / "notify-send"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@" >> "$0.out"\n')
    program.chmod(0o755)
    Desktop(str(program)).send([FIRING._replace(severity="critical"), OVER])
    assert (tmp_path / "notify-send.out").read_text() == (
        "--app-name=JimBot|--urgency=critical|--|JimBot: MemoryHigh (critical)|"
        "mcp uses 80 % of its memory\nSee `jimbot top`.|"
        "--app-name=JimBot|--urgency=normal|--|JimBot: MemoryHigh is over|"
        "mcp uses 80 % of its memory|"
    )
    program.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(NotDelivered, match="notify-send failed"):
        Desktop(str(program)).send([FIRING])


class _Smtp(socketserver.StreamRequestHandler):
    """As much of SMTP as smtplib speaks without TLS."""

    def handle(self) -> None:
        said = self.server.said  # type: ignore[attr-defined]
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            said.append(line)
            if line.upper().startswith(b"EHLO"):
                self.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n")
            elif line.upper().startswith(b"AUTH"):
                self.wfile.write(b"235 come in\r\n")
            elif line.upper().startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                while (line := self.rfile.readline()) != b".\r\n":
                    said.append(line)
                self.wfile.write(b"250 taken\r\n")
            elif line.upper().startswith(b"QUIT"):
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


def _secret(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def test_mail_is_sent_with_the_password_from_its_file(tmp_path: Path) -> None:
    password = _secret(tmp_path / "password", "pa55\n")
    with socketserver.TCPServer(("127.0.0.1", 0), _Smtp) as server:
        said: list[bytes] = []
        server.said = said  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        how = Mail(
            host="127.0.0.1",
            port=server.server_address[1],
            starttls=False,
            user="jim",
            sender="jim@example.org",
            to=("owner@example.org",),
        )
        MailTo(how, password).send([FIRING, OVER])
        server.shutdown()
    assert any(line.startswith(b"AUTH PLAIN") for line in said)
    assert b"rcpt TO:<owner@example.org>\r\n" in said
    start = next(number for number, line in enumerate(said) if line.startswith(b"From:"))
    mail = message_from_bytes(b"".join(said[start:]), policy=policy.default)
    assert mail["Subject"] == "JimBot: MemoryHigh (warning) and 1 more"
    body = mail.get_body()
    assert body is not None
    text = body.get_content()
    assert "mcp uses 80 % of its memory" in text
    assert "docs/alerts.md#memoryhigh" in text
    password.chmod(0o644)
    with pytest.raises(NotDelivered, match="may read the secret"):
        MailTo(how, password).send([FIRING])


def test_the_table_and_the_machine_say_which_channels_there_are(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = Delivery(webhook_file="secrets/hooks", desktop=True)
    for name in ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert channels(home, how) == []
    hooks = _secret(home.path / "secrets" / "hooks", "# mine\nhttp://a/1\n\nhttp://b/2\n")
    program = tmp_path / "notify-send"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":0")
    assert [one.name for one in channels(home, how)] == ["webhook-1", "webhook-2", "desktop"]
    hooks.chmod(0o640)
    with pytest.raises(NotDelivered, match="may read the secret"):
        channels(home, how)
