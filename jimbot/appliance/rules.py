"""The alerts of the appliance, each defined once.

`jimbot.appliance.render.prometheus` writes them as Prometheus' rules and `jimbot.analytics.alerts`
evaluates them without Prometheus; thresholds are those of the table (`[alerts.rules]`).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from jimbot.appliance.alerts import Severity
from jimbot.appliance.model import Appliance, TableError

Unit = Literal["ratio", "seconds", "number"]


class Value(NamedTuple):
    """A metric as it is, one figure for each set of labels; `where` narrows them."""

    metric: str
    where: tuple[tuple[str, str], ...] = ()


class Ratio(NamedTuple):
    """One metric divided by another that has the same labels; what has no partner is left out."""

    metric: str
    of: str


class Quantile(NamedTuple):
    """The quantile (0 to 1) of a histogram over the last `over_s` seconds, all labels together."""

    quantile: float
    metric: str
    over_s: int


Expression = Value | Ratio | Quantile


class Definition(NamedTuple):
    """One alert without its numbers. In `summary` and `do`, `{value}` and labels are filled in.

    `only_if`: it can fire only while this metric is 1 (one figure, whatever the other's labels);
    `off` says in words when that is not.
    """

    name: str
    expression: Expression
    unit: Unit
    summary: str
    do: str
    only_if: Value | None = None
    off: str = ""


class Rule(NamedTuple):
    """An alert with its numbers: fires when `expression` is above (or below) `threshold`."""

    definition: Definition
    severity: Severity
    above: bool
    threshold: float
    for_s: float
    runbook: str

    @property
    def name(self) -> str:
        return self.definition.name


_MEMORY = Ratio("jimbot_service_memory_bytes", "jimbot_service_memory_limit_bytes")
_BUDGET = Value("jimbot_claude_budget_used_ratio")

DEFINITIONS = (
    Definition(
        "MemoryCritical",
        _MEMORY,
        "ratio",
        "{service} uses {value} of its memory",
        "See what grows with `jimbot top`, then restart {service}: `jimbot doctor` tells how.",
    ),
    Definition(
        "MemoryHigh",
        _MEMORY,
        "ratio",
        "{service} uses {value} of its memory",
        "Watch it with `jimbot top`; if it only grows, see `jimbot doctor`.",
    ),
    Definition(
        "GpuMemoryHigh",
        Ratio("jimbot_gpu_memory_bytes", "jimbot_gpu_memory_size_bytes"),
        "ratio",
        "{value} of GPU {gpu}'s memory is used",
        "Run `nvidia-smi` to see by whom; end what is not JimBot's, or lower the batch.",
    ),
    Definition(
        "ServiceUnhealthy",
        Value("jimbot_service_healthy"),
        "number",
        "{service} is not well",
        "Run `jimbot health {service}`, then `jimbot logs {service} --since 10m`.",
    ),
    Definition(
        "AnalyticsDown",
        Value("up", (("job", "jimbot-analytics"),)),
        "number",
        "nobody watches: analytics exposes no metrics",
        "Run `jimbot health analytics`, then `jimbot logs analytics --since 10m`.",
    ),
    Definition(
        "DatabaseDown",
        Value("jimbot_store_up"),
        "number",
        "the {store} store cannot be used",
        "Run `jimbot db status`; start its server, or see `jimbot logs mcp analytics`.",
    ),
    Definition(
        "EventsWaiting",
        Value("jimbot_projection_behind_events"),
        "number",
        "{projection} is {value} events behind the log",
        "Give analytics more of a core; if the number only grows: `jimbot logs analytics`.",
    ),
    Definition(
        "ApiRateHigh",
        Value("jimbot_claude_rate_used_ratio"),
        "ratio",
        "{value} of the hour's requests to Claude are used",
        "See what asks with `jimbot costs --by purpose`; the gateway stops at the limit itself.",
    ),
    Definition(
        "BudgetHigh",
        _BUDGET,
        "ratio",
        "{value} of Claude's {unit} for this {window} are used",
        "See where it goes with `jimbot costs`; the gateway stops at the budget itself.",
    ),
    Definition(
        "BudgetSpent",
        _BUDGET,
        "ratio",
        "{value} of Claude's {unit} for this {window} are used: it is not asked any more",
        "Games go on with the local policy. Raise [claude.budgets] only if `jimbot costs` says so.",
    ),
    Definition(
        "ThroughputLow",
        Value("jimbot_games_per_hour"),
        "number",
        "{value} games an hour",
        "Run `jimbot top` and `jimbot logs trainer --since 30m`; see whether something else works.",
        only_if=Value("jimbot_training_wanted"),
        off="no trainer is part of this run, or it pauses",
    ),
    Definition(
        "GraphQuerySlow",
        Quantile(0.95, "jimbot_graph_query_seconds", 300),
        "seconds",
        "5 % of the questions to the knowledge graph take more than {value}",
        "Run `jimbot top`; lower [retention.graph], or rebuild it: `jimbot db rebuild knowledge`.",
    ),
    Definition(
        "BackupStale",
        Ratio("jimbot_backup_age_seconds", "jimbot_backup_stale_after_seconds"),
        "number",
        "the newest backup is {value} times as old as it may be",
        "Run `jimbot backup run`, and `jimbot backup list` to see what failed.",
    ),
    Definition(
        "DiskFilling",
        Ratio("jimbot_disk_used_bytes", "jimbot_disk_size_bytes"),
        "ratio",
        "{value} of the disk under JimBot's home is used",
        "See what grows with `jimbot doctor`; throw away old events with `jimbot db retain`.",
    ),
)


def rules(appliance: Appliance) -> list[Rule]:
    """The alerts that the table has thresholds for, all of them.

    Raises:
        TableError: a definition has no threshold, or a threshold no definition.
    """
    rows = appliance.alerts.rules
    known = {definition.name for definition in DEFINITIONS}
    if unmatched := known.symmetric_difference(rows):
        raise TableError(
            f"[alerts.rules] and jimbot.appliance.rules differ in: {', '.join(sorted(unmatched))}",
            hint="Give each alert its thresholds in the table",
        )
    found = []
    for definition in DEFINITIONS:
        row = rows[definition.name]
        number = row.above if row.above is not None else row.below
        assert number is not None
        runbook = f"{appliance.alerts.runbooks}#{definition.name.lower()}"
        found.append(
            Rule(definition, row.severity, row.above is not None, number, row.for_s, runbook)
        )
    return found
