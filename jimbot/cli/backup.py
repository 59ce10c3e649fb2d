"""`jimbot backup`: making backups, and knowing that they are good."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from jimbot.cli import Options

WAIT = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="How long to wait for a backup or restore that is under way.  [default: not at all]",
)
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


@click.group()
def command() -> None:
    """Backups of the home, by restic: made while services run, proved after writing."""


@command.command()
@_json
@click.pass_obj
def init(options: Options, as_json: bool) -> None:
    """Make the password, if there is none, and the repository."""
    from jimbot.operations import backup
    from jimbot.operations.audited import audited

    with audited(options.home, "backup init"):
        line = backup.set_up(options.appliance, options.home)
    click.echo(json.dumps({"done": line}) if as_json else line)


@command.command()
@click.option(
    "--kind",
    type=click.Choice(["due", "hourly", "daily", "weekly"]),
    default="due",
    show_default=True,
    help="What it holds. `due`: the most complete kind whose time has come, which may be none.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would be done.")
@WAIT
@_json
@click.pass_obj
def run(options: Options, kind: Any, dry_run: bool, wait_s: float, as_json: bool) -> None:
    """Make a backup, prove it, and forget what the table no longer keeps.

    Services go on meanwhile. For a timer: `jimbot backup run`, every hour; several timers, one a
    kind, wait for each other with `--wait 14400`. Exits 1 when there is no new backup that holds,
    2 when backups are not set up.
    """
    from jimbot.operations import backup
    from jimbot.operations.audited import audited
    from jimbot.operations.backup import dumps, runner

    appliance, home = options.appliance, options.home
    if due := kind == "due":
        kind = backup.due(appliance, home)
    if kind is None or dry_run:
        names = dumps.parts(home, kind) if kind else []
        plan = {
            "kind": kind,
            "parts": names,
            "bytes": dumps.size(home, names),
            "repository": runner.repository(appliance, home).name,
        }
        if as_json:
            click.echo(json.dumps(plan))
        elif kind is None:
            click.echo("no backup is due")
        else:
            click.echo(f"would make a {kind} backup of {', '.join(names)} in {plan['repository']}")
        return

    def say(line: str) -> None:
        click.echo(line, err=True)

    with audited(home, "backup", kind=kind) as after:
        if due:
            result = backup.run_due(appliance, home, say, wait_s=wait_s)
        else:
            result = backup.run(appliance, home, kind, say, wait_s=wait_s)
        if result is None:
            after["result"] = "made meanwhile by another"
            click.echo(json.dumps({"kind": None}) if as_json else "no backup is due any more")
            return
        after |= {"kind": result.kind, "snapshot": result.snapshot, "bytes": result.bytes}
    if as_json:
        click.echo(result.model_dump_json(indent=2))
        return
    click.echo(
        f"{result.kind} backup {result.snapshot}: {result.files:,} files, "
        f"{result.bytes / (1 << 20):,.1f} MiB, {result.added / (1 << 20):,.1f} MiB of it new, "
        f"proved, in {result.seconds:g} s; {result.forgotten} old ones forgotten"
    )
    for line in result.left_out:
        click.echo(f"left out: {line}")


@command.command()
@click.pass_obj
def watch(options: Options) -> None:
    """Stay, and make backups as they become due, where no timer does; Ctrl-C ends it."""
    import asyncio

    from jimbot.operations.backup import runner
    from jimbot.operations.backup.watch import watch as keep
    from jimbot.service import stop_event

    runner.repository(options.appliance, options.home).check_there()

    async def go() -> None:
        await keep(options.appliance, options.home, stop_event())

    asyncio.run(go())


@command.command(name="list")
@_json
@click.pass_obj
def list_(options: Options, as_json: bool) -> None:
    """List the backups, the newest first. Exits 1 when the last good one is stale."""
    from jimbot.operations.backup import record, runner

    status = record.status(options.home, options.appliance)
    found = runner.repository(options.appliance, options.home).snapshots()
    if as_json:
        click.echo(
            json.dumps(
                {
                    "status": status.model_dump(mode="json"),
                    "backups": [
                        {"id": each.short, "time": each.time.isoformat(), "kind": each.kind}
                        for each in found
                    ],
                },
                indent=2,
            )
        )
    else:
        for each in found:
            click.echo(f"{each.short}  {each.time:%Y-%m-%d %H:%M} UTC  {each.kind}")
        click.echo(_age(status))
    sys.exit(1 if status.stale else 0)


@command.command()
@click.argument("snapshots", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every backup there is.")
@_json
@click.pass_obj
def verify(options: Options, snapshots: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Read backups back, whole, and compare with what was written; by default the newest.

    Exits 1 when one does not hold.
    """
    from jimbot.operations import backup
    from jimbot.operations.audited import audited
    from jimbot.operations.backup import runner

    appliance, home = options.appliance, options.home
    if everything:
        snapshots = tuple(each.id for each in runner.repository(appliance, home).snapshots())
    with audited(home, "backup verify", snapshots=list(snapshots)) as after:
        proofs = backup.verify(appliance, home, snapshots, lambda line: click.echo(line, err=True))
        good = all(proof.ok for proof in proofs)
        after |= {"result": "ok" if good else "failed", "backups": len(proofs)}
    if as_json:
        click.echo(json.dumps([proof.model_dump(mode="json") for proof in proofs], indent=2))
    else:
        for proof in proofs:
            state = "holds" if proof.ok else f"DOES NOT HOLD: {'; '.join(proof.problems[:3])}"
            click.echo(f"{proof.snapshot}  {proof.time:%Y-%m-%d %H:%M} UTC  {proof.kind}  {state}")
    sys.exit(0 if good else 1)


def _age(status: Any) -> str:
    if status.last_ok is None:
        return "there is no good backup yet; make one: jimbot backup run"
    line = f"last good one {status.age_s / 3600:.1f} h ago"
    if status.stale:
        line += ": STALE; make one: jimbot backup run"
    return f"{line}; the last try failed: {status.problem}" if status.problem else line
