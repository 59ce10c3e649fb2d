"""What exists in Balatro is in the graph, once, and games' counts outlive a second seeding."""

from __future__ import annotations

from collections import Counter

from jimbot.game import catalogue, hands
from jimbot.knowledge import GraphStore
from jimbot.knowledge.projection import fold
from jimbot.knowledge.seeds import seed
from tests.metrics.events import game


def count(graph: GraphStore, pattern: str) -> int:
    return int(graph.run(f"MATCH {pattern} RETURN count(*) AS n")[0]["n"])


def test_everything_of_the_catalogue_is_there(graph: GraphStore) -> None:
    assert seed(graph) == {
        "jokers": len(catalogue.JOKERS),
        "hands": 12,
        "decks": len(catalogue.DECKS),
        "stakes": len(catalogue.STAKES),
        "consumables": len(catalogue.CONSUMABLES),
        "vouchers": len(catalogue.VOUCHERS),
        "blinds": len(catalogue.BLINDS),
    }
    assert count(graph, "(j:Joker)") == len(catalogue.JOKERS)
    kinds = Counter(row["kind"] for row in graph.run("MATCH (i:Item) RETURN i.kind AS kind"))
    assert kinds == Counter(card.kind for card in catalogue.CONSUMABLES) + Counter(
        Voucher=len(catalogue.VOUCHERS)
    )
    (joker,) = graph.run(
        "MATCH (j:Joker {key: 'j_joker'}) RETURN j.name AS name, j.cost AS cost,"
        " j.rarity AS rarity, j.effect AS effect, j.games AS games, j.confidence AS confidence"
    )
    entry = catalogue.JOKERS[catalogue.JOKER_BY_KEY["j_joker"]]
    assert joker == {
        "name": "Joker",
        "cost": entry.cost,
        "rarity": entry.rarity,
        "effect": entry.text,
        "games": 0,
        "confidence": 0.0,
    }


def test_every_planet_levels_its_hand(graph: GraphStore) -> None:
    seed(graph)
    rows = graph.run(
        "MATCH (i:Item {kind: 'Planet'})-[:LEVELS]->(h:Hand) RETURN i.name AS planet, h.key AS hand"
    )
    assert len(rows) == 12
    found = {row["planet"]: row["hand"] for row in rows}
    assert set(found.values()) == set(hands.HAND_NAMES)
    assert (found["Pluto"], found["Mercury"], found["Eris"]) == ("High Card", "Pair", "Flush Five")


def test_seeding_again_changes_nothing(graph: GraphStore) -> None:
    seed(graph)
    fold(graph, [game(1, won=True)])
    before = _all(graph)
    assert seed(graph)["jokers"] == len(catalogue.JOKERS)
    assert _all(graph) == before
    # Also when it has to write: as after an update of the catalogue.
    with graph.transaction():
        graph.run("MATCH (m:Meta {key: 'seeds'}) SET m.value = 0")
        graph.run("MATCH (j:Joker {key: 'j_joker'}) SET j.name = 'outdated'")
    seed(graph)
    assert _all(graph) == before


def test_games_may_come_before_the_seeds(graph: GraphStore) -> None:
    fold(graph, [game(1, won=True, jokers=["j_joker"], deck="Red")])
    seed(graph)
    assert graph.run("MATCH (j:Joker {key: 'j_joker'}) RETURN j.name AS name, j.wins AS wins") == [
        {"name": "Joker", "wins": 1}
    ]
    assert count(graph, "(r:Record {kind: 'deck'})") == len(catalogue.DECKS)


def _all(graph: GraphStore) -> list[list[dict[str, object]]]:
    return [
        graph.run(f"MATCH (n:{label}) RETURN n ORDER BY n.key")
        for label in ("Joker", "Hand", "Item", "Blind", "Record", "Combination", "Meta")
    ] + [graph.run("MATCH (i:Item)-[:LEVELS]->(h:Hand) RETURN i.key AS a, h.key AS b ORDER BY a")]
