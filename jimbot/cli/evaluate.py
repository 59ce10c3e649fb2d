"""`jimbot evaluate`: how good a policy is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from jimbot.cli import Options

if TYPE_CHECKING:
    from jimbot.game import Run


@click.command(name="evaluate")
@click.option("--policy", default="heuristic", show_default=True, help="Who plays.")
@click.option("--games", default=100, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--seeds",
    default="held-out",
    show_default=True,
    help="The fixed seeds that training does not see, or seeds with commas between.",
)
@click.option("--deck", default="Red", show_default=True)
@click.option("--stake", default="White", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(
    options: Options, policy: str, games: int, seeds: str, deck: str, stake: str, as_json: bool
) -> None:
    """Play games and tell win rate, ante reached and scores, with 95 % intervals.

    With --seeds A,B,C one game is played on each and --games is not looked at. Exits 0 whatever the
    result, 2 when a policy, seed, deck or stake does not exist.
    """
    from jimbot.policy import make
    from jimbot.policy.evaluate import evaluate, held_out_seeds

    def tell(number: int, run: Run) -> None:
        end = "won" if run.won else f"lost in ante {run.ante}"
        click.echo(f"{number}/{len(chosen)} {run.seed}: {end}", err=True)

    player = make(policy, home=options.home)
    chosen = held_out_seeds(games) if seeds == "held-out" else seeds.split(",")
    result = evaluate(player, chosen, deck=deck, stake=stake, after_game=tell)
    if as_json:
        click.echo(json.dumps(result.to_json()))
        return
    low, high = result.win_rate_ci
    click.echo(f"{result.policy} on {deck} Deck, {stake} Stake: {result.games} games")
    click.echo(f"win rate   {result.win_rate:.1%}  ({low:.1%} to {high:.1%})")
    low, high = result.mean_ante_ci
    click.echo(f"mean ante  {result.mean_ante:.2f}  ({low:.2f} to {high:.2f}; a win counts 9)")
    click.echo(f"best hand  {result.mean_score:,.0f} on average, {result.best_score:,.0f} at most")
    click.echo(
        f"thinking   {result.decision_ms_p50:.1f} ms median, {result.decision_ms_p99:.1f} ms p99"
    )
