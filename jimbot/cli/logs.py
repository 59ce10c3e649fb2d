"""`jimbot logs`: what services said, and one game's whole way through them."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from jimbot.cli import Options
from jimbot.cli.spans import seconds

if TYPE_CHECKING:
    from jimbot.operations.logs import Line

_COLOURS = {"warning": "yellow", "error": "red", "critical": "bright_red", "debug": "bright_black"}
_SAID = frozenset({"time", "level", "service", "message", "logger", "error", "payload", "event_id"})
_SHORT = {"warning": "WARN", "critical": "FATAL"}
_POLL_S = 0.25


class Since(click.ParamType[datetime]):
    """A time: how long ago (90s, 10m, 2h, 3d), or a date and time as ISO 8601."""

    name = "time"

    def convert(self, value: object, param: object, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        if (ago := seconds(str(value), "smhd")) is not None:
            return datetime.now(UTC) - timedelta(seconds=ago)
        try:
            return datetime.fromisoformat(str(value)).astimezone(UTC)
        except ValueError:
            self.fail(f"{value!r} is neither like 10m, 2h, 3d nor like 2026-11-24T15:00", None, ctx)


@click.command(name="logs")
@click.argument("services", nargs=-1)
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines until Ctrl-C.")
@click.option("--since", type=Since(), help="From then on: 90s, 10m, 2h, 3d ago, or a time.")
@click.option(
    "--level",
    type=click.Choice(["debug", "info", "warning", "error", "critical"]),
    help="At least as serious as this.",
)
@click.option("--game", default="", help="One game's way through every service and the event log.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=1), help="The last so many.  [default: 200, or all]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
@click.pass_obj
def command(
    options: Options,
    services: tuple[str, ...],
    follow: bool,
    since: datetime | None,
    level: str | None,
    game: str,
    lines: int | None,
    as_json: bool,
) -> None:
    """Show what services said, all together in order of time, or only those named.

    With --since or --game all lines are shown, else the last 200. Exits 1 when a game left no
    trace, 2 when the event log could not be read for it.
    """
    from jimbot.errors import JimbotError
    from jimbot.operations import logs

    home = options.home
    for name in services:
        options.appliance.service(name)
    wanted = logs.Wanted(services, since, level or "", game)
    follower = logs.Follower(home, wanted) if follow else None
    found: Iterable[Line] = logs.read(home, wanted)
    trouble: JimbotError | None = None
    if game:
        try:
            events = logs.events_of(home, game)
        except JimbotError as error:
            events, trouble = [], error
        if not services and not level:
            found = sorted((*found, *events), key=lambda line: line.time)
    elif lines is None and since is None:
        lines = 200
    if lines is not None:
        found = deque(found, maxlen=lines)
    shown = 0
    for line in found:
        _show(line, game, as_json)
        shown += 1
    if trouble:
        click.echo(f"jimbot: without the game's events: {trouble}", err=True)
        sys.exit(2)
    if follower is not None:
        try:
            while True:
                for line in follower.poll():
                    _show(line, game, as_json)
                time.sleep(_POLL_S)
        except KeyboardInterrupt:
            return
        finally:
            follower.close()
    if game and not shown:
        click.echo(f"jimbot: no trace of game {game}. See: jimbot games list", err=True)
        sys.exit(1)


def _show(line: Line, game: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(line.fields, default=str))
        return
    said = {name: value for name, value in line.fields.items() if name not in _SAID}
    if game and said.get("game") == game:
        del said["game"]
    if payload := line.fields.get("payload"):
        said |= {name: value for name, value in payload.items() if name != "game_id"}
    more = " ".join(f"{name}={_plain(value)}" for name, value in said.items())
    when = line.time.astimezone().strftime("%m-%d %H:%M:%S.%f")[:-3]
    level = _SHORT.get(line.level, line.level.upper())
    text = f"{when}  {level:<5}  {line.service:<10}  {line.message}"
    text = f"{text}  {more}" if more else text
    if error := line.fields.get("error"):
        text += f"\n{error}" if "\n" in str(error) else f" error={error}"
    # What a library printed must not move the reader's cursor.
    text = "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)
    click.secho(text, fg=_COLOURS.get(line.level))


def _plain(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 80 else f"{text[:79]}…"
