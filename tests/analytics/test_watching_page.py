"""Alerts, memory, costs and backups on the page, as their answers say, well or not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.analytics.browsing import CONTRAST, Open, browser, opened
from tests.analytics.conftest import Service
from tests.analytics.test_around import REPORT
from tests.analytics.test_dashboard import filled

__all__ = ["browser", "filled", "opened"]  # fixtures

NOW = 1_795_000_000_000


def alert(name: str, state: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "severity": "critical",
        "state": state,
        "labels": {},
        "since": NOW - 600_000,
        "resolved_at": NOW - 60_000 if state == "resolved" else None,
        "silenced_until": None,
        "value": "93 %",
        "summary": f"{name} is out of bounds",
        "what_to_do": "Run `jimbot top`",
        "runbook": f"docs/alerts.md#{name.lower()}",
        **fields,
    }


@pytest.fixture
def quiet(opened: Open, filled: Service) -> Page:
    """The page without its stream, so that only what a test shows is on it."""
    page = opened(filled, "/docs").page
    page.route("**/api/v1/stream", lambda route: route.abort())
    page.goto(f"{filled.url}/")
    expect(page.locator("#link")).to_contain_text("Stale")
    return page


def show(page: Page, module: str, call: str, answer: object) -> None:
    code = f"import('/static/js/{module}.js').then((it) => it.{call}({json.dumps(answer)}, {NOW}))"
    page.evaluate(code)


def alerts(page: Page, status: str, found: list[dict[str, Any]], *rules: tuple[str, str]) -> None:
    states = [
        {"name": name, "severity": "warning", "state": state, "reason": "no figure of it"}
        for name, state in rules
    ]
    answer = {"status": status, "checked_at": NOW, "alerts": found, "rules": states}
    show(page, "alerts", "show", answer)


def test_alerts_say_what_to_do(quiet: Page) -> None:
    found = [
        alert("MemoryCritical", "firing", labels={"service": "mcp"}),
        alert("MemoryCritical", "firing", labels={"service": "trainer"}),
        alert("DiskFilling", "pending", severity="warning"),
        alert("BackupStale", "silenced"),
        alert("BudgetHigh", "resolved"),
    ]
    alerts(quiet, "fail", found, ("MemoryCritical", "firing"), ("GpuMemoryHigh", "unchecked"))
    items = quiet.locator("#alerts > li")
    expect(items).to_have_count(3)
    first = items.first
    expect(first).to_contain_text("MemoryCritical of mcp, trainer")
    expect(first).to_contain_text("critical, firing")
    expect(first).to_contain_text("now 93 %, for 10 min.")
    expect(first).to_contain_text("Do: Run jimbot top.")
    expect(first).to_contain_text("docs/alerts.md#memorycritical")
    expect(first.get_by_text("1 more: trainer")).to_be_visible()
    expect(items.nth(1)).to_contain_text("warning, about to fire")
    expect(items.nth(2)).to_contain_text("silenced")
    expect(quiet.locator("#alerts-over")).to_contain_text("1 alert lately over")
    expect(quiet.locator("#alerts-calm")).to_be_hidden()
    unchecked = quiet.locator("#alerts-unchecked")
    expect(unchecked).to_contain_text("1 rule not checked")
    expect(unchecked).to_contain_text("No figure of it.", use_inner_text=False)
    assert quiet.evaluate(CONTRAST) == []


def test_alerts_that_nobody_looks_at_do_not_look_well(quiet: Page) -> None:
    calm = quiet.locator("#alerts-calm")
    alerts(quiet, "ok", [], ("MemoryHigh", "ok"), ("DiskFilling", "ok"))
    expect(calm).to_have_text("Nothing fires. 2 rules checked.")
    expect(calm).to_have_attribute("data-status", "ok")
    alerts(quiet, "ok", [], ("MemoryHigh", "ok"), ("GpuMemoryHigh", "unchecked"))
    expect(calm).to_have_text("Nothing fires. 1 rule checked, 1 not.")
    expect(calm).to_have_attribute("data-status", "unchecked")
    alerts(quiet, "unchecked", [])
    expect(calm).to_contain_text("Not checked")
    expect(calm).to_have_attribute("data-status", "unchecked")
    alerts(quiet, "ok", [], ("MemoryHigh", "unchecked"))
    expect(calm).to_contain_text("Not checked")
    expect(calm).to_have_attribute("data-status", "unchecked")


def test_many_alerts_stay_few_rows(quiet: Page) -> None:
    found = [alert(f"Rule{n}", "firing", labels={"n": str(m)}) for n in range(40) for m in range(9)]
    alerts(quiet, "fail", found)
    expect(quiet.locator("#alerts > li")).to_have_count(20)


def test_memory_against_budget(quiet: Page) -> None:
    mb = 1 << 20
    answer = {
        "checked": True,
        "reason": "",
        "time": NOW,
        "services": [],
        "groups": [
            {"name": "api", "title": "", "used": 95 * mb, "limit": 100 * mb},
            {"name": "graph", "title": "", "used": None, "limit": 2048 * mb},
        ],
        "gpus": [{"name": "RTX 3090", "used": 20 * mb, "size": 24 * mb, "busy": 0.5}],
        "storage": {"events": 5 * mb, "logs": 0},
        "disk_used": 50,
        "disk_size": 100,
    }
    show(quiet, "services", "showResources", answer)
    rows = quiet.locator("#groups tr")
    expect(rows).to_have_count(4)
    meter = quiet.get_by_role("meter", name="Memory of the group api")
    expect(meter).to_have_attribute("aria-valuenow", "95")
    expect(meter).to_have_attribute("data-level", "bad")
    expect(rows.nth(0)).to_contain_text("95 MB of 100 MB")
    expect(rows.nth(1)).to_contain_text("nothing runs, of 2 GB")
    expect(rows.nth(2)).to_contain_text("GPU 0: RTX 3090, 50% busy")
    expect(quiet.locator("#memory-aside")).to_contain_text("events 5 MB")
    show(quiet, "services", "showResources", {**answer, "checked": False, "gpus": None})
    expect(rows.nth(1)).to_contain_text("not measured")
    expect(quiet.locator("#memory-aside")).to_contain_text("GPU not checked")


def test_costs_and_a_gateway_that_is_away(opened: Open, filled: Service) -> None:
    page = opened(filled).page
    # There is no gateway here: nobody knows what was spent.
    expect(page.locator("#costs-away")).to_contain_text("Gateway away")
    expect(page.locator("#costs")).to_be_hidden()
    expect(page.locator("#backups-word")).to_have_text("none yet")
    report = {**REPORT, "over_budget": True, "month_forecast": 60.0}
    answer = {"state": "ok", "reason": "", "hint": "", "report": report}
    page.route("**/api/v1/costs", lambda route: route.fulfill(json=answer))
    backups = {
        "state": "stale",
        "reason": "The newest backup is too old",
        "hint": "Make one: jimbot backup run",
        "last_ok": 1,
        "age_s": 1.0,
        "stale_after_s": 7200.0,
        "snapshots": 4,
        "last_try": None,
        "last": {"daily": 1},
    }
    page.route("**/api/v1/backups", lambda route: route.fulfill(json=backups))
    page.reload()
    costs = page.locator("#costs")
    expect(costs).to_contain_text("$3.50 of $50.00")
    expect(costs).to_contain_text("$60.00 forecast, over budget")
    expect(costs).to_contain_text("– (none yet)")
    expect(costs.get_by_role("img")).to_have_attribute(
        "aria-label", "Dollars a day, 1 day with requests; most on 2026-11-24: $3.50"
    )
    expect(page.locator("#backups-word")).to_have_text("stale")
    expect(page.locator("#backups-reason")).to_contain_text("Make one: jimbot backup run.")
    assert page.evaluate(CONTRAST) == []


def test_charts_can_be_read_as_tables(opened: Open, filled: Service) -> None:
    page = opened(filled).page
    chart = page.locator("[data-chart=win_rate]")
    chart.get_by_text("As a table").click()
    table = chart.get_by_role("table", name="Win rate")
    expect(table.get_by_role("columnheader")).to_have_count(3)
    expect(table.get_by_role("rowheader").first).to_be_visible()
    assert 3 < table.get_by_role("rowheader").count() <= 120
    # There is no evaluation, so there is no chart of it.
    expect(page.locator("[data-chart=held_out_ante]")).to_be_hidden()
