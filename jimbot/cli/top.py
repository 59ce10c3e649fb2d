"""`jimbot top`: what services use, against what the table gives them."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from jimbot.cli import Options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from jimbot.operations.top import Top

_MB = 1 << 20
# Long enough for the processor time of a service to tell something.
_FIRST_S = 1.0


@click.command(name="top")
@click.option("--once", is_flag=True, help="Look once and end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a look on stdout.")
@click.option(
    "--every", type=click.FloatRange(min=0.2), default=2.0, show_default=True, help="Seconds."
)
@click.pass_obj
def command(options: Options, once: bool, as_json: bool, every: float) -> None:
    """Memory, processor and GPU of every service and group, against the table's limits.

    Goes on until Ctrl-C; off a terminal it looks once. Exits 2 when nothing runs.
    """
    from jimbot.operations import top
    from jimbot.usage import Rates

    appliance, home = options.appliance, options.home
    rates = Rates()
    top.look(appliance, home, rates)
    time.sleep(_FIRST_S)
    found = top.look(appliance, home, rates)
    if once or not (as_json or sys.stdout.isatty()):
        if as_json:
            click.echo(found.model_dump_json(indent=2))
        else:
            from rich.console import Console

            Console().print(_screen(found))
        return
    try:
        if as_json:
            while True:
                click.echo(found.model_dump_json())
                time.sleep(every)
                found = top.look(appliance, home, rates)
        from rich.live import Live

        with Live(_screen(found), auto_refresh=False, screen=True) as live:
            while True:
                time.sleep(every)
                live.update(_screen(top.look(appliance, home, rates)), refresh=True)
    except KeyboardInterrupt:
        return


def _screen(found: Top) -> RenderableType:
    from rich.console import Group
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("", min_width=9, no_wrap=True)
    for heading in ("memory", "limit", "", "cores", "limit", "GPU", "limit", "#"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found.services:
        table.add_row(
            one.service,
            _mb(one.memory_bytes),
            _mb(one.memory_limit_bytes),
            _share(one.memory_bytes, one.memory_limit_bytes),
            _cores(one.cores),
            "",
            _mb(one.gpu_memory_bytes),
            _mb(one.gpu_memory_limit_bytes or None),
            str(one.processes),
        )
    table.add_section()
    for group in found.groups:
        table.add_row(
            f"[{group.group}]".replace("[", "\\["),
            _mb(group.memory_bytes),
            _mb(group.memory_limit_bytes),
            _share(group.memory_bytes, group.memory_limit_bytes),
            _cores(group.cores),
            f"{group.cores_limit:g}",
        )
    if found.gpus is None:
        foot = "GPU: not checked (no nvidia-smi that answers)"
    else:
        foot = "\n".join(
            f"GPU {gpu.number} {gpu.name}  {_mb(gpu.memory_bytes)} of {_mb(gpu.memory_size_bytes)}"
            f"  busy {_percent(gpu.busy)}  {_degrees(gpu.temperature)}"
            for gpu in found.gpus
        )
    return Group(table, foot or "GPU: none")


def _mb(value: int | None) -> str:
    return "–" if value is None else f"{value / _MB:,.0f} MB"


def _cores(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _degrees(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} °C"


def _share(used: int, limit: int) -> str:
    if not limit:
        return "–"
    share = used / limit
    colour = "red" if share > 0.9 else "yellow" if share > 0.75 else "green"
    return f"[{colour}]{share:.0%}[/{colour}]"
