"""Keeping the graph within a size, and so within its memory: the least evidence goes first.

What was seen least says least; seen again, it counts from nothing, so a count is never too high.
"""

from __future__ import annotations

from typing import NamedTuple

from jimbot.knowledge.graph import GraphStore

SLACK = 1.5
"""So many times its ceiling a kind may have before it is pruned, so that not every batch sorts."""


class Ceiling(NamedTuple):
    """How many of each are kept. The game's own jokers make 11,175 pairs; mods add to them."""

    pairs: int = 50_000
    supports: int = 10_000
    combinations: int = 5_000
    records: int = 2_000
    mod_jokers: int = 1_000
    notes: int = 2_000


def prune(graph: GraphStore, ceiling: Ceiling) -> int:
    """Forget what is over the ceiling; returns how many nodes and edges went.

    Raises:
        GraphError: nothing was changed, where this is within a transaction.
    """
    kinds = (
        # Of equal evidence, the order of keys decides, so that every engine keeps the same.
        ("(a:Joker)-[n:PAIRED]->(b:Joker)", "n.games DESC, a.key, b.key", ceiling.pairs, ""),
        ("(a:Joker)-[n:SUPPORTS]->(b:Hand)", "n.games DESC, a.key, b.key", ceiling.supports, ""),
        ("(n:Combination)", "n.wins DESC, n.last DESC", ceiling.combinations, "DETACH"),
        ("(n:Record)", "n.games DESC, n.key", ceiling.records, "DETACH"),
        ("(n:Note)", "n.time DESC, n.key", ceiling.notes, "DETACH"),
        # What has no price is not in the catalogue, and comes back when it is seen again.
        ("(n:Joker) WHERE n.cost IS NULL", "n.games DESC, n.key", ceiling.mod_jokers, "DETACH"),
    )
    gone = 0
    for pattern, order, keep, detach in kinds:
        (row,) = graph.run(f"MATCH {pattern} RETURN count(n) AS count")
        if row["count"] <= keep * SLACK:
            continue
        others = ", a, b" if "->" in pattern else ""
        graph.run(
            f"MATCH {pattern} WITH n{others} ORDER BY {order} SKIP $keep {detach} DELETE n",
            {"keep": keep},
        )
        gone += row["count"] - keep
    return gone
