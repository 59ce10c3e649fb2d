"""Waiting for processes that tests have started, and stopping them."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from typing import Any


def until(condition: Callable[[], object], seconds: float) -> None:
    """Wait until a condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def stop(processes: Iterable[subprocess.Popen[Any]], seconds: float) -> None:
    """Ask all to end, one after the other, and kill those that have not within so many seconds."""
    asked = list(processes)
    for process in asked:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in asked:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
