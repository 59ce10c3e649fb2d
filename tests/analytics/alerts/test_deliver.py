"""Webhooks, the desktop and mail, as their other ends see them."""

from __future__ import annotations

import asyncio
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
    servers,
)
from jimbot.appliance import Home
from jimbot.appliance.alerts import Delivery, Mail
from jimbot.operations import forward
from jimbot.operations.ports import free as free_ports

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


def test_from_a_closed_network_webhooks_are_reached_and_nobody_else(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = Delivery(webhook_file="secrets/hooks", desktop=False)
    (inside,) = free_ports(1)
    monkeypatch.setenv("JIMBOT_WAY_OUT", f"http://127.0.0.1:{inside}")
    greeted = b""

    async def main(address: str) -> None:
        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal greeted
            greeted = await reader.read(3)
            writer.close()

        exit_ = await forward.exits(tmp_path, inside, lambda: servers(home, how))
        (loopback,) = await forward.outwards(tmp_path, [inside])
        private = await asyncio.start_server(listen, "127.0.0.1", 0)
        async with exit_, loopback, private:
            hook = Webhook(1, address)
            with pytest.raises(NotDelivered, match="answered 403"):
                await asyncio.to_thread(hook.send, [FIRING])
            path = _secret(home.path / "secrets" / "hooks", f"{address}\n")
            await asyncio.to_thread(hook.send, [FIRING])
            # What is private goes through as it is; that nobody has a certificate here is said.
            port = private.sockets[0].getsockname()[1]
            path.write_text(f"{address}\nhttps://localhost:{port}/T0KEN\n")
            with pytest.raises(NotDelivered, match="at localhost was not reached: ConnectError"):
                await asyncio.to_thread(Webhook(2, f"https://localhost:{port}/T0KEN").send, [OVER])

    with _webhook(200) as (address, got):
        asyncio.run(main(address))
    assert [each["alerts"][0]["labels"]["alertname"] for each in got] == ["MemoryHigh"]
    assert greeted == b"\x16\x03\x01"  # TLS


def test_webhooks_servers_are_named_as_they_are_asked_for(home: Home) -> None:
    how = Delivery(webhook_file="secrets/hooks", desktop=False)
    assert servers(home, how) == frozenset()
    path = _secret(
        home.path / "secrets" / "hooks",
        "https://Hooks.example.org/T0KEN\nhttp://127.0.0.1/a\nhttps://[::1]:8443/\n"
        "https://b\u00fccher.example/x\nftp://example.org/\nnothing\nhttp://:99999/\n",
    )
    assert servers(home, how) == {
        "hooks.example.org:443",
        "127.0.0.1:80",
        "::1:8443",
        "xn--bcher-kva.example:443",
    }
    path.chmod(0o644)
    assert servers(home, how) == frozenset()


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
