"""What exists in Balatro, as nodes: from the catalogue of the rules into the graph."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jimbot.game import catalogue, hands
from jimbot.game.planets import PLANET_HANDS
from jimbot.knowledge.graph import GraphStore

_NO_GAMES = "n.games = 0, n.wins = 0, n.confidence = 0.0"


class _Nodes(NamedTuple):
    """One kind of node: what it is called for people, its label, its properties and rows."""

    what: str
    label: str
    rows: Sequence[Mapping[str, Any]]
    counted: bool  # whether games are counted on it

    @property
    def cypher(self) -> str:
        properties = [name for name in self.rows[0] if name != "key"]
        return (
            f"UNWIND $rows AS row MERGE (n:{self.label} {{key: row.key}})"
            + (f" ON CREATE SET {_NO_GAMES}" if self.counted else "")
            + ("" if not properties else " SET ")
            + ", ".join(f"n.{name} = row.{name}" for name in properties)
        )


def seed(graph: GraphStore) -> dict[str, int]:
    """Bring the graph's knowledge of the game up to date; what games have shown stays.

    Returns how many of each kind of thing the game has. May be run again at any time, and costs
    next to nothing when the graph knows all of it.

    Raises:
        GraphError: nothing was changed.
    """
    kinds = _nodes()
    counts = {kind.what: len(kind.rows) for kind in kinds}
    digest = zlib.crc32(json.dumps([kind.rows for kind in kinds]).encode())
    if graph.run(
        "MATCH (m:Meta {key: 'seeds', value: $digest}) RETURN m.key AS key", {"digest": digest}
    ):
        return counts
    with graph.transaction():
        for kind in kinds:
            graph.run(kind.cypher, {"rows": kind.rows})
        graph.run(
            "UNWIND $rows AS row"
            " MATCH (i:Item {key: row.planet}), (h:Hand {key: row.hand})"
            " MERGE (i)-[:LEVELS]->(h)",
            {"rows": _planets()},
        )
        graph.run("MERGE (m:Meta {key: 'seeds'}) SET m.value = $digest", {"digest": digest})
    return counts


def _nodes() -> list[_Nodes]:
    return [
        _Nodes(
            "jokers",
            "Joker",
            [
                {
                    "key": joker.key,
                    "name": joker.name,
                    "rarity": joker.rarity,
                    "cost": joker.cost,
                    "effect": joker.text,
                }
                for joker in catalogue.JOKERS
            ],
            counted=True,
        ),
        _Nodes(
            "hands",
            "Hand",
            [
                {
                    "key": name,
                    "rank": rank,
                    "chips": hands.BASE_CHIPS[rank],
                    "mult": hands.BASE_MULT[rank],
                    "level_chips": hands.LEVEL_CHIPS[rank],
                    "level_mult": hands.LEVEL_MULT[rank],
                    "secret": rank >= hands.FIRST_SECRET,
                }
                for rank, name in enumerate(hands.HAND_NAMES)
            ],
            counted=True,
        ),
        _Nodes(
            "decks",
            "Record",
            [{"key": f"deck {name}", "kind": "deck", "name": name} for name in catalogue.DECKS],
            counted=True,
        ),
        _Nodes(
            "stakes",
            "Record",
            [{"key": f"stake {name}", "kind": "stake", "name": name} for name in catalogue.STAKES],
            counted=True,
        ),
        _Nodes(
            "consumables",
            "Item",
            [
                {
                    "key": card.key,
                    "kind": card.kind,
                    "name": card.name,
                    "cost": card.cost,
                    "needs": "",
                    "effect": card.text,
                }
                for card in catalogue.CONSUMABLES
            ],
            counted=False,
        ),
        _Nodes(
            "vouchers",
            "Item",
            [
                {
                    "key": voucher.key,
                    "kind": "Voucher",
                    "name": voucher.name,
                    "cost": voucher.cost,
                    "needs": voucher.requires,
                    "effect": voucher.text,
                }
                for voucher in catalogue.VOUCHERS
            ],
            counted=False,
        ),
        _Nodes(
            "blinds",
            "Blind",
            [
                {
                    "key": blind.key,
                    "name": blind.name,
                    "min_ante": blind.min_ante,
                    "scale": float(blind.scale),
                    "reward": blind.reward,
                    "finisher": blind.finisher,
                    "effect": blind.text,
                }
                for blind in catalogue.BLINDS
            ],
            counted=False,
        ),
    ]


def _planets() -> list[dict[str, str]]:
    return [
        {
            "planet": catalogue.CONSUMABLES[catalogue.FIRST_PLANET + planet].key,
            "hand": hands.HAND_NAMES[hand],
        }
        for planet, hand in enumerate(PLANET_HANDS)
    ]
