"""`jimbot games`: the games in the log, listed, shown and played again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from jimbot.cli import Options

if TYPE_CHECKING:
    from jimbot.events import EventLog


@click.group(name="games", help="List, show and replay the games in the log.")
def command() -> None:
    pass


@contextmanager
def _log(options: Options) -> Iterator[EventLog]:
    from jimbot.events import open_log

    log = open_log(options.home, read_only=True)
    try:
        yield log
    finally:
        log.close()


@command.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--recorded", is_flag=True, help="Only games that can be replayed.")
@click.option("--won", is_flag=True, help="Only games that were won.")
@click.option("--policy", help="Only games of this policy.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def list_(
    options: Options, limit: int, recorded: bool, won: bool, policy: str | None, as_json: bool
) -> None:
    """List finished games, newest first."""
    from jimbot.events.games import list_games

    with _log(options) as log:
        games = list_games(log, limit, recorded=recorded or None, won=won or None, policy=policy)
    if as_json:
        rows = [
            {"timestamp": g.timestamp, "source": g.source, **g.game.model_dump()} for g in games
        ]
        click.echo(json.dumps({"games": rows}, indent=2))
        return
    if not games:
        click.echo("no such games yet", err=True)
    for game in games:
        click.echo(_line(game.timestamp, game.game))


def _line(timestamp: int, game: Any) -> str:
    at = datetime.fromtimestamp(timestamp / 1000).strftime("%Y-%m-%d %H:%M:%S")
    result = "won " if game.won else "lost"
    kept = "replayable" if game.recorded else ""
    return (
        f"{game.game_id}  {at}  {result}  ante {game.ante}  best hand {game.best_hand:>10,.0f}"
        f"  {game.seed:<8}  {game.deck}/{game.stake}  {game.policy}  {kept}".rstrip()
    )


@command.command()
@click.argument("game_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def show(options: Options, game_id: str, as_json: bool) -> None:
    """Show one game: its summary and, when it was kept, its actions."""
    from jimbot.events.games import read_game
    from jimbot.game import Action
    from jimbot.terminal.session import describe

    with _log(options) as log:
        game = read_game(log, game_id)
    if as_json:
        finished = game.finished.model_dump() if game.finished else None
        actions = [action.model_dump() for action in game.actions]
        summary = {"game_id": game.game_id, "summary": finished, "actions": actions}
        click.echo(json.dumps(summary, indent=2))
        return
    for name, value in (game.finished.model_dump() if game.finished else {}).items():
        click.echo(f"{name:<12} {value}")
    for action in game.actions:
        click.echo(f"{action.number:>5}  {describe(Action.from_json(action.action))}")


@command.command()
@click.argument("game_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def replay(options: Options, game_id: str, as_json: bool) -> None:
    """Play a kept game again; exit 2 and name the first action that comes out otherwise."""
    from jimbot.events.games import read_game
    from jimbot.events.games import replay as play_again
    from jimbot.terminal.session import describe

    with _log(options) as log:
        game = read_game(log, game_id)
    steps = 0
    for step in play_again(game):
        steps += 1
        if not as_json:
            run = step.run
            click.echo(
                f"{step.number:>5}  {describe(step.action):<34}  {run.phase.name.lower():<15}"
                f"  ante {run.ante}  ${run.money:<4} {run.chips:,.0f}/{run.required:,.0f}"
            )
    if as_json:
        click.echo(json.dumps({"game_id": game_id, "actions": steps, "identical": True}))
    else:
        click.echo(f"{steps} actions played again, each as recorded", err=True)
