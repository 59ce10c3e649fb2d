"""`jimbot play`: Balatro in the terminal, or the real game through BalatroBot."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jimbot.cli import Options

if TYPE_CHECKING:
    from jimbot.game import Run


@click.command(name="play")
@click.option("--seed", help="One to eight letters and digits; a random one when left out.")
@click.option("--deck", default="Red", show_default=True)
@click.option("--stake", default="White", show_default=True)
@click.option("--endless", is_flag=True, help="Go on after ante 8.")
@click.option(
    "--policy",
    default="heuristic",
    show_default=True,
    help="Who takes over when asked: heuristic, search, latest (the learned one), lookahead (the"
    " same, with second thoughts), random.",
)
@click.option(
    "--advice/--no-advice",
    default=True,
    show_default=True,
    help="Of BalatroBot's game: ask Claude's gateway where the policy is unsure.",
)
@click.option("--auto", is_flag=True, help="The policy plays, from the first action to the last.")
@click.option(
    "--load", "saved", type=click.Path(dir_okay=False, path_type=Path), help="Go on with a save."
)
@click.option(
    "--game",
    type=click.Choice(["terminal", "balatrobot"]),
    default="terminal",
    show_default=True,
    help="Where the game is; the policy plays a running BalatroBot's.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="BalatroBot's.")
@click.option("--port", default=12346, show_default=True, help="BalatroBot's.")
@click.pass_obj
def command(
    options: Options,
    seed: str | None,
    deck: str,
    stake: str,
    endless: bool,
    policy: str,
    advice: bool,
    auto: bool,
    saved: Path | None,
    game: str,
    host: str,
    port: int,
) -> None:
    """Play a run in the terminal; type help there to see how.

    With --game balatrobot the policy plays the real game, from start to finish, and the game goes
    into the log. Exits 0 however the run ends, 2 when the game cannot be reached or goes no
    further.
    """
    from rich.console import Console

    from jimbot import policy as policies
    from jimbot.game import Run, random_seed
    from jimbot.terminal.session import Session

    seed = seed.upper() if seed else None
    player = policies.make(policy, home=options.home)
    console = Console(highlight=False)
    if game == "balatrobot":
        from jimbot.operations import playing

        playing.balatrobot(
            options.appliance,
            options.home,
            player,
            console,
            host=host,
            port=port,
            deck=deck,
            stake=stake,
            seed=seed,
            endless=endless,
            advice=advice,
        )
        return
    if saved is not None:
        run = _loaded(saved)
    else:
        run = Run(seed or random_seed(random.SystemRandom()), deck, stake, endless)
    session = Session(run, player, console)
    if sys.stdin.isatty():
        import readline  # noqa: F401  # gives input() its line editing and history
    if auto:
        session.let_policy_play()
    session.play()


def _loaded(path: Path) -> Run:
    from jimbot.errors import JimbotError
    from jimbot.game import Run

    try:
        return Run.load(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise JimbotError(
            f"{path} is no saved run: {error}", hint="Give a file that `save` has written"
        ) from error
