"""Lost games: queued, sent as one batch, paid for once, read into notes."""

from __future__ import annotations

import pytest

from jimbot.claude.analysis import Analyst, LostGame
from jimbot.claude.api import Failed
from jimbot.claude.errors import GatewayError
from jimbot.claude.ledger import Ledger
from jimbot.claude.question import State
from tests.claude.conftest import Make, run
from tests.claude.standin import USAGE, Manner

SAID = {
    "cause": "No multiplicative mult.",
    "turning_point": "Skipped the shop of ante 3.",
    "lessons": ["Take Blueprint."],
    "notes": [
        {
            "subject": "j_blueprint", "relation": "works_with", "object": "j_baron",
            "claim": "Copies its mult.", "confidence": 0.8,
        }
    ],
}  # fmt: skip
HALF = (USAGE["input_tokens"] * 4 + USAGE["cache_read_input_tokens"] * 0.2
        + USAGE["output_tokens"] * 20) / 1e6 / 2  # fmt: skip


def lost(name: str) -> LostGame:
    return LostGame(game_id=name, state=State(ante=3), decisions=("play:Pair", "leave"))


def test_a_batch_is_submitted_collected_and_paid_at_half_price(bench: Make) -> None:
    async def main() -> None:
        async with bench() as b:
            analyst = Analyst(b.gateway, b.ledger)
            assert analyst.queue(lost("g1")).status == "queued"
            assert analyst.queue(lost("g1")).status == "queued"  # once, not twice
            analyst.queue(lost("g2"))
            await analyst.turn()
            (requests,) = b.standin.batches.values()
            assert [r["custom_id"] for r in requests] == ["g1", "g2"]
            assert requests[0]["params"]["model"] == "claude-opus-5-5"
            assert "stream" not in requests[0]["params"]
            assert b.gateway.budget.reserved.dollars > 2 * HALF
            b.standin.analysis = SAID
            await analyst.turn()
            found = analyst.state("g2")
            assert found is not None
            assert found.status == "done"
            assert found.analysis is not None
            assert found.analysis.model_dump(mode="json") == SAID
            assert [(n.game_id, n.subject) for n in analyst.notes(0)] == [
                ("g1", "j_blueprint"), ("g2", "j_blueprint"),
            ]  # fmt: skip
            assert b.ledger.spent_since(0).dollars == pytest.approx(2 * HALF)
            assert b.gateway.budget.spent("day").dollars == pytest.approx(2 * HALF)
            assert b.gateway.budget.reserved == (0, 0)
            await analyst.turn()
            assert len(b.standin.batches) == 1

    run(main())


def test_a_batch_that_was_turned_away_is_sent_later_and_costs_nothing(bench: Make) -> None:
    async def main() -> None:
        async with bench() as b:
            analyst = Analyst(b.gateway, b.ledger)
            analyst.queue(lost("g1"))
            b.standin.manners = [Manner(status=529)]
            with pytest.raises(Failed):
                await analyst.turn()
            assert b.gateway.budget.reserved == (0, 0)
            assert b.ledger.spent_since(0).dollars == 0
            await analyst.turn()
            assert len(b.standin.batches) == 1

    run(main())


def test_what_was_being_submitted_at_a_crash_is_not_submitted_again(bench: Make) -> None:
    async def main() -> None:
        async with bench() as b:
            Analyst(b.gateway, b.ledger).queue(lost("g1"))
            b.ledger.update_analysis("g1", "submitting")
            analyst = Analyst(b.gateway, b.ledger)
            await analyst.turn()
            assert b.standin.batches == {}
            found = analyst.state("g1")
            assert found is not None
            assert found.status == "failed"

    run(main())


def test_a_batch_is_collected_by_the_next_process(bench: Make) -> None:
    async def main() -> None:
        async with bench() as b:
            analyst = Analyst(b.gateway, b.ledger)
            analyst.queue(lost("g1"))
            await analyst.turn()
            batches = b.standin.batches
        async with bench() as b:
            assert b.gateway.budget.spent("day").dollars > HALF, "at its ceiling"
            b.standin.batches, b.standin.analysis = batches, SAID
            analyst = Analyst(b.gateway, b.ledger)
            await analyst.turn()
            found = analyst.state("g1")
            assert found is not None
            assert found.status == "done"
            assert b.ledger.spent_since(0).dollars == pytest.approx(HALF)
            assert b.ledger.unsent()[-1].batch

    run(main())


@pytest.mark.parametrize("said", [None, [], {"cause": "x"}, {**SAID, "notes": [{"claim": 3}]}])
def test_what_is_no_analysis_is_failed_and_paid(bench: Make, said: object) -> None:
    async def main() -> None:
        async with bench() as b:
            analyst = Analyst(b.gateway, b.ledger)
            analyst.queue(lost("g1"))
            b.standin.analysis = said
            await analyst.turn()
            await analyst.turn()
            found = analyst.state("g1")
            assert found is not None
            assert (found.status, found.analysis) == ("failed", None)
            assert b.ledger.spent_since(0).dollars == pytest.approx(HALF if said is not None else 0)

    run(main())


def test_the_queue_is_bounded_and_waits_for_money_and_keys(bench: Make) -> None:
    async def main() -> None:
        async with bench(analysis_queue=2, analysis_output_tokens=10_000_000) as b:
            analyst = Analyst(b.gateway, b.ledger)
            analyst.queue(lost("g1"))
            analyst.queue(lost("g2"))
            with pytest.raises(GatewayError, match="2 games wait"):
                analyst.queue(lost("g3"))
            await analyst.turn()  # far past the budget
            assert b.standin.batches == {}
            assert b.ledger.count_analyses("queued") == 2
        async with bench(keys=()) as b:
            for path in b.ring._paths[0].iterdir():
                path.unlink()
            b.ring.reload()
            await Analyst(b.gateway, b.ledger).turn()
            assert b.ledger.count_analyses("queued") == 2

    run(main())


def test_analyses_survive_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    ledger = Ledger(path)
    ledger.queue_analysis("g", "text")
    ledger.close()
    ledger = Ledger(path)
    assert ledger.analyses("queued") == [("g", "text", None, "")]
    ledger.close()
