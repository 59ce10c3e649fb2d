"""What Claude notes after lost games, beside what was counted."""

from __future__ import annotations

from jimbot.knowledge import GraphStore
from jimbot.knowledge.projection import fold
from jimbot.knowledge.prune import Ceiling
from jimbot.knowledge.queries import notes
from jimbot.knowledge.seeds import seed
from tests.metrics.events import START, game, note, other


def test_a_note_is_found_from_what_it_names(graph: GraphStore) -> None:
    seed(graph)
    fold(
        graph,
        [
            note(1),
            note(2, time=START + 5, subject="flush", relation="needs", object="j_blueprint"),
            note(3, subject="The Wall", relation="counters", object="Flush", claim="Save hands."),
        ],
    )
    assert [each.key for each in notes(graph, ["j_blueprint"])] == ["n2", "n1"]
    assert [each.key for each in notes(graph, ["j_baron"])] == ["n1"]
    assert [each.key for each in notes(graph, ["Flush"])] == ["n2", "n3"]
    assert [each.key for each in notes(graph, ["j_baron", "Flush"], limit=2)] == ["n2", "n1"]
    assert notes(graph, ["j_joker"]) == []
    (newest,) = notes(graph, limit=1)
    assert newest == ("n2", "flush", "needs", "j_blueprint", note(1).event.payload["claim"], 0.7,
                      "g1", START + 5)  # fmt: skip


def test_a_note_counts_no_game_and_comes_once(graph: GraphStore) -> None:
    seed(graph)
    recorded = [game(1, jokers=["j_baron"]), note(2)]
    fold(graph, recorded)
    fold(graph, [*recorded, note(3, note_id="n2", claim="Said again.")])
    assert [each.claim for each in notes(graph, ["j_baron"])] == ["Said again."]
    assert graph.run("MATCH (j:Joker) WHERE j.games > 0 RETURN j.key AS key") == [
        {"key": "j_baron"}
    ]


def test_an_unreadable_note_is_passed_over(graph: GraphStore) -> None:
    fold(graph, [other(1, "STRATEGY_NOTE", note_id="n1", claim=3), note(2)])
    assert [each.key for each in notes(graph)] == ["n2"]
    assert graph.position() == 2


def test_the_oldest_notes_go(graph: GraphStore) -> None:
    seed(graph)
    fold(graph, [note(n, time=START + n) for n in range(1, 8)], ceiling=Ceiling(notes=3))
    assert [each.key for each in notes(graph)] == ["n7", "n6", "n5"]
