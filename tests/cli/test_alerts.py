from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from jimbot.appliance import Home
from jimbot.cli import main
from jimbot.security import audit
from tests.conftest import table_on_free_ports


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return table_on_free_ports(tmp_path)


def _run(home: Home, table: Path, *arguments: str) -> Result:
    where = ["--home", str(home.path), "--table", str(table)]
    return CliRunner(env={"JIMBOT_TABLE": str(table)}).invoke(main, [*where, *arguments])


@contextmanager
def answering(port: int, answer: Any, status: int = 200) -> Iterator[list[bytes]]:
    """A server that answers everything so; yields what was posted."""
    got: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield got
        finally:
            server.shutdown()


def analytics_port(table: Path) -> int:
    from jimbot.appliance import load

    return load(table).service("analytics").ports["http"]


FIRING = {
    "status": "fail",
    "checked_at": 1_800_000_000_000,
    "alerts": [
        {
            "id": "a",
            "name": "MemoryCritical",
            "severity": "critical",
            "state": "firing",
            "labels": {"service": "mcp"},
            "since": 1_800_000_000_000,
            "value": "95 %",
            "summary": "mcp uses 95 % of its memory",
            "what_to_do": "See `jimbot top`.",
            "runbook": "docs/alerts.md#memorycritical",
        }
    ],
    "rules": [{"name": "BackupStale", "severity": "critical", "state": "unchecked", "reason": "x"}],
}
WELL = {"status": "ok", "checked_at": 1_800_000_000_000, "alerts": [], "rules": []}


def test_nobody_who_looks_is_not_well(home: Home, table: Path) -> None:
    result = _run(home, table, "alerts", "list")
    assert result.exit_code == 2
    assert "nothing fires" not in result.stdout
    assert "analytics could not be asked" in result.stderr
    with answering(analytics_port(table), WELL | {"checked_at": None, "status": "unchecked"}):
        result = _run(home, table, "alerts", "list", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["checked"] is False


def test_what_fires_is_listed_with_what_to_do(home: Home, table: Path) -> None:
    with answering(analytics_port(table), FIRING):
        result = _run(home, table, "alerts", "list")
        as_json = json.loads(_run(home, table, "alerts", "list", "--json").stdout)
    assert result.exit_code == 1
    assert "MemoryCritical: mcp uses 95 % of its memory" in result.stdout
    assert "See `jimbot top`." in result.stdout
    assert "not checked: BackupStale" in result.stdout
    assert as_json["alerts"][0]["name"] == "MemoryCritical"
    with answering(analytics_port(table), WELL):
        result = _run(home, table, "alerts", "list")
    assert (result.exit_code, result.stdout) == (0, "nothing fires\n")


@pytest.mark.parametrize(
    "answer", [[], {"status": "ok"}, {"status": "ok", "alerts": [{}], "rules": []}]
)
def test_a_stranger_on_the_port_is_not_taken_for_well(home: Home, table: Path, answer: Any) -> None:
    with answering(analytics_port(table), answer):
        assert _run(home, table, "alerts", "list").exit_code == 2


def test_silences_are_made_listed_ended_and_recorded(home: Home, table: Path) -> None:
    silence = ("alerts", "silence", "MemoryHigh", "--label", "service=trainer", "--for", "2h")
    assert _run(home, table, *silence, "--dry-run").exit_code == 0
    assert "silence" not in _run(home, table, "alerts", "list").stdout
    made = json.loads(_run(home, table, *silence, "--reason", "a try", "--json").stdout)
    assert made["rule"] == "MemoryHigh"
    assert made["labels"] == {"service": "trainer"}
    listed = _run(home, table, "alerts", "list").stdout
    assert f"silence {made['id']}: MemoryHigh service=trainer, 120 min left. a try" in listed
    assert _run(home, table, "alerts", "unsilence", made["id"]).exit_code == 0
    assert "silence" not in _run(home, table, "alerts", "list").stdout
    again = _run(home, table, "alerts", "unsilence", made["id"])
    assert again.exit_code == 2
    assert "no silence" in again.stderr
    records = [(one["action"], one["result"]) for one in audit.entries(home)]
    assert records == [
        ("alerts silence", "ok"),
        ("alerts unsilence", "ok"),
        ("alerts unsilence", "failed"),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        ("NoSuchRule", "--for", "2h"),
        ("MemoryHigh",),
        ("MemoryHigh", "--for", "0h"),
        ("MemoryHigh", "--for", "soon"),
        ("MemoryHigh", "--for", "2h", "--label", "service"),
    ],
)
def test_a_silence_that_says_nothing_is_refused(
    home: Home, table: Path, wrong: tuple[str, ...]
) -> None:
    assert _run(home, table, "alerts", "silence", *wrong).exit_code == 2
    assert not (home.path / "alerts").exists()


def test_telling_is_tried_over_every_channel(
    home: Home, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    nobody = _run(home, table, "alerts", "test")
    assert nobody.exit_code == 2
    assert "nobody would hear" in nobody.stderr
    hooks = home.path / "secrets" / "alert-webhooks"
    hooks.parent.mkdir()
    hooks.touch(mode=0o600)
    port = analytics_port(table)
    hooks.write_text(f"http://127.0.0.1:{port}/hook\n")
    with answering(port, {}) as got:
        result = _run(home, table, "alerts", "test", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (
        0,
        {"channels": {"webhook-1": "taken"}},
    )
    assert [one["status"] for one in json.loads(got[0])["alerts"]] == ["firing", "resolved"]
    result = _run(home, table, "alerts", "test")
    assert result.exit_code == 1
    assert "webhook-1: the webhook at 127.0.0.1 was not reached" in result.stdout
