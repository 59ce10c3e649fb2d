"""From the log to the graph: who ended games together, how often those were won, what was noted.

| of a GAME_FINISHED                      | goes to                                    |
|-----------------------------------------|--------------------------------------------|
| every joker held at the end             | Joker                                      |
| every two jokers held at the end        | (Joker)-[PAIRED]->(Joker), by key          |
| a joker held and the hand played most   | (Joker)-[SUPPORTS]->(Hand)                 |
| the hand played most                    | Hand                                       |
| deck, stake, policy, ante reached       | Record, by `kind` and `name`               |
| all jokers held at the end of a won one | (Joker)-[PART_OF]->(Combination)           |

Each carries `games`, `wins`, and `confidence`: the lower end of the 95 % Wilson interval of the
win rate, so that few games count for little. Copies of a joker count once. A Combination counts
wins alone.

A STRATEGY_NOTE becomes a Note: what Claude claims after a lost game, kept apart from the counts.
(Joker)-[NOTED]->(Note) and (Hand)-[NOTED]->(Note) lead there from what it names.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import Any

from jimbot.events import Recorded
from jimbot.events.payloads import GAME_FINISHED, STRATEGY_NOTE, GameFinished, StrategyNote
from jimbot.game import catalogue
from jimbot.game.hands import HAND_NAMES
from jimbot.knowledge.graph import GraphError, GraphStore
from jimbot.knowledge.prune import Ceiling, prune
from jimbot.metrics.games import parse_game
from jimbot.metrics.wilson import Z95

TYPES = (GAME_FINISHED, STRATEGY_NOTE)
"""The only types that leave anything: a follower may read the log for these alone."""

_MOST_JOKERS = 40
# A game may hold any number of negative jokers; pairs grow with the square of them.


def fold(
    graph: GraphStore,
    recorded: Sequence[Recorded],
    *,
    position: int | None = None,
    after: int = 0,
    ceiling: Ceiling | None = None,
) -> int:
    """Fold events into the graph, each exactly once; returns how many were new.

    Batches of ten thousand cost least: what they have in common is written once.

    Args:
        recorded: events by position. Those that the graph has seen are passed over, so a batch
            may be given again. What is no readable finished game is passed over too.
        position: how far the log was read, where that is further than the last event here
            (because the reader left other types out).
        after: where the reader believes the graph to be at least, so that one that was emptied
            meanwhile gets no hole.
        ceiling: how large the graph may grow.

    Raises:
        GraphError: nothing was changed. Unless `after` does not hold, the same batch may be given
            again.
    """
    with graph.transaction():
        seen = graph.position()
        if seen < after:
            raise GraphError(
                f"the graph is at position {seen} of the log, not at {after}: it was emptied",
                hint="Go on from the position that it is at",
            )
        fresh = [entry for entry in recorded if entry.position > seen]
        reached = max(position or 0, fresh[-1].position if fresh else 0)
        if reached <= seen:
            return 0
        tally = _Tally()
        for entry in fresh:
            if (game := _finished(entry)) is not None:
                tally.add(game, entry.position)
        tally.write(graph)
        _write_notes(graph, fresh)
        prune(graph, ceiling or Ceiling())
        graph.set_position(reached)
    return len(fresh)


def _finished(entry: Recorded) -> GameFinished | None:
    if entry.event.type != GAME_FINISHED:
        return None
    try:
        return parse_game(entry.event.payload)
    except ValueError:
        return None  # counted by the metrics' projection


def _write_notes(graph: GraphStore, recorded: Sequence[Recorded]) -> None:
    rows: dict[str, dict[str, Any]] = {}
    about: list[tuple[str, str, str]] = []
    for entry in recorded:
        if entry.event.type != STRATEGY_NOTE:
            continue
        try:
            note = StrategyNote.model_validate(entry.event.payload)
            note.model_dump_json()  # refuses what no store holds
        except ValueError:
            continue
        rows[note.note_id] = {
            "key": note.note_id,
            "subject": note.subject,
            "relation": note.relation,
            "object": note.object,
            "claim": note.claim,
            "confidence": float(note.confidence),
            "game": note.game_id,
            "time": entry.event.timestamp,
        }
        named = {note.subject.casefold(), note.object.casefold()}
        about += [(*_named()[name], note.note_id) for name in sorted(named) if name in _named()]
    if not rows:
        return
    _run(
        graph,
        "MERGE (n:Note {key: row.key}) SET n.subject = row.subject, n.relation = row.relation,"
        " n.object = row.object, n.claim = row.claim, n.confidence = row.confidence,"
        " n.game = row.game, n.time = row.time",
        [*rows.values()],
    )
    for label in ("Joker", "Hand"):
        _run(
            graph,
            f"MATCH (a:{label} {{key: row.about}}), (n:Note {{key: row.note}})"
            " MERGE (a)-[:NOTED]->(n)",
            [{"about": key, "note": note} for of, key, note in about if of == label],
        )


@cache
def _named() -> dict[str, tuple[str, str]]:
    """Label and key of what a note may name, by its name or key in small letters."""
    named = {name.casefold(): ("Hand", name) for name in HAND_NAMES}
    for joker in catalogue.JOKERS:
        named[joker.name.casefold()] = named[joker.key] = ("Joker", joker.key)
    return named


class _Counts:
    """Games and wins by key."""

    def __init__(self) -> None:
        self.games: Counter[Hashable] = Counter()
        self.wins: Counter[Hashable] = Counter()

    def add(self, key: Hashable, won: bool) -> None:
        self.games[key] += 1
        self.wins[key] += won

    def rows(self, *names: str) -> list[dict[str, Any]]:
        """A row a key: its parts by `names`, `games` and `wins`."""
        return [
            {
                **dict(zip(names, key if isinstance(key, tuple) else (key,), strict=True)),
                "games": games,
                "wins": self.wins[key],
            }
            for key, games in self.games.items()
        ]


class _Tally:
    """What a batch of games adds to the graph."""

    def __init__(self) -> None:
        self.jokers, self.hands, self.records = _Counts(), _Counts(), _Counts()
        self.pairs, self.supports = _Counts(), _Counts()
        self.combinations: dict[str, dict[str, Any]] = {}

    def add(self, game: GameFinished, position: int) -> None:
        held = sorted(set(game.jokers))[:_MOST_JOKERS]
        for joker in held:
            self.jokers.add(joker, game.won)
        for pair in combinations(held, 2):
            self.pairs.add(pair, game.won)
        for kind, name in (
            ("deck", game.deck),
            ("stake", game.stake),
            ("policy", game.policy),
            ("ante", str(game.ante)),
        ):
            self.records.add((f"{kind} {name}", kind, name), game.won)
        if (hand := _most_played(game.hands)) is not None:
            self.hands.add(hand, game.won)
            for joker in held:
                self.supports.add((joker, hand), game.won)
        if game.won and held:
            key = json.dumps(held)
            row = self.combinations.setdefault(key, {"key": key, "jokers": held, "wins": 0})
            row["wins"] += 1
            row["last"] = position
            row["game"] = game.game_id

    def write(self, graph: GraphStore) -> None:
        # Nodes first: what is not in the catalogue (a mod's joker) gets one here.
        _run(graph, _count("MERGE (n:Joker {key: row.key})"), self.jokers.rows("key"))
        _run(graph, _count("MERGE (n:Hand {key: row.key})"), self.hands.rows("key"))
        _run(
            graph,
            _count("MERGE (n:Record {key: row.key})", "n.kind = row.kind, n.name = row.name"),
            self.records.rows("key", "kind", "name"),
        )
        _run(
            graph,
            _count(
                "MATCH (a:Joker {key: row.a}), (b:Joker {key: row.b}) MERGE (a)-[n:PAIRED]->(b)"
            ),
            self.pairs.rows("a", "b"),
        )
        _run(
            graph,
            _count(
                "MATCH (a:Joker {key: row.joker}), (b:Hand {key: row.hand})"
                " MERGE (a)-[n:SUPPORTS]->(b)"
            ),
            self.supports.rows("joker", "hand"),
        )
        self._write_combinations(graph)

    def _write_combinations(self, graph: GraphStore) -> None:
        if not self.combinations:
            return
        rows = list(self.combinations.values())
        _run(
            graph,
            "MERGE (c:Combination {key: row.key}) ON CREATE SET c.wins = 0"
            " SET c.wins = c.wins + row.wins, c.jokers = row.jokers, c.last = row.last,"
            " c.game = row.game",
            rows,
        )
        _run(
            graph,
            "MATCH (j:Joker {key: row.joker}), (c:Combination {key: row.key})"
            " MERGE (j)-[:PART_OF]->(c)",
            [{"joker": joker, "key": row["key"]} for row in rows for joker in row["jokers"]],
        )


def _most_played(hands: Mapping[str, int]) -> str | None:
    """The hand played most; of equals the first by name, so that the answer is always the same."""
    played = [(-times, hand) for hand, times in hands.items() if times > 0]
    return min(played)[1] if played else None


def _count(merge: str, once: str = "") -> str:
    """Add a row's games and wins to the `n` that `merge` finds, or makes and sets to `once`.

    The confidence is `jimbot.metrics.wilson`'s lower end, written in Cypher because the engine
    knows the sums. A factor of 1.0 makes a double of a count in every engine.
    """
    start = ", ".join(["n.games = 0", "n.wins = 0", *([once] if once else [])])
    return (
        f"{merge} ON CREATE SET {start}"
        " WITH n, row, 1.0 * n.games + row.games AS t, 1.0 * n.wins + row.wins AS s"
        " SET n.games = n.games + row.games, n.wins = n.wins + row.wins, n.confidence = CASE"
        " WHEN s = 0 THEN 0.0 ELSE (s / t + $z * $z / (2 * t)"
        " - $z * sqrt(s / t * (1 - s / t) / t + $z * $z / (4 * t * t))) / (1 + $z * $z / t) END"
    )


def _run(graph: GraphStore, cypher: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        graph.run_rows(cypher, rows, {"z": Z95} if "$z" in cypher else None)
