"""What the gateway counts, in Prometheus' terms: `jimbot_claude_*`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# From a cache hit to the longest deadline.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)


class Metrics:
    """The counters of one gateway, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.advices = Counter(
            "jimbot_claude_advices", "Questions answered, by who answered.", ["source"], registry=r
        )
        self.declined = Counter(
            "jimbot_claude_declined",
            "Questions that Claude was not asked, or not heard on, by reason.",
            ["reason"],
            registry=r,
        )
        self.refused = Counter(
            "jimbot_claude_answers_refused",
            "Answers of Claude or the cache that were never played, by reason.",
            ["reason"],
            registry=r,
        )
        self.late = Counter(
            "jimbot_claude_late", "Answers past a deadline; cached only.", registry=r
        )
        self.cache = Counter(
            "jimbot_claude_cache_lookups", "Cache look-ups.", ["tier", "result"], registry=r
        )
        self.cache_entries = Gauge("jimbot_claude_cache_entries", "Answers kept.", registry=r)
        self.cache_dropped = Counter(
            "jimbot_claude_cache_dropped",
            "Answers dropped because play contradicted them.",
            registry=r,
        )
        self.shared = Counter(
            "jimbot_claude_shared", "Questions that joined another's request.", ["how"], registry=r
        )
        self.requests = Counter(
            "jimbot_claude_requests",
            "Requests to the API, by how they ended.",
            ["model", "purpose", "status"],
            registry=r,
        )
        self.tokens = Counter(
            "jimbot_claude_tokens", "Tokens used.", ["model", "purpose", "kind"], registry=r
        )
        self.dollars = Counter(
            "jimbot_claude_cost_dollars", "Money spent.", ["model", "purpose"], registry=r
        )
        self.budget_used = Gauge(
            "jimbot_claude_budget_used_ratio",
            "Used of a budget, what is reserved included.",
            ["window", "unit"],
            registry=r,
        )
        self.rate_used = Gauge(
            "jimbot_claude_rate_used_ratio", "Used of the requests of an hour.", registry=r
        )
        self.share = Gauge(
            "jimbot_claude_decision_share_ratio",
            "Decisions that consulted, of today's.",
            registry=r,
        )
        self.breaker = Gauge(
            "jimbot_claude_breaker_open", "1 while Claude is not asked after failures.", registry=r
        )
        self.advice_seconds = Histogram(
            "jimbot_claude_advice_seconds",
            "From question to answer.",
            ["source"],
            buckets=_SECONDS,
            registry=r,
        )
        self.request_seconds = Histogram(
            "jimbot_claude_request_seconds",
            "From request to response of the API.",
            ["model"],
            buckets=_SECONDS,
            registry=r,
        )
