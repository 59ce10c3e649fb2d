"""The analytics service: projections, HTTP API, dashboard."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

from jimbot import usage
from jimbot.analytics import session
from jimbot.analytics.alerts.watch import Watch
from jimbot.analytics.api import create_app
from jimbot.analytics.around import Around
from jimbot.analytics.exposition import Metrics
from jimbot.analytics.figures import Figures
from jimbot.analytics.machine import Machine
from jimbot.analytics.projections import Projections
from jimbot.analytics.scrape import Scraper
from jimbot.analytics.services import ServiceChecks
from jimbot.analytics.timed import TimedGraph, graph_query_seconds
from jimbot.appliance import Appliance, Home
from jimbot.security.entrance import Entrance
from jimbot.service import configure_logging, serving, stop_event

_log = logging.getLogger(__name__)

_CHECK_EVERY_S = 10.0  # so that Prometheus and the first look of a person find fresh states


async def run(appliance: Appliance, home: Home) -> None:
    """Follow the event log and serve what it says, until SIGTERM or SIGINT.

    Raises:
        PortTaken: the port of the table is in use.
        HomeError: the state directory cannot be used.
    """
    configure_logging("analytics")
    stop = stop_event()
    home.prepare()
    port = appliance.service("analytics").ports["http"]
    async with AsyncExitStack() as stack:
        graph_seconds = graph_query_seconds()
        projections = Projections(
            home,
            appliance.retention.graph,
            lambda graph: TimedGraph(graph, graph_seconds),
            lambda: checks.log_position(),
        )
        checks = ServiceChecks(appliance, home, ("analytics", projections.health))
        stack.push_async_callback(checks.close)
        projections.start()
        stack.push_async_callback(asyncio.to_thread, projections.stop)
        figures = Figures(home, projections)
        stack.callback(figures.close)
        around = Around(appliance, home, checks.last)
        stack.push_async_callback(around.close)
        machine = Machine(appliance, home)
        stack.callback(machine.close)
        metrics = Metrics(
            figures.summary,
            projections.statuses,
            checks.last,
            series=lambda: projections.metrics.store,
            log_up=machine.log_up,
            graph_query_seconds=graph_seconds,
            starting=lambda: usage.starting(appliance, home),
        )
        metrics.registry.register(machine)
        scraper = Scraper(appliance, "analytics", metrics.registry, checks.last)
        stack.push_async_callback(scraper.close)
        watch = Watch(appliance, home, scraper.samples, registry=metrics.registry)
        entrance = Entrance.of(appliance.security, home)
        app, hub = create_app(
            figures,
            checks,
            metrics,
            projections.health,
            around,
            watch.answer,
            lambda app: session.guard(app, appliance.security, home, entrance),
        )
        await stack.enter_async_context(serving(app, port))
        stack.push_async_callback(hub.close)
        for forever in (_keep_checking(checks), machine.run(), watch.run()):
            stack.callback(asyncio.create_task(forever).cancel)
        _log.info("ready", extra={"fields": {"port": port}})
        await stop.wait()
        _log.info("stopping")
    _log.info("stopped")


async def _keep_checking(checks: ServiceChecks) -> None:
    while True:
        await checks.now()
        await asyncio.sleep(_CHECK_EVERY_S)
