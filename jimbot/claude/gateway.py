"""A question's way through the gateway: cache, then Claude where it pays, then local answers.

Every answer is legal, is back before its deadline, and says where it came from.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Protocol

from jimbot.appliance.claude import ClaudeLimits
from jimbot.claude import features, prompt, strategist, value
from jimbot.claude.api import Api, Failed
from jimbot.claude.ask import Asking, Batch, Future
from jimbot.claude.breaker import Breaker
from jimbot.claude.bucket import HOUR_S, TokenBucket
from jimbot.claude.budget import WINDOWS, Amount, BudgetKeeper, Reservation
from jimbot.claude.cache import Cache, Hit
from jimbot.claude.errors import BudgetSpent
from jimbot.claude.keys import KeyRing
from jimbot.claude.ledger import Ledger
from jimbot.claude.metrics import Metrics
from jimbot.claude.pace import Pace
from jimbot.claude.prices import Prices, Usage
from jimbot.claude.question import Advice, GameResult, Outcome, Question, Source
from jimbot.claude.share import DecisionShare
from jimbot.claude.strategist import Opinion
from jimbot.service import Health

_log = logging.getLogger(__name__)

# Kept back from a deadline for the local answer and the way home, on a machine that is busy.
MARGIN = 0.1
LEAST_MARGIN_S = 0.025
# What the first requests are thought to cost, until some have.
FIRST_COST = 0.01


class Graph(Protocol):
    """What the knowledge graph would do; asked when Claude is not heard."""

    async def suggest(self, question: Question, timeout_s: float) -> Opinion | None:
        """An opinion within the time, or None; never raises."""


class Gateway:
    """Answers questions.

    Args:
        ledger: None when it cannot be used: then nothing is paid for.
        graph: None without one.
        clock: seconds since 1970; the budgets, the bucket and the day's share go by it.
    """

    def __init__(
        self, limits: ClaudeLimits, *, api: Api, ring: KeyRing, cache: Cache,
        ledger: Ledger | None, metrics: Metrics, graph: Graph | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self.limits = limits
        self.metrics = metrics
        self.cache, self.ledger, self.ring, self.api = cache, ledger, ring, api
        self._graph = graph
        self.prices = Prices(limits.models)
        self.budget = BudgetKeeper(
            limits.budgets, ledger.spent_since if ledger else lambda _: Amount(), clock
        )
        self.breaker = Breaker(limits.breaker_failures, limits.breaker_open_s)
        self._bucket = TokenBucket(limits.requests_per_hour, limits.burst, clock)
        self._share = DecisionShare(limits.decision_share, clock)
        self._pace = Pace(limits.least_value, clock)
        self._asking = Asking(
            self._send,
            window_s=limits.batch_window_ms / 1000,
            size=limits.batch_size,
            chars=limits.max_prompt_chars,
        )
        self._busy = 0
        self._ledger_error = ""
        # What keeps Claude from being asked at all, for people; set by whoever finds out.
        self.problem = ""
        self._typical = FIRST_COST
        if ledger:
            self._bucket.replay(ledger.request_times(clock() - HOUR_S))
            self._share.restore(*ledger.decisions())

    async def advise(self, question: Question) -> Advice:
        """Answer one question within its deadline."""
        began = time.perf_counter()
        deadline_s = question.deadline_ms / 1000
        margin = min(max(LEAST_MARGIN_S, MARGIN * deadline_s), deadline_s / 4)
        until = began + deadline_s - margin
        self._share.decided(question.decisions)
        key = features.exact_key(question)
        if (hit := self._cached(question, key)) is not None:
            return self._answer(question, hit.opinion, hit.source, began, key=hit.key)
        answer, declined = self._consult(question, key, deadline_s)
        if answer is not None:
            heard = await self._heard(answer, until)
            if isinstance(heard, Opinion):
                return self._answer(question, heard, "claude", began, key=key)
            declined = heard
        self.metrics.declined.labels(declined).inc()
        opinion, source = await self._local(question, until)
        return self._answer(question, opinion, source, began, declined=declined)

    def learn(self, outcome: Outcome) -> bool:
        """What came of an advice; True when that dropped an answer from the cache."""
        dropped = self.cache.learn(outcome)
        if dropped:
            self.metrics.cache_dropped.inc()
        return dropped

    async def game_ended(self, result: GameResult) -> None:
        """A game that may have consulted has ended; for the cost of a game."""
        if self.ledger:
            await asyncio.to_thread(
                self.ledger.game_ended, result.game_id, won=result.won, ante=result.ante
            )

    def reserve(self, amount: Amount) -> Reservation:
        """Hold money for a request.

        Raises:
            BudgetSpent: there is none left.
        """
        reservation = self.budget.reserve(amount)
        self._gauge()
        return reservation

    async def opened(
        self, request: str, reservation: Reservation, model: str, purpose: str,
        games: Sequence[str | None], *, batch: bool = False,
    ) -> bool:  # fmt: skip
        """Write down a request before it is sent; when that fails it must not be sent."""
        try:
            if self.ledger is None:
                raise sqlite3.OperationalError("there is no ledger")
            await asyncio.to_thread(
                self.ledger.open, request, model, purpose, reservation.amount, games, batch=batch
            )
        except sqlite3.Error as error:
            self._ledger_failed(error)
            self.budget.settle(reservation, Amount())
            return False
        self._ledger_error = ""
        return True

    async def settle(
        self, request: str, reservation: Reservation, *, model: str, purpose: str, status: str,
        usage: Usage | None, began: float, batch: bool = False,
    ) -> None:  # fmt: skip
        """Write down what a request cost: at its ceiling when nobody knows (`usage` None)."""
        cost = reservation.amount if usage is None else self.prices.cost(model, usage, batch=batch)
        self.budget.settle(reservation, cost)
        elapsed = time.monotonic() - began
        used = usage or Usage()
        m = self.metrics
        m.requests.labels(model, purpose, status).inc()
        m.dollars.labels(model, purpose).inc(cost.dollars)
        for kind, count in zip(Usage._fields, used, strict=True):
            m.tokens.labels(model, purpose, kind).inc(count)
        if not batch:
            m.request_seconds.labels(model).observe(elapsed)
        self._gauge()
        if self.ledger:
            try:
                await asyncio.to_thread(
                    self.ledger.settle, request, status, cost, used, elapsed * 1000
                )
            except sqlite3.Error as error:
                # It stays open at its ceiling: counted too dear, never too cheap.
                self._ledger_failed(error)

    def health(self) -> Health:
        """Well as long as questions are answered; says who answers and what is wrong."""
        usable = self.ring.usable
        _, decisions, consulted = self._share.today
        details = {
            "keys": [key.name for key in self.ring.keys],
            "breaker": self.breaker.state,
            "cache_entries": len(self.cache),
            "similar_threshold": self.cache.threshold,
            "decisions_today": decisions,
            "consulted_today": consulted,
            "spent_today": round(self.budget.spent("day").dollars, 6),
            "spent_this_month": round(self.budget.spent("month").dollars, 6),
        }
        problems = [*self.ring.problems, *([self.problem] if self.problem else [])]
        if not self.ring.keys and not problems:
            reason = "no key: the local strategist answers"
            return Health(status="ok", reason=reason, details=details)
        hint = ""
        if self.ledger is None or self._ledger_error:
            problems.append("the ledger cannot be written, so Claude is not asked")
            hint = "Is the disk full? See the service's log"
        elif not usable:
            problems.append("no key is usable: the local strategist answers")
            hint = "Put in a new key: jimbot claude rotate-key"
        if self.breaker.state != "closed":
            problems.append("Claude does not answer: the breaker is open")
        problems += self.budget.warnings()
        if self._bucket.used >= self.limits.budgets.warn_at:
            problems.append(f"{self._bucket.used:.0%} of this hour's requests are used")
        if problems:
            return Health(status="warn", reason="; ".join(problems), hint=hint, details=details)
        return Health(status="ok", reason="Claude advises", details=details)

    async def stop(self) -> None:
        """Give up requests on their way, and write down what is to be kept."""
        await self._asking.stop()
        self.cache.close()
        if self.ledger:
            self.ledger.save_decisions(*self._share.today)
            self.ledger.close()
        await self.api.close()

    def flush(self) -> None:
        """Write down what may be lost by a crash without harm; called now and then."""
        self.cache.flush()
        if self.ledger:
            self.ledger.save_decisions(*self._share.today)
        self._gauge()

    def _ledger_failed(self, error: sqlite3.Error) -> None:
        self._ledger_error = str(error)
        _log.error("the ledger cannot be written", extra={"fields": {"error": str(error)}})

    def _cached(self, question: Question, key: bytes) -> Hit | None:
        look = self.metrics.cache.labels
        hit = self.cache.exact(question, key)
        look("exact", "hit" if hit else "miss").inc()
        if hit is None and self.cache.threshold is not None:
            hit = self.cache.similar(question, features.vector(question))
            look("similar", "hit" if hit else "miss").inc()
        if hit is None and len(self.cache):
            hit = self.cache.pattern(question)
            look("pattern", "hit" if hit else "miss").inc()
        return hit

    def _consult(
        self, question: Question, key: bytes, deadline_s: float
    ) -> tuple[Future | None, str]:
        """Somebody's promise of Claude's answer, or a word for why Claude is not asked."""
        if (flight := self._asking.flight(key)) is not None:
            self.metrics.shared.labels("single_flight").inc()
            return flight, ""
        if not self.ring.keys:
            return None, "no key"
        if self.ledger is None:
            return None, "no ledger"
        if not self.ring.usable:
            return None, "no usable key"
        if not self.api.loaded:
            return None, "starting"
        if deadline_s * 1000 < self.limits.least_deadline_ms:
            return None, "short deadline"
        if len(question.legal) < 2:
            return None, "no choice"
        worth = value.of_information(question, self.limits.kind_weight)
        self._pace.observe(worth, question.decisions)
        if worth < self._pace.bar(self._affordable(), self.limits.decision_share):
            return None, "low value"
        chars = len(prompt.ask([question]))
        if chars > self.limits.max_prompt_chars:
            return None, "too large"
        batch = self._asking.joinable(question, chars)
        if batch is None and (refused := self._refused()):
            return None, refused
        if not self._share.take():
            if batch is None:
                self._undo()
            return None, "share"
        if batch is not None:
            self.metrics.shared.labels("batch").inc()
        else:
            self._busy += 1
        return self._asking.join(batch, key, question, chars), ""

    def _refused(self) -> str:
        """Why no new request may be made now; what it takes is taken when one may."""
        if self._busy >= self.limits.concurrency:
            return "busy"
        if not self.breaker.allow():
            return "breaker"
        if not self._bucket.take():
            self.breaker.abandoned()
            return "rate"
        return ""

    def _undo(self) -> None:
        self._bucket.give_back()
        self.breaker.abandoned()

    def _affordable(self) -> float:
        """Requests a second that the bucket and the money left until the day ends bear."""
        rates = [self._bucket.per_second]
        for window in ("day", "month"):
            left, seconds = self.budget.left_until_end(window)
            rates.append(left / self._typical / seconds)
        return min(rates)

    async def _heard(self, answer: Future, until: float) -> Opinion | str:
        try:
            async with asyncio.timeout(max(until - time.perf_counter(), 0)):
                return await asyncio.shield(answer)
        except TimeoutError:
            answer.add_done_callback(self._came_late)
            return "deadline"

    def _came_late(self, answer: Future) -> None:
        if not answer.cancelled() and isinstance(answer.result(), Opinion):
            self.metrics.late.inc()

    async def _local(self, question: Question, until: float) -> tuple[Opinion, Source]:
        left = until - time.perf_counter()
        if self._graph is not None and left > 0:
            opinion = await self._graph.suggest(question, left)
            if opinion is not None:
                if 0 <= opinion.choice < len(question.legal):
                    return opinion, "graph"
                self.metrics.refused.labels("illegal").inc()
        return strategist.advise(question), "strategist"

    async def _send(self, batch: Batch) -> None:
        """Ask Claude a batch, and resolve its futures."""
        questions = [asked.question for asked in batch.asked]
        model = self.limits.purposes["decision"]
        text = prompt.ask(questions)
        began = time.monotonic()
        try:
            try:
                opinions = await self._ask(model, text, questions, began)
            except BudgetSpent as spent:
                _log.warning("not asked", extra={"fields": {"reason": str(spent)}})
                self._undo()
                for _ in questions:
                    self._share.give_back()
                opinions = ["budget"] * len(questions)
        finally:
            self._busy -= 1
        for asked, opinion in zip(batch.asked, opinions, strict=True):
            if isinstance(opinion, Opinion):
                self.cache.store(asked.question, opinion)
            if not asked.answer.done():
                asked.answer.set_result(opinion)

    async def _ask(
        self, model: str, text: str, questions: list[Question], began: float
    ) -> list[Opinion | str]:
        """One request, from its reservation to its settlement; a word a question on failure.

        Raises:
            BudgetSpent: it was not made.
        """
        limits = self.limits
        output = limits.max_output_tokens
        chars = len(text) + len(prompt.SYSTEM) + len(str(prompt.ADVISE_TOOL))
        tokens = self.prices.estimate_tokens(model, chars)
        reservation = self.reserve(self.prices.ceiling(model, tokens, output))
        request = uuid.uuid4().hex
        usage: Usage | None = None
        status = "stopped"
        games = [question.game_id for question in questions]
        if not await self.opened(request, reservation, model, "decision", games):
            self._undo()
            return ["no ledger"] * len(questions)
        try:
            reply = await self.api.ask(
                model, text, system=prompt.system(), tool=prompt.ADVISE_TOOL, max_tokens=output
            )
        except Failed as failed:
            status, usage = failed.reason, failed.usage
            if failed.theirs:
                self.breaker.failed()
            else:
                self.breaker.abandoned()
            _log.warning("no answer", extra={"fields": {"reason": status, "request": request}})
            return [status] * len(questions)
        except BaseException:
            self.breaker.abandoned()
            raise
        else:
            self.breaker.succeeded()
            status, usage = reply.status, reply.usage
            self.prices.learn(model, chars, usage.tokens - usage.output)
            return self._read(reply.status, reply.tool_input, questions)
        finally:
            await self.settle(
                request, reservation, model=model, purpose="decision", status=status,
                usage=usage, began=began,
            )  # fmt: skip
            if usage and usage.tokens:
                cost = self.prices.cost(model, usage).dollars
                self._typical += 0.2 * (cost - self._typical)

    def _read(
        self, status: str, tool_input: object, questions: list[Question]
    ) -> list[Opinion | str]:
        read: list[Opinion | str] = (
            prompt.read(tool_input, questions) if status == "ok" else [status] * len(questions)
        )
        for each in read:
            if isinstance(each, str):
                self.metrics.refused.labels(each).inc()
        return read

    def _answer(
        self, question: Question, opinion: Opinion, source: Source, began: float, *,
        declined: str = "", key: bytes = b"",
    ) -> Advice:  # fmt: skip
        advice_id = uuid.uuid4().hex
        if key:
            self.cache.advised(advice_id, key)
        elapsed = time.perf_counter() - began
        self.metrics.advices.labels(source).inc()
        self.metrics.advice_seconds.labels(source).observe(elapsed)
        if not source.startswith("cache:"):  # hits come by the thousand
            fields = {"declined": declined, "took_ms": round(elapsed * 1000, 3)}
            _log.info("advised by %s", source, extra={"fields": fields})
        return Advice(
            advice_id=advice_id,
            index=opinion.choice,
            key=question.legal[opinion.choice].key,
            reasoning=opinion.reasoning,
            confidence=opinion.confidence,
            alternative=opinion.alternative,
            source=source,
            declined=declined,
            elapsed_ms=round(elapsed * 1000, 3),
        )

    def _gauge(self) -> None:
        m = self.metrics
        for window in WINDOWS:
            dollars, tokens = self.budget.used(window)
            m.budget_used.labels(window, "dollars").set(dollars)
            m.budget_used.labels(window, "tokens").set(tokens)
        m.rate_used.set(self._bucket.used)
        m.share.set(self._share.used)
        m.breaker.set(self.breaker.state != "closed")
        m.cache_entries.set(len(self.cache))
