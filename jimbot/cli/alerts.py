"""`jimbot alerts`: what fires, silences, and whether telling works."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING

import click

from jimbot.cli import Options
from jimbot.cli.spans import Span

if TYPE_CHECKING:
    from jimbot.analytics.alerts.deliver import Notice

_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


SPAN = Span("span", "mhd", "30m, 2h or 3d")


@click.group()
def command() -> None:
    """Alerts: what fires, what is silenced, and whether anybody would hear of it."""


@command.command(name="list")
@_json
@click.pass_obj
def list_(options: Options, as_json: bool) -> None:
    """What fires, is about to, is silenced or lately over; and the silences.

    Exits 0 when nothing fires, 1 when something does, 2 when nobody could be asked.
    """
    from jimbot.analytics.alerts import silences
    from jimbot.operations.status import read_alerts
    from jimbot.usage import how_to_start

    seen = asyncio.run(read_alerts(options.appliance, options.home))
    now = time.time()
    muted = silences.read(options.home, now)
    firing = any(one.state == "firing" for one in seen.alerts)
    if as_json:
        both = {"silences": [one.model_dump() for one in muted]}
        click.echo(json.dumps(seen.model_dump() | both, indent=2))
    else:
        for one in seen.alerts:
            click.echo(f"{one.state:<9}{one.severity:<9}{one.name}: {one.summary}")
            if one.state in ("firing", "pending"):
                click.echo(f"{'':<18}{one.what_to_do}")
        for silence in muted:
            labels = " ".join(f"{name}={value}" for name, value in silence.labels.items())
            what = " ".join(filter(None, (silence.rule or "everything", labels)))
            left = f"{(silence.until - now) / 60:,.0f} min left"
            click.echo(f"silence {silence.id}: {what}, {left}. {silence.reason}".rstrip(". "))
        for name in seen.unchecked:
            click.echo(f"not checked: {name}, for want of figures")
        if not seen.checked:
            click.echo(f"jimbot: {seen.reason}. {how_to_start(options.home)}", err=True)
        elif not seen.alerts:
            click.echo("nothing fires")
    sys.exit(2 if not seen.checked else int(firing))


@command.command()
@click.argument("rule")
@click.option("--for", "seconds", type=SPAN, required=True, help="How long: 30m, 2h, 3d.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Only with this.")
@click.option("--reason", default="", help="For whoever looks later.")
@click.option("--dry-run", is_flag=True, help="Tell what would be done.")
@_json
@click.pass_obj
def silence(
    options: Options,
    rule: str,
    seconds: float,
    labels: tuple[str, ...],
    reason: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Tell nobody of RULE's alerts (`all`: of any) for a while; they are still shown.

    For example: jimbot alerts silence MemoryHigh --label service=trainer --for 2h
    """
    from jimbot.analytics.alerts import silences
    from jimbot.operations.audited import audited

    known = options.appliance.alerts.rules
    if rule != "all" and rule not in known:
        raise click.UsageError(f"no rule {rule!r}; there are: all, {', '.join(known)}")
    pairs = {}
    for label in labels:
        name, equals, value = label.partition("=")
        if not (name and equals):
            raise click.UsageError(f"--label {label!r} is not NAME=VALUE")
        pairs[name] = value
    named = "" if rule == "all" else rule
    if dry_run:
        click.echo(json.dumps({"would_silence": rule, "labels": pairs, "seconds": seconds}))
        return
    asked = {"rule": rule, "labels": pairs, "seconds": seconds, "reason": reason}
    with audited(options.home, "alerts silence", **asked) as after:
        made = silences.add(options.home, named, pairs, seconds, reason)
        after["id"] = made.id
    click.echo(
        made.model_dump_json(indent=2)
        if as_json
        else f"silence {made.id} lasts {seconds / 60:,.0f} min; end it: jimbot alerts unsilence"
        f" {made.id}"
    )


@command.command()
@click.argument("silence_id", metavar="ID")
@_json
@click.pass_obj
def unsilence(options: Options, silence_id: str, as_json: bool) -> None:
    """End a silence before its time."""
    from jimbot.analytics.alerts import silences
    from jimbot.operations.audited import audited

    with audited(options.home, "alerts unsilence", id=silence_id):
        ended = silences.remove(options.home, silence_id)
    click.echo(ended.model_dump_json(indent=2) if as_json else f"silence {ended.id} has ended")


@command.command()
@_json
@click.pass_obj
def test(options: Options, as_json: bool) -> None:
    """Send a test alert, and its end, over every channel that is set up.

    Exits 0 when all took it, 1 when one did not, 2 when there is no channel.
    """
    from jimbot.analytics.alerts import deliver
    from jimbot.operations.audited import audited

    home = options.home
    results: dict[str, str] = {}
    with audited(home, "alerts test") as after:
        for channel in deliver.channels(home, options.appliance.alerts.delivery):
            try:
                channel.send(_trial())
                results[channel.name] = "taken"
            except deliver.NotDelivered as error:
                results[channel.name] = str(error)
        after |= {"channels": results}
    if as_json:
        click.echo(json.dumps({"channels": results}, indent=2))
    else:
        for name, result in results.items():
            click.echo(f"{name}: {result}")
    if not results:
        click.echo(
            "jimbot: nobody would hear of an alert. Write a webhook's address into"
            f" {home.path / options.appliance.alerts.delivery.webhook_file} (mode 600),"
            " or see docs/alerts.md",
            err=True,
        )
        sys.exit(2)
    sys.exit(int(any(result != "taken" for result in results.values())))


def _trial() -> list[Notice]:
    from jimbot.analytics.alerts.deliver import Notice

    now = time.time()
    firing = Notice(
        fingerprint="test",
        name="Test",
        severity="warning",
        state="firing",
        labels={},
        summary="this is a test of how you are told",
        what_to_do="Nothing: you have just seen that it works.",
        runbook="",
        since=now,
        resolved_at=None,
    )
    return [firing, firing._replace(state="resolved", resolved_at=now)]
