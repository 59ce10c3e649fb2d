"""How a run looks while it runs: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from jimbot.operations.supervisor import Supervised
from jimbot.operations.up import Progress

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "unknown": "bright_black"}


class View(Protocol):
    """What draws a run's progress, on stderr."""

    def __call__(self, progress: Progress) -> None: ...

    def close(self) -> None: ...


def choose() -> View:
    return LiveView() if sys.stderr.isatty() else PlainView()


class PlainView:
    """A line every `every_s` seconds and at every change of a service's health."""

    def __init__(self, every_s: float = 5.0) -> None:
        self._every_s = every_s
        self._last = float("-inf")
        self._states: dict[str, str] = {}

    def __call__(self, progress: Progress) -> None:
        for name, service in progress.supervisor.services.items():
            status = service.health.status
            if self._states.get(name) != status:
                self._states[name] = status
                print(f"{name}: {_state(service)}", file=sys.stderr, flush=True)
        if progress.stopping:
            print("stopping …", file=sys.stderr, flush=True)
        elif time.monotonic() - self._last >= self._every_s:
            self._last = time.monotonic()
            print(_figures(progress), file=sys.stderr, flush=True)

    def close(self) -> None:
        pass


class LiveView:
    """One screenful, redrawn in place."""

    def __init__(self) -> None:
        self._live = Live(console=Console(stderr=True), refresh_per_second=4)
        self._live.start()

    def __call__(self, progress: Progress) -> None:
        table = Table(box=None, pad_edge=False)
        for heading in ("service", "state", "memory", "peak", "restarts"):
            table.add_column(
                heading, justify="left" if heading in ("service", "state") else "right"
            )
        for name, service in progress.supervisor.services.items():
            table.add_row(
                name,
                Text(_state(service), style=_COLOURS[service.health.status]),
                f"{service.rss_mb:.0f} MB",
                f"{service.peak_rss_mb:.0f} MB",
                str(service.restarts),
            )
        foot = "stopping …" if progress.stopping else f"{progress.dashboard}   Ctrl-C stops"
        self._live.update(Group(Text(_figures(progress), style="bold"), table, Text(foot)))

    def close(self) -> None:
        self._live.stop()


def _state(service: Supervised) -> str:
    health = service.health
    return f"{health.status} ({health.reason})" if health.reason else health.status


def _figures(progress: Progress) -> str:
    """The run's figures in a line; what is not known yet is a dash, never a zero."""
    summary = progress.summary
    parts = [f"games {summary.games_finished:,}"]
    for label, value, form in (
        ("per hour", summary.games_per_hour, ",.0f"),
        ("mean ante", summary.mean_ante, ".2f"),
        ("win rate", summary.win_rate, ".1%"),
        ("loss", summary.loss, ".3f"),
    ):
        parts.append(f"{label} {'–' if value is None else format(value, form)}")
    parts.append(f"iterations {summary.training_iterations}")
    memory = sum(service.rss_mb for service in progress.supervisor.services.values())
    parts.append(f"memory {memory:,.0f} MB")
    return "  ".join(parts)
