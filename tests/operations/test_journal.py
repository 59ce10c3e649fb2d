"""Logs where systemd runs the services: journalctl is a script here that says what it would."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from jimbot.appliance import Home
from jimbot.operations import journal, logs
from jimbot.operations.logs import Follower, Wanted

SCRIPT = (
    f"#!{sys.executable} -S\n"
    + """\
import json, os, sys, time
here = os.path.dirname(__file__)
entries = [json.loads(line) for line in open(f"{here}/entries")]
asked = " ".join(sys.argv[1:])
open(f"{here}/asked", "a").write(asked + chr(10))
if "--field=_SYSTEMD_UNIT" in asked:
    print(*{entry["_SYSTEMD_UNIT"] for entry in entries}, "ssh.service", sep=chr(10))
elif "--follow" in asked:
    print(json.dumps(entries[-1]), flush=True)
    time.sleep(60)
else:
    for entry in entries:
        if f"--unit={entry['_SYSTEMD_UNIT']}" in asked:
            print(json.dumps(entry))
"""
)


def _entry(service: str, second: int, message: str, **fields: str) -> dict[str, object]:
    time = f"2026-01-01T00:00:{second:02}+00:00"
    said = {"time": time, "level": "info", "service": service, "message": message, **fields}
    return {"_SYSTEMD_UNIT": f"jimbot-{service}.service", "MESSAGE": json.dumps(said)}


@pytest.fixture
def journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "journalctl").write_text(SCRIPT)
    (folder / "journalctl").chmod(0o755)
    entries = [
        _entry("mcp", 1, "decided", game="g1", correlation_id="c1"),
        {"_SYSTEMD_UNIT": "jimbot-mcp.service", "MESSAGE": [104, 105, 255]},
        _entry("ray-head", 3, "ready"),
        _entry("claude", 2, "advised", correlation_id="c1"),
    ]
    (folder / "entries").write_text("\n".join(map(json.dumps, entries)))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def test_the_journal_is_read_where_no_files_are(home: Home, journalctl: Path) -> None:
    assert logs.services(home) == ["claude", "mcp", "ray-head"]
    found = [(line.service, line.message) for line in logs.read(home, Wanted())]
    assert found == [
        ("mcp", "decided"),
        ("mcp", "hi\ufffd"),
        ("claude", "advised"),
        ("ray-head", "ready"),
    ]
    assert [line.message for line in logs.read(home, Wanted(game="g1"))] == ["decided", "advised"]
    assert [line.message for line in logs.read(home, Wanted(services=["claude"]))] == ["advised"]


def test_files_come_first(home: Home, journalctl: Path) -> None:
    (home.logs / "mcp.jsonl").write_text(json.dumps({"time": "2026-01-01", "message": "file"}))
    assert [line.message for line in logs.read(home, Wanted())] == ["file"]
    assert not (journalctl / "asked").exists()


def test_the_journal_is_followed(home: Home, journalctl: Path) -> None:
    follower = Follower(home, Wanted())
    deadline = time.monotonic() + 20
    while not (found := follower.poll()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    follower.close()
    assert [(line.service, line.message) for line in found] == [("claude", "advised")]


def test_without_a_journal_there_is_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert journal.services() == []
    assert list(logs.read(home, Wanted(services=["mcp"]))) == []
