"""`jimbot play`: Balatro in the terminal, by hand or by a policy."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import click

from jimbot.cli import Options


@click.command(name="play")
@click.option("--seed", help="One to eight letters and digits; a random one when left out.")
@click.option("--deck", default="Red", show_default=True)
@click.option("--stake", default="White", show_default=True)
@click.option("--endless", is_flag=True, help="Go on after ante 8.")
@click.option("--policy", default="heuristic", show_default=True, help="Who takes over when asked.")
@click.option("--auto", is_flag=True, help="The policy plays, from the first action to the last.")
@click.option(
    "--load", "saved", type=click.Path(dir_okay=False, path_type=Path), help="Go on with a save."
)
@click.pass_obj
def command(
    options: Options,
    seed: str | None,
    deck: str,
    stake: str,
    endless: bool,
    policy: str,
    auto: bool,
    saved: Path | None,
) -> None:
    """Play a run in the terminal; type help to see how.

    Exits 0 however the run ends.
    """
    from rich.console import Console

    from jimbot import policy as policies
    from jimbot.errors import JimbotError
    from jimbot.game import Run, random_seed
    from jimbot.terminal.session import Session

    if saved is not None:
        try:
            run = Run.load(json.loads(saved.read_text("utf-8")))
        except (OSError, ValueError) as error:
            raise JimbotError(
                f"{saved} is no saved run: {error}", hint="Give a file that `save` has written"
            ) from error
    else:
        run = Run(
            seed.upper() if seed else random_seed(random.SystemRandom()), deck, stake, endless
        )
    session = Session(run, policies.make(policy), Console(highlight=False))
    if sys.stdin.isatty():
        import readline  # noqa: F401  # gives input() its line editing and history
    if auto:
        session.let_policy_play()
    session.play()
