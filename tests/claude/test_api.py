"""Every way in which the API answers or fails, through the real SDK."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jimbot.appliance import load
from jimbot.claude.api import Api, Failed
from jimbot.claude.keys import KeyRing
from tests.claude.conftest import Make, question, run
from tests.claude.standin import USAGE, Manner, choose

PRICE = (100 * 2.0 + 1200 * 0.1 + 60 * 10.0) / 1e6  # of USAGE, by the table's prices of Sonnet
BAD = Manner(raw='{"answers": [}')


def test_an_answer_is_asked_once_and_paid_for(bench: Make) -> None:
    async def main() -> None:
        async with bench() as b:
            b.standin.otherwise = Manner(choose(3, 0.83))
            advice = await b.gateway.advise(question(game_id="g1"))
            assert (advice.index, advice.key, advice.source) == (2, "leave", "claude")
            assert (advice.reasoning, advice.confidence) == ("because", 0.83)
            assert b.gateway.budget.spent("hour").dollars == pytest.approx(PRICE)
            assert b.gateway.budget.spent("month").tokens == sum(USAGE.values())
            assert b.ledger.spent_since(0).dollars == pytest.approx(PRICE)
            assert b.gateway.budget.reserved == (0, 0)
            assert b.metric(
                "cost_dollars_total", model="claude-sonnet-5-5", purpose="decision"
            ) == (pytest.approx(PRICE))
            body = b.standin.bodies[0]
            assert body["thinking"] == {"type": "between_tools"}
            assert body["output_config"] == {"effort": "low"}
            assert body["tools"][0]["strict"] is True

    run(main())


@pytest.mark.parametrize(
    ("manner", "declined", "paid"),
    [
        (Manner(status=400), "rejected", 0),
        (Manner(status=401), "key refused", 0),
        (Manner(status=402), "unpaid", 0),
        (Manner(status=429, headers={"retry-after": "60"}), "rate limited", 0),
        (Manner(status=500), "server error", 0),
        (Manner(status=529), "overloaded", 0),
        (Manner(midway="overloaded_error"), "cut off", (100 * 2 + 1200 * 0.1 + 1 * 10) / 1e6),
        (Manner(cut="after"), "cut off", (100 * 2 + 1200 * 0.1 + 1 * 10) / 1e6),
        (Manner(stop="refusal"), "refusal", PRICE),
        (Manner(stop="max_tokens"), "too long", PRICE),
        (Manner(stop="end_turn"), "no answer", PRICE),
        (BAD, "malformed", (100 * 2 + 1200 * 0.1 + 1 * 10) / 1e6),
        (Manner(raw="[]"), "malformed", PRICE),
        (Manner(raw='{"answers": []}'), "missing", PRICE),
        (Manner(choose(4)), "illegal", PRICE),
        (Manner(choose(0)), "illegal", PRICE),
        (Manner(choose(1, confidence=7)), "malformed", PRICE),
    ],
)
def test_what_is_no_answer_falls_back_and_says_why(
    bench: Make, manner: Manner, declined: str, paid: float
) -> None:
    async def main() -> None:
        async with bench() as b:
            b.standin.otherwise = manner
            advice = await b.gateway.advise(question())
            assert (advice.source, advice.declined) == ("strategist", declined)
            assert advice.index == 1
            assert b.gateway.budget.spent("day").dollars == pytest.approx(paid)
            assert b.ledger.spent_since(0).dollars == pytest.approx(paid)
            assert len(b.gateway.cache) == 0
            refused = {"illegal", "malformed", "missing", "refusal", "too long", "no answer"}
            if declined in refused and manner is not BAD:
                assert b.metric("answers_refused_total", reason=declined) == 1

    run(main())


def test_requests_go_by_the_proxy_that_a_container_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`jimbot up --runtime containers` leaves the gateway no other way out."""
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        limits = load().claude.model_copy(update={"retries": 0})
        api = Api(limits, KeyRing([tmp_path]))
        async with server:
            await api.load()
            with pytest.raises(Failed):
                await api.create_batch([])
            await api.close()

    (tmp_path / "key").write_text("sk-ant-" + "x" * 40)
    (tmp_path / "key").chmod(0o600)
    run(main())
    assert asked[0] == b"CONNECT api.anthropic.com:443 HTTP/1.1\r\n"


def test_what_may_have_been_billed_counts_at_its_ceiling_and_is_not_repeated(bench: Make) -> None:
    async def main() -> None:
        async with bench(retries=3, request_timeout_s=0.4) as b:
            b.standin.otherwise = Manner(wait_s=2)
            advice = await b.gateway.advise(question())
            assert advice.declined == "timeout"
            assert len(b.standin.bodies) == 1
            ceiling = b.gateway.budget.spent("day").dollars
            assert ceiling > 1500 * 10 / 1e6
            assert b.ledger.spent_since(0).dollars == pytest.approx(ceiling)

    run(main())


def test_a_connection_dropped_before_the_answer_is_not_repeated(bench: Make) -> None:
    async def main() -> None:
        async with bench(retries=3) as b:
            b.standin.otherwise = Manner(cut="before")
            advice = await b.gateway.advise(question())
            assert advice.declined == "cut off"
            assert len(b.standin.bodies) == 1
            assert b.gateway.budget.spent("day").dollars > PRICE

    run(main())


@pytest.mark.parametrize("status", [429, 500, 529])
def test_what_was_turned_away_is_tried_again(bench: Make, status: int) -> None:
    async def main() -> None:
        async with bench(retries=2) as b:
            b.standin.manners = [Manner(status=status, headers={"retry-after": "0.05"})]
            advice = await b.gateway.advise(question())
            assert advice.source == "claude"
            assert len(b.standin.bodies) == 2
            assert b.gateway.budget.spent("day").dollars == pytest.approx(PRICE)

    run(main())


def test_the_next_url_is_tried_when_one_does_not_answer(bench: Make) -> None:
    async def main() -> None:
        async with bench() as b:
            urls = ("http://127.0.0.1:9", b.standin.url)  # the discard port: refused
            object.__setattr__(b.gateway.api, "_limits", b.gateway.limits.model_copy(
                update={"base_urls": urls}))  # fmt: skip
            advice = await b.gateway.advise(question())
            assert advice.source == "claude"
            assert len(b.standin.bodies) == 1

    run(main())


def test_the_next_key_is_tried_when_one_is_refused(bench: Make) -> None:
    async def main() -> None:
        async with bench(keys=("sk-first-key", "sk-second-key")) as b:
            b.standin.manners = [Manner(status=401)]
            assert (await b.gateway.advise(question(1))).source == "claude"
            assert (await b.gateway.advise(question(2))).source == "claude"
            assert b.standin.keys == ["sk-first-key", "sk-second-key", "sk-second-key"]

    run(main())


def test_no_more_requests_at_a_time_than_the_cap(bench: Make) -> None:
    async def main() -> None:
        async with bench(concurrency=2) as b:
            b.standin.otherwise = Manner(wait_s=0.2)
            answers = await asyncio.gather(*(b.gateway.advise(question(n)) for n in range(6)))
            assert b.standin.most_running == 2
            assert sorted(a.declined for a in answers) == ["", "", "busy", "busy", "busy", "busy"]

    run(main())
