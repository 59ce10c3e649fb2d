"""What people and the advisor ask the graph, in Cypher that every engine runs.

Jokers are named by their keys (`j_blueprint`), hands by their names (`Full House`). A `confidence`
is the lower end of the 95 % Wilson interval of a win rate: 0 where nothing is known.

What depends on several jokers is asked joker by joker and put together here: those answers are the
same for everybody who holds one of them, so a cache (`jimbot.knowledge.cache`) soon has them all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any, Literal, NamedTuple

from jimbot.knowledge.graph import GraphStore, Rows

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


class Note(NamedTuple):
    """What Claude claimed of two things of the game after `game` was lost: opinion, not count.

    `confidence` is Claude's own; `time` is ms since 1970.
    """

    key: str
    subject: str
    relation: str
    object: str
    claim: str
    confidence: float
    game: str
    time: int


def notes(graph: GraphStore, about: Collection[str] = (), limit: int = 20) -> list[Note]:
    """Notes on these jokers and hands, the newest first; on everything with none named."""
    of = "RETURN " + ", ".join(f"n.{name} AS {name}" for name in Note._fields)
    if not about:
        rows = graph.run(
            f"MATCH (n:Note) {of} ORDER BY time DESC, key LIMIT $limit", {"limit": limit}
        )
        return [Note(**row) for row in rows]
    found: dict[str, Note] = {}
    for key in set(about):
        for label in ("Joker", "Hand"):
            for row in graph.run(
                f"MATCH (a:{label} {{key: $key}})-[:NOTED]->(n:Note) {of}", {"key": key}
            ):
                found[row["key"]] = Note(**row)
    return sorted(found.values(), key=lambda note: (-note.time, note.key))[:limit]


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
    names = _jokers(graph)
    return [
        Pair(
            row["first"],
            row["second"],
            names[row["first"]]["name"],
            names[row["second"]]["name"],
            row["games"],
            row["wins"],
            row["confidence"],
        )
        for row in graph.run(
            "MATCH (a:Joker)-[p:PAIRED]->(b:Joker) RETURN a.key AS first, b.key AS second,"
            " p.games AS games, p.wins AS wins, p.confidence AS confidence"
            " ORDER BY confidence DESC, games DESC, first, second LIMIT $limit",
            {"limit": limit},
        )
    ]


def synergies(graph: GraphStore, held: Collection[str], limit: int = 10) -> list[Pair]:
    """Pairs of one joker held (`first`) and one that is not, the surest winners first."""
    names = _jokers(graph)
    pairs = [
        Pair(
            key,
            row["key"],
            names[key]["name"],
            names[row["key"]]["name"],
            row["games"],
            row["wins"],
            row["confidence"],
        )
        for key in set(held)
        if key in names
        for row in _neighbours(graph, key)
        if row["key"] not in held
    ]
    pairs.sort(key=lambda pair: (-pair.confidence, -pair.games, pair.first, pair.second))
    return pairs[:limit]


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
    score: dict[str, float] = defaultdict(float)
    evidence: dict[str, int] = defaultdict(int)
    for key in set(held):
        for row in _neighbours(graph, key):
            score[row["key"]] += row["confidence"] / len(set(held))
            evidence[row["key"]] += row["games"]
    candidates = [
        Candidate(
            key,
            joker["name"],
            joker["cost"],
            joker["effect"],
            score[key] if held else joker["confidence"],
            evidence[key] if held else joker["games"],
        )
        for key, joker in _jokers(graph).items()
        if key not in held
        and joker["cost"] is not None
        and (money is None or joker["cost"] <= money)
        and (among is None or key in among)
    ]
    candidates.sort(key=lambda each: (-each.score, -each.evidence, each.key))
    return candidates[:limit]


def hands_for(graph: GraphStore, held: Collection[str], limit: int = 3) -> list[Record]:
    """The hands that won most surely with the jokers held: which to build for.

    `confidence` is the mean over the jokers held; `games` and `wins` count a game once a joker.
    """
    if not held:
        return top_hands(graph, limit)
    games: dict[str, int] = defaultdict(int)
    wins: dict[str, int] = defaultdict(int)
    confidence: dict[str, float] = defaultdict(float)
    for key in set(held):
        for row in graph.run(
            "MATCH (j:Joker {key: $key})-[s:SUPPORTS]->(h:Hand) RETURN h.key AS key,"
            " s.games AS games, s.wins AS wins, s.confidence AS confidence",
            {"key": key},
        ):
            games[row["key"]] += row["games"]
            wins[row["key"]] += row["wins"]
            confidence[row["key"]] += row["confidence"] / len(set(held))
    hands = [Record(key, key, games[key], wins[key], confidence[key]) for key in games]
    hands.sort(key=lambda hand: (-hand.confidence, -hand.games, hand.key))
    return hands[:limit]


def combinations_that_won(
    graph: GraphStore, held: Collection[str] = (), limit: int = 10
) -> list[Combination]:
    """Whole sets of jokers that won games: those nearest to what is held, then the most wins."""
    of = "RETURN c.key AS key, c.jokers AS jokers, c.wins AS wins, c.game AS game, c.last AS last"
    if held:
        shared: dict[str, int] = defaultdict(int)
        rows: dict[str, dict[str, Any]] = {}
        for key in set(held):
            for row in graph.run(
                f"MATCH (j:Joker {{key: $key}})-[:PART_OF]->(c:Combination) {of}", {"key": key}
            ):
                shared[row["key"]] += 1
                rows[row["key"]] = row
        found = sorted(
            rows.values(), key=lambda row: (-shared[row["key"]], -row["wins"], -row["last"])
        )[:limit]
    else:
        found = graph.run(
            f"MATCH (c:Combination) {of} ORDER BY wins DESC, last DESC LIMIT $limit",
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


def _jokers(graph: GraphStore) -> dict[str, dict[str, Any]]:
    rows = graph.run(
        "MATCH (n:Joker) RETURN n.key AS key, n.name AS name, n.cost AS cost, n.effect AS effect,"
        " n.games AS games, n.confidence AS confidence"
    )
    return {row["key"]: row for row in rows}


def _neighbours(graph: GraphStore, key: str) -> Rows:
    return graph.run(
        "MATCH (a:Joker {key: $key})-[p:PAIRED]-(b:Joker) RETURN b.key AS key,"
        " p.games AS games, p.wins AS wins, p.confidence AS confidence",
        {"key": key},
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
