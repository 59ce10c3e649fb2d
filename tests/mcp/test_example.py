from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from jimbot.events import EventLog, open_log
from tests.mcp.conftest import Service

ROOT = Path(__file__).parents[2]


def test_the_example_plays_a_game_against_the_real_service(service: Service) -> None:
    service.start()
    done = subprocess.run(
        [sys.executable, "examples/play_over_websocket.py", service.url],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "the run ended in ante" in done.stdout
    log: EventLog = open_log(service.home, read_only=True)
    assert log.count(["MONEY_CHANGED"]) > 0
    log.close()
    code, text = service.get("/metrics")
    assert code == 200
    assert "jimbot_mcp_decisions_total" in text
