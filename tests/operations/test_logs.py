from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jimbot.appliance import Home
from jimbot.appliance.logs import Logs
from jimbot.operations import logs
from jimbot.operations.logs import Follower, LogFile, Pipe, Wanted

LIMITS = Logs(
    rotate_mb=1e-3, most_mb=1, environment="production", days={"production": 30, "staging": 1}
)


def _line(
    message: str, *, at: float = 0, level: str = "info", service: str = "mcp", **fields: Any
) -> bytes:
    time = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=at)
    said = {"time": time.isoformat(), "level": level, "service": service, "message": message}
    return json.dumps(said | fields).encode() + b"\n"


def _messages(home: Home, **wanted: Any) -> list[str]:
    return [line.message for line in logs.read(home, Wanted(**wanted))]


def test_lines_are_whole_whatever_pieces_they_come_in(home: Home) -> None:
    sink = LogFile(home, "mcp")
    for byte in _line("one") + _line("two"):
        sink.write(bytes([byte]))
    sink.close()
    assert (home.logs / "mcp.jsonl").read_bytes() == _line("one") + _line("two")


def test_plain_text_becomes_json_with_the_level_that_it_shouts(home: Home) -> None:
    sink = LogFile(home, "ray-head")
    sink.write(
        b"hello\r\n\n[2026] ERROR: out of memory\nWARN low\n\xff\xfe odd\nlast without an end"
    )
    sink.close()
    found = [json.loads(text) for text in (home.logs / "ray-head.jsonl").read_text().splitlines()]
    assert [(one["level"], one["message"]) for one in found] == [
        ("info", "hello"),
        ("error", "[2026] ERROR: out of memory"),
        ("warning", "WARN low"),
        ("info", "\ufffd\ufffd odd"),
        ("info", "last without an end"),
    ]
    assert {one["service"] for one in found} == {"ray-head"}


def test_a_line_without_end_is_cut_and_does_not_grow_the_memory(home: Home) -> None:
    sink = LogFile(home, "mcp")
    for _ in range(9):
        sink.write(b"x" * (logs.LONGEST // 4))
    assert len(sink._part) <= logs.LONGEST
    sink.close()
    assert all(len(line.message) <= logs.LONGEST for line in logs.read(home, Wanted()))


def test_files_are_turned_over_compressed_and_still_read_in_order(home: Home) -> None:
    sink = LogFile(home, "mcp", LIMITS)
    for number in range(60):
        sink.write(_line(f"line {number}", at=number))
        if sink._tidying:
            sink._tidying.join()
    sink.close()
    assert len(list(home.logs.glob("mcp.*.jsonl.gz"))) >= 3
    assert not list(home.logs.glob("*.new"))
    assert (home.logs / "mcp.jsonl").stat().st_size <= 1100
    assert _messages(home) == [f"line {number}" for number in range(60)]
    assert logs.services(home) == ["mcp"]


def test_old_files_go_by_age_of_the_environment_and_by_size(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JIMBOT_ENVIRONMENT", raising=False)

    def old_file(days: float, size: int = 10) -> Path:
        stamp = (datetime.now(UTC) - timedelta(days=days)).strftime(logs._STAMP)
        path = home.logs / f"mcp.{stamp}.jsonl.gz"
        path.write_bytes(os.urandom(size))
        return path

    kept, two_days, ancient = old_file(0.5), old_file(2), old_file(31)
    other = home.logs / "mcp-other.jsonl"
    other.write_text("")
    logs.tidy(home.logs, "mcp", LIMITS)
    assert (kept.exists(), two_days.exists(), ancient.exists()) == (True, True, False)
    monkeypatch.setenv("JIMBOT_ENVIRONMENT", "staging")
    logs.tidy(home.logs, "mcp", LIMITS)
    assert (kept.exists(), two_days.exists(), other.exists()) == (True, False, True)
    big = old_file(0.9, 200_000)
    logs.tidy(home.logs, "mcp", LIMITS.model_copy(update={"most_mb": 0.1}))
    assert (kept.exists(), big.exists()) == (True, False)


def test_a_compression_that_was_cut_off_is_done_again(home: Home) -> None:
    stamp = datetime.now(UTC).strftime(logs._STAMP)
    (home.logs / f"mcp.{stamp}.jsonl").write_bytes(_line("old"))
    (home.logs / f"mcp.{stamp}.jsonl.gz.new").write_bytes(b"\x1f\x8b half")
    assert _messages(home) == ["old"]
    LogFile(home, "mcp", LIMITS).close()
    assert gzip.decompress((home.logs / f"mcp.{stamp}.jsonl.gz").read_bytes()) == _line("old")
    assert _messages(home) == ["old"]


def test_a_writer_cut_off_in_a_line_spoils_that_line_alone(home: Home) -> None:
    (home.logs / "mcp.jsonl").write_bytes(_line("whole") + b'{"time": "2026-01')
    sink = LogFile(home, "mcp")
    sink.write(_line("next", at=1))
    sink.close()
    assert _messages(home) == ["whole", '{"time": "2026-01', "next"]


def test_a_full_disk_loses_lines_says_how_many_and_never_raises(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = LogFile(home, "mcp")
    full = True
    opened = Path.open

    def open_or_not(path: Path, *args: Any, **more: Any) -> Any:
        if full:
            raise OSError(28, "No space left on device")
        return opened(path, *args, **more)

    monkeypatch.setattr(Path, "open", open_or_not)
    sink.write(_line("one"))
    sink.write(_line("two"))
    full = False
    sink.write(_line("three"))
    sink.close()
    assert _messages(home) == ["2 lines before this one could not be written", "three"]


def test_lines_are_chosen_by_service_time_level_and_game(home: Home) -> None:
    (home.logs / "mcp.jsonl").write_bytes(
        _line("started", at=0, game="g1")
        + _line("asked", at=2, game="g1", correlation_id="c1")
        + _line("other", at=3, game="g2", correlation_id="c2")
        + _line("slow", at=6, level="warning")
    )
    (home.logs / "claude.jsonl").write_bytes(
        _line("answered", at=2.5, service="claude", correlation_id="c1")
        + _line("batch", at=4, service="claude", games=["g1", "g3"])
        + _line("broken", at=5, service="claude", level="error")
        + b"no json at all\n"
    )
    everything = _messages(home)
    assert everything == [
        "started", "asked", "answered", "other", "batch", "broken", "no json at all", "slow",
    ]  # fmt: skip
    assert _messages(home, services=["claude"], level="warning") == ["broken"]
    assert _messages(home, level="warning") == ["broken", "slow"]
    since = datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)
    assert _messages(home, since=since) == ["broken", "no json at all", "slow"]
    assert _messages(home, game="g1") == ["started", "asked", "answered", "batch"]


def test_following_sees_new_lines_new_services_and_turned_over_files(home: Home) -> None:
    (home.logs / "mcp.jsonl").write_bytes(_line("before"))
    follower = Follower(home, Wanted())
    assert follower.poll() == []
    sink = LogFile(home, "mcp", LIMITS)
    sink.write(_line("new", at=1))
    assert [line.message for line in follower.poll()] == ["new"]
    sink.write(_line("x" * 700, at=2))
    sink.write(_line("y" * 700, at=3))  # turns the file over
    LogFile(home, "late").write(_line("here", at=4))
    assert [line.message[:1] for line in follower.poll()] == ["x", "y", "h"]
    sink.close()
    follower.close()


def test_following_a_game_sees_what_belongs_to_it(home: Home) -> None:
    follower = Follower(home, Wanted(game="g1"))
    LogFile(home, "claude").write(_line("no game known", at=1, correlation_id="c1"))
    LogFile(home, "mcp").write(
        _line("of g1", at=2, game="g1", correlation_id="c1") + _line("of g2", at=3, game="g2")
    )
    assert [line.message for line in follower.poll()] == ["no game known", "of g1"]
    LogFile(home, "claude").write(_line("later", at=4, correlation_id="c1"))
    assert [line.message for line in follower.poll()] == ["later"]
    follower.close()


def test_a_process_speaks_through_a_pipe_and_its_orphans_delay_nobody(home: Home) -> None:
    said = (
        "import subprocess, sys; print('up', flush=True); print('to stderr', file=sys.stderr);"
        "subprocess.Popen(['sleep', '30'])"
    )

    async def main() -> bool:
        sink = LogFile(home, "mcp")
        pipe = Pipe(sink)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", said, stdout=pipe.write_end, stderr=pipe.write_end
        )
        pipe.started()
        assert await asyncio.wait_for(process.wait(), 10) == 0
        ended = await pipe.drained(0.2)
        pipe.close()
        sink.close()
        return ended

    assert asyncio.run(main()) is False  # the orphan holds it, and we went on
    assert _messages(home) == ["up", "to stderr"]
