"""`jimbot evaluate`: how good a policy is."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jimbot.cli import Options

if TYPE_CHECKING:
    from jimbot.policy.evaluate import Game


@click.command(name="evaluate")
@click.option("--policy", default="heuristic", show_default=True, help="Who plays.")
@click.option("--games", default=100, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--seeds",
    default="held-out",
    show_default=True,
    help="The fixed seeds that training does not see, a file with a seed a line, or seeds with "
    "commas between.",
)
@click.option("--deck", default="Red", show_default=True)
@click.option("--stake", default="White", show_default=True)
@click.option(
    "--jobs", default=1, show_default=True, type=click.IntRange(min=1), help="Games at a time."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the JSON and the picture go.  [default: evaluations in the home]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(
    options: Options,
    policy: str,
    games: int,
    seeds: str,
    deck: str,
    stake: str,
    jobs: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Play games and tell win rate, ante reached and scores, with 95 % intervals.

    The result is written as JSON and, with the extra `train`, as a picture. With seeds of your own
    one game is played on each and --games is not looked at. Exits 0 whatever the result, 2 when a
    policy, seed, deck or stake does not exist or the files cannot be written.
    """
    from jimbot.errors import MissingExtra
    from jimbot.policy.evaluate import evaluate_by_name
    from jimbot.policy.evaluate_picture import draw

    def tell(number: int, game: Game) -> None:
        end = "won" if game.won else f"lost in ante {game.ante}"
        click.echo(f"{number}/{len(chosen)} {game.seed}: {end}", err=True)

    chosen = _seeds(seeds, games)
    folder = options.home.path / "evaluations" if out is None else out
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.UsageError(f"cannot write to {folder}: {error.strerror}") from error
    result = evaluate_by_name(
        policy,
        chosen,
        deck=deck,
        stake=stake,
        jobs=jobs,
        home=options.home,
        after_game=tell,
    )
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    name = f"{stamp}-{result.policy}-{result.deck}-{result.stake}".lower().replace(" ", "-")
    written = folder / f"{name}.json"
    written.write_text(json.dumps({**result.to_json(), "seeds": chosen}, indent=1) + "\n")
    click.echo(f"written: {written}", err=True)
    try:
        draw(result, written.with_suffix(".png"))
        click.echo(f"written: {written.with_suffix('.png')}", err=True)
    except MissingExtra as error:
        click.echo(f"no picture: {error}", err=True)
    if as_json:
        click.echo(json.dumps(result.to_json()))
        return
    low, high = result.win_rate_ci
    click.echo(f"{result.policy} on {result.deck} Deck, {result.stake} Stake: {result.games} games")
    click.echo(f"win rate   {result.win_rate:.1%}  ({low:.1%} to {high:.1%})")
    low, high = result.mean_ante_ci
    click.echo(f"mean ante  {result.mean_ante:.2f}  ({low:.2f} to {high:.2f}; a win counts 9)")
    low, high = result.mean_score_ci
    click.echo(
        f"best hand  {result.mean_score:,.0f} on average ({low:,.0f} to {high:,.0f}), "
        f"{result.best_score:,.0f} at most"
    )
    click.echo(
        f"thinking   {result.decision_ms_p50:.1f} ms median, {result.decision_ms_p99:.1f} ms p99, "
        f"{result.decision_ms_max:.1f} ms at most"
    )


def _seeds(given: str, games: int) -> list[str]:
    """The seeds that are meant: the held-out ones, those in a file, or those between commas."""
    from jimbot.policy.seeds import held_out_seeds

    if given == "held-out":
        try:
            return held_out_seeds(games)
        except ValueError as error:
            raise click.UsageError(f"{error}; --seeds takes seeds of your own") from error
    path = Path(given)
    if path.is_file():
        found = path.read_text().split()
        if not found:
            raise click.UsageError(f"there are no seeds in {path}")
        return found
    return given.split(",")
