"""What people and the advisor ask the graph, in Cypher that every engine runs.

Jokers are named by their keys (`j_blueprint`), hands by their names (`Full House`). A `confidence`
is the lower end of the 95 % Wilson interval of a win rate: 0 where nothing is known.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, NamedTuple

from jimbot.knowledge.graph import GraphStore

Circumstance = Literal["deck", "stake", "policy", "ante"]


class Record(NamedTuple):
    """How games went that had `key` in them."""

    key: str
    name: str
    games: int
    wins: int
    confidence: float


class Pair(NamedTuple):
    """How games went that ended with both jokers held."""

    first: str
    second: str
    first_name: str
    second_name: str
    games: int
    wins: int
    confidence: float


class Candidate(NamedTuple):
    """A joker that one might buy.

    `score` is the mean confidence of its pairs with the jokers held (a pair never seen counts 0),
    or with nothing held its own confidence; `evidence` the games behind those pairs, or its own.
    """

    key: str
    name: str
    cost: int
    effect: str
    score: float
    evidence: int


class Combination(NamedTuple):
    """Jokers that won `wins` games together, the last of which was `game`."""

    jokers: tuple[str, ...]
    missing: tuple[str, ...]
    wins: int
    game: str


def top_jokers(graph: GraphStore, limit: int = 20) -> list[Record]:
    """The jokers whose games were won most surely."""
    return _records(graph, "MATCH (n:Joker) WHERE n.games > 0", "n.name", limit)


def top_hands(graph: GraphStore, limit: int = 20) -> list[Record]:
    """The hands that, played most in a game, won most surely."""
    return _records(graph, "MATCH (n:Hand) WHERE n.games > 0", "n.key", limit)


def records(graph: GraphStore, kind: Circumstance, limit: int = 20) -> list[Record]:
    """How games went by deck, stake or policy, or by the ante that they reached."""
    return _records(
        graph, "MATCH (n:Record {kind: $kind}) WHERE n.games > 0", "n.name", limit, kind=kind
    )


def top_pairs(graph: GraphStore, limit: int = 20) -> list[Pair]:
    """The pairs of jokers whose games were won most surely."""
    return [
        Pair(**row)
        for row in graph.run(
            f"MATCH (a:Joker)-[p:PAIRED]->(b:Joker) {_PAIR} LIMIT $limit", {"limit": limit}
        )
    ]


def synergies(graph: GraphStore, held: Collection[str], limit: int = 10) -> list[Pair]:
    """Pairs of one joker held (`first`) and one that is not, the surest winners first."""
    return [
        Pair(**row)
        for row in graph.run(
            "MATCH (a:Joker)-[p:PAIRED]-(b:Joker)"
            f" WHERE a.key IN $held AND NOT b.key IN $held {_PAIR} LIMIT $limit",
            {"held": list(held), "limit": limit},
        )
    ]


def next_jokers(
    graph: GraphStore,
    held: Collection[str],
    *,
    money: int | None = None,
    among: Collection[str] | None = None,
    limit: int = 5,
) -> list[Candidate]:
    """The jokers that go best with those held.

    Args:
        held: keys of the jokers held.
        money: leaves out what costs more, by the catalogue's price.
        among: the only keys to choose from, as a shop's offers (whose real prices the caller
            knows); all otherwise.
    """
    wanted = " AND ".join(
        [
            "NOT b.key IN $held",
            "b.cost IS NOT NULL",
            *(["b.cost <= $money"] if money is not None else []),
            *(["b.key IN $among"] if among is not None else []),
        ]
    )
    parameters: dict[str, Any] = {"held": list(held), "limit": limit}
    if money is not None:
        parameters["money"] = money
    if among is not None:
        parameters["among"] = list(among)
    if held:
        parameters["count"] = float(len(set(held)))
        ranked = (
            f"MATCH (b:Joker) WHERE {wanted}"
            " OPTIONAL MATCH (a:Joker)-[p:PAIRED]-(b) WHERE a.key IN $held"
            " WITH b, coalesce(sum(p.confidence), 0.0) / $count AS score,"
            " coalesce(sum(p.games), 0) AS evidence"
        )
    else:
        ranked = (
            f"MATCH (b:Joker) WHERE {wanted} WITH b, b.confidence AS score, b.games AS evidence"
        )
    return [
        Candidate(**row)
        for row in graph.run(
            f"{ranked} RETURN b.key AS key, b.name AS name, b.cost AS cost, b.effect AS effect,"
            " score AS score, evidence AS evidence"
            " ORDER BY score DESC, evidence DESC, key LIMIT $limit",
            parameters,
        )
    ]


def hands_for(graph: GraphStore, held: Collection[str], limit: int = 3) -> list[Record]:
    """The hands that won most surely with the jokers held: which to build for.

    `confidence` is the mean over the jokers held; `games` and `wins` count a game once a joker.
    """
    if not held:
        return top_hands(graph, limit)
    return [
        Record(**row)
        for row in graph.run(
            "MATCH (j:Joker)-[s:SUPPORTS]->(h:Hand) WHERE j.key IN $held"
            " WITH h, sum(s.games) AS games, sum(s.wins) AS wins,"
            " sum(s.confidence) / $count AS confidence"
            " RETURN h.key AS key, h.key AS name, games AS games, wins AS wins,"
            " confidence AS confidence ORDER BY confidence DESC, games DESC, key LIMIT $limit",
            {"held": list(held), "count": float(len(set(held))), "limit": limit},
        )
    ]


def combinations_that_won(
    graph: GraphStore, held: Collection[str] = (), limit: int = 10
) -> list[Combination]:
    """Whole sets of jokers that won games: those nearest to what is held, then the most wins."""
    if held:
        found = graph.run(
            "MATCH (j:Joker)-[:PART_OF]->(c:Combination) WHERE j.key IN $held"
            " WITH c, count(*) AS shared"
            " RETURN c.jokers AS jokers, c.wins AS wins, c.game AS game, shared AS shared,"
            " c.last AS last ORDER BY shared DESC, wins DESC, last DESC LIMIT $limit",
            {"held": list(held), "limit": limit},
        )
    else:
        found = graph.run(
            "MATCH (c:Combination) RETURN c.jokers AS jokers, c.wins AS wins, c.game AS game,"
            " c.last AS last ORDER BY wins DESC, last DESC LIMIT $limit",
            {"limit": limit},
        )
    return [
        Combination(
            tuple(row["jokers"]),
            tuple(joker for joker in row["jokers"] if joker not in held),
            row["wins"],
            row["game"],
        )
        for row in found
    ]


_PAIR = (
    "RETURN a.key AS first, b.key AS second, a.name AS first_name, b.name AS second_name,"
    " p.games AS games, p.wins AS wins, p.confidence AS confidence"
    " ORDER BY confidence DESC, games DESC, first, second"
)


def _records(
    graph: GraphStore, match: str, name: str, limit: int, **parameters: Any
) -> list[Record]:
    rows = graph.run(
        f"{match} RETURN n.key AS key, {name} AS name, n.games AS games, n.wins AS wins,"
        " n.confidence AS confidence ORDER BY confidence DESC, games DESC, key LIMIT $limit",
        {"limit": limit, **parameters},
    )
    return [Record(**row) for row in rows]
