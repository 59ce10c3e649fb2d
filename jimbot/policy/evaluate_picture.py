"""The picture of an evaluation: where its games ended, and how often it won."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jimbot.errors import MissingExtra

if TYPE_CHECKING:
    from jimbot.policy.evaluate import Evaluation


def draw(result: Evaluation, path: Path) -> None:
    """Write a PNG.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtra("matplotlib", "train") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    names = [*(str(ante) for ante in range(1, 9)), "won"]
    colours = ["tab:gray"] * 8 + ["tab:green"]
    bars = axes.bar(names, result.antes, color=colours)
    axes.bar_label(bars)
    low, high = result.win_rate_ci
    axes.set_title(
        f"{result.policy}, {result.deck} Deck, {result.stake} Stake: {result.games} games\n"
        f"won {result.win_rate:.1%} ({low:.1%} to {high:.1%}), mean ante {result.mean_ante:.2f}"
    )
    axes.set_xlabel("ante in which the game ended")
    axes.set_ylabel("games")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
