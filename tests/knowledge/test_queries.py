"""What the advisor and the dashboard ask, against games that one can count by hand."""

from __future__ import annotations

import pytest

from jimbot.game import catalogue
from jimbot.knowledge import GraphStore, queries
from jimbot.knowledge.projection import fold
from jimbot.knowledge.seeds import seed
from jimbot.metrics.wilson import wilson
from tests.metrics.events import game

A, B, C, D = "j_joker", "j_jolly", "j_mime", "j_blueprint"


def low(wins: int, games: int) -> float:
    return pytest.approx(wilson(wins, games)[0])  # type: ignore[no-any-return]


@pytest.fixture
def known(graph: GraphStore) -> GraphStore:
    """A+B won 6 of 8 with pairs; A+C 1 of 4 with flushes; A+B+D 2 of 2; B alone lost twice."""
    seed(graph)
    games = [
        *[(n < 6, [A, B], {"Pair": 4}, 5) for n in range(8)],
        *[(n < 1, [A, C], {"Flush": 4}, 3) for n in range(4)],
        *[(True, [A, B, D], {"Pair": 4}, 8) for _ in range(2)],
        *[(False, [B], {"Pair": 4}, 1) for _ in range(2)],
    ]
    fold(
        graph,
        [
            game(n, won=won, jokers=jokers, hands=hands, ante=ante)
            for n, (won, jokers, hands, ante) in enumerate(games, 1)
        ],
    )
    return graph


def test_before_any_game_nothing_is_known(graph: GraphStore) -> None:
    seed(graph)
    assert queries.top_jokers(graph) == []
    assert queries.top_hands(graph) == []
    assert queries.top_pairs(graph) == []
    assert queries.records(graph, "deck") == []
    assert queries.synergies(graph, [A]) == []
    assert queries.hands_for(graph, [A]) == []
    assert queries.combinations_that_won(graph, [A]) == []
    candidates = queries.next_jokers(graph, [A], limit=3)
    assert [(each.score, each.evidence) for each in candidates] == [(0.0, 0)] * 3


def test_top_lists_go_by_confidence(known: GraphStore) -> None:
    jokers = queries.top_jokers(known)
    assert [(joker.key, joker.wins, joker.games) for joker in jokers] == [
        (B, 8, 12),
        (A, 9, 14),
        (D, 2, 2),
        (C, 1, 4),
    ]
    assert jokers[1] == queries.Record(A, "Joker", 14, 9, low(9, 14))
    assert queries.top_jokers(known, 1) == jokers[:1]
    assert [(hand.key, hand.wins) for hand in queries.top_hands(known)] == [
        ("Pair", 8),
        ("Flush", 1),
    ]
    first, *rest = queries.top_pairs(known)
    assert first == queries.Pair(A, B, "Joker", "Jolly Joker", 10, 8, low(8, 10))
    # A pair is named in the order of its keys.
    assert {(pair.first, pair.second) for pair in rest} == {(D, A), (D, B), (A, C)}


def test_records_by_circumstance(known: GraphStore) -> None:
    assert [(each.name, each.games, each.wins) for each in queries.records(known, "deck")] == [
        ("Red", 16, 9)
    ]
    assert {each.name: (each.games, each.wins) for each in queries.records(known, "ante")} == {
        "5": (8, 6),
        "3": (4, 1),
        "8": (2, 2),
        "1": (2, 0),
    }
    assert [each.name for each in queries.records(known, "policy")] == ["heuristic"]


def test_synergies_of_what_is_held(known: GraphStore) -> None:
    found = queries.synergies(known, [A])
    assert [(pair.first, pair.second, pair.games) for pair in found] == [
        (A, B, 10),
        (A, D, 2),
        (A, C, 4),
    ]
    assert [(pair.first, pair.second) for pair in queries.synergies(known, [A, B])] == [
        (A, D),
        (B, D),
        (A, C),
    ]
    assert queries.synergies(known, []) == []
    assert queries.synergies(known, ["j_nobody"]) == []


def test_the_next_joker_for_what_is_held(known: GraphStore) -> None:
    best, second, third, *_ = queries.next_jokers(known, [A])
    assert (best.key, best.name, best.evidence) == (B, "Jolly Joker", 10)
    assert best.score == low(8, 10)
    assert best.cost == catalogue.JOKERS[catalogue.JOKER_BY_KEY[B]].cost
    assert best.effect
    assert (second.key, third.key) == (D, C)
    # With two held, a joker seen with one of them alone counts half.
    scores = {each.key: each.score for each in queries.next_jokers(known, [A, B], limit=150)}
    assert scores[D] == low(2, 2)
    assert scores[C] == pytest.approx(wilson(1, 4)[0] / 2)
    assert A not in scores
    assert B not in scores


def test_the_next_joker_for_the_money(known: GraphStore) -> None:
    cost = catalogue.JOKERS[catalogue.JOKER_BY_KEY[D]].cost
    assert D in [each.key for each in queries.next_jokers(known, [A], money=cost)]
    poor = queries.next_jokers(known, [A], money=cost - 1, limit=150)
    assert D not in [each.key for each in poor]
    assert all(each.cost < cost for each in poor)
    assert queries.next_jokers(known, [A], money=-5) == []


def test_the_next_joker_among_a_shops_offers(known: GraphStore) -> None:
    assert [each.key for each in queries.next_jokers(known, [A], among=["j_zany", C, A])] == [
        C,
        "j_zany",
    ]
    assert queries.next_jokers(known, [A], among=[]) == []


def test_the_first_joker_goes_by_its_own_games(known: GraphStore) -> None:
    first = queries.next_jokers(known, [], limit=2)
    assert [(each.key, each.evidence) for each in first] == [(B, 12), (A, 14)]
    assert first[0].score == low(8, 12)


def test_a_mods_joker_without_a_price_is_not_offered(known: GraphStore) -> None:
    fold(known, [game(100, won=True, jokers=[A, "j_of_a_mod"])])
    assert "j_of_a_mod" not in [each.key for each in queries.next_jokers(known, [A], limit=200)]


def test_hands_to_build_for(known: GraphStore) -> None:
    pair, flush = queries.hands_for(known, [A])
    assert (pair.key, pair.games, pair.wins) == ("Pair", 10, 8)
    assert (flush.key, flush.games, flush.wins) == ("Flush", 4, 1)
    assert [hand.key for hand in queries.hands_for(known, [C])] == ["Flush"]
    assert queries.hands_for(known, []) == queries.top_hands(known, 3)


def test_combinations_that_won(known: GraphStore) -> None:
    assert [(set(each.jokers), each.wins) for each in queries.combinations_that_won(known)] == [
        ({A, B}, 6),
        ({A, B, D}, 2),
        ({A, C}, 1),
    ]
    near = queries.combinations_that_won(known, [B, D])
    assert [(set(each.missing), each.wins, each.game) for each in near] == [
        ({A}, 2, "g14"),
        ({A}, 6, "g6"),
    ]
    assert queries.combinations_that_won(known, ["j_zany"]) == []
