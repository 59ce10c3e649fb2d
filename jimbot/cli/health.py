"""`jimbot health`: how every service is, for people, scripts and monitoring."""

from __future__ import annotations

import asyncio
import sys

import click

from jimbot.cli import Options

MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL", "unknown": "??? "}


@click.command(name="health")
@click.argument("services", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--wait", is_flag=True, help="Ask again until all is healthy.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds that --wait waits.")
@click.pass_obj
def command(
    options: Options, services: tuple[str, ...], as_json: bool, wait: bool, timeout: float
) -> None:
    """Ask every service (or those named) how it is.

    Exits 0 when all are healthy, 1 when one is not, 2 when one could not be asked.
    """
    from jimbot.operations import health

    appliance = options.appliance

    def names() -> list[str]:
        return list(services) or health.expected(appliance, options.home)

    def where() -> dict[str, str]:
        return health.addresses(options.home)

    report = asyncio.run(health.wait(appliance, names, timeout if wait else 0, where))
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        for name, answer in report.services.items():
            line = f"{MARKS[answer.status]}  {name:<10}  {answer.reason or 'healthy'}"
            click.echo(f"{line}. {answer.hint}" if answer.hint else line)
    sys.exit(report.exit_code)
