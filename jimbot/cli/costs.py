"""`jimbot costs`: what Claude costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jimbot.cli import Options

if TYPE_CHECKING:
    from jimbot.claude.ledger import Spent


@click.command(name="costs")
@click.option("--days", type=click.IntRange(1, 3660), default=30, show_default=True)
@click.option("--by", type=click.Choice(["day", "model", "purpose"]), help="Show one table alone.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(options: Options, days: int, by: str | None, as_json: bool) -> None:
    """What Claude cost by day, model and purpose, a game and a won game, with a forecast."""
    from jimbot.claude import costs

    found = costs.read(options.appliance, options.home, days=days)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
        return
    tables = {"day": found.by_day, "model": found.by_model, "purpose": found.by_purpose}
    for name, rows in tables.items():
        if by in (None, name):
            _table(name, rows)
    click.echo(f"{days} days     ${found.dollars:.4f} in {found.requests} requests")
    if found.per_game is not None:
        click.echo(f"a game      ${found.per_game:.4f} (of {found.games} that consulted)")
    if found.per_won_game is not None:
        click.echo(f"a won game  ${found.per_won_game:.4f} (of {found.games_won})")
    warning = "  OVER BUDGET" if found.over_budget else ""
    click.echo(
        f"this month  ${found.this_month:.4f}, forecast ${found.month_forecast:.2f}"
        f" of ${found.month_budget:.2f}{warning}"
    )


def _table(name: str, rows: list[Spent]) -> None:
    if not rows:
        return
    width = max(len(name), *(len(row.key) for row in rows))
    click.echo(f"{name:<{width}}  requests      tokens     dollars")
    for row in rows:
        click.echo(f"{row.key:<{width}}  {row.requests:>8}  {row.tokens:>10}  {row.dollars:>10.4f}")
    click.echo()
