"""`jimbot status`: the appliance on one screen."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import click

from jimbot.cli import Options

if TYPE_CHECKING:
    from jimbot.operations.backup import BackupStatus
    from jimbot.operations.status import AlertsSeen, Status

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "unknown": "bright_black"}
_MB = 1 << 20


@click.command(name="status")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(options: Options, as_json: bool) -> None:
    """How everything is: services, generation, backups, alerts.

    Exits 0 when all is well, 1 when something is not, 2 when something could not be told.
    """
    from jimbot.operations import status

    found = asyncio.run(status.read(options.appliance, options.home))
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        _show(found)
    sys.exit(found.exit_code)


def _show(found: Status) -> None:
    head = [f"JimBot  {found.home}"]
    if found.by_system:
        head += ["run by the system", f"profile {found.profile}"]
    elif found.running:
        head += [f"up {span(found.uptime_s)}", f"profile {found.profile}", f"pid {found.pid}"]
    else:
        head.append(click.style("not running", fg="red"))
    head.append(f"generation {found.generation or '–'}")
    click.echo("  ".join(head))
    click.echo()
    click.echo(f"{'SERVICE':<11}{'HEALTH':<9}{'UP':>8}{'RESTARTS':>10}{'MEMORY':>20}  REASON")
    for row in found.services:
        health = click.style(f"{row.health.status:<9}", fg=_COLOURS[row.health.status])
        memory = "–"
        if row.memory_bytes is not None and row.memory_limit_bytes:
            share = row.memory_bytes / row.memory_limit_bytes
            memory = f"{row.memory_bytes / _MB:,.0f} MB  {share:>4.0%}"
        restarts = "–" if row.restarts is None else str(row.restarts)
        reason = ". ".join(filter(None, (row.health.reason, row.health.hint)))
        line = f"{row.service:<11}{health}{span(row.uptime_s):>8}{restarts:>10}{memory:>20}"
        click.echo(f"{line}  {reason}".rstrip())
    click.echo()
    if found.drained:
        click.echo(f"drained  {', '.join(found.drained)}. Back into work: jimbot undrain")
    click.echo(f"backups  {_backups(found.backups)}")
    click.echo(f"alerts   {_alerts(found.alerts)}")
    for one in found.alerts.alerts:
        if one.state in ("firing", "pending"):
            mark = click.style(
                f"{one.state:<8}{one.severity:<9}",
                fg="red" if one.severity == "critical" else "yellow",
            )
            ago = span(time.time() - one.since / 1000)
            click.echo(f"  {mark} {one.name}, {ago}: {one.summary}. {one.what_to_do}")


def _backups(found: BackupStatus) -> str:
    if found.age_s is None:
        return click.style("none yet. Make one: jimbot backup run", fg="red")
    text = f"newest good one {span(found.age_s)} old"
    if found.snapshots is not None:
        text += f", {found.snapshots} kept"
    if found.stale:
        text = click.style(f"{text}: STALE. Make one: jimbot backup run", fg="red")
    return f"{text}. Last try failed: {found.problem}" if found.problem else text


def _alerts(found: AlertsSeen) -> str:
    if not found.checked:
        return click.style(f"not checked ({found.reason})", fg="yellow")
    firing = sum(one.state == "firing" for one in found.alerts)
    text = f"{firing} firing"
    for state in ("pending", "silenced"):
        if count := sum(one.state == state for one in found.alerts):
            text += f", {count} {state}"
    if found.unchecked:
        text += f"; not checked for want of figures: {', '.join(found.unchecked)}"
    return text


def span(seconds: float | None) -> str:
    """A span of time in its two largest units."""
    if seconds is None:
        return "–"
    for big, size, small, part in (("d", 86400, "h", 3600), ("h", 3600, "m", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f}{big} {seconds % size // part:.0f}{small}"
    return f"{seconds // 60:.0f}m {seconds % 60:.0f}s" if seconds >= 60 else f"{seconds:.0f}s"
